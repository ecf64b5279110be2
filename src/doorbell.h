/* SPDX-License-Identifier: MIT */
/* Layer 6. May include: base atomics clock futex layout bell. */
/*
 * Sleeping and waking, on both sides, and which lanes have something.
 *
 * The side that is about to sleep pays. It announces that it sleeps, makes
 * every processor execute a full barrier (membarrier), looks once more, and
 * sleeps. The side that runs publishes, and loads one line that stays in its
 * cache: no fence, no read-modify-write, no system call.
 *
 *	receiver (sleeps)			sender (runs)
 *	ticket = events[slot]			store sequence (publish)
 *	store sleep = {ticket, asleep}		[compiler keeps the order]
 *	set attention bit			load attention
 *	membarrier				0: done
 *	look at all lanes: nothing		else: full fence, load sleep
 *	futex_wait(events[slot], ticket)	asleep: events[slot]: ticket ->
 *						ticket + 1; futex_wake
 *
 * If the sender's load of attention came before the bit, then its publish came
 * before the membarrier ended, and the look sees the message. If it came after,
 * the sender rings. A ring before futex_wait() has changed the event count, so
 * the sleeper does not sleep. Each sleep is rung for once: the CAS of the event
 * count from its ticket lets one of many senders do it, and the others look
 * for another sleeper; so a sleeper that is stopped taxes nobody.
 *
 * A receiver that stops waiting looks once more after it has taken its sleep
 * back (the sender's full fence is for this): a message for which it was rung
 * does not wait for another.
 *
 * A receiver that sleeps often leaves its attention bit set. Senders then fence
 * after each publish, and it needs no membarrier to go to sleep: its own full
 * fence does.
 *
 * A sender that waits for room, or for its message to be taken, does the same
 * the other way round: its lane's sleep word, and the event count `room` of
 * its lane in the receivers' file.
 *
 * A descriptor (cubby_fd()) is a sleeper of its own beside the threads of the
 * handle: with a word `polls` beside `sleep`, an event count `polled` beside
 * `events`, and a bell (bell.h) in place of the futex. It is *armed* by a
 * receive that finds nothing, and stays so when that returns:
 *
 *	receiver (polls)			sender (runs)
 *	empty the bell				store sequence (publish)
 *	ticket = polled[slot]			load attention
 *	store polls = {ticket, armed}		0: done
 *	set attention bit			else: full fence, load polls
 *	membarrier				armed: polled[slot]: ticket ->
 *	look at all lanes: nothing		ticket + 1; a byte into the bell
 *	return; poll() sleeps on the bell
 *
 * The proof is the same, and the byte in the bell stands for "polled[slot] !=
 * ticket": it is there before poll() sleeps or comes later and ends that. A
 * look that does find something rings one's own bell. So as long as there is
 * something, the bell has a byte, or someone owes it. It is emptied only before
 * it is armed again, and the look comes after. A byte that comes late, for an
 * older ticket, lets poll() return for nothing.
 *
 * *Whoever polls is told, each of them*: readiness is a state, and one who is
 * told of it need not take the message, nor do it soon. So a sender rings for
 * one sleeping thread and for all descriptors that are armed, each once until
 * it is armed again. An application that does not heed its descriptor keeps no
 * message from anybody.
 *
 * What breaks it: a waker killed or stopped between the CAS of the event count
 * and the wake-up, and a doorbell written to by somebody hostile. Both delay a
 * wake-up until the sleeper's own look (SLEEP_SLICE_*), and no longer.
 */
#ifndef CUBBY_DOORBELL_H
#define CUBBY_DOORBELL_H

#include "base.h"
#include "atomics.h"
#include "bell.h"
#include "layout.h"

/* The sleeper's own look: no sleep lasts longer. The single timed thing. */
#define SLEEP_SLICE_FIRST	(50 * NSEC_PER_MSEC)
#define SLEEP_SLICE_LONGEST	(1000 * NSEC_PER_MSEC)
#define SLEEP_SLICE_UNFENCED	(2 * NSEC_PER_MSEC)

