/* SPDX-License-Identifier: MIT */
/* Layer 8. May include: base atomics robust_lock layout_queue members waiters catalogue queue. */
/*
 * Waiting until all that a handle has sent, up to some message, has been
 * received. The catalogue by sender tells the lowest sequence that has not; it is
 * kept from when it is first asked for.
 */
#include "base.h"
#include "catalogue.h"
#include "queue.h"

#include <cubby.h>

#define NEED_NODES 1

/* Under the lock. 0: they have been received; -EAGAIN: it is to wait by *waiter;
   -ENOSPC: for which there is no memory. */
static int
look_watching(struct queue *queue, uint64_t sequence, bool waits,
	      uint32_t *waiter)
{
	uint64_t first;
	int r;

	if (!queue_keep_senders(queue))
		return NEED_NODES;
	if (!catalogue_first_of_sender_sequence(&queue->map,
						queue->member.slot + 1, &first))
		return queue_nonsense(queue);
	if (first > sequence)
		return 0;
	if (!waits)
		return -EAGAIN;
	r = queue_take_waiter(queue, waiter);
	if (r < 0)
		return r;
	return waiters_enlist(&queue->map, *waiter, WAITER_WATCHES, false) ?
	       -EAGAIN : queue_nonsense(queue);
}

static int
watch_once(struct queue *queue, uint64_t sequence, int64_t deadline,
	   bool waits, uint32_t *waiter)
{
	struct wakes wakes = { .count = 0 };
	int r = queue_enter(queue, deadline);

	if (r < 0)
		return r;
	if (*waiter != WAITER_NONE && !queue_off_list(queue, *waiter))
		r = queue_nonsense(queue);
	else if (sequence > get64(&queue_participant(&queue->map,
				queue->member.slot)->sequence))
		r = -EINVAL;
	else
		r = look_watching(queue, sequence, waits, waiter);
	queue_leave(queue, &wakes);
	return r;
}

int
queue_wait_received(struct queue *queue, uint64_t sequence, int64_t deadline)
{
	uint32_t waiter = WAITER_NONE;
	int r, waited = 0;

	exclusion_enter(&queue->exclusion);
	for (;;) {
		r = watch_once(queue, sequence, deadline,
			       deadline != CUBBY_NOW && !waited, &waiter);
		if (r == NEED_NODES)
			r = queue_commit_nodes(queue);
		else if (r == -ENOSPC)
			r = queue_commit_waiters(queue);
		else if (r != -EAGAIN || deadline == CUBBY_NOW || waited)
			break;
		else
			waited = queue_wait_sending(queue, waiter,
						    WAITER_WATCHES, deadline);
		if (r < 0 && r != -EAGAIN)
			break;
	}
	queue_end_wait(queue, &waiter, WAITER_WATCHES);
	exclusion_leave(&queue->exclusion);
	return r < 0 && waited < 0 ? waited : r;
}

/* What was published ----------------------------------------------------- */

/*
 * Has our last message, the one of that sequence, been withdrawn without the lock,
 * and has nobody seen to that yet? Then *ret_tag is the tag of the one before. By
 * the records of those who waited for its being taken, ours or an earlier life's:
 * each names its slot. The lock is not needed, and may not be to be had.
 */
static bool
is_withdrawn(const struct queue *queue, uint64_t sequence, uint64_t *ret_tag)
{
	const struct queue_map *map = &queue->map;
	uint32_t n, count = get32(&map->file->waiters);
	const struct queue_waiter *w;
	const struct queue_slot *slot;
	uint64_t word, tag;

	for (n = 0; n < count && (w = queue_waiter(map, n)); n++) {
		slot = queue_slot(map, get32(&w->slot));
		if (!slot || get32(&slot->waiter) != n ||
		    get32(&slot->sender) != queue->member.slot ||
		    get64(&slot->sequence) != sequence)
			continue;
		/* SLOT-A1 acquire: if it is not withdrawn any more, what has been
		   said of it. Pairs with SLOT-C1, SLOT-R5. */
		word = word64_load_acquire(&slot->state);
		if (slot_state_of(word) != SLOT_WITHDRAWN ||
		    slot_use(word) != get64(&w->use))
			continue;
		tag = get64(&w->type);
		/* WATCH-F1 acquire: the tag, then the state once more. The record
		   gets another use after the slot has been freed, so as long as
		   that is withdrawn it was the tag. Pairs with WATCH-R1,
		   WATCH-R3. */
		atomics_fence_acquire();
		if (get64(&slot->state) != word)
			continue;
		*ret_tag = tag;
		return true;
	}
	return false;
}

void
queue_published(struct queue *queue, uint64_t *ret_sequence, uint64_t *ret_tag)
{
	const struct queue_participant *p = queue_participant(&queue->map,
							queue->member.slot);
	uint64_t sequence, tag, before;
	uint32_t i;

	exclusion_enter(&queue->exclusion);
	/* Who sees to it meanwhile takes back a sequence at a time, and of those
	   that were withdrawn there is one. */
	for (i = 0; i < 2; i++) {
		/* WATCH-A1 acquire: the sequence, then its tag. Pairs with
		   QUEUE-R1. */
		sequence = word64_load_acquire(&p->sequence);
		tag = get64(&p->tag);
		if (is_withdrawn(queue, sequence, &before)) {
			sequence--;
			tag = before;
			break;
		}
		/* WATCH-F2 acquire: that nobody waits at the slot any more, then
		   the sequence that has been taken back before. Pairs with
		   WATCH-R2. */
		atomics_fence_acquire();
		if (get64(&p->sequence) == sequence)
			break;
	}
	exclusion_leave(&queue->exclusion);
	*ret_sequence = sequence;
	*ret_tag = tag;
}
