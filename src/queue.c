/* SPDX-License-Identifier: MIT */
/* Layer 8. May include: base probe atomics clock shm exclusion spin robust_lock layout layout_queue parcel members answers slots waiters catalogue queue_repair queue. */
/*
 * The lock of a queue, and what is seen to before and after: chores, and memory.
 */
#include "base.h"
#include "catalogue.h"
#include "clock.h"
#include "probe.h"
#include "queue.h"
#include "queue_repair.h"
#include "slots.h"

#include <cubby.h>
#include <stdlib.h>

#define WARM_KEEP	MIB(32)	/* bytes of blocks that stay in free slots */
#define NODES_PER_PAGE	(PAGE / sizeof(struct queue_node))
#define NODES_PER_HELD	(2 * CATALOGUES)

int
queue_nonsense(struct queue *queue)
{
	set32(&queue->map.file->broken, get32(&queue->map.file->broken) + 1);
	queue_make_anew(&queue->map);
	return -EBADMSG;
}

/* Chores ----------------------------------------------------------------- */

static uint64_t
word_of(const struct queue *queue, uint32_t slot)
{
	return get64(&queue_slot(&queue->map, slot)->state);
}

/* Its block goes back if many are free and warm: it is left to queue_leave(). */
static bool
shall_cool(const struct queue *queue, uint32_t slot)
{
	uint64_t block = get64(&queue_slot(&queue->map, slot)->block);

	return unlikely(block) && queue->cooling == SLOT_NONE &&
	       get64(&queue->map.file->warm) + block >
	       max_u64(WARM_KEEP, 2 * block);
}

static bool
free_slot(struct queue *queue, uint32_t slot)
{
	if (shall_cool(queue, slot)) {
		queue->cooling = slot;
		return true;
	}
	if (!slots_free(&queue->map, slot))
		return false;
	return queue->shrinking != CHUNK_NONE ||
	       slots_begin_shrinking(&queue->map, queue->owner, slot,
				     &queue->shrinking);
}

/* Unless somebody has met it and done so. */
static bool
see_to(struct queue *queue, const struct chore *chore, struct wakes *wakes)
{
	uint64_t returned = 0;

	return slot_use(word_of(queue, chore->number)) != chore->use ||
	       queue_see_to(&queue->map, chore->number, wakes, &returned);
}

static bool
do_chore(struct queue *queue, const struct chore *chore, struct wakes *wakes)
{
	switch (chore->kind) {
	case CHORE_FREE:
		return free_slot(queue, chore->number);
	case CHORE_SEE_TO:
		return see_to(queue, chore, wakes);
	case CHORE_FREE_WAITER:
		return waiters_free(&queue->map, chore->number);
	case CHORE_CHUNK_READY:
		return slots_end_growth(&queue->map, chore->number, true);
	default:
		return slots_end_growth(&queue->map, chore->number, false);
	}
}

static bool
do_chores(struct queue *queue, struct wakes *wakes)
{
	uint32_t i;
	bool ok = true;

	for (i = 0; i < queue->chore_count; i++)
		ok = do_chore(queue, &queue->chores[i], wakes) && ok;
	queue->chore_count = 0;
	return ok;
}

void
queue_do_chores_soon(struct queue *queue)
{
	struct wakes wakes = { .count = 0 };

	int64_t deadline = clock_now() + ROBUST_LOCK_GRACE;
	int r = queue->chore_count ? -EINTR : -EAGAIN;

	while (r == -EINTR)
		r = queue_enter(queue, deadline);
	if (r == 0)
		queue_leave(queue, &wakes);
	else if (queue->chore_count)
		queue_tell_left(queue);
}

/* Room for one more. Should there be no memory for that, the lock has to be
   waited for: that empties the list, which had room for some from the
   beginning. */
static bool
make_room_for_chore(struct queue *queue)
{
	struct wakes wakes = { .count = 0 };
	uint32_t most = 2 * queue->chores_max;
	struct chore *more;

	if (queue->chore_count < queue->chores_max)
		return true;
	more = reallocarray(queue->chores, most, sizeof(*more));
	if (more) {
		queue->chores = more;
		queue->chores_max = most;
		return true;
	}
	while (queue->chore_count == queue->chores_max &&
	       !shm_is_broken(&queue->map.mapping))
		if (queue_enter(queue, CUBBY_FOREVER) == 0)
			queue_leave(queue, &wakes);
	return queue->chore_count < queue->chores_max;
}

