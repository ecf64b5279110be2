/* SPDX-License-Identifier: MIT */
/*
 * cubby-scale: what growth costs. bench/README.md says what is measured, and
 * what scale.json holds.
 */
#include <errno.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../clock.h"
#include "../settings.h"
#include "root.h"
#include "rows.h"
#include "scale.h"

static const struct scale_test *const tests[] = {
	&idle_senders_test, &busy_senders_test, &receivers_test,
	&oversubscribed_test, &mailboxes_test, &memory_test,
	&open_test, &backlog_test, &sizes_test,
};
#define TESTS (sizeof(tests) / sizeof(*tests))

static const struct option options[] = {
	{ "test", required_argument, NULL, 't' },
	{ "list", no_argument, NULL, 'l' },
	{ "quick", no_argument, NULL, 'q' },
	{ "rounds", required_argument, NULL, 'r' },
	{ "round-ms", required_argument, NULL, 'm' },
	{ "cpus", required_argument, NULL, 'c' },
	{ "json", required_argument, NULL, 'j' },
	{ "near-from", required_argument, NULL, 'n' },
	{ "far-from", required_argument, NULL, 'f' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

struct arguments {
	struct scale scale;
	bool chosen[TESTS];
	bool some_chosen;
	char json[PATH_MAX];
};

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

static void
list(FILE *file)
{
	for (size_t i = 0; i < TESTS; i++)
		fprintf(file, "  %-16s %s\n", tests[i]->name, tests[i]->title);
}

static void
usage(FILE *file)
{
	fprintf(file,
		"Usage: cubby-scale [OPTION]...\n"
		"Measures what growth costs.\n\n"
		"  --test NAME      only this test (may be repeated)\n"
		"  --list           which there are\n"
		"  --quick          every part, nothing of any size\n"
		"  --rounds N       rounds of each point (15)\n"
		"  --round-ms N     milliseconds of a round of two processes "
		"(10)\n"
		"  --cpus A,B,...   processors to use (all that are allowed)\n"
		"  --json FILE      where the results go (scale.json beside "
		"this program)\n"
		"  --near-from NS   a bare round trip of less is within one "
		"core (60)\n"
		"  --far-from NS    one of as much or more is far (250)\n"
		"  --help\n\nTests:\n");
	list(file);
}

static void
choose_test(struct arguments *arguments, const char *name)
{
	for (size_t i = 0; i < TESTS; i++) {
		if (!strcmp(tests[i]->name, name)) {
			arguments->chosen[i] = true;
			arguments->some_chosen = true;
			return;
		}
	}
	settings_wrong("no such test", name);
}

static void
default_json(char *ret, size_t size)
{
	char self[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[length < 0 ? 0 : length] = '\0';
	snprintf(ret, size, "%s/scale.json", dirname(self));
}

static void
parse_one(struct arguments *arguments, int option)
{
	struct settings *settings = &arguments->scale.settings;

	switch (option) {
	case 't':
		choose_test(arguments, optarg);
		break;
	case 'q':
		arguments->scale.quick = true;
		break;
	case 'r':
		settings->rounds = (int)settings_number(optarg, 1, 1000);
		break;
	case 'm':
		settings->duration =
			(uint64_t)(1e6 * settings_number(optarg, 0.1, 10000));
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
	case 'l':
		list(stdout);
		exit(0);
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
	struct settings *settings = &arguments->scale.settings;
	int option;

	memset(arguments, 0, sizeof(*arguments));
	settings->near_from = 60;
	settings->far_from = 250;
	default_json(arguments->json, sizeof(arguments->json));
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		parse_one(arguments, option);
	if (optind < argc)
		settings_wrong("not an option", argv[optind]);
	if (!settings->rounds)
		settings->rounds = arguments->scale.quick ? 1 : 15;
	if (!settings->duration)
		settings->duration = arguments->scale.quick ? 1000000 :
							      10000000;
	if (!settings->cpu_count)
		settings_cpus_allowed(settings);
	settings_check(settings);
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
	struct arguments arguments;
	bool fine = true;

	settings_program = "cubby-scale";
	parse(argc, argv, &arguments);
	root_enter();
	raise_limits();
	printf("mailboxes: %s\n", root_path());
	fflush(stdout);
	rows_open(arguments.json, &arguments.scale);
	for (size_t i = 0; i < TESTS; i++) {
		uint64_t begun = clock_now();

		if (!arguments.chosen[i] && arguments.some_chosen)
			continue;
		rows_test(tests[i]);
		fine &= tests[i]->run(&arguments.scale);
		printf("  (%.1f s)\n", (double)(clock_now() - begun) / 1e9);
	}
	rows_close();
	printf("\nresults: %s\n", arguments.json);
	return fine ? 0 : 1;
}
