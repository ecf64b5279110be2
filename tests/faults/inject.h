/* SPDX-License-Identifier: MIT */
/*
 * Makes the k-th system call, or allocation, of a thread fail.
 *
 * The kernel itself hands over every system call that the thread makes outside
 * of a few instructions of ours (syscall user dispatch, since Linux 5.11): it
 * raises SIGSYS, and the handler makes the call or does not. So nothing escapes
 * it: not what libc does on the way (opendir, getgrnam_r), not syscall(2), not an
 * instruction of somebody's own. Which call fails how is a table (calls.c); a
 * call that the table does not know ends the test. Allocations are counted by
 * malloc() and its kin, which stand here in place of libc's.
 *
 * A *point* is a call, or an allocation, that can fail.
 *
 * What would break it: SIGSYS blocked in the thread when it makes a call (the
 * kernel would kill it); so rt_sigprocmask(2) is done to the mask that the
 * handler returns to, without SIGSYS. And a handler of another signal returns by
 * a system call, which has to be ours too: see inject_handle().
 */
#ifndef FAULTS_INJECT_H
#define FAULTS_INJECT_H

#include <stdbool.h>
#include <stdint.h>

enum inject_mode {
	INJECT_ONCE,	/* the k-th fails */
	INJECT_SAME,	/* and from then on all of its kind, the same way */
	INJECT_ALL,	/* and from then on all that can fail */
	INJECT_MODES
};

/* So many in a row fail with EINTR, at the most: each stands for a signal. */
#define INJECT_EINTR_MAX 100

struct inject_plan {
	unsigned at;		/* the k-th point, from 1; 0: none */
	unsigned choice;	/* which of its errors, from 0 */
	enum inject_mode mode;
};

/* What came of it. */
struct inject_report {
	unsigned points;	/* passed */
	unsigned failed;	/* of these */
	const char *name;	/* of the first that failed, or NULL */
	int error;		/* what it failed with, positive */
	bool is_out_of_choices;	/* it has fewer errors than that */
	bool has_left;		/* what failed was a call that removes something */
	int unknown;		/* a call that the table does not know; -1 */
};

/* Before anything else; once in a process. False: this machine cannot. */
bool
inject_prepare(void);

/* What is written to no descriptor right before and after: traced.py reads it. */
#define INJECT_MARK_BEGIN "everything_fails begins"
#define INJECT_MARK_END "everything_fails ends"

/* From now on, in this thread; until inject_end(). */
void
inject_begin(const struct inject_plan *plan);
void
inject_end(struct inject_report *ret);

/* Between these nothing fails, and nothing is a point; if it has begun at all. */
void
inject_pause(void);
void
inject_go_on(void);

/* Makes handler that of a signal, in a way that inject_begin() allows for, and
   without SA_RESTART. It may make no system call. */
void
inject_handle(int number, void (*handler)(int));

/* Blocks of memory that this process has allocated and not freed. */
long
inject_blocks(void);

/* Each call made between inject_begin() and inject_end() is written there, by its
   number (-1: an allocation), as far as it has room. */
void
inject_list(int16_t *calls, unsigned room);
unsigned
inject_listed(void);

#endif
