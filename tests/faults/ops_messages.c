/* SPDX-License-Identifier: MIT */
/* Messages: copied, in place, many at once. */
#include "faults.h"

#include <errno.h>
#include <string.h>

static int64_t
shortly(void)
{
	return cubby_deadline_after(20 * 1000 * 1000);
}

/* Sending --------------------------------------------------------------------- */

static void
send_set(struct stage *s)
{
	open_mine(s, CUBBY_SEND);
	open_other(s, CUBBY_RECEIVE);
}

static int
send_act(struct stage *s)
{
	return send_one(s, s->mine, SMALL, CUBBY_NOW);
}

static int
send_large_act(struct stage *s)
{
	return send_one(s, s->mine, 60000, CUBBY_NOW);
}

/* Each makes the lane's ring, or the queue, grow. */
static int
send_growing_act(struct stage *s)
{
	unsigned i;
	int r = 0;

	for (i = 0; r == 0 && i < 3000; i++)
		r = send_one(s, s->mine, SMALL, CUBBY_NOW);
	/* Full, for it has been at it before. */
	return r == -EAGAIN ? 0 : r;
}

static void
large_capacity_set(struct stage *s)
{
	s->options.capacity = s->kind == LIMITED || s->kind == ARRIVAL ||
			      s->kind == PRIORITY || s->kind == EVERY ||
			      s->kind == OVERTAKE || s->kind == INBOX ?
			      8000 : 0;
	send_set(s);
}

/* A receiver has its descriptor armed: sending rings it. */
static void
send_polled_set(struct stage *s)
{
	send_set(s);
	need(cubby_fd(s->others[0], CUBBY_RECEIVE) >= 0);
	need(cubby_receive_full(s->others[0], NULL, 0, CUBBY_NOW, s->buffer,
				sizeof(s->buffer), NULL, NULL) == -EAGAIN);
}

/* Returns -ETIMEDOUT: there is no room. */
static void
send_full_set(struct stage *s)
{
	s->options.memory_limit = s->kind == UNLIMITED ||
				  s->kind == QUEUE_UNLIMITED ? 1 << 20 : 0;
	send_set(s);
	fill(s, s->mine);
}

static int
send_late_act(struct stage *s)
{
	return send_one(s, s->mine, SMALL, shortly());
}

static uint64_t
memory_in_use(const struct stage *s)
{
	struct cubby_info info = CUBBY_INFO_INIT;

	need_ok(again(cubby_inspect(s->name, &info)));
	return info.memory;
}

static uint64_t memory_before;

static void
send_often_set(struct stage *s)
{
	send_full_set(s);
	memory_before = memory_in_use(s);
}

/* If each kept a slot, that would be chunks of them by the end. */
static int
send_often_act(struct stage *s)
{
	int i, r = -EAGAIN;

	for (i = 0; r == -EAGAIN && i < 300; i++)
		r = send_one(s, s->mine, SMALL, CUBBY_NOW);
	return r == -EAGAIN ? 0 : r;
}

/* There is room for one message for each that is taken, and no more. */
static void
send_often_check(struct stage *s)
{
	need(memory_in_use(s) == memory_before);
	drain_one(s, s->others[0]);
	fill(s, s->mine);
	need(memory_in_use(s) == memory_before);
}

static int
synchronous_late_act(struct stage *s)
{
	unsigned char bytes[SMALL];
	int r;

	put_number(bytes, SMALL, ++s->next);
	r = cubby_send_full(s->mine, bytes, SMALL, NULL, CUBBY_SYNCHRONOUS,
			    shortly());
	if (r == 0 || r == -EINPROGRESS)
		accept_number(s, s->next);
	return r == -EINPROGRESS ? -ETIMEDOUT : r;
}

static int
batch_act(struct stage *s)
{
	static unsigned char bytes[6][60000];
	struct cubby_batch_entry entries[6];
	unsigned i;
	int r;

	for (i = 0; i < 6; i++) {
		size_t size = i % 2 ? 60000 : SMALL;

		put_number(bytes[i], size, s->next + i + 1);
		entries[i] = (struct cubby_batch_entry){ bytes[i], size, NULL };
	}
	r = cubby_send_batch(s->mine, entries, 6, 0, CUBBY_NOW);
	for (i = 0; r > 0 && i < (unsigned)r; i++)
		accept_number(s, s->next + i + 1);
	if (r > 0)
		s->next += (unsigned)r;
	return r;
}

