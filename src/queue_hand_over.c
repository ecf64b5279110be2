/* SPDX-License-Identifier: MIT */
/* Layer 8. May include: base shm exclusion layout_queue parcel answers slots queue queue_receive. */
/*
 * What a receive from a queue has taken is handed over without the lock: copied
 * out, peeked at, or held; and what is held is ended. To end it is one change of
 * the slot's state, and what follows from that is a chore (queue.h).
 */
#include "base.h"
#include "queue.h"
#include "queue_receive.h"
#include "slots.h"

#include <stdlib.h>
#include <unistd.h>

/* A block may be given back to the system while we look: so it is read from the
   file, and good if the message is still there afterwards. */
int
queue_peek_block(struct queue *queue, struct receive *receive, int64_t deadline)
{
	struct queue_slot *slot = queue_slot(&queue->map, receive->slot);
	struct wakes wakes = { .count = 0 };
	struct wish *wish = receive->wish;
	int r, read;

	read = queue_read_block(queue, receive->slot, wish->buffer,
				wish->taken.size);
	r = queue_enter(queue, deadline);
	if (r < 0)
		return r;
	r = get64(&slot->state) == receive->word ? read : -EAGAIN;
	queue_leave(queue, &wakes);
	return r;
}

/* Have zeros taken the place of what was there? */
static bool
is_cut_short(const struct queue *queue)
{
	return unlikely(shm_is_broken(&queue->map.mapping)) ||
	       (queue->blocks.address &&
		unlikely(shm_is_broken(&queue->blocks)));
}

static int
copy_block(struct queue *queue, uint32_t number, void *buffer, uint64_t size)
{
	struct mapping window;
	void *block;
	int r = queue_map_blocks(queue);

	if (unlikely(queue->windows))
		return queue_read_block(queue, number, buffer, size);
	if (r == 0)
		r = queue_open_block(queue, number, size, &window, &block);
	if (r < 0)
		return r;
	memcpy(buffer, block, size);
	return 0;
}

/* What was held until it has been copied goes back. False: it was not. */
static bool
give_back(struct queue *queue, uint32_t number)
{
	struct queue_slot *slot = queue_slot(&queue->map, number);
	uint64_t word = get64(&slot->state);

	if (slot_state_of(word) != SLOT_HELD)
		return false;
	if (get32(&slot->in_block) & IS_CALL)
		answers_give_up_by(&queue->answers, get32(&slot->sender),
				   get64(&slot->tag));
	if (slots_change(slot, &word, slot_state_with(word, SLOT_REJECTED)))
		queue_leave_to_anybody(queue, number, slot_use(word));
	return true;
}

/* From here on it is dealt with, should we die. */
static void
say_taken(struct queue_slot *slot)
{
	uint64_t word = get64(&slot->state);

	if (unlikely(slot_state_of(word) == SLOT_HELD))
		slots_change(slot, &word, slot_state_with(word, SLOT_TAKEN));
}

/*
 * What is copied out is freed with the next lock. What could not be copied for want
 * of something is not lost: only where there are no addresses for all blocks can
 * that be, and there it has been held.
 */
int
queue_copy(struct queue *queue, uint32_t number, bool in_block, void *buffer,
	   uint64_t size)
{
	struct queue_slot *slot = queue_slot(&queue->map, number);
	int r = 0;

	if (in_block) {
		r = copy_block(queue, number, buffer, size);
	} else {
		/* relaxed: it is ours, by SLOT-C1 */
		copy_out_relaxed(buffer, slot->bytes, size);
	}
	if (r == 0 && is_cut_short(queue))
		r = -EBADMSG;
	if (unlikely(r < 0) && r != -EBADMSG && give_back(queue, number)) {
		queue_do_chores_soon(queue);
		return r;
	}
	say_taken(slot);
	queue_add_chore(queue, CHORE_FREE, number);
	/* Large memory is not kept waiting for the next call. */
	if (unlikely(get64(&slot->block)))
		queue_do_chores_soon(queue);
	return r;
}

/* Those that were taken in one step. All are ours, and freed, though the file may
   turn out to be broken; but those that were held go back from the first on that
   could not be copied. */
