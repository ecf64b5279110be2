/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "asleep.h"
#include "cubby.h"
#include "common/large.h"
#include "loops.h"
#include "ours.h"

struct made {
	char there[64], back[64];
	bool both_ways;
	cubby_mailbox *keep_there, *keep_back;
};

static const struct ours_detail one_way = { false, 0, CUBBY_ORDER_SENDER,
					   CUBBY_ONE };
static const struct ours_detail both_ways = { true, 0, CUBBY_ORDER_SENDER,
					   CUBBY_ONE };
/* As many blocks in turn as the bare buffers beside it: buffer.c. */
static const struct ours_detail one_way_by_one = { false, 1, CUBBY_ORDER_SENDER,
					   CUBBY_ONE };
static const struct ours_detail in_a_queue = { false, 128, CUBBY_ORDER_ARRIVAL,
					       CUBBY_ONE };
static const struct ours_detail in_a_short_queue = { false, 10,
						     CUBBY_ORDER_ARRIVAL,
						     CUBBY_ONE };

/* Creates a mailbox that goes away with the coordinator and the members. */
static int
create(char *ret_name, size_t size, const struct ours_detail *detail,
       cubby_mailbox **ret)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	static int number;

	snprintf(ret_name, size, "bench-%ld-%d", (long)getpid(), number++);
	options.lifetime = CUBBY_TEMPORARY;
	options.capacity = detail->capacity;
	options.order = detail->order;
	options.delivery = detail->delivery;
	return cubby_open(ret_name, CUBBY_CREATE | CUBBY_EXCLUSIVE, &options,
			  ret);
}

int
ours_make(const struct contender *self, void **ret)
{
	const struct ours_detail *detail = self->detail;
	struct made *made = calloc(1, sizeof(*made));
	int error;

	if (!made)
		return -ENOMEM;
	made->both_ways = detail->both_ways;
	error = create(made->there, sizeof(made->there), detail,
		       &made->keep_there);
	if (!error && detail->both_ways)
		error = create(made->back, sizeof(made->back), detail,
			       &made->keep_back);
	if (error) {
		cubby_close(made->keep_there);
		free(made);
		return error;
	}
	*ret = made;
	return 0;
}

void
ours_unmake(void *pointer)
{
	struct made *made = pointer;

	cubby_close(made->keep_there);
	cubby_close(made->keep_back);
	free(made);
}

/* A member that only attaches sends once, so that its lane has been in use. */
static int
take_part_once(cubby_mailbox *mailbox)
{
	uint64_t message[SMALL / sizeof(uint64_t)] = { 0 };

	return cubby_send(mailbox, message, sizeof(message));
}

static int
receive_from_idle(cubby_mailbox *mailbox, int count)
{
	int64_t deadline = cubby_deadline_after(INT64_C(5000000000));
	uint64_t message[SMALL / sizeof(uint64_t)];
	int error = 0;

	while (!error && count--)
		error = cubby_receive_full(mailbox, NULL, 0, deadline, message,
					   sizeof(message), NULL, NULL);
	return error;
}

int
ours_join(const struct contender *self, void *pointer, int member, void **ret)
{
	struct made *made = pointer;
	struct ours_side *side = calloc(1, sizeof(*side));
	bool sends = member >= self->receivers;
	int error;

	if (!side)
		return -ENOMEM;
	*ret = side;
	error = cubby_open(made->there, sends ? CUBBY_SEND : CUBBY_RECEIVE,
			   NULL, sends ? &side->to : &side->from);
	if (!error && made->both_ways &&
	    member < self->senders + self->receivers)
		error = cubby_open(made->back,
				   sends ? CUBBY_RECEIVE : CUBBY_SEND, NULL,
				   sends ? &side->from : &side->to);
	if (!error && member == 0)
		error = receive_from_idle(side->from, self->idle);
	if (!error && member >= self->senders + self->receivers)
		error = take_part_once(side->to);
	return error;
}

void
ours_leave(void *pointer)
{
	struct ours_side *side = pointer;

	cubby_close(side->to);
	cubby_close(side->from);
	free(side);
}

/* Small messages --------------------------------------------------------- */

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

ALWAYS_INLINE int
produce_polling(void *pointer, uint64_t first)
{
	struct ours_side *side = pointer;
	uint64_t message[SMALL / sizeof(uint64_t)];
	int error;

	words_fill(message, sizeof(message), first);
	do {
		error = cubby_send_full(side->to, message, sizeof(message),
					NULL, 0, CUBBY_NOW);
	} while (error == -EAGAIN);
	return error;
}

ALWAYS_INLINE int
consume_polling(void *pointer, uint64_t *ret_sum)
{
	struct ours_side *side = pointer;
	uint64_t message[SMALL / sizeof(uint64_t)];
	int error;

	do {
		error = cubby_receive_full(side->from, NULL, 0, CUBBY_NOW,
					   message, sizeof(message), NULL,
					   NULL);
	} while (error == -EAGAIN);
	*ret_sum = words_sum(message, sizeof(message));
	return error;
}

static void
run_round_trip(void *side, int member, struct round *round)
{
	if (member == 0)
		loop_answer(round, side, produce, consume, SMALL);
	else
		loop_ask(round, side, produce, consume, SMALL);
}

static void
run_round_trip_polling(void *side, int member, struct round *round)
{
	if (member == 0)
		loop_answer(round, side, produce_polling, consume_polling,
			    SMALL);
	else
		loop_ask(round, side, produce_polling, consume_polling, SMALL);
}