static void
published_set(struct stage *s)
{
	send_set(s);
	send_many(s, s->mine, 1, SMALL);
}

static int
published_act(struct stage *s)
{
	return cubby_published(s->mine, &s->outs.number, &s->outs.number2);
}

static int
wait_received_act(struct stage *s)
{
	return cubby_wait_received(s->mine, 1, shortly());
}

/* Drafts. */
static int
reserve_act(struct stage *s)
{
	return cubby_reserve(s->mine, 60000, CUBBY_NOW, &s->outs.draft);
}

static int
reserve_small_act(struct stage *s)
{
	return cubby_reserve(s->mine, SMALL, CUBBY_NOW, &s->outs.draft);
}

static void
reserve_check(struct stage *s)
{
	put_number(cubby_draft_data(s->outs.draft),
		   cubby_draft_size(s->outs.draft), ++s->next);
	need_ok(again(cubby_commit(s->outs.draft,
				   cubby_draft_size(s->outs.draft), NULL)));
	accept_number(s, s->next);
}

static void
commit_set(struct stage *s)
{
	send_set(s);
	need_ok(cubby_reserve(s->mine, 60000, CUBBY_NOW, &s->draft));
	put_number(cubby_draft_data(s->draft), 60000, ++s->next);
}

static int
commit_act(struct stage *s)
{
	int r = cubby_commit(s->draft, 60000, NULL);

	if (r == 0) {
		s->draft = NULL;
		accept_number(s, s->next);
	}
	return r;
}

static int
abort_act(struct stage *s)
{
	cubby_abort(s->draft);
	s->draft = NULL;
	return 0;
}

/* Receiving ------------------------------------------------------------------- */

static void
receive_set(struct stage *s)
{
	open_other(s, CUBBY_SEND);
	open_mine(s, CUBBY_RECEIVE);
	send_many(s, s->others[0], 2, SMALL);
	send_many(s, s->others[0], 2, 60000);
}

static int
receive_act(struct stage *s)
{
	int r = cubby_receive_full(s->mine, NULL, 0, CUBBY_NOW, s->buffer,
				   sizeof(s->buffer), &s->outs.size,
				   &s->outs.envelope);

	if (r == 0)
		take_buffer(s, s->outs.size);
	return r;
}

/* All that is there: large ones as well. */
static int
receive_all_act(struct stage *s)
{
	int r, count = 0;

	do {
		size_t size;

		r = cubby_receive_full(s->mine, NULL, 0, CUBBY_NOW, s->buffer,
				       sizeof(s->buffer), &size, NULL);
		if (r == 0) {
			take_buffer(s, size);
			count++;
		}
	} while (r == 0);
	/* What cannot be had now is not told as if there were nothing. */
	need(r != -EAGAIN || s->kind == OVERTAKE ||
	     s->taken_count == s->accepted_count);
	return count || s->taken_count == s->accepted_count ? 0 : r;
}

static void
receive_all_check(struct stage *s)
{
	(void)receive_all_act(s);
}

/* Lanes that it has not opened yet, of the dead, too. */
static void
sends_and_dies(struct stage *s)
{
	cubby_mailbox *mailbox;

	s->next = UINT64_C(99) << 32;
	need_ok(cubby_open(s->name, CUBBY_SEND, &s->options, &mailbox));
	send_many(s, mailbox, 2, SMALL);
	send_many(s, mailbox, 1, LARGE);
}

static void
new_lanes_set(struct stage *s)
{
	unsigned i;

	if (s->options.capacity)
		s->options.capacity = 64;
	open_mine(s, CUBBY_RECEIVE);
	for (i = 0; i < 5; i++) {
		open_other(s, CUBBY_SEND);
		send_many(s, s->others[i], 2, i % 2 ? SMALL : LARGE);
	}
	die_after(s, sends_and_dies);
	for (i = 0; i < 3; i++)
		accept_number(s, (UINT64_C(99) << 32) + i + 1);
}

static void
grown_set(struct stage *s)
{
	open_mine(s, CUBBY_RECEIVE);
	open_other(s, CUBBY_SEND);
	if (s->kind == UNLIMITED || s->kind == QUEUE_UNLIMITED)
		send_many(s, s->others[0], 3000, SMALL);
	else
		send_many(s, s->others[0], 8, 60000);
}

