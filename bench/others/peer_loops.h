/* SPDX-License-Identifier: MIT */
#ifndef BENCH_PEER_LOOPS_H
#define BENCH_PEER_LOOPS_H
/*
 * The loops that all peers run, inlined into each around its own calls: fill a
 * message, send it, receive it, read it in full, compare. C and C++.
 *
 * Messages bear numbers from 1 up in their first word, and count up from there
 * (words.h). Untouched ones bear the number alone.
 *
 * There and back. Before its last trip, who asks stores that trip's number in
 * round->last; who answers compares after each. Each trip is timed by itself.
 *
 * One way. A sender looks at the clock now and then; when the round's time has
 * passed it tells how many it has sent, and what they sum up to. The first sender
 * waits until that many have been received in all, and then *dismisses* the
 * receivers, by a message with a number of this round, one at a time: who gets
 * it tells so and ends. A receiver that has ended takes no more, so the next one
 * goes to another; where a peer deals messages out in turn, one may be dealt to
 * somebody who has ended, so after some time another one is sent, and he throws
 * it away in his next round. Each receiver takes its rate between two looks of
 * its own; the round's is their sum.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "../common/large.h"
#include "../common/words.h"
#include "meter.h"
#include "peer.h"

#ifdef __cplusplus
#define ALIGNED(bytes) alignas(bytes)
#else
#define ALIGNED(bytes) _Alignas(bytes)
#endif

/* From this many bytes on, filling and reading is by wide loads and stores. */
#define PEER_LARGE 4096u
#define PEER_BATCH 32u
#define DISMISSAL (UINT64_C(1) << 63)
#define PACE 100000u /* ns: 10,000 messages a second */

enum workload {
	THERE_AND_BACK,
	THERE_AND_BACK_ASLEEP, /* asked when the other side sleeps */
	ONE_WAY,
	ONE_WAY_PACED
};

/* Of one member; it writes them in the end, and received all along. */
struct member_round {
	ALIGNED(128) uint64_t sent; /* 0: not known yet; else one more */
	uint64_t sent_sum;
	uint64_t received, received_sum;
	/* results */
	double rate;	   /* messages a second, of a receiver */
	double each;	   /* ns, of who asks */
	uint64_t messages; /* that the meter was on for */
	struct meter_reading used;
	uint64_t sleeps, preemptions;
};

/* Latencies: 64 buckets of 1 ns, then 32 for each power of two. */
#define LATENCY_BUCKETS 1088
struct latencies {
	uint32_t count[LATENCY_BUCKETS];
};

/* What the members of a team share during one round. */
struct shared_round {
	ALIGNED(128) uint64_t last; /* trip, by who asks */
	ALIGNED(128) uint32_t ended; /* receivers */
	ALIGNED(128) uint64_t number;
	uint64_t duration, warm_up; /* ns */
	uint64_t limit; /* messages of each sender, or trips; 0: none. The
			   duration, too, is a limit unless it is 0 */
	uint64_t tick_scale; /* ns << 32 of a tick */
	int pids[PEER_MEMBERS_MAX];
	struct member_round member[PEER_MEMBERS_MAX];
	struct latencies latencies; /* by who asks */
	char failure[160];	    /* "": none */
};

/* Where a member sits in a round. */
struct seat {
	enum workload workload;
	int member, senders, receivers;
	bool sends_first; /* one way: a sender; both ways: who asks */
	size_t size;
	bool touched; /* written and read in full */
	bool checked; /* every word is looked at by itself */
	void *to, *from;
	uint64_t *buffer; /* size bytes, aligned to 64 (PEER_BATCH times that for
			     a batch); the 64 bytes before it are the peer's */
	struct meter *meter;
	struct shared_round *round;
};

/* What a receive has brought. */
struct taken {
	uint64_t count, sum;
	uint64_t dismissal; /* round's number, if there was one */
	bool wrong;
};

typedef int
seat_produce(struct seat *seat, uint64_t first);
typedef int
seat_consume(struct seat *seat, struct taken *ret);

