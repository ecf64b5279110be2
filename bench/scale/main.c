/* SPDX-License-Identifier: MIT */
/*
 * cubby-scale: what growth costs. bench/README.md says what is measured, and
 * what scale.json holds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "../common/clock.h"
#include "../common/options.h"
#include "root.h"
#include "rows.h"
#include "scale.h"

static const struct scale_test *const tests[] = {
	&idle_senders_test,   &busy_senders_test, &receivers_test,
	&oversubscribed_test, &mailboxes_test,	  &memory_test,
	&open_test,	      &backlog_test,	  &sizes_test,
};
#define TESTS (sizeof(tests) / sizeof(*tests))

bool
scale_fail(const char *test, const char *what, int error)
{
	fflush(stdout);
	if (error)
		fprintf(stderr, "cubby-scale: %s: %s: %s\n", test, what,
			strerror(-error));
	else
		fprintf(stderr, "cubby-scale: %s: %s\n", test, what);
	return false;
}

void
round_fail(struct round *round, const char *what, int error)
{
	if (!round->failure[0])
		snprintf(round->failure, sizeof(round->failure), "%s%s%s", what,
			 error ? ": " : "", error ? strerror(-error) : "");
}

static const char *
test_named(size_t number, const char **ret_title)
{
	if (number == TESTS)
		return NULL;
	*ret_title = tests[number]->title;
	return tests[number]->name;
}

static const struct program_option program_options[] = {
	OPTION_TEST(""),
	{ "list", NULL, 'l', "which there are" },
	{ "quick", NULL, 'q', "every part, nothing of any size" },
	OPTION_ROUNDS("rounds of each point (15)"),
	OPTION_ROUND_MS("milliseconds of a round of two processes (10)"),
	OPTIONS_WHERE("scale.json"),
	OPTIONS_END,
};

static void
take(void *context, int letter, const char *value);

static const struct program program = {
	.name = "cubby-scale",
	.purpose = "Measures what growth costs.",
	.file = "scale.json",
	.options = program_options,
	.take = take,
	.test = test_named,
};

static void
take(void *context, int letter, const char *value)
{
	struct scale *scale = context;

	(void)value;
	if (letter == 'q') {
		scale->quick = true;
		return;
	}
	options_list(&program, stdout);
	exit(0);
}

static void
parse(int argc, char **argv, struct options *options, struct scale *scale)
{
	struct settings *settings = &options->settings;

	options_parse(&program, argc, argv, options, scale);
	if (!settings->rounds)
		settings->rounds = scale->quick ? 1 : 15;
	if (!settings->duration)
		settings->duration = scale->quick ? 1000000 : 10000000;
	scale->settings = *settings;
}

/* As many descriptors as it may have. */
static void
raise_limits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* Ends with 0 when all could be measured, whether targets are held or missed. */
int
main(int argc, char **argv)
{
	static struct options options = {
		.settings = { .near_from = 60, .far_from = 250 },
	};
	static struct scale scale;
	bool fine = true;

	parse(argc, argv, &options, &scale);
	root_enter();
	raise_limits();
	printf("mailboxes: %s\n", root_path());
	fflush(stdout);
	rows_open(options.json, &scale);
	for (size_t i = 0; i < TESTS; i++) {
		uint64_t begun = clock_now();

		if (!filter_takes(&options.tests, tests[i]->name))
			continue;
		rows_test(tests[i]);
		fine &= tests[i]->run(&scale);
		printf("  (%.1f s)\n", (double)(clock_now() - begun) / 1e9);
	}
	rows_close();
	printf("\nresults: %s\n", options.json);
	return fine ? 0 : 1;
}
