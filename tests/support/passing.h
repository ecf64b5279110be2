/* SPDX-License-Identifier: MIT */
/*
 * What passes between this process and a child of it, in all the ways in which one
 * of them waits for the other. Each of the two is made what a test is about (of one
 * processor, without membarrier) before it opens anything.
 */
#ifndef CUBBY_TESTS_PASSING_H
#define CUBBY_TESTS_PASSING_H

#include "support.h"

struct passing {
	void (*here)(void);	/* called in this process, or NULL */
	void (*there)(void);	/* in the child */
	uint64_t count;		/* messages */
	int capacity;		/* 0: the default */
};

/* There and back, one at a time. */
void
passing_to_and_fro(const struct passing *passing);

/* From the child to here, as fast as both can: each waits for the other, for room
   or for a message; from here to the child. */
void
passing_from_there(const struct passing *passing);
void
passing_from_here(const struct passing *passing);

/* Through two mailboxes, for which cubby_wait() waits. */
void
passing_through_several(const struct passing *passing);

/* Through one, watched by poll() on its descriptor; both ends are. */
void
passing_watched(const struct passing *passing);

/* To two receivers, one here and one there; each gets some or all. */
void
passing_to_both(const struct passing *passing);

/* Requests of the child. */
void
passing_calls(const struct passing *passing);

/* Turns at what a mutex guards and a condition tells of. */
void
passing_turns(const struct passing *passing);

#endif
