/* SPDX-License-Identifier: MIT */
#ifndef BENCH_LOOPS_H
#define BENCH_LOOPS_H
/*
 * The loops that every contender runs, so that all do the same work: fill the
 * message, send it, receive it, read it in full, compare.
 *
 * They are inlined into each contender, where produce and consume are constants:
 * a contender costs one direct call a message, as in a program that uses it.
 *
 * How a round ends. Asking: before its last trip, who asks stores that trip's
 * number in round->last; who answers compares after each. Streaming: the
 * receiver raises round->stop when its time has passed; a sender that sees it
 * tells how many it will have sent in all and sends one more; the receiver goes
 * on until it has as many as all told. So nothing is left over, neither side
 * waits for a message that does not come, and no message need say "end".
 *
 * With several receivers none of them knows how many are left for it. So each
 * sender's last message is number 0, and each receiver goes on until it has had
 * one of those: there are as many senders as receivers, and in a queue the last
 * of these is the last of all.
 */
#include "bench.h"
#include "common/clock.h"
#include "common/words.h"

/*
 * Produce fills a message, words_fill() from first, and sends it. Consume
 * receives one and tells its words_sum(). Where messages are passed untouched
 * the loops are given size 0, and the sum is 0. Both return 0 or -errno.
 */
typedef int
produce_function(void *side, uint64_t first);
typedef int
consume_function(void *side, uint64_t *ret_sum);

/*
 * The times of one round: begun, then counting once the warm-up has passed,
 * then over.
 */
struct stopwatch {
	uint64_t begun, counting, counted_from;
};

ALWAYS_INLINE struct stopwatch
stopwatch_start(void)
{
	return (struct stopwatch){ clock_now(), 0, 0 };
}

/* True when the round's time has passed, and then *ret_each is ns each. */
ALWAYS_INLINE bool
stopwatch_look(struct stopwatch *watch, const struct round *round,
	       uint64_t count, double *ret_each)
{
	uint64_t now = clock_now();

	if (!watch->counting) {
		if (now - watch->begun < round->warm_up)
			return false;
		watch->counting = now;
		watch->counted_from = count;
		return false;
	}
	if (now - watch->begun < round->duration ||
	    count == watch->counted_from)
		return false;
	*ret_each = (double)(now - watch->counting) /
		    (double)(count - watch->counted_from);
	return true;
}

/* Asks until the round's time has passed. */
ALWAYS_INLINE void
loop_ask(struct round *round, void *side, produce_function *produce,
	 consume_function *consume, size_t size)
{
	struct stopwatch watch = stopwatch_start();
	uint64_t sum = 0;
	bool over = false;
	double each = 0;
	int error = 0;

	for (uint64_t trip = 1; !over && !error; trip++) {
		if (trip % 64 == 0 &&
		    stopwatch_look(&watch, round, trip - 1, &each)) {
			atomic_store_explicit(&round->last, trip,
					      memory_order_relaxed);
			over = true;
		}
		error = produce(side, trip);
		if (!error)
			error = consume(side, &sum);
		if (!error && sum != words_expected(size, trip))
			round_fail(round, "the answer is wrong", 0);
	}
	if (error)
		round_fail(round, "asking", error);
	round->value = each;
}

ALWAYS_INLINE void
loop_answer(struct round *round, void *side, produce_function *produce,
	    consume_function *consume, size_t size)
{
	uint64_t trip = 0, sum = 0;
	int error = 0;

	do {
		trip++;
		error = consume(side, &sum);
		if (!error && sum != words_expected(size, trip))
			round_fail(round, "the question is wrong", 0);
		if (!error)
			error = produce(side, trip);
	} while (!error && atomic_load_explicit(&round->last,
						memory_order_relaxed) != trip);
	if (error)
		round_fail(round, "answering", error);
}

/* Sends until the receiver says stop. */
ALWAYS_INLINE void
loop_send(struct round *round, int member, void *side,
	  produce_function *produce, size_t size)
{
	uint64_t sum = 0, count = 0;
	bool stop = false;
	int error = 0;

	while (!stop && !error) {
		stop = atomic_load_explicit(&round->stop, memory_order_relaxed);
		sum += words_expected(size, count + 1);
		if (stop) {
			atomic_store_explicit(&round->member[member].sum, sum,
					      memory_order_relaxed);
			/* Pairs with the acquire in loop_drained(). */
			atomic_store_explicit(&round->member[member].sent,
					      count + 1, memory_order_release);
		}
		error = produce(side, ++count);
	}
	if (error)
		round_fail(round, "sending", error);
}

