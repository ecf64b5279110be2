/* SPDX-License-Identifier: MIT */
/* Layer 10. May include: base atomics clock spin exclusion layout participants inbox claims doorbell answers lane rest taking receiver bell. */
/*
 * Receiving. One look at everything (try_once) is:
 *
 *	1. messages that went back: they go ahead of all of their sender's that
 *	   have not been handed out;
 *	2. the lane whose turn it is, for a burst of messages;
 *	3. the other lanes whose bit is set in the doorbell, in turn.
 *
 * A wait is such looks for a moment, and then sleep; before each sleep and
 * after it comes a look that leaves no lane out. Now and then, busy or not, a
 * receiver looks by itself at what nobody may have told it (receiver_sweep):
 * that is the single timed thing, and makes up for those who died owing a
 * wake-up or holding a message.
 */
#include "base.h"
#include "clock.h"
#include "inbox.h"
#include "participants.h"
#include "receiver.h"

#include <stdlib.h>

#define BURST		64	/* messages of one lane, then another's turn */
#define CALM_AFTER	16	/* turns without a sleep */
#define POLLS		256	/* looks in vain, then a look at the clock */
#define CLOCK_EVERY	(1 * NSEC_PER_MSEC)	/* at least, while called */
#define AWAIT_LOOKS	64
#define GAPS_EVERY	16	/* sweeps */
#define DEADLINE_NOW	0	/* CUBBY_NOW */

/* Lanes ------------------------------------------------------------------ */

/* One lane, if the wish allows it. -EAGAIN: nothing. */
static int
try_lane(struct receiver *receiver, uint32_t lane, struct wish *wish)
{
	struct lane_reader *reader;
	int r;

	if (unlikely(wish->sender) && wish->sender != lane + 1)
		return -EAGAIN;
	reader = taking_lane(receiver, lane, &r);
	if (likely(reader))
		return likely(taking_is_wanted(wish, reader)) ?
		       taking_try(receiver, reader, wish) : -EAGAIN;
	/* A bit of no lane's. One that we have not got the means to open stays
	   for the others. */
	if (r == -ENOENT || r == -EACCES || r == -EBADMSG)
		doorbell_clear(receiver->view, lane);
	return -EAGAIN;
}

/*
 * How many times to do a thing until the next look at the clock: as many as fit
 * into CLOCK_EVERY, by how long the last `count` took; at most twice as many.
 */
static uint32_t
pace(uint32_t count, int64_t took, uint32_t most)
{
	uint64_t n = 2 * (uint64_t)count;

	if (took > CLOCK_EVERY / 2)
		n = (uint64_t)count * (uint64_t)CLOCK_EVERY / (uint64_t)took;
	return n < 1 ? 1 : n > most ? most : (uint32_t)n;
}

/* How many messages a step has brought. */
static FAST uint32_t
brought(const struct wish *wish)
{
	return unlikely(wish->batch) && wish->batch->got ? wish->batch->got : 1;
}

/* The lane gets its turn, of BURST messages, or fewer if they come slowly. */
static void
begin_turn(struct receiver *receiver, uint32_t lane, uint32_t taken)
{
	int64_t now = clock_now();

	receiver->length = pace(receiver->length, now - receiver->began, BURST);
	receiver->burst = receiver->length < taken ? 0 :
			  receiver->length - taken;
	receiver->began = now;
	receiver->current = lane;
	receiver->turn = lane < receiver->known ? receiver->lanes[lane] : NULL;
	if (receiver->calm < CALM_AFTER && ++receiver->calm == CALM_AFTER)
		doorbell_calm(receiver->view, receiver->slot,
			      &receiver->sleeper);
}

/* The lanes of one word of bits. */
static int
try_word(struct receiver *receiver, uint32_t word, uint64_t bits,
	 struct wish *wish)
{
	uint32_t lane;
	int r;

	for (; bits; bits &= bits - 1) {
		lane = word * 64 + (uint32_t)__builtin_ctzll(bits);
		r = try_lane(receiver, lane, wish);
		if (r != -EAGAIN) {
			begin_turn(receiver, lane, brought(wish));
			return r;
		}
		receiver->vain++;
	}
	return -EAGAIN;
}

/*
 * The lanes whose bit is set, beginning after the current one. words: how many
 * words of bits there are to look at.
 */
