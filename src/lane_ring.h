/* SPDX-License-Identifier: MIT */
/* Layer 8. May include: base lane. */
/*
 * The ring of a lane, for the one who owns it (or is making it): its memory,
 * and where the lane stands. For lane_*.c alone. A lane without a limit has
 * several: lane_rings.h.
 */
#ifndef CUBBY_LANE_RING_H
#define CUBBY_LANE_RING_H

#include "base.h"
#include "lane.h"

/* Cells that a first commit covers: a page of them. */
uint64_t
ring_first_cells(const struct geometry *geometry);

/* As a new lane stands: nothing but the first ring, and no memory yet. */
void
ring_start(struct lane_writer *writer);

/* Memory for that many cells of the first ring, from the first on. Errors:
   shm_commit()'s. */
int
ring_commit(struct lane_writer *writer, uint64_t cells);

/* As much again, or all of a ring of ordinary size. */
int
ring_commit_more(struct lane_writer *writer);

/*
 * Of so many positions, whose cells have memory and say 0, one may bear the
 * sequence 0 in the lower 48 bits: its cell would look published. Makes it say that
 * it is of the round before.
 */
void
ring_clear(struct lane_writer *writer, uint32_t ring, uint64_t from,
	   uint64_t count);

/* Gives back the pages of a ring, but for those of the cells of position and of
   the one before. */
void
ring_hollow(struct lane_writer *writer, uint32_t ring, uint64_t position);

/* The cell of a position, in the ring that it lies in. */
struct cell *
ring_cell(const struct lane_writer *writer, uint64_t position);

/* Does the position's cell bear its message? The lane is ours. */
bool
ring_bears(const struct lane_writer *writer, uint64_t position);

/* What a predecessor's file says of the (first) ring's memory; *ret_size: the
   file's. Errors: -EBADMSG. */
int
ring_inherit(struct lane_writer *writer, uint64_t *ret_size);

/*
 * Where the lane stands: the messages from the head on are published without a
 * gap, so the first that is not is found by halving. Not in a ring with holes,
 * from which everything has been received. Errors: -EBADMSG (the head is not of
 * this lane).
 */
int
ring_find_position(struct lane_writer *writer, bool hollow);

#endif
