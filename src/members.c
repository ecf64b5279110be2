/* SPDX-License-Identifier: MIT */
/* Layer 6. May include: base atomics shm liveness layout layout_queue participants slots members. */
/*
 * Taking a slot among a queue's participants; members.h says in which order, and
 * why.
 */
#include "base.h"
#include "members.h"
#include "participants.h"
#include "slots.h"

#include <fcntl.h>
#include <unistd.h>

#define PER_PAGE (PAGE / sizeof(struct queue_participant))

static int
is_locked(const struct view *view, const struct queue_map *map, uint64_t byte)
{
	int fd = shm_still(map->attendance, &map->attendance_is), r;

	if (likely(fd >= 0))
		return liveness_ask(fd, byte);
	fd = shm_open_at(view_directory(view), ATTENDANCE, O_RDONLY, NULL);
	if (fd < 0)
		return fd;
	r = liveness_ask(fd, byte);
	close(fd);
	return r;
}

static bool
has_generation(const struct queue_map *map, uint32_t slot, uint64_t generation)
{
	const struct queue_participant *p = queue_participant(map, slot);

	/* MEMBER-A1 acquire: whose life is asked for. Pairs with MEMBER-R1,
	   MEMBER-R2. */
	return p && word64_load_acquire(&p->generation) == generation;
}

int
members_alive(const struct view *view, const struct queue_map *map,
	      uint32_t slot, uint64_t generation)
{
	int r;

	if (!has_generation(map, slot, generation))
		return 0;
	r = is_locked(view, map, MEMBERS + slot);
	return r == 1 ? has_generation(map, slot, generation) : r;
}

/* Who joins has his generation before he is alive, and the joining byte until
   after that. So if nobody joins, whoever had this generation has been alive. */
bool
members_have_gone(const struct view *view, const struct queue_map *map,
		  uint32_t slot)
{
	const struct queue_participant *p = queue_participant(map, slot);
	uint64_t generation;

	if (!p)
		return false;
	/* MEMBER-A2 acquire: as MEMBER-A1. Pairs with MEMBER-R1,
	   MEMBER-R2. */
	generation = word64_load_acquire(&p->generation);
	return generation &&
	       is_locked(view, map, MEMBERS_JOINING + slot) == 0 &&
	       is_locked(view, map, MEMBERS + slot) == 0 &&
	       has_generation(map, slot, generation);
}

uint64_t
members_dead_up_to(const struct view *view, const struct queue_map *map,
		   uint32_t slot)
{
	const struct queue_participant *p = queue_participant(map, slot);
	uint64_t generation;

	if (!p)
		return 0;
	/* MEMBER-A3 acquire: whose life is asked for. Pairs with MEMBER-R1,
	   MEMBER-R2. */
	generation = word64_load_acquire(&p->generation);
	if (generation & 1)
		return generation - 1;
	/* Not locked: whoever had it is dead, and another has another one. */
	if (generation && is_locked(view, map, MEMBERS + slot) != 0)
		return generation - 2;
	return generation;
}

/* Names ------------------------------------------------------------------ */

/* Has it got a name, for good? */
static bool
has_name(const struct queue_map *map, uint32_t slot)
{
	const struct queue_participant *p = queue_participant(map, slot);
	uint32_t number;

	if (!p || slot >= queue_participants(map))
		return false;
	/* relaxed: `given` says whether it is this slot's */
	number = word32_load_relaxed(&p->number);
	if (!number || number > queue_participants(map))
		return false;
	p = queue_participant(map, number - 1);
	/* MEMBER-A5 acquire: given, then what it is. Pairs with MEMBER-X1. */
	return word32_load_acquire(&p->given) == slot + 1;
}

void
members_name(const struct queue_map *map, uint32_t slot,
	     char ret[SENDER_NAME_MAX + 1])
{
	memset(ret, 0, SENDER_NAME_MAX + 1);
	if (!has_name(map, slot))
		return;
	/* relaxed: it is there for good, after MEMBER-A5 */
	copy_out_relaxed(ret, queue_participant(map, slot)->name,
			 SENDER_NAME_MAX + 1);
	ret[SENDER_NAME_MAX] = 0;
}

static void
write_name(struct queue_participant *p, const char *name)
{
	char all[SENDER_NAME_MAX + 1] = "";

	strncpy(all, name, SENDER_NAME_MAX);
	/* relaxed: before MEMBER-X1 */
	copy_in_relaxed(p->name, all, sizeof(all));
}

