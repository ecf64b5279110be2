/* SPDX-License-Identifier: MIT */
/*
 * The bound of a large message that is written and read in full: the same
 * loops, over bare memory, handed over by bare flags.
 *
 * The goal says "the same loop over private memory in the same two processes'
 * caches". Two things can be meant by it, and both are measured:
 *
 * - shared: memory private to the pair. One process writes it, the other reads
 *   it, so that each line goes from the one's cache to the other's, as it must
 *   when a message is read by another process than wrote it. This is what the
 *   memory system allows, and the bound that the goal is judged by.
 * - private: each process has a buffer of its own; one writes its own, the
 *   other reads its own, and only the flag is shared. No line of payload ever
 *   moves, which no message passing can do (the reader would not read what was
 *   written). It is shown beside, to tell what the transfer of the lines costs.
 *
 * There are two buffers: while one is read, the next is written. The mailbox
 * beside it has capacity 1, and so two blocks in turn as well: one that is held
 * and one that is written or waits.
 *
 * field	written by	order
 * filled	the sender	release: the buffer's contents are there
 * emptied	the receiver	release: it has read them
 */
#include "../common/large.h"
#include "../loops.h"
#include "reference.h"
#include "shared.h"

#define BUFFERS 2

struct buffers {
	_Alignas(128) _Atomic uint64_t filled;
	_Alignas(128) _Atomic uint64_t emptied;
	/* private, each side its own */
	_Alignas(128) uint64_t sent;
	_Alignas(128) uint64_t received;
	_Alignas(4096) unsigned char shared[BUFFERS][MEBIBYTE];
	unsigned char senders[BUFFERS][MEBIBYTE];
	unsigned char receivers[BUFFERS][MEBIBYTE];
};

static int
make(const struct contender *self, void **ret)
{
	(void)self;
	return shared_make(sizeof(struct buffers), ret);
}

static void
wait_until(_Atomic uint64_t *counter, uint64_t value)
{
	while (atomic_load_explicit(counter, memory_order_acquire) < value)
		spin_pause();
}

/* Fills the next buffer of memory, once it has been emptied, and says so. */
static int
fill(struct buffers *buffers, unsigned char (*memory)[MEBIBYTE], uint64_t first)
{
	uint64_t number = buffers->sent++;

	if (number >= BUFFERS)
		wait_until(&buffers->emptied, number - BUFFERS + 1);
	large_fill(memory[number % BUFFERS], MEBIBYTE, first);
	atomic_store_explicit(&buffers->filled, number + 1,
			      memory_order_release);
	return 0;
}

static uint64_t
empty(struct buffers *buffers, unsigned char (*memory)[MEBIBYTE])
{
	uint64_t number = buffers->received++;
	uint64_t sum;

	wait_until(&buffers->filled, number + 1);
	sum = large_sum(memory[number % BUFFERS], MEBIBYTE);
	atomic_store_explicit(&buffers->emptied, number + 1,
			      memory_order_release);
	return sum;
}

static int
fill_shared(void *side, uint64_t first)
{
	struct buffers *buffers = side;

	return fill(buffers, buffers->shared, first);
}

static int
empty_shared(void *side, uint64_t *ret_sum)
{
	struct buffers *buffers = side;

	*ret_sum = empty(buffers, buffers->shared);
	return 0;
}

static void
run_shared(void *side, int member, struct round *round)
{
	if (member == 0)
		loop_receive(round, side, empty_shared, MEBIBYTE);
	else
		loop_send(round, member, side, fill_shared, MEBIBYTE);
}

static int
fill_private(void *side, uint64_t first)
{
	struct buffers *buffers = side;

	return fill(buffers, buffers->senders, first);
}

/* What the reader reads is zero, so that there is nothing to compare. */
static int
empty_private(void *side, uint64_t *ret_sum)
{
	struct buffers *buffers = side;

	*ret_sum = empty(buffers, buffers->receivers);
	return 0;
}

static void
run_private(void *side, int member, struct round *round)
{
	if (member == 0)
		loop_receive(round, side, empty_private, 0);
	else
		loop_send(round, member, side, fill_private, 0);
}

const struct contender buffer_shared = {
	.system = "bare buffers, shared",
	.size = MEBIBYTE,
	.senders = 1,
	.receivers = 1,
	.make = make,
	.join = shared_join,
	.run = run_shared,
	.leave = shared_leave,
	.unmake = shared_unmake,
};

const struct contender buffer_private = {
	.system = "bare buffers, each its own",
	.size = MEBIBYTE,
	.senders = 1,
	.receivers = 1,
	.make = make,
	.join = shared_join,
	.run = run_private,
	.leave = shared_leave,
	.unmake = shared_unmake,
};
