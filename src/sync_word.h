/* SPDX-License-Identifier: MIT */
/* Layer 2. May include: base atomics. */
/*
 * A number in shared memory that one may sleep on: a semaphore's count, a
 * condition's count of signals.
 *
 *	field	written by	read by		in what order
 *	word	any, by CAS	any, and the	one word, so whole
 *				kernel, its
 *				low half
 *
 *	{version:32, number:31, waiting:1}
 *
 * Every change, of whatever part, raises the version. waiting: somebody may be
 * asleep, or about to be. A count of sleepers would not survive those that are
 * killed; this does no harm if it stays set: one wake too many.
 *
 * No wake-up is lost:
 *
 *	who waits				who changes the number
 *	looks: number is n, in vain		number n -> n + 1
 *	waiting = 1, version += 1		if waiting was set:
 *	sleeps while {number, waiting}		  wakes one, or all
 *	  is {n, 1}				  nobody left asleep: waiting = 0,
 *						  if the word is still what he
 *						  made of it, version and all
 *
 * Each step on the word is one atomic operation, so they have an order. If the
 * change comes before `waiting`, the one who waits finds it when he sets that
 * (by CAS from what he had looked at), and looks again. If it comes after, who
 * changes the number sees `waiting`, and wakes; and a sleep that has not begun
 * does not begin, since the number is another one. (It may be n again if somebody
 * else has taken what had been posted: then there is nothing to be woken for.)
 *
 * waiting is cleared only by one who has woken as many as slept, and only if
 * nothing has happened to the word since he changed it. So all who had announced
 * themselves did so before the number changed: they were woken, or are awake and
 * find that number, on which they do not sleep. And who announces himself later
 * has changed the version, so that `waiting` stays.
 *
 * A wake-up may still be spent on one who is killed or stopped before he does
 * anything with it, or be owed by one who is killed or stopped before he gives
 * it. So nobody sleeps for longer than a slice, SYNC_SLICE_FIRST at first and
 * SYNC_SLICE_LONGEST after a while, without a look of his own.
 *
 * The version may come round: one who stood still between his wake and his
 * clearing of `waiting` for exactly a multiple of 2^32 changes would cost
 * somebody a slice.
 */
#ifndef CUBBY_SYNC_WORD_H
#define CUBBY_SYNC_WORD_H

#include "base.h"
#include "atomics.h"

#define SYNC_WAITING	UINT64_C(1)
#define SYNC_NUMBER_MAX	UINT32_C(0x7fffffff)

#define SYNC_SLICE_FIRST   (50 * NSEC_PER_MSEC)
#define SYNC_SLICE_LONGEST (1000 * NSEC_PER_MSEC)

static inline uint32_t
sync_number(uint64_t word)
{
	return (uint32_t)word >> 1;
}

/* The word after this one, with that number, and somebody waiting or not. */
static inline uint64_t
sync_next(uint64_t word, uint32_t number, uint64_t waiting)
{
	return ((word >> 32) + 1) << 32 | (uint64_t)number << 1 | waiting;
}

/* What is added to the word to make its number one more. */
#define SYNC_ONE_MORE	(UINT64_C(1) << 32 | UINT64_C(1) << 1)

/*
 * After the number was made one more: wakes up to count sleepers, if somebody
 * may be asleep. made: the word that this made.
 */
void
sync_wake(word64 *word, uint64_t made, int count);

/*
 * Sleeps while number and waiting are those of seen, until woken, the end of a
 * slice, or the deadline; *slice is 0 at first and belongs to this wait. Returns
 * 0: look again. Errors: -ETIMEDOUT (without having slept: so who is woken looks
 * once more), -EINTR, and futex_wait()'s.
 */
int
sync_sleep(const word64 *word, uint64_t seen, int64_t *slice, int64_t deadline);

/* Looks until the number is another one than in seen, for some microseconds at
   most. */
void
sync_look(const word64 *word, uint64_t seen);

#endif