/* Notes why a round failed; the first reason stays. */
static inline void
seat_fail(struct seat *seat, const char *what, int error)
{
	char *reason = seat->round->failure;

	if (!reason[0])
		snprintf(reason, sizeof(seat->round->failure), "%s%s%s", what,
			 error ? ": " : "", error ? strerror(-error) : "");
}

/* Messages --------------------------------------------------------------- */

ALWAYS_INLINE void
seat_fill(const struct seat *seat, void *message, uint64_t first)
{
	uint64_t *words = (uint64_t *)message;

	if (!seat->touched)
		words[0] = first;
	else if (seat->size < PEER_LARGE)
		words_fill(words, seat->size, first);
	else
		large_fill_anywhere(words, seat->size, first);
}

static inline bool
seat_message_whole(const struct seat *seat, const uint64_t *words)
{
	for (size_t i = 0; i < seat->size / sizeof(*words); i++) {
		if (words[i] != words[0] + i)
			return false;
	}
	return true;
}

ALWAYS_INLINE uint64_t
seat_expected(const struct seat *seat, uint64_t first)
{
	return seat->touched ? words_expected(seat->size, first) : first;
}

/* Adds one message to what was taken. */
ALWAYS_INLINE void
seat_read(const struct seat *seat, const void *message, struct taken *taken)
{
	const uint64_t *words = (const uint64_t *)message;
	uint64_t sum;

	if (!seat->touched)
		sum = words[0];
	else if (seat->size < PEER_LARGE)
		sum = words_sum(words, seat->size);
	else
		sum = large_sum_anywhere(words, seat->size);
	if (__builtin_expect(words[0] & DISMISSAL, 0)) {
		taken->dismissal = words[0] & (DISMISSAL - 1);
		return;
	}
	if (seat->checked && seat->touched && !seat_message_whole(seat, words))
		taken->wrong = true;
	taken->count++;
	taken->sum += sum;
}

/* The watch -------------------------------------------------------------- */

/*
 * When a round's warm-up has passed the meter starts, and at its end it stops.
 * Looks become rarer while they follow each other quickly.
 */
struct watch {
	uint64_t begun, looked, next, every;
	uint64_t started, started_at; /* time and count; 0: not yet */
	bool over;
};

ALWAYS_INLINE struct watch
watch_start(const struct seat *seat)
{
	struct watch watch = { 0, 0, 1, 1, 0, 0, false };

	watch.begun = watch.looked = meter_now(seat->meter);
	return watch;
}

/* After count messages. */
ALWAYS_INLINE bool
round_over(const struct shared_round *round, uint64_t count, uint64_t passed)
{
	return (round->limit && count >= round->limit) ||
	       (round->duration && passed >= round->duration);
}

static inline void
watch_over(struct seat *seat, struct watch *watch, uint64_t count, uint64_t now)
{
	struct member_round *mine = &seat->round->member[seat->member];

	watch->over = true;
	if (!watch->started)
		return;
	meter_stop(seat->meter, &mine->used);
	mine->messages = count - watch->started_at;
	if (now > watch->started)
		mine->rate = 1e9 * (double)mine->messages /
			     (double)(now - watch->started);
}

/* Not inlined: most messages pass it by. */
static __attribute__((noinline)) void
watch_look(struct seat *seat, struct watch *watch, uint64_t count)
{
	const struct shared_round *round = seat->round;
	uint64_t now = meter_now(seat->meter), since = now - watch->looked;

	if (since < 20000 && watch->every < 256)
		watch->every *= 2;
	else if (since > 100000 && watch->every > 1)
		watch->every /= 2;
	watch->looked = now;
	watch->next = count + watch->every;
	if (!watch->started) {
		if (now - watch->begun < round->warm_up)
			return;
		meter_start(seat->meter);
		watch->started = meter_now(seat->meter);
		watch->started_at = count;
	} else if (round_over(round, count, now - watch->begun)) {
		watch_over(seat, watch, count, now);
	}
}

/* After count messages in all. */
ALWAYS_INLINE void
watch_count(struct seat *seat, struct watch *watch, uint64_t count)
{
	if (__builtin_expect(count >= watch->next && !watch->over, 0))
		watch_look(seat, watch, count);
}

