/* SPDX-License-Identifier: MIT */
/* Layer 6. May include: base atomics clock futex layout bell doorbell shm. */
/*
 * Going to sleep and waking up; doorbell.h has the protocol and its proof.
 *
 * Nothing here decides whether there is a message or room: it makes whoever
 * sleeps look. So a wrong value costs a spurious look, or a delay until the
 * sleeper looks by itself.
 */
#include "base.h"
#include "bell.h"
#include "clock.h"
#include "doorbell.h"
#include "futex.h"
#include "shm.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

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

/* Is it armed, and has nobody rung for it? */
static bool
is_armed(const struct view *view, uint32_t slot, const struct sleeper *sleeper)
{
	/* relaxed: one who rings just now puts a byte in as well */
	return sleeper->armed &&
	       word32_load_relaxed(&view->doorbell->polled[slot]) ==
	       sleeper->polled;
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
	if (!sleeper->attentive && !is_armed(view, slot, sleeper))
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
	if (!(sleeper->attentive || sleeper->armed) || sleeper->threads ||
	    is_armed(view, slot, sleeper))
		return;
	/* If it was armed, it has been rung. */
	sleeper->armed = false;
	sleeper->attentive = false;
	/* BELL-R5 acq_rel: as BELL-R4. Pairs with BELL-A1. */
	word64_and_acq_rel(&view->receivers->attention[slot / 64],
			   ~slot_bit(slot));
}

/* A descriptor's --------------------------------------------------------- */

/* Nobody need ring. */
static void
disarm(struct view *view, uint32_t slot, struct sleeper *sleeper)
{
	sleeper->armed = false;
	/* BELL-R11 release: not armed, before the bit goes. Pairs with
	   BELL-A8. */
	word64_store_release(&view->receivers->slots[slot].polls, 0);
	if (!sleeper->attentive && !sleeper->threads)
		/* BELL-R12 acq_rel: as BELL-R4. Pairs with BELL-A1. */
		word64_and_acq_rel(&view->receivers->attention[slot / 64],
				   ~slot_bit(slot));
}

void
doorbell_hang(struct view *view, uint32_t slot, struct sleeper *sleeper,
	      const struct bell *bell)
{
	if (!bell)
		disarm(view, slot, sleeper);
	/* relaxed: before BELL-R9 */
	word64_store_relaxed(&view->receivers->slots[slot].bell,
			     bell ? bell->number : 0);
}

bool
doorbell_arm(struct view *view, uint32_t slot, struct sleeper *sleeper)
{
	struct receivers_file *file = view->receivers;

	if (is_armed(view, slot, sleeper))
		return false;
	/* BELL-A7 acquire: the ticket before it is asked for. Pairs with
	   BELL-C6. */
	sleeper->polled = word32_load_acquire(&view->doorbell->polled[slot]);
	sleeper->armed = true;
	sleeps_again(sleeper);
	/* BELL-R9 release: the ticket, and the bell's number, before who asks
	   for it. Pairs with BELL-A8. */
	word64_store_release(&file->slots[slot].polls,
			     sleep_make(sleeper->polled, POLLS_ARMED));
	if (sleeper->attentive) {
		/* BELL-F9 seq_cst: as BELL-F2. Pairs with BELL-F3. */
		atomics_fence_seq_cst();
		return true;
	}
	/* BELL-R10 acq_rel: `polls` before the bit. Pairs with BELL-A1. */
	word64_or_acq_rel(&file->attention[slot / 64], slot_bit(slot));
	doorbell_announced(sleeper, doorbell_barrier());
	return true;
}

int
doorbell_armed(struct view *view, uint32_t slot, struct sleeper *sleeper,
	       bool anew, int r, int64_t *ret_slice)
{
	*ret_slice = sleeper->unfenced ? SLEEP_SLICE_UNFENCED :
					 SLEEP_SLICE_LONGEST;
	if (r == 0)
		return anew ? 0 : -EALREADY;
	disarm(view, slot, sleeper);
	return r;
}

bool
doorbell_is_armed_sender(const struct lane_entry *entry,
			 const struct sleeper *sleeper)
{
	/* relaxed: as in is_armed() */
	return sleeper->armed &&
	       (entry ? word32_load_relaxed(&entry->polled) : 0) ==
	       sleeper->polled;
}

