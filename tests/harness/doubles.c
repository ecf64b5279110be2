/* SPDX-License-Identifier: MIT */
/*
 * Two deaths: which are tried, and what came of them. See double.h.
 *
 * A seed decides which scenarios are played, by which heirs, and where the first
 * deaths are; it is printed, and the same seed is the same plan. (Which second
 * points there are, the runs show.) So long as that many deaths allow it, each
 * combination of a scenario and an heir is there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "double.h"

enum {
	HEIRS_OF_FEW = 3,	/* for each scenario, if few are played */
	FIRSTS = 4,		/* first deaths of a combination, at least */
	YIELD = 5,		/* second deaths that a first one is good for */
	ROWS_MAX = 4096
};

/* One pair of operations. */
struct row {
	char name[60];
	uint32_t heir, firsts, deaths, repairing, astray, failures;
};

static struct {
	struct pair *pairs;
	uint32_t count, most;
	unsigned char *plain;	/* by kind, heir and offset into the text */
	size_t text_size;
	struct item *items;
	struct row *rows;
	uint32_t rows_count;
	uint64_t random;
} doubles;

static uint32_t
random_below(uint32_t bound)
{
	uint64_t value = doubles.random += UINT64_C(0x9e3779b97f4a7c15);

	value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
	return bound ? (uint32_t)((value ^ value >> 31) % bound) : 0;
}

static void
shuffle(uint32_t *list, uint32_t count)
{
	for (uint32_t i = count; i > 1; i--) {
		uint32_t j = random_below(i), other = list[j];

		list[j] = list[i - 1];
		list[i - 1] = other;
	}
}

static bool
is_wanted(const struct double_plan *plan, const struct scenario *scenario,
	  uint32_t heir)
{
	return heir_fits(scenario, heir) &&
	       (!plan->heir || !strcmp(plan->heir, heir_name(heir)));
}

static uint32_t
combinations(const struct double_plan *plan, const bool *chosen)
{
	uint32_t count, found = 0;
	const struct scenario *list = scenarios(&count);

	for (uint32_t s = 0; s < count; s++)
		for (uint32_t h = 0; h < heirs_count() && chosen[s]; h++)
			found += is_wanted(plan, &list[s], h);
	return found;
}

static uint32_t
firsts_wanted(const struct double_plan *plan)
{
	return plan->point >= 0 ? 1 : plan->deaths / YIELD + FIRSTS;
}

void
doubles_choose(const struct double_plan *plan, bool *chosen)
{
	uint32_t count, number = 0, most;
	uint32_t *order;

	scenarios(&count);
	order = calloc(count, sizeof(*order));
	doubles.random = plan->seed;
	for (uint32_t s = 0; s < count; s++) {
		if (chosen[s])
			order[number++] = s;
	}
	shuffle(order, number);
	most = firsts_wanted(plan) / (HEIRS_OF_FEW * FIRSTS) + 1;
	for (uint32_t i = most; i < number; i++)
		chosen[order[i]] = false;
	free(order);
}

/* The plan ---------------------------------------------------------------- */

static void
add_pair(const struct double_plan *plan, uint32_t scenario, uint32_t heir,
	 uint32_t first)
{
	if (doubles.count == doubles.most)
		return;
	doubles.pairs[doubles.count++] = (struct pair){
		.scenario = (uint16_t)scenario,
		.heir = (uint16_t)heir,
		.first = first,
		.wanted = plan->second,
	};
}

/* firsts: spread over the points, one at random in each part. */
static void
add_combination(const struct double_plan *plan, uint32_t scenario,
		uint32_t heir, uint32_t points, uint32_t firsts)
{
	if (plan->point >= 0) {
		if (plan->point < points)
			add_pair(plan, scenario, heir,
				 (uint32_t)plan->point);
		return;
	}
	firsts = firsts < points ? firsts : points;
	for (uint32_t i = 0; i < firsts; i++) {
		uint32_t from = (uint32_t)((uint64_t)i * points / firsts);
		uint32_t to = (uint32_t)((i + 1ULL) * points / firsts);

		add_pair(plan, scenario, heir, from + random_below(to - from));
	}
}

static void
add_scenario(const struct double_plan *plan, uint32_t scenario,
	     uint32_t points, uint32_t heirs_most, uint32_t firsts)
{
	uint32_t count, number = 0, order[64];
	const struct scenario *list = scenarios(&count);

	for (uint32_t h = 0; h < heirs_count() && number < 64; h++) {
		if (is_wanted(plan, &list[scenario], h))
			order[number++] = h;
	}
	shuffle(order, number);
	for (uint32_t i = 0; i < number && i < heirs_most; i++)
		add_combination(plan, scenario, order[i], points, firsts);
}

