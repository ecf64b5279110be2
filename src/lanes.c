/* SPDX-License-Identifier: MIT */
/* Layer 11. May include: base envelope parcel rest sender taking receiver handle lanes. */
/*
 * From a handle to its two ends: a sender, which has a lane, and a receiver,
 * which looks at all of them. Each end is entered and left here.
 */
#include "base.h"
#include "envelope.h"
#include "lanes.h"
#include "taking.h"

static int
lanes_open(struct cubby_mailbox *mailbox, uint32_t roles,
	   const struct cubby_options *options, bool trusts)
{
	int r = 0;

	if (roles & CUBBY_RECEIVE)
		r = receiver_open(&mailbox->view, trusts, &mailbox->receiver);
	if (r < 0)
		return r;
	mailbox->receiver.inbox = mailbox->inbox;
	mailbox->roles |= roles & CUBBY_RECEIVE;
	if (roles & CUBBY_SEND)
		r = sender_open(&mailbox->view, options->sender,
				mailbox->inbox ? &mailbox->addressee : NULL,
				&mailbox->sender);
	if (r < 0)
		return r;
	mailbox->roles |= roles & CUBBY_SEND;
	return 0;
}

static void
lanes_close(struct cubby_mailbox *mailbox)
{
	if (mailbox->roles & CUBBY_SEND)
		sender_close(&mailbox->sender);
	if (mailbox->roles & CUBBY_RECEIVE)
		receiver_close(&mailbox->receiver);
}

static void
lanes_forget(struct cubby_mailbox *mailbox)
{
	if (mailbox->roles & CUBBY_SEND)
		sender_forget(&mailbox->sender);
	if (mailbox->roles & CUBBY_RECEIVE)
		receiver_forget(&mailbox->receiver);
}

/* Sending ---------------------------------------------------------------- */

/* The message is queued, and stays so. */
static int
wait_synchronous(struct sender *sender, uint64_t position, int64_t deadline)
{
	int r = sender_wait_passed(sender, position, deadline);

	return r == -EAGAIN || r == -ETIMEDOUT || r == -EINTR || r == -EPIPE ?
	       -EINPROGRESS : r;
}

int
lanes_send(struct cubby_mailbox *mailbox, const void *data,
	   const struct parcel *parcel, bool synchronous, int64_t deadline,
	   struct sent *ret)
{
	struct sender *sender = &mailbox->sender;
	uint64_t position;
	int r;

	sender_enter(sender);
	r = sender_wait_room(sender, deadline);
	if (likely(r == 0))
		r = sender_send(sender, parcel, data);
	if (likely(r == 0)) {
		position = sender->writer.position - 1;
		ret->sender = sender->writer.lane + 1;
		ret->sequence = position + 1;
		if (synchronous)
			r = wait_synchronous(sender, position, deadline);
	}
	sender_leave(sender);
	return r;
}

int
lanes_send_batch(struct cubby_mailbox *mailbox,
		 const struct cubby_batch_entry *entries, size_t count,
		 int64_t deadline)
{
	struct sender *sender = &mailbox->sender;
	size_t sent = 0;
	int r = 0;

	sender_enter(sender);
	while (r >= 0 && sent < count) {
		r = sender_wait_room(sender, deadline);
		if (likely(r == 0))
			r = sender_send_run(sender, entries + sent,
					    count - sent);
		if (likely(r > 0))
			sent += (size_t)r;
	}
	sender_leave(sender);
	return sent ? (int)sent : r;
}

int
lanes_wait_received(struct cubby_mailbox *mailbox, uint64_t sequence,
		    int64_t deadline)
{
	struct sender *sender = &mailbox->sender;
	int r;

	sender_enter(sender);
	if ((int64_t)(sender->writer.position - sequence) < 0)
		r = -EINVAL;
	else
		r = sender_wait_passed(sender, sequence - 1, deadline);
	sender_leave(sender);
	return r;
}

