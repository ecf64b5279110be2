/* SPDX-License-Identifier: MIT */
/* Layer 9. May include: base atomics layout parcel doorbell broadcast lane heard. */
/*
 * Hearing one lane.
 *
 * A message is copied and then passed, by a store to the cursor. With
 * CUBBY_EVERY what is copied stays until then. With CUBBY_EVERY_OVERTAKE it may
 * be overwritten meanwhile, so the floor is looked at afterwards, also before
 * the lane is said to make no sense.
 *
 * What would break it: a look at the floor that the processor does before the
 * copy (CAST-F3), or a cursor that moves before the copy (CAST-R1).
 */
#include "base.h"
#include "broadcast.h"
#include "doorbell.h"
#include "heard.h"

#include <stdlib.h>

#define BEGIN_TRIES	100	/* floors that rose while we looked */
/* In one take, without a look at the clock: turns, and bytes copied in vain. */
#define OVERTAKEN_TRIES	100
#define VAIN_MAX	(UINT64_C(2) << 20)
#define WARM_AFTER	8	/* messages, before senders are spared the bit */

/* Opening ---------------------------------------------------------------- */

int
heard_open(struct listener *listener, uint32_t lane, struct heard **ret)
{
	struct heard *heard = calloc(1, sizeof(*heard));
	int r;

	if (!heard)
		return -ENOMEM;
	r = lane_open_reader(listener->view, lane, &heard->reader);
	if (r < 0) {
		free(heard);
		return r;
	}
	*ret = heard;
	return 0;
}

void
heard_close(struct heard *heard)
{
	lane_close_reader(&heard->reader);
	free(heard);
}

static uint64_t
floor_of(const struct heard *heard)
{
	/* CAST-A7 acquire: what is read next has not been overwritten, if it
	   lies above. Pairs with CAST-F1. */
	return word64_load_acquire(&heard->reader.file->floor);
}

static const struct cell *
cell_at(const struct heard *heard, uint64_t position)
{
	const struct lane_reader *reader = &heard->reader;

	return (const struct cell *)(reader->ring +
		(layout_cell_index(position, reader->mask_cells)
		 << reader->cell_shift));
}

/* Has the cell got memory? To look at one that has none would take some. */
static bool
bears(const struct heard *heard, uint64_t position)
{
	/* relaxed: rising; an old one leaves out what is being sent now */
	uint64_t committed = word64_load_relaxed(
		&heard->reader.file->ring_committed);

	if (position - START_POSITION >= committed &&
	    committed < heard->reader.view->geometry.ring_cells)
		return false;
	/* CAST-A8 acquire: only the sequence is read. Pairs with LANE-R1. */
	return word64_load_acquire(&cell_at(heard, position)->sequence) ==
	       position + 1;
}

