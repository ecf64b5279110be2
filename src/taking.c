/* SPDX-License-Identifier: MIT */
/* Layer 9. May include: base atomics spin exclusion shm liveness layout participants envelope claims doorbell lane taking answers. */
/*
 * Taking one message.
 *
 *	small, copied	copy the cell, then move the head: received at that
 *			instant
 *	large, copied	alone (biased), or without memory for a claim: copy the
 *			block, then move the head; with others about: claim it, copy, free the claim, so that
 *			they do not copy the same megabyte
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
#include "envelope.h"
#include "liveness.h"
#include "taking.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* Lanes ----------------------------------------------------------------------- */

/*
 * Opens lane `lane`. What is not there, or was planted in its place, stays NULL;
 * what we have not got the means for is remembered, and told to the caller.
 */
static int
open_lane(struct receiver *receiver, uint32_t lane)
{
	struct lane_reader *reader = malloc(sizeof(*reader));
	int r;

	if (!reader)
		return receiver->trouble = -ENOMEM;
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

static bool
has_gone(const struct view *view, uint32_t lane)
{
	char name[16];
	int fd, r;

	lane_name(lane, name);
	fd = shm_open_at(view->lanes_directory, name, O_RDONLY, NULL);
	if (fd < 0)
		return fd == -ENOENT;
	r = liveness_ask(fd, 0);
	close(fd);
	return r == 0;
}

bool
taking_have_gone(struct receiver *receiver, const char *name)
{
	const struct lane_reader *reader;
	bool gone = false;
	uint32_t lane;

	while (taking_open_next(receiver))
		;
	for (lane = 0; lane < receiver->known; lane++) {
		reader = receiver->lanes[lane];
		if (!reader || strcmp(reader->name, name))
			continue;
		if (!has_gone(receiver->view, lane))
			return false;
		gone = true;
	}
	return gone;
}

/* Claims ------------------------------------------------------------------------ */

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

/* Requests --------------------------------------------------------------------- */

/* Does anybody wait for it? -ENOENT: no. */
static int
meet(struct receiver *receiver, const struct lane_reader *reader,
     const struct taken *taken, struct called *ret)
{
	/* CALL-A6 acquire: its id, then the file. Pairs with CALL-R1. */
	uint64_t id = word64_load_acquire(&reader->file->reply);

	return answers_meet(&receiver->answers, reader->lane, id, reader->uid,
			    taken->tag, ret);
}

/* The claim is ours. False: nobody is to have the request, and the claim is
   free. */
static bool
own(struct receiver *receiver, const struct called *called, uint32_t number,
    uint64_t word)
{
	if (answers_own(&receiver->answers, called,
			claim_deliveries(word) > 1))
		return true;
	claims_free(receiver->view, number, word);
	return false;
}

/* It has been copied. */
static void
copied(struct receiver *receiver, const struct called *called,
       const struct wish *wish)
{
	if (unlikely(!wish_can_reply(wish)))
		answers_refuse(&receiver->answers, called);
}

/* Held messages ------------------------------------------------------------------ */

static struct cubby_message *
new_held(struct receiver *receiver)
{
	struct cubby_message *held = receiver->spare;

	if (held)
		receiver->spare = held->next;
	else
		held = malloc(sizeof(*held));
	return held;
}

static void
spare_held(struct receiver *receiver, struct cubby_message *held)
{
	held->next = receiver->spare;
	receiver->spare = held;
}

static void
unlink_held(struct receiver *receiver, struct cubby_message *held)
{
	if (held->previous)
		held->previous->next = held->next;
	else
		receiver->held = held->next;
	if (held->next)
		held->next->previous = held->previous;
	free(held->copy);
	spare_held(receiver, held);
}

/* Another user could rewrite what is being read. */
static bool
must_copy(const struct receiver *receiver, const struct lane_reader *reader,
	  const struct taken *taken)
{
	return taken->block && reader->foreign && !receiver->trusts;
}

/* The claim is ours: a handle for it. */
static void
hold(struct receiver *receiver, const struct lane_reader *reader,
     struct cubby_message *held, const struct taken *taken)
{
	held->taken = *taken;
	held->reader = reader;
	held->uid = reader->uid;
	held->deliveries = claim_deliveries(held->word);
	held->priority = 0;
	held->missed = 0;
	held->data = !taken->block ? (const void *)
		     claims_bytes(receiver->view, held->claim) :
		     lane_read_block(reader, taken->block);
	if (held->copy) {
		memcpy(held->copy, held->data, taken->size);
		held->data = held->copy;
	}
	held->previous = NULL;
	held->next = receiver->held;
	if (held->next)
		held->next->previous = held;
	receiver->held = held;
}

/* Memory for a handle of that message. Errors: -ENOMEM. */
static int
prepare_hold(struct receiver *receiver, const struct lane_reader *reader,
	     const struct taken *taken, struct cubby_message **ret)
{
	struct cubby_message *held = new_held(receiver);

	if (!held)
		return -ENOMEM;
	held->copy = NULL;
	if (must_copy(receiver, reader, taken)) {
		held->copy = malloc(max_u64(1, taken->size));
		if (!held->copy) {
			spare_held(receiver, held);
			return -ENOMEM;
		}
	}
	*ret = held;
	return 0;
}

static void
unprepare_hold(struct receiver *receiver, struct cubby_message *held)
{
	free(held->copy);
	spare_held(receiver, held);
}

int
taking_release(struct receiver *receiver, struct cubby_message *held)
{
	int r = shm_is_broken(&held->reader->mapping) && held->taken.block ?
		-EBADMSG : 0;

	if (unlikely(held->taken.call))
		answers_refuse_by(&receiver->answers, held->taken.lane,
				  held->taken.tag);
	claims_free(receiver->view, held->claim, held->word);
	unlink_held(receiver, held);
	return r;
}

void
taking_reject(struct receiver *receiver, struct cubby_message *held)
{
	if (unlikely(held->taken.call))
		answers_give_up_by(&receiver->answers, held->taken.lane,
				   held->taken.tag);
	claims_return(receiver->view, held->claim, held->word);
	unlink_held(receiver, held);
	doorbell_ring(receiver->view);
}

/* From a lane ---------------------------------------------------------------------- */

static void
fill_in(struct wish *wish, const struct lane_reader *reader,
	const struct taken *taken, uint32_t deliveries)
{
	wish->taken = *taken;
	wish->uid = reader->uid;
	wish->deliveries = deliveries;
}

/* The block goes to the buffer; its lane may break under it. */
static int
copy_block(const struct lane_reader *reader, const struct taken *taken,
	   void *buffer)
{
	memcpy(buffer, lane_read_block(reader, taken->block), taken->size);
	return shm_is_broken(&reader->mapping) ? -EBADMSG : 0;
}

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
	r = copy_block(reader, &sight->taken, buffer);
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
		copy_out_relaxed(buffer, lane_read_block(reader, taken->block),
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

	r = prepare_hold(receiver, reader, &sight->taken, &held);
	if (r < 0)
		return r;
	r = claim(receiver, reader, sight, &held->claim, &held->word);
	if (r == 0 && called &&
	    !own(receiver, called, held->claim, held->word))
		r = -EAGAIN;
	if (r < 0) {
		unprepare_hold(receiver, held);
		return r;
	}
	hold(receiver, reader, held, &sight->taken);
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
	if (!own(receiver, called, number, word))
		return -EAGAIN;
	if (taken->block)
		r = copy_block(reader, taken, wish->buffer);
	else
		/* relaxed: the record is ours */
		copy_out_relaxed(wish->buffer,
				 claims_bytes(receiver->view, number),
				 taken->size);
	if (r < 0) {
		answers_refuse(&receiver->answers, called);
		lane_break(reader);
	} else {
		copied(receiver, called, wish);
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
		copied(receiver, called, wish);
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
	    likely(sight->taken.type <= INT64_MAX))
		return copy_run(reader, sight, wish->batch);
	return copy(receiver, reader, sight, wish->buffer);
}

/* One that nobody waits for goes: the next one is looked for. */
static int
take_request(struct receiver *receiver, struct lane_reader *reader,
	     const struct sight *sight, struct wish *wish)
{
	struct called called;
	int r = meet(receiver, reader, &sight->taken, &called);

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
			fill_in(wish, reader, &sight.taken, 1);
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

/* What went back --------------------------------------------------------------------- */

/* A record that says RETURNED and makes sense; its lane's reader, or NULL. */
static struct lane_reader *
read_returned(struct receiver *receiver, uint32_t number, uint64_t *word,
	      struct taken *taken)
{
	const struct view *view = receiver->view;
	struct lane_reader *reader;
	int r;

	if (!claims_read(view, number, word, taken) ||
	    claim_state(*word) != CLAIM_RETURNED || taken->lane >= LANES_MAX)
		return NULL;
	reader = taking_lane(receiver, (uint32_t)taken->lane, &r);
	if (!reader || taken->size > view->attributes.message_max)
		return NULL;
	if (taken->block)
		return lane_holds_block(view, taken->block, taken->size) &&
		       !reader->broken ? reader : NULL;
	return taken->size <= view->geometry.inline_max ? reader : NULL;
}

static int
copy_returned_request(struct receiver *receiver,
		      const struct lane_reader *reader, uint32_t number,
		      uint64_t word, const struct called *called,
		      struct wish *wish)
{
	struct view *view = receiver->view;
	const struct taken *taken = &wish->taken;
	int r = 0;

	if (!claims_take_over(view, number, receiver->slot, &word) ||
	    !own(receiver, called, number, word))
		return -EAGAIN;
	wish->deliveries = claim_deliveries(word);
	if (taken->block)
		r = copy_block(reader, taken, wish->buffer);
	else
		/* relaxed: the record is ours */
		copy_out_relaxed(wish->buffer, claims_bytes(view, number),
				 taken->size);
	if (r < 0)
		answers_refuse(&receiver->answers, called);
	else
		copied(receiver, called, wish);
	claims_free(view, number, word);
	return r;
}

static int
copy_returned(struct receiver *receiver, const struct lane_reader *reader,
	      uint32_t number, uint64_t word, struct wish *wish)
{
	struct view *view = receiver->view;
	const struct taken *taken = &wish->taken;
	int r;

	if (taken->block) {
		if (!claims_take_over(view, number, receiver->slot, &word))
			return -EAGAIN;
		wish->deliveries = claim_deliveries(word);
		r = copy_block(reader, taken, wish->buffer);
		claims_free(view, number, word);
		return r;
	}
	/* relaxed: proved by claims_consume() */
	copy_out_relaxed(wish->buffer, claims_bytes(view, number),
			 taken->size);
	return claims_consume(view, number, word) ? 0 : -EAGAIN;
}

static int
peek_returned(const struct receiver *receiver,
	      const struct lane_reader *reader, uint32_t number, uint64_t word,
	      struct wish *wish)
{
	const struct taken *taken = &wish->taken;

	/* relaxed: proved by claims_unchanged() */
	copy_out_relaxed(wish->buffer, taken->block ?
			 lane_read_block(reader, taken->block) :
			 claims_bytes(receiver->view, number), taken->size);
	return claims_unchanged(receiver->view, number, word) ? 0 : -EAGAIN;
}

static int
hold_returned(struct receiver *receiver, const struct lane_reader *reader,
	      uint32_t number, uint64_t word, const struct called *called,
	      struct wish *wish)
{
	struct cubby_message *held;
	int r;

	r = prepare_hold(receiver, reader, &wish->taken, &held);
	if (r < 0)
		return r;
	if (!claims_take_over(receiver->view, number, receiver->slot, &word) ||
	    (called && !own(receiver, called, number, word))) {
		unprepare_hold(receiver, held);
		return -EAGAIN;
	}
	held->claim = number;
	held->word = word;
	hold(receiver, reader, held, &wish->taken);
	wish->held = held;
	return 0;
}

/* called: of a request; else NULL. */
static int
take_returned_as(struct receiver *receiver, const struct lane_reader *reader,
		 uint32_t number, uint64_t word, const struct called *called,
		 struct wish *wish)
{
	if (wish->kind == WISH_LOOK)
		return TAKING_SEEN;
	if (wish->kind == WISH_HOLD)
		return hold_returned(receiver, reader, number, word, called,
				     wish);
	if (wish->taken.size > wish->size)
		return -EMSGSIZE;
	if (wish->kind == WISH_PEEK)
		return peek_returned(receiver, reader, number, word, wish);
	if (called)
		return copy_returned_request(receiver, reader, number, word,
					     called, wish);
	return copy_returned(receiver, reader, number, word, wish);
}

static int
take_returned(struct receiver *receiver, const struct lane_reader *reader,
	      uint32_t number, uint64_t word, const struct taken *taken,
	      struct wish *wish)
{
	struct called called;
	int r = wish_suits(wish, taken->type);

	if (r == 0 && taken->call)
		r = meet(receiver, reader, taken, &called);
	if (r == -ENOENT) {
		claims_consume(receiver->view, number, word);
		return -EAGAIN;
	}
	if (unlikely(r < 0))
		return claims_unchanged(receiver->view, number, word) ?
		       r : -EAGAIN;
	fill_in(wish, reader, taken, claim_deliveries(word) + 1);
	return take_returned_as(receiver, reader, number, word,
				taken->call ? &called : NULL, wish);
}

/* The oldest of its sender's, of those that the wish allows: its record. *any:
   there are some, for somebody. */
static uint32_t
find_returned(struct receiver *receiver, const struct wish *wish, bool *any)
{
	uint32_t number, found = CLAIM_NONE;
	uint32_t count = claims_count(receiver->view);
	struct taken taken, best = { 0 };
	const struct lane_reader *reader;
	uint64_t word;

	*any = false;
	for (number = 0; number < count; number++) {
		reader = read_returned(receiver, number, &word, &taken);
		if (!reader)
			continue;
		*any = true;
		if (!taking_is_wanted(wish, reader))
			continue;
		if (found != CLAIM_NONE &&
		    (taken.lane != best.lane ||
		     (int64_t)(taken.position - best.position) > 0))
			continue;
		found = number;
		best = taken;
	}
	return found;
}

int
taking_try_returned(struct receiver *receiver, struct wish *wish,
		    uint32_t returned)
{
	const struct lane_reader *reader;
	struct taken taken;
	uint32_t number;
	uint64_t word;
	bool any;
	int r;

	do {
		number = find_returned(receiver, wish, &any);
		if (!any)
			receiver->returned = returned;
		if (number == CLAIM_NONE)
			return -EAGAIN;
		reader = read_returned(receiver, number, &word, &taken);
		r = -EAGAIN;	/* lost to another receiver, who has it now */
		if (reader)
			r = take_returned(receiver, reader, number, word,
					  &taken, wish);
	} while (r == -EAGAIN);
	return r;
}
