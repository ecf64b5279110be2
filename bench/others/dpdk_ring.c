/* SPDX-License-Identifier: MIT */
/*
 * DPDK's rte_ring between processes: a ring of pointers to messages that lie in
 * memory at the same addresses in all of them, and a second ring of those that are
 * spare, which is what rte_mempool is. As the Programmer's Guide says of the
 * mempool, each side keeps a few spare ones by itself, and fetches or gives back
 * many at once. Without the rest of DPDK, which these rings do not need: the
 * members inherit the mapping.
 *
 * Programmer's Guide, "Ring Library": single producer and single consumer where
 * there is one of each (SPSC), else the default, many of both (MPMC). Nobody ever
 * sleeps.
 */
#ifdef BENCH_HAVE_DPDK

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <rte_ring.h>
#include <rte_version.h>

#include "peer_loops.h"

#define KEPT_MAX 32u

struct made {
	struct rte_ring *full, *spare;
	size_t mapped;
	unsigned kept; /* spare ones that each side keeps at most */
};

struct side {
	struct rte_ring *full, *spare;
	unsigned kept, count;
	void *keeps[KEPT_MAX + PEER_BATCH];
};

static void
version(char *ret, size_t size)
{
	snprintf(ret, size, "%s", rte_version());
}

static const char *
refuses_spsc(const struct channel *channel)
{
	return channel->senders > 1 || channel->receivers > 1 ?
		       "single producer, single consumer" :
		       NULL;
}

static const char *
refuses_bulk(const struct channel *channel)
{
	return channel->alternating ? "a batch carries many messages, one way" :
				      refuses_spsc(channel);
}

static size_t
ring_size(unsigned count)
{
	ssize_t size = rte_ring_get_memsize(rte_align32pow2(count + 1));

	return size < 0 ? 0 : ((size_t)size + 127) / 128 * 128;
}

static int
make_channel(const struct channel *channel, unsigned single, unsigned kept,
	     void **ret)
{
	unsigned parties = (unsigned)(channel->senders + channel->receivers);
	/* One on its way, and one in hand; or as many as can be. */
	unsigned count = channel->alternating ?
				 2 :
				 channel->depth + 2 * kept * parties;
	size_t stride = (channel->size + 127) / 128 * 128;
	size_t size = ring_size(channel->depth) + ring_size(count) +
		      stride * count;
	struct made *made = calloc(1, sizeof(*made));
	char *at;
	int error;

	if (!made)
		return -ENOMEM;
	at = mmap(NULL, size, PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED) {
		error = -errno;
		free(made);
		return error;
	}
	*ret = made;
	made->mapped = size;
	made->kept = kept;
	made->full = (struct rte_ring *)at;
	made->spare = (struct rte_ring *)(at + ring_size(channel->depth));
	at += ring_size(channel->depth) + ring_size(count);
	error = rte_ring_init(made->full, "full", channel->depth,
			      single | RING_F_EXACT_SZ);
	if (!error)
		error = rte_ring_init(made->spare, "spare", count,
				      single | RING_F_EXACT_SZ);
	for (unsigned i = 0; !error && i < count; i++)
		error = rte_ring_enqueue(made->spare, at + i * stride);
	return error;
}

/* Large messages are few: nobody keeps more than the one in hand. */
static unsigned
kept_for(const struct channel *channel)
{
	return channel->size <= 4096 && !channel->alternating ? KEPT_MAX : 1;
}

static int
make_single(const struct channel *channel, void **ret)
{
	return make_channel(channel, RING_F_SP_ENQ | RING_F_SC_DEQ,
			    kept_for(channel), ret);
}

static int
make_many(const struct channel *channel, void **ret)
{
	return make_channel(channel, 0, kept_for(channel), ret);
}

static int
make_bulk(const struct channel *channel, void **ret)
{
	struct channel deeper = *channel;

	/* A bulk has to fit. */
	if (deeper.depth < 2 * PEER_BATCH)
		deeper.depth = 2 * PEER_BATCH;
	return make_channel(&deeper, RING_F_SP_ENQ | RING_F_SC_DEQ, PEER_BATCH,
			    ret);
}

static void
unmake(void *pointer)
{
	struct made *made = pointer;

	munmap(made->full, made->mapped);
	free(made);
}

