/* SPDX-License-Identifier: MIT */
/* Layer 8. May include: base atomics shm layout carry lane lane_ring lane_rings. */
/*
 * The rings of a lane without a limit; lane_rings.h has the protocol.
 *
 * The owner looks at the head when he comes to his limit: in the first ring
 * when it is full, in others every so often. Then he gives back what has been
 * passed, turns to a smaller ring if the backlog fills a quarter of it at most,
 * and makes room: by more memory for the present ring, or by a turn to another.
 * Between two turns lie three quarters of a ring of messages, or more, so turns
 * cost nothing that counts.
 */
#include "base.h"
#include "lane.h"
#include "lane_ring.h"
#include "lane_rings.h"

#define SHRINK		4	/* times the backlog: a ring to turn to */
#define LONG_AGO	(UINT64_C(1) << 40)	/* messages: see turn_to() */

/* Reading ---------------------------------------------------------------- */

bool
rings_begin(const struct lane_file *file, uint32_t ring, uint64_t *ret)
{
	/* RING-A1 acquire: a place, and then the turn word that is at least as
	   new. Pairs with RING-R1, RING-R2, RING-R3. */
	uint64_t begin = word64_load_acquire(&file->places[ring].begin);

	*ret = begin - 1;
	return begin;
}

/* a - b, of which the lower 48 bits count. */
static int64_t
difference(uint64_t a, uint64_t b)
{
	return (int64_t)((a - b) << 16) >> 16;
}

uint32_t
rings_find(const struct lane_file *file, const struct geometry *g,
	   uint64_t turn, uint64_t position, uint64_t *ret_span)
{
	uint32_t ring, current = turn_ring(turn), best = current;
	int64_t ahead, nearest = INT64_MAX, span;
	uint64_t begin;

	*ret_span = UINT64_C(1) << 47;
	if (!rings_begin(file, current, &begin))
		return current;
	span = -difference(position, begin);
	if (span <= 0)
		return current;
	for (ring = 0; ring < g->rings; ring++) {
		if (ring == current || !rings_begin(file, ring, &begin))
			continue;
		ahead = difference(position, begin);
		if (ahead >= 0 && ahead < nearest) {
			nearest = ahead;
			best = ring;
		} else if (ahead < 0 && -ahead < span) {
			span = -ahead;
		}
	}
	*ret_span = (uint64_t)span;
	return best;
}

/* Memory ----------------------------------------------------------------- */

static uint64_t
cells_of(const struct lane_writer *w, uint32_t i)
{
	return layout_ring_cells(&w->view->geometry, i);
}

static void
set_committed(struct lane_writer *w, uint32_t i, uint64_t cells)
{
	w->rings[i].committed = cells;
	/* relaxed: for a later owner, who comes after our lock has gone */
	word64_store_relaxed(i ? &w->file->places[i].committed :
			     &w->file->ring_committed, cells);
}

static void
set_begin(struct lane_writer *w, uint32_t i, uint64_t begin_plus_1)
{
	/* RING-R1 release: who sees it sees the turn before it. Pairs with
	   RING-A1. */
	word64_store_release(&w->file->places[i].begin, begin_plus_1);
}

static void
give_back(struct lane_writer *w, uint32_t i)
{
	const struct geometry *g = &w->view->geometry;

	w->rings[i].kept = false;
	w->rings[i].thin = false;
	set_committed(w, i, 0);
	shm_give_back(lane_file_fd(w), layout_ring_offset(g, i),
		      cells_of(w, i) << g->cell_shift);
}

/* The position whose cell is the first that has memory, and the first that has
   none. */
static uint64_t
memory_end(const struct lane_writer *w, uint32_t i)
{
	uint64_t chunk = layout_ring_chunk(&w->view->geometry, i);

	return START_POSITION +
	       round_down(w->rings[i].begin - START_POSITION, chunk) +
	       w->rings[i].committed;
}

static uint64_t
bytes_committed(const struct lane_writer *w)
{
	uint64_t cells = 0;
	uint32_t i;

	for (i = 0; i < w->view->geometry.rings; i++)
		if (!w->rings[i].thin)
			cells += w->rings[i].committed;
	return cells << w->view->geometry.cell_shift;
}

/* Memory for the next chunk of a ring. */
static int
extend(struct lane_writer *w, uint32_t i)
{
	const struct geometry *g = &w->view->geometry;
	uint64_t chunk = layout_ring_chunk(g, i), from = memory_end(w, i);
	uint64_t bytes = chunk << g->cell_shift;
	int r;

	if (!i) {
		from = w->rings[0].begin;
		r = ring_commit(w, chunk);
	} else if (bytes_committed(w) + bytes >
		   w->view->attributes.memory_limit) {
		r = -ENOSPC;
	} else {
		r = shm_commit(lane_file_fd(w), layout_ring_offset(g, i) +
			       (layout_cell_index(from, cells_of(w, i) - 1)
				<< g->cell_shift),
			       bytes, INT64_MAX);
	}
	if (r < 0)
		return r;
	if (i)
		set_committed(w, i, w->rings[i].committed + chunk);
	w->rings[i].kept = chunk == cells_of(w, i);
	ring_clear(w, i, from, chunk);
	return 0;
}

