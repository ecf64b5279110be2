/* SPDX-License-Identifier: MIT */
/* Test: tsan, timeout 120. */
/* A mutex in shared memory, of processes and of their threads. */
#include "base.h"
#include "atomics.h"
#include "clock.h"
#include "sync_mutex.h"
#include "support/participants.h"
#include "support/support.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/time.h>

enum { ME, OTHER, THIRD };

static struct shared {
	struct sync_mutex mutex;
	uint64_t count; /* guarded */
	_Atomic int told;
} *shared;

static void
begin(struct participant *ret)
{
	shared = shared_memory(sizeof(*shared));
	participants_begin();
	participant_join(ME, ret);
}

static void
end(struct participant *me)
{
	participant_leave(me);
	participants_end();
}

static int
lock_by(const struct participant *me, int64_t deadline)
{
	return mutex_lock(&shared->mutex, &me->locker, deadline);
}

static int
unlock_by(const struct participant *me)
{
	return mutex_unlock(&shared->mutex, &me->locker);
}

static void
start_owner(struct child *child, uint32_t slot)
{
	struct gate locked = gate_make();

	in_child(child) {
		struct participant me;

		participant_join(slot, &me);
		expect_ok(lock_by(&me, soon()));
		gate_open(&locked);
		participant_stay();
	}
	gate_wait(&locked);
}

/* The call, made by another thread with the same participant. */
struct attempt {
	int (*call)(const struct participant *me);
	const struct participant *me;
	int result;
};

static void *
make_attempt(void *context)
{
	struct attempt *attempt = context;

	attempt->result = attempt->call(attempt->me);
	return NULL;
}

static int
in_thread(const struct participant *me,
	  int (*call)(const struct participant *me))
{
	struct attempt attempt = { call, me, 1 };
	pthread_t thread;

	expect_int(pthread_create(&thread, NULL, make_attempt, &attempt), 0);
	expect_int(pthread_join(thread, NULL), 0);
	return attempt.result;
}

static int
lock_now(const struct participant *me)
{
	return lock_by(me, CUBBY_NOW);
}

static int
lock_within_a_moment(const struct participant *me)
{
	return lock_by(me, clock_now() + NSEC_PER_MSEC);
}

static int
consistent(const struct participant *me)
{
	return mutex_consistent(&shared->mutex, &me->locker);
}

/* Locked and unlocked ---------------------------------------------------- */

static void
zero_is_unlocked_and_it_is_zero_again_when_unlocked(void)
{
	static const struct sync_mutex zero;
	struct participant me;

	begin(&me);
	expect_ok(lock_by(&me, CUBBY_NOW));
	expect(mutex_is_mine(&shared->mutex, &me.locker));
	expect_ok(unlock_by(&me));
	expect(!mutex_is_mine(&shared->mutex, &me.locker));
	expect_bytes(&shared->mutex, sizeof(zero), &zero, sizeof(zero));
	end(&me);
}

static void
count_up(const struct participant *me, int times)
{
	uint64_t seen;

	for (int i = 0; i < times; i++) {
		expect_ok(lock_by(me, soon()));
		seen = shared->count;
		if (i % 64 == 0)
			sched_yield();
		shared->count = seen + 1;
		expect_ok(unlock_by(me));
	}
}

enum { COUNTERS = 3 };
#define TIMES MANY(20000)

static void *
count_in_thread(void *participant)
{
	count_up(participant, TIMES);
	return NULL;
}

/* Threads of one process, which are one participant, and other processes. */
static void
threads_and_processes_exclude_each_other(void)
{
	struct child children[COUNTERS];
	pthread_t threads[COUNTERS];
	struct participant me;

	begin(&me);
	for (uint32_t i = 0; i < COUNTERS; i++)
		in_child(&children[i]) {
			struct participant own;

			participant_join(i + 1, &own);
			count_up(&own, TIMES);
		}
	for (int i = 0; i < COUNTERS; i++)
		expect_int(pthread_create(&threads[i], NULL, count_in_thread,
					  &me),
			   0);
	for (int i = 0; i < COUNTERS; i++) {
		expect_int(pthread_join(threads[i], NULL), 0);
		child_finish(&children[i]);
	}
	expect_int(shared->count, 2 * COUNTERS * TIMES);
	end(&me);
}

