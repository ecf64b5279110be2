/* SPDX-License-Identifier: MIT */
/* What is performed by the victim, between its marks. */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "play.h"

static void
must_be(int result, int expected, const char *what)
{
	if (result != expected)
		fail("%s: %s", what, cubby_strerror(result));
}

/* Receiving -------------------------------------------------------------- */

static unsigned char bytes[sizeof(struct letter_to_all)];
static size_t size;
static struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;

int
open_it(struct part *own)
{
	return part_try_open(own->act, own->act->roles, 0, own->act->history,
			     &own->mailbox);
}

static int
receive(struct part *own)
{
	return cubby_receive_full(own->mailbox, NULL, 0, CUBBY_FOREVER, bytes,
				  sizeof(bytes), &size, &envelope);
}

int
receive_now(struct part *own)
{
	return cubby_receive_full(own->mailbox, NULL, 0, CUBBY_NOW, bytes,
				  sizeof(bytes), &size, &envelope);
}

static int
peek(struct part *own)
{
	return cubby_receive_full(own->mailbox, NULL, CUBBY_PEEK, CUBBY_FOREVER,
				  bytes, sizeof(bytes), &size, &envelope);
}

void
conclude_receive(struct part *own)
{
	if (own->stage->result == 0)
		part_enter(own, bytes, size, &envelope);
}

static int
hold(struct part *own)
{
	return cubby_hold(own->mailbox, NULL, CUBBY_FOREVER, &own->message);
}

int
hold_now(struct part *own)
{
	return cubby_hold(own->mailbox, NULL, CUBBY_NOW, &own->message);
}

static void
conclude_hold(struct part *own)
{
	must_be(cubby_message_envelope(own->message, &envelope), 0,
		"an envelope");
	part_enter(own, cubby_message_data(own->message),
		   cubby_message_size(own->message), &envelope);
	must_be(cubby_release(own->message), 0, "a release");
}

int
close_it(struct part *own)
{
	cubby_close(own->mailbox);
	own->mailbox = NULL;
	return 0;
}

/* Sending ---------------------------------------------------------------- */

static int
send_flags(struct part *own, int flags, int64_t deadline)
{
	uint64_t number = own->stage->begun[own->voice]++;
	int result = part_send(own->mailbox, own->voice, number,
			       own->act->size, 0, flags, deadline);

	if (result == 0)
		own->stage->accepted[own->voice]++;
	else
		own->stage->begun[own->voice]--;
	return result;
}

static int
send_one(struct part *own)
{
	return send_flags(own, 0, CUBBY_FOREVER);
}

int
send_now(struct part *own)
{
	return send_flags(own, 0, CUBBY_NOW);
}

static int
send_synchronous(struct part *own)
{
	return send_flags(own, CUBBY_SYNCHRONOUS, CUBBY_FOREVER);
}

/* Goes by the messages that were missed: it is near the floor. */
static void
prepare_near(struct part *own)
{
	must_be(receive(own), 0, "the victim's first receive");
	part_enter(own, bytes, size, &envelope);
}

/* clang-format off */
#define HEARS(title, how, ...)						\
	{ .operation.name = title, .delivery = how, .roles = CUBBY_RECEIVE, \
	  __VA_ARGS__ }
#define SENDS_TO_ALL(title, how, ...)					\
	{ .operation.name = title, .delivery = how, .roles = CUBBY_SEND, \
	  __VA_ARGS__ }
#define BOTH_KINDS(what, title, ...)					\
	what(title "/every", CUBBY_EVERY, __VA_ARGS__),			\
	what(title "/overtake", CUBBY_EVERY_OVERTAKE, __VA_ARGS__)

