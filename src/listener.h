/* SPDX-License-Identifier: MIT */
/* Layer 10. May include: base exclusion rest broadcast heard bell. */
/*
 * The receiving end of a handle of a broadcast mailbox: in the audience, hearing
 * all lanes, and waiting for a message on one of them.
 */
#ifndef CUBBY_LISTENER_H
#define CUBBY_LISTENER_H

#include "base.h"
#include "bell.h"
#include "heard.h"
#include "rest.h"

/*
 * Joins the audience: with the last `history` messages of each sender that are
 * still there, and all that are sent from now on. Errors: -EUSERS -ENOSPC
 * -ENOMEM and the kernel's.
 */
int
listener_open(struct view *view, uint64_t history, bool trusts,
	      struct listener *ret);
void
listener_close(struct listener *listener);

/* In a child after fork(). */
void
listener_forget(struct listener *listener);

static inline void
listener_enter(struct listener *listener)
{
	exclusion_enter(&listener->exclusion);
}

static inline void
listener_leave(struct listener *listener)
{
	exclusion_leave(&listener->exclusion);
}

/*
 * Grants the wish, waiting until the deadline. Entered before, and left after.
 * Errors: -EAGAIN -ETIMEDOUT -EINTR -EMSGSIZE (wish->taken.size tells) -EBADMSG
 * -ENOSPC -ENOMEM.
 */
int
listener_grant(struct listener *listener, struct wish *wish, int64_t deadline);

/* Of a batch: one more message, if there is one and it fits in. */
bool
listener_grant_more(struct listener *listener, struct wish *wish);

/* As one of several: see rest.h, and struct operations. */
int
listener_look(struct listener *listener, enum look how);
int
listener_announce(struct listener *listener, struct rest *ret);
void
listener_settle(struct listener *listener, struct rest *rest, bool fenced);
int
listener_retract(struct listener *listener, struct rest *rest, int slept);

/* Its descriptor: as receiver_hang() and receiver_arm(). */
void
listener_hang(struct listener *listener, const struct bell *bell);
int
listener_arm(struct listener *listener, int64_t *ret_slice);

/* The lane, opened if it has to be; NULL: there is none that can be read. */
struct heard *
listener_lane(struct listener *listener, uint32_t lane);

#endif