void
queue_add_chore_of(struct queue *queue, enum chore_kind kind, uint32_t number,
		   uint64_t use)
{
	if (!make_room_for_chore(queue))
		return;		/* the file is broken, and all with it */
	queue->chores[queue->chore_count].kind = kind;
	queue->chores[queue->chore_count].number = number;
	queue->chores[queue->chore_count].use = use;
	queue->chore_count++;
}

/* The lock --------------------------------------------------------------- */

/* r: what came of taking it. */
static FAST int
check_taken(struct queue *queue, int r)
{
	if (unlikely(r < 0))
		return r;
	if (unlikely(r == ROBUST_LOCK_DEAD))
		queue_make_anew(&queue->map);
	if (unlikely(shm_is_broken(&queue->map.mapping))) {
		robust_lock_give(&queue->map.file->lock, &queue->locker);
		return -EBADMSG;
	}
	return 0;
}

static FAST int
enter(struct queue *queue, int r)
{
	struct wakes wakes;

	r = check_taken(queue, r);
	if (unlikely(r < 0))
		return r;
	wakes_begin(&wakes);
	if (queue->chore_count && !do_chores(queue, &wakes))
		queue_nonsense(queue);
	/* Under the lock: rare, for only what goes back wakes. */
	if (unlikely(wakes.count))
		wakes_give(&queue->map, &wakes);
	return 0;
}

int
queue_enter(struct queue *queue, int64_t deadline)
{
	return enter(queue, robust_lock_take(&queue->map.file->lock,
					     &queue->locker, deadline));
}

COLD int
queue_enter_or_rest(struct queue *queue, int64_t deadline,
		    uint32_t *ret_ticket)
{
	int r = queue_enter(queue, deadline);

	if (r != -ETIMEDOUT || !ret_ticket)
		return r;
	r = robust_lock_take_or_rest(&queue->map.file->lock, &queue->locker,
				     ret_ticket);
	return r == -EAGAIN ? -EBUSY : enter(queue, r);
}

/* How much of a slot's block has memory, as it says: no more than there can be. */
static uint64_t
block_of(const struct queue *queue, uint32_t n)
{
	return min_u64(get64(&queue_slot(&queue->map, n)->block),
		       queue->map.geometry.block_stride);
}

/* The memory of a block of ours. Should we die here, it may have holes, and the
   next one to whom the slot falls commits it again. */
static void
give_back_block(struct queue *queue, uint32_t n, uint64_t from, uint64_t to)
{
	struct queue_slot *slot = queue_slot(&queue->map, n);

	set32(&slot->holes, 1);
	shm_give_back(queue_blocks_fd(queue),
		      n * queue->map.geometry.block_stride + from, to - from);
	set64(&slot->block, from);
	set32(&slot->holes, 0);
}

static void
cool(struct queue *queue)
{
	uint32_t n = queue->cooling;

	queue->cooling = SLOT_NONE;
	give_back_block(queue, n, 0, block_of(queue, n));
	queue_add_chore(queue, CHORE_FREE, n);
}

static void
shrink(struct queue *queue)
{
	uint32_t n = queue->shrinking;

	queue->shrinking = CHUNK_NONE;
	slots_give_back(&queue->map, queue_fd(queue), n);
	queue_add_chore(queue, CHORE_CHUNK_BARE, n);
}

void
queue_leave(struct queue *queue, struct wakes *wakes)
{
	robust_lock_give(&queue->map.file->lock, &queue->locker);
	if (unlikely(wakes->count))
		wakes_give(&queue->map, wakes);
	if (unlikely(queue->cooling != SLOT_NONE))
		cool(queue);
	if (unlikely(queue->shrinking != CHUNK_NONE))
		shrink(queue);
}

/* Memory ----------------------------------------------------------------- */

/* A leaf for each sender and priority, at most; and there are not more of those
   than messages, nor than senders times what there is now. */
