/* SPDX-License-Identifier: MIT */
/* Layer 1. May include: base atomics. */
/*
 * SIGBUS in a guarded mapping is answered by a page of zeros and a flag.
 *
 * A file that another user may write can be cut short under us, or have a hole
 * where a full tmpfs has no page to give. Touching it raises SIGBUS. A handler,
 * installed once and chained to what was there before, answers for guarded
 * mappings alone: it maps an anonymous zero page with the mapping's protection
 * over the faulting page and marks the guard broken. Any other SIGBUS goes to
 * the previous handler, or to the default action.
 *
 * A child after fork(), vfork aside, has no guards: all that is known of them
 * lies in memory that the kernel wipes in it, as it takes the mappings away. Where
 * that is told but not done, guard_forget_parent() does it.
 */
#ifndef CUBBY_GUARD_H
#define CUBBY_GUARD_H

#include "base.h"
#include "atomics.h"

/*
 * One guarded mapping, in private memory. Nothing of it is for others than
 * guard.c; it is told here so that guard_is_broken() costs one load.
 *
 * field	written by		read by
 * broken	handlers		anyone
 * state	add, remove, handlers	add, remove, handlers; see guard.c
 * start, end,	add, before it arms	handlers that have found it armed
 *   prot	  the guard
 * next		add, remove (lock)	add (lock)
 */
struct guard {
	word64 state;
	word64 start;
	word64 end;
	word32 prot;
	word32 broken;	    /* faults that were answered */
	struct guard *next; /* of those that are free */
};

/*
 * Guards length bytes at address, mapped with protection prot. Installs the
 * handler at the first use in a process. Errors: -ENOMEM, and those of
 * madvise and sigaction.
 */
int
guard_add(void *address, size_t length, int prot, struct guard **ret);

/* Ends it; NULL is allowed. Call before munmap, and only in the process that
   added it. Waits for a handler that is at work on this very guard. */
void
guard_remove(struct guard *guard);

/* For a child after fork() whose memory was not wiped, before it has threads:
   the parent's guards are not its own. */
void
guard_forget_parent(void);

/*
 * Has a fault been answered in it? Who asks in order to know whether bytes that he
 * has read were the file's asks after reading them: the flag is set before the
 * zeros appear.
 */
static inline bool
guard_is_broken(const struct guard *guard)
{
	/* GUARD-F1 acquire: what was read, then broken. Pairs with GUARD-X5. */
	atomics_fence_acquire();
	/* relaxed: after GUARD-F1 */
	return word32_load_relaxed(&guard->broken) != 0;
}

#endif
