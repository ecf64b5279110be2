/* SPDX-License-Identifier: MIT */
/*
 * A clock that goes by how often it is asked, for a victim that sleeps by no clock:
 * what is done once every 50 ms comes at the same place then, be the victim taken
 * there step by step or at a run. It takes the place of libc's in this program.
 */
#include <dlfcn.h>

#include "harness.h"

#define STEP 1000	/* nanoseconds, each time that it is asked */

typedef int clock_of_libc(clockid_t clock, struct timespec *ret);

static clock_of_libc *of_libc;
static bool counts;
static int64_t counted;

__attribute__((constructor)) static void
find_clock_of_libc(void)
{
	*(void **)&of_libc = dlsym(RTLD_NEXT, "clock_gettime");
}

int
clock_gettime(clockid_t clock, struct timespec *ret)
{
	if (!of_libc)
		find_clock_of_libc();
	if (!counts)
		return of_libc(clock, ret);
	counted += STEP;
	*ret = (struct timespec){ counted / NANOSECONDS,
				  counted % NANOSECONDS };
	return 0;
}

void
clock_by_count(bool by_count)
{
	counted = now();
	counts = by_count;
}
