/* SPDX-License-Identifier: MIT */
/* Layer 6. May include: base atomics shm layout layout_queue slots. */
/*
 * Free slots, in two lists, linked through their first links, the last freed
 * first; and the chunks that they lie in. slots.h says how chunks come and go.
 */
#include "base.h"
#include "slots.h"

#define CHUNKS_PER_PAGE	(PAGE / sizeof(struct queue_chunk))
#define KEEP_FREE	(8 * CHUNK_SLOTS)	/* slots that stay at least */

bool
slots_change(struct queue_slot *slot, uint64_t *word, uint64_t to)
{
	/* SLOT-C1 acq_rel: all else that the slot says, before it; and after
	   it. Pairs with SLOT-C1. */
	if (!word64_cas_acq_rel(&slot->state, word, to))
		return false;
	*word = to;
	return true;
}

void
slots_set(struct queue_slot *slot, uint64_t *word, uint64_t to)
{
	/* SLOT-R5 release: as SLOT-C1. Pairs with SLOT-C1. */
	word64_store_release(&slot->state, to);
	*word = to;
}

void
slots_fetch(const struct queue_map *map, uint32_t n)
{
	const struct queue_slot *slot = queue_slot(map, n);

	if (!slot)
		return;
	prefetch_to_write(slot);
	prefetch_to_write((const char *)slot + CACHE_LINE);
	prefetch_to_write(slot->bytes);
}

/* Lists ------------------------------------------------------------------ */

static struct queue_list *
list_of(const struct queue_map *map, const struct queue_slot *slot)
{
	return get64(&slot->block) ? &map->file->free_warm :
				     &map->file->free_bare;
}

static bool
add(const struct queue_map *map, struct queue_list *list, uint32_t n)
{
	struct queue_slot *slot = queue_slot(map, n), *head;
	uint32_t first = get32(&list->head);

	if (first != SLOT_NONE) {
		head = queue_slot(map, first);
		if (!head)
			return false;
		set32(&head->link[0].prev, n);
	}
	set32(&slot->link[0].next, first);
	set32(&slot->link[0].prev, SLOT_NONE);
	set32(&list->head, n);
	return true;
}

static bool
remove(const struct queue_map *map, struct queue_list *list, uint32_t n)
{
	struct queue_slot *slot = queue_slot(map, n), *other;
	uint32_t next = get32(&slot->link[0].next);
	uint32_t prev = get32(&slot->link[0].prev);

	if (prev == SLOT_NONE) {
		set32(&list->head, next);
	} else {
		other = queue_slot(map, prev);
		if (!other)
			return false;
		set32(&other->link[0].next, next);
	}
	if (next == SLOT_NONE)
		return true;
	other = queue_slot(map, next);
	if (other)
		set32(&other->link[0].prev, prev);
	return other;
}

/* Counts it in or out. */
static bool
count(const struct queue_map *map, uint32_t n, int by)
{
	struct queue_chunk *chunk = queue_chunk(map, n / CHUNK_SLOTS);
	struct queue_slot *slot = queue_slot(map, n);
	struct queue_file *file = map->file;

	if (!chunk)
		return false;
	set32(&chunk->free, get32(&chunk->free) + (uint32_t)by);
	set32(&file->free, get32(&file->free) + (uint32_t)by);
	if (get64(&slot->block))
		set64(&file->warm, get64(&file->warm) +
				   (by > 0 ? get64(&slot->block) :
					     0 - get64(&slot->block)));
	return true;
}

bool
slots_list(const struct queue_map *map, uint32_t n)
{
	struct queue_slot *slot = queue_slot(map, n);

	return slot && add(map, list_of(map, slot), n) && count(map, n, 1);
}

static bool
unlist(const struct queue_map *map, uint32_t n)
{
	return remove(map, list_of(map, queue_slot(map, n)), n) &&
	       count(map, n, -1);
}

/* Taking and freeing ----------------------------------------------------- */