static const struct act acts[] = {
	BOTH_KINDS(HEARS, "join", .joins = true, .perform = open_it),
	BOTH_KINDS(HEARS, "join-behind", .joins = true, .perform = open_it,
		   .overtaken = true),
	BOTH_KINDS(HEARS, "join-history", .joins = true, .perform = open_it,
		   .overtaken = true, .history = 3),
	BOTH_KINDS(HEARS, "join-after-dead", .joins = true, .perform = open_it,
		   .ghost_receiver = true),
	BOTH_KINDS(HEARS, "receive-one", .waiting = 1, .perform = receive,
		   .conclude = conclude_receive),
	BOTH_KINDS(HEARS, "receive-large", .waiting = 2, .size = LONG,
		   .perform = receive,
		   .conclude = conclude_receive),
	BOTH_KINDS(HEARS, "receive-full", .waiting = ROOM, .perform = receive,
		   .conclude = conclude_receive),
	BOTH_KINDS(HEARS, "receive-none", .sleeps = true, .perform = receive,
		   .conclude = conclude_receive),
	BOTH_KINDS(HEARS, "receive-try", .perform = receive_now,
		   .conclude = conclude_receive, .result = 1),
	BOTH_KINDS(HEARS, "hold", .waiting = 2, .perform = hold,
		   .conclude = conclude_hold),
	BOTH_KINDS(HEARS, "hold-large", .waiting = 2, .size = LONG,
		   .perform = hold, .conclude = conclude_hold),
	BOTH_KINDS(HEARS, "peek", .waiting = 1, .perform = peek),
	HEARS("receive-overtaken", CUBBY_EVERY_OVERTAKE, .overtaken = true,
	      .perform = receive,
		   .conclude = conclude_receive),
	HEARS("receive-at-the-floor", CUBBY_EVERY_OVERTAKE, .overtaken = true,
	      .prepare = prepare_near, .perform = receive,
		   .conclude = conclude_receive),
	HEARS("receive-large-at-the-floor", CUBBY_EVERY_OVERTAKE,
	      .overtaken = true, .size = LONG, .prepare = prepare_near,
	      .perform = receive,
		   .conclude = conclude_receive),
	BOTH_KINDS(HEARS, "poll-open", .perform = poll_open),
	BOTH_KINDS(HEARS, "poll-receive", .sleeps = true, .prepare = prepare_poll,
		   .perform = poll_receive, .conclude = conclude_receive),
	BOTH_KINDS(HEARS, "poll-receive-one", .waiting = 1,
		   .prepare = prepare_poll, .perform = poll_receive,
		   .conclude = conclude_receive),
	BOTH_KINDS(HEARS, "poll-close", .prepare = prepare_poll,
		   .perform = close_it),
	HEARS("wait-receive", CUBBY_EVERY, .sleeps = true, .prepare = prepare_wait,
		   .perform = wait_receive, .conclude = conclude_receive),
	BOTH_KINDS(HEARS, "wait-receive-one", .waiting = 1,
		   .prepare = prepare_wait, .perform = wait_receive,
		   .conclude = conclude_receive),
	HEARS("wait-by-descriptors", CUBBY_EVERY, .sleeps = true,
		   .calls = SYS_ppoll, .prepare = prepare_wait_otherwise,
		   .perform = wait_receive,
		   .conclude = conclude_receive),
	HEARS("wait-by-lit-descriptors", CUBBY_EVERY, .sleeps = true,
		   .waiting = 1, .calls = SYS_ppoll,
		   .prepare = prepare_wait_lit,
		   .perform = wait_receive, .conclude = conclude_receive),
	/* others wait for room, until the slow one has received */
	HEARS("receive-for-sleeper", CUBBY_EVERY, .bed = SEND_BED,
	      .perform = receive, .conclude = conclude_receive),
	HEARS("receive-for-poller", CUBBY_EVERY, .bed = POLL_SEND_BED,
	      .perform = receive, .conclude = conclude_receive),
	HEARS("receive-for-waiter", CUBBY_EVERY, .bed = WAIT_SEND_BED,
	      .perform = receive, .conclude = conclude_receive),
	HEARS("hold-for-sleeper", CUBBY_EVERY, .bed = SEND_BED,
	      .size = LONG, .perform = hold, .conclude = conclude_hold),
	HEARS("close-for-sleeper", CUBBY_EVERY, .bed = SEND_BED,
	      .perform = close_it),
	BOTH_KINDS(HEARS, "close-receiver", .waiting = ROOM,
		   .perform = close_it),
	BOTH_KINDS(SENDS_TO_ALL, "open-sender", .joins = true,
		   .perform = open_it),
	BOTH_KINDS(SENDS_TO_ALL, "take-over", .joins = true,
		   .ghost_sender = true, .perform = open_it),
	BOTH_KINDS(SENDS_TO_ALL, "take-over-large", .joins = true,
		   .ghost_sender = true, .size = LONG, .perform = open_it),
	BOTH_KINDS(SENDS_TO_ALL, "send-one", .perform = send_one),
	BOTH_KINDS(SENDS_TO_ALL, "send-large", .size = LONG, .own = 1,
		   .perform = send_one),
	BOTH_KINDS(SENDS_TO_ALL, "send-round", .own = LONG_RUN,
		   .perform = send_one),
	BOTH_KINDS(SENDS_TO_ALL, "send-full", .sleeps = true, .own = ROOM, .left = true,
		   .perform = send_one),
	BOTH_KINDS(SENDS_TO_ALL, "send-full-large", .own = ROOM, .left = true,
		   .size = LONG, .perform = send_one),
	BOTH_KINDS(SENDS_TO_ALL, "send-full-try", .own = ROOM, .left = true,
		   .perform = send_now, .result = 1),
	BOTH_KINDS(SENDS_TO_ALL, "send-to-sleeper", .bed = RECEIVE_BED,
		   .perform = send_one),
	BOTH_KINDS(SENDS_TO_ALL, "send-to-poller", .bed = POLL_BED,
		   .perform = send_one),
	BOTH_KINDS(SENDS_TO_ALL, "send-to-waiter", .bed = WAIT_BED,
		   .perform = send_one),
	SENDS_TO_ALL("poll-send", CUBBY_EVERY, .sleeps = true, .own = ROOM, .left = true,
		     .prepare = prepare_poll, .perform = poll_send),
	SENDS_TO_ALL("wait-send", CUBBY_EVERY, .sleeps = true, .own = ROOM, .left = true,
		     .prepare = prepare_wait, .perform = wait_send),
	SENDS_TO_ALL("wait-send-by-descriptors", CUBBY_EVERY, .sleeps = true, .own = ROOM,
		     .left = true, .calls = SYS_ppoll,
		     .prepare = prepare_wait_otherwise,
		     .perform = wait_send),
	SENDS_TO_ALL("send-full-of-dead", CUBBY_EVERY, .own = ROOM,
		     .ghost_receiver = true, .perform = send_one),
	SENDS_TO_ALL("send-synchronous", CUBBY_EVERY, .awaits = true,
		     .perform = send_synchronous),
	BOTH_KINDS(SENDS_TO_ALL, "close-sender", .own = 2,
		   .perform = close_it),
};
/* clang-format on */