static void
make_pairs(const struct double_plan *plan, const struct points *points,
	   const bool *chosen)
{
	uint32_t count, firsts = firsts_wanted(plan);
	uint32_t all = combinations(plan, chosen);
	uint32_t heirs_most = firsts / FIRSTS >= all ? UINT32_MAX :
						       HEIRS_OF_FEW;
	uint32_t each = heirs_most == UINT32_MAX && all ? firsts / all : FIRSTS;

	scenarios(&count);
	doubles.most = firsts + all;
	doubles.pairs = share(doubles.most * sizeof(struct pair));
	for (uint32_t s = 0; s < count; s++) {
		if (chosen[s] && points[s].count)
			add_scenario(plan, s, points[s].count, heirs_most,
				     each);
	}
}

/* The items --------------------------------------------------------------- */

static uint32_t
plan_each(enum strike strike)
{
	for (uint32_t i = 0; i < doubles.count; i++)
		doubles.items[i] = (struct item){
			.scenario = doubles.pairs[i].scenario,
			.strike = (uint16_t)strike,
			.point = i,
		};
	return doubles.count;
}

/* One for each combination, each in another state of the victim's. */
static uint32_t
plan_plain(void)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < doubles.count; i++) {
		const struct pair *pair = &doubles.pairs[i];

		if (i && pair[-1].scenario == pair->scenario &&
		    pair[-1].heir == pair->heir)
			continue;
		doubles.items[count++] = (struct item){
			.scenario = pair->scenario,
			.strike = PLAIN,
			.point = i,
			.second = count % 3,
		};
	}
	return count;
}

/* How many deaths of repairers there are if no pair has more than that. */
static uint32_t
yield(uint32_t most)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < doubles.count; i++) {
		uint32_t repairing = doubles.pairs[i].repairing;

		sum += repairing < most ? repairing : most;
	}
	return sum;
}

/* Those of repair first, a spread of them; and of those besides every other. */
static uint32_t
plan_doubles(const struct double_plan *plan)
{
	uint32_t count = 0, most = 1;

	while (most < REPAIRING && yield(most) < plan->deaths)
		most++;
	for (uint32_t i = 0; i < doubles.count; i++) {
		const struct pair *pair = &doubles.pairs[i];
		uint32_t all = pair->repairing;
		uint32_t take = all < most ? all : most;

		for (uint32_t k = 0; k < pair->count; k++) {
			bool taken = plan->second >= 0 ||
				     (k < all ? k * take / all !=
							(k + 1) * take / all :
						(k + i) % 2 == 0);

			if (!taken)
				continue;
			doubles.items[count++] = (struct item){
				.scenario = pair->scenario,
				.strike = DOUBLE,
				.point = i,
				.second = k,
			};
		}
	}
	return count;
}

/* A worker's part --------------------------------------------------------- */

bool
doubles_do(struct run *run, const struct item *item)
{
	struct pair *pair = &doubles.pairs[item->point];
	size_t map = (size_t)run->scenario->kind * heirs_count() + pair->heir;
	unsigned char *plain = doubles.plain + map * doubles.text_size;
	struct pair other = *pair;

	if (item->strike != PLAIN)
		return double_strike(run, pair, plain,
				     (enum strike)item->strike, item->second);
	other.first = item->second;
	return double_strike(run, &other, plain, PLAIN, 0);
}

/* What came of it --------------------------------------------------------- */

void
doubles_tell(const struct text *text, const struct points *points,
	     const struct item *item)
{
	const struct pair *pair = &doubles.pairs[item->point];
	uint32_t count;
	const struct scenario *list = scenarios(&count);

	printf(", heir %s", heir_name(pair->heir));
	if (item->strike == PLAIN) {
		printf(", nobody dead");
		return;
	}
	printf("\n\tthe first at point %u: %s", pair->first,
	       point_name(text, &points->list[pair->first]));
	if (item->strike == DOUBLE)
		printf("\n\tthe heir at point %u: %s",
		       pair->indices[item->second],
		       point_name(text, &pair->seconds[item->second]));
	printf("\n\tagain: --double 1 --scenario %s --point %u --heir %s",
	       scenario_name(&list[pair->scenario]), pair->first,
	       heir_name(pair->heir));
	if (item->strike == DOUBLE)
		printf(" --second %u", pair->indices[item->second]);
}

