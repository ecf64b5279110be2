/* SPDX-License-Identifier: MIT */
/* Layer 8. May include: base atomics clock shm layout carry broadcast lane lane_ring lane_audience. */
/*
 * Room in a lane of a broadcast mailbox.
 *
 * The sender goes on up to `limit` without looking at anything; here a new one
 * is found. The ring is never filled beyond floor + cells, so the floor is what
 * has to rise, and broadcast.h says how. Drafts have their places: limit +
 * drafts is what the floor allows.
 *
 * What would break it: a store to a cell, or to a block, of a message that lies
 * on or above the floor.
 */
#include "base.h"
#include "clock.h"
#include "lane.h"
#include "lane_audience.h"
#include "lane_ring.h"

/* How many messages before the last one the slowest has still to receive. More
   than there are cells: a cursor that makes no sense. */
static uint64_t
lag(const struct lane_writer *w)
{
	uint64_t cells = w->view->geometry.ring_cells;

	if (!broadcast_waits(w->view))
		return 0;
	return min_u64(cells, broadcast_lag(w->view, w->lane, w->position,
					    &w->departed));
}

uint64_t
audience_passed(struct lane_writer *w)
{
	if (unlikely(!w->entry_known))
		w->entry_known = w->lane < lane_entries(w->view);
	/* What has never been sent is not behind. */
	w->head = w->position - min_u64(lag(w), w->position - START_POSITION);
	return w->head;
}

uint64_t
audience_kept(struct lane_writer *w)
{
	uint64_t passed = audience_passed(w);

	return (int64_t)(passed - w->floor) < 0 ? passed : w->floor;
}

/* Nothing below is stored to before this. */
static void
raise_floor(struct lane_writer *w, uint64_t floor)
{
	if ((int64_t)(floor - w->floor) <= 0)
		return;
	w->floor = floor;
	/* relaxed: before CAST-F1 */
	word64_store_relaxed(&w->file->floor, floor);
	/* CAST-F1 seq_cst: the floor, before cells and blocks below it, and
	   before the second look at the cursors. Pairs with CAST-F2, CAST-F3. */
	atomics_fence_seq_cst();
}

/* The ring has memory up to there; one cell ahead, as in set_limit(). */
static uint64_t
memory_end(const struct lane_writer *w, uint64_t end)
{
	uint64_t memory = START_POSITION + w->rings[0].committed - 1;

	if (w->rings[0].committed == w->view->geometry.ring_cells ||
	    (int64_t)(end - memory) < 0)
		return end;
	return memory;
}

/* Up to end, drafts included. 0: there is room. */
static int
set_end(struct lane_writer *w, uint64_t end)
{
	uint64_t limit = end - w->drafts;

	w->limit = (int64_t)(limit - w->position) < 0 ? w->position : limit;
	return w->limit == w->position ? -EAGAIN : 0;
}

bool
audience_ask(struct lane_writer *w)
{
	int64_t tick;

	if (!broadcast_waits(w->view))
		return false;
	tick = clock_tick();
	if (tick == w->departed.asked)
		return false;
	w->departed.asked = tick;
	/* Not known, they count as living. */
	return broadcast_find_departed(w->view,
				       shm_still(w->receivers, &w->receivers_is),
				       w->lane, w->position, &w->departed);
}

/* Where the audience, and nothing else, ends the room. */
static uint64_t
end_for(const struct lane_writer *w, uint64_t behind)
{
	return w->position - behind + w->view->attributes.capacity;
}

static int
room_among_waited(struct lane_writer *w)
{
	uint64_t cells = w->view->geometry.ring_cells;
	uint64_t end = end_for(w, lag(w)), again;

	if (set_end(w, end) < 0)
		return -EAGAIN;
	end = memory_end(w, end);
	raise_floor(w, end - cells);
	again = end_for(w, lag(w));
	return set_end(w, (int64_t)(again - end) < 0 ? again : end);
}

/* The floor for the next messages: what the capacity promises stays, unless
   drafts need it. */
static uint64_t
next_floor(const struct lane_writer *w)
{
	uint64_t cells = w->view->geometry.ring_cells;
	uint64_t kept = w->position - w->view->attributes.capacity;
	uint64_t needed = w->position + w->drafts + OVERTAKE_AT_ONCE - cells;

	return (int64_t)(needed - kept) > 0 ? needed : kept;
}

static int
room_over_all(struct lane_writer *w)
{
	uint64_t cells = w->view->geometry.ring_cells;

	if (w->drafts >= w->view->attributes.capacity)
		return set_end(w, w->position);
	if (set_end(w, memory_end(w, w->floor + cells)) == 0)
		return 0;
	if (w->rings[0].committed < cells)
		return -EAGAIN;
	raise_floor(w, next_floor(w));
	return set_end(w, w->floor + cells);
}

static int
find_room(struct lane_writer *w)
{
	return broadcast_waits(w->view) ? room_among_waited(w) :
	       room_over_all(w);
}

/* Does it lack memory for the ring, and nothing else? */
static bool
lacks_memory(const struct lane_writer *w)
{
	uint64_t capacity = w->view->attributes.capacity;

	return w->rings[0].committed < w->view->geometry.ring_cells &&
	       w->drafts + (w->position - w->head) < capacity;
}

int
audience_make_room(struct lane_writer *w)
{
	int r = find_room(w);

	if (r != -EAGAIN || !lacks_memory(w))
		return r;
	r = ring_commit_more(w);
	return r < 0 ? r : find_room(w);
}

bool
audience_drop(struct lane_writer *w)
{
	uint64_t oldest, now;

	if (!carry_oldest(&w->carry, &oldest) ||
	    (int64_t)(audience_passed(w) - oldest) <= 0)
		return false;
	raise_floor(w, oldest + 1);
	/* Looked at after that: one may have joined. */
	carry_reclaim(&w->carry, audience_kept(w));
	return !carry_oldest(&w->carry, &now) || now != oldest;
}
