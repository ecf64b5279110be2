/* SPDX-License-Identifier: MIT */
/* Layer 9. May include: base atomics envelope claims doorbell lane answers taking. */
/* Requests, and messages that are held. */
#include "base.h"
#include "envelope.h"
#include "taking.h"

#include <stdlib.h>

/* Requests --------------------------------------------------------------- */

int
taking_meet(struct receiver *receiver, const struct lane_reader *reader,
	    const struct taken *taken, struct called *ret)
{
	/* CALL-A6 acquire: its id, then the file. Pairs with CALL-R1. */
	uint64_t id = word64_load_acquire(&reader->file->reply);

	return answers_meet(&receiver->answers, reader->lane, id, reader->uid,
			    taken->tag, ret);
}

bool
taking_own(struct receiver *receiver, const struct called *called, uint32_t number,
	   uint64_t word)
{
	if (answers_own(&receiver->answers, called,
			claim_deliveries(word) > 1))
		return true;
	claims_free(receiver->view, number, word);
	return false;
}

void
taking_copied(struct receiver *receiver, const struct called *called,
	      const struct wish *wish)
{
	if (unlikely(!wish_can_reply(wish)))
		answers_refuse(&receiver->answers, called);
}

/* Held messages ---------------------------------------------------------- */

static struct cubby_message *
new_held(struct receiver *receiver)
{
	struct cubby_message *held = receiver->spare;

	if (held)
		receiver->spare = held->next;
	else
		held = malloc(sizeof(*held));
	return held;
}

static void
spare_held(struct receiver *receiver, struct cubby_message *held)
{
	held->next = receiver->spare;
	receiver->spare = held;
}

static void
unlink_held(struct receiver *receiver, struct cubby_message *held)
{
	if (held->previous)
		held->previous->next = held->next;
	else
		receiver->held = held->next;
	if (held->next)
		held->next->previous = held->previous;
	free(held->copy);
	spare_held(receiver, held);
}

/* Another user could rewrite what is being read. */
static bool
must_copy(const struct receiver *receiver, const struct lane_reader *reader,
	  const struct taken *taken)
{
	return taken->block && reader->foreign && !receiver->trusts;
}

void
taking_begin_hold(struct receiver *receiver, const struct lane_reader *reader,
		  struct cubby_message *held, const struct taken *taken)
{
	held->taken = *taken;
	held->reader = reader;
	held->uid = reader->uid;
	held->deliveries = claim_deliveries(held->word);
	held->priority = 0;
	held->missed = 0;
	held->data = !taken->block ? (const void *)
		     claims_bytes(receiver->view, held->claim) :
		     lane_read_block(reader, taken->block);
	if (held->copy) {
		memcpy(held->copy, held->data, taken->size);
		held->data = held->copy;
	}
	held->previous = NULL;
	held->next = receiver->held;
	if (held->next)
		held->next->previous = held;
	receiver->held = held;
}

int
taking_prepare_hold(struct receiver *receiver, const struct lane_reader *reader,
		    const struct taken *taken, struct cubby_message **ret)
{
	struct cubby_message *held = new_held(receiver);

	if (!held)
		return -ENOMEM;
	held->copy = NULL;
	if (must_copy(receiver, reader, taken)) {
		held->copy = malloc(max_u64(1, taken->size));
		if (!held->copy) {
			spare_held(receiver, held);
			return -ENOMEM;
		}
	}
	*ret = held;
	return 0;
}

void
taking_unprepare_hold(struct receiver *receiver, struct cubby_message *held)
{
	free(held->copy);
	spare_held(receiver, held);
}

int
taking_release(struct receiver *receiver, struct cubby_message *held)
{
	int r = shm_is_broken(&held->reader->mapping) && held->taken.block ?
		-EBADMSG : 0;

	if (unlikely(held->taken.call))
		answers_refuse_by(&receiver->answers, held->taken.lane,
				  held->taken.tag);
	claims_free(receiver->view, held->claim, held->word);
	unlink_held(receiver, held);
	return r;
}

void
taking_reject(struct receiver *receiver, struct cubby_message *held)
{
	if (unlikely(held->taken.call))
		answers_give_up_by(&receiver->answers, held->taken.lane,
				   held->taken.tag);
	claims_return(receiver->view, held->claim, held->word);
	unlink_held(receiver, held);
	doorbell_ring(receiver->view);
}