static void
run_asleep(void *side, int member, struct round *round)
{
	if (member == 0)
		loop_answer(round, side, produce, consume, SMALL);
	else
		loop_ask_asleep(round, side, produce, consume, SMALL);
}

static void
run_asleep_polling(void *side, int member, struct round *round)
{
	if (member == 0)
		loop_answer(round, side, produce, consume, SMALL);
	else
		loop_ask_asleep(round, side, produce, consume_polling, SMALL);
}

static void
run_stream(void *side, int member, struct round *round)
{
	if (member == 0)
		loop_receive(round, side, consume, SMALL);
	else
		loop_send(round, member, side, produce, SMALL);
}

static void
run_stream_polling(void *side, int member, struct round *round)
{
	if (member == 0)
		loop_receive(round, side, consume_polling, SMALL);
	else
		loop_send(round, member, side, produce_polling, SMALL);
}

/* Lines, in a queue ------------------------------------------------------ */

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
run_queue(void *side, int member, struct round *round)
{
	if (member < round->receivers)
		loop_receive_of_many(round, member, side, consume_line, LINE);
	else
		loop_send_to_many(round, member, side, produce_line, LINE);
}

/* Large messages, in place ----------------------------------------------- */

ALWAYS_INLINE int
commit_untouched(void *pointer, uint64_t first)
{
	struct ours_side *side = pointer;
	cubby_draft *draft;
	int error = cubby_reserve(side->to, MEBIBYTE, CUBBY_FOREVER, &draft);

	(void)first;
	return error ? error : cubby_commit(draft, MEBIBYTE, NULL);
}

ALWAYS_INLINE int
release_untouched(void *pointer, uint64_t *ret_sum)
{
	struct ours_side *side = pointer;
	cubby_message *message;
	int error = cubby_hold(side->from, NULL, CUBBY_FOREVER, &message);

	*ret_sum = 0;
	return error ? error : cubby_release(message);
}

static void
run_untouched(void *side, int member, struct round *round)
{
	if (member == 0)
		loop_answer(round, side, commit_untouched, release_untouched,
			    0);
	else
		loop_ask(round, side, commit_untouched, release_untouched, 0);
}

static int
commit_in_full(void *pointer, uint64_t first)
{
	struct ours_side *side = pointer;
	cubby_draft *draft;
	int error = cubby_reserve(side->to, MEBIBYTE, CUBBY_FOREVER, &draft);

	if (error)
		return error;
	large_fill(cubby_draft_data(draft), MEBIBYTE, first);
	return cubby_commit(draft, MEBIBYTE, NULL);
}

static int
release_in_full(void *pointer, uint64_t *ret_sum)
{
	struct ours_side *side = pointer;
	cubby_message *message;
	int error = cubby_hold(side->from, NULL, CUBBY_FOREVER, &message);

	if (error)
		return error;
	*ret_sum = large_sum(cubby_message_data(message),
			     cubby_message_size(message));
	return cubby_release(message);
}

static void
run_in_full(void *side, int member, struct round *round)
{
	if (member == 0)
		loop_receive(round, side, release_in_full, MEBIBYTE);
	else
		loop_send(round, member, side, commit_in_full, MEBIBYTE);
}

/* The contenders --------------------------------------------------------- */

#define OURS(name, its_system, its_size, its_senders, its_idle, its_detail, \
	     its_run) \
	const struct contender name = { \
		.system = its_system, \
		.size = its_size, \
		.senders = its_senders, \
		.receivers = 1, \
		.idle = its_idle, \
		.detail = &its_detail, \
		.make = ours_make, \
		.join = ours_join, \
		.run = its_run, \
		.leave = ours_leave, \
		.unmake = ours_unmake, \
	}

OURS(cubby_round_trip, "cubby", SMALL, 1, 0, both_ways, run_round_trip);
OURS(cubby_round_trip_polling, "cubby, polling", SMALL, 1, 0, both_ways,
     run_round_trip_polling);
OURS(cubby_round_trip_beside_idle, "cubby, three more idle senders", SMALL, 1,
     3, both_ways, run_round_trip);
OURS(cubby_asleep, "cubby", SMALL, 1, 0, both_ways, run_asleep);
OURS(cubby_asleep_polling, "cubby, asker polls", SMALL, 1, 0, both_ways,
     run_asleep_polling);
OURS(cubby_stream, "cubby", SMALL, 1, 0, one_way, run_stream);
OURS(cubby_stream_polling, "cubby, polling", SMALL, 1, 0, one_way,
     run_stream_polling);
OURS(cubby_stream_from_three, "cubby, three senders", SMALL, 3, 0, one_way,
     run_stream);
OURS(cubby_stream_beside_idle, "cubby, three more idle senders", SMALL, 1, 3,
     one_way, run_stream);
OURS(cubby_in_place_untouched, "cubby, in place, untouched", MEBIBYTE, 1, 0,
     both_ways, run_untouched);
OURS(cubby_in_place_in_full, "cubby, in place, in full", MEBIBYTE, 1, 0,
     one_way_by_one, run_in_full);

#define OURS_QUEUE(name, its_system, its_detail) \
	const struct contender name = { \
		.system = its_system, \
		.size = LINE, \
		.senders = 2, \
		.receivers = 2, \
		.detail = &its_detail, \
		.make = ours_make, \
		.join = ours_join, \
		.run = run_queue, \
		.leave = ours_leave, \
		.unmake = ours_unmake, \
	}

OURS_QUEUE(cubby_queue, "cubby, order arrival, 128 deep", in_a_queue);
OURS_QUEUE(cubby_queue_10, "cubby, order arrival, 10 deep", in_a_short_queue);