static int
try_ringing(struct receiver *receiver, uint32_t words, struct wish *wish)
{
	uint32_t next = (receiver->current + 1) % LANES_MAX;
	uint32_t first = next / 64 < words ? next / 64 : 0, i, word;
	uint64_t bits, after = ~UINT64_C(0) << (next & 63);
	int r;

	for (i = 0; i <= words; i++) {
		word = (first + i) % words;
		bits = doorbell_ringing(receiver->view, word);
		if (word == next / 64 && (i == 0 || i == words))
			bits &= i == 0 ? after : ~after;
		else if (i == words)
			break;
		if (!bits)
			continue;
		r = try_word(receiver, word, bits, wish);
		if (r != -EAGAIN)
			return r;
	}
	return -EAGAIN;
}

/* All lanes that are known, whatever the doorbell says. */
static int
try_known(struct receiver *receiver, struct wish *wish)
{
	uint32_t lane;
	int r;

	for (lane = 0; lane < receiver->known; lane++) {
		r = try_lane(receiver, lane, wish);
		if (r != -EAGAIN)
			return r;
	}
	return -EAGAIN;
}

/* Does a lane ring but the one whose turn it is? */
static bool
others_ring(const struct receiver *receiver)
{
	uint32_t word, words = receiver_words(receiver);
	uint64_t bits;

	for (word = 0; word < words; word++) {
		bits = doorbell_ringing(receiver->view, word);
		if (word == receiver->current / 64)
			bits &= ~(UINT64_C(1) << (receiver->current & 63));
		if (bits)
			return true;
	}
	return false;
}

static int
try_others(struct receiver *receiver, struct wish *wish, bool thorough)
{
	uint32_t words = thorough ? LANES_MAX / 64 : receiver_words(receiver);
	int r;

	if (unlikely(wish->sender))
		return wish->sender > LANES_MAX ? -EAGAIN :
		       try_lane(receiver, (uint32_t)wish->sender - 1, wish);
	/* Before: with many lanes to look at, there is always something. */
	if (unlikely(receiver->vain >= COOL_EVERY))
		receiver_cool(receiver);
	r = try_ringing(receiver, words, wish);
	if (r != -EAGAIN)
		return r;
	if (unlikely(doorbell_is_broken(receiver->view))) {
		while (thorough && taking_open_next(receiver))
			;
		r = try_known(receiver, wish);
	}
	return r;
}

/* One look at everything. thorough: no lane is left out. */
static int
try_once(struct receiver *receiver, struct wish *wish, bool thorough)
{
	uint32_t returned = claims_returned(receiver->view);
	int r;

	if (unlikely(returned != receiver->returned)) {
		r = taking_try_returned(receiver, wish, returned);
		if (r != -EAGAIN)
			return r;
	}
	if (likely(receiver->burst)) {
		r = try_lane(receiver, receiver->current, wish);
		if (likely(r != -EAGAIN)) {
			receiver->burst -= brought(wish) < receiver->burst ?
					   brought(wish) : receiver->burst;
			return r;
		}
	}
	/* What could not be opened is tried again, and told if it still cannot. */
	if (unlikely(receiver->trouble && receiver->trouble != -EBADMSG))
		receiver->trouble = 0;
	r = try_others(receiver, wish, thorough);
	if (likely(r != -EAGAIN || !receiver->trouble))
		return r;
	r = receiver->trouble;
	if (wish->kind != WISH_LOOK)
		receiver->trouble = 0;
	return r;
}

/* A look of one's own ---------------------------------------------------- */

struct repair {
	struct receiver *receiver;
	uint32_t returned;
};

static void
repair(void *context, uint32_t slot, bool ours)
{
	struct repair *repair = context;

	repair->returned += lane_repair_slot(repair->receiver->view, slot,
					     ours);
}

/* Lane by lane: new ones, those that only we could not read, and those whose
   bit is missing. */
static void
sweep_lanes(struct receiver *receiver)
{
	uint32_t lane, entries = lane_entries(receiver->view);
	struct lane_reader *reader;
	struct sight sight;
	int r;

	while (taking_open_next(receiver))
		;
	/* A lane above a gap is found by its bit, or now and then here. */
	if (receiver->sweeps++ % GAPS_EVERY)
		entries = 0;
	for (lane = 0; lane < receiver->known || lane < entries; lane++) {
		if (lane < receiver->known)
			taking_reopen(receiver, lane);
		reader = taking_lane(receiver, lane, &r);
		if (reader && lane_look(reader, &sight) != 0)
			doorbell_mark(receiver->view, lane);
	}
}

uint32_t
receiver_sweep(struct receiver *receiver)
{
	struct repair dead = { .receiver = receiver };

	sweep_lanes(receiver);
	participants_find_dead(receiver->view, receiver->slot, repair, &dead);
	/* Whoever returned a message may have died before saying so. */
	receiver->returned = claims_returned(receiver->view) - 1;
	answers_look(&receiver->answers);
	receiver->next_sweep = clock_now() + SLEEP_SLICE_FIRST;
	return dead.returned;
}

