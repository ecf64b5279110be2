/* SPDX-License-Identifier: MIT */
/*
 * The operations of queues: of order arrival, those of them that differ there
 * of order priority too, of a buffer without a limit, and of rendezvous.
 */
#include "acts.h"

/* clang-format off */
#define SENDING(name, effects, starts, size, perform)			\
	{ name, SENDS | (effects), CUBBY_SEND, starts, size, NOTHING, 0, \
	  prepare_send, perform, conclude_send }
#define RECEIVING(name, effects, starts, size, scenery, perform)	\
	{ name, TAKES | (effects), CUBBY_RECEIVE, starts, size, scenery, 0, \
	  NULL, perform, conclude_receive }
#define HOLDING(name, effects, starts, size, scenery)			\
	{ name, HOLDS | (effects), CUBBY_RECEIVE, starts, size, scenery, 0, \
	  NULL, perform_hold, conclude_hold }
#define RELEASING(name, starts, size)					\
	{ name, ENDS, CUBBY_RECEIVE, starts, size, NOTHING, 0,		\
	  prepare_held, perform_release, conclude_release }
#define REJECTING(name, starts, size)					\
	{ name, GIVES_BACK, CUBBY_RECEIVE, starts, size, NOTHING, 0,	\
	  prepare_held, perform_reject, conclude_given_back }
#define OPENING(name, role, starts, scenery)				\
	{ name, OPENS, role, starts, SHORT, scenery, 0, NULL,		\
	  perform_open, conclude_plain }
#define OUTSIDE(name, effects, starts, size, scenery, perform)		\
	{ name, effects, 0, starts, size, scenery, 0, NULL, perform,	\
	  conclude_plain }