static struct row *
row_of(const struct pair *pair)
{
	uint32_t count;
	const struct scenario *list = scenarios(&count);
	char name[80];
	struct row *row;

	snprintf(name, sizeof(name), "%s", scenario_name(&list[pair->scenario]));
	name[strcspn(name, "/")] = '\0';
	for (uint32_t i = 0; i < doubles.rows_count; i++) {
		row = &doubles.rows[i];
		if (row->heir == pair->heir && !strcmp(row->name, name))
			return row;
	}
	if (doubles.rows_count == ROWS_MAX)
		fail("too many pairs of operations\n");
	row = &doubles.rows[doubles.rows_count++];
	snprintf(row->name, sizeof(row->name), "%.59s", name);
	row->heir = pair->heir;
	return row;
}

static void
count_item(const struct item *item)
{
	const struct pair *pair = &doubles.pairs[item->point];
	struct row *row = row_of(pair);

	row->firsts += item->strike == LISTED;
	row->astray += item->outcome == ASTRAY;
	row->failures += item->outcome == NOT_DONE;
	if (item->strike != DOUBLE || item->outcome != DONE)
		return;
	row->deaths++;
	row->repairing += item->second < pair->repairing;
}

static void
count_items(uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		count_item(&doubles.items[i]);
}

static void
print_row(const char *name, const char *heir, const struct row *row)
{
	printf("%-32s %-15s %7u %8u %9u %7u %8u\n", name, heir, row->firsts,
	       row->deaths, row->repairing, row->astray, row->failures);
}

static struct row
print_rows(void)
{
	struct row total = { .name = "in all" };

	printf("%-32s %-15s %7s %8s %9s %7s %8s\n", "the first died in",
	       "the heir in", "firsts", "deaths", "repairing", "astray",
	       "failures");
	for (uint32_t i = 0; i < doubles.rows_count; i++) {
		const struct row *row = &doubles.rows[i];

		print_row(row->name, heir_name(row->heir), row);
		total.firsts += row->firsts;
		total.deaths += row->deaths;
		total.repairing += row->repairing;
		total.astray += row->astray;
		total.failures += row->failures;
	}
	print_row(total.name, "", &total);
	return total;
}

static int
print_result(const struct double_plan *plan, const struct tally *tallies)
{
	uint32_t count, runs = 0, hangs = 0;
	struct row total = print_rows();
	int64_t longest = 0;

	scenarios(&count);
	for (uint32_t s = 0; s < count; s++) {
		runs += tallies[s].runs;
		hangs += tallies[s].hangs;
		if (tallies[s].longest > longest)
			longest = tallies[s].longest;
	}
	printf("%u pairs of operations, %u runs; %u double deaths, %u of them "
	       "of one who repaired; %u hangs, %u failures, %u astray; "
	       "longest wait %.1f ms; --seed %llu\n",
	       doubles.rows_count, runs, total.deaths, total.repairing, hangs,
	       total.failures, total.astray, (double)longest / 1e6,
	       (unsigned long long)plan->seed);
	if (total.astray > 10 && total.astray > runs / 10) {
		printf("too many runs went astray\n");
		return 1;
	}
	if (total.repairing < plan->at_least)
		printf("fewer than %u\n", plan->at_least);
	return total.failures || total.repairing < plan->at_least;
}

int
doubles_run(const struct double_plan *plan, const struct text *text,
	    struct points *points, const bool *chosen)
{
	uint32_t count, items;
	struct tally *tallies;

	scenarios(&count);
	tallies = calloc(count, sizeof(*tallies));
	make_pairs(plan, points, chosen);
	doubles.text_size = text->end - text->start;
	doubles.plain = share(KINDS * heirs_count() * doubles.text_size + 1);
	doubles.items = share((doubles.count + 1ULL) * SECONDS *
			      sizeof(struct item));
	doubles.rows = calloc(ROWS_MAX, sizeof(*doubles.rows));
	items = plan_plain();
	pool_run(text, doubles.items, items, points, tallies, plan->jobs,
		 plan->once);
	count_items(items);
	items = plan_each(LISTED);
	pool_run(text, doubles.items, items, points, tallies, plan->jobs,
		 plan->once);
	count_items(items);
	items = plan_doubles(plan);
	pool_run(text, doubles.items, items, points, tallies, plan->jobs,
		 plan->once);
	count_items(items);
	return print_result(plan, tallies);
}
