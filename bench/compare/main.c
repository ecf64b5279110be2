/* SPDX-License-Identifier: MIT */
/*
 * cubby-compare: cubby beside what people use today. What a peer is stands in
 * others/peer.h, the loops in others/peer_loops.h, the method in outcome.c, and
 * what the results look like in README.md.
 */
#include <errno.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../others/limits.h"
#include "../settings.h"
#include "comparison.h"

static const struct option options[] = {
	{ "peer", required_argument, NULL, 'p' },
	{ "test", required_argument, NULL, 't' },
	{ "size", required_argument, NULL, 's' },
	{ "rounds", required_argument, NULL, 'r' },
	{ "round-ms", required_argument, NULL, 'm' },
	{ "hunt", required_argument, NULL, 'u' },
	{ "cpus", required_argument, NULL, 'c' },
	{ "json", required_argument, NULL, 'j' },
	{ "near-from", required_argument, NULL, 'n' },
	{ "far-from", required_argument, NULL, 'f' },
	{ "check", no_argument, NULL, 'k' },
	{ "list", no_argument, NULL, 'l' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

#define FILTERS_MAX 16

struct filter {
	const char *texts[FILTERS_MAX];
	int count;
};

struct arguments {
	struct choice choice;
	struct filter peers, tests, sizes;
	bool check, list;
	char json[PATH_MAX];
};

static void
usage(FILE *file)
{
	fprintf(file,
		"Usage: cubby-compare [OPTION]...\n"
		"Measures cubby beside other ways to pass messages.\n\n"
		"  --peer NAME      only this one (may be repeated)\n"
		"  --test NAME      only this test (may be repeated): "
		"round_trip, rate,\n"
		"                   rate_untouched, even_load, calls_rate,\n"
		"                   calls_round_trip, calls_even_load\n"
		"  --size BYTES     only this size (may be repeated)\n"
		"  --rounds N       rounds of near and of far processors each "
		"(10)\n"
		"  --round-ms N     milliseconds of a round (20)\n"
		"  --hunt N         seconds to wait, in each test, for near or "
		"far\n"
		"                   processors to turn up (1)\n"
		"  --cpus A,B,...   processors to use (all that are allowed)\n"
		"  --json FILE      where the results go (peers.json beside "
		"this program)\n"
		"  --near-from NS   a bare round trip of less is within one "
		"core (60)\n"
		"  --far-from NS    one of as much or more is far (250)\n"
		"  --check          a few messages through each, compared; "
		"nothing is timed\n"
		"  --list           the peers, and which are absent\n"
		"  --help\n");
}

static void
add(struct filter *filter, const char *text)
{
	if (filter->count == FILTERS_MAX)
		settings_wrong("too many of these", text);
	filter->texts[filter->count++] = text;
}

static bool
chosen(const struct filter *filter, const char *text)
{
	for (int i = 0; i < filter->count; i++) {
		if (!strcmp(filter->texts[i], text))
			return true;
	}
	return !filter->count;
}

static void
parse_one(struct arguments *arguments, int option)
{
	struct settings *settings = &arguments->choice.settings;

	switch (option) {
	case 'p':
		add(&arguments->peers, optarg);
		break;
	case 't':
		add(&arguments->tests, optarg);
		break;
	case 's':
		add(&arguments->sizes, optarg);
		break;
	case 'r':
		settings->rounds = (int)settings_number(optarg, 1, 1000);
		break;
	case 'm':
		settings->duration =
			(uint64_t)(1e6 * settings_number(optarg, 0.1, 10000));
		break;
	case 'u':
		settings->hunt =
			(uint64_t)(1e9 * settings_number(optarg, 0, 3600));
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
	case 'k':
		arguments->check = true;
		break;
	case 'l':
		arguments->list = true;
		break;
	case 'h':
		usage(stdout);
		exit(0);
	default:
		usage(stderr);
		exit(2);
	}
}

/* peers.json beside the program, which is in the build tree. */
static void
default_json(char *ret, size_t size)
{
	char self[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[length < 0 ? 0 : length] = '\0';
	snprintf(ret, size, "%s/peers.json", dirname(self));
}

static void
parse(int argc, char **argv, struct arguments *arguments)
{
	struct settings *settings = &arguments->choice.settings;
	int option;

	*settings = (struct settings){ .rounds = 10,
				       .duration = 20000000,
				       .hunt = 1000000000,
				       .near_from = 60,
				       .far_from = 250 };
	default_json(arguments->json, sizeof(arguments->json));
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		parse_one(arguments, option);
	if (optind < argc)
		settings_wrong("not an option", argv[optind]);
	if (!settings->cpu_count)
		settings_cpus_allowed(settings);
	settings_check(settings);
	arguments->choice.is_part = arguments->peers.count;
}

/* Which peers take part, those that are absent with their reasons. */
static void
choose_peers(struct arguments *arguments)
{
	struct choice *choice = &arguments->choice;

	for (int i = 0; peers[i] && choice->count < PEERS_MAX; i++) {
		char *absent = choice->absent[choice->count];

		if (!chosen(&arguments->peers, peers[i]->name))
			continue;
		if (peers[i]->absent)
			snprintf(absent, sizeof(choice->absent[0]), "%s",
				 peers[i]->absent);
		else if (!arguments->list && peers[i]->begin &&
			 peers[i]->begin(absent, sizeof(choice->absent[0])) &&
			 !absent[0])
			snprintf(absent, sizeof(choice->absent[0]),
				 "it could not be started");
		choice->peers[choice->count++] = peers[i];
	}
	if (!choice->count)
		settings_wrong("no such peer", arguments->peers.texts[0]);
}

static void
end_peers(const struct choice *choice)
{
	for (int i = 0; i < choice->count; i++) {
		if (!choice->absent[i][0] && choice->peers[i]->end)
			choice->peers[i]->end();
	}
}

/* The processor time that a message costs who only keeps the pace. */
static double
measure_pacing(void)
{
	struct meter meter;
	struct meter_reading used = { 0, 0 };
	struct timespec next;

	prctl(PR_SET_TIMERSLACK, 1UL);
	meter_open(&meter, 0, false);
	clock_gettime(CLOCK_MONOTONIC, &next);
	meter_start(&meter);
	for (int i = 0; i < 1000; i++)
		seat_pace(&next);
	meter_stop(&meter, &used);
	prctl(PR_SET_TIMERSLACK, 0UL);
	return (double)used.processor_ns / 1000;
}

static bool
outcome_failed(const struct outcome *outcome)
{
	for (int i = 0; i < outcome->count; i++) {
		if (outcome->entries[i].failed)
			return true;
	}
	return false;
}

static bool
is_measured(const struct arguments *arguments,
	    const struct comparison *comparison)
{
	char size[32];

	snprintf(size, sizeof(size), "%zu", comparison->size);
	return chosen(&arguments->tests, comparison->test) &&
	       chosen(&arguments->sizes, size);
}

/* Ends the program if an option names what there is not. */
static void
check_chosen(const struct arguments *arguments,
	     const struct comparison *comparisons, int count)
{
	bool is_any = false;

	for (int i = 0; i < arguments->tests.count; i++) {
		bool is_there = false;

		for (int j = 0; j < count && !is_there; j++)
			is_there = !strcmp(arguments->tests.texts[i],
					   comparisons[j].test);
		if (!is_there)
			settings_wrong("no such test",
				       arguments->tests.texts[i]);
	}
	for (int i = 0; i < arguments->sizes.count; i++) {
		bool is_there = false;
		char size[32];

		for (int j = 0; j < count && !is_there; j++) {
			snprintf(size, sizeof(size), "%zu",
				 comparisons[j].size);
			is_there = !strcmp(arguments->sizes.texts[i], size);
		}
		if (!is_there)
			settings_wrong("not a size that is measured (8, 64, "
				       "1024, 65536, 1048576)",
				       arguments->sizes.texts[i]);
	}
	for (int j = 0; j < count && !is_any; j++)
		is_any = is_measured(arguments, &comparisons[j]);
	if (!is_any)
		settings_wrong("nothing to measure: no such test of that size",
			       arguments->tests.texts[0]);
}

static bool
measure_all(struct arguments *arguments)
{
	static struct comparison comparisons[COMPARISONS_MAX];
	struct choice *choice = &arguments->choice;
	int count = comparisons_list(comparisons);
	bool fine = true;

	check_chosen(arguments, comparisons, count);
	choice->pacing = measure_pacing();
	if (meter_can_count_calls(choice->uncounted, sizeof(choice->uncounted)))
		choice->uncounted[0] = '\0';
	report_open(choice, arguments->json);
	for (int i = 0; i < count; i++) {
		const struct comparison *comparison = &comparisons[i];
		struct outcome *outcome;

		if (!is_measured(arguments, comparison) ||
		    (comparison->count_calls && choice->uncounted[0]))
			continue;
		outcome = outcome_measure(comparison, choice);
		report_outcome(outcome, choice);
		fine &= !outcome_failed(outcome);
		outcome_free(outcome);
	}
	report_close();
	printf("\nresults: %s\n", arguments->json);
	return fine;
}

static void
list(const struct choice *choice)
{
	for (int i = 0; i < choice->count; i++)
		printf("%s%s%s\n", choice->peers[i]->name,
		       choice->absent[i][0] ? ": absent: " : "",
		       choice->absent[i]);
}

/* Ends with 0 when all could be measured, whether goals are held or missed. */
int
main(int argc, char **argv)
{
	static struct arguments arguments;
	struct choice *choice = &arguments.choice;
	bool fine = true;

	settings_program = "cubby-compare";
	parse(argc, argv, &arguments);
	choice->limits_raised = limits_raise();
	choice->tick_scale = meter_calibrate();
	choose_peers(&arguments);
	if (arguments.list)
		list(choice);
	else if (arguments.check)
		fine = check_all(choice);
	else
		fine = measure_all(&arguments);
	if (!arguments.list)
		end_peers(choice);
	return fine ? 0 : 1;
}
