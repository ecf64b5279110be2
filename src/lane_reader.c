/* SPDX-License-Identifier: MIT */
/* Layer 8. May include: base atomics shm layout participants claims doorbell bias futex lane lane_rings. */
/*
 * The receivers' end of a lane.
 *
 * Everything read here was written by another process, perhaps a hostile one,
 * and may change while it is read: sizes and offsets are read once, checked,
 * and only then used; positions are masked. A lane that makes no sense is cut
 * off, after a second look at the head has shown that it was not just
 * overtaken.
 */
#include "base.h"
#include "futex.h"
#include "lane.h"
#include "lane_rings.h"
#include "participants.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define WARM_AFTER	8	/* messages, before senders are spared the bit */
#define BIAS_AFTER	16	/* and then twice as many, up to */
#define BIAS_AFTER_MAX	4096

/* Tests alone let them start elsewhere than at 0. */
static void
start_counters(struct lane_entry *entry)
{
	uint64_t decision = 0;
	uint32_t room = 0, polled = 0;

	/* LANE-C4 acq_rel: as LANE-C2. Pairs with LANE-A3. */
	word64_cas_acq_rel(&entry->decision, &decision, START_DECISION);
	/* LANE-C5 acq_rel: as LANE-C2. Pairs with LANE-A3. */
	word32_cas_acq_rel(&entry->room, &room, START_EVENTS);
	/* LANE-C6 acq_rel: as LANE-C2. Pairs with LANE-A3. */
	word32_cas_acq_rel(&entry->polled, &polled, START_EVENTS);
}

/* Memory for the entries of all lanes up to this one. */
static int
commit_entries(struct view *view, uint32_t lane)
{
	struct receivers_file *file = view->receivers;
	uint32_t seen = lane_entries(view), end, i;
	uint64_t offset, fresh;
	int fd, r;

	if (lane < seen)
		return 0;
	end = (uint32_t)round_up(lane + 1, LANES_PER_PAGE);
	offset = offsetof(struct receivers_file, lanes) +
		 seen * sizeof(struct lane_entry);
	fd = shm_open_at(view_directory(view), RECEIVERS, O_RDWR, NULL);
	if (fd < 0)
		return fd;
	r = shm_commit(fd, offset, (end - seen) * sizeof(struct lane_entry),
		       INT64_MAX);
	close(fd);
	if (r < 0)
		return r;
	for (i = seen; i < end && START_POSITION; i++) {
		fresh = 0;
		/* LANE-C2 acq_rel: another may have done it, and more. Pairs
		   with LANE-C1. */
		word64_cas_acq_rel(&file->lanes[i].head, &fresh,
				   head_make(START_POSITION, 0));
		start_counters(&file->lanes[i]);
	}
	/* LANE-C3 acq_rel: after the commit. Pairs with LANE-A3. */
	while (seen < end &&
	       !word32_cas_acq_rel(&file->lanes_committed, &seen, end))
		;
	futex_wake(&file->lanes_committed, INT32_MAX);
	return 0;
}

static int
map_lane(struct view *view, const char *name, struct lane_reader *reader)
{
	struct stat st;
	int fd, r;

	fd = shm_open_at(view_lanes(view), name, O_RDONLY, &st);
	if (fd < 0)
		return fd;
	reader->uid = st.st_uid;
	reader->foreign = st.st_uid != geteuid();
	r = shm_map(fd, view->geometry.lane_length, PROT_READ,
		    &reader->mapping);
	close(fd);
	if (r < 0)
		return r;
	reader->file = reader->mapping.address;
	r = layout_check_identity(&reader->file->identity, view->uuid);
	if (r == 0 && shm_is_broken(&reader->mapping))
		r = -EBADMSG;
	if (r < 0) {
		shm_unmap(&reader->mapping);
		reader->mapping.address = NULL;
		return -EBADMSG;
	}
	return 0;
}

/* What bears a lane's name, and is none. The first to see it tells. */
static int
cut_off(struct lane_entry *entry)
{
	/* relaxed: set once, for good; told twice is no harm */
	if (word32_load_relaxed(&entry->broken))
		return -EACCES;
	/* relaxed: as above */
	word32_store_relaxed(&entry->broken, 1);
	return -EBADMSG;
}

