/* SPDX-License-Identifier: MIT */
/*
 * Where nothing is buffered, and two have to meet; where every receiver gets every
 * message; where a backlog has gone; and where a process is named.
 */
#include "faults.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int64_t
shortly(void)
{
	return cubby_deadline_after(20 * 1000 * 1000);
}

/* Rendezvous ------------------------------------------------------------------- */

static void
send_met_set(struct stage *s)
{
	open_mine(s, CUBBY_SEND);
	help(s, keeps_receiving);
}

static int
send_met_act(struct stage *s)
{
	return send_one(s, s->mine, SMALL, soon());
}

static int
send_met_large_act(struct stage *s)
{
	return send_one(s, s->mine, 60000, soon());
}

static int
batch_met_act(struct stage *s)
{
	static unsigned char bytes[3][LARGE];
	struct cubby_batch_entry entries[3];
	int i, r;

	for (i = 0; i < 3; i++) {
		put_number(bytes[i], LARGE, s->next + (unsigned)i + 1);
		entries[i] = (struct cubby_batch_entry){ bytes[i], LARGE, NULL };
	}
	r = cubby_send_batch(s->mine, entries, 3, 0, soon());
	for (i = 0; i < r; i++)
		accept_number(s, ++s->next);
	return r;
}

static void
receive_met_set(struct stage *s)
{
	open_mine(s, CUBBY_RECEIVE);
	help(s, keeps_sending);
}

/* The account takes it with those of the helpers. */
static void
tell_bytes(struct stage *s, const void *data, size_t size)
{
	const unsigned char *bytes = data;
	uint64_t number;
	size_t i;

	need(size == LARGE);
	memcpy(&number, data, 8);
	for (i = 8; i < size; i++)
		need(bytes[i] == (unsigned char)(number * 7 + i));
	tell_taken(s, number);
}

static int
receive_met_act(struct stage *s)
{
	int r = cubby_receive_full(s->mine, NULL, 0, soon(), s->buffer,
				   sizeof(s->buffer), &s->outs.size,
				   &s->outs.envelope);

	if (r == 0)
		tell_bytes(s, s->buffer, s->outs.size);
	return r;
}

static int
batch_receive_met_act(struct stage *s)
{
	struct cubby_batch_entry entries[4];
	int i, r;

	memset(entries, 0, sizeof(entries));
	r = cubby_receive_batch(s->mine, NULL, 0, soon(), entries, 4, s->buffer,
				sizeof(s->buffer));
	for (i = 0; i < r; i++)
		tell_bytes(s, entries[i].data, entries[i].size);
	return r;
}

static int
hold_met_act(struct stage *s)
{
	return cubby_hold(s->mine, NULL, soon(), &s->outs.message);
}

static void
hold_met_check(struct stage *s)
{
	tell_bytes(s, cubby_message_data(s->outs.message),
		   cubby_message_size(s->outs.message));
	need_ok(cubby_release(s->outs.message));
}

/* Returns -ETIMEDOUT: nobody offers anything. */
static void
receive_alone_set(struct stage *s)
{
	open_mine(s, CUBBY_RECEIVE);
	open_other(s, CUBBY_SEND);
}

static int
receive_late_act(struct stage *s)
{
	return cubby_receive_full(s->mine, NULL, 0, shortly(), s->buffer,
				  sizeof(s->buffer), &s->outs.size,
				  &s->outs.envelope);
}

/* To every receiver -------------------------------------------------------------- */

static void
history_set(struct stage *s)
{
	open_other(s, CUBBY_SEND);
	open_other(s, CUBBY_RECEIVE);
	send_many(s, s->others[0], 4, SMALL);
	send_many(s, s->others[0], 1, LARGE);
	s->options.history = 3;
}

static int
history_act(struct stage *s)
{
	return cubby_open(s->name, CUBBY_RECEIVE, &s->options,
			  &s->outs.mailbox);
}

/* What its sender still has: the last three, if nothing has overtaken them. */
static void
history_check(struct stage *s)
{
	uint64_t number, i;
	int r;

	s->mine = s->outs.mailbox;
	s->my_flags = CUBBY_RECEIVE;
	for (i = 2; i < 5; i++) {
		r = again(cubby_receive_full(s->mine, NULL, 0, CUBBY_NOW,
					     s->buffer, sizeof(s->buffer), NULL,
					     NULL));
		need_ok(r);
		memcpy(&number, s->buffer, 8);
		need(number == s->accepted[i]);
	}
	need(again(cubby_receive_full(s->mine, NULL, 0, CUBBY_NOW, s->buffer,
				      sizeof(s->buffer), NULL, NULL)) ==
	     -EAGAIN);
}

/* So many that the first are overwritten. */
static void
overtaken_set(struct stage *s)
{
	open_other(s, CUBBY_SEND);
	open_mine(s, CUBBY_RECEIVE);
	send_many(s, s->others[0], 300, SMALL);
	send_many(s, s->others[0], 2, LARGE);
}