/* The first that is not published, from `low` on: by halving. */
static uint64_t
find_end(const struct heard *heard, uint64_t low)
{
	uint64_t high = low + heard->reader.view->geometry.ring_cells, middle;

	while (low != high) {
		middle = low + (high - low) / 2;
		if (bears(heard, middle))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Where the messages end, and from where on they are there. */
static uint64_t
find_tail(const struct heard *heard, uint64_t *ret_floor)
{
	uint64_t floor = floor_of(heard), tail, again;
	int tries;

	for (tries = 0; tries < BEGIN_TRIES; tries++) {
		tail = find_end(heard, floor);
		/* CAST-F4 acquire: the cells, before the second look at the
		   floor. Pairs with CAST-F1. */
		atomics_fence_acquire();
		again = floor_of(heard);
		if (again == floor)
			break;
		floor = again;
	}
	*ret_floor = floor;
	return tries < BEGIN_TRIES ? tail : floor;
}

static uint64_t
choose_position(const struct heard *heard, uint64_t history)
{
	uint64_t floor, tail = find_tail(heard, &floor);

	if (history == HEARD_ALL)
		tail = START_POSITION;
	else
		tail -= min_u64(history, tail - floor);
	return (int64_t)(tail - floor) < 0 ? floor : tail;
}

int
heard_begin(struct listener *listener, struct heard *heard, uint64_t history)
{
	struct lane_cursor *cursor;
	int r;

	r = broadcast_cursor(listener->view, listener->slot,
			     heard->reader.lane, &cursor);
	if (r < 0)
		return r;
	heard->position = choose_position(heard, history);
	heard->cursor = cursor;
	broadcast_begin(cursor, heard->position);
	if (!listener->attends)
		return 0;
	heard_settle(heard);
	/* The lane was made since we joined. */
	if (!listener->waits)
		heard->missed = heard->position - START_POSITION;
	return 0;
}

void
heard_settle(struct heard *heard)
{
	uint64_t floor;
	int tries;

	for (tries = 0; tries < BEGIN_TRIES; tries++) {
		/* CAST-F2 seq_cst: the cursor and the bit, before the look at
		   the floor. Pairs with CAST-F1. */
		atomics_fence_seq_cst();
		floor = floor_of(heard);
		if ((int64_t)(heard->position - floor) >= 0)
			return;
		heard->position = floor;
		broadcast_move(heard->cursor, floor);
	}
}

/* Looking ---------------------------------------------------------------- */

/* The floor has risen above us: on from there, or, since there is little time
   there, the second time from the middle of what is there, and so on, but from
   the last message at the latest. */
static void
be_overtaken(struct heard *heard, uint64_t floor)
{
	uint64_t to = floor, there;

	if (heard->overtaken) {
		there = find_end(heard, floor) - floor;
		to += there - min_u64(there,
			max_u64(1, there >> min_u64(heard->overtaken, 63)));
	}
	heard->missed += to - heard->position;
	heard->position = to;
	broadcast_move(heard->cursor, to);
}

/* What has been read: does the floor still lie below it? */
static bool
is_whole(const struct heard *heard, uint64_t *ret_floor)
{
	/* CAST-F3 acquire: the copy, before the look at the floor. Pairs with
	   CAST-F1. */
	atomics_fence_acquire();
	/* relaxed: after CAST-F3 */
	*ret_floor = word64_load_relaxed(&heard->reader.file->floor);
	return (int64_t)(heard->position - *ret_floor) >= 0;
}

/* A new mapping of the same lane. Errors: those of lane_open_reader(). */
static int
map_anew(struct listener *listener, struct heard *heard)
{
	struct lane_reader reader;
	int r;

	r = lane_open_reader(listener->view, heard->reader.lane, &reader);
	if (r < 0)
		return r;
	lane_close_reader(&heard->reader);
	heard->reader = reader;
	return 0;
}

/*
 * There was no memory where we read. Overtaken, it may have been given back; so
 * that is looked at once more in another mapping. Then the lane has been cut
 * short.
 */
static int
read_nothing(struct listener *listener, struct heard *heard)
{
	if (heard->spoilt != heard->position + 1) {
		heard->spoilt = heard->position + 1;
		if (map_anew(listener, heard) == 0)
			return -EAGAIN;
	}
	lane_break(&heard->reader);
	return -EBADMSG;
}

/* What was read makes no sense. Overtaken? Else the lane is cut off. */
static int
doubt(struct listener *listener, struct heard *heard)
{
	uint64_t floor;

	if (shm_is_broken(&heard->reader.mapping))
		return read_nothing(listener, heard);
	if (!is_whole(heard, &floor)) {
		be_overtaken(heard, floor);
		return -EAGAIN;
	}
	lane_break(&heard->reader);
	return -EBADMSG;
}

/* 1: there is a message; 0: none; -EAGAIN: look again; -EBADMSG. */
static int
look(struct listener *listener, struct heard *heard, struct sight *sight)
{
	uint64_t sequence, ago, position = heard->position;

	if (unlikely(heard->reader.broken))
		return 0;
	sight->cell = cell_at(heard, position);
	/* CAST-A9 acquire: the sequence before the message. Pairs with
	   LANE-R1. */
	sequence = word64_load_acquire(&sight->cell->sequence);
	if (likely(sequence == position + 1)) {
		sight->taken.position = position;
		if (likely(lane_read_cell(&heard->reader, sight)) &&
		    likely(!(sight->taken.type & PARCEL_REGION)) &&
		    likely(!shm_is_broken(&heard->reader.mapping)))
			return 1;
		return doubt(listener, heard);
	}
	ago = position + 1 - sequence;
	if (likely(!sequence || (!(ago & heard->reader.mask_cells) &&
				 (int64_t)ago > 0)) &&
	    likely(!shm_is_broken(&heard->reader.mapping)))
		return 0;
	return doubt(listener, heard);
}

bool
heard_look(struct listener *listener, struct heard *heard)
{
	struct sight sight;

	if (heard->reader.broken)
		return !heard->reader.told;
	return look(listener, heard, &sight) != 0;
}

/* Taking ----------------------------------------------------------------- */

static void
tell_sender(struct heard *heard)
{
	const struct lane_reader *reader = &heard->reader;

	doorbell_ring_sender(reader->view, reader->file, reader->entry,
			     heard->position);
}

/* The number of a lane that has been read from is not used for another. */
static void
wear(struct lane_entry *entry)
{
	/* relaxed: see is_worn() in lane_owner.c; no other use is made of it */
	word64_store_relaxed(&entry->head, head_make(START_POSITION + 1, 0));
}

static void
pass(struct listener *listener, struct heard *heard)
{
	const struct lane_reader *reader = &heard->reader;

	heard->position++;
	heard->missed = 0;
	broadcast_move(heard->cursor, heard->position);
	if (unlikely(heard->taken++ < WARM_AFTER)) {
		wear(reader->entry);
		if (heard->taken == WARM_AFTER)
			doorbell_warm(listener->view, reader->lane);
	}
	if (listener->waits &&
	    unlikely(doorbell_sender_is_waiting(listener->view, reader->file)))
		tell_sender(heard);
}

static const word64 *
bytes_of(const struct heard *heard, const struct sight *sight)
{
	return !sight->taken.block ? sight->bytes :
	       lane_read_block(&heard->reader, sight->taken.block);
}

/* -EAGAIN: what was copied is worth nothing. */
static int
copy(struct listener *listener, struct heard *heard, const struct sight *sight,
     void *buffer)
{
	uint64_t floor;

	/* relaxed: proved below, or it stays until the cursor moves */
	copy_out_relaxed(buffer, bytes_of(heard, sight), sight->taken.size);
	if (unlikely(shm_is_broken(&heard->reader.mapping)))
		return read_nothing(listener, heard);
	if (listener->waits || likely(is_whole(heard, &floor)))
		return 0;
	be_overtaken(heard, floor);
	return -EAGAIN;
}

static void
list_held(struct listener *listener, struct cubby_message *message)
{
	message->previous = NULL;
	message->next = listener->held;
	if (message->next)
		message->next->previous = message;
	listener->held = message;
}

/* A copy of one's own, for nobody else is kept from having it. */
static int
hold(struct listener *listener, struct heard *heard, const struct sight *sight,
     struct wish *wish)
{
	struct cubby_message *message = calloc(1, sizeof(*message));
	int r = -ENOMEM;

	if (!message)
		return r;
	message->copy = malloc(max_u64(1, sight->taken.size));
	if (message->copy)
		r = copy(listener, heard, sight, message->copy);
	if (r < 0) {
		free(message->copy);
		free(message);
		return r;
	}
	message->data = message->copy;
	message->taken = sight->taken;
	message->uid = heard->reader.uid;
	message->deliveries = 1;
	message->missed = heard->missed;
	list_held(listener, message);
	wish->held = message;
	return 0;
}

int
heard_release(struct listener *listener, struct cubby_message *message)
{
	if (message->previous)
		message->previous->next = message->next;
	else
		listener->held = message->next;
	if (message->next)
		message->next->previous = message->previous;
	free(message->copy);
	free(message);
	return 0;
}

/* It is too large for the buffer, if it is the one. */
static int
too_large(struct listener *listener, struct heard *heard,
	  const struct sight *sight, struct wish *wish)
{
	uint64_t floor;

	if (!listener->waits && !is_whole(heard, &floor)) {
		be_overtaken(heard, floor);
		return -EAGAIN;
	}
	wish->taken.size = sight->taken.size;
	return -EMSGSIZE;
}

static int
take(struct listener *listener, struct heard *heard, const struct sight *sight,
     struct wish *wish)
{
	int r;

	if (wish->kind == WISH_LOOK)
		return HEARD_SEEN;
	if (wish->kind == WISH_HOLD)
		r = hold(listener, heard, sight, wish);
	else if (unlikely(sight->taken.size > wish->size))
		return too_large(listener, heard, sight, wish);
	else
		r = copy(listener, heard, sight, wish->buffer);
	if (unlikely(r < 0))
		return r;
	wish->taken = sight->taken;
	wish->uid = heard->reader.uid;
	wish->deliveries = 1;
	wish->missed = heard->missed;
	heard->overtaken = 0;
	if (wish->kind != WISH_PEEK)
		pass(listener, heard);
	return 0;
}

int
heard_take(struct listener *listener, struct heard *heard, struct wish *wish)
{
	struct sight sight;
	uint64_t vain = 0;
	uint32_t times;
	int r = 0;

	/* Each turn of this loop but the last is lost to the sender. */
	for (times = 0; times < OVERTAKEN_TRIES && vain < VAIN_MAX; times++) {
		r = look(listener, heard, &sight);
		if (r <= 0 && r != -EAGAIN)
			break;
		if (likely(r > 0)) {
			r = take(listener, heard, &sight, wish);
			if (likely(r >= 0))
				return r;
			vain += sight.taken.size;
		}
		if (r != -EAGAIN)
			break;
		heard->overtaken += wish->kind != WISH_LOOK;
	}
	if (unlikely(r == -EAGAIN))
		listener->vain = heard->active = true;
	else
		heard->overtaken = 0;
	if (unlikely(heard->reader.broken && !heard->reader.told)) {
		heard->reader.told = wish->kind != WISH_LOOK;
		return -EBADMSG;
	}
	return r == 0 || r == -EBADMSG ? -EAGAIN : r;
}
