/* SPDX-License-Identifier: MIT */
/* Layer 6. May include: base atomics clock futex layout doorbell. */
/*
 * Going to sleep and waking up; doorbell.h has the protocol and its proof.
 *
 * Nothing here decides whether there is a message or room: it makes whoever
 * sleeps look. So a wrong value costs a spurious look, or a delay until the
 * sleeper looks by itself.
 */
#include "base.h"
#include "clock.h"
#include "doorbell.h"
#include "futex.h"

static uint64_t
slot_bit(uint32_t slot)
{
	return UINT64_C(1) << (slot & 63);
}

/* Every participant's stores before this are visible after it; ours too. */
bool
doorbell_barrier(void)
{
	/* BELL-M1 membarrier: asleep, before the last look. Pairs with BELL-O1,
	   BELL-O2. */
	bool fenced = barrier_all();

	/* BELL-F1 seq_cst: where there is no membarrier the runners fence, and
	   so must we. Pairs with BELL-F3, BELL-F4. */
	atomics_fence_seq_cst();
	return fenced;
}

/* Not before the barrier: a fellow thread that finds it attentive needs none of
   its own. */
void
doorbell_announced(struct sleeper *sleeper, bool fenced)
{
	sleeper->unfenced = !fenced;
	sleeper->attentive = sleeper->often == SLEEPER_OFTEN;
}

static void
sleeps_again(struct sleeper *sleeper)
{
	if (sleeper->often < SLEEPER_OFTEN)
		sleeper->often++;
	if (sleeper->slice < SLEEP_SLICE_FIRST)
		sleeper->slice = SLEEP_SLICE_FIRST;
}

uint32_t
doorbell_begin(struct view *view, uint32_t slot, struct sleeper *sleeper,
	       bool *ret_barrier)
{
	struct receivers_file *file = view->receivers;
	uint32_t ticket;

	/* BELL-A3 acquire: the ticket before the announcement. Pairs with
	   BELL-C1. */
	ticket = word32_load_acquire(&view->doorbell->events[slot]);
	sleeps_again(sleeper);
	sleeper->threads++;
	/* BELL-R1 release: the ticket before who asks for it. Pairs with
	   BELL-A2. */
	word64_store_release(&file->slots[slot].sleep,
			     sleep_make(ticket, SLEEP_ASLEEP));
	*ret_barrier = !sleeper->attentive;
	if (sleeper->attentive) {
		/* BELL-F2 seq_cst: asleep before the last look; senders fence
		   as well. Pairs with BELL-F3. */
		atomics_fence_seq_cst();
		return ticket;
	}
	/* BELL-R2 acq_rel: sleep before the bit that says "look at it". Pairs
	   with BELL-A1. */
	word64_or_acq_rel(&file->attention[slot / 64], slot_bit(slot));
	return ticket;
}

uint32_t
doorbell_announce(struct view *view, uint32_t slot, struct sleeper *sleeper)
{
	bool barrier;
	uint32_t ticket = doorbell_begin(view, slot, sleeper, &barrier);

	if (barrier)
		doorbell_announced(sleeper, doorbell_barrier());
	return ticket;
}

int
doorbell_sleep(const word32 *events, uint32_t ticket, int64_t slice,
	       int64_t deadline)
{
	int64_t now = clock_now();
	int r;

	if (deadline <= now)
		return -ETIMEDOUT;
	if (deadline - now <= slice)
		return futex_wait(events, ticket, deadline);
	r = futex_wait(events, ticket, now + slice);
	return r == -ETIMEDOUT ? DOORBELL_LOOK : r;
}

void
doorbell_slept(struct sleeper *sleeper, int result)
{
	if (result != DOORBELL_LOOK)
		sleeper->slice = SLEEP_SLICE_FIRST;
	else if (sleeper->slice < SLEEP_SLICE_LONGEST / 2)
		sleeper->slice *= 2;
	else
		sleeper->slice = SLEEP_SLICE_LONGEST;
}

void
doorbell_retract(struct view *view, uint32_t slot, struct sleeper *sleeper)
{
	struct receivers_file *file = view->receivers;

	if (--sleeper->threads)
		return;		/* a fellow thread sleeps on */
	/* BELL-R3 release: not asleep, before the bit goes. Pairs with
	   BELL-A2. */
	word64_store_release(&file->slots[slot].sleep, 0);
	if (!sleeper->attentive)
		/* BELL-R4 acq_rel: 64 slots share the word. Pairs with
		   BELL-A1. */
		word64_and_acq_rel(&file->attention[slot / 64],
				   ~slot_bit(slot));
	/* BELL-F5 seq_cst: awake before the last look, so that a message that
	   was rung to us is seen by us. Pairs with BELL-F3. */
	atomics_fence_seq_cst();
}

