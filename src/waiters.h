/* SPDX-License-Identifier: MIT */
/* Layer 6. May include: base atomics futex layout_queue bell slots. */
/*
 * Who waits at a queue, and for what.
 *
 * A thread that waits enlists a record under the queue's lock, having looked
 * under the same lock whether it has to. Who brings about what it waits for
 * takes it off the list under the lock, by making it SERVED, and wakes it after
 * the lock. So no wake-up can be lost between a look and a sleep:
 *
 *	who waits				who serves
 *	lock; nothing there			lock
 *	state = RECEIVES; asleep		changes something
 *	ticket = events				state: RECEIVES -> SERVED
 *	unlock					asleep: events += 1
 *	sleep while events == ticket		unlock; wake
 *
 * The two sections exclude each other. Each that waits is served once and then
 * looks for itself; so one that is stopped costs nobody a second wake-up.
 *
 * One that cannot have the lock before its deadline makes its record GONE, by a
 * CAS, without it; if it is SERVED by then, it has been served. Records that
 * are GONE are freed by whoever meets them.
 *
 * A *descriptor* (cubby_fd()) has a record as well, which stays enlisted when
 * the call that has armed it returns, and is served like the others; but
 * whoever serves it rings its bell in place of waking a thread. It takes
 * nothing that it is served for, and stands before all threads, so that each
 * message and each place that is free is told to all descriptors that are
 * armed, and then to one thread.
 *
 * Killed between SERVED and the wake-up, under the lock or after it, the server
 * leaves it asleep until its own look (SLEEP_SLICE_*), which it takes in any
 * case. Killed while it waits, a thread leaves its record, and whoever looks
 * round for the dead frees it.
 */
#ifndef CUBBY_WAITERS_H
#define CUBBY_WAITERS_H

#include "base.h"
#include "layout_queue.h"
#include "slots.h"

/* Whom to wake after the lock. */
#define WAKES_MAX 16
struct wakes {
	const word32 *events[WAKES_MAX];	/* NULL: a bell */
	uint64_t bells[WAKES_MAX];
	uint32_t count;
};

/* None yet. On the path of every message: an initialiser would clear them all. */
static FAST void
wakes_begin(struct wakes *wakes)
{
	wakes->count = 0;
}

/* A record of owner's, not enlisted yet: *ret, or WAITER_NONE: there is no
   memory for more (waiters_commit()). */
bool
waiters_take(const struct queue_map *map, uint64_t owner, uint32_t *ret);
bool
waiters_free(const struct queue_map *map, uint32_t waiter);

/* Memory for more, without the lock. Errors: -ENOSPC (also: there are too many),
   shm_commit()'s. */
int
waiters_commit(const struct queue_map *map, int fd);

/* Puts it at the end of the list (again: at the place that it had by when it
   came) that goes with its state, which it gets. */
bool
waiters_enlist(const struct queue_map *map, uint32_t waiter,
	       enum waiter_state state, bool again);

/* Enlists the record of a descriptor, whose bell that is. */
bool
waiters_enlist_descriptor(const struct queue_map *map, uint32_t waiter,
			  enum waiter_state state, uint64_t bell);

/* Takes it off its list, if it is in one: the caller's own, or a dead one's. */
bool
waiters_delist(const struct queue_map *map, uint32_t waiter);

/* The next of a list that still waits, from `waiter` on; those that are GONE
   are freed on the way. *ret: WAITER_NONE: there is none. */
bool
waiters_next(const struct queue_map *map, struct queue_list *list,
	     uint32_t waiter, uint32_t *ret);

/* Does it wait for such a message? */
bool
waiters_match(const struct queue_waiter *waiter, const struct queue_slot *slot);

/* Off the list; SERVED, with a slot, or to look again (SLOT_NONE). *ret: false:
   it had given up. */
bool
waiters_serve(const struct queue_map *map, uint32_t waiter, uint32_t slot,
	      struct wakes *wakes, bool *ret);

/* One that waits for its message's being taken (or WAITER_NONE): that has
   happened. If it has given up, it is freed. */
bool
waiters_dismiss(const struct queue_map *map, uint32_t waiter,
		struct wakes *wakes);

/* Serves the first that waits for a message like that (or, SLOT_NONE, the first
   of the list), to look again. */
bool
waiters_ring(const struct queue_map *map, struct queue_list *list,
	     uint32_t slot, struct wakes *wakes);

/* Serves all who watch that participant's messages. */
bool
waiters_ring_watching(const struct queue_map *map, uint32_t participant,
		      struct wakes *wakes);

/* After the lock. */
void
wakes_give(const struct queue_map *map, struct wakes *wakes);

#endif