static void
whoever_locks_it_twice_is_told(void)
{
	struct participant me;

	begin(&me);
	expect_ok(lock_by(&me, CUBBY_NOW));
	expect_result(lock_by(&me, CUBBY_FOREVER), -EDEADLK);
	expect_result(lock_by(&me, CUBBY_NOW), -EDEADLK);
	expect_ok(unlock_by(&me));
	expect_ok(lock_by(&me, CUBBY_NOW));
	end(&me);
}

/* Another thread of the owner's process is another. */
static void
a_thread_is_not_taken_for_another_one(void)
{
	struct participant me;

	begin(&me);
	expect_ok(lock_by(&me, CUBBY_NOW));
	expect_result(in_thread(&me, lock_now), -EAGAIN);
	expect_result(in_thread(&me, lock_within_a_moment), -ETIMEDOUT);
	expect_result(in_thread(&me, unlock_by), -EPERM);
	expect_result(in_thread(&me, consistent), -EPERM);
	expect_ok(unlock_by(&me));
	/* A thread that has ended with it keeps it, and its mark is nobody
	   else's. */
	expect_ok(in_thread(&me, lock_now));
	expect_result(lock_by(&me, CUBBY_NOW), -EAGAIN);
	expect_result(unlock_by(&me), -EPERM);
	expect_result(in_thread(&me, lock_now), -EAGAIN);
	end(&me);
}

static void
what_one_has_not_locked_one_does_not_unlock(void)
{
	struct participant me;
	struct child owner;

	begin(&me);
	expect_result(unlock_by(&me), -EPERM);
	start_owner(&owner, OTHER);
	expect_result(unlock_by(&me), -EPERM);
	expect_result(consistent(&me), -EPERM);
	child_kill(&owner);
	expect_result(unlock_by(&me), -EPERM);
	end(&me);
}

static void
deadlines_hold(void)
{
	struct participant me;
	struct child owner;
	int64_t deadline;

	begin(&me);
	start_owner(&owner, OTHER);
	child_stop(&owner);
	expect_result(lock_by(&me, CUBBY_NOW), -EAGAIN);
	expect_result(lock_by(&me, -1), -ETIMEDOUT);
	deadline = clock_now() + 60 * NSEC_PER_MSEC;
	expect_result(lock_by(&me, deadline), -ETIMEDOUT);
	expect(clock_now() >= deadline);
	child_kill(&owner);
	end(&me);
}

static void
do_nothing(int number)
{
	(void)number;
}

static void
a_signal_does_not_end_the_wait(void)
{
	struct gate asks = gate_make();
	struct participant me;
	struct child waiter;

	begin(&me);
	expect_ok(lock_by(&me, CUBBY_NOW));
	in_child(&waiter) {
		struct sigaction action = { .sa_handler = do_nothing };
		struct itimerval often = { { 0, 1000 }, { 0, 1000 } };
		struct participant own;

		participant_join(OTHER, &own);
		expect_system(sigaction(SIGALRM, &action, NULL));
		expect_system(setitimer(ITIMER_REAL, &often, NULL));
		gate_open(&asks);
		expect_ok(lock_by(&own, soon()));
		expect_ok(unlock_by(&own));
	}
	gate_wait(&asks);
	child_wait_asleep(&waiter);
	/* It has slept through a few of them. */
	expect_result(lock_by(&me, CUBBY_NOW), -EDEADLK);
	child_wait_asleep(&waiter);
	expect_ok(unlock_by(&me));
	child_finish(&waiter);
	end(&me);
}

/* After a death ---------------------------------------------------------- */

static void
the_next_is_told_and_puts_it_in_order(void)
{
	struct participant me;
	struct child owner;

	begin(&me);
	start_owner(&owner, OTHER);
	child_kill_to_zombie(&owner);
	expect(mutex_has_news(&shared->mutex, &me.locker));
	expect_result(lock_by(&me, CUBBY_NOW), -EOWNERDEAD);
	expect(!mutex_has_news(&shared->mutex, &me.locker));
	expect_ok(consistent(&me));
	expect_result(consistent(&me), -EINVAL);
	expect_ok(unlock_by(&me));
	expect_ok(lock_by(&me, CUBBY_NOW));
	expect_result(consistent(&me), -EINVAL);
	expect_ok(unlock_by(&me));
	child_reap(&owner);
	end(&me);
}

