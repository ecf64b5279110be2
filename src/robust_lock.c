/* SPDX-License-Identifier: MIT */
/* Layer 2. May include: base atomics clock futex spin. */
/*
 * Waiting for a robust lock, and waking who waits; see robust_lock.h, where the
 * protocol is proved.
 *
 * One who does not get the lock looks for some microseconds, about once in one:
 * each look takes the line away from the owner, who meanwhile may take the lock
 * several times over, with all that it guards in its own cache. Then it asks
 * whether the owner lives, and sleeps in slices, asking after each.
 *
 * The words are input: any value is either free, or somebody's of whom `alive`
 * is asked. A word that bears no slot is nobody's, and taken over as a dead
 * one's. No value can do more than make one wait until its deadline.
 */
#include "base.h"
#include "atomics.h"
#include "clock.h"
#include "futex.h"
#include "robust_lock.h"
#include "spin.h"

#define SPIN_TIME	(20 * NSEC_PER_USEC)
#define PAUSES_FIRST	64U
#define PAUSES_LAST	128U
#define TRIES_MAX	64	/* it was another's each time */

/* Looking first ---------------------------------------------------------- */

/* Looks for a while, without writing to the line, and takes the lock if it is
   given. */
static bool
take_while_looking(struct robust_lock *lock, const struct robust_locker *locker)
{
	int64_t until = clock_now() + SPIN_TIME;
	unsigned int pauses = PAUSES_FIRST, i;
	uint64_t found;

	do {
		for (i = 0; i < pauses; i++)
			cpu_relax();
		if (pauses < PAUSES_LAST)
			pauses *= 2;
		/* relaxed: a guess for the CAS */
		found = word64_load_relaxed(&lock->owner);
		/* ROBUST-X3 acq_rel: after the last owner. Pairs with
		   ROBUST-X2, ROBUST-X5. */
		if (!found &&
		    word64_cas_acq_rel(&lock->owner, &found, locker->self))
			return true;
	} while (clock_now() < until);
	return false;
}

/* Taking ----------------------------------------------------------------- */

/* 1, 0 or -errno: does the owner that the word names live? */
static int
owner_lives(const struct robust_locker *locker, uint64_t word)
{
	uint64_t slot = word >> ROBUST_LOCK_SLOT_SHIFT & ROBUST_LOCK_SLOT_MASK;

	if (!slot)
		return 0; /* nobody's */
	return locker->alive(locker->context, (uint32_t)slot - 1,
			     word >> ROBUST_LOCK_GENERATION_SHIFT);
}

/* From this very word, which is a free lock's or a dead owner's. */
static bool
take_from(struct robust_lock *lock, const struct robust_locker *locker,
	  uint64_t word)
{
	/* ROBUST-X6 acq_rel: after the last owner. Contended: others may
	   sleep. Pairs with ROBUST-X2, ROBUST-X5. */
	return word64_cas_acq_rel(&lock->owner, &word,
				  locker->self | ROBUST_LOCK_CONTENDED);
}

/* What a look at the lock may say, besides 0 and ROBUST_LOCK_DEAD. */
enum { LOOK_AGAIN = 2, OWNED };

/* Takes the lock from nobody or from a dead owner, or tells a living one that
   somebody sleeps. */
static int
take_or_announce(struct robust_lock *lock, const struct robust_locker *locker)
{
	uint64_t found;

	/* relaxed: a guess for the CAS */
	found = word64_load_relaxed(&lock->owner);
	if (!found)
		return take_from(lock, locker, 0) ? 0 : LOOK_AGAIN;
	/* ROBUST-X4 acq_rel: the ticket, then told. Pairs with ROBUST-X5. */
	if (!(found & ROBUST_LOCK_CONTENDED) &&
	    !word64_cas_acq_rel(&lock->owner, &found,
				found | ROBUST_LOCK_CONTENDED))
		return LOOK_AGAIN;
	found |= ROBUST_LOCK_CONTENDED;
	if (owner_lives(locker, found) != 0)
		return OWNED;
	return take_from(lock, locker, found) ? ROBUST_LOCK_DEAD : LOOK_AGAIN;
}