/* A side's own memory of how it sleeps. Private. */
struct sleeper {
	uint32_t often;		/* sleeps of late; SLEEPER_OFTEN: attention */
	bool attentive;		/* the other side fences for us */
	bool unfenced;		/* no membarrier to be had: short slices */
	uint32_t threads;	/* of this process, asleep on it */
	bool armed;		/* its descriptor, on this ticket */
	uint32_t polled;
	int64_t slice;
};
#define SLEEPER_OFTEN 4

/* The receiver's side ---------------------------------------------------- */

/* Announces; the caller looks once more afterwards. Returns the ticket. */
uint32_t
doorbell_announce(struct view *view, uint32_t slot, struct sleeper *sleeper);

/*
 * The same in two halves, for one who announces several sleeps and needs one
 * barrier for all of them: begin; if *ret_barrier, doorbell_barrier() and
 * doorbell_announced() with what it returned.
 */
uint32_t
doorbell_begin(struct view *view, uint32_t slot, struct sleeper *sleeper,
	       bool *ret_barrier);
bool
doorbell_barrier(void);
void
doorbell_announced(struct sleeper *sleeper, bool fenced);

/* How long the next sleep may last before a look of one's own. Under the lock
   of the handle's end, as all but doorbell_sleep(). */
static inline int64_t
doorbell_slice(const struct sleeper *sleeper)
{
	return sleeper->unfenced ? SLEEP_SLICE_UNFENCED : sleeper->slice;
}

/*
 * Sleeps until rung, or the deadline, or for the slice. Outside of the lock.
 * Returns 0 (rung, or for no reason), DOORBELL_LOOK, -ETIMEDOUT (the caller's
 * deadline), -EINTR.
 */
#define DOORBELL_LOOK 1
int
doorbell_sleep(const word32 *events, uint32_t ticket, int64_t slice,
	       int64_t deadline);

/* What came of it: the next slice is longer while nothing happens. */
void
doorbell_slept(struct sleeper *sleeper, int result);

/* Takes the sleep back; the caller looks once more before it gives up. */
void
doorbell_retract(struct view *view, uint32_t slot, struct sleeper *sleeper);

/* It has not slept for long: senders need not fence any more. */
void
doorbell_calm(struct view *view, uint32_t slot, struct sleeper *sleeper);

/* A descriptor's side ---------------------------------------------------- */

/* Publishes the bell's number; NULL: disarms it, and takes the number back. */
void
doorbell_hang(struct view *view, uint32_t slot, struct sleeper *sleeper,
	      const struct bell *bell);

/* Arms it; the bell has been emptied, and the caller looks once more. False: it
   was armed before, and nobody has rung for it. */
bool
doorbell_arm(struct view *view, uint32_t slot, struct sleeper *sleeper);

/* That look has found: r. As `arm` in handle.h: disarms it if there is
   something, and says how long it may be without another look. */
int
doorbell_armed(struct view *view, uint32_t slot, struct sleeper *sleeper,
	       bool anew, int r, int64_t *ret_slice);

/* The same, of a sender that polls for room. entry: NULL: it has no memory yet,
   and so nobody has ever rung there. */
bool
doorbell_is_armed_sender(const struct lane_entry *entry,
			 const struct sleeper *sleeper);
void
doorbell_arm_sender(struct lane_file *lane, const struct lane_entry *entry,
		    struct sleeper *sleeper);
void
doorbell_disarm_sender(struct lane_file *lane, struct sleeper *sleeper);

/* The sender's side ------------------------------------------------------ */

/* Wakes one sleeping receiver that nobody has rung for, if there is one (of a
   broadcast mailbox all of them), and tells all that poll. */
void
doorbell_ring(struct view *view);

/* The same of as many as that, after as many messages. */
void
doorbell_ring_many(struct view *view, uint32_t count);

/* The same, for a receiver of that slot that cannot use what it was rung for:
   wakes one of a higher slot, so that this ends. */
void
doorbell_ring_after(struct view *view, uint32_t slot);

/* After a publish: may somebody sleep? Usually a few loads of one line. */
static FAST bool
doorbell_is_wanted(const struct view *view)
{
	const word64 *attention = view->receivers->attention;
	uint64_t any = 0;
	int i;

	/* BELL-O1 compiler: the publish before the look. Pairs with BELL-M1. */
	order_compiler();
	for (i = 0; i < RECEIVERS_MAX / 64; i++)
		/* relaxed: ordered after the publish by the sleeper's
		   membarrier, or by doorbell_ring's fence */
		any |= word64_load_relaxed(&attention[i]);
	return any || view->fences;
}