static void
who_dies_over_the_repair_is_told_of_again(void)
{
	struct gate told = gate_make();
	struct participant me;
	struct child owner, heir;

	begin(&me);
	start_owner(&owner, OTHER);
	child_kill(&owner);
	for (int repaired = 0; repaired < 2; repaired++) {
		in_child(&heir) {
			struct participant own;

			participant_join(THIRD, &own);
			expect_result(lock_by(&own, soon()), -EOWNERDEAD);
			if (repaired)
				expect_ok(consistent(&own));
			gate_open(&told);
			participant_stay();
		}
		gate_wait(&told);
		child_kill(&heir);
	}
	expect_result(lock_by(&me, soon()), -EOWNERDEAD);
	expect_ok(consistent(&me));
	expect_ok(unlock_by(&me));
	expect_ok(lock_by(&me, CUBBY_NOW));
	end(&me);
}

/* Unlocked in doubt, it is lost: for those who sleep, and for good. */
static void
what_nobody_put_in_order_is_lost_for_all(void)
{
	struct child owner, sleepers[COUNTERS];
	struct participant me;

	begin(&me);
	start_owner(&owner, OTHER);
	child_kill(&owner);
	expect_result(lock_by(&me, CUBBY_NOW), -EOWNERDEAD);
	for (uint32_t i = 0; i < COUNTERS; i++) {
		in_child(&sleepers[i]) {
			struct participant own;

			participant_join(THIRD + i, &own);
			expect_result(lock_by(&own, soon()), -ENOTRECOVERABLE);
			expect_result(unlock_by(&own), -EPERM);
		}
		child_wait_asleep(&sleepers[i]);
	}
	expect_ok(unlock_by(&me));
	for (int i = 0; i < COUNTERS; i++)
		child_finish(&sleepers[i]);
	expect(mutex_has_news(&shared->mutex, &me.locker));
	expect_result(lock_by(&me, CUBBY_NOW), -ENOTRECOVERABLE);
	expect_result(lock_by(&me, soon()), -ENOTRECOVERABLE);
	end(&me);
}

/* What a stranger may have written there. */
static void
words_that_make_no_sense_do_no_harm(void)
{
	uint64_t *words, seed = 1;
	struct participant me;
	int result;

	begin(&me);
	words = (uint64_t *)&shared->mutex;
	for (int i = 0; i < MANY(20000); i++) {
		for (int j = 0; j < 4; j++) {
			seed = seed * UINT64_C(6364136223846793005) + 1;
			words[j] = seed >> (seed >> 58);
			if (seed % 5 == 0)
				words[j] = j ? seed % 3 : me.locker.self;
		}
		result = lock_by(&me, i % 2 ? CUBBY_NOW : clock_now());
		expect(result == 0 || result == -EOWNERDEAD ||
		       result == -ENOTRECOVERABLE || result == -ETIMEDOUT ||
		       result == -EAGAIN || result == -EDEADLK);
		if (result == 0 || result == -EOWNERDEAD)
			expect_ok(unlock_by(&me));
	}
	end(&me);
}

static const struct test tests[] = {
	TEST(zero_is_unlocked_and_it_is_zero_again_when_unlocked),
	TEST(threads_and_processes_exclude_each_other),
	TEST(whoever_locks_it_twice_is_told),
	TEST(a_thread_is_not_taken_for_another_one),
	TEST(what_one_has_not_locked_one_does_not_unlock),
	TEST(deadlines_hold),
	TEST(a_signal_does_not_end_the_wait),
	TEST(the_next_is_told_and_puts_it_in_order),
	TEST(who_dies_over_the_repair_is_told_of_again),
	TEST(what_nobody_put_in_order_is_lost_for_all),
	TEST(words_that_make_no_sense_do_no_harm),
};

int
main(void)
{
	return RUN_TESTS("mutex", tests);
}
