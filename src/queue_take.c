/* SPDX-License-Identifier: MIT */
/* Layer 8. May include: base shm envelope layout_queue parcel slots waiters catalogue queue_repair queue queue_receive. */
/*
 * Taking a message from a queue: choosing it under the lock, and the instant of
 * receiving; and what a sender gives, which needs no lock.
 */
#include "base.h"
#include "catalogue.h"
#include "envelope.h"
#include "queue.h"
#include "queue_receive.h"
#include "queue_repair.h"
#include "shm.h"
#include "slots.h"

#define ASKS_MAX	64	/* then an offer is taken as it is */

static bool
is_first_of(struct queue *queue, const struct wish *wish, uint32_t *ret)
{
	struct catalogue_query query = {
		.matching = (enum catalogue_matching)wish->matching,
		.type = wish->type,
		.sender = wish->sender,
	};

	return catalogue_first(&queue->map, &query, ret);
}

/* The first that the wish wants: 0, -EAGAIN, -EBADMSG. */
static int
choose(struct queue *queue, struct receive *receive, struct wakes *wakes)
{
	struct queue_slot *slot;
	uint32_t i;

	for (i = 0; i <= queue->map.geometry.slots_max; i++) {
		if (!is_first_of(queue, receive->wish, &receive->slot))
			return queue_nonsense(queue);
		if (receive->slot == SLOT_NONE)
			return -EAGAIN;
		slot = queue_slot(&queue->map, receive->slot);
		if (!slot)
			return queue_nonsense(queue);
		receive->word = get64(&slot->state);
		if (slot_state_of(receive->word) == SLOT_QUEUED)
			return queue_is_sound(&queue->map, slot) ? 0 :
			       queue_nonsense(queue);
		if (slot_state_of(receive->word) != SLOT_WITHDRAWN ||
		    !queue_free_withdrawn(&queue->map, receive->slot, wakes))
			return queue_nonsense(queue);
	}
	return queue_nonsense(queue);
}

/* The size as it was read: does it lie where the message does, as that was read?
   Who writes in the file may have changed either since they were found sound. */
static bool
fits_its_place(const struct queue *queue, const struct wish *wish)
{
	const struct queue_geometry *g = &queue->map.geometry;

	return wish->taken.size <= (wish->taken.block ? g->block_stride :
							g->inline_max);
}

/* Rendezvous: an offer counts while who makes it lives. */
static bool
must_ask(struct queue *queue, struct receive *receive)
{
	struct queue_slot *slot = queue_slot(&queue->map, receive->slot);
	const struct queue_waiter *w;

	if (!queue->map.rendezvous || slot_deliveries(receive->word))
		return false;
	w = queue_waiter(&queue->map, get32(&slot->waiter));
	if (!w || queue_looked_lately(w))
		return false;
	receive->asked = get64(&w->owner);
	return receive->asked != receive->living && receive->asks < ASKS_MAX;
}

/* What it says is read once, here, and used from then on as it was read. */
static void
describe(const struct queue_slot *slot, uint64_t word, struct wish *wish)
{
	uint32_t in_block = get32(&slot->in_block);

	wish->taken.position = get64(&slot->sequence) - 1;
	wish->taken.lane = get32(&slot->sender);
	wish->taken.size = get64(&slot->size);
	wish->taken.tag = get64(&slot->tag);
	wish->taken.type = get64(&slot->type);
	wish->taken.block = in_block & IN_BLOCK;
	wish->taken.call = in_block & IS_CALL;
	wish->uid = get32(&slot->uid);
	wish->priority = get32(&slot->priority);
	wish->deliveries = slot_deliveries(word) + 1;
}

/* Is that record still of this message's sender? */
static bool
awaits(const struct queue *queue, uint32_t waiter,
       const struct queue_slot *slot)
{
	const struct queue_waiter *w = queue_waiter(&queue->map, waiter);

	return w && queue_slot(&queue->map, get32(&w->slot)) == slot &&
	       get64(&w->use) == slot_use(get64(&slot->state)) &&
	       (get32(&w->state) == WAITER_TAKEN ||
		get32(&w->state) == WAITER_GONE);
}

