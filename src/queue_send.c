/* SPDX-License-Identifier: MIT */
/* Layer 8. May include: base atomics clock shm exclusion spin robust_lock layout_queue parcel members slots waiters catalogue queue_repair queue queue_send. */
/*
 * Sending through a queue.
 */
#include "base.h"
#include "catalogue.h"
#include "clock.h"
#include "queue.h"
#include "queue_repair.h"
#include "queue_send.h"
#include "slots.h"

#include <cubby.h>
#include <stdlib.h>

#define NODES_EACH	(2 * CATALOGUES)
#define NODES_SPARE	16
#define LOOKS_MAX	16	/* others were faster each time */
#define ASKS_MAX	64	/* then one who waits is passed over */

enum { NEED_NODES = 1, NEED_WAITERS, NEED_ANSWER };

/* Filling ---------------------------------------------------------------- */

int
queue_fill(struct queue *queue, uint32_t n, const void *data,
     const struct parcel *parcel, int64_t deadline)
{
	struct queue_slot *slot = queue_slot(&queue->map, n);
	bool large = parcel->size > queue->map.geometry.inline_max;
	struct mapping window;
	void *block;
	int r;

	if (large) {
		r = queue_commit_block(queue, n, parcel->size, deadline);
		if (r == 0)
			r = queue_open_block(queue, n, parcel->size, &window,
					     &block);
		if (r < 0)
			return r;
		memcpy(block, data, parcel->size);
		shm_unmap(&window);
	} else {
		/* relaxed: it is ours, until SLOT-C1 */
		copy_in_relaxed(slot->bytes, data, parcel->size);
	}
	set32(&slot->in_block, (large ? IN_BLOCK : 0) |
			       (parcel->call ? IS_CALL : 0));
	return 0;
}

void
queue_address(struct queue *queue, struct queue_slot *slot,
	const struct parcel *parcel)
{
	set64(&slot->size, parcel->size);
	set64(&slot->tag, parcel->tag);
	set64(&slot->type, parcel->type);
	set32(&slot->priority, parcel->priority);
	set32(&slot->sender, queue->member.slot);
	set32(&slot->uid, queue->uid);
}

/* A slot to write in: the spare one, if no other thread has it. */
static int
get_slot(struct queue *queue, const struct parcel *parcel, int64_t deadline,
	 uint32_t *ret)
{
	if (unlikely(queue->spare == SLOT_NONE))
		return queue_reserve_slot(queue, parcel->size, deadline, ret);
	*ret = queue->spare;
	queue->spare = SLOT_NONE;
	return 0;
}

/* What could not be sent is written over by the next send. */
void
queue_keep_slot(struct queue *queue, uint32_t slot)
{
	if (queue->spare == SLOT_NONE)
		queue->spare = slot;
	else
		queue_add_chore(queue, CHORE_FREE, slot);
}

/* Publishing: under the lock --------------------------------------------- */

/* Drafts will be committed, those that are held may come back, and each may need
   a leaf of its own then. */
bool
queue_has_nodes(const struct queue *queue)
{
	const struct queue_file *file = queue->map.file;
	uint64_t others = (uint64_t)get32(&file->held) + get32(&file->places);
	uint64_t needs = get32(&file->nodes_used) + NODES_EACH * (others + 2) +
			 NODES_SPARE;

	return needs <= get32(&file->nodes_committed);
}

/* Numbers it. Its sender says so itself after the state. */
static void
number(struct queue *queue, struct queue_slot *slot, struct send *send)
{
	struct queue_file *file = queue->map.file;
	struct queue_participant *p = queue_participant(&queue->map,
							queue->member.slot);

	send->sequence = get64(&p->sequence) + 1;
	send->use = slot_use(get64(&slot->state));
	set64(&slot->sequence, send->sequence);
	set64(&slot->arrival, get64(&file->arrival));
	set64(&file->arrival, get64(&file->arrival) + 1);
}

/* Should we die in between, the sequence says that the tag is still to be said. */
static void
count(struct queue *queue, const struct send *send)
{
	struct queue_participant *p = queue_participant(&queue->map,
							queue->member.slot);

	queue_say_published(p, send->sequence,
			    send->parcel->call ? 0 : send->parcel->tag);
}

