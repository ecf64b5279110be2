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
#define LOOK_ASKS	64	/* who lives, between two looks at the clock */

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
	bool asks_all;		/* who lives, however many they are */
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
				 .patience = ROBUST_LOCK_GRACE,
				 .asks_all = true };
}

static int
enter_to_look(struct queue *queue, struct looking *look)
{
	int64_t now = clock_now(), patience = now + look->patience;
	int64_t until = look->begun ? look->until : patience;
	int r;

	look->begun = true;
	if (now >= until)
		return -ETIMEDOUT;
	do
		r = queue_enter(queue, patience < until ? patience : until);
	while (r == -EINTR);
	return r;
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

/*
 * `left` counts how often that has been told, and `seen` is what it was when a round
 * began that has come to its end. So what is told during a round has another round,
 * as has what somebody died over. Several may go round at the same time: the first
 * who comes to the end says so for all who began as early.
 */
void
queue_tell_left(struct queue *queue)
{
	/* LEFT-R1 acq_rel: what is left, then that it is. Pairs with LEFT-A1. */
	word32_add_acq_rel(&queue->map.file->left, 1);
}

static bool
is_left_to_anybody(const struct queue *queue)
{
	return get32(&queue->map.file->left) != get32(&queue->map.file->seen);
}

static void
begin_round(struct queue *queue)
{
	struct left *left = &queue->left;

	left->seen = get32(&queue->map.file->seen);
	/* LEFT-A1 acquire: that something is left, then the look at it. Pairs with
	   LEFT-R1. */
	left->told = word32_load_acquire(&queue->map.file->left);
	left->chunks = queue_chunks(&queue->map);
}

static void
end_round(struct queue *queue)
{
	uint32_t seen = queue->left.seen;

	/* LEFT-X1 acq_rel: all seen to, then that it is, unless another was faster.
	   Pairs with LEFT-X1. */
	word32_cas_acq_rel(&queue->map.file->seen, &seen, queue->left.told);
}

/* What those who could not have the lock have left to anybody: all chunks once
   round, however many looks that takes. */
static int
see_to_all(struct queue *queue, struct looking *look)
{
	int r;

	if (!queue->left.chunks)
		begin_round(queue);
	while (queue->left.chunks) {
		r = take_back_chunk(queue, queue->left.chunks - 1,
				    PARTICIPANTS_MAX, 0, look);
		if (r < 0)
			return r;
		queue->left.chunks--;
	}
	end_round(queue);
	return 0;
}

/* All ---------------------------------------------------------------------- */

/* All once round, beginning with the one at whom the last look ended. To ask of
   thousands takes tens of milliseconds, though all of them live. */
static int
look_at_all(struct queue *queue, struct looking *look)
{
	uint32_t i, n, asks = 0, count = queue_participants(&queue->map);
	uint32_t first = queue->behind.participant;
	const struct queue_participant *p;
	int r = 0;

	for (i = 0; r == 0 && i < count; i++) {
		n = (first + i) % count;
		p = queue_participant(&queue->map, n);
		if (!p || get64(&p->clean) >= get64(&p->generation))
			continue;
		if (!look->asks_all && asks && asks % LOOK_ASKS == 0 &&
		    clock_now() >= look->until) {
			queue->behind = (struct behind){ .participant = n };
			return -ETIMEDOUT;
		}
		asks++;
		r = look_at(queue, n, look);
	}
	return r;
}

static bool
look_on(struct queue *queue, struct looking *look)
{
	int r = 0;

	if (unlikely(queue->left.chunks || is_left_to_anybody(queue)))
		r = see_to_all(queue, look);
	if (r == 0)
		r = look_at_all(queue, look);
	answers_look(&queue->answers);
	/* From its end: it may have lost the processor for longer than that, and who
	   looks until the next one is due comes to his deadline. */
	queue->next_look = clock_now() + LOOK_EVERY;
	return r == 0;
}

bool
queue_look(struct queue *queue)
{
	struct looking look = short_look();

	return look_on(queue, &look);
}

bool
queue_look_and_ask_all(struct queue *queue)
{
	struct looking look = short_look();

	look.asks_all = true;
	return look_on(queue, &look);
}

void
queue_look_after_slice(struct queue *queue)
{
	bool all = queue_look(queue);

	queue->slice = queue_looks_on(queue, all) ? QUEUE_SLICE_WORK :
		       (int64_t)min_u64(2 * (uint64_t)queue->slice,
					QUEUE_SLICE_LONGEST);
}

uint64_t
queue_look_to_the_end(struct queue *queue)
{
	struct looking look = whole_look();

	look_on(queue, &look);
	return look.returned;
}
