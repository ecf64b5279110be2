/* SPDX-License-Identifier: MIT */
/* Layer 8. May include: base atomics shm layout carry doorbell broadcast bias lane lane_ring lane_rings lane_audience. */
/*
 * The sender's end of a lane: room, sending, blocks.
 *
 * In its lane the sender trusts its own memory only (position, what its blocks
 * carry); what receivers write is used for one question, how far they are, and
 * an answer that cannot be is an error.
 */
#include "base.h"
#include "lane.h"
#include "lane_audience.h"
#include "lane_ring.h"
#include "lane_rings.h"

/* Room ------------------------------------------------------------------- */

uint64_t
lane_passed(struct lane_writer *w)
{
	uint64_t head, passed;

	if (broadcast_is(w->view))
		return audience_passed(w);
	if (unlikely(!w->entry_known)) {
		w->entry_known = w->lane < lane_entries(w->view);
		if (!w->entry_known)
			return w->head;
	}
	head = bias_head(w->entry, head_make(w->head, 0));
	passed = position_near(w->head, head_position(head));
	/* Never back, and never beyond what was sent. */
	if ((int64_t)(passed - w->head) <= 0 ||
	    (int64_t)(w->position - passed) < 0)
		return w->head;
	/* LANE-F3 release: the head that was seen, before what it has passed is
	   written over: who reads a bit of that sees the head, too. Pairs with
	   LANE-F1. */
	atomics_fence_release();
	w->head = passed;
	return passed;
}

uint64_t
lane_kept(struct lane_writer *w)
{
	return broadcast_is(w->view) ? audience_kept(w) : lane_passed(w);
}

/* How far the lane may be filled, as far as is known. */
static void
set_limit(struct lane_writer *w)
{
	uint64_t limit = w->head + w->view->attributes.capacity;
	/* One cell ahead: receivers look at the cell after the last message,
	   and must find memory there. */
	uint64_t memory = START_POSITION + w->rings[0].committed - 1;

	if (w->rings[0].committed < w->view->geometry.ring_cells &&
	    (int64_t)(memory - limit) < 0)
		limit = memory;
	limit -= w->drafts;
	if ((int64_t)(limit - w->position) < 0)
		limit = w->position;
	w->limit = limit;
}

int
lane_make_room(struct lane_writer *w)
{
	const struct geometry *g = &w->view->geometry;
	int r;

	if (unlikely(shm_is_broken(&w->view->receivers_mapping)))
		return -EBADMSG;
	lane_passed(w);
	if (unlikely(lane_is_broken(w)))
		return -EBADMSG;
	if (broadcast_is(w->view))
		return audience_make_room(w);
	if (g->rings > 1)
		return rings_make_room(w);
	set_limit(w);
	if (w->limit != w->position)
		return 0;
	if (w->position + w->drafts - w->head >= w->view->attributes.capacity)
		return -EAGAIN;
	if (w->rings[0].committed == g->ring_cells)
		return -EAGAIN;
	r = ring_commit_more(w);
	if (r < 0)
		return r;
	set_limit(w);
	return 0;
}

/* Lines at a time: half of a store queue that two threads of a core share. */
#define FETCH_LINES	16

int
lane_fetch_lines(struct lane_writer *w, uint64_t size)
{
	uint64_t lines = min_u64((CELL_HEADER + size - 1) / CACHE_LINE + 1,
				 FETCH_LINES);
	uint64_t count = FETCH_LINES / lines;
	struct cell *cell;
	uint32_t i, line;

	count = min_u64(count, w->limit - w->position);
	for (i = 0; i < count; i++) {
		cell = lane_cell_ahead(w, i);
		for (line = 0; line < lines; line++)
			/* relaxed: the cell is free, and its sequence stays */
			word64_store_relaxed(&cell->tag +
					     line * CACHE_LINE / 8, 0);
	}
	w->fetched = w->position + count;
	return 0;
}

COLD void
lane_tell_of(struct lane_writer *w, uint32_t count)
{
	if (w->view->fences)
		/* LANE-F2 seq_cst: the publish before the look at `hot`. Pairs
		   with BELL-F8. */
		atomics_fence_seq_cst();
	/* relaxed: as in lane_publish() */
	if (!w->entry_known || !word32_load_relaxed(&w->entry->hot))
		doorbell_mark(w->view, w->lane);
	doorbell_published_many(w->view, count);
}

