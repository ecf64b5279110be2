/* SPDX-License-Identifier: MIT */
/* Layer 10. May include: base atomics spin exclusion layout participants claims doorbell answers lane taking receiver. */
/*
 * Joining the receivers of a mailbox, and leaving them.
 */
#include "base.h"
#include "participants.h"
#include "receiver.h"

#include <stdlib.h>

/* A slot, in order; then alive in it. */
static int
join(struct receiver *receiver)
{
	struct view *view = receiver->view;
	struct liveness joining;
	int r;

	r = participants_join(view, &joining, &receiver->slot);
	if (r < 0)
		return r;
	lane_repair_slot(view, receiver->slot, true);
	return participants_enter(view, receiver->slot, &joining,
				  &receiver->life);
}

int
receiver_open(struct view *view, bool trusts, struct receiver *ret)
{
	int r;

	memset(ret, 0, sizeof(*ret));
	ret->view = view;
	ret->trusts = trusts;
	ret->length = 1;
	ret->poll_length = 1;
	r = join(ret);
	if (r < 0)
		return r;
	/* relaxed: our own */
	answers_init(&ret->answers, view, ret->slot, word64_load_relaxed(
			&view->receivers->slots[ret->slot].generation));
	ret->returned = claims_returned(view) - 1;
	exclusion_init(&ret->exclusion);
	spin_init(&ret->spin);
	return 0;
}

static void
free_private(struct receiver *receiver)
{
	struct cubby_message *held;
	uint32_t lane;

	while ((held = receiver->spare)) {
		receiver->spare = held->next;
		free(held);
	}
	for (lane = 0; lane < receiver->known; lane++)
		free(receiver->lanes[lane]);
	free(receiver->lanes);
}

void
receiver_close(struct receiver *receiver)
{
	uint32_t lane;

	while (receiver->held)
		taking_reject(receiver, receiver->held);
	answers_end(&receiver->answers);
	for (lane = 0; lane < receiver->known; lane++)
		if (receiver->lanes[lane])
			lane_close_reader(receiver->lanes[lane]);
	participants_leave(receiver->view, receiver->slot, &receiver->life);
	/* A message that somebody rang us for must not wait for another. */
	doorbell_ring(receiver->view);
	free_private(receiver);
}

void
receiver_forget(struct receiver *receiver)
{
	struct cubby_message *held;
	uint32_t lane;

	while ((held = receiver->held)) {
		receiver->held = held->next;
		free(held->copy);
		free(held);
	}
	for (lane = 0; lane < receiver->known; lane++)
		if (receiver->lanes[lane])
			lane_forget_reader(receiver->lanes[lane]);
	answers_forget(&receiver->answers);
	free_private(receiver);
}
