/* SPDX-License-Identifier: MIT */
/*
 * The operations that victims are killed and stopped in, and the states that
 * they start from.
 *
 * An operation is up to three functions of the victim's: prepare (before the
 * mark START), perform (the calls of libcubby and nothing else), and conclude
 * (after END: was the result right? enter it in the account).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"

static void
expect(const struct victim *victim, int other)
{
	if (victim->result != 0 && victim->result != other)
		fail("the operation returned %s",
		     cubby_strerror(victim->result));
}

static void
conclude_plain(struct victim *victim)
{
	expect(victim, 0);
}

/* Opening --------------------------------------------------------------- */

static void
perform_open(struct victim *victim)
{
	victim->result = cubby_open(mailbox_name(victim->scenario->operation),
				    victim->scenario->operation->roles, NULL,
				    &victim->mailbox);
}

/* The bystander, who is its parent, may have got the inbox before it. */
static void
conclude_open_inbox(struct victim *victim)
{
	expect(victim, -EBUSY);
}

static void
perform_open_process(struct victim *victim)
{
	victim->result = cubby_open_process(getppid(), CUBBY_SEND, NULL,
					    &victim->mailbox);
}

static void
perform_create(struct victim *victim)
{
	struct cubby_options options;

	mailbox_options(victim->scenario->operation, &options);
	victim->result = cubby_open(MAILBOX,
				    CUBBY_CREATE | CUBBY_SEND | CUBBY_RECEIVE,
				    &options, &victim->mailbox);
}

static void
perform_create_exclusive(struct victim *victim)
{
	struct cubby_options options;

	mailbox_options(victim->scenario->operation, &options);
	victim->result = cubby_open(MAILBOX,
				    CUBBY_CREATE | CUBBY_EXCLUSIVE |
					    CUBBY_SEND | CUBBY_RECEIVE,
				    &options, &victim->mailbox);
}

/* Somebody may have made it while the victim stood still. */
static void
conclude_create_exclusive(struct victim *victim)
{
	expect(victim, -EEXIST);
}

static void
perform_close(struct victim *victim)
{
	cubby_close(victim->mailbox);
	victim->mailbox = NULL;
}

static void
perform_unlink(struct victim *victim)
{
	victim->result = cubby_unlink(MAILBOX);
}

static void
perform_sweep(struct victim *victim)
{
	struct cubby_swept swept = CUBBY_SWEPT_INIT;

	victim->result = cubby_sweep(mailbox_name(victim->scenario->operation),
				     &swept);
}

static void
perform_inspect(struct victim *victim)
{
	struct cubby_info info = CUBBY_INFO_INIT;

	victim->result = cubby_inspect(MAILBOX, &info);
}

/* Sending --------------------------------------------------------------- */

void
prepare_send(struct victim *victim)
{
	letter_write(&victim->stage->account, VICTIM,
		     victim->scenario->operation->size, &victim->letter);
	victim->envelope.tag = letter_tag(&victim->letter);
}

static void
perform_send(struct victim *victim)
{
	victim->result = cubby_send_full(victim->mailbox, victim->letter.bytes,
					 victim->letter.size, &victim->envelope,
					 0, CUBBY_FOREVER);
}

static void
perform_send_now(struct victim *victim)
{
	victim->result = cubby_send_full(victim->mailbox, victim->letter.bytes,
					 victim->letter.size, &victim->envelope,
					 0, CUBBY_NOW);
}

static void
perform_send_synchronous(struct victim *victim)
{
	victim->result = cubby_send_full(victim->mailbox, victim->letter.bytes,
					 victim->letter.size, &victim->envelope,
					 CUBBY_SYNCHRONOUS, CUBBY_FOREVER);
}

static void
conclude_send(struct victim *victim)
{
	account_sent(&victim->stage->account, &victim->letter, victim->result);
	expect(victim, 0);
}

static void
conclude_send_now(struct victim *victim)
{
	account_sent(&victim->stage->account, &victim->letter, victim->result);
	expect(victim, -EAGAIN);
}