/* Room ------------------------------------------------------------------- */

/* How far the ring may be filled, drafts' places included: one cell is kept for
   the last message, and receivers look at the cell after it. */
static uint64_t
end_of_room(const struct lane_writer *w, uint32_t i)
{
	uint64_t first = w->head, end, memory;

	if ((int64_t)(w->rings[i].begin - first) > 0)
		first = w->rings[i].begin;
	end = first + cells_of(w, i) - 1;
	memory = memory_end(w, i) - 1;
	if (w->rings[i].committed < cells_of(w, i) &&
	    (int64_t)(memory - end) < 0)
		return memory;
	return end;
}

static bool
has_room(const struct lane_writer *w, uint32_t i)
{
	return (int64_t)(end_of_room(w, i) - w->position - w->drafts) > 0;
}

/* Would more memory help? */
static bool
lacks_memory(const struct lane_writer *w, uint32_t i)
{
	return w->rings[i].committed < cells_of(w, i) &&
	       end_of_room(w, i) == memory_end(w, i) - 1;
}

static void
set_limit(struct lane_writer *w)
{
	uint64_t limit = end_of_room(w, w->current) - w->drafts;
	uint64_t look = w->view->geometry.ring_cells / 2;

	if ((int64_t)(limit - w->position) < 0)
		limit = w->position;
	if (w->current)
		limit = w->position + min_u64(limit - w->position, look);
	w->limit = limit;
}

/* Turning ---------------------------------------------------------------- */

static void
enter(struct lane_writer *w, uint32_t i)
{
	const struct geometry *g = &w->view->geometry;

	w->current = i;
	w->ring = (char *)w->file + layout_ring_offset(g, i);
	w->mask_cells = (uint32_t)(cells_of(w, i) - 1);
}

/* Steps 2 to 4: from here on messages go to ring i, which has memory. */
static void
announce(struct lane_writer *w, uint32_t i)
{
	struct ring *old = &w->rings[w->current];

	/* RING-R2 release: its memory, and the end of the ring before. Pairs
	   with RING-A1. */
	word64_store_release(&w->file->places[i].begin,
			     w->rings[i].begin + 1);
	w->turn = counter_next(w->turn >> 8, 56, START_COUNTER(56, 3)) << 8 | i;
	/* RING-R3 release: the place before the word that names it. Pairs with
	   RING-A1, RING-A2. */
	word64_store_release(&w->file->turn, w->turn);
	if (old->begin == w->position)
		set_begin(w, w->current, 0);
	old->use = RING_LEFT;
	old->end = w->position;
	w->rings[i].use = RING_CURRENT;
	enter(w, i);
}

/*
 * A turn to ring i, which is free. In a kept one old sequences stand; receivers
 * compare 48 bits, so none may be too old.
 */
static int
turn_to(struct lane_writer *w, uint32_t i)
{
	struct ring *ring = &w->rings[i];
	int r = 0;

	if (ring->committed && w->position - ring->end > LONG_AGO)
		give_back(w, i);
	ring->begin = w->position;
	if (ring->kept)
		ring_clear(w, i, w->position, cells_of(w, i));
	while (r == 0 && !has_room(w, i) && lacks_memory(w, i))
		r = extend(w, i);
	if (r == 0 && !has_room(w, i))
		r = -ENOSPC;
	if (r < 0) {
		if (!ring->kept)
			give_back(w, i);
		return r;
	}
	announce(w, i);
	return 0;
}

/* Idle; or kept, with nothing unread in it, and not that of the last message.
   Large enough for what is open. */
static bool
is_free(const struct lane_writer *w, uint32_t i)
{
	const struct ring *ring = &w->rings[i];

	if (cells_of(w, i) <= w->drafts + 1)
		return false;
	return ring->use == RING_IDLE ||
	       (ring->use == RING_LEFT && ring->kept && w->head == ring->end &&
		w->position != ring->end);
}

/* To the next larger one; if there is no memory for it, or none, to any. */
static int
grow(struct lane_writer *w)
{
	uint32_t i, n = w->view->geometry.rings;
	int r = -ENOSPC;

	for (i = w->current + 1; i < n; i++) {
		if (!is_free(w, i))
			continue;
		r = turn_to(w, i);
		break;
	}
	for (i = w->current; i-- > 0 && r == -ENOSPC;)
		if (is_free(w, i))
			r = turn_to(w, i);
	return r;
}

/* If it finds no memory it stays where it is. */
static bool
shrink(struct lane_writer *w)
{
	uint64_t backlog = w->position - w->head + w->drafts;
	uint32_t i;

	for (i = 0; i < w->current; i++)
		if (is_free(w, i) && cells_of(w, i) / SHRINK >= backlog)
			return turn_to(w, i) == 0;
	return false;
}

