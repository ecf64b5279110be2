/* SPDX-License-Identifier: MIT */
/* Layer 8. May include: base atomics clock shm exclusion spin robust_lock envelope layout_queue parcel members slots waiters catalogue queue_repair queue queue_receive. */
/*
 * Receiving from a queue.
 */
#include "base.h"
#include "catalogue.h"
#include "clock.h"
#include "envelope.h"
#include "queue.h"
#include "queue_receive.h"
#include "queue_repair.h"
#include "slots.h"

#include <cubby.h>
#include <stdlib.h>
#include <unistd.h>

#define LOOKS_MAX	16	/* others were faster each time */
#define LOOK_AFTER	16	/* messages, for the clock */

/* Waiting ---------------------------------------------------------------- */

static void
say_wish(struct queue_waiter *w, const struct wish *wish)
{
	set64(&w->since, (uint64_t)clock_now());
	/* WATCH-R1 release: the slot at which somebody has waited by this record
	   is freed, then its new use. Pairs with WATCH-F1. */
	word64_store_release(&w->type, wish->type);
	set64(&w->sender, wish->sender);
	set32(&w->matching, wish->matching);
	set32(&w->peeks, wish->kind == WISH_PEEK || wish->kind == WISH_LOOK);
	set64(&w->size, wish->kind == WISH_HOLD ? WAITER_ANY_SIZE : wish->size);
}

/* Rendezvous: those who wait until they may send to one who waits. */
static COLD bool
tell_senders(struct queue *queue, const struct wish *wish, struct wakes *wakes)
{
	return !queue->map.rendezvous || wish->kind == WISH_PEEK ||
	       wish->kind == WISH_LOOK ||
	       waiters_ring(&queue->map, &queue->map.file->wanting_room,
			    SLOT_NONE, wakes);
}

/* Who looks at one of several sleeps without coming back to the lock. */
static COLD void
fall_asleep(struct queue *queue, struct receive *receive)
{
	struct queue_waiter *w = queue_waiter(&queue->map, receive->waiter);

	set32(&w->asleep, 1);
	receive->ticket = get32(&w->events);
}

/* Under the lock. -EAGAIN: it is to wait by its record. */
static int
want_message(struct queue *queue, struct receive *receive, struct wakes *wakes)
{
	bool again = receive->waiter != WAITER_NONE;
	int r = queue_take_waiter(queue, &receive->waiter);

	if (r < 0)
		return r == -ENOSPC ? NEED_WAITERS : r;
	say_wish(queue_waiter(&queue->map, receive->waiter), receive->wish);
	if (unlikely(receive->wish->kind == WISH_LOOK))
		fall_asleep(queue, receive);
	if (!waiters_enlist(&queue->map, receive->waiter, WAITER_RECEIVES,
			    again))
		return queue_nonsense(queue);
	if (unlikely(get32(&queue->map.file->wanting_room.head) !=
		     WAITER_NONE) &&
	    !tell_senders(queue, receive->wish, wakes))
		return queue_nonsense(queue);
	return -EAGAIN;
}

static int
help_out(struct queue *queue, struct receive *receive, int need)
{
	if (need == NEED_WAITERS)
		return queue_commit_waiters(queue);
	if (need == NEED_NODES)
		return queue_commit_nodes(queue);
	if (queue_owner_is_alive(queue, receive->asked))
		receive->living = receive->asked;
	else
		queue_look_at(queue, owner_participant(receive->asked));
	receive->asks++;
	return 0;
}

static bool
has_been_given(struct queue *queue, struct receive *receive)
{
	return receive->waiter != WAITER_NONE &&
	       queue_is_served(queue, receive->waiter) &&
	       queue_accept(queue, receive);
}

/* Under the lock, which it gives. */
static int
try_entered(struct queue *queue, struct receive *receive, bool waits)
{
	struct wakes wakes;
	int r;

	wakes_begin(&wakes);
	if (receive->waiter != WAITER_NONE &&
	    has_been_given(queue, receive))
		r = 0;
	else if (receive->waiter != WAITER_NONE &&
		 !queue_off_list(queue, receive->waiter))
		r = queue_nonsense(queue);
	else
		r = queue_take(queue, receive, &wakes);
	if (r == -EAGAIN && waits)
		r = want_message(queue, receive, &wakes);
	queue_leave(queue, &wakes);
	return r;
}

