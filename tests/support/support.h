/* SPDX-License-Identifier: MIT */
/*
 * What the tests stand on.
 *
 * Each test runs in a process of its own, with a root of its own for its
 * mailboxes, and is killed with all its children when its time is over. When
 * its body has returned it must have left no child, no descriptor and no
 * mapping of a mailbox's file, and when its mailboxes have been unlinked and
 * swept, no file. That is checked after every test, so no test says it.
 *
 * expect() and its kin end the process in which they fail; whoever started that
 * process sees it and fails too. So they work in children and in threads.
 *
 * Whoever waits for another process waits for a condition: a gate, the end of
 * the process, or what /proc tells of it; never for time to pass. Every wait
 * has a deadline, which only a failure reaches.
 */
#ifndef CUBBY_TESTS_SUPPORT_H
#define CUBBY_TESTS_SUPPORT_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <cubby.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_ASAN 1
#elif __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define UNDER_ASAN 1
#elif defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#endif
#ifndef UNDER_ASAN
#define UNDER_ASAN 0
#endif
#ifndef UNDER_TSAN
#define UNDER_TSAN 0
#endif

#ifndef UNDER_EMULATION /* by qemu-user */
#define UNDER_EMULATION 0
#endif

/* Deadlines, which only a failure reaches, are longer. */
#define IS_SLOW (UNDER_TSAN || UNDER_ASAN || UNDER_EMULATION)

/* Repetitions, fewer where each of them is slow. */
#define MANY(n) \
	(UNDER_TSAN || UNDER_EMULATION ? (n) / 20 : \
	 UNDER_ASAN		       ? (n) / 5 : \
					 (n))

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Tests ------------------------------------------------------------------ */

struct test {
	const char *name;
	void (*body)(void);
};
#define TEST(function) \
	{ \
#function, function \
	}

/* Runs them and returns main()'s status. */
int
run_test_group(const char *group, const struct test *tests, size_t count);
#define RUN_TESTS(group, tests) run_test_group(group, tests, COUNT_OF(tests))

/* Ends this test: it cannot be run here, for that reason. */
_Noreturn void
skip_test(const char *why);

/* Skips the test unless it runs as root. */
void
need_root(void);

/* It maps more than 32 bits can address. */
void
need_64_bits(void);

/* Its children are denied system calls (forked.h). */
void
need_filters(void);

/* The directory in which this test's mailboxes live. */
const char *
test_root(void);

/* Makes that directory one for all users, as /dev/shm is. */
void
share_root(void);

/* Puts a file system of that many bytes in its place, seen by this test alone.
   Needs root. */
void
mount_small_root(size_t bytes);

/* Bytes that lie in the root's files, or free in its file system. */
uint64_t
root_bytes_free(void);

/* Finds the one file under the root whose path ends in that, into
   ret[PATH_MAX]. */
void
find_file(const char *suffix, char *ret);

/* How many entries lie under the root, of every depth. */
size_t
count_files(void);

/* Expectations ----------------------------------------------------------- */

_Noreturn void
fail_at(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

void
expect_int_at(const char *file, int line, const char *what, long long got,
	      long long wanted);
void
expect_result_at(const char *file, int line, const char *what, int got,
		 int wanted);
void
expect_bytes_at(const char *file, int line, const void *got, size_t got_size,
		const void *wanted, size_t wanted_size);

#define expect(condition) \
	((condition) ? (void)0 : \
		       fail_at(__FILE__, __LINE__, "not so: %s", #condition))
#define expect_int(got, wanted) \
	expect_int_at(__FILE__, __LINE__, #got, (long long)(got), \
		      (long long)(wanted))
/* Of calls that return 0 or -errno. */
#define expect_result(call, wanted) \
	expect_result_at(__FILE__, __LINE__, #call, call, wanted)
#define expect_ok(call) expect_result(call, 0)
#define expect_bytes(got, got_size, wanted, wanted_size) \
	expect_bytes_at(__FILE__, __LINE__, got, got_size, wanted, wanted_size)
/* Of system calls: not -1. */
#define expect_system(call) \
	((call) != -1 ? (void)0 : \
			fail_at(__FILE__, __LINE__, "%s: %s", #call, \
				strerror(errno)))

/* Children --------------------------------------------------------------- */

struct child {
	pid_t pid;
	int pidfd;
};

/*
 * Runs the block that follows in a new process, which ends after it:
 *
 *	in_child(&child) {
 *		...
 *	}
 *	child_finish(&child);
 *
 * No `break` or `return` in the block.
 */
#define in_child(child) for (child_fork(child); (child)->pid == 0; child_exit())

void
child_fork(struct child *ret);
_Noreturn void
child_exit(void);

/* Waits for it and expects status 0. */
void
child_finish(struct child *child);

/* Kills it with SIGKILL and waits until it is dead, and reaped. */
void
child_kill(struct child *child);

/* The same, but leaves a zombie until child_reap(). */
void
child_kill_to_zombie(struct child *child);
void
child_reap(struct child *child);

void
child_signal(struct child *child, int number);

/* SIGSTOP, and waits until it has stopped. */
void
child_stop(struct child *child);
void
child_continue(struct child *child);

/* Waits until it sleeps on a futex, or in ppoll(2): in all of this library's waits,
   it does. */
void
child_wait_asleep(struct child *child);

/*
 * Signals it while it sleeps on a futex, until it has ended. More than once, for
 * a wait is several sleeps: a handler that runs between two of them interrupts
 * neither (signal(7) says so of every call).
 */
void
child_interrupt(struct child *child, int number);

/* As child_wait_asleep(), of this process's thread. */
void
thread_wait_asleep(pid_t tid);

/* Becomes that user, with that group, and the other one besides (0: none). */
void
become(uid_t uid, gid_t gid, gid_t other);

/* A thing that one process opens and others wait for; each opening lets one
   pass. Made before the fork; gone when the test ends. */
struct gate {
	int fd;
};
struct gate
gate_make(void);
void
gate_open(struct gate *gate);
void
gate_wait(struct gate *gate);

/* Zeroed memory that children share with this process. */
void *
shared_memory(size_t size);

/* Mailboxes -------------------------------------------------------------- */

/* A deadline that only a failure reaches. */
int64_t
soon(void);

/* The order that open_mailbox() makes mailboxes of, unless told another: what
   CUBBY_TEST_ORDER says (arrival, priority), or the default. Tests that are about
   every order are run again with each. */
enum cubby_order
test_order(void);

/* Of a sender's messages to a mailbox of that order. */
uint64_t
first_sequence(void);

/* Skips a test that is about lanes alone: other orders promise something else
   there, and have a test of that. */
void
need_order_sender(void);

cubby_mailbox *
open_mailbox(const char *name, int flags, const struct cubby_options *options);

void
send_text(cubby_mailbox *mailbox, const char *text);
void
send_number(cubby_mailbox *mailbox, uint64_t number);

/* Receives the next message, which must be this one. */
void
expect_text(cubby_mailbox *mailbox, const char *text);
void
expect_number(cubby_mailbox *mailbox, uint64_t number);
uint64_t
receive_number(cubby_mailbox *mailbox);

/* Receives nothing. */
void
expect_empty(cubby_mailbox *mailbox);

/* Sends small messages until -EAGAIN; returns how many. */
uint64_t
fill_mailbox(cubby_mailbox *mailbox);

struct cubby_info
inspect(const char *name);

/* Bytes that follow from the seed, and whether they are those. */
void
pattern_fill(void *buffer, size_t size, uint64_t seed);
bool
pattern_holds(const void *buffer, size_t size, uint64_t seed);

#endif
