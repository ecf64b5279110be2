/* SPDX-License-Identifier: MIT */
/*
 * The method: laps of one short round of each contender, alternately, with a
 * bare ping-pong right before and right after each round.
 *
 * The ping-pong tells how far apart the processors are. On a virtual machine
 * they move: a line goes there and back in some 100 ns between near cores, in
 * 400 to 500 between far ones, in 30 to 60 between two threads of one core, and
 * the same two virtual processors are now this and now that. A figure without
 * that class says nothing. So each round is classed by its ping-pongs, and
 * dropped if the one before and the one after disagree, or if the kernel took a
 * processor away from a member meanwhile (that measures the kernel's other
 * work). Of each lap the ratios of rounds of one class are taken; the median of
 * those counts, for near and far each.
 *
 * Which processors a lap runs on: all pairs are tried by a short ping-pong
 * before, and processors taken of the class that still has fewer laps. Two
 * threads of one core are not taken if there is another choice: they share what
 * is measured.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "crew.h"
#include "common/places.h"
#include "results.h"

#define REASON 160

struct run {
	const struct test *test;
	const struct settings *settings;
	struct crew *crew;
	int members;
	void *made[CONTENDERS_MAX];
	bool absent[CONTENDERS_MAX];
	char reasons[CONTENDERS_MAX][REASON];
	bool failed;

	struct places places; /* of the last scan */
	struct sample values[CONTENDERS_MAX][DISTANCES];
	struct sample sleeps[CONTENDERS_MAX][DISTANCES];
	struct sample ratios[GOALS_MAX][DISTANCES];
	int laps[DISTANCES];
	int rounds, changed, preempted;
};

/* What one lap has given: of each contender, if known is set. */
struct lap {
	struct {
		bool known;
		enum distance distance;
		double value;
	} of[CONTENDERS_MAX];
};

/* Where the processors are ----------------------------------------------- */

static bool
probe_some(void *context, const int cpus[], int count, double ret_ns[])
{
	struct run *run = context;

	crew_place(run->crew, cpus, count);
	return crew_probe(run->crew, count, ret_ns);
}

/* Tries all pairs of processors. False: the crew is dead. */
static bool
scan(struct run *run)
{
	return places_scan(&run->places, run->settings, probe_some, run);
}

/* Puts the members on processors of that class. False: there are none. */
static bool
place(struct run *run, enum distance wanted)
{
	int cpus[MEMBERS_MAX];

	if (!places_choose(&run->places, run->settings, run->test->busy, wanted,
			   run->rounds, cpus))
		return false;
	crew_place(run->crew, cpus, run->test->busy);
	return true;
}

/* Takes them as they come, when no class can be had. */
static void
place_anyhow(struct run *run)
{
	int cpus[MEMBERS_MAX];

	places_any(run->settings, run->test->busy, run->rounds, cpus);
	crew_place(run->crew, cpus, run->test->busy);
}

/* False: the crew is dead. */
static bool
probe(struct run *run, enum distance *ret)
{
	double ns[MEMBERS_MAX];

	if (run->test->busy == 1) {
		*ret = ALONE;
		return true;
	}
	if (!crew_probe(run->crew, run->test->busy, ns))
		return false;
	*ret = places_class(run->settings, ns, run->test->busy);
	return true;
}

/* Laps ------------------------------------------------------------------- */

static void
take(struct run *run, int contender, const struct round *round,
     enum distance before, enum distance after, struct lap *lap)
{
	const struct contender *its = run->test->contenders[contender];
	uint64_t sleeps = 0, preemptions = 0;

	for (int i = 0; i < contender_parties(its); i++) {
		sleeps += round->member[i].sleeps;
		preemptions += round->member[i].preemptions;
	}
	if (preemptions) {
		run->preempted++;
	} else if (before != after) {
		run->changed++;
	} else {
		lap->of[contender].known = true;
		lap->of[contender].distance = before;
		lap->of[contender].value = round->value;
		sample_add(&run->values[contender][before], round->value);
		sample_add(&run->sleeps[contender][before], (double)sleeps);
	}
	run->rounds++;
}

