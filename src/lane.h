/* SPDX-License-Identifier: MIT */
/* Layer 8. May include: base atomics clock shm liveness layout participants parcel claims carry doorbell broadcast bias. */
/*
 * A lane: the messages of one sender on their way to the receivers.
 *
 * The sender fills the cell at its own position and publishes it with one
 * store-release of the sequence word: no claim, no read-modify-write, no moment
 * in which half a message can be seen. Killed or stopped before the store it
 * has sent nothing, after it everything.
 *
 * A receiver looks at the cell at the head, copies it, and moves the head by
 * one CAS (or, alone, by one store: bias.h). The cell cannot change before the
 * head has passed it, so a CAS that succeeds proves that the copy is good.
 * Killed before the CAS: the message is still there. After: received.
 *
 * The ring has more cells than the capacity, so the last message sent is never
 * overwritten: a later owner of the lane reads there where it stands.
 */
#ifndef CUBBY_LANE_H
#define CUBBY_LANE_H

#include "base.h"
#include "atomics.h"
#include "bias.h"
#include "broadcast.h"
#include "carry.h"
#include "claims.h"
#include "doorbell.h"
#include "layout.h"
#include "liveness.h"
#include "parcel.h"

/* The sender's end ------------------------------------------------------- */

enum ring_use {
	RING_IDLE = 0,
	RING_LEFT,		/* the sender has gone on; not all are read */
	RING_CURRENT
};

/* What the sender knows of a ring. */
struct ring {
	enum ring_use use;
	bool kept;		/* all of its memory is there, and we know it */
	bool thin;		/* most of it has been given back */
	uint64_t begin;		/* the first of its messages */
	uint64_t end;		/* and the first that is elsewhere, if LEFT */
	uint64_t committed;	/* cells, see struct ring_place */
};

struct lane_writer {
	struct view *view;
	struct lane_file *file;
	char *ring;
	const struct lane_entry *entry;	/* not to be touched beyond
					   lanes_committed */
	uint64_t position;	/* of the next message */
	uint64_t limit;		/* room while position != limit */
	uint64_t head;		/* where the head was, at least */
	uint64_t drafts;	/* places reserved */
	uint64_t fetched;	/* the lines of cells up to there are here */
	uint32_t lane;
	uint32_t mask_cells;
	uint32_t cell_shift;
	bool entry_known;
	struct sleeper sleeper;
	struct mapping mapping;
	struct liveness life;
	int fd;			/* use it by lane_file_fd() */
	struct file_identity is;
	struct carry carry;	/* begun when the first block is needed */
	uint64_t turn;		/* see lane_rings.h */
	uint32_t current;	/* the ring that is sent into */
	struct ring rings[RINGS_MAX];
	uint64_t floor;		/* of a broadcast mailbox, see broadcast.h */
	struct departed departed;	/* of the same */
	int receivers;		/* of the same, if it waits: their file, open to
				   ask whether they live. Else -1 */
	struct file_identity receivers_is;
};

/* Its file, or -1: see shm_still(). */
static inline int
lane_file_fd(const struct lane_writer *writer)
{
	return shm_still(writer->fd, &writer->is);
}

/*
 * Gets a lane: with a name, that sender's; else one that a former unnamed
 * sender of this user has left; else a new one. Errors: -EBUSY (named, in
 * use), -EUSERS, -ENOSPC, -EOPNOTSUPP (needs an ACL, and there are none), and
 * the kernel's.
 */
int
lane_open_writer(struct view *view, const char *name, struct lane_writer *ret);

/*
 * Takes over lane N for a moment if this user's sender has left it, and gives
 * back the memory that nothing unread needs. One with a name is left to that
 * sender, who would be told -EBUSY meanwhile. 1: there was some; 0: none, or it
 * is in use. Errors: -ENOENT (other numbers may have one all the same).
 */
int
lane_sweep(struct view *view, uint32_t lane, uint64_t *ret_bytes);

/* Unlinks lanes of this user's whose makers died before they gave them a
   number. Returns how many. */
uint32_t
lane_sweep_unfinished(struct view *view);

/* Leaves the lane, with its backlog, to a successor. */
void
lane_close_writer(struct lane_writer *writer);

/* In a child after fork(): private memory alone. */
void
lane_forget_writer(struct lane_writer *writer);

/* Reads the head again, commits more of the ring. 0: there is room. -EAGAIN:
   full. Errors: -ENOSPC, -EBADMSG. */
int
lane_make_room(struct lane_writer *writer);