static int
open_end(const struct channel *channel, void *pointer, enum role role,
	 int number, void **ret)
{
	const struct made *made = pointer;
	struct side *side = calloc(1, sizeof(*side));

	(void)channel;
	(void)role;
	(void)number;
	if (!side)
		return -ENOMEM;
	side->full = made->full;
	side->spare = made->spare;
	side->kept = made->kept;
	*ret = side;
	return 0;
}

static void
close_end(void *side)
{
	free(side);
}

/* One at a time ---------------------------------------------------------- */

/* A spare one, from what is kept or from the ring. */
ALWAYS_INLINE int
loan(struct side *side, size_t size, void **ret)
{
	(void)size;
	while (!side->count) {
		side->count = rte_ring_dequeue_burst(side->spare, side->keeps,
						     side->kept, NULL);
		if (!side->count)
			spin_pause();
	}
	*ret = side->keeps[--side->count];
	return 0;
}

ALWAYS_INLINE int
publish(struct side *side, void *message, size_t size)
{
	(void)size;
	while (rte_ring_enqueue(side->full, message))
		spin_pause();
	return 0;
}

ALWAYS_INLINE int
take(struct side *side, size_t size, const void **ret)
{
	void *message;

	(void)size;
	while (rte_ring_dequeue(side->full, &message))
		spin_pause();
	*ret = message;
	return 0;
}

ALWAYS_INLINE int
give_back(struct side *side, const void *message)
{
	side->keeps[side->count++] = (void *)(uintptr_t)message;
	if (side->count < side->kept)
		return 0;
	while (!rte_ring_enqueue_bulk(side->spare, side->keeps, side->count,
				      NULL))
		spin_pause();
	side->count = 0;
	return 0;
}

PEER_IN_PLACE(run, struct side, loan, publish, take, give_back)

/* In bulk ---------------------------------------------------------------- */

ALWAYS_INLINE int
produce_bulk(struct seat *seat, uint64_t first)
{
	struct side *side = seat->to;
	unsigned count = first & DISMISSAL ? 1 : PEER_BATCH;

	while (!rte_ring_dequeue_bulk(side->spare, side->keeps, count, NULL))
		spin_pause();
	for (unsigned i = 0; i < count; i++)
		seat_fill(seat, side->keeps[i], first + i);
	while (!rte_ring_enqueue_bulk(side->full, side->keeps, count, NULL))
		spin_pause();
	return 0;
}

ALWAYS_INLINE int
consume_bulk(struct seat *seat, struct taken *ret)
{
	struct side *side = seat->from;
	unsigned count;

	while (!(count = rte_ring_dequeue_burst(side->full, side->keeps,
						PEER_BATCH, NULL)))
		spin_pause();
	for (unsigned i = 0; i < count; i++)
		seat_read(seat, side->keeps[i], ret);
	while (!rte_ring_enqueue_bulk(side->spare, side->keeps, count, NULL))
		spin_pause();
	return 0;
}

static void
run_bulk(struct seat *seat)
{
	seat_run(seat, produce_bulk, consume_bulk, PEER_BATCH);
}

#define RING(its_name, its_offers, its_refuses, its_make, its_run) \
	{ \
		.name = its_name, \
		.manual = "DPDK Programmer's Guide, Ring Library and Mempool " \
			  "Library", \
		.kind = KIND_PEER, \
		.offers = OFFERS_SPINNING | OFFERS_IN_PLACE | (its_offers), \
		.version = version, .refuses = its_refuses, .make = its_make, \
		.unmake = unmake, .open = open_end, .run = its_run, \
		.close = close_end, \
	}
#else
#include "peer.h"

#define RING(its_name, its_offers, its_refuses, its_make, its_run) \
	PEER_ABSENT(its_name, KIND_PEER, \
		    OFFERS_SPINNING | OFFERS_IN_PLACE | (its_offers), \
		    "libdpdk was not found when this was configured")
#endif

const struct peer dpdk_spsc_peer = RING("DPDK rte_ring, SPSC", 0, refuses_spsc,
					make_single, run);
const struct peer dpdk_mpmc_peer =
	RING("DPDK rte_ring, MPMC", OFFERS_MANY_SENDERS | OFFERS_MANY_RECEIVERS,
	     NULL, make_many, run);
const struct peer dpdk_bulk_peer = RING("DPDK rte_ring, SPSC, bulk of 32",
					OFFERS_BATCHES, refuses_bulk, make_bulk,
					run_bulk);
