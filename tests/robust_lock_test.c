/* SPDX-License-Identifier: MIT */
/* Test: tsan, timeout 120. */
/* A lock whose owner may die, stop, or never have been there. */
#include "base.h"
#include "atomics.h"
#include "clock.h"
#include "robust_lock.h"
#include "support/participants.h"
#include "support/support.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

/* Participants ----------------------------------------------------------- */

enum { ME = 0 };

/* In memory of all; the lock guards `count`. */
static struct shared {
	struct robust_lock lock;
	uint64_t count;
	_Atomic int taken_from_dead;
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
take_by(const struct participant *me, int64_t deadline)
{
	return robust_lock_take(&shared->lock, &me->locker, deadline);
}

static void
give_by(const struct participant *me)
{
	robust_lock_give(&shared->lock, &me->locker);
}

/* A child of that slot that has taken the lock and stays. */
static void
start_owner(struct child *child, uint32_t slot)
{
	struct gate taken = gate_make();

	in_child(child) {
		struct participant me;

		participant_join(slot, &me);
		expect_ok(take_by(&me, soon()));
		gate_open(&taken);
		participant_stay();
	}
	gate_wait(&taken);
}

/* A child that takes it when it can, notes of whom, and gives it. */
static void
start_sleeper(struct child *child, uint32_t slot)
{
	in_child(child) {
		struct participant me;
		int result;

		participant_join(slot, &me);
		/* For ever: a last look at the deadline makes up for nothing. */
		result = take_by(&me, CUBBY_FOREVER);
		expect(result == 0 || result == ROBUST_LOCK_DEAD);
		shared->count++;
		shared->taken_from_dead += result == ROBUST_LOCK_DEAD;
		give_by(&me);
	}
	child_wait_asleep(child);
}

/* Free and taken --------------------------------------------------------- */

static void
zero_is_free_and_it_is_zero_again_when_given(void)
{
	struct participant me;

	begin(&me);
	expect(!robust_lock_is_mine(&shared->lock, &me.locker));
	expect_ok(take_by(&me, CUBBY_NOW));
	expect(robust_lock_is_mine(&shared->lock, &me.locker));
	give_by(&me);
	expect(!robust_lock_is_mine(&shared->lock, &me.locker));
	expect_int(word64_load_relaxed(&shared->lock.owner), 0);
	expect_int(word32_load_relaxed(&shared->lock.unlocks), 0);
	end(&me);
}

static void
the_word_names_slot_and_generation(void)
{
	uint64_t all = UINT64_MAX;

	expect(robust_lock_self(0, 0) != 0);
	expect_int(robust_lock_self(3, 5), UINT64_C(5) << 17 | 4 << 1);
	/* The low 47 bits of a generation, and the last slot. */
	expect(robust_lock_self(ROBUST_LOCK_SLOT_MAX, all) == all - 1);
	expect(robust_lock_self(1, UINT64_C(1) << 47) ==
	       robust_lock_self(1, 0));
}

/* Each counts in plain memory; not one count may get lost. */
static void
count_up(const struct participant *me, int times)
{
	uint64_t seen;

	for (int i = 0; i < times; i++) {
		expect_ok(take_by(me, soon()));
		seen = shared->count;
		if (i % 64 == 0)
			sched_yield();
		shared->count = seen + 1;
		give_by(me);
	}
}

enum { COUNTERS = 4 };
#define TIMES MANY(40000)

static void
processes_exclude_each_other(void)
{
	struct child children[COUNTERS];
	struct participant me;

	begin(&me);
	for (uint32_t i = 0; i < COUNTERS; i++)
		in_child(&children[i]) {
			struct participant own;

			participant_join(i + 1, &own);
			count_up(&own, TIMES);
		}
	for (int i = 0; i < COUNTERS; i++)
		child_finish(&children[i]);
	expect_int(shared->count, COUNTERS * TIMES);
	expect_int(word64_load_relaxed(&shared->lock.owner), 0);
	end(&me);
}

static void *
count_in_thread(void *participant)
{
	count_up(participant, TIMES);
	return NULL;
}

static void
threads_exclude_each_other(void)
{
	struct participant me, others[COUNTERS];
	pthread_t threads[COUNTERS];

	begin(&me);
	for (uint32_t i = 0; i < COUNTERS; i++) {
		participant_join(i + 1, &others[i]);
		expect_int(pthread_create(&threads[i], NULL, count_in_thread,
					  &others[i]),
			   0);
	}
	for (int i = 0; i < COUNTERS; i++) {
		expect_int(pthread_join(threads[i], NULL), 0);
		participant_leave(&others[i]);
	}
	expect_int(shared->count, COUNTERS * TIMES);
	end(&me);
}

static void
all_on_one_processor_get_their_turn(void)
{
	struct child children[COUNTERS];
	struct participant me;
	cpu_set_t one;
	int first = 0;

	begin(&me);
	expect_system(sched_getaffinity(0, sizeof(one), &one));
	while (!CPU_ISSET(first, &one))
		first++;
	CPU_ZERO(&one);
	CPU_SET(first, &one);
	for (uint32_t i = 0; i < COUNTERS; i++)
		in_child(&children[i]) {
			struct participant own;

			expect_system(sched_setaffinity(0, sizeof(one), &one));
			participant_join(i + 1, &own);
			count_up(&own, TIMES / 10);
		}
	for (int i = 0; i < COUNTERS; i++)
		child_finish(&children[i]);
	expect_int(shared->count, COUNTERS * (TIMES / 10));
	end(&me);
}

static void
each_giving_wakes_one_who_sleeps(void)
{
	struct child children[COUNTERS];
	struct participant me;

	begin(&me);
	expect_ok(take_by(&me, CUBBY_NOW));
	for (uint32_t i = 0; i < COUNTERS; i++)
		start_sleeper(&children[i], i + 1);
	expect_int(shared->count, 0);
	give_by(&me);
	for (int i = 0; i < COUNTERS; i++)
		child_finish(&children[i]);
	expect_int(shared->count, COUNTERS);
	/* Handed on from one to the next: who takes it after a sleep takes it
	   as contended. */
	expect(word32_load_relaxed(&shared->lock.unlocks) >= COUNTERS);
	end(&me);
}

static void
what_is_not_one_s_own_is_not_given(void)
{
	struct participant me, other;

	begin(&me);
	participant_join(1, &other);
	expect_ok(take_by(&me, CUBBY_NOW));
	give_by(&other);
	expect(robust_lock_is_mine(&shared->lock, &me.locker));
	expect_result(take_by(&other, CUBBY_NOW), -ETIMEDOUT);
	give_by(&other);
	expect(robust_lock_is_mine(&shared->lock, &me.locker));
	give_by(&me);
	expect_int(word64_load_relaxed(&shared->lock.owner), 0);
	participant_leave(&other);
	end(&me);
}

/* Dead and stopped ------------------------------------------------------- */

static void
the_next_is_told_that_the_owner_died(void)
{
	struct participant me;
	struct child owner;

	begin(&me);
	start_owner(&owner, 1);
	expect_result(take_by(&me, CUBBY_NOW), -ETIMEDOUT);
	child_kill_to_zombie(&owner);
	expect_int(take_by(&me, CUBBY_NOW), ROBUST_LOCK_DEAD);
	give_by(&me);
	expect_ok(take_by(&me, CUBBY_NOW));
	give_by(&me);
	child_reap(&owner);
	end(&me);
}

/* Told once for each death, however many wait. */
static void
one_of_the_sleepers_is_told(void)
{
	struct child owner, sleepers[COUNTERS];
	struct participant me;

	begin(&me);
	start_owner(&owner, 1);
	for (uint32_t i = 0; i < COUNTERS; i++)
		start_sleeper(&sleepers[i], i + 2);
	child_kill(&owner);
	for (int i = 0; i < COUNTERS; i++)
		child_finish(&sleepers[i]);
	expect_int(shared->count, COUNTERS);
	expect_int(shared->taken_from_dead, 1);
	end(&me);
}

static void
who_dies_over_the_repair_is_told_of_again(void)
{
	struct gate taken = gate_make();
	struct participant me;
	struct child owner, heir;

	begin(&me);
	start_owner(&owner, 1);
	child_kill(&owner);
	in_child(&heir) {
		struct participant own;

		participant_join(2, &own);
		expect_int(take_by(&own, soon()), ROBUST_LOCK_DEAD);
		gate_open(&taken);
		participant_stay();
	}
	gate_wait(&taken);
	child_kill(&heir);
	expect_int(take_by(&me, soon()), ROBUST_LOCK_DEAD);
	give_by(&me);
	end(&me);
}

/* Neither by now, nor by a deadline; and it is his when he goes on. */
static void
a_stopped_owner_keeps_it(void)
{
	struct gate taken = gate_make(), go_on = gate_make();
	struct participant me;
	struct child owner;
	int64_t before, deadline;

	begin(&me);
	in_child(&owner) {
		struct participant own;

		participant_join(1, &own);
		expect_ok(take_by(&own, soon()));
		gate_open(&taken);
		gate_wait(&go_on);
		expect(robust_lock_is_mine(&shared->lock, &own.locker));
		give_by(&own);
	}
	gate_wait(&taken);
	child_stop(&owner);
	before = clock_now();
	expect_result(take_by(&me, CUBBY_NOW), -ETIMEDOUT);
	expect(clock_now() - before >= ROBUST_LOCK_GRACE);
	deadline = clock_now() + 3 * ROBUST_LOCK_SLICE / 2;
	expect_result(take_by(&me, deadline), -ETIMEDOUT);
	expect(clock_now() >= deadline);
	expect_result(take_by(&me, clock_now() - 1), -ETIMEDOUT);
	child_continue(&owner);
	gate_open(&go_on);
	expect_ok(take_by(&me, soon()));
	give_by(&me);
	child_finish(&owner);
	end(&me);
}

/* The word of one who had my slot, or another living one's, before. */
static void
an_older_generation_is_dead(void)
{
	struct gate joined = gate_make();
	struct participant me;
	struct child other;

	begin(&me);
	word64_store_relaxed(&shared->lock.owner, me.locker.self);
	participant_leave(&me);
	participant_join(ME, &me);
	expect_int(take_by(&me, CUBBY_NOW), ROBUST_LOCK_DEAD);
	give_by(&me);
	in_child(&other) {
		struct participant own;

		participant_join(1, &own);
		gate_open(&joined);
		participant_stay();
	}
	gate_wait(&joined);
	word64_store_relaxed(&shared->lock.owner, robust_lock_self(1, 0));
	expect_int(take_by(&me, CUBBY_NOW), ROBUST_LOCK_DEAD);
	give_by(&me);
	word64_store_relaxed(&shared->lock.owner, robust_lock_self(1, 1));
	expect_result(take_by(&me, CUBBY_NOW), -ETIMEDOUT);
	child_kill(&other);
	expect_int(take_by(&me, CUBBY_NOW), ROBUST_LOCK_DEAD);
	give_by(&me);
	end(&me);
}

/* Killed between giving it and waking: the sleeper looks by itself. */
static void
a_wake_up_that_is_never_given_costs_a_slice(void)
{
	struct participant me;
	struct child sleeper;

	begin(&me);
	expect_ok(take_by(&me, CUBBY_NOW));
	start_sleeper(&sleeper, 1);
	word64_store_release(&shared->lock.owner, 0);
	child_finish(&sleeper);
	expect_int(shared->count, 1);
	expect_int(shared->taken_from_dead, 0);
	end(&me);
}

static void
sleepers_that_die_cost_the_others_nothing(void)
{
	struct child dead, living;
	struct participant me;

	begin(&me);
	expect_ok(take_by(&me, CUBBY_NOW));
	start_sleeper(&dead, 1);
	start_sleeper(&living, 2);
	child_kill(&dead);
	give_by(&me);
	child_finish(&living);
	expect_int(shared->count, 1);
	end(&me);
}

static int
cannot_tell(void *context, uint32_t slot, uint64_t generation)
{
	(void)context;
	expect_int(slot, 1);
	expect_int(generation, 1);
	return -EACCES;
}

static void
who_cannot_be_asked_about_counts_as_alive(void)
{
	struct participant me;
	struct child owner;

	begin(&me);
	start_owner(&owner, 1);
	child_kill(&owner);
	me.locker.alive = cannot_tell;
	expect_result(take_by(&me, CUBBY_NOW), -ETIMEDOUT);
	me.locker.alive = participant_alive;
	expect_int(take_by(&me, CUBBY_NOW), ROBUST_LOCK_DEAD);
	end(&me);
}

/* Signals, namespaces, nonsense ------------------------------------------ */

static void
do_nothing(int number)
{
	(void)number;
}

static void
a_signal_ends_the_wait(void)
{
	struct participant me;
	struct child sleeper;

	begin(&me);
	expect_ok(take_by(&me, CUBBY_NOW));
	in_child(&sleeper) {
		struct sigaction action = { .sa_handler = do_nothing,
					    .sa_flags = SA_RESTART };
		struct itimerval often = { { 0, 1000 }, { 0, 1000 } };
		struct participant own;

		participant_join(1, &own);
		expect_system(sigaction(SIGALRM, &action, NULL));
		expect_system(setitimer(ITIMER_REAL, &often, NULL));
		expect_result(take_by(&own, CUBBY_FOREVER), -EINTR);
	}
	child_finish(&sleeper);
	give_by(&me);
	expect_ok(take_by(&me, CUBBY_NOW));
	end(&me);
}

/* Both are process 1, and neither takes the other for itself or for dead. */
static void
two_pid_namespaces_do_not_matter(void)
{
	struct gate taken = gate_make(), tried = gate_make();
	struct participant me;
	struct child owner, other;

	begin(&me);
	in_child(&owner) {
		struct participant own;

		participant_enter_namespace();
		participant_join(1, &own);
		expect_ok(take_by(&own, soon()));
		gate_open(&taken);
		gate_wait(&tried);
		_exit(0); /* with the lock */
	}
	gate_wait(&taken);
	in_child(&other) {
		struct participant own;

		participant_enter_namespace();
		participant_join(2, &own);
		expect_result(take_by(&own, CUBBY_NOW), -ETIMEDOUT);
		gate_open(&tried);
		expect_int(take_by(&own, soon()), ROBUST_LOCK_DEAD);
		give_by(&own);
	}
	child_finish(&owner);
	child_finish(&other);
	expect_ok(take_by(&me, CUBBY_NOW));
	end(&me);
}

static void
words_that_make_no_sense_are_nobody_s(void)
{
	static const uint64_t words[] = {
		1,				 /* contended, and no owner */
		UINT64_C(1) << 17,		 /* no slot */
		UINT64_MAX & ~UINT64_C(0x1fffe), /* no slot, contended */
		UINT64_C(0x1fffe),		 /* a slot that cannot be */
		UINT64_MAX,
		(PARTICIPANTS + 1) << 1,
		UINT64_C(77) << 17 | 1 << 1, /* not that generation */
	};
	struct participant me;

	begin(&me);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		word64_store_relaxed(&shared->lock.owner, words[i]);
		expect_int(take_by(&me, CUBBY_NOW), ROBUST_LOCK_DEAD);
		give_by(&me);
		expect_int(word64_load_relaxed(&shared->lock.owner), 0);
	}
	end(&me);
}