/* There and back --------------------------------------------------------- */

/* The bucket of a latency, and the least that lies in a bucket. */
ALWAYS_INLINE unsigned
latency_bucket(uint64_t ns)
{
	unsigned power, bucket;

	if (ns < 64)
		return (unsigned)ns;
	power = 63u - (unsigned)__builtin_clzll(ns);
	bucket = 64 + (power - 6) * 32 + ((unsigned)(ns >> (power - 5)) & 31);
	return bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1;
}

static inline uint64_t
latency_of_bucket(unsigned bucket)
{
	unsigned power;

	if (bucket < 64)
		return bucket;
	power = (bucket - 64) / 32 + 6;
	return (UINT64_C(32) + (bucket - 64) % 32) << (power - 5);
}

ALWAYS_INLINE int
seat_trip(struct seat *seat, uint64_t trip, seat_produce *produce,
	  seat_consume *consume)
{
	struct taken taken = { 0, 0, 0, false };
	int error = produce(seat, trip);

	if (!error)
		error = consume(seat, &taken);
	if (!error && (taken.sum != seat_expected(seat, trip) || taken.wrong))
		seat_fail(seat, "the answer is wrong", 0);
	return error;
}

/* The ticks of each trip after the warm-up; the mean of a round is in each. */
ALWAYS_INLINE void
seat_ask(struct seat *seat, seat_produce *produce, seat_consume *consume)
{
	struct shared_round *round = seat->round;
	struct member_round *mine = &round->member[seat->member];
	bool asleep = seat->workload == THERE_AND_BACK_ASLEEP;
	uint64_t begun = meter_now(seat->meter), now = begun, sum = 0;
	uint64_t metered = 0, trip = 0;
	bool over = false, metering = false;
	int error = 0;

	while (!over && !error) {
		uint64_t asked, each;

		if (asleep)
			meter_await_sleep(seat->meter,
					  round->pids[1 - seat->member]);
		if (!metering && now - begun >= round->warm_up) {
			metering = true;
			meter_start(seat->meter);
		}
		asked = asleep ? meter_now(seat->meter) : now;
		trip++;
		over = round_over(round, trip, now - begun) &&
		       (metered || round->limit);
		if (over)
			__atomic_store_n(&round->last, trip, __ATOMIC_RELAXED);
		error = seat_trip(seat, trip, produce, consume);
		now = meter_now(seat->meter);
		if (!metering)
			continue;
		each = now - asked;
		sum += each;
		metered++;
		round->latencies.count[latency_bucket(each)]++;
	}
	if (metering)
		meter_stop(seat->meter, &mine->used);
	mine->messages = metered;
	mine->each = metered ? (double)sum / (double)metered : 0;
	if (error)
		seat_fail(seat, "asking", error);
}

ALWAYS_INLINE void
seat_answer(struct seat *seat, seat_produce *produce, seat_consume *consume)
{
	struct shared_round *round = seat->round;
	struct member_round *mine = &round->member[seat->member];
	uint64_t trip = 0;
	int error;

	meter_start(seat->meter);
	do {
		struct taken taken = { 0, 0, 0, false };

		trip++;
		error = consume(seat, &taken);
		if (!error &&
		    (taken.sum != seat_expected(seat, trip) || taken.wrong))
			seat_fail(seat, "the question is wrong", 0);
		if (!error)
			error = produce(seat, trip);
	} while (!error &&
		 __atomic_load_n(&round->last, __ATOMIC_RELAXED) != trip);
	meter_stop(seat->meter, &mine->used);
	mine->messages = trip;
	if (error)
		seat_fail(seat, "answering", error);
}

/* One way ---------------------------------------------------------------- */

/* Sleeps until it is time for the next message. */
static inline void
seat_pace(struct timespec *next)
{
	next->tv_nsec += PACE;
	if (next->tv_nsec >= 1000000000) {
		next->tv_nsec -= 1000000000;
		next->tv_sec++;
	}
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, next, NULL);
}

/* Until fewer than that many are missing from all that were sent; or nothing
   comes any more. */
