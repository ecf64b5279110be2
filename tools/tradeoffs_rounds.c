/* SPDX-License-Identifier: MIT */
/*
 * Rounds, and who takes part in them.
 *
 * How a round ends. Asking: before its last trip, who asks says which that is.
 * Streaming: the receiver says stop when its time has passed; a sender that
 * sees it says how many it will have sent, and sends one more; the receiver
 * goes on until it has them all. So nothing is left over, and nobody waits for
 * a message that does not come.
 */
#include "tradeoffs_rounds.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "table.h"

/* Messages from which each takes long enough to look at the clock. */
#define LARGE ((size_t)65536)
/* Messages of which one warms up enough. */
#define HUGE ((size_t)1 << 20)

/* The times of a round: it warms up, counts, and is over. */
struct stopwatch {
	int64_t begun, counting;
	uint64_t counted_from;
};

/* After count messages. True when the time has passed. */
static bool
is_over(struct stopwatch *watch, struct round *round, size_t size,
	uint64_t count)
{
	int64_t now, warm_up = size < HUGE ? round->duration / 5 : 0;

	if (size < LARGE && count % 16)
		return false;
	now = now_ns();
	if (!watch->counting) {
		if (count && now - watch->begun >= warm_up) {
			watch->counting = now;
			watch->counted_from = count;
		}
		return false;
	}
	if (now - watch->begun < round->duration ||
	    count == watch->counted_from)
		return false;
	round->value = (double)(now - watch->counting) /
		       (double)(count - watch->counted_from);
	return true;
}

static void
check(struct pair *pair, int error, uint64_t sum, uint64_t expected)
{
	if (error)
		pair_fail(pair, "passing a message", error);
	if (sum != expected)
		pair_fail(pair, "what was received is not what was sent", 0);
}

static uint64_t
expected(const struct contender *contender, size_t size, uint64_t first)
{
	return contender->untouched ? 0 : words_expected(size, first);
}

static void
ask(struct pair *pair, struct round *round, const struct contender *contender,
    struct side *side)
{
	struct stopwatch watch = { now_ns(), 0, 0 };
	bool over = false;
	uint64_t sum = 0;

	for (uint64_t trip = 1; !over; trip++) {
		int error;

		over = is_over(&watch, round, side->size, trip - 1);
		if (over)
			atomic_store_explicit(&round->last, trip,
					      memory_order_relaxed);
		error = contender->produce(side, trip);
		if (!error)
			error = contender->consume(side, &sum);
		check(pair, error, sum, expected(contender, side->size, trip));
		round->messages = 2 * trip;
	}
	round->value /= 2;
}

static void
answer(struct pair *pair, struct round *round,
       const struct contender *contender, struct side *side)
{
	uint64_t trip = 0, sum = 0;

	do {
		int error = contender->consume(side, &sum);

		trip++;
		check(pair, error, sum, expected(contender, side->size, trip));
		error = contender->produce(side, trip);
		check(pair, error, 0, 0);
	} while (atomic_load_explicit(&round->last, memory_order_relaxed) !=
		 trip);
}

static void
handover(struct pair *pair, struct round *round, int member,
	 const struct contender *contender, struct side *side)
{
	if (member)
		ask(pair, round, contender, side);
	else
		answer(pair, round, contender, side);
}

static void
send_all(struct pair *pair, struct round *round,
	 const struct contender *contender, struct side *side)
{
	uint64_t count = 0;
	bool stop = false;

	while (!stop) {
		stop = atomic_load_explicit(&round->stop, memory_order_relaxed);
		count++;
		if (stop)
			atomic_store_explicit(&round->sent, count,
					      memory_order_relaxed);
		check(pair, contender->produce(side, count), 0, 0);
	}
}

static void
drain(struct pair *pair, struct round *round, const struct contender *contender,
      struct side *side)
{
	struct stopwatch watch = { now_ns(), 0, 0 };
	uint64_t count = 0, sum = 0;
	bool over = false;

	while (!over || count != atomic_load_explicit(&round->sent,
						      memory_order_relaxed)) {
		int error = contender->consume(side, &sum);

		count++;
		check(pair, error, sum, expected(contender, side->size, count));
		if (!over && is_over(&watch, round, side->size, count)) {
			over = true;
			atomic_store_explicit(&round->stop, 1,
					      memory_order_relaxed);
		}
	}
}

static void
stream(struct pair *pair, struct round *round, int member,
       const struct contender *contender, struct side *side)
{
	if (member)
		send_all(pair, round, contender, side);
	else
		drain(pair, round, contender, side);
}

void
round_run(struct pair *pair, struct round *round, int member, int contender,
	  enum mode mode, struct sides *sides, bool counted)
{
	const struct contender *its = &contenders[contender];
	struct side *side = &sides->of[contender];

