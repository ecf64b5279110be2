/* SPDX-License-Identifier: MIT */
/*
 * Messages of 1 KiB to 1 GiB, from one process to another, written and read in
 * full: copied in and out, and in place.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/clock.h"
#include "../common/large.h"
#include "../common/words.h"
#include "cubby.h"
#include "memory.h"
#include "rows.h"
#include "troop.h"

#define BYTES_A_ROUND 100e6
#define MESSAGES_MOST 20000
#define ROUNDS_MOST 5

enum { RECEIVER, SENDER, MEMBERS };
enum { ORDER_OPEN, ORDER_ROUND, ORDER_CLOSE };

static struct {
	size_t size;
	int messages; /* a round, and one before that does not count */
	bool in_place;
	double bytes_a_second;
} *plan; /* shared */

/* A member's own. */
static cubby_mailbox *mailbox;
static void *buffer;

/* In a member ------------------------------------------------------------ */

static int
open_end(int member)
{
	int error = cubby_open("sizes",
			       member == SENDER ? CUBBY_SEND : CUBBY_RECEIVE,
			       NULL, &mailbox);

	if (error || plan->in_place)
		return error;
	buffer = aligned_alloc(64, plan->size);
	return buffer ? 0 : -ENOMEM;
}

static int
close_end(void)
{
	cubby_close(mailbox);
	free(buffer);
	mailbox = NULL;
	buffer = NULL;
	return 0;
}

static int
produce(uint64_t first)
{
	cubby_draft *draft;
	int error;

	if (!plan->in_place) {
		large_fill(buffer, plan->size, first);
		return cubby_send(mailbox, buffer, plan->size);
	}
	error = cubby_reserve(mailbox, plan->size, CUBBY_FOREVER, &draft);
	if (error)
		return error;
	large_fill(cubby_draft_data(draft), plan->size, first);
	return cubby_commit(draft, plan->size, NULL);
}

static int
consume(uint64_t first)
{
	uint64_t sum, expected = words_expected(plan->size, first);
	cubby_message *message;
	int error;

	if (!plan->in_place) {
		error = cubby_receive(mailbox, buffer, plan->size, NULL);
		if (error)
			return error;
		sum = large_sum(buffer, plan->size);
		return sum == expected ? 0 : -EBADMSG;
	}
	error = cubby_hold(mailbox, NULL, CUBBY_FOREVER, &message);
	if (error)
		return error;
	sum = large_sum(cubby_message_data(message), plan->size);
	error = cubby_release(message);
	return error || sum == expected ? error : -EBADMSG;
}

static int
run_round(int member)
{
	uint64_t begun = 0;
	int error = 0;

	for (int i = 0; i <= plan->messages && !error; i++) {
		error = member == SENDER ? produce((uint64_t)i + 1) :
					   consume((uint64_t)i + 1);
		if (!i)
			begun = clock_now();
	}
	if (member == RECEIVER)
		plan->bytes_a_second = (double)plan->messages *
				       (double)plan->size * 1e9 /
				       (double)(clock_now() - begun);
	return error;
}

static int
act(struct troop *troop, int member, int order, long argument)
{
	(void)troop;
	(void)argument;
	switch (order) {
	case ORDER_OPEN:
		return open_end(member);
	case ORDER_ROUND:
		return run_round(member);
	default:
		return close_end();
	}
}

/* In the coordinator ----------------------------------------------------- */

#define OF_SIZE(what) \
	{ \
		.name = "sizes", \
		.title = "Large messages, written and read in full", \
		.series = what, \
		.x = "bytes of the message", \
		.unit = "bytes/s", \
		.more_is_better = true, \
		.x_is_bytes = true, \
	}
static const struct curve copied_curve = OF_SIZE("copied in and out");
static const struct curve in_place_curve = OF_SIZE("in place");

/* Few enough of the large ones that their memory is no matter. */
static int
make_mailbox(size_t size, uint64_t *ret_capacity, cubby_mailbox **ret)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;

	options.message_max = size;
	options.capacity = size >= MEBIBYTE * 64 ? 1 : size >= MEBIBYTE ? 8 :
									128;
	options.lifetime = CUBBY_TEMPORARY;
	*ret_capacity = options.capacity;
	/* One more is in hands. */
	options.memory_limit = (options.capacity + 2) * size + 16 * MEBIBYTE;
	return cubby_open("sizes", CUBBY_CREATE | CUBBY_EXCLUSIVE, &options,
			  ret);
}

static bool
measure(struct troop *troop, int rounds, struct sample *values)
{
	bool fine = troop_order(troop, RECEIVER, 1, ORDER_OPEN, 0) &&
		    troop_order(troop, SENDER, 1, ORDER_OPEN, 0);

	for (int i = 0; fine && i < rounds; i++) {
		fine = troop_order(troop, 0, MEMBERS, ORDER_ROUND, 0);
		sample_add(values, plan->bytes_a_second);
	}
	return fine && troop_order(troop, 0, MEMBERS, ORDER_CLOSE, 0);
}

/* *ret_done: it was measured. */
static bool
one_size(struct troop *troop, const struct curve *curve, size_t size,
	 int rounds, bool *ret_done)
{
	double count = BYTES_A_ROUND / (double)size;
	struct sample values = { NULL, 0, 0 };
	cubby_mailbox *keep;
	uint64_t capacity;
	char reason[200];
	int error;
	bool fine;

	plan->size = size;
	plan->messages = count > MESSAGES_MOST ? MESSAGES_MOST :
			 count < 2	       ? 2 :
						 (int)count;
	error = make_mailbox(size, &capacity, &keep);
	if (error)
		return scale_fail("sizes", "making a mailbox", error);
	*ret_done = memory_suffices((double)(capacity + 2) * (double)size,
				    plan->in_place ? 0 : 2 * (double)size,
				    reason, sizeof(reason));
	fine = true;
	if (!*ret_done) {
		rows_end(curve, (double)size, reason);
	} else if (!measure(troop, rounds, &values)) {
		fine = scale_fail("sizes", troop_reason(troop), 0);
	} else {
		rows_values(curve, (double)size, &values);
	}
	cubby_close(keep);
	sample_free(&values);
	return fine;
}

static bool
run_curve(struct troop *troop, const struct scale *scale, bool in_place)
{
	const struct curve *curve = in_place ? &in_place_curve : &copied_curve;
	size_t most = (size_t)1 << (scale->quick ? 20 : 30);
	int rounds = scale->settings.rounds;
	bool done = true, fine = true;

	if (rounds > ROUNDS_MOST)
		rounds = ROUNDS_MOST;
	plan->in_place = in_place;
	rows_curve(curve);
	for (size_t size = 1024; size <= most && done && fine; size *= 4)
		fine = one_size(troop, curve, size,
				size > 64 * MEBIBYTE ? 1 : rounds, &done);
	return fine;
}

static bool
run_test(const struct scale *scale)
{
	struct troop *troop;
	bool fine;
	int error;

	plan = process_share(sizeof(*plan));
	troop = troop_start(MEMBERS, act, &error);
	fine = !error && run_curve(troop, scale, false) &&
	       run_curve(troop, scale, true);
	troop_end(troop);
	return fine;
}

const struct scale_test sizes_test = { "sizes", "messages of 1 KiB to 1 GiB",
				       run_test };
