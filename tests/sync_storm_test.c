/* SPDX-License-Identifier: MIT */
/* Test: timeout 120. */
/*
 * Many processes on one mutex, one condition and one semaphore, of which one
 * after another is killed wherever it happens to be: the others go on, and what
 * the mutex guards is put in order each time.
 */
#include "support/support.h"
#include <cubby_sync.h>
#include <sched.h>

#define NAME "r"

enum { WORKERS = 5, STEPS = 20 };
#define DEATHS MANY(300)

struct shared {
	cubby_mutex mutex;
	cubby_condition changed;
	cubby_semaphore semaphore;
	/* Guarded: equal when the mutex is unlocked by one who lives. */
	uint64_t first, second;
	_Atomic uint64_t steps;	  /* of all */
	_Atomic uint64_t repairs; /* after a death */
	_Atomic uint64_t posts;
	_Atomic bool over;
};

static cubby_region *region;
static struct shared *s;

static void
attach(int flags)
{
	expect_ok(cubby_region_open(NAME, flags | CUBBY_WRITE, NULL, &region));
	s = cubby_region_data(region);
}

/* Is the mutex's, now: in order, whatever has happened. */
static void
have(int result)
{
	if (result == -EOWNERDEAD) {
		s->second = s->first;
		s->repairs++;
		expect_ok(cubby_mutex_consistent(region, &s->mutex));
		return;
	}
	expect_ok(result);
	expect_int(s->first, s->second);
}

/* Waits until somebody has changed it, but not for ever: all may be waiting. */
static void
await_change(void)
{
	int result = cubby_condition_wait(region, &s->changed, &s->mutex,
					  cubby_deadline_after(1000000));

	have(result == -ETIMEDOUT ? 0 : result);
}

static void
step(uint64_t number)
{
	have(cubby_mutex_lock(region, &s->mutex, soon()));
	if (number % 4 == 0)
		await_change();
	s->first++;
	if (number % 8 == 0)
		sched_yield();
	s->second++;
	expect_ok(cubby_condition_signal(region, &s->changed));
	expect_ok(cubby_mutex_unlock(region, &s->mutex));
	if (number % 3 == 0) {
		s->posts++;
		expect_ok(cubby_semaphore_post(region, &s->semaphore));
	} else if (number % 3 == 1) {
		int result = cubby_semaphore_wait(region, &s->semaphore,
						  cubby_deadline_after(200000));

		expect(result == 0 || result == -ETIMEDOUT);
	}
	s->steps++;
}

static void
start_worker(struct child *child)
{
	in_child(child) {
		attach(0);
		for (uint64_t number = 0; !s->over; number++)
			step(number);
		cubby_region_close(region);
	}
}

/* Until they have gone so much further: whoever was killed holds up nobody. */
static void
await_steps(uint64_t count)
{
	uint64_t from = s->steps;
	int64_t deadline = soon();

	while (s->steps < from + count) {
		expect(cubby_deadline_after(0) < deadline);
		sched_yield();
	}
}

static void
whoever_is_killed_holds_up_nobody(void)
{
	struct child workers[WORKERS];
	uint32_t left;

	attach(CUBBY_CREATE);
	for (int i = 0; i < WORKERS; i++)
		start_worker(&workers[i]);
	for (int death = 0; death < DEATHS; death++) {
		await_steps((uint64_t)(death % STEPS));
		child_kill(&workers[death % WORKERS]);
		start_worker(&workers[death % WORKERS]);
	}
	await_steps(100);
	s->over = true;
	for (int i = 0; i < WORKERS; i++)
		child_finish(&workers[i]);
	have(cubby_mutex_lock(region, &s->mutex, soon()));
	expect_ok(cubby_mutex_unlock(region, &s->mutex));
	/* No unit that nobody has posted. */
	expect_ok(cubby_semaphore_value(region, &s->semaphore, &left));
	expect(left <= s->posts);
	printf("%lu steps, %d deaths, %lu with the mutex\n",
	       (unsigned long)s->steps, DEATHS, (unsigned long)s->repairs);
	cubby_region_close(region);
}

static const struct test tests[] = {
	TEST(whoever_is_killed_holds_up_nobody),
};

int
main(void)
{
	return RUN_TESTS("a storm of deaths", tests);
}
