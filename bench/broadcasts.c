/* SPDX-License-Identifier: MIT */
#include "broadcasts.h"
#include "cubby.h"
#include "loops.h"
#include "ours.h"

ALWAYS_INLINE int
produce(void *pointer, uint64_t first)
{
	struct ours_side *side = pointer;
	uint64_t message[SMALL / sizeof(uint64_t)];

	words_fill(message, sizeof(message), first);
	return cubby_send(side->to, message, sizeof(message));
}

ALWAYS_INLINE int
consume(void *pointer, uint64_t *ret_sum)
{
	struct ours_side *side = pointer;
	uint64_t message[SMALL / sizeof(uint64_t)];
	int error = cubby_receive(side->from, message, sizeof(message), NULL);

	*ret_sum = words_sum(message, sizeof(message));
	return error;
}

/* The sender has told what it sent, before message number 0: was it that? */
static void
check(struct round *round, uint64_t count, uint64_t sum)
{
	int sender = round->receivers;

	/* Pairs with the release in loop_send_to_many(). */
	if (atomic_load_explicit(&round->member[sender].sent,
				 memory_order_acquire) != count + 1 ||
	    atomic_load_explicit(&round->member[sender].sum,
				 memory_order_relaxed) != sum)
		round_fail(round, "what was received is not what was sent", 0);
}

/* Each receives until message number 0; member 0 has the watch. */
ALWAYS_INLINE void
receive(struct round *round, int member, void *side, bool all)
{
	struct stopwatch watch = stopwatch_start();
	uint64_t sum = 0, its = 0, count = 0;
	bool over = member != 0;
	double each = 0;
	int error;

	while (!(error = consume(side, &its)) &&
	       its != words_expected(SMALL, 0)) {
		sum += its;
		count++;
		if (!over && count % 256 == 0 &&
		    stopwatch_look(&watch, round, count, &each)) {
			atomic_store_explicit(&round->stop, 1,
					      memory_order_relaxed);
			over = true;
		}
	}
	if (error)
		round_fail(round, "receiving", error);
	else if (all)
		check(round, count, sum);
	if (member == 0)
		round->value = each > 0 ? 1e9 / each : 0;
}

static void
run_every(void *side, int member, struct round *round)
{
	if (member < round->receivers)
		receive(round, member, side, true);
	else
		loop_send_to_many(round, member, side, produce, SMALL);
}

static void
run_overtake(void *side, int member, struct round *round)
{
	if (member < round->receivers)
		receive(round, member, side, false);
	else
		loop_send_to_many(round, member, side, produce, SMALL);
}

static const struct ours_detail every = { .delivery = CUBBY_EVERY };
static const struct ours_detail overtake = {
	.delivery = CUBBY_EVERY_OVERTAKE,
};

#define BROADCAST(name, its_system, its_receivers, its_detail, its_run) \
	const struct contender name = { \
		.system = its_system, \
		.size = SMALL, \
		.senders = 1, \
		.receivers = its_receivers, \
		.detail = &its_detail, \
		.make = ours_make, \
		.join = ours_join, \
		.run = its_run, \
		.leave = ours_leave, \
		.unmake = ours_unmake, \
	}

BROADCAST(broadcast_to_one, "cubby, broadcast to one", 1, every, run_every);
BROADCAST(broadcast_to_two, "cubby, broadcast to two", 2, every, run_every);
BROADCAST(broadcast_to_three, "cubby, broadcast to three", 3, every, run_every);
BROADCAST(broadcast_overtaking_one, "cubby, overtaking one", 1, overtake,
	  run_overtake);
BROADCAST(broadcast_overtaking_three, "cubby, overtaking three", 3, overtake,
	  run_overtake);