static inline bool
seat_await_all(struct seat *seat)
{
	struct shared_round *round = seat->round;
	uint64_t progress = 0, since = meter_now(seat->meter);

	for (;;) {
		uint64_t sent = 0, received = 0, now = meter_now(seat->meter);
		bool known = true;

		for (int i = 0; i < seat->receivers + seat->senders; i++) {
			struct member_round *its = &round->member[i];
			uint64_t told = __atomic_load_n(&its->sent,
							__ATOMIC_ACQUIRE);

			if (i < seat->receivers)
				received += __atomic_load_n(&its->received,
							    __ATOMIC_RELAXED);
			else if (told)
				sent += told - 1;
			else
				known = false;
		}
		if (known && received >= sent)
			return true;
		if (received != progress) {
			progress = received;
			since = now;
		} else if (now - since > UINT64_C(30000000000)) {
			seat_fail(seat, "messages are missing", 0);
			return false;
		}
		sched_yield();
	}
}

ALWAYS_INLINE void
seat_dismiss(struct seat *seat, seat_produce *produce)
{
	struct shared_round *round = seat->round;
	uint32_t ended = 0;
	int error = 0;

	while (!error && ended < (uint32_t)seat->receivers) {
		uint64_t sent = meter_now(seat->meter);
		uint32_t before = ended;

		error = produce(seat, DISMISSAL | round->number);
		while (!error && ended == before &&
		       meter_now(seat->meter) - sent < 100000000) {
			sched_yield();
			ended = __atomic_load_n(&round->ended,
						__ATOMIC_ACQUIRE);
		}
	}
	if (error)
		seat_fail(seat, "dismissing", error);
}

static inline void
seat_compare(struct seat *seat)
{
	uint64_t sent = 0, received = 0;

	for (int i = 0; i < seat->receivers + seat->senders; i++) {
		sent += seat->round->member[i].sent_sum;
		received += seat->round->member[i].received_sum;
	}
	if (sent != received)
		seat_fail(seat, "what was received is not what was sent", 0);
}

ALWAYS_INLINE void
seat_send(struct seat *seat, seat_produce *produce, unsigned batch)
{
	struct member_round *mine = &seat->round->member[seat->member];
	struct watch watch = watch_start(seat);
	uint64_t count = 0, sum = 0;
	struct timespec next;
	int error = 0;

	clock_gettime(CLOCK_MONOTONIC, &next);
	while (!watch.over && !error) {
		if (seat->workload == ONE_WAY_PACED)
			seat_pace(&next);
		for (unsigned i = 1; i <= batch; i++)
			sum += seat_expected(seat, count + i);
		error = produce(seat, count + 1);
		count += batch;
		watch_count(seat, &watch, count);
	}
	if (error)
		seat_fail(seat, "sending", error);
	mine->sent_sum = sum;
	/* Pairs with the acquire in seat_await_all(). */
	__atomic_store_n(&mine->sent, count + 1, __ATOMIC_RELEASE);
	if (seat->member != seat->receivers || error)
		return;
	if (seat_await_all(seat))
		seat_dismiss(seat, produce);
	seat_compare(seat);
}

ALWAYS_INLINE void
seat_receive(struct seat *seat, seat_consume *consume)
{
	struct member_round *mine = &seat->round->member[seat->member];
	uint64_t count = 0, sum = 0, number = seat->round->number;
	struct watch watch = watch_start(seat);
	bool wrong = false;
	int error;

	for (;;) {
		struct taken taken = { 0, 0, 0, false };

		error = consume(seat, &taken);
		if (error)
			break;
		sum += taken.sum;
		count += taken.count;
		wrong |= taken.wrong;
		if (__builtin_expect(taken.dismissal == number, 0))
			break;
		__atomic_store_n(&mine->received, count, __ATOMIC_RELAXED);
		watch_count(seat, &watch, count);
	}
	if (!watch.over)
		watch_over(seat, &watch, count, meter_now(seat->meter));
	if (error || wrong)
		seat_fail(seat, wrong ? "a message is wrong" : "receiving",
			  error);
	mine->received_sum = sum;
	__atomic_store_n(&mine->received, count, __ATOMIC_RELAXED);
	/* Pairs with the acquire in seat_dismiss(). */
	__atomic_fetch_add(&seat->round->ended, 1, __ATOMIC_RELEASE);
}

