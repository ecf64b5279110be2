/* SPDX-License-Identifier: MIT */
/* Layer 3. May include: base atomics robust_lock sync_mutex. */
/*
 * Locking and unlocking; see sync_mutex.h. The state is written while the lock
 * is held, and takes effect only when its owner unlocks.
 */
#include "base.h"
#include "atomics.h"
#include "robust_lock.h"
#include "sync_mutex.h"

/* Odd, and without a pattern: so that the words of two participants differ all
   over. */
#define MIX	UINT64_C(0x9e3779b97f4a7c15)

/* Of this process. A child goes on counting; its words are others. */
static word64 last_thread = { START_COUNTER(64, 3) };
static __thread uint64_t this_thread;

static uint64_t
thread_number(void)
{
	while (unlikely(!this_thread)) {
		/* MUTEX-X1 acq_rel: a number for one thread. Pairs with
		   MUTEX-X1. */
		this_thread = word64_add_acq_rel(&last_thread, 1) + 1;
	}
	return this_thread;
}

static uint64_t
mark_of(const struct robust_locker *locker)
{
	return locker->self * MIX ^ thread_number();
}

bool
mutex_is_mine(const struct sync_mutex *mutex,
	      const struct robust_locker *locker)
{
	/* relaxed: of its own mark a thread sees its own last write */
	return robust_lock_is_mine(&mutex->lock, locker) &&
	       word64_load_relaxed(&mutex->thread) == mark_of(locker);
}

static void
give(struct sync_mutex *mutex, const struct robust_locker *locker)
{
	/* relaxed: the lock's own release follows */
	word64_store_relaxed(&mutex->thread, 0);
	robust_lock_give(&mutex->lock, locker);
}

/* Has taken the lock, from a dead owner or with a state that is not SOUND. */
static COLD int
taken_with_news(struct sync_mutex *mutex, const struct robust_locker *locker)
{
	uint32_t state;

	/* relaxed: guarded by the lock */
	state = word32_load_relaxed(&mutex->state);
	if (state != MUTEX_SOUND && state != MUTEX_DOUBTFUL) {
		give(mutex, locker);
		return -ENOTRECOVERABLE;
	}
	/* relaxed: guarded by the lock */
	word32_store_relaxed(&mutex->state, MUTEX_DOUBTFUL);
	return -EOWNERDEAD;
}

/* Another has the lock, or had. Returns as robust_lock_take(). */
static COLD int
wait_for_lock(struct sync_mutex *mutex, const struct robust_locker *locker,
	      int64_t deadline)
{
	int result;

	if (mutex_is_mine(mutex, locker))
		return -EDEADLK;
	if (!deadline)
		return robust_lock_try(&mutex->lock, locker);
	do
		result = robust_lock_take(&mutex->lock, locker, deadline);
	while (result == -EINTR);
	return result;
}

int
mutex_lock(struct sync_mutex *mutex, const struct robust_locker *locker,
	   int64_t deadline)
{
	int result = 0;

	if (unlikely(!robust_lock_take_free(&mutex->lock, locker))) {
		result = wait_for_lock(mutex, locker, deadline);
		if (result < 0)
			return result;
	}
	/* relaxed: for threads of this process, which see their own; the state
	   is guarded by the lock */
	word64_store_relaxed(&mutex->thread, mark_of(locker));
	if (unlikely(result == ROBUST_LOCK_DEAD ||
		     word32_load_relaxed(&mutex->state) != MUTEX_SOUND))
		return taken_with_news(mutex, locker);
	return 0;
}

int
mutex_unlock(struct sync_mutex *mutex, const struct robust_locker *locker)
{
	if (!mutex_is_mine(mutex, locker))
		return -EPERM;
	/* relaxed: guarded by the lock */
	if (unlikely(word32_load_relaxed(&mutex->state) == MUTEX_DOUBTFUL))
		word32_store_relaxed(&mutex->state, MUTEX_LOST);
	give(mutex, locker);
	return 0;
}

int
mutex_consistent(struct sync_mutex *mutex, const struct robust_locker *locker)
{
	if (!mutex_is_mine(mutex, locker))
		return -EPERM;
	/* relaxed: guarded by the lock */
	if (word32_load_relaxed(&mutex->state) != MUTEX_DOUBTFUL)
		return -EINVAL;
	word32_store_relaxed(&mutex->state, MUTEX_SOUND);
	return 0;
}

bool
mutex_has_news(const struct sync_mutex *mutex,
	       const struct robust_locker *locker)
{
	uint32_t state;

	/* relaxed: whoever is told locks it */
	state = word32_load_relaxed(&mutex->state);
	return (state != MUTEX_SOUND && state != MUTEX_DOUBTFUL) ||
	       robust_lock_owner_died(&mutex->lock, locker);
}
