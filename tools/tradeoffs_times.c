/* SPDX-License-Identifier: MIT */
/*
 * Time by size. For each size a pair of processes runs all contenders alternately,
 * in short rounds, every second lap the other way round: what slows the machine
 * down for a while slows all of them. The first lap warms up and is not counted.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "table.h"
#include "tradeoffs.h"
#include "tradeoffs_pair.h"
#include "tradeoffs_rounds.h"

#define LAPS_MAX 15
#define LAPS_WANTED 5
#define ROUND_LEAST INT64_C(100000)  /* ns */
#define ROUND_MOST INT64_C(20000000) /* ns */
#define PATIENCE 20.0		     /* seconds beyond what it should take */

/* In shared memory: a pair's work at one size. */
struct laps {
	struct party party;
	struct round round;
	int64_t deadline; /* ns */
	int64_t duration; /* of a round */
	bool more;	  /* member 0 writes, both read after a meeting */
	int count;
	double values[CONTENDERS][MODES][LAPS_MAX];
};

const size_t tradeoffs_sizes[SIZES] = {
	8, 64, 1 << 10, 8 << 10, 64 << 10, 1 << 20, 8 << 20, 64 << 20,
};

/* What part of the time each size is given: large ones take longer. */
static const double shares[SIZES] = { 1, 1, 1, 1, 1, 1.5, 2.5, 4 };

static void
run_lap(struct pair *pair, struct laps *laps, int member, int number,
	struct sides *sides)
{
	for (int i = 0; i < CONTENDERS; i++) {
		int contender = number % 2 ? CONTENDERS - 1 - i : i;

		if (!laps->party.taking_part[contender])
			continue;
		for (int mode = 0; mode < MODES; mode++) {
			round_run(pair, &laps->round, member, contender, mode,
				  sides, false);
			if (!member && number)
				laps->values[contender][mode][number - 1] =
					laps->round.value;
		}
	}
}

/* Laps for as long as there is time for one more; at least one is counted. */
static void
run_laps(struct pair *pair, int member)
{
	struct laps *laps = pair->context;
	struct sides sides;
	int number = 0;
	int64_t begun;

	party_join(pair, &laps->party, member, &sides);
	do {
		begun = now_ns();
		run_lap(pair, laps, member, number++, &sides);
		if (!member) {
			int64_t now = now_ns();

			laps->count = number - 1;
			laps->more = number < 2 ||
				     (number <= LAPS_MAX &&
				      now + (now - begun) < laps->deadline);
		}
		pair_meet(pair);
	} while (laps->more);
	party_leave(&laps->party, &sides);
}

static void
keep(const struct laps *laps, struct findings *findings, int size)
{
	for (int i = 0; i < CONTENDERS; i++) {
		for (int mode = 0; mode < MODES; mode++) {
			double values[LAPS_MAX];

			if (!laps->party.taking_part[i])
				continue;
			memcpy(values, laps->values[i][mode], sizeof(values));
			findings->times[i][size][mode] = figure_of(values,
								   laps->count);
		}
	}
}

static void
take_part_all(struct party *party)
{
	for (int i = 0; i < CONTENDERS; i++)
		party->taking_part[i] = true;
}

/*
 * Runs a pair until it ends well; each time it does not, what it failed over is
 * left out.
 */
static int
run_party(struct pair *pair, struct party *party,
	  void (*run)(struct pair *pair, int member), double seconds,
	  struct findings *findings)
{
	int result = PAIR_FAILED;

	take_part_all(party);
	while (result == PAIR_FAILED) {
		party_make(party, findings, party->size);
		if (party_is_empty(party))
			return PAIR_DONE;
		result = pair_run(pair, run, seconds + PATIENCE, false);
		party_unmake(party);
		if (result == PAIR_FAILED)
			party_take_out(party, pair, findings);
	}
	return result;
}

static int
measure_size(struct findings *findings, int size, double seconds)
{
	struct laps *laps = pair_memory(sizeof(*laps));
	struct pair *pair = pair_make(laps);
	double round = seconds * 1e9 / (LAPS_WANTED + 1) / MODES / CONTENDERS;
	int result;

	memcpy(pair->cpus, findings->pinned, sizeof(pair->cpus));
	laps->party.size = tradeoffs_sizes[size];
	laps->deadline = now_ns() + (int64_t)(seconds * 1e9);
	laps->round.duration = round < ROUND_LEAST ? ROUND_LEAST :
			       round > ROUND_MOST  ? ROUND_MOST :
						     (int64_t)round;
	result = run_party(pair, &laps->party, run_laps, seconds, findings);
	if (result == PAIR_DONE)
		keep(laps, findings, size);
	pair_free(pair);
	munmap(laps, sizeof(*laps));
	return result;
}

/* The memory that the largest use together: two each way, and buffers. */
static bool
fits_memory(size_t size)
{
	long pages = sysconf(_SC_AVPHYS_PAGES), page = sysconf(_SC_PAGESIZE);

	return pages <= 0 || size < 1 << 20 ||
	       (uint64_t)pages * (uint64_t)page / 16 > size;
}

/* Sizes that are always measured, and the least time for each. */
#define SMALL ((size_t)64 << 10)
#define LEAST_SECONDS 0.05

/* A lap of messages that have to be written and read at some GB/s. */
static double
least_seconds(size_t size)
{
	return (double)size * CONTENDERS * 12 / 4e9;
}

/* What is in the way of measuring a size; NULL: nothing. */
static const char *
obstacle(size_t size, double seconds_left)
{
	if (!fits_memory(size))
		return "too little memory is free";
	if (size > SMALL && seconds_left < least_seconds(size))
		return "the time (--seconds) was up";
	return NULL;
}

int
measure_times(struct findings *findings, double seconds)
{
	int64_t end = now_ns() + (int64_t)(seconds * 1e9);
	double all = 0;
	int result = 0;

	for (int i = 0; i < SIZES; i++)
		all += shares[i];
	for (int i = 0; i < SIZES && !result; i++) {
		double left = (double)(end - now_ns()) / 1e9;
		double share = left * shares[i] / all;
		const char *why = obstacle(tradeoffs_sizes[i], left);
		char text[SIZE_TEXT];

		size_text(text, tradeoffs_sizes[i]);
		if (why)
			findings_miss(findings, "messages of %s: %s", text,
				      why);
		else
			result = measure_size(
				findings, i,
				share > LEAST_SECONDS ? share : LEAST_SECONDS);
		all -= shares[i];
	}
	return result;
}
