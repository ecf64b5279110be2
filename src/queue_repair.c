/* SPDX-License-Identifier: MIT */
/* Layer 7. May include: base atomics layout_queue slots waiters catalogue queue_repair. */
/*
 * Making anew, and taking back; queue_repair.h tells them apart.
 */
#include "base.h"
#include "catalogue.h"
#include "queue_repair.h"
#include "slots.h"
#include "waiters.h"

bool
queue_is_sound(const struct queue_map *map, const struct queue_slot *slot)
{
	uint64_t size = get64(&slot->size);

	if (get32(&slot->priority) >= PRIORITIES)
		return false;
	/* Of no bytes as well: that there are none makes no block. */
	if (get32(&slot->in_block) & IN_BLOCK)
		return map->geometry.block_stride &&
		       size <= map->geometry.block_stride &&
		       size <= get64(&slot->block);
	return size <= map->geometry.inline_max;
}

/* Making anew: slots ----------------------------------------------------- */

/* Messages while they are sorted by arrival: a list through link[1].next. */
static uint32_t
after(const struct queue_map *map, uint32_t n)
{
	uint32_t next = get32(&queue_slot(map, n)->link[1].next);

	/* Who writes in the file meanwhile gets a shorter list. */
	return next == SLOT_NONE || queue_slot(map, next) ? next : SLOT_NONE;
}

static void
set_after(const struct queue_map *map, uint32_t n, uint32_t next)
{
	set32(&queue_slot(map, n)->link[1].next, next);
}

static bool
is_earlier(const struct queue_map *map, uint32_t a, uint32_t b)
{
	return (int64_t)(get64(&queue_slot(map, a)->arrival) -
			 get64(&queue_slot(map, b)->arrival)) < 0;
}

static uint32_t
merge(const struct queue_map *map, uint32_t a, uint32_t b)
{
	uint32_t head = SLOT_NONE, tail = SLOT_NONE, n, i;

	for (i = 0; (a != SLOT_NONE || b != SLOT_NONE) &&
		    i < map->geometry.slots_max; i++) {
		if (b == SLOT_NONE || (a != SLOT_NONE && is_earlier(map, a, b)))
			n = a;
		else
			n = b;
		if (n == a)
			a = after(map, a);
		else
			b = after(map, b);
		if (tail == SLOT_NONE)
			head = n;
		else
			set_after(map, tail, n);
		tail = n;
	}
	if (tail != SLOT_NONE)
		set_after(map, tail, SLOT_NONE);
	return head;
}

/* Runs of 2^i messages wait in runs[i]: a merge sort that needs no memory. */
struct sorter {
	uint32_t runs[32];
};

static void
sort_in(const struct queue_map *map, struct sorter *sorter, uint32_t n)
{
	int i;

	set_after(map, n, SLOT_NONE);
	for (i = 0; i < 31 && sorter->runs[i] != SLOT_NONE; i++) {
		n = merge(map, sorter->runs[i], n);
		sorter->runs[i] = SLOT_NONE;
	}
	sorter->runs[i] = merge(map, sorter->runs[i], n);
}

static uint32_t
sort_out(const struct queue_map *map, const struct sorter *sorter)
{
	uint32_t n = SLOT_NONE;
	int i;

	for (i = 0; i < 32; i++)
		n = merge(map, sorter->runs[i], n);
	return n;
}

/* The sender may have died before it said so itself. */
static void
count_sequence(const struct queue_map *map, const struct queue_slot *slot)
{
	struct queue_participant *p = queue_participant(map,
							get32(&slot->sender));

	if (!p || (int64_t)(get64(&slot->sequence) - get64(&p->sequence)) <= 0)
		return;
	queue_say_published(p, get64(&slot->sequence),
			    get32(&slot->in_block) & IS_CALL ?
			    0 : get64(&slot->tag));
}

void
queue_unsend(const struct queue_map *map, const struct queue_slot *slot)
{
	struct queue_participant *p = queue_participant(map,
							get32(&slot->sender));
	const struct queue_waiter *w = queue_waiter(map, get32(&slot->waiter));

	if (!p || !w || get64(&p->sequence) != get64(&slot->sequence) ||
	    get64(&w->use) != slot_use(get64(&slot->state)))
		return;
	queue_say_published(p, get64(&slot->sequence) - 1, get64(&w->type));
}

static void
add_to(word32 *count, uint32_t by)
{
	set32(count, get32(count) + by);
}

static void
free_nonsense(const struct queue_map *map, uint32_t n)
{
	add_to(&map->file->broken, 1);
	slots_free(map, n);
}

