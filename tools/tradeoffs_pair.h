/* SPDX-License-Identifier: MIT */
/*
 * Two processes that measure something together, and the one that started them,
 * which waits, is interrupted, and ends them if they do not end themselves.
 *
 * The two are killed without ceremony, so they leave nothing behind that the
 * other could not take away: no file but in tradeoffs_root, no name of a queue
 * but of their pids.
 */
#ifndef CUBBY_TOOLS_TRADEOFFS_PAIR_H
#define CUBBY_TOOLS_TRADEOFFS_PAIR_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define PAIR_FAILURE 120

/*
 * In shared memory.
 *
 * field	written by			read by
 * barrier	both
 * counting	each of its own, while it is	the starter, when that is
 *		to be counted			stopped at a system call
 * calls	the starter			the starter
 * subject	both, after a barrier, alike	the starter, when they ended
 * failure	who fails, before it ends	the starter, when it ended
 */
struct pair {
	pthread_barrier_t barrier;
	int cpus[2]; /* for the members to pin to; -1: anywhere */
	pid_t pids[2];
	atomic_bool counting[2];
	uint64_t calls;
	atomic_int subject; /* what is being measured */
	atomic_bool has_failed;
	char failure[PAIR_FAILURE];
	void *context; /* shared memory as well, or older than the pair */
};

enum pair_result {
	PAIR_DONE = 0,
	PAIR_FAILED = -1 /* the pair's failure says why */
};

/* Memory that the pair to be forked shares with us, zeroed; never NULL. */
void *
pair_memory(size_t size);

struct pair *
pair_make(void *context);

/* Frees it, but not its context. */
void
pair_free(struct pair *pair);

/*
 * Runs the function in two new processes, as members 0 and 1, for at most so
 * long. traced: counts the system calls while they say so.
 *
 * Returns PAIR_DONE, PAIR_FAILED, or the number of a signal that asked this
 * process to end.
 */
int
pair_run(struct pair *pair, void (*run)(struct pair *pair, int member),
	 double seconds, bool traced);

/* In a member: waits for the other one. */
void
pair_meet(struct pair *pair);

/* In a member: from now on runs on that processor alone, if it can. */
void
pair_pin(int cpu);

/* In a member: says why it cannot go on, and ends it. */
__attribute__((noreturn)) void
pair_fail(struct pair *pair, const char *what, int error);

/* Holds back the signals that end this process, until pair_run() takes them. */
void
pair_block_signals(void);

/* Puts them back as they were; 0, or the signal to end by. */
void
pair_unblock_signals(int signal);

/* Told about once a second while a pair runs; may be NULL. */
extern void (*pair_tick)(void);

#endif