enum { ACTS = sizeof(acts) / sizeof(acts[0]) };

const struct act *
act_of(const struct scenario *scenario)
{
	return (const struct act *)scenario->operation;
}

const char *
scenario_name(const struct scenario *scenario)
{
	return scenario->operation->name;
}

/* Whether looking before a sleep pays is asked once in a process, and not where
   it is bound to one processor, as the workers and victims are. */
static void
look_once(void)
{
	cubby_mailbox *mailbox;

	if (cubby_open(MAILBOX, CUBBY_CREATE | CUBBY_RECEIVE, NULL, &mailbox) <
	    0)
		return;
	cubby_receive_full(mailbox, NULL, 0, -1, NULL, 0, NULL, NULL);
	cubby_close(mailbox);
	cubby_unlink(MAILBOX);
}

const struct scenario *
scenarios(uint32_t *ret_count)
{
	static struct scenario list[ACTS];

	if (!list[0].operation) {
		for (int i = 0; i < ACTS; i++)
			list[i].operation = &acts[i].operation;
		look_once();
	}
	*ret_count = ACTS;
	return list;
}

/* Its life --------------------------------------------------------------- */

/* All that it is due, to the LAST. */
static void
hear_to_the_end(struct part *own)
{
	int64_t end = now() + FAR_OFF;

	part_drain(own);
	victim_mark(own->stage, MARK_SEND);
	while (!own->last) {
		must_be(cubby_receive_full(own->mailbox, NULL, 0, end, bytes,
					   sizeof(bytes), &size, &envelope), 0,
			"the victim's last receive");
		part_enter(own, bytes, size, &envelope);
	}
	if (own->act->delivery == CUBBY_EVERY && (own->gaps || own->missed))
		fail("the victim missed %d, and was told of %d",
		     (int)own->gaps, (int)own->missed);
	if (own->gaps > own->missed)
		fail("the victim missed %d, and was told of %d",
		     (int)own->gaps, (int)own->missed);
}

/* An heir may have come to a lane in which somebody else's wait. */
static void
send_first(struct part *own)
{
	const struct act *act = own->act;
	int result = 0;

	for (int i = 0; i < act->own && result == 0; i++) {
		result = act->result ? send_now(own) : send_one(own);
		if (!act->result || result != -EAGAIN)
			must_be(result, 0, "the victim's first sends");
		if (!act->left)
			victim_mark(own->stage, MARK_TAKE);
	}
}

static void
prepare(struct part *own)
{
	const struct act *act = own->act;

	if (!act->joins && act->roles)
		must_be(open_it(own), 0, "the victim's open");
	send_first(own);
	victim_mark(own->stage, MARK_FURNISH);
	if (act->prepare)
		act->prepare(own);
	if (act->sleeps)
		victim_pass_time();
}

/* The mailbox that it opens may be gone, or be another one of that name. */
static bool
may_be_told(const struct act *act, const struct stage *stage)
{
	if (stage->result == -EAGAIN)
		return act->result;
	return stage->result == 0 || (stage->result == -ENOENT && act->joins &&
				      stage->replaced);
}

void
act_live(const struct act *act, struct stage *stage, enum voice voice)
{
	struct part own = { .stage = stage, .act = act, .voice = voice };

	complain_to(stage);
	tracee_offer();
	prepare(&own);
	clock_by_count(own.counts);
	victim_mark(stage, MARK_START);
	stage->result = act->perform(&own);
	victim_mark(stage, MARK_END);
	clock_by_count(false);
	if (!may_be_told(act, stage))
		fail("the victim was told: %s", cubby_strerror(stage->result));
	if (act->conclude)
		act->conclude(&own);
	if (own.mailbox && act->roles & CUBBY_RECEIVE)
		hear_to_the_end(&own);
	cubby_close(own.beside);
	cubby_close(own.mailbox);
	_exit(0);
}
