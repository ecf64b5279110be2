/* SPDX-License-Identifier: MIT */
#ifndef BENCH_SCALE_TROOP_H
#define BENCH_SCALE_TROOP_H
/*
 * Many processes, which live as long as a test does. Each sleeps until it is
 * given an order; those that get none are not woken.
 */
#include "../bench.h"
#include "../common/places.h"
#include "../common/process.h"

struct troop;

/*
 * Carries out an order, in a member. Returns 0 or -errno. Orders are the test's
 * own numbers, from 0.
 */
typedef int
troop_act(struct troop *troop, int member, int order, long argument);

/*
 * Forks so many. *ret_error: 0, or why there are fewer; who could be forked is
 * there all the same.
 */
struct troop *
troop_start(int members, troop_act *act, int *ret_error);

int
troop_members(const struct troop *troop);

/* Gives `count` members from `first` on an order, and does not wait. */
void
troop_give(struct troop *troop, int first, int count, int order, long argument);

/* Until all orders have been carried out. False: one failed, or a member died,
   or made no progress: troop_reason() says which. */
bool
troop_wait(struct troop *troop);

/* Both. */
bool
troop_order(struct troop *troop, int first, int count, int order,
	    long argument);

/* The same, so many at a time: for what is not to be done by all at once. */
bool
troop_order_in_turn(struct troop *troop, int first, int count, int at_once,
		    int order, long argument);

/* "What: why". */
const char *
troop_reason(const struct troop *troop);

/* Kills who is left. */
void
troop_end(struct troop *troop);

/* Of one batch of a probe: set before the troop starts. On processors that others
   use as well, a trip may take as long as they are let run. */
extern unsigned troop_probe_trips;

/* Members 0 and 1, on these processors from the next order on; the ns that a
   bare line takes there and back. A places_probe. */
bool
troop_probe(void *troop, const int cpus[], int count, double ret_ns[]);

#endif
