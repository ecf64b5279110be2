/* SPDX-License-Identifier: MIT */
/* Layer 6. May include: base atomics shm liveness layout layout_queue participants slots. */
/*
 * The participants of a queue: who takes part, and whether they live.
 *
 * Whoever wants slot N locks byte MEMBERS_JOINING + N of `attendance`, makes the
 * generation odd, locks byte MEMBERS + N, which says that he is alive, and makes
 * the generation even: that one is his, and what he owns bears it.
 *
 *	generation	byte MEMBERS + N	who is dead
 *	even		locked			all but that generation
 *	even		not locked		that one too, for good: it was
 *						locked when it became even
 *	odd		either			all before it
 *
 * So {slot, generation} of a dead one is never taken for alive, not even while
 * one who joins stands still; nor one who joins for dead. What the dead have
 * left is taken back by the one who joins, and by whoever looks round, up to the
 * generation that is known to be dead (members_dead_up_to()); then `clean` says
 * so. Who leaves in order leaves nothing, and says so himself.
 *
 * A name is for good, and one slot's: who wants one that no slot bears writes it
 * into his, and then looks at all of them; of two that do so at a time at least
 * one sees the other, and the one in the higher slot gives way.
 */
#ifndef CUBBY_MEMBERS_H
#define CUBBY_MEMBERS_H

#include "base.h"
#include "layout_queue.h"
#include "liveness.h"

#define MEMBERS		16384
#define MEMBERS_JOINING	(MEMBERS + PARTICIPANTS_MAX)

struct member {
	uint32_t slot;
	uint64_t generation;
	struct liveness life;
};

/* fd: of `queue`. name may be NULL. Errors: -EBUSY (the name is in use), -EUSERS
   -ENOSPC, and the kernel's. */
int
members_join(const struct view *view, const struct queue_map *map, int fd,
	     const char *name, uint32_t roles, struct member *ret);

/* 1, 0, or -errno (which counts as 1). Asks the kernel. */
int
members_alive(const struct view *view, const struct queue_map *map,
	      uint32_t slot, uint64_t generation);

/* Of that slot, the highest generation of which all are dead up to it. Asks the
   kernel. */
uint64_t
members_dead_up_to(const struct view *view, const struct queue_map *map,
		   uint32_t slot);

/* Was somebody there, and is not any more, nor about to be again? What cannot be
   known counts as there. Asks the kernel. */
bool
members_have_gone(const struct view *view, const struct queue_map *map,
		  uint32_t slot);

/* The slot that bears the name, which is given to it now if there is none. As
   members_join() fails. */
int
members_give_name(const struct view *view, const struct queue_map *map, int fd,
		  const char *name, uint32_t *ret);

/* The slot of the participant of that name, or PARTICIPANTS_MAX. */
uint32_t
members_find(const struct queue_map *map, const char *name);

/* Its name, "" if it has none. */
void
members_name(const struct queue_map *map, uint32_t slot,
	     char ret[SENDER_NAME_MAX + 1]);

#endif
