/* SPDX-License-Identifier: MIT */
/* Layer 8. May include: base envelope layout_queue parcel slots waiters queue queue_send. */
/*
 * Sending several messages through a queue with the lock taken once.
 *
 * The slots of the next batch are taken with the lock of this one, and filled
 * before the next lock; so a batch costs one lock, as a single send does. Slots
 * that are kept so are ours (RESERVED) and are taken back when we die. How many
 * are kept depends on how many take part, so that those kept by all leave most of
 * SLOTS_EXTRA free. Large messages, and rendezvous, go one by one.
 */
#include "base.h"
#include "envelope.h"
#include "queue.h"
#include "queue_send.h"
#include "slots.h"

struct run {
	const struct cubby_batch_entry *entries;
	uint32_t slots[QUEUE_STEP];	/* filled */
	uint32_t count, sent;
};

static struct parcel
parcel_of(const struct cubby_batch_entry *entry)
{
	return envelope_parcel(entry->size, entry->envelope);
}

static void
say_sent(const struct queue *queue, const struct cubby_batch_entry *entry,
	 const struct send *send)
{
	envelope_sent(entry->envelope, queue->member.slot + 1, send->sequence);
}

/* How many slots we may keep for the next batch. */
static uint32_t
most_spares(const struct queue *queue)
{
	uint32_t all = get32(&queue->map.file->participants_committed);
	uint32_t each = SLOTS_EXTRA / 2 / (all ? all : 1);

	return each < QUEUE_STEP ? each : QUEUE_STEP;
}

/* Free slots become ours, as far as there are any. Under the lock. */
static void
take_slots(struct queue *queue, uint32_t wanted)
{
	uint32_t slot;

	while (queue->spare_count < wanted) {
		if (!slots_take(&queue->map, queue->owner, false, &slot)) {
			queue_nonsense(queue);
			return;
		}
		if (slot == SLOT_NONE)
			return;
		queue->spares[queue->spare_count++] = slot;
	}
}

/* At least one slot to fill, and as many as are free. */
static int
get_slots(struct queue *queue, uint32_t wanted, int64_t deadline)
{
	struct wakes wakes = { .count = 0 };
	int r;

	if (likely(queue->spare_count >= wanted))
		return 0;
	r = queue_enter(queue, deadline);
	if (r < 0)
		return r;
	take_slots(queue, wanted);
	queue_leave(queue, &wakes);
	if (queue->spare_count)
		return 0;
	r = queue_reserve_slot(queue, 0, deadline, &queue->spares[0]);
	queue->spare_count = r == 0;
	return r;
}

static void
fill_slots(struct queue *queue, struct run *run, uint32_t wanted)
{
	const struct cubby_batch_entry *entry = run->entries;
	struct parcel parcel;
	uint32_t slot;

	for (; run->count < wanted && queue->spare_count; entry++) {
		slot = queue->spares[--queue->spare_count];
		parcel = parcel_of(entry);
		/* It fits into the slot, so this does not fail. */
		queue_fill(queue, slot, entry->data, &parcel, 0);
		queue_address(queue, queue_slot(&queue->map, slot), &parcel);
		run->slots[run->count++] = slot;
	}
}

/* The next of them. */
static void
begin_send(const struct run *run, struct parcel *parcel, struct send *send)
{
	*send = (struct send)SEND_NOTHING;
	*parcel = parcel_of(&run->entries[run->sent]);
	send->parcel = parcel;
	send->slot = run->slots[run->sent];
}

static int
put_all(struct queue *queue, struct run *run, struct wakes *wakes)
{
	struct parcel parcel;
	struct send send;
	int r = 0;

	while (r == 0 && run->sent < run->count) {
		if (!queue_has_nodes(queue) || !queue_has_room(queue))
			break;
		begin_send(run, &parcel, &send);
		r = queue_put(queue, &send, wakes);
		if (r == 0)
			say_sent(queue, &run->entries[run->sent++], &send);
	}
	return r;
}

