/* SPDX-License-Identifier: MIT */
/* Layer 2. May include: base atomics. */
/*
 * A lock in shared memory whose owner may die.
 *
 * One word says who owns it: a participant's slot and generation. No thread or
 * process id: those of two PID namespaces are the same. Who waits for long asks
 * whether that participant lives, through a function of the user's, which knows
 * where its life can be asked for. What the lock guards is in any state when
 * its owner has died, so the one who takes it over is told.
 *
 *	field	written by		read by
 *	owner	any, by CAS		any
 *	unlocks	one who gives, adding	who sleeps
 *
 *	owner	0: free; else {generation:47, slot + 1:16, contended:1}
 *
 * owner changes by CAS alone: 0 to whoever takes it, from that to 0 by its
 * owner; by others only by setting `contended`, or, once its owner is known to
 * be dead, to one of their own. A generation that is never used again makes
 * each owner's word its own, so what was learned of an owner cannot be applied
 * to another one: the CAS fails. What the lock guards is seen by the next owner
 * because the CAS that gives releases and the one that takes acquires.
 *
 * No wake-up is lost:
 *
 *	who waits				who gives
 *	t = unlocks				owner: mine -> 0
 *	owner: found -> found | contended	  if it was contended:
 *	sleep while unlocks == t		unlocks += 1
 *						wake one
 *
 * Both change owner by CAS, so one comes first. If the owner gives first, the
 * one who waits finds another word, and begins again. If `contended` comes
 * first, the owner sees it, and so adds to unlocks after t was read: then the
 * sleep does not begin, or the wake ends it. Whoever takes the lock after a
 * sleep takes it as contended: others may sleep still. One whom the wake
 * reached and who finds the lock taken again makes it contended before it
 * sleeps or gives up, so the wake is handed on.
 *
 * One who sleeps on other things besides (robust_lock_take_or_rest()) may leave
 * for another reason when the wake has reached it. So it wakes one more if
 * `unlocks` has moved, whoever was meant. One that is woken for nothing finds
 * the lock taken, makes it contended, and sleeps again.
 *
 * What happens when one dies, or stops, right after:
 *
 *	the owner
 *	takes (CAS)	dead: the next one gets ROBUST_LOCK_DEAD. Stopped:
 *			others wait until their deadline. (The one limit of
 *			"a stopped participant holds nobody up".)
 *	... guarded	the same
 *	gives (CAS)	the lock is free; sleepers are not told and find that
 *			out when their slice ends, at most ROBUST_LOCK_SLICE
 *	unlocks += 1	the same; who was about to sleep does not
 *	wake		nothing is left to do
 *	who waits
 *	t = unlocks	nothing has happened
 *	contended	whoever gives wakes nobody, in vain
 *	woken		the others sleep until their slice ends, or until the
 *			lock is given again as contended
 *	takes (CAS)	as the owner
 *
 * So the slice bounds every delay that a death or a stop can cause. Nothing is
 * concluded from its end but that it is time to look, and to ask, again.
 *
 * What would break this: a generation used twice by one slot (the low 47 bits
 * of it count); an answer of alive() that one who lives does not.
 */
#ifndef CUBBY_ROBUST_LOCK_H
#define CUBBY_ROBUST_LOCK_H

#include "base.h"
#include "atomics.h"

struct robust_lock {
	word64 owner;
	word32 unlocks;
	word32 unused;
};

/* Private: who takes it, and how to ask who lives. */
struct robust_locker {
	uint64_t self; /* robust_lock_self() */
	/*
	 * Does the participant of that slot and generation (its low 47 bits)
	 * live? 1, 0 or -errno, which counts as 1. It compares the generation
	 * with the slot's, asks the kernel, and compares again: another
	 * generation, or a slot that cannot be, is 0. May be asked of oneself.
	 */
	int (*alive)(void *context, uint32_t slot, uint64_t generation);
	void *context;
};

#define ROBUST_LOCK_CONTENDED	UINT64_C(1)
#define ROBUST_LOCK_SLOT_SHIFT	1
#define ROBUST_LOCK_SLOT_MASK	UINT64_C(0xffff)
#define ROBUST_LOCK_SLOT_MAX	UINT32_C(0xfffe)
#define ROBUST_LOCK_GENERATION_SHIFT	17
#define ROBUST_LOCK_GENERATION_MASK	((UINT64_C(1) << 47) - 1)