/* Tells those who wait for what a taking brings about. */
static bool
tell(struct queue *queue, struct queue_slot *slot, struct wakes *wakes)
{
	struct queue_file *file = queue->map.file;
	uint32_t waiter = get32(&slot->waiter);

	set32(&slot->waiter, WAITER_NONE);
	if (unlikely(waiter != WAITER_NONE) &&
	    awaits(queue, waiter, slot) &&
	    !waiters_dismiss(&queue->map, waiter, wakes))
		return false;
	if (unlikely(get32(&file->watching.head) != WAITER_NONE) &&
	    !waiters_ring_watching(&queue->map, get32(&slot->sender), wakes))
		return false;
	return likely(get32(&file->wanting_room.head) == WAITER_NONE) ||
	       !queue_has_room(queue) ||
	       waiters_ring(&queue->map, &file->wanting_room, SLOT_NONE, wakes);
}

static uint64_t
taken_word(uint64_t word, enum slot_state state)
{
	uint32_t deliveries = slot_deliveries(word);

	if (deliveries < SLOT_DELIVERIES_MAX)
		deliveries++;
	return slot_state_make(slot_use(word), deliveries, state);
}

/* A request, which has been described, is held until its caller can know who has
   it: see queue_own_request(). */
static bool
must_hold(const struct receive *receive)
{
	return receive->holds || unlikely(receive->wish->taken.call);
}

/* The instant of receiving. -EAGAIN: it has been withdrawn just now. */
static int
take(struct queue *queue, struct receive *receive, struct wakes *wakes)
{
	struct queue_slot *slot = queue_slot(&queue->map, receive->slot);
	struct queue_file *file = queue->map.file;
	bool hold = must_hold(receive);
	uint64_t to = taken_word(receive->word, hold ? SLOT_HELD : SLOT_TAKEN);

	/* For the next receive, which is likely to be ours. */
	slots_fetch(&queue->map, get32(&slot->link[CATALOGUE_TYPE].next));
	set64(&slot->owner, queue->owner);
	/* Only a sender that waits may withdraw it. */
	if (likely(get32(&slot->waiter) == WAITER_NONE))
		slots_set(slot, &receive->word, to);
	else if (!slots_change(slot, &receive->word, to))
		return -EAGAIN;
	if (hold)
		slots_count_held(&queue->map, receive->slot, true);
	if (slot_deliveries(receive->word) > 1)
		set32(&file->returned, get32(&file->returned) - 1);
	if (!queue_unlist(&queue->map, receive->slot) ||
	    !tell(queue, slot, wakes))
		queue_nonsense(queue);	/* it is received all the same */
	return 0;
}

/* What lies in the slot is copied under the lock, a block after it. */
static int
peek(struct queue *queue, struct receive *receive, struct wakes *wakes)
{
	struct queue_slot *slot = queue_slot(&queue->map, receive->slot);

	if (!receive->wish->taken.block)
		/* relaxed: under the lock */
		copy_out_relaxed(receive->wish->buffer, slot->bytes,
				 receive->wish->taken.size);
	/* Zeros may have taken the place of what was there. */
	if (unlikely(shm_is_broken(&queue->map.mapping)))
		return -EBADMSG;
	/* It stays, and others may have been told of it through us. */
	if (!waiters_ring(&queue->map, &queue->map.file->receiving,
			  receive->slot, wakes))
		queue_nonsense(queue);
	return 0;
}

/* The first of a batch has been taken, or one more: what is said of it is said
   now, and its bytes are copied after the lock. */
static void
enter(struct receive *receive)
{
	struct wish *wish = receive->wish;
	struct batch *batch = wish->batch;
	struct cubby_batch_entry *entry =
		&batch->entries[batch->filled + receive->count];
	uint64_t begin = batch_begin(batch, receive->count ? batch->got_used :
							     batch->used);

	if (wish->taken.block)
		receive->in_blocks |= UINT32_C(1) << receive->count;
	receive->slots[receive->count++] = receive->slot;
	entry->data = batch->buffer + begin;
	entry->size = wish->taken.size;
	if (entry->envelope)
		envelope_describe(&wish->taken, wish->uid, wish->deliveries,
				  wish->priority, 0, entry->envelope);
	batch->got_used = begin + wish->taken.size;
	begin = batch_begin(batch, batch->got_used);
	wish->buffer = batch->buffer + begin;
	wish->size = batch->size - begin;
}

