/* SPDX-License-Identifier: MIT */
/*
 * The points of each operation, over all of its starting states, and over all
 * kinds of mailbox: how many of them are distinct, as the same place in another
 * state is no other place.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

/* "call/first" and "call/again" are the same one. */
static bool
are_same(const struct scenario *one, const struct scenario *other)
{
	const char *a = one->operation->name, *b = other->operation->name;
	size_t length = strcspn(a, "/");

	return length == strcspn(b, "/") && !strncmp(a, b, length);
}

static int
compare(const void *left, const void *right)
{
	const struct point *a = left, *b = right;

	if (a->address != b->address)
		return a->address < b->address ? -1 : 1;
	if (a->visit != b->visit)
		return a->visit < b->visit ? -1 : 1;
	if (a->nth != b->nth)
		return a->nth < b->nth ? -1 : 1;
	if (a->syscall != b->syscall)
		return a->syscall < b->syscall ? -1 : 1;
	return (int)a->moment - (int)b->moment;
}

static uint32_t
count_distinct(struct point *list, uint32_t count)
{
	uint32_t distinct = 0;

	qsort(list, count, sizeof(*list), compare);
	for (uint32_t i = 0; i < count; i++)
		distinct += !i || compare(&list[i - 1], &list[i]) != 0;
	return distinct;
}

/* Adds those of the scenarios of the same operation from s on, and marks them. */
static uint32_t
gather(const struct points *points, uint32_t s, bool *done, struct point *ret)
{
	uint32_t count, found = 0;
	const struct scenario *list = scenarios(&count);

	for (uint32_t i = s; i < count; i++) {
		if (done[i] || !are_same(&list[s], &list[i]))
			continue;
		done[i] = true;
		memcpy(ret + found, points[i].list,
		       points[i].count * sizeof(*ret));
		found += points[i].count;
	}
	return found;
}

void
distinct_print(const struct points *points, const bool *chosen)
{
	uint32_t count, distinct, all = 0, operations = 0;
	const struct scenario *list = scenarios(&count);
	bool *done = calloc(count, sizeof(*done));
	uint64_t most = 0;
	struct point *own;

	for (uint32_t s = 0; s < count; s++) {
		done[s] = !chosen[s];
		most += points[s].count;
	}
	own = calloc(most + 1, sizeof(*own));
	printf("%-32s %9s\n", "operation", "distinct points");
	for (uint32_t s = 0; s < count && own; s++) {
		if (done[s])
			continue;
		distinct = count_distinct(own, gather(points, s, done, own));
		printf("%-32.*s %9u\n",
		       (int)strcspn(list[s].operation->name, "/"),
		       list[s].operation->name, distinct);
		all += distinct;
		operations++;
	}
	printf("%u operations: %u distinct points; with those of each starting "
	       "state and kind for itself: %llu\n", operations, all,
	       (unsigned long long)most);
	free(own);
	free(done);
}

/* Of which kind that operation is, and all those there are: by starting state. */
static uint32_t
print_table_row(const struct points *points, const bool *chosen, uint32_t s)
{
	uint32_t count, by_start[STARTS] = { 0 };
	const struct scenario *list = scenarios(&count);
	uint32_t i = s;

	for (; i < count && list[i].operation == list[s].operation &&
	       list[i].kind == list[s].kind; i++)
		by_start[list[i].start] = chosen[i] ? points[i].count : 0;
	printf("| %.*s |", (int)strcspn(scenario_name(&list[s]), "/"),
	       scenario_name(&list[s]));
	for (int start = 0; start < STARTS; start++)
		by_start[start] ? printf(" %u |", by_start[start]) :
				  printf(" |");
	printf("\n");
	return i;
}

void
distinct_print_table(const struct points *points, const bool *chosen)
{
	uint32_t count, s = 0;

	scenarios(&count);
	printf("| operation | empty | one | full | wrapped | asleep | several "
	       "|\n|---|---|---|---|---|---|---|\n");
	while (s < count)
		s = chosen[s] ? print_table_row(points, chosen, s) : s + 1;
}

/* Each once; of functions of one name, which come one after the other, the name
   may come again. */
void
distinct_print_functions(const struct text *text, const struct points *points,
			 const bool *chosen)
{
	uint32_t count;
	const struct scenario *list = scenarios(&count);
	static struct point own[POINTS_MAX];
	uintptr_t start, end;
	char name[200];

	for (uint32_t s = 0; s < count; s++) {
		if (!chosen[s])
			continue;
		printf("%s:", scenario_name(&list[s]));
		memcpy(own, points[s].list, points[s].count * sizeof(*own));
		qsort(own, points[s].count, sizeof(*own), compare);
		end = 0;
		for (uint32_t i = 0; i < points[s].count; i++) {
			if (own[i].address < end)
				continue;
			snprintf(name, sizeof(name), "%s",
				 text_name(text, own[i].address));
			name[strcspn(name, "+")] = '\0';
			if (!text_function(text, name, &start, &end) ||
			    own[i].address < start || own[i].address >= end)
				end = own[i].address + 1;
			printf(" %s", name);
		}
		printf("\n");
	}
}