/* What robust_lock_take() returns of a lock taken from the dead. */
#define ROBUST_LOCK_DEAD	1

/* The longest sleep without a look at the owner's life. */
#define ROBUST_LOCK_SLICE	(50 * NSEC_PER_MSEC)
/* How long CUBBY_NOW waits for an owner that has lost its processor. */
#define ROBUST_LOCK_GRACE	(100 * NSEC_PER_MSEC)

/* slot: at most ROBUST_LOCK_SLOT_MAX */
static inline uint64_t
robust_lock_self(uint32_t slot, uint64_t generation)
{
	return generation << ROBUST_LOCK_GENERATION_SHIFT |
	       ((uint64_t)slot + 1) << ROBUST_LOCK_SLOT_SHIFT;
}

COLD int
robust_lock_take_slowly(struct robust_lock *lock,
			const struct robust_locker *locker, int64_t deadline);

COLD void
robust_lock_give_slowly(struct robust_lock *lock,
			const struct robust_locker *locker);

/*
 * Takes the lock if it is free or its owner is dead. Does not wait at all, nor
 * for an owner that has lost its processor. Returns as robust_lock_take().
 * Errors: -EAGAIN.
 */
int
robust_lock_try(struct robust_lock *lock, const struct robust_locker *locker);

/*
 * Takes the lock, or has oneself told when it is given, among others: 0,
 * ROBUST_LOCK_DEAD, or -EAGAIN: sleep while lock->unlocks == *ret_ticket, for
 * ROBUST_LOCK_SLICE at the most, and then robust_lock_end_rest(), whatever came
 * of it. Does not wait.
 */
int
robust_lock_take_or_rest(struct robust_lock *lock,
			 const struct robust_locker *locker,
			 uint32_t *ret_ticket);

/* The wake-up of a lock that was given since may have been ours, and we may not
   want the lock any more: it is handed on. */
void
robust_lock_end_rest(struct robust_lock *lock, uint32_t ticket);

/* Is it a dead owner's just now? */
bool
robust_lock_owner_died(const struct robust_lock *lock,
		       const struct robust_locker *locker);

/* If it is free. False: somebody has it, dead or alive. */
static FAST bool
robust_lock_take_free(struct robust_lock *lock,
		      const struct robust_locker *locker)
{
	uint64_t found = 0;

	/* ROBUST-X1 acq_rel: after the last owner. Pairs with ROBUST-X2,
	   ROBUST-X5. */
	return word64_cas_acq_rel(&lock->owner, &found, locker->self);
}

/*
 * Takes the lock, and waits for it until the deadline (absolute; CUBBY_NOW, 0:
 * only as long as an owner may need that has lost its processor, and no longer
 * than ROBUST_LOCK_GRACE). Not recursive: who has it waits for itself.
 *
 * Returns 0, or ROBUST_LOCK_DEAD: taken too, but its last owner died with it,
 * so put in order what it guards. Should you die over that, the next one is
 * told again. Errors: -ETIMEDOUT -EINTR, and futex_wait()'s.
 */
static FAST int
robust_lock_take(struct robust_lock *lock, const struct robust_locker *locker,
		 int64_t deadline)
{
	if (likely(robust_lock_take_free(lock, locker)))
		return 0;
	return robust_lock_take_slowly(lock, locker, deadline);
}

/*
 * Gives the lock back, and wakes one who sleeps. Never blocks. Leaves alone a
 * lock that is not locker's own.
 */
static FAST void
robust_lock_give(struct robust_lock *lock, const struct robust_locker *locker)
{
	uint64_t found = locker->self;

	/* ROBUST-X2 acq_rel: what it guards, then the next owner. Pairs with
	   ROBUST-X1, ROBUST-X3, ROBUST-X6. */
	if (unlikely(!word64_cas_acq_rel(&lock->owner, &found, 0)))
		robust_lock_give_slowly(lock, locker);
}

/* Has this locker taken it? Another thread with the same locker may have. */
static inline bool
robust_lock_is_mine(const struct robust_lock *lock,
		    const struct robust_locker *locker)
{
	/* relaxed: whether it is one's own changes by one's own hand alone */
	return (word64_load_relaxed(&lock->owner) & ~ROBUST_LOCK_CONTENDED) ==
	       locker->self;
}

#endif
