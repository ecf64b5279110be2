/* SPDX-License-Identifier: MIT */
/* Layer 9. May include: base pointers atomics spin exclusion shm liveness layout participants claims doorbell lane taking answers. */
/*
 * Taking one message.
 *
 *	small, copied	copy the cell, then move the head: received at that
 *			instant
 *	large, copied	alone (biased), or without memory for a claim: copy the
 *			block, then move the head; with others about: claim it,
 *			copy, free the claim, so that they do not copy the same
 *			megabyte
 *	held		claim it; the bytes of a small one go into the record,
 *			a large one stays in its block
 *	peeked		copy, and look whether it is still the next
 *	a request	alone: say in its caller's reply file that we have it,
 *			then as others; else claim it first (layout_reply.h).
 *			One that nobody waits for is taken, and dropped
 *
 * What lies in a lane of another user may change while it is read, whatever
 * the head says, so a held message of his is copied at once, and read there.
 */
#include "base.h"
#include "liveness.h"
#include "pointers.h"
#include "taking.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* Lanes ------------------------------------------------------------------ */

/*
 * Opens lane `lane`. What is not there, or was planted in its place, stays NULL;
 * what we have not got the means for is remembered, and told to the caller.
 */
static int
open_lane(struct receiver *receiver, uint32_t lane)
{
	struct lane_reader **lanes = pointers_with(receiver->lanes,
						   &receiver->room, lane);
	struct lane_reader *reader = malloc(sizeof(*reader));
	int r;

	if (lanes)
		receiver->lanes = lanes;
	if (!lanes || !reader) {
		free(reader);
		return receiver->trouble = -ENOMEM;
	}
	r = lane_open_reader(receiver->view, lane, reader);
	if (r == 0) {
		receiver->lanes[lane] = reader;
		return 0;
	}
	free(reader);
	if (r != -ENOENT && r != -EACCES)
		receiver->trouble = r;
	return r;
}

bool
taking_open_next(struct receiver *receiver)
{
	int r;

	if (receiver->known == LANES_MAX)
		return false;
	r = open_lane(receiver, receiver->known);
	if (r < 0 && r != -EBADMSG && r != -EACCES)
		return false;
	receiver->known++;
	return true;
}

/*
 * Numbers are given without a gap; but who made a lane may remove it, and then
 * the lanes above it are there all the same.
 */
struct lane_reader *
taking_lane(struct receiver *receiver, uint32_t lane, int *ret_error)
{
	*ret_error = 0;
	if (lane >= LANES_MAX)
		return NULL;
	while (lane > receiver->known && taking_open_next(receiver))
		;
	if (likely(lane < receiver->known && receiver->lanes[lane]))
		return receiver->lanes[lane];
	*ret_error = open_lane(receiver, lane);
	if (*ret_error == 0 && receiver->known <= lane)
		receiver->known = lane + 1;
	return *ret_error == 0 ? receiver->lanes[lane] : NULL;
}

void
taking_reopen(struct receiver *receiver, uint32_t lane)
{
	struct lane_reader *reader = receiver->lanes[lane];

	if (!reader || !reader->broken || receiver->held ||
	    lane_is_cut_off(reader))
		return;
	lane_close_reader(reader);
	free(reader);
	receiver->lanes[lane] = NULL;
	if (receiver->turn == reader) {
		receiver->turn = NULL;
		receiver->burst = 0;
	}
	open_lane(receiver, lane);
}

/* 1, or 0. Errors: of what the process has run out of. */
static int
has_gone(const struct view *view, uint32_t lane)
{
	char name[16];
	int fd, r;

	lane_name(lane, name);
	fd = shm_open_at(view_lanes(view), name, O_RDONLY, NULL);
	if (fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM)
		return fd;
	if (fd < 0)
		return fd == -ENOENT;
	r = liveness_ask(fd, 0);
	close(fd);
	return r < 0 ? r : !r;
}

int
taking_have_gone(struct receiver *receiver, const char *name)
{
	const struct lane_reader *reader;
	uint32_t lane;
	int r, gone = 0;

	while (taking_open_next(receiver))
		;
	for (lane = 0; lane < receiver->known; lane++) {
		reader = receiver->lanes[lane];
		if (!reader || strcmp(reader->name, name))
			continue;
		r = has_gone(receiver->view, lane);
		if (r != 1)
			return r;
		gone = 1;
	}
	return gone;
}

/* Claims ----------------------------------------------------------------- */