static int
batch_receive_act(struct stage *s)
{
	struct cubby_batch_entry entries[16];
	int i, r;

	memset(entries, 0, sizeof(entries));
	r = cubby_receive_batch(s->mine, NULL, 0, CUBBY_NOW, entries, 16,
				s->buffer, sizeof(s->buffer));
	for (i = 0; i < r; i++) {
		uint64_t number;

		memcpy(&number, entries[i].data, 8);
		take_number(s, number);
	}
	return r;
}

/* Until there is nothing: what one call does not tell, for it has received some, the
   next one does. */
static int
batch_receive_all_act(struct stage *s)
{
	unsigned before = s->taken_count;
	int r;

	do
		r = batch_receive_act(s);
	while (r > 0);
	need(r != 0);
	need(r != -EAGAIN || s->kind == OVERTAKE ||
	     s->taken_count == s->accepted_count);
	return s->taken_count > before ||
	       s->taken_count == s->accepted_count ? 0 : r;
}

static int
peek_act(struct stage *s)
{
	return cubby_receive_full(s->mine, NULL, CUBBY_PEEK, CUBBY_NOW,
				  s->buffer, sizeof(s->buffer), &s->outs.size,
				  &s->outs.envelope);
}

static void
named_set(struct stage *s)
{
	open_mine(s, CUBBY_RECEIVE);
	open_other(s, CUBBY_SEND);
	s->options.sender = "wanted";
	open_other(s, CUBBY_SEND);
	s->options.sender = NULL;
	send_many(s, s->others[0], 2, SMALL);
	send_many(s, s->others[1], 2, SMALL);
}

static int
receive_named_act(struct stage *s)
{
	struct cubby_filter filter = CUBBY_FILTER_INIT;
	int r;

	filter.sender_name = "wanted";
	r = cubby_receive_full(s->mine, &filter, 0, CUBBY_NOW, s->buffer,
			       sizeof(s->buffer), &s->outs.size,
			       &s->outs.envelope);
	if (r == 0)
		take_buffer(s, s->outs.size);
	return r;
}

static void
sender_name_set(struct stage *s)
{
	size_t size;

	s->envelope = (struct cubby_envelope)CUBBY_ENVELOPE_INIT;
	open_mine(s, CUBBY_RECEIVE);
	s->options.sender = "wanted";
	open_other(s, CUBBY_SEND);
	s->options.sender = NULL;
	send_many(s, s->others[0], 2, SMALL);
	need_ok(cubby_receive_full(s->mine, NULL, CUBBY_PEEK, CUBBY_NOW,
				   s->buffer, sizeof(s->buffer), &size,
				   &s->envelope));
}

static int
sender_name_act(struct stage *s)
{
	char name[64];
	int r = cubby_sender_name(s->mine, s->envelope.sender, name,
				  sizeof(name));

	need(r < 0 || !strcmp(name, "wanted"));
	return r;
}

/* Holding. */
static int
hold_act(struct stage *s)
{
	return cubby_hold(s->mine, NULL, CUBBY_NOW, &s->outs.message);
}

static void
hold_check(struct stage *s)
{
	size_t size = cubby_message_size(s->outs.message);

	memcpy(s->buffer, cubby_message_data(s->outs.message), size);
	take_buffer(s, size);
	need_ok(cubby_release(s->outs.message));
}

static void
held_set(struct stage *s)
{
	receive_set(s);
	need_ok(cubby_hold(s->mine, NULL, CUBBY_NOW, &s->message));
}

static int
release_act(struct stage *s)
{
	cubby_message *message = s->message;
	size_t size = cubby_message_size(message);
	int r;

	memcpy(s->buffer, cubby_message_data(message), size);
	s->message = NULL;
	r = cubby_release(message);
	if (r == 0)
		take_buffer(s, size);
	return r;
}

static int
reject_act(struct stage *s)
{
	cubby_message *message = s->message;

	s->message = NULL;
	return cubby_reject(message);
}

/* What one has left who died holding. */
static void
holds_and_dies(struct stage *s)
{
	cubby_mailbox *mailbox;
	cubby_message *message;

	need_ok(cubby_open(s->name, CUBBY_RECEIVE, &s->options, &mailbox));
	need_ok(cubby_hold(mailbox, NULL, soon(), &message));
	need_ok(cubby_hold(mailbox, NULL, soon(), &message));
	need_ok(cubby_hold(mailbox, NULL, soon(), &message));
}

static void
returned_set(struct stage *s)
{
	s->has_returned = true;
	open_other(s, CUBBY_SEND);
	send_many(s, s->others[0], 2, SMALL);
	send_many(s, s->others[0], 1, LARGE);
	die_after(s, holds_and_dies);
	open_mine(s, CUBBY_RECEIVE);
}

