/* SPDX-License-Identifier: MIT */
/* Layer 3. May include: base atomics robust_lock. */
/*
 * A mutex in shared memory: a robust lock (robust_lock.h) that knows which thread
 * of its owner locked it, and whether what it guards is in order.
 *
 *	field	written by		read by		why that is safe
 *	lock	see robust_lock.h
 *	thread	its owner, after taking	any thread	see below
 *		and before giving
 *	state	its owner		its owner	guarded by the lock
 *
 *	state	SOUND -> DOUBTFUL	by the first who locks it after a death
 *		DOUBTFUL -> SOUND	by its owner: mutex_consistent()
 *		DOUBTFUL -> LOST	by its owner, who unlocks it all the same
 *
 * The participants of a region are processes; the lock's word names one of them,
 * and its life is asked for. `thread` tells the threads of one process apart: who
 * locks it twice is told, and who unlocks what another thread has locked. A
 * thread's mark is a number that no other thread of its process ever had, mixed
 * with the participant's own word. It is only looked at by one whose process
 * owns the lock. A thread finds its own mark there only while it has the mutex:
 * it alone writes it, and overwrites it before it gives the lock, and no thread
 * reads what is older than its own last write. What a dead process left there is
 * seen, if at all, in the instant until the next owner has written his own, and
 * is another mark, for it was mixed with another word.
 *
 * A thread that ends with a mutex locked, in a process that goes on, is not
 * found out: only the kernel knows who is dead, and it is asked for processes.
 * The mutex stays locked until the process ends. (pthread's robust mutexes tell;
 * but they know a thread by its id, and so take two threads of two PID
 * namespaces for one.)
 *
 *	who locks it dies, or stops, right after
 *	taking the lock		the next one gets -EOWNERDEAD
 *	thread, state		the same
 *	... guarded		the same
 *	thread = 0		the same: nobody can tell that it was all over
 *	giving the lock		it is free; see robust_lock.h for who sleeps
 *
 * Stopped with the lock, the others wait until their deadline. Dead with the lock
 * twice, it is told of twice: the state is written by one who has it and does not
 * matter before he unlocks.
 */
#ifndef CUBBY_SYNC_MUTEX_H
#define CUBBY_SYNC_MUTEX_H

#include "base.h"
#include "atomics.h"
#include "robust_lock.h"

enum sync_mutex_state { MUTEX_SOUND, MUTEX_DOUBTFUL, MUTEX_LOST };

/* All zero: unlocked, and sound. */
struct sync_mutex {
	struct robust_lock lock;
	word64 thread;	/* 0: none */
	word32 state;	/* enum sync_mutex_state; anything else is LOST */
	word32 unused;
};

/*
 * Locks it; waits until the deadline. Returns 0 or -EOWNERDEAD: locked too, but
 * its last owner has died with it. Errors (it is not locked then): -EAGAIN
 * (deadline CUBBY_NOW: it is locked) -EDEADLK (by this very thread)
 * -ENOTRECOVERABLE -ETIMEDOUT. A signal does not end the wait.
 */
int
mutex_lock(struct sync_mutex *mutex, const struct robust_locker *locker,
	   int64_t deadline);

/* Does not block. Errors: -EPERM (this thread has not locked it). */
int
mutex_unlock(struct sync_mutex *mutex, const struct robust_locker *locker);

/* What it guards is in order again. Errors: -EPERM, -EINVAL (it was). */
int
mutex_consistent(struct sync_mutex *mutex, const struct robust_locker *locker);

/* Has this thread locked it? */
bool
mutex_is_mine(const struct sync_mutex *mutex,
	      const struct robust_locker *locker);

/* Is there something to be told by locking it: that its owner is dead, or that
   it is lost? */
bool
mutex_has_news(const struct sync_mutex *mutex,
	       const struct robust_locker *locker);

#endif
