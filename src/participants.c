/* SPDX-License-Identifier: MIT */
/* Layer 5. May include: base atomics shm liveness layout participants. */
/*
 * Slots of receivers: taken by locking a byte, lost with the process's memory.
 *
 * Whoever holds the lock of a slot's byte is the only writer of the slot, so
 * plain ordered stores are enough. What would break it: a lock that outlives
 * its process (a descriptor left open in a child), or one that dies before it
 * (closing any descriptor of the file, with classic POSIX locks); see
 * liveness.h for how both are avoided.
 */
#include "base.h"
#include "participants.h"

#include <fcntl.h>
#include <unistd.h>

/* Pages of slots below n have memory. */
static void
raise_committed(struct view *view, uint32_t n)
{
	word32 *committed = &view->receivers->slots_committed;
	/* relaxed: the CAS looks again */
	uint32_t seen = word32_load_relaxed(committed);

	/* PART-R3 acq_rel: after the commit. Pairs with PART-A3. */
	while (seen < n && !word32_cas_acq_rel(committed, &seen, n))
		;
}

uint32_t
participants_slots(const struct view *view)
{
	uint32_t pages;

	/* PART-A3 acquire: below this, the memory is committed. Pairs with
	   PART-R3. */
	pages = word32_load_acquire(&view->receivers->slots_committed);
	return (uint32_t)min_u64(pages * SLOTS_PER_PAGE, RECEIVERS_MAX);
}

bool
participants_alone(const struct view *view, uint32_t slot)
{
	uint32_t i, count = participants_slots(view);

	for (i = 0; i < count; i++)
		/* relaxed: a guess, see participants.h */
		if (i != slot &&
		    word32_load_relaxed(&view->receivers->slots[i].pid))
			return false;
	return true;
}

static int
commit_slot(struct view *view, uint32_t slot)
{
	uint64_t offset = offsetof(struct receivers_file, slots) +
			  round_down(slot, SLOTS_PER_PAGE) *
			  sizeof(struct receiver_slot);
	int fd, r;

	fd = shm_open_at(view_directory(view), RECEIVERS, O_RDWR, NULL);
	if (fd < 0)
		return fd;
	r = shm_commit(fd, offset, PAGE, INT64_MAX);
	close(fd);
	if (r == 0)
		raise_committed(view, slot / SLOTS_PER_PAGE + 1);
	return r;
}

int
participants_join(struct view *view, struct liveness *ret_joining,
		  uint32_t *ret_slot)
{
	struct liveness joining;
	uint32_t slot;
	int r;

	for (slot = 0; slot < RECEIVERS_MAX; slot++) {
		r = liveness_take_at(view_directory(view), ATTENDANCE,
				     JOINING + slot, &joining);
		if (r == -EAGAIN)
			continue;
		if (r < 0)
			return r;
		r = participants_alive(view, slot);
		if (r == 0)
			r = commit_slot(view, slot);
		if (r == 0) {
			*ret_joining = joining;
			*ret_slot = slot;
			return 0;
		}
		liveness_drop(&joining);
		if (r < 0)
			return r;
	}
	return -EUSERS;
}

static void
end_sleep(struct view *view, uint32_t slot)
{
	struct receiver_slot *s = &view->receivers->slots[slot];
	uint64_t bit = UINT64_C(1) << (slot & 63);

	/* PART-R1 release: not asleep, before the bit goes. Pairs with
	   BELL-A2. */
	word64_store_release(&s->sleep, 0);
	/* PART-R5 release: nor does it poll. Pairs with BELL-A8. */
	word64_store_release(&s->polls, 0);
	/* PART-R2 acq_rel: one of 64 slots in the word. Pairs with BELL-A1. */
	word64_and_acq_rel(&view->receivers->attention[slot / 64], ~bit);
}

int
participants_enter(struct view *view, uint32_t slot, struct liveness *joining,
		   struct liveness *ret_life)
{
	struct receiver_slot *s = &view->receivers->slots[slot];
	uint64_t generation;
	int r;

	end_sleep(view, slot);
	r = liveness_take_at(view_directory(view), ATTENDANCE, slot, ret_life);
	if (r == 0) {
		/* relaxed: only the slot's owner writes these */
		generation = slot_next(word64_load_relaxed(&s->generation));
		/* PART-R6 release: what a joiner has said, before who he is.
		   Pairs with CAST-A5. */
		word64_store_release(&s->generation, generation);
		/* relaxed: as above */
		word32_store_relaxed(&s->uid, geteuid());
		word32_store_relaxed(&s->pid_namespace,
				     liveness_pid_namespace());
		/* PART-R4 release: who it is, before that somebody is. Pairs
		   with PART-A4. */
		word32_store_release(&s->pid, (uint32_t)getpid());
	}
	liveness_drop(joining);
	return r;
}

void
participants_leave(struct view *view, uint32_t slot, struct liveness *life)
{
	end_sleep(view, slot);
	/* relaxed: for people */
	word32_store_relaxed(&view->receivers->slots[slot].pid, 0);
	liveness_drop(life);
}

/* Unless it has a new owner, or is getting one, or somebody else does it. What
   has happened in the slot since it was found dead is repaired as well: nobody
   looks for what it holds afterwards. */
static void
clear_slot(struct view *view, uint32_t slot,
	   void (*dead)(void *context, uint32_t slot, bool ours), void *context)
{
	struct liveness joining;

	if (liveness_take_at(view_directory(view), ATTENDANCE, JOINING + slot,
			     &joining) < 0)
		return;
	if (participants_alive(view, slot) == 0) {
		dead(context, slot, true);
		end_sleep(view, slot);
		/* relaxed: for people, and for who looks for the dead */
		word32_store_relaxed(&view->receivers->slots[slot].pid, 0);
	}
	liveness_drop(&joining);
}

void
participants_find_dead(struct view *view, uint32_t self,
		       void (*dead)(void *context, uint32_t slot, bool ours),
		       void *context)
{
	uint32_t slot, count = participants_slots(view);

	for (slot = 0; slot < count; slot++) {
		/* relaxed: who has written it is asked for */
		if (slot == self ||
		    !word32_load_relaxed(&view->receivers->slots[slot].pid) ||
		    participants_alive(view, slot) != 0)
			continue;
		dead(context, slot, false);
		clear_slot(view, slot, dead, context);
	}
}

int
participants_stand_by(struct view *view, struct liveness *ret_life)
{
	uint64_t i;
	int r;

	for (i = 0; i < BYSTANDERS_MAX; i++) {
		r = liveness_take_at(view_directory(view), ATTENDANCE,
				     BYSTANDERS + i, ret_life);
		if (r != -EAGAIN)
			return r;
	}
	return -EUSERS;
}

int
participants_alive(const struct view *view, uint32_t slot)
{
	int fd, r;

	fd = shm_open_at(view_directory(view), ATTENDANCE, O_RDONLY, NULL);
	if (fd < 0)
		return fd;
	r = liveness_ask(fd, slot);
	close(fd);
	return r;
}

int
participants_any(const struct view *view)
{
	struct flock lock = {
		.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 0,
		.l_len = 0,	/* all there are */
	};
	int fd, r;

	fd = shm_open_at(view_directory(view), ATTENDANCE, O_RDONLY, NULL);
	if (fd < 0)
		return fd;
	r = fcntl(fd, F_OFD_GETLK, &lock) < 0 ? -errno :
	    lock.l_type != F_UNLCK;
	close(fd);
	return r;
}