static int
find_claim(struct receiver *receiver, uint32_t *ret)
{
	int r;

	while ((*ret = claims_find_free(receiver->view, receiver->slot)) ==
	       CLAIM_NONE) {
		r = claims_extend(receiver->view, receiver->slot);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Steps 1 to 3 of claims.h. -EAGAIN: somebody else was faster. */
static int
claim(struct receiver *receiver, struct lane_reader *reader,
      const struct sight *sight, uint32_t *ret_claim, uint64_t *ret_word)
{
	char bytes[CELL_MAX];
	uint64_t intent;
	bool small = !sight->taken.block;
	int r;

	r = find_claim(receiver, ret_claim);
	if (r < 0)
		return r;
	if (small)
		/* relaxed: proved by lane_take() */
		copy_out_relaxed(bytes, sight->bytes, sight->taken.size);
	intent = claims_intend(receiver->view, *ret_claim, receiver->slot,
			       &sight->taken, small ? bytes : NULL);
	if (!lane_take(reader, sight, *ret_claim + 1)) {
		claims_reset(receiver->view, *ret_claim, intent);
		return -EAGAIN;
	}
	claims_confirm(receiver->view, *ret_claim, intent);
	*ret_word = claim_with(intent, receiver->slot, CLAIM_HELD);
	return 0;
}

/* From a lane ------------------------------------------------------------ */

static int
copy_by_claim(struct receiver *receiver, struct lane_reader *reader,
	      const struct sight *sight, void *buffer)
{
	uint64_t word;
	uint32_t number;
	int r;

	r = claim(receiver, reader, sight, &number, &word);
	if (r < 0)
		return r;
	r = taking_copy_block(reader, &sight->taken, buffer);
	claims_free(receiver->view, number, word);
	if (r < 0)
		lane_break(reader);
	return r;
}

/* With those that come next, as far as there is room and its turn goes. */
static int
copy_run(struct lane_reader *reader, const struct sight *sight,
	 struct batch *batch)
{
	uint32_t most = (uint32_t)min_u64(batch->count - batch->filled,
					  BATCH_STEP);
	uint32_t count = lane_copy_run(reader, sight, most, batch);

	if (unlikely(shm_is_broken(&reader->mapping)) ||
	    unlikely(!lane_take_run(reader, sight, count))) {
		batch->got = 0;
		return -EAGAIN;
	}
	return 0;
}

static int
copy(struct receiver *receiver, struct lane_reader *reader,
     const struct sight *sight, void *buffer)
{
	const struct taken *taken = &sight->taken;
	int r;

	if (likely(!taken->block)) {
		/* relaxed: proved by lane_take() */
		copy_out_relaxed(buffer, sight->bytes, taken->size);
		if (unlikely(shm_is_broken(&reader->mapping)))
			return -EAGAIN;	/* the next look cuts it off */
	} else {
		r = reader->bias ? -ENOSPC :
		    copy_by_claim(receiver, reader, sight, buffer);
		if (r != -ENOSPC)
			return r;
		/* relaxed: proved by lane_take(). Alone, or without memory for
		   a claim: another may copy it too; one of us gets it. */
		copy_out_wide(buffer, lane_read_block(reader, taken->block),
			      taken->size);
		if (shm_is_broken(&reader->mapping))
			return -EAGAIN;
	}
	return likely(lane_take(reader, sight, 0)) ? 0 : -EAGAIN;
}

static int
peek(struct lane_reader *reader, const struct sight *sight, void *buffer)
{
	const struct taken *taken = &sight->taken;

	/* relaxed: proved by lane_is_next() */
	copy_out_relaxed(buffer, taken->block ?
			 lane_read_block(reader, taken->block) : sight->bytes,
			 taken->size);
	if (shm_is_broken(&reader->mapping))
		return -EAGAIN;
	return lane_is_next(reader, sight) ? 0 : -EAGAIN;
}

/* called: of a request; else NULL. */
static int
take_hold(struct receiver *receiver, struct lane_reader *reader,
	  const struct sight *sight, const struct called *called,
	  struct wish *wish)
{
	struct cubby_message *held;
	int r;

	r = taking_prepare_hold(receiver, reader, &sight->taken, &held);
	if (r < 0)
		return r;
	r = claim(receiver, reader, sight, &held->claim, &held->word);
	if (r == 0 && called &&
	    !taking_own(receiver, called, held->claim, held->word))
		r = -EAGAIN;
	if (r < 0) {
		taking_unprepare_hold(receiver, held);
		return r;
	}
	taking_begin_hold(receiver, reader, held, &sight->taken);
	wish->held = held;
	return 0;
}

/* Others may be at it. */
static int
copy_request_by_claim(struct receiver *receiver, struct lane_reader *reader,
		      const struct sight *sight, const struct called *called,
		      struct wish *wish)
{
	const struct taken *taken = &sight->taken;
	uint32_t number;
	uint64_t word;
	int r;

	r = claim(receiver, reader, sight, &number, &word);
	if (r < 0)
		return r;
	if (!taking_own(receiver, called, number, word))
		return -EAGAIN;
	if (taken->block)
		r = taking_copy_block(reader, taken, wish->buffer);
	else
		/* relaxed: the record is ours */
		copy_out_relaxed(wish->buffer,
				 claims_bytes(receiver->view, number),
				 taken->size);
	if (r < 0) {
		answers_refuse(&receiver->answers, called);
		lane_break(reader);
	} else {
		taking_copied(receiver, called, wish);
	}
	claims_free(receiver->view, number, word);
	return r;
}

static int
copy_request(struct receiver *receiver, struct lane_reader *reader,
	     const struct sight *sight, const struct called *called,
	     struct wish *wish)
{
	int r;

	if (unlikely(!reader->bias) ||
	    unlikely(!answers_take(&receiver->answers, called)))
		return copy_request_by_claim(receiver, reader, sight, called,
					     wish);
	r = copy(receiver, reader, sight, wish->buffer);
	if (unlikely(r < 0))
		answers_give_up(&receiver->answers, called);
	else
		taking_copied(receiver, called, wish);
	return r;
}

/* called: of a request; else NULL. TAKING_SEEN: it is there, and stays. */
static FAST int
take_as(struct receiver *receiver, struct lane_reader *reader,
	const struct sight *sight, const struct called *called,
	struct wish *wish)
{
	if (unlikely(wish->kind >= WISH_HOLD))
		return wish->kind == WISH_LOOK ? TAKING_SEEN :
		       take_hold(receiver, reader, sight, called, wish);
	if (unlikely(sight->taken.size > wish->size)) {
		if (!lane_is_next(reader, sight))
			return -EAGAIN;
		wish->taken.size = sight->taken.size;
		return -EMSGSIZE;
	}
	if (unlikely(wish->kind == WISH_PEEK))
		return peek(reader, sight, wish->buffer);
	if (called)
		return copy_request(receiver, reader, sight, called, wish);
	if (wish->batch && !sight->taken.block &&
	    likely(sight->taken.type <= CELL_TYPE_MAX))
		return copy_run(reader, sight, wish->batch);
	return copy(receiver, reader, sight, wish->buffer);
}

/* One that nobody waits for goes: the next one is looked for. */
static int
take_request(struct receiver *receiver, struct lane_reader *reader,
	     const struct sight *sight, struct wish *wish)
{
	struct called called;
	int r = taking_meet(receiver, reader, &sight->taken, &called);

	if (likely(r == 0))
		return take_as(receiver, reader, sight, &called, wish);
	if (r == -ENOENT) {
		lane_take(reader, sight, 0);
		return -EAGAIN;
	}
	return lane_is_next(reader, sight) ? r : -EAGAIN;
}

static int
take(struct receiver *receiver, struct lane_reader *reader,
     const struct sight *sight, struct wish *wish)
{
	int r = wish_suits(wish, sight->taken.type);

	if (unlikely(r < 0))
		return lane_is_next(reader, sight) ? r : -EAGAIN;
	return unlikely(sight->taken.call) ?
	       take_request(receiver, reader, sight, wish) :
	       take_as(receiver, reader, sight, NULL, wish);
}

int
taking_try(struct receiver *receiver, struct lane_reader *reader,
	   struct wish *wish)
{
	struct sight sight;
	int r;

	/* Each turn of this loop but the last is lost to another receiver, who
	   has taken a message. */
	do {
		r = lane_look(reader, &sight);
		if (r == -EAGAIN)
			continue;
		if (r <= 0)
			break;
		r = take(receiver, reader, &sight, wish);
		if (likely(r == 0)) {
			taking_fill_in(wish, reader, &sight.taken, 1);
			lane_consider_bias(reader, receiver->slot);
			return 0;
		}
	} while (r == -EAGAIN);
	if (likely(r == 0)) {
		reader->quiet++;
		r = -EAGAIN;
	}
	if (unlikely(reader->broken && !reader->told)) {
		reader->told = wish->kind != WISH_LOOK;
		return -EBADMSG;
	}
	return r == -EBADMSG ? -EAGAIN : r;
}