/* Whether all that was sent has come; if so, checks that it came whole. */
ALWAYS_INLINE bool
loop_drained(struct round *round, uint64_t count, uint64_t sum)
{
	uint64_t sent = 0;

	for (int i = 1; i <= round->senders; i++) {
		uint64_t its = atomic_load_explicit(&round->member[i].sent,
						    memory_order_acquire);

		if (!its)
			return false;
		sent += its;
		sum -= atomic_load_explicit(&round->member[i].sum,
					    memory_order_relaxed);
	}
	if (count > sent || (count == sent && sum))
		round_fail(round, "what was received is not what was sent", 0);
	return count >= sent;
}

/* Receives until the round's time has passed, then what is still to come. */
ALWAYS_INLINE void
loop_receive(struct round *round, void *side, consume_function *consume,
	     size_t size)
{
	struct stopwatch watch = stopwatch_start();
	uint64_t batch = size < 65536 ? 256 : 1, sum = 0, count = 0;
	bool over = false;
	double each = 0;
	int error = 0;

	while (!(over && loop_drained(round, count, sum))) {
		uint64_t its;

		error = consume(side, &its);
		if (error)
			break;
		sum += its;
		count++;
		if (!over && count % batch == 0 &&
		    stopwatch_look(&watch, round, count, &each)) {
			atomic_store_explicit(&round->stop, 1,
					      memory_order_relaxed);
			over = true;
		}
	}
	if (error)
		round_fail(round, "receiving", error);
	round->value = each > 0 ? 1e9 / each : 0;
}

/* Sends until a receiver says stop, then the message that ends one. */
ALWAYS_INLINE void
loop_send_to_many(struct round *round, int member, void *side,
		  produce_function *produce, size_t size)
{
	uint64_t sum = 0, count = 0;
	int error = 0;

	while (!error &&
	       !atomic_load_explicit(&round->stop, memory_order_relaxed)) {
		sum += words_expected(size, ++count);
		error = produce(side, count);
	}
	atomic_store_explicit(&round->member[member].sum, sum,
			      memory_order_relaxed);
	/* Pairs with the acquire in loop_all_have(). */
	atomic_store_explicit(&round->member[member].sent, count + 1,
			      memory_order_release);
	if (!error)
		error = produce(side, 0);
	if (error)
		round_fail(round, "sending", error);
}

ALWAYS_INLINE uint64_t
loop_received(const struct round *round)
{
	uint64_t count = 0;

	for (int i = 0; i < round->receivers; i++)
		count += atomic_load_explicit(&round->member[i].received,
					      memory_order_relaxed);
	return count;
}

/* Waits until all have ended, and checks that what came is what was sent. */
ALWAYS_INLINE void
loop_all_have(struct round *round)
{
	uint64_t sent[2] = { 0, 0 }, sum[2] = { 0, 0 }, its;

	for (int i = 0; i < round->receivers + round->senders; i++) {
		while (!(its = atomic_load_explicit(&round->member[i].sent,
						    memory_order_acquire)))
			spin_pause();
		sent[i < round->receivers] += its - 1;
		sum[i < round->receivers] += atomic_load_explicit(
			&round->member[i].sum, memory_order_relaxed);
	}
	if (sent[0] != sent[1] || sum[0] != sum[1])
		round_fail(round, "what was received is not what was sent", 0);
}

/* One of several that receive; member 0 has the watch. */
ALWAYS_INLINE void
loop_receive_of_many(struct round *round, int member, void *side,
		     consume_function *consume, size_t size)
{
	struct stopwatch watch = stopwatch_start();
	uint64_t sum = 0, its = 0, count = 0;
	bool over = member != 0;
	double each = 0;
	int error;

	while (!(error = consume(side, &its)) &&
	       its != words_expected(size, 0)) {
		sum += its;
		count++;
		atomic_store_explicit(&round->member[member].received, count,
				      memory_order_relaxed);
		if (!over && count % 32 == 0 &&
		    stopwatch_look(&watch, round, loop_received(round),
				   &each)) {
			atomic_store_explicit(&round->stop, 1,
					      memory_order_relaxed);
			over = true;
		}
	}
	if (error)
		round_fail(round, "receiving", error);
	atomic_store_explicit(&round->member[member].sum, sum,
			      memory_order_relaxed);
	/* Pairs with the acquire in loop_all_have(). */
	atomic_store_explicit(&round->member[member].sent, count + 1,
			      memory_order_release);
	if (member == 0) {
		loop_all_have(round);
		round->value = each > 0 ? 1e9 / each : 0;
	}
}

/* One process by itself; step does the whole of it once. */
ALWAYS_INLINE void
loop_alone(struct round *round, void *side,
	   int (*step)(void *side, uint64_t number))
{
	struct stopwatch watch = stopwatch_start();
	double each = 0;
	int error = 0;

	for (uint64_t number = 1; !error; number++) {
		error = step(side, number);
		if (number % 16 == 0 &&
		    stopwatch_look(&watch, round, number, &each))
			break;
	}
	if (error)
		round_fail(round, "alone", error);
	round->value = each;
}

#endif
