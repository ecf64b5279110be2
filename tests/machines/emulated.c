/* SPDX-License-Identifier: MIT */
/*
 * What qemu-user tells of as done and does not: MADV_DONTFORK, and, before
 * version 8, MADV_WIPEONFORK. Linked into the tests of machines that are
 * emulated, with --wrap=madvise --wrap=munmap, so that a child finds what
 * the kernel of that machine would give it: of fork() by a handler, of
 * forked_raw_clone() because that calls emulated_child().
 *
 * Which ranges those are is kept in a table. An entry is taken by its address
 * becoming BUSY, and is valid from when it is another; a fork() in the middle of
 * that leaves it BUSY in the child, where it does no harm. Entries go before
 * their memory does, for another thread may be given the same addresses at once;
 * and no fork() falls between the two, for a child would keep what has no entry.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "emulated.h"

#define RANGES_MAX 65536
#define BUSY ((uintptr_t)1)

struct range {
	atomic_uintptr_t from; /* 0: free */
	uintptr_t to;
	int advice;
};

static struct range ranges[RANGES_MAX];
static atomic_size_t ranges_used; /* none is beyond */
static pthread_mutex_t unmapping = PTHREAD_MUTEX_INITIALIZER; /* or forking */

int
__real_madvise(void *address, size_t length, int advice);
int
__real_munmap(void *address, size_t length);
int
__wrap_madvise(void *address, size_t length, int advice);
int
__wrap_munmap(void *address, size_t length);

static uintptr_t
end_of(void *address, size_t length)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	return ((uintptr_t)address + length + page - 1) & ~(page - 1);
}

static void
note_used(size_t count)
{
	size_t used = ranges_used;

	while (used < count &&
	       !atomic_compare_exchange_weak(&ranges_used, &used, count))
		;
}

static int
note(void *address, size_t length, int advice)
{
	for (size_t i = 0; i < RANGES_MAX; i++) {
		struct range *range = &ranges[i];
		uintptr_t none = 0;

		if (!atomic_compare_exchange_strong(&range->from, &none, BUSY))
			continue;
		note_used(i + 1);
		range->to = end_of(address, length);
		range->advice = advice;
		range->from = (uintptr_t)address;
		return 0;
	}
	errno = ENOMEM;
	return -1;
}

int
__wrap_madvise(void *address, size_t length, int advice)
{
	if (__real_madvise(address, length, advice))
		return -1;
	if (advice != MADV_DONTFORK && advice != MADV_WIPEONFORK)
		return 0;
	return note(address, length, advice);
}

int
__wrap_munmap(void *address, size_t length)
{
	uintptr_t to = end_of(address, length);
	sigset_t all, before;
	int result;

	/* A handler may fork. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	pthread_mutex_lock(&unmapping);
	for (size_t i = 0; i < ranges_used; i++) {
		uintptr_t from = ranges[i].from;

		if (from != BUSY && from >= (uintptr_t)address && from < to)
			ranges[i].from = 0;
	}
	result = __real_munmap(address, length);
	pthread_mutex_unlock(&unmapping);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return result;
}

static void
drop_what_is_the_parents(void)
{
	for (size_t i = 0; i < ranges_used; i++) {
		struct range *range = &ranges[i];
		void *address = (void *)range->from;
		size_t length;

		if (range->from <= BUSY)
			continue;
		length = range->to - range->from;
		if (range->advice == MADV_WIPEONFORK) {
			memset(address, 0, length);
			continue;
		}
		range->from = 0;
		__real_munmap(address, length);
	}
}

/* The kernel has done it when the parent goes on; so the parent waits for a byte.
   Meanwhile no handler runs, which might fork as well. */
static _Thread_local int done[2] = { -1, -1 };
static _Thread_local sigset_t mask_before;

void
emulated_before(void)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &mask_before);
	pthread_mutex_lock(&unmapping);
	/* Where no descriptor is to be had, it is not waited for. */
	if (pipe2(done, O_CLOEXEC))
		done[0] = done[1] = -1;
}

void
emulated_child(void)
{
	static const pthread_mutex_t unlocked = PTHREAD_MUTEX_INITIALIZER;

	drop_what_is_the_parents();
	unmapping = unlocked;
	if (done[0] >= 0) {
		if (write(done[1], "", 1) != 1)
			abort();
		close(done[0]);
		close(done[1]);
		done[0] = done[1] = -1;
	}
	pthread_sigmask(SIG_SETMASK, &mask_before, NULL);
}

void
emulated_parent(void)
{
	char byte;

	if (done[0] >= 0) {
		/* If there is no child, nobody has the other end. */
		close(done[1]);
		while (read(done[0], &byte, 1) < 0 && errno == EINTR)
			;
		close(done[0]);
		done[0] = done[1] = -1;
	}
	pthread_mutex_unlock(&unmapping);
	pthread_sigmask(SIG_SETMASK, &mask_before, NULL);
}

/* Before the library's: a child's handlers, and those of the parent afterwards, are
   called in the order in which they were registered. */
static __attribute__((constructor(101))) void
begin(void)
{
	if (pthread_atfork(emulated_before, emulated_parent,
			   emulated_child))
		abort();
}
