/* SPDX-License-Identifier: MIT */
/* Test: orders, timeout 180. */
/*
 * On a machine of one processor nobody looks before he sleeps: whom he waits for
 * cannot run meanwhile. All comes, in order, and nothing is waited for in vain.
 */
#include "support/passing.h"
#include <dlfcn.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/auxv.h>

static _Atomic int asked;

/* In place of libc's: one processor; the rest is as it is. */
long
sysconf(int name)
{
	static long (*real)(int name);

	if (name == _SC_NPROCESSORS_ONLN) {
		asked++;
		return 1;
	}
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "sysconf");
	if (!real) /* linked statically, and not to be had */
		return name == _SC_PAGESIZE ? (long)getauxval(AT_PAGESZ) : -1;
	return real(name);
}

/* As well as it is one in truth: of those that this process may run on. */
static void
stay_on_one(void)
{
	cpu_set_t one;
	int first = 0;

	expect_system(sched_getaffinity(0, sizeof(one), &one));
	while (!CPU_ISSET(first, &one))
		first++;
	CPU_ZERO(&one);
	CPU_SET(first, &one);
	expect_system(sched_setaffinity(0, sizeof(one), &one));
}

/* A few: both sides wait. */
static const struct passing ON_ONE = {
	stay_on_one, stay_on_one, 200, 4
};

#define ON_ONE_PROCESSOR(what) \
	static void \
	what##_on_one_processor(void) \
	{ \
		stay_on_one(); \
		passing_##what(&ON_ONE); \
		expect(asked > 0); \
	}

ON_ONE_PROCESSOR(to_and_fro)
ON_ONE_PROCESSOR(from_there)
ON_ONE_PROCESSOR(through_several)
ON_ONE_PROCESSOR(watched)
ON_ONE_PROCESSOR(to_both)
ON_ONE_PROCESSOR(calls)
ON_ONE_PROCESSOR(turns)

static const struct test tests[] = {
	TEST(to_and_fro_on_one_processor),
	TEST(from_there_on_one_processor),
	TEST(through_several_on_one_processor),
	TEST(watched_on_one_processor),
	TEST(to_both_on_one_processor),
	TEST(calls_on_one_processor),
	TEST(turns_on_one_processor),
};

int
main(void)
{
	return RUN_TESTS("one_processor", tests);
}
