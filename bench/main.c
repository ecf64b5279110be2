/* SPDX-License-Identifier: MIT */
/*
 * cubby-bench: what cubby costs on this machine, beside what bounds it. The
 * method is in rounds.c, what is compared in tests/.
 */
#include <errno.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "results.h"
#include "settings.h"
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

static const struct option options[] = {
	{ "test", required_argument, NULL, 't' },
	{ "rounds", required_argument, NULL, 'r' },
	{ "round-ms", required_argument, NULL, 'm' },
	{ "hunt", required_argument, NULL, 'u' },
	{ "cpus", required_argument, NULL, 'c' },
	{ "json", required_argument, NULL, 'j' },
	{ "near-from", required_argument, NULL, 'n' },
	{ "far-from", required_argument, NULL, 'f' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

struct arguments {
	struct settings settings;
	bool chosen[TESTS];
	bool some_chosen;
	char json[PATH_MAX];
};

static void
usage(FILE *file)
{
	fprintf(file,
		"Usage: cubby-bench [OPTION]...\n"
		"Measures what cubby costs beside what bounds it.\n\n"
		"  --test NAME      only this test (may be repeated)\n"
		"  --rounds N       rounds of near and of far processors each "
		"(20)\n"
		"  --round-ms N     milliseconds of a round (10)\n"
		"  --hunt N         seconds to wait, in each test, for near or "
		"far\n"
		"                   processors to turn up (2)\n"
		"  --cpus A,B,...   processors to use (all that are allowed)\n"
		"  --json FILE      where the results go (results.json beside "
		"this program)\n"
		"  --near-from NS   a bare round trip of less is within one "
		"core (60)\n"
		"  --far-from NS    one of as much or more is far (250)\n"
		"  --help\n\nTests:\n");
	for (size_t i = 0; i < TESTS; i++)
		fprintf(file, "  %-16s %s\n", tests[i]->name, tests[i]->title);
}

static void
choose_test(struct arguments *arguments, const char *name)
{
	for (size_t i = 0; i < TESTS; i++) {
		if (!strcmp(tests[i]->name, name)) {
			arguments->chosen[i] = arguments->some_chosen = true;
			return;
		}
	}
	settings_wrong("no such test", name);
}

/* results.json beside the program, which is in the build tree. */
static void
default_json(char *ret, size_t size)
{
	char self[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[length < 0 ? 0 : length] = '\0';
	snprintf(ret, size, "%s/results.json", dirname(self));
}

static void
parse_one(struct arguments *arguments, int option)
{
	struct settings *settings = &arguments->settings;

	switch (option) {
	case 't':
		choose_test(arguments, optarg);
		break;
	case 'r':
		settings->rounds = (int)settings_number(optarg, 1, 1000);
		break;
	case 'm':
		settings->duration =
			(uint64_t)(1e6 * settings_number(optarg, 0.1, 10000));
		break;
	case 'u':
		settings->hunt = (uint64_t)(1e9 * settings_number(optarg, 0, 3600));
		break;
	case 'c':
		settings_cpus(settings, optarg);
		break;
	case 'j':
		snprintf(arguments->json, sizeof(arguments->json), "%s",
			 optarg);
		break;
	case 'n':
		settings->near_from = settings_number(optarg, 0, 1e6);
		break;
	case 'f':
		settings->far_from = settings_number(optarg, 0, 1e6);
		break;
	case 'h':
		usage(stdout);
		exit(0);
	default:
		usage(stderr);
		exit(2);
	}
}

static void
parse(int argc, char **argv, struct arguments *arguments)
{
	int option;

	*arguments = (struct arguments){
		.settings = { .rounds = 20,
			      .duration = 10000000,
			      .hunt = 2000000000,
			      .near_from = 60,
			      .far_from = 250 },
	};
	default_json(arguments->json, sizeof(arguments->json));
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		parse_one(arguments, option);
	if (optind < argc)
		settings_wrong("not an option", argv[optind]);
	if (!arguments->settings.cpu_count)
		settings_cpus_allowed(&arguments->settings);
	settings_check(&arguments->settings);
}

/* Ends with 0 when all could be measured, whether goals are held or missed. */
int
main(int argc, char **argv)
{
	struct arguments arguments;
	bool fine = true;

	settings_program = "cubby-bench";
	parse(argc, argv, &arguments);
	results_open(arguments.json);
	results_machine(&arguments.settings);
	for (size_t i = 0; i < TESTS; i++) {
		if (arguments.chosen[i] || !arguments.some_chosen)
			fine &= test_run(tests[i], &arguments.settings);
	}
	results_goals();
	results_close();
	printf("\nresults: %s\n", arguments.json);
	return fine ? 0 : 1;
}
