/* SPDX-License-Identifier: MIT */
/*
 * What a wait for a condition does when it ends only to look whether the region
 * is still sound. The wait itself is played here, so that it takes no time.
 */
#include "base.h"
#include "sync_condition.h"
#include "support/support.h"
#include <limits.h>

static int
play_wait(struct sync_condition *condition, struct sync_mutex *mutex,
	  const struct robust_locker *locker, int64_t deadline);

#define condition_wait play_wait
#include "sync.c"

struct shared {
	cubby_mutex mutex;
	cubby_condition condition;
};

static cubby_region *region;
static struct shared *shared;
static int waits;
static bool cuts_file;

/* It ends when it is to end, with the mutex locked: as if a signal came just
   then, which nobody will repeat. So a second wait would have no end. */
static int
play_wait(struct sync_condition *condition, struct sync_mutex *mutex,
	  const struct robust_locker *locker, int64_t deadline)
{
	char path[PATH_MAX];

	(void)deadline;
	expect_int(++waits, 1);
	expect(mutex_is_mine(mutex, locker));
	if (cuts_file) {
		find_file("/memory", path);
		expect_system(truncate(path, 0));
	}
	condition_signal(condition);
	return -ETIMEDOUT;
}

static void
begin(bool cuts)
{
	waits = 0;
	cuts_file = cuts;
	expect_ok(cubby_region_open("r", CUBBY_CREATE | CUBBY_WRITE, NULL,
				    &region));
	shared = cubby_region_data(region);
	expect_ok(cubby_mutex_lock(region, &shared->mutex, soon()));
}

static int
wait_until(int64_t deadline)
{
	return cubby_condition_wait(region, &shared->condition, &shared->mutex,
				    deadline);
}

static void
after_a_look_the_user_looks_too(void)
{
	begin(false);
	expect_ok(wait_until(CUBBY_FOREVER));
	expect_int(waits, 1);
	expect_ok(cubby_mutex_unlock(region, &shared->mutex));
	cubby_region_close(region);
}

static void
a_deadline_is_told_from_a_look(void)
{
	begin(false);
	expect_result(wait_until(clock_now() + NSEC_PER_MSEC), -ETIMEDOUT);
	expect_int(waits, 1);
	expect_ok(cubby_mutex_unlock(region, &shared->mutex));
	cubby_region_close(region);
}

static void
a_look_finds_a_file_that_was_cut_short(void)
{
	begin(true);
	expect_result(wait_until(CUBBY_FOREVER), -EBADMSG);
	expect_int(waits, 1);
	cubby_region_close(region);
}

static const struct test tests[] = {
	TEST(after_a_look_the_user_looks_too),
	TEST(a_deadline_is_told_from_a_look),
	TEST(a_look_finds_a_file_that_was_cut_short),
};

int
main(void)
{
	return RUN_TESTS("a look during a wait", tests);
}