COLD void
lane_tell(struct lane_writer *w)
{
	lane_tell_of(w, 1);
}

/* Blocks ----------------------------------------------------------------- */

static int
inherit(struct lane_writer *w)
{
	uint64_t position;
	int r = 0;

	for (position = lane_kept(w); r == 0 && position != w->position;
	     position++)
		/* Else it has been received, and the head has not said so yet:
		   bias_head(). */
		if (ring_bears(w, position))
			r = carry_inherit(&w->carry, position,
					  ring_cell(w, position));
	return r < 0 ? r : carry_inherit_hands(&w->carry);
}

int
lane_start_carry(struct lane_writer *w)
{
	int r;

	r = carry_start(&w->carry, w->view, w->lane, lane_file_fd(w));
	if (r < 0)
		return r;
	r = inherit(w);
	if (r < 0)
		carry_end(&w->carry);
	else
		carry_settle(&w->carry);
	return r;
}

int
lane_allocate(struct lane_writer *w, uint64_t size, int64_t deadline,
	      uint64_t *ret_block)
{
	int r = 0;

	if (unlikely(!w->carry.blocks))
		r = lane_start_carry(w);
	if (r < 0)
		return r;
	if (carry_is_due(&w->carry))
		carry_reclaim(&w->carry, lane_kept(w));
	r = carry_allocate(&w->carry, w->drafts, size, deadline, ret_block);
	if (r != -ENOSPC)
		return r;
	carry_reclaim(&w->carry, lane_kept(w));
	do
		r = carry_allocate(&w->carry, w->drafts, size, deadline,
				   ret_block);
	while (r == -ENOSPC && broadcast_is(w->view) && audience_drop(w));
	return r;
}

void
lane_unallocate(struct lane_writer *w, uint64_t block)
{
	carry_unallocate(&w->carry, block);
}

void
lane_fill_block(struct lane_writer *w, uint32_t ahead,
		const struct parcel *parcel, uint64_t block)
{
	struct cell *cell = lane_cell_ahead(w, ahead);
	word64 *bytes = cell->bytes;
	uint64_t size_type = parcel->size << 1 | CELL_BLOCK |
			     parcel->type << 33;

	if (parcel->type > CELL_TYPE_MAX) {
		size_type = parcel->size << 1 | CELL_BLOCK | CELL_WIDE;
		/* relaxed: before LANE-R1 or LANE-R2 */
		word64_store_relaxed(bytes++, parcel->type);
	}
	if (parcel->call)
		size_type |= CELL_CALL;
	/* relaxed: before LANE-R1 or LANE-R2 */
	word64_store_relaxed(bytes, block);
	word64_store_relaxed(&cell->tag, parcel->tag);
	word64_store_relaxed(&cell->size_type, size_type);
	carry_sent(&w->carry, w->position + ahead, block);
}

void
lane_send_block(struct lane_writer *w, const struct parcel *parcel,
		uint64_t block)
{
	lane_fill_block(w, 0, parcel, block);
	lane_publish(w, lane_next_cell(w));
}

void
lane_publish_run(struct lane_writer *w, uint32_t count)
{
	uint32_t i;

	for (i = 0; i < count; i++)
		/* LANE-R2 release: as LANE-R1, and each after the one before
		   it. Pairs with LANE-A1, LANE-A2, LANE-A12. */
		word64_store_release(&lane_cell_ahead(w, i)->sequence,
				     w->position + i + 1);
	w->position += count;
	/* LANE-O2 compiler: as LANE-O1. Pairs with BELL-M2. */
	order_compiler();
	/* relaxed: as in lane_publish() */
	if (unlikely(!w->entry_known) ||
	    unlikely(!word32_load_relaxed(&w->entry->hot)) ||
	    unlikely(doorbell_is_wanted(w->view)))
		lane_tell_of(w, count);
}

void
lane_last_published(const struct lane_writer *w, uint64_t *ret_sequence,
		    uint64_t *ret_tag)
{
	const struct cell *cell = ring_cell(w, w->position - 1);

	if (!ring_bears(w, w->position - 1)) {
		*ret_sequence = 0;
		*ret_tag = 0;
		return;
	}
	*ret_sequence = w->position;
	/* relaxed: our own. A request has none. */
	*ret_tag = word64_load_relaxed(&cell->size_type) & CELL_CALL ? 0 :
		   word64_load_relaxed(&cell->tag);
}