/* Sleeps until the lock is given, or it is time to ask again. 0, or an error
   that ends the wait. */
static int
sleep_slice(struct robust_lock *lock, uint32_t ticket, int64_t deadline)
{
	int64_t now = clock_now();
	int error;

	if (now >= deadline)
		return -ETIMEDOUT;
	if (deadline - now > ROBUST_LOCK_SLICE)
		deadline = now + ROBUST_LOCK_SLICE;
	error = futex_wait(&lock->unlocks, ticket, deadline);
	return error == -ETIMEDOUT ? 0 : error;
}

int
robust_lock_take_slowly(struct robust_lock *lock,
			const struct robust_locker *locker, int64_t deadline)
{
	uint32_t ticket;
	int look, error;

	if (spin_pays() && take_while_looking(lock, locker))
		return 0;
	if (deadline == 0)
		deadline = clock_now() + ROBUST_LOCK_GRACE;
	for (;;) {
		/* ROBUST-A1 acquire: the ticket, then the look. Pairs with
		   ROBUST-X7. */
		ticket = word32_load_acquire(&lock->unlocks);
		look = take_or_announce(lock, locker);
		if (look <= ROBUST_LOCK_DEAD)
			return look;
		if (look == LOOK_AGAIN && clock_now() < deadline)
			continue;
		error = sleep_slice(lock, ticket, deadline);
		if (error)
			return error;
	}
}

/* Without waiting -------------------------------------------------------- */

int
robust_lock_try(struct robust_lock *lock, const struct robust_locker *locker)
{
	uint64_t found;

	if (robust_lock_take_free(lock, locker))
		return 0;
	/* relaxed: a guess for the CAS */
	found = word64_load_relaxed(&lock->owner);
	if (!found || owner_lives(locker, found) != 0)
		return -EAGAIN;
	return take_from(lock, locker, found) ? ROBUST_LOCK_DEAD : -EAGAIN;
}

int
robust_lock_take_or_rest(struct robust_lock *lock,
			 const struct robust_locker *locker,
			 uint32_t *ret_ticket)
{
	int look, i;

	for (i = 0; i < TRIES_MAX; i++) {
		/* ROBUST-A2 acquire: as ROBUST-A1. Pairs with ROBUST-X7. */
		*ret_ticket = word32_load_acquire(&lock->unlocks);
		look = take_or_announce(lock, locker);
		if (look <= ROBUST_LOCK_DEAD)
			return look;
		if (look == OWNED)
			return -EAGAIN;
	}
	--*ret_ticket;	/* it changes hands all the time: no sleep */
	return -EAGAIN;
}

void
robust_lock_end_rest(struct robust_lock *lock, uint32_t ticket)
{
	/* relaxed: a wake too many harms nobody; of one too few there is none,
	   for who was woken sees why */
	if (word32_load_relaxed(&lock->unlocks) != ticket)
		futex_wake(&lock->unlocks, 1);
}

bool
robust_lock_owner_died(const struct robust_lock *lock,
		       const struct robust_locker *locker)
{
	uint64_t found;

	/* relaxed: whoever acts on it looks again by a CAS */
	found = word64_load_relaxed(&lock->owner);
	return found && owner_lives(locker, found) == 0;
}

/* Giving ----------------------------------------------------------------- */

/* Contended, or not one's own. */
void
robust_lock_give_slowly(struct robust_lock *lock,
			const struct robust_locker *locker)
{
	uint64_t found = locker->self | ROBUST_LOCK_CONTENDED;

	/* ROBUST-X5 acq_rel: what it guards, then the next owner. Pairs with
	   ROBUST-X1, ROBUST-X3, ROBUST-X4, ROBUST-X6. */
	if (!word64_cas_acq_rel(&lock->owner, &found, 0))
		return;
	/* ROBUST-X7 acq_rel: given, then told. Pairs with ROBUST-A1. */
	word32_add_acq_rel(&lock->unlocks, 1);
	futex_wake(&lock->unlocks, 1);
}
