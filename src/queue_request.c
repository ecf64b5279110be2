/* SPDX-License-Identifier: MIT */
/* Layer 8. May include: base atomics envelope layout_queue parcel answers slots queue queue_receive. */
/*
 * Requests in a queue. Whoever takes one has it HELD, so that it goes back should
 * he die; then he says in its caller's reply file that he has it, and then it is
 * TAKEN, if it is to be copied. layout_reply.h has the rest.
 */
#include "base.h"
#include "envelope.h"
#include "queue.h"
#include "queue_receive.h"
#include "slots.h"

/* It has been dealt with, should we die. */
static void
let_go(struct queue *queue, struct receive *receive)
{
	struct queue_slot *slot = queue_slot(&queue->map, receive->slot);

	slots_change(slot, &receive->word,
		     slot_state_with(receive->word, SLOT_TAKEN));
}

static void
put_back(struct queue *queue, const struct receive *receive)
{
	struct queue_slot *slot = queue_slot(&queue->map, receive->slot);
	uint64_t word = receive->word;

	if (slots_change(slot, &word, slot_state_with(word, SLOT_REJECTED)))
		queue_leave_to_anybody(queue, receive->slot, slot_use(word));
	queue_do_chores_soon(queue);
}

/* Does anybody wait for it? -ENOENT: no. */
static int
meet(struct queue *queue, const struct taken *taken, struct called *ret)
{
	struct queue_participant *p = queue_participant(&queue->map,
							(uint32_t)taken->lane);

	if (!p)
		return -ENOENT;
	/* CALL-A7 acquire: its id, then the file. Pairs with CALL-R1. */
	return answers_meet(&queue->answers, taken->lane,
			    word64_load_acquire(&p->reply), (uid_t)-1,
			    taken->tag, ret);
}

int
queue_own_request(struct queue *queue, struct receive *receive)
{
	struct wish *wish = receive->wish;
	struct called called;
	int r = meet(queue, &wish->taken, &called);

	if (r < 0 && r != -ENOENT) {
		put_back(queue, receive);
		return r;
	}
	if (r == 0 && answers_own(&queue->answers, &called,
				  wish->deliveries > 1)) {
		/* Without addresses: when it has been copied. */
		if (wish->kind == WISH_COPY && likely(!queue->windows))
			let_go(queue, receive);
		if (!wish_can_reply(wish))
			answers_refuse(&queue->answers, &called);
		return 0;
	}
	let_go(queue, receive);
	queue_add_chore(queue, CHORE_FREE, receive->slot);
	queue_do_chores_soon(queue);
	return PASSED_OVER;
}
