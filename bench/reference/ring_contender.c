/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>

#include "../loops.h"
#include "reference.h"
#include "ring.h"

/* Messages that fit: as many as a mailbox has by default. */
#define CAPACITY 128

/* How many messages in a row are taken from a ring that has more. */
#define TURN 64

#define RINGS_MAX 3

/*
 * A ring from each sender to member 0. For round trips there is one sender, and
 * the ring after its own goes back.
 */
struct made {
	struct ring_memory rings[RINGS_MAX];
	int count;
};

struct side {
	struct ring *to, *from[RINGS_MAX];
	int count;	    /* of from */
	int current, taken; /* the ring whose turn it is; so far of it */
};

static void
unmake(void *pointer)
{
	struct made *made = pointer;

	while (made->count--)
		ring_unmake(&made->rings[made->count]);
	free(made);
}

static int
make_rings(int count, void **ret)
{
	struct made *made = calloc(1, sizeof(*made));

	if (!made)
		return -ENOMEM;
	while (made->count < count) {
		int error = ring_make(CAPACITY, &made->rings[made->count]);

		if (error) {
			unmake(made);
			return error;
		}
		made->count++;
	}
	*ret = made;
	return 0;
}

static int
make(const struct contender *self, void **ret)
{
	return make_rings(self->senders, ret);
}

static int
make_both_ways(const struct contender *self, void **ret)
{
	(void)self;
	return make_rings(2, ret);
}

static int
join(const struct contender *self, void *pointer, int member, void **ret)
{
	struct made *made = pointer;
	struct side *side = calloc(1, sizeof(*side));
	int error = 0;

	if (!side)
		return -ENOMEM;
	*ret = side;
	if (member)
		return ring_attach_sender(&made->rings[member - 1], &side->to);
	while (!error && side->count < self->senders) {
		error = ring_attach_receiver(&made->rings[side->count],
					     &side->from[side->count]);
		side->count += !error;
	}
	return error;
}

static int
join_both_ways(const struct contender *self, void *pointer, int member,
	       void **ret)
{
	struct made *made = pointer;
	struct side *side;
	int error = join(self, pointer, member, ret);

	if (error)
		return error;
	side = *ret;
	if (member == 0)
		return ring_attach_sender(&made->rings[1], &side->to);
	side->count = 1;
	return ring_attach_receiver(&made->rings[1], &side->from[0]);
}

static void
leave(void *pointer)
{
	struct side *side = pointer;

	if (side->to)
		ring_detach(side->to);
	while (side->count--)
		ring_detach(side->from[side->count]);
	free(side);
}

ALWAYS_INLINE int
produce(void *pointer, uint64_t first)
{
	struct side *side = pointer;
	uint64_t message[RING_PAYLOAD / sizeof(uint64_t)];

	words_fill(message, sizeof(message), first);
	ring_send(side->to, message);
	return 0;
}

ALWAYS_INLINE int
consume(void *pointer, uint64_t *ret_sum)
{
	struct side *side = pointer;
	uint64_t message[RING_PAYLOAD / sizeof(uint64_t)];

	ring_receive(side->from[0], message);
	*ret_sum = words_sum(message, sizeof(message));
	return 0;
}

ALWAYS_INLINE void
next_ring(struct side *side)
{
	side->current = side->current + 1 == side->count ? 0 :
							   side->current + 1;
	side->taken = 0;
}

/* From the ring whose turn it is, or else from the next that has one. */
ALWAYS_INLINE int
consume_any(void *pointer, uint64_t *ret_sum)
{
	struct side *side = pointer;
	uint64_t message[RING_PAYLOAD / sizeof(uint64_t)];

	if (side->taken++ == TURN)
		next_ring(side);
	while (!ring_try_receive(side->from[side->current], message))
		next_ring(side);
	*ret_sum = words_sum(message, sizeof(message));
	return 0;
}

static void
run_stream_from_three(void *side, int member, struct round *round)
{
	if (member == 0)
		loop_receive(round, side, consume_any, RING_PAYLOAD);
	else
		loop_send(round, member, side, produce, RING_PAYLOAD);
}

static void
run_stream(void *side, int member, struct round *round)
{
	if (member == 0)
		loop_receive(round, side, consume, RING_PAYLOAD);
	else
		loop_send(round, member, side, produce, RING_PAYLOAD);
}

static void
run_round_trip(void *side, int member, struct round *round)
{
	if (member == 0)
		loop_answer(round, side, produce, consume, RING_PAYLOAD);
	else
		loop_ask(round, side, produce, consume, RING_PAYLOAD);
}

const struct contender ring_stream = {
	.system = "reference ring",
	.size = RING_PAYLOAD,
	.senders = 1,
	.receivers = 1,
	.make = make,
	.join = join,
	.run = run_stream,
	.leave = leave,
	.unmake = unmake,
};

const struct contender ring_stream_from_three = {
	.system = "reference rings, three senders",
	.size = RING_PAYLOAD,
	.senders = 3,
	.receivers = 1,
	.make = make,
	.join = join,
	.run = run_stream_from_three,
	.leave = leave,
	.unmake = unmake,
};

const struct contender ring_round_trip = {
	.system = "reference ring",
	.size = RING_PAYLOAD,
	.senders = 1,
	.receivers = 1,
	.make = make_both_ways,
	.join = join_both_ways,
	.run = run_round_trip,
	.leave = leave,
	.unmake = unmake,
};
