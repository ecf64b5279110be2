/* SPDX-License-Identifier: MIT */
/* Layer 11. May include: base envelope parcel rest sender broadcast listener handle lanes broadcast_calls. */
/*
 * From a handle to its two ends: a sender, which has a lane as in any mailbox of
 * order sender, and a listener.
 *
 * A message is received by all: none goes back, so there is no reject. A sender
 * that waits until its message has been received waits for the audience; where
 * the slow are overtaken there is nothing to wait for.
 */
#include "base.h"
#include "broadcast.h"
#include "broadcast_calls.h"
#include "envelope.h"
#include "lanes.h"
#include "listener.h"

static int
broadcast_open(struct cubby_mailbox *mailbox, uint32_t roles,
	       const struct cubby_options *options, bool trusts)
{
	int r = 0;

	/* The plain case of a receive asks it, and finds nothing there. */
	mailbox->receiver.view = &mailbox->view;
	if (roles & CUBBY_RECEIVE)
		r = listener_open(&mailbox->view, options->history, trusts,
				  &mailbox->listener);
	if (r < 0)
		return r;
	mailbox->roles |= roles & CUBBY_RECEIVE;
	if (roles & CUBBY_SEND)
		r = sender_open(&mailbox->view, options->sender, NULL,
				&mailbox->sender);
	if (r < 0)
		return r;
	mailbox->roles |= roles & CUBBY_SEND;
	return 0;
}

static void
broadcast_close(struct cubby_mailbox *mailbox)
{
	if (mailbox->roles & CUBBY_SEND)
		sender_close(&mailbox->sender);
	if (mailbox->roles & CUBBY_RECEIVE)
		listener_close(&mailbox->listener);
}

static void
broadcast_forget(struct cubby_mailbox *mailbox)
{
	if (mailbox->roles & CUBBY_SEND)
		sender_forget(&mailbox->sender);
	if (mailbox->roles & CUBBY_RECEIVE)
		listener_forget(&mailbox->listener);
}

static int
broadcast_send(struct cubby_mailbox *mailbox, const void *data,
	       const struct parcel *parcel, bool synchronous, int64_t deadline,
	       struct sent *ret)
{
	if (synchronous && !broadcast_waits(&mailbox->view))
		return -EOPNOTSUPP;
	return lanes_send(mailbox, data, parcel, synchronous, deadline, ret);
}

static int
broadcast_wait_received(struct cubby_mailbox *mailbox, uint64_t sequence,
			int64_t deadline)
{
	if (!broadcast_waits(&mailbox->view))
		return -EOPNOTSUPP;
	return lanes_wait_received(mailbox, sequence, deadline);
}

static int
broadcast_receive(struct cubby_mailbox *mailbox, struct wish *wish,
		  int64_t deadline)
{
	struct listener *listener = &mailbox->listener;
	int r;

	if (wish->matching || wish->region)
		return -EOPNOTSUPP;
	listener_enter(listener);
	r = listener_grant(listener, wish, deadline);
	listener_leave(listener);
	return r;
}

static int
broadcast_receive_batch(struct cubby_mailbox *mailbox, struct wish *wish,
			int64_t deadline)
{
	struct listener *listener = &mailbox->listener;
	int r;

	if (wish->matching)
		return -EOPNOTSUPP;
	listener_enter(listener);
	r = listener_grant(listener, wish, deadline);
	if (likely(r == 0))
		do
			envelope_enter(wish);
		while (listener_grant_more(listener, wish));
	listener_leave(listener);
	return r;
}

static int
broadcast_sender_name(struct cubby_mailbox *mailbox, uint64_t sender,
		      char ret[SENDER_NAME_MAX + 1])
{
	struct listener *listener = &mailbox->listener;
	const struct heard *heard = NULL;

	listener_enter(listener);
	if (sender <= LANES_MAX)
		heard = listener_lane(listener, (uint32_t)sender - 1);
	if (heard)
		memcpy(ret, heard->reader.name, sizeof(heard->reader.name));
	listener_leave(listener);
	return heard ? 0 : -EINVAL;
}

static int
broadcast_release(struct cubby_mailbox *mailbox, struct cubby_message *message)
{
	int r;

	listener_enter(&mailbox->listener);
	r = heard_release(&mailbox->listener, message);
	listener_leave(&mailbox->listener);
	return r;
}

/* As one of several ------------------------------------------------------ */

static int
broadcast_look(struct cubby_mailbox *mailbox, uint32_t role, enum look how)
{
	return role == CUBBY_RECEIVE ? listener_look(&mailbox->listener, how) :
				       sender_look(&mailbox->sender);
}

static int
broadcast_announce(struct cubby_mailbox *mailbox, uint32_t role,
		   struct rest *ret)
{
	return role == CUBBY_RECEIVE ?
	       listener_announce(&mailbox->listener, ret) :
	       sender_announce(&mailbox->sender, ret);
}

static void
broadcast_settle(struct cubby_mailbox *mailbox, uint32_t role,
		 struct rest *rest, bool fenced)
{
	if (role == CUBBY_RECEIVE)
		listener_settle(&mailbox->listener, rest, fenced);
	else
		sender_settle(&mailbox->sender, rest, fenced);
}

static int
broadcast_retract(struct cubby_mailbox *mailbox, uint32_t role,
		  struct rest *rest, int slept)
{
	return role == CUBBY_RECEIVE ?
	       listener_retract(&mailbox->listener, rest, slept) :
	       sender_retract(&mailbox->sender, rest, slept);
}

static void
broadcast_hang(struct cubby_mailbox *mailbox, uint32_t role,
	       const struct bell *bell)
{
	if (role == CUBBY_RECEIVE)
		listener_hang(&mailbox->listener, bell);
	else
		sender_hang(&mailbox->sender, bell);
}

static int
broadcast_arm(struct cubby_mailbox *mailbox, uint32_t role, int64_t *ret_slice)
{
	return role == CUBBY_RECEIVE ?
	       listener_arm(&mailbox->listener, ret_slice) :
	       sender_arm(&mailbox->sender, ret_slice);
}

const struct operations broadcast_operations = {
	.open = broadcast_open,
	.close = broadcast_close,
	.forget = broadcast_forget,
	.send = broadcast_send,
	.wait_received = broadcast_wait_received,
	.published = lanes_published,
	.reserve = lanes_reserve,
	.commit = lanes_commit,
	.abort = lanes_abort,
	.receive = broadcast_receive,
	.sender_name = broadcast_sender_name,
	.release = broadcast_release,
	.send_batch = lanes_send_batch,
	.receive_batch = broadcast_receive_batch,
	.look = broadcast_look,
	.announce = broadcast_announce,
	.settle = broadcast_settle,
	.retract = broadcast_retract,
	.hang = broadcast_hang,
	.arm = broadcast_arm,
};
