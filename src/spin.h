/* SPDX-License-Identifier: MIT */
/* Layer 1. May include: base atomics clock. */
/*
 * How long to look before going to sleep: as long as it has paid of late.
 *
 * A wait that ended while looking, or soon after going to sleep, makes the next
 * look longer, up to SPIN_LONGEST; one that went on makes it shorter. So a
 * partner that answers in microseconds is waited for without a system call, and
 * one that sends ten thousand times a second is not burnt a processor for.
 */
#ifndef CUBBY_SPIN_H
#define CUBBY_SPIN_H

#include "base.h"
#include "atomics.h"

#define SPIN_LONGEST	(50 * NSEC_PER_USEC)
#define SPIN_SHORTEST	(1 * NSEC_PER_USEC)

struct spin {
	int64_t budget;		/* ns */
	int64_t began;		/* of the wait under way */
	uint32_t looks;
};

/* In a process that may run on one processor only, looking does not pay. */
void
spin_init(struct spin *spin);

void
spin_begin(struct spin *spin);

/* Shall we look once more? Pauses a moment. */
bool
spin_again(struct spin *spin);

/* The wait has ended, while looking or after a sleep. */
void
spin_end(struct spin *spin);

#endif