static void
prepare_wait_received(struct victim *victim)
{
	prepare_send(victim);
	perform_send(victim);
	conclude_send(victim);
}

static void
perform_wait_received(struct victim *victim)
{
	victim->result = cubby_wait_received(
		victim->mailbox, victim->envelope.sequence, CUBBY_FOREVER);
}

static void
perform_reserve(struct victim *victim)
{
	victim->result = cubby_reserve(victim->mailbox,
				       victim->scenario->operation->size,
				       CUBBY_FOREVER, &victim->draft);
}

static void
fill_draft(struct victim *victim)
{
	prepare_send(victim);
	memcpy(cubby_draft_data(victim->draft), victim->letter.bytes,
	       victim->letter.size);
}

static void
perform_commit(struct victim *victim)
{
	victim->result = cubby_commit(victim->draft, victim->letter.size,
				      &victim->envelope);
}

/* A reservation must be of use. */
static void
conclude_reserve(struct victim *victim)
{
	expect(victim, 0);
	fill_draft(victim);
	perform_commit(victim);
	conclude_send(victim);
}

static void
prepare_draft(struct victim *victim)
{
	perform_reserve(victim);
	expect(victim, 0);
}

static void
prepare_commit(struct victim *victim)
{
	prepare_draft(victim);
	fill_draft(victim);
}

static void
perform_abort(struct victim *victim)
{
	cubby_abort(victim->draft);
}

/* Both at once, the bytes filled in by libcubby's caller in between. */
static void
perform_reserve_commit(struct victim *victim)
{
	perform_reserve(victim);
	if (victim->result < 0)
		return;
	memcpy(cubby_draft_data(victim->draft), victim->letter.bytes,
	       victim->letter.size);
	perform_commit(victim);
}

/* Receiving ------------------------------------------------------------- */

static void
receive(struct victim *victim, int flags, int64_t deadline)
{
	victim->result = cubby_receive_full(victim->mailbox, NULL, flags,
					    deadline, victim->buffer, BUFFER,
					    &victim->size, &victim->envelope);
}

static void
perform_receive(struct victim *victim)
{
	receive(victim, 0, CUBBY_FOREVER);
}

static void
perform_receive_now(struct victim *victim)
{
	receive(victim, 0, CUBBY_NOW);
}

/* The bystander's, by its name. */
static void
receive_named(struct victim *victim, int64_t deadline)
{
	struct cubby_filter filter = CUBBY_FILTER_INIT;

	filter.sender_name = BYSTANDER_NAME;
	victim->result = cubby_receive_full(victim->mailbox, &filter, 0,
					    deadline, victim->buffer, BUFFER,
					    &victim->size, &victim->envelope);
}

static void
perform_receive_named(struct victim *victim)
{
	receive_named(victim, CUBBY_FOREVER);
}

static void
perform_receive_named_now(struct victim *victim)
{
	receive_named(victim, CUBBY_NOW);
}

static void
perform_peek(struct victim *victim)
{
	receive(victim, CUBBY_PEEK, CUBBY_NOW);
}

static void
conclude_receive(struct victim *victim)
{
	expect(victim, 0);
	actor_enter(victim->stage, VICTIM, victim->buffer, &victim->envelope,
		    false);
}

static void
conclude_receive_now(struct victim *victim)
{
	expect(victim, -EAGAIN);
	if (victim->result == 0)
		conclude_receive(victim);
}

static void
conclude_peek(struct victim *victim)
{
	enum actor from;
	uint32_t number;
	const char *wrong = NULL;

	expect(victim, -EAGAIN);
	if (victim->result == 0)
		wrong = letter_read(victim->buffer, &victim->envelope, &from,
				    &number);
	if (wrong)
		fail("the victim peeked at %s", wrong);
}

/* Holding --------------------------------------------------------------- */

static void
perform_hold(struct victim *victim)
{
	victim->result = cubby_hold(victim->mailbox, NULL, CUBBY_FOREVER,
				    &victim->message);
}