/* That one, which is the first of its list; or SLOT_NONE: the list is empty. */
static FAST bool
take(const struct queue_map *map, uint64_t owner, uint32_t n, uint32_t *ret)
{
	struct queue_slot *slot;
	uint64_t word;

	*ret = SLOT_NONE;
	if (n == SLOT_NONE)
		return true;
	slot = queue_slot(map, n);
	if (!slot || !unlist(map, n))
		return false;
	word = get64(&slot->state);
	if (slot_state_of(word) != SLOT_FREE)
		return false;
	set64(&slot->owner, owner);
	set32(&slot->place, 0);
	set32(&slot->waiter, WAITER_NONE);
	slots_set(slot, &word, slot_state_make(counter_next(slot_use(word), 40,
				START_COUNTER(40, 20)), 0, SLOT_RESERVED));
	*ret = n;
	/* The caller's next one, if it goes on. */
	slots_fetch(map, get32(&map->file->free_bare.head));
	return true;
}

bool
slots_take(const struct queue_map *map, uint64_t owner, bool warm,
	   uint32_t *ret)
{
	uint32_t bare_head = get32(&map->file->free_bare.head);
	uint32_t warm_head = get32(&map->file->free_warm.head);

	if ((warm && warm_head != SLOT_NONE) || bare_head == SLOT_NONE)
		return take(map, owner, warm_head, ret);
	return take(map, owner, bare_head, ret);
}

bool
slots_take_warm(const struct queue_map *map, uint64_t owner, uint32_t *ret)
{
	return take(map, owner, get32(&map->file->free_warm.head), ret);
}

void
slots_count_held(const struct queue_map *map, uint32_t n, bool held)
{
	struct queue_slot *slot = queue_slot(map, n);
	struct queue_file *file = map->file;

	if (get32(&slot->counted) == held)
		return;
	set32(&slot->counted, held);
	set32(&file->held, get32(&file->held) + (held ? 1 : UINT32_MAX));
}

void
slots_account(const struct queue_map *map, uint32_t n, uint64_t bytes)
{
	struct queue_slot *slot = queue_slot(map, n);
	struct queue_file *file = map->file;

	set64(&file->memory, get64(&file->memory) - get64(&slot->accounted) +
			     bytes);
	set64(&slot->accounted, bytes);
}

bool
slots_free(const struct queue_map *map, uint32_t n)
{
	struct queue_slot *slot = queue_slot(map, n);
	uint64_t word;

	if (!slot)
		return false;
	/* Its owner may have released it, or given its block back, without the
	   lock. */
	slots_count_held(map, n, false);
	if (unlikely(get64(&slot->accounted) != get64(&slot->block)))
		slots_account(map, n, get64(&slot->block));
	word = get64(&slot->state);
	slots_set(slot, &word, slot_state_with(word, SLOT_FREE));
	return slots_list(map, n);
}

/* Chunks ----------------------------------------------------------------- */

/* One without memory: of those that were given back, or the next. */
static bool
find_bare(const struct queue_map *map, uint32_t *ret)
{
	struct queue_file *file = map->file;
	uint32_t n = get32(&file->chunks_bare);
	struct queue_chunk *chunk = queue_chunk(map, n);

	*ret = n;
	if (n != CHUNK_NONE) {
		if (!chunk || n >= get32(&file->chunks_committed) ||
		    get32(&chunk->state) != CHUNK_BARE)
			return false;
		set32(&file->chunks_bare, get32(&chunk->next));
		return true;
	}
	n = get32(&file->chunks);
	if (n >= map->geometry.slots_max / CHUNK_SLOTS ||
	    n >= get32(&file->chunks_committed))
		return true;
	set32(&file->chunks, n + 1);
	*ret = n;
	return true;
}

bool
slots_begin_growth(const struct queue_map *map, uint64_t owner, uint32_t *ret)
{
	struct queue_chunk *chunk;

	if (!find_bare(map, ret))
		return false;
	if (*ret == CHUNK_NONE)
		return true;
	chunk = queue_chunk(map, *ret);
	if (!chunk)
		return false;
	set64(&chunk->owner, owner);
	/* SLOT-R1 release: whose it is, before that it is, should we die here.
	   Pairs with ROBUST-X1. */
	word32_store_release(&chunk->state, CHUNK_MOVING);
	return true;
}

/* Its memory may have been given back, and the count of its uses with it: it goes
   on above whatever that has been, by the count of all messages. */
static void
clear(const struct queue_map *map, struct queue_slot *slot)
{
	uint64_t use = max_u64(slot_use(get64(&slot->state)),
			       get64(&map->file->arrival));

	set64(&slot->block, 0);
	set32(&slot->holes, 0);
	set64(&slot->accounted, 0);
	set32(&slot->counted, 0);
	/* relaxed: nobody looks at it before SLOT-R2 */
	word64_store_relaxed(&slot->state,
			     slot_state_make(use, 0, SLOT_FREE));
}

