/* SPDX-License-Identifier: MIT */
/* Layer 3. May include: base atomics futex guard shm liveness. */
/*
 * Two questions about life: does that participant's process live (a lock that
 * its memory holds), and am I still the process that I was (a number that a
 * child does not inherit).
 *
 * The lock: open, map PROT_NONE, MADV_DONTFORK, lock, close. The lock belongs
 * to the open file description, and the mapping is its only holder. The mapping
 * goes when the memory does: by exit, exec or kill, and no earlier.
 *
 * The number lies in MADV_WIPEONFORK memory; a child reads 0 there, and makes
 * its own, one above the last that its line has had. That last one is a counter
 * in ordinary memory, raised before a number is used, so that a child forked
 * between the two cannot come to its parent's number.
 *
 * The lock that keeps fork() out of the open..close window lies in the wiped
 * page too: whoever is born finds it free, and nobody has to free it there.
 *
 * Some tell that they wipe, and do not (qemu-user). The forker holds that lock, so
 * a child of fork() sees by it whether it was wiped: if it is not free, the handler
 * of pthread_atfork() does the kernel's work, here and for the guards. Nothing
 * does it for a child of raw clone() there.
 *
 * What would break this: keeping a descriptor of the file beyond the window (a
 * child would inherit it, and hold the lock for a dead parent); a file system
 * without OFD locks; memory shared beyond fork() (CLONE_VM without
 * CLONE_THREAD): that is one participant, as long as one of them lives.
 */
#include "base.h"
#include "atomics.h"
#include "futex.h"
#include "guard.h"
#include "liveness.h"
#include "shm.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	FREE, /* what a child finds */
	LOCKED,
	AWAITED /* locked, and others sleep on it */
};

/* Wiped in a child. The number first: liveness_address points to it. */
struct identity {
	word64 process;
	word32 fork_lock; /* FREE, ... */
};

word64 liveness_address; /* of the identity */
static word64 last_process;

/* The process ------------------------------------------------------------ */

static struct identity *
identity(void)
{
	/* LIVENESS-A2 acquire: the address, then the page. Pairs with
	   LIVENESS-X1. */
	return (void *)(uintptr_t)word64_load_acquire(&liveness_address);
}

/* Makes the page; two threads may be at it. */
static int
make_identity(void)
{
	uint64_t none = 0;
	void *page;
	int error;

	if (identity())
		return 0;
	page = mmap(NULL, sizeof(struct identity), PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return shm_map_error(errno);
	error = madvise(page, sizeof(struct identity), MADV_WIPEONFORK) ?
			shm_map_error(errno) :
			0;
	/* LIVENESS-X1 acq_rel: the page, then its address. Pairs with
	   LIVENESS-A1, LIVENESS-A2. */
	if (error ||
	    !word64_cas_acq_rel(&liveness_address, &none, (uintptr_t)page))
		munmap(page, sizeof(struct identity));
	return error;
}

static uint64_t
next_process(void)
{
	uint64_t last, next;

	/* relaxed: a first guess for the CAS */
	last = word64_load_relaxed(&last_process);
	do
		next = counter_next(last, 64, START_COUNTER(64, 3));
	/* LIVENESS-X2 acq_rel: raised, then used. Pairs with LIVENESS-X2. */
	while (!word64_cas_acq_rel(&last_process, &last, next));
	return next;
}

uint32_t
liveness_pid_namespace(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) == 0 ? (uint32_t)st.st_ino : 0;
}

/* Keeping fork() out ----------------------------------------------------- */

static __thread sigset_t mask_before;
static __thread bool is_locked;
static int atfork_error;

/* All but those that the processor raises: blocked, they would kill. */
static void
block_signals(void)
{
	static const int kept[] = { SIGABRT, SIGBUS, SIGFPE, SIGILL,
				    SIGSEGV, SIGSYS, SIGTRAP };
	sigset_t mask;
	size_t i;

	sigfillset(&mask);
	for (i = 0; i < ARRAY_SIZE(kept); i++)
		sigdelset(&mask, kept[i]);
	pthread_sigmask(SIG_BLOCK, &mask, &mask_before);
}

/*
 * Not a pthread_mutex_t, which would have to be opened in the child by a thread
 * that has not locked it. No wake-up is lost:
 *
 *	who waits			who unlocks
 *	  LOCKED becomes AWAITED	  the word becomes FREE
 *	  sleeps while AWAITED		  if it was AWAITED: wakes one
 *
 * If the word becomes FREE first, the one that waits finds it so, or the kernel
 * does and lets it not sleep. If it became AWAITED first, it is seen, for both
 * change the same word by atomic operations. And who has slept takes the lock
 * as AWAITED, for he cannot know who else sleeps.
 */
void
liveness_fork_lock(void)
{
	word32 *lock = &identity()->fork_lock;
	uint32_t mine = LOCKED, found;

	block_signals();
	for (;;) {
		found = FREE;
		/* LIVENESS-X4 acq_rel: after the last owner. Pairs with
		   LIVENESS-X6. */
		if (word32_cas_acq_rel(lock, &found, mine))
			return;
		/* LIVENESS-X5 acq_rel: told before sleeping. Pairs with
		   LIVENESS-X6. */
		if (found == LOCKED &&
		    !word32_cas_acq_rel(lock, &found, AWAITED))
			continue;
		futex_wait(lock, AWAITED, INT64_MAX);
		mine = AWAITED;
	}
}

