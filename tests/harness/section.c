/* SPDX-License-Identifier: MIT */
/*
 * The instructions at which a participant that stands still holds up the others:
 * those at which it has the lock of a queue.
 *
 * The list of points says of each whether the victim had the lock there, by the
 * lock's own word. That the others are held up nowhere else is what the runs with
 * a stopped victim show: at a point without the lock a call that does not come
 * back, or says -ETIMEDOUT, is a failure, and at one with it a call that does
 * something. So what is left to hold is how many instructions there are. A file
 * says so for each operation, and none may have more:
 *
 *	compiler VERSION
 *	OPERATION COUNT
 *
 * The counts are of one compiler; another one may need up to twice as many. And
 * which of two ways is taken depends on time here and there (whether somebody is
 * asked for, who comes first): so the file has the most of several lists, and a
 * little more is let pass.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

enum { OPERATIONS_MAX = 256 };

/* What is known of an operation, from all of its starting states. */
struct section {
	char name[80];
	uint32_t count, limit;
	unsigned char *seen;	/* by offset into the text */
};

struct sections {
	uint32_t count;
	struct section list[OPERATIONS_MAX];
};

static struct section *
section_of(struct sections *sections, const char *name)
{
	struct section *section;

	for (uint32_t i = 0; i < sections->count; i++) {
		if (!strcmp(sections->list[i].name, name))
			return &sections->list[i];
	}
	if (sections->count == OPERATIONS_MAX)
		fail("too many operations\n");
	section = &sections->list[sections->count++];
	snprintf(section->name, sizeof(section->name), "%s", name);
	return section;
}

static void
add_points(struct section *section, const struct text *text,
	   const struct points *points)
{
	if (!section->seen)
		section->seen = calloc(1, text->end - text->start);
	for (uint32_t i = 0; i < points->count && section->seen; i++) {
		const struct point *point = &points->list[i];
		unsigned char *seen = section->seen + point->address -
				      text->start;

		if (!point->locked || point->moment != AT || *seen)
			continue;
		*seen = 1;
		section->count++;
	}
}

static void
add_scenarios(struct sections *sections, const struct text *text,
	      const struct points *points, const bool *chosen)
{
	uint32_t count;
	const struct scenario *list = scenarios(&count);
	char name[80];

	for (uint32_t s = 0; s < count; s++) {
		if (!chosen[s] || list[s].kind == LANES)
			continue;
		snprintf(name, sizeof(name), "%s", scenario_name(&list[s]));
		*strchr(name, '/') = '\0';
		add_points(section_of(sections, name), text, &points[s]);
	}
}

/* Returns by how much the counts may differ: 1, or 2 for another compiler. */
static uint32_t
read_limits(const char *path, struct sections *sections)
{
	FILE *file = fopen(path, "re");
	char line[200], name[80], version[100] = "";
	uint32_t limit;

	if (!file)
		fail("%s: %s\n", path, strerror(errno));
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "compiler %99[^\n]", version) == 1)
			continue;
		if (sscanf(line, "%79s %u", name, &limit) == 2)
			section_of(sections, name)->limit = limit;
	}
	fclose(file);
	return strcmp(version, __VERSION__) ? 2 : 1;
}

void
section_print(const struct text *text, const struct points *points,
	      const bool *chosen)
{
	static struct sections sections;

	add_scenarios(&sections, text, points, chosen);
	printf("compiler %s\n", __VERSION__);
	for (uint32_t i = 0; i < sections.count; i++)
		printf("%s %u\n", sections.list[i].name,
		       sections.list[i].count);
}

bool
section_check(const char *path, const struct text *text,
	      const struct points *points, const bool *chosen)
{
	static struct sections sections;
	uint32_t factor = read_limits(path, &sections), exceeded = 0;

	add_scenarios(&sections, text, points, chosen);
	for (uint32_t i = 0; i < sections.count; i++) {
		const struct section *section = &sections.list[i];

		uint32_t most = section->limit + section->limit / 10 + 20;

		if (!section->seen || section->count <= factor * most)
			continue;
		printf("%s: %u instructions with the lock, not %u\n",
		       section->name, section->count, section->limit);
		exceeded++;
	}
	printf("with the lock: %u operations, %u exceed %s\n", sections.count,
	       exceeded, path);
	return exceeded == 0;
}
