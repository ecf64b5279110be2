/* SPDX-License-Identifier: MIT */
#ifndef BENCH_CREW_H
#define BENCH_CREW_H
/*
 * The members of a test: processes that live as long as it does, and do what
 * the coordinator orders. Between two orders all of them sleep; an order is
 * carried out when all who take part in it have reached it, and the
 * coordinator sleeps meanwhile, so that nobody disturbs a round.
 */
#include "bench.h"

struct crew;

/*
 * Forks the members, who join each contender that is not absent. Returns NULL
 * when one could not, with the contender's number and the reason told.
 */
struct crew *
crew_start(const struct test *test, void *const made[], const bool absent[],
	   int members, int *ret_contender, char *ret_reason, size_t size);

/* Has the members leave, and waits for them; if they do not, kills them. */
void
crew_stop(struct crew *crew);

/* Puts member i on cpus[i] from the next order on, for the first count. */
void
crew_place(struct crew *crew, const int cpus[], int count);

/*
 * The bare round trip, in ns, of one line each way, between member 0 and each
 * of the members 1 to count - 1. False if the crew is dead.
 */
bool
crew_probe(struct crew *crew, int count, double ret_ns[]);

/*
 * One round of a contender, of the duration. Returns its result, valid until
 * the next one; NULL with the reason told if it failed: stop the crew then.
 */
const struct round *
crew_round(struct crew *crew, int contender, uint64_t duration,
	   char *ret_reason, size_t size);

#endif