int
queue_copy_batch(struct queue *queue, struct receive *receive)
{
	struct batch *batch = receive->wish->batch;
	struct cubby_batch_entry *entry = &batch->entries[batch->filled];
	uint32_t i, good = 0;
	int r, error = 0;

	for (i = 0; i < receive->count; i++, entry++) {
		if (unlikely(error) && error != -EBADMSG &&
		    give_back(queue, receive->slots[i]))
			continue;
		r = queue_copy(queue, receive->slots[i],
			       receive->in_blocks >> i & 1,
			       (void *)(uintptr_t)entry->data, entry->size);
		if (r == 0 && error == 0)
			good++;
		else if (error == 0)
			error = r;
	}
	if (unlikely(error))
		queue_do_chores_soon(queue);
	batch->got = good;
	return good ? 0 : error;
}

/* Where the bytes of a message lie. */
static int
find_bytes(struct queue *queue, struct cubby_message *message)
{
	struct queue_slot *slot = queue_slot(&queue->map, message->claim);
	void *at = slot->bytes;
	int r = 0;

	message->window.address = NULL;
	if (message->taken.block)
		r = queue_open_block(queue, message->claim,
				     message->taken.size, &message->window,
				     &at);
	message->data = at;
	return r;
}

/* If it cannot be mapped, it goes back. */
int
queue_hold(struct queue *queue, struct receive *receive,
     struct cubby_message *message)
{
	struct wish *wish = receive->wish;
	int r;

	message->copy = NULL;
	message->reader = NULL;
	message->taken = wish->taken;
	message->uid = wish->uid;
	message->deliveries = wish->deliveries;
	message->priority = wish->priority;
	message->missed = 0;
	message->claim = receive->slot;
	message->word = receive->word;
	r = find_bytes(queue, message);
	message->previous = NULL;
	message->next = queue->held;
	if (message->next)
		message->next->previous = message;
	queue->held = message;
	if (r < 0) {
		queue_reject_later(queue, message);
		queue_do_chores_soon(queue);
		return r;
	}
	wish->held = message;
	return 0;
}

/* Ending it -------------------------------------------------------------- */

static void
unlink_held(struct queue *queue, struct cubby_message *message)
{
	if (message->previous)
		message->previous->next = message->next;
	else
		queue->held = message->next;
	if (message->next)
		message->next->previous = message->previous;
	shm_unmap(&message->window);
	free(message);
}

int
queue_release(struct queue *queue, struct cubby_message *message)
{
	struct queue_slot *slot;
	uint64_t word = message->word;
	int r = 0;

	exclusion_enter(&queue->exclusion);
	slot = queue_slot(&queue->map, message->claim);
	if (is_cut_short(queue) ||
	    (message->window.address && shm_is_broken(&message->window)))
		r = -EBADMSG;
	if (unlikely(message->taken.call))
		answers_refuse_by(&queue->answers, message->taken.lane,
				  message->taken.tag);
	/* From here on it is dealt with, should we die. */
	if (slots_change(slot, &word, slot_state_with(word, SLOT_TAKEN)))
		queue_add_chore(queue, CHORE_FREE, message->claim);
	unlink_held(queue, message);
	queue_do_chores_soon(queue);
	exclusion_leave(&queue->exclusion);
	return r;
}

void
queue_reject_later(struct queue *queue, struct cubby_message *message)
{
	struct queue_slot *slot = queue_slot(&queue->map, message->claim);
	uint64_t word = message->word;

	if (unlikely(message->taken.call))
		answers_give_up_by(&queue->answers, message->taken.lane,
				   message->taken.tag);
	if (slots_change(slot, &word, slot_state_with(word, SLOT_REJECTED)))
		queue_leave_to_anybody(queue, message->claim, slot_use(word));
	unlink_held(queue, message);
}

void
queue_reject(struct queue *queue, struct cubby_message *message)
{
	exclusion_enter(&queue->exclusion);
	queue_reject_later(queue, message);
	queue_do_chores_soon(queue);
	exclusion_leave(&queue->exclusion);
}
