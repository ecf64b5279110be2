/* SPDX-License-Identifier: MIT */
/* Layer 9. May include: base atomics shm claims lane answers taking. */
/*
 * Taking one of the messages that went back, because their holders died or
 * rejected them. A small one lies in its claim record, which is consumed with the
 * copy; else the record is taken over first.
 */
#include "base.h"
#include "taking.h"

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
	    !taking_own(receiver, called, number, word))
		return -EAGAIN;
	wish->deliveries = claim_deliveries(word);
	if (taken->block)
		r = taking_copy_block(reader, taken, wish->buffer);
	else
		/* relaxed: the record is ours */
		copy_out_relaxed(wish->buffer, claims_bytes(view, number),
				 taken->size);
	if (r < 0)
		answers_refuse(&receiver->answers, called);
	else
		taking_copied(receiver, called, wish);
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
		r = taking_copy_block(reader, taken, wish->buffer);
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

	r = taking_prepare_hold(receiver, reader, &wish->taken, &held);
	if (r < 0)
		return r;
	if (!claims_take_over(receiver->view, number, receiver->slot, &word) ||
	    (called && !taking_own(receiver, called, number, word))) {
		taking_unprepare_hold(receiver, held);
		return -EAGAIN;
	}
	held->claim = number;
	held->word = word;
	taking_begin_hold(receiver, reader, held, &wish->taken);
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
		r = taking_meet(receiver, reader, taken, &called);
	if (r == -ENOENT) {
		claims_consume(receiver->view, number, word);
		return -EAGAIN;
	}
	if (unlikely(r < 0))
		return claims_unchanged(receiver->view, number, word) ?
		       r : -EAGAIN;
	taking_fill_in(wish, reader, taken, claim_deliveries(word) + 1);
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
