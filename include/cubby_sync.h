/* SPDX-License-Identifier: MIT */
#ifndef CUBBY_SYNC_H
#define CUBBY_SYNC_H
/*
 * Keeping the users of a region out of each other's way: a mutex, a condition,
 * a semaphore, of which nobody is held up for ever by one who has died.
 *
 *	struct shared {
 *		cubby_mutex mutex;
 *		cubby_condition filled;
 *		int items;
 *	} *s = cubby_region_data(region);
 *
 *	cubby_mutex_lock(region, &s->mutex, CUBBY_FOREVER);
 *	while (!s->items)
 *		cubby_condition_wait(region, &s->filled, &s->mutex,
 *				     CUBBY_FOREVER);
 *	s->items--;
 *	cubby_mutex_unlock(region, &s->mutex);
 *
 * Each object lies anywhere in a region (cubby_region_open(), with CUBBY_WRITE),
 * aligned to 8 bytes. All bytes zero is its first state (unlocked; nobody waits;
 * none to be had), so a new region needs no preparation. Nothing has to be
 * destroyed. Processes of 32 and of 64 bits, and of any PID namespaces, may
 * share it.
 *
 * Who dies
 *	with a mutex	The next who locks it gets -EOWNERDEAD, and the mutex:
 *			what it guards may be half changed. He puts it in order
 *			and says so, by cubby_mutex_consistent(). If he unlocks
 *			it without that, it is lost for all: -ENOTRECOVERABLE.
 *	while waiting	costs the others nothing; or, if he was just being
 *			woken, a delay: who sleeps here looks for himself after
 *			50 ms, and then, while nothing happens, at intervals that
 *			grow to a second.
 *	after a wait for a semaphore: what he has taken is gone. Nobody can know
 *			for whom it was; who must not lose it guards a count by
 *			a mutex and a condition.
 * A process that is stopped is not dead: others wait for its mutex until their
 * deadline. Death is learned from the kernel, never from a clock.
 *
 * Threads of one process may use one handle. What they lock is theirs alone, and
 * -EDEADLK and -EPERM are about the calling thread. A thread that ends with a
 * mutex locked while its process goes on is not found out: the mutex stays
 * locked until the process ends or closes the region. Who opens a region twice
 * is two: of a mutex that it has locked through one handle, the other handle
 * knows only that somebody alive has it.
 *
 * Why these are not pthread's, with PTHREAD_PROCESS_SHARED, which a region can
 * hold as well: a pthread_cond_t of glibc does not survive the death of one who
 * waits (others may then miss a signal, or hang in one); a robust
 * pthread_mutex_t knows its owner by a thread's number, which may be two
 * threads' in two PID namespaces; a sem_t forgets a wake-up that it has spent on
 * one who is killed. So all three here are cubby's own, on futexes; while nobody
 * waits, none makes a system call. Where threads are cancelled, where a mutex has
 * to pass on its waiters' priority, or where threads end with one locked, use
 * pthread's.
 *
 * Deadlines and results are as in cubby.h. The region's bytes are never trusted:
 * what others write into an object may make a call wait until its deadline or
 * tell something wrong, no more. Not safe to call from a signal handler.
 */
#include "cubby.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
	uint64_t words[4];
} cubby_mutex;

typedef struct {
	uint64_t words[4];
} cubby_condition;

typedef struct {
	uint64_t words[4];
} cubby_semaphore;

#define CUBBY_SEMAPHORE_MAX	INT32_C(0x3fffffff)

/* Mutex ------------------------------------------------------------------ */

/*
 * Locks the mutex; blocks while another has it, until the deadline. A signal
 * does not end the wait. -EOWNERDEAD is a success with a warning: the mutex is
 * locked, and its last owner has died with it.
 *
 * Errors: -EACCES (the region is attached for reading) -EAGAIN (deadline
 * CUBBY_NOW: another has it) -EBADMSG -ECHILD -EDEADLK (this thread has it)
 * -EINVAL (it does not lie in the region) -ENOTRECOVERABLE -EOWNERDEAD
 * -ETIMEDOUT.
 */
CUBBY_PUBLIC int
cubby_mutex_lock(cubby_region *region, cubby_mutex *mutex, int64_t deadline);

/*
 * Unlocks it, and wakes one who waits. Does not block.
 *
 * Errors: -EACCES -EBADMSG -ECHILD -EINVAL -EPERM (this thread has not locked
 * it).
 */
CUBBY_PUBLIC int
cubby_mutex_unlock(cubby_region *region, cubby_mutex *mutex);

/*
 * Says, after -EOWNERDEAD and before unlocking it, that what it guards is in
 * order. Does not block.
 *
 * Errors: -EACCES -EBADMSG -ECHILD -EINVAL (there was nothing to put in order)
 * -EPERM.
 */
CUBBY_PUBLIC int
cubby_mutex_consistent(cubby_region *region, cubby_mutex *mutex);

/* Condition -------------------------------------------------------------- */

/*
 * Unlocks the mutex, waits until it is signalled or the deadline passes, and
 * locks the mutex again, for as long as that takes, whatever is returned, but
 * for the errors below. It may also return for no reason (a signal handler is
 * one), so look at what you wait for in a loop. While one waits one is told if
 * the mutex's owner dies: -EOWNERDEAD, as by cubby_mutex_lock().
 *
 * Errors: -EAGAIN (deadline CUBBY_NOW; the mutex was not unlocked) -EOWNERDEAD
 * -ETIMEDOUT; and without the mutex -EACCES -EBADMSG -ECHILD -EINVAL
 * -ENOTRECOVERABLE -EPERM (this thread had not locked it).
 */
CUBBY_PUBLIC int
cubby_condition_wait(cubby_region *region, cubby_condition *condition,
		     cubby_mutex *mutex, int64_t deadline);

/*
 * Wakes one who waits, at least, if anybody does; best called, as with pthread,
 * by one who has the mutex or has just unlocked it. Does not block.
 *
 * Errors: -EACCES -EBADMSG -ECHILD -EINVAL.
 */
CUBBY_PUBLIC int
cubby_condition_signal(cubby_region *region, cubby_condition *condition);

/* The same for all who wait. Errors: -EACCES -EBADMSG -ECHILD -EINVAL. */
CUBBY_PUBLIC int
cubby_condition_broadcast(cubby_region *region, cubby_condition *condition);

/* Semaphore -------------------------------------------------------------- */

/*
 * Takes one of the semaphore's units; blocks while there is none, until the
 * deadline.
 *
 * Errors: -EACCES -EAGAIN (deadline CUBBY_NOW: there is none) -EBADMSG -ECHILD
 * -EINTR -EINVAL -ETIMEDOUT.
 */
CUBBY_PUBLIC int
cubby_semaphore_wait(cubby_region *region, cubby_semaphore *semaphore,
		     int64_t deadline);

/*
 * Adds a unit, and wakes one who waits. Does not block.
 *
 * Errors: -EACCES -EBADMSG -ECHILD -EINVAL -EOVERFLOW (CUBBY_SEMAPHORE_MAX are
 * there).
 */
CUBBY_PUBLIC int
cubby_semaphore_post(cubby_region *region, cubby_semaphore *semaphore);

/*
 * How many units there are just now; a region that is attached for reading will
 * do. Does not block.
 *
 * Errors: -EBADMSG -ECHILD -EINVAL.
 */
CUBBY_PUBLIC int
cubby_semaphore_value(cubby_region *region, const cubby_semaphore *semaphore,
		      uint32_t *ret_value);

#ifdef __cplusplus
}
#endif
#endif
