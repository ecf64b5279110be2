/* SPDX-License-Identifier: MIT */
/*
 * Requests and replies. Requests are no part of the account: a call that has
 * failed may have been carried out. What comes back is looked at, and that a
 * request that was given up is not handed out.
 */
#include "faults.h"

#include <errno.h>
#include <string.h>

#define CALLED (TO_ONE | QUEUES)
#define REPLY 60000	/* not in the file of replies itself */

static int64_t
shortly(void)
{
	return cubby_deadline_after(20 * 1000 * 1000);
}

static unsigned char bytes[REPLY];

/* Both ends ------------------------------------------------------------------- */

static void
call_set(struct stage *s)
{
	open_mine(s, CUBBY_SEND);
	open_other(s, CUBBY_RECEIVE);
	send_many(s, s->mine, 1, SMALL);
}

static int
begin(struct stage *s, cubby_mailbox *from, size_t size, cubby_request **ret)
{
	put_number(bytes, size, UINT64_C(97) << 32 | ++s->next);
	return cubby_call_begin(from, bytes, size, NULL, CUBBY_NOW, ret);
}

/* The request that was begun last is the next one; ordinary messages come before
   it. */
static void
take_request(struct stage *s, cubby_mailbox *server)
{
	uint64_t number;
	size_t size;

	s->envelope = (struct cubby_envelope)CUBBY_ENVELOPE_INIT;
	for (;;) {
		need_ok(again(cubby_receive_full(server, NULL, 0, CUBBY_NOW,
						 s->buffer, sizeof(s->buffer),
						 &size, &s->envelope)));
		if (s->envelope.call)
			break;
		take_buffer(s, size);
	}
	memcpy(&number, s->buffer, 8);
	need(number == (UINT64_C(97) << 32 | s->next));
}

static void
reply(struct stage *s, cubby_mailbox *server, size_t size)
{
	put_number(bytes, size, s->next);
	need_ok(again(cubby_reply(server, &s->envelope, bytes, size)));
}

static void
expect_reply(struct stage *s, size_t size)
{
	uint64_t number;
	size_t i;

	need(s->outs.size == size);
	memcpy(&number, s->buffer, 8);
	need(number == s->next);
	for (i = 8; i < size; i++)
		need(s->buffer[i] == (unsigned char)(number * 7 + i));
}

static void
end(struct stage *s, size_t size)
{
	need_ok(again(cubby_call_end(s->request, s->buffer, sizeof(s->buffer),
				     &s->outs.size, CUBBY_NOW)));
	s->request = NULL;
	expect_reply(s, size);
}

/* The halves ------------------------------------------------------------------- */

static int
begin_act(struct stage *s)
{
	return begin(s, s->mine, SMALL, &s->outs.request);
}

static int
begin_large_act(struct stage *s)
{
	return begin(s, s->mine, REPLY, &s->outs.request);
}

static void
begin_check(struct stage *s)
{
	s->request = s->outs.request;
	take_request(s, s->others[0]);
	reply(s, s->others[0], SMALL);
	end(s, SMALL);
}

static void
answer_one(struct stage *s, size_t size)
{
	need_ok(again(begin(s, s->mine, SMALL, &s->request)));
	take_request(s, s->others[0]);
	reply(s, s->others[0], size);
}

static void
end_set(struct stage *s)
{
	call_set(s);
	answer_one(s, SMALL);
}

static void
end_large_set(struct stage *s)
{
	call_set(s);
	answer_one(s, REPLY);
}

static int
end_of(struct stage *s, size_t size, int64_t deadline)
{
	int r;

	if (!s->request) {
		inject_pause();
		answer_one(s, size);
		inject_go_on();
	}
	r = cubby_call_end(s->request, s->buffer, sizeof(s->buffer),
			   &s->outs.size, deadline);
	if (r < 0 && r != -EPIPE && r != -EBADMSG)
		return r;
	s->request = NULL;
	if (r == 0)
		expect_reply(s, size);
	return r;
}

static int
end_act(struct stage *s)
{
	return end_of(s, SMALL, CUBBY_NOW);
}

