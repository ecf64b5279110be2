/* SPDX-License-Identifier: MIT */
/* Layer 4. May include: base atomics shm layout. */
/*
 * Where things lie, computed from a mailbox's attributes, and whether a file is
 * one of ours. Everything here may be handed bytes from anywhere.
 */
#include "base.h"
#include "layout.h"

#include <cubby.h>

_Static_assert(sizeof(struct receiver_slot) == 64, "a cache line");
_Static_assert(sizeof(struct lane_entry) == 256, "two pairs of lines");
_Static_assert(offsetof(struct lane_entry, head) == 64, "second of its pair");
_Static_assert(offsetof(struct lane_entry, hot) == 192, "second of its pair");
_Static_assert(offsetof(struct receivers_file, lanes_committed) == 256, "");
_Static_assert(offsetof(struct receivers_file, attention) == 448, "");
_Static_assert(sizeof(struct inbox) == 64, "a cache line");
_Static_assert(offsetof(struct receivers_file, inbox) == 2624,
	       "second of its pair");
_Static_assert(offsetof(struct receivers_file, audience) == 2752,
	       "second of its pair");
_Static_assert(sizeof(struct lane_cursor) == 64, "a cache line");
_Static_assert(offsetof(struct receivers_file, slots) == PAGE, "one page");
_Static_assert(sizeof(struct claim) == 64, "a cache line");
_Static_assert(sizeof(struct cell) == CELL_HEADER, "");
_Static_assert(sizeof(struct lane_file) == PAGE, "one page");
_Static_assert(offsetof(struct lane_file, sleep) == 256, "its own pair");
_Static_assert(offsetof(struct lane_file, places) == 320, "their own lines");
_Static_assert(RINGS_MAX < 256, "8 bits of a turn word");
_Static_assert(sizeof(struct doorbell_file) == PAGE, "one page");
_Static_assert(CLAIMS_MAX < (1 << 15), "claim + 1 must fit below HEAD_BIASED");

/* As many rings as hold what the memory limit allows; and three, so that there
   is always another to turn to. */
static uint32_t
count_rings(const struct attributes *a, const struct geometry *g)
{
	uint64_t wanted = a->memory_limit >> g->cell_shift;
	uint32_t rings = 3;

	while (rings < RINGS_MAX &&
	       layout_ring_cells(g, rings) - g->ring_cells < wanted &&
	       layout_ring_cells(g, rings + 1) <= RINGS_CELLS_MAX)
		rings++;
	return rings;
}

/* The cells of a lane: of one ring, or of several. */
static void
set_rings(const struct attributes *a, struct geometry *g)
{
	g->ring_cells = power_of_2_from(a->capacity + 1);
	g->rings = 1;
	/* What may be overwritten is told for many messages at a time. */
	if (a->delivery == CUBBY_EVERY_OVERTAKE)
		g->ring_cells = power_of_2_from(a->capacity + a->capacity / 4 +
						OVERTAKE_AT_ONCE);
	if (a->buffering == CUBBY_UNLIMITED) {
		g->ring_cells = max_u64(RING_FIRST_CELLS,
					RING_FIRST >> g->cell_shift);
		g->rings = count_rings(a, g);
	}
	g->ring_mask = g->ring_cells - 1;
}

int
layout_geometry(const struct attributes *attributes, struct geometry *ret)
{
	const struct attributes *a = attributes;
	struct geometry g;

	if ((a->buffering == CUBBY_LIMITED) != (a->capacity != 0) ||
	    a->capacity > CAPACITY_MAX ||
	    a->message_max > MESSAGE_LIMIT ||
	    a->memory_limit > (UINT64_C(1) << 44) ||
	    !is_power_of_2(a->cell_size) || a->cell_size < CELL_MIN ||
	    a->cell_size > CELL_MAX || a->sizing > 1 || a->lifetime > 1 ||
	    a->order > 2 || a->buffering > 2 || a->mode > 0777 ||
	    a->delivery > CUBBY_EVERY_OVERTAKE ||
	    (a->delivery && (a->order || a->buffering)))
		return -EINVAL;
	g.cell_shift = __builtin_ctz(a->cell_size);
	set_rings(a, &g);
	g.inline_max = a->cell_size - CELL_HEADER;
	g.claim_stride = sizeof(struct claim) +
			 round_up(g.inline_max, CACHE_LINE);
	g.cursors_offset = round_up(sizeof(struct receivers_file) +
				    g.claim_stride * CLAIMS_MAX, PAGE);
	g.receivers_length = g.cursors_offset;
	if (a->delivery)
		g.receivers_length += (uint64_t)RECEIVERS_MAX * LANES_MAX *
				      sizeof(struct lane_cursor);
	g.blocks_offset = round_up(layout_ring_offset(&g, g.rings), PAGE);
	/* Blocks are powers of two: address space for twice the limit lets the
	   limit itself be reached with messages of any size. */
	g.blocks_length = a->message_max + 8 <= g.inline_max ? 0 :
			  power_of_2_from(max_u64(2 * a->memory_limit,
						  2 * a->message_max));
	g.lane_length = g.blocks_offset + g.blocks_length;
	if (g.lane_length > SIZE_MAX / 2)
		return -ENOMEM;
	*ret = g;
	return 0;
}