/* What of a lane's sleep word is not the threads': an attentive sender goes to
   sleep without a barrier, so the word asks receivers to fence all the while. */
static uint32_t
sender_flags(const struct sleeper *sleeper)
{
	return (sleeper->armed ? SLEEP_POLLS : 0) |
	       (sleeper->attentive ? SLEEP_ATTENTION : 0);
}

/* As it stands, but for those. */
static void
say_sender_flags(struct lane_file *lane, const struct sleeper *sleeper)
{
	/* relaxed: ours alone to write */
	uint64_t sleep = word64_load_relaxed(&lane->sleep) &
			 ~(uint64_t)(SLEEP_POLLS | SLEEP_ATTENTION);

	/* BELL-R13 release: `polls` before the flag. Pairs with BELL-A6. */
	word64_store_release(&lane->sleep, sleep | sender_flags(sleeper));
}

void
doorbell_arm_sender(struct lane_file *lane, const struct lane_entry *entry,
		    struct sleeper *sleeper)
{
	/* BELL-A9 acquire: as BELL-A7. Pairs with BELL-C7. */
	sleeper->polled = entry ? word32_load_acquire(&entry->polled) : 0;
	sleeper->armed = true;
	sleeps_again(sleeper);
	/* BELL-R14 release: as BELL-R9. Pairs with BELL-A10. */
	word64_store_release(&lane->polls,
			     sleep_make(sleeper->polled, POLLS_ARMED));
	say_sender_flags(lane, sleeper);
	if (sleeper->attentive)
		/* BELL-F10 seq_cst: as BELL-F2. Pairs with BELL-F4. */
		atomics_fence_seq_cst();
	else
		doorbell_announced(sleeper, doorbell_barrier());
}

void
doorbell_disarm_sender(struct lane_file *lane, struct sleeper *sleeper)
{
	sleeper->armed = false;
	/* BELL-R15 release: not armed. Pairs with BELL-A10. */
	word64_store_release(&lane->polls, 0);
	say_sender_flags(lane, sleeper);
}

/* Ringing ---------------------------------------------------------------- */

