/* SPDX-License-Identifier: MIT */
/* Layer 1. May include: base atomics guard. */
/*
 * A table of guards, which the handler reads without a lock.
 *
 * Guards lie in chunks that are never moved or freed, so a handler may look at
 * any slot below `used` at any time. `state` is one word, {generation, armed,
 * handlers at work}:
 *
 *	add	fills a free slot, then arms it			(release)
 *	handler	finds it armed, compares the addresses, then adds itself to
 *		that very state by CAS; works; subtracts itself
 *	remove	takes it from {g, armed, 0 handlers} to {g+1, free} by CAS
 *
 * Why a handler never acts on addresses of another life of the slot: if its CAS
 * succeeded, the generation is the one under which it read them, and the
 * removal, which needs 0 handlers, comes later in the order of that word than
 * the handler's subtraction. So the addresses it read were still the old ones,
 * and the mapping is not unmapped (and the address not given to others) before
 * the handler is done.
 *
 * The lock is for add and remove. It lies, with the count and all chunks, in
 * MADV_WIPEONFORK memory: a child, even one of raw clone() at a bad moment,
 * finds it open, no slot used, and all guards gone, as the mappings are gone.
 * (All zeros is an unlocked mutex in glibc and in musl.) The pointers to that
 * memory, and what the previous handler was, are inherited, and so is the
 * handler itself.
 *
 * A page at a time keeps what is sound readable. But each page splits the
 * mapping, and who wants to harm us punches a hole in every second page until
 * the process has no mapping left (vm.max_map_count): so after PAGES_SINGLY
 * faults all of the mapping is replaced at once.
 *
 * What would break this: touching a guarded mapping in the handler; a guard
 * removed by a child that did not add it; unmapping before guard_remove();
 * unloading the library (it is linked with -z nodelete).
 */
#include "base.h"
#include "guard.h"
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#define CHUNK_GUARDS 1024
#define CHUNKS 256 /* more than vm.max_map_count lets exist */
#define PAGES_SINGLY 8

#define STATE_HANDLER UINT64_C(1)
#define STATE_HANDLERS ((UINT64_C(1) << 24) - 1)
#define STATE_ARMED (UINT64_C(1) << 24)
#define STATE_LIFE (UINT64_C(1) << 25) /* one generation */
#define STATE_LIVES (~(STATE_LIFE - 1))

/* Wiped in a child. */
struct table {
	pthread_mutex_t lock;
	word64 used;	    /* slots that were ever taken */
	struct guard *free; /* those of them that were given back */
};

/* Ordinary memory: addresses, inherited by a child. */
static word64 table_address;
static word64 chunk_addresses[CHUNKS];

/* Written once under the lock, before the handler is installed. */
static struct {
	struct sigaction action;
	uint64_t page_size;
} before;
static word32 before_written;
static word32 before_called;

/* The handler ------------------------------------------------------------ */

/* NULL: no guard has been added yet. */
static struct table *
the_table(void)
{
	/* GUARD-A3 acquire: its address, then the table. Pairs with
	   GUARD-X4. */
	return (void *)(uintptr_t)word64_load_acquire(&table_address);
}

static struct guard *
slot(uint64_t index)
{
	uint64_t chunk;

	/* relaxed: written before `used` grew over it (GUARD-R1, GUARD-A1) */
	chunk = word64_load_relaxed(&chunk_addresses[index / CHUNK_GUARDS]);
	return (struct guard *)(uintptr_t)chunk + index % CHUNK_GUARDS;
}

/* True: the guard covers address and cannot be removed before unpin(). */
static bool
pin(struct guard *guard, uint64_t address)
{
	uint64_t state, found;

	/* GUARD-A2 acquire: armed, then its addresses. Pairs with GUARD-R2. */
	state = word64_load_acquire(&guard->state);
	if (!(state & STATE_ARMED))
		return false;
	/* relaxed: proved by the CAS to be those of this generation */
	if (address < word64_load_relaxed(&guard->start) ||
	    /* relaxed: as above */
	    address >= word64_load_relaxed(&guard->end))
		return false;
	found = state;
	/* Only other handlers may have changed it meanwhile. */
	while (!((found ^ state) & ~STATE_HANDLERS)) {
		/* GUARD-X1 acq_rel: before a removal, which waits for
		   GUARD-X2, or not at all. Pairs with GUARD-X3. */
		if (word64_cas_acq_rel(&guard->state, &found,
				       found + STATE_HANDLER))
			return true;
	}
	return false;
}

static void
unpin(struct guard *guard)
{
	uint64_t state;

	/* relaxed: a first guess for the CAS */
	state = word64_load_relaxed(&guard->state);
	/* GUARD-X2 acq_rel: all done before it is let go. Pairs with
	   GUARD-X3. */
	while (!word64_cas_acq_rel(&guard->state, &state,
				   state - STATE_HANDLER))
		;
}

