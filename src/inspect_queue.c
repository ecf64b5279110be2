/* SPDX-License-Identifier: MIT */
/* Layer 12. May include: base atomics shm layout layout_queue liveness members participants inspect_queue. */
/*
 * What can be read off a queue's file. All of it is relaxed: nothing is decided
 * by it.
 */
#include "base.h"
#include "inspect_queue.h"
#include "layout_queue.h"
#include "members.h"
#include "participants.h"

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
	fd = shm_open_at(view->directory, QUEUE, O_RDONLY, &st);
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

static uint64_t
memory_of(const struct view *view, const char *name)
{
	struct stat st;
	int fd = shm_open_at(view->directory, name, O_RDONLY, &st);

	if (fd < 0)
		return 0;
	close(fd);
	return (uint64_t)st.st_blocks * 512;
}

static bool
is_attached(int attendance, const struct queue_participant *p, uint32_t n)
{
	return get32(&p->pid) && liveness_ask(attendance, MEMBERS + n) == 1;
}

static void
count_participants(const struct view *view, const struct queue_map *map,
		   struct cubby_info *info)
{
	uint32_t n, count = get32(&map->file->participants_committed);
	int fd = shm_open_at(view->directory, ATTENDANCE, O_RDONLY, NULL);
	const struct queue_participant *p;

	info->senders = fd < 0 ? CUBBY_UNKNOWN : 0;
	info->receivers = fd < 0 ? CUBBY_UNKNOWN : 0;
	for (n = 0; n < count; n++) {
		p = queue_participant(map, n);
		if (!p)
			break;
		info->sent += get64(&p->sequence);
		info->lanes += get64(&p->sequence) ||
			       get32(&p->roles) & CUBBY_SEND;
		if (fd < 0 || !is_attached(fd, p, n))
			continue;
		info->senders += (get32(&p->roles) & CUBBY_SEND) != 0;
		info->receivers += (get32(&p->roles) & CUBBY_RECEIVE) != 0;
	}
	if (fd >= 0)
		close(fd);
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
				  get32(&w->asleep);
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
	info->memory += memory_of(view, QUEUE) + memory_of(view, BLOCKS);
	info->waiting = get32(&map.file->waiting);
	info->fullest = info->waiting;
	info->held = get32(&map.file->held);
	info->returned = get32(&map.file->returned);
	info->broken = get32(&map.file->broken);
	count_participants(view, &map, info);
	count_waiters(&map, info);
	r = shm_is_broken(&map.mapping) ? -EBADMSG : 0;
	shm_unmap(&map.mapping);
	return r;
}

/* How many of each sender's wait: a look at every slot. */
static void
count_waiting(const struct queue_map *map, uint64_t waiting[PARTICIPANTS_MAX])
{
	uint32_t n, i, sender, chunks = get32(&map->file->chunks);
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
			if (!slot || slot_state_of(get64(&slot->state)) !=
				     SLOT_QUEUED)
				continue;
			sender = get32(&slot->sender);
			if (sender < PARTICIPANTS_MAX)
				waiting[sender]++;
		}
	}
}

static int
tell_sender(const struct queue_map *map, int attendance, uint32_t n,
	    uint64_t waiting,
	    int (*visit)(const struct cubby_sender_info *, void *),
	    void *context)
{
	const struct queue_participant *p = queue_participant(map, n);
	struct cubby_sender_info info;

	memset(&info, 0, sizeof(info));
	info.struct_size = sizeof(info);
	info.sender = n + 1;
	members_name(map, n, info.name);
	info.uid = get32(&p->uid);
	info.attached = is_attached(attendance, p, n);
	if (!(get32(&p->roles) & CUBBY_SEND) && !get64(&p->sequence))
		return 0;
	if (info.attached)
		info.pid = (pid_t)get32(&p->pid);
	info.waiting = waiting;
	info.sequence = get64(&p->sequence);
	return visit(&info, context);
}

static int
visit_senders(const struct view *view, const struct queue_map *map,
	      uint64_t *waiting,
	      int (*visit)(const struct cubby_sender_info *, void *),
	      void *context)
{
	uint32_t n, count = get32(&map->file->participants_committed);
	int fd, r = 0;

	fd = shm_open_at(view->directory, ATTENDANCE, O_RDONLY, NULL);
	if (fd < 0)
		return fd;
	count_waiting(map, waiting);
	for (n = 0; r == 0 && n < count && queue_participant(map, n); n++)
		r = tell_sender(map, fd, n, waiting[n], visit, context);
	close(fd);
	return r;
}

int
inspect_queue_senders(const struct view *view,
		      int (*visit)(const struct cubby_sender_info *, void *),
		      void *context)
{
	uint64_t *waiting;
	struct queue_map map;
	int r = open_map(view, &map);

	if (r < 0)
		return r;
	waiting = calloc(PARTICIPANTS_MAX, sizeof(*waiting));
	r = waiting ? visit_senders(view, &map, waiting, visit, context) :
		      -ENOMEM;
	free(waiting);
	shm_unmap(&map.mapping);
	return r;
}
