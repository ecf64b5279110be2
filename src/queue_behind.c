/* SPDX-License-Identifier: MIT */
/* Layer 8. May include: base probe atomics clock robust_lock layout_queue members answers queue_repair queue. */
/*
 * Behind the dead: what they have left in a queue goes back, a bounded piece with
 * each look.
 */
#include "base.h"
#include "answers.h"
#include "atomics.h"
#include "clock.h"
#include "members.h"
#include "probe.h"
#include "queue.h"
#include "queue_repair.h"

#define LOOK_EVERY	(50 * NSEC_PER_MSEC)
#define LOOK_PATIENCE	(2 * NSEC_PER_MSEC)	/* with a lock's owner */
#define LOOK_LONGEST	(5 * NSEC_PER_MSEC)	/* all that one look may take */

/*
 * One look. The call that looks may have a deadline that is near: then what the dead
 * have left waits for the next look if somebody stands still under the lock, or if
 * there is much of it; that look goes on where this one ended (struct behind), and
 * does one piece in any case, lest it never gets further.
 */
struct looking {
	int64_t until;
	int64_t patience;	/* with a lock's owner */
	bool begun;
	uint64_t returned;	/* messages that went back */
};

static struct looking
short_look(void)
{
	return (struct looking){ .until = clock_now() + LOOK_LONGEST,
				 .patience = LOOK_PATIENCE };
}

/* Of one who has time: it ends with the work, or at a lock that is not to be had. */
static struct looking
whole_look(void)
{
	return (struct looking){ .until = INT64_MAX,
				 .patience = ROBUST_LOCK_GRACE };
}

static int
enter_to_look(struct queue *queue, struct looking *look)
{
	int64_t now = clock_now(), patience = now + look->patience;
	int64_t until = look->begun ? look->until : patience;

	look->begun = true;
	if (now >= until)
		return -ETIMEDOUT;
	return queue_enter(queue, patience < until ? patience : until);
}

static int
take_back_chunk(struct queue *queue, uint32_t chunk, uint32_t n, uint64_t dead,
		struct looking *look)
{
	struct wakes wakes = { .count = 0 };
	int r = enter_to_look(queue, look);

	if (r < 0)
		return r;
	if (!queue_take_back_chunk(&queue->map, chunk, n, dead, &wakes,
				   &look->returned))
		r = queue_nonsense(queue);
	queue_leave(queue, &wakes);
	return r;
}

static int
take_back_waiters(struct queue *queue, uint32_t n, uint64_t dead,
		  struct looking *look)
{
	struct wakes wakes = { .count = 0 };
	int r = enter_to_look(queue, look);

	if (r < 0)
		return r;
	if (!queue_take_back_waiters(&queue->map, n, dead))
		r = queue_nonsense(queue);
	queue_leave(queue, &wakes);
	return r;
}

static int
say_clean(struct queue *queue, uint32_t n, uint64_t dead, struct looking *look)
{
	struct queue_participant *p = queue_participant(&queue->map, n);
	struct wakes wakes = { .count = 0 };
	int r = enter_to_look(queue, look);

	if (r < 0)
		return r;
	if (get64(&p->clean) < dead)
		set64(&p->clean, dead);
	queue_leave(queue, &wakes);
	return 0;
}

/* What `behind` has not come to. */
static int
take_back_rest(struct queue *queue, struct behind *behind, struct looking *look)
{
	uint32_t n = behind->participant, chunks = queue_chunks(&queue->map);
	int r = 0;

	/* The records first: one that is gone cannot be given a message to. */
	if (!behind->records)
		r = take_back_waiters(queue, n, behind->dead, look);
	behind->records = r == 0;
	while (r == 0 && behind->chunk < chunks) {
		r = take_back_chunk(queue, behind->chunk, n, behind->dead,
				    look);
		behind->chunk += r == 0;
	}
	return r;
}

