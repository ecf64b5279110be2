/* SPDX-License-Identifier: MIT */
/*
 * System calls a message, of both processes together, counted while one message
 * at a time goes there and back.
 *
 * A process that loses its processor lets the other wait, and so sleep, which
 * takes calls. So one run may have more of them than the contender needs, never
 * fewer: what counts is the least of a few runs.
 */
#include <string.h>
#include <sys/mman.h>

#include "tradeoffs.h"
#include "tradeoffs_pair.h"
#include "tradeoffs_rounds.h"

#define RUNS 5
#define FEW 0.01 /* a message: no better run is to be had */
#define PATIENCE 10.0
/* How many rounds fit the time; and ns that one takes at least. */
#define ROUNDS (CONTENDERS * CALL_SIZES * 2 * 2)
#define ROUND_LEAST INT64_C(4000000)

/* In shared memory. */
struct counted {
	struct party party;
	struct round round;
	int contender;
};

const size_t tradeoffs_call_sizes[CALL_SIZES] = { 8, 1 << 20 };

/* One round warms up, and one is counted. */
static void
run_counted(struct pair *pair, int member)
{
	struct counted *counted = pair->context;
	struct sides sides;

	party_join(pair, &counted->party, member, &sides);
	round_run(pair, &counted->round, member, counted->contender, HANDOVER,
		  &sides, false);
	round_run(pair, &counted->round, member, counted->contender, HANDOVER,
		  &sides, true);
	party_leave(&counted->party, &sides);
}

/* One run. *ret is lowered to what it took. */
static int
count_once(struct findings *findings, struct counted *counted, double *ret)
{
	struct pair *pair = pair_make(counted);
	double calls;
	int result;

	memcpy(pair->cpus, findings->pinned, sizeof(pair->cpus));
	result = pair_run(pair, run_counted, PATIENCE, true);
	if (result == PAIR_DONE) {
		calls = (double)pair->calls / (double)counted->round.messages;
		if (*ret < 0 || calls < *ret)
			*ret = calls;
	} else if (result == PAIR_FAILED && findings->calls_counted) {
		findings_miss(findings,
			      "system calls cannot be counted here: %s",
			      pair->failure);
		findings->calls_counted = false;
	}
	pair_free(pair);
	return result;
}

static int
count(struct findings *findings, struct counted *counted, double *ret)
{
	enum transport_id transport = contenders[counted->contender].transport;
	int result = PAIR_DONE;

	for (int run = 0; run < RUNS && result == PAIR_DONE; run++) {
		party_make(&counted->party, NULL, counted->party.size);
		if (!counted->party.made[transport])
			return PAIR_DONE;
		result = count_once(findings, counted, ret);
		party_unmake(&counted->party);
		if (*ret >= 0 &&
		    (*ret < FEW || contenders[counted->contender].calls > 0))
			break;
	}
	return result;
}

/* For want of better: of small messages, one call in and one out. */
static void
construct(struct findings *findings)
{
	for (int i = 0; i < CONTENDERS; i++) {
		findings->calls[i][0] = contenders[i].calls;
		findings->calls[i][1] = -1;
	}
}

int
measure_calls(struct findings *findings, double seconds)
{
	struct counted *counted = pair_memory(sizeof(*counted));
	int result = PAIR_DONE;

	findings->calls_counted = true;
	counted->round.duration = (int64_t)(seconds * 1e9 / ROUNDS);
	if (counted->round.duration < ROUND_LEAST)
		counted->round.duration = ROUND_LEAST;
	for (int i = 0; i < CONTENDERS * CALL_SIZES && result == PAIR_DONE;
	     i++) {
		int contender = i / CALL_SIZES, size = i % CALL_SIZES;

		memset(&counted->party, 0, sizeof(counted->party));
		counted->party.size = tradeoffs_call_sizes[size];
		counted->party.taking_part[contender] = true;
		counted->contender = contender;
		findings->calls[contender][size] = -1;
		result = count(findings, counted,
			       &findings->calls[contender][size]);
	}
	munmap(counted, sizeof(*counted));
	if (!findings->calls_counted)
		construct(findings);
	return result == PAIR_FAILED ? 0 : result;
}
