/* SPDX-License-Identifier: MIT */
/*
 * iceoryx2, which needs no daemon: its crate behind a few functions of C, in
 * iceoryx2/src/lib.rs. A sample is loaned, filled, and sent; who is to sleep waits
 * for an event, which its sender raises with each, as its examples do. Every
 * subscriber gets every message, so there is one receiver.
 */
#ifdef BENCH_HAVE_ICEORYX2

#include <errno.h>

#include "peer_loops.h"

struct side;

int
bench_iceoryx2_open(const char *name, size_t size, size_t depth, bool sends,
		    bool spins, struct side **ret);
void
bench_iceoryx2_close(struct side *side);
int
bench_iceoryx2_loan(struct side *side, size_t size, void **ret);
int
bench_iceoryx2_publish(struct side *side);
int
bench_iceoryx2_take(struct side *side, const void **ret);
void
bench_iceoryx2_give_back(struct side *side);
int
bench_iceoryx2_meet(struct side *side);

static void
version(char *ret, size_t size)
{
	snprintf(ret, size, "%s", BENCH_HAVE_ICEORYX2);
}

/* Several publishers: of 8 bytes, spinning, about a hundred messages of one of
   them were never received, though their sends had told that they were
   delivered. Why is not known; so there are no figures. */
static const char *
refuses(const struct channel *channel)
{
	if (channel->senders > 1)
		return "messages of several publishers went missing as it is "
		       "used here";
	return channel->receivers > 1 ? "every subscriber gets every message" :
					NULL;
}

static int
open_end(const struct channel *channel, void *made, enum role role, int number,
	 void **ret)
{
	(void)made;
	(void)number;
	return bench_iceoryx2_open(channel->name, channel->size, channel->depth,
				   role == ROLE_SENDER, channel->spinning,
				   (struct side **)ret);
}

static void
close_end(void *side)
{
	bench_iceoryx2_close(side);
}

static int
ready(void *side)
{
	return bench_iceoryx2_meet(side);
}

ALWAYS_INLINE int
loan(struct side *side, size_t size, void **ret)
{
	return bench_iceoryx2_loan(side, size, ret);
}

ALWAYS_INLINE int
publish(struct side *side, void *message, size_t size)
{
	(void)message;
	(void)size;
	return bench_iceoryx2_publish(side);
}

ALWAYS_INLINE int
take(struct side *side, size_t size, const void **ret)
{
	(void)size;
	return bench_iceoryx2_take(side, ret);
}

ALWAYS_INLINE int
give_back(struct side *side, const void *message)
{
	(void)message;
	bench_iceoryx2_give_back(side);
	return 0;
}

PEER_IN_PLACE(run, struct side, loan, publish, take, give_back)

const struct peer iceoryx2_peer = {
	.name = "iceoryx2",
	.manual = "iceoryx2, examples publish_subscribe_dynamic_data and "
		  "event_based_communication",
	.note = "who may sleep is told of each message by an event beside it",
	.kind = KIND_PEER,
	.offers = OFFERS_BLOCKING | OFFERS_SPINNING | OFFERS_NAMES |
		  OFFERS_MANY_SENDERS | OFFERS_IN_PLACE,
	.version = version,
	.refuses = refuses,
	.open = open_end,
	.ready = ready,
	.run = run,
	.close = close_end,
};
#else
#include "peer.h"

const struct peer iceoryx2_peer =
	PEER_ABSENT("iceoryx2", KIND_PEER,
		    OFFERS_BLOCKING | OFFERS_SPINNING | OFFERS_NAMES |
			    OFFERS_MANY_SENDERS | OFFERS_IN_PLACE,
		    "not configured (CUBBY_BENCH_ICEORYX2), or cargo does not "
		    "have its crate");
#endif
