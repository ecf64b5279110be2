/* SPDX-License-Identifier: MIT */
/* Test: tsan, timeout 120. */
/* A semaphore in shared memory: nothing lost, and nothing doubled. */
#include "base.h"
#include "atomics.h"
#include "clock.h"
#include "sync_semaphore.h"
#include "support/support.h"
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>

static struct shared {
	struct sync_semaphore items, room;
	uint64_t value; /* in turns */
	_Atomic uint64_t taken;
	_Atomic bool over;
} *shared;

static void
begin(void)
{
	shared = shared_memory(sizeof(*shared));
}

static int
wait_until(int64_t deadline)
{
	return semaphore_wait(&shared->items, deadline);
}

static void
post(void)
{
	expect_ok(semaphore_post(&shared->items));
}

/* A child that waits for a unit, and counts it. */
static void
start_sleeper(struct child *child)
{
	in_child(child) {
		/* For ever: a last look at the deadline makes up for nothing. */
		expect_ok(wait_until(CUBBY_FOREVER));
		shared->taken++;
	}
	child_wait_asleep(child);
}

static void
as_many_are_taken_as_were_posted(void)
{
	begin();
	expect_int(semaphore_value(&shared->items), 0);
	expect_result(wait_until(CUBBY_NOW), -EAGAIN);
	for (int i = 0; i < 3; i++)
		post();
	expect_int(semaphore_value(&shared->items), 3);
	expect_ok(wait_until(CUBBY_NOW));
	expect_ok(wait_until(CUBBY_FOREVER));
	expect_ok(wait_until(-1));
	expect_int(semaphore_value(&shared->items), 0);
	expect_result(wait_until(CUBBY_NOW), -EAGAIN);
}

static void
deadlines_hold(void)
{
	int64_t deadline;

	begin();
	expect_result(wait_until(-1), -ETIMEDOUT);
	deadline = clock_now() + 3 * SYNC_SLICE_FIRST / 2;
	expect_result(wait_until(deadline), -ETIMEDOUT);
	expect(clock_now() >= deadline);
	/* What it left behind costs one wake, which takes it away. */
	expect(word64_load_relaxed(&shared->items.count) & SYNC_WAITING);
	post();
	expect(!(word64_load_relaxed(&shared->items.count) & SYNC_WAITING));
	expect_ok(wait_until(CUBBY_NOW));
}

static void
there_is_a_limit(void)
{
	begin();
	word64_store_relaxed(&shared->items.count,
			     sync_next(0, SEMAPHORE_MAX - 1, 0));
	post();
	expect_result(semaphore_post(&shared->items), -EOVERFLOW);
	expect_int(semaphore_value(&shared->items), SEMAPHORE_MAX);
	expect_ok(wait_until(CUBBY_NOW));
	post();
}

static void
do_nothing(int number)
{
	(void)number;
}

static void
a_signal_ends_the_wait(void)
{
	struct child sleeper;

	begin();
	in_child(&sleeper) {
		struct sigaction action = { .sa_handler = do_nothing,
					    .sa_flags = SA_RESTART };
		struct itimerval often = { { 0, 1000 }, { 0, 1000 } };

		expect_system(sigaction(SIGALRM, &action, NULL));
		expect_system(setitimer(ITIMER_REAL, &often, NULL));
		expect_result(wait_until(CUBBY_FOREVER), -EINTR);
	}
	child_finish(&sleeper);
	post();
	expect_ok(wait_until(CUBBY_NOW));
	expect_result(wait_until(CUBBY_NOW), -EAGAIN);
}

enum { SLEEPERS = 3 };

static void
each_post_wakes_one_who_sleeps(void)
{
	struct child children[SLEEPERS];

	begin();
	for (int i = 0; i < SLEEPERS; i++)
		start_sleeper(&children[i]);
	for (int i = 0; i < SLEEPERS; i++)
		post();
	for (int i = 0; i < SLEEPERS; i++)
		child_finish(&children[i]);
	expect_int(shared->taken, SLEEPERS);
	expect_result(wait_until(CUBBY_NOW), -EAGAIN);
}

/* The kernel takes one who is stopped out of the queue. Who is stopped when he
   has been woken is for the harness. */
static void
who_is_stopped_in_his_sleep_costs_the_others_nothing(void)
{
	struct child stopped, other;

	begin();
	start_sleeper(&stopped);
	start_sleeper(&other);
	child_stop(&stopped);
	post();
	child_finish(&other);
	expect_int(shared->taken, 1);
	post();
	child_continue(&stopped);
	child_finish(&stopped);
	expect_int(shared->taken, 2);
}