/* What there is room for is queued, with one lock. */
static int
put_slots(struct queue *queue, struct run *run, int64_t deadline)
{
	struct wakes wakes;
	uint32_t spares;
	int r = queue_enter(queue, deadline);

	if (r < 0)
		return r;
	wakes_begin(&wakes);
	r = put_all(queue, run, &wakes);
	spares = most_spares(queue);
	take_slots(queue, run->sent < spares ? run->sent : spares);
	queue_leave(queue, &wakes);
	return r;
}

/* One that has to wait for room, or for memory. */
static int
post_one(struct queue *queue, struct run *run, int64_t deadline)
{
	struct parcel parcel;
	struct send send;
	int r;

	begin_send(run, &parcel, &send);
	r = queue_post(queue, &send, deadline);
	if (r == 0)
		say_sent(queue, &run->entries[run->sent++], &send);
	return r;
}

/* Those that were not sent stay ours, and are written over. */
static void
keep_slots(struct queue *queue, const struct run *run)
{
	uint32_t i;

	for (i = run->sent; i < run->count; i++)
		if (queue->spare_count < QUEUE_STEP)
			queue->spares[queue->spare_count++] = run->slots[i];
		else
			queue_keep_slot(queue, run->slots[i]);
}

/* Messages that fit into their slots: as many of them as there are slots for, or
   fewer, and the error that ended it. Counts those that were sent. */
static int
send_run(struct queue *queue, const struct cubby_batch_entry *entries,
	 uint32_t count, int64_t deadline, size_t *sent)
{
	struct run run = { .entries = entries };
	int r = get_slots(queue, count, deadline);

	if (r < 0)
		return r;
	fill_slots(queue, &run, count);
	while (r == 0 && run.sent < run.count) {
		r = put_slots(queue, &run, deadline);
		if (r == 0 && run.sent < run.count)
			r = post_one(queue, &run, deadline);
	}
	keep_slots(queue, &run);
	*sent += run.sent;
	return r;
}

/* How many of them, from the first on, can be sent and fit into their slots. */
static uint32_t
small_ones(const struct queue *queue, const struct cubby_batch_entry *entries,
	   size_t count)
{
	const struct attributes *attributes = &queue->view->attributes;
	uint32_t n = 0;

	if (queue->map.rendezvous)
		return 0;
	count = min_u64(count, QUEUE_STEP);
	while (n < count && entries[n].size <= queue->map.geometry.inline_max &&
	       envelope_check_entry(attributes, &entries[n]) == 0)
		n++;
	return n;
}

static int
send_single(struct queue *queue, const struct cubby_batch_entry *entry,
	    int64_t deadline, size_t *sent)
{
	const struct parcel parcel = parcel_of(entry);
	struct send send = SEND_NOTHING;
	int r = envelope_check_entry(&queue->view->attributes, entry);

	if (r < 0)
		return r;
	send.parcel = &parcel;
	send.synchronous = queue->map.rendezvous;
	r = queue_send_one(queue, entry->data, &send, deadline);
	if (r < 0)
		return r;
	say_sent(queue, entry, &send);
	++*sent;
	return 0;
}

int
queue_send_batch(struct queue *queue, const struct cubby_batch_entry *entries,
		 size_t count, int64_t deadline)
{
	size_t sent = 0;
	uint32_t small;
	int r = 0;

	exclusion_enter(&queue->exclusion);
	while (r == 0 && sent < count) {
		small = small_ones(queue, entries + sent, count - sent);
		r = queue_check(queue);
		if (likely(r == 0))
			r = small ? send_run(queue, entries + sent, small,
					     deadline, &sent) :
			    send_single(queue, entries + sent, deadline, &sent);
	}
	exclusion_leave(&queue->exclusion);
	return sent ? (int)sent : r;
}