/* Who takes it finds our record there. */
static bool
await_taking(struct queue *queue, struct send *send)
{
	struct queue_slot *slot = queue_slot(&queue->map, send->slot);
	struct queue_waiter *w = queue_waiter(&queue->map, send->waiter);

	if (!w)
		return false;
	set32(&w->slot, send->slot);
	set64(&w->use, send->use);
	/* What queue_unsend() goes back to. */
	/* WATCH-R3 release: as WATCH-R1. Pairs with WATCH-F1. */
	word64_store_release(&w->type, get64(&queue_participant(&queue->map,
				queue->member.slot)->tag));
	set64(&w->since, (uint64_t)clock_now());
	set32(&slot->waiter, send->waiter);
	return waiters_enlist(&queue->map, send->waiter, WAITER_TAKEN, false);
}

int
queue_put(struct queue *queue, struct send *send, struct wakes *wakes)
{
	struct queue_slot *slot = queue_slot(&queue->map, send->slot);
	struct queue_file *file = queue->map.file;
	uint64_t word = get64(&slot->state);

	number(queue, slot, send);
	if (send->synchronous && !await_taking(queue, send))
		return queue_nonsense(queue);
	slots_set(slot, &word, slot_state_with(word, SLOT_QUEUED));
	send->queued = true;
	count(queue, send);
	set32(&file->waiting, get32(&file->waiting) + 1);
	if (!catalogue_insert(&queue->map, send->slot) ||
	    (get32(&file->receiving.head) != WAITER_NONE &&
	     !waiters_ring(&queue->map, &file->receiving, send->slot, wakes)))
		queue_nonsense(queue);	/* it is sent all the same */
	return 0;
}

/* A receiver that waits, takes, and has room for it. */
static bool
is_taker(const struct queue_waiter *w, const struct queue_slot *slot)
{
	return !get32(&w->peeks) && waiters_match(w, slot) &&
	       get64(&slot->size) <= get64(&w->size);
}

/* The slot becomes its own, and it is told. -EAGAIN: it has given up. */
static int
give(struct queue *queue, struct send *send, uint32_t n, struct wakes *wakes)
{
	struct queue_slot *slot = queue_slot(&queue->map, send->slot);
	struct queue_waiter *w = queue_waiter(&queue->map, n);
	uint64_t word = get64(&slot->state), before = word;
	bool served;

	number(queue, slot, send);
	set64(&slot->owner, get64(&w->owner));
	set32(&slot->waiter, WAITER_NONE);
	if (!slots_change(slot, &word, slot_state_make(slot_use(word), 1,
						       SLOT_GIVEN)))
		return queue_nonsense(queue);
	if (!waiters_serve(&queue->map, n, send->slot, wakes, &served))
		return queue_nonsense(queue);
	if (!served) {
		set64(&slot->owner, queue->owner);
		return slots_change(slot, &word, before) ? -EAGAIN :
		       queue_nonsense(queue);
	}
	count(queue, send);
	slots_count_held(&queue->map, send->slot, true);
	return 0;
}

/* 1: it may be given to that one; 0: not; NEED_ANSWER. */
static int
may_give(struct send *send, const struct queue_waiter *w,
	 const struct queue_slot *slot)
{
	uint64_t owner = get64(&w->owner);

	if (!is_taker(w, slot) || owner == send->dead)
		return 0;
	/* Who has slept for long may have died in his sleep. */
	if (queue_looked_lately(w) || owner == send->living)
		return 1;
	if (send->asks == ASKS_MAX)
		return 0;
	send->asked = owner;
	return NEED_ANSWER;
}

/* Rendezvous: to the first that waits. -EAGAIN: nobody does. */
static int
pair(struct queue *queue, struct send *send, struct wakes *wakes)
{
	struct queue_slot *slot = queue_slot(&queue->map, send->slot);
	struct queue_list *list = &queue->map.file->receiving;
	uint32_t n, next = get32(&list->head), i;
	struct queue_waiter *w;
	int r;

	for (i = 0; i <= WAITERS_MAX; i++) {
		if (!waiters_next(&queue->map, list, next, &n))
			return queue_nonsense(queue);
		if (n == WAITER_NONE)
			return -EAGAIN;
		w = queue_waiter(&queue->map, n);
		next = get32(&w->next);
		r = may_give(send, w, slot);
		if (r == 1)
			r = give(queue, send, n, wakes);
		else if (r == 0)
			r = -EAGAIN;
		if (r != -EAGAIN)
			return r;
	}
	return queue_nonsense(queue);
}

