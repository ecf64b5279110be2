/* SPDX-License-Identifier: MIT */
/* Layer 10. May include: base claims answers lane rest taking bell. */
/*
 * The receiving end of a handle: choosing a lane, and waiting for a message.
 */
#ifndef CUBBY_RECEIVER_H
#define CUBBY_RECEIVER_H

#include "base.h"
#include "answers.h"
#include "bell.h"
#include "claims.h"
#include "lane.h"
#include "rest.h"
#include "taking.h"

/* Joins the receivers, repairs what the slot's last owner left. Errors: -EUSERS
   -ENOSPC -ENOMEM and the kernel's. */
int
receiver_open(struct view *view, bool trusts, struct receiver *ret);

/* Gives back what is held, leaves. */
void
receiver_close(struct receiver *receiver);
void
receiver_forget(struct receiver *receiver);

static inline void
receiver_enter(struct receiver *receiver)
{
	exclusion_enter(&receiver->exclusion);
}

static inline void
receiver_leave(struct receiver *receiver)
{
	exclusion_leave(&receiver->exclusion);
}

/*
 * Grants the wish, waiting until the deadline. Entered before, and left after.
 * Errors: -EAGAIN -ETIMEDOUT -EINTR -EMSGSIZE (wish->taken.size tells) -EBADMSG
 * -ENOSPC -ENOMEM.
 */
int
receiver_grant(struct receiver *receiver, struct wish *wish, int64_t deadline);

/*
 * The end of a handle as one of several: see rest.h. Each enters and leaves by
 * itself. look, announce, retract: 1: a message, 0: none, or what the next
 * receive is to tell. announce: only 0 announces; retract takes back what did,
 * `slept` as doorbell_sleep() says it of this end alone.
 */
int
receiver_look(struct receiver *receiver, enum look how);
int
receiver_announce(struct receiver *receiver, struct rest *ret);
void
receiver_settle(struct receiver *receiver, struct rest *rest, bool fenced);
int
receiver_retract(struct receiver *receiver, struct rest *rest, int slept);

/* A wish for a batch has been granted in part: is there more, without waiting?
   False: no, or it is full. */
bool
receiver_grant_more(struct receiver *receiver, struct wish *wish);

/* Words of bits that have those of the lanes known, and of one more. */
static FAST uint32_t
receiver_words(const struct receiver *receiver)
{
	uint32_t words = receiver->known / 64 + 1;

	return words > LANES_MAX / 64 ? LANES_MAX / 64 : words;
}

/* Looks at ringing lanes in vain, after which those that are quiet are cooled. */
#define COOL_EVERY 4096

/* Cools them: see receiver_cool.c. */
void
receiver_cool(struct receiver *receiver);

/* Its descriptor: as sender_hang() and sender_arm(). */
void
receiver_hang(struct receiver *receiver, const struct bell *bell);
int
receiver_arm(struct receiver *receiver, int64_t *ret_slice);

/* The lane whose turn it is, if nothing comes before it; or NULL. */
static FAST struct lane_reader *
receiver_turn(struct receiver *receiver)
{
	if (unlikely(claims_returned(receiver->view) != receiver->returned) ||
	    unlikely(!receiver->burst))
		return NULL;
	receiver->burst--;
	return receiver->turn;
}

/*
 * Looks for a moment at the lane whose turn it is, if it is biased towards us, nothing
 * has come on it, and it is the only one that has had messages of late: quicker than
 * at everything. NULL: there was none, or one is there already.
 */
struct lane_reader *
receiver_await_turn(struct receiver *receiver);

/* A look of one's own: at all lanes, new ones too, and at holders' lives.
   Returns how many messages of dead holders went back. */
uint32_t
receiver_sweep(struct receiver *receiver);

#endif
