/* SPDX-License-Identifier: MIT */
/* Layer 8. May include: base atomics clock robust_lock region sync_mutex sync_condition sync_semaphore. */
/*
 * The public calls of cubby_sync.h: is the object where it should be, may it be
 * written, and who is asking; the rest is done by sync_mutex, sync_condition and
 * sync_semaphore.
 *
 * A participant of the region, its slot and generation, is who locks; whether
 * another one lives is asked where the region keeps that.
 */
#include "base.h"
#include "atomics.h"
#include "clock.h"
#include "region.h"
#include "robust_lock.h"
#include "sync_condition.h"
#include "sync_mutex.h"
#include "sync_semaphore.h"

#include <cubby_sync.h>

/* They are the same bytes. */
_Static_assert(sizeof(struct sync_mutex) == sizeof(cubby_mutex), "mutex");
_Static_assert(sizeof(struct sync_condition) == sizeof(cubby_condition),
	       "condition");
_Static_assert(sizeof(struct sync_semaphore) == sizeof(cubby_semaphore),
	       "semaphore");
_Static_assert(SEMAPHORE_MAX == CUBBY_SEMAPHORE_MAX, "semaphore");
_Static_assert(REGION_SLOTS - 1 <= ROBUST_LOCK_SLOT_MAX, "slots");

enum { OBJECT_SIZE = 32, OBJECT_ALIGNMENT = 8 };

/* May this object be used through this handle? Errors: -EACCES -EBADMSG -ECHILD
   -EINVAL. */
static int
check(cubby_region *region, const void *object, bool writes)
{
	int r = region_check(region, writes);

	if (r < 0)
		return r;
	if ((uintptr_t)object % OBJECT_ALIGNMENT ||
	    !region_contains(region, object, OBJECT_SIZE))
		return -EINVAL;
	return 0;
}

static int
alive(void *context, uint32_t slot, uint64_t generation)
{
	return region_alive(context, slot, generation);
}

static struct robust_locker
locker_of(cubby_region *region)
{
	struct robust_locker locker;

	locker.self = robust_lock_self(region->self.slot,
				       region->self.generation);
	locker.alive = alive;
	locker.context = region;
	return locker;
}

/* Who waits long looks now and then whether the region is still sound: nobody
   can wake him on a page that has been taken away. */
#define LOOK_EVERY	(5 * NSEC_PER_SEC)

/* When that is, or the deadline. */
static int64_t
look_at(int64_t deadline)
{
	int64_t now;

	if (deadline <= 0)
		return deadline;
	now = clock_now();
	return deadline - LOOK_EVERY < now ? deadline : now + LOOK_EVERY;
}

/* Is that the end of a wait until then? */
static bool
is_over(int result, int64_t until, int64_t deadline)
{
	return result != -ETIMEDOUT || until == deadline;
}

int
cubby_mutex_lock(cubby_region *region, cubby_mutex *mutex, int64_t deadline)
{
	struct robust_locker locker;
	int r = check(region, mutex, true);

	if (r < 0)
		return r;
	locker = locker_of(region);
	return mutex_lock((struct sync_mutex *)mutex, &locker, deadline);
}

int
cubby_mutex_unlock(cubby_region *region, cubby_mutex *mutex)
{
	struct robust_locker locker;
	int r = check(region, mutex, true);

	if (r < 0)
		return r;
	locker = locker_of(region);
	return mutex_unlock((struct sync_mutex *)mutex, &locker);
}

int
cubby_mutex_consistent(cubby_region *region, cubby_mutex *mutex)
{
	struct robust_locker locker;
	int r = check(region, mutex, true);

	if (r < 0)
		return r;
	locker = locker_of(region);
	return mutex_consistent((struct sync_mutex *)mutex, &locker);
}

/* May both be used? Errors: as check(). */
static int
check_pair(cubby_region *region, const cubby_condition *condition,
	   const cubby_mutex *mutex)
{
	int r = check(region, condition, true);

	return r < 0 ? r : check(region, mutex, true);
}

/*
 * What ends at the look, not at the deadline, ends for no reason: only the user
 * can look at his condition. To wait on from here would be to wait for a signal
 * after those that came while the mutex was locked again; it may have been the
 * only one.
 */
int
cubby_condition_wait(cubby_region *region, cubby_condition *condition,
		     cubby_mutex *mutex, int64_t deadline)
{
	struct sync_mutex *own = (struct sync_mutex *)mutex;
	struct robust_locker locker;
	int64_t until;
	int r = check_pair(region, condition, mutex);

	if (r < 0)
		return r;
	locker = locker_of(region);
	until = look_at(deadline);
	r = condition_wait((struct sync_condition *)condition, own, &locker,
			   until);
	if (is_over(r, until, deadline))
		return r;
	r = check_pair(region, condition, mutex);
	if (r < 0)
		mutex_unlock(own, &locker);
	return r;
}

int
cubby_condition_signal(cubby_region *region, cubby_condition *condition)
{
	int r = check(region, condition, true);

	if (r == 0)
		condition_signal((struct sync_condition *)condition);
	return r;
}

int
cubby_condition_broadcast(cubby_region *region, cubby_condition *condition)
{
	int r = check(region, condition, true);

	if (r == 0)
		condition_broadcast((struct sync_condition *)condition);
	return r;
}

int
cubby_semaphore_wait(cubby_region *region, cubby_semaphore *semaphore,
		     int64_t deadline)
{
	struct sync_semaphore *own = (struct sync_semaphore *)semaphore;
	int64_t until;
	int r = check(region, semaphore, true);

	if (r < 0)
		return r;
	r = semaphore_wait(own, CUBBY_NOW);
	if (r != -EAGAIN || !deadline)
		return r;
	do {
		r = check(region, semaphore, true);
		if (r < 0)
			return r;
		until = look_at(deadline);
		r = semaphore_wait(own, until);
	} while (!is_over(r, until, deadline));
	return r;
}

int
cubby_semaphore_post(cubby_region *region, cubby_semaphore *semaphore)
{
	int r = check(region, semaphore, true);

	if (r < 0)
		return r;
	return semaphore_post((struct sync_semaphore *)semaphore);
}

int
cubby_semaphore_value(cubby_region *region, const cubby_semaphore *semaphore,
		      uint32_t *ret_value)
{
	int r = check(region, semaphore, false);

	if (r < 0)
		return r;
	*ret_value = semaphore_value((const struct sync_semaphore *)semaphore);
	return 0;
}
