/* SPDX-License-Identifier: MIT */
/* Layer 8. May include: base probe clock robust_lock layout_queue members answers queue_repair queue. */
/*
 * Behind the dead: what they have left in a queue goes back, a bounded piece with
 * each look.
 */
#include "base.h"
#include "answers.h"
#include "clock.h"
#include "members.h"
#include "probe.h"
#include "queue.h"
#include "queue_repair.h"

#define LOOK_EVERY	(50 * NSEC_PER_MSEC)
#define LOOK_PATIENCE	(2 * NSEC_PER_MSEC)	/* with a lock's owner */
#define LOOK_LONGEST	(5 * NSEC_PER_MSEC)	/* all that one look may take */

/*
 * The call that looks may have a deadline that is near. So what the dead have left
 * waits for the next look if somebody stands still under the lock, or if there is
 * much of it; that look goes on where this one ended (struct behind), lest it never
 * gets further.
 */
static int
enter_to_look(struct queue *queue, int64_t until)
{
	int64_t now = clock_now(), patience = now + LOOK_PATIENCE;

	if (now >= until)
		return -ETIMEDOUT;
	return queue_enter(queue, patience < until ? patience : until);
}

static int
take_back_chunk(struct queue *queue, uint32_t chunk, uint32_t n, uint64_t dead,
		int64_t until, uint64_t *ret_returned)
{
	struct wakes wakes = { .count = 0 };
	int r = enter_to_look(queue, until);

	if (r < 0)
		return r;
	if (!queue_take_back_chunk(&queue->map, chunk, n, dead, &wakes,
				   ret_returned))
		r = queue_nonsense(queue);
	queue_leave(queue, &wakes);
	return r;
}

static int
take_back_waiters(struct queue *queue, uint32_t n, uint64_t dead, int64_t until)
{
	struct wakes wakes = { .count = 0 };
	int r = enter_to_look(queue, until);

	if (r < 0)
		return r;
	if (!queue_take_back_waiters(&queue->map, n, dead))
		r = queue_nonsense(queue);
	queue_leave(queue, &wakes);
	return r;
}

static int
say_clean(struct queue *queue, uint32_t n, uint64_t dead, int64_t until)
{
	struct queue_participant *p = queue_participant(&queue->map, n);
	struct wakes wakes = { .count = 0 };
	int r = enter_to_look(queue, until);

	if (r < 0)
		return r;
	if (get64(&p->clean) < dead)
		set64(&p->clean, dead);
	queue_leave(queue, &wakes);
	return 0;
}

/* 0, or an error: the lock was not to be had, and the next look goes on. */
static int
look_at(struct queue *queue, uint32_t n, int64_t until, uint64_t *ret_returned)
{
	const struct queue_participant *p = queue_participant(&queue->map, n);
	uint64_t dead = members_dead_up_to(queue->view, &queue->map, n);
	uint32_t chunks = queue_chunks(&queue->map);
	uint64_t before = *ret_returned;
	struct behind *behind = &queue->behind;
	int r = 0;

	if (!p || get64(&p->clean) >= dead)
		return 0;
	/* Of one who is dead no record and no slot is added to what has been looked
	   at: an earlier look is gone on with. */
	if (behind->participant != n || behind->dead != dead)
		*behind = (struct behind){ .participant = n, .dead = dead };
	/* The records first: one that is gone cannot be given a message to. */
	if (!behind->chunk)
		r = take_back_waiters(queue, n, dead, until);
	while (r == 0 && behind->chunk < chunks) {
		r = take_back_chunk(queue, behind->chunk, n, dead, until,
				    ret_returned);
		behind->chunk += r == 0;
	}
	if (r == 0)
		queue_take_down_bells(queue, n, dead);
	PROBE2(repair, n, *ret_returned - before);
	return r == 0 ? say_clean(queue, n, dead, until) : r;
}

uint64_t
queue_look_at(struct queue *queue, uint32_t n)
{
	uint64_t returned = 0;

	look_at(queue, n, clock_now() + LOOK_LONGEST, &returned);
	return returned;
}

/* What those who could not have the lock have left to anybody. All once round; if
   that takes too long, the next look begins where this one ended. */
static int
see_to_all(struct queue *queue, int64_t until, uint64_t *ret_returned)
{
	uint32_t i, chunks = queue_chunks(&queue->map);
	int r = 0;

	/* Before: what is left meanwhile is told again. */
	set32(&queue->map.file->left, 0);
	for (i = 0; r == 0 && i < chunks; i++) {
		if (queue->left_chunk >= chunks)
			queue->left_chunk = 0;
		r = take_back_chunk(queue, queue->left_chunk, PARTICIPANTS_MAX,
				    0, until, ret_returned);
		queue->left_chunk += r == 0;
	}
	if (r < 0)
		set32(&queue->map.file->left, 1);
	return r;
}

/* All once round, beginning with the one at whom the last look ended. */
static int
look_at_all(struct queue *queue, int64_t until, uint64_t *ret_returned)
{
	uint32_t i, n, count = queue_participants(&queue->map);
	uint32_t first = queue->behind.participant;
	const struct queue_participant *p;
	int r = 0;

	for (i = 0; r == 0 && i < count; i++) {
		n = (first + i) % count;
		p = queue_participant(&queue->map, n);
		if (p && get64(&p->clean) < get64(&p->generation))
			r = look_at(queue, n, until, ret_returned);
	}
	return r;
}

static bool
look_on(struct queue *queue, uint64_t *ret_returned)
{
	int64_t now = clock_now(), until = now + LOOK_LONGEST;
	int r = 0;

	queue->next_look = now + LOOK_EVERY;
	if (unlikely(get32(&queue->map.file->left)))
		r = see_to_all(queue, until, ret_returned);
	if (r == 0)
		r = look_at_all(queue, until, ret_returned);
	answers_look(&queue->answers);
	return r == 0;
}

bool
queue_look(struct queue *queue)
{
	uint64_t returned = 0;

	return look_on(queue, &returned);
}

uint64_t
queue_look_to_the_end(struct queue *queue)
{
	struct behind before;
	uint64_t returned = 0;
	uint32_t left;

	do {
		before = queue->behind;
		left = queue->left_chunk;
	} while (!look_on(queue, &returned) &&
		 (left != queue->left_chunk ||
		  before.participant != queue->behind.participant ||
		  before.chunk != queue->behind.chunk));
	return returned;
}
