/* SPDX-License-Identifier: MIT */
/* Layer 12. May include: base atomics shm layout layout_queue liveness members participants reply_file inspect_queue. */
/*
 * What can be read off a queue's file. All of it is relaxed: nothing is decided
 * by it.
 */
#include "base.h"
#include "inspect_queue.h"
#include "layout_queue.h"
#include "members.h"
#include "participants.h"
#include "reply_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static int
open_map(const struct view *view, struct queue_map *ret)
{
	struct queue_map map = { .attendance = -1 };
	struct stat st;
	int fd, r;

	if (layout_queue_geometry(&view->attributes, &map.geometry) < 0)
		return -EBADMSG;
	fd = shm_open_at(view_directory(view), QUEUE, O_RDONLY, &st);
	if (fd < 0)
		return fd;
	r = (uint64_t)st.st_size < sizeof(struct queue_file) ? -EBADMSG :
	    shm_map(fd, map.geometry.length, PROT_READ, &map.mapping);
	close(fd);
	map.file = map.mapping.address;
	if (r == 0)
		*ret = map;
	return r;
}

/* 1, or 0. Errors: liveness_ask()'s. */
static int
is_attached(int attendance, const struct queue_participant *p, uint32_t n)
{
	return get32(&p->pid) ? liveness_ask(attendance, MEMBERS + n) : 0;
}

/*
 * Has its owner gone without leaving? He takes his pid away before his lock
 * goes, and who joins makes the generation odd first. Errors: liveness_ask()'s.
 */
static int
has_died(int attendance, const struct queue_participant *p, uint32_t n)
{
	/* MEMBER-A4 acquire: whose it is, before the pid. Pairs with
	   MEMBER-R2. */
	uint64_t generation = word64_load_acquire(&p->generation);
	int alive = get32(&p->pid) ? liveness_ask(attendance, MEMBERS + n) : 1;

	if (alive)
		return alive < 0 ? alive : 0;
	return get32(&p->pid) && !(generation & 1) &&
	       get64(&p->generation) == generation;
}

/* attendance: -1 if it may not be read. Errors: liveness_ask()'s. */
static int
count_participant(int attendance, const struct queue_participant *p, uint32_t n,
		  struct cubby_info *info)
{
	int alive = attendance < 0 ? 0 : is_attached(attendance, p, n);

	info->sent += get64(&p->sequence);
	info->lanes += get64(&p->sequence) || get32(&p->roles) & CUBBY_SEND;
	if (alive <= 0)
		return alive;
	info->senders += (get32(&p->roles) & CUBBY_SEND) != 0;
	info->receivers += (get32(&p->roles) & CUBBY_RECEIVE) != 0;
	return 0;
}

static int
count_participants(const struct view *view, const struct queue_map *map,
		   struct cubby_info *info)
{
	uint32_t n, count = queue_participants(map);
	int fd = shm_open_at(view_directory(view), ATTENDANCE, O_RDONLY, NULL);
	const struct queue_participant *p;
	int r = fd < 0 && !shm_tells_of_file(fd) ? fd : 0;

	info->senders = fd < 0 ? CUBBY_UNKNOWN : 0;
	info->receivers = fd < 0 ? CUBBY_UNKNOWN : 0;
	for (n = 0; r == 0 && n < count; n++) {
		p = queue_participant(map, n);
		if (!p)
			break;
		r = count_participant(fd, p, n, info);
	}
	if (fd >= 0)
		close(fd);
	return r;
}

static void
count_waiters(const struct queue_map *map, struct cubby_info *info)
{
	uint32_t n, count = get32(&map->file->waiters);
	const struct queue_waiter *w;

	for (n = 0; n < count; n++) {
		w = queue_waiter(map, n);
		if (!w)
			break;
		info->sleeping += get32(&w->state) == WAITER_RECEIVES &&
				  get32(&w->asleep) == WAITER_ASLEEP;
	}
}

int
inspect_queue(const struct view *view, struct cubby_info *info)
{
	struct queue_map map;
	int r = open_map(view, &map);

	if (r == -EACCES) {
		info->waiting = info->fullest = info->held = CUBBY_UNKNOWN;
		info->returned = info->sent = info->senders = CUBBY_UNKNOWN;
		info->receivers = info->lanes = CUBBY_UNKNOWN;
		info->sleeping = info->broken = CUBBY_UNKNOWN;
		return 0;
	}
	if (r < 0)
		return r;
	info->waiting = get32(&map.file->waiting);
	info->fullest = info->waiting;
	info->held = get32(&map.file->held);
	info->returned = get32(&map.file->returned);
	info->broken = get32(&map.file->broken);
	count_waiters(&map, info);
	r = count_participants(view, &map, info);
	if (r == 0)
		r = shm_add_memory(view_directory(view), QUEUE, &info->memory);
	if (r == 0)
		r = shm_add_memory(view_directory(view), BLOCKS, &info->memory);
	if (shm_is_broken(&map.mapping))
		r = -EBADMSG;
	shm_unmap(&map.mapping);
	return r;
}

