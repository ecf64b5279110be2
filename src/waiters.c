/* SPDX-License-Identifier: MIT */
/* Layer 6. May include: base atomics futex shm layout bell layout_queue slots waiters. */
/*
 * Records of threads that wait, in lists by what they wait for, first come,
 * first served. waiters.h has the protocol.
 */
#include "base.h"
#include "bell.h"
#include "futex.h"
#include "waiters.h"

#include <cubby.h>

#define WAITERS_PER_PAGE (PAGE / sizeof(struct queue_waiter))

static bool
change(struct queue_waiter *w, uint32_t from, enum waiter_state to)
{
	/* WAIT-C1 acq_rel: what it has been given, before that it has. Pairs
	   with WAIT-A1, WAIT-C2. */
	return word32_cas_acq_rel(&w->state, &from, to);
}

/* Frees those of the lists that have given up: nobody else may come by. */
static bool
purge(const struct queue_map *map)
{
	struct queue_list *lists[] = {
		&map->file->receiving, &map->file->wanting_room,
		&map->file->watching,
	};
	uint32_t n, i, k;

	for (i = 0; i < ARRAY_SIZE(lists); i++) {
		n = get32(&lists[i]->head);
		for (k = 0; n != WAITER_NONE; k++) {
			if (k > WAITERS_MAX ||
			    !waiters_next(map, lists[i], n, &n))
				return false;
			if (n != WAITER_NONE)
				n = get32(&queue_waiter(map, n)->next);
		}
	}
	return true;
}

/* Records that have memory, and have never been used? */
static bool
has_more(const struct queue_file *file)
{
	return get32(&file->waiters) <
	       min_u64(get32(&file->waiters_committed), WAITERS_MAX);
}

bool
waiters_take(const struct queue_map *map, uint64_t owner, uint32_t *ret)
{
	struct queue_file *file = map->file;
	uint32_t n = get32(&file->waiters_free);
	struct queue_waiter *w;

	*ret = WAITER_NONE;
	if (n == WAITER_NONE && !has_more(file)) {
		if (!purge(map))
			return false;
		n = get32(&file->waiters_free);
	}
	w = queue_waiter(map, n);
	if (n != WAITER_NONE) {
		if (!w)
			return false;
		set32(&file->waiters_free, get32(&w->next));
	} else {
		if (!has_more(file))
			return true;
		n = get32(&file->waiters);
		w = queue_waiter(map, n);
		if (!w)
			return false;
		if (START_EVENTS)
			set32(&w->events, START_EVENTS);
		set32(&file->waiters, n + 1);
	}
	set64(&w->owner, owner);
	set64(&w->order, get64(&file->order));
	set64(&file->order, get64(&file->order) + 1);
	set32(&w->asleep, WAITER_AWAKE);
	set32(&w->slot, SLOT_NONE);
	set32(&w->next, WAITER_NONE);
	set32(&w->prev, WAITER_NONE);
	/* WAIT-R2 release: whose it is, before that it is, should we die here.
	   Pairs with ROBUST-X1. */
	word32_store_release(&w->state, WAITER_SERVED);
	*ret = n;
	return true;
}

bool
waiters_free(const struct queue_map *map, uint32_t n)
{
	struct queue_waiter *w = queue_waiter(map, n);

	if (!w)
		return false;
	/* relaxed: under the lock, and its thread has done with it */
	word32_store_relaxed(&w->state, WAITER_FREE);
	set32(&w->next, get32(&map->file->waiters_free));
	set32(&map->file->waiters_free, n);
	return true;
}

int
waiters_commit(const struct queue_map *map, int fd)
{
	uint32_t committed = get32(&map->file->waiters_committed);
	int r;

	if (committed >= WAITERS_MAX)
		return -ENOSPC;
	r = shm_commit(fd, map->geometry.waiters + round_down(committed *
		       sizeof(struct queue_waiter), PAGE), PAGE, INT64_MAX);
	if (r == 0)
		slots_raise(&map->file->waiters_committed,
			    (uint32_t)(round_down(committed, WAITERS_PER_PAGE)
				       + WAITERS_PER_PAGE));
	return r;
}

/* Lists ------------------------------------------------------------------ */

static struct queue_list *
list_of(struct queue_file *file, enum waiter_state state)
{
	switch (state) {
	case WAITER_RECEIVES:
		return &file->receiving;
	case WAITER_ROOM:
		return &file->wanting_room;
	case WAITER_WATCHES:
		return &file->watching;
	default:
		return NULL;
	}
}

