/* SPDX-License-Identifier: MIT */
/* Layer 13. May include: base rest handle. */
/*
 * What a wait for several mailboxes knows: the ends that it waits for (wait.c).
 */
#ifndef CUBBY_WAIT_H
#define CUBBY_WAIT_H

#include "base.h"
#include "handle.h"
#include "rest.h"

struct end {
	struct cubby_mailbox *mailbox;
	uint32_t role;
	bool ready;
	bool unknown;		/* a queue's lock was not to be had */
	size_t entry;
	struct rest rest;
	int64_t until;		/* ns: its slice is over */
};

struct waiting {
	struct end *ends;
	size_t count;
	size_t ready;		/* of them */
	bool slices;		/* neither words nor descriptors will do */
};

/* Cut up, a sleep lasts from the first of these to the longest. */
#define WAIT_SLICE_FIRST	(1 * NSEC_PER_MSEC)
#define WAIT_SLICE_LONGEST	(4 * NSEC_PER_MSEC)

/* Is it ready? Then it is counted. */
void
wait_look(struct waiting *waiting, struct end *end, enum look how);

/*
 * Waits by the descriptors of all of them (wait_poll.c); none of them rests. 0: one
 * is ready. Errors: -ETIMEDOUT -EINTR; -ENOSYS: it would take too many.
 */
int
wait_by_descriptors(struct waiting *waiting, int64_t deadline);

/* Those who have a descriptor, and are not ready: it is to tell when they are. */
void
wait_arm_descriptors(const struct waiting *waiting);

#endif
