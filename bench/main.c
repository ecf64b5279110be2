/* SPDX-License-Identifier: MIT */
/*
 * cubby-bench: what cubby costs on this machine, beside what bounds it. The
 * method is in rounds.c, what is compared in tests/.
 */
#include <stdio.h>

#include "common/options.h"
#include "results.h"
#include "tests.h"

static const struct test *const tests[] = {
	&round_trip_test,
	&rate_test,
	&fan_in_test,
	&idle_rate_test,
	&idle_round_trip_test,
	&in_place_test,
	&in_full_test,
	&asleep_test,
	&batch_test,
	&broadcast_test,
	&call_test,
	&wait_test,
	&wait_ready_test,
	&queue_test,
	&waiting_first_test,
	&waiting_type_test,
	&waiting_not_type_test,
	&waiting_lowest_test,
	&waiting_priority_test,
	&waiting_withdrawal_test,
};
#define TESTS (sizeof(tests) / sizeof(*tests))

static const struct program_option program_options[] = {
	OPTION_TEST(""),
	OPTION_ROUNDS("rounds of near and of far processors each (20)"),
	OPTION_ROUND_MS("milliseconds of a round (10)"),
	OPTION_HUNT("2"),
	OPTIONS_WHERE("results.json"),
	OPTIONS_END,
};

static const char *
test_named(size_t number, const char **ret_title)
{
	if (number == TESTS)
		return NULL;
	*ret_title = tests[number]->title;
	return tests[number]->name;
}

static const struct program program = {
	.name = "cubby-bench",
	.purpose = "Measures what cubby costs beside what bounds it.",
	.file = "results.json",
	.options = program_options,
	.test = test_named,
};

/* Ends with 0 when all could be measured, whether goals are held or missed. */
int
main(int argc, char **argv)
{
	static struct options options = {
		.settings = { .rounds = 20,
			      .duration = 10000000,
			      .hunt = 2000000000,
			      .near_from = 60,
			      .far_from = 250 },
	};
	bool fine = true;

	options_parse(&program, argc, argv, &options, NULL);
	results_open(options.json);
	results_machine(&options.settings);
	for (size_t i = 0; i < TESTS; i++) {
		if (filter_takes(&options.tests, tests[i]->name))
			fine &= test_run(tests[i], &options.settings);
	}
	results_goals();
	results_close();
	printf("\nresults: %s\n", options.json);
	return fine ? 0 : 1;
}
