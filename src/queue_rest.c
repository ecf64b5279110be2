/* SPDX-License-Identifier: MIT */
/* Layer 8. May include: base atomics clock exclusion robust_lock inbox layout_queue rest waiters queue. */
/*
 * An end of a queue as one of several that a thread waits for (rest.h).
 *
 * Its record is enlisted as one that does not take what it is rung for
 * (`peeks`), so each ring goes on to the next of the list (waiters.h), and
 * nobody misses one through it. Whether there is something is looked at under
 * the lock under which it is enlisted.
 *
 * The lock is never waited for while others may be ready: if it is not to be
 * had, the thread sleeps on the lock's own word among the rest (REST_LOCK), and
 * enlists when that is given.
 */
#include "base.h"
#include "clock.h"
#include "queue.h"

#include <cubby.h>

#define ASKS_MAX	64	/* then whoever waits is passed over */

enum { NEED_WAITERS = 1, NEED_ANSWER };

/* A look for room under way. */
struct search {
	uint32_t waiter;
	uint32_t ticket;
	bool enlists;
	uint64_t bell;		/* of a descriptor: 0: none */
	uint64_t asked, living;	/* owners */
	uint32_t asks;
};

/* Room: under the lock --------------------------------------------------- */

/* Does it take whatever we send? */
static bool
takes_any(const struct queue *queue, const struct queue_waiter *w)
{
	uint64_t sender = get64(&w->sender);

	return !get32(&w->peeks) && !get32(&w->matching) &&
	       (!sender || sender == (uint64_t)queue->member.slot + 1);
}

/* 1: its wait counts; 0: not; NEED_ANSWER. */
static int
is_waiting(const struct queue *queue, struct search *search,
	   const struct queue_waiter *w)
{
	uint64_t owner = get64(&w->owner);

	if (!takes_any(queue, w))
		return 0;
	if (queue_looked_lately(w) || owner == search->living)
		return 1;
	if (search->asks == ASKS_MAX)
		return 0;
	search->asked = owner;
	return NEED_ANSWER;
}

/* Rendezvous: does one wait that would take it? 0, -EAGAIN, NEED_ANSWER. */
static int
find_taker(struct queue *queue, struct search *search)
{
	struct queue_list *list = &queue->map.file->receiving;
	uint32_t n, next = get32(&list->head), i;
	int r;

	for (i = 0; i <= WAITERS_MAX; i++) {
		if (!waiters_next(&queue->map, list, next, &n))
			return queue_nonsense(queue);
		if (n == WAITER_NONE)
			return -EAGAIN;
		next = get32(&queue_waiter(&queue->map, n)->next);
		r = is_waiting(queue, search, queue_waiter(&queue->map, n));
		if (r)
			return r == 1 ? 0 : r;
	}
	return queue_nonsense(queue);
}

/* -EAGAIN: it sleeps, by its record. */
static int
enlist(struct queue *queue, struct search *search)
{
	struct queue_waiter *w;
	int r = queue_take_waiter(queue, &search->waiter);

	if (r < 0)
		return r == -ENOSPC ? NEED_WAITERS : r;
	if (search->bell)
		return waiters_enlist_descriptor(&queue->map, search->waiter,
						 WAITER_ROOM, search->bell) ?
		       -EAGAIN : queue_nonsense(queue);
	w = queue_waiter(&queue->map, search->waiter);
	set32(&w->peeks, 1);
	set32(&w->asleep, WAITER_ASLEEP);
	search->ticket = get32(&w->events);
	return waiters_enlist(&queue->map, search->waiter, WAITER_ROOM,
			      false) ? -EAGAIN : queue_nonsense(queue);
}

static int
search_locked(struct queue *queue, struct search *search)
{
	int r;

	if (search->waiter != WAITER_NONE &&
	    !queue_off_list(queue, search->waiter))
		return queue_nonsense(queue);
	if (queue->map.rendezvous)
		r = find_taker(queue, search);
	else
		r = queue_has_room(queue) ? 0 : -EAGAIN;
	return r == -EAGAIN && search->enlists ? enlist(queue, search) : r;
}

/* Looking ---------------------------------------------------------------- */

static int
help_out(struct queue *queue, struct search *search, int need)
{
	if (need == NEED_WAITERS)
		return queue_commit_waiters(queue);
	if (queue_owner_is_alive(queue, search->asked))
		search->living = search->asked;
	else
		queue_look_at(queue, owner_participant(search->asked));
	search->asks++;
	return 0;
}

/* As queue_look_for_one(). */
static int
look_for_room(struct queue *queue, int64_t deadline, struct search *search)
{
	struct wakes wakes = { .count = 0 };
	int r;

	do {
		r = queue_enter_or_rest(queue, deadline,
					search->enlists && !search->bell ?
					&search->ticket : NULL);
		if (r < 0)
			return r;
		r = search_locked(queue, search);
		queue_leave(queue, &wakes);
		if (r <= 0)
			return r;
		r = help_out(queue, search, r);
	} while (r == 0);
	return r;
}

int
queue_enlist_for_room(struct queue *queue, int64_t deadline, uint64_t bell,
		      uint32_t *waiter)
{
	struct search search = { .waiter = *waiter, .living = OWNER_NONE,
				 .enlists = true, .bell = bell };
	int r = look_for_room(queue, deadline, &search);

	*waiter = search.waiter;
	return r;
}