static uint64_t
nodes_for_senders(const struct queue_file *file)
{
	uint64_t messages = (uint64_t)get32(&file->waiting) +
			    get32(&file->held) + get32(&file->places);
	uint64_t senders = get32(&file->participants_committed);

	return 2 * min_u64(messages + 1,
			   senders * ((uint64_t)get32(&file->nodes_used) + 1));
}

bool
queue_keep_senders(struct queue *queue)
{
	struct queue_file *file = queue->map.file;
	uint64_t needs = get32(&file->nodes_used) + nodes_for_senders(file) +
			 NODES_PER_HELD *
			 ((uint64_t)get32(&file->held) +
			  get32(&file->places) + 2);

	if (likely(get32(&file->catalogued[CATALOGUE_SENDER])))
		return true;
	if (needs > get32(&file->nodes_committed) &&
	    get32(&file->nodes_committed) + NODES_PER_PAGE <=
		    queue->map.geometry.nodes_max)
		return false;
	set32(&file->catalogued[CATALOGUE_SENDER], 1);
	queue_make_anew(&queue->map);
	return true;
}

bool
queue_has_room(const struct queue *queue)
{
	const struct attributes *a = &queue->view->attributes;
	const struct queue_file *file = queue->map.file;
	uint64_t used = (uint64_t)get32(&file->waiting) + get32(&file->places);

	if (a->buffering == CUBBY_UNLIMITED)
		return true;
	return a->buffering == CUBBY_LIMITED && used < a->capacity;
}

int
queue_commit_nodes(struct queue *queue)
{
	struct queue_map *map = &queue->map;
	uint64_t committed = get32(&map->file->nodes_committed);
	int r;

	if (committed + NODES_PER_PAGE > map->geometry.nodes_max)
		return -ENOSPC;
	r = shm_commit(queue_fd(queue), map->geometry.nodes + committed *
		       sizeof(struct queue_node), PAGE, INT64_MAX);
	if (r == 0)
		slots_raise(&map->file->nodes_committed,
			    (uint32_t)(committed + NODES_PER_PAGE));
	return r;
}

int
queue_commit_waiters(struct queue *queue)
{
	return waiters_commit(&queue->map, queue_fd(queue));
}

/* One more chunk of slots. */
static int
grow(struct queue *queue, int64_t deadline)
{
	struct wakes wakes = { .count = 0 };
	uint32_t chunk = CHUNK_NONE;
	int r;

	r = slots_commit_table(&queue->map, queue_fd(queue));
	if (r == 0)
		r = queue_enter(queue, deadline);
	if (r < 0)
		return r;
	if (!slots_begin_growth(&queue->map, queue->owner, &chunk))
		r = queue_nonsense(queue);
	queue_leave(queue, &wakes);
	if (r < 0)
		return r;
	if (chunk == CHUNK_NONE)
		return -ENOSPC;
	r = slots_commit(&queue->map, queue_fd(queue), chunk, deadline);
	queue_add_chore(queue, r == 0 ? CHORE_CHUNK_READY : CHORE_CHUNK_BARE,
			chunk);
	return r;
}

static int
take_slot(struct queue *queue, uint64_t size, int64_t deadline, uint32_t *ret)
{
	struct wakes wakes = { .count = 0 };
	int r = queue_enter(queue, deadline);

	if (r < 0)
		return r;
	if (!slots_take(&queue->map, queue->owner,
			size > queue->map.geometry.inline_max, ret))
		r = queue_nonsense(queue);
	queue_leave(queue, &wakes);
	return r;
}

int
queue_reserve_slot(struct queue *queue, uint64_t size, int64_t deadline,
		   uint32_t *ret)
{
	uint32_t slot;
	int r;

	for (;;) {
		r = take_slot(queue, size, deadline, &slot);
		if (r < 0)
			return r;
		if (slot != SLOT_NONE)
			break;
		r = grow(queue, deadline);
		if (r < 0)
			return r;
	}
	*ret = slot;
	return 0;
}