int
lane_open_reader(struct view *view, uint32_t lane, struct lane_reader *ret)
{
	struct lane_reader reader = { .view = view, .lane = lane };
	char name[16];
	bool bad;
	int r;

	lane_name(lane, name);
	r = map_lane(view, name, &reader);
	if (r < 0 && r != -EBADMSG)
		return r;
	bad = r < 0;
	r = commit_entries(view, lane);
	if (r < 0) {
		shm_unmap(&reader.mapping);
		return r;
	}
	reader.entry = &view->receivers->lanes[lane];
	if (bad)
		return cut_off(reader.entry);
	reader.ring = (const char *)(reader.file + 1);
	reader.mask_cells = (uint32_t)view->geometry.ring_mask;
	reader.cell_shift = view->geometry.cell_shift;
	reader.several = view->geometry.rings > 1;
	reader.position = START_POSITION;
	reader.plain_max = min_u64(view->attributes.message_max,
				   view->geometry.inline_max);
	reader.plain_min = view->attributes.sizing ?
			   view->attributes.message_max : 0;
	reader.bias_after = BIAS_AFTER;
	memcpy(reader.name, reader.file->name, SENDER_NAME_MAX);
	/* relaxed: cut off once, for good */
	reader.broken = word32_load_relaxed(&reader.entry->broken);
	reader.told = reader.broken;
	*ret = reader;
	return 0;
}

void
lane_close_reader(struct lane_reader *reader)
{
	lane_drop_bias(reader);
	shm_unmap(&reader->mapping);
}

void
lane_forget_reader(struct lane_reader *reader)
{
	shm_forget(&reader->mapping);
}

static const struct cell *
cell_at(const struct lane_reader *reader, uint64_t position)
{
	return (const struct cell *)(reader->ring +
		(layout_cell_index(position, reader->mask_cells)
		 << reader->cell_shift));
}

/* The ring that position lies in becomes the present one. False: the turn word
   makes no sense. */
static bool
enter_ring(struct lane_reader *reader, uint64_t position)
{
	const struct geometry *g = &reader->view->geometry;
	uint64_t turn;
	uint32_t ring;

	/* RING-A2 acquire: the turn word, and then its place and the cells.
	   Pairs with RING-R3. */
	turn = word64_load_acquire(&reader->file->turn);
	reader->turned = turn != reader->turn;
	if (turn == reader->turn &&
	    ((position - reader->ring_from) & HEAD_POSITION) <
		    reader->ring_span)
		return true;
	if (turn_ring(turn) >= g->rings)
		return false;
	ring = rings_find(reader->file, g, turn, position, &reader->ring_span);
	reader->turn = turn;
	reader->ring_from = position;
	reader->ring = (const char *)reader->file + layout_ring_offset(g, ring);
	reader->mask_cells = (uint32_t)(layout_ring_cells(g, ring) - 1);
	return true;
}

/* Has the sender turned to another ring since we looked for ours? Then it had
   not sent then what we look for. */
static bool
has_turned(const struct lane_reader *reader)
{
	/* RING-A3 acquire: as RING-A2. Pairs with RING-R3. */
	return word64_load_acquire(&reader->file->turn) != reader->turn;
}

/* For us alone: nothing is taken from it any more. */
static void
stop_reading(struct lane_reader *reader)
{
	reader->broken = true;
	reader->plain_min = 1;
	reader->plain_max = 0;
}

void
lane_break(struct lane_reader *reader)
{
	stop_reading(reader);
	/* relaxed: a flag, for good; fellows that miss it find out themselves */
	word32_store_relaxed(&reader->entry->broken, 1);
}

/*
 * Our mapping had no memory. If the head has gone on, or we have just gone to
 * another ring, that was a page that had been given back while we stood still,
 * and only our mapping is spoilt; another one is made when we sweep, and there is
 * nothing to tell. Else the lane is cut short.
 */
static int
read_nothing(struct lane_reader *reader, const struct sight *sight)
{
	if (lane_is_next(reader, sight) && !reader->turned) {
		lane_break(reader);
	} else {
		stop_reading(reader);
		reader->told = true;
	}
	return -EBADMSG;
}

bool
lane_is_next(const struct lane_reader *reader, const struct sight *sight)
{
	/* LANE-F1 acquire: what was read, before the second look. Pairs with
	   LANE-C1, LANE-F3, CARRY-F1. */
	atomics_fence_acquire();
	if (reader->bias)
		/* relaxed: ours, unless it was taken away; see bias.h */
		return word64_load_relaxed(&reader->entry->head) ==
		       reader->bias;
	/* relaxed: after LANE-F1 */
	return word64_load_relaxed(&reader->entry->head) == sight->head;
}

