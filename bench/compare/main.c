/* SPDX-License-Identifier: MIT */
/*
 * cubby-compare: cubby beside what people use today. What a peer is stands in
 * others/peer.h, the loops in others/peer_loops.h, the method in outcome.c, and
 * what the results look like in README.md.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "../common/options.h"
#include "../others/limits.h"
#include "comparison.h"

struct arguments {
	struct options options;
	struct choice choice;
	struct filter peers, sizes;
	bool check, list;
};

static const struct program_option program_options[] = {
	{ "peer", "NAME", 'p', "only this one (may be repeated)" },
	OPTION_TEST(": round_trip, rate," OPTION_NEXT
		    "rate_untouched, even_load, calls_rate," OPTION_NEXT
		    "calls_round_trip, calls_even_load"),
	{ "size", "BYTES", 's', "only this size (may be repeated)" },
	OPTION_ROUNDS("rounds of near and of far processors each (10)"),
	OPTION_ROUND_MS("milliseconds of a round (20)"),
	OPTION_HUNT("1"),
	OPTIONS_WHERE("peers.json"),
	{ "check", NULL, 'k',
	  "a few messages through each, compared; nothing is timed" },
	{ "list", NULL, 'l', "the peers, and which are absent" },
	OPTIONS_END,
};

static void
take(void *context, int letter, const char *value)
{
	struct arguments *arguments = context;

	if (letter == 'p')
		filter_add(&arguments->peers, value);
	else if (letter == 's')
		filter_add(&arguments->sizes, value);
	else if (letter == 'k')
		arguments->check = true;
	else
		arguments->list = true;
}

static const struct program program = {
	.name = "cubby-compare",
	.purpose = "Measures cubby beside other ways to pass messages.",
	.file = "peers.json",
	.options = program_options,
	.take = take,
};

static void
parse(int argc, char **argv, struct arguments *arguments)
{
	arguments->options.settings = (struct settings){ .rounds = 10,
							 .duration = 20000000,
							 .hunt = 1000000000,
							 .near_from = 60,
							 .far_from = 250 };
	options_parse(&program, argc, argv, &arguments->options, arguments);
	arguments->choice.settings = arguments->options.settings;
	arguments->choice.is_part = arguments->peers.count;
}

/* Which peers take part, those that are absent with their reasons. */
static void
choose_peers(struct arguments *arguments)
{
	struct choice *choice = &arguments->choice;

	for (int i = 0; peers[i] && choice->count < PEERS_MAX; i++) {
		char *absent = choice->absent[choice->count];

		if (!filter_takes(&arguments->peers, peers[i]->name))
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
		options_wrong("no such peer", arguments->peers.texts[0]);
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

static struct comparison comparisons[COMPARISONS_MAX];
static int comparisons_count;

static void
size_text(size_t size, char ret[32])
{
	snprintf(ret, 32, "%zu", size);
}

static bool
is_measured(const struct arguments *arguments,
	    const struct comparison *comparison)
{
	char size[32];

	size_text(comparison->size, size);
	return filter_takes(&arguments->options.tests, comparison->test) &&
	       filter_takes(&arguments->sizes, size);
}

static bool
test_exists(const char *name)
{
	for (int i = 0; i < comparisons_count; i++) {
		if (!strcmp(comparisons[i].test, name))
			return true;
	}
	return false;
}

static bool
size_exists(const char *text)
{
	for (int i = 0; i < comparisons_count; i++) {
		char size[32];

		size_text(comparisons[i].size, size);
		if (!strcmp(size, text))
			return true;
	}
	return false;
}

/* Ends the program if an option names what there is not. */
static void
check_chosen(const struct arguments *arguments)
{
	filter_check(&arguments->options.tests, test_exists, "no such test");
	filter_check(&arguments->sizes, size_exists,
		     "not a size that is measured (8, 64, 1024, 65536, "
		     "1048576)");
	for (int i = 0; i < comparisons_count; i++) {
		if (is_measured(arguments, &comparisons[i]))
			return;
	}
	options_wrong("nothing to measure: no such test of that size",
		      arguments->options.tests.texts[0]);
}

static bool
measure_all(struct arguments *arguments)
{
	struct choice *choice = &arguments->choice;
	bool fine = true;

	comparisons_count = comparisons_list(comparisons);
	check_chosen(arguments);
	choice->pacing = measure_pacing();
	if (meter_can_count_calls(choice->uncounted, sizeof(choice->uncounted)))
		choice->uncounted[0] = '\0';
	report_open(choice, arguments->options.json);
	for (int i = 0; i < comparisons_count; i++) {
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
	printf("\nresults: %s\n", arguments->options.json);
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
