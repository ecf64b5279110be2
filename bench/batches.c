/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "batches.h"
#include "cubby.h"
#include "loops.h"
#include "ours.h"

#define MOST 256 /* messages a call */

/*
 * A batch is filled as one array of words; so a receiver that gets it in other
 * portions finds the same sum.
 */
ALWAYS_INLINE void
send_batches(struct round *round, int member, struct ours_side *side,
	     size_t count, size_t size)
{
	static uint64_t words[MOST * 1024 / sizeof(uint64_t)];
	struct cubby_batch_entry entries[MOST];
	uint64_t sum = 0, sent = 0;
	bool stop = false;
	int error = 0;

	for (size_t i = 0; i < count; i++)
		entries[i] = (struct cubby_batch_entry){
			(char *)words + i * size, size, NULL,
		};
	while (!stop && !error) {
		stop = atomic_load_explicit(&round->stop, memory_order_relaxed);
		sum += words_expected(size * count, sent);
		if (stop) {
			atomic_store_explicit(&round->member[member].sum, sum,
					      memory_order_relaxed);
			/* Pairs with the acquire in loop_drained(). */
			atomic_store_explicit(&round->member[member].sent,
					      sent + count,
					      memory_order_release);
		}
		words_fill(words, size * count, sent);
		error = cubby_send_batch(side->to, entries, count, 0,
					 CUBBY_FOREVER);
		error = error == (int)count ? 0 : error < 0 ? error : -EIO;
		sent += count;
	}
	if (error)
		round_fail(round, "sending", error);
}

ALWAYS_INLINE void
receive_batches(struct round *round, struct ours_side *side, size_t count,
		size_t size)
{
	static uint64_t words[MOST * 1024 / sizeof(uint64_t)];
	struct stopwatch watch = stopwatch_start();
	struct cubby_batch_entry entries[MOST];
	uint64_t sum = 0, received = 0, look = 0;
	bool over = false;
	double each = 0;
	int got = 0;

	for (size_t i = 0; i < count; i++)
		entries[i].envelope = NULL;
	while (!(over && loop_drained(round, received, sum))) {
		got = cubby_receive_batch(side->from, NULL, 0, CUBBY_FOREVER,
					  entries, count, words, sizeof(words));
		if (got < 0)
			break;
		for (int i = 0; i < got; i++)
			sum += words_sum(entries[i].data, size);
		received += (uint64_t)got;
		if (!over && received >= look) {
			look = received + 256;
			over = stopwatch_look(&watch, round, received, &each);
			if (over)
				atomic_store_explicit(&round->stop, 1,
						      memory_order_relaxed);
		}
	}
	if (got < 0)
		round_fail(round, "receiving", got);
	round->value = each > 0 ? 1e9 / each : 0;
}

/* One call a message, of as many bytes. */

ALWAYS_INLINE int
produce_line(void *pointer, uint64_t first)
{
	struct ours_side *side = pointer;
	uint64_t message[LINE / sizeof(uint64_t)];

	words_fill(message, sizeof(message), first);
	return cubby_send(side->to, message, sizeof(message));
}

ALWAYS_INLINE int
consume_line(void *pointer, uint64_t *ret_sum)
{
	struct ours_side *side = pointer;
	uint64_t message[LINE / sizeof(uint64_t)];
	int error = cubby_receive(side->from, message, sizeof(message), NULL);

	*ret_sum = words_sum(message, sizeof(message));
	return error;
}

static void
run_single(void *side, int member, struct round *round)
{
	if (member == 0)
		loop_receive(round, side, consume_line, LINE);
	else
		loop_send(round, member, side, produce_line, LINE);
}

/* The contenders --------------------------------------------------------- */

static const struct ours_detail one_way = { false, 0, CUBBY_ORDER_SENDER,
					   CUBBY_ONE };

#define CONTENDER(name, its_system, its_size, its_run) \
	const struct contender name = { \
		.system = its_system, \
		.size = its_size, \
		.senders = 1, \
		.receivers = 1, \
		.detail = &one_way, \
		.make = ours_make, \
		.join = ours_join, \
		.run = its_run, \
		.leave = ours_leave, \
		.unmake = ours_unmake, \
	}

#define BATCH(name, system, count, size) \
	static void \
	run_##name(void *side, int member, struct round *round) \
	{ \
		if (member == 0) \
			receive_batches(round, side, count, size); \
		else \
			send_batches(round, member, side, count, size); \
	} \
	CONTENDER(name, system, size, run_##name)

CONTENDER(batch_single, "cubby, one call a message", LINE, run_single);
BATCH(batch_1, "cubby, 1 a call", 1, LINE);
BATCH(batch_8, "cubby, 8 a call", 8, LINE);
BATCH(batch_32, "cubby, 32 a call", 32, LINE);
BATCH(batch_256, "cubby, 256 a call", 256, LINE);
BATCH(batch_32_of_40, "cubby, 32 a call", 32, SMALL);
BATCH(batch_32_of_1024, "cubby, 32 a call", 32, 1024);
