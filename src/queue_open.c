/* SPDX-License-Identifier: MIT */
/* Layer 8. May include: base atomics clock shm exclusion spin robust_lock layout layout_queue parcel participants members answers slots waiters queue. */
/*
 * Opening and closing a queue: its files, and a place among its participants.
 */
#include "base.h"
#include "clock.h"
#include "participants.h"
#include "queue.h"
#include "slots.h"

#include <cubby.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* robust_lock.h's question: 47 bits of the generation are named. */
static int
is_owner_alive(void *context, uint32_t slot, uint64_t generation)
{
	const struct queue *queue = context;
	const struct queue_participant *p = queue_participant(&queue->map,
							      slot);
	uint64_t now;

	if (!p)
		return 0;
	now = get64(&p->generation);
	if ((now & ROBUST_LOCK_GENERATION_MASK) != generation)
		return 0;
	return members_alive(queue->view, &queue->map, slot, now);
}

/* Which they are. */
static int
note_files(struct queue *queue)
{
	int r = shm_identify(queue->fd, &queue->is);

	if (r == 0)
		r = shm_identify(queue->blocks_fd, &queue->blocks_is);
	return r < 0 ? r : shm_identify(queue->map.attendance,
					&queue->map.attendance_is);
}

static void
close_descriptors(struct queue *queue)
{
	shm_close_kept(queue->fd, &queue->is);
	shm_close_kept(queue->blocks_fd, &queue->blocks_is);
	shm_close_kept(queue->map.attendance, &queue->map.attendance_is);
}

static int
open_files(struct queue *queue)
{
	struct view *view = queue->view;
	struct stat st;
	int r;

	queue->fd = shm_open_at(view_directory(view), QUEUE, O_RDWR, &st);
	if (queue->fd < 0)
		return queue->fd;
	queue->blocks_fd = shm_open_at(view_directory(view), BLOCKS, O_RDWR, NULL);
	if (queue->blocks_fd < 0)
		return queue->blocks_fd;
	queue->map.attendance = shm_open_at(view_directory(view), ATTENDANCE,
					    O_RDONLY, NULL);
	if (queue->map.attendance < 0)
		return queue->map.attendance;
	r = note_files(queue);
	if (r < 0)
		return r;
	if ((uint64_t)st.st_size < sizeof(struct queue_file))
		return -EBADMSG;
	r = shm_map(queue->fd, (size_t)queue->map.geometry.length,
		    PROT_READ | PROT_WRITE, &queue->map.mapping);
	if (r < 0)
		return r;
	queue->map.file = queue->map.mapping.address;
	return layout_check_identity(&queue->map.file->identity, view->uuid);
}

static void
close_files(struct queue *queue)
{
	shm_unmap(&queue->blocks);
	shm_unmap(&queue->map.mapping);
	close_descriptors(queue);
}

static int
join(struct queue *queue, const char *name, uint32_t roles)
{
	int r = members_join(queue->view, &queue->map, queue->fd, name, roles,
			     &queue->member);

	if (r < 0)
		return r;
	queue->owner = owner_make(queue->member.slot,
				  queue->member.generation);
	queue->locker.self = robust_lock_self(queue->member.slot,
					      queue->member.generation &
					      ROBUST_LOCK_GENERATION_MASK);
	queue->locker.alive = is_owner_alive;
	queue->locker.context = queue;
	queue->recovered = queue_look_at_to_the_end(queue,
						    queue->member.slot);
	queue_take_down_bells(queue, queue->member.slot,
			      queue->member.generation);
	return 0;
}

#define CHORES_FIRST 16

static int
make_chores(struct queue *queue)
{
	queue->chores = calloc(CHORES_FIRST, sizeof(*queue->chores));
	queue->chores_max = CHORES_FIRST;
	return queue->chores ? 0 : -ENOMEM;
}

int
queue_open(struct view *view, const char *name, uint32_t roles,
	   struct queue *ret)
{
	int r;

	memset(ret, 0, sizeof(*ret));
	ret->view = view;
	ret->fd = -1;
	ret->blocks_fd = -1;
	ret->map.attendance = -1;
	ret->uid = geteuid();
	ret->slice = QUEUE_SLICE_FIRST;
	ret->spare = SLOT_NONE;
	ret->cooling = SLOT_NONE;
	ret->shrinking = CHUNK_NONE;
	ret->descriptors[0] = WAITER_NONE;
	ret->descriptors[1] = WAITER_NONE;
	ret->map.view = view;
	ret->map.rendezvous = view->attributes.buffering == CUBBY_RENDEZVOUS;
	r = layout_queue_geometry(&view->attributes, &ret->map.geometry);
	if (r < 0)
		return r == -ENOMEM ? r : -EBADMSG;
	r = open_files(ret);
	if (r == 0)
		r = make_chores(ret);
	if (r == 0)
		r = join(ret, name, roles);
	if (r < 0) {
		free(ret->chores);
		ret->chores = NULL;
		close_files(ret);
		return r;
	}
	answers_init(&ret->answers, view, ret->member.slot,
		     ret->member.generation);
	exclusion_init(&ret->exclusion);
	spin_init(&ret->spin);
	return 0;
}

static void
free_private(struct queue *queue)
{
	struct cubby_message *message;
	struct cubby_draft *draft;

	while ((message = queue->held)) {
		queue->held = message->next;
		free(message);
	}
	while ((draft = queue->drafts)) {
		queue->drafts = draft->next;
		free(draft);
	}
	free(queue->chores);
	queue->chores = NULL;
}

/* Everything that is ours becomes a chore; then they are done. If the lock is not
   to be had, others do them, as for one who has died. */
static bool
tidy_up(struct queue *queue)
{
	while (queue->held)
		queue_reject_later(queue, queue->held);
	while (queue->drafts)
		queue_abort_later(queue, queue->drafts);
	if (queue->spare != SLOT_NONE)
		queue_add_chore(queue, CHORE_FREE, queue->spare);
	queue->spare = SLOT_NONE;
	while (queue->spare_count)
		queue_add_chore(queue, CHORE_FREE,
				queue->spares[--queue->spare_count]);
	queue_do_chores_soon(queue);
	queue_do_chores_soon(queue);	/* those that came of them */
	return queue->chore_count == 0;
}

void
queue_close(struct queue *queue)
{
	bool tidy = tidy_up(queue);
	struct queue_participant *p = queue_participant(&queue->map,
							queue->member.slot);

	if (tidy && p && get64(&p->clean) >= queue->member.generation - 2) {
		/* relaxed: nothing is left, and who asks is told the same */
		word64_store_relaxed(&p->clean, queue->member.generation);
		word32_store_relaxed(&p->pid, 0);
	}
	answers_end(&queue->answers);
	liveness_drop(&queue->member.life);
	free_private(queue);
	close_files(queue);
}

void
queue_forget(struct queue *queue)
{
	/* Another thread may have been at them: see sender_forget(). */
	if (!queue->exclusion.taken)
		free_private(queue);
	answers_forget(&queue->answers);
	shm_forget(&queue->blocks);
	shm_forget(&queue->map.mapping);
	close_descriptors(queue);
}
