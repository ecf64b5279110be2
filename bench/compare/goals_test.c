/* SPDX-License-Identifier: MIT */
/*
 * How goals are judged, with made-up rounds: who is meant when some have none.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "comparison.h"

enum { COPIED, PLACED, BATCHES, FAST, SLOW, ENTRIES };
#define LAPS 40

static const struct peer them[ENTRIES] = {
	[COPIED] = { .name = "cubby", .kind = KIND_OURS },
	[PLACED] = { .name = "cubby, in place",
		     .kind = KIND_OURS,
		     .offers = OFFERS_IN_PLACE },
	[BATCHES] = { .name = "cubby, batches",
		      .kind = KIND_OURS,
		      .offers = OFFERS_BATCHES },
	[FAST] = { .name = "fast", .kind = KIND_PEER },
	[SLOW] = { .name = "slow", .kind = KIND_PEER },
};

static const struct comparison untouched = {
	"rate_untouched", ONE_WAY, SHIPPED, 1, 1, 1u << 20, false, false
};
static const struct comparison three_to_one = {
	"rate", ONE_WAY, SHIPPED, 3, 1, 64, true, false
};
static const struct comparison there_and_back = {
	"round_trip", THERE_AND_BACK, SPINNING, 1, 1, 64, true, false
};

/* A few rounds of that entry, about that value. */
struct made {
	int entry;
	enum distance distance;
	double value;
};

static void
add(struct outcome *outcome, const struct made *made)
{
	struct entry *entry = &outcome->entries[made->entry];

	for (int i = 0; i < 5; i++) {
		int lap = 10 * (int)made->distance + i;
		double its = made->value * (1 + 0.01 * (i - 2));

		sample_add(&entry->values[made->distance], its);
		entry->laps[lap].value = its;
		entry->laps[lap].distance = made->distance;
	}
	outcome->rounds[made->distance] += 5;
}

/* By these rounds, to one without a value. */
static struct judged
judge(const struct comparison *comparison, const struct made *made)
{
	static struct outcome outcome;
	struct judged judged[2];

	outcome = (struct outcome){ .comparison = comparison,
				    .count = ENTRIES,
				    .laps = LAPS };
	for (int i = 0; i < ENTRIES; i++) {
		outcome.entries[i].peer = &them[i];
		outcome.entries[i].laps =
			calloc(LAPS, sizeof(*outcome.entries[i].laps));
		assert_non_null(outcome.entries[i].laps);
	}
	for (; made->value > 0; made++)
		add(&outcome, made);
	assert_int_equal(goals_judge(&outcome, judged, 2), 1);
	for (int i = 0; i < ENTRIES; i++) {
		for (int j = 0; j < DISTANCES; j++)
			sample_free(&outcome.entries[i].values[j]);
		free(outcome.entries[i].laps);
	}
	return judged[0];
}

static void
assert_ratio(double value, double expected)
{
	assert_false(isnan(value));
	assert_true(fabs(value / expected - 1) < 1e-6);
}

static void
assert_not_judged(const struct judged *judged, enum distance distance,
		  const char *who)
{
	assert_true(isnan(distance == NEAR ? judged->near : judged->far));
	assert_non_null(
		strstr(judged->reasons[distance], distance_names[distance]));
	assert_non_null(strstr(judged->reasons[distance], who));
}

static void
in_place_is_not_judged_by_what_is_copied(void **state)
{
	static const struct made rounds[] = {
		{ PLACED, NEAR, 1000 }, { COPIED, NEAR, 2 }, { COPIED, FAR, 1 },
		{ SLOW, NEAR, 4 },	{ SLOW, FAR, 5 },    { 0, NEAR, 0 },
	};
	struct judged judged = judge(&untouched, rounds);

	(void)state;
	assert_null(judged.reason);
	assert_string_equal(judged.ours, "cubby, in place");
	assert_ratio(judged.near, 250);
	assert_ratio(judged.value, 250);
	assert_string_equal(judged.reasons[NEAR], "");
	assert_not_judged(&judged, FAR, "cubby, in place");
}

static void
in_place_is_meant_even_if_it_is_the_slower(void **state)
{
	static const struct made rounds[] = {
		{ PLACED, NEAR, 10 },
		{ COPIED, NEAR, 20 },
		{ SLOW, NEAR, 5 },
		{ 0, NEAR, 0 },
	};
	struct judged judged = judge(&untouched, rounds);

	(void)state;
	assert_string_equal(judged.ours, "cubby, in place");
	assert_ratio(judged.near, 2);
	assert_not_judged(&judged, FAR, "no round was far");
}

static void
without_a_round_of_the_one_meant_nothing_is_judged(void **state)
{
	static const struct made rounds[] = {
		{ COPIED, NEAR, 20 },
		{ SLOW, NEAR, 5 },
		{ 0, NEAR, 0 },
	};
	struct judged judged = judge(&untouched, rounds);

	(void)state;
	assert_non_null(judged.reason);
	assert_true(isnan(judged.near) && isnan(judged.far) &&
		    isnan(judged.value));
	assert_string_equal(judged.ours, "");
}