/* `given` says that name for that slot (+ 1): is it this one? */
static bool
is_given(const struct queue_map *map, uint32_t given, const char *name)
{
	char other[SENDER_NAME_MAX + 1];

	if (!given || given > queue_participants(map))
		return false;
	/* relaxed: whoever read `given` has acquired it */
	copy_out_relaxed(other, queue_participant(map, given - 1)->name,
			 sizeof(other));
	other[SENDER_NAME_MAX] = 0;
	return !strcmp(name, other);
}

/* The slot that bears it; or PARTICIPANTS_MAX, and *ret_next is the number of
   the next that is given. */
static uint32_t
find(const struct queue_map *map, const char *name, uint32_t *ret_next)
{
	uint32_t n, given;

	for (n = 0; n < queue_participants(map); n++) {
		/* MEMBER-A6 acquire: given, then what it is. Pairs with
		   MEMBER-X1. */
		given = word32_load_acquire(&queue_participant(map, n)->given);
		if (!given)
			break;
		if (is_given(map, given, name))
			return given - 1;
	}
	*ret_next = n;
	return PARTICIPANTS_MAX;
}

/* The slot is ours to name. Another one may have got that name before. */
static int
give(const struct queue_map *map, uint32_t slot, const char *name, uint32_t n,
     uint32_t *ret)
{
	struct queue_participant *p = queue_participant(map, slot);
	uint32_t given;

	write_name(p, name);
	for (; n < queue_participants(map); n++) {
		/* relaxed: before MEMBER-X1 */
		word32_store_relaxed(&p->number, n + 1);
		given = 0;
		/* MEMBER-X1 acq_rel: what it is, then given; or what another
		   one is. Pairs with MEMBER-A5, MEMBER-A6, MEMBER-X1. */
		if (word32_cas_acq_rel(&queue_participant(map, n)->given,
				       &given, slot + 1))
			given = slot + 1;
		if (given == slot + 1 || is_given(map, given, name)) {
			*ret = given - 1;
			return 0;
		}
	}
	return -EUSERS;
}

/* Joining ---------------------------------------------------------------- */

static int
commit(const struct queue_map *map, int fd, uint32_t slot)
{
	uint32_t committed = queue_participants(map);
	uint32_t from = (uint32_t)round_down(committed, PER_PAGE);
	uint32_t to = (uint32_t)round_down(slot, PER_PAGE) + PER_PAGE;
	int r;

	if (slot < committed)
		return 0;
	/* All up to it: those of the slots below may stand still before this. */
	r = shm_commit(fd,
		       map->geometry.participants +
			       from * sizeof(struct queue_participant),
		       (to - from) * sizeof(struct queue_participant),
		       INT64_MAX);
	if (r == 0)
		slots_raise(&map->file->participants_committed, to);
	return r;
}

/* Nobody else gets the slot until *ret is dropped. -EAGAIN: somebody has it. */
static int
reserve(const struct view *view, const struct queue_map *map, uint32_t slot,
	struct liveness *ret)
{
	int r;

	r = liveness_take_at(view_directory(view), ATTENDANCE,
			     MEMBERS_JOINING + slot, ret);
	if (r < 0)
		return r;
	r = is_locked(view, map, MEMBERS + slot);
	if (r == 0)
		return 0;
	liveness_drop(ret);
	return r == 1 ? -EAGAIN : r;
}

static int
enter(const struct view *view, const struct queue_map *map, uint32_t slot,
      uint32_t roles, struct member *ret)
{
	struct queue_participant *p = queue_participant(map, slot);
	int r;

	ret->slot = slot;
	ret->generation = get64(&p->generation);
	if (!ret->generation)
		ret->generation = START_COUNTER(48, 8);
	ret->generation = (ret->generation | 1) + 1;
	/* MEMBER-R1 release: nobody's, from here on. Pairs with MEMBER-A1,
	   MEMBER-A2. */
	word64_store_release(&p->generation, ret->generation - 1);
	r = liveness_take_at(view_directory(view), ATTENDANCE, MEMBERS + slot,
			     &ret->life);
	if (r < 0)
		return r;
	set32(&p->uid, geteuid());
	set32(&p->roles, roles);
	set32(&p->pid_namespace, liveness_pid_namespace());
	set32(&p->pid, (uint32_t)getpid());
	/* MEMBER-R2 release: ours, who live and are described. Pairs with
	   MEMBER-A1, MEMBER-A2. */
	word64_store_release(&p->generation, ret->generation);
	return 0;
}

