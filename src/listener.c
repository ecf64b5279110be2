/* SPDX-License-Identifier: MIT */
/* Layer 10. May include: base pointers atomics clock spin exclusion layout participants rest doorbell broadcast lane heard listener bell. */
/*
 * Listening: which lane next, and waiting. As receiver.c does it, but that
 * nothing which others do here changes what is left for us: there is no bias,
 * nothing goes back, a filter leaves messages where they are, and whoever sleeps
 * is rung for each message.
 *
 * A lane's bit in the doorbell says that it has had something; for the audience
 * it stays set, since one cannot know who has still to look. So a busy lane costs
 * its sender nothing, and each look costs a line for every lane that was ever
 * busy.
 */
#include "base.h"
#include "bell.h"
#include "clock.h"
#include "listener.h"
#include "participants.h"
#include "pointers.h"

#include <stdlib.h>

#define BURST		64	/* messages of one lane, then another's turn */
#define CALM_AFTER	4	/* turns without a sleep */
#define POLLS		64	/* looks in vain, then a look at the clock */
#define GAPS_EVERY	16	/* sweeps */
#define DEADLINE_NOW	0	/* CUBBY_NOW */

/* Lanes ------------------------------------------------------------------ */

/* It need not be met again when it rings. */
static void
note_met(struct listener *listener, uint32_t lane)
{
	listener->met[lane / 64] |= UINT64_C(1) << (lane & 63);
}

/* -ENOENT: there is no such lane. -EACCES, -EBADMSG: it is none for us. Others: we
   have not got the means now; it is met later, and so the next sweep looks at
   gaps. */
static int
open_lane(struct listener *listener, uint32_t lane, uint64_t history)
{
	struct heard **lanes = pointers_with(listener->lanes, &listener->room,
					     lane);
	struct heard *heard;
	int r;

	if (lanes)
		listener->lanes = lanes;
	r = lanes ? heard_open(listener, lane, &heard) : -ENOMEM;
	if (r == 0) {
		r = heard_begin(listener, heard, history);
		if (r < 0)
			heard_close(heard);
	}
	if (r == 0)
		listener->lanes[lane] = heard;
	if (r == 0 || r == -EACCES || r == -EBADMSG)
		note_met(listener, lane);
	else if (r != -ENOENT)
		listener->sweeps = 0;
	if (r < 0 && r != -ENOENT && r != -EACCES)
		listener->trouble = r;
	return r;
}

/* Opens the lane after those that are known. False: there is none. */
static bool
open_next(struct listener *listener, uint64_t history)
{
	int r;

	if (listener->known == LANES_MAX)
		return false;
	r = open_lane(listener, listener->known, history);
	if (r < 0 && r != -EBADMSG && r != -EACCES)
		return false;
	listener->known++;
	return true;
}

/* Opens it, if it is not open. Errors: as open_lane(). */
static int
meet(struct listener *listener, uint32_t lane)
{
	int r;

	while (lane > listener->known && open_next(listener, HEARD_ALL))
		;
	if (lane < listener->known && listener->lanes[lane])
		return 0;
	r = open_lane(listener, lane, HEARD_ALL);
	if (r == 0 && listener->known <= lane)
		listener->known = lane + 1;
	return r;
}

struct heard *
listener_lane(struct listener *listener, uint32_t lane)
{
	return lane < LANES_MAX && meet(listener, lane) == 0 ?
	       listener->lanes[lane] : NULL;
}

static bool
is_wanted(const struct wish *wish, const struct heard *heard)
{
	return (likely(!wish->sender) ||
		wish->sender == heard->reader.lane + 1) &&
	       (likely(!wish->name) ||
		!strcmp(wish->name, heard->reader.name));
}

/* One lane, if the wish allows it. -EAGAIN: nothing. */
static int
try_lane(struct listener *listener, struct heard *heard, struct wish *wish)
{
	int r;

	if (!is_wanted(wish, heard))
		return -EAGAIN;
	r = heard_take(listener, heard, wish);
	if (r != -EAGAIN)
		heard->active = true;
	return r;
}

static void
begin_turn(struct listener *listener, uint32_t lane)
{
	listener->current = lane;
	listener->burst = BURST - 1;
	if (listener->calm < CALM_AFTER && ++listener->calm == CALM_AFTER)
		doorbell_calm(listener->view, listener->slot,
			      &listener->sleeper);
}

