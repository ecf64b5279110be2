/* SPDX-License-Identifier: MIT */
/* Layer 5. May include: base atomics shm liveness layout. */
/*
 * Receivers' slots: who receives from a mailbox, and whether they live.
 *
 * Slot N of the receivers' file belongs to whoever has locked byte N of the
 * file `attendance`: he is alive. Who wants the slot locks byte JOINING + N
 * first, puts in order what its last owner left (lane_repair_slot()), and only
 * then locks byte N. So a claim that bears a slot's number belongs to its present
 * owner, or to a dead one; and while a joiner stands still over his repair, the
 * slot looks as dead as it is, and others repair it too.
 */
#ifndef CUBBY_PARTICIPANTS_H
#define CUBBY_PARTICIPANTS_H

#include "base.h"
#include "layout.h"
#include "liveness.h"

#define ATTENDANCE	"attendance"
#define RECEIVERS	"receivers"

#define JOINING		1024

/* Who receives from an inbox has this byte: see inbox.h. */
#define INBOX		2048

/* Bytes of `attendance` beyond the receivers' own: handles without a role, that
   keep a temporary mailbox alive. */
#define BYSTANDERS	4096
#define BYSTANDERS_MAX	4096

/*
 * Chooses the lowest free slot: nobody else can have it until *ret_joining is
 * dropped. The caller repairs it. Errors: -EUSERS (all are taken), -ENOSPC, and
 * the kernel's.
 */
int
participants_join(struct view *view, struct liveness *ret_joining,
		  uint32_t *ret_slot);

/* After the repair: the slot is this process's, who is alive in it. Drops
   joining, whatever comes of it. Errors: the kernel's. */
int
participants_enter(struct view *view, uint32_t slot, struct liveness *joining,
		   struct liveness *ret_life);

/*
 * Is no other receiver there, as far as the slots say? A guess, for choosing
 * the faster way: one that died may still be counted until its slot has been
 * repaired.
 */
bool
participants_alone(const struct view *view, uint32_t slot);

/* Leaves the slot; the lock goes last. */
void
participants_leave(struct view *view, uint32_t slot, struct liveness *life);

/* Takes a place without a slot. Errors: -EUSERS and the kernel's. */
int
participants_stand_by(struct view *view, struct liveness *ret_life);

/* How many slots there is memory for. */
uint32_t
participants_slots(const struct view *view);

/*
 * Slots whose owner has died without leaving: calls dead(context, slot, false)
 * for each but `self`. Then, if nobody else can have the slot meanwhile, once
 * more with `true`, and clears what of the slot would cost others time (it is
 * still asked to be looked at, and counted).
 */
void
participants_find_dead(struct view *view, uint32_t self,
		       void (*dead)(void *context, uint32_t slot, bool ours),
		       void *context);

/*
 * Is the slot's owner alive? 1, 0, or -errno (-EACCES: may not know). Slow: an
 * open and a question to the kernel.
 */
int
participants_alive(const struct view *view, uint32_t slot);

/* Is any receiver or bystander, this process included? 1, 0 or -errno. */
int
participants_any(const struct view *view);

#endif
