/* SPDX-License-Identifier: MIT */
/* The locks of cubby_sync.h, where they meet somebody: else they make no call. */
#include "faults.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct shared {
	cubby_mutex mutex;
	cubby_condition condition;
	cubby_semaphore semaphore;
	uint64_t count;
};

static struct shared *
shared_of(cubby_region *region)
{
	return cubby_region_data(region);
}

static int64_t
shortly(void)
{
	return cubby_deadline_after(20 * 1000 * 1000);
}

/* Two participants: a region opened twice. */
static void
pair_set(struct stage *s)
{
	need_ok(cubby_region_open("r", CUBBY_CREATE | CUBBY_WRITE, NULL,
				  &s->region));
	need_ok(cubby_region_open("r", CUBBY_WRITE, NULL, &s->region2));
}

static int
lock(struct stage *s, int64_t deadline)
{
	return cubby_mutex_lock(s->region, &shared_of(s->region)->mutex,
				deadline);
}

static int
unlock(struct stage *s)
{
	return cubby_mutex_unlock(s->region, &shared_of(s->region)->mutex);
}

/* It is free, and sound: both can have it. */
static void
expect_free(struct stage *s)
{
	cubby_mutex *second = &shared_of(s->region2)->mutex;

	need_ok(lock(s, soon()));
	need(cubby_mutex_lock(s->region2, second, CUBBY_NOW) == -EAGAIN);
	need_ok(unlock(s));
	need_ok(cubby_mutex_lock(s->region2, second, soon()));
	need_ok(cubby_mutex_unlock(s->region2, second));
}

/* A mutex that another has -------------------------------------------------- */

static void
busy_set(struct stage *s)
{
	pair_set(s);
	need_ok(cubby_mutex_lock(s->region2, &shared_of(s->region2)->mutex,
				 soon()));
}

/* Its owner lives, whatever fails: he is never told to have died. */
static int
lock_late_act(struct stage *s)
{
	int r = lock(s, shortly());

	need(r != 0 && r != -EOWNERDEAD);
	need(unlock(s) == -EPERM);
	return r;
}

static int
lock_now_act(struct stage *s)
{
	int r = lock(s, CUBBY_NOW);

	need(r != 0 && r != -EOWNERDEAD);
	need(unlock(s) == -EPERM);
	return r == -EAGAIN ? 0 : r;
}

static void
busy_check(struct stage *s)
{
	need_ok(cubby_mutex_unlock(s->region2,
				   &shared_of(s->region2)->mutex));
	expect_free(s);
}

/* One whose owner has died -------------------------------------------------- */

static void
locks_and_dies(struct stage *s)
{
	cubby_region *region;

	(void)s;
	need_ok(cubby_region_open("r", CUBBY_WRITE, NULL, &region));
	need_ok(cubby_mutex_lock(region, &shared_of(region)->mutex, soon()));
}

static void
dead_set(struct stage *s)
{
	pair_set(s);
	die_after(s, locks_and_dies);
}

static int
lock_dead_act(struct stage *s)
{
	int r = lock(s, soon());

	need(r != 0);
	return r == -EOWNERDEAD ? 0 : r;
}

static int
lock_dead_now_act(struct stage *s)
{
	int r = lock(s, CUBBY_NOW);

	need(r != 0);
	/* Whose owner may not be asked for is another's. */
	return r == -EOWNERDEAD ? 0 : r == -EAGAIN ? -ETIMEDOUT : r;
}

static void
dead_check(struct stage *s)
{
	int r = lock(s, soon());

	need(r == -EDEADLK || r == -EOWNERDEAD);
	need_ok(cubby_mutex_consistent(s->region,
				       &shared_of(s->region)->mutex));
	need_ok(unlock(s));
	expect_free(s);
}

/* One that somebody waits for ----------------------------------------------- */

/* Until that process sleeps: the kernel says so. */
static void
wait_until_asleep(pid_t pid)
{
	char path[64], text[512], *state = NULL;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	do {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		need(fd >= 0);
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
		need(n > 0);
		text[n] = '\0';
		state = strrchr(text, ')');
		need(state);
	} while (state[2] != 'S');
}

static void
waits_for_lock(struct stage *s)
{
	cubby_region *region;

	need_ok(cubby_region_open("r", CUBBY_WRITE, NULL, &region));
	atomic_fetch_add(&s->common->ready, 1);
	need_ok(cubby_mutex_lock(region, &shared_of(region)->mutex, soon()));
	shared_of(region)->count++;
	need_ok(cubby_mutex_unlock(region, &shared_of(region)->mutex));
	cubby_region_close(region);
}

static void
awaited_set(struct stage *s)
{
	pair_set(s);
	need_ok(lock(s, soon()));
	help(s, waits_for_lock);
	wait_until_asleep(s->helpers[0]);
}

static int
unlock_act(struct stage *s)
{
	return unlock(s);
}

static void
awaited_check(struct stage *s)
{
	helpers_end(s);
	need(shared_of(s->region)->count == 1);
	expect_free(s);
}

/* Conditions ---------------------------------------------------------------- */

