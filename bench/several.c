/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cubby.h"
#include "loops.h"
#include "ours.h"
#include "several.h"

#define MOST 64

/* The first member of a contender's detail, for ours.c, and the rest. */
struct detail {
	struct ours_detail ours;
	size_t count; /* mailboxes to wait for; 0: a receive that waits */
};

struct several {
	struct ours_side *side;
	size_t count;
	struct cubby_wait_entry entries[MOST];
};

static int
open_idle(cubby_mailbox **ret)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	static int number;
	char name[64];

	snprintf(name, sizeof(name), "bench-idle-%ld-%d", (long)getpid(),
		 number++);
	options.lifetime = CUBBY_TEMPORARY;
	return cubby_open(name, CUBBY_CREATE | CUBBY_EXCLUSIVE | CUBBY_RECEIVE,
			  &options, ret);
}

/* The one that has messages comes last. */
static int
enlist(struct several *several, cubby_mailbox *mailbox)
{
	size_t i, idle = several->count ? several->count - 1 : 0;
	int error = 0;

	for (i = 0; !error && i < idle; i++) {
		error = open_idle(&several->entries[i].mailbox);
		several->entries[i].events = CUBBY_RECEIVE;
	}
	several->entries[idle] =
		(struct cubby_wait_entry){ mailbox, CUBBY_RECEIVE, 0 };
	return error;
}

static int
join(const struct contender *self, void *made, int member, void **ret)
{
	const struct detail *detail = self->detail;
	struct several *several = calloc(1, sizeof(*several));
	void *side = NULL;
	int error;

	if (!several)
		return -ENOMEM;
	*ret = several;
	error = ours_join(self, made, member, &side);
	several->side = side;
	several->count = member == 0 ? detail->count : 0;
	return error || member != 0 ? error :
				      enlist(several, several->side->from);
}

static void
leave(void *pointer)
{
	struct several *several = pointer;

	for (size_t i = 0; i + 1 < several->count; i++)
		cubby_close(several->entries[i].mailbox);
	ours_leave(several->side);
	free(several);
}

ALWAYS_INLINE int
produce(void *pointer, uint64_t first)
{
	struct several *several = pointer;
	uint64_t message[SMALL / sizeof(uint64_t)];

	words_fill(message, sizeof(message), first);
	return cubby_send(several->side->to, message, sizeof(message));
}

ALWAYS_INLINE int
consume(void *pointer, uint64_t *ret_sum)
{
	struct several *several = pointer;
	uint64_t message[SMALL / sizeof(uint64_t)];
	int error;

	if (several->count) {
		error = cubby_wait(several->entries, several->count,
				   CUBBY_FOREVER);
		if (error < 0)
			return error;
		error = cubby_receive_full(several->side->from, NULL, 0,
					   CUBBY_NOW, message, sizeof(message),
					   NULL, NULL);
	} else {
		error = cubby_receive(several->side->from, message,
				      sizeof(message), NULL);
	}
	*ret_sum = words_sum(message, sizeof(message));
	return error;
}

static void
run(void *side, int member, struct round *round)
{
	if (member == 0)
		loop_answer(round, side, produce, consume, SMALL);
	else
		loop_ask(round, side, produce, consume, SMALL);
}

/* Alone ------------------------------------------------------------------ */

static int
join_alone(const struct contender *self, void *made, int member, void **ret)
{
	const struct detail *detail = self->detail;
	struct several *several = calloc(1, sizeof(*several));
	struct ours_side *side = calloc(1, sizeof(*side));
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	static int number;
	char name[64];
	int error;

	(void)made;
	(void)member;
	if (!several || !side)
		return -ENOMEM;
	*ret = several;
	several->side = side;
	several->count = detail->count;
	snprintf(name, sizeof(name), "bench-several-%ld-%d", (long)getpid(),
		 number++);
	options.lifetime = CUBBY_TEMPORARY;
	error = cubby_open(name, CUBBY_CREATE | CUBBY_EXCLUSIVE | CUBBY_SEND,
			   &options, &side->to);
	if (!error)
		error = cubby_open(name, CUBBY_RECEIVE, NULL, &side->from);
	return error ? error : enlist(several, side->from);
}

static int
make_nothing(const struct contender *self, void **ret)
{
	*ret = (void *)self;
	return 0;
}

static void
unmake_nothing(void *made)
{
	(void)made;
}

static int
send_and_receive(void *side, uint64_t number)
{
	uint64_t sum;
	int error = produce(side, number);

	if (!error)
		error = consume(side, &sum);
	if (error)
		return error;
	return sum == words_expected(SMALL, number) ? 0 : -EBADMSG;
}

static void
run_alone(void *side, int member, struct round *round)
{
	(void)member;
	loop_alone(round, side, send_and_receive);
}

#define FOR(its_system, its_count) \
	.system = its_system, .size = SMALL, .senders = 1, .receivers = 1, \
	.detail = &(const struct detail){ \
		.ours = { .both_ways = true }, .count = its_count }, \
	.leave = leave
#define TRIP(system, count) \
	{ FOR(system, count), .make = ours_make, .join = join, .run = run, \
	  .unmake = ours_unmake }
#define READY(system, count) \
	{ FOR(system, count), .alone = true, .make = make_nothing, \
	  .join = join_alone, .run = run_alone, .unmake = unmake_nothing }
#define EACH(ONE) \
	{ \
		[PLAIN] = ONE("cubby, receive", 0), \
		[WAIT_1] = ONE("cubby, wait for 1", 1), \
		[WAIT_8] = ONE("cubby, wait for 8", 8), \
		[WAIT_64] = ONE("cubby, wait for 64", 64), \
	}

const struct contender several_round_trip[SEVERAL_COUNTS] = EACH(TRIP);
const struct contender several_ready[SEVERAL_COUNTS] = EACH(READY);
