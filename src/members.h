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
 * Names are given in turn, each for good, to one slot each: `given` of participant
 * n says to which slot name number n was given (+ 1; 0: it is the next to be).
 * Whoever gives one
 *
 *	1 locks byte MEMBERS_NAMING + N of a slot that nobody has been in and
 *	  that has no name, and looks once more whether that is so
 *	2 writes its `name`, and nobody else does: he has the byte
 *	3 has looked through the names that were given, up to the first that was
 *	  not; if one of them is the name, its slot is the one
 *	4 writes `number` = that first one's, + 1, and makes its `given` N + 1 by a CAS from 0.
 *	  If it fails, another one was given: he compares with that and goes on to
 *	  the one after it
 *
 * A slot bears its name if `given` of its `number` says so; whatever else stands
 * in either is what one has left who died before 4, or came too late. Two that
 * give the same name, one of whom stands still anywhere:
 *
 *	one				the other
 *	  name X in slot 1		  name X in slot 2
 *	  names up to n are not X
 *	  stands still			  names up to n are not X
 *					  given[n]: 0 becomes 3: X is slot 2's
 *	  given[n]: is 3, not 0
 *	  slot 2's is X: so it is that
 *
 * Each that is given stands behind all before it, and whoever gave it has compared
 * it with each of them: so no two are the same. Nobody waits for anybody: who
 * stands still before the CAS has given nothing and keeps one slot from getting a
 * name; who stands still after it keeps nothing, for whoever joins by a name does
 * not lock that byte. Who dies before the CAS has left a slot as good as new, and
 * after it a name with its slot, as one that is waited for is. There are as many
 * steps as names.
 *
 * Who joins without a name locks MEMBERS_NAMING + N as well, and first, as long as
 * nobody has been in the slot: so it gets no name while he makes the generation
 * odd, and none after that. So only those lock MEMBERS_JOINING + N whose slot it
 * is to be: a slot's sender is refused for nobody who just passes by.
 *
 * `given` of the next name has memory: it is that of participant n, n being how
 * many names there are; each of them has a slot of its own, so of those slots and
 * the one to be named at least one is n or above, and there is memory up to it.
 */
#ifndef CUBBY_MEMBERS_H
#define CUBBY_MEMBERS_H

#include "base.h"
#include "layout_queue.h"
#include "liveness.h"

#define MEMBERS		16384
#define MEMBERS_JOINING	(MEMBERS + PARTICIPANTS_MAX)
#define MEMBERS_NAMING	(MEMBERS_JOINING + PARTICIPANTS_MAX)

struct member {
	uint32_t slot;
	uint64_t generation;
	struct liveness life;
};

/* fd: of `queue`. name may be NULL. Errors: -EBUSY (the name is in use, or somebody
   else is just joining by it), -EUSERS, -ENOSPC, and the kernel's. */
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

/* The slot that bears the name, which is given to one now if none does. Errors:
   -EUSERS, -ENOSPC, and the kernel's. */
int
members_give_name(const struct view *view, const struct queue_map *map, int fd,
		  const char *name, uint32_t *ret);

/* Its name, "" if it has none. */
void
members_name(const struct queue_map *map, uint32_t slot,
	     char ret[SENDER_NAME_MAX + 1]);

#endif