static void
either_way_is_one_way_in_all_classes(void **state)
{
	/* Near copied is a bit better, far in place by much. */
	static const struct made rounds[] = {
		{ COPIED, NEAR, 100 }, { PLACED, NEAR, 110 },
		{ COPIED, FAR, 600 },  { PLACED, FAR, 300 },
		{ SLOW, NEAR, 200 },   { SLOW, FAR, 400 },
		{ 0, NEAR, 0 },
	};
	struct judged judged = judge(&there_and_back, rounds);

	(void)state;
	assert_string_equal(judged.ours, "cubby, in place");
	assert_ratio(judged.near, 0.55);
	assert_ratio(judged.far, 0.75);
	assert_ratio(judged.value, 0.75);
}

static void
the_better_way_is_not_replaced_where_it_has_no_round(void **state)
{
	static const struct made rounds[] = {
		{ COPIED, NEAR, 100 }, { PLACED, NEAR, 110 },
		{ PLACED, FAR, 300 },  { SLOW, NEAR, 200 },
		{ SLOW, FAR, 400 },    { 0, NEAR, 0 },
	};
	struct judged judged = judge(&there_and_back, rounds);

	(void)state;
	assert_string_equal(judged.ours, "cubby");
	assert_ratio(judged.near, 0.5);
	assert_ratio(judged.value, 0.5);
	assert_not_judged(&judged, FAR, "of cubby counted");
}

static void
batches_are_not_meant(void **state)
{
	static const struct made rounds[] = {
		{ BATCHES, NEAR, 1000 },
		{ COPIED, NEAR, 30 },
		{ SLOW, NEAR, 10 },
		{ 0, NEAR, 0 },
	};
	struct judged judged = judge(&three_to_one, rounds);

	(void)state;
	assert_string_equal(judged.ours, "cubby");
	assert_ratio(judged.near, 3);
}

static void
the_best_peer_is_not_replaced_by_a_slower_one(void **state)
{
	static const struct made rounds[] = {
		{ COPIED, NEAR, 60 }, { COPIED, FAR, 50 }, { FAST, NEAR, 20 },
		{ SLOW, NEAR, 2 },    { SLOW, FAR, 1 },	   { 0, NEAR, 0 },
	};
	struct judged judged = judge(&three_to_one, rounds);

	(void)state;
	assert_string_equal(judged.beside, "fast");
	assert_ratio(judged.near, 3);
	assert_ratio(judged.value, 3);
	assert_not_judged(&judged, FAR, "fast");
}

static void
each_class_has_its_own_best_peer(void **state)
{
	static const struct made rounds[] = {
		{ COPIED, NEAR, 60 }, { COPIED, FAR, 50 }, { FAST, NEAR, 20 },
		{ FAST, FAR, 5 },     { SLOW, NEAR, 10 },  { SLOW, FAR, 25 },
		{ 0, NEAR, 0 },
	};
	struct judged judged = judge(&three_to_one, rounds);

	(void)state;
	assert_ratio(judged.near, 3);
	assert_ratio(judged.far, 2);
	assert_ratio(judged.value, 2);
	assert_string_equal(judged.beside, "slow");
}

static void
a_slower_peer_without_a_round_changes_nothing(void **state)
{
	static const struct made rounds[] = {
		{ COPIED, NEAR, 60 }, { COPIED, FAR, 50 }, { FAST, NEAR, 20 },
		{ FAST, FAR, 5 },     { SLOW, NEAR, 10 },  { 0, NEAR, 0 },
	};
	struct judged judged = judge(&three_to_one, rounds);

	(void)state;
	assert_ratio(judged.near, 3);
	assert_ratio(judged.far, 10);
	assert_string_equal(judged.reasons[FAR], "");
}

static void
where_nobody_is_apart_the_others_count(void **state)
{
	static const struct made rounds[] = {
		{ COPIED, MIXED, 60 },
		{ SLOW, MIXED, 10 },
		{ 0, NEAR, 0 },
	};
	struct judged judged = judge(&three_to_one, rounds);

	(void)state;
	assert_null(judged.reason);
	assert_ratio(judged.value, 6);
	assert_not_judged(&judged, NEAR, "no round was near");
	assert_not_judged(&judged, FAR, "no round was far");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_place_is_not_judged_by_what_is_copied),
		cmocka_unit_test(in_place_is_meant_even_if_it_is_the_slower),
		cmocka_unit_test(
			without_a_round_of_the_one_meant_nothing_is_judged),
		cmocka_unit_test(either_way_is_one_way_in_all_classes),
		cmocka_unit_test(
			the_better_way_is_not_replaced_where_it_has_no_round),
		cmocka_unit_test(batches_are_not_meant),
		cmocka_unit_test(the_best_peer_is_not_replaced_by_a_slower_one),
		cmocka_unit_test(each_class_has_its_own_best_peer),
		cmocka_unit_test(a_slower_peer_without_a_round_changes_nothing),
		cmocka_unit_test(where_nobody_is_apart_the_others_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