static void
enter_hold(struct victim *victim)
{
	int result = cubby_message_envelope(victim->message, &victim->envelope);

	if (result < 0)
		fail("cubby_message_envelope: %s", cubby_strerror(result));
	actor_enter(victim->stage, VICTIM, cubby_message_data(victim->message),
		    &victim->envelope, true);
}

static void
conclude_hold(struct victim *victim)
{
	int result;

	expect(victim, 0);
	enter_hold(victim);
	result = actor_release(victim->stage, victim->message);
	if (result < 0)
		fail("the victim's release: %s", cubby_strerror(result));
}

static void
prepare_held(struct victim *victim)
{
	perform_hold(victim);
	expect(victim, 0);
	enter_hold(victim);
}

static void
perform_release(struct victim *victim)
{
	victim->result = cubby_release(victim->message);
}

static void
conclude_release(struct victim *victim)
{
	expect(victim, 0);
	account_released(&victim->stage->account, &victim->envelope, true);
}

static void
perform_reject(struct victim *victim)
{
	victim->result = cubby_reject(victim->message);
}

static void
conclude_given_back(struct victim *victim)
{
	expect(victim, 0);
	account_released(&victim->stage->account, &victim->envelope, false);
}

/* Receives a streak of messages while nobody else does. */
static void
prepare_settled(struct victim *victim)
{
	for (int i = 0; i < STREAK; i++) {
		victim_mark(victim->stage, MARK_SEND);
		victim->result = actor_take(victim->stage, victim->mailbox,
					    VICTIM, CUBBY_NOW);
		expect(victim, 0);
	}
	victim_mark(victim->stage, MARK_FURNISH);
}

/* The table ------------------------------------------------------------- */

#define AT_EMPTY (1U << EMPTY)
#define AT_ONE (1U << ONE)
#define AT_FULL (1U << FULL)
#define AT_WRAPPED (1U << WRAPPED)
#define AT_ASLEEP (1U << ASLEEP_THERE)
#define AT_SEVERAL (1U << SEVERAL)
#define ANY ((1U << STARTS) - 1)
#define WAITING (ANY & ~AT_EMPTY) /* there is one to receive */

/* clang-format off */
/* A sender whose lane is full waits: the worker receives when it sleeps. */
#define SENDING(name, starts, size, perform)				\
	{ name, SENDS, CUBBY_SEND, starts, size, NOTHING, 0, prepare_send, \
	  perform, conclude_send }
#define RECEIVING(name, starts, size, scenery, clash)			\
	{ name, TAKES, CUBBY_RECEIVE, starts, size, scenery, clash, NULL, \
	  perform_receive, conclude_receive }
#define HOLDING(name, starts, size, scenery, clash)			\
	{ name, HOLDS, CUBBY_RECEIVE, starts, size, scenery, clash, NULL, \
	  perform_hold, conclude_hold }

#define GROWING(name, prepare)						\
	{ name, SENDS | GROWS, CUBBY_SEND, AT_EMPTY, SHORT, NOTHING, 0,	\
	  prepare, perform_send, conclude_send }

#define RECEIVING_SETTLED(name, starts, size)				\
	{ name, TAKES, CUBBY_RECEIVE, starts, size, SETTLED_VICTIM, 0,	\
	  prepare_settled, perform_receive, conclude_receive }

