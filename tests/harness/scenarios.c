/* SPDX-License-Identifier: MIT */
/*
 * The operations that victims are killed and stopped in, and the states that
 * they start from: those of lanes here, those of queues in scenarios_queue.c.
 *
 * An operation is up to three functions of the victim's: prepare (before the
 * mark START), perform (the calls of libcubby and nothing else), and conclude
 * (after END: was the result right? enter it in the account).
 */
#include <stdio.h>

#include "acts.h"

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

#define SENDING_MANY(name, starts, prepare)				\
	{ name, SENDS, CUBBY_SEND, starts, SHORT, NOTHING, 0, prepare,	\
	  perform_send_batch, conclude_send_batch }
#define RECEIVING_MANY(name, starts, size, scenery, clash, prepare)	\
	{ name, TAKES | MANY, CUBBY_RECEIVE, starts, size, scenery, clash, \
	  prepare, perform_receive_batch, conclude_receive_batch }

#define RECEIVING_INHERITED(name, starts, size)				\
	{ name, TAKES, CUBBY_RECEIVE, starts, size, GHOST_HOLDER, 0,	\
	  prepare_inheritance, perform_receive, conclude_receive }
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
	{ "open-sender", OPENS, CUBBY_SEND, ANY,
	  SHORT, NOTHING, 0, NULL, perform_open, conclude_plain },
	{ "open-receiver", OPENS, CUBBY_RECEIVE, ANY, SHORT, NOTHING, 0, NULL,
	  perform_open, conclude_plain },
	{ "take-over", OPENS, CUBBY_SEND, ANY & ~AT_ASLEEP, SHORT,
	  GHOST_SENDER, 0, NULL, perform_open, conclude_plain },
	{ "take-over-large", OPENS, CUBBY_SEND, ANY & ~AT_ASLEEP, LONG,
	  GHOST_SENDER, 0, NULL, perform_open, conclude_plain },
	{ "take-over-held", OPENS, CUBBY_SEND, AT_ONE | AT_FULL | AT_WRAPPED,
	  LONG, GHOST_SENDER_HELD, 0, NULL, perform_open, conclude_plain },

	/* by a name: back to the lane of one who died, or has closed */
	RETURNING("return", STANDING, SHORT, GHOST_SENDER),
	RETURNING("return-large", AT_ONE | AT_FULL, LONG, GHOST_SENDER),
	RETURNING("return-held", AT_ONE | AT_FULL | AT_WRAPPED, LONG,
		  GHOST_SENDER_HELD),
	RETURNING("return-closed", STANDING, SHORT, GHOST_GONE),
	SENDING_NAMED("send-named", ANY, SHORT, prepare_send, perform_send,
		      conclude_send),
	SENDING_NAMED("send-named-block", AT_EMPTY | AT_ONE, LONG,
		      prepare_send, perform_send, conclude_send),
	SENDING_NAMED("send-named-batch", AT_EMPTY | AT_ONE, SHORT,
		      prepare_send_batch, perform_send_batch,
		      conclude_send_batch),
	CLOSING_NAMED("close-named", ANY),

	/* temporary ones: what waits goes with its last user */
	CLOSING_LAST("close-last", AT_EMPTY | AT_ONE | AT_FULL, SHORT),
	CLOSING_LAST("close-last-large", AT_FULL, LONG),
	AFTER_LAST("create-after-last", AT_EMPTY | AT_ONE | AT_FULL),

	/* send */
	SENDING("send-inline", ANY, SHORT, perform_send),
	SENDING("send-nothing", ANY, 0, perform_send),
	SENDING("send-block", ANY, LONG, perform_send),
	{ "send-try", SENDS, CUBBY_SEND, ANY, SHORT, NOTHING, 0,
	  prepare_send, perform_send_now, conclude_send_now },
	{ "send-synchronous", SENDS | AWAITS, CUBBY_SEND, ANY, SHORT, NOTHING,
	  0, prepare_send, perform_send_synchronous, conclude_send },
	{ "send-synchronous-block", SENDS | AWAITS, CUBBY_SEND, AT_EMPTY |
	  AT_WRAPPED, LONG, NOTHING, 0, prepare_send,
	  perform_send_synchronous, conclude_send },
	{ "wait-received", AWAITS, CUBBY_SEND, NOT_FULL, SHORT, NOTHING, 0,
	  prepare_wait_received, perform_wait_received, conclude_plain },
	{ "reserve", 0, CUBBY_SEND, ANY, LONG, NOTHING, 0, NULL,
	  perform_reserve, conclude_reserve },
	{ "commit", SENDS, CUBBY_SEND, ANY & ~AT_FULL, LONG, NOTHING, 0,
	  prepare_commit, perform_commit, conclude_send },
	{ "reserve-commit", SENDS, CUBBY_SEND, ANY, SHORT, NOTHING, 0,
	  prepare_send, perform_reserve_commit, conclude_send },
	{ "abort", 0, CUBBY_SEND, ANY & ~AT_FULL, LONG,
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
	/* several: else the bystander would have settled down */
	{ "receive-passed", TAKES | GROWS | PASSED, CUBBY_RECEIVE, AT_SEVERAL,
	  SHORT, NOTHING, 0, NULL, perform_receive_now, conclude_receive_now },
	{ "hold-turn", HOLDS | GROWS, CUBBY_RECEIVE, AT_FULL, SHORT, NOTHING,
	  0, prepare_turn, perform_hold, conclude_hold },
	{ "peek-turn", GROWS, CUBBY_RECEIVE, AT_FULL, SHORT, NOTHING, 0,
	  prepare_turn_far, perform_peek, conclude_peek },

	/* many at once */
	SENDING_MANY("send-batch", ANY & ~AT_FULL, prepare_send_batch),
	SENDING_MANY("send-batch-mixed", AT_EMPTY | AT_ONE | AT_ASLEEP,
		     prepare_send_batch_mixed),
	RECEIVING_MANY("receive-batch", ANY, SHORT, NOTHING, 0,
		       prepare_receive_batch),
	RECEIVING_MANY("receive-batch-large", AT_ONE | AT_FULL, LONG, NOTHING,
		       0, prepare_receive_batch),
	RECEIVING_MANY("receive-batch-beside-1", WAITING, SHORT, NOTHING, 1,
		       prepare_receive_batch),
	RECEIVING_MANY("receive-batch-beside-2", AT_SEVERAL, SHORT, NOTHING, 2,
		       prepare_receive_batch),
	RECEIVING_MANY("receive-batch-settled", AT_ONE | AT_FULL, SHORT,
		       SETTLED_VICTIM, 0, prepare_settled_batch),
	RECEIVING_MANY("receive-batch-unsettling", AT_EMPTY | AT_FULL, SHORT,
		       SETTLED_BYSTANDER, 0, prepare_receive_batch),
	RECEIVING_MANY("receive-batch-rejected", THERE, SHORT,
		       REJECTED, 0, prepare_receive_batch),

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
	{ "receive-try", TAKES, CUBBY_RECEIVE, ANY, SHORT,
	  NOTHING, 0, NULL, perform_receive_now, conclude_receive_now },
	{ "peek", 0, CUBBY_RECEIVE, ANY, LONG,
	  NOTHING, 0, NULL, perform_peek, conclude_peek },
	RECEIVING("receive-beside-1", WAITING, SHORT, NOTHING, 1),
	RECEIVING("receive-beside-2", AT_ASLEEP, SHORT, NOTHING, 2),
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
	RECEIVING("receive-unsettling-2", WAITING & ~AT_SEVERAL, SHORT,
		  SETTLED_BYSTANDER, 2),
	RECEIVING("receive-unsettling-3", THERE & ~AT_SEVERAL, SHORT,
		  SETTLED_BYSTANDER, 3),
	HOLDING("hold-unsettling", ANY, SHORT,
		SETTLED_BYSTANDER, 0),
	HOLDING("hold-unsettling-1", AT_ONE | AT_FULL, LONG,
		SETTLED_BYSTANDER, 1),

	/* wait for several, in vain for one of them; without a message, or
	   room, it sleeps, and the worker sends one, or makes some */
	{ "wait", HOLDS, CUBBY_RECEIVE, ANY, SHORT, NOTHING, 0,
	  prepare_wait, perform_wait, conclude_wait },
	{ "wait-receive", TAKES, CUBBY_RECEIVE, ANY, SHORT, NOTHING, 0,
	  prepare_wait, perform_wait_receive, conclude_wait_receive },
	{ "wait-send", SENDS, CUBBY_SEND, ANY, SHORT, NOTHING, 0,
	  prepare_wait_send, perform_wait_send, conclude_wait_send },
	WAITING_OTHERWISE,
	{ "send-to-waiter", SENDS, CUBBY_SEND, AT_ASLEEP, SHORT, WAITER, 0,
	  prepare_send, perform_send, conclude_send },
	RECEIVING("receive-from-waiter", AT_ASLEEP, SHORT, WAITER, 0),

	/* polling: making a descriptor, arming it, being told; telling another
	   one who polls; and taking it down, also of one who is dead */
	{ "poll-open", 0, CUBBY_RECEIVE, ANY, SHORT, NOTHING, 0,
	  NULL, perform_poll_open, conclude_plain },
	{ "poll-open-sender", 0, CUBBY_SEND, ANY, SHORT, NOTHING,
	  0, NULL, perform_poll_open, conclude_plain },
	{ "poll-receive", TAKES, CUBBY_RECEIVE, ANY, SHORT,
	  NOTHING, 0, prepare_poll_receive, perform_poll_receive,
	  conclude_receive },
	{ "poll-send", SENDS, CUBBY_SEND, ANY, SHORT, NOTHING, 0,
	  prepare_poll_send, perform_poll_send, conclude_send },
	{ "poll-send-crowded", SENDS, CUBBY_SEND, AT_FULL, SHORT, CROWDED, 0,
	  prepare_poll_send, perform_poll_send, conclude_send },
	{ "poll-close", 0, CUBBY_RECEIVE, AT_EMPTY, SHORT, NOTHING, 0,
	  prepare_polling, perform_close, conclude_plain },
	{ "send-to-poller", SENDS, CUBBY_SEND, AT_ASLEEP, SHORT, POLLER, 0,
	  prepare_send, perform_send, conclude_send },
	{ "commit-to-poller", SENDS, CUBBY_SEND, AT_ASLEEP, LONG, POLLER, 0,
	  prepare_commit, perform_commit, conclude_send },
	RECEIVING("receive-from-poller", AT_ASLEEP, SHORT, POLLER, 0),
	HOLDING("hold-from-poller", AT_ASLEEP, LONG, POLLER, 0),
	{ "open-receiver-after-poller", OPENS, CUBBY_RECEIVE, AT_EMPTY | AT_ONE,
	  SHORT, GHOST_POLLER, 0, NULL, perform_open, conclude_plain },
	{ "sweep-poller", BORROWS, 0, AT_EMPTY | AT_ONE, SHORT, GHOST_POLLER, 0,
	  NULL, perform_sweep, conclude_plain },

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
	RECEIVING("receive-rejected", THERE, SHORT,
		  REJECTED, 0),
	RECEIVING("receive-rejected-large", THERE, LONG, REJECTED,
		  0),
	/* ... of one whom the victim finds, when nothing else is there, and of
	   one whom it has found when it came */
	RECEIVING_INHERITED("receive-from-dead", AT_ONE, SHORT),
	RECEIVING_INHERITED("receive-from-dead-large", AT_ONE, LONG),
	RECEIVING("receive-after-dead", THERE, SHORT, GHOST_HOLDER, 0),
	RECEIVING("receive-after-dead-large", THERE, LONG, GHOST_HOLDER, 0),
	RECEIVING("receive-rejected-beside", THERE, SHORT,
		  REJECTED, 1),
	HOLDING("hold-rejected", THERE, SHORT,
		REJECTED, 0),
	{ "hold-from-dead", HOLDS, CUBBY_RECEIVE, AT_ONE, LONG, GHOST_HOLDER, 0,
	  prepare_inheritance, perform_hold, conclude_hold },
	HOLDING("hold-after-dead", THERE, LONG, GHOST_HOLDER, 0),
	HOLDING("hold-rejected-beside", THERE, LONG, REJECTED, 1),
	{ "open-receiver-after-dead", OPENS, CUBBY_RECEIVE, THERE, SHORT,
	  GHOST_HOLDER, 0, NULL, perform_open, conclude_plain },

	/* leave, and clean up */
	{ "close-sender", 0, CUBBY_SEND, ANY, SHORT, NOTHING, 0,
	  NULL, perform_close, conclude_plain },
	{ "close-sender-large", 0, CUBBY_SEND, AT_ONE | AT_FULL, LONG, NOTHING,
	  0, NULL, perform_close, conclude_plain },
	{ "close-draft", 0, CUBBY_SEND, NOT_FULL, LONG, NOTHING, 0,
	  prepare_draft, perform_close, conclude_plain },
	{ "close-receiver", 0, CUBBY_RECEIVE, ANY,
	  SHORT, NOTHING, 0, NULL, perform_close, conclude_plain },
	{ "close-holding", GIVES_BACK, CUBBY_RECEIVE, WAITING, SHORT, NOTHING, 0,
	  prepare_held, perform_close, conclude_given_back },
	{ "close-holding-large", GIVES_BACK, CUBBY_RECEIVE, AT_ONE | AT_FULL,
	  LONG, NOTHING, 0, prepare_held, perform_close,
	  conclude_given_back },
	{ "unlink", UNLINKS, 0, ANY, SHORT, NOTHING, 0, NULL,
	  perform_unlink, conclude_plain },
	{ "sweep", BORROWS, 0, AT_ONE | AT_FULL, LONG, GHOST_SENDER, 0, NULL,
	  perform_sweep, conclude_plain },
	{ "sweep-drained", BORROWS, 0, AT_EMPTY | AT_WRAPPED, LONG, GHOST_SENDER, 0,
	  NULL, perform_sweep, conclude_plain },
	{ "sweep-holder", BORROWS, 0, THERE, SHORT, GHOST_HOLDER, 0, NULL,
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

	{ "inspect", 0, 0, ANY, SHORT, NOTHING, 0, NULL,
	  perform_inspect, conclude_plain },

	/* an inbox: one receives */
	{ "inbox-open", OPENS | INBOX, CUBBY_RECEIVE, ANY, SHORT, NOTHING, 0, NULL, perform_open,
	  conclude_open_inbox },
	{ "inbox-open-after-dead", OPENS | INBOX, CUBBY_RECEIVE, THERE, SHORT, GHOST_HOLDER, 0, NULL, perform_open,
	  conclude_open_inbox },
	{ "inbox-receive", TAKES | INBOX, CUBBY_RECEIVE, ANY, SHORT, NOTHING, 0, NULL, perform_receive,
	  conclude_receive },
	{ "inbox-receive-named", TAKES | INBOX | NAMED, CUBBY_RECEIVE,
	  ANY, SHORT, NOTHING, 0, NULL, perform_receive_named, conclude_receive },
	{ "inbox-receive-named-try", TAKES | INBOX | NAMED, CUBBY_RECEIVE,
	  ANY, SHORT, NOTHING, 0, NULL, perform_receive_named_now, conclude_receive_now },
	{ "inbox-hold", HOLDS | INBOX, CUBBY_RECEIVE, ANY, LONG,
	  NOTHING, 0, NULL, perform_hold, conclude_hold },
	{ "inbox-close-receiver", INBOX | LEAVES, CUBBY_RECEIVE, ANY, SHORT, NOTHING, 0, NULL, perform_close, conclude_plain },
	{ "inbox-close-holding", GIVES_BACK | INBOX | LEAVES, CUBBY_RECEIVE,
	  WAITING, LONG, NOTHING, 0, prepare_held, perform_close,
	  conclude_given_back },
	{ "inbox-open-sender", OPENS | INBOX, CUBBY_SEND, ANY,
	  SHORT, NOTHING, 0, NULL, perform_open, conclude_plain },
	{ "inbox-open-process", OPENS | INBOX | BOUND, CUBBY_SEND, ANY, SHORT,
	  NOTHING, 0, NULL, perform_open_process, conclude_plain },
	{ "inbox-send", SENDS | INBOX, CUBBY_SEND, ANY,
	  SHORT, NOTHING, 0, prepare_send, perform_send, conclude_send },
	{ "inbox-send-synchronous", SENDS | AWAITS | INBOX, CUBBY_SEND,
	  ANY, LONG, NOTHING, 0, prepare_send,
	  perform_send_synchronous, conclude_send },
	{ "inbox-close-sender", INBOX, CUBBY_SEND, ANY, SHORT, NOTHING, 0,
	  NULL, perform_close, conclude_plain },
};
/* clang-format on */

enum {
	OPERATIONS = sizeof(operations) / sizeof(operations[0]),
	SCENARIOS_MAX = 2048
};

static uint32_t
add(struct scenario *list, uint32_t count, const struct operation *operation,
    enum kind kind)
{
	for (int start = 0; start < STARTS; start++) {
		if (!(operation->starts & 1U << start))
			continue;
		if (count == SCENARIOS_MAX)
			fail("too many scenarios");
		list[count].operation = operation;
		list[count].start = start;
		list[count].kind = kind;
		count++;
	}
	return count;
}

const struct scenario *
scenarios(uint32_t *ret_count)
{
	static struct scenario list[SCENARIOS_MAX];
	static uint32_t total;
	const struct queue_operations *queues;
	uint32_t count = 0;

	for (int i = 0; i < OPERATIONS && !total; i++)
		count = add(list, count, &operations[i], LANES);
	for (queues = queue_scenarios; !total && queues->list; queues++)
		for (uint32_t i = 0; i < queues->count; i++)
			if (!queues->effect ||
			    queues->list[i].effects & queues->effect)
				count = add(list, count, &queues->list[i],
					    queues->kind);
	total += count;
	*ret_count = total;
	return list;
}

int
scenario_capacity(const struct scenario *scenario)
{
	if (scenario->kind == RENDEZVOUS)
		return 0;
	return scenario->kind == LANES ? CAPACITY : QUEUE_CAPACITY;
}

bool
scenario_waits_for_victim(const struct scenario *scenario)
{
	const struct operation *operation = scenario->operation;
	unsigned starts = AT_WRAPPED | AT_ASLEEP | AT_SEVERAL;

	if (operation->scenery == SETTLED_VICTIM)
		return true;
	if (operation->scenery == GHOST_HOLDER)
		return operation->prepare == prepare_inheritance;
	return operation->effects & INBOX &&
	       !(operation->effects & OPENS) &&
	       operation->roles & CUBBY_RECEIVE &&
	       starts & 1U << scenario->start;
}

const char *
scenario_name(const struct scenario *scenario)
{
	static const char *const starts[] = {
		[EMPTY] = "empty",	   [ONE] = "one",
		[FULL] = "full",	   [WRAPPED] = "wrapped",
		[ASLEEP_THERE] = "asleep", [SEVERAL] = "several",
	};
	static const char *const kinds[KINDS] = {
		[LANES] = "",		   [ARRIVAL] = "arrival-",
		[PRIORITY] = "priority-",  [RENDEZVOUS] = "rendezvous-",
		[UNLIMITED] = "unlimited-",
	};
	static char name[80];

	snprintf(name, sizeof(name), "%s%s/%s", kinds[scenario->kind],
		 scenario->operation->name,
		 starts[scenario->start]);
	return name;
}
