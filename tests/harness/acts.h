/* SPDX-License-Identifier: MIT */
#ifndef ACTS_H
#define ACTS_H
/* What victims do (acts.c, acts_queue.c), and which operations that makes. */
#include "harness.h"

#define AT_EMPTY (1U << EMPTY)
#define AT_ONE (1U << ONE)
#define AT_FULL (1U << FULL)
#define AT_WRAPPED (1U << WRAPPED)
#define AT_ASLEEP (1U << ASLEEP_THERE)
#define AT_SEVERAL (1U << SEVERAL)
#define ANY ((1U << STARTS) - 1)
#define STANDING (ANY & ~AT_ASLEEP)
#define WAITING (ANY & ~AT_EMPTY) /* there is one to receive */
/* ... for one who comes before the sleeper, and so before what that sends */
#define THERE (WAITING & ~AT_ASLEEP)
#define NOT_FULL (ANY & ~AT_FULL) /* there is room for one more */

/* clang-format off */
/* One who comes back, and what has a name. */
#define RETURNING(name, starts, size, scenery)				\
	{ name, OPENS | RETURNS, CUBBY_SEND, starts, size, scenery, 0, NULL, \
	  perform_return, conclude_return }
#define SENDING_NAMED(name, starts, size, prepare, perform, conclude)	\
	{ name, SENDS | RETURNS, CUBBY_SEND, starts, size, NOTHING, 0,	\
	  prepare, perform, conclude }
/* The last close of a temporary mailbox; and who comes after it. */
#define CLOSING_LAST(name, starts, size)				\
	{ name, CREATES | TEMPORARY, CUBBY_SEND | CUBBY_RECEIVE, starts, \
	  size, NOTHING, 0, NULL, perform_close, conclude_plain }
#define AFTER_LAST(name, starts)					\
	{ name, CREATES | OPENS | TEMPORARY, CUBBY_SEND | CUBBY_RECEIVE, \
	  starts, SHORT, GHOST_SENDER, 0, NULL, perform_create,		\
	  conclude_plain }
/* A wait for several, by descriptors: where something is there it comes to none. */
#define WAITING_OTHERWISE						\
	{ "wait-by-descriptors", HOLDS, CUBBY_RECEIVE, AT_EMPTY,	\
	  SHORT, NOTHING, 0, prepare_wait_otherwise, perform_wait,	\
	  conclude_wait },						\
	{ "wait-receive-by-descriptors", TAKES, CUBBY_RECEIVE, AT_EMPTY,	\
	  SHORT, NOTHING, 0, prepare_wait_otherwise,	\
	  perform_wait_receive, conclude_wait_receive },		\
	{ "wait-send-by-descriptors", SENDS, CUBBY_SEND, AT_FULL,	\
	  SHORT, NOTHING, 0, prepare_wait_send_otherwise,		\
	  perform_wait_send, conclude_wait_send }
#define CLOSING_NAMED(name, starts)					\
	{ name, RETURNS, CUBBY_SEND, starts, SHORT, NOTHING, 0, NULL,	\
	  perform_close, conclude_plain }
/* clang-format on */

/* Operations of a kind of queue: those of a list that have that effect, or all.
   The last one has no list. */
struct queue_operations {
	enum kind kind;
	unsigned effect;
	const struct operation *list;
	uint32_t count;
};
extern const struct queue_operations queue_scenarios[];

/* What the operation returned: 0, or that. */
void
expect(const struct victim *victim, int other);
void
receive(struct victim *victim, const struct cubby_filter *filter, int flags,
	int64_t deadline);

