/* SPDX-License-Identifier: MIT */
/* Test: tsan. */
#include "base.h"
#include "clock.h"
#include "support/forked.h"
#include <time.h>

static int64_t
monotonic(void)
{
	struct timespec now;

	need(!clock_gettime(CLOCK_MONOTONIC, &now));
	return now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

static void
is_monotonic_time_in_nanoseconds(void)
{
	int64_t before = monotonic();
	int64_t now = clock_now();
	int64_t after = monotonic();

	need(before <= now);
	need(now <= after);
}

static void
goes_forward(void)
{
	int64_t first = clock_now();
	int64_t last = first;

	while (last - first < NSEC_PER_MSEC) {
		int64_t now = clock_now();

		need(now >= last);
		last = now;
	}
}

static const struct forked_test tests[] = {
	FORKED_TEST(is_monotonic_time_in_nanoseconds),
	FORKED_TEST(goes_forward),
};

int
main(void)
{
	return forked_run("clock", tests, ARRAY_SIZE(tests));
}
