/* SPDX-License-Identifier: MIT */
/*
 * The buddy system by itself: which blocks merge, how old they then are, and
 * that each unit is found in the block it lies in. (blocks_test.c runs it at
 * random.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base.h"
#include "buddy.h"

#define UNITS 64

static struct buddy_node zeros[BUDDY_LISTS + UNITS];
static struct buddy buddy;

static int
setup(void **state)
{
	(void)state;
	memset(zeros, 0, sizeof(zeros));
	buddy_init(&buddy, zeros, UNITS);
	return 0;
}

static void
hand_out(int32_t block)
{
	assert_true(buddy.nodes[block].state >= WARM);
	buddy_remove(&buddy, block);
	buddy.nodes[block].state = USED;
}

static void
give_in(int32_t block)
{
	buddy.nodes[block].state = WARM;
	buddy.nodes[block].freed = ++buddy.clock;
	buddy_add_first(&buddy, block);
}

/* All of the span, in blocks of that order, in use. */
static void
hand_out_all(unsigned order)
{
	int32_t block;

	for (block = 0; block < UNITS; block += 1 << order) {
		buddy_extend(&buddy, block + (1 << order));
		hand_out(block);
	}
}

/* Every unit lies in the block that a walk over them says. */
static void
assert_walk(int32_t expected_blocks)
{
	int32_t block, unit, size, count = 0;

	for (block = 0; block < buddy.frontier; block += size) {
		size = 1 << buddy.nodes[block].order;
		assert_int_equal(block % size, 0);
		for (unit = block; unit < block + size; unit++) {
			assert_int_equal(buddy_locate(&buddy, unit), block);
			assert_int_equal(buddy.nodes[unit].state == INSIDE,
					 unit != block);
		}
		count++;
	}
	assert_int_equal(block, buddy.frontier);
	assert_int_equal(count, expected_blocks);
}

static void
the_untouched_becomes_the_largest_blocks_that_fit(void **state)
{
	(void)state;
	assert_int_equal(buddy_find_bare(&buddy, 1), 0);
	assert_int_equal(buddy.frontier, 2);
	assert_int_equal(buddy_find_bare(&buddy, 4), 16);
	/* 0 2, 2 2, 4 4, 8 8, 16 16 */
	assert_walk(5);
	assert_int_equal(buddy_find_bare(&buddy, 2), 4);
	assert_int_equal(buddy_find_bare(&buddy, 5), 32);
	assert_int_equal(buddy_find_bare(&buddy, 6), BUDDY_NONE);
	assert_walk(6);
	buddy_merge(&buddy, false);
	assert_int_equal(buddy_find_bare(&buddy, 6), 0);
	assert_walk(1);
}

static void
splitting_leaves_the_block_asked_for(void **state)
{
	(void)state;
	buddy_extend(&buddy, UNITS);
	buddy_remove(&buddy, 0);
	assert_int_equal(buddy_split(&buddy, 0, 37, 0), 37);
	buddy.nodes[37].state = USED;
	/* 0 32, 32 4, 36 1, 37 1, 38 2, 40 8, 48 16 */
	assert_walk(7);
	assert_int_equal(buddy.nodes[32].order, 2);
	assert_int_equal(buddy.nodes[40].order, 3);
	assert_int_equal(buddy_find(&buddy, BARE, 0), 36);
}

static void
only_buddies_of_a_kind_merge_unless_any_may(void **state)
{
	(void)state;
	hand_out_all(4);
	give_in(0);
	give_in(16);
	buddy.nodes[32].state = BARE;
	buddy_add_first(&buddy, 32);
	give_in(48);
	buddy.stale = STALE;
	buddy_merge(&buddy, false);
	assert_walk(3);
	assert_int_equal(buddy.nodes[0].state, WARM);
	assert_false(buddy.mixed);
	assert_int_equal(buddy.stale, STALE_ANY);
	buddy_merge(&buddy, true);
	assert_walk(1);
	assert_int_equal(buddy.nodes[0].state, BARE);
	assert_true(buddy.mixed);
	assert_int_equal(buddy.stale, 0);
	assert_int_equal(buddy_find(&buddy, BARE, 6), 0);
	assert_int_equal(buddy_find(&buddy, WARM, 0), BUDDY_NONE);
}

static void
what_is_in_use_does_not_merge(void **state)
{
	(void)state;
	hand_out_all(0);
	assert_walk(UNITS);
	give_in(1);
	give_in(2);
	give_in(5);
	buddy_merge(&buddy, true);
	assert_walk(UNITS);
	give_in(4);
	give_in(6);
	buddy_merge(&buddy, true);
	assert_walk(UNITS - 1);
	give_in(7);
	buddy_merge(&buddy, true);
	assert_walk(UNITS - 3);
	assert_int_equal(buddy_find(&buddy, WARM, 1), 4);
}

static void
the_coldest_is_what_was_freed_first(void **state)
{
	(void)state;
	buddy.clock = UINT32_MAX - 2; /* it wraps round on the way */
	hand_out_all(3);
	give_in(24);
	give_in(0);
	give_in(40);
	give_in(56);
	assert_int_equal(buddy_coldest(&buddy, 0), 24);
	assert_int_equal(buddy_coldest(&buddy, 4), BUDDY_NONE);
	hand_out(24);
	assert_int_equal(buddy_coldest(&buddy, 3), 0);
}

static void
a_merged_block_is_as_young_as_its_youngest_part(void **state)
{
	(void)state;
	hand_out_all(3);
	give_in(40);
	give_in(32);
	give_in(0);
	give_in(56);
	give_in(8);
	give_in(48);
	buddy_merge(&buddy, false);
	/* 0 16 (freed 5th), 32 32 (freed 6th) */
	assert_walk(4);
	assert_int_equal(buddy.nodes[0].freed, 5);
	assert_int_equal(buddy.nodes[32].freed, 6);
	assert_int_equal(buddy_coldest(&buddy, 0), 0);
}

static void
a_merged_block_goes_to_the_end_that_its_age_says(void **state)
{
	int32_t block;

	(void)state;
	hand_out_all(2);
	for (block = 48; block >= 0; block -= 16) {
		give_in(block);
		give_in(block + 4);
		if (block == 32)
			give_in(24);
	}
	give_in(28);
	/* The walk meets 0 (7th), 16 (5th), 24 (8th), 32 (4th), 48 (2nd). */
	buddy_merge(&buddy, false);
	assert_int_equal(buddy.nodes[16].order, 4);
	hand_out(16);
	assert_int_equal(buddy_find(&buddy, WARM, 3), 0);
	assert_int_equal(buddy_coldest(&buddy, 3), 48);
	hand_out(48);
	assert_int_equal(buddy_coldest(&buddy, 3), 32);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
	static const struct CMUnitTest tests[] = {
		TEST(the_untouched_becomes_the_largest_blocks_that_fit),
		TEST(splitting_leaves_the_block_asked_for),
		TEST(only_buddies_of_a_kind_merge_unless_any_may),
		TEST(what_is_in_use_does_not_merge),
		TEST(the_coldest_is_what_was_freed_first),
		TEST(a_merged_block_is_as_young_as_its_youngest_part),
		TEST(a_merged_block_goes_to_the_end_that_its_age_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