static inline void
doorbell_published(struct view *view)
{
	if (unlikely(doorbell_is_wanted(view)))
		doorbell_ring(view);
}

static inline void
doorbell_published_many(struct view *view, uint32_t count)
{
	if (unlikely(doorbell_is_wanted(view)))
		doorbell_ring_many(view, count);
}

/* The sender's own sleep: announce, look, sleep, retract. */
uint32_t
doorbell_announce_sender(struct lane_file *lane,
			 const struct lane_entry *entry, uint64_t wanted,
			 struct sleeper *sleeper);
uint32_t
doorbell_begin_sender(struct lane_file *lane, const struct lane_entry *entry,
		      uint64_t wanted, struct sleeper *sleeper,
		      bool *ret_barrier);
void
doorbell_retract_sender(struct lane_file *lane, struct sleeper *sleeper);
void
doorbell_calm_sender(struct lane_file *lane, const struct lane_entry *entry,
		     struct sleeper *sleeper);

/* The slow part of doorbell_advanced(). */
void
doorbell_ring_sender(struct view *view, const struct lane_file *lane,
		     struct lane_entry *entry, uint64_t position);

/* After a head has been moved: may the sender sleep? */
static FAST bool
doorbell_sender_is_waiting(const struct view *view,
			   const struct lane_file *lane)
{
	/* BELL-O2 compiler: the head before the look. Pairs with BELL-M1. */
	order_compiler();
	/* relaxed: ordered after the head by the sleeper's membarrier, or by
	   doorbell_ring_sender's fence */
	return (uint32_t)word64_load_relaxed(&lane->sleep) || view->fences;
}

/* After a head has been moved to position. */
static inline void
doorbell_advanced(struct view *view, const struct lane_file *lane,
		  struct lane_entry *entry, uint64_t position)
{
	if (unlikely(doorbell_sender_is_waiting(view, lane)))
		doorbell_ring_sender(view, lane, entry, position);
}

/* A head may have moved, and nobody knows for whom to ring: the lane's sender
   looks. */
void
doorbell_stir_sender(struct view *view, uint32_t lane);

/* Which lanes have something --------------------------------------------- */

/*
 * A lane's bit in `ringing` is set by its sender while the lane is not `hot`,
 * and cleared when receivers let it cool. So receivers look at the lanes whose
 * bit is set, and a thousand idle senders cost a word in sixty-four.
 *
 *	receiver (cools)			sender
 *	store hot = 0				store sequence (publish)
 *	clear the bit				load hot: 1: done
 *	membarrier				0: load the bit: set: done
 *	look at the lane: nothing			clear: set it
 *
 *	receiver (cools)			receiver (warms)
 *	store hot = 0				store hot = 1
 *	clear the bit				load the bit
 *	membarrier				clear: set it
 *	load hot: 1: set the bit
 */

/* After a publish on a lane that is not hot. */
void
doorbell_mark(struct view *view, uint32_t lane);

/* The lane is busy: its sender need not look at the bit. */
void
doorbell_warm(struct view *view, uint32_t lane);

/* Step one for each lane of a batch; then doorbell_cooled(), once; then
   doorbell_cool_again() for each, and a look at it. */
void
doorbell_cool(struct view *view, uint32_t lane);
void
doorbell_cooled(void);
void
doorbell_cool_again(struct view *view, uint32_t lane);

/* The set bits of lanes [64 * word, 64 * word + 63]. */
static inline uint64_t
doorbell_ringing(const struct view *view, uint32_t word)
{
	/* BELL-A5 acquire: the publish before the bit. Pairs with BELL-C2. */
	return word64_load_acquire(&view->doorbell->ringing[word]);
}

/* A bit that belongs to no lane. */
void
doorbell_clear(struct view *view, uint32_t lane);

/* Has somebody cut the doorbell short? Then nothing in it helps. */
static inline bool
doorbell_is_broken(const struct view *view)
{
	return shm_is_broken(&view->doorbell_mapping);
}

#endif
