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
 */
#ifndef CUBBY_GUARD_H
#define CUBBY_GUARD_H

#include "base.h"
#include "atomics.h"

struct guard;	/* one guarded mapping, in private memory */

/*
 * Guards length bytes at address, mapped with protection prot. Installs the
 * handler at the first use in a process. Errors: -ENOMEM, and sigaction's.
 */
int
guard_add(void *address, size_t length, int prot, struct guard **ret);

/* Ends it; NULL is allowed. Call before munmap. */
void
guard_remove(struct guard *guard);

/* Has a fault been answered in it? One relaxed load. */
bool
guard_is_broken(const struct guard *guard);

/* In a child after fork(): forget the parent's mappings (they are DONTFORK). */
void
guard_forget_all(void);

#endif
