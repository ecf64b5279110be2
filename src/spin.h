/* SPDX-License-Identifier: MIT */
/* Layer 1. May include: base atomics clock. */
/*
 * How long to look before going to sleep: as long as it has paid of late.
 *
 * A wait that ended while looking makes the next look as long as twice that, up
 * to SPIN_LONGEST; several that went on make it shorter. How long a wait would
 * have taken cannot be told after a sleep, since waking up takes longer than
 * most; so now and then, less and less often if it does not help, a look is
 * SPIN_LONGEST again. A partner that answers in microseconds is waited for
 * without a system call, and one that sends ten thousand times a second is not
 * burnt a processor for.
 */
#ifndef CUBBY_SPIN_H
#define CUBBY_SPIN_H

#include "base.h"
#include "atomics.h"

#define SPIN_LONGEST	(50 * NSEC_PER_USEC)
#define SPIN_SHORTEST	(1 * NSEC_PER_USEC) /* and then only some looks */

struct spin {
	int64_t budget;		/* ns; 0: never */
	int64_t longest;	/* of the wait under way */
	int64_t began;		/* of the wait under way */
	uint32_t looks;
	uint32_t missed;	/* waits in a row that went on for longer */
	uint32_t until_probe;	/* waits until the next long look */
	uint32_t probe_every;
};

/* Where there is one processor only, looking does not pay. (A process that is
   bound to one may well have its partner on another.) */
void
spin_init(struct spin *spin);

void
spin_begin(struct spin *spin);

/* Shall we look once more? Pauses a moment. */
bool
spin_again(struct spin *spin);

/* The same after so many moments: each look at a line that somebody works on
   takes it away from him. */
bool
spin_again_after(struct spin *spin, uint32_t moments);

/* The wait has ended; slept: looking was not enough. */
void
spin_end(struct spin *spin, bool slept);

/*
 * For those that have no struct spin of their own to learn with: does looking
 * pay in this process? Asked of the kernel once.
 */
bool
spin_pays(void);

#endif
