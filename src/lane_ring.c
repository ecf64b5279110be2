/* SPDX-License-Identifier: MIT */
/* Layer 8. May include: base atomics shm layout broadcast bias lane lane_ring. */
/*
 * The ring of a lane, for the one who owns it: its memory, and where the lane
 * stands.
 *
 * A successor finds both in the file. The messages from the head on are
 * published without a gap, so the first that is not is found by halving. What
 * would break it: a cell of the last message that is used again before there is
 * a next one (so a ring has one cell more than the capacity).
 */
#include "base.h"
#include "lane.h"
#include "lane_ring.h"

#include <sys/stat.h>

#define RING_AT_ONCE KIB(64)

/* Memory ----------------------------------------------------------------- */

uint64_t
ring_first_cells(const struct geometry *g)
{
	return min_u64(g->ring_cells, max_u64(2, PAGE >> g->cell_shift));
}

void
ring_start(struct lane_writer *w)
{
	memset(w->rings, 0, sizeof(w->rings));
	w->turn = 0;
	w->current = 0;
	w->rings[0].use = RING_CURRENT;
	w->rings[0].begin = START_POSITION;
}

void
ring_clear(struct lane_writer *w, uint32_t i, uint64_t from, uint64_t count)
{
	uint64_t position = from | HEAD_POSITION;
	struct cell *cell = layout_ring_cell(w->file, &w->view->geometry, i,
					     position);

	/* relaxed: nobody awaits anything there yet */
	if (position - from < count && !word64_load_relaxed(&cell->sequence))
		/* relaxed: as above */
		word64_store_relaxed(&cell->sequence, position + 1 -
				     layout_ring_cells(&w->view->geometry, i));
}

int
ring_commit(struct lane_writer *w, uint64_t cells)
{
	const struct geometry *g = &w->view->geometry;
	uint64_t had = w->rings[0].committed;
	int r;

	r = shm_commit(lane_file_fd(w), 0, sizeof(struct lane_file) +
		       (cells << g->cell_shift), INT64_MAX);
	if (r < 0)
		return r;
	ring_clear(w, 0, START_POSITION + had, cells - had);
	w->rings[0].committed = cells;
	/* relaxed: for a later owner, who comes after our lock has gone */
	word64_store_relaxed(&w->file->ring_committed, cells);
	return 0;
}

int
ring_commit_more(struct lane_writer *w)
{
	const struct geometry *g = &w->view->geometry;

	if (g->ring_cells << g->cell_shift <= RING_AT_ONCE)
		return ring_commit(w, g->ring_cells);
	return ring_commit(w, min_u64(2 * w->rings[0].committed,
				      g->ring_cells));
}

static uint64_t
page_of_cell(const struct lane_writer *w, uint32_t ring, uint64_t position)
{
	const struct geometry *g = &w->view->geometry;
	uint64_t mask = layout_ring_cells(g, ring) - 1;

	return round_down(layout_ring_offset(g, ring) +
			  (layout_cell_index(position, mask) << g->cell_shift),
			  PAGE);
}

void
ring_hollow(struct lane_writer *w, uint32_t ring, uint64_t position)
{
	const struct geometry *g = &w->view->geometry;
	uint64_t last = page_of_cell(w, ring, position - 1);
	uint64_t next = page_of_cell(w, ring, position);
	uint64_t first = min_u64(last, next), second = max_u64(last, next);
	uint64_t from = layout_ring_offset(g, ring);
	uint64_t to = round_down(layout_ring_offset(g, ring + 1), PAGE);

	shm_give_back(lane_file_fd(w), from, first - from);
	from = first + PAGE;
	if (second > from)
		shm_give_back(lane_file_fd(w), from, second - from);
	from = second + PAGE;
	if (to > from)
		shm_give_back(lane_file_fd(w), from, to - from);
}

/* Where it stands -------------------------------------------------------- */

static bool
is_of(const struct ring *ring, uint64_t position)
{
	return ring->use == RING_LEFT &&
	       (int64_t)(position - ring->begin) >= 0 &&
	       (int64_t)(position - ring->end) < 0;
}