void
doorbell_calm(struct view *view, uint32_t slot, struct sleeper *sleeper)
{
	sleeper->often = 0;
	if (!sleeper->attentive || sleeper->threads)
		return;
	sleeper->attentive = false;
	/* BELL-R5 acq_rel: as BELL-R4. Pairs with BELL-A1. */
	word64_and_acq_rel(&view->receivers->attention[slot / 64],
			   ~slot_bit(slot));
}

/* Rings for slot if it sleeps and nobody has. */
static bool
ring_slot(struct view *view, uint32_t slot)
{
	word32 *events = &view->doorbell->events[slot];
	uint64_t sleep;
	uint32_t ticket;

	/* BELL-A2 acquire: who sleeps, and on what. Pairs with BELL-R1,
	   BELL-R3, PART-R1. */
	sleep = word64_load_acquire(&view->receivers->slots[slot].sleep);
	ticket = sleep_ticket(sleep);
	if (!((uint32_t)sleep & SLEEP_ASLEEP))
		return false;
	/* BELL-C1 acq_rel: one of all senders rings for this sleep. Pairs with
	   BELL-A3. */
	if (!word32_cas_acq_rel(events, &ticket, ticket + 1))
		return false;
	futex_wake(events, INT32_MAX);
	return true;
}

/* The first of the slots from `from` on: so many; of a broadcast mailbox all of
   them. */
static void
ring_from(struct view *view, uint32_t from, uint32_t count)
{
	uint32_t word, slot;
	uint64_t bits;

	/* BELL-F3 seq_cst: the publish before the look at who sleeps. Pairs
	   with BELL-F1, BELL-F2, BELL-F5. */
	atomics_fence_seq_cst();
	for (word = from / 64; word < RECEIVERS_MAX / 64; word++) {
		/* BELL-A1 acquire: the sleep word before its bit. Pairs with
		   BELL-R2, BELL-R4, BELL-R5, PART-R2. */
		bits = word64_load_acquire(&view->receivers->attention[word]);
		if (word == from / 64)
			bits &= ~UINT64_C(0) << (from & 63);
		for (; bits; bits &= bits - 1) {
			slot = word * 64 + (uint32_t)__builtin_ctzll(bits);
			if (ring_slot(view, slot) &&
			    !view->attributes.delivery && !--count)
				return;
		}
	}
}

COLD void
doorbell_ring(struct view *view)
{
	ring_from(view, 0, 1);
}

COLD void
doorbell_ring_many(struct view *view, uint32_t count)
{
	ring_from(view, 0, count);
}

COLD void
doorbell_ring_after(struct view *view, uint32_t slot)
{
	ring_from(view, slot + 1, 1);
}

uint32_t
doorbell_begin_sender(struct lane_file *lane, const struct lane_entry *entry,
		      uint64_t wanted, struct sleeper *sleeper,
		      bool *ret_barrier)
{
	uint64_t already;
	uint32_t ticket;

	/* BELL-A4 acquire: the ticket before the announcement. Pairs with
	   BELL-C3. */
	ticket = word32_load_acquire(&entry->room);
	sleeps_again(sleeper);
	sleeper->threads++;
	/* relaxed: a hint, before BELL-R6; the nearest that a thread wants */
	already = word64_load_relaxed(&lane->wanted);
	if (sleeper->threads > 1 && (int64_t)(already - wanted) < 0)
		wanted = already;
	/* relaxed: as above */
	word64_store_relaxed(&lane->wanted, wanted);
	/* BELL-R6 release: the ticket before who asks for it. Pairs with
	   BELL-A6. */
	word64_store_release(&lane->sleep,
			     sleep_make(ticket, SLEEP_ASLEEP));
	*ret_barrier = !sleeper->attentive;
	if (sleeper->attentive)
		/* BELL-F6 seq_cst: as BELL-F2. Pairs with BELL-F4. */
		atomics_fence_seq_cst();
	return ticket;
}

uint32_t
doorbell_announce_sender(struct lane_file *lane,
			 const struct lane_entry *entry, uint64_t wanted,
			 struct sleeper *sleeper)
{
	bool barrier;
	uint32_t ticket = doorbell_begin_sender(lane, entry, wanted, sleeper,
						&barrier);