static int
end_large_act(struct stage *s)
{
	return end_of(s, REPLY, CUBBY_NOW);
}

/* There is no reply. */
static void
end_late_set(struct stage *s)
{
	call_set(s);
	need_ok(begin(s, s->mine, SMALL, &s->request));
}

static int
end_late_act(struct stage *s)
{
	return cubby_call_end(s->request, s->buffer, sizeof(s->buffer),
			      &s->outs.size, shortly());
}

static void
end_late_check(struct stage *s)
{
	take_request(s, s->others[0]);
	reply(s, s->others[0], SMALL);
	end(s, SMALL);
}

static int
cancel_act(struct stage *s)
{
	cubby_call_cancel(s->request);
	s->request = NULL;
	return 0;
}

/* Somebody has it already: what he replies goes nowhere. */
static void
cancel_taken_set(struct stage *s)
{
	end_late_set(s);
	take_request(s, s->others[0]);
}

static void
cancel_taken_check(struct stage *s)
{
	need(again(cubby_reply(s->others[0], &s->envelope, bytes, SMALL)) ==
	     -EPIPE);
}

/* Replying. */
static void
reply_set(struct stage *s)
{
	open_mine(s, CUBBY_RECEIVE);
	open_other(s, CUBBY_SEND);
	send_many(s, s->others[0], 1, SMALL);
	need_ok(begin(s, s->others[0], SMALL, &s->request));
	take_request(s, s->mine);
}

static int
reply_of(struct stage *s, size_t size)
{
	put_number(bytes, size, s->next);
	return cubby_reply(s->mine, &s->envelope, bytes, size);
}

static int
reply_act(struct stage *s)
{
	return reply_of(s, SMALL);
}

static int
reply_large_act(struct stage *s)
{
	return reply_of(s, REPLY);
}

static void
reply_check(struct stage *s)
{
	end(s, SMALL);
}

static void
reply_large_check(struct stage *s)
{
	end(s, REPLY);
}

/* What a server receives: a request, given back by one who has died over it, is
   another's. */
static void
take_request_set(struct stage *s)
{
	open_mine(s, CUBBY_RECEIVE);
	open_other(s, CUBBY_SEND);
	need_ok(begin(s, s->others[0], REPLY, &s->request));
}

/*
 * Who has locked this server's byte of the caller's file is that caller, or plays
 * one: nobody waits for a reply there, and the request is passed over. Then there is
 * another one.
 */
static void
ask_anew(struct stage *s)
{
	if (!s->is_gone)
		return;
	inject_pause();
	cubby_call_cancel(s->request);
	need_ok(begin(s, s->others[0], REPLY, &s->request));
	inject_go_on();
	s->is_gone = false;
}

static int
take_request_act(struct stage *s)
{
	uint64_t number;
	int r;

	ask_anew(s);
	s->envelope = (struct cubby_envelope)CUBBY_ENVELOPE_INIT;
	r = cubby_receive_full(s->mine, NULL, 0, CUBBY_NOW, s->buffer,
			       sizeof(s->buffer), NULL, &s->envelope);
	s->is_gone = r == -EAGAIN;
	if (r < 0)
		return r;
	memcpy(&number, s->buffer, 8);
	need(s->envelope.call && number == (UINT64_C(97) << 32 | s->next));
	return 0;
}

static void
take_request_check(struct stage *s)
{
	reply(s, s->mine, SMALL);
	end(s, SMALL);
}

static int
hold_request_act(struct stage *s)
{
	int r;

	ask_anew(s);
	r = cubby_hold(s->mine, NULL, CUBBY_NOW, &s->outs.message);
	s->is_gone = r == -EAGAIN;
	return r;
}

static void
hold_request_check(struct stage *s)
{
	s->envelope = (struct cubby_envelope)CUBBY_ENVELOPE_INIT;
	need_ok(cubby_message_envelope(s->outs.message, &s->envelope));
	reply(s, s->mine, SMALL);
	need_ok(cubby_release(s->outs.message));
	end(s, SMALL);
}

