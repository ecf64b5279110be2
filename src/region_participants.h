/* SPDX-License-Identifier: MIT */
/* Layer 5. May include: base layout_region liveness. */
/*
 * Who has a region attached for writing, and whether they live.
 *
 * Slot N belongs to whoever has locked byte N of the region's `attendance`, a
 * file that only those can open who may write the region, so that a reader can
 * neither keep a slot from others nor pass for its owner. (A region without a
 * name has no readers: there the bytes are those of `memory` itself.)
 *
 *	who takes slot N			who asks for {N, generation g}
 *	locks byte JOINING + N			slot N's generation is g?
 *	byte N is free: the last owner		byte N is locked?
 *	  has gone				slot N's generation is g still?
 *	raises the generation
 *	locks byte N: he is alive
 *	unlocks JOINING + N
 *
 * The generation rises before byte N is locked by its new owner. So whoever
 * finds the byte locked by him, sees the new generation in the second look, and
 * never takes {N, g} of the dead for alive. Who has it in his hands is alive
 * under one generation all the time, so he is never taken for dead. Killed or
 * stopped before he has locked byte N, he is not there yet: the slot looks
 * dead, as it is; killed, JOINING + N is free again, and the next one raises
 * the generation once more, which does no harm.
 *
 * What would break it: a lock that outlives its process (see liveness.h).
 */
#ifndef CUBBY_REGION_PARTICIPANTS_H
#define CUBBY_REGION_PARTICIPANTS_H

#include "base.h"
#include "layout_region.h"
#include "liveness.h"

#define REGION_JOINING	REGION_SLOTS

/* Where its bytes are locked: a file of that name in a directory, or what a
   descriptor is open on. */
struct region_attendance {
	int directory;		/* -1: see fd */
	const char *name;
	int fd;
};

/* A participant: nobody else ever has both the same. */
struct region_participant {
	uint32_t slot;
	uint64_t generation;
};

/*
 * Takes a free slot. memory: the region's file, open for writing, which is
 * mapped at file. Errors: -EUSERS (all are taken), -ENOSPC, and the kernel's.
 */
int
region_join(struct region_file *file, int memory,
	    const struct region_attendance *attendance,
	    struct region_participant *ret, struct liveness *ret_life);

/* The lock goes last. */
void
region_leave(struct region_file *file, uint32_t slot, struct liveness *life);

/*
 * Is that one alive? fd: on what its bytes are locked in. 1, 0, or -errno. Two
 * loads and a system call of half a microsecond; any slot and generation may be
 * asked for.
 */
int
region_participant_alive(const struct region_file *file, int fd,
			 struct region_participant participant);

/* Is anybody there, or about to be? What cannot be known counts as yes. */
bool
region_any_participant(int fd);

/* How many are alive. Errors: those of liveness_ask(). */
int
region_count_participants(int fd, uint64_t *ret);

#endif