/* How many messages of that state each participant has, as their sender or (HELD)
   their holder: a look at every slot. */
static void
count_messages(const struct queue_map *map, enum slot_state state,
	       uint64_t counts[PARTICIPANTS_MAX])
{
	uint32_t n, i, whose, chunks = queue_chunks(map);
	const struct queue_chunk *chunk;
	const struct queue_slot *slot;

	for (n = 0; n < chunks; n++) {
		chunk = queue_chunk(map, n);
		if (!chunk)
			return;
		if (get32(&chunk->state) != CHUNK_READY)
			continue;
		for (i = 0; i < CHUNK_SLOTS; i++) {
			slot = queue_slot(map, n * CHUNK_SLOTS + i);
			if (!slot || slot_state_of(get64(&slot->state)) != state)
				continue;
			whose = state == SLOT_HELD ?
				owner_participant(get64(&slot->owner)) :
				get32(&slot->sender);
			if (whose < PARTICIPANTS_MAX)
				counts[whose]++;
		}
	}
}

/* Who waits -------------------------------------------------------------- */

/* How each participant waits as a receiver, or as a sender. */
struct wait {
	bool asleep;
	bool polls;
	uint64_t ticket;
};

static bool
is_of(enum waiter_state state, int role)
{
	return role == CUBBY_RECEIVE ? state == WAITER_RECEIVES :
	       state == WAITER_ROOM || state == WAITER_TAKEN ||
	       state == WAITER_WATCHES;
}

static void
find_waits(const struct queue_map *map, int role,
	   struct wait waits[PARTICIPANTS_MAX])
{
	uint32_t n, owner, count = get32(&map->file->waiters);
	const struct queue_waiter *w;

	for (n = 0; n < count; n++) {
		w = queue_waiter(map, n);
		if (!w || n >= get32(&map->file->waiters_committed))
			return;
		owner = owner_participant(get64(&w->owner));
		if (!is_of(get32(&w->state), role) || owner >= PARTICIPANTS_MAX)
			continue;
		waits[owner].polls |= get32(&w->asleep) == WAITER_POLLS;
		if (get32(&w->asleep) != WAITER_ASLEEP)
			continue;
		waits[owner].asleep = true;
		/* Each wait has an order of its own. */
		waits[owner].ticket = 31 * waits[owner].ticket +
				      get64(&w->order) + get32(&w->events);
	}
}

/* Senders ---------------------------------------------------------------- */

struct looked {
	const struct queue_map *map;
	int attendance;
	uint64_t counts[PARTICIPANTS_MAX];	/* waiting, or held */
	struct wait waits[PARTICIPANTS_MAX];
};

/* Is it there, and if not, has it died? Errors: liveness_ask()'s. */
static int
ask(const struct looked *looked, const struct queue_participant *p, uint32_t n,
    int *ret_attached, int *ret_died)
{
	int alive = is_attached(looked->attendance, p, n);
	int died = alive == 0 ? has_died(looked->attendance, p, n) : 0;

	*ret_attached = alive == 1;
	*ret_died = died == 1;
	return alive < 0 ? alive : died < 0 ? died : 0;
}

/* Of a living sender that has called. Errors: by which it could not be looked at. */
static int
read_calls(const struct view *view, const struct queue_participant *p,
	   struct cubby_sender_info *info)
{
	struct reply_calls calls = { .asleep = 0 };
	int r = 0;

	if (info->attached && get64(&p->reply))
		r = reply_file_calls(view, get64(&p->reply), &calls);
	info->calling = calls.asleep;
	info->server = calls.server;
	info->ticket += calls.ticket << 32;
	return shm_tells_of_file(r) ? 0 : r;
}

