/* SPDX-License-Identifier: MIT */
/* Layer 0. May include: base clock. */
/*
 * The one clock. CLOCK_MONOTONIC cannot fail on Linux and cannot be set; a
 * clock that steps (CLOCK_REALTIME) or one that futexes do not take
 * (CLOCK_BOOTTIME) would break the deadlines.
 */
#include "base.h"
#include "clock.h"
#include <time.h>

int64_t
clock_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

int64_t
clock_tick(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}