static void
see_queued(const struct queue_map *map, uint32_t n, struct sorter *sorter)
{
	struct queue_slot *slot = queue_slot(map, n);

	if (!queue_is_sound(map, slot)) {
		free_nonsense(map, n);
		return;
	}
	if ((int64_t)(get64(&slot->arrival) - get64(&map->file->arrival)) >= 0)
		set64(&map->file->arrival, get64(&slot->arrival) + 1);
	sort_in(map, sorter, n);
}

/* Given, and its new owner told? Its sender may have died in between. */
static bool
is_told(const struct queue_map *map, uint32_t n)
{
	const struct queue_slot *slot = queue_slot(map, n);
	const struct queue_waiter *w;
	uint32_t i, count = get32(&map->file->waiters);

	for (i = 0; i < count; i++) {
		w = queue_waiter(map, i);
		if (!w)
			return false;
		if (get32(&w->state) == WAITER_SERVED && get32(&w->slot) == n &&
		    get64(&w->owner) == get64(&slot->owner))
			return true;
	}
	return false;
}

/* It may be delivered: a send that did not return may have sent. */
static void
see_given(const struct queue_map *map, uint32_t n, struct sorter *sorter)
{
	struct queue_slot *slot = queue_slot(map, n);
	uint64_t word = get64(&slot->state);

	if (is_told(map, n)) {
		slots_count_held(map, n, true);
		return;
	}
	set32(&slot->waiter, WAITER_NONE);
	/* Should its owner be taking it now, it has been told. */
	if (slots_change(slot, &word, slot_state_with(word, SLOT_QUEUED)))
		see_queued(map, n, sorter);
}

static void
see_rejected(const struct queue_map *map, uint32_t n, struct sorter *sorter)
{
	struct queue_slot *slot = queue_slot(map, n);
	uint64_t word = get64(&slot->state);

	if (slots_change(slot, &word, slot_state_with(word, SLOT_QUEUED)))
		see_queued(map, n, sorter);
}

static void
see_slot(const struct queue_map *map, uint32_t n, struct sorter *sorter)
{
	struct queue_slot *slot = queue_slot(map, n);
	enum slot_state state = slot_state_of(get64(&slot->state));

	set32(&slot->counted, 0);
	set64(&slot->accounted, 0);
	slots_account(map, n, get64(&slot->block));
	if (state == SLOT_QUEUED || state == SLOT_TAKEN || state == SLOT_HELD ||
	    state == SLOT_GIVEN || state == SLOT_REJECTED)
		count_sequence(map, slot);
	switch (state) {
	case SLOT_FREE:
		slots_list(map, n);
		break;
	case SLOT_RESERVED:
		add_to(&map->file->places, get32(&slot->place) ? 1 : 0);
		break;
	case SLOT_QUEUED:
		see_queued(map, n, sorter);
		break;
	case SLOT_TAKEN:
		break;
	case SLOT_HELD:
		slots_count_held(map, n, true);
		break;
	case SLOT_GIVEN:
		see_given(map, n, sorter);
		break;
	case SLOT_WITHDRAWN:
		queue_unsend(map, slot);
		slots_free(map, n);
		break;
	case SLOT_REJECTED:
		see_rejected(map, n, sorter);
		break;
	case SLOT_ABORTED:
		slots_free(map, n);
		break;
	default:
		free_nonsense(map, n);
	}
}

static void
see_chunk(const struct queue_map *map, uint32_t n, struct sorter *sorter)
{
	struct queue_chunk *chunk = queue_chunk(map, n);
	uint32_t i;

	set32(&chunk->free, 0);
	switch (get32(&chunk->state)) {
	case CHUNK_READY:
		for (i = 0; i < CHUNK_SLOTS; i++)
			see_slot(map, n * CHUNK_SLOTS + i, sorter);
		break;
	case CHUNK_MOVING:
		break;
	default:
		slots_end_growth(map, n, false);
	}
}

static void
make_slots_anew(const struct queue_map *map)
{
	struct sorter sorter;
	uint32_t n, next, chunks = queue_chunks(map), i;

	memset(&sorter, 255, sizeof(sorter));
	for (n = 0; n < chunks; n++)
		see_chunk(map, n, &sorter);
	for (n = sort_out(map, &sorter), i = 0;
	     n != SLOT_NONE && i < map->geometry.slots_max; n = next, i++) {
		next = after(map, n);
		add_to(&map->file->waiting, 1);
		if (slot_deliveries(get64(&queue_slot(map, n)->state)))
			add_to(&map->file->returned, 1);
		if (!catalogue_insert(map, n))
			add_to(&map->file->broken, 1);
	}
}

/* Making anew: waiters --------------------------------------------------- */