/* How long to wait for the lock. */
static int64_t
patience(enum look how)
{
	return how == LOOK_PATIENTLY ? clock_now() + ROBUST_LOCK_GRACE :
				       QUEUE_AT_ONCE;
}

static int
look_under_lock(struct queue *queue, uint32_t role, int64_t deadline)
{
	struct search search = { .waiter = WAITER_NONE, .living = OWNER_NONE };
	int r;

	if (clock_now() >= queue->next_look)
		queue_look(queue);
	do
		r = role == CUBBY_RECEIVE ?
		    queue_look_for_one(queue, deadline, NULL, NULL) :
		    look_for_room(queue, deadline, &search);
	while (r == -EINTR);
	return r == 0 ? 1 : r == -EAGAIN ? 0 : r;
}

/* Counts that others write under the lock: a hint. */
static bool
may_be_ready(const struct queue *queue, uint32_t role)
{
	const struct queue_file *file = queue->map.file;

	if (role == CUBBY_RECEIVE)
		return get32(&file->waiting);
	if (queue->map.rendezvous)
		return get32(&file->receiving.head) != WAITER_NONE;
	return queue_has_room(queue);
}

static int
look(struct queue *queue, uint32_t role, enum look how)
{
	int r = role == CUBBY_SEND ? queue_check(queue) : 0;

	/* What the dead have left is missed so, but not for ever. */
	if (r < 0 || (how == LOOK_QUICKLY && !may_be_ready(queue, role) &&
		      ++queue->quick % LOOKS_QUICK))
		return r;
	return look_under_lock(queue, role, patience(how));
}

int
queue_look_role(struct queue *queue, uint32_t role, enum look how)
{
	int r;

	exclusion_enter(&queue->exclusion);
	r = look(queue, role, how);
	exclusion_leave(&queue->exclusion);
	return r == -ETIMEDOUT && how == LOOK_QUICKLY ? 0 : r;
}

/* Resting ---------------------------------------------------------------- */

static int64_t
slice_of(const struct queue *queue, uint32_t role)
{
	return role == CUBBY_SEND && queue->addressee ? INBOX_SLICE :
							queue->slice;
}

static int
enlist_for(struct queue *queue, uint32_t role, uint32_t *waiter,
	   uint32_t *ticket)
{
	struct search search = { .waiter = WAITER_NONE, .living = OWNER_NONE,
				 .enlists = true };
	int r;

	if (role == CUBBY_RECEIVE)
		return queue_look_for_one(queue, QUEUE_AT_ONCE, waiter, ticket);
	r = look_for_room(queue, QUEUE_AT_ONCE, &search);
	*waiter = search.waiter;
	*ticket = search.ticket;
	return r;
}

static void
rest(struct queue *queue, uint32_t role, struct rest *ret)
{
	ret->kind = REST_ASLEEP;
	ret->events = &queue_waiter(&queue->map, ret->waiter)->events;
	ret->slice = slice_of(queue, role);
}

static void
rest_on_lock(struct queue *queue, struct rest *ret)
{
	ret->kind = REST_LOCK;
	ret->events = &queue->map.file->lock.unlocks;
	ret->slice = ROBUST_LOCK_SLICE;
}

int
queue_announce(struct queue *queue, uint32_t role, struct rest *ret)
{
	int r;

	ret->kind = REST_NONE;
	ret->barrier = ret->look = false;
	ret->waiter = WAITER_NONE;
	exclusion_enter(&queue->exclusion);
	r = role == CUBBY_SEND ? queue_check(queue) : 0;
	if (r == 0)
		r = enlist_for(queue, role, &ret->waiter, &ret->ticket);
	if (r == -EAGAIN)
		rest(queue, role, ret);
	else
		queue_end_wait(queue, &ret->waiter, WAITER_SERVED);
	if (r == -EBUSY)
		rest_on_lock(queue, ret);
	exclusion_leave(&queue->exclusion);
	if (ret->kind != REST_NONE)
		return 0;
	return r == 0 || r == -EBADMSG || r == -EPIPE ? 1 : r;
}

/* It has slept for as long as it may without a look at the dead. */
static void
take_own_look(struct queue *queue, uint32_t role)
{
	if (slice_of(queue, role) == INBOX_SLICE &&
	    clock_now() < queue->next_look)
		return;
	queue_look_after_slice(queue);
}

int
queue_retract(struct queue *queue, uint32_t role, struct rest *rest, int slept)
{
	int r;

	exclusion_enter(&queue->exclusion);
	if (rest->kind == REST_LOCK)
		robust_lock_end_rest(&queue->map.file->lock, rest->ticket);
	else if (slept == REST_SLICE_OVER)
		take_own_look(queue, role);
	else
		queue->slice = QUEUE_SLICE_FIRST;
	queue_end_wait(queue, &rest->waiter, role == CUBBY_RECEIVE ?
		       WAITER_RECEIVES : WAITER_ROOM);
	rest->kind = REST_NONE;
	r = look(queue, role, LOOK_THOROUGHLY);
	exclusion_leave(&queue->exclusion);
	return r == -ETIMEDOUT ? 0 : r;
}
