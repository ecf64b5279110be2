/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cubby.h"
#include "loops.h"
#include "waiting.h"

/* Of the messages that wait. */
#define TYPES 8
#define PRIORITIES 32

struct detail {
	uint32_t waiting;
	enum cubby_order order;
	enum cubby_matching matching;
};

struct side {
	const struct detail *detail;
	cubby_mailbox *mailbox;
};

static int
make(const struct contender *self, void **ret)
{
	*ret = (void *)self;
	return 0;
}

static void
unmake(void *made)
{
	(void)made;
}

static int
send_one(struct side *side, int64_t type, int32_t priority)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	uint64_t message[LINE / sizeof(uint64_t)];

	words_fill(message, sizeof(message), (uint64_t)type);
	envelope.type = type;
	envelope.priority = priority;
	return cubby_send_full(side->mailbox, message, sizeof(message),
			       &envelope, 0, CUBBY_NOW);
}

static int
fill(struct side *side)
{
	bool by_priority = side->detail->order == CUBBY_ORDER_PRIORITY;
	int error = 0;

	for (uint32_t i = 0; !error && i < side->detail->waiting; i++)
		error = send_one(side, 1 + i % TYPES,
				 by_priority ? (int32_t)(i % PRIORITIES) : 0);
	return error;
}

static int
join(const struct contender *self, void *made, int member, void **ret)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	struct side *side = calloc(1, sizeof(*side));
	static int number;
	char name[64];
	int error;

	(void)made;
	(void)member;
	if (!side)
		return -ENOMEM;
	*ret = side;
	side->detail = self->detail;
	options.lifetime = CUBBY_TEMPORARY;
	options.order = side->detail->order;
	options.capacity = side->detail->waiting + 1;
	snprintf(name, sizeof(name), "bench-waiting-%ld-%d", (long)getpid(),
		 number++);
	error = cubby_open(name,
			   CUBBY_CREATE | CUBBY_EXCLUSIVE | CUBBY_SEND |
				   CUBBY_RECEIVE,
			   &options, &side->mailbox);
	return error ? error : fill(side);
}

static void
leave(void *pointer)
{
	struct side *side = pointer;

	cubby_close(side->mailbox);
	free(side);
}

/* Receives one so, and sends its like. */
static int
receive_and_send(void *pointer, uint64_t number)
{
	struct side *side = pointer;
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	struct cubby_filter filter = CUBBY_FILTER_INIT;
	uint64_t message[LINE / sizeof(uint64_t)];
	int error;

	filter.matching = side->detail->matching;
	filter.type = filter.matching == CUBBY_MATCH_ANY ?
			      0 :
			      1 + (int64_t)(number % TYPES);
	error = cubby_receive_full(side->mailbox, &filter, 0, CUBBY_NOW,
				   message, sizeof(message), NULL, &envelope);
	if (error)
		return error;
	if (words_sum(message, LINE) !=
	    words_expected(LINE, (uint64_t)envelope.type))
		return -EBADMSG;
	return send_one(side, envelope.type, envelope.priority);
}

static int
send_and_withdraw(void *pointer, uint64_t number)
{
	struct side *side = pointer;
	uint64_t message[LINE / sizeof(uint64_t)];
	int error;

	words_fill(message, sizeof(message), number);
	error = cubby_send_full(side->mailbox, message, sizeof(message), NULL,
				CUBBY_SYNCHRONOUS, cubby_deadline_after(1));
	return error == -ETIMEDOUT ? 0 : error ? error : -EBADMSG;
}

static void
run(void *side, int member, struct round *round)
{
	(void)member;
	loop_alone(round, side, receive_and_send);
}

static void
run_withdrawal(void *side, int member, struct round *round)
{
	(void)member;
	loop_alone(round, side, send_and_withdraw);
}

#define ONE(its_system, its_waiting, its_order, its_matching, its_run) \
	{ \
		.system = its_system, .size = LINE, .senders = 1, \
		.receivers = 1, .alone = true, \
		.detail = &(const struct detail){ its_waiting, its_order, \
						  its_matching }, \
		.make = make, .join = join, .run = its_run, .leave = leave, \
		.unmake = unmake, \
	}
#define EACH(name, its_order, its_matching, its_run) \
	const struct contender name[WAITING_COUNTS] = { \
		ONE("cubby, 10 waiting", 10, its_order, its_matching, \
		    its_run), \
		ONE("cubby, 1,000 waiting", 1000, its_order, its_matching, \
		    its_run), \
		ONE("cubby, 100,000 waiting", 100000, its_order, its_matching, \
		    its_run), \
	}

EACH(waiting_first, CUBBY_ORDER_ARRIVAL, CUBBY_MATCH_ANY, run);
EACH(waiting_type, CUBBY_ORDER_ARRIVAL, CUBBY_MATCH_TYPE, run);
EACH(waiting_not_type, CUBBY_ORDER_ARRIVAL, CUBBY_MATCH_NOT_TYPE, run);
EACH(waiting_lowest, CUBBY_ORDER_ARRIVAL, CUBBY_MATCH_LOWEST, run);
EACH(waiting_priority, CUBBY_ORDER_PRIORITY, CUBBY_MATCH_ANY, run);
EACH(waiting_withdrawal, CUBBY_ORDER_ARRIVAL, CUBBY_MATCH_ANY, run_withdrawal);
