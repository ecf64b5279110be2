/* SPDX-License-Identifier: MIT */
/*
 * For the tests of the lowest layers, which know nothing of mailboxes. Each
 * runs in a process of its own: it may install handlers, set limits, die.
 *
 *	need(condition)		ends the process it is in, with status 1
 *	FORKED_MAIN(group, test, ...)	is main(), running those functions
 *
 * Whatever a test waits for, it waits for a condition; the alarm set around it
 * ends the process that waits in vain.
 */
#ifndef CUBBY_TESTS_FORKED_H
#define CUBBY_TESTS_FORKED_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifndef UNDER_EMULATION /* by qemu-user */
#define UNDER_EMULATION 0
#endif

#define need(condition) \
	((condition) ? (void)0 : forked_fail(__FILE__, __LINE__, #condition))

struct forked_test {
	const char *name;
	void (*body)(void);
};

#define FORKED_TEST(function) \
	{ \
#function, function \
	}

/* Runs each under cmocka; returns main()'s status. */
int
forked_run(const char *group, const struct forked_test *tests, size_t count);

_Noreturn void
forked_fail(const char *file, int line, const char *condition);

/* Ends this test: it cannot be run here, for that reason. */
_Noreturn void
forked_skip(const char *why);

/* Runs body in a child and returns its status, as waitpid() tells it. */
int
forked_status(void (*body)(void *argument), void *argument);

/* Waits for that child to end, and needs its status to be 0. */
void
forked_join(pid_t pid);

/* clone(2) as the kernel has it: no handler of pthread_atfork() is called. */
pid_t
forked_raw_clone(void);

/* A new file on tmpfs without a name, of that size, open for reading and
   writing. */
int
forked_file(size_t size);

/* A new directory on tmpfs, of a test that is run in a mount namespace of its
   own: bytes large, or (0) without a limit of its own. Skips if not root. The
   current directory from then on. */
void
forked_mount(const char *type, size_t bytes);

/* From now on that system call fails with that errno in this process. */
void
forked_deny(int number, int error);

/* The same, but only if its argument (0 to 5) is larger than value. */
void
forked_deny_above(int number, int argument, uint32_t value, int error);

/* Lines of /proc/self/NAME, each given to visit with the argument. */
void
forked_lines(const char *name, void (*visit)(const char *line, void *argument),
	     void *argument);

/* How many descriptors are open. */
size_t
forked_descriptors(void);

#endif
