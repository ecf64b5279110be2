/* SPDX-License-Identifier: MIT */
/* Layer 7. May include: base atomics shm liveness layout participants doorbell broadcast. */
/*
 * The words of a broadcast mailbox that its receivers write: who is in the
 * audience, and how far each is. broadcast.h has the protocol.
 */
#include "base.h"
#include "broadcast.h"
#include "doorbell.h"
#include "participants.h"

#include <fcntl.h>
#include <unistd.h>

#define VOICE_TRIES 8	/* of bytes that somebody has locked */

static uint64_t
slot_bit(uint32_t slot)
{
	return UINT64_C(1) << (slot & 63);
}

/* The sender's end ------------------------------------------------------- */

/* The slots of one word that are in the audience, and have memory. */
static uint64_t
audience(const struct view *view, uint32_t word)
{
	uint32_t slots = participants_slots(view);

	if (word * 64 >= slots)
		return 0;
	/* CAST-A1 acquire: the bit, and then the cursors. Pairs with CAST-C1,
	   CAST-C2. */
	return word64_load_acquire(&view->receivers->audience[word]);
}

/* Of one slot. Behind by more than was ever sent, or ahead: see broadcast.h. */
static uint64_t
lag_of(const struct view *view, uint32_t slot, uint32_t lane, uint64_t position)
{
	const struct lane_cursor *cursor = layout_cursor(view->receivers,
						    &view->geometry, slot,
						    lane);
	uint64_t next = START_POSITION;

	/* CAST-A3 acquire: below this, the memory is committed. Pairs with
	   CAST-R3. */
	if (lane < word32_load_acquire(&view->receivers->slots[slot].cursors) &&
	    /* CAST-A4 acquire: that there is one, and then where. Pairs with
	       CAST-R2. */
	    word32_load_acquire(&cursor->known))
		/* CAST-A2 acquire: what it has read, before that is
		   overwritten. Pairs with CAST-R1. */
		next = word64_load_acquire(&cursor->next);
	return (int64_t)(position - next) > 0 ? position - next : 0;
}

static uint64_t
generation_of(const struct view *view, uint32_t slot)
{
	/* CAST-A5 acquire: whose it is, before it is asked whether he lives.
	   Pairs with CAST-C1, PART-R6. */
	return word64_load_acquire(&view->receivers->slots[slot].generation);
}

static bool
has_departed(const struct view *view, uint32_t slot,
	     const struct departed *departed)
{
	/* Generations begin with 1. */
	return departed && departed->generation[slot] &&
	       departed->generation[slot] == generation_of(view, slot);
}

uint64_t
broadcast_lag(const struct view *view, uint32_t lane, uint64_t position,
	      const struct departed *departed)
{
	uint64_t bits, most = 0;
	uint32_t word, slot;

	for (word = 0; word < RECEIVERS_MAX / 64; word++)
		for (bits = audience(view, word); bits; bits &= bits - 1) {
			slot = word * 64 + (uint32_t)__builtin_ctzll(bits);
			if (!has_departed(view, slot, departed))
				most = max_u64(most, lag_of(view, slot, lane,
							    position));
		}
	return most;
}

/* fd: the receivers' file. 1, 0, or -errno. */
static int
is_alive(const struct view *view, uint32_t slot, int fd, uint64_t generation)
{
	uint64_t byte = broadcast_voice(slot, generation);

	/* relaxed: after CAST-A5 */
	return word32_load_relaxed(&view->receivers->slots[slot].shared) ?
	       liveness_ask_shared(fd, byte) : liveness_ask(fd, byte);
}

static bool
find_departed(const struct view *view, uint32_t slot, int fd,
	      struct departed *departed)
{
	uint64_t generation = generation_of(view, slot);

	if (has_departed(view, slot, departed) ||
	    is_alive(view, slot, fd, generation) != 0)
		return false;
	departed->generation[slot] = generation;
	return true;
}

bool
broadcast_find_departed(const struct view *view, int fd, uint32_t lane,
			uint64_t position, struct departed *departed)
{
	uint32_t word, slot;
	bool found = false;
	uint64_t bits;

	for (word = 0; word < RECEIVERS_MAX / 64; word++)
		for (bits = audience(view, word); bits; bits &= bits - 1) {
			slot = word * 64 + (uint32_t)__builtin_ctzll(bits);
			if (lag_of(view, slot, lane, position))
				found |= find_departed(view, slot, fd,
						       departed);
		}
	return found;
}

/* The receiver's end ----------------------------------------------------- */