/* A free slot with a block gives it up. -ENOSPC: there is none. */
static int
cool_another(struct queue *queue, int64_t deadline)
{
	struct wakes wakes = { .count = 0 };
	int r = queue_enter(queue, deadline);

	if (r < 0)
		return r;
	/* One that is to go back already will do. */
	if (queue->cooling == SLOT_NONE &&
	    !slots_take_warm(&queue->map, queue->owner, &queue->cooling))
		r = queue_nonsense(queue);
	else if (queue->cooling == SLOT_NONE)
		r = -ENOSPC;
	else if (!block_of(queue, queue->cooling))
		r = queue_nonsense(queue);
	queue_leave(queue, &wakes);
	return r;
}

/* False: the lock is not to be had. */
static bool
trim_chunk(struct queue *queue, uint32_t chunk)
{
	struct wakes wakes = { .count = 0 };

	if (queue_enter(queue, CUBBY_NOW) < 0)
		return false;
	if (queue->shrinking == CHUNK_NONE &&
	    !slots_begin_shrinking(&queue->map, queue->owner,
				   chunk * CHUNK_SLOTS, &queue->shrinking))
		queue_nonsense(queue);
	queue_leave(queue, &wakes);
	return true;
}

/* unknown: what to say if the kernel does not. */
static uint64_t
memory_of(const struct queue *queue, uint64_t unknown)
{
	struct stat a, b;

	if (fstat(queue_fd(queue), &a) < 0 || fstat(queue_blocks_fd(queue), &b) < 0)
		return unknown;
	return 512 * (uint64_t)(a.st_blocks + b.st_blocks);
}

uint64_t
queue_trim(struct queue *queue)
{
	uint64_t before = memory_of(queue, 0);
	uint32_t chunk, chunks = queue_chunks(&queue->map), i;

	for (i = 0; i < queue->map.geometry.slots_max; i++)
		if (cool_another(queue, CUBBY_NOW) < 0)
			break;
	/* Who stands still under the lock is waited for once, not for each. */
	for (chunk = 1; chunk < chunks; chunk++)
		if (!trim_chunk(queue, chunk))
			break;
	queue_do_chores_soon(queue);
	return before - min_u64(before, memory_of(queue, before));
}

/* Counts it against the limit, before it is there. 0 or -ENOSPC. */
static int
account(struct queue *queue, uint32_t n, uint64_t block)
{
	struct queue_slot *slot = queue_slot(&queue->map, n);
	struct queue_file *file = queue->map.file;
	uint64_t limit = queue->view->attributes.memory_limit;
	uint64_t memory = get64(&file->memory) - get64(&slot->accounted) +
			  block;

	if (block > get64(&slot->accounted) && limit && memory > limit)
		return -ENOSPC;
	slots_account(&queue->map, n, block);
	set32(&slot->holes, 1);
	/* SLOT-R4 release: that there may be no memory, before that there is,
	   should we die here. Pairs with ROBUST-X1. */
	word64_store_release(&slot->block, block);
	return 0;
}

static int
account_alone(struct queue *queue, uint32_t n, uint64_t block,
	      int64_t deadline)
{
	struct wakes wakes = { .count = 0 };
	int r = queue_enter(queue, deadline);

	if (r < 0)
		return r;
	r = account(queue, n, block);
	queue_leave(queue, &wakes);
	return r;
}

int
queue_commit_block(struct queue *queue, uint32_t n, uint64_t size,
		   int64_t deadline)
{
	struct queue_slot *slot = queue_slot(&queue->map, n);
	uint64_t has = block_of(queue, n), needs = round_up(size, PAGE);
	uint64_t offset = n * queue->map.geometry.block_stride;
	int r;

	if (unlikely(get32(&slot->holes))) {
		needs = max_u64(needs, has);
		has = 0;
	}
	if (has >= needs)
		return 0;
	for (;;) {
		r = account_alone(queue, n, needs, deadline);
		if (r == 0)
			r = shm_commit(queue_blocks_fd(queue), offset + has,
				       needs - has, deadline);
		if (r == 0) {
			set32(&slot->holes, 0);
			return 0;
		}
		if (get64(&slot->block) == needs)
			give_back_block(queue, n, has, needs);
		if (r != -ENOSPC || cool_another(queue, deadline) < 0)
			return r;
	}
}
