/* SPDX-License-Identifier: MIT */
/* Layer 3. May include: base atomics shm. */
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
 * give the child a descriptor (and so the lock for as long as it keeps it), is
 * covered by pthread_atfork(). Not covered: raw clone() in that instant, and a
 * vfork() child, which shares the memory and so the lock until it executes.
 */
#ifndef CUBBY_LIVENESS_H
#define CUBBY_LIVENESS_H

#include "base.h"
#include "atomics.h"

struct liveness {
	void *page;	  /* NULL: no lock */
	uint64_t process; /* whose it is; a child has lost it */
};

/*
 * Locks byte `byte` of the file `name` in directory `dir` (opened O_RDWR,
 * O_NOFOLLOW, checked to be regular) for this address space.
 * Errors: -EAGAIN (somebody alive has it, perhaps this process itself), those
 * of liveness_init() and shm_open_at(), mmap's, -ENOLCK.
 */
int
liveness_take_at(int dir, const char *name, uint64_t byte,
		 struct liveness *ret);

/* The same, beside others who have it so: a lock for reading. Whoever asks has
   to ask by liveness_ask_shared(). */
int
liveness_share_at(int dir, const char *name, uint64_t byte,
		  struct liveness *ret);

/* As liveness_take_at(), with a descriptor opened O_RDWR; the descriptor stays the
   caller's, who closes it at once, and who must hold liveness_fork_lock() from
   before it was opened until it is closed. */
int
liveness_take_fd(int fd, uint64_t byte, struct liveness *ret);

/*
 * No fork() of this process runs between these two, and no handler of an
 * asynchronous signal in this thread (it might call fork() itself). Do not
 * nest; hold it for a few system calls. After liveness_init().
 */
void
liveness_fork_lock(void);
void
liveness_fork_unlock(void);

/* Gives the lock up; no lock is allowed. In a child after fork() it only
   forgets. */
void
liveness_drop(struct liveness *liveness);

/*
 * Does somebody alive hold that byte? fd may be read-only. Asks for a *read*
 * lock, so that a stranger's read lock does not make the dead look alive. Half
 * a microsecond. Returns 1, 0, or -errno. This process's own lock counts, but
 * not one that was taken through this very descriptor.
 */
int
liveness_ask(int fd, uint64_t byte);

/* The same of a lock for reading, which anybody who may read the file could
   have taken. */
int
liveness_ask_shared(int fd, uint64_t byte);

/* Where the number lies: the address of a word64; 0 before liveness_init(). */
extern __attribute__((visibility("hidden"))) word64 liveness_address;

/*
 * A number that is the same in all threads of a process and another one in
 * each child. Looked at in each call: a handle made under another number was
 * inherited through fork() and must not be used. Two loads of lines that nobody
 * writes; 0 before liveness_init(), and so in a child that has not called it.
 * Kept in a page with MADV_WIPEONFORK, so raw clone() counts.
 */
static inline uint64_t
liveness_process(void)
{
	uint64_t address;

	/* LIVENESS-A1 acquire: the address, then the page. Pairs with
	   LIVENESS-X1. */
	address = word64_load_acquire(&liveness_address);
	if (unlikely(!address))
		return 0;
	/* relaxed: it changes in a child alone, before that has threads */
	return word64_load_relaxed((const word64 *)(uintptr_t)address);
}

/* The inode of this process's PID namespace, as stat(2) tells of
   /proc/PID/ns/pid: with the pid it says who one is, machine-wide. 0: there is
   no /proc. */
uint32_t
liveness_pid_namespace(void);

/*
 * Makes the number: never one that this process or a forefather had. Idempotent,
 * thread-safe. Errors: -ENOMEM, and those of madvise.
 */
int
liveness_init(void);

#endif