/* Rings from which all has been received. */
static void
retire(struct lane_writer *w)
{
	struct ring *ring;
	int64_t beyond;
	uint32_t i;

	for (i = 0; i < w->view->geometry.rings; i++) {
		ring = &w->rings[i];
		beyond = (int64_t)(w->head - ring->end);
		if (ring->use != RING_LEFT || beyond < 0)
			continue;
		if (beyond > 0) {
			set_begin(w, i, 0);
			ring->use = RING_IDLE;
			if (!ring->kept)
				give_back(w, i);
		} else if (!ring->kept && !ring->thin) {
			ring_hollow(w, i, ring->end);
			ring->thin = true;
		}
	}
}

int
rings_make_room(struct lane_writer *w)
{
	int r = 0;

	retire(w);
	if (shrink(w))
		retire(w);
	if (w->carry.blocks && w->head == w->position)
		carry_trim(&w->carry, w->head, w->drafts);
	while (r == 0 && !has_room(w, w->current)) {
		r = -ENOSPC;
		if (lacks_memory(w, w->current))
			r = extend(w, w->current);
		if (r == -ENOSPC)
			r = grow(w);
	}
	set_limit(w);
	return r;
}

/* Owners ----------------------------------------------------------------- */

void
rings_start(struct lane_writer *w)
{
	if (w->view->geometry.rings > 1)
		set_begin(w, 0, START_POSITION + 1);
}

/* The bytes of the file that a ring's memory reaches to. */
static uint64_t
reach(const struct lane_writer *w, uint32_t i)
{
	const struct geometry *g = &w->view->geometry;
	uint64_t first = round_down(layout_cell_index(w->rings[i].begin,
						      cells_of(w, i) - 1),
				    layout_ring_chunk(g, i));

	return layout_ring_offset(g, i) +
	       (min_u64(cells_of(w, i), first + w->rings[i].committed)
		<< g->cell_shift);
}

/* Where the messages of a ring that was left end: where the next one begins. */
static void
find_end(struct lane_writer *w, struct ring *ring)
{
	uint32_t i;

	ring->end = w->rings[w->current].begin;
	for (i = 0; i < w->view->geometry.rings; i++)
		if (w->rings[i].use == RING_LEFT &&
		    (int64_t)(w->rings[i].begin - ring->begin) > 0 &&
		    (int64_t)(w->rings[i].begin - ring->end) < 0)
			ring->end = w->rings[i].begin;
}

int
rings_inherit(struct lane_writer *w, uint64_t size)
{
	uint32_t i, n = w->view->geometry.rings, current;
	struct ring *ring;
	uint64_t last;

	/* relaxed: our predecessor is dead, and the lock tells so */
	w->turn = word64_load_relaxed(&w->file->turn);
	current = turn_ring(w->turn);
	if (current >= n || !rings_begin(w->file, current, &last))
		return -EBADMSG;
	for (i = 0; i < n; i++) {
		ring = &w->rings[i];
		ring->use = RING_IDLE;
		if (i)
			/* relaxed: as above */
			ring->committed = word64_load_relaxed(
				&w->file->places[i].committed);
		if (!rings_begin(w->file, i, &ring->begin) ||
		    (i != current && (int64_t)(last - ring->begin) <= 0))
			continue;
		ring->use = i == current ? RING_CURRENT : RING_LEFT;
		if (ring->committed > cells_of(w, i) || reach(w, i) > size)
			return -EBADMSG;
	}
	enter(w, current);
	for (i = 0; i < n; i++)
		if (w->rings[i].use == RING_LEFT)
			find_end(w, &w->rings[i]);
	return 0;
}

void
rings_tidy(struct lane_writer *w)
{
	const struct geometry *g = &w->view->geometry;
	uint64_t from = layout_ring_offset(g, 0), offset;
	uint32_t i;

	for (i = 0; i < g->rings; i++) {
		offset = layout_ring_offset(g, i);
		if (w->rings[i].use == RING_IDLE) {
			set_begin(w, i, 0);
			set_committed(w, i, 0);
			continue;
		}
		shm_give_back(lane_file_fd(w), from, offset - from);
		from = layout_ring_offset(g, i + 1);
	}
	shm_give_back(lane_file_fd(w), from, layout_ring_offset(g, i) - from);
}

int
rings_turn_back(struct lane_writer *w)
{
	uint32_t i;

	if (!w->current)
		return ring_commit(w, w->rings[0].committed);
	retire(w);
	for (i = 0; i < w->view->geometry.rings; i++)
		if (w->rings[i].use == RING_IDLE)
			return turn_to(w, i);
	return -EBADMSG;
}

void
rings_leave(struct lane_writer *w)
{
	uint32_t i;

	lane_passed(w);
	retire(w);
	shrink(w);
	for (i = 0; i < w->view->geometry.rings; i++)
		w->rings[i].kept = false;
	retire(w);
	rings_tidy(w);
}

void
rings_hollow(struct lane_writer *w)
{
	uint32_t i;

	retire(w);
	for (i = 0; i < w->view->geometry.rings; i++) {
		if (w->rings[i].use == RING_LEFT)
			ring_hollow(w, i, w->rings[i].end);
		else if (w->rings[i].use == RING_CURRENT)
			ring_hollow(w, i, w->position);
	}
}
