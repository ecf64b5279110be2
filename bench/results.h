/* SPDX-License-Identifier: MIT */
#ifndef BENCH_RESULTS_H
#define BENCH_RESULTS_H
/*
 * What came of it: a table on standard output as it goes, and a JSON array of
 * all rows in the end.
 *
 * A row of a contender: test, system, size, senders, receivers, value (median
 * of its rounds), unit; and class (how far apart its processors were), rounds,
 * p1 and p99 over the rounds, sleeps (median of the members' sleeps a round).
 * A row of a goal: test "ratio:NAME", value, goal, sense, held; and near, far,
 * each null if that was not seen (or if there is one process alone). A value that could not be had is null, and
 * reason says why.
 */
#include <stdbool.h>

#include "bench.h"
#include "common/places.h"
#include "common/statistics.h"

/* Opens the file; exits with a message if it cannot be written. */
void
results_open(const char *path);

void
results_close(void);

/* What was measured on, and how. */
void
results_machine(const struct settings *settings);

void
results_title(const struct test *test);

void
results_contender(const struct test *test, const struct contender *contender,
		  enum distance distance, struct sample *values,
		  struct sample *sleeps);

void
results_absent(const struct test *test, const struct contender *contender,
	       const char *reason);

/* ratios: of each lap, by distance. reason: why there are none, or NULL. */
void
results_goal(const struct goal *goal, struct sample ratios[DISTANCES],
	     const char *reason);

/* A remark on the laps of a test. */
void
results_remark(const char *test, int kept, int changed, int preempted);

/* The table of all goals. */
void
results_goals(void);

#endif
