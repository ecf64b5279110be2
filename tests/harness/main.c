/* SPDX-License-Identifier: MIT */
/*
 * every_instruction: kills and stops libcubby's users at every instruction.
 * See harness.h for how, and --help for what it can be told.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <unistd.h>

#include "double.h"

struct options {
	uint32_t spread; /* points to take; 0: all */
	int jobs;
	const char *scenario; /* part of a name; NULL: all */
	long point;		/* -1: as the spread says */
	int strikes;		/* bits of enum strike */
	bool once;		/* end at the first failure */
	bool list;		/* print the points, and that is all */
	bool table;		/* print how many there are */
	bool functions;		/* print what they come by */
	bool section;		/* print how many have the lock */
	const char *limits;	/* file: how many there may be */
	struct double_plan doubles;	/* none, if there are no deaths */
};

static const char usage[] =
	"usage: every_instruction [option...]\n"
	"  --all             every point (the default is --spread 2000)\n"
	"  --spread N        about N points, spread evenly\n"
	"  --scenario NAME   the one that is called so; else those whose name\n"
	"                    begins with it; else those that contain it\n"
	"  --point N         this point of them alone\n"
	"  --killed          only kill\n"
	"  --stopped         only stop\n"
	"  --refilled        only stop, while all is drained and filled again\n"
	"  --replaced        only stop, while the mailbox is unlinked, and another\n"
	"                    one has its name\n"
	"  --once            end at the first failure\n"
	"  --list            print the points, and try none\n"
	"  --table           print how many points there are by operation and\n"
	"                    starting state, and try none\n"
	"  --functions       print the functions that each path comes by, and try\n"
	"                    none\n"
	"  --section         print how many instructions of each operation of\n"
	"                    queues have the lock, and try none\n"
	"  --limits FILE     fail if there are more than FILE says, and try none\n"
	"  --double N        two deaths, about N of them of one who repairs\n"
	"  --at-least N      fail if there are fewer\n"
	"  --seed N          which they are (the default is 1)\n"
	"  --heir NAME       the second is killed in this operation alone\n"
	"  --second N        at this point of its path alone\n"
	"  -j, --jobs N      that many at a time (default: a processor each)\n";

