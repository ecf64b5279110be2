/* SPDX-License-Identifier: MIT */
/* Layer 1. May include: base atomics shm guard. */
/*
 * Who is alive: an open-file-description lock that lives exactly as long as
 * the memory of the process that took it.
 *
 * One byte of a file stands for one participant. To take it: open, map one page
 * PROT_NONE with MADV_DONTFORK, lock the byte for writing, close the
 * descriptor. The mapping keeps the open file description, and so the lock.
 * closefrom() does not drop it, fork() and clone() do not inherit it, a stopped
 * process keeps it, a zombie has lost it; it works across PID namespaces.
 *
 * The instant between open and close, in which a fork() by another thread would
 * give the child a descriptor, is covered by pthread_atfork().
 */
#ifndef CUBBY_LIVENESS_H
#define CUBBY_LIVENESS_H

#include "base.h"
#include "atomics.h"

struct liveness {
	void *page;	/* NULL: no lock */
};

/*
 * Locks byte `byte` of the file `name` in directory `dir` (opened O_RDWR,
 * O_NOFOLLOW, checked to be regular) for this address space.
 * Errors: -EAGAIN (somebody alive has it), openat's, mmap's, -ENOLCK.
 */
int
liveness_take_at(int dir, const char *name, uint64_t byte,
		 struct liveness *ret);

/* The same with a descriptor opened O_RDWR; the descriptor stays the caller's,
   who closes it at once, and who must hold liveness_fork_lock() from before it
   was opened until it is closed. */
int
liveness_take_fd(int fd, uint64_t byte, struct liveness *ret);

/* No fork() of this process runs between these two. */
void
liveness_fork_lock(void);
void
liveness_fork_unlock(void);

/* Gives the lock up; no lock is allowed. */
void
liveness_drop(struct liveness *liveness);

/*
 * Does somebody alive hold that byte? fd may be read-only. Asks for a *read*
 * lock, so that a stranger's read lock does not make the dead look alive. Half
 * a microsecond. Returns 1, 0, or -errno. (This process's own lock counts.)
 */
int
liveness_ask(int fd, uint64_t byte);

/*
 * A number that is the same in all threads of a process and another one in
 * each child. Looked at in each call: a handle made under another number was
 * inherited through fork() and must not be used. One load; 0 before
 * liveness_init(). Kept in a page with MADV_WIPEONFORK, so raw clone() counts.
 */
uint64_t
liveness_process(void);

/*
 * Makes the number; in a child also forgets what the parent had mapped
 * (guard_forget_all). Idempotent, thread-safe. Errors: -ENOMEM.
 */
int
liveness_init(void);

#endif