/* Room for one more message? */
static inline bool
lane_has_room(const struct lane_writer *writer)
{
	return likely(writer->position != writer->limit);
}

/* Have receivers cut the lane off, or was its file cut short? */
static inline bool
lane_is_broken(const struct lane_writer *writer)
{
	if (unlikely(shm_is_broken(&writer->mapping)))
		return true;
	/* relaxed: set once, for good */
	return likely(writer->entry_known) &&
	       word32_load_relaxed(&writer->entry->broken);
}

/* Where the head stands now, at least; 64 bits. Of a broadcast mailbox: what all
   have received for whom the sender waits. */
uint64_t
lane_passed(struct lane_writer *writer);

/* The first message whose block is still needed. */
uint64_t
lane_kept(struct lane_writer *writer);

/* A place in the capacity; the caller has seen that there is room. */
static inline void
lane_keep_place(struct lane_writer *writer)
{
	writer->drafts++;
	writer->limit--;
}

static inline void
lane_return_place(struct lane_writer *writer)
{
	writer->drafts--;
	writer->limit++;
}

/* Begins the account of the lane's blocks, with those that a predecessor has
   left in use. lane_allocate() does so by itself. Errors: -ENOMEM -EBADMSG. */
int
lane_start_carry(struct lane_writer *writer);

/* Memory for a message that does not fit into a cell. Errors: -ENOSPC ... */
int
lane_allocate(struct lane_writer *writer, uint64_t size, int64_t deadline,
	      uint64_t *ret_block);
void
lane_unallocate(struct lane_writer *writer, uint64_t block);

static inline void *
lane_block(const struct lane_writer *writer, uint64_t block)
{
	return (char *)writer->file + block;
}

/* Does a message of that size and type go into a cell? */
static FAST bool
lane_fits(const struct lane_writer *writer, const struct parcel *parcel)
{
	uint32_t wide = parcel->type > CELL_TYPE_MAX ? 8 : 0;

	return parcel->size + wide <= writer->view->geometry.inline_max;
}

static FAST struct cell *
lane_next_cell(const struct lane_writer *writer)
{
	return (struct cell *)(writer->ring +
		(layout_cell_index(writer->position, writer->mask_cells)
		 << writer->cell_shift));
}

/* Somebody may want to be told of what was published: the doorbell's bit, and
   who sleeps. */
void
lane_tell(struct lane_writer *writer);

/* The same after several: as many sleepers are told. */
void
lane_tell_of(struct lane_writer *writer, uint32_t count);

/* Publishes what has been put into the next cell, and wakes who sleeps. */
static FAST void
lane_publish(struct lane_writer *writer, struct cell *cell)
{
	/* LANE-R1 release: the message before its sequence. Pairs with
	   LANE-A1, LANE-A2, LANE-A12. */
	word64_store_release(&cell->sequence, ++writer->position);
	/* LANE-O1 compiler: the publish before the look at `hot`. Pairs with
	   BELL-M2. */
	order_compiler();
	/* relaxed: ordered after the publish by the cooler's membarrier; see
	   doorbell.h */
	if (unlikely(!writer->entry_known) ||
	    unlikely(!word32_load_relaxed(&writer->entry->hot)) ||
	    unlikely(doorbell_is_wanted(writer->view)))
		lane_tell(writer);
}

/* Puts a message that fits into it into a cell. */
static FAST void
lane_fill(struct cell *cell, const struct parcel *parcel, const void *data)
{
	word64 *bytes = cell->bytes;
	uint64_t size_type = parcel->size << 1 | parcel->type << 33;

	if (unlikely(parcel->type > CELL_TYPE_MAX)) {
		size_type = parcel->size << 1 | CELL_WIDE;
		/* relaxed: before LANE-R1 or LANE-R2 */
		word64_store_relaxed(bytes++, parcel->type);
	}
	if (unlikely(parcel->call))
		size_type |= CELL_CALL;
	/* relaxed: before LANE-R1 or LANE-R2 */
	word64_store_relaxed(&cell->tag, parcel->tag);
	word64_store_relaxed(&cell->size_type, size_type);
	copy_in_relaxed(bytes, data, parcel->size);
}

/* Sends a message that fits into a cell. There is room. */
static FAST void
lane_send(struct lane_writer *writer, const struct parcel *parcel,
	  const void *data)
{
	struct cell *cell = lane_next_cell(writer);

	lane_fill(cell, parcel, data);
	lane_publish(writer, cell);
}