void
liveness_fork_unlock(void)
{
	word32 *lock = &identity()->fork_lock;
	uint32_t found = LOCKED;

	/* LIVENESS-X6 acq_rel: before the next owner. Pairs with LIVENESS-X4,
	   LIVENESS-X5. */
	while (!word32_cas_acq_rel(lock, &found, FREE))
		;
	if (found == AWAITED)
		futex_wake(lock, 1);
	pthread_sigmask(SIG_SETMASK, &mask_before, NULL);
}

static void
before_fork(void)
{
	/* Made here if need be: another thread may come to it while we fork. */
	is_locked = make_identity() == 0;
	if (is_locked)
		liveness_fork_lock();
}

static void
after_fork_in_parent(void)
{
	if (is_locked)
		liveness_fork_unlock();
}

/* The forker has the lock: if it is free here, the kernel has wiped it all, and
   what is there by now is this process's own. */
static void
forget_parent(struct identity *id)
{
	/* relaxed: written by the thread that forked, and no other is here */
	if (word32_load_relaxed(&id->fork_lock) == FREE)
		return;
	guard_forget_parent();
	/* relaxed: a child has no other threads yet */
	word64_store_relaxed(&id->process, 0);
	/* relaxed: as above */
	word32_store_relaxed(&id->fork_lock, FREE);
}

static void
after_fork_in_child(void)
{
	if (!is_locked)
		return;
	forget_parent(identity());
	pthread_sigmask(SIG_SETMASK, &mask_before, NULL);
}

/*
 * Before main(): what is registered first is called last before a fork(). A
 * program that takes a lock of its own before fork(), and also holds it around
 * cubby_open(), would else meet us in the opposite order, and stand still.
 */
static __attribute__((constructor)) void
register_atfork(void)
{
	atfork_error = pthread_atfork(before_fork, after_fork_in_parent,
				      after_fork_in_child);
}

int
liveness_init(void)
{
	uint64_t none = 0;
	int error;

	if (liveness_process())
		return 0;
	if (atfork_error)
		return -atfork_error;
	error = make_identity();
	if (error)
		return error;
	/* LIVENESS-X3 acq_rel: one number for all threads. Pairs with
	   LIVENESS-X3. */
	word64_cas_acq_rel(&identity()->process, &none, next_process());
	return 0;
}

/* The lock --------------------------------------------------------------- */

static struct flock
lock_of(short type, uint64_t byte)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET };

	lock.l_start = (off_t)byte;
	lock.l_len = 1;
	return lock;
}

/* Locks, through a mapping that a child does not get. */
static int
lock_page(int fd, void *page, short type, uint64_t byte)
{
	struct flock lock = lock_of(type, byte);

	if (madvise(page, 1, MADV_DONTFORK))
		return shm_map_error(errno);
	if (!fcntl(fd, F_OFD_SETLK, &lock))
		return 0;
	return errno == EACCES ? -EAGAIN : -errno;
}

static int
take_fd(int fd, short type, uint64_t byte, struct liveness *ret)
{
	void *page;
	int error;

	page = mmap(NULL, 1, PROT_NONE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		return shm_map_error(errno);
	error = lock_page(fd, page, type, byte);
	if (error) {
		munmap(page, 1);
		return error;
	}
	ret->page = page;
	ret->process = liveness_process();
	return 0;
}

int
liveness_take_fd(int fd, uint64_t byte, struct liveness *ret)
{
	return take_fd(fd, F_WRLCK, byte, ret);
}

static int
take_at(int dir, const char *name, short type, uint64_t byte,
	struct liveness *ret)
{
	int fd, error;

	error = liveness_init();
	if (error)
		return error;
	liveness_fork_lock();
	fd = shm_open_at(dir, name, O_RDWR, NULL);
	error = fd < 0 ? fd : take_fd(fd, type, byte, ret);
	if (fd >= 0)
		close(fd);
	liveness_fork_unlock();
	return error;
}

int
liveness_take_at(int dir, const char *name, uint64_t byte, struct liveness *ret)
{
	return take_at(dir, name, F_WRLCK, byte, ret);
}

int
liveness_share_at(int dir, const char *name, uint64_t byte,
		  struct liveness *ret)
{
	return take_at(dir, name, F_RDLCK, byte, ret);
}

void
liveness_drop(struct liveness *liveness)
{
	/* What lies there in a child is not ours. */
	if (liveness->page && liveness->process == liveness_process())
		munmap(liveness->page, 1);
	memset(liveness, 0, sizeof(*liveness));
}

static int
ask(int fd, short type, uint64_t byte)
{
	struct flock lock = lock_of(type, byte);

	if (fcntl(fd, F_OFD_GETLK, &lock))
		return -errno;
	return lock.l_type != F_UNLCK;
}

int
liveness_ask(int fd, uint64_t byte)
{
	return ask(fd, F_RDLCK, byte);
}

int
liveness_ask_shared(int fd, uint64_t byte)
{
	return ask(fd, F_WRLCK, byte);
}