/* 0, or an error: the lock was not to be had, and the next look goes on. */
static int
look_at(struct queue *queue, uint32_t n, struct looking *look)
{
	const struct queue_participant *p = queue_participant(&queue->map, n);
	uint64_t dead = members_dead_up_to(queue->view, &queue->map, n);
	uint64_t before = look->returned;
	struct behind *behind = &queue->behind;
	int r;

	if (!p || get64(&p->clean) >= dead)
		return 0;
	/* Of one who is dead no record and no slot is added to what has been looked
	   at: an earlier look is gone on with. */
	if (behind->participant != n || behind->dead != dead)
		*behind = (struct behind){ .participant = n, .dead = dead };
	r = take_back_rest(queue, behind, look);
	if (r == 0)
		queue_take_down_bells(queue, n, dead);
	PROBE2(repair, n, look->returned - before);
	return r == 0 ? say_clean(queue, n, dead, look) : r;
}

void
queue_look_at(struct queue *queue, uint32_t n)
{
	struct looking look = short_look();

	look_at(queue, n, &look);
}

uint64_t
queue_look_at_to_the_end(struct queue *queue, uint32_t n)
{
	struct looking look = whole_look();

	look_at(queue, n, &look);
	return look.returned;
}

/* Left to anybody -------------------------------------------------------- */

void
queue_tell_left(struct queue *queue)
{
	/* LEFT-R1 release: what is left, then that it is. Pairs with LEFT-X1. */
	word32_store_release(&queue->map.file->left, QUEUE_LEFT);
}

/* Whoever begins a round says so by a value of his own. What is left meanwhile is
   told over it, and should he die, it stays: both times there is another round. */
static uint32_t
own_round(const struct queue *queue)
{
	return QUEUE_LEFT + 1 + queue->member.slot;
}

/* False: it has just changed, and the next look sees to it. */
static bool
begin_round(struct queue *queue)
{
	uint32_t found = get32(&queue->map.file->left);

	/* LEFT-X1 acq_rel: that something is left, then the look at it. Pairs with
	   LEFT-R1, LEFT-X2. */
	if (!word32_cas_acq_rel(&queue->map.file->left, &found,
				own_round(queue)))
		return false;
	queue->left_chunks = queue_chunks(&queue->map);
	return true;
}

static void
end_round(struct queue *queue)
{
	uint32_t found = own_round(queue);

	/* LEFT-X2 acq_rel: all seen to, then that there is nothing. Pairs with
	   LEFT-X1. */
	word32_cas_acq_rel(&queue->map.file->left, &found, 0);
}

/* What those who could not have the lock have left to anybody: all chunks once
   round, however many looks that takes. */
static int
see_to_all(struct queue *queue, struct looking *look)
{
	int r;

	if (!queue->left_chunks && !begin_round(queue))
		return 0;
	while (queue->left_chunks) {
		r = take_back_chunk(queue, queue->left_chunks - 1,
				    PARTICIPANTS_MAX, 0, look);
		if (r < 0)
			return r;
		queue->left_chunks--;
	}
	end_round(queue);
	return 0;
}

/* All ---------------------------------------------------------------------- */

/* All once round, beginning with the one at whom the last look ended. */
static int
look_at_all(struct queue *queue, struct looking *look)
{
	uint32_t i, n, count = queue_participants(&queue->map);
	uint32_t first = queue->behind.participant;
	const struct queue_participant *p;
	int r = 0;

	for (i = 0; r == 0 && i < count; i++) {
		n = (first + i) % count;
		p = queue_participant(&queue->map, n);
		if (p && get64(&p->clean) < get64(&p->generation))
			r = look_at(queue, n, look);
	}
	return r;
}

static bool
look_on(struct queue *queue, struct looking *look)
{
	int r = 0;

	queue->next_look = clock_now() + LOOK_EVERY;
	if (unlikely(queue->left_chunks || get32(&queue->map.file->left)))
		r = see_to_all(queue, look);
	if (r == 0)
		r = look_at_all(queue, look);
	answers_look(&queue->answers);
	return r == 0;
}

bool
queue_look(struct queue *queue)
{
	struct looking look = short_look();

	return look_on(queue, &look);
}

uint64_t
queue_look_to_the_end(struct queue *queue)
{
	struct looking look = whole_look();

	look_on(queue, &look);
	return look.returned;
}