/* One that has been in the list before: by when it came. */
static bool
add_again(const struct queue_map *map, struct queue_list *list, uint32_t n)
{
	struct queue_waiter *w = queue_waiter(map, n), *other;
	uint32_t next = get32(&list->head), prev = WAITER_NONE, i;

	for (i = 0; next != WAITER_NONE; i++) {
		other = queue_waiter(map, next);
		if (!other || i > WAITERS_MAX)
			return false;
		if (get64(&other->order) > get64(&w->order))
			break;
		prev = next;
		next = get32(&other->next);
	}
	set32(&w->prev, prev);
	set32(&w->next, next);
	if (prev == WAITER_NONE)
		set32(&list->head, n);
	else
		set32(&queue_waiter(map, prev)->next, n);
	if (next == WAITER_NONE)
		set32(&list->tail, n);
	else
		set32(&queue_waiter(map, next)->prev, n);
	return true;
}

static bool
add_last(const struct queue_map *map, struct queue_list *list, uint32_t n)
{
	struct queue_waiter *w = queue_waiter(map, n), *tail;
	uint32_t last = get32(&list->tail);

	set32(&w->next, WAITER_NONE);
	set32(&w->prev, last);
	set32(&list->tail, n);
	if (last == WAITER_NONE) {
		set32(&list->head, n);
		return true;
	}
	tail = queue_waiter(map, last);
	if (tail)
		set32(&tail->next, n);
	return tail;
}

static bool
remove(const struct queue_map *map, struct queue_list *list, uint32_t n)
{
	struct queue_waiter *w = queue_waiter(map, n);
	uint32_t next = get32(&w->next), prev = get32(&w->prev);
	struct queue_waiter *after = queue_waiter(map, next);
	struct queue_waiter *before = queue_waiter(map, prev);

	if ((next != WAITER_NONE && !after) || (prev != WAITER_NONE && !before))
		return false;
	if (before)
		set32(&before->next, next);
	else
		set32(&list->head, next);
	if (after)
		set32(&after->prev, prev);
	else
		set32(&list->tail, prev);
	return true;
}

bool
waiters_enlist(const struct queue_map *map, uint32_t n,
	       enum waiter_state state, bool again)
{
	struct queue_list *list = list_of(map->file, state);
	struct queue_waiter *w = queue_waiter(map, n);

	if (!w)
		return false;
	set32(&w->slot, state == WAITER_TAKEN ? get32(&w->slot) : SLOT_NONE);
	/* WAIT-R1 release: what it waits for, before that it does, should we
	   die here. Pairs with ROBUST-X1, WAIT-C1. */
	word32_store_release(&w->state, state);
	if (!list)
		return true;
	return again ? add_again(map, list, n) : add_last(map, list, n);
}

bool
waiters_enlist_descriptor(const struct queue_map *map, uint32_t n,
			  enum waiter_state state, uint64_t bell)
{
	struct queue_waiter *w = queue_waiter(map, n);

	if (!w)
		return false;
	/* Before any thread's. */
	set64(&w->order, (uint64_t)n + 1);
	set64(&w->bell, bell);
	set32(&w->matching, CUBBY_MATCH_ANY);
	set64(&w->sender, 0);
	set32(&w->peeks, 1);
	set32(&w->asleep, WAITER_POLLS);
	return waiters_enlist(map, n, state, true);
}

/* state: what it was when it was looked at. By now it may be GONE, and is in
   its list all the same. */
static bool
delist(const struct queue_map *map, uint32_t n, uint32_t state)
{
	struct queue_list *list = list_of(map->file, state);

	return !list || remove(map, list, n);
}

bool
waiters_delist(const struct queue_map *map, uint32_t n)
{
	const struct queue_waiter *w = queue_waiter(map, n);

	return w && delist(map, n, get32(&w->state));
}

/* Serving ---------------------------------------------------------------- */

bool
waiters_next(const struct queue_map *map, struct queue_list *list,
	     uint32_t n, uint32_t *ret)
{
	struct queue_waiter *w;
	uint32_t next, i;

	for (i = 0; n != WAITER_NONE && i <= WAITERS_MAX; i++) {
		w = queue_waiter(map, n);
		if (!w)
			return false;
		*ret = n;
		if (get32(&w->state) != WAITER_GONE)
			return true;
		next = get32(&w->next);
		if (!remove(map, list, n) || !waiters_free(map, n))
			return false;
		n = next;
	}
	*ret = WAITER_NONE;
	return n == WAITER_NONE;
}