void
conclude_plain(struct victim *victim);
void
perform_open(struct victim *victim);
void
perform_create(struct victim *victim);
void
perform_create_exclusive(struct victim *victim);
void
conclude_create_exclusive(struct victim *victim);
void
perform_close(struct victim *victim);
void
perform_unlink(struct victim *victim);
void
perform_sweep(struct victim *victim);
void
perform_inspect(struct victim *victim);
void
prepare_send(struct victim *victim);
void
perform_send(struct victim *victim);
void
prepare_send_batch(struct victim *victim);
void
prepare_send_batch_mixed(struct victim *victim);
void
perform_send_batch(struct victim *victim);
void
conclude_send_batch(struct victim *victim);
void
prepare_receive_batch(struct victim *victim);
void
prepare_settled_batch(struct victim *victim);
void
perform_receive_batch(struct victim *victim);
void
conclude_receive_batch(struct victim *victim);
void
perform_send_now(struct victim *victim);
void
perform_send_synchronous(struct victim *victim);
void
conclude_send(struct victim *victim);
void
conclude_send_now(struct victim *victim);
void
prepare_wait_received(struct victim *victim);
void
perform_wait_received(struct victim *victim);
void
perform_reserve(struct victim *victim);
void
perform_commit(struct victim *victim);
void
conclude_reserve(struct victim *victim);
void
prepare_draft(struct victim *victim);
void
prepare_commit(struct victim *victim);
void
perform_abort(struct victim *victim);
void
perform_reserve_commit(struct victim *victim);
void
perform_receive(struct victim *victim);
void
perform_receive_now(struct victim *victim);
void
perform_peek(struct victim *victim);
void
conclude_receive(struct victim *victim);
void
conclude_receive_now(struct victim *victim);
void
conclude_peek(struct victim *victim);
void
perform_hold(struct victim *victim);
void
conclude_hold(struct victim *victim);
void
prepare_held(struct victim *victim);
void
perform_release(struct victim *victim);
void
conclude_release(struct victim *victim);
void
perform_reject(struct victim *victim);
void
conclude_given_back(struct victim *victim);
void
prepare_settled(struct victim *victim);
/* Somebody dies holding a message, and it is time to look for the dead. */
void
prepare_inheritance(struct victim *victim);
void
conclude_open_inbox(struct victim *victim);
void
perform_open_process(struct victim *victim);
void
perform_receive_named(struct victim *victim);
void
perform_receive_named_now(struct victim *victim);

/* acts_wait.c */
void
prepare_wait(struct victim *victim);
void
prepare_wait_send(struct victim *victim);
/* Where the kernel cannot wait for several words: by descriptors. */
void
prepare_wait_otherwise(struct victim *victim);
void
prepare_wait_send_otherwise(struct victim *victim);
void
perform_wait(struct victim *victim);
void
perform_wait_receive(struct victim *victim);
void
perform_wait_send(struct victim *victim);
void
conclude_wait(struct victim *victim);
void
conclude_wait_receive(struct victim *victim);
void
conclude_wait_send(struct victim *victim);

/* acts_poll.c */
void
perform_poll_open(struct victim *victim);
void
prepare_poll(struct victim *victim);
void
prepare_poll_receive(struct victim *victim);
void
prepare_poll_send(struct victim *victim);
void
prepare_polling(struct victim *victim);
void
perform_poll_receive(struct victim *victim);
void
perform_poll_send(struct victim *victim);

/* acts_queue.c */
void
perform_send_withdrawn(struct victim *victim);
void
conclude_send_late(struct victim *victim);
void
perform_receive_late(struct victim *victim);
void
conclude_receive_late(struct victim *victim);
void
perform_receive_type(struct victim *victim);
void
perform_receive_not_type(struct victim *victim);
void
perform_receive_lowest(struct victim *victim);
void
perform_receive_sender(struct victim *victim);
void
prepare_break(struct victim *victim);
void
prepare_send_break(struct victim *victim);
void
prepare_held_break(struct victim *victim);
void
prepare_draft_break(struct victim *victim);
void
prepare_commit_break(struct victim *victim);
void
prepare_many_drafts(struct victim *victim);
void
prepare_give_back(struct victim *victim);
void
perform_give_back(struct victim *victim);
void
perform_abort_many(struct victim *victim);

#endif