/*
 * Fetches the lines of the cells that come next, for messages of about that
 * size, all at once.
 *
 * A processor sees only the next few stores of its store queue, and asks for
 * their lines. A message is a dozen stores, those of the caller included: so one
 * line or two are on their way at a time, and each costs a transfer. Here are
 * stores to lines alone, one after the other, and their transfers overlap. (A
 * prefetch for writing does less: it asks, and whoever waits for the line before
 * may take it away again.) The cells are free, and a sequence says what is in
 * them, so that any word of them may be stored to. After a message has been
 * published, so that it does not wait for the others. Returns 0.
 */
int
lane_fetch_lines(struct lane_writer *writer, uint64_t size);

static FAST bool
lane_fetch_is_due(const struct lane_writer *writer)
{
	return unlikely((int64_t)(writer->fetched - writer->position) <= 0);
}

/* Sends a message that has been put into a block. There is room. */
void
lane_send_block(struct lane_writer *writer, const struct parcel *parcel,
		uint64_t block);

/*
 * Several at once, for whose cells there is room. First each is put into the
 * cell that lies `ahead` cells beyond the next, from 0 on, without a gap; then
 * all are published: their sequences are stored in order, and the doorbell is
 * looked at once. Killed before the first sequence, nothing has been sent; before
 * the last, the first ones have.
 */
static FAST struct cell *
lane_cell_ahead(const struct lane_writer *writer, uint32_t ahead)
{
	return (struct cell *)(writer->ring +
		(layout_cell_index(writer->position + ahead, writer->mask_cells)
		 << writer->cell_shift));
}

/* Its lines, for a message of that size: it will be filled soon. As
   lane_fetch_lines(), of one. */
static FAST void
lane_fetch_ahead(const struct lane_writer *writer, uint32_t ahead,
		 uint64_t size)
{
	struct cell *cell = lane_cell_ahead(writer, ahead);

	/* relaxed: the cell is free, and its sequence stays */
	word64_store_relaxed(&cell->tag, 0);
	if (size > CACHE_LINE - CELL_HEADER && writer->cell_shift > 6)
		/* relaxed: as above */
		word64_store_relaxed(&cell->tag + CACHE_LINE / 8, 0);
}

/* The same as lane_fill(), of one that is no request, and was not made a moment
   ago. */
static FAST void
lane_fill_ahead(struct lane_writer *writer, uint32_t ahead,
		const struct parcel *parcel, const void *data)
{
	struct cell *cell = lane_cell_ahead(writer, ahead);
	word64 *bytes = cell->bytes;
	uint64_t size_type = parcel->size << 1 | parcel->type << 33;

	if (unlikely(parcel->type > CELL_TYPE_MAX)) {
		size_type = parcel->size << 1 | CELL_WIDE;
		/* relaxed: before LANE-R2 */
		word64_store_relaxed(bytes++, parcel->type);
	}
	/* relaxed: before LANE-R2 */
	word64_store_relaxed(&cell->tag, parcel->tag);
	word64_store_relaxed(&cell->size_type, size_type);
	copy_in_wide(bytes, data, parcel->size);
}

/* One that has been put into a block. */
void
lane_fill_block(struct lane_writer *writer, uint32_t ahead,
		const struct parcel *parcel, uint64_t block);

void
lane_publish_run(struct lane_writer *writer, uint32_t count);

/* The last message published; *ret_sequence 0: none yet. */
void
lane_last_published(const struct lane_writer *writer, uint64_t *ret_sequence,
		    uint64_t *ret_tag);

/* The receivers' end ----------------------------------------------------- */

struct lane_reader {
	struct view *view;
	const struct lane_file *file;
	const char *ring;
	struct lane_entry *entry;
	uint64_t position;	/* of the next message, as far as we know */
	uint64_t bias;		/* biased towards us: the head word; else 0 */
	uint32_t lane;
	uint32_t mask_cells;
	uint32_t cell_shift;
	uint64_t plain_min, plain_max;	/* sizes that lane_take_plain() takes */
	uint32_t taken;		/* messages, for warming and bias */
	uint32_t bias_after;
	uint32_t quiet;		/* looks in a row that found nothing */
	uint64_t caught_up;	/* the position at which there was nothing */
	int64_t caught_up_at;	/* and when */
	uint64_t turn;		/* of several rings: see lane_rings.h */
	uint64_t ring_from;	/* the present one has this many, from there */
	uint64_t ring_span;
	bool several;
	bool turned;		/* at the last look the turn word was new */
	char name[SENDER_NAME_MAX + 1];	/* as it was when mapped */
	uid_t uid;		/* the sender's, from the kernel */
	bool foreign;		/* another user: copy, then check */
	bool broken;
	bool told;		/* -EBADMSG has been returned once */
	struct mapping mapping;
};

