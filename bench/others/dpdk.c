/* SPDX-License-Identifier: MIT */
/*
 * DPDK's rte_ring, in its single-producer single-consumer form, in memory that
 * two processes share; without the rest of DPDK, which the ring does not need.
 * The element's size is a constant, as its header asks for, so the calls are
 * inlined, and one message is one call, as everywhere in this test. Processes
 * inherit the mapping, and the ring holds no pointer that they do not share.
 */
#ifdef BENCH_HAVE_DPDK

#include <rte_ring.h>
#include <rte_ring_elem.h>

#include "../loops.h"
#include "../reference/shared.h"
#include "others.h"

/* One slot of these stays empty: 128 messages do not fit, 255 do. */
#define SLOTS 256

static int
make(const struct contender *self, void **ret)
{
	unsigned size = (unsigned)(self == &dpdk_stream_40 ? 40 : 64);
	ssize_t needed = rte_ring_get_memsize_elem(size, SLOTS);
	int error;

	if (needed < 0)
		return (int)needed;
	error = shared_make((size_t)needed, ret);
	if (error)
		return error;
	return rte_ring_init(*ret, "bench", SLOTS,
			     RING_F_SP_ENQ | RING_F_SC_DEQ);
}

ALWAYS_INLINE int
produce(struct rte_ring *ring, uint64_t first, unsigned size)
{
	uint64_t message[8];

	words_fill(message, SMALL, first);
	while (rte_ring_sp_enqueue_elem(ring, message, size))
		spin_pause();
	return 0;
}

ALWAYS_INLINE int
consume(struct rte_ring *ring, uint64_t *ret_sum, unsigned size)
{
	uint64_t message[8];

	while (rte_ring_sc_dequeue_elem(ring, message, size))
		spin_pause();
	*ret_sum = words_sum(message, SMALL);
	return 0;
}

ALWAYS_INLINE int
produce_40(void *ring, uint64_t first)
{
	return produce(ring, first, 40);
}

ALWAYS_INLINE int
consume_40(void *ring, uint64_t *ret_sum)
{
	return consume(ring, ret_sum, 40);
}

ALWAYS_INLINE int
produce_64(void *ring, uint64_t first)
{
	return produce(ring, first, 64);
}

ALWAYS_INLINE int
consume_64(void *ring, uint64_t *ret_sum)
{
	return consume(ring, ret_sum, 64);
}

static void
run_40(void *ring, int member, struct round *round)
{
	if (member == 0)
		loop_receive(round, ring, consume_40, SMALL);
	else
		loop_send(round, member, ring, produce_40, SMALL);
}

static void
run_64(void *ring, int member, struct round *round)
{
	if (member == 0)
		loop_receive(round, ring, consume_64, SMALL);
	else
		loop_send(round, member, ring, produce_64, SMALL);
}

#define HOW \
	.make = make, .join = shared_join, .leave = shared_leave, \
	.unmake = shared_unmake
#else
#include "others.h"

#define run_40 NULL
#define run_64 NULL
#define HOW .absent = "libdpdk was not found when this was configured"
#endif

const struct contender dpdk_stream_40 = {
	.system = "rte_ring, elements of 40",
	.size = SMALL,
	.senders = 1,
	.receivers = 1,
	.run = run_40,
	HOW,
};

const struct contender dpdk_stream_64 = {
	.system = "rte_ring, elements of 64",
	.size = SMALL,
	.senders = 1,
	.receivers = 1,
	.run = run_64,
	HOW,
};
