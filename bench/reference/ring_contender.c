/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>

#include "../loops.h"
#include "reference.h"
#include "ring.h"

/* Messages that fit: as many as a mailbox has by default. */
#define CAPACITY 128

struct made {
	struct ring_memory there, back;
};

struct side {
	struct ring *to, *from;
};

static int
make(const struct contender *self, void **ret)
{
	struct made *made = calloc(1, sizeof(*made));
	int error;

	(void)self;
	if (!made)
		return -ENOMEM;
	error = ring_make(CAPACITY, &made->there);
	if (!error) {
		error = ring_make(CAPACITY, &made->back);
		if (error)
			ring_unmake(&made->there);
	}
	if (error)
		free(made);
	else
		*ret = made;
	return error;
}

static void
unmake(void *pointer)
{
	struct made *made = pointer;

	ring_unmake(&made->there);
	ring_unmake(&made->back);
	free(made);
}

static int
join(const struct contender *self, void *pointer, int member, void **ret)
{
	struct made *made = pointer;
	struct side *side = calloc(1, sizeof(*side));
	int error;

	(void)self;
	if (!side)
		return -ENOMEM;
	error = ring_attach_sender(member ? &made->there : &made->back,
				   &side->to);
	if (!error)
		error = ring_attach_receiver(
			member ? &made->back : &made->there, &side->from);
	*ret = side;
	return error;
}

static void
leave(void *pointer)
{
	struct side *side = pointer;

	ring_detach(side->to);
	ring_detach(side->from);
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

	ring_receive(side->from, message);
	*ret_sum = words_sum(message, sizeof(message));
	return 0;
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

const struct contender ring_round_trip = {
	.system = "reference ring",
	.size = RING_PAYLOAD,
	.senders = 1,
	.receivers = 1,
	.make = make,
	.join = join,
	.run = run_round_trip,
	.leave = leave,
	.unmake = unmake,
};