	if (barrier)
		doorbell_announced(sleeper, doorbell_barrier());
	return ticket;
}

void
doorbell_retract_sender(struct lane_file *lane, struct sleeper *sleeper)
{
	if (--sleeper->threads)
		return;
	/* BELL-R7 release: awake; and do they still have to fence? Pairs with
	   BELL-A6. */
	word64_store_release(&lane->sleep, sleep_make(0,
			     sleeper->attentive ? SLEEP_ATTENTION : 0));
}

void
doorbell_calm_sender(struct lane_file *lane, struct sleeper *sleeper)
{
	sleeper->often = 0;
	if (!sleeper->attentive || sleeper->threads)
		return;
	sleeper->attentive = false;
	/* BELL-R8 release: no need to fence. Pairs with BELL-A6. */
	word64_store_release(&lane->sleep, 0);
}

COLD void
doorbell_ring_sender(const struct lane_file *lane, struct lane_entry *entry,
		     uint64_t position)
{
	uint64_t sleep, wanted;
	uint32_t ticket;

	/* BELL-F4 seq_cst: the head before the look at who sleeps. Pairs with
	   BELL-F1, BELL-F6. */
	atomics_fence_seq_cst();
	/* BELL-A6 acquire: `wanted` and the ticket. Pairs with BELL-R6,
	   BELL-R7, BELL-R8. */
	sleep = word64_load_acquire(&lane->sleep);
	ticket = sleep_ticket(sleep);
	if (!((uint32_t)sleep & SLEEP_ASLEEP))
		return;
	/* relaxed: a hint */
	wanted = word64_load_relaxed(&lane->wanted);
	if ((int64_t)((position - wanted) << 16) < 0)
		return;
	/* BELL-C3 acq_rel: one receiver rings for this sleep. Pairs with
	   BELL-A4. */
	if (word32_cas_acq_rel(&entry->room, &ticket, ticket + 1))
		futex_wake(&entry->room, INT32_MAX);
}

void
doorbell_stir_sender(struct lane_entry *entry)
{
	/* BELL-C5 acq_rel: the head before the event. Pairs with BELL-A4. */
	word32_add_acq_rel(&entry->room, 1);
	futex_wake(&entry->room, INT32_MAX);
}

void
doorbell_mark(struct view *view, uint32_t lane)
{
	word64 *word = &view->doorbell->ringing[lane / 64];
	uint64_t bit = UINT64_C(1) << (lane & 63);

	/* BELL-O3 compiler: the publish, or `hot`, before the look at the bit.
	   Pairs with BELL-M2. */
	order_compiler();
	if (view->fences)
		/* BELL-F7 seq_cst: the publish before the look at the bit.
		   Pairs with BELL-F8. */
		atomics_fence_seq_cst();
	/* relaxed: ordered after the publish by the cooler's membarrier */
	if (word64_load_relaxed(word) & bit)
		return;
	/* BELL-C2 acq_rel: the publish before the bit. Pairs with BELL-A5. */
	word64_or_acq_rel(word, bit);
}

void
doorbell_warm(struct view *view, uint32_t lane)
{
	/* relaxed: doorbell_mark orders it against the cooler */
	word32_store_relaxed(&view->receivers->lanes[lane].hot, 1);
	doorbell_mark(view, lane);
}

void
doorbell_cool(struct view *view, uint32_t lane)
{
	/* relaxed: BELL-C4 is a full barrier for what follows */
	word32_store_relaxed(&view->receivers->lanes[lane].hot, 0);
	doorbell_clear(view, lane);
}

void
doorbell_cooled(void)
{
	/* BELL-M2 membarrier: the bits are clear, before the last look. Pairs
	   with BELL-O3, LANE-O1. */
	barrier_all();
	/* BELL-F8 seq_cst: as BELL-F1. Pairs with BELL-F7. */
	atomics_fence_seq_cst();
}

void
doorbell_cool_again(struct view *view, uint32_t lane)
{
	/* relaxed: after BELL-F8 */
	if (word32_load_relaxed(&view->receivers->lanes[lane].hot))
		doorbell_mark(view, lane);
}

void
doorbell_clear(struct view *view, uint32_t lane)
{
	/* BELL-C4 acq_rel: 64 lanes share the word. Pairs with BELL-C2. */
	word64_and_acq_rel(&view->doorbell->ringing[lane / 64],
			   ~(UINT64_C(1) << (lane & 63)));
}