/* A message seen, not taken. */
struct sight {
	uint64_t head;		/* the head word by which it was found */
	const struct cell *cell;
	const word64 *bytes;	/* in the cell */
	struct taken taken;
};

/*
 * Maps lane N. Errors: -ENOENT (no such lane), -EBADMSG (not a lane of this
 * mailbox: cut short, or planted; it has been cut off just now), -EACCES (the
 * same, and it has been told before; or it may not be read), -ENOSPC and the
 * kernel's.
 */
int
lane_open_reader(struct view *view, uint32_t lane, struct lane_reader *ret);
void
lane_close_reader(struct lane_reader *reader);
void
lane_forget_reader(struct lane_reader *reader);

/*
 * Is there a message? 1: *ret is the next. 0: no. -EAGAIN: another receiver was
 * faster, look again. -EBADMSG: what stands there makes no sense, and the lane
 * has been cut off, for all or, if it can be mapped anew, for us.
 */
int
lane_look(struct lane_reader *reader, struct sight *ret);

/*
 * Takes the message seen: the head moves past it and names the claim (plus 1;
 * 0: none). False: somebody else took it; look again. Wakes the sender if it
 * waits for that.
 */
bool
lane_take(struct lane_reader *reader, const struct sight *sight,
	  uint32_t claim_plus_1);

/*
 * As many of those that come next as lie in their cells and are plain, up to
 * `most` (at least 1: the one seen, which is in its cell), are copied into the
 * batch: it says in got and got_used what it would have then. Returns how many.
 */
uint32_t
lane_copy_run(const struct lane_reader *reader, const struct sight *sight,
	      uint32_t most, struct batch *batch);

/* Takes so many from the message seen on, all or none of them, as lane_take(). */
bool
lane_take_run(struct lane_reader *reader, const struct sight *sight,
	      uint32_t count);

/*
 * The same in three steps that cost no call, for the plain case: the lane is
 * biased towards us, and its next message lies in its cell and fits into the
 * buffer. First: copy it. False: it is not so; go the general way, lane_look()
 * and lane_take().
 */
static FAST bool
lane_copy_plain(const struct lane_reader *reader, void *buffer, uint64_t room,
		uint64_t *ret_size)
{
	uint64_t position = reader->position, size_type, size;
	const struct cell *cell = (const struct cell *)(reader->ring +
		(layout_cell_index(position, reader->mask_cells)
		 << reader->cell_shift));

	/* LANE-A9 acquire: as LANE-A1. Pairs with LANE-R1, LANE-R2. */
	if (!reader->bias ||
	    word64_load_acquire(&cell->sequence) != position + 1)
		return false;
	/* relaxed: after LANE-A9, and read once */
	size_type = word64_load_relaxed(&cell->size_type);
	size = cell_size_of(size_type);
	if (unlikely(size_type & (CELL_BLOCK | CELL_WIDE | CELL_CALL)) ||
	    unlikely(size < reader->plain_min) ||
	    unlikely(size > reader->plain_max) || unlikely(size > room))
		return false;
	/* relaxed: the cell does not change before BIAS-R1 */
	copy_out_relaxed(buffer, cell->bytes, size);
	*ret_size = size;
	return likely(!shm_is_broken(&reader->mapping));
}

/*
 * The same, told, and not copied yet: the message lies at *ret_bytes. It may be a
 * request.
 */
static FAST bool
lane_see_plain(const struct lane_reader *reader, uint64_t room,
	       struct taken *ret, const word64 **ret_bytes)
{
	uint64_t position = reader->position, size_type;
	const struct cell *cell = (const struct cell *)(reader->ring +
		(layout_cell_index(position, reader->mask_cells)
		 << reader->cell_shift));

