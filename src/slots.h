/* SPDX-License-Identifier: MIT */
/* Layer 6. May include: base atomics shm layout layout_queue. */
/*
 * The slots of a queue: which are free, and what memory they have.
 *
 * Slots come in chunks of CHUNK_SLOTS. A chunk without memory is BARE; one who
 * needs slots makes it MOVING and his own, commits its memory without the lock,
 * and makes it READY, its slots free. Memory goes back the same way. Killed in
 * between, the chunk is MOVING and its owner dead: it becomes BARE, by whoever
 * looks round (queue_repair.c). Stopped in between, others take another chunk.
 *
 * A free slot may still have memory in `blocks`, from a large message: it is
 * *warm*, and the next large message gets it. Bare ones go to small messages.
 *
 * All calls are under the queue's lock but for slots_commit() and
 * slots_give_back(). "false": shared bytes make no sense, and the caller has
 * everything that is derived made anew.
 */
#ifndef CUBBY_SLOTS_H
#define CUBBY_SLOTS_H

#include "base.h"
#include "layout_queue.h"

/* Changes the state of a slot, from one that it may have to another. False: it
   has another by now. *word: what it was; then what it is. */
bool
slots_change(struct queue_slot *slot, uint64_t *word, uint64_t to);

/* The same of one that nobody else may change: one that is FREE, or the caller's
   (RESERVED or TAKEN), or QUEUED by a sender that does not wait. Under the lock. */
void
slots_set(struct queue_slot *slot, uint64_t *word, uint64_t to);

/* Fetches the lines of a slot that will be changed soon, most likely from another
   processor's cache; any number will do. */
void
slots_fetch(const struct queue_map *map, uint32_t slot);

/* A free slot, RESERVED for owner from now on: *ret, or SLOT_NONE. warm: for a
   large message. */
bool
slots_take(const struct queue_map *map, uint64_t owner, bool warm,
	   uint32_t *ret);

/* The same of one that has memory in `blocks`, and no other. */
bool
slots_take_warm(const struct queue_map *map, uint64_t owner, uint32_t *ret);

/* Of the caller's, or a dead one's: it becomes FREE. */
bool
slots_free(const struct queue_map *map, uint32_t slot);

/* Is it held, or given to one who waits? Part of the header's count, once. */
void
slots_count_held(const struct queue_map *map, uint32_t slot, bool held);

/* So many bytes of its block are part of the header's count. */
void
slots_account(const struct queue_map *map, uint32_t slot, uint64_t bytes);

/* One that is FREE already, for making the lists anew. */
bool
slots_list(const struct queue_map *map, uint32_t slot);

/* A chunk for the caller to commit: *ret, or CHUNK_NONE: there are no more. */
bool
slots_begin_growth(const struct queue_map *map, uint64_t owner, uint32_t *ret);
bool
slots_end_growth(const struct queue_map *map, uint32_t chunk, bool committed);

/* The chunk of that slot, if it is free as a whole and can be spared: the caller
   gives its memory back, and then says so by slots_end_growth(, , false). Else
   CHUNK_NONE. */
bool
slots_begin_shrinking(const struct queue_map *map, uint64_t owner,
		      uint32_t slot, uint32_t *ret);

/* Its memory, without the lock. Errors: shm_commit()'s. */
int
slots_commit(const struct queue_map *map, int fd, uint32_t chunk,
	     int64_t deadline);
void
slots_give_back(const struct queue_map *map, int fd, uint32_t chunk);

/* Commits what one more chunk needs in the table of chunks, without the lock. */
int
slots_commit_table(const struct queue_map *map, int fd);

/* Raises a ..._committed to n, if it is below. */
void
slots_raise(word32 *committed, uint32_t n);

#endif