static int
try_once(struct queue *queue, struct receive *receive, int64_t deadline,
	 bool waits)
{
	int r = queue_enter(queue, deadline);

	return r < 0 ? r : try_entered(queue, receive, waits);
}

/* Not every message will do: then it is not worth looking whether there is one. */
static bool
is_choosy(const struct wish *wish)
{
	return wish->sender || wish->matching;
}

/* From an inbox, nobody waits for one who has died. */
static bool
awaits_one(const struct queue *queue, const struct receive *receive)
{
	return unlikely(receive->wish->name) && queue->inbox;
}

/* Who only polls asks once in it. */
static bool
is_new_tick(struct queue *queue)
{
	int64_t tick = clock_tick();

	if (tick == queue->asked)
		return false;
	queue->asked = tick;
	return true;
}

/* There is nothing of it. If it has gone, what it sent just before, or had sent to
   one who has died, is looked for once more. -EPIPE: there is nothing. */
static int
look_for_sender(struct queue *queue, struct receive *receive, int64_t deadline)
{
	uint32_t slot = (uint32_t)receive->wish->sender - 1;
	bool all;
	int r;

	if (deadline == CUBBY_NOW && !is_new_tick(queue))
		return -EAGAIN;
	if (!members_have_gone(queue->view, &queue->map, slot))
		return -EAGAIN;
	all = queue_look_and_ask_all(queue);
	do
		r = try_once(queue, receive, deadline, false);
	while (r > 0 && (r = help_out(queue, receive, r)) == 0);
	return r == -EAGAIN && all ? -EPIPE : r;
}

/* Until there is one, or the deadline. */
static int
get(struct queue *queue, struct receive *receive, int64_t deadline)
{
	bool enlists = queue->map.rendezvous || is_choosy(receive->wish);
	int r, waited = 0, looks = 0;

	for (;;) {
		r = try_once(queue, receive, deadline,
			     enlists && deadline != CUBBY_NOW && !waited);
		if (r > 0) {
			r = help_out(queue, receive, r);
			if (r < 0)
				break;
			continue;
		}
		if (r == -EAGAIN && awaits_one(queue, receive))
			r = look_for_sender(queue, receive, deadline);
		if (r != -EAGAIN || deadline == CUBBY_NOW || waited < 0)
			break;
		if (!enlists) {
			enlists = !queue_look_for_message(queue) ||
				  ++looks == LOOKS_MAX;
			continue;
		}
		waited = queue_wait(queue, receive->waiter, WAITER_RECEIVES,
				    awaits_one(queue, receive), deadline);
		if (has_been_given(queue, receive))
			return 0;
	}
	return r < 0 && waited < 0 ? waited : r;
}

/* Gives up its record. What it has been given at the last moment, it has. */
static int
end_wait(struct queue *queue, struct receive *receive, int r)
{
	uint32_t waiter = receive->waiter;

	if (queue_end_wait(queue, &receive->waiter, WAITER_RECEIVES) || r == 0)
		return r;
	receive->waiter = waiter;
	if (queue_accept(queue, receive))
		r = 0;
	receive->waiter = WAITER_NONE;
	return r;
}

/* Until there is one for us: a request that nobody is to have is none. */
static int
get_one(struct queue *queue, struct receive *receive, int64_t deadline)
{
	const struct wish *wish = receive->wish;
	int r;

	do {
		r = end_wait(queue, receive, get(queue, receive, deadline));
		if (r == 0 && unlikely(wish->taken.call) && !receive->count &&
		    wish->kind != WISH_PEEK)
			r = queue_own_request(queue, receive);
	} while (r == PASSED_OVER);
	return r;
}

/* What a wish needs besides the message, before it is taken. What may fail to be
   copied, without addresses for all blocks, is held until it has been:
   queue_copy(). */
static int
prepare(struct queue *queue, struct receive *receive,
	struct cubby_message **ret_message)
{
	int r = 0;

