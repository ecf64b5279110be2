/* SPDX-License-Identifier: MIT */
/*
 * Where the kernel, or what stands in for it, tells that it wipes memory in a
 * child and does not (as qemu-user 7.2), a child of fork() knows itself by
 * pthread_atfork() alone.
 */
#include "base.h"
#include "atomics.h"
#include "guard.h"
#include "liveness.h"
#include "support/forked.h"
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* From now on nothing is wiped, nor was the process's number, which the fork()
   that made this process has put into a page already. */
static void
wipe_nothing(void)
{
	void *page = (void *)(uintptr_t)word64_load_acquire(&liveness_address);

	need(!page || !madvise(page, PAGE, MADV_KEEPONFORK));
	forked_deny_above(SYS_madvise, 2, MADV_WIPEONFORK - 1, 0);
	need(!liveness_init());
}

static void
need_another_process(uint64_t number)
{
	need(liveness_process() == 0);
	need(!liveness_init());
	need(liveness_process() > number);
	liveness_fork_lock();
	liveness_fork_unlock();
}

static void
a_child_knows_itself(void)
{
	uint64_t number;
	pid_t pid;

	wipe_nothing();
	number = liveness_process();
	pid = fork();
	need(pid >= 0);
	if (!pid) {
		need_another_process(number);
		number = liveness_process();
		pid = fork();
		need(pid >= 0);
		if (!pid) {
			need_another_process(number);
			_exit(0);
		}
		forked_join(pid);
		need(liveness_process() == number);
		_exit(0);
	}
	forked_join(pid);
	need(liveness_process() == number);
}

static struct guard *
guard_hole(char **at)
{
	struct guard *guard;

	*at = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, forked_file(0), 0);
	need(*at != MAP_FAILED);
	need(!guard_add(*at, PAGE, PROT_READ, &guard));
	return guard;
}

static char
read_byte(const char *at)
{
	char byte;

	__asm__ volatile("" : : "r"(at) : "memory");
	byte = *at;
	__asm__ volatile("" : : : "memory");
	return byte;
}

static void
a_child_has_its_own_guards_alone(void)
{
	struct guard *guard;
	pid_t pid;
	char *at;

	wipe_nothing();
	guard = guard_hole(&at);
	pid = fork();
	need(pid >= 0);
	if (!pid) {
		/* The first slot is free again. */
		need(guard_hole(&at) == guard);
		need(read_byte(at) == 0 && guard_is_broken(guard));
		guard_remove(guard);
		_exit(0);
	}
	forked_join(pid);
	need(!guard_is_broken(guard));
	need(read_byte(at) == 0 && guard_is_broken(guard));
	guard_remove(guard);
}

static const struct forked_test tests[] = {
	FORKED_TEST(a_child_knows_itself),
	FORKED_TEST(a_child_has_its_own_guards_alone),
};

int
main(void)
{
	return forked_run("unwiped", tests, ARRAY_SIZE(tests));
}