static const struct scenario list[] = {
	{ "send", "cubby_send_full", BUFFERED, 0, send_set, send_act, NULL },
	{ "send-large", "cubby_send_full", BUFFERED, PREPARES, send_set,
	  send_large_act, NULL },
	{ "send-growing", "cubby_send_full", BUFFERED, MANY | GROWS,
	  large_capacity_set, send_growing_act, NULL },
	{ "send-polled", "cubby_send_full", BUFFERED, 0, send_polled_set,
	  send_act, NULL },
	{ "send-full", "cubby_send_full", LANES & ~ONLY(OVERTAKE) &
	  ~ONLY(UNLIMITED), WAITS, send_full_set, send_late_act, NULL },
	{ "send-full-queue", "cubby_send_full", ONLY(ARRIVAL) | ONLY(PRIORITY),
	  WAITS, send_full_set, send_late_act, NULL },
	{ "send-full-often", "cubby_send_full", ONLY(ARRIVAL) | ONLY(PRIORITY),
	  0, send_often_set, send_often_act, send_often_check },
	{ "send-met-nobody", "cubby_send_full", ONLY(RENDEZVOUS), WAITS,
	  send_set, send_late_act, NULL },
	{ "send-synchronous", "cubby_send_full", BUFFERED & ~ONLY(OVERTAKE),
	  WAITS, send_set, synchronous_late_act, NULL },
	{ "send-batch", "cubby_send_batch", BUFFERED, PREPARES, send_set, batch_act,
	  NULL },
	{ "published", "cubby_published", BUFFERED, 0, published_set,
	  published_act, NULL },
	{ "wait-received", "cubby_wait_received", BUFFERED & ~ONLY(OVERTAKE),
	  WAITS, published_set, wait_received_act, NULL },
	{ "reserve", "cubby_reserve", BUFFERED, PREPARES, send_set, reserve_act,
	  reserve_check },
	{ "reserve-small", "cubby_reserve", BUFFERED, 0, send_set,
	  reserve_small_act, reserve_check },
	{ "commit", "cubby_commit", BUFFERED, 0, commit_set, commit_act, NULL },
	{ "abort", "cubby_abort", BUFFERED, GONE, commit_set, abort_act, NULL },
	{ "receive", "cubby_receive_full", BUFFERED, PREPARES, receive_set,
	  receive_act, NULL },
	{ "receive-all", "cubby_receive_full", BUFFERED, PREPARES, receive_set,
	  receive_all_act, receive_all_check },
	{ "receive-new-lanes", "cubby_receive_full",
	  BUFFERED & ~ONLY(OVERTAKE), PREPARES, new_lanes_set, receive_all_act,
	  receive_all_check },
	{ "receive-grown", "cubby_receive_full", BUFFERED, PREPARES | MANY,
	  grown_set, receive_all_act, receive_all_check },
	{ "receive-batch", "cubby_receive_batch", BUFFERED, PREPARES,
	  new_lanes_set, batch_receive_act, receive_all_check },
	{ "receive-batch-all", "cubby_receive_batch",
	  BUFFERED & ~ONLY(OVERTAKE), PREPARES, new_lanes_set,
	  batch_receive_all_act, receive_all_check },
	{ "peek", "cubby_receive_full", BUFFERED, PREPARES, receive_set,
	  peek_act, NULL },
	{ "receive-named", "cubby_receive_full", BUFFERED & ~ONLY(OVERTAKE),
	  PREPARES, named_set, receive_named_act, NULL },
	{ "sender-name", "cubby_sender_name", BUFFERED, PREPARES,
	  sender_name_set, sender_name_act, NULL },
	{ "hold", "cubby_hold", BUFFERED, PREPARES, receive_set, hold_act,
	  hold_check },
	{ "release", "cubby_release", BUFFERED, GONE, held_set, release_act,
	  NULL },
	{ "reject", "cubby_reject", TO_ONE | QUEUES, GONE, held_set,
	  reject_act, NULL },
	{ "receive-returned", "cubby_receive_full", TO_ONE | QUEUES, PREPARES,
	  returned_set, receive_all_act, receive_all_check },
	{ "hold-returned", "cubby_hold", TO_ONE | QUEUES, PREPARES,
	  returned_set, hold_act, hold_check },
	{ NULL, NULL, 0, 0, NULL, NULL, NULL },
};
SCENARIOS(list);