	pair_meet(pair);
	if (!member) {
		atomic_store(&pair->subject, contender);
		atomic_store(&round->last, 0);
		atomic_store(&round->stop, 0);
		atomic_store(&round->sent, 0);
	}
	pair_meet(pair);
	atomic_store(&pair->counting[member], counted);
	(mode == HANDOVER ? handover : stream)(pair, round, member, its, side);
	atomic_store(&pair->counting[member], false);
	pair_meet(pair);
}

/* Who takes part --------------------------------------------------------- */

/* As many may wait as in a mailbox by default, in at most 8 MiB; 2 at least. */
static size_t
depth_for(size_t size)
{
	size_t depth = ((size_t)8 << 20) / size;

	return depth > 128 ? 128 : depth < 2 ? 2 : depth;
}

/* Takes out all contenders of a transport. */
static void
take_out(struct party *party, enum transport_id transport)
{
	for (int i = 0; i < CONTENDERS; i++)
		if (contenders[i].transport == transport)
			party->taking_part[i] = false;
}

static bool
has_transport(const struct party *party, enum transport_id transport)
{
	for (int i = 0; i < CONTENDERS; i++)
		if (party->taking_part[i] &&
		    contenders[i].transport == transport)
			return true;
	return false;
}

/* A queue takes no message beyond its limit, which is no failure. */
static bool
is_beyond_limit(struct findings *findings, enum transport_id transport,
		size_t size)
{
	size_t most;

	if (transport != TRANSPORT_QUEUE)
		return false;
	most = queue_message_max();
	if (size <= most)
		return false;
	if (most)
		findings_miss(findings,
			      "POSIX queue, messages of more than %zu bytes: "
			      "beyond this system's limit "
			      "(fs.mqueue.msgsize_max)",
			      most);
	else
		findings_miss(findings, "POSIX queue: this system has none");
	return true;
}

void
party_make(struct party *party, struct findings *findings, size_t size)
{
	char text[SIZE_TEXT];

	party->size = size;
	size_text(text, size);
	for (int i = 0; i < TRANSPORTS; i++) {
		int error = 0;

		party->made[i] = NULL;
		if (!has_transport(party, i))
			continue;
		if (is_beyond_limit(findings, i, size)) {
			take_out(party, i);
			continue;
		}
		error = transports[i].make(size, depth_for(size),
					   &party->made[i]);
		if (!error)
			continue;
		take_out(party, i);
		findings_miss(findings, "%s, messages of %s: %s",
			      transports[i].name, text,
			      transport_obstacle(i, error));
	}
}

void
party_unmake(struct party *party)
{
	for (int i = 0; i < TRANSPORTS; i++) {
		if (party->made[i])
			transports[i].unmake(party->made[i]);
		party->made[i] = NULL;
	}
}

/* The first contender that uses it, for whoever fails over it. */
static int
subject_of(enum transport_id transport)
{
	int i = 0;

	while (contenders[i].transport != transport)
		i++;
	return i;
}

void
party_join(struct pair *pair, const struct party *party, int member,
	   struct sides *ret)
{
	void *buffer;

	if (posix_memalign(&buffer, 4096, party->size))
		pair_fail(pair, "memory", -ENOMEM);
	memset(buffer, 1, party->size);
	*ret = (struct sides){ .buffer = buffer };
	for (int i = 0; i < TRANSPORTS; i++) {
		int error;

		if (!party->made[i])
			continue;
		atomic_store(&pair->subject, subject_of(i));
		pair_meet(pair);
		error = transports[i].join(party->made[i], member,
					   &ret->ends[i]);
		if (error)
			pair_fail(pair, "attaching", error);
		pair_meet(pair);
	}
	pair_pin(pair->cpus[member]);
	for (int i = 0; i < CONTENDERS; i++)
		ret->of[i] = (struct side){ ret->ends[contenders[i].transport],
					    ret->buffer, party->size };
}

void
party_leave(const struct party *party, struct sides *sides)
{
	for (int i = 0; i < TRANSPORTS; i++)
		if (party->made[i])
			transports[i].leave(sides->ends[i]);
	free(sides->buffer);
}

void
party_take_out(struct party *party, struct pair *pair,
	       struct findings *findings)
{
	int subject = atomic_load(&pair->subject);
	char text[SIZE_TEXT];

	size_text(text, party->size);
	findings_miss(findings, "%s, messages of %s: %s",
		      contenders[subject].title, text, pair->failure);
	party->taking_part[subject] = false;
}

bool
party_is_empty(const struct party *party)
{
	for (int i = 0; i < CONTENDERS; i++)
		if (party->taking_part[i])
			return false;
	return true;
}
