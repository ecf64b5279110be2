/* SPDX-License-Identifier: MIT */
/* Test: tsan. */
/* The word that a semaphore and a condition sleep on: who clears `waiting`. */
#include "base.h"
#include "atomics.h"
#include "clock.h"
#include "sync_word.h"
#include "support/support.h"

static word64 *word;

/* As if somebody had announced himself when the number was that. */
static void
begin(uint32_t number)
{
	word = shared_memory(sizeof(*word));
	word64_store_relaxed(word, sync_next(41, number, SYNC_WAITING));
}

/* One more; returns what that made. */
static uint64_t
one_more(void)
{
	return word64_add_acq_rel(word, SYNC_ONE_MORE) + SYNC_ONE_MORE;
}

static bool
is_waiting(void)
{
	return word64_load_relaxed(word) & SYNC_WAITING;
}

/* A child that sleeps on the word as it is. */
static void
start_sleeper(struct child *child)
{
	uint64_t seen = word64_load_relaxed(word);

	in_child(child) {
		int64_t slice = 0;

		while (word64_load_relaxed(word) == seen)
			expect_ok(sync_sleep(word, seen, &slice, soon()));
	}
	child_wait_asleep(child);
}

static void
one_more_keeps_all_else(void)
{
	uint64_t before, made;

	begin(7);
	before = word64_load_relaxed(word);
	made = one_more();
	expect_int(sync_number(made), 8);
	expect(made & SYNC_WAITING);
	expect_int(made >> 32, (before >> 32) + 1);
}

static void
a_wake_that_finds_nobody_clears_it(void)
{
	begin(0);
	sync_wake(word, one_more(), 1);
	expect(!is_waiting());
	expect_int(sync_number(word64_load_relaxed(word)), 1);
}

static void
a_wake_that_finds_one_leaves_it_for_the_others(void)
{
	struct child sleepers[2];

	begin(0);
	start_sleeper(&sleepers[0]);
	start_sleeper(&sleepers[1]);
	sync_wake(word, one_more(), 1);
	expect(is_waiting());
	sync_wake(word, one_more(), 1);
	expect(is_waiting());
	child_finish(&sleepers[0]);
	child_finish(&sleepers[1]);
	sync_wake(word, one_more(), 1);
	expect(!is_waiting());
}

static void
a_wake_of_all_clears_it(void)
{
	struct child sleepers[2];

	begin(0);
	start_sleeper(&sleepers[0]);
	start_sleeper(&sleepers[1]);
	sync_wake(word, one_more(), INT32_MAX);
	expect(!is_waiting());
	child_finish(&sleepers[0]);
	child_finish(&sleepers[1]);
}

/* Somebody has announced himself meanwhile, at the same number. */
static void
who_stood_still_clears_nothing(void)
{
	uint64_t made, seen;

	begin(0);
	made = one_more();
	seen = word64_load_relaxed(word);
	word64_store_relaxed(word, sync_next(seen, 1, SYNC_WAITING));
	sync_wake(word, made, 1);
	expect(is_waiting());
}

static void
nobody_waits_nobody_is_woken(void)
{
	uint64_t before;

	begin(0);
	word64_store_relaxed(word, 0);
	before = one_more();
	sync_wake(word, before, 1);
	expect_int(word64_load_relaxed(word), before);
}

/* It ends by itself, and is longer each time, up to a second. */
static void
a_sleep_has_an_end(void)
{
	int64_t slice = 0, began = clock_now();

	begin(0);
	expect_ok(sync_sleep(word, word64_load_relaxed(word), &slice,
			     CUBBY_FOREVER));
	expect(clock_now() - began >= SYNC_SLICE_FIRST);
	expect_int(slice, SYNC_SLICE_FIRST);
	/* Another number: it does not sleep. */
	expect_ok(sync_sleep(word, 0, &slice, CUBBY_FOREVER));
	expect_int(slice, 2 * SYNC_SLICE_FIRST);
	for (int i = 0; i < 10; i++)
		expect_ok(sync_sleep(word, 0, &slice, CUBBY_FOREVER));
	expect_int(slice, SYNC_SLICE_LONGEST);
	expect_result(sync_sleep(word, 0, &slice, clock_now()), -ETIMEDOUT);
	expect_result(sync_sleep(word, 0, &slice, -1), -ETIMEDOUT);
}

static const struct test tests[] = {
	TEST(one_more_keeps_all_else),
	TEST(a_wake_that_finds_nobody_clears_it),
	TEST(a_wake_that_finds_one_leaves_it_for_the_others),
	TEST(a_wake_of_all_clears_it),
	TEST(who_stood_still_clears_nothing),
	TEST(nobody_waits_nobody_is_woken),
	TEST(a_sleep_has_an_end),
};

int
main(void)
{
	return RUN_TESTS("a word to sleep on", tests);
}