bool
lane_read_cell(const struct lane_reader *reader, struct sight *sight)
{
	const struct attributes *a = &reader->view->attributes;
	const struct cell *cell = sight->cell;
	uint64_t size_type, size, room = reader->view->geometry.inline_max;
	struct taken *taken = &sight->taken;

	/* relaxed: after the acquire of the sequence; proved by the caller */
	size_type = word64_load_relaxed(&cell->size_type);
	taken->tag = word64_load_relaxed(&cell->tag);
	size = cell_size_of(size_type);
	taken->size = size;
	taken->type = cell_type_of(size_type);
	taken->call = size_type & CELL_CALL;
	taken->block = 0;
	taken->lane = reader->lane;
	sight->bytes = cell->bytes;
	if (unlikely(size_type & CELL_WIDE)) {
		/* relaxed: as above */
		taken->type = word64_load_relaxed(sight->bytes++);
		room -= 8;
	}
	if (unlikely(a->sizing) ? size != a->message_max
				: size > a->message_max)
		return false;
	if (likely(!(size_type & CELL_BLOCK)))
		return size <= room;
	/* relaxed: as above */
	taken->block = word64_load_relaxed(sight->bytes);
	return lane_holds_block(reader->view, taken->block, size);
}

/* Of several rings each may have stood still for long: any of the rounds
   before, then. */
static bool
is_of_before(const struct lane_reader *reader, uint64_t sequence,
	     uint64_t position)
{
	uint64_t ago = position + 1 - sequence;

	return !(ago & reader->mask_cells) && (int64_t)(ago << 16) > 0;
}

/* There is no message at the head; is that possible? */
static int
check_empty(struct lane_reader *reader, const struct sight *sight,
	    uint64_t sequence, uint64_t position)
{
	uint64_t before = position + 1 - reader->view->geometry.ring_cells;

	if (unlikely(shm_is_broken(&reader->mapping)))
		return read_nothing(reader, sight);
	if (unlikely(reader->several) && !lane_is_next(reader, sight))
		return -EAGAIN;	/* and in another ring, it may be */
	if (likely(sequence == 0 ||
		   ((sequence ^ before) & HEAD_POSITION) == 0))
		return 0;
	if (reader->several && (is_of_before(reader, sequence, position) ||
				has_turned(reader)))
		return 0;
	if (!lane_is_next(reader, sight))
		return -EAGAIN;	/* overtaken */
	lane_break(reader);
	return -EBADMSG;
}

static int
look_at(struct lane_reader *reader, struct sight *sight, uint64_t position)
{
	uint64_t sequence;

	if (unlikely(reader->several) && !enter_ring(reader, position)) {
		lane_break(reader);
		return -EBADMSG;
	}
	sight->cell = cell_at(reader, position);
	/* LANE-A1 acquire: the sequence before the message. Pairs with
	   LANE-R1, LANE-R2. */
	sequence = word64_load_acquire(&sight->cell->sequence);
	if (((sequence ^ (position + 1)) & HEAD_POSITION) != 0)
		return check_empty(reader, sight, sequence, position);
	sight->taken.position = sequence - 1;
	if (likely(lane_read_cell(reader, sight)) &&
	    likely(!shm_is_broken(&reader->mapping)))
		return 1;
	if (shm_is_broken(&reader->mapping))
		return read_nothing(reader, sight);
	if (!lane_is_next(reader, sight))
		return -EAGAIN;	/* overtaken */
	lane_break(reader);
	return -EBADMSG;
}

/* Has the head, biased as it may be, gone beyond position? */
static bool
has_moved(const struct lane_reader *reader, uint64_t position)
{
	uint64_t head = head_position(bias_head(reader->entry, position));

	return ((head ^ position) & HEAD_POSITION) != 0;
}

/* The lane is biased towards somebody else: only if there is a message do we
   take that away. */
static int
look_beyond_bias(struct lane_reader *reader, struct sight *sight)
{
	uint64_t position;
	uint32_t steps;
	int r;

	position = position_near(reader->position,
		head_position(bias_head_at_most(reader->entry,
						reader->position, &steps)));

	reader->position = position;
	if (unlikely(reader->several) && !enter_ring(reader, position)) {
		lane_break(reader);
		return -EBADMSG;
	}
	/* One that somebody is taking away already is ended in any case: it is
	   not known yet where to look.
	   LANE-A2 acquire: as LANE-A1. Pairs with LANE-R1, LANE-R2. */
	if (!steps &&
	    ((word64_load_acquire(&cell_at(reader, position)->sequence) ^
	      (position + 1)) & HEAD_POSITION) != 0)
		return unlikely(reader->several) &&
		       has_moved(reader, position) ? -EAGAIN : 0;
	if (!bias_revoke(reader->entry))
		return 0;
	/* LANE-A4 acquire: as LANE-A5. Pairs with LANE-C1. */
	sight->head = word64_load_acquire(&reader->entry->head);
	if (bias_is_set(sight->head))
		return -EAGAIN;
	position = position_near(position, head_position(sight->head));
	r = look_at(reader, sight, position);
	reader->position = r > 0 ? sight->taken.position : position;
	/* Whoever waits for room has been waiting for the biased head. */
	doorbell_advanced(reader->view, reader->file, reader->entry, position);
	return r;
}