static int
tell_sender(const struct view *view, const struct looked *looked, uint32_t n,
	    int (*visit)(const struct cubby_sender_info *, void *),
	    void *context)
{
	const struct queue_participant *p = queue_participant(looked->map, n);
	struct cubby_sender_info info;
	int r;

	if (!(get32(&p->roles) & CUBBY_SEND) && !get64(&p->sequence))
		return 0;
	memset(&info, 0, sizeof(info));
	info.struct_size = sizeof(info);
	info.sender = n + 1;
	members_name(looked->map, n, info.name);
	info.uid = get32(&p->uid);
	r = ask(looked, p, n, &info.attached, &info.died);
	if (r < 0)
		return r;
	if (info.attached) {
		info.pid = (pid_t)get32(&p->pid);
		info.pid_namespace = get32(&p->pid_namespace);
		info.sleeping = looked->waits[n].asleep;
		info.polling = looked->waits[n].polls;
	}
	info.ticket = looked->waits[n].ticket;
	info.waiting = looked->counts[n];
	info.sequence = get64(&p->sequence);
	r = read_calls(view, p, &info);
	return r < 0 ? r : visit(&info, context);
}

static int
visit_senders(const struct view *view, struct looked *looked,
	      int (*visit)(const struct cubby_sender_info *, void *),
	      void *context)
{
	const struct queue_map *map = looked->map;
	uint32_t n, count = queue_participants(map);
	int r = 0;

	count_messages(map, SLOT_QUEUED, looked->counts);
	find_waits(map, CUBBY_SEND, looked->waits);
	for (n = 0; r == 0 && n < count && queue_participant(map, n); n++)
		r = tell_sender(view, looked, n, visit, context);
	return r;
}

/* Opens what is looked at; *ret is the caller's to end_look(). */
static int
begin_look(const struct view *view, struct queue_map *map, struct looked **ret)
{
	struct looked *looked = calloc(1, sizeof(*looked));
	int r;

	if (!looked)
		return -ENOMEM;
	looked->map = map;
	looked->attendance = shm_open_at(view_directory(view), ATTENDANCE, O_RDONLY,
					 NULL);
	r = looked->attendance < 0 ? looked->attendance : open_map(view, map);
	if (r == 0) {
		*ret = looked;
		return 0;
	}
	if (looked->attendance >= 0)
		close(looked->attendance);
	free(looked);
	return r;
}

/* r: what came of it. */
static int
end_look(struct queue_map *map, struct looked *looked, int r)
{
	if (shm_is_broken(&map->mapping))
		r = -EBADMSG;
	shm_unmap(&map->mapping);
	close(looked->attendance);
	free(looked);
	return r;
}

int
inspect_queue_senders(const struct view *view,
		      int (*visit)(const struct cubby_sender_info *, void *),
		      void *context)
{
	struct looked *looked;
	struct queue_map map;
	int r = begin_look(view, &map, &looked);

	return r < 0 ? r : end_look(&map, looked,
				    visit_senders(view, looked, visit,
						  context));
}

/* Receivers -------------------------------------------------------------- */

static int
tell_receiver(const struct looked *looked, uint32_t n,
	      int (*visit)(const struct cubby_receiver_info *, void *),
	      void *context)
{
	const struct queue_participant *p = queue_participant(looked->map, n);
	struct cubby_receiver_info info;
	int r;

	if (!(get32(&p->roles) & CUBBY_RECEIVE))
		return 0;
	memset(&info, 0, sizeof(info));
	info.struct_size = sizeof(info);
	info.receiver = n + 1;
	info.generation = get64(&p->generation);
	info.uid = get32(&p->uid);
	r = ask(looked, p, n, &info.attached, &info.died);
	if (r < 0 || (!info.attached && !info.died))
		return r;
	if (info.attached) {
		info.pid = (pid_t)get32(&p->pid);
		info.pid_namespace = get32(&p->pid_namespace);
		info.sleeping = looked->waits[n].asleep;
		info.polling = looked->waits[n].polls;
	}
	info.ticket = looked->waits[n].ticket;
	info.held = looked->counts[n];
	return visit(&info, context);
}

static int
visit_receivers(struct looked *looked,
		int (*visit)(const struct cubby_receiver_info *, void *),
		void *context)
{
	const struct queue_map *map = looked->map;
	uint32_t n, count = queue_participants(map);
	int r = 0;

	count_messages(map, SLOT_HELD, looked->counts);
	find_waits(map, CUBBY_RECEIVE, looked->waits);
	for (n = 0; r == 0 && n < count && queue_participant(map, n); n++)
		r = tell_receiver(looked, n, visit, context);
	return r;
}

int
inspect_queue_receivers(const struct view *view,
			int (*visit)(const struct cubby_receiver_info *, void *),
			void *context)
{
	struct looked *looked;
	struct queue_map map;
	int r = begin_look(view, &map, &looked);

	return r < 0 ? r : end_look(&map, looked,
				    visit_receivers(looked, visit, context));
}