static bool
is_ringing(const struct listener *listener, uint32_t lane)
{
	return doorbell_ringing(listener->view, lane / 64) >> (lane & 63) & 1;
}

/* The next lane after the current one, among those that are known. */
static int
try_known(struct listener *listener, struct wish *wish)
{
	uint32_t i, lane, known = listener->known;
	struct heard *heard;
	int r;

	for (i = 1; i <= known; i++) {
		lane = (listener->current + i) % known;
		heard = listener->lanes[lane];
		if (!heard || (!heard->active && !is_ringing(listener, lane)))
			continue;
		r = try_lane(listener, heard, wish);
		if (r != -EAGAIN) {
			begin_turn(listener, lane);
			return r;
		}
	}
	return -EAGAIN;
}

/* A lane that rings, and has not been met: it is opened, and looked at next. */
static bool
meet_new(struct listener *listener, bool thorough)
{
	uint32_t words = thorough ? LANES_MAX / 64 : listener->known / 64 + 1;
	uint32_t word, lane;
	bool opened = false;
	uint64_t bits;
	int r;

	for (word = 0; word < words && word < LANES_MAX / 64; word++) {
		bits = doorbell_ringing(listener->view, word) &
		       ~listener->met[word];
		for (; bits; bits &= bits - 1) {
			lane = word * 64 + (uint32_t)__builtin_ctzll(bits);
			r = meet(listener, lane);
			opened = opened || r == 0;
			/* A bit of no lane's. One of a lane that is none for
			   us, or not now, stays for the others. */
			if (r == -ENOENT)
				doorbell_clear(listener->view, lane);
		}
	}
	return opened;
}

/* One look at everything. thorough: no lane is left out. */
static int
try_once(struct listener *listener, struct wish *wish, bool thorough)
{
	struct heard *heard;
	int r;

	if (likely(listener->burst)) {
		heard = listener->lanes[listener->current];
		r = try_lane(listener, heard, wish);
		if (likely(r != -EAGAIN)) {
			listener->burst--;
			return r;
		}
	}
	r = try_known(listener, wish);
	/* What could not be opened is tried again, and told if it still cannot. */
	if (r == -EAGAIN && listener->trouble != -EBADMSG)
		listener->trouble = 0;
	if (r == -EAGAIN && meet_new(listener, thorough))
		r = try_known(listener, wish);
	if (likely(r != -EAGAIN || !listener->trouble))
		return r;
	r = listener->trouble;
	if (wish->kind != WISH_LOOK)
		listener->trouble = 0;
	return r;
}

/* A look of one's own ---------------------------------------------------- */

static void
repair(void *context, uint32_t slot, bool ours)
{
	struct listener *listener = context;

	lane_repair_slot(listener->view, slot, ours);
}

/* New lanes, and those whose bit is missing. */
static void
sweep_lanes(struct listener *listener)
{
	uint32_t lane, entries = lane_entries(listener->view);
	struct heard *heard;

	while (open_next(listener, HEARD_ALL))
		;
	/* A lane above a gap is found by its bit, or now and then here. */
	if (listener->sweeps++ % GAPS_EVERY == 0)
		for (lane = 0; lane < entries; lane++)
			listener_lane(listener, lane);
	for (lane = 0; lane < listener->known; lane++) {
		heard = listener->lanes[lane];
		if (heard && !heard->active)
			heard->active = heard_look(listener, heard);
	}
}

static void
sweep(struct listener *listener)
{
	sweep_lanes(listener);
	participants_find_dead(listener->view, listener->slot, repair,
			       listener);
	listener->next_sweep = clock_tick() + SLEEP_SLICE_FIRST;
}

/* Waiting ---------------------------------------------------------------- */