/* One's own word, from the hand of a stranger or of another thread. */
static void
one_s_own_word_is_waited_for_until_the_deadline(void)
{
	struct participant me;

	begin(&me);
	word64_store_relaxed(&shared->lock.owner, me.locker.self);
	expect_result(take_by(&me, CUBBY_NOW), -ETIMEDOUT);
	word64_store_relaxed(&shared->lock.owner, me.locker.self | 1);
	expect_result(take_by(&me, CUBBY_NOW), -ETIMEDOUT);
	end(&me);
}

static _Atomic bool scribbles;

static void *
scribble(void *context)
{
	struct robust_lock *lock = context;
	uint64_t word = 1;

	while (scribbles) {
		word = word * UINT64_C(6364136223846793005) + 1;
		word64_store_relaxed(&lock->owner, word >> (word % 64));
		word32_store_relaxed(&lock->unlocks, (uint32_t)word);
	}
	return NULL;
}

static void
words_that_change_all_the_time_do_not_hang_it(void)
{
	struct participant me;
	pthread_t thread;
	int64_t deadline;
	int result;

	begin(&me);
	scribbles = true;
	expect_int(pthread_create(&thread, NULL, scribble, &shared->lock), 0);
	for (int i = 0; i < MANY(10000); i++) {
		deadline = clock_now() + NSEC_PER_MSEC;
		result = take_by(&me, i % 2 ? CUBBY_NOW : deadline);
		expect(result == 0 || result == ROBUST_LOCK_DEAD ||
		       result == -ETIMEDOUT);
		if (result >= 0)
			give_by(&me);
	}
	scribbles = false;
	expect_int(pthread_join(thread, NULL), 0);
	end(&me);
}

static const struct test tests[] = {
	TEST(zero_is_free_and_it_is_zero_again_when_given),
	TEST(the_word_names_slot_and_generation),
	TEST(processes_exclude_each_other),
	TEST(threads_exclude_each_other),
	TEST(all_on_one_processor_get_their_turn),
	TEST(each_giving_wakes_one_who_sleeps),
	TEST(what_is_not_one_s_own_is_not_given),
	TEST(the_next_is_told_that_the_owner_died),
	TEST(one_of_the_sleepers_is_told),
	TEST(who_dies_over_the_repair_is_told_of_again),
	TEST(a_stopped_owner_keeps_it),
	TEST(an_older_generation_is_dead),
	TEST(a_wake_up_that_is_never_given_costs_a_slice),
	TEST(sleepers_that_die_cost_the_others_nothing),
	TEST(who_cannot_be_asked_about_counts_as_alive),
	TEST(a_signal_ends_the_wait),
	TEST(two_pid_namespaces_do_not_matter),
	TEST(words_that_make_no_sense_are_nobody_s),
	TEST(one_s_own_word_is_waited_for_until_the_deadline),
	TEST(words_that_change_all_the_time_do_not_hang_it),
};

int
main(void)
{
	return RUN_TESTS("robust lock", tests);
}