bool
waiters_match(const struct queue_waiter *w, const struct queue_slot *slot)
{
	uint64_t type = get64(&slot->type) & INT64_MAX;

	if (get64(&w->sender) && get64(&w->sender) != get32(&slot->sender) + 1)
		return false;
	switch (get32(&w->matching)) {
	case CUBBY_MATCH_TYPE:
		return type == get64(&w->type);
	case CUBBY_MATCH_NOT_TYPE:
		return type != get64(&w->type);
	case CUBBY_MATCH_LOWEST:
		return type && type <= get64(&w->type);
	default:
		return true;
	}
}

/* After the lock; or now, if there is no room for more. */
static void
add_wake(struct wakes *wakes, const struct queue_waiter *w)
{
	if (wakes->count < WAKES_MAX)
		wakes->events[wakes->count++] = &w->events;
	else
		futex_wake(&w->events, INT32_MAX);
}

static COLD void
add_ring(const struct queue_map *map, struct wakes *wakes, uint64_t bell)
{
	if (wakes->count == WAKES_MAX) {
		bell_ring(map->view, BELL_OF_OTHERS, bell);
		return;
	}
	wakes->events[wakes->count] = NULL;
	wakes->bells[wakes->count++] = bell;
}

bool
waiters_serve(const struct queue_map *map, uint32_t n, uint32_t slot,
	      struct wakes *wakes, bool *ret)
{
	struct queue_waiter *w = queue_waiter(map, n);
	uint32_t state, asleep;

	*ret = false;
	if (!w)
		return false;
	state = get32(&w->state);
	if (state == WAITER_FREE || state >= WAITER_SERVED)
		return true;
	if (!delist(map, n, state))
		return false;
	if (state != WAITER_TAKEN)
		set32(&w->slot, slot);
	if (!change(w, state, WAITER_SERVED))
		return waiters_free(map, n);	/* it has given up just now */
	*ret = true;
	asleep = get32(&w->asleep);
	if (asleep == WAITER_AWAKE)
		return true;
	set32(&w->asleep, WAITER_AWAKE);
	if (unlikely(asleep == WAITER_POLLS)) {
		add_ring(map, wakes, get64(&w->bell));
		return true;
	}
	/* relaxed: under the lock, as all that changes it */
	word32_store_relaxed(&w->events, get32(&w->events) + 1);
	add_wake(wakes, w);
	return true;
}

bool
waiters_dismiss(const struct queue_map *map, uint32_t n, struct wakes *wakes)
{
	const struct queue_waiter *w = queue_waiter(map, n);
	bool served;

	if (n == WAITER_NONE)
		return true;
	if (w && get32(&w->state) == WAITER_GONE)
		return waiters_free(map, n);
	return w && waiters_serve(map, n, SLOT_NONE, wakes, &served);
}

/* Serves those of a list that it is for, until one has been served that takes
   what there is; or all. */
static bool
ring(const struct queue_map *map, struct queue_list *list,
     bool (*is_for)(const struct queue_map *map, const struct queue_waiter *w,
		    uint32_t what), uint32_t what, bool all,
     struct wakes *wakes)
{
	uint32_t next = get32(&list->head), n, i;
	struct queue_waiter *w;
	bool served;

	for (i = 0; i <= WAITERS_MAX; i++) {
		if (!waiters_next(map, list, next, &n))
			return false;
		if (n == WAITER_NONE)
			return true;
		w = queue_waiter(map, n);
		next = get32(&w->next);
		if (!is_for(map, w, what))
			continue;
		if (!waiters_serve(map, n, SLOT_NONE, wakes, &served))
			return false;
		/* Who only looks leaves it to the next. */
		if (served && !all && !get32(&w->peeks))
			return true;
	}
	return false;
}

static bool
is_for_slot(const struct queue_map *map, const struct queue_waiter *w,
	    uint32_t slot)
{
	return slot == SLOT_NONE || waiters_match(w, queue_slot(map, slot));
}

static bool
is_of_participant(const struct queue_map *map, const struct queue_waiter *w,
		  uint32_t participant)
{
	(void)map;
	return owner_participant(get64(&w->owner)) == participant;
}

bool
waiters_ring(const struct queue_map *map, struct queue_list *list,
	     uint32_t slot, struct wakes *wakes)
{
	return ring(map, list, is_for_slot, slot, false, wakes);
}

bool
waiters_ring_watching(const struct queue_map *map, uint32_t participant,
		      struct wakes *wakes)
{
	return ring(map, &map->file->watching, is_of_participant, participant,
		    true, wakes);
}

void
wakes_give(const struct queue_map *map, struct wakes *wakes)
{
	uint32_t i;

	for (i = 0; i < wakes->count; i++)
		if (wakes->events[i])
			futex_wake(wakes->events[i], INT32_MAX);
		else
			bell_ring(map->view, BELL_OF_OTHERS, wakes->bells[i]);
	wakes->count = 0;
}