static int
find(const struct test *test, const struct contender *contender)
{
	for (int i = 0; i < CONTENDERS_MAX; i++) {
		if (test->contenders[i] == contender)
			return i;
	}
	abort();
}

static void
compare(struct run *run, const struct lap *lap)
{
	for (int i = 0; i < GOALS_MAX && run->test->goals[i].name; i++) {
		const struct goal *goal = &run->test->goals[i];
		int over = find(run->test, goal->over);
		int under = find(run->test, goal->under);
		enum distance distance = lap->of[over].distance;

		if (!lap->of[over].known || !lap->of[under].known ||
		    distance != lap->of[under].distance)
			continue;
		sample_add(&run->ratios[i][distance],
			   lap->of[over].value / lap->of[under].value);
	}
}

/* A lap counts for a class if all of its rounds were of that class. */
static void
count(struct run *run, const struct lap *lap, enum distance distance)
{
	for (int i = 0; run->test->contenders[i]; i++) {
		if (!run->absent[i] &&
		    (!lap->of[i].known || lap->of[i].distance != distance))
			return;
	}
	run->laps[distance]++;
}

/* Contenders in turn, the other way round each second time. */
static bool
one_lap(struct run *run, int number)
{
	struct lap lap = { 0 };
	enum distance before, after;

	if (!probe(run, &before))
		return false;
	for (int i = 0; i < CONTENDERS_MAX; i++) {
		int contender = number % 2 ? CONTENDERS_MAX - 1 - i : i;
		const struct round *round;

		if (!run->test->contenders[contender] || run->absent[contender])
			continue;
		round = crew_round(run->crew, contender,
				   run->settings->duration,
				   run->reasons[contender], REASON);
		if (!round) {
			run->absent[contender] = true;
			return false;
		}
		if (!probe(run, &after))
			return false;
		take(run, contender, round, before, after, &lap);
		before = after;
	}
	compare(run, &lap);
	count(run, &lap, before);
	return true;
}

/* Which class is to be had next: of those still short, the rarer. */
static bool
place_next(struct run *run)
{
	int rounds = run->settings->rounds;
	enum distance first = run->laps[FAR] <= run->laps[NEAR] ? FAR : NEAR;
	enum distance second = first == FAR ? NEAR : FAR;

	return (run->laps[first] < rounds && place(run, first)) ||
	       (run->laps[second] < rounds && place(run, second));
}

/*
 * Places the members for the next lap, and waits until the processors allow it,
 * for as long as is left to hunt: that they move is the one thing here that
 * only time brings. *ret_placed tells whether it could. False: the crew is
 * dead.
 */
static bool
hunt(struct run *run, uint64_t *left, bool *ret_placed)
{
	const struct timespec step = { 0, 20000000 };

	if (!scan(run))
		return false;
	while (!(*ret_placed = place_next(run)) && *left) {
		uint64_t begun = clock_now(), passed;

		nanosleep(&step, NULL);
		if (!scan(run))
			return false;
		passed = clock_now() - begun;
		*left -= passed < *left ? passed : *left;
	}
	return true;
}

/*
 * Laps until near and far have enough each, or there are no more to be had of
 * one of them. Where neither is to be had, as many laps as they come. False:
 * the crew is dead.
 */
static bool
all_laps(struct run *run)
{
	int rounds = run->settings->rounds, limit = 6 * rounds;
	uint64_t left = run->settings->hunt;

	for (int lap = 0; lap < limit; lap++) {
		bool placed;

		if (run->laps[NEAR] >= rounds && run->laps[FAR] >= rounds)
			break;
		if (!hunt(run, &left, &placed))
			return false;
		if (!placed) {
			if (run->laps[NEAR] || run->laps[FAR])
				break;
			place_anyhow(run);
			limit = rounds;
		}
		if (!one_lap(run, lap))
			return false;
	}
	return true;
}

/* The same of one process, wherever it is. */
static bool
all_laps_alone(struct run *run)
{
	int rounds = run->settings->rounds;

	for (int lap = 0; lap < 6 * rounds && run->laps[ALONE] < rounds;
	     lap++) {
		place_anyhow(run);
		if (!one_lap(run, lap))
			return false;
	}
	return true;
}