static int
overtaken_act(struct stage *s)
{
	int r = cubby_receive_full(s->mine, NULL, 0, CUBBY_NOW, s->buffer,
				   sizeof(s->buffer), &s->outs.size,
				   &s->outs.envelope);

	if (r == 0) {
		s->passed_over += s->outs.envelope.missed;
		take_buffer(s, s->outs.size);
	}
	return r;
}

static void
overtaken_check(struct stage *s)
{
	/* What it has not been told of, it still gets. */
	need(s->passed_over > 0 && s->passed_over < s->accepted_count);
}

/* One dies who has not received all of it: who sends learns that. */
static void
receives_and_dies(struct stage *s)
{
	cubby_mailbox *mailbox;

	need_ok(cubby_open(s->name, CUBBY_RECEIVE, &s->options, &mailbox));
	atomic_fetch_add(&s->common->ready, 1);
	while (!atomic_load(&s->common->go))
		sched_yield();
	kill(getpid(), SIGKILL);
}

static void
past_the_dead_set(struct stage *s)
{
	int status;

	open_mine(s, CUBBY_SEND);
	open_other(s, CUBBY_RECEIVE);
	help(s, receives_and_dies);
	fill(s, s->mine);
	drain_one(s, s->others[0]);
	let_helpers_go(s);
	need(waitpid(s->helpers[--s->helper_count], &status, 0) > 0);
}

static int
send_late_act(struct stage *s)
{
	return send_one(s, s->mine, SMALL, soon());
}

/* A backlog that has gone ---------------------------------------------------------- */

static void
drained_set(struct stage *s)
{
	bool grows = s->kind == UNLIMITED || s->kind == QUEUE_UNLIMITED;

	open_mine(s, CUBBY_SEND);
	open_other(s, CUBBY_RECEIVE);
	send_many(s, s->mine, grows ? 6000 : 8, SMALL);
	drain_one(s, s->others[0]);
	send_many(s, s->mine, grows ? 40 : 8, 60000);
	drain_one(s, s->others[0]);
}

static int
send_some_act(struct stage *s)
{
	unsigned i;
	int r = 0;

	for (i = 0; r == 0 && i < 5; i++)
		r = send_one(s, s->mine, i % 2 ? 60000 : SMALL, CUBBY_NOW);
	return r == -EAGAIN ? 0 : r;
}

/* Without addresses for all blocks -------------------------------------------------- */

/* Each of them is mapped, or read, by itself from then on. */
static void
windows_set(struct stage *s)
{
	s->has_returned = true;	/* by those that fail */
	open_other(s, CUBBY_SEND);
	open_mine(s, CUBBY_RECEIVE);
	send_many(s, s->others[0], 1, SMALL);
	need(limit_set(HOW_AS, 10));
	need_ok(cubby_receive_full(s->mine, NULL, 0, CUBBY_NOW, s->buffer,
				   sizeof(s->buffer), NULL, NULL));
	limit_lift(HOW_AS);
	take_buffer(s, SMALL);
	send_many(s, s->others[0], 2, 60000);
	send_many(s, s->others[0], 1, SMALL);
	send_many(s, s->others[0], 1, LARGE);
}

static int
receive_window_act(struct stage *s)
{
	int r = cubby_receive_full(s->mine, NULL, 0, CUBBY_NOW, s->buffer,
				   sizeof(s->buffer), &s->outs.size,
				   &s->outs.envelope);

	if (r == 0)
		take_buffer(s, s->outs.size);
	return r;
}

static int
batch_window_act(struct stage *s)
{
	static unsigned char room[4 * 60000 + 64];
	struct cubby_batch_entry entries[8];
	int i, r;

	memset(entries, 0, sizeof(entries));
	r = cubby_receive_batch(s->mine, NULL, 0, CUBBY_NOW, entries, 8, room,
				sizeof(room));
	for (i = 0; i < r; i++) {
		memcpy(s->buffer, entries[i].data, entries[i].size);
		take_buffer(s, entries[i].size);
	}
	return r;
}

static int
hold_window_act(struct stage *s)
{
	return cubby_hold(s->mine, NULL, CUBBY_NOW, &s->outs.message);
}

static void
hold_window_check(struct stage *s)
{
	size_t size = cubby_message_size(s->outs.message);

	memcpy(s->buffer, cubby_message_data(s->outs.message), size);
	take_buffer(s, size);
	need_ok(cubby_release(s->outs.message));
}

/* By name ------------------------------------------------------------------------- */

static void
named_sender_set(struct stage *s)
{
	open_mine(s, CUBBY_RECEIVE);
	s->options.sender = "wanted";
	open_other(s, CUBBY_SEND);
	s->options.sender = NULL;
	send_many(s, s->others[0], 1, SMALL);
	drain_one(s, s->mine);
}

