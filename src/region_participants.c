/* SPDX-License-Identifier: MIT */
/* Layer 5. May include: base atomics shm liveness layout_region region_participants. */
/*
 * Slots of those that have a region attached for writing; the protocol is in
 * region_participants.h.
 */
#include "base.h"
#include "atomics.h"
#include "region_participants.h"
#include "shm.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* Through an open file description of its own, which a child does not get. */
static int
take_reopened(int fd, uint64_t byte, struct liveness *ret)
{
	char path[32];
	int again, r;

	r = liveness_init();
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	liveness_fork_lock();
	again = open(path, O_RDWR | O_CLOEXEC);
	r = again < 0 ? -errno : liveness_take_fd(again, byte, ret);
	if (again >= 0)
		close(again);
	liveness_fork_unlock();
	return r;
}

static int
take(const struct region_attendance *attendance, uint64_t byte,
     struct liveness *ret)
{
	if (attendance->directory < 0)
		return take_reopened(attendance->fd, byte, ret);
	return liveness_take_at(attendance->directory, attendance->name, byte,
				ret);
}

static int
commit_slot(struct region_file *file, int memory, uint32_t slot)
{
	uint32_t page = slot / REGION_SLOTS_PER_PAGE, seen;
	int r;

	/* REGION-A2 acquire: below this, the memory is committed. Pairs with
	   REGION-X2. */
	seen = word32_load_acquire(&file->slots_committed);
	if (page < seen)
		return 0;
	r = shm_commit(memory, offsetof(struct region_file, slots) +
		       page * PAGE, PAGE, INT64_MAX);
	if (r < 0)
		return r;
	/* REGION-X2 acq_rel: after the commit. Pairs with REGION-A2. */
	while (seen <= page &&
	       !word32_cas_acq_rel(&file->slots_committed, &seen, page + 1))
		;
	return 0;
}

/* The slot is dead, and nobody else can join it: makes it ours. */
static int
enter(struct region_file *file, int memory,
      const struct region_attendance *attendance, uint32_t number,
      struct region_participant *ret, struct liveness *ret_life)
{
	struct region_slot *slot = &file->slots[number];
	uint64_t generation;
	int r;

	r = commit_slot(file, memory, number);
	if (r < 0)
		return r;
	/* relaxed: who has the JOINING byte is its only writer */
	generation = counter_next(word64_load_relaxed(&slot->generation), 47,
				  START_COUNTER(47, 5));
	/* REGION-R1 release: of each generation that is seen, the file was
	   committed. Pairs with REGION-A1. */
	word64_store_release(&slot->generation, generation);
	/* REGION-F1 seq_cst: raised, then locked. Pairs with REGION-F2. */
	atomics_fence_seq_cst();
	r = take(attendance, number, ret_life);
	if (r < 0)
		return r;
	/* relaxed: for people */
	word32_store_relaxed(&slot->pid, (uint32_t)getpid());
	ret->slot = number;
	ret->generation = generation;
	return 0;
}

int
region_join(struct region_file *file, int memory,
	    const struct region_attendance *attendance,
	    struct region_participant *ret, struct liveness *ret_life)
{
	struct liveness joining;
	uint32_t slot;
	int r;

	for (slot = 0; slot < REGION_SLOTS; slot++) {
		r = take(attendance, REGION_JOINING + slot, &joining);
		if (r == -EAGAIN)
			continue;
		if (r < 0)
			return r;
		r = liveness_ask(attendance->fd, slot);
		if (r == 0)
			r = enter(file, memory, attendance, slot, ret,
				  ret_life);
		else if (r > 0)
			r = -EAGAIN;	/* its owner lives */
		liveness_drop(&joining);
		if (r != -EAGAIN)
			return r;
	}
	return -EUSERS;
}

void
region_leave(struct region_file *file, uint32_t slot, struct liveness *life)
{
	/* relaxed: for people */
	word32_store_relaxed(&file->slots[slot].pid, 0);
	liveness_drop(life);
}

/* Has the slot that generation? What is not committed has none. */
static bool
is_generation(const struct region_file *file,
	      struct region_participant participant)
{
	uint32_t page = participant.slot / REGION_SLOTS_PER_PAGE;

	/* REGION-A3 acquire: as REGION-A2. Pairs with REGION-X2. */
	if (participant.slot >= REGION_SLOTS ||
	    page >= word32_load_acquire(&file->slots_committed))
		return false;
	/* REGION-A1 acquire: a look before, or after, the question whether the
	   byte is locked. Pairs with REGION-R1. */
	return word64_load_acquire(&file->slots[participant.slot].generation)
	       == participant.generation;
}

int
region_participant_alive(const struct region_file *file, int fd,
			 struct region_participant participant)
{
	int r;

	if (!is_generation(file, participant))
		return 0;
	r = liveness_ask(fd, participant.slot);
	if (r <= 0)
		return r;
	/* REGION-F2 seq_cst: found locked, then the second look. Pairs with
	   REGION-F1. */
	atomics_fence_seq_cst();
	return is_generation(file, participant);
}

bool
region_any_participant(int fd)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET,
			      .l_len = REGION_JOINING + REGION_SLOTS };

	return fcntl(fd, F_OFD_GETLK, &lock) < 0 || lock.l_type != F_UNLCK;
}

int
region_count_participants(int fd, uint64_t *ret)
{
	uint64_t slot, count = 0;
	int r;

	for (slot = 0; slot < REGION_SLOTS; slot++) {
		r = liveness_ask(fd, slot);
		if (r < 0)
			return r;
		count += (uint64_t)r;
	}
	*ret = count;
	return 0;
}
