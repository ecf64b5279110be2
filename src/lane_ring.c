/* SPDX-License-Identifier: MIT */
/* Layer 8. May include: base atomics shm layout bias lane lane_ring. */
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

/* Memory --------------------------------------------------------------------- */

uint64_t
ring_first_cells(const struct geometry *g)
{
	if (START_POSITION)
		return g->ring_cells;
	return min_u64(g->ring_cells, max_u64(2, PAGE >> g->cell_shift));
}

int
ring_commit(struct lane_writer *w, uint64_t cells)
{
	const struct geometry *g = &w->view->geometry;
	int r;

	r = shm_commit(w->fd, 0, sizeof(struct lane_file) +
		       (cells << g->cell_shift), INT64_MAX);
	if (r < 0)
		return r;
	w->ring_committed = cells;
	/* relaxed: for a later owner, who comes after our lock has gone */
	word64_store_relaxed(&w->file->ring_committed, cells);
	return 0;
}

void
ring_clear(struct lane_writer *w)
{
	uint64_t i, cells = w->view->geometry.ring_cells, position;

	for (i = 0; START_POSITION && i < cells; i++) {
		position = START_POSITION + i;
		/* relaxed: the lane has no name yet */
		word64_store_relaxed(&layout_cell(w->file, &w->view->geometry,
						  position)->sequence,
				     position + 1 - cells);
	}
}

void
ring_hollow(struct lane_writer *w)
{
	const struct geometry *g = &w->view->geometry;
	uint64_t base = sizeof(struct lane_file), page, end, cell[2], i;

	for (i = 0; i < 2; i++)
		cell[i] = round_down(base + (((w->position - i) & g->ring_mask)
					     << g->cell_shift), PAGE);
	end = round_down(base + (w->ring_committed << g->cell_shift), PAGE);
	/* relaxed: for the next owner; before the memory goes */
	word32_store_relaxed(&w->file->ring_hollow, 1);
	for (page = base; page < end; page += PAGE)
		if (page != cell[0] && page != cell[1])
			shm_give_back(w->fd, page, PAGE);
}

/* Where it stands ------------------------------------------------------------ */

static bool
is_committed(const struct lane_writer *w, uint64_t position)
{
	return (position & w->mask_cells) < w->ring_committed;
}

bool
ring_bears(const struct lane_writer *w, uint64_t position)
{
	const struct cell *cell = layout_cell(w->file, &w->view->geometry,
					      position);

	/* relaxed: our predecessor is dead, and the lock tells so */
	return is_committed(w, position) &&
	       word64_load_relaxed(&cell->sequence) == position + 1;
}

/* The head's 64 bits: its cell, or the one before, tells the upper 16. Errors:
   -EBADMSG (neither does, and it is not where a lane begins). */
static int
full_position(const struct lane_writer *w, uint64_t low48, uint64_t *ret)
{
	uint64_t i, sequence, position;

	for (i = 0; i < 2; i++) {
		position = low48 - i;
		if (!is_committed(w, position))
			continue;
		/* relaxed: as above */
		sequence = word64_load_relaxed(
			&layout_cell(w->file, &w->view->geometry,
				     position)->sequence);
		if (((sequence ^ (position + 1)) & HEAD_POSITION) == 0) {
			*ret = sequence - 1 + i;
			return 0;
		}
	}
	*ret = START_POSITION;
	return low48 == (START_POSITION & HEAD_POSITION) ? 0 : -EBADMSG;
}

/*
 * Where the lane stands: the messages from the head on are published without a
 * gap, so the first that is not is found by halving. Errors: -EBADMSG (the head
 * is not of this lane).
 */
static int
find_position(struct lane_writer *w)
{
	uint64_t head = START_POSITION, low, high, middle;
	int r = 0;

	w->entry_known = w->lane < lane_entries(w->view);
	if (w->entry_known)
		r = full_position(w, head_position(bias_head(w->entry,
			head_make(head, 0))), &head);
	if (r < 0)
		return r;
	low = head;
	high = head + w->view->geometry.ring_cells;
	while (low != high) {
		middle = low + (high - low) / 2;
		if (ring_bears(w, middle))
			low = middle + 1;
		else
			high = middle;
	}
	w->head = head;
	w->position = low;
	return 0;
}

int
ring_settle_in(struct lane_writer *w)
{
	const struct geometry *g = &w->view->geometry;
	struct stat st;
	int r;

	/* relaxed: our predecessor is dead */
	w->ring_committed = word64_load_relaxed(&w->file->ring_committed);
	if (fstat(w->fd, &st) < 0)
		return -errno;
	if (w->ring_committed > g->ring_cells ||
	    (uint64_t)st.st_size < sizeof(struct lane_file) +
				   (w->ring_committed << g->cell_shift))
		return -EBADMSG;
	/* relaxed: as above */
	if (word32_load_relaxed(&w->file->ring_hollow)) {
		r = ring_commit(w, w->ring_committed);
		if (r < 0)
			return r;
		/* relaxed: as above */
		word32_store_relaxed(&w->file->ring_hollow, 0);
	}
	return find_position(w);
}
