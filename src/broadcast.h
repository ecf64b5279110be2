/* SPDX-License-Identifier: MIT */
/* Layer 7. May include: base atomics shm liveness layout participants doorbell. */
/*
 * Broadcast: a mailbox whose every receiver gets every message.
 *
 * The sender's end is a lane as any other: the same cells, blocks, names and
 * successors, and the same few stores to send. What differs is who is waited
 * for before a cell is used again. A receiver has a position of its own on each
 * lane, and says in its *cursor* how far it is. Two words tell what may be
 * overwritten:
 *
 *	floor	(the sender's)	no message from here on has been overwritten, nor
 *				its block: whoever has read one, and finds
 *				afterwards that the floor has not risen above
 *				it, has read it whole. The cell of position p is
 *				not stored to before the floor is above
 *				p - cells. It never falls.
 *	cursor	(a receiver's)	with CUBBY_EVERY: no message from here on is
 *				overwritten
 *
 * A receiver is in the *audience*, a set of bits by slot, from when its open
 * succeeds until it leaves. Its cursor of a lane that it has not met yet counts
 * as standing at the lane's beginning; so a new sender cannot run past those
 * who have not found it yet.
 *
 * CUBBY_EVERY_OVERTAKE. The sender waits for nobody, and looks at no cursor. It
 * raises the floor for many messages at a time, so that to send is as cheap as
 * in any other mailbox.
 *
 *	sender					receiver
 *	store floor = f				load sequence: it is the one
 *	fence (release)				copy the message
 *	store cells and blocks below f		fence (acquire)
 *						load floor: above it? the copy is
 *						worth nothing: go to the floor
 *
 * If the copy has anything of a store that came after the fence, then the load
 * of the floor sees it risen. A sender that dies or stops between the two has
 * overwritten nothing yet; messages below the floor are lost to nobody who has
 * not been overtaken. A receiver that dies or stops holds nobody up.
 *
 * CUBBY_EVERY. The sender, when it has filled what it knew to be free:
 *
 *	sender					receiver that joins
 *	load audience, cursors: the lowest: m	store cursor = c
 *	store floor = m + capacity - cells	set its bit in the audience
 *	fence (seq_cst)				fence (seq_cst)
 *	load audience, cursors: the lowest: n	load floor: above c?
 *	sends up to min(m, n) + capacity	then store cursor = floor, and again
 *
 * Either the sender's second look sees the cursor, and respects it, though it be
 * below the floor; or the receiver sees the floor, and gives up what lies below.
 * Once it has found its cursor on or above the floor after the bit was set, all
 * that lies beyond the cursor stays until the cursor has moved.
 *
 * A receiver that has copied a message stores its cursor (release); the sender
 * loads it (acquire) before it stores to that cell, or hands out that block.
 *
 * Who joins, step by step (slot: see participants.h), and what is left if he
 * dies there; stopped, he holds up nobody before 6, and from then on as any
 * receiver does:
 *
 *	1 locks the byte JOINING of a slot	nothing
 *	2 clears the slot's bit			the dead one's cursors count no
 *						more
 *	3 clears the slot's cursors		they count for nothing
 *	4 locks the byte of its generation and	the same
 *	  slot in `receivers`, then enters the
 *	  slot with that generation
 *	5 stores a cursor for each lane that	the same
 *	  there is
 *	6 sets its bit				senders wait for it, until they
 *						ask whether it lives
 *	7 looks whether floors have risen
 *
 * The dead hold nobody up. Who may only send cannot read `attendance`; so who
 * receives also locks a byte of the file `receivers`, which senders may read:
 * another one for each generation of a slot, since the locks of one who dies do
 * not all go at one instant, and the next owner must not be taken for him. A
 * sender that has no room asks, once in a tick of the kernel's clock, whether
 * those that it waits for live:
 *
 *	load the bit; load the slot's generation: g; is g's byte locked?
 *	no: whoever entered with g is dead: passed over as long as it is g
 *
 * The generation is stored after its byte has been locked. Who may only send can
 * lock bytes for reading; a receiver that finds several so takes one for reading,
 * too, and as long as the other keeps his, its death is not told by asking (a
 * fellow receiver finds it all the same, by `attendance`). Receivers that look
 * round by themselves take the bits of the dead away, for all.
 *
 * One who leaves clears its bit, and tells all senders to look again; a sender
 * has announced its sleep before it looks the last time, so it sees the bit gone
 * or is told. A slot that has a new owner between a sender's looks at the bit
 * and at the cursor shows it a cursor that has been cleared, or the new one's:
 * it waits for too much, and is told to look again, or for what is right.
 *
 * Sleeping and waking are the doorbell's. There is a difference: a message is
 * for all, so each receiver that sleeps is rung.
 *
 * The successor of a sender finds in its lane where it stands: the messages from
 * the floor on are published without a gap. Those that wait, from the lowest
 * cursor on, are there too, though the floor be above it.
 *
 * What lies: a cursor that makes no sense (beyond what was sent, or before what
 * is there) holds the senders back or not, and no more than that: the lowest of
 * all counts. A floor that makes no sense makes receivers miss messages, or cut
 * the lane off.
 */
