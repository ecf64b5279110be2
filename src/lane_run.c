/* SPDX-License-Identifier: MIT */
/* Layer 8. May include: base atomics layout envelope parcel bias lane. */
/*
 * Several messages of a lane at once, for one receiver.
 *
 * From the message that was seen on, those whose sequence has come are copied,
 * one after the other, and then the head moves past all of them in one step
 * (lane_take_run()). No cell from the head on changes before the head has passed
 * it, so that one step proves all copies good; if it fails, none of them counts.
 * Killed before it, the receiver has received nothing, after it all.
 *
 * Only plain messages are taken so: in their cells, without a wide type, and no
 * requests. What
 * else comes ends the run, and is dealt with by itself when it is the next. So
 * does what makes no sense: only at the head can it be told from a message that
 * has been overtaken.
 */
#include "base.h"
#include "envelope.h"
#include "lane.h"

/* What the batch says of a message that it has. */
static FAST void
enter(const struct lane_reader *reader, struct batch *batch, uint32_t number,
      const struct taken *taken)
{
	struct cubby_batch_entry *entry =
		&batch->entries[batch->filled + number];
	uint64_t begin = batch_begin(batch, batch->got_used);

	entry->data = batch->buffer + begin;
	entry->size = taken->size;
	if (unlikely(entry->envelope))
		envelope_describe(taken, reader->uid, 1, 0, 0,
				  entry->envelope);
	batch->got_used = begin + taken->size;
}

static FAST const struct cell *
cell_at(const struct lane_reader *reader, uint64_t position)
{
	return (const struct cell *)(reader->ring +
		((position & reader->mask_cells) << reader->cell_shift));
}

/* Copies the message at taken->position, if it has come, is plain and fits. */
static FAST bool
copy_next(const struct lane_reader *reader, struct batch *batch,
	  struct taken *taken)
{
	const struct cell *cell = cell_at(reader, taken->position);
	uint64_t begin = batch_begin(batch, batch->got_used);
	uint64_t size_type;

	/* LANE-A12 acquire: as LANE-A1. Pairs with LANE-R1, LANE-R2. */
	if (word64_load_acquire(&cell->sequence) != taken->position + 1)
		return false;
	/* relaxed: after LANE-A12, and read once */
	size_type = word64_load_relaxed(&cell->size_type);
	taken->size = cell_size_of(size_type);
	if (unlikely(size_type & (CELL_BLOCK | CELL_WIDE | CELL_CALL)) ||
	    unlikely(taken->size < reader->plain_min) ||
	    unlikely(taken->size > reader->plain_max) ||
	    unlikely(taken->size > batch->size - begin))
		return false;
	taken->type = cell_type_of(size_type);
	/* relaxed: the cell does not change before the head has passed it */
	taken->tag = word64_load_relaxed(&cell->tag);
	copy_out_relaxed(batch->buffer + begin, cell->bytes, taken->size);
	return true;
}

uint32_t
lane_copy_run(const struct lane_reader *reader, const struct sight *sight,
	      uint32_t most, struct batch *batch)
{
	const struct cubby_batch_entry *entries =
		batch->entries + batch->filled;
	struct taken taken = sight->taken;
	uint32_t count = 0;

	batch->got_used = batch->used;
	/* relaxed: proved by lane_take_run() */
	copy_out_relaxed(batch->buffer + batch_begin(batch, batch->used),
			 sight->bytes, taken.size);
	do {
		enter(reader, batch, count, &taken);
		taken.position++;
	} while (++count < most && batch_is_good(&entries[count]) &&
		 copy_next(reader, batch, &taken));
	batch->got = count;
	return count;
}
