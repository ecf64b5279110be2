/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../loops.h"
#include "ring.h"

#define WORDS (RING_PAYLOAD / sizeof(uint64_t))

/*
 * field	written by	order
 * sequence	the sender	release, last: the payload is there. 1 + the
 *				position that the cell holds.
 * payload	the sender	relaxed. Read after an acquire of the sequence,
 *				and written again only after the head, acquired,
 *				has passed it. Atomic to keep the compiler from
 *				joining the words of a copy.
 */
struct cell {
	_Alignas(64) _Atomic uint64_t sequence;
	_Atomic uint64_t payload[WORDS];
};

/*
 * Payload is copied by words of 8 bytes, the unit in which it was written: a
 * wider load of what has just been stored cannot be forwarded from the store
 * buffer and waits until the buffer has drained.
 */
struct ring {
	struct cell *cells;
	_Atomic uint64_t *head;
	uint64_t mask;
	uint64_t position; /* of the next message */
	uint64_t limit;	   /* sender: where the head last allowed to go */
	uint64_t capacity;
};

static int
memory_make(size_t size)
{
	int fd = memfd_create("bench-ring", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)size) < 0) {
		int error = -errno;

		close(fd);
		return error;
	}
	return fd;
}

int
ring_make(uint64_t capacity, struct ring_memory *ret)
{
	int cells_fd = memory_make(capacity * sizeof(struct cell));
	int head_fd;

	if (cells_fd < 0)
		return cells_fd;
	head_fd = memory_make(sizeof(uint64_t));
	if (head_fd < 0) {
		close(cells_fd);
		return head_fd;
	}
	*ret = (struct ring_memory){ cells_fd, head_fd, capacity };
	return 0;
}

void
ring_unmake(struct ring_memory *memory)
{
	close(memory->cells_fd);
	close(memory->head_fd);
}

static int
attach(const struct ring_memory *memory, int cells_rights, int head_rights,
       struct ring **ret)
{
	size_t size = memory->capacity * sizeof(struct cell);
	struct ring *ring = aligned_alloc(128, 128);
	int error;

	if (!ring)
		return -ENOMEM;
	*ring = (struct ring){ .mask = memory->capacity - 1,
			       .limit = memory->capacity,
			       .capacity = memory->capacity };
	ring->cells = mmap(NULL, size, cells_rights, MAP_SHARED,
			   memory->cells_fd, 0);
	if (ring->cells == MAP_FAILED)
		goto no_cells;
	ring->head = mmap(NULL, sizeof(*ring->head), head_rights, MAP_SHARED,
			  memory->head_fd, 0);
	if (ring->head == MAP_FAILED)
		goto no_head;
	*ret = ring;
	return 0;
no_head:
	error = -errno;
	munmap(ring->cells, size);
	free(ring);
	return error;
no_cells:
	error = -errno;
	free(ring);
	return error;
}

int
ring_attach_sender(const struct ring_memory *memory, struct ring **ret)
{
	return attach(memory, PROT_READ | PROT_WRITE, PROT_READ, ret);
}

int
ring_attach_receiver(const struct ring_memory *memory, struct ring **ret)
{
	return attach(memory, PROT_READ, PROT_READ | PROT_WRITE, ret);
}

void
ring_detach(struct ring *ring)
{
	munmap(ring->head, sizeof(*ring->head));
	munmap(ring->cells, ring->capacity * sizeof(*ring->cells));
	free(ring);
}

static void
wait_for_room(struct ring *ring)
{
	while (ring->position == ring->limit) {
		/* Acquire: what the receiver has passed it has read. */
		uint64_t head = atomic_load_explicit(ring->head,
						     memory_order_acquire);

		ring->limit = head + ring->capacity;
		if (ring->position == ring->limit)
			spin_pause();
	}
}

void
ring_send(struct ring *ring, const void *data)
{
	struct cell *cell = &ring->cells[ring->position & ring->mask];
	const uint64_t *words = data;

	if (ring->position == ring->limit)
		wait_for_room(ring);
	for (size_t i = 0; i < WORDS; i++)
		atomic_store_explicit(&cell->payload[i], words[i],
				      memory_order_relaxed);
	ring->position++;
	atomic_store_explicit(&cell->sequence, ring->position,
			      memory_order_release);
}

bool
ring_try_receive(struct ring *ring, void *buffer)
{
	struct cell *cell = &ring->cells[ring->position & ring->mask];
	uint64_t *words = buffer;

	/* Acquire: pairs with the release of ring_send(). */
	if (atomic_load_explicit(&cell->sequence, memory_order_acquire) !=
	    ring->position + 1)
		return false;
	for (size_t i = 0; i < WORDS; i++)
		words[i] = atomic_load_explicit(&cell->payload[i],
						memory_order_relaxed);
	ring->position++;
	/* Release: what is read has been read when the sender sees it. */
	atomic_store_explicit(ring->head, ring->position, memory_order_release);
	return true;
}

void
ring_receive(struct ring *ring, void *buffer)
{
	while (!ring_try_receive(ring, buffer))
		spin_pause();
}