/* Whatever is returned here, the mutex is ours again. */
static int
condition_act(struct stage *s)
{
	struct shared *shared = shared_of(s->region);
	int r;

	need_ok(lock(s, soon()));
	r = cubby_condition_wait(s->region, &shared->condition, &shared->mutex,
				 shortly());
	if (r == -EBADMSG || r == -ENOTRECOVERABLE || r == -EPERM)
		return r;
	need(r != -EOWNERDEAD);
	need_ok(unlock(s));
	return r;
}

static void
free_check(struct stage *s)
{
	expect_free(s);
}

/* The mutex is another's when the wait has ended: until it is given back. */
static void
keeps_lock(struct stage *s)
{
	struct shared *shared;
	cubby_region *region;

	need_ok(cubby_region_open("r", CUBBY_WRITE, NULL, &region));
	shared = shared_of(region);
	atomic_fetch_add(&s->common->ready, 1);
	while (!atomic_load(&s->common->go)) {
		need_ok(cubby_mutex_lock(region, &shared->mutex, soon()));
		need_ok(cubby_condition_broadcast(region, &shared->condition));
		usleep(3000);
		need_ok(cubby_mutex_unlock(region, &shared->mutex));
		usleep(1000);
	}
	cubby_region_close(region);
}

static void
contended_set(struct stage *s)
{
	pair_set(s);
	help(s, keeps_lock);
}

static void
contended_check(struct stage *s)
{
	helpers_end(s);
	expect_free(s);
}

/* Semaphores ---------------------------------------------------------------- */

static int
semaphore_late_act(struct stage *s)
{
	return cubby_semaphore_wait(s->region,
				    &shared_of(s->region)->semaphore,
				    shortly());
}

static void
expect_units(struct stage *s, uint32_t units)
{
	cubby_semaphore *semaphore = &shared_of(s->region2)->semaphore;
	uint32_t value = 99;

	need_ok(cubby_semaphore_value(s->region2, semaphore, &value));
	need(value == units);
	need_ok(cubby_semaphore_post(s->region2, semaphore));
	need_ok(cubby_semaphore_wait(s->region, &shared_of(s->region)->semaphore,
				     CUBBY_NOW));
	need(cubby_semaphore_wait(s->region, &shared_of(s->region)->semaphore,
				  CUBBY_NOW) == (units ? 0 : -EAGAIN));
}

static void
none_check(struct stage *s)
{
	expect_units(s, 0);
}

/* A unit comes while it sleeps. */
static void
posts(struct stage *s)
{
	pid_t pid = getppid();
	cubby_region *region;

	need_ok(cubby_region_open("r", CUBBY_WRITE, NULL, &region));
	atomic_fetch_add(&s->common->ready, 1);
	wait_until_asleep(pid);
	need_ok(cubby_semaphore_post(region, &shared_of(region)->semaphore));
	cubby_region_close(region);
}

static void
posted_set(struct stage *s)
{
	pair_set(s);
	help(s, posts);
}

static int
semaphore_act(struct stage *s)
{
	return cubby_semaphore_wait(s->region,
				    &shared_of(s->region)->semaphore, soon());
}

static void
posted_check(struct stage *s)
{
	helpers_end(s);
	expect_units(s, 0);
}

/* One sleeps for a unit. */
static void
takes(struct stage *s)
{
	cubby_region *region;

	need_ok(cubby_region_open("r", CUBBY_WRITE, NULL, &region));
	atomic_fetch_add(&s->common->ready, 1);
	need_ok(cubby_semaphore_wait(region, &shared_of(region)->semaphore,
				     soon()));
	cubby_region_close(region);
}

static void
taker_set(struct stage *s)
{
	pair_set(s);
	help(s, takes);
	wait_until_asleep(s->helpers[0]);
}

static int
post_act(struct stage *s)
{
	return cubby_semaphore_post(s->region, &shared_of(s->region)->semaphore);
}

static const struct scenario list[] = {
	{ "lock-late", "cubby_mutex_lock", NO_MAILBOX, WAITS, busy_set,
	  lock_late_act, busy_check },
	{ "lock-now", "cubby_mutex_lock", NO_MAILBOX, 0, busy_set,
	  lock_now_act, busy_check },
	{ "lock-dead", "cubby_mutex_lock", NO_MAILBOX, ASKS, dead_set,
	  lock_dead_act, dead_check },
	{ "lock-dead-now", "cubby_mutex_lock", NO_MAILBOX, WAITS, dead_set,
	  lock_dead_now_act, dead_check },
	{ "unlock-awaited", "cubby_mutex_unlock", NO_MAILBOX,
	  GONE | NO_LIMITS, awaited_set, unlock_act, awaited_check },
	{ "condition-late", "cubby_condition_wait", NO_MAILBOX, WAITS,
	  pair_set, condition_act, free_check },
	{ "condition-contended", "cubby_condition_wait", NO_MAILBOX,
	  WAITS | NO_LIMITS, contended_set, condition_act, contended_check },
	{ "semaphore-late", "cubby_semaphore_wait", NO_MAILBOX, WAITS,
	  pair_set, semaphore_late_act, none_check },
	{ "semaphore", "cubby_semaphore_wait", NO_MAILBOX, ASKS | NO_LIMITS,
	  posted_set, semaphore_act, posted_check },
	{ "semaphore-post", "cubby_semaphore_post", NO_MAILBOX,
	  GONE | NO_LIMITS, taker_set, post_act, posted_check },
	{ NULL, NULL, 0, 0, NULL, NULL, NULL },
};
SCENARIOS(list);