/* Waiting ---------------------------------------------------------------- */

/* From an inbox, nobody waits for one who has died. */
static bool
awaits_one(const struct receiver *receiver, const struct wish *wish)
{
	return unlikely(wish->name) && receiver->inbox;
}

/*
 * There is nothing of those who are awaited by name. If they have all gone, what
 * they sent just before, or had sent to one who has died, is looked for once
 * more. -EPIPE: there is nothing.
 */
static int
look_for_sender(struct receiver *receiver, struct wish *wish)
{
	int r;

	if (!awaits_one(receiver, wish))
		return -EAGAIN;
	r = taking_have_gone(receiver, wish->name);
	if (r != 1)
		return r < 0 ? r : -EAGAIN;
	receiver_sweep(receiver);
	r = try_once(receiver, wish, true);
	return r == -EAGAIN ? -EPIPE : r;
}

/* The same, of one who only polls: once in a tick of the clock. */
static int
poll_for_sender(struct receiver *receiver, struct wish *wish)
{
	int64_t tick;

	if (!awaits_one(receiver, wish))
		return -EAGAIN;
	tick = clock_tick();
	if (tick == receiver->asked)
		return -EAGAIN;
	receiver->asked = tick;
	return look_for_sender(receiver, wish);
}

/*
 * We have been said to sleep, and have taken a message without. It may have been
 * another one that we were rung for, and who rang looks for nobody else:
 *
 *	receives (A)		sends			receives (B)
 *	announces; looks: M
 *	takes M						announces; looks: nothing
 *				publishes N		sleeps
 *				A sleeps: rings A
 *	retracts
 *	looks: N
 *	rings: B					awake, takes N
 *
 * Whoever rang us published before we had retracted, so that we see it.
 */
static void
ring_on(struct receiver *receiver)
{
	struct wish wish = { .kind = WISH_LOOK };

	if (doorbell_is_wanted(receiver->view) &&
	    try_once(receiver, &wish, true) != -EAGAIN)
		doorbell_ring(receiver->view);
}

static int
sleep_once(struct receiver *receiver, struct wish *wish, int64_t deadline)
{
	struct view *view = receiver->view;
	uint32_t slot = receiver->slot, ticket;
	int64_t slice;
	int r, slept;

	receiver->calm = 0;
	ticket = doorbell_announce(view, slot, &receiver->sleeper);
	r = try_once(receiver, wish, true);
	if (r != -EAGAIN) {
		doorbell_retract(view, slot, &receiver->sleeper);
		ring_on(receiver);
		return r;
	}
	slice = doorbell_slice(&receiver->sleeper);
	if (awaits_one(receiver, wish) && slice > INBOX_SLICE)
		slice = INBOX_SLICE;
	receiver_leave(receiver);
	slept = doorbell_sleep(&view->doorbell->events[slot], ticket, slice,
			       deadline);
	receiver_enter(receiver);
	doorbell_slept(&receiver->sleeper, slept);
	doorbell_retract(view, slot, &receiver->sleeper);
	if (slept == DOORBELL_LOOK || clock_now() >= receiver->next_sweep)
		receiver_sweep(receiver);
	r = try_once(receiver, wish, true);
	if (r == -EAGAIN && (wish->sender || wish->name))
		/* We may have been rung for what is not for us. */
		doorbell_ring_after(view, slot);
	return r == -EAGAIN && slept < 0 ? slept : r;
}

/* Who only polls looks by himself now and then too, the first time above all. */
static int
poll_once(struct receiver *receiver, struct wish *wish)
{
	int r = try_once(receiver, wish, true);
	int64_t now;

	if (r != -EAGAIN || receiver->polls--)
		return r;
	now = clock_now();
	receiver->poll_length = pace(receiver->poll_length,
				     now - receiver->polled, POLLS);
	receiver->polls = receiver->poll_length - 1;
	receiver->polled = now;
	if (now < receiver->next_sweep)
		return r;
	receiver_sweep(receiver);
	return try_once(receiver, wish, true);
}

