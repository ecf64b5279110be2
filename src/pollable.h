/* SPDX-License-Identifier: MIT */
/* Layer 12. May include: base handle. */
/*
 * The descriptors of a handle: cubby_fd().
 */
#ifndef CUBBY_POLLABLE_H
#define CUBBY_POLLABLE_H

#include "base.h"
#include "handle.h"

/* A call on that end has found nothing, and its descriptor (if it has one) is
   to tell when there is something. Does not block. */
void
pollable_arm(struct cubby_mailbox *mailbox, uint32_t role);

/* Is there one? Any thread may just have made it; then it is armed. */
static inline bool
pollable_is_there(const struct cubby_mailbox *mailbox, uint32_t role)
{
	/* POLL-A1 acquire: what is to be armed. Pairs with POLL-R1. */
	return word32_load_acquire(&mailbox->pollables.roles) & role;
}

/* The result of a call on that end, which is passed on. */
static inline int
pollable_told(struct cubby_mailbox *mailbox, uint32_t role, int r)
{
	if (unlikely(r == -EAGAIN || r == -ETIMEDOUT || r == -EINTR ||
		     r == -EPIPE) &&
	    unlikely(pollable_is_there(mailbox, role)))
		pollable_arm(mailbox, role);
	return r;
}

/* Takes them down: before the handle leaves its ends. */
void
pollable_close(struct cubby_mailbox *mailbox);

/* In a child after fork(): the descriptors alone. */
void
pollable_forget(struct cubby_mailbox *mailbox);

#endif
