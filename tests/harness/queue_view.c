/* SPDX-License-Identifier: MIT */
/*
 * A look into the file of a queue, from outside of libcubby: whose its lock is;
 * and a hand, for what a death under the lock may leave.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "harness.h"

#include "layout_queue.h"

struct queue_view {
	struct queue_map map;
};

enum { PARTICIPANTS_END = PARTICIPANTS_MAX * sizeof(struct queue_participant) };

void
queue_view_open(struct run *run)
{
	size_t size = sizeof(struct queue_file) + PARTICIPANTS_END;
	char path[200];
	void *file;
	int fd;

	if (run->scenario->kind == LANES || run->view)
		return;
	snprintf(path, sizeof(path), "%s/cubby-%u/" MAILBOX "/" QUEUE,
		 run->root, getuid());
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	file = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (file == MAP_FAILED)
		fail("%s cannot be mapped", path);
	madvise(file, size, MADV_DONTFORK);
	run->view = calloc(1, sizeof(*run->view));
	run->view->map.file = file;
	run->view->map.geometry.participants = sizeof(struct queue_file);
}

void
queue_view_close(struct run *run)
{
	if (!run->view)
		return;
	munmap(run->view->map.file,
	       sizeof(struct queue_file) + PARTICIPANTS_END);
	free(run->view);
	run->view = NULL;
}

static uint64_t
word_of(const struct queue_participant *p, uint32_t slot)
{
	return robust_lock_self(slot, get64(&p->generation) &
					      ROBUST_LOCK_GENERATION_MASK);
}

uint64_t
queue_view_owner(const struct run *run, pid_t pid)
{
	const struct queue_participant *p;

	for (uint32_t slot = 0; run->view; slot++) {
		p = queue_participant(&run->view->map, slot);
		if (!p)
			break;
		if (get32(&p->pid) == (uint32_t)pid)
			return word_of(p, slot);
	}
	return 0;
}

bool
queue_view_locked(const struct run *run, pid_t pid)
{
	const struct queue_participant *p;
	uint64_t word, slot;

	if (!run->view)
		return false;
	word = get64(&run->view->map.file->lock.owner);
	slot = word >> ROBUST_LOCK_SLOT_SHIFT & ROBUST_LOCK_SLOT_MASK;
	if (!slot)
		return false;
	p = queue_participant(&run->view->map, (uint32_t)slot - 1);
	return p && get32(&p->pid) == (uint32_t)pid &&
	       word_of(p, (uint32_t)slot - 1) ==
		       (word & ~ROBUST_LOCK_CONTENDED);
}

uint32_t
queue_view_free(const struct run *run)
{
	return get32(&run->view->map.file->free);
}

/* Everything that is derived is nonsense from here on. */
static void
derange(struct queue_file *file)
{
	for (int i = 0; i < CATALOGUES; i++)
		set32(&file->root[i], 7);
	set32(&file->waiting, 77);
	set32(&file->places, 7);
	set32(&file->free_bare.head, 1);
	set32(&file->free_warm.head, 1);
	set32(&file->free, 777);
	set32(&file->held, 7);
	set32(&file->returned, 7);
	set32(&file->nodes_free, 1);
	set32(&file->nodes_next, 77);
	set32(&file->nodes_used, 77);
	set32(&file->receiving.head, 7);
	set32(&file->wanting_room.head, 7);
	set32(&file->watching.head, 7);
	set32(&file->waiters_free, 7);
	set32(&file->chunks_bare, 7);
	set64(&file->memory, 77);
	set64(&file->warm, 77);
}

void
queue_view_break(const struct run *run)
{
	struct queue_file *file = run->view->map.file;

	if (!run->ghost || get64(&file->lock.owner))
		fail("the lock is not free for a ghost");
	derange(file);
	set64(&file->lock.owner, run->ghost);
}