static int
wait_for(struct receiver *receiver, struct wish *wish, int64_t deadline)
{
	int r = -EAGAIN;

	if (unlikely(shm_is_broken(&receiver->view->receivers_mapping)))
		return -EBADMSG;
	if (deadline == DEADLINE_NOW) {
		r = poll_once(receiver, wish);
		return r == -EAGAIN ? poll_for_sender(receiver, wish) : r;
	}
	spin_begin(&receiver->spin);
	while (r == -EAGAIN && spin_again(&receiver->spin))
		r = try_once(receiver, wish, false);
	spin_end(&receiver->spin, r == -EAGAIN);
	while (r == -EAGAIN) {
		r = look_for_sender(receiver, wish);
		if (r == -EAGAIN)
			r = sleep_once(receiver, wish, deadline);
	}
	return r;
}

/* Does a message lie there that we have been rung for, it may be, and leave? */
static bool
leaves_it(const struct wish *wish, int r)
{
	if (r == 0)
		return wish->kind == WISH_PEEK;
	return r != -EAGAIN && r != -ETIMEDOUT && r != -EINTR;
}

#define RUN_SHORT	8	/* messages */
#define RUN_SLOW	250	/* ns each */
#define AHEAD		64	/* messages */
#define FALL_LONGEST	1000	/* ns */

/*
 * We have caught up with the sender. Close behind one who sends fast, each line
 * crosses over more than once: we ask for it before it is written, and again
 * after. So he is let go ahead, by the time that he has needed of late for some
 * messages; but not to where there is no room, and not at all where messages come
 * one by one.
 */
static void
fall_back(struct receiver *receiver, struct lane_reader *reader)
{
	uint64_t run = reader->position - reader->caught_up, ahead;
	int64_t now = clock_now(), took = now - reader->caught_up_at, until;

	reader->caught_up = reader->position;
	reader->caught_up_at = now;
	if (run < RUN_SHORT || took > (int64_t)run * RUN_SLOW)
		return;
	ahead = min_u64(AHEAD, receiver->view->attributes.capacity / 2);
	until = now + (int64_t)min_u64((uint64_t)took * ahead / run,
				       FALL_LONGEST);
	while (clock_now() < until)
		cpu_relax();
}

/* Does the lane whose turn it is ring alone? alone: its bit, if one word has
   those of all lanes; else 0. */
static FAST bool
rings_alone(const struct receiver *receiver, uint64_t alone)
{
	return likely(alone) ? doorbell_ringing(receiver->view, 0) == alone :
			       !others_ring(receiver);
}

struct lane_reader *
receiver_await_turn(struct receiver *receiver)
{
	struct lane_reader *reader = receiver->turn;
	uint64_t alone = 0;
	int i;

	if (!reader || !reader->bias || !receiver->burst ||
	    !receiver->spin.budget || lane_has_plain(reader))
		return NULL;
	if (likely(receiver->known <= 64))
		alone = UINT64_C(1) << receiver->current;
	fall_back(receiver, reader);
	for (i = 0; i < AWAIT_LOOKS; i++) {
		if (!rings_alone(receiver, alone) ||
		    claims_returned(receiver->view) != receiver->returned)
			return NULL;
		if (lane_has_plain(reader)) {
			receiver->burst--;
			return reader;
		}
		cpu_relax();
	}
	return NULL;
}

/*
 * One who polls: is it certain that there is nothing, and time for no look of his
 * own? Quicker than a look at everything, and sees as much: the lane whose turn it
 * is, if it is the only one that has had messages of late, and that no other rings.
 */
static bool
finds_nothing(struct receiver *receiver, const struct wish *wish)
{
	const struct lane_reader *reader = receiver->turn;
	const struct view *view = receiver->view;
	uint64_t own, others = 0;
	uint32_t word;

	if (!reader || !receiver->polls || receiver->trouble ||
	    wish->sender || wish->name ||
	    claims_returned(view) != receiver->returned ||
	    shm_is_broken(&view->receivers_mapping) ||
	    !lane_is_empty_plain(reader))
		return false;
	own = UINT64_C(1) << (receiver->current & 63);
	for (word = 0; word < LANES_MAX / 64; word++)
		others |= doorbell_ringing(view, word) &
			  ~(word == receiver->current / 64 ? own : 0);
	/* After they have been read: zeros may have taken their place. */
	if (others || doorbell_is_broken(view))
		return false;
	receiver->polls--;
	return true;
}

int
receiver_grant(struct receiver *receiver, struct wish *wish, int64_t deadline)
{
	int r;

	if (deadline == DEADLINE_NOW && finds_nothing(receiver, wish))
		return -EAGAIN;
	/* At the turn of a lane the clock has been looked at. */
	if (unlikely(!receiver->burst) &&
	    unlikely(receiver->began >= receiver->next_sweep) &&
	    receiver->began)
		receiver_sweep(receiver);
	r = try_once(receiver, wish, false);
	if (unlikely(r == -EAGAIN))
		r = wait_for(receiver, wish, deadline);
	if (unlikely(leaves_it(wish, r)))
		doorbell_published(receiver->view);
	return r;
}