static const struct operation arrival[] = {
	/* attach */
	{ "create", CREATES | OPENS, CUBBY_SEND | CUBBY_RECEIVE, AT_EMPTY,
	  SHORT, NOTHING, 0, NULL, perform_create, conclude_plain },
	OPENING("open-sender", CUBBY_SEND, ANY, NOTHING),
	OPENING("open-receiver", CUBBY_RECEIVE, ANY, NOTHING),
	OPENING("open-after-holder", CUBBY_RECEIVE, THERE,
		GHOST_HOLDER),
	OPENING("open-after-drafts", CUBBY_SEND, NOT_FULL & ~AT_ASLEEP,
		GHOST_DRAFTS),

	/* by a name: back to the place of one who died, or has closed */
	RETURNING("return", STANDING, SHORT, GHOST_SENDER),
	RETURNING("return-large", AT_ONE | AT_FULL, LONG, GHOST_SENDER),
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

	/* send; in a full one it waits for room, and the worker makes some */
	SENDING("send-inline", BY_PRIORITY, ANY, SHORT, perform_send),
	SENDING("send-nothing", 0, ANY, 0, perform_send),
	SENDING("send-block", 0, ANY, LONG, perform_send),
	{ "send-try", SENDS, CUBBY_SEND, ANY, SHORT, NOTHING, 0,
	  prepare_send, perform_send_now, conclude_send_now },
	SENDING("send-synchronous", AWAITS | BY_PRIORITY, ANY, SHORT,
		perform_send_synchronous),
	SENDING("send-synchronous-block", AWAITS, AT_EMPTY | AT_WRAPPED, LONG,
		perform_send_synchronous),
	{ "send-withdrawn", SENDS | ENDS_BY_ITSELF | BY_PRIORITY, CUBBY_SEND,
	  ANY & ~AT_ASLEEP, SHORT, NOTHING, 0, prepare_send,
	  perform_send_withdrawn, conclude_send_late },
	{ "wait-received", AWAITS, CUBBY_SEND, NOT_FULL, SHORT,
	  NOTHING, 0, prepare_wait_received, perform_wait_received,
	  conclude_plain },
	{ "reserve", 0, CUBBY_SEND, ANY, LONG,
	  NOTHING, 0, NULL, perform_reserve, conclude_reserve },
	{ "commit", SENDS | BY_PRIORITY, CUBBY_SEND, ANY & ~AT_FULL, LONG,
	  NOTHING, 0, prepare_commit, perform_commit, conclude_send },
	{ "reserve-commit", SENDS, CUBBY_SEND, ANY, SHORT, NOTHING, 0,
	  prepare_send, perform_reserve_commit, conclude_send },
	{ "abort", 0, CUBBY_SEND, ANY & ~AT_FULL, LONG,
	  NOTHING, 0, prepare_draft, perform_abort, conclude_plain },

	/* many at once */
	{ "send-batch", SENDS | BY_PRIORITY, CUBBY_SEND, ANY & ~AT_FULL, SHORT,
	  NOTHING, 0, prepare_send_batch, perform_send_batch,
	  conclude_send_batch },
	{ "send-batch-mixed", SENDS, CUBBY_SEND, NOT_FULL, SHORT,
	  NOTHING, 0, prepare_send_batch_mixed, perform_send_batch,
	  conclude_send_batch },
	{ "receive-batch", TAKES | MANY | BY_PRIORITY, CUBBY_RECEIVE, ANY,
	  SHORT, NOTHING, 0, prepare_receive_batch, perform_receive_batch,
	  conclude_receive_batch },
	{ "receive-batch-large", TAKES | MANY, CUBBY_RECEIVE, AT_FULL |
	  AT_SEVERAL, LONG, NOTHING, 0, prepare_receive_batch,
	  perform_receive_batch, conclude_receive_batch },

	/* receive; without a message it sleeps, and the worker sends one */
	RECEIVING("receive-inline", BY_PRIORITY, ANY, SHORT, NOTHING,
		  perform_receive),
	RECEIVING("receive-large", 0, ANY, LONG, NOTHING, perform_receive),
	{ "receive-try", TAKES, CUBBY_RECEIVE, ANY, SHORT,
	  NOTHING, 0, NULL, perform_receive_now, conclude_receive_now },
	{ "receive-late", TAKES | ENDS_BY_ITSELF, CUBBY_RECEIVE, AT_EMPTY,
	  SHORT, NOTHING, 0, NULL, perform_receive_late,
	  conclude_receive_late },
	{ "peek", BY_PRIORITY, CUBBY_RECEIVE, ANY, SHORT,
	  NOTHING, 0, NULL, perform_peek, conclude_peek },
	{ "peek-large", 0, CUBBY_RECEIVE, AT_ONE, LONG, NOTHING, 0, NULL,
	  perform_peek, conclude_peek },
	RECEIVING("receive-type", CHOOSES | BY_PRIORITY, ANY & ~AT_ASLEEP,
		  SHORT, NOTHING, perform_receive_type),
	RECEIVING("receive-not-type", CHOOSES, AT_EMPTY | AT_SEVERAL, SHORT,
		  NOTHING, perform_receive_not_type),
	RECEIVING("receive-lowest", CHOOSES, AT_EMPTY | AT_SEVERAL, SHORT,
		  NOTHING, perform_receive_lowest),
	RECEIVING("receive-sender", CHOOSES, ANY & ~AT_ASLEEP, SHORT,
		  NOTHING, perform_receive_sender),
	{ "receive-beside", TAKES | BY_PRIORITY, CUBBY_RECEIVE, WAITING, SHORT,
	  NOTHING, 1, NULL, perform_receive, conclude_receive },

	/* wait for several */
	{ "wait", HOLDS, CUBBY_RECEIVE, ANY, SHORT, NOTHING, 0,
	  prepare_wait, perform_wait, conclude_wait },
	{ "wait-receive", TAKES, CUBBY_RECEIVE, ANY, SHORT, NOTHING, 0,
	  prepare_wait, perform_wait_receive, conclude_wait_receive },
	{ "wait-send", SENDS, CUBBY_SEND, ANY, SHORT, NOTHING, 0,
	  prepare_wait_send, perform_wait_send, conclude_wait_send },
	WAITING_OTHERWISE,
	{ "send-to-waiter", SENDS, CUBBY_SEND, AT_ASLEEP, SHORT, WAITER, 0,
	  prepare_send, perform_send, conclude_send },
	RECEIVING("receive-from-waiter", 0, AT_ASLEEP, SHORT, WAITER,
		  perform_receive),

	/* polling */
	{ "poll-open", 0, CUBBY_RECEIVE, ANY, SHORT, NOTHING, 0,
	  NULL, perform_poll_open, conclude_plain },
	{ "poll-receive", TAKES, CUBBY_RECEIVE, ANY, SHORT,
	  NOTHING, 0, prepare_poll_receive, perform_poll_receive,
	  conclude_receive },
	{ "poll-send", SENDS, CUBBY_SEND, ANY, SHORT, NOTHING, 0,
	  prepare_poll_send, perform_poll_send, conclude_send },
	{ "poll-close", 0, CUBBY_RECEIVE, AT_EMPTY, SHORT, NOTHING, 0,
	  prepare_polling, perform_close, conclude_plain },
	{ "send-to-poller", SENDS, CUBBY_SEND, AT_ASLEEP, SHORT, POLLER, 0,
	  prepare_send, perform_send, conclude_send },
	{ "commit-to-poller", SENDS, CUBBY_SEND, AT_ASLEEP, LONG, POLLER, 0,
	  prepare_commit, perform_commit, conclude_send },
	RECEIVING("receive-from-poller", 0, AT_ASLEEP, SHORT, POLLER,
		  perform_receive),
	HOLDING("hold-from-poller", 0, AT_ASLEEP, LONG, POLLER),
	OPENING("open-after-poller", CUBBY_RECEIVE, AT_EMPTY | AT_ONE,
		GHOST_POLLER),
	OUTSIDE("sweep-poller", BORROWS, AT_EMPTY | AT_ONE, SHORT, GHOST_POLLER,
		perform_sweep),

	/* from one who gives up when he must, whoever has the lock then */
	RECEIVING("receive-from-late", BY_PRIORITY, AT_ASLEEP, SHORT,
		  LATE_SENDER, perform_receive),
	HOLDING("hold-from-late", 0, AT_ASLEEP, LONG, LATE_SENDER),

	/* hold */
	HOLDING("hold-inline", BY_PRIORITY, ANY, SHORT, NOTHING),
	HOLDING("hold-large", 0, ANY, LONG, NOTHING),
	RELEASING("release-inline", WAITING, SHORT),
	RELEASING("release-large", WAITING, LONG),
	REJECTING("reject-inline", WAITING, SHORT),
	REJECTING("reject-large", WAITING, LONG),

	/* redelivery, and what else the dead leave */
	RECEIVING("receive-rejected", BY_PRIORITY, THERE, SHORT,
		  REJECTED, perform_receive),
	RECEIVING("receive-rejected-large", 0, THERE, LONG, REJECTED,
		  perform_receive),
	HOLDING("hold-rejected", 0, THERE, SHORT, REJECTED),
	{ "receive-from-dead", TAKES | BY_PRIORITY, CUBBY_RECEIVE, THERE, SHORT,
	  GHOST_HOLDER, 0, prepare_inheritance, perform_receive,
	  conclude_receive },
	{ "hold-from-dead", HOLDS, CUBBY_RECEIVE, THERE, LONG, GHOST_HOLDER, 0,
	  prepare_inheritance, perform_hold, conclude_hold },
	RECEIVING("receive-after-drafts", 0, THERE & ~AT_FULL, SHORT, GHOST_DRAFTS,
		  perform_receive),

	/* leave, and clean up */
	{ "close-sender", 0, CUBBY_SEND, ANY, SHORT, NOTHING, 0,
	  NULL, perform_close, conclude_plain },
	{ "close-draft", 0, CUBBY_SEND, NOT_FULL, LONG, NOTHING, 0,
	  prepare_draft, perform_close, conclude_plain },
	{ "close-receiver", 0, CUBBY_RECEIVE, ANY, SHORT,
	  NOTHING, 0, NULL, perform_close, conclude_plain },
	{ "close-holding", GIVES_BACK, CUBBY_RECEIVE, WAITING, SHORT,
	  NOTHING, 0, prepare_held, perform_close,
	  conclude_given_back },
	OUTSIDE("unlink", UNLINKS, ANY, SHORT, NOTHING,
		perform_unlink),
	OUTSIDE("sweep-holder", BORROWS, THERE, SHORT, GHOST_HOLDER,
		perform_sweep),
	OUTSIDE("sweep-drafts", BORROWS, NOT_FULL & ~AT_ASLEEP, SHORT, GHOST_DRAFTS,
		perform_sweep),
	OUTSIDE("sweep-blocks", BORROWS, AT_WRAPPED, LONG, NOTHING,
		perform_sweep),
	OUTSIDE("inspect", 0, ANY, SHORT, NOTHING, perform_inspect),

	/* the lock's owner is dead: the victim makes all anew */
	{ "repair-send", SENDS | BY_PRIORITY, CUBBY_SEND, ANY, SHORT,
	  GHOST_OWNER, 0,
	  prepare_send_break, perform_send, conclude_send },
	{ "repair-send-block", SENDS, CUBBY_SEND, AT_WRAPPED, LONG,
	  GHOST_OWNER, 0, prepare_send_break, perform_send, conclude_send },
	{ "repair-receive", TAKES | BY_PRIORITY, CUBBY_RECEIVE, ANY, SHORT,
	  GHOST_OWNER, 0, prepare_break, perform_receive, conclude_receive },
	{ "repair-receive-large", TAKES, CUBBY_RECEIVE, AT_ONE | AT_SEVERAL,
	  LONG, GHOST_OWNER, 0, prepare_break, perform_receive,
	  conclude_receive },
	{ "repair-hold", HOLDS, CUBBY_RECEIVE, ANY, SHORT,
	  GHOST_OWNER, 0, prepare_break, perform_hold, conclude_hold },
	{ "repair-release", ENDS, CUBBY_RECEIVE, WAITING, SHORT,
	  GHOST_OWNER, 0, prepare_held_break, perform_release,
	  conclude_release },
	{ "repair-reject", GIVES_BACK, CUBBY_RECEIVE, WAITING, SHORT,
	  GHOST_OWNER, 0, prepare_held_break, perform_reject,
	  conclude_given_back },
	{ "repair-commit", SENDS, CUBBY_SEND, NOT_FULL, LONG,
	  GHOST_OWNER, 0, prepare_commit_break, perform_commit,
	  conclude_send },
	{ "repair-abort", 0, CUBBY_SEND, NOT_FULL, LONG, GHOST_OWNER, 0,
	  prepare_draft_break, perform_abort, conclude_plain },
};

