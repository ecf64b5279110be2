/* SPDX-License-Identifier: MIT */
/* Layer 3. May include: base atomics sync_word. */
/*
 * A semaphore in shared memory: its count is one word (sync_word.h), and whoever
 * waits sleeps on that word.
 *
 *	field	written by	read by		in what order
 *	count	any, by an	any		one word, so whole
 *		atomic step
 *
 * The count is the truth: a unit is there or it is not, and is taken by one CAS.
 * A wake-up only says that it is time to look. So nothing can be lost with one
 * who dies but what he had taken (nobody knows for whom a unit was):
 *
 *	who posts is killed, or stopped, right after
 *	count += 1	posted. Who sleeps looks for himself when his slice ends
 *	wake		posted
 *	waiting = 0	posted
 *
 *	who waits is killed, or stopped, right after
 *	count -= 1	taken, as if by one who had returned
 *	waiting = 1	the next post wakes nobody, in vain
 *	being woken	the unit stays in the count; another sleeper finds it
 *			when his slice ends, or who comes next at once
 */
#ifndef CUBBY_SYNC_SEMAPHORE_H
#define CUBBY_SYNC_SEMAPHORE_H

#include "base.h"
#include "atomics.h"
#include "sync_word.h"

/* A little more may be there when several post at the same time. */
#define SEMAPHORE_MAX	(SYNC_NUMBER_MAX / 2)

/* All zero: none to be had, and nobody waits. */
struct sync_semaphore {
	word64 count;
	uint8_t unused[24];
};

/*
 * Takes a unit; waits for one until the deadline. Errors: -EAGAIN (deadline
 * CUBBY_NOW: none is there) -ETIMEDOUT -EINTR.
 */
int
semaphore_wait(struct sync_semaphore *semaphore, int64_t deadline);

/* Gives a unit, and wakes one who waits. Does not block. Errors: -EOVERFLOW. */
int
semaphore_post(struct sync_semaphore *semaphore);

/* How many are to be had just now. */
uint32_t
semaphore_value(const struct sync_semaphore *semaphore);

#endif