static struct guard *
find(uint64_t address)
{
	struct table *table;
	struct guard *guard;
	uint64_t i, used;

	table = the_table();
	if (!table)
		return NULL;
	/* GUARD-A1 acquire: the count, then the chunks. Pairs with GUARD-R1. */
	used = word64_load_acquire(&table->used);
	for (i = 0; i < used; i++) {
		guard = slot(i);
		if (pin(guard, address))
			return guard;
	}
	return NULL;
}

static bool
map_zeros(const struct guard *guard, uint64_t from, uint64_t to)
{
	void *at = (void *)(uintptr_t)from;
	int prot;

	/* relaxed: pinned, so it stays as it is */
	prot = (int)word32_load_relaxed(&guard->prot);
	if (mmap(at, to - from, prot,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1,
		 0) == MAP_FAILED)
		return false;
	/* Without it a child would merely keep some zeros. */
	madvise(at, to - from, MADV_DONTFORK);
	return true;
}

/* Answers a fault in a guarded mapping; false: it is in none, or the kernel
   has no mapping left. */
static bool
answer(uint64_t address)
{
	struct guard *guard = find(address);
	uint64_t page;
	bool answered = false;

	if (!guard)
		return false;
	page = round_down(address, before.page_size);
	/* GUARD-X5 acq_rel: broken, then zeros. Pairs with GUARD-F1. */
	if (word32_add_acq_rel(&guard->broken, 1) < PAGES_SINGLY)
		answered = map_zeros(guard, page, page + before.page_size);
	if (!answered)
		/* relaxed: pinned, so they stay as they are */
		answered = map_zeros(guard, word64_load_relaxed(&guard->start),
				     /* relaxed: as above */
				     word64_load_relaxed(&guard->end));
	unpin(guard);
	return answered;
}

/* The default action, at once if this is a fault (which is raised again when
   the handler returns), else as soon as the handler has returned. */
static void
act_by_default(int signal, bool is_fault)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = SIG_DFL;
	sigaction(signal, &action, NULL);
	if (!is_fault)
		raise(signal);
}

/* Does what would have been done without us. */
static void
chain(int signal, siginfo_t *info, void *context)
{
	const struct sigaction *action = &before.action;
	/* Raised by an instruction, that is: not sent by a process, nor the
	   news of a memory error that nobody has touched yet. */
	bool is_fault = info->si_code > 0 && info->si_code != BUS_MCEERR_AO;
	bool is_spent = false;

	if (action->sa_flags & (int)SA_RESETHAND)
		/* GUARD-X6 acq_rel: one call has it. Pairs with GUARD-X6. */
		is_spent = word32_add_acq_rel(&before_called, 1) > 0;

	if (action->sa_handler == SIG_IGN && !is_fault)
		return;
	if (action->sa_handler == SIG_DFL || action->sa_handler == SIG_IGN ||
	    is_spent)
		act_by_default(signal, is_fault);
	else if (action->sa_flags & SA_SIGINFO)
		action->sa_sigaction(signal, info, context);
	else
		action->sa_handler(signal);
}

static void
handle(int signal, siginfo_t *info, void *context)
{
	int saved_errno = errno;
	bool answered;

	/* GUARD-A4 acquire: `before` is whole. Pairs with GUARD-R4. */
	if (!word32_load_acquire(&before_written))
		return;
	answered = info->si_code == BUS_ADRERR &&
		   answer((uintptr_t)info->si_addr);
	errno = saved_errno;
	if (!answered)
		chain(signal, info, context);
}

/* Adding and removing ---------------------------------------------------- */

/* Zeros that are zeros again in a child; NULL: errno tells. */
static void *
map_wiped(size_t size)
{
	void *memory;
	int error;

	memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return NULL;
	if (!madvise(memory, size, MADV_WIPEONFORK))
		return memory;
	error = errno;
	munmap(memory, size);
	errno = error;
	return NULL;
}

/* Makes it if there is none; NULL: errno tells. */
static struct table *
make_table(void)
{
	struct table *table = the_table();
	uint64_t found = 0;

	if (table)
		return table;
	table = map_wiped(sizeof(*table));
	if (!table)
		return NULL;
	/* GUARD-X4 acq_rel: the table, then its address. Pairs with GUARD-A3,
	   GUARD-X4. */
	if (word64_cas_acq_rel(&table_address, &found, (uintptr_t)table))
		return table;
	munmap(table, sizeof(*table)); /* another thread has made it */
	return (struct table *)(uintptr_t)found;
}

/*
 * The previous handler's mask and SA_NODEFER are made ours, so that to chain
 * is to call it.
 */