static const struct option names[] = {
	{ "all", no_argument, NULL, 'a' },
	{ "spread", required_argument, NULL, 's' },
	{ "scenario", required_argument, NULL, 'n' },
	{ "point", required_argument, NULL, 'p' },
	{ "killed", no_argument, NULL, 'k' },
	{ "stopped", no_argument, NULL, 't' },
	{ "refilled", no_argument, NULL, 'f' },
	{ "replaced", no_argument, NULL, 'R' },
	{ "once", no_argument, NULL, 'o' },
	{ "list", no_argument, NULL, 'l' },
	{ "table", no_argument, NULL, 'b' },
	{ "functions", no_argument, NULL, 'u' },
	{ "section", no_argument, NULL, 'c' },
	{ "limits", required_argument, NULL, 'm' },
	{ "double", required_argument, NULL, 'd' },
	{ "at-least", required_argument, NULL, 'e' },
	{ "seed", required_argument, NULL, 'r' },
	{ "heir", required_argument, NULL, 'i' },
	{ "second", required_argument, NULL, 'S' },
	{ "jobs", required_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static noreturn void
tell_usage(FILE *stream, int status)
{
	fputs(usage, stream);
	exit(status);
}

/* Of two deaths. false: it is another one. */
static bool
set_double_option(int option, struct double_plan *ret)
{
	if (option == 'd')
		ret->deaths = (uint32_t)atoi(optarg);
	else if (option == 'e')
		ret->at_least = (uint32_t)atoi(optarg);
	else if (option == 'r')
		ret->seed = strtoull(optarg, NULL, 0);
	else if (option == 'i')
		ret->heir = optarg;
	else if (option == 'S')
		ret->second = atol(optarg);
	else
		return false;
	return true;
}

static void
set_option(int option, struct options *ret)
{
	if (option == 'a')
		ret->spread = 0;
	else if (option == 's')
		ret->spread = (uint32_t)atoi(optarg);
	else if (option == 'n')
		ret->scenario = optarg;
	else if (option == 'p')
		ret->point = atol(optarg);
	else if (option == 'k')
		ret->strikes = 1 << KILLED;
	else if (option == 't')
		ret->strikes = 1 << STOPPED;
	else if (option == 'f')
		ret->strikes = 1 << REFILLED;
	else if (option == 'R')
		ret->strikes = 1 << REPLACED;
	else if (option == 'o')
		ret->once = true;
	else if (option == 'l')
		ret->list = true;
	else if (option == 'b')
		ret->table = true;
	else if (option == 'u')
		ret->functions = true;
	else if (option == 'c')
		ret->section = true;
	else if (option == 'm')
		ret->limits = optarg;
	else if (option == 'j')
		ret->jobs = atoi(optarg);
	else if (option == 'h')
		tell_usage(stdout, 0);
	else if (!set_double_option(option, &ret->doubles))
		tell_usage(stderr, 2);
}

static void
parse(int argc, char **argv, struct options *ret)
{
	int option;

	while ((option = getopt_long(argc, argv, "j:h", names, NULL)) != -1)
		set_option(option, ret);
	if (optind < argc || ret->jobs < 1)
		tell_usage(stderr, 2);
}

/* How well a name is called by what was asked for. */
enum { NOT_CALLED, CONTAINED, BEGUN_WITH, CALLED };

static int
calls(const char *asked, const char *name)
{
	if (!asked || !strcmp(name, asked))
		return CALLED;
	if (!strncmp(name, asked, strlen(asked)))
		return BEGUN_WITH;
	return strstr(name, asked) ? CONTAINED : NOT_CALLED;
}

/* The scenarios asked for: bits by index. */
static uint32_t
choose(const struct options *options, bool *ret_chosen)
{
	uint32_t count, chosen = 0;
	const struct scenario *list = scenarios(&count);
	int best = NOT_CALLED;

	for (uint32_t s = 0; s < count; s++) {
		int called = calls(options->scenario, scenario_name(&list[s]));

		best = called > best ? called : best;
	}
	for (uint32_t s = 0; s < count; s++) {
		ret_chosen[s] = best != NOT_CALLED &&
				calls(options->scenario,
				      scenario_name(&list[s])) == best;
		chosen += ret_chosen[s];
	}
	return chosen;
}

/* How many of a scenario's points are taken. */
static uint32_t
share_of(const struct options *options, uint32_t points, uint64_t total)
{
	uint64_t quota;

	if (!options->spread || total <= options->spread)
		return points;
	quota = ((uint64_t)points * options->spread + total - 1) / total;
	if (quota < 4)
		quota = 4;
	return quota < points ? (uint32_t)quota : points;
}

/* Of a spread each point has one of the last two. */
static bool
takes(const struct options *options, uint32_t scenario, uint32_t nth,
      int strike)
{
	uint32_t count;
	const struct scenario *list = scenarios(&count);
	unsigned strikes = run_strikes(&list[scenario]) &
			   (unsigned)options->strikes;
	unsigned both = 1 << REFILLED | 1 << REPLACED;

	if (options->spread && options->point < 0 &&
	    (strikes & both) == both)
		strikes &= ~(1U << (nth % 2 ? REFILLED : REPLACED));
	return strikes & 1U << strike;
}

/* The runs of each point that the options ask for. */
static uint32_t
plan(const struct options *options, const struct points *points, uint32_t count,
     struct item *ret_items)
{
	uint64_t total = 0;
	uint32_t items = 0;

	for (uint32_t s = 0; s < count; s++)
		total += points[s].count;
	for (uint32_t s = 0; s < count; s++) {
		uint32_t all = points[s].count;
		uint32_t quota = share_of(options, all, total);

		if (options->point >= 0)
			quota = (uint32_t)options->point < all;
		for (uint32_t i = 0; i < quota; i++) {
			uint32_t point = (uint32_t)((2 * (uint64_t)i + 1) *
						    all /
						    (2 * (uint64_t)quota));

			if (options->point >= 0)
				point = (uint32_t)options->point;
			for (int strike = KILLED; strike <= REPLACED; strike++)
				if (takes(options, s, i, strike))
					ret_items[items++] = (struct item){
						.scenario = (uint16_t)s,
						.strike = (uint16_t)strike,
						.point = point
					};
		}
	}
	return items;
}

static void
print_points(const struct text *text, const char *name,
	     const struct points *points)
{
	for (uint32_t i = 0; i < points->count; i++)
		printf("%s %u: %s%s\n", name, i,
		       point_name(text, &points->list[i]),
		       i == points->clash ? " (the competitor)" : "");
}

static void
print_row(const char *name, uint32_t points, const struct tally *tally)
{
	printf("%-28s %7u %8u %6u %8u %7u %9.1f %s\n", name, points,
	       tally->runs, tally->hangs, tally->failures, tally->astray,
	       (double)tally->longest / 1e6,
	       tally->longest_what ? tally->longest_what : "");
}

/* Returns the status to exit with. */
static int
print_result(const struct points *points, const struct tally *tallies,
	     const bool *chosen)
{
	struct tally total = { 0 };
	uint32_t count, all = 0;
	const struct scenario *list = scenarios(&count);

	printf("%-28s %7s %8s %6s %8s %7s %9s\n", "scenario", "points", "runs",
	       "hangs", "failures", "astray", "longest wait, ms");
	for (uint32_t s = 0; s < count; s++) {
		if (!chosen[s])
			continue;
		print_row(scenario_name(&list[s]), points[s].count,
			  &tallies[s]);
		all += points[s].count;
		total.runs += tallies[s].runs;
		total.hangs += tallies[s].hangs;
		total.failures += tallies[s].failures;
		total.astray += tallies[s].astray;
		if (tallies[s].longest > total.longest) {
			total.longest = tallies[s].longest;
			total.longest_what = tallies[s].longest_what;
		}
	}
	print_row("in all", all, &total);
	distinct_print(points, chosen);
	/* A run that strays from its path to the point tries less than it
	   says: a few do (what spins, spins by time), many must not. */
	if (total.astray > 10 && total.astray > total.runs / 20) {
		printf("too many runs went astray\n");
		return 1;
	}
	return total.failures || !all ? 1 : 0;
}

/*
 * Addresses must be the same in every run, and a function's first call take the
 * path of all others.
 */
static void
fix_addresses(char **argv)
{
	int persona = personality(0xffffffff);

	if (getenv("LD_BIND_NOW"))
		return;
	setenv("LD_BIND_NOW", "1", 1);
	if (persona >= 0)
		personality((unsigned long)persona | ADDR_NO_RANDOMIZE);
	execv("/proc/self/exe", argv);
	perror("/proc/self/exe");
	exit(2);
}

/* false: not all could be listed, which has been told. */
static bool
list_points(const struct options *options, const struct text *text,
	    struct points *points, struct tally *tallies, const bool *chosen,
	    struct item *items)
{
	uint32_t scenarios_count, count = 0;
	bool listed = true;

	scenarios(&scenarios_count);
	for (uint32_t s = 0; s < scenarios_count; s++) {
		if (chosen[s])
			items[count++] = (struct item){ .scenario = (uint16_t)s,
							.strike = UNHARMED };
	}
	pool_run(text, items, count, points, tallies, options->jobs,
		 options->once);
	for (uint32_t s = 0; s < scenarios_count; s++) {
		points[s].count = tallies[s].failures ? 0 : points[s].count;
		listed = listed && !tallies[s].failures;
	}
	return listed;
}

int
main(int argc, char **argv)
{
	struct options options = {
		.spread = 2000,
		.point = -1,
		.strikes = 1 << KILLED | 1 << STOPPED | 1 << REFILLED |
			   1 << REPLACED,
		.jobs = (int)sysconf(_SC_NPROCESSORS_ONLN),
		.doubles = { .seed = 1, .second = -1 },
	};
	uint32_t count;
	const struct scenario *list = scenarios(&count);
	bool *chosen = calloc(count, sizeof(*chosen));
	struct points *points = share(count * sizeof(*points));
	struct tally *tallies = calloc(count, sizeof(*tallies));
	struct item *items =
		share((uint64_t)count * POINTS_MAX * REPLACED * sizeof(*items));
	struct text text;
	sigset_t child;
	bool listed;
	int status;

	fix_addresses(argv);
	parse(argc, argv, &options);
	if (!choose(&options, chosen)) {
		fprintf(stderr, "no scenario of that name\n");
		return 2;
	}
	options.doubles.point = options.point;
	options.doubles.jobs = options.jobs;
	options.doubles.once = options.once;
	if (options.doubles.deaths)
		doubles_choose(&options.doubles, chosen);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	text_find(&text);
	listed = list_points(&options, &text, points, tallies, chosen, items);
	if (options.doubles.deaths) {
		status = doubles_run(&options.doubles, &text, points, chosen);
		return listed ? status : 1;
	}
	for (uint32_t s = 0; s < count && options.list; s++) {
		if (chosen[s])
			print_points(&text, scenario_name(&list[s]),
				     &points[s]);
	}
	if (options.table)
		distinct_print_table(points, chosen);
	if (options.functions)
		distinct_print_functions(&text, points, chosen);
	if (options.section)
		section_print(&text, points, chosen);
	if (!options.list && !options.table && !options.section &&
	    !options.functions && !options.limits)
		pool_run(&text, items, plan(&options, points, count, items),
			 points, tallies, options.jobs, options.once);
	status = print_result(points, tallies, chosen);
	if (options.limits &&
	    !section_check(options.limits, &text, points, chosen))
		status = 1;
	free(chosen);
	free(tallies);
	return status;
}