void
lanes_published(struct cubby_mailbox *mailbox, uint64_t *ret_sequence,
		uint64_t *ret_tag)
{
	sender_enter(&mailbox->sender);
	lane_last_published(&mailbox->sender.writer, ret_sequence, ret_tag);
	sender_leave(&mailbox->sender);
}

int
lanes_reserve(struct cubby_mailbox *mailbox, uint64_t size, int64_t deadline,
	      struct cubby_draft **ret_draft)
{
	struct sender *sender = &mailbox->sender;
	int r;

	sender_enter(sender);
	r = sender_wait_room(sender, deadline);
	if (r == 0)
		r = sender_reserve(sender, size, ret_draft);
	sender_leave(sender);
	return r;
}

int
lanes_commit(struct cubby_mailbox *mailbox, struct cubby_draft *draft,
	     const struct parcel *parcel, struct sent *ret)
{
	struct sender *sender = &mailbox->sender;
	int r;

	sender_enter(sender);
	r = lane_is_broken(&sender->writer) ? -EBADMSG : sender_check(sender);
	if (r == 0) {
		ret->sender = sender->writer.lane + 1;
		ret->sequence = sender->writer.position + 1;
		sender_commit(sender, draft, parcel);
	}
	sender_leave(sender);
	return r;
}

void
lanes_abort(struct cubby_mailbox *mailbox, struct cubby_draft *draft)
{
	sender_enter(&mailbox->sender);
	sender_abort(&mailbox->sender, draft);
	sender_leave(&mailbox->sender);
}

/* Receiving -------------------------------------------------------------- */

/* None has come on the lane whose turn it is: look there for a moment first. */
static void
await_quickly(struct receiver *receiver)
{
	if (!exclusion_is_needed())
		receiver_await_turn(receiver);
}

static int
lanes_receive(struct cubby_mailbox *mailbox, struct wish *wish,
	      int64_t deadline)
{
	struct receiver *receiver = &mailbox->receiver;
	int r;

	if (unlikely(wish->matching))
		return -EOPNOTSUPP;
	if (wish->kind == WISH_HOLD && deadline == CUBBY_FOREVER)
		await_quickly(receiver);
	receiver_enter(receiver);
	r = receiver_grant(receiver, wish, deadline);
	receiver_leave(receiver);
	return r;
}

static int
lanes_receive_batch(struct cubby_mailbox *mailbox, struct wish *wish,
		    int64_t deadline)
{
	struct receiver *receiver = &mailbox->receiver;
	int r;

	if (unlikely(wish->matching))
		return -EOPNOTSUPP;
	if (deadline == CUBBY_FOREVER)
		await_quickly(receiver);
	receiver_enter(receiver);
	r = receiver_grant(receiver, wish, deadline);
	if (likely(r == 0))
		do
			envelope_enter(wish);
		while (receiver_grant_more(receiver, wish));
	receiver_leave(receiver);
	return r;
}

static int
lanes_sender_name(struct cubby_mailbox *mailbox, uint64_t sender,
		  char ret[SENDER_NAME_MAX + 1])
{
	struct receiver *receiver = &mailbox->receiver;
	const struct lane_reader *reader;
	int r = -EINVAL;

	if (sender > LANES_MAX)
		return r;
	receiver_enter(receiver);
	reader = taking_lane(receiver, (uint32_t)sender - 1, &r);
	if (reader)
		memcpy(ret, reader->name, sizeof(reader->name));
	receiver_leave(receiver);
	/* No such lane; or what lies there is none, or is not ours to read. */
	return r == -ENOENT || r == -EBADMSG || r == -EACCES ? -EINVAL : r;
}

static int
lanes_release(struct cubby_mailbox *mailbox, struct cubby_message *message)
{
	int r;

	receiver_enter(&mailbox->receiver);
	r = taking_release(&mailbox->receiver, message);
	receiver_leave(&mailbox->receiver);
	return r;
}

