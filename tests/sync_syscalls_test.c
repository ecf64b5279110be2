/* SPDX-License-Identifier: MIT */
/* Test: serial, timeout 60. */
/* While nobody has to wait, no call of cubby_sync.h makes a system call: counted
   by strace. */
#include "support/trace.h"
#include <cubby_sync.h>

#define ROUNDS 10000

struct shared {
	cubby_mutex mutex;
	cubby_condition condition;
	cubby_semaphore semaphore;
};

static void
use_all(cubby_region *region, struct shared *s)
{
	uint32_t value;

	expect_ok(cubby_mutex_lock(region, &s->mutex, CUBBY_FOREVER));
	expect_ok(cubby_condition_signal(region, &s->condition));
	expect_ok(cubby_mutex_unlock(region, &s->mutex));
	expect_ok(cubby_condition_broadcast(region, &s->condition));
	expect_ok(cubby_semaphore_post(region, &s->semaphore));
	expect_ok(cubby_semaphore_wait(region, &s->semaphore, CUBBY_FOREVER));
	expect_ok(cubby_mutex_lock(region, &s->mutex, CUBBY_NOW));
	expect_ok(cubby_mutex_unlock(region, &s->mutex));
	expect_result(cubby_semaphore_wait(region, &s->semaphore, CUBBY_NOW),
		      -EAGAIN);
	expect_ok(cubby_semaphore_value(region, &s->semaphore, &value));
}

/* Some have waited, in vain, and have gone. */
static void
wait_in_vain(cubby_region *region, struct shared *s)
{
	expect_ok(cubby_mutex_lock(region, &s->mutex, CUBBY_NOW));
	expect_result(cubby_condition_wait(region, &s->condition, &s->mutex,
					   cubby_deadline_after(1000000)),
		      -ETIMEDOUT);
	expect_ok(cubby_mutex_unlock(region, &s->mutex));
	expect_result(cubby_semaphore_wait(region, &s->semaphore,
					   cubby_deadline_after(1000000)),
		      -ETIMEDOUT);
}

static int
use_many_times(void)
{
	cubby_region *region;
	struct shared *s;

	expect_ok(cubby_region_open(NULL, CUBBY_CREATE, NULL, &region));
	s = cubby_region_data(region);
	wait_in_vain(region, s);
	use_all(region, s);
	trace_mark();
	for (int i = 0; i < ROUNDS; i++)
		use_all(region, s);
	trace_mark();
	cubby_region_close(region);
	return 0;
}

static void
nobody_waits_no_system_call(void)
{
	struct child child;

	if (UNDER_ASAN || UNDER_TSAN)
		skip_test("the sanitizer makes system calls");
	trace_start(&child, "many-times", "all");
	child_finish(&child);
	expect_int(trace_count_marked(), 0);
}

static const struct test tests[] = {
	TEST(nobody_waits_no_system_call),
};

int
main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "many-times") == 0)
		return use_many_times();
	return RUN_TESTS("system calls of synchronisation", tests);
}
