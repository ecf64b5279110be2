/* SPDX-License-Identifier: MIT */
#ifndef BENCH_REFERENCE_RING_H
#define BENCH_REFERENCE_RING_H
/*
 * The reference: one sender, one receiver, one ring in shared memory, and
 * nothing that the rate could do without. Cells of 64 bytes with the sequence
 * word in the cell, so that a message is one line; no size, no look whether
 * somebody sleeps, nothing validated, nobody may die. It is what a lane of
 * cubby is measured against, and laid out as a lane is in what the memory
 * system sees of it:
 *
 * memory	written by	the other maps it	holds
 * cells	the sender	read-only		sequence, payload
 * head		the receiver	read-only		messages received so far
 *
 * The sender publishes a cell by a store-release of its sequence, and reads the
 * head only when the head it last read says that the ring is full.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef RING_PAYLOAD
#define RING_PAYLOAD ((size_t)40)
#endif

struct ring_memory { /* what both attach to */
	int cells_fd, head_fd;
	uint64_t capacity;
};

struct ring; /* one side, in that side's private memory */

/* The capacity is a power of 2. All return 0 or a negative errno. */
int
ring_make(uint64_t capacity, struct ring_memory *ret);

void
ring_unmake(struct ring_memory *memory);

int
ring_attach_sender(const struct ring_memory *memory, struct ring **ret);

int
ring_attach_receiver(const struct ring_memory *memory, struct ring **ret);

void
ring_detach(struct ring *ring);

/* Sends RING_PAYLOAD bytes, aligned to 8; spins while the ring is full. */
void
ring_send(struct ring *ring, const void *data);

/* Receives as many, if there is a message. */
bool
ring_try_receive(struct ring *ring, void *buffer);

/* Receives as many; spins while there is no message. */
void
ring_receive(struct ring *ring, void *buffer);

#endif