static int
reserve_locked(struct queue *queue, struct send *send)
{
	struct queue_file *file = queue->map.file;

	set32(&queue_slot(&queue->map, send->slot)->place, 1);
	set32(&file->places, get32(&file->places) + 1);
	return 0;
}

/* One try. -EAGAIN: there is no room; NEED_...: see help_out(). */
static int
try_locked(struct queue *queue, struct send *send, int64_t deadline,
	   struct wakes *wakes)
{
	int r;

	if (unlikely(!queue_has_nodes(queue)))
		return NEED_NODES;
	if (queue->map.rendezvous) {
		r = pair(queue, send, wakes);
		if (r != -EAGAIN || deadline == CUBBY_NOW)
			return r;
	} else if (!queue_has_room(queue)) {
		return -EAGAIN;
	}
	if (!send->parcel)
		return reserve_locked(queue, send);
	if (send->synchronous) {
		r = queue_take_waiter(queue, &send->waiter);
		if (r < 0)
			return r == -ENOSPC ? NEED_WAITERS : r;
	}
	return queue_put(queue, send, wakes);
}

/* Waiting for room ------------------------------------------------------- */

/* Under the lock. -EAGAIN: it is to wait by its record. */
static int
want_room(struct queue *queue, struct send *send)
{
	bool again = send->room != WAITER_NONE;
	struct queue_waiter *w;
	int r = queue_take_waiter(queue, &send->room);

	if (r < 0)
		return r == -ENOSPC ? NEED_WAITERS : r;
	w = queue_waiter(&queue->map, send->room);
	set32(&w->peeks, 0);
	return waiters_enlist(&queue->map, send->room, WAITER_ROOM, again) ?
	       -EAGAIN : queue_nonsense(queue);
}

/* Without the lock: what the lock was left for. */
static int
help_out(struct queue *queue, struct send *send, int need)
{
	if (need == NEED_NODES)
		return queue_commit_nodes(queue);
	if (need == NEED_WAITERS)
		return queue_commit_waiters(queue);
	send->asks++;
	if (queue_owner_is_alive(queue, send->asked)) {
		send->living = send->asked;
		return 0;
	}
	send->dead = send->asked;
	queue_look_at(queue, owner_participant(send->dead));
	return 0;
}

/* Takes the lock and tries; waits: if there is no room, enlists to wait for it. */
static int
try_once(struct queue *queue, struct send *send, int64_t deadline, bool waits)
{
	int r = queue_enter(queue, deadline);
	struct wakes wakes;

	if (r < 0)
		return r;
	wakes_begin(&wakes);
	if (send->room != WAITER_NONE &&
	    !queue_off_list(queue, send->room))
		r = queue_nonsense(queue);
	else
		r = try_locked(queue, send, deadline, &wakes);
	if (r == -EAGAIN && waits)
		r = want_room(queue, send);
	/* The next one, while we have the lock. */
	if (r == 0 && send->parcel && queue->spare == SLOT_NONE &&
	    !slots_take(&queue->map, queue->owner, false, &queue->spare))
		queue_nonsense(queue);
	queue_leave(queue, &wakes);
	return r;
}

/* Until it is sent, or reserved. */
int
queue_post(struct queue *queue, struct send *send, int64_t deadline)
{
	bool enlists = queue->map.rendezvous;
	int r, waited = 0, looks = 0;

	for (;;) {
		r = try_once(queue, send, deadline,
			     enlists && deadline != CUBBY_NOW && !waited);
		if (r > 0) {
			r = help_out(queue, send, r);
			if (r < 0)
				break;
			continue;
		}
		if (r == -EAGAIN && clock_now() >= queue->next_look) {
			/* The dead may keep the places. */
			queue_look(queue);
			continue;
		}
		if (r != -EAGAIN || deadline == CUBBY_NOW || waited < 0)
			break;
		if (enlists)
			waited = queue_wait_sending(queue, send->room,
						    WAITER_ROOM, deadline);
		else
			enlists = !queue_look_for_room(queue) ||
				  ++looks == LOOKS_MAX;
		if (waited == -EPIPE)
			break;	/* whether there is room or not */
	}
	queue_end_wait(queue, &send->room, WAITER_ROOM);
	return r < 0 && waited < 0 ? waited : r;
}

/* Waiting for its being taken -------------------------------------------- */

