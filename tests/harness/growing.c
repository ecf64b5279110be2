/* SPDX-License-Identifier: MIT */
/*
 * A mailbox without a limit: how the victim comes to where its lane grows, gets
 * smaller, or gives memory back with the next send; or to where the next message
 * to be received is in another ring.
 */
#include "acts.h"
#include "must.h"

static void
send_own(struct victim *victim, int count)
{
	for (int i = 0; i < count; i++) {
		victim->result = actor_send(
			victim->stage, victim->mailbox, victim->actor,
			victim->scenario->operation->size, CUBBY_NOW);
		must(victim->result, "the way through the rings");
	}
}

/* Each is received before the next. */
static void
send_round(struct victim *victim, int count)
{
	while (count--) {
		send_own(victim, 1);
		victim_mark(victim->stage, MARK_TAKE);
	}
}

/* The first ring is full. */
void
prepare_grow(struct victim *victim)
{
	send_own(victim, RING);
	prepare_send(victim);
}

void
prepare_reserve_grow(struct victim *victim)
{
	send_own(victim, RING);
}

/* The next is the first that gets its memory piece by piece. */
void
prepare_grow_far(struct victim *victim)
{
	send_own(victim, RINGS);
	prepare_send(victim);
}

/* That one's first piece ends at a multiple of its cells. */
void
prepare_extend(struct victim *victim)
{
	send_own(victim, 255);
	prepare_send(victim);
}

/* In the second ring, drained, and about to look at the head. */
static void
be_about_to_shrink(struct victim *victim)
{
	send_own(victim, RING + LOOK + 1);
	victim_mark(victim->stage, MARK_TAKE);
	send_round(victim, LOOK - 1);
}

void
prepare_shrink(struct victim *victim)
{
	be_about_to_shrink(victim);
	prepare_send(victim);
}

/* The second ring has been left, and is passed. */
void
prepare_retire(struct victim *victim)
{
	be_about_to_shrink(victim);
	send_round(victim, RING);
	prepare_send(victim);
}

void
prepare_close_grown(struct victim *victim)
{
	send_own(victim, RINGS + LOOK / 2);
	victim_mark(victim->stage, MARK_TAKE);
	send_round(victim, LOOK / 2);
}

void
prepare_shrink_far(struct victim *victim)
{
	prepare_close_grown(victim);
	prepare_send(victim);
}

void
prepare_retire_far(struct victim *victim)
{
	prepare_close_grown(victim);
	send_round(victim, RING);
	prepare_send(victim);
}

static void
take_own(struct victim *victim, int count)
{
	for (int i = 0; i < count; i++) {
		victim->result = actor_take(victim->stage, victim->mailbox,
					    victim->actor, CUBBY_NOW);
		must(victim->result, "the way through the rings");
	}
}

/* The next message is the first of the next ring. */
void
prepare_turn(struct victim *victim)
{
	take_own(victim, RING);
}

void
prepare_turn_far(struct victim *victim)
{
	take_own(victim, RINGS);
}

/* The same, alone and settled: after a streak the first ring is full when RING
   more wait. */
void
prepare_turn_settled(struct victim *victim)
{
	for (int i = 0; i < STREAK; i++) {
		victim_mark(victim->stage, MARK_SEND);
		take_own(victim, 1);
	}
	for (int i = 0; i < RING + LOOK; i++)
		victim_mark(victim->stage, MARK_SEND);
	take_own(victim, RING);
}

/* The others' part ------------------------------------------------------- */

int
cast_large_backlog(enum start start)
{
	return start == FULL || start == WRAPPED ? RINGS + 4 : start == ONE;
}

static int
check_lane(const struct cubby_sender_info *sender, void *context)
{
	(void)context;
	if (sender->memory > LEFT_BYTES)
		fail("empty and left, but %llu bytes are in use in lane %llu",
		     (unsigned long long)sender->memory,
		     (unsigned long long)sender->sender);
	return 0;
}

/* What a lane has grown to is given back when its sender has gone. */
void
growing_check(struct run *run)
{
	if (!(run->scenario->operation->effects & GROWS))
		return;
	must(cubby_sweep(MAILBOX, NULL), "sweep");
	must(cubby_inspect_senders(MAILBOX, check_lane, NULL), "inspect");
}