static uint32_t
ring_of(const struct lane_writer *w, uint64_t position)
{
	uint32_t i;

	if ((int64_t)(position - w->rings[w->current].begin) >= 0)
		return w->current;
	for (i = 0; i < w->view->geometry.rings; i++)
		if (is_of(&w->rings[i], position))
			return i;
	return w->current;
}

struct cell *
ring_cell(const struct lane_writer *w, uint64_t position)
{
	return layout_ring_cell(w->file, &w->view->geometry,
				ring_of(w, position), position);
}

static bool
is_committed(const struct lane_writer *w, uint64_t position)
{
	uint32_t i = ring_of(w, position);

	return layout_ring_has(&w->view->geometry, i, w->rings[i].begin,
			       w->rings[i].committed, position);
}

bool
ring_bears(const struct lane_writer *w, uint64_t position)
{
	/* relaxed: our predecessor is dead, and the lock tells so */
	return is_committed(w, position) &&
	       word64_load_relaxed(&ring_cell(w, position)->sequence) ==
		       position + 1;
}

/* The head's 64 bits: its cell, or the one before, tells the upper 16. Errors:
   -EBADMSG (neither does, and it is not where a lane begins). */
static int
full_position(const struct lane_writer *w, uint64_t low48, uint64_t *ret)
{
	uint64_t near = w->rings[w->current].begin;
	uint64_t i, sequence, position;

	for (i = 0; i < 2; i++) {
		position = position_near(near, low48 - i);
		if (!is_committed(w, position))
			continue;
		/* relaxed: as above */
		sequence = word64_load_relaxed(&ring_cell(w, position)
						       ->sequence);
		if (((sequence ^ (position + 1)) & HEAD_POSITION) == 0) {
			*ret = sequence - 1 + i;
			return 0;
		}
	}
	*ret = START_POSITION;
	return low48 == (START_POSITION & HEAD_POSITION) ? 0 : -EBADMSG;
}

/* The first that is not published: of the current ring, in which the last
   ones are. */
static uint64_t
find_end(const struct lane_writer *w, uint64_t head)
{
	const struct geometry *g = &w->view->geometry;
	uint64_t low = head, high, middle;

	if ((int64_t)(w->rings[w->current].begin - low) > 0)
		low = w->rings[w->current].begin;
	high = low + layout_ring_cells(g, w->current);
	while (low != high) {
		middle = low + (high - low) / 2;
		if (ring_bears(w, middle))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* No more than the rings have cells for: whoever goes through what is unread comes
   to an end. steps: by how many the head may be further. */
static int
check_backlog(const struct lane_writer *w, uint32_t steps)
{
	const struct geometry *g = &w->view->geometry;
	uint64_t most = steps;
	uint32_t i;

	for (i = 0; i < g->rings; i++)
		most += layout_ring_cells(g, i);
	return w->position - w->head <= most ? 0 : -EBADMSG;
}

int
ring_find_position(struct lane_writer *w, bool hollow)
{
	uint64_t head = START_POSITION, low48;
	uint32_t steps = 0;
	int r = 0;

	w->entry_known = w->lane < lane_entries(w->view);
	if (broadcast_is(w->view)) {
		/* relaxed: our predecessor is dead */
		w->floor = word64_load_relaxed(&w->file->floor);
		head = w->floor;
	} else if (w->entry_known) {
		low48 = head_position(bias_head_at_most(w->entry,
						head_make(head, 0), &steps));
		r = full_position(w, low48, &head);
	}
	if (r < 0)
		return r;
	w->head = head - steps;
	w->position = hollow ? head : find_end(w, head);
	return check_backlog(w, steps);
}

int
ring_inherit(struct lane_writer *w, uint64_t *ret_size)
{
	const struct geometry *g = &w->view->geometry;
	struct stat st;

	ring_start(w);
	/* relaxed: our predecessor is dead */
	w->rings[0].committed = word64_load_relaxed(&w->file->ring_committed);
	if (fstat(lane_file_fd(w), &st) < 0)
		return -errno;
	*ret_size = (uint64_t)st.st_size;
	return w->rings[0].committed > g->ring_cells ||
	       *ret_size < sizeof(struct lane_file) +
			   (w->rings[0].committed << g->cell_shift) ?
	       -EBADMSG : 0;
}