/* A test ----------------------------------------------------------------- */

static void
mark_absent(struct run *run, int contender, const char *reason)
{
	run->absent[contender] = true;
	snprintf(run->reasons[contender], REASON, "%s", reason);
}

static void
prepare(struct run *run)
{
	for (int i = 0; run->test->contenders[i]; i++) {
		const struct contender *its = run->test->contenders[i];
		int members = contender_parties(its) + its->idle;

		if (members > run->members)
			run->members = members;
		if (its->absent)
			mark_absent(run, i, its->absent);
		else if (run->settings->cpu_count < run->test->busy)
			mark_absent(run, i,
				    "too few processors: a process "
				    "that spins needs one of its own");
	}
}

/* Forks a crew that can run what is not absent; NULL when nothing is left. */
static bool
start(struct run *run)
{
	int present = 0;

	for (int i = 0; run->test->contenders[i]; i++) {
		const struct contender *its = run->test->contenders[i];
		int error;

		run->made[i] = NULL;
		if (run->absent[i])
			continue;
		error = its->make(its, &run->made[i]);
		if (error == -EOPNOTSUPP && its->lacks) {
			mark_absent(run, i, its->lacks);
		} else if (error) {
			snprintf(run->reasons[i], REASON, "making it: %s",
				 strerror(-error));
			run->absent[i] = run->failed = true;
		} else {
			present++;
		}
	}
	if (present) {
		char reason[REASON];
		int culprit = -1;

		run->crew = crew_start(run->test, run->made, run->absent,
				       run->members, &culprit, reason, REASON);
		if (!run->crew && culprit >= 0)
			mark_absent(run, culprit, reason);
		run->failed |= !run->crew;
	}
	return present > 0;
}

static void
finish(struct run *run)
{
	if (run->crew)
		crew_stop(run->crew);
	run->crew = NULL;
	for (int i = 0; run->test->contenders[i]; i++) {
		if (run->made[i])
			run->test->contenders[i]->unmake(run->made[i]);
		run->made[i] = NULL;
	}
}

static void
report(struct run *run)
{
	const struct test *test = run->test;
	int kept = 0;

	results_title(test);
	for (int i = 0; test->contenders[i]; i++) {
		if (run->absent[i])
			results_absent(test, test->contenders[i],
				       run->reasons[i]);
		for (int j = 0; j < DISTANCES; j++) {
			kept += (int)run->values[i][j].count;
			if (run->values[i][j].count)
				results_contender(test, test->contenders[i], j,
						  &run->values[i][j],
						  &run->sleeps[i][j]);
		}
	}
	results_remark(test->name, kept, run->changed, run->preempted);
	for (int i = 0; i < GOALS_MAX && test->goals[i].name; i++) {
		int over = find(test, test->goals[i].over);
		int under = find(test, test->goals[i].under);
		const char *reason = NULL;

		if (run->absent[over] || run->absent[under])
			reason = run->reasons[run->absent[over] ? over : under];
		results_goal(&test->goals[i], run->ratios[i], reason);
	}
}

static void
run_free(struct run *run)
{
	for (int j = 0; j < DISTANCES; j++) {
		for (int i = 0; i < CONTENDERS_MAX; i++) {
			sample_free(&run->values[i][j]);
			sample_free(&run->sleeps[i][j]);
		}
		for (int i = 0; i < GOALS_MAX; i++)
			sample_free(&run->ratios[i][j]);
	}
	free(run);
}

bool
test_run(const struct test *test, const struct settings *settings)
{
	struct run *run = calloc(1, sizeof(*run));
	bool failed, done = false;

	if (!run)
		abort();
	run->test = test;
	run->settings = settings;
	prepare(run);
	/* A contender that fails is left out, and the others begin again. */
	for (int tries = 0; !done && tries <= CONTENDERS_MAX; tries++) {
		if (!start(run)) {
			done = true;
		} else if (run->crew) {
			done = run->test->busy == 1 ? all_laps_alone(run) :
						      all_laps(run);
			run->failed |= !done;
		}
		finish(run);
	}
	report(run);
	failed = run->failed;
	run_free(run);
	return !failed;
}