/* As one of several ------------------------------------------------------ */

/* The result of a wish to look: a message that only other calls receive is one
   too. */
static int
seen(int r)
{
	return r == -EAGAIN ? 0 : r == -EOPNOTSUPP ? TAKING_SEEN : r;
}

static int
look(struct receiver *receiver, enum look how)
{
	struct wish wish = { .kind = WISH_LOOK };
	int r = -EAGAIN;

	if (unlikely(shm_is_broken(&receiver->view->receivers_mapping)))
		return -EBADMSG;
	if (how == LOOK_QUICKLY)
		r = try_once(receiver, &wish, false);
	/* What is missed so, while others are ready time and again, is not missed
	   for ever. */
	if (r == -EAGAIN && (how != LOOK_QUICKLY ||
			     ++receiver->quick % LOOKS_QUICK == 0))
		r = poll_once(receiver, &wish);
	return seen(r);
}

int
receiver_look(struct receiver *receiver, enum look how)
{
	int r;

	receiver_enter(receiver);
	r = look(receiver, how);
	receiver_leave(receiver);
	return r;
}

int
receiver_announce(struct receiver *receiver, struct rest *ret)
{
	receiver_enter(receiver);
	receiver->calm = 0;
	ret->kind = REST_ASLEEP;
	ret->ticket = doorbell_begin(receiver->view, receiver->slot,
				     &receiver->sleeper, &ret->barrier);
	ret->look = true;
	ret->events = &receiver->view->doorbell->events[receiver->slot];
	ret->slice = doorbell_slice(&receiver->sleeper);
	receiver_leave(receiver);
	return 0;
}

void
receiver_settle(struct receiver *receiver, struct rest *rest, bool fenced)
{
	receiver_enter(receiver);
	if (rest->barrier)
		doorbell_announced(&receiver->sleeper, fenced);
	rest->slice = doorbell_slice(&receiver->sleeper);
	receiver_leave(receiver);
}

int
receiver_retract(struct receiver *receiver, struct rest *rest, int slept)
{
	struct view *view = receiver->view;
	int r;

	receiver_enter(receiver);
	rest->kind = REST_NONE;
	doorbell_slept(&receiver->sleeper, slept);
	doorbell_retract(view, receiver->slot, &receiver->sleeper);
	if (slept == DOORBELL_LOOK || clock_now() >= receiver->next_sweep)
		receiver_sweep(receiver);
	r = look(receiver, LOOK_THOROUGHLY);
	if (r)
		/* We may have been rung for it, and leave it. */
		doorbell_published(view);
	receiver_leave(receiver);
	return r;
}

/* Its descriptor --------------------------------------------------------- */

void
receiver_hang(struct receiver *receiver, const struct bell *bell)
{
	receiver_enter(receiver);
	doorbell_hang(receiver->view, receiver->slot, &receiver->sleeper, bell);
	receiver_leave(receiver);
}

int
receiver_arm(struct receiver *receiver, int64_t *ret_slice)
{
	struct sleeper *sleeper = &receiver->sleeper;
	struct wish wish = { .kind = WISH_LOOK };
	bool anew;
	int r;

	receiver_enter(receiver);
	/* Its timer stands for the end of a sleep. */
	if (clock_now() >= receiver->next_sweep)
		receiver_sweep(receiver);
	receiver->calm = 0;
	anew = doorbell_arm(receiver->view, receiver->slot, sleeper);
	r = seen(try_once(receiver, &wish, true));
	r = doorbell_armed(receiver->view, receiver->slot, sleeper, anew, r,
			   ret_slice);
	receiver_leave(receiver);
	return r;
}

/* Batches ---------------------------------------------------------------- */

bool
receiver_grant_more(struct receiver *receiver, struct wish *wish)
{
	const struct batch *batch = wish->batch;
	int r;

	if (batch->filled == batch->count ||
	    !batch_is_good(&batch->entries[batch->filled]))
		return false;
	/* Of the present lane nothing more has come: a look at its next cell
	   would take the line from its sender. */
	if (claims_returned(receiver->view) == receiver->returned &&
	    !others_ring(receiver))
		return false;
	r = try_once(receiver, wish, false);
	if (r == -EBADMSG && !receiver->trouble)
		/* It is told once, and not by this call. */
		receiver->trouble = r;
	return r == 0;
}