int
lane_look(struct lane_reader *reader, struct sight *ret)
{
	uint64_t position;
	int r;

	if (unlikely(reader->broken))
		return 0;
	if (reader->bias) {
		r = look_at(reader, ret, reader->position);
		/* relaxed: have we still got it? Overtaken: we have not. */
		if (r != -EAGAIN &&
		    (r || likely(word64_load_relaxed(&reader->entry->head) ==
				 reader->bias)))
			return r;
		lane_drop_bias(reader);
	}
	/* LANE-A5 acquire: the head before the cell; and what its claim says.
	   Pairs with LANE-C1, LANE-C2, BIAS-C3. */
	ret->head = word64_load_acquire(&reader->entry->head);
	if (unlikely(bias_is_set(ret->head)))
		return look_beyond_bias(reader, ret);
	position = position_near(reader->position, head_position(ret->head));
	r = look_at(reader, ret, position);
	reader->position = r > 0 ? ret->taken.position : position;
	return r;
}

/* The head is at the message: let the claim that took the one before it be
   settled, then move the head. */
static bool
take_by_cas(struct lane_reader *reader, const struct sight *sight,
	    uint64_t next)
{
	uint32_t named = head_claim(sight->head);
	uint64_t head = sight->head;

	if (unlikely(named))
		claims_settle(reader->view, named - 1, reader->lane,
			      head_position(head - 1));
	/* LANE-C1 acq_rel: the copy before the head, which lets the sender
	   overwrite it. Pairs with LANE-A5, LANE-A6, BIAS-A2. */
	return word64_cas_acq_rel(&reader->entry->head, &head, next);
}

/* The head moves on by so many. bias: what the owner of the bias stores. */
static FAST bool
take(struct lane_reader *reader, const struct sight *sight, uint32_t count,
     uint64_t next, uint64_t bias)
{
	uint64_t position = sight->taken.position + count;

	if (reader->bias) {
		if (unlikely(!bias_advance(reader->entry, reader->bias, bias))) {
			lane_drop_bias(reader);
			return false;
		}
	} else if (!take_by_cas(reader, sight, next)) {
		return false;
	}
	reader->position = position;
	reader->quiet = 0;
	reader->taken += count;
	/* relaxed: only we, or a fellow, change it; a wrong guess is harmless */
	if (reader->taken >= WARM_AFTER &&
	    unlikely(!word32_load_relaxed(&reader->entry->hot)))
		doorbell_warm(reader->view, reader->lane);
	doorbell_advanced(reader->view, reader->file, reader->entry, position);
	return true;
}

bool
lane_take(struct lane_reader *reader, const struct sight *sight,
	  uint32_t claim_plus_1)
{
	uint64_t next = head_make(sight->taken.position + 1, claim_plus_1);

	return take(reader, sight, 1, next, next);
}

bool
lane_take_run(struct lane_reader *reader, const struct sight *sight,
	      uint32_t count)
{
	uint64_t position = sight->taken.position + count;

	return take(reader, sight, count, head_make(position, 0),
		    bias_next(position, count));
}

COLD bool
lane_keep_plain(struct lane_reader *reader)
{
	if (!bias_lost(reader->entry, reader->bias,
		       head_make(reader->position + 1, 0)))
		return true;
	lane_drop_bias(reader);
	return false;
}

COLD void
lane_tell_sender(struct lane_reader *reader)
{
	doorbell_ring_sender(reader->view, reader->file, reader->entry,
			     reader->position);
}

void
lane_consider_bias(struct lane_reader *reader, uint32_t slot)
{
	uint64_t head;

	if (likely(reader->bias || reader->taken < reader->bias_after) ||
	    reader->view->fences)
		return;
	reader->taken = WARM_AFTER;
	if (reader->bias_after < BIAS_AFTER_MAX)
		reader->bias_after *= 2;
	if (!participants_alone(reader->view, slot))
		return;
	/* LANE-A6 acquire: the head, and its claim. Pairs with LANE-C1. */
	head = word64_load_acquire(&reader->entry->head);
	if (bias_is_set(head))
		return;
	if (head_claim(head))
		claims_settle(reader->view, head_claim(head) - 1,
			      reader->lane, head_position(head - 1));
	reader->bias = bias_take(reader->entry, slot, head);
	reader->position = position_near(reader->position,
					 head_position(head));
}

void
lane_drop_bias(struct lane_reader *reader)
{
	if (!reader->bias)
		return;
	bias_leave(reader->entry, reader->bias);
	reader->bias = 0;
	reader->taken = 0;
	/* A sender that looked in between may have seen one message less. */
	doorbell_advanced(reader->view, reader->file, reader->entry,
			  reader->position);
}