static int
install(void)
{
	struct sigaction action;

	/* relaxed: written under the lock that is held */
	if (!word32_load_relaxed(&before_written)) {
		if (sigaction(SIGBUS, NULL, &before.action))
			return -errno;
		before.page_size = (uint64_t)sysconf(_SC_PAGESIZE);
		/* GUARD-R4 release: `before` is whole. Pairs with GUARD-A4. */
		word32_store_release(&before_written, 1);
	}
	memset(&action, 0, sizeof(action));
	action.sa_sigaction = handle;
	action.sa_mask = before.action.sa_mask;
	action.sa_flags = SA_SIGINFO | SA_ONSTACK |
			  (before.action.sa_flags & (SA_NODEFER | SA_RESTART));
	return sigaction(SIGBUS, &action, NULL) ? -errno : 0;
}

/* A slot that nobody has; NULL: no memory. Under the lock. */
static struct guard *
take_slot(struct table *table)
{
	struct guard *guard = table->free;
	uint64_t used, chunk;
	word64 *address;

	if (guard) {
		table->free = guard->next;
		return guard;
	}
	/* relaxed: written under the lock that is held */
	used = word64_load_relaxed(&table->used);
	if (used == (uint64_t)CHUNKS * CHUNK_GUARDS)
		return NULL;
	address = &chunk_addresses[used / CHUNK_GUARDS];
	/* relaxed: written under the lock that is held, here or in a parent */
	if (!word64_load_relaxed(address)) {
		chunk = (uintptr_t)map_wiped(CHUNK_GUARDS *
					     sizeof(struct guard));
		if (!chunk)
			return NULL;
		/* relaxed: published by GUARD-R1 */
		word64_store_relaxed(address, chunk);
	}
	/* GUARD-R1 release: the chunk, then the count. Pairs with GUARD-A1. */
	word64_store_release(&table->used, used + 1);
	return slot(used);
}

static void
arm(struct guard *guard, void *address, size_t length, int prot)
{
	uint64_t start = (uintptr_t)address;
	uint64_t state;

	/* relaxed: the slot is free, and GUARD-R2 publishes what follows */
	state = word64_load_relaxed(&guard->state);
	/* relaxed: as above */
	word64_store_relaxed(&guard->start, start);
	/* relaxed: as above */
	word64_store_relaxed(&guard->end,
			     start + round_up(length, before.page_size));
	/* relaxed: as above */
	word32_store_relaxed(&guard->prot, (uint32_t)prot);
	/* relaxed: as above */
	word32_store_relaxed(&guard->broken, 0);
	/* GUARD-R2 release: the addresses, then armed. Pairs with GUARD-A2. */
	word64_store_release(&guard->state, state | STATE_ARMED);
}

int
guard_add(void *address, size_t length, int prot, struct guard **ret)
{
	static bool is_installed; /* under the lock; a child inherits it */
	struct table *table = make_table();
	struct guard *guard;
	int error = 0;

	if (!table)
		return errno == EAGAIN ? -ENOMEM : -errno;
	pthread_mutex_lock(&table->lock);
	if (!is_installed) {
		error = install();
		if (error)
			goto unlock;
		is_installed = true;
	}
	guard = take_slot(table);
	if (!guard) {
		error = -ENOMEM;
		goto unlock;
	}
	arm(guard, address, length, prot);
	*ret = guard;
unlock:
	pthread_mutex_unlock(&table->lock);
	return error;
}

/* False: it was not armed. */
static bool
disarm(struct guard *guard)
{
	uint64_t state;

	for (;;) {
		/* relaxed: the CAS looks again */
		state = word64_load_relaxed(&guard->state);
		if (!(state & STATE_ARMED))
			return false;
		/* GUARD-X3 acq_rel: after the last handler's work. Pairs with
		   GUARD-X1, GUARD-X2. */
		if (!(state & STATE_HANDLERS) &&
		    word64_cas_acq_rel(&guard->state, &state,
				       (state & STATE_LIVES) + STATE_LIFE))
			return true;
		cpu_relax();
	}
}

void
guard_remove(struct guard *guard)
{
	struct table *table = the_table();

	if (!guard)
		return;
	pthread_mutex_lock(&table->lock);
	if (disarm(guard)) {
		guard->next = table->free;
		table->free = guard;
	}
	pthread_mutex_unlock(&table->lock);
}

/* The lock may be another thread's, which is not here to open it: it is made
   anew, as the wiping would. */
void
guard_forget_parent(void)
{
	struct table *table = the_table();
	uint64_t i, used;

	if (!table)
		return;
	/* relaxed: a child has no other threads yet */
	used = word64_load_relaxed(&table->used);
	for (i = 0; i < used; i++)
		memset(slot(i), 0, sizeof(struct guard));
	memset(table, 0, sizeof(*table));
}