/* Whoever took the message that it waits for may have died before it said so. */
static void
see_sender(const struct queue_map *map, uint32_t n,
	   const struct queue_waiter *w, struct wakes *wakes)
{
	const struct queue_slot *slot = queue_slot(map, get32(&w->slot));
	uint64_t word = slot ? get64(&slot->state) : 0;
	bool served;

	if (slot_state_of(word) == SLOT_QUEUED && get32(&slot->waiter) == n &&
	    slot_use(word) == get64(&w->use))
		return;
	waiters_serve(map, n, SLOT_NONE, wakes, &served);
}

/* A thread looks when its slice ends. A descriptor's timer may be further off, and
   the dead one may have owed it a ring. */
static void
see_waiting(const struct queue_map *map, uint32_t n,
	    const struct queue_waiter *w, struct wakes *wakes)
{
	bool served;

	waiters_enlist(map, n, get32(&w->state), false);
	if (get32(&w->asleep) == WAITER_POLLS)
		waiters_serve(map, n, SLOT_NONE, wakes, &served);
}

static void
see_waiter(const struct queue_map *map, uint32_t n, struct wakes *wakes)
{
	struct queue_waiter *w = queue_waiter(map, n);

	if (!w)
		return;
	switch (get32(&w->state)) {
	case WAITER_RECEIVES:
	case WAITER_ROOM:
	case WAITER_WATCHES:
		see_waiting(map, n, w, wakes);
		break;
	case WAITER_TAKEN:
		see_sender(map, n, w, wakes);
		break;
	case WAITER_SERVED:
		break;
	default:
		waiters_free(map, n);
	}
}

/* The waiter that came first of those after *order, which it becomes. */
static uint32_t
next_waiter(const struct queue_map *map, uint64_t *order, uint32_t count)
{
	const struct queue_waiter *w;
	uint32_t n, found = WAITER_NONE;
	uint64_t best = UINT64_MAX, its;

	for (n = 0; n < count; n++) {
		w = queue_waiter(map, n);
		its = w ? get64(&w->order) : 0;
		if (its > *order && its < best) {
			best = its;
			found = n;
		}
	}
	*order = found == WAITER_NONE ? *order : best;
	return found;
}

static void
make_waiters_anew(const struct queue_map *map, struct wakes *wakes)
{
	uint32_t n, i;
	uint32_t count = (uint32_t)min_u64(get32(&map->file->waiters),
			min_u64(get32(&map->file->waiters_committed),
				WAITERS_MAX));
	uint64_t order = 0;

	for (i = 0; i < count; i++) {
		n = next_waiter(map, &order, count);
		if (n == WAITER_NONE)
			break;
		see_waiter(map, n, wakes);
	}
	if (order >= get64(&map->file->order))
		set64(&map->file->order, order + 1);
}

void
queue_make_anew(const struct queue_map *map)
{
	struct wakes wakes = { .count = 0 };

	layout_queue_reset(map->file);
	add_to(&map->file->anew, 1);
	catalogue_reset(map);
	make_slots_anew(map);
	make_waiters_anew(map, &wakes);
	wakes_give(map, &wakes);
}

/* Taking back ------------------------------------------------------------ */

bool
queue_unlist(const struct queue_map *map, uint32_t slot)
{
	struct queue_file *file = map->file;

	set32(&file->waiting, get32(&file->waiting) - 1);
	return catalogue_remove(map, slot);
}

bool
queue_put_back(const struct queue_map *map, uint32_t n, uint64_t word,
	       struct wakes *wakes)
{
	struct queue_slot *slot = queue_slot(map, n);
	struct queue_file *file = map->file;

	if (!slot || !slots_change(slot, &word,
				   slot_state_with(word, SLOT_QUEUED)))
		return false;
	slots_count_held(map, n, false);
	set32(&slot->waiter, WAITER_NONE);
	add_to(&file->waiting, 1);
	add_to(&file->returned, 1);
	return catalogue_insert(map, n) &&
	       waiters_ring(map, &file->receiving, n, wakes);
}

bool
queue_free_withdrawn(const struct queue_map *map, uint32_t n,
		     struct wakes *wakes)
{
	struct queue_slot *slot = queue_slot(map, n);
	uint32_t waiter = get32(&slot->waiter);

	queue_unsend(map, slot);
	/* WATCH-R2 release: the sequence is taken back, then nobody waits here.
	   Pairs with WATCH-F2. */
	word32_store_release(&slot->waiter, WAITER_NONE);
	return waiters_dismiss(map, waiter, wakes) && queue_unlist(map, n) &&
	       slots_free(map, n) &&
	       waiters_ring(map, &map->file->wanting_room, SLOT_NONE, wakes);
}

static bool
free_aborted(const struct queue_map *map, uint32_t n, struct wakes *wakes)
{
	struct queue_file *file = map->file;

	set32(&queue_slot(map, n)->place, 0);
	set32(&file->places, get32(&file->places) - 1);
	return slots_free(map, n) &&
	       waiters_ring(map, &file->wanting_room, SLOT_NONE, wakes);
}

