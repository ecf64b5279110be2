/* SPDX-License-Identifier: MIT */
/* Layer 5. May include: base atomics shm robust_lock layout layout_queue. */
/*
 * Where the parts of a queue's files lie, and what they say at first.
 */
#include "base.h"
#include "layout_queue.h"

#include <cubby.h>

_Static_assert(sizeof(struct queue_participant) == 256, "");
_Static_assert(sizeof(struct queue_waiter) == 128, "a pair of lines");
_Static_assert(sizeof(struct queue_chunk) == 32, "");
_Static_assert(sizeof(struct queue_node) == CACHE_LINE, "a line");
_Static_assert(sizeof(struct queue_slot) == 128, "a pair of lines");
_Static_assert(offsetof(struct queue_file, lock) == 128, "its own pair");
_Static_assert(offsetof(struct queue_file, order) == 384, "its own pair");
_Static_assert(sizeof(struct queue_file) == PAGE, "one page");
_Static_assert(PARTICIPANTS_MAX <= ROBUST_LOCK_SLOT_MAX, "");

/* Where the last of all parts may end: half of what processors address. */
#define SPACE_MAX (UINT64_C(1) << 46)

/* Bytes of an unlimited one's limit for each slot. */
#define LIMIT_PER_SLOT 64

/* An unlimited one has as many slots as its blocks leave addresses for, and no more
   than fill its memory four times over: so one that is made with a small limit
   can be mapped by a process that has few addresses. */
static uint64_t
slots_for(const struct attributes *a, uint64_t block_stride)
{
	uint64_t slots;

	if (a->buffering != CUBBY_UNLIMITED)
		return round_up(a->capacity + SLOTS_EXTRA, CHUNK_SLOTS);
	slots = min_u64(SLOTS_MAX,
			SLOTS_EXTRA + a->memory_limit / LIMIT_PER_SLOT);
	if (block_stride)
		slots = min_u64(slots, (SPACE_MAX / 4) / block_stride);
	return round_up(slots, CHUNK_SLOTS);
}

int
layout_queue_geometry(const struct attributes *attributes,
		      struct queue_geometry *ret)
{
	const struct attributes *a = attributes;
	struct queue_geometry g;
	uint64_t slots;

	g.inline_max = a->cell_size - CELL_HEADER;
	g.slot_stride = sizeof(struct queue_slot) +
			round_up(g.inline_max, CACHE_LINE);
	g.block_stride = a->message_max <= g.inline_max ? 0 :
			 round_up(a->message_max, PAGE);
	slots = slots_for(a, g.block_stride);
	if (slots > SLOTS_MAX)
		return -EINVAL;
	g.slots_max = (uint32_t)slots;
	/* A leaf and a branch in each catalogue. */
	g.nodes_max = (uint32_t)(2 * CATALOGUES * slots);
	g.participants = sizeof(struct queue_file);
	g.waiters = g.participants +
		    PARTICIPANTS_MAX * sizeof(struct queue_participant);
	g.chunks = g.waiters + WAITERS_MAX * sizeof(struct queue_waiter);
	g.nodes = round_up(g.chunks + slots / CHUNK_SLOTS *
			   sizeof(struct queue_chunk), PAGE);
	g.slots = round_up(g.nodes + g.nodes_max * sizeof(struct queue_node),
			   PAGE);
	g.length = g.slots + slots * g.slot_stride;
	g.blocks_length = slots * g.block_stride;
	if (g.length > SPACE_MAX || g.blocks_length > SPACE_MAX)
		return -EINVAL;
	if (g.length > SIZE_MAX / 4)
		return -ENOMEM;
	*ret = g;
	return 0;
}

static void
empty(struct queue_list *list)
{
	set32(&list->head, SLOT_NONE);
	set32(&list->tail, SLOT_NONE);
}

void
layout_queue_reset(struct queue_file *file)
{
	int i;

	for (i = 0; i < CATALOGUES; i++)
		set32(&file->root[i], NODE_NONE);
	set32(&file->waiting, 0);
	set32(&file->places, 0);
	empty(&file->free_bare);
	empty(&file->free_warm);
	set32(&file->free, 0);
	set32(&file->held, 0);
	set32(&file->returned, 0);
	set32(&file->nodes_free, NODE_NONE);
	set32(&file->nodes_next, 0);
	set32(&file->nodes_used, 0);
	empty(&file->receiving);
	empty(&file->wanting_room);
	empty(&file->watching);
	set32(&file->waiters_free, WAITER_NONE);
	set32(&file->chunks_bare, CHUNK_NONE);
	set64(&file->memory, 0);
	set64(&file->warm, 0);
}

void
layout_queue_init(struct queue_file *file, const uint8_t uuid[16])
{
	memset(file, 0, sizeof(*file));
	layout_identify(&file->identity, uuid);
	layout_queue_reset(file);
	set32(&file->catalogued[0], 1);
	set64(&file->arrival, START_COUNTER(64, 500) + 1);
	set64(&file->order, START_COUNTER(32, 500) + WAITERS_MAX + 1);
	set32(&file->lock.unlocks, START_EVENTS);
}