static int
sleep_once(struct listener *listener, struct wish *wish, int64_t deadline)
{
	struct view *view = listener->view;
	uint32_t slot = listener->slot, ticket;
	int64_t slice;
	int r, slept;

	listener->calm = 0;
	ticket = doorbell_announce(view, slot, &listener->sleeper);
	listener->vain = false;
	r = try_once(listener, wish, true);
	if (r != -EAGAIN) {
		doorbell_retract(view, slot, &listener->sleeper);
		return r;
	}
	/* In vain: a message may be there, and nobody ring for it. */
	slice = listener->vain ? 0 : doorbell_slice(&listener->sleeper);
	listener_leave(listener);
	slept = doorbell_sleep(&view->doorbell->events[slot], ticket, slice,
			       deadline);
	listener_enter(listener);
	doorbell_slept(&listener->sleeper, slept);
	doorbell_retract(view, slot, &listener->sleeper);
	if (slept == DOORBELL_LOOK || clock_tick() >= listener->next_sweep)
		sweep(listener);
	r = try_once(listener, wish, true);
	return r == -EAGAIN && slept < 0 ? slept : r;
}

/* Who only polls looks by himself now and then too, the first time above all. */
static int
poll_once(struct listener *listener, struct wish *wish)
{
	int r = try_once(listener, wish, true);

	if (r != -EAGAIN || listener->polls--)
		return r;
	listener->polls = POLLS;
	if (clock_tick() < listener->next_sweep)
		return r;
	sweep(listener);
	return try_once(listener, wish, true);
}

static int
wait_for(struct listener *listener, struct wish *wish, int64_t deadline)
{
	int r = -EAGAIN;

	if (unlikely(shm_is_broken(&listener->view->receivers_mapping)))
		return -EBADMSG;
	if (deadline == DEADLINE_NOW)
		return poll_once(listener, wish);
	spin_begin(&listener->spin);
	while (r == -EAGAIN && spin_again(&listener->spin))
		r = try_once(listener, wish, false);
	spin_end(&listener->spin, r == -EAGAIN);
	while (r == -EAGAIN)
		r = sleep_once(listener, wish, deadline);
	return r;
}

int
listener_grant(struct listener *listener, struct wish *wish, int64_t deadline)
{
	int r;

	if (unlikely(!listener->burst) &&
	    unlikely(clock_tick() >= listener->next_sweep))
		sweep(listener);
	r = try_once(listener, wish, false);
	return unlikely(r == -EAGAIN) ? wait_for(listener, wish, deadline) : r;
}

bool
listener_grant_more(struct listener *listener, struct wish *wish)
{
	const struct batch *batch = wish->batch;
	int r;

	if (batch->filled == batch->count ||
	    !batch_is_good(&batch->entries[batch->filled]))
		return false;
	r = try_once(listener, wish, false);
	if (r == -EBADMSG && !listener->trouble)
		/* It is told once, and not by this call. */
		listener->trouble = r;
	return r == 0;
}

/* As one of several ------------------------------------------------------ */

static int
look(struct listener *listener, enum look how)
{
	struct wish wish = { .kind = WISH_LOOK };
	int r;

	if (unlikely(shm_is_broken(&listener->view->receivers_mapping)))
		return -EBADMSG;
	r = how == LOOK_QUICKLY ? try_once(listener, &wish, false) : -EAGAIN;
	if (r == -EAGAIN && (how != LOOK_QUICKLY ||
			     ++listener->quick % LOOKS_QUICK == 0))
		r = poll_once(listener, &wish);
	return r == -EAGAIN ? 0 : r;
}

int
listener_look(struct listener *listener, enum look how)
{
	int r;

	listener_enter(listener);
	r = look(listener, how);
	listener_leave(listener);
	return r;
}

int
listener_announce(struct listener *listener, struct rest *ret)
{
	listener_enter(listener);
	listener->calm = 0;
	ret->kind = REST_ASLEEP;
	ret->ticket = doorbell_begin(listener->view, listener->slot,
				     &listener->sleeper, &ret->barrier);
	ret->look = true;
	ret->events = &listener->view->doorbell->events[listener->slot];
	ret->slice = doorbell_slice(&listener->sleeper);
	listener_leave(listener);
	return 0;
}

void
listener_settle(struct listener *listener, struct rest *rest, bool fenced)
{
	listener_enter(listener);
	if (rest->barrier)
		doorbell_announced(&listener->sleeper, fenced);
	rest->slice = doorbell_slice(&listener->sleeper);
	listener_leave(listener);
}

