/* SPDX-License-Identifier: MIT */
/* Layer 4. May include: base atomics robust_lock sync_word sync_mutex sync_condition. */
/*
 * Waiting for a condition and signalling it; see sync_condition.h.
 */
#include "base.h"
#include "atomics.h"
#include "robust_lock.h"
#include "sync_condition.h"
#include "sync_mutex.h"
#include "sync_word.h"

/* Rivals are those that signal, for who waits has the mutex. After so many
   failures somebody scribbles on the word. */
#define TRIES	1000

/* Tells that somebody waits; *ret_seen: the word since then. */
static bool
announce(word64 *signals, uint64_t *ret_seen)
{
	uint64_t seen, made;
	int tries;

	/* relaxed: a guess for the CAS */
	seen = word64_load_relaxed(signals);
	for (tries = TRIES; tries; tries--) {
		made = sync_next(seen, sync_number(seen), SYNC_WAITING);
		/* CONDITION-X1 acq_rel: told, then unlocked and asleep. Pairs
		   with SYNC-X1, CONDITION-X2. */
		if (word64_cas_acq_rel(signals, &seen, made)) {
			*ret_seen = made;
			return true;
		}
	}
	return false;
}

/* Sleeps until there is a signal after seen, or news of the mutex. */
static int
sleep_until_signalled(struct sync_condition *condition,
		      const struct sync_mutex *mutex,
		      const struct robust_locker *locker, uint64_t seen,
		      int64_t deadline)
{
	uint32_t number = sync_number(seen);
	int64_t slice = 0;
	int error;

	sync_look(&condition->signals, seen);
	for (;;) {
		/* CONDITION-A1 acquire: signalled, then the look at the
		   condition. Pairs with CONDITION-X2. */
		seen = word64_load_acquire(&condition->signals);
		if (sync_number(seen) != number)
			return 0;
		if (slice && mutex_has_news(mutex, locker))
			return 0;
		error = sync_sleep(&condition->signals, seen, &slice, deadline);
		if (error)
			return error == -ETIMEDOUT ? error : 0;
	}
}

int
condition_wait(struct sync_condition *condition, struct sync_mutex *mutex,
	       const struct robust_locker *locker, int64_t deadline)
{
	uint64_t seen;
	int result, locked;

	if (!mutex_is_mine(mutex, locker))
		return -EPERM;
	if (!deadline)
		return -EAGAIN;
	if (!announce(&condition->signals, &seen))
		return 0;
	mutex_unlock(mutex, locker);
	result = sleep_until_signalled(condition, mutex, locker, seen,
				       deadline);
	locked = mutex_lock(mutex, locker, INT64_MAX);
	return locked ? locked : result;
}

static void
signal_up_to(struct sync_condition *condition, int count)
{
	word64 *signals = &condition->signals;
	uint64_t made;

	/* relaxed: who waits had told before he unlocked the mutex */
	if (!(word64_load_relaxed(signals) & SYNC_WAITING))
		return;
	/* CONDITION-X2 acq_rel: after what is signalled. Pairs with
	   CONDITION-X1, CONDITION-A1. */
	made = word64_add_acq_rel(signals, SYNC_ONE_MORE) + SYNC_ONE_MORE;
	sync_wake(signals, made, count);
}

void
condition_signal(struct sync_condition *condition)
{
	signal_up_to(condition, 1);
}

void
condition_broadcast(struct sync_condition *condition)
{
	signal_up_to(condition, INT32_MAX);
}
