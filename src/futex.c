/* SPDX-License-Identifier: MIT */
/* Layer 1. May include: base atomics clock probe futex. */
/*
 * A few system calls, each told what it must not assume: the word lies in a
 * file that other processes map (so never FUTEX_PRIVATE), perhaps read-only;
 * a sleep always has an end, be it far away; membarrier and futex_waitv may be
 * missing.
 *
 * FUTEX_WAIT_BITSET takes an absolute time on CLOCK_MONOTONIC, so a wait that
 * is interrupted and begun again does not get longer. It is given an end even
 * where there is none: a wait without one would be restarted by the kernel
 * after a handler with SA_RESTART, and no -EINTR would be told.
 */
#include "base.h"
#include "clock.h"
#include "futex.h"
#include "probe.h"

#include <linux/futex.h>
#include <linux/membarrier.h>
#include <linux/time_types.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* 64-bit time on every ABI: those that began with 32 bits have a second call
   for it. */
#ifdef SYS_futex_time64
#define FUTEX_CALL SYS_futex_time64
#else
#define FUTEX_CALL SYS_futex
#endif

/* Its struct and its number are the same on every ABI, and older headers have
   neither. */
#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif
#define SIZE_32 2	/* FUTEX_32; and not FUTEX_PRIVATE_FLAG */

struct waitv {
	uint64_t value;
	uint64_t address;
	uint32_t flags;
	uint32_t reserved;	/* 0 */
};

static struct __kernel_timespec
timespec_of(int64_t deadline)
{
	struct __kernel_timespec until;

	if (deadline < 0)
		deadline = 0;
	until.tv_sec = deadline / NSEC_PER_SEC;
	until.tv_nsec = deadline % NSEC_PER_SEC;
	return until;
}

/*
 * The kernel finds no page there: the file has been cut short, or there is no
 * memory for it. To touch the word is to be told in the one way that everybody
 * heeds (guard.h); and who slept for no reason looks.
 */
static int
touch(const word32 *word)
{
	/* relaxed: the value does not matter */
	word32_load_relaxed(word);
	return 0;
}

/* The word has changed, so who waited looks. If others change it all the time, the
   kernel never comes to look at the deadline. */
static int
has_changed(int64_t deadline)
{
	return clock_now() >= deadline ? -ETIMEDOUT : 0;
}

int
futex_wait(const word32 *word, uint32_t expected, int64_t deadline)
{
	struct __kernel_timespec until = timespec_of(deadline);
	int r = 0;

	PROBE2(sleep, word, 1);
	if (syscall(FUTEX_CALL, &word->word, FUTEX_WAIT_BITSET, expected,
		    &until, NULL, FUTEX_BITSET_MATCH_ANY))
		r = errno == EAGAIN ? has_changed(deadline) :
		    errno == EFAULT ? touch(word) : -errno;
	PROBE2(awake, word, r);
	return r;
}

/* That it is not there, once that has been told. */
static word32 lacks_waitv;

bool
futex_waits_for_many(void)
{
	/* relaxed: the word is all there is, and never goes back */
	return !word32_load_relaxed(&lacks_waitv);
}

/* EPERM: behind a seccomp filter. Another error may be of this one call. */
static int
has_none_for_many(int error)
{
	if (error == ENOSYS || error == EPERM)
		/* relaxed: as above */
		word32_store_relaxed(&lacks_waitv, 1);
	return -ENOSYS;
}

static int
touch_all(const struct futex_ticket *tickets, uint32_t count)
{
	uint32_t i;

	for (i = 0; i < count; i++)
		touch(tickets[i].word);
	return 0;
}

int
futex_wait_many(const struct futex_ticket *tickets, uint32_t count,
		int64_t deadline)
{
	struct __kernel_timespec until = timespec_of(deadline);
	struct waitv waitv[FUTEX_MANY_MAX];
	uint32_t i;
	int r = 0;

	for (i = 0; i < count; i++) {
		waitv[i].value = tickets[i].expected;
		waitv[i].address = (uintptr_t)&tickets[i].word->word;
		waitv[i].flags = SIZE_32;
		waitv[i].reserved = 0;
	}
	PROBE2(sleep, tickets->word, count);
	if (syscall(SYS_futex_waitv, waitv, count, 0, &until,
		    CLOCK_MONOTONIC) < 0)
		r = errno == EAGAIN ? has_changed(deadline) :
		    errno == EFAULT ? touch_all(tickets, count) :
		    errno == ETIMEDOUT || errno == EINTR ? -errno :
		    has_none_for_many(errno);
	PROBE2(awake, tickets->word, r);
	return r;
}

int
futex_wake(const word32 *word, int count)
{
	long woken;

	woken = syscall(FUTEX_CALL, &word->word, FUTEX_WAKE, count, NULL, NULL,
			0);
	PROBE2(wake, word, woken);
	/* It fails only where there is no page, on which nobody sleeps. */
	return woken < 0 ? 0 : (int)woken;
}

bool
barrier_register(void)
{
	return !syscall(SYS_membarrier,
			MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0);
}

bool
barrier_all(void)
{
	return !syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0);
}