bool
queue_see_to(const struct queue_map *map, uint32_t n, struct wakes *wakes,
	     uint64_t *ret_returned)
{
	uint64_t word = get64(&queue_slot(map, n)->state);

	switch (slot_state_of(word)) {
	case SLOT_WITHDRAWN:
		return queue_free_withdrawn(map, n, wakes);
	case SLOT_REJECTED:
		++*ret_returned;
		return queue_put_back(map, n, word, wakes);
	case SLOT_ABORTED:
		return free_aborted(map, n, wakes);
	default:
		return true;
	}
}

static bool
is_left(uint64_t owner, uint32_t participant, uint64_t dead)
{
	return owner_participant(owner) == participant &&
	       /* 48 bits of it are named. */
	       (int64_t)((dead - owner_generation(owner)) << 16) >= 0;
}

static bool
take_back_slot(const struct queue_map *map, uint32_t n, struct wakes *wakes,
	       uint64_t *ret_returned)
{
	struct queue_slot *slot = queue_slot(map, n);
	struct queue_file *file = map->file;
	uint64_t word = get64(&slot->state);

	switch (slot_state_of(word)) {
	case SLOT_RESERVED:
		if (get32(&slot->place)) {
			set32(&file->places, get32(&file->places) - 1);
			if (!waiters_ring(map, &file->wanting_room, SLOT_NONE,
					  wakes))
				return false;
		}
		return slots_free(map, n);
	case SLOT_TAKEN:
		return slots_free(map, n);
	case SLOT_HELD:
	case SLOT_GIVEN:
		++*ret_returned;
		return queue_put_back(map, n, word, wakes);
	default:
		return true;
	}
}

bool
queue_take_back_chunk(const struct queue_map *map, uint32_t n,
		      uint32_t participant, uint64_t dead,
		      struct wakes *wakes, uint64_t *ret_returned)
{
	struct queue_chunk *chunk = queue_chunk(map, n);
	struct queue_slot *slot;
	uint32_t i;

	if (!chunk)
		return true;
	if (get32(&chunk->state) == CHUNK_MOVING &&
	    is_left(get64(&chunk->owner), participant, dead))
		return slots_end_growth(map, n, false);
	if (get32(&chunk->state) != CHUNK_READY)
		return true;
	for (i = 0; i < CHUNK_SLOTS; i++) {
		slot = queue_slot(map, n * CHUNK_SLOTS + i);
		if (slot && !queue_see_to(map, n * CHUNK_SLOTS + i, wakes,
					  ret_returned))
			return false;
		if (slot && is_left(get64(&slot->owner), participant, dead) &&
		    !take_back_slot(map, n * CHUNK_SLOTS + i, wakes,
				    ret_returned))
			return false;
	}
	return true;
}

/* What a dead one offered is not to be had any more. Nor is what it had withdrawn
   itself: that is freed with its slot, which then does not know its waiter. */
static bool
withdraw_offer(const struct queue_map *map, const struct queue_waiter *w,
	       uint32_t n)
{
	uint32_t offered = get32(&w->slot);
	struct queue_slot *slot = queue_slot(map, offered);
	bool was_offered;
	uint64_t word;

	if (!slot || get32(&slot->waiter) != n)
		return true;
	word = get64(&slot->state);
	was_offered = map->rendezvous &&
		      slot_state_of(word) == SLOT_QUEUED &&
		      slot_deliveries(word) == 0 &&
		      slot_use(word) == get64(&w->use) &&
		      slots_change(slot, &word,
				   slot_state_with(word, SLOT_WITHDRAWN));
	if (slot_state_of(word) == SLOT_WITHDRAWN)
		queue_unsend(map, slot);
	set32(&slot->waiter, WAITER_NONE);
	return !was_offered ||
	       (queue_unlist(map, offered) && slots_free(map, offered));
}

bool
queue_take_back_waiters(const struct queue_map *map, uint32_t participant,
			uint64_t dead)
{
	uint32_t n, count = get32(&map->file->waiters);
	struct queue_waiter *w;

	for (n = 0; n < count; n++) {
		w = queue_waiter(map, n);
		if (!w)
			break;
		if (get32(&w->state) == WAITER_FREE ||
		    !is_left(get64(&w->owner), participant, dead))
			continue;
		if (get32(&w->state) == WAITER_TAKEN &&
		    !withdraw_offer(map, w, n))
			return false;
		/* GONE ones are in a list still, and freed by who meets them. */
		if (get32(&w->state) == WAITER_GONE)
			continue;
		if (!waiters_delist(map, n) || !waiters_free(map, n))
			return false;
	}
	return true;
}