/* It is ours again if nobody has had it. Under the lock. */
static bool
withdraw(struct queue *queue, struct send *send, struct wakes *wakes)
{
	struct queue_slot *slot = queue_slot(&queue->map, send->slot);
	uint64_t word = get64(&slot->state);

	if (slot_state_of(word) != SLOT_QUEUED || slot_use(word) != send->use ||
	    slot_deliveries(word) || get32(&slot->waiter) != send->waiter)
		return false;
	if (!slots_change(slot, &word, slot_state_with(word, SLOT_WITHDRAWN)))
		return false;
	queue_unsend(&queue->map, slot);
	set32(&slot->waiter, WAITER_NONE);
	queue_off_list(queue, send->waiter);
	if (!queue_unlist(&queue->map, send->slot) ||
	    !slots_free(&queue->map, send->slot) ||
	    !waiters_ring(&queue->map, &queue->map.file->wanting_room,
			  SLOT_NONE, wakes))
		queue_nonsense(queue);
	return true;
}

/* The same without the lock: whoever meets it there frees it, or we do. */
static bool
withdraw_alone(struct queue *queue, struct send *send)
{
	struct queue_slot *slot = queue_slot(&queue->map, send->slot);
	uint64_t word = get64(&slot->state);

	return slot_state_of(word) == SLOT_QUEUED &&
	       slot_use(word) == send->use && !slot_deliveries(word) &&
	       slots_change(slot, &word,
			    slot_state_with(word, SLOT_WITHDRAWN));
}

/* The deadline has passed, or a signal came. 0: it has been received. */
static int
give_up(struct queue *queue, struct send *send, int error)
{
	struct wakes wakes = { .count = 0 };
	int64_t until = clock_now() + ROBUST_LOCK_GRACE;
	bool withdrawn;
	int r;

	do
		r = queue_enter(queue, until);
	while (r == -EINTR);
	if (r < 0) {
		withdrawn = withdraw_alone(queue, send);
		queue_tell_left(queue);
		if (withdrawn)
			queue_leave_to_anybody(queue, send->slot, send->use);
	} else {
		withdrawn = withdraw(queue, send, &wakes);
		queue_leave(queue, &wakes);
	}
	return withdrawn ? error : 0;
}

static bool
is_taken(const struct queue *queue, const struct send *send)
{
	return queue_is_served(queue, send->waiter);
}

static int
wait_taken(struct queue *queue, struct send *send, int64_t deadline)
{
	int r = 0;

	while (r == 0 && !is_taken(queue, send))
		r = queue_wait_sending(queue, send->waiter, WAITER_TAKEN,
				       deadline);
	/* Of what makes no sense it is not said that it was received. */
	if (r < 0 && give_up(queue, send, r) == 0 && r != -EBADMSG)
		r = 0;
	queue_end_wait(queue, &send->waiter, WAITER_TAKEN);
	return r;
}

/* The calls -------------------------------------------------------------- */

static int
send_slot(struct queue *queue, const void *data, struct send *send,
	  int64_t deadline)
{
	int r = queue_fill(queue, send->slot, data, send->parcel, deadline);

	if (r < 0)
		return r;
	queue_address(queue, queue_slot(&queue->map, send->slot), send->parcel);
	r = queue_post(queue, send, deadline);
	if (r == 0 && send->synchronous && send->queued)
		return wait_taken(queue, send, deadline);
	queue_end_wait(queue, &send->waiter, WAITER_TAKEN);
	return r;
}

int
queue_send_one(struct queue *queue, const void *data, struct send *send,
	 int64_t deadline)
{
	int r = get_slot(queue, send->parcel, deadline, &send->slot);

	if (r < 0)
		return r;
	r = send_slot(queue, data, send, deadline);
	if (r < 0 && !send->queued)
		queue_keep_slot(queue, send->slot);
	return r;
}

int
queue_send(struct queue *queue, const void *data, const struct parcel *parcel,
	   bool synchronous, int64_t deadline, uint64_t *ret_sequence)
{
	struct send send = SEND_NOTHING;
	int r;

	send.parcel = parcel;
	send.synchronous = synchronous || queue->map.rendezvous;
	exclusion_enter(&queue->exclusion);
	r = queue_check(queue);
	if (likely(r == 0))
		r = queue_send_one(queue, data, &send, deadline);
	exclusion_leave(&queue->exclusion);
	*ret_sequence = send.sequence;
	return r;
}