/* It need not ring on: each that sleeps has been rung. */
int
listener_retract(struct listener *listener, struct rest *rest, int slept)
{
	int r;

	listener_enter(listener);
	rest->kind = REST_NONE;
	doorbell_slept(&listener->sleeper, slept);
	doorbell_retract(listener->view, listener->slot, &listener->sleeper);
	if (slept == DOORBELL_LOOK || clock_tick() >= listener->next_sweep)
		sweep(listener);
	r = look(listener, LOOK_THOROUGHLY);
	listener_leave(listener);
	return r;
}

/* Its descriptor --------------------------------------------------------- */

void
listener_hang(struct listener *listener, const struct bell *bell)
{
	listener_enter(listener);
	doorbell_hang(listener->view, listener->slot, &listener->sleeper, bell);
	listener_leave(listener);
}

int
listener_arm(struct listener *listener, int64_t *ret_slice)
{
	struct sleeper *sleeper = &listener->sleeper;
	bool anew;
	int r;

	listener_enter(listener);
	/* Its timer stands for the end of a sleep. */
	if (clock_tick() >= listener->next_sweep)
		sweep(listener);
	listener->calm = 0;
	anew = doorbell_arm(listener->view, listener->slot, sleeper);
	r = look(listener, LOOK_THOROUGHLY);
	r = doorbell_armed(listener->view, listener->slot, sleeper, anew, r,
			   ret_slice);
	listener_leave(listener);
	return r;
}

/* Opening and closing ---------------------------------------------------- */

/* Steps 1 to 4: a slot, in which we are alive, for receivers and for senders. */
static int
join(struct listener *listener)
{
	struct view *view = listener->view;
	struct liveness joining;
	int r;

	r = participants_join(view, &joining, &listener->slot);
	if (r < 0)
		return r;
	bell_remove_of_slot(view, listener->slot);
	r = broadcast_prepare(view, listener->slot, &listener->voice);
	if (r < 0) {
		liveness_drop(&joining);
		return r;
	}
	r = participants_enter(view, listener->slot, &joining,
			       &listener->life);
	if (r < 0)
		liveness_drop(&listener->voice);
	return r;
}

/* Lanes that there are: their numbers have no gap, unless their makers have
   removed some. */
static int
meet_lanes(struct listener *listener, uint64_t history)
{
	uint32_t lane, entries = lane_entries(listener->view);
	int r;

	while (open_next(listener, history))
		;
	for (lane = listener->known; lane < entries; lane++)
		if (open_lane(listener, lane, history) == 0)
			listener->known = lane + 1;
	r = listener->trouble;
	listener->trouble = 0;
	return r == -EBADMSG ? 0 : r;
}

/* Steps 5 to 7. */
static int
attend(struct listener *listener, uint64_t history)
{
	uint32_t lane;
	int r;

	r = meet_lanes(listener, history);
	if (r < 0)
		return r;
	broadcast_enter(listener->view, listener->slot);
	listener->attends = true;
	for (lane = 0; lane < listener->known; lane++)
		if (listener->lanes[lane])
			heard_settle(listener->lanes[lane]);
	return 0;
}

static void
free_lanes(struct listener *listener, void (*close)(struct heard *heard))
{
	uint32_t lane;

	for (lane = 0; lane < listener->known; lane++)
		if (listener->lanes[lane])
			close(listener->lanes[lane]);
	free(listener->lanes);
}

int
listener_open(struct view *view, uint64_t history, bool trusts,
	      struct listener *ret)
{
	int r;

	memset(ret, 0, sizeof(*ret));
	ret->view = view;
	ret->waits = broadcast_waits(view);
	ret->trusts = trusts;
	r = join(ret);
	if (r < 0)
		return r;
	exclusion_init(&ret->exclusion);
	spin_init(&ret->spin);
	r = attend(ret, history);
	if (r < 0)
		listener_close(ret);
	return r;
}

static void
free_held(struct listener *listener)
{
	while (listener->held)
		heard_release(listener, listener->held);
}

void
listener_close(struct listener *listener)
{
	free_held(listener);
	if (listener->attends && broadcast_leave(listener->view,
						 listener->slot))
		broadcast_stir(listener->view);
	participants_leave(listener->view, listener->slot, &listener->life);
	liveness_drop(&listener->voice);
	free_lanes(listener, heard_close);
}

static void
forget_lane(struct heard *heard)
{
	lane_forget_reader(&heard->reader);
	free(heard);
}

void
listener_forget(struct listener *listener)
{
	free_held(listener);
	free_lanes(listener, forget_lane);
}