/* Nobody but who has the slot's JOINING byte comes here. */
static void
clear_cursors(struct view *view, uint32_t slot)
{
	/* relaxed: changed by owners of the slot alone */
	uint32_t lane, count = word32_load_relaxed(
		&view->receivers->slots[slot].cursors);

	for (lane = 0; lane < count && lane < LANES_MAX; lane++)
		/* relaxed: before the bit is set, by CAST-C1 */
		word32_store_relaxed(&layout_cursor(view->receivers,
						    &view->geometry, slot,
						    lane)->known, 0);
}

/*
 * The next generation's. One whose byte is still another's, who dies just now, is
 * passed over. Who may only send can lock all of them for reading: then ours is for
 * reading, too.
 */
static int
take_voice(struct view *view, uint32_t slot, struct liveness *ret)
{
	word64 *generation = &view->receivers->slots[slot].generation;
	/* relaxed: only who has the slot changes it */
	uint64_t last = word64_load_relaxed(generation);
	int tries, r = -EAGAIN;

	for (tries = 0; r == -EAGAIN && tries < VOICE_TRIES; tries++) {
		r = liveness_take_at(view_directory(view), RECEIVERS,
				     broadcast_voice(slot, slot_next(last)), ret);
		if (r == -EAGAIN)
			/* relaxed: as above */
			word64_store_relaxed(generation, last = slot_next(last));
	}
	/* relaxed: before the generation, PART-R6 */
	word32_store_relaxed(&view->receivers->slots[slot].shared,
			     r == -EAGAIN);
	return r != -EAGAIN ? r :
	       liveness_share_at(view_directory(view), RECEIVERS,
				 broadcast_voice(slot, slot_next(last)), ret);
}

int
broadcast_prepare(struct view *view, uint32_t slot, struct liveness *ret_voice)
{
	if (broadcast_leave(view, slot))
		broadcast_stir(view);
	clear_cursors(view, slot);
	return take_voice(view, slot, ret_voice);
}

static int
commit_cursors(struct view *view, uint32_t slot, uint32_t from, uint32_t to)
{
	const struct geometry *g = &view->geometry;
	uint64_t offset = g->cursors_offset + sizeof(struct lane_cursor) *
			  (slot * (uint64_t)LANES_MAX + from);
	int fd, r;

	fd = shm_open_at(view_directory(view), RECEIVERS, O_RDWR, NULL);
	if (fd < 0)
		return fd;
	r = shm_commit(fd, offset, (to - from) * sizeof(struct lane_cursor),
		       INT64_MAX);
	close(fd);
	if (r == 0)
		/* CAST-R3 release: after the commit. Pairs with CAST-A3. */
		word32_store_release(&view->receivers->slots[slot].cursors,
				     to);
	return r;
}

int
broadcast_cursor(struct view *view, uint32_t slot, uint32_t lane,
		 struct lane_cursor **ret)
{
	/* relaxed: our own */
	uint32_t seen = word32_load_relaxed(
		&view->receivers->slots[slot].cursors);
	int r = 0;

	if (lane >= seen)
		r = commit_cursors(view, slot,
				   (uint32_t)round_down(seen, CURSORS_PER_PAGE),
				   (uint32_t)round_up(lane + 1,
						      CURSORS_PER_PAGE));
	if (r == 0)
		*ret = layout_cursor(view->receivers, &view->geometry, slot,
				     lane);
	return r;
}

void
broadcast_begin(struct lane_cursor *cursor, uint64_t position)
{
	broadcast_move(cursor, position);
	/* CAST-R2 release: where, before that there is one. Pairs with
	   CAST-A4. */
	word32_store_release(&cursor->known, 1);
}

void
broadcast_enter(struct view *view, uint32_t slot)
{
	/* CAST-C1 acq_rel: the cursors, before they count. Pairs with CAST-A1,
	   CAST-A5. */
	word64_or_acq_rel(&view->receivers->audience[slot / 64],
			  slot_bit(slot));
}

bool
broadcast_leave(struct view *view, uint32_t slot)
{
	/* CAST-C2 acq_rel: out, before the cursors are used anew. Pairs with
	   CAST-A1. */
	return word64_and_acq_rel(&view->receivers->audience[slot / 64],
				  ~slot_bit(slot)) & slot_bit(slot);
}

void
broadcast_stir(struct view *view)
{
	uint32_t lane, lanes;

	/* CAST-A6 acquire: below this, the memory is committed. Pairs with
	   LANE-C3. */
	lanes = word32_load_acquire(&view->receivers->lanes_committed);
	for (lane = 0; lane < lanes && lane < LANES_MAX; lane++)
		doorbell_stir_sender(view, lane);
}
