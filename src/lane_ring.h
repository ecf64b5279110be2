/* SPDX-License-Identifier: MIT */
/* Layer 8. May include: base lane. */
/*
 * The ring of a lane, for the one who owns it (or is making it): its memory,
 * and where the lane stands. For lane_*.c alone.
 */
#ifndef CUBBY_LANE_RING_H
#define CUBBY_LANE_RING_H

#include "base.h"
#include "lane.h"

/* Cells that a first commit covers: a page of them, or all if the ring does not
   begin at its first cell. */
uint64_t
ring_first_cells(const struct geometry *geometry);

/* Memory for that many cells from the first on. Errors: shm_commit()'s. */
int
ring_commit(struct lane_writer *writer, uint64_t cells);

/* A new lane: so that an empty cell of the first round never bears a valid
   sequence. */
void
ring_clear(struct lane_writer *writer);

/* Gives back the pages of the ring but for those of the last message and of the
   next. */
void
ring_hollow(struct lane_writer *writer);

/* Does the position's cell bear its message? The lane is ours. */
bool
ring_bears(const struct lane_writer *writer, uint64_t position);

/* Locked, and ours from now on: where it stands. Errors: -EBADMSG (it makes no
   sense), and those of a commit. */
int
ring_settle_in(struct lane_writer *writer);

#endif
