/* SPDX-License-Identifier: MIT */
/* Layer 8. May include: base atomics clock exclusion futex spin robust_lock inbox layout_queue waiters queue. */
/*
 * Waiting at a queue: looking at one's own record for a moment, then sleeping on
 * it. waiters.h has the protocol.
 */
#include "base.h"
#include "clock.h"
#include "futex.h"
#include "queue.h"

#include <cubby.h>

/* Between two looks: pauses of the processor. */
#define MOMENTS_FIRST	64U
#define MOMENTS_LAST	128U

#define TRUST	(1 * NSEC_PER_MSEC)	/* without asking the kernel */

static bool
still_waits(const struct queue_waiter *w, enum waiter_state state)
{
	/* WAIT-A1 acquire: what one has been given. Pairs with WAIT-C1. */
	return word32_load_acquire(&w->state) == state;
}

/* It does not wait any more: because it has been served, and nothing else can
   be, but by one who spoils the file. */
static int
why_awake(const struct queue_waiter *w)
{
	return still_waits(w, WAITER_SERVED) ? 0 : -EBADMSG;
}

/* Looks at its own record alone, without the lock. */
static bool
look(struct queue *queue, const struct queue_waiter *w,
     enum waiter_state state)
{
	bool waits = true;

	spin_begin(&queue->spin);
	while (waits && spin_again(&queue->spin))
		waits = still_waits(w, state);
	spin_end(&queue->spin, waits);
	return waits;
}

/* The counts are written under the lock by others: what is seen here is a hint. */
static bool
may_have_room(const struct queue *queue)
{
	const struct queue_file *file = queue->map.file;

	return (uint64_t)get32(&file->waiting) + get32(&file->places) <
	       queue->view->attributes.capacity;
}

static bool
may_have_message(const struct queue *queue)
{
	return get32(&queue->map.file->waiting);
}

/* Looks at longer and longer intervals, of about a microsecond: what it looks
   at lies beside what the others work on, and they go on by tens of messages
   meanwhile, all of it in one cache. */
static bool
look_for(struct queue *queue, bool (*is_there)(const struct queue *queue))
{
	uint32_t moments = MOMENTS_FIRST;
	bool found = is_there(queue);

	spin_begin(&queue->spin);
	while (!found && spin_again_after(&queue->spin, moments)) {
		if (moments < MOMENTS_LAST)
			moments *= 2;
		found = is_there(queue);
	}
	spin_end(&queue->spin, !found);
	return found;
}

bool
queue_look_for_room(struct queue *queue)
{
	return look_for(queue, may_have_room);
}

bool
queue_look_for_message(struct queue *queue)
{
	return look_for(queue, may_have_message);
}

/* Says that it sleeps: whoever serves it from here on wakes it. False: it has
   been served. */
static int
announce(struct queue *queue, struct queue_waiter *w, enum waiter_state state,
	 int64_t deadline, uint32_t *ret_ticket)
{
	struct wakes wakes = { .count = 0 };
	int r = queue_enter(queue, deadline);

	if (r < 0)
		return r;
	*ret_ticket = get32(&w->events);
	r = still_waits(w, state);
	if (r)
		set32(&w->asleep, WAITER_ASLEEP);
	queue_leave(queue, &wakes);
	return r;
}

/* 0: woken; 1: the slice is over. */
static int
sleep_once(struct queue *queue, struct queue_waiter *w, uint32_t ticket,
	   int64_t slice, int64_t deadline)
{
	int64_t until = min_u64((uint64_t)deadline,
				(uint64_t)(clock_now() + slice));
	int r;

	exclusion_leave(&queue->exclusion);
	r = futex_wait(&w->events, ticket, until);
	exclusion_enter(&queue->exclusion);
	return r == -ETIMEDOUT && until < deadline ? 1 : r;
}

/* Who waits for a message, or for room, has looked for that before. */
static bool
is_worth_looking(const struct queue *queue, enum waiter_state state)
{
	return queue->map.rendezvous || state == WAITER_TAKEN ||
	       state == WAITER_WATCHES;
}

bool
queue_looked_lately(const struct queue_waiter *w)
{
	return (uint64_t)clock_now() - get64(&w->since) < TRUST;
}

int
queue_wait(struct queue *queue, uint32_t n, enum waiter_state state, bool one,
	   int64_t deadline)
{
	struct queue_waiter *w = queue_waiter(&queue->map, n);
	int64_t slice = one ? INBOX_SLICE : queue->slice;
	uint32_t ticket;
	int r;

	/* However often the record says that it has been served. */
	if (clock_now() >= deadline)
		return -ETIMEDOUT;
	if (is_worth_looking(queue, state) && !look(queue, w, state))
		return why_awake(w);
	do {
		r = announce(queue, w, state, deadline, &ticket);
		if (r <= 0)
			return r < 0 ? r : why_awake(w);
		r = sleep_once(queue, w, ticket, slice, deadline);
	} while (r == 0 && still_waits(w, state));
	if (r != 1) {
		queue->slice = QUEUE_SLICE_FIRST;
		return r < 0 ? r : why_awake(w);
	}
	if (one && clock_now() < queue->next_look)
		return 0;
	queue_look_after_slice(queue);
	return 0;
}

int
queue_take_waiter(struct queue *queue, uint32_t *waiter)
{
	if (*waiter != WAITER_NONE)
		return 0;
	if (!waiters_take(&queue->map, queue->owner, waiter))
		return queue_nonsense(queue);
	return *waiter == WAITER_NONE ? -ENOSPC : 0;
}

bool
queue_is_served(const struct queue *queue, uint32_t n)
{
	return still_waits(queue_waiter(&queue->map, n), WAITER_SERVED);
}

bool
queue_off_list(struct queue *queue, uint32_t n)
{
	struct queue_waiter *w = queue_waiter(&queue->map, n);

	if (!w || !waiters_delist(&queue->map, n))
		return false;
	set32(&w->asleep, WAITER_AWAKE);
	/* relaxed: under the lock, and off its list */
	word32_store_relaxed(&w->state, WAITER_SERVED);
	return true;
}

bool
queue_end_wait(struct queue *queue, uint32_t *waiter, enum waiter_state state)
{
	uint32_t n = *waiter, seen = state;

	if (n == WAITER_NONE)
		return true;
	*waiter = WAITER_NONE;
	/* WAIT-C2 acq_rel: one's own record, given up; or what one has been
	   given. Pairs with WAIT-C1. */
	if (word32_cas_acq_rel(&queue_waiter(&queue->map, n)->state, &seen,
			       WAITER_GONE))
		return true;	/* whoever meets it there frees it */
	queue_add_chore(queue, CHORE_FREE_WAITER, n);
	return false;
}