/* Takes the next one too, if it is as good. */
static bool
take_another(struct queue *queue, struct receive *receive, struct wakes *wakes)
{
	struct wish *wish = receive->wish;
	struct queue_slot *slot;

	if (choose(queue, receive, wakes) < 0)
		return false;
	slot = queue_slot(&queue->map, receive->slot);
	describe(slot, receive->word, wish);
	if (unlikely(!fits_its_place(queue, wish))) {
		queue_nonsense(queue);
		return false;
	}
	if (wish_suits(wish, wish->taken.type) < 0 || wish->taken.call ||
	    wish->taken.size > wish->size)
		return false;
	/* It may have been withdrawn just now. */
	return take(queue, receive, wakes) == 0;
}

static void
take_more(struct queue *queue, struct receive *receive, struct wakes *wakes)
{
	const struct batch *batch = receive->wish->batch;
	uint64_t most = min_u64(batch->count - batch->filled, QUEUE_STEP);

	do
		enter(receive);
	while (receive->count < most &&
	       batch_is_good(&batch->entries[batch->filled + receive->count]) &&
	       take_another(queue, receive, wakes));
}

int
queue_take(struct queue *queue, struct receive *receive, struct wakes *wakes)
{
	struct wish *wish = receive->wish;
	struct queue_slot *slot;
	int r;

	if (wish->sender && !queue_keep_senders(queue))
		return NEED_NODES;
	do {
		r = choose(queue, receive, wakes);
		if (r < 0)
			return r;
		if (unlikely(must_ask(queue, receive)))
			return NEED_ANSWER;
		if (unlikely(wish->kind == WISH_LOOK))
			return 0;
		slot = queue_slot(&queue->map, receive->slot);
		describe(slot, receive->word, wish);
		if (unlikely(!fits_its_place(queue, wish)))
			return queue_nonsense(queue);
		r = wish_suits(wish, wish->taken.type);
		if (r == 0 && wish->kind == WISH_PEEK &&
		    wish->taken.size <= wish->size)
			return peek(queue, receive, wakes);
		if (r == 0 && wish->kind != WISH_HOLD &&
		    wish->taken.size > wish->size)
			r = -EMSGSIZE;
		if (unlikely(r < 0)) {
			if (!waiters_ring(&queue->map,
					  &queue->map.file->receiving,
					  receive->slot, wakes))
				queue_nonsense(queue);
			return r;
		}
		r = take(queue, receive, wakes);
	} while (r == -EAGAIN);
	if (unlikely(receive->slots) && r == 0 && !wish->taken.call)
		take_more(queue, receive, wakes);
	return r;
}

bool
queue_accept(struct queue *queue, struct receive *receive)
{
	struct queue_waiter *w = queue_waiter(&queue->map, receive->waiter);
	uint32_t n = get32(&w->slot);
	struct queue_slot *slot = queue_slot(&queue->map, n);
	bool hold = receive->wish->kind == WISH_HOLD;
	uint64_t word;

	if (!slot || get64(&slot->owner) != queue->owner)
		return false;
	word = get64(&slot->state);
	if (slot_state_of(word) != SLOT_GIVEN ||
	    !queue_is_sound(&queue->map, slot))
		return false;
	describe(slot, word, receive->wish);
	receive->wish->deliveries = slot_deliveries(word);
	if (!fits_its_place(queue, receive->wish) ||
	    (!hold && receive->wish->taken.size > receive->wish->size))
		return false;
	hold = must_hold(receive);
	if (!slots_change(slot, &word, slot_state_with(word, hold ? SLOT_HELD :
								   SLOT_TAKEN)))
		return false;
	/* Not before: who makes all anew takes it for told as long as it is
	   GIVEN. */
	set32(&w->slot, SLOT_NONE);
	receive->slot = n;
	receive->word = word;
	return true;
}
