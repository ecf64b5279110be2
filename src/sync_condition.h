/* SPDX-License-Identifier: MIT */
/* Layer 4. May include: base atomics robust_lock sync_word sync_mutex. */
/*
 * A condition in shared memory: a count of signals (sync_word.h), which one
 * reads with the mutex locked, and sleeps on while it does not change.
 *
 *	field	written by	read by		in what order
 *	signals	any, by an	any		one word, so whole
 *		atomic step
 *
 * No signal is missed:
 *
 *	who waits (mutex locked)		who signals
 *	looks at his condition: not so		locks the mutex
 *	n = number of signals; waiting = 1	makes it so
 *	unlocks the mutex			unlocks the mutex
 *	sleeps while the number is n		is somebody waiting? number += 1,
 *	locks the mutex				and wakes one, or all
 *	looks at his condition
 *
 * If the mutex was locked to make it so before the one who waits locked it, he
 * finds it so and does not wait. If after, `waiting` was set before he unlocked,
 * so it is seen; and from there on it is the proof of sync_word.h. (It may be
 * signalled with the mutex locked as well.)
 *
 * All this is about one wait, from a look at the condition to the next. Whoever
 * is given the mutex back, after whatever result, looks before he waits again: the
 * number that he would begin with may count the signal that he waits for. So no
 * wait may be made of several.
 *
 * A signal raises the number for all, and wakes one. Whoever looks, woken or at
 * the end of his slice, and finds another number than his own goes to look at
 * his condition. So a signal whose wake-up went to one who was killed or stopped
 * before he did anything with it still ends the wait of all who waited then,
 * within a slice: too many rather than too few. That is what is meant by
 * spurious wake-ups, and why a condition is looked at in a loop.
 *
 *	who waits is killed, or stopped, right after
 *	waiting = 1		(mutex locked: the next one gets -EOWNERDEAD); the
 *				next signal wakes nobody, in vain
 *	unlocking		the same, but for the mutex
 *	being woken		another one may have to wait until his slice ends
 *	locking the mutex	as any owner of the mutex
 *
 *	who signals is killed, or stopped, right after
 *	number += 1		signalled; sleepers see it when their slice ends
 *	wake			signalled
 *	waiting = 0		signalled
 *
 * Nobody who sleeps here would learn that the mutex's owner has died before he
 * could signal. So at the end of each slice he also asks for that.
 *
 * The number may come round: one who slept through exactly a multiple of 2^31
 * signals without being woken by any would miss them.
 */
#ifndef CUBBY_SYNC_CONDITION_H
#define CUBBY_SYNC_CONDITION_H

#include "base.h"
#include "atomics.h"
#include "robust_lock.h"
#include "sync_mutex.h"
#include "sync_word.h"

/* All zero: nobody waits. */
struct sync_condition {
	word64 signals;
	uint8_t unused[24];
};

/*
 * Unlocks the mutex, waits for a signal until the deadline, and locks the mutex
 * again, however long that takes. Returns 0: signalled, or for no reason; a
 * signal handler is one. Errors, with the mutex locked: -EAGAIN (deadline
 * CUBBY_NOW: it was not unlocked) -EOWNERDEAD -ETIMEDOUT; and without:
 * -EPERM (this thread had not locked it) -ENOTRECOVERABLE.
 */
int
condition_wait(struct sync_condition *condition, struct sync_mutex *mutex,
	       const struct robust_locker *locker, int64_t deadline);

/* Wakes one, or all, of those that wait. Never blocks. */
void
condition_signal(struct sync_condition *condition);
void
condition_broadcast(struct sync_condition *condition);

#endif
