/* SPDX-License-Identifier: MIT */
/* Layer 11. May include: base envelope parcel rest queue handle queue_calls. */
/*
 * From a handle to its queue.
 */
#include "base.h"
#include "envelope.h"
#include "queue.h"
#include "queue_calls.h"

#define ROLES (CUBBY_SEND | CUBBY_RECEIVE)

/* What senders do in it they trust each other with, so `trusts` says nothing. */
static int
calls_open(struct cubby_mailbox *mailbox, uint32_t roles,
	   const struct cubby_options *options, bool trusts)
{
	int r = 0;

	(void)trusts;
	/* Nothing is plain; the receiver's end is looked at, and is empty. */
	mailbox->plain_min = 1;
	mailbox->plain_max = 0;
	mailbox->receiver.view = &mailbox->view;
	if (!(roles & ROLES))
		return 0;
	r = queue_open(&mailbox->view,
		       roles & CUBBY_SEND ? options->sender : NULL, roles,
		       &mailbox->queue);
	if (r < 0)
		return r;
	mailbox->roles |= roles & ROLES;
	mailbox->queue.inbox = mailbox->inbox;
	if (mailbox->inbox && roles & CUBBY_SEND)
		mailbox->queue.addressee = &mailbox->addressee;
	return 0;
}

static void
calls_close(struct cubby_mailbox *mailbox)
{
	if (mailbox->roles & ROLES)
		queue_close(&mailbox->queue);
}

static void
calls_forget(struct cubby_mailbox *mailbox)
{
	if (mailbox->roles & ROLES)
		queue_forget(&mailbox->queue);
}

static int
calls_send(struct cubby_mailbox *mailbox, const void *data,
	   const struct parcel *parcel, bool synchronous, int64_t deadline,
	   struct sent *ret)
{
	ret->sender = mailbox->queue.member.slot + 1;
	return queue_send(&mailbox->queue, data, parcel, synchronous, deadline,
			  &ret->sequence);
}

static int
calls_send_batch(struct cubby_mailbox *mailbox,
		 const struct cubby_batch_entry *entries, size_t count,
		 int64_t deadline)
{
	return queue_send_batch(&mailbox->queue, entries, count, deadline);
}

static int
calls_wait_received(struct cubby_mailbox *mailbox, uint64_t sequence,
		    int64_t deadline)
{
	return queue_wait_received(&mailbox->queue, sequence, deadline);
}

static void
calls_published(struct cubby_mailbox *mailbox, uint64_t *ret_sequence,
		uint64_t *ret_tag)
{
	queue_published(&mailbox->queue, ret_sequence, ret_tag);
}

static int
calls_reserve(struct cubby_mailbox *mailbox, uint64_t size, int64_t deadline,
	      struct cubby_draft **ret_draft)
{
	return queue_reserve(&mailbox->queue, size, deadline, ret_draft);
}

static int
calls_commit(struct cubby_mailbox *mailbox, struct cubby_draft *draft,
	     const struct parcel *parcel, struct sent *ret)
{
	ret->sender = mailbox->queue.member.slot + 1;
	return queue_commit(&mailbox->queue, draft, parcel, &ret->sequence);
}

static void
calls_abort(struct cubby_mailbox *mailbox, struct cubby_draft *draft)
{
	queue_abort(&mailbox->queue, draft);
}

static int
calls_receive(struct cubby_mailbox *mailbox, struct wish *wish,
	      int64_t deadline)
{
	uint64_t named = wish->sender;
	int r;

	if (unlikely(wish->name)) {
		r = queue_named_sender(&mailbox->queue, wish->name, &named);
		if (r < 0)
			return r;
		if (wish->sender && wish->sender != named)
			return -EINVAL;	/* nobody is both, nor ever will be */
		wish->sender = named;
	}
	return queue_receive(&mailbox->queue, wish, deadline);
}

/* What is there comes with one lock; then nothing more is looked for. */
static int
calls_receive_batch(struct cubby_mailbox *mailbox, struct wish *wish,
		    int64_t deadline)
{
	int r = calls_receive(mailbox, wish, deadline);

	if (r == 0)
		envelope_enter(wish);
	return r;
}

static int
calls_sender_name(struct cubby_mailbox *mailbox, uint64_t sender,
		  char ret[SENDER_NAME_MAX + 1])
{
	return queue_sender_name(&mailbox->queue, sender, ret);
}

static int
calls_release(struct cubby_mailbox *mailbox, struct cubby_message *message)
{
	return queue_release(&mailbox->queue, message);
}

static void
calls_reject(struct cubby_mailbox *mailbox, struct cubby_message *message)
{
	queue_reject(&mailbox->queue, message);
}

static int
calls_look(struct cubby_mailbox *mailbox, uint32_t role, enum look how)
{
	return queue_look_role(&mailbox->queue, role, how);
}

static int
calls_announce(struct cubby_mailbox *mailbox, uint32_t role, struct rest *ret)
{
	return queue_announce(&mailbox->queue, role, ret);
}

/* What is announced under a lock needs no barrier. */
static void
calls_settle(struct cubby_mailbox *mailbox, uint32_t role, struct rest *rest,
	     bool fenced)
{
	(void)mailbox, (void)role, (void)rest, (void)fenced;
}

static int
calls_retract(struct cubby_mailbox *mailbox, uint32_t role, struct rest *rest,
	      int slept)
{
	return queue_retract(&mailbox->queue, role, rest, slept);
}

static word64 *
calls_reply_word(struct cubby_mailbox *mailbox)
{
	struct queue *queue = &mailbox->queue;

	return &queue_participant(&queue->map, queue->member.slot)->reply;
}

static int
calls_check(struct cubby_mailbox *mailbox)
{
	struct queue *queue = &mailbox->queue;
	int r;

	exclusion_enter(&queue->exclusion);
	r = shm_is_broken(&queue->map.mapping) ? -EBADMSG : queue_check(queue);
	exclusion_leave(&queue->exclusion);
	return r;
}

static int
calls_reply(struct cubby_mailbox *mailbox, uint64_t sender, uint64_t reference,
	    const void *data, size_t size)
{
	struct queue *queue = &mailbox->queue;
	int r;

	exclusion_enter(&queue->exclusion);
	r = answers_reply(&queue->answers, sender, reference, data, size);
	exclusion_leave(&queue->exclusion);
	return r;
}

static void
calls_hang(struct cubby_mailbox *mailbox, uint32_t role,
	   const struct bell *bell)
{
	queue_hang(&mailbox->queue, role, bell);
}

static int
calls_arm(struct cubby_mailbox *mailbox, uint32_t role, int64_t *ret_slice)
{
	return queue_arm(&mailbox->queue, role, ret_slice);
}

const struct operations queue_operations = {
	.open = calls_open,
	.close = calls_close,
	.forget = calls_forget,
	.send = calls_send,
	.wait_received = calls_wait_received,
	.published = calls_published,
	.reserve = calls_reserve,
	.commit = calls_commit,
	.abort = calls_abort,
	.receive = calls_receive,
	.sender_name = calls_sender_name,
	.release = calls_release,
	.reject = calls_reject,
	.reply_word = calls_reply_word,
	.check = calls_check,
	.reply = calls_reply,
	.look = calls_look,
	.announce = calls_announce,
	.settle = calls_settle,
	.retract = calls_retract,
	.send_batch = calls_send_batch,
	.receive_batch = calls_receive_batch,
	.hang = calls_hang,
	.arm = calls_arm,
};
