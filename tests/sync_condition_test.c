/* SPDX-License-Identifier: MIT */
/* Test: tsan, timeout 120. */
/* A condition in shared memory: no signal is missed, whoever dies. */
#include "base.h"
#include "atomics.h"
#include "clock.h"
#include "sync_condition.h"
#include "support/participants.h"
#include "support/support.h"
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>

enum { ME, OTHER, THIRD };
enum { ROOM = 2, SIDES = 3 };

/* A bounded buffer: as in the textbook. */
static struct shared {
	struct sync_mutex mutex;
	struct sync_condition filled, emptied;
	uint64_t tickets; /* guarded, as all below */
	uint64_t used;
	uint64_t buffer[ROOM];
	uint64_t put, taken, sum;
	_Atomic int woken;
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

static void
lock_by(const struct participant *me)
{
	expect_ok(mutex_lock(&shared->mutex, &me->locker, soon()));
}

static void
unlock_by(const struct participant *me)
{
	expect_ok(mutex_unlock(&shared->mutex, &me->locker));
}

static int
wait_by(const struct participant *me, int64_t deadline)
{
	return condition_wait(&shared->filled, &shared->mutex, &me->locker,
			      deadline);
}

static uint64_t
word(void)
{
	return word64_load_relaxed(&shared->filled.signals);
}

/* Takes a ticket when there is one. Waits for ever: a last look at the deadline
   makes up for nothing. */
static void
take_ticket(const struct participant *me)
{
	lock_by(me);
	while (!shared->tickets)
		expect_ok(wait_by(me, CUBBY_FOREVER));
	shared->tickets--;
	shared->taken++;
	unlock_by(me);
}

static void
start_sleeper(struct child *child, uint32_t slot)
{
	in_child(child) {
		struct participant me;

		participant_join(slot, &me);
		take_ticket(&me);
	}
	child_wait_asleep(child);
}

static void
issue_tickets(const struct participant *me, uint64_t count)
{
	lock_by(me);
	shared->tickets += count;
	unlock_by(me);
}

static void
a_signal_wakes_one_and_a_broadcast_all(void)
{
	struct child sleepers[SIDES];
	struct participant me;

	begin(&me);
	for (uint32_t i = 0; i < SIDES; i++)
		start_sleeper(&sleepers[i], i + 1);
	for (int i = 0; i < SIDES; i++) {
		issue_tickets(&me, 1);
		condition_signal(&shared->filled);
	}
	for (int i = 0; i < SIDES; i++)
		child_finish(&sleepers[i]);
	for (uint32_t i = 0; i < SIDES; i++)
		start_sleeper(&sleepers[i], i + 1);
	issue_tickets(&me, SIDES);
	condition_broadcast(&shared->filled);
	expect(!(word() & SYNC_WAITING));
	for (int i = 0; i < SIDES; i++)
		child_finish(&sleepers[i]);
	expect_int(shared->taken, 2 * SIDES);
	end(&me);
}

/* With the mutex locked, or not. */
static void
it_may_be_signalled_while_the_mutex_is_locked(void)
{
	struct participant me;
	struct child sleeper;

	begin(&me);
	start_sleeper(&sleeper, OTHER);
	lock_by(&me);
	shared->tickets++;
	condition_signal(&shared->filled);
	unlock_by(&me);
	child_finish(&sleeper);
	end(&me);
}

static void
signals_for_nobody_write_nothing(void)
{
	struct participant me;
	uint64_t before;

	begin(&me);
	condition_signal(&shared->filled);
	condition_broadcast(&shared->filled);
	expect_int(word(), 0);
	/* Nor when those that waited have gone: the first one finds out. */
	lock_by(&me);
	expect_result(wait_by(&me, clock_now() + NSEC_PER_MSEC), -ETIMEDOUT);
	expect(word() & SYNC_WAITING);
	condition_signal(&shared->filled);
	before = word();
	expect(!(before & SYNC_WAITING));
	condition_signal(&shared->filled);
	expect_int(word(), before);
	unlock_by(&me);
	end(&me);
}

static void
the_count_of_signals_may_come_round(void)
{
	struct participant me;
	struct child sleeper;

	begin(&me);
	word64_store_relaxed(&shared->filled.signals,
			     sync_next(UINT64_MAX, SYNC_NUMBER_MAX, 0));
	start_sleeper(&sleeper, OTHER);
	issue_tickets(&me, 1);
	condition_signal(&shared->filled);
	expect_int(sync_number(word()), 0);
	child_finish(&sleeper);
	end(&me);
}

static void
the_mutex_is_locked_when_the_deadline_has_passed(void)
{
	struct participant me;
	int64_t deadline;

	begin(&me);
	lock_by(&me);
	deadline = clock_now() + 3 * SYNC_SLICE_FIRST / 2;
	expect_result(wait_by(&me, deadline), -ETIMEDOUT);
	expect(clock_now() >= deadline);
	expect(mutex_is_mine(&shared->mutex, &me.locker));
	expect_result(wait_by(&me, -1), -ETIMEDOUT);
	expect(mutex_is_mine(&shared->mutex, &me.locker));
	expect_result(wait_by(&me, CUBBY_NOW), -EAGAIN);
	expect(mutex_is_mine(&shared->mutex, &me.locker));
	unlock_by(&me);
	end(&me);
}

static void
one_waits_with_the_mutex_locked_by_oneself(void)
{
	struct participant me, other;

	begin(&me);
	participant_join(OTHER, &other);
	expect_result(wait_by(&me, soon()), -EPERM);
	lock_by(&other);
	expect_result(wait_by(&me, soon()), -EPERM);
	expect(mutex_is_mine(&shared->mutex, &other.locker));
	participant_leave(&other);
	end(&me);
}

static void
do_nothing(int number)
{
	(void)number;
}

static void
a_handler_ends_the_wait_as_if_for_no_reason(void)
{
	struct participant me;
	struct child sleeper;

	begin(&me);
	in_child(&sleeper) {
		struct sigaction action = { .sa_handler = do_nothing,
					    .sa_flags = SA_RESTART };
		struct itimerval often = { { 0, 1000 }, { 0, 1000 } };
		struct participant own;

		participant_join(OTHER, &own);
		lock_by(&own);
		expect_system(sigaction(SIGALRM, &action, NULL));
		expect_system(setitimer(ITIMER_REAL, &often, NULL));
		expect_ok(wait_by(&own, CUBBY_FOREVER));
		unlock_by(&own);
	}
	child_finish(&sleeper);
	end(&me);
}

/* Deaths and stops ------------------------------------------------------- */

/* The kernel takes one who is stopped out of the queue. Who is stopped when he
   has been woken is for the harness. */
static void
who_is_stopped_in_his_sleep_costs_the_others_nothing(void)
{
	struct child stopped, other;
	struct participant me;

	begin(&me);
	start_sleeper(&stopped, OTHER);
	start_sleeper(&other, THIRD);
	child_stop(&stopped);
	issue_tickets(&me, 1);
	condition_signal(&shared->filled);
	child_finish(&other);
	expect_int(shared->taken, 1);
	issue_tickets(&me, 1);
	child_continue(&stopped);
	child_finish(&stopped);
	end(&me);
}

static void
who_is_killed_in_his_sleep_costs_the_others_nothing(void)
{
	struct child killed, other;
	struct participant me;

	begin(&me);
	start_sleeper(&killed, OTHER);
	start_sleeper(&other, THIRD);
	child_stop(&killed);
	issue_tickets(&me, 1);
	condition_signal(&shared->filled);
	child_kill(&killed);
	child_finish(&other);
	expect_int(shared->taken, 1);
	end(&me);
}

/* Killed between the count and the wake. */
static void
a_wake_up_that_is_never_given_costs_a_slice(void)
{
	struct participant me;
	struct child sleeper;

	begin(&me);
	start_sleeper(&sleeper, OTHER);
	issue_tickets(&me, 1);
	word64_add_acq_rel(&shared->filled.signals, SYNC_ONE_MORE);
	child_finish(&sleeper);
	expect_int(shared->taken, 1);
	end(&me);
}

static void
sleepers_that_are_killed_disturb_nobody(void)
{
	struct child killed, other;
	struct participant me;

	begin(&me);
	start_sleeper(&killed, OTHER);
	child_kill(&killed);
	start_sleeper(&other, THIRD);
	issue_tickets(&me, 1);
	condition_signal(&shared->filled);
	child_finish(&other);
	start_sleeper(&killed, OTHER);
	child_kill(&killed);
	condition_broadcast(&shared->filled);
	issue_tickets(&me, 1);
	take_ticket(&me);
	end(&me);
}

/* A child that locks the mutex and is killed with it. */
static void
die_with_the_mutex(uint32_t slot)
{
	struct gate locked = gate_make();
	struct child owner;

	in_child(&owner) {
		struct participant me;

		participant_join(slot, &me);
		lock_by(&me);
		gate_open(&locked);
		participant_stay();
	}
	gate_wait(&locked);
	child_kill(&owner);
}

/* Who would have signalled is dead: those that sleep are told. */
static void
who_waits_learns_that_the_mutex_s_owner_died(void)
{
	struct participant me;
	struct child sleeper;

	begin(&me);
	in_child(&sleeper) {
		struct participant own;
		int result;

		participant_join(OTHER, &own);
		lock_by(&own);
		do
			result = wait_by(&own, CUBBY_FOREVER);
		while (result == 0);
		expect_result(result, -EOWNERDEAD);
		expect_ok(mutex_consistent(&shared->mutex, &own.locker));
		unlock_by(&own);
	}
	child_wait_asleep(&sleeper);
	die_with_the_mutex(THIRD);
	child_finish(&sleeper);
	lock_by(&me);
	unlock_by(&me);
	end(&me);
}

static void
who_waits_learns_that_the_mutex_is_lost(void)
{
	struct participant me;
	struct child sleeper;

	begin(&me);
	in_child(&sleeper) {
		struct participant own;
		int result;

		participant_join(OTHER, &own);
		lock_by(&own);
		do {
			result = wait_by(&own, CUBBY_FOREVER);
			if (result == -EOWNERDEAD)
				unlock_by(&own);
		} while (result == 0);
		expect(result == -ENOTRECOVERABLE || result == -EOWNERDEAD);
		expect(!mutex_is_mine(&shared->mutex, &own.locker));
	}
	child_wait_asleep(&sleeper);
	die_with_the_mutex(THIRD);
	if (mutex_lock(&shared->mutex, &me.locker, soon()) == -EOWNERDEAD)
		unlock_by(&me);
	child_finish(&sleeper);
	expect_result(mutex_lock(&shared->mutex, &me.locker, soon()),
		      -ENOTRECOVERABLE);
	end(&me);
}

/* The bounded buffer ----------------------------------------------------- */

#define TIMES MANY(10000)

static void
produce(const struct participant *me)
{
	const struct robust_locker *locker = &me->locker;

	for (uint64_t i = 1; i <= TIMES; i++) {
		lock_by(me);
		while (shared->used == ROOM)
			expect_ok(condition_wait(&shared->emptied,
						 &shared->mutex, locker,
						 soon()));
		shared->buffer[shared->put++ % ROOM] = i;
		shared->used++;
		condition_signal(&shared->filled);
		unlock_by(me);
	}
}

static void
consume(const struct participant *me)
{
	for (int i = 0; i < TIMES; i++) {
		lock_by(me);
		while (!shared->used)
			expect_ok(wait_by(me, soon()));
		shared->sum += shared->buffer[shared->taken++ % ROOM];
		shared->used--;
		unlock_by(me);
		condition_signal(&shared->emptied);
	}
}

static void *
produce_in_thread(void *participant)
{
	produce(participant);
	return NULL;
}

static void *
consume_in_thread(void *participant)
{
	consume(participant);
	return NULL;
}

static void
expect_sum(void)
{
	expect_int(shared->taken, SIDES * TIMES);
	expect_int(shared->sum,
		   SIDES * (uint64_t)TIMES * ((uint64_t)TIMES + 1) / 2);
	expect_int(shared->used, 0);
}

static void
nothing_is_lost_between_processes(void)
{
	struct child producers[SIDES], consumers[SIDES];
	struct participant me;

	begin(&me);
	for (uint32_t i = 0; i < SIDES; i++) {
		in_child(&producers[i]) {
			struct participant own;

			participant_join(2 * i + 1, &own);
			produce(&own);
		}
		in_child(&consumers[i]) {
			struct participant own;

			participant_join(2 * i + 2, &own);
			consume(&own);
		}
	}
	for (int i = 0; i < SIDES; i++) {
		child_finish(&producers[i]);
		child_finish(&consumers[i]);
	}
	expect_sum();
	end(&me);
}

static void
nothing_is_lost_between_threads_of_one_participant(void)
{
	pthread_t producers[SIDES], consumers[SIDES];
	struct participant me;

	begin(&me);
	for (int i = 0; i < SIDES; i++) {
		expect_int(pthread_create(&producers[i], NULL,
					  produce_in_thread, &me),
			   0);
		expect_int(pthread_create(&consumers[i], NULL,
					  consume_in_thread, &me),
			   0);
	}
	for (int i = 0; i < SIDES; i++) {
		expect_int(pthread_join(producers[i], NULL), 0);
		expect_int(pthread_join(consumers[i], NULL), 0);
	}
	expect_sum();
	end(&me);
}

static void
words_that_make_no_sense_do_not_hang_it(void)
{
	struct participant me;
	uint64_t seed = 1;
	int result;

	begin(&me);
	lock_by(&me);
	for (int i = 0; i < MANY(2000); i++) {
		seed = seed * UINT64_C(6364136223846793005) + 1;
		word64_store_relaxed(&shared->filled.signals,
				     seed >> (seed >> 58));
		condition_signal(&shared->filled);
		result = wait_by(&me, clock_now() + 1000);
		expect(result == 0 || result == -ETIMEDOUT);
		condition_broadcast(&shared->filled);
	}
	unlock_by(&me);
	end(&me);
}

static const struct test tests[] = {
	TEST(a_signal_wakes_one_and_a_broadcast_all),
	TEST(it_may_be_signalled_while_the_mutex_is_locked),
	TEST(signals_for_nobody_write_nothing),
	TEST(the_count_of_signals_may_come_round),
	TEST(the_mutex_is_locked_when_the_deadline_has_passed),
	TEST(one_waits_with_the_mutex_locked_by_oneself),
	TEST(a_handler_ends_the_wait_as_if_for_no_reason),
	TEST(who_is_stopped_in_his_sleep_costs_the_others_nothing),
	TEST(who_is_killed_in_his_sleep_costs_the_others_nothing),
	TEST(a_wake_up_that_is_never_given_costs_a_slice),
	TEST(sleepers_that_are_killed_disturb_nobody),
	TEST(who_waits_learns_that_the_mutex_s_owner_died),
	TEST(who_waits_learns_that_the_mutex_is_lost),
	TEST(nothing_is_lost_between_processes),
	TEST(nothing_is_lost_between_threads_of_one_participant),
	TEST(words_that_make_no_sense_do_not_hang_it),
};

int
main(void)
{
	return RUN_TESTS("condition", tests);
}