/* The whole --------------------------------------------------------------------- */

static void
serves(struct stage *s)
{
	struct cubby_envelope envelope;
	cubby_mailbox *mailbox;
	uint64_t number;
	size_t size;
	int r;

	need_ok(cubby_open(s->name, CUBBY_RECEIVE, &s->options, &mailbox));
	atomic_fetch_add(&s->common->ready, 1);
	while (!atomic_load(&s->common->go)) {
		envelope = (struct cubby_envelope)CUBBY_ENVELOPE_INIT;
		r = cubby_receive_full(mailbox, NULL, 0, shortly(), s->buffer,
				       sizeof(s->buffer), &size, &envelope);
		if (r == -ETIMEDOUT)
			continue;
		need_ok(r);
		memcpy(&number, s->buffer, 8);
		need(envelope.call && number >> 32 == 97);
		put_number(s->buffer, size, number & UINT32_MAX);
		r = cubby_reply(mailbox, &envelope, s->buffer, size);
		need(r == 0 || r == -EPIPE);
	}
	cubby_close(mailbox);
}

static void
served_set(struct stage *s)
{
	open_mine(s, CUBBY_SEND);
	help(s, serves);
}

static int
call_of(struct stage *s, size_t size, int64_t deadline)
{
	int r;

	put_number(bytes, size, UINT64_C(97) << 32 | ++s->next);
	r = cubby_call(s->mine, bytes, size, s->buffer, sizeof(s->buffer),
		       &s->outs.size, deadline);
	if (r == 0)
		expect_reply(s, size);
	return r;
}

static int
call_act(struct stage *s)
{
	return call_of(s, SMALL, soon());
}

static int
call_large_act(struct stage *s)
{
	return call_of(s, REPLY, soon());
}

/* Nobody serves: what was given up is not handed out, and keeps its memory until a
   server comes to it. */
static int
call_late_act(struct stage *s)
{
	return call_of(s, SMALL, shortly());
}

static const struct scenario list[] = {
	{ "call-begin", "cubby_call_begin", CALLED, PREPARES, call_set,
	  begin_act, begin_check },
	{ "call-begin-large", "cubby_call_begin", CALLED, PREPARES, call_set,
	  begin_large_act, begin_check },
	{ "call-end", "cubby_call_end", CALLED, ENDS | PREPARES, end_set,
	  end_act, NULL },
	{ "call-end-large", "cubby_call_end", CALLED, ENDS | PREPARES,
	  end_large_set, end_large_act, NULL },
	{ "call-end-late", "cubby_call_end", CALLED, WAITS | PREPARES,
	  end_late_set, end_late_act, end_late_check },
	{ "call-cancel", "cubby_call_cancel", CALLED, GONE, end_late_set,
	  cancel_act, NULL },
	{ "call-cancel-taken", "cubby_call_cancel", CALLED, GONE,
	  cancel_taken_set, cancel_act, cancel_taken_check },
	{ "reply", "cubby_reply", CALLED, PREPARES, reply_set, reply_act,
	  reply_check },
	{ "reply-large", "cubby_reply", CALLED, PREPARES, reply_set,
	  reply_large_act, reply_large_check },
	{ "receive-request", "cubby_receive_full", CALLED, PREPARES | ENDS,
	  take_request_set, take_request_act, take_request_check },
	{ "hold-request", "cubby_hold", CALLED, PREPARES | ENDS, take_request_set,
	  hold_request_act, hold_request_check },
	{ "call", "cubby_call", CALLED | ONLY(RENDEZVOUS),
	  PREPARES | NO_LIMITS | GROWS, served_set, call_act, NULL },
	{ "call-large", "cubby_call", CALLED, PREPARES | NO_LIMITS | GROWS,
	  served_set, call_large_act, NULL },
	{ "call-late", "cubby_call", CALLED, PREPARES | WAITS | GROWS, call_set,
	  call_late_act, NULL },
	{ NULL, NULL, 0, 0, NULL, NULL, NULL },
};
SCENARIOS(list);
