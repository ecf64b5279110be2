/* SPDX-License-Identifier: MIT */
/*
 * Part of the library in the build "coverage" alone: what forked processes count
 * survives them, however they end.
 *
 * gcov counts in the memory of a process, and writes that to a file in exit().
 * Most of what the tests run, though, is in processes that end by _exit(), by
 * SIGKILL, below a filter of system calls, or as another user. So the counters
 * (counters.ld puts them side by side) are made shared memory before anything is
 * counted, children count in those of who forked them (the additions are atomic:
 * -fprofile-update=atomic), and only the first process writes them out.
 *
 * Lost are those of a first process that is itself killed, and of what is run by
 * exec() as a user who may not write into the build.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

extern char cubby_counters[], cubby_counters_end[];
void __real___gcov_exit(void);
void __wrap___gcov_exit(void);

static pid_t first;

/* Before the constructors of the library, in which there may be counters. */
__attribute__((constructor(101))) static void
share_counters(void)
{
	size_t bytes = (size_t)(cubby_counters_end - cubby_counters);

	first = getpid();
	if (bytes != 0 &&
	    mmap(cubby_counters, bytes, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		abort();
}

/* Called by each object's destructor. */
void
__wrap___gcov_exit(void)
{
	if (getpid() == first)
		__real___gcov_exit();
}