	*ret_message = NULL;
	if (queue->map.geometry.block_stride)
		r = queue_map_blocks(queue);
	receive->holds = receive->wish->kind == WISH_HOLD || queue->windows;
	if (r < 0 || receive->wish->kind != WISH_HOLD)
		return r;
	*ret_message = malloc(sizeof(**ret_message));
	return *ret_message ? 0 : -ENOMEM;
}

static int
receive_one(struct queue *queue, struct receive *receive, int64_t deadline)
{
	struct cubby_message *message;
	int r = prepare(queue, receive, &message);

	if (r < 0)
		return r;
	/* By the clock; which is looked at now and then, and before a wait. */
	if (!queue->receives-- || deadline != CUBBY_FOREVER) {
		queue->receives = LOOK_AFTER;
		if (clock_now() >= queue->next_look)
			queue_look(queue);
	}
	r = get_one(queue, receive, deadline);
	if (r < 0) {
		free(message);
		return r;
	}
	if (message)
		return queue_hold(queue, receive, message);
	if (receive->count)
		return queue_copy_batch(queue, receive);
	if (receive->wish->kind == WISH_COPY)
		return queue_copy(queue, receive->slot,
				  receive->wish->taken.block,
				  receive->wish->buffer,
				  receive->wish->taken.size);
	if (receive->wish->taken.block)
		return queue_peek_block(queue, receive, deadline);
	return 0;
}

int
queue_receive(struct queue *queue, struct wish *wish, int64_t deadline)
{
	struct receive receive = {
		.wish = wish, .waiter = WAITER_NONE, .living = OWNER_NONE,
	};
	uint32_t slots[QUEUE_STEP];
	int r;

	if (wish->batch && !queue->map.rendezvous)
		receive.slots = slots;
	exclusion_enter(&queue->exclusion);
	do
		r = receive_one(queue, &receive, deadline);
	while (r == -EAGAIN && receive.slot != SLOT_NONE &&
	       wish->kind == WISH_PEEK);
	exclusion_leave(&queue->exclusion);
	return r;
}

/* Looking ---------------------------------------------------------------- */

int
queue_look_for_one(struct queue *queue, int64_t deadline, uint32_t *ret_waiter,
		   uint32_t *ret_ticket)
{
	struct wish wish = { .kind = WISH_LOOK };
	struct receive receive = {
		.wish = &wish, .waiter = WAITER_NONE, .living = OWNER_NONE,
	};
	int r;

	do {
		r = queue_enter_or_rest(queue, deadline, ret_ticket);
		if (r < 0)
			return r;
		r = try_entered(queue, &receive, ret_waiter);
	} while (r > 0 && (r = help_out(queue, &receive, r)) == 0);
	if (ret_waiter) {
		*ret_waiter = receive.waiter;
		*ret_ticket = receive.ticket;
	}
	return r;
}

/* The record of a descriptor, off its list: to be enlisted. */
static int
want_ring(struct queue *queue, struct receive *receive, uint64_t bell)
{
	int r = queue_take_waiter(queue, &receive->waiter);

	if (r < 0)
		return r == -ENOSPC ? NEED_WAITERS : r;
	return waiters_enlist_descriptor(&queue->map, receive->waiter,
					 WAITER_RECEIVES, bell) ?
	       -EAGAIN : queue_nonsense(queue);
}

static int
enlist_once(struct queue *queue, struct receive *receive, uint64_t bell)
{
	struct wakes wakes = { .count = 0 };
	int r;

	if (receive->waiter != WAITER_NONE &&
	    !queue_off_list(queue, receive->waiter))
		r = queue_nonsense(queue);
	else
		r = queue_take(queue, receive, &wakes);
	if (r == -EAGAIN)
		r = want_ring(queue, receive, bell);
	queue_leave(queue, &wakes);
	return r;
}

int
queue_enlist_for_one(struct queue *queue, int64_t deadline, uint64_t bell,
		     uint32_t *waiter)
{
	struct wish wish = { .kind = WISH_LOOK };
	struct receive receive = {
		.wish = &wish, .waiter = *waiter, .living = OWNER_NONE,
	};
	int r;

	do {
		r = queue_enter(queue, deadline);
		if (r == 0)
			r = enlist_once(queue, &receive, bell);
	} while (r > 0 && (r = help_out(queue, &receive, r)) == 0);
	*waiter = receive.waiter;
	return r;
}