ALWAYS_INLINE void
seat_run(struct seat *seat, seat_produce *produce, seat_consume *consume,
	 unsigned batch)
{
	if (seat->workload < ONE_WAY) {
		if (seat->sends_first)
			seat_ask(seat, produce, consume);
		else
			seat_answer(seat, produce, consume);
	} else if (seat->sends_first) {
		seat_send(seat, produce, batch);
	} else {
		seat_receive(seat, consume);
	}
}

/*
 * Defines run for a peer that copies:
 *	int send(SIDE *side, const void *message, size_t size);
 *	int receive(SIDE *side, void *buffer, size_t size);
 */
#define PEER_COPYING(run, SIDE, send, receive) \
	ALWAYS_INLINE int run##_produce(struct seat *seat, uint64_t first) \
	{ \
		seat_fill(seat, seat->buffer, first); \
		return send((SIDE *)seat->to, seat->buffer, seat->size); \
	} \
	ALWAYS_INLINE int run##_consume(struct seat *seat, struct taken *ret) \
	{ \
		int error = receive((SIDE *)seat->from, seat->buffer, \
				    seat->size); \
		if (!error) \
			seat_read(seat, seat->buffer, ret); \
		return error; \
	} \
	static void run(struct seat *seat) \
	{ \
		seat_run(seat, run##_produce, run##_consume, 1); \
	}

/*
 * Defines run for a peer whose messages are filled and read where they lie:
 *	int loan(SIDE *side, size_t size, void **ret);
 *	int publish(SIDE *side, void *message, size_t size);
 *	int take(SIDE *side, size_t size, const void **ret);
 *	int give_back(SIDE *side, const void *message);
 */
#define PEER_IN_PLACE(run, SIDE, loan, publish, take, give_back) \
	ALWAYS_INLINE int run##_produce(struct seat *seat, uint64_t first) \
	{ \
		void *message = NULL; \
		int error = loan((SIDE *)seat->to, seat->size, &message); \
		if (error) \
			return error; \
		seat_fill(seat, message, first); \
		return publish((SIDE *)seat->to, message, seat->size); \
	} \
	ALWAYS_INLINE int run##_consume(struct seat *seat, struct taken *ret) \
	{ \
		const void *message = NULL; \
		int error = take((SIDE *)seat->from, seat->size, &message); \
		if (error) \
			return error; \
		seat_read(seat, message, ret); \
		return give_back((SIDE *)seat->from, message); \
	} \
	static void run(struct seat *seat) \
	{ \
		seat_run(seat, run##_produce, run##_consume, 1); \
	}

/*
 * Defines run for a peer that takes PEER_BATCH messages a call, one way:
 *	int send(SIDE *side, const void *messages, size_t size, unsigned count);
 *	int receive(SIDE *side, void *buffer, size_t size);
 * messages lie one behind the other; receive returns how many there are. Who is
 * dismissed gets that message alone.
 */
#define PEER_BATCHES(run, SIDE, send, receive) \
	ALWAYS_INLINE int run##_produce(struct seat *seat, uint64_t first) \
	{ \
		unsigned count = first & DISMISSAL ? 1 : PEER_BATCH; \
		char *at = (char *)seat->buffer; \
		for (unsigned i = 0; i < count; i++, at += seat->size) \
			seat_fill(seat, at, first + i); \
		return send((SIDE *)seat->to, seat->buffer, seat->size, \
			    count); \
	} \
	ALWAYS_INLINE int run##_consume(struct seat *seat, struct taken *ret) \
	{ \
		const char *at = (const char *)seat->buffer; \
		int count = receive((SIDE *)seat->from, seat->buffer, \
				    seat->size); \
		for (int i = 0; i < count; i++, at += seat->size) \
			seat_read(seat, at, ret); \
		return count < 0 ? count : 0; \
	} \
	static void run(struct seat *seat) \
	{ \
		seat_run(seat, run##_produce, run##_consume, PEER_BATCH); \
	}

#endif