bool
slots_end_growth(const struct queue_map *map, uint32_t n, bool committed)
{
	struct queue_chunk *chunk = queue_chunk(map, n);
	uint32_t i;
	bool ok = true;

	if (!chunk)
		return false;
	set32(&chunk->free, 0);
	if (!committed) {
		/* relaxed: under the lock, and one word */
		word32_store_relaxed(&chunk->state, CHUNK_BARE);
		set32(&chunk->next, get32(&map->file->chunks_bare));
		set32(&map->file->chunks_bare, n);
		return true;
	}
	for (i = 0; i < CHUNK_SLOTS; i++)
		clear(map, queue_slot(map, n * CHUNK_SLOTS + i));
	/* SLOT-R2 release: free slots, before they count, as SLOT-R1. Pairs
	   with ROBUST-X1. */
	word32_store_release(&chunk->state, CHUNK_READY);
	for (i = CHUNK_SLOTS; ok && i-- > 0;)
		ok = slots_list(map, n * CHUNK_SLOTS + i);
	return ok;
}

/* Some stay, so that a backlog that comes and goes does not cost a call of the
   kernel each time; and those that still have blocks. */
static bool
can_be_spared(const struct queue_map *map, uint32_t n)
{
	uint32_t i;

	if (get32(&map->file->free) < KEEP_FREE)
		return false;
	for (i = 0; i < CHUNK_SLOTS; i++)
		if (get64(&queue_slot(map, n * CHUNK_SLOTS + i)->block))
			return false;
	return true;
}

bool
slots_begin_shrinking(const struct queue_map *map, uint64_t owner,
		      uint32_t slot, uint32_t *ret)
{
	uint32_t n = slot / CHUNK_SLOTS, i;
	struct queue_chunk *chunk = queue_chunk(map, n);

	*ret = CHUNK_NONE;
	if (!chunk)
		return false;
	if (n == 0 || get32(&chunk->free) != CHUNK_SLOTS ||
	    get32(&chunk->state) != CHUNK_READY || !can_be_spared(map, n))
		return true;
	for (i = 0; i < CHUNK_SLOTS; i++)
		if (!unlist(map, n * CHUNK_SLOTS + i))
			return false;
	set64(&chunk->owner, owner);
	/* SLOT-R3 release: as SLOT-R1. Pairs with ROBUST-X1. */
	word32_store_release(&chunk->state, CHUNK_MOVING);
	*ret = n;
	return true;
}

static uint64_t
chunk_length(const struct queue_map *map)
{
	return CHUNK_SLOTS * map->geometry.slot_stride;
}

int
slots_commit(const struct queue_map *map, int fd, uint32_t chunk,
	     int64_t deadline)
{
	return shm_commit(fd, map->geometry.slots +
			  chunk * chunk_length(map), chunk_length(map),
			  deadline);
}

void
slots_give_back(const struct queue_map *map, int fd, uint32_t chunk)
{
	shm_give_back(fd, map->geometry.slots + chunk * chunk_length(map),
		      chunk_length(map));
}

void
slots_raise(word32 *committed, uint32_t n)
{
	/* relaxed: the CAS looks again */
	uint32_t seen = word32_load_relaxed(committed);

	/* SLOT-C2 acq_rel: after the commit, which the kernel has done for all:
	   who reads the number finds the memory. Pairs with SLOT-C2. */
	while (seen < n && !word32_cas_acq_rel(committed, &seen, n))
		;
}

int
slots_commit_table(const struct queue_map *map, int fd)
{
	uint32_t committed = get32(&map->file->chunks_committed);
	uint32_t most = map->geometry.slots_max / CHUNK_SLOTS;
	int r;

	if (committed >= most || get32(&map->file->chunks) < committed)
		return 0;
	r = shm_commit(fd, map->geometry.chunks + round_down(committed *
		       sizeof(struct queue_chunk), PAGE), PAGE, INT64_MAX);
	if (r == 0)
		slots_raise(&map->file->chunks_committed,
			    (uint32_t)min_u64(most,
				round_down(committed, CHUNKS_PER_PAGE) +
				CHUNKS_PER_PAGE));
	return r;
}