static void
lanes_reject(struct cubby_mailbox *mailbox, struct cubby_message *message)
{
	receiver_enter(&mailbox->receiver);
	taking_reject(&mailbox->receiver, message);
	receiver_leave(&mailbox->receiver);
}

/* Requests and replies --------------------------------------------------- */

static word64 *
lanes_reply_word(struct cubby_mailbox *mailbox)
{
	return &mailbox->sender.writer.file->reply;
}

static int
lanes_check(struct cubby_mailbox *mailbox)
{
	struct sender *sender = &mailbox->sender;
	int r;

	sender_enter(sender);
	r = lane_is_broken(&sender->writer) ? -EBADMSG : sender_check(sender);
	sender_leave(sender);
	return r;
}

static int
lanes_reply(struct cubby_mailbox *mailbox, uint64_t sender, uint64_t reference,
	    const void *data, size_t size)
{
	struct receiver *receiver = &mailbox->receiver;
	int r;

	receiver_enter(receiver);
	r = answers_reply(&receiver->answers, sender, reference, data, size);
	receiver_leave(receiver);
	return r;
}

/* As one of several ------------------------------------------------------ */

static int
lanes_look(struct cubby_mailbox *mailbox, uint32_t role, enum look how)
{
	return role == CUBBY_RECEIVE ? receiver_look(&mailbox->receiver, how) :
				       sender_look(&mailbox->sender);
}

static int
lanes_announce(struct cubby_mailbox *mailbox, uint32_t role, struct rest *ret)
{
	return role == CUBBY_RECEIVE ?
	       receiver_announce(&mailbox->receiver, ret) :
	       sender_announce(&mailbox->sender, ret);
}

static void
lanes_settle(struct cubby_mailbox *mailbox, uint32_t role, struct rest *rest,
	     bool fenced)
{
	if (role == CUBBY_RECEIVE)
		receiver_settle(&mailbox->receiver, rest, fenced);
	else
		sender_settle(&mailbox->sender, rest, fenced);
}

static int
lanes_retract(struct cubby_mailbox *mailbox, uint32_t role, struct rest *rest,
	      int slept)
{
	return role == CUBBY_RECEIVE ?
	       receiver_retract(&mailbox->receiver, rest, slept) :
	       sender_retract(&mailbox->sender, rest, slept);
}

/* Its descriptors -------------------------------------------------------- */

static void
lanes_hang(struct cubby_mailbox *mailbox, uint32_t role,
	   const struct bell *bell)
{
	if (role == CUBBY_RECEIVE)
		receiver_hang(&mailbox->receiver, bell);
	else
		sender_hang(&mailbox->sender, bell);
}

static int
lanes_arm(struct cubby_mailbox *mailbox, uint32_t role, int64_t *ret_slice)
{
	return role == CUBBY_RECEIVE ?
	       receiver_arm(&mailbox->receiver, ret_slice) :
	       sender_arm(&mailbox->sender, ret_slice);
}

const struct operations lanes_operations = {
	.open = lanes_open,
	.close = lanes_close,
	.forget = lanes_forget,
	.send = lanes_send,
	.wait_received = lanes_wait_received,
	.published = lanes_published,
	.reserve = lanes_reserve,
	.commit = lanes_commit,
	.abort = lanes_abort,
	.receive = lanes_receive,
	.sender_name = lanes_sender_name,
	.release = lanes_release,
	.reject = lanes_reject,
	.reply_word = lanes_reply_word,
	.check = lanes_check,
	.reply = lanes_reply,
	.look = lanes_look,
	.announce = lanes_announce,
	.settle = lanes_settle,
	.retract = lanes_retract,
	.send_batch = lanes_send_batch,
	.receive_batch = lanes_receive_batch,
	.hang = lanes_hang,
	.arm = lanes_arm,
};