#ifndef CUBBY_BROADCAST_H
#define CUBBY_BROADCAST_H

#include "base.h"
#include "layout.h"
#include "liveness.h"

#include <cubby.h>

/* The byte of `receivers` that an owner of a slot locks, for senders to ask. */
static inline uint64_t
broadcast_voice(uint32_t slot, uint64_t generation)
{
	return (generation & (UINT64_MAX >> 10)) * RECEIVERS_MAX + slot;
}

static inline bool
broadcast_is(const struct view *view)
{
	return view->attributes.delivery != CUBBY_ONE;
}

/* Does a slow receiver hold the senders back? */
static inline bool
broadcast_waits(const struct view *view)
{
	return view->attributes.delivery == CUBBY_EVERY;
}

/* The sender's end ------------------------------------------------------- */

/* Generations that have been found dead, by slot. Private; zero: none. */
struct departed {
	uint64_t generation[RECEIVERS_MAX];
	int64_t asked;		/* clock_tick() */
};

/*
 * How many messages before `position` the slowest of the audience has still to
 * receive of that lane; 0: there is none, or they all have them. departed: whom
 * not to wait for, or NULL.
 */
uint64_t
broadcast_lag(const struct view *view, uint32_t lane, uint64_t position,
	      const struct departed *departed);

/* Asks whether those live who have something before `position` to receive. fd: the
   receivers' file. True: one was found dead, and is listed. */
bool
broadcast_find_departed(const struct view *view, int fd, uint32_t lane,
			uint64_t position, struct departed *departed);

/* The receiver's end ----------------------------------------------------- */

/* Steps 2 to 4, but for entering the slot. Errors: the kernel's. */
int
broadcast_prepare(struct view *view, uint32_t slot, struct liveness *ret_voice);

/* The slot's cursor of that lane, with memory. Errors: -ENOSPC and the
   kernel's. */
int
broadcast_cursor(struct view *view, uint32_t slot, uint32_t lane,
		 struct lane_cursor **ret);

/* Steps 5 and, for a cursor, whatever comes later: what lies before `position`
   has been dealt with. */
static inline void
broadcast_move(struct lane_cursor *cursor, uint64_t position)
{
	/* CAST-R1 release: the copy, before it may be overwritten. Pairs with
	   CAST-A2. */
	word64_store_release(&cursor->next, position);
}

void
broadcast_begin(struct lane_cursor *cursor, uint64_t position);

/* Step 6. */
void
broadcast_enter(struct view *view, uint32_t slot);

/* Out of the audience: one who leaves, or whom the caller knows to be dead while
   nobody else can get the slot. True: it was in it; the caller tells the
   senders. */
bool
broadcast_leave(struct view *view, uint32_t slot);

/* Tells the senders of all lanes to look again. */
void
broadcast_stir(struct view *view);

#endif
