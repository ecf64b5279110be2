/* SPDX-License-Identifier: MIT */
/* Layer 5. May include: base atomics shm layout buddy pages. */
/*
 * The blocks of a lane: memory for messages that do not fit into a cell.
 *
 * They are private to their sender. Which are free is known only in the
 * sender's own memory, so there is no lock, no recovery and nothing that a
 * stranger could spoil; a later owner of the lane rebuilds it from the messages
 * that are unread or held.
 *
 * A buddy system over [base, base + length) of the lane's file: powers of two
 * from 256 bytes (from length / 2^28, where that is more). A freed block goes
 * to the front of its size's list as it is, so that the next message of that
 * size finds a warm one; blocks are merged only when none is found. A page is
 * committed when it is first used, and counts against the limit until it is
 * given back.
 *
 * To allocate and to free a warm block takes a few instructions and no system
 * call. What is private takes 16 bytes for each block that there ever was (less
 * after a trim), and a bit a page. Not safe for threads: the handle's lock.
 */
#ifndef CUBBY_BLOCKS_H
#define CUBBY_BLOCKS_H

#include "base.h"

struct blocks;

/*
 * fd: the lane's file, open for writing; stays the caller's and must outlive
 * this. base: where the blocks begin in it, a multiple of PAGE; length: bytes,
 * a power of two or 0; limit: the most that may be committed. The file's memory
 * there is unknown: the caller occupies what is in use, and then calls
 * blocks_settle(); a new file needs neither. Errors: -ENOMEM.
 */
int
blocks_create(int fd, uint64_t base, uint64_t length, uint64_t limit,
	      struct blocks **ret);

/* NULL is allowed. Private memory only; the file is left as it is. */
void
blocks_destroy(struct blocks *blocks);

/*
 * Marks what an earlier owner left in use: size bytes at *file* offset; before
 * anything is allocated or freed. What makes no sense (outside, misaligned,
 * overlapping one that is occupied) is refused: -EINVAL, and nothing changes.
 * Its pages count as committed, which is taken on trust, and beyond the limit
 * too. If the size is not the one that was allocated, but smaller, the rest is
 * free.
 */
int
blocks_occupy(struct blocks *blocks, uint64_t offset, uint64_t size);

/* Gives back whatever memory lies outside of the occupied blocks. */
void
blocks_settle(struct blocks *blocks);

/*
 * A block of at least size bytes (1 and up), committed: *ret_offset is its
 * offset in the *file*, at a multiple (from base) of the power of two that its
 * size is rounded up to. If the limit is reached, or the file system full,
 * memory of free blocks is given back first, unless that would not suffice for
 * the limit. After a failure all is as it was. Errors: -ENOSPC (limit, address
 * space, or file system), -EDQUOT, -EFBIG, -EINTR after the deadline, and
 * others of shm_commit().
 */
int
blocks_allocate(struct blocks *blocks, uint64_t size, int64_t deadline,
		uint64_t *ret_offset);

/* The offset may have been read from shared memory: if no block that is in use
   begins there, nothing happens. */
void
blocks_free(struct blocks *blocks, uint64_t offset);

/* Bytes committed now, in whole pages; bytes of them in blocks that are in use,
   each as large as its power of two. */
uint64_t
blocks_committed(const struct blocks *blocks);
uint64_t
blocks_in_use(const struct blocks *blocks);

/*
 * Gives memory of free blocks back until at most keep bytes are committed
 * beyond what is in use, the coldest first (buddies that are both free as one,
 * its upper part first). More than keep stays where pages are shared with
 * blocks in use. Returns the bytes given back.
 */
uint64_t
blocks_trim(struct blocks *blocks, uint64_t keep);

#endif
