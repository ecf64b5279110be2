/* SPDX-License-Identifier: MIT */
/* Layer 7. May include: base layout_queue slots waiters catalogue. */
/*
 * Putting a queue in order behind the dead.
 *
 * Two different things. *Making anew*: whoever takes the lock from a dead owner,
 * or finds that what is derived makes no sense, forgets all of it and derives it
 * again from the slots, the chunks and the waiters. *Taking back*: what a dead
 * participant owned (slots it was writing, had received, or held; chunks it was
 * committing; records by which it waited) goes where it belongs.
 *
 * Both are under the lock, and both may be done again by another if whoever does
 * it dies: a step is one change of a state word, and then what is derived.
 */
#ifndef CUBBY_QUEUE_REPAIR_H
#define CUBBY_QUEUE_REPAIR_H

#include "base.h"
#include "layout_queue.h"
#include "waiters.h"

/* All that is derived, from what is not. A slot whose own bytes make no sense is
   freed, and counted as broken. */
void
queue_make_anew(const struct queue_map *map);

/* Puts a message back that its owner held, or was given. Its state is changed
   from *word. */
bool
queue_put_back(const struct queue_map *map, uint32_t slot, uint64_t word,
	       struct wakes *wakes);

/* Takes back what a participant has left of generations up to `dead` in that
   chunk. *ret_returned is raised by the messages that went back. */
bool
queue_take_back_chunk(const struct queue_map *map, uint32_t chunk,
		      uint32_t participant, uint64_t dead,
		      struct wakes *wakes, uint64_t *ret_returned);

/* The same of the waiters' records. */
bool
queue_take_back_waiters(const struct queue_map *map, uint32_t participant,
			uint64_t dead);

/* Takes a queued message out of all that is derived. */
bool
queue_unlist(const struct queue_map *map, uint32_t slot);

/* A message that is being withdrawn was its sender's last: then that is the one
   before again. While its waiter is still known. */
void
queue_unsend(const struct queue_map *map, const struct queue_slot *slot);

/* Sees to a slot that its owner has left to anybody: WITHDRAWN, REJECTED or
   ABORTED; any other is left alone. */
bool
queue_see_to(const struct queue_map *map, uint32_t slot, struct wakes *wakes,
	     uint64_t *ret_returned);

/* A message that its sender has withdrawn without the lock. */
bool
queue_free_withdrawn(const struct queue_map *map, uint32_t slot,
		     struct wakes *wakes);

/* Is the message one that can be: its size, and where its bytes lie? */
bool
queue_is_sound(const struct queue_map *map, const struct queue_slot *slot);

#endif
