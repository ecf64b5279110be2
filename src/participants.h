/* SPDX-License-Identifier: MIT */
/* Layer 5. May include: base atomics shm liveness layout. */
/*
 * Receivers' slots: who receives from a mailbox, and whether they live.
 *
 * Slot N of the receivers' file belongs to whoever has locked byte N of the
 * file `attendance`. It is given to the next one when its owner has died or
 * left, and only after the next one has put in order what the owner left (see
 * lane_repair_slot()); so a claim that bears a slot's number belongs to the
 * slot's present owner, or to a dead one whose claims are about to be repaired.
 */
#ifndef CUBBY_PARTICIPANTS_H
#define CUBBY_PARTICIPANTS_H

#include "base.h"
#include "layout.h"
#include "liveness.h"

#define ATTENDANCE	"attendance"
#define RECEIVERS	"receivers"

/* Bytes of `attendance` beyond the receivers' own: handles without a role, that
   keep a temporary mailbox alive. */
#define BYSTANDERS	4096
#define BYSTANDERS_MAX	4096

/*
 * Takes the lowest free slot. The caller repairs it before it does anything
 * else. Errors: -EUSERS (all are taken), -ENOSPC, and the kernel's.
 */
int
participants_join(struct view *view, struct liveness *ret_life,
		  uint32_t *ret_slot);

/* After the repair: the slot is this process's. */
void
participants_enter(struct view *view, uint32_t slot);

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
 * Slots whose owner has died without leaving: calls dead(context, slot) for
 * each but `self`, and then, if nobody else is at it, clears what of the slot
 * would cost others time (it is still asked to be looked at, and counted).
 */
void
participants_find_dead(struct view *view, uint32_t self,
		       void (*dead)(void *context, uint32_t slot),
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
