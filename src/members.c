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
	int fd, r;

	if (likely(map->attendance >= 0))
		return liveness_ask(map->attendance, byte);
	fd = shm_open_at(view->directory, ATTENDANCE, O_RDONLY, NULL);
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

void
members_name(const struct queue_map *map, uint32_t slot,
	     char ret[SENDER_NAME_MAX + 1])
{
	const struct queue_participant *p = queue_participant(map, slot);

	memset(ret, 0, SENDER_NAME_MAX + 1);
	if (!p)
		return;
	/* relaxed: it is there for good, or not yet */
	copy_out_relaxed(ret, p->name, SENDER_NAME_MAX + 1);
	ret[SENDER_NAME_MAX] = 0;
}

static void
set_name(struct queue_participant *p, const char *name)
{
	char all[SENDER_NAME_MAX + 1] = "";

	strncpy(all, name, SENDER_NAME_MAX);
	/* relaxed: before MEMBER-F1 */
	copy_in_relaxed(p->name, all, sizeof(all));
}

/* The first that bears it, but for one. */
static uint32_t
find(const struct queue_map *map, const char *name, uint32_t but)
{
	uint32_t n, count = queue_participants(map);
	char other[SENDER_NAME_MAX + 1];

	for (n = 0; n < count; n++) {
		members_name(map, n, other);
		if (n != but && !strcmp(name, other))
			return n;
	}
	return PARTICIPANTS_MAX;
}

uint32_t
members_find(const struct queue_map *map, const char *name)
{
	return find(map, name, PARTICIPANTS_MAX);
}

/* Joining ---------------------------------------------------------------- */

static int
commit(const struct queue_map *map, int fd, uint32_t slot)
{
	int r;

	if (slot < get32(&map->file->participants_committed))
		return 0;
	r = shm_commit(fd, map->geometry.participants + round_down(slot *
		       sizeof(struct queue_participant), PAGE), PAGE,
		       INT64_MAX);
	if (r == 0)
		slots_raise(&map->file->participants_committed,
			    (uint32_t)(round_down(slot, PER_PAGE) + PER_PAGE));
	return r;
}

/* Nobody else gets the slot until *ret is dropped. -EAGAIN: somebody has it. */
static int
reserve(const struct view *view, const struct queue_map *map, uint32_t slot,
	struct liveness *ret)
{
	int r;

	r = liveness_take_at(view->directory, ATTENDANCE,
			     MEMBERS_JOINING + slot, ret);
	if (r < 0)
		return r;
	r = is_locked(view, map, MEMBERS + slot);
	if (r == 0)
		return 0;
	liveness_drop(ret);
	return r == 1 ? -EAGAIN : r;
}

/* The slot is ours to have: may it bear the name? -EAGAIN: another one may. */
static int
claim_name(const struct queue_map *map, uint32_t slot, const char *name)
{
	struct queue_participant *p = queue_participant(map, slot);
	char has[SENDER_NAME_MAX + 1];

	members_name(map, slot, has);
	if (!strcmp(has, name ? name : ""))
		return 0;
	/* Messages of an unnamed one that had it would become the named one's. */
	if (!name || *has || get64(&p->generation))
		return -EAGAIN;
	set_name(p, name);
	/* MEMBER-F1 seq_cst: ours, before we look at the others'. Pairs with
	   MEMBER-F1. */
	atomics_fence_seq_cst();
	if (find(map, name, slot) > slot)
		return 0;
	set_name(p, "");
	return -EAGAIN;
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
	r = liveness_take_at(view->directory, ATTENDANCE, MEMBERS + slot,
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

/*
 * Does it bear another name? That is for good, so it need not be reserved to know
 * it; and must not be: its sender, coming back, would find it in use as long as we
 * stand still.
 */
static bool
is_anothers(const struct queue_map *map, uint32_t slot, const char *name)
{
	char has[SENDER_NAME_MAX + 1];

	if (slot >= get32(&map->file->participants_committed))
		return false;
	members_name(map, slot, has);
	return *has && strcmp(has, name ? name : "") != 0;
}

static int
try_slot(const struct view *view, const struct queue_map *map, int fd,
	 uint32_t slot, const char *name, uint32_t roles, struct member *ret)
{
	struct liveness joining;
	int r;

	r = reserve(view, map, slot, &joining);
	if (r < 0)
		return r;
	r = commit(map, fd, slot);
	if (r == 0)
		r = claim_name(map, slot, name);
	if (r == 0)
		r = enter(view, map, slot, roles, ret);
	liveness_drop(&joining);
	return r;
}

static int
try_name(const struct view *view, const struct queue_map *map, int fd,
	 uint32_t slot, const char *name)
{
	struct liveness joining;
	int r;

	r = reserve(view, map, slot, &joining);
	if (r < 0)
		return r;
	r = commit(map, fd, slot);
	if (r == 0)
		r = claim_name(map, slot, name);
	liveness_drop(&joining);
	return r;
}

int
members_give_name(const struct view *view, const struct queue_map *map, int fd,
		  const char *name, uint32_t *ret)
{
	uint32_t slot, bearer;
	int r;

	for (slot = 0; slot < PARTICIPANTS_MAX; slot++) {
		if (is_anothers(map, slot, name))
			continue;
		bearer = members_find(map, name);
		if (bearer < PARTICIPANTS_MAX) {
			*ret = bearer;
			return 0;
		}
		r = try_name(view, map, fd, slot, name);
		if (r == 0)
			*ret = slot;
		if (r != -EAGAIN)
			return r;
	}
	return -EUSERS;
}

int
members_join(const struct view *view, const struct queue_map *map, int fd,
	     const char *name, uint32_t roles, struct member *ret)
{
	uint32_t slot, bearer = PARTICIPANTS_MAX;
	int r;

	for (slot = 0; slot < PARTICIPANTS_MAX; slot++) {
		if (is_anothers(map, slot, name))
			continue;
		/* Again each time: somebody may just be giving it to his. */
		if (name)
			bearer = members_find(map, name);
		if (bearer < PARTICIPANTS_MAX) {
			r = try_slot(view, map, fd, bearer, name, roles, ret);
			return r == -EAGAIN ? -EBUSY : r;
		}
		r = try_slot(view, map, fd, slot, name, roles, ret);
		if (r != -EAGAIN)
			return r;
	}
	return -EUSERS;
}