static void
who_is_killed_in_his_sleep_costs_the_others_nothing(void)
{
	struct child killed, other;

	begin();
	start_sleeper(&killed);
	start_sleeper(&other);
	child_stop(&killed);
	post();
	child_kill(&killed);
	child_finish(&other);
	expect_int(shared->taken, 1);
}

/* Its poster was killed before it. */
static void
a_wake_up_that_is_never_given_costs_a_slice(void)
{
	struct child sleeper;

	begin();
	start_sleeper(&sleeper);
	word64_add_acq_rel(&shared->items.count, SYNC_ONE_MORE);
	child_finish(&sleeper);
	expect_int(shared->taken, 1);
}

enum { SIDES = 3 };
#define TIMES MANY(20000)

/* `room` units at most are under way between `produce` and `consume`. */
static void *
produce(void *context)
{
	for (int i = 0; i < TIMES; i++) {
		expect_ok(semaphore_wait(&shared->room, soon()));
		expect_ok(semaphore_post(&shared->items));
	}
	return context;
}

static void *
consume(void *context)
{
	for (int i = 0; i < TIMES; i++) {
		expect_ok(semaphore_wait(&shared->items, soon()));
		shared->taken++;
		expect_ok(semaphore_post(&shared->room));
	}
	return context;
}

static void
nothing_is_lost_between_processes(void)
{
	struct child producers[SIDES], consumers[SIDES];

	begin();
	expect_ok(semaphore_post(&shared->room));
	expect_ok(semaphore_post(&shared->room));
	for (int i = 0; i < SIDES; i++) {
		in_child(&producers[i])
			produce(NULL);
		in_child(&consumers[i])
			consume(NULL);
	}
	for (int i = 0; i < SIDES; i++) {
		child_finish(&producers[i]);
		child_finish(&consumers[i]);
	}
	expect_int(shared->taken, SIDES * TIMES);
	expect_int(semaphore_value(&shared->items), 0);
	expect_int(semaphore_value(&shared->room), 2);
}

/* With one unit it is a lock: what it guards is plain memory. */
static void *
count_up(void *context)
{
	for (int i = 0; i < TIMES; i++) {
		expect_ok(wait_until(soon()));
		shared->value++;
		post();
	}
	return context;
}

static void
one_unit_guards_plain_memory(void)
{
	pthread_t threads[SIDES];

	begin();
	post();
	for (int i = 0; i < SIDES; i++)
		expect_int(pthread_create(&threads[i], NULL, count_up, NULL),
			   0);
	for (int i = 0; i < SIDES; i++)
		expect_int(pthread_join(threads[i], NULL), 0);
	expect_int(shared->value, SIDES * TIMES);
}

static void *
scribble(void *context)
{
	uint64_t word = 1;

	while (!shared->over) {
		word = word * UINT64_C(6364136223846793005) + 1;
		word64_store_relaxed(&shared->items.count, word >> (word % 64));
	}
	return context;
}

static void
words_that_change_all_the_time_do_not_hang_it(void)
{
	pthread_t thread;
	int result;

	begin();
	expect_int(pthread_create(&thread, NULL, scribble, NULL), 0);
	for (int i = 0; i < MANY(10000); i++) {
		result = wait_until(i % 2 ? CUBBY_NOW : clock_now() + 100000);
		expect(result == 0 || result == -ETIMEDOUT ||
		       result == -EAGAIN);
		result = semaphore_post(&shared->items);
		expect(result == 0 || result == -EOVERFLOW);
	}
	shared->over = true;
	expect_int(pthread_join(thread, NULL), 0);
}

static const struct test tests[] = {
	TEST(as_many_are_taken_as_were_posted),
	TEST(deadlines_hold),
	TEST(there_is_a_limit),
	TEST(a_signal_ends_the_wait),
	TEST(each_post_wakes_one_who_sleeps),
	TEST(who_is_stopped_in_his_sleep_costs_the_others_nothing),
	TEST(who_is_killed_in_his_sleep_costs_the_others_nothing),
	TEST(a_wake_up_that_is_never_given_costs_a_slice),
	TEST(nothing_is_lost_between_processes),
	TEST(one_unit_guards_plain_memory),
	TEST(words_that_change_all_the_time_do_not_hang_it),
};

int
main(void)
{
	return RUN_TESTS("semaphore", tests);
}