static int
reserve(struct queue *queue, struct cubby_draft *draft, int64_t deadline)
{
	struct send send = SEND_NOTHING;
	bool large = draft->size > queue->map.geometry.inline_max;
	struct queue_slot *slot;
	int r;

	r = queue_reserve_slot(queue, draft->size, deadline, &send.slot);
	if (r < 0)
		return r;
	slot = queue_slot(&queue->map, send.slot);
	draft->data = slot->bytes;
	if (large)
		r = queue_commit_block(queue, send.slot, draft->size, deadline);
	if (large && r == 0)
		r = queue_open_block(queue, send.slot, draft->size,
				     &draft->window, &draft->data);
	set32(&slot->in_block, large ? IN_BLOCK : 0);
	if (r == 0)
		r = queue_post(queue, &send, deadline);
	if (r < 0) {
		queue_add_chore(queue, CHORE_FREE, send.slot);
		shm_unmap(&draft->window);
		return r;
	}
	draft->block = send.slot;
	return 0;
}

static void
link_draft(struct queue *queue, struct cubby_draft *draft)
{
	draft->previous = NULL;
	draft->next = queue->drafts;
	if (draft->next)
		draft->next->previous = draft;
	queue->drafts = draft;
}

static void
unlink_draft(struct queue *queue, struct cubby_draft *draft)
{
	if (draft->previous)
		draft->previous->next = draft->next;
	else
		queue->drafts = draft->next;
	if (draft->next)
		draft->next->previous = draft->previous;
	shm_unmap(&draft->window);
	free(draft);
}

int
queue_reserve(struct queue *queue, uint64_t size, int64_t deadline,
	      struct cubby_draft **ret)
{
	struct cubby_draft *draft;
	int r;

	if (queue->map.rendezvous)
		return -EOPNOTSUPP;
	draft = malloc(sizeof(*draft));
	if (!draft)
		return -ENOMEM;
	draft->size = size;
	draft->window.address = NULL;
	exclusion_enter(&queue->exclusion);
	r = queue_check(queue);
	if (r == 0)
		r = reserve(queue, draft, deadline);
	if (r == 0)
		link_draft(queue, draft);
	exclusion_leave(&queue->exclusion);
	if (r < 0)
		free(draft);
	else
		*ret = draft;
	return r;
}

static int
commit(struct queue *queue, struct cubby_draft *draft, struct send *send)
{
	struct queue_slot *slot;
	struct queue_file *file = queue->map.file;
	struct wakes wakes = { .count = 0 };
	int r;

	send->slot = (uint32_t)draft->block;
	slot = queue_slot(&queue->map, send->slot);
	queue_address(queue, slot, send->parcel);
	do
		r = queue_enter(queue, CUBBY_FOREVER);
	while (r == -EINTR);
	if (r < 0)
		return r;
	set32(&slot->place, 0);
	set32(&file->places, get32(&file->places) - 1);
	r = queue_put(queue, send, &wakes);
	queue_leave(queue, &wakes);
	return r;
}

int
queue_commit(struct queue *queue, struct cubby_draft *draft,
	     const struct parcel *parcel, uint64_t *ret_sequence)
{
	struct send send = SEND_NOTHING;
	int r;

	send.parcel = parcel;
	exclusion_enter(&queue->exclusion);
	r = queue_check(queue);
	if (r == 0)
		r = commit(queue, draft, &send);
	if (r == 0)
		unlink_draft(queue, draft);
	exclusion_leave(&queue->exclusion);
	*ret_sequence = send.sequence;
	return r;
}

void
queue_abort_later(struct queue *queue, struct cubby_draft *draft)
{
	struct queue_slot *slot = queue_slot(&queue->map,
					     (uint32_t)draft->block);
	uint64_t word = get64(&slot->state);

	if (slots_change(slot, &word, slot_state_with(word, SLOT_ABORTED)))
		queue_leave_to_anybody(queue, (uint32_t)draft->block,
				       slot_use(word));
	unlink_draft(queue, draft);
}

void
queue_abort(struct queue *queue, struct cubby_draft *draft)
{
	exclusion_enter(&queue->exclusion);
	queue_abort_later(queue, draft);
	queue_do_chores_soon(queue);
	exclusion_leave(&queue->exclusion);
}