	/* LANE-A13 acquire: as LANE-A1. Pairs with LANE-R1, LANE-R2. */
	if (!reader->bias ||
	    word64_load_acquire(&cell->sequence) != position + 1)
		return false;
	/* relaxed: after LANE-A13, and read once */
	size_type = word64_load_relaxed(&cell->size_type);
	ret->size = cell_size_of(size_type);
	if (unlikely(size_type & (CELL_BLOCK | CELL_WIDE)) ||
	    unlikely(ret->size < reader->plain_min) ||
	    unlikely(ret->size > reader->plain_max) ||
	    unlikely(ret->size > room))
		return false;
	ret->position = position;
	ret->lane = reader->lane;
	/* relaxed: after LANE-A13 */
	ret->tag = word64_load_relaxed(&cell->tag);
	ret->type = cell_type_of(size_type);
	ret->block = 0;
	ret->call = size_type & CELL_CALL;
	*ret_bytes = cell->bytes;
	return true;
}

/* Has it come? */
static inline bool
lane_has_plain(const struct lane_reader *reader)
{
	const struct cell *cell = (const struct cell *)(reader->ring +
		(layout_cell_index(reader->position, reader->mask_cells)
		 << reader->cell_shift));

	/* LANE-A10 acquire: as LANE-A1. Pairs with LANE-R1, LANE-R2. */
	return reader->bias && word64_load_acquire(&cell->sequence) ==
			       reader->position + 1;
}

/* Is it certain that nothing has come, and nothing is to be told? Only of a lane that
   is biased towards us, and has one ring: its next cell is new, or has the message
   of a round before. */
static inline bool
lane_is_empty_plain(const struct lane_reader *reader)
{
	const struct cell *cell = (const struct cell *)(reader->ring +
		(layout_cell_index(reader->position, reader->mask_cells)
		 << reader->cell_shift));
	uint64_t sequence;

	if (!reader->bias || reader->several || reader->broken)
		return false;
	/* LANE-A14 acquire: as LANE-A1. Pairs with LANE-R1, LANE-R2. */
	sequence = word64_load_acquire(&cell->sequence);
	if (sequence == reader->position + 1)
		return false;	/* there it is, even if that is 0 by now */
	if (sequence && sequence != reader->position + 1 -
				    reader->view->geometry.ring_cells)
		return false;
	/* relaxed: have we still got it? As in lane_look(). */
	return word64_load_relaxed(&reader->entry->head) == reader->bias &&
	       !shm_is_broken(&reader->mapping);
}

/* Second: move the head. False: the bias has been taken away; ask
   lane_keep_plain() whether the message is ours all the same. */
static FAST bool
lane_pass_plain(struct lane_reader *reader)
{
	return bias_store(reader->entry, reader->bias,
			  head_make(reader->position + 1, 0));
}

bool
lane_keep_plain(struct lane_reader *reader);

/* What a cell says of its message, whose position is set; the caller proves
   afterwards that it has not changed meanwhile. False: it makes no sense. */
bool
lane_read_cell(const struct lane_reader *reader, struct sight *sight);

/* Third: it is taken. True: its sender may want to be told, by
   lane_tell_sender(). */
static FAST bool
lane_taken_plain(struct lane_reader *reader)
{
	reader->position++;
	return doorbell_sender_is_waiting(reader->view, reader->file);
}

void
lane_tell_sender(struct lane_reader *reader);

/* Is the message seen still the next one (so that a copy of it is good)? */
bool
lane_is_next(const struct lane_reader *reader, const struct sight *sight);

/* Where a message's block lies, mapped; it has been checked. */
static inline const void *
lane_read_block(const struct lane_reader *reader, uint64_t block)
{
	return (const char *)reader->file + block;
}

/* Holds block, size to be within the lane's blocks. */
bool
lane_holds_block(const struct view *view, uint64_t block, uint64_t size);

/* A sole receiver biases the lane towards itself, when it pays. */
void
lane_consider_bias(struct lane_reader *reader, uint32_t slot);
void
lane_drop_bias(struct lane_reader *reader);

/* Is it cut off for all? */
static inline bool
lane_is_cut_off(const struct lane_reader *reader)
{
	/* relaxed: set once, for good */
	return word32_load_relaxed(&reader->entry->broken);
}

/* Cuts the lane off. */
void
lane_break(struct lane_reader *reader);

/* Both ------------------------------------------------------------------- */

/*
 * Puts in order what the dead owner of a slot has left: its claims, its biases.
 * Any number may do it at a time, and be stopped in the middle of it. ours: nobody
 * else can get the slot meanwhile. Returns how many messages went back.
 */
uint32_t
lane_repair_slot(struct view *view, uint32_t slot, bool ours);

/* How many lanes the receivers' file has memory for. */
uint32_t
lane_entries(const struct view *view);

/* The file name of lane N, into ret[16]. */
void
lane_name(uint32_t lane, char *ret);

#endif
