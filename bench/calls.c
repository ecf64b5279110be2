/* SPDX-License-Identifier: MIT */
/*
 * Requests and their replies. Who asks fills the request first and calls then, as
 * who sends fills and sends; what he fills is kept in between.
 */
#include <stdlib.h>

#include "calls.h"
#include "cubby.h"
#include "loops.h"
#include "ours.h"

struct calls {
	struct ours_side *mailbox;
	struct cubby_envelope envelope;
	cubby_message *held;
	uint64_t request[SMALL / sizeof(uint64_t)];
};

static const struct ours_detail one_mailbox = { false, 0, CUBBY_ORDER_SENDER,
					   CUBBY_ONE };

static int
join(const struct contender *self, void *made, int member, void **ret)
{
	struct calls *calls = calloc(1, sizeof(*calls));
	void *side;
	int error;

	if (!calls)
		return -1;
	calls->envelope.struct_size = sizeof(calls->envelope);
	error = ours_join(self, made, member, &side);
	calls->mailbox = side;
	*ret = calls;
	return error;
}

static void
leave(void *side)
{
	struct calls *calls = side;

	ours_leave(calls->mailbox);
	free(calls);
}

/* Who asks --------------------------------------------------------------- */

ALWAYS_INLINE int
fill(void *side, uint64_t first)
{
	struct calls *calls = side;

	words_fill(calls->request, sizeof(calls->request), first);
	return 0;
}

ALWAYS_INLINE int
call(void *side, uint64_t *ret_sum)
{
	struct calls *calls = side;
	uint64_t reply[SMALL / sizeof(uint64_t)];
	size_t size = 0;
	int error;

	error = cubby_call(calls->mailbox->to, calls->request,
			   sizeof(calls->request), reply, sizeof(reply), &size,
			   CUBBY_FOREVER);
	*ret_sum = words_sum(reply, sizeof(reply));
	return error;
}

/* Who answers ------------------------------------------------------------ */

ALWAYS_INLINE int
take(void *side, uint64_t *ret_sum)
{
	struct calls *calls = side;
	uint64_t request[SMALL / sizeof(uint64_t)];
	int error;

	error = cubby_receive_full(calls->mailbox->from, NULL, 0,
				   CUBBY_FOREVER, request, sizeof(request),
				   NULL, &calls->envelope);
	*ret_sum = words_sum(request, sizeof(request));
	return error;
}

ALWAYS_INLINE int
answer(void *side, uint64_t first)
{
	struct calls *calls = side;
	uint64_t reply[SMALL / sizeof(uint64_t)];

	words_fill(reply, sizeof(reply), first);
	return cubby_reply(calls->mailbox->from, &calls->envelope, reply,
			   sizeof(reply));
}

ALWAYS_INLINE int
hold(void *side, uint64_t *ret_sum)
{
	struct calls *calls = side;
	int error;

	error = cubby_hold(calls->mailbox->from, NULL, CUBBY_FOREVER,
			   &calls->held);
	if (error)
		return error;
	*ret_sum = words_sum(cubby_message_data(calls->held), SMALL);
	return cubby_message_envelope(calls->held, &calls->envelope);
}

ALWAYS_INLINE int
answer_and_release(void *side, uint64_t first)
{
	struct calls *calls = side;
	int error = answer(side, first);

	return error ? error : cubby_release(calls->held);
}

static void
run(void *side, int member, struct round *round)
{
	if (member == 0)
		loop_answer(round, side, answer, take, SMALL);
	else
		loop_ask(round, side, fill, call, SMALL);
}

static void
run_held(void *side, int member, struct round *round)
{
	if (member == 0)
		loop_answer(round, side, answer_and_release, hold, SMALL);
	else
		loop_ask(round, side, fill, call, SMALL);
}

const struct contender cubby_calls = {
	.system = "cubby, call",
	.size = SMALL,
	.senders = 1,
	.receivers = 1,
	.detail = &one_mailbox,
	.make = ours_make,
	.join = join,
	.run = run,
	.leave = leave,
	.unmake = ours_unmake,
};

const struct contender cubby_calls_held = {
	.system = "cubby, call, held",
	.size = SMALL,
	.senders = 1,
	.receivers = 1,
	.detail = &one_mailbox,
	.make = ours_make,
	.join = join,
	.run = run_held,
	.leave = leave,
	.unmake = ours_unmake,
};