/* The slot is ours, or nobody's: it has this name, or never gets one. */
static int
try_slot(const struct view *view, const struct queue_map *map, uint32_t slot,
	 uint32_t roles, struct member *ret)
{
	struct liveness joining;
	int r;

	r = reserve(view, map, slot, &joining);
	if (r < 0)
		return r;
	r = enter(view, map, slot, roles, ret);
	liveness_drop(&joining);
	return r;
}

/* Has anybody been in it? If it has no name then, it gets none. */
static bool
was_used(const struct queue_map *map, uint32_t slot)
{
	/* MEMBER-A7 acquire: before we ask for its name, which it had before
	   that, or does not get. Pairs with MEMBER-R1, MEMBER-R2. */
	return slot < queue_participants(map) &&
	       word64_load_acquire(&queue_participant(map, slot)->generation);
}

/* Nobody gives it a name until *ret is dropped; and it has memory. -EAGAIN:
   somebody does, or is to be the first in it. */
static int
keep_name(const struct view *view, const struct queue_map *map, int fd,
	  uint32_t slot, struct liveness *ret)
{
	int r = liveness_take_at(view_directory(view), ATTENDANCE,
				 MEMBERS_NAMING + slot, ret);

	if (r < 0)
		return r;
	r = commit(map, fd, slot);
	if (r < 0)
		liveness_drop(ret);
	return r;
}

/* -EAGAIN: it is somebody else's. */
static int
try_unnamed(const struct view *view, const struct queue_map *map, int fd,
	    uint32_t slot, uint32_t roles, struct member *ret)
{
	struct liveness naming = { 0 };
	int r = 0;

	if (!was_used(map, slot) && !has_name(map, slot))
		r = keep_name(view, map, fd, slot, &naming);
	if (r == 0 && has_name(map, slot))
		r = -EAGAIN;
	if (r == 0)
		r = try_slot(view, map, slot, roles, ret);
	liveness_drop(&naming);
	return r;
}

/* -EAGAIN: it is somebody else's. */
static int
try_to_give(const struct view *view, const struct queue_map *map, int fd,
	    uint32_t slot, const char *name, uint32_t next, uint32_t *ret)
{
	struct liveness naming;
	int r;

	if (was_used(map, slot) || has_name(map, slot))
		return -EAGAIN;
	r = keep_name(view, map, fd, slot, &naming);
	if (r < 0)
		return r;
	/* Messages of an unnamed one that had it would become the named one's. */
	if (was_used(map, slot) || has_name(map, slot))
		r = -EAGAIN;
	else
		r = give(map, slot, name, next, ret);
	liveness_drop(&naming);
	return r;
}

int
members_give_name(const struct view *view, const struct queue_map *map, int fd,
		  const char *name, uint32_t *ret)
{
	uint32_t slot, next, bearer = find(map, name, &next);
	int r;

	if (bearer < PARTICIPANTS_MAX) {
		*ret = bearer;
		return 0;
	}
	for (slot = 0; slot < PARTICIPANTS_MAX; slot++) {
		r = try_to_give(view, map, fd, slot, name, next, ret);
		if (r != -EAGAIN)
			return r;
	}
	return -EUSERS;
}

static int
join_by_name(const struct view *view, const struct queue_map *map, int fd,
	     const char *name, uint32_t roles, struct member *ret)
{
	uint32_t slot;
	int r = members_give_name(view, map, fd, name, &slot);

	if (r < 0)
		return r;
	r = try_slot(view, map, slot, roles, ret);
	return r == -EAGAIN ? -EBUSY : r;
}

int
members_join(const struct view *view, const struct queue_map *map, int fd,
	     const char *name, uint32_t roles, struct member *ret)
{
	uint32_t slot;
	int r;

	if (name && *name)
		return join_by_name(view, map, fd, name, roles, ret);
	for (slot = 0; slot < PARTICIPANTS_MAX; slot++) {
		r = try_unnamed(view, map, fd, slot, roles, ret);
		if (r != -EAGAIN)
			return r;
	}
	return -EUSERS;
}
