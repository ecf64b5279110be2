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
 * requests. What else comes ends the run, and is dealt with by itself when it is
 * the next. So does what makes no sense: only at the head can it be told from a
 * message that has been overtaken.
 */
#include "base.h"
#include "envelope.h"
#include "lane.h"

#define FETCH_AHEAD	8	/* cells */

/* What its envelope says of the message at that position. */
static COLD void
describe(const struct lane_reader *reader, const struct cell *cell,
	 uint64_t position, const struct cubby_batch_entry *entry)
{
	struct taken taken = {
		.position = position, .lane = reader->lane, .size = entry->size,
	};

	/* relaxed: the cell does not change before the head has passed it */
	taken.tag = word64_load_relaxed(&cell->tag);
	taken.type = cell_type_of(word64_load_relaxed(&cell->size_type));
	envelope_describe(&taken, reader->uid, 1, 0, 0, entry->envelope);
}

/* What the loop needs of a reader, in registers: what it writes might be one. */
struct cells {
	const char *ring;
	uint64_t mask;
	uint32_t shift;
	uint64_t plain_min, plain_span;
};

static FAST const struct cell *
cell_at(const struct cells *cells, uint64_t position)
{
	return (const struct cell *)(cells->ring +
		(layout_cell_index(position, cells->mask) << cells->shift));
}

/* Its lines, if they are not here by then. */
static FAST void
fetch(const struct cells *cells, uint64_t position)
{
	const char *cell = (const char *)cell_at(cells, position);

	__builtin_prefetch(cell);
	if (cells->shift > 6)
		__builtin_prefetch(cell + CACHE_LINE);
}

/* Is there a plain message at that position? *ret_size: how large. */
static FAST bool
look(const struct cells *cells, const struct cell *cell, uint64_t position,
     uint64_t *ret_size)
{
	uint64_t size_type, size;

	/* LANE-A12 acquire: as LANE-A1. Pairs with LANE-R1, LANE-R2. */
	if (word64_load_acquire(&cell->sequence) != position + 1)
		return false;
	/* relaxed: after LANE-A12, and read once */
	size_type = word64_load_relaxed(&cell->size_type);
	size = cell_size_of(size_type);
	*ret_size = size;
	return likely(!(size_type & (CELL_BLOCK | CELL_WIDE | CELL_CALL))) &&
	       likely(size - cells->plain_min <= cells->plain_span);
}

uint32_t
lane_copy_run(const struct lane_reader *reader, const struct sight *sight,
	      uint32_t most, struct batch *batch)
{
	const struct cells cells = {
		.ring = reader->ring,
		.mask = reader->mask_cells,
		.shift = reader->cell_shift,
		.plain_min = reader->plain_min,
		.plain_span = reader->plain_max - reader->plain_min,
	};
	struct cubby_batch_entry *entry = batch->entries + batch->filled;
	uint64_t position = sight->taken.position, size = sight->taken.size;
	uint64_t end = position + most, begin, used = batch->used;
	const uint64_t room = batch->size;
	char *const buffer = batch->buffer;
	const struct cell *cell = sight->cell;
	const word64 *bytes = sight->bytes;

	begin = batch_begin(batch, used);
	for (;;) {
		if (position + FETCH_AHEAD < end)
			fetch(&cells, position + FETCH_AHEAD);
		/* relaxed: proved by lane_take_run() */
		copy_out_wide(buffer + begin, bytes, size);
		entry->data = buffer + begin;
		entry->size = size;
		if (unlikely(entry->envelope))
			describe(reader, cell, position, entry);
		used = begin + size;
		begin = round_up(used, BATCH_ALIGN);
		entry++;
		if (++position == end || !batch_is_good(entry))
			break;
		cell = cell_at(&cells, position);
		bytes = cell->bytes;
		if (!look(&cells, cell, position, &size) ||
		    unlikely(begin + size > room))
			break;
	}
	batch->got = (uint32_t)(position - sight->taken.position);
	batch->got_used = used;
	return batch->got;
}