static const struct operation operations[] = {
	/* attach */
	{ "create", CREATES | OPENS, CUBBY_SEND | CUBBY_RECEIVE, AT_EMPTY,
	  SHORT, NOTHING, 0, NULL, perform_create, conclude_plain },
	{ "create-exclusive", CREATES | OPENS, CUBBY_SEND | CUBBY_RECEIVE,
	  AT_EMPTY, SHORT, NOTHING, 0, NULL, perform_create_exclusive,
	  conclude_create_exclusive },
	{ "open-sender", OPENS, CUBBY_SEND, AT_EMPTY | AT_ONE | AT_SEVERAL,
	  SHORT, NOTHING, 0, NULL, perform_open, conclude_plain },
	{ "open-receiver", OPENS, CUBBY_RECEIVE, ANY, SHORT, NOTHING, 0, NULL,
	  perform_open, conclude_plain },
	{ "take-over", OPENS, CUBBY_SEND, ANY & ~AT_ASLEEP, SHORT,
	  GHOST_SENDER, 0, NULL, perform_open, conclude_plain },
	{ "take-over-large", OPENS, CUBBY_SEND, ANY & ~AT_ASLEEP, LONG,
	  GHOST_SENDER, 0, NULL, perform_open, conclude_plain },
	{ "take-over-held", OPENS, CUBBY_SEND, AT_ONE | AT_FULL | AT_WRAPPED,
	  LONG, GHOST_SENDER_HELD, 0, NULL, perform_open, conclude_plain },

	/* send */
	SENDING("send-inline", ANY, SHORT, perform_send),
	SENDING("send-nothing", AT_EMPTY | AT_WRAPPED, 0, perform_send),
	SENDING("send-block", ANY, LONG, perform_send),
	{ "send-try", SENDS, CUBBY_SEND, AT_ONE | AT_FULL, SHORT, NOTHING, 0,
	  prepare_send, perform_send_now, conclude_send_now },
	{ "send-synchronous", SENDS | AWAITS, CUBBY_SEND, ANY, SHORT, NOTHING,
	  0, prepare_send, perform_send_synchronous, conclude_send },
	{ "send-synchronous-block", SENDS | AWAITS, CUBBY_SEND, AT_EMPTY |
	  AT_WRAPPED, LONG, NOTHING, 0, prepare_send,
	  perform_send_synchronous, conclude_send },
	{ "wait-received", AWAITS, CUBBY_SEND, AT_EMPTY | AT_ONE, SHORT, NOTHING, 0,
	  prepare_wait_received, perform_wait_received, conclude_plain },
	{ "reserve", 0, CUBBY_SEND, ANY & ~AT_ASLEEP, LONG, NOTHING, 0, NULL,
	  perform_reserve, conclude_reserve },
	{ "commit", SENDS, CUBBY_SEND, ANY & ~AT_FULL, LONG, NOTHING, 0,
	  prepare_commit, perform_commit, conclude_send },
	{ "reserve-commit", SENDS, CUBBY_SEND, ANY, SHORT, NOTHING, 0,
	  prepare_send, perform_reserve_commit, conclude_send },
	{ "abort", 0, CUBBY_SEND, AT_EMPTY | AT_ONE | AT_WRAPPED, LONG,
	  NOTHING, 0, prepare_draft, perform_abort, conclude_plain },

	/* without a limit: the ring is full, or too large, or has been left */
	GROWING("send-grow", prepare_grow),
	GROWING("send-grow-far", prepare_grow_far),
	GROWING("send-extend", prepare_extend),
	GROWING("send-shrink", prepare_shrink),
	GROWING("send-shrink-far", prepare_shrink_far),
	GROWING("send-retire", prepare_retire),
	GROWING("send-retire-far", prepare_retire_far),
	{ "reserve-grow", GROWS, CUBBY_SEND, AT_EMPTY, SHORT, NOTHING, 0,
	  prepare_reserve_grow, perform_reserve, conclude_reserve },
	{ "take-over-grown", OPENS | GROWS, CUBBY_SEND, AT_FULL | AT_WRAPPED,
	  SHORT, GHOST_SENDER, 0, NULL, perform_open, conclude_plain },
	{ "close-grown", GROWS, CUBBY_SEND, AT_EMPTY, SHORT, NOTHING, 0,
	  prepare_close_grown, perform_close, conclude_plain },
	{ "sweep-grown", BORROWS | GROWS, 0, AT_FULL | AT_WRAPPED, SHORT,
	  GHOST_SENDER, 0, NULL, perform_sweep, conclude_plain },
	{ "receive-turn", TAKES | GROWS, CUBBY_RECEIVE, AT_FULL, SHORT,
	  NOTHING, 0, prepare_turn, perform_receive, conclude_receive },
	{ "receive-turn-far", TAKES | GROWS, CUBBY_RECEIVE, AT_FULL, SHORT,
	  NOTHING, 0, prepare_turn_far, perform_receive, conclude_receive },
	{ "receive-turn-settled", TAKES | GROWS, CUBBY_RECEIVE, AT_EMPTY,
	  SHORT, SETTLED_VICTIM, 0, prepare_turn_settled, perform_receive,
	  conclude_receive },
	{ "hold-turn", HOLDS | GROWS, CUBBY_RECEIVE, AT_FULL, SHORT, NOTHING,
	  0, prepare_turn, perform_hold, conclude_hold },
	{ "peek-turn", GROWS, CUBBY_RECEIVE, AT_FULL, SHORT, NOTHING, 0,
	  prepare_turn_far, perform_peek, conclude_peek },

	/* while no receiver has looked at anything yet */
	{ "send-untouched", SENDS, CUBBY_SEND, AT_EMPTY | AT_FULL | AT_ASLEEP,
	  SHORT, UNTOUCHED, 0, prepare_send, perform_send, conclude_send },
	{ "send-synchronous-untouched", SENDS | AWAITS, CUBBY_SEND,
	  AT_EMPTY | AT_ONE | AT_ASLEEP, SHORT, UNTOUCHED, 0, prepare_send,
	  perform_send_synchronous, conclude_send },
	{ "send-crowded", SENDS, CUBBY_SEND, AT_FULL | AT_ASLEEP, SHORT,
	  CROWDED, 0, prepare_send, perform_send, conclude_send },
	{ "send-synchronous-crowded", SENDS | AWAITS, CUBBY_SEND,
	  AT_EMPTY | AT_ASLEEP, SHORT, CROWDED, 0, prepare_send,
	  perform_send_synchronous, conclude_send },
	RECEIVING("receive-untouched", AT_EMPTY | AT_ONE | AT_SEVERAL, SHORT,
		  UNTOUCHED, 0),

	/* receive; without a message it sleeps, and the worker sends one */
	RECEIVING("receive-inline", ANY, SHORT, NOTHING, 0),
	RECEIVING("receive-large", ANY, LONG, NOTHING, 0),
	{ "receive-try", TAKES, CUBBY_RECEIVE, AT_EMPTY | AT_ONE, SHORT,
	  NOTHING, 0, NULL, perform_receive_now, conclude_receive_now },
	{ "peek", 0, CUBBY_RECEIVE, AT_EMPTY | AT_ONE | AT_SEVERAL, LONG,
	  NOTHING, 0, NULL, perform_peek, conclude_peek },
	RECEIVING("receive-beside-1", WAITING, SHORT, NOTHING, 1),
	RECEIVING("receive-beside-2", WAITING, SHORT, NOTHING, 2),
	RECEIVING("receive-beside-3", WAITING, SHORT, NOTHING, 3),
	RECEIVING("receive-large-beside-1", WAITING, LONG, NOTHING, 1),
	RECEIVING("receive-large-beside-2", WAITING, LONG, NOTHING, 2),
	RECEIVING("receive-large-beside-3", WAITING, LONG, NOTHING, 3),

	/* a receiver that is alone may have made itself at home in a lane:
	   it, and those who come to it */
	RECEIVING_SETTLED("receive-settled", ANY & ~AT_WRAPPED, SHORT),
	RECEIVING_SETTLED("receive-settled-large", AT_EMPTY | AT_FULL, LONG),
	{ "hold-settled", HOLDS, CUBBY_RECEIVE, AT_EMPTY | AT_ONE | AT_FULL,
	  SHORT, SETTLED_VICTIM, 0, prepare_settled, perform_hold,
	  conclude_hold },
	{ "hold-settled-large", HOLDS, CUBBY_RECEIVE, AT_ONE | AT_FULL, LONG,
	  SETTLED_VICTIM, 0, prepare_settled, perform_hold, conclude_hold },
	{ "close-settled", 0, CUBBY_RECEIVE, AT_EMPTY | AT_ONE, SHORT,
	  SETTLED_VICTIM, 0, prepare_settled, perform_close, conclude_plain },
	RECEIVING("receive-unsettling", ANY, SHORT, SETTLED_BYSTANDER, 0),
	RECEIVING("receive-unsettling-large", AT_EMPTY | AT_FULL, LONG,
		  SETTLED_BYSTANDER, 0),
	RECEIVING("receive-unsettling-1", WAITING, SHORT, SETTLED_BYSTANDER,
		  1),
	RECEIVING("receive-unsettling-2", WAITING, SHORT, SETTLED_BYSTANDER,
		  2),
	RECEIVING("receive-unsettling-3", WAITING, SHORT, SETTLED_BYSTANDER,
		  3),
	HOLDING("hold-unsettling", AT_EMPTY | AT_ONE | AT_FULL, SHORT,
		SETTLED_BYSTANDER, 0),
	HOLDING("hold-unsettling-1", AT_ONE | AT_FULL, LONG,
		SETTLED_BYSTANDER, 1),

	/* hold */
	HOLDING("hold-inline", ANY, SHORT, NOTHING, 0),
	HOLDING("hold-large", ANY, LONG, NOTHING, 0),
	HOLDING("hold-beside-1", WAITING, SHORT, NOTHING, 1),
	HOLDING("hold-beside-2", WAITING, SHORT, NOTHING, 2),
	HOLDING("hold-beside-3", WAITING, LONG, NOTHING, 3),
	{ "release-inline", ENDS, CUBBY_RECEIVE, WAITING, SHORT, NOTHING, 0,
	  prepare_held, perform_release, conclude_release },
	{ "release-large", ENDS, CUBBY_RECEIVE, WAITING, LONG, NOTHING, 0,
	  prepare_held, perform_release, conclude_release },
	{ "reject-inline", GIVES_BACK, CUBBY_RECEIVE, WAITING, SHORT, NOTHING,
	  0, prepare_held, perform_reject, conclude_given_back },
	{ "reject-large", GIVES_BACK, CUBBY_RECEIVE, WAITING, LONG, NOTHING, 0,
	  prepare_held, perform_reject, conclude_given_back },

	/* redelivery */
	RECEIVING("receive-rejected", AT_ONE | AT_FULL | AT_WRAPPED, SHORT,
		  REJECTED, 0),
	RECEIVING("receive-rejected-large", AT_ONE | AT_FULL, LONG, REJECTED,
		  0),
	RECEIVING("receive-from-dead", AT_ONE | AT_FULL | AT_WRAPPED, SHORT,
		  GHOST_HOLDER, 0),
	RECEIVING("receive-from-dead-large", AT_ONE | AT_FULL, LONG,
		  GHOST_HOLDER, 0),
	RECEIVING("receive-rejected-beside", AT_ONE | AT_FULL, SHORT,
		  REJECTED, 1),
	HOLDING("hold-rejected", AT_ONE | AT_FULL | AT_WRAPPED, SHORT,
		REJECTED, 0),
	HOLDING("hold-from-dead", AT_ONE | AT_FULL, LONG, GHOST_HOLDER, 0),
	HOLDING("hold-rejected-beside", AT_ONE | AT_FULL, LONG, REJECTED, 1),
	{ "open-receiver-after-dead", OPENS, CUBBY_RECEIVE, AT_ONE | AT_FULL,
	  SHORT, GHOST_HOLDER, 0, NULL, perform_open, conclude_plain },

	/* leave, and clean up */
	{ "close-sender", 0, CUBBY_SEND, ANY & ~AT_ASLEEP, SHORT, NOTHING, 0,
	  NULL, perform_close, conclude_plain },
	{ "close-sender-large", 0, CUBBY_SEND, AT_ONE | AT_FULL, LONG, NOTHING,
	  0, NULL, perform_close, conclude_plain },
	{ "close-draft", 0, CUBBY_SEND, AT_EMPTY | AT_ONE, LONG, NOTHING, 0,
	  prepare_draft, perform_close, conclude_plain },
	{ "close-receiver", 0, CUBBY_RECEIVE, AT_EMPTY | AT_ONE | AT_ASLEEP,
	  SHORT, NOTHING, 0, NULL, perform_close, conclude_plain },
	{ "close-holding", GIVES_BACK, CUBBY_RECEIVE, AT_ONE | AT_FULL |
	  AT_SEVERAL, SHORT, NOTHING, 0, prepare_held, perform_close,
	  conclude_given_back },
	{ "close-holding-large", GIVES_BACK, CUBBY_RECEIVE, AT_ONE | AT_FULL,
	  LONG, NOTHING, 0, prepare_held, perform_close,
	  conclude_given_back },
	{ "unlink", UNLINKS, 0, AT_EMPTY | AT_SEVERAL, SHORT, NOTHING, 0, NULL,
	  perform_unlink, conclude_plain },
	{ "sweep", BORROWS, 0, AT_ONE | AT_FULL, LONG, GHOST_SENDER, 0, NULL,
	  perform_sweep, conclude_plain },
	{ "sweep-drained", BORROWS, 0, AT_EMPTY | AT_WRAPPED, LONG, GHOST_SENDER, 0,
	  NULL, perform_sweep, conclude_plain },
	{ "sweep-holder", BORROWS, 0, AT_ONE | AT_FULL, SHORT, GHOST_HOLDER, 0, NULL,
	  perform_sweep, conclude_plain },
	/* regions in messages: what waits are regions, too */
	{ "send-region", SENDS, CUBBY_SEND, ANY, REGIONAL, NOTHING, 0,
	  prepare_send_region, perform_send_region, conclude_send_region },
	{ "receive-region", HOLDS, CUBBY_RECEIVE, ANY, REGIONAL, NOTHING, 0,
	  NULL, perform_receive_region, conclude_receive_region },
	{ "receive-region-beside-1", HOLDS, CUBBY_RECEIVE, WAITING, REGIONAL,
	  NOTHING, 1, NULL, perform_receive_region, conclude_receive_region },
	{ "receive-region-beside-2", HOLDS, CUBBY_RECEIVE, WAITING, REGIONAL,
	  NOTHING, 2, NULL, perform_receive_region, conclude_receive_region },
	{ "close-region", ENDS, CUBBY_RECEIVE, WAITING, REGIONAL, NOTHING, 0,
	  prepare_held_region, perform_close_region, conclude_close_region },
	{ "close-holding-region", GIVES_BACK, CUBBY_RECEIVE, AT_ONE |
	  AT_SEVERAL, REGIONAL, NOTHING, 0, prepare_held_region, perform_close,
	  conclude_region_back },
	{ "forward-region", SENDS | ENDS | MOVES, CUBBY_SEND | CUBBY_RECEIVE,
	  AT_ONE | AT_FULL | AT_SEVERAL, REGIONAL, NOTHING, 0, prepare_forward,
	  perform_send_region, conclude_forward },

	/* regions with a name; if it is empty, there is none yet */
	{ "region-open", NAMED_REGION, 0, AT_EMPTY | AT_ONE, SHORT, NOTHING, 0,
	  NULL, perform_region_open, conclude_region },
	{ "region-grow", NAMED_REGION, 0, AT_EMPTY | AT_ONE, SHORT, NOTHING, 0,
	  prepare_region, perform_region_grow, conclude_region },
	{ "region-close", NAMED_REGION, 0, AT_ONE, SHORT, NOTHING, 0,
	  prepare_region, perform_region_close, conclude_region },
	{ "region-grant", NAMED_REGION, 0, AT_ONE, SHORT, NOTHING, 0, NULL,
	  perform_region_grant, conclude_region },
	{ "region-unlink", NAMED_REGION, 0, AT_ONE, SHORT, NOTHING, 0, NULL,
	  perform_region_unlink, conclude_region },

	{ "inspect", 0, 0, AT_EMPTY | AT_SEVERAL, SHORT, NOTHING, 0, NULL,
	  perform_inspect, conclude_plain },

	/* an inbox: one receives */
	{ "inbox-open", OPENS | INBOX, CUBBY_RECEIVE, AT_EMPTY | AT_ONE |
	  AT_FULL, SHORT, NOTHING, 0, NULL, perform_open,
	  conclude_open_inbox },
	{ "inbox-open-after-dead", OPENS | INBOX, CUBBY_RECEIVE, AT_ONE |
	  AT_FULL, SHORT, GHOST_HOLDER, 0, NULL, perform_open,
	  conclude_open_inbox },
	{ "inbox-receive", TAKES | INBOX, CUBBY_RECEIVE, AT_EMPTY | AT_ONE |
	  AT_FULL, SHORT, NOTHING, 0, NULL, perform_receive,
	  conclude_receive },
	{ "inbox-receive-named", TAKES | INBOX | NAMED, CUBBY_RECEIVE,
	  AT_EMPTY | AT_ONE | AT_FULL, SHORT, NOTHING, 0, NULL,
	  perform_receive_named, conclude_receive },
	{ "inbox-receive-named-try", TAKES | INBOX | NAMED, CUBBY_RECEIVE,
	  AT_EMPTY | AT_ONE, SHORT, NOTHING, 0, NULL,
	  perform_receive_named_now, conclude_receive_now },
	{ "inbox-hold", HOLDS | INBOX, CUBBY_RECEIVE, AT_EMPTY | AT_ONE, LONG,
	  NOTHING, 0, NULL, perform_hold, conclude_hold },
	{ "inbox-close-receiver", INBOX | LEAVES, CUBBY_RECEIVE, AT_EMPTY |
	  AT_ONE, SHORT, NOTHING, 0, NULL, perform_close, conclude_plain },
	{ "inbox-close-holding", GIVES_BACK | INBOX | LEAVES, CUBBY_RECEIVE,
	  AT_ONE, LONG, NOTHING, 0, prepare_held, perform_close,
	  conclude_given_back },
	{ "inbox-open-sender", OPENS | INBOX, CUBBY_SEND, AT_EMPTY | AT_ONE,
	  SHORT, NOTHING, 0, NULL, perform_open, conclude_plain },
	{ "inbox-open-process", OPENS | INBOX, CUBBY_SEND, AT_EMPTY, SHORT,
	  NOTHING, 0, NULL, perform_open_process, conclude_plain },
	{ "inbox-send", SENDS | INBOX, CUBBY_SEND, AT_EMPTY | AT_ONE | AT_FULL,
	  SHORT, NOTHING, 0, prepare_send, perform_send, conclude_send },
	{ "inbox-send-synchronous", SENDS | AWAITS | INBOX, CUBBY_SEND,
	  AT_EMPTY | AT_FULL, LONG, NOTHING, 0, prepare_send,
	  perform_send_synchronous, conclude_send },
	{ "inbox-close-sender", INBOX, CUBBY_SEND, AT_ONE, SHORT, NOTHING, 0,
	  NULL, perform_close, conclude_plain },
};
/* clang-format on */

enum {
	OPERATIONS = sizeof(operations) / sizeof(operations[0]),
	SCENARIOS_MAX = OPERATIONS * STARTS
};

const struct scenario *
scenarios(uint32_t *ret_count)
{
	static struct scenario list[SCENARIOS_MAX];
	uint32_t count = 0;

	for (int i = 0; i < OPERATIONS; i++) {
		for (int start = 0; start < STARTS; start++) {
			if (!(operations[i].starts & 1U << start))
				continue;
			list[count].operation = &operations[i];
			list[count].start = start;
			count++;
		}
	}
	*ret_count = count;
	return list;
}

const char *
scenario_name(const struct scenario *scenario)
{
	static const char *const starts[] = {
		[EMPTY] = "empty",	   [ONE] = "one",
		[FULL] = "full",	   [WRAPPED] = "wrapped",
		[ASLEEP_THERE] = "asleep", [SEVERAL] = "several",
	};
	static char name[80];

	snprintf(name, sizeof(name), "%s/%s", scenario->operation->name,
		 starts[scenario->start]);
	return name;
}