static uint32_t
hash_u32(uint32_t hash, uint64_t value)
{
	int i;

	/* FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/ */
	for (i = 0; i < 8; i++, value >>= 8)
		hash = (hash ^ (value & 255)) * UINT32_C(16777619);
	return hash;
}

uint32_t
layout_fingerprint(void)
{
	static const uint64_t shape[] = {
		sizeof(struct identity), sizeof(struct attributes),
		sizeof(struct receiver_slot), sizeof(struct lane_entry),
		offsetof(struct receiver_slot, polls),
		offsetof(struct lane_entry, bias),
		offsetof(struct lane_entry, room),
		offsetof(struct lane_entry, polled),
		offsetof(struct lane_entry, hot),
		offsetof(struct receiver_slot, pid_namespace),
		offsetof(struct lane_file, pid_namespace),
		sizeof(struct claim), sizeof(struct cell),
		offsetof(struct receivers_file, attributes),
		offsetof(struct receivers_file, state),
		offsetof(struct receivers_file, attention),
		offsetof(struct receivers_file, chunk_owner),
		offsetof(struct receivers_file, inbox),
		offsetof(struct receivers_file, audience),
		offsetof(struct receiver_slot, cursors),
		offsetof(struct receiver_slot, shared),
		sizeof(struct lane_cursor), offsetof(struct lane_cursor, known),
		OVERTAKE_AT_ONCE,
		offsetof(struct receivers_file, lanes),
		sizeof(struct receivers_file),
		offsetof(struct lane_file, name),
		offsetof(struct lane_file, ring_committed),
		offsetof(struct lane_file, sleep),
		offsetof(struct lane_file, wanted), sizeof(struct lane_file),
		offsetof(struct lane_file, turn),
		offsetof(struct lane_file, floor),
		offsetof(struct lane_file, reply), CELL_TYPE_MAX,
		offsetof(struct lane_file, polls),
		offsetof(struct lane_file, places), RINGS_MAX, RING_FIRST,
		RING_FIRST_CELLS, RING_CHUNK, RINGS_CELLS_MAX,
		offsetof(struct doorbell_file, ringing),
		offsetof(struct doorbell_file, events),
		offsetof(struct doorbell_file, polled),
		sizeof(struct doorbell_file),
		LANES_MAX, RECEIVERS_MAX, CLAIM_CHUNKS, CLAIMS_PER_CHUNK,
		START_POSITION, CUBBY_START_COUNTERS, LAYOUT_QUEUE,
	};
	const uint32_t byte_order = 0x01020304;
	uint8_t first;
	uint32_t hash = UINT32_C(2166136261);
	size_t i;

	memcpy(&first, &byte_order, 1);
	hash = hash_u32(hash, first);
	for (i = 0; i < ARRAY_SIZE(shape); i++)
		hash = hash_u32(hash, shape[i]);
	return hash;
}

void
layout_identify(struct identity *identity, const uint8_t uuid[16])
{
	identity->magic = LAYOUT_MAGIC;
	identity->version = LAYOUT_VERSION;
	identity->fingerprint = layout_fingerprint();
	memcpy(identity->uuid, uuid, 16);
}

int
layout_check_identity(const struct identity *identity, const uint8_t *uuid)
{
	struct identity copy = *identity;

	if (copy.magic == __builtin_bswap64(LAYOUT_MAGIC))
		return -EPROTO;
	if (copy.magic != LAYOUT_MAGIC)
		return -EBADMSG;
	if (copy.version != LAYOUT_VERSION ||
	    copy.fingerprint != layout_fingerprint())
		return -EPROTO;
	if (uuid && memcmp(copy.uuid, uuid, 16))
		return -EBADMSG;
	return 0;
}
