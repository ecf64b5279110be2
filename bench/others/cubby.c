/* SPDX-License-Identifier: MIT */
/*
 * cubby itself: copied, in place, and in batches. cubby(7): the plain calls for
 * small messages, reserve and hold for large ones, a batch where many are at hand.
 * A mailbox of the default order, with one handle for each end.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cubby.h"
#include "peer_loops.h"

struct side {
	cubby_mailbox *mailbox;
	cubby_message *held;
	cubby_draft *draft;
	bool spinning;
	struct cubby_batch_entry entries[PEER_BATCH];
};

static void
version(char *ret, size_t size)
{
	snprintf(ret, size, "%s", cubby_version());
}

static int
make(const struct channel *channel, void **ret)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;

	options.lifetime = CUBBY_TEMPORARY;
	options.capacity = channel->depth;
	return cubby_open(channel->name, CUBBY_CREATE | CUBBY_EXCLUSIVE,
			  &options, (cubby_mailbox **)ret);
}

static void
unmake(void *made)
{
	cubby_close(made);
}

static int
open_end(const struct channel *channel, void *made, enum role role, int number,
	 void **ret)
{
	struct side *side = calloc(1, sizeof(*side));

	(void)made;
	(void)number;
	if (!side)
		return -ENOMEM;
	side->spinning = channel->spinning;
	*ret = side;
	return cubby_open(channel->name,
			  role == ROLE_SENDER ? CUBBY_SEND : CUBBY_RECEIVE,
			  NULL, &side->mailbox);
}

static void
close_end(void *pointer)
{
	struct side *side = pointer;

	cubby_close(side->mailbox);
	free(side);
}

/* Copied ----------------------------------------------------------------- */

ALWAYS_INLINE int
send_copy(struct side *side, const void *message, size_t size)
{
	int error;

	if (!side->spinning)
		return cubby_send(side->mailbox, message, size);
	do {
		error = cubby_send_full(side->mailbox, message, size, NULL, 0,
					CUBBY_NOW);
	} while (error == -EAGAIN);
	return error;
}

ALWAYS_INLINE int
receive_copy(struct side *side, void *buffer, size_t size)
{
	int error;

	if (!side->spinning)
		return cubby_receive(side->mailbox, buffer, size, NULL);
	do {
		error = cubby_receive_full(side->mailbox, NULL, 0, CUBBY_NOW,
					   buffer, size, NULL, NULL);
	} while (error == -EAGAIN);
	return error;
}

PEER_COPYING(run, struct side, send_copy, receive_copy)

/* In place --------------------------------------------------------------- */

ALWAYS_INLINE int64_t
deadline(const struct side *side)
{
	return side->spinning ? CUBBY_NOW : CUBBY_FOREVER;
}

ALWAYS_INLINE int
reserve(struct side *side, size_t size, void **ret)
{
	int error;

	do {
		error = cubby_reserve(side->mailbox, size, deadline(side),
				      &side->draft);
	} while (error == -EAGAIN);
	if (!error)
		*ret = cubby_draft_data(side->draft);
	return error;
}

ALWAYS_INLINE int
commit(struct side *side, void *message, size_t size)
{
	(void)message;
	return cubby_commit(side->draft, size, NULL);
}

ALWAYS_INLINE int
hold(struct side *side, size_t size, const void **ret)
{
	int error;

	do {
		error = cubby_hold(side->mailbox, NULL, deadline(side),
				   &side->held);
	} while (error == -EAGAIN);
	if (error)
		return error;
	*ret = cubby_message_data(side->held);
	return cubby_message_size(side->held) == size ? 0 : -EBADMSG;
}

ALWAYS_INLINE int
release(struct side *side, const void *message)
{
	(void)message;
	return cubby_release(side->held);
}

PEER_IN_PLACE(run_in_place, struct side, reserve, commit, hold, release)

/* In batches ------------------------------------------------------------- */

static const char *
refuses_batch(const struct channel *channel)
{
	return channel->alternating ? "a batch carries many messages, one way" :
				      NULL;
}

ALWAYS_INLINE int
send_batch(struct side *side, const void *messages, size_t size, unsigned count)
{
	size_t sent = 0;

	for (size_t i = 0; i < count; i++) {
		side->entries[i].data = (const char *)messages + i * size;
		side->entries[i].size = size;
	}
	while (sent < count) {
		int more = cubby_send_batch(side->mailbox, side->entries + sent,
					    count - sent, 0, deadline(side));

		if (more < 0 && more != -EAGAIN)
			return more;
		if (more > 0)
			sent += (size_t)more;
	}
	return 0;
}

ALWAYS_INLINE int
receive_batch(struct side *side, void *buffer, size_t size)
{
	int count;

	do {
		count = cubby_receive_batch(side->mailbox, NULL, 0,
					    deadline(side), side->entries,
					    PEER_BATCH, buffer,
					    PEER_BATCH * size);
	} while (count == -EAGAIN);
	return count;
}

PEER_BATCHES(run_batches, struct side, send_batch, receive_batch)

#define OFFERS \
	(OFFERS_BLOCKING | OFFERS_SPINNING | OFFERS_MANY_SENDERS | \
	 OFFERS_MANY_RECEIVERS | OFFERS_NAMES)

#define OURS(its_name, its_offers, its_run, its_manual, its_refuses) \
	{ \
		.name = its_name, .manual = its_manual, .kind = KIND_OURS, \
		.offers = OFFERS | (its_offers), .version = version, \
		.refuses = its_refuses, .make = make, .unmake = unmake, \
		.open = open_end, .run = its_run, .close = close_end, \
	}

const struct peer cubby_peer = OURS("cubby", 0, run, "cubby_send(3)", NULL);
const struct peer cubby_in_place_peer = OURS("cubby, in place", OFFERS_IN_PLACE,
					     run_in_place, "cubby_reserve(3)",
					     NULL);
const struct peer cubby_batches_peer =
	OURS("cubby, batches of 32", OFFERS_BATCHES, run_batches,
	     "cubby_send_batch(3)", refuses_batch);
