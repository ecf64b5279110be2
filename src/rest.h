/* SPDX-License-Identifier: MIT */
/* Layer 2. May include: base atomics. */
/*
 * An end of a handle that its thread has announced to be asleep, so that it may
 * sleep on several at once (wait.c), or have itself told in another way.
 *
 *	announce	says to the other side that this end sleeps
 *	barrier		one for any number of ends: what was announced is seen
 *	settle		it has been
 *	look		once more: nothing
 *	sleep while *events == ticket, for at most `slice` ns
 *	retract		takes it back, and looks
 *
 * An end that retracts and is ready may have been rung for what it now leaves
 * to its caller, who may leave it there. So it rings on, for others of whom
 * nobody would think: as one who peeks does. Rung for one who waits:
 *
 *	who sends		waits only (A)		receives (B)
 *				asleep			asleep
 *	publishes M
 *	rings A
 *				awake, looks: M
 *				rings: B
 *							awake, takes M
 *
 * A that dies between the two lines of its own leaves B to its own look, as
 * whoever dies owing a wake-up does.
 */
#ifndef CUBBY_REST_H
#define CUBBY_REST_H

#include "base.h"
#include "atomics.h"

enum rest_kind {
	REST_NONE = 0,
	REST_ASLEEP,		/* announced to those who bring it about */
	REST_ENTRY,		/* a sender that nobody can tell of room yet */
	REST_LOCK		/* a queue's lock was not to be had */
};

struct rest {
	const word32 *events;
	uint32_t ticket;
	enum rest_kind kind;
	int64_t slice;		/* at most, until it is retracted */
	bool barrier;		/* it wants one */
	bool look;		/* and to look once more, before it sleeps */
	uint32_t waiter;	/* a queue's record */
};

/* What a retraction is told of the sleep; else as doorbell_sleep() says it. */
#define REST_SLICE_OVER 1

/* How closely to look whether an end is ready. */
enum look {
	LOOK_QUICKLY,		/* may miss something, but not time and again */
	LOOK_THOROUGHLY,	/* misses nothing; -ETIMEDOUT: a queue's lock is
				   another's, and it does not wait for it */
	LOOK_PATIENTLY		/* waits for that lock as CUBBY_NOW does */
};

/* Quick looks in vain, then one that misses nothing. */
#define LOOKS_QUICK	16

#endif