/* Slots are added and given back. */
static const struct operation unlimited[] = {
	SENDING("send-inline", 0, AT_EMPTY | AT_ASLEEP, SHORT, perform_send),
	{ "grow-send", SENDS, CUBBY_SEND, AT_EMPTY, SHORT, USED_UP, 0,
	  prepare_send, perform_send, conclude_send },
	{ "grow-send-block", SENDS, CUBBY_SEND, AT_EMPTY, LONG, USED_UP, 0,
	  prepare_send, perform_send, conclude_send },
	{ "grow-reserve", 0, CUBBY_SEND, AT_EMPTY, SHORT, USED_UP, 0, NULL,
	  perform_reserve, conclude_reserve },
	{ "abort-many", 0, CUBBY_SEND, AT_EMPTY, SHORT, NOTHING, 0,
	  prepare_many_drafts, perform_abort_many, conclude_plain },
	{ "give-back", TAKES, CUBBY_SEND | CUBBY_RECEIVE, AT_EMPTY, SHORT,
	  NOTHING, 0, prepare_give_back, perform_give_back, conclude_receive },
};

/* Empty: nobody is at the other end yet. Asleep: somebody is, and waits. */
static const struct operation rendezvous[] = {
	OPENING("open-sender", CUBBY_SEND, AT_EMPTY, NOTHING),
	OPENING("open-receiver", CUBBY_RECEIVE, AT_ASLEEP, NOTHING),
	SENDING("send-inline", AWAITS, AT_EMPTY | AT_ASLEEP, SHORT,
		perform_send),
	SENDING("send-block", AWAITS, AT_EMPTY | AT_ASLEEP, LONG,
		perform_send),
	{ "send-try", SENDS, CUBBY_SEND, AT_EMPTY | AT_ASLEEP, SHORT, NOTHING,
	  0, prepare_send, perform_send_now, conclude_send_now },
	{ "send-withdrawn", SENDS | ENDS_BY_ITSELF, CUBBY_SEND, AT_EMPTY,
	  SHORT, NOTHING, 0, prepare_send, perform_send_withdrawn,
	  conclude_send_late },
	RECEIVING("receive-inline", 0, AT_EMPTY | AT_ASLEEP, SHORT, NOTHING,
		  perform_receive),
	RECEIVING("receive-large", 0, AT_EMPTY | AT_ASLEEP, LONG, NOTHING,
		  perform_receive),
	{ "receive-try", TAKES, CUBBY_RECEIVE, AT_EMPTY | AT_ASLEEP, SHORT,
	  NOTHING, 0, NULL, perform_receive_now, conclude_receive_now },
	{ "receive-late", TAKES | ENDS_BY_ITSELF, CUBBY_RECEIVE, AT_EMPTY,
	  SHORT, NOTHING, 0, NULL, perform_receive_late,
	  conclude_receive_late },
	RECEIVING("receive-from-late", 0, AT_ASLEEP, SHORT, LATE_SENDER,
		  perform_receive),
	{ "peek", 0, CUBBY_RECEIVE, AT_EMPTY | AT_ASLEEP, SHORT, NOTHING, 0,
	  NULL, perform_peek, conclude_peek },
	{ "poll-receive", TAKES, CUBBY_RECEIVE, AT_EMPTY, SHORT, NOTHING, 0,
	  prepare_poll, perform_poll_receive, conclude_receive },
	{ "wait", HOLDS, CUBBY_RECEIVE, AT_EMPTY | AT_ASLEEP, SHORT, NOTHING, 0,
	  prepare_wait, perform_wait, conclude_wait },
	{ "wait-receive", TAKES, CUBBY_RECEIVE, AT_EMPTY, SHORT, NOTHING, 0,
	  prepare_wait, perform_wait_receive, conclude_wait_receive },
	HOLDING("hold-inline", 0, AT_EMPTY | AT_ASLEEP, SHORT, NOTHING),
	RELEASING("release-inline", AT_ASLEEP, SHORT),
	REJECTING("reject-inline", AT_ASLEEP, SHORT),
	{ "close-holding", GIVES_BACK, CUBBY_RECEIVE, AT_ASLEEP, SHORT,
	  NOTHING, 0, prepare_held, perform_close, conclude_given_back },
	{ "repair-send", SENDS | AWAITS, CUBBY_SEND, AT_EMPTY | AT_ASLEEP,
	  SHORT, GHOST_OWNER, 0, prepare_send_break, perform_send,
	  conclude_send },
	{ "repair-receive", TAKES, CUBBY_RECEIVE, AT_EMPTY | AT_ASLEEP, SHORT,
	  GHOST_OWNER, 0, prepare_break, perform_receive, conclude_receive },
};
/* clang-format on */

#define ALL_OF(list) list, sizeof(list) / sizeof((list)[0])

const struct queue_operations queue_scenarios[] = {
	{ ARRIVAL, 0, ALL_OF(arrival) },
	{ PRIORITY, BY_PRIORITY, ALL_OF(arrival) },
	{ UNLIMITED, 0, ALL_OF(unlimited) },
	{ RENDEZVOUS, 0, ALL_OF(rendezvous) },
	{ LANES, 0, NULL, 0 },
};