/* Nothing of it is there, but it lives; what cannot be asked is no death. */
static int
receive_living_act(struct stage *s)
{
	struct cubby_filter filter = CUBBY_FILTER_INIT;
	int r;

	filter.sender_name = "wanted";
	r = cubby_receive_full(s->mine, &filter, 0, shortly(), s->buffer,
			       sizeof(s->buffer), &s->outs.size,
			       &s->outs.envelope);
	need(r != -EPIPE);
	return r;
}

static void
gone_sender_set(struct stage *s)
{
	named_sender_set(s);
	cubby_close(s->others[0]);
	s->other_count = 0;
}

/* It is told, as soon as it can be found out. */
static int
receive_gone_act(struct stage *s)
{
	struct cubby_filter filter = CUBBY_FILTER_INIT;
	int r;

	filter.sender_name = "wanted";
	r = cubby_receive_full(s->mine, &filter, 0, soon(), s->buffer,
			       sizeof(s->buffer), &s->outs.size,
			       &s->outs.envelope);
	return r == -EPIPE ? 0 : r;
}

/* To an inbox whose process has gone. */
static void
gone_inbox_set(struct stage *s)
{
	cubby_mailbox *receiver;

	open_mine(s, CUBBY_SEND);
	need_ok(cubby_open(s->name, CUBBY_RECEIVE, &s->options, &receiver));
	send_many(s, s->mine, 1, SMALL);
	cubby_close(receiver);
	s->is_gone = true;
}

static void
opens_and_dies(struct stage *s)
{
	cubby_mailbox *mailbox;

	need_ok(cubby_open(s->name, CUBBY_RECEIVE, &s->options, &mailbox));
}

static void
dead_inbox_set(struct stage *s)
{
	open_mine(s, CUBBY_SEND);
	die_after(s, opens_and_dies);
	s->is_gone = true;
}

/* What was sent, for want of knowing, stays for a successor. */
static int
send_gone_act(struct stage *s)
{
	int r = send_one(s, s->mine, SMALL, shortly());

	return r == -EPIPE ? 0 : r;
}

static const struct scenario list[] = {
	{ "send-met", "cubby_send_full", ONLY(RENDEZVOUS), PREPARES | NO_LIMITS,
	  send_met_set, send_met_act, NULL },
	{ "send-met-large", "cubby_send_full", ONLY(RENDEZVOUS),
	  PREPARES | NO_LIMITS, send_met_set, send_met_large_act, NULL },
	{ "send-met-batch", "cubby_send_batch", ONLY(RENDEZVOUS),
	  PREPARES | NO_LIMITS, send_met_set, batch_met_act, NULL },
	{ "receive-met", "cubby_receive_full", ONLY(RENDEZVOUS),
	  PREPARES | NO_LIMITS, receive_met_set, receive_met_act, NULL },
	{ "receive-met-batch", "cubby_receive_batch", ONLY(RENDEZVOUS),
	  PREPARES | NO_LIMITS, receive_met_set, batch_receive_met_act, NULL },
	{ "hold-met", "cubby_hold", ONLY(RENDEZVOUS), PREPARES | NO_LIMITS,
	  receive_met_set, hold_met_act, hold_met_check },
	{ "receive-late", "cubby_receive_full", ALL_KINDS, PREPARES | WAITS,
	  receive_alone_set, receive_late_act, NULL },
	{ "open-history", "cubby_open", ONLY(EVERY) | ONLY(OVERTAKE), 0,
	  history_set, history_act, history_check },
	{ "receive-overtaken", "cubby_receive_full", ONLY(OVERTAKE), PREPARES,
	  overtaken_set, overtaken_act, overtaken_check },
	{ "send-past-the-dead", "cubby_send_full", ONLY(EVERY), 0,
	  past_the_dead_set, send_late_act, NULL },
	{ "send-drained", "cubby_send_full", TO_ONE | QUEUES | ONLY(EVERY),
	  PREPARES | GROWS, drained_set, send_some_act, NULL },
	{ "receive-windows", "cubby_receive_full", QUEUES, PREPARES,
	  windows_set, receive_window_act, NULL },
	{ "receive-batch-windows", "cubby_receive_batch", QUEUES, PREPARES,
	  windows_set, batch_window_act, NULL },
	{ "hold-windows", "cubby_hold", QUEUES, PREPARES, windows_set,
	  hold_window_act, hold_window_check },
	{ "receive-living", "cubby_receive_full", ONLY(INBOX), PREPARES | WAITS,
	  named_sender_set, receive_living_act, NULL },
	{ "receive-gone", "cubby_receive_full", ONLY(INBOX), PREPARES,
	  gone_sender_set, receive_gone_act, NULL },
	{ "send-gone", "cubby_send_full", ONLY(INBOX), WAITS, gone_inbox_set,
	  send_gone_act, NULL },
	{ "send-dead", "cubby_send_full", ONLY(INBOX), WAITS, dead_inbox_set,
	  send_gone_act, NULL },
	{ NULL, NULL, 0, 0, NULL, NULL, NULL },
};
SCENARIOS(list);