/* Tells the descriptor of slot if it is armed and nobody has. */
static void
ring_polls(struct view *view, uint32_t slot)
{
	struct receiver_slot *s = &view->receivers->slots[slot];
	uint64_t polls;
	uint32_t ticket;

	/* BELL-A8 acquire: who polls, on what, and its bell. Pairs with
	   BELL-R9, BELL-R11, PART-R5. */
	polls = word64_load_acquire(&s->polls);
	ticket = sleep_ticket(polls);
	if (likely(!((uint32_t)polls & POLLS_ARMED)))
		return;
	/* BELL-C6 acq_rel: one of all senders rings for this arming. Pairs with
	   BELL-A7. */
	if (word32_cas_acq_rel(&view->doorbell->polled[slot], &ticket,
			       ticket + 1))
		/* relaxed: after BELL-A8 */
		bell_ring(view, BELL_OF_OTHERS, word64_load_relaxed(&s->bell));
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

/* The first that sleep of the slots from `from` on, so many (of a broadcast
   mailbox all of them), and all that poll. */
static void
ring_from(struct view *view, uint32_t from, uint32_t count)
{
	uint32_t word, slot;
	uint64_t bits;

	/* BELL-F3 seq_cst: the publish before the look at who sleeps. Pairs
	   with BELL-F1, BELL-F2, BELL-F5, BELL-F9. */
	atomics_fence_seq_cst();
	for (word = from / 64; word < RECEIVERS_MAX / 64; word++) {
		/* BELL-A1 acquire: the sleep word before its bit. Pairs with
		   BELL-R2, BELL-R4, BELL-R5, BELL-R10, BELL-R12, PART-R2. */
		bits = word64_load_acquire(&view->receivers->attention[word]);
		if (word == from / 64)
			bits &= ~UINT64_C(0) << (from & 63);
		for (; bits; bits &= bits - 1) {
			slot = word * 64 + (uint32_t)__builtin_ctzll(bits);
			if (count && ring_slot(view, slot) &&
			    !view->attributes.delivery)
				count--;
			ring_polls(view, slot);
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
			     sleep_make(ticket, SLEEP_ASLEEP |
					sender_flags(sleeper)));
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
	word64_store_release(&lane->sleep,
			     sleep_make(0, sender_flags(sleeper)));
}

void
doorbell_calm_sender(struct lane_file *lane, const struct lane_entry *entry,
		     struct sleeper *sleeper)
{
	sleeper->often = 0;
	/* One that is armed, and that nobody has rung for, is told yet. */
	if (sleeper->threads || !(sleeper->attentive || sleeper->armed) ||
	    doorbell_is_armed_sender(entry, sleeper))
		return;
	sleeper->armed = false;
	sleeper->attentive = false;
	/* BELL-R8 release: no need to fence. Pairs with BELL-A6. */
	word64_store_release(&lane->sleep, 0);
}

/* The same of a sender that polls for room. */
static COLD void
ring_sender_polls(struct view *view, const struct lane_file *lane,
		  struct lane_entry *entry)
{
	uint64_t polls;
	uint32_t ticket;

	/* BELL-A10 acquire: as BELL-A8. Pairs with BELL-R14, BELL-R15. */
	polls = word64_load_acquire(&lane->polls);
	ticket = sleep_ticket(polls);
	if (!((uint32_t)polls & POLLS_ARMED))
		return;
	/* BELL-C7 acq_rel: as BELL-C6. Pairs with BELL-A9. */
	if (word32_cas_acq_rel(&entry->polled, &ticket, ticket + 1))
		/* relaxed: after BELL-A10 */
		bell_ring(view, BELL_OF_LANE, word64_load_relaxed(&lane->bell));
}

COLD void
doorbell_ring_sender(struct view *view, const struct lane_file *lane,
		     struct lane_entry *entry, uint64_t position)
{
	uint64_t sleep, wanted;
	uint32_t ticket;

	/* BELL-F4 seq_cst: the head before the look at who sleeps. Pairs with
	   BELL-F1, BELL-F6, BELL-F10. */
	atomics_fence_seq_cst();
	/* BELL-A6 acquire: `wanted` and the ticket. Pairs with BELL-R6,
	   BELL-R7, BELL-R8, BELL-R13. */
	sleep = word64_load_acquire(&lane->sleep);
	ticket = sleep_ticket(sleep);
	if (unlikely((uint32_t)sleep & SLEEP_POLLS))
		ring_sender_polls(view, lane, entry);
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

/* Of a lane that need not be open here. */
static void
stir_polls(struct view *view, uint32_t lane, struct lane_entry *entry)
{
	char name[sizeof("lane.") + 10];
	struct {
		uint64_t polls, bell;
	} its;
	uint32_t ticket;
	int fd;

	_Static_assert(offsetof(struct lane_file, bell) ==
		       offsetof(struct lane_file, polls) + 8, "read as one");
	snprintf(name, sizeof(name), "lane.%u", lane);
	fd = shm_open_at(view_lanes(view), name, O_RDONLY, NULL);
	if (fd < 0)
		return;
	/* BELL-F11 seq_cst: the event before the look at who polls. Pairs with
	   BELL-F1, BELL-F10. */
	atomics_fence_seq_cst();
	if (pread(fd, &its, sizeof(its), offsetof(struct lane_file, polls)) ==
		    sizeof(its) && its.polls & POLLS_ARMED) {
		ticket = sleep_ticket(its.polls);
		/* BELL-C8 acq_rel: as BELL-C7. Pairs with BELL-A9. */
		if (word32_cas_acq_rel(&entry->polled, &ticket, ticket + 1))
			bell_ring(view, BELL_OF_LANE, its.bell);
	}
	close(fd);
}

void
doorbell_stir_sender(struct view *view, uint32_t lane)
{
	struct lane_entry *entry = &view->receivers->lanes[lane];

	/* BELL-C5 acq_rel: the head before the event. Pairs with BELL-A4. */
	word32_add_acq_rel(&entry->room, 1);
	futex_wake(&entry->room, INT32_MAX);
	stir_polls(view, lane, entry);
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
