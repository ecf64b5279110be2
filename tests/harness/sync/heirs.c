/* SPDX-License-Identifier: MIT */
/* Who meets what a dead victim left: see double.h. None of them waits. */
#include <errno.h>

#include "../double.h"
#include "play.h"

static int
lock(struct attached *own)
{
	return cubby_mutex_lock(own->region, &own->props->mutex, CUBBY_NOW);
}

static int
lock_late(struct attached *own)
{
	return cubby_mutex_lock(own->region, &own->props->mutex, -1);
}

static int
unlock(struct attached *own)
{
	return cubby_mutex_unlock(own->region, &own->props->mutex);
}

/* As a user does: what the dead one left is put right. */
static int
lock_properly(struct attached *own, int (*way)(struct attached *own))
{
	int result = way(own);

	if (result == -EOWNERDEAD)
		result = cubby_mutex_consistent(own->region,
						&own->props->mutex);
	return result;
}

static int
lock_unlock(struct attached *own)
{
	int result = lock_properly(own, lock);

	return result < 0 ? result : unlock(own);
}

static int
lock_late_unlock(struct attached *own)
{
	int result = lock_properly(own, lock_late);

	return result < 0 ? result : unlock(own);
}

/* Not put right: lost. */
static int
lock_lose(struct attached *own)
{
	int result = lock(own);

	if (result == -EOWNERDEAD)
		return lose(own);
	return result < 0 ? result : unlock(own);
}

static int
wait_late(struct attached *own)
{
	int result = lock_properly(own, lock);

	if (result < 0)
		return result;
	result = cubby_condition_wait(own->region, &own->props->condition,
				      &own->props->mutex, -1);
	return result == -ETIMEDOUT ? unlock(own) : result;
}

static int
broadcast(struct attached *own)
{
	return cubby_condition_broadcast(own->region, &own->props->condition);
}

static int
post(struct attached *own)
{
	return cubby_semaphore_post(own->region, &own->props->semaphore);
}

static int
try_semaphore(struct attached *own)
{
	return cubby_semaphore_wait(own->region, &own->props->semaphore,
				    CUBBY_NOW);
}

static int
wait_semaphore_late(struct attached *own)
{
	return cubby_semaphore_wait(own->region, &own->props->semaphore, -1);
}

static int
enter(struct attached *own)
{
	return cubby_region_open(REGION, CUBBY_WRITE, NULL, &own->region);
}

static int
close_it(struct attached *own)
{
	cubby_region_close(own->region);
	own->region = NULL;
	return 0;
}

static int
sweep_all(struct attached *own)
{
	(void)own;
	return cubby_sweep(NULL, NULL);
}

#define HEIR(title, how, ...) \
	{ .operation.name = title, .perform = how, __VA_ARGS__ }

static const struct act heirs[] = {
	HEIR("lock", lock),
	HEIR("lock-unlock", lock_unlock),
	HEIR("lock-late-unlock", lock_late_unlock),
	HEIR("lock-lose", lock_lose),
	HEIR("wait-late", wait_late),
	HEIR("broadcast", broadcast),
	HEIR("post", post),
	HEIR("try-semaphore", try_semaphore),
	HEIR("wait-semaphore-late", wait_semaphore_late),
	HEIR("enter", enter, .enters = true),
	HEIR("close", close_it),
	HEIR("sweep-all", sweep_all),
};

uint32_t
heirs_count(void)
{
	return sizeof(heirs) / sizeof(heirs[0]);
}

const char *
heir_name(uint32_t heir)
{
	return heirs[heir].operation.name;
}

/* One that waits for the condition may be given a signal, and die with it: not
   where somebody else waits for one. */
bool
heir_fits(const struct scenario *scenario, uint32_t heir)
{
	return heirs[heir].perform != wait_late ||
	       act_of(scenario)->bed != CONDITION_BED;
}

const struct scenario *
heir_scenario(const struct scenario *scenario, uint32_t heir)
{
	static struct scenario own;

	(void)scenario;
	own = (struct scenario){ .operation = &heirs[heir].operation };
	return &own;
}

/* The mutex is somebody's, or is lost, or no unit is there. */
bool
heir_may_return(const struct scenario *scenario, uint32_t heir, int result)
{
	(void)heir;
	return result >= 0 || result == -EAGAIN || result == -ETIMEDOUT ||
	       result == -EOWNERDEAD ||
	       (result == -ENOTRECOVERABLE && act_of(scenario)->loses);
}
