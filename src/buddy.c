/* SPDX-License-Identifier: MIT */
/* Layer 4. May include: base. */
/* The buddy system that buddy.h describes. */
#include "base.h"
#include "buddy.h"
#include <sys/mman.h>
#include <unistd.h>

/* Nodes inside of a block of this order (64 KiB of them) are given back when it
   is made by merging. */
#define RELEASE_ORDER 12

void
buddy_init(struct buddy *buddy, struct buddy_node *zeros, uint64_t units)
{
	int32_t list;

	*buddy = (struct buddy){
		.nodes = zeros + BUDDY_LISTS,
		.units = (int32_t)units,
		.top = units ? (uint8_t)__builtin_ctzll(units) : 0,
	};
	for (list = -BUDDY_LISTS; list < 0; list++) {
		buddy->nodes[list].next = list;
		buddy->nodes[list].prev = list;
	}
}

static void
make_block(struct buddy *b, int32_t block, unsigned order,
	   enum buddy_state state, uint32_t freed)
{
	struct buddy_node *n = &b->nodes[block];

	n->order = (uint8_t)order;
	n->state = (uint8_t)state;
	n->freed = freed;
}

void
buddy_add_last(struct buddy *buddy, int32_t block)
{
	struct buddy_node *n = &buddy->nodes[block];
	int32_t list = buddy_list(n->state, n->order);

	buddy_add_after(buddy, buddy->nodes[list].prev, block);
}

/* Finding ---------------------------------------------------------------- */

int32_t
buddy_find(const struct buddy *buddy, enum buddy_state state, unsigned order)
{
	int32_t block;

	for (; order <= buddy->top; order++) {
		block = buddy->nodes[buddy_list(state, order)].next;
		if (block >= 0)
			return block;
	}
	return BUDDY_NONE;
}

int32_t
buddy_find_bare(struct buddy *buddy, unsigned order)
{
	uint64_t size = UINT64_C(1) << order;
	uint64_t start = round_up((uint64_t)buddy->frontier, size);
	int32_t block = buddy_find(buddy, BARE, order);

	if (block != BUDDY_NONE)
		return block;
	if (start + size > (uint64_t)buddy->units)
		return BUDDY_NONE;
	/* Where start + size ends, the largest that fits begins at start. */
	buddy_extend(buddy, (int32_t)(start + size));
	return (int32_t)start;
}

/* Is it older, on a clock that wraps round? */
static bool
was_freed_before(const struct buddy_node *n, const struct buddy_node *other)
{
	return (int32_t)(n->freed - other->freed) < 0;
}

int32_t
buddy_coldest(const struct buddy *buddy, unsigned order)
{
	const struct buddy_node *nodes = buddy->nodes;
	int32_t block, coldest = BUDDY_NONE;

	for (; order <= buddy->top; order++) {
		block = nodes[buddy_list(WARM, order)].prev;
		if (block >= 0 &&
		    (coldest == BUDDY_NONE ||
		     was_freed_before(&nodes[block], &nodes[coldest])))
			coldest = block;
	}
	return coldest;
}

int32_t
buddy_locate(const struct buddy *buddy, int32_t unit)
{
	const struct buddy_node *n;
	unsigned order;
	int32_t block;

	for (order = 0; order < buddy->top; order++) {
		block = unit & -(1 << order);
		n = &buddy->nodes[block];
		if (n->state != INSIDE && unit - block < 1 << n->order)
			return block;
	}
	return 0;
}

/* Splitting and merging -------------------------------------------------- */

void
buddy_extend(struct buddy *buddy, int32_t to)
{
	unsigned order, fits;

	while (buddy->frontier < to) {
		order = (unsigned)__builtin_ctz((unsigned)buddy->frontier |
						(unsigned)buddy->units);
		fits = 31 - (unsigned)__builtin_clz(
				    (unsigned)(to - buddy->frontier));
		if (order > fits)
			order = fits;
		make_block(buddy, buddy->frontier, order, BARE, buddy->clock);
		buddy_add_first(buddy, buddy->frontier);
		buddy->frontier += 1 << order;
		buddy->stale = STALE;
	}
}

int32_t
buddy_split(struct buddy *buddy, int32_t block, int32_t target, unsigned order)
{
	struct buddy_node whole = buddy->nodes[block];
	unsigned half = whole.order;
	int32_t high;

	while (half > order) {
		half--;
		high = block + (1 << half);
		make_block(buddy, block, half, whole.state, whole.freed);
		make_block(buddy, high, half, whole.state, whole.freed);
		/* Cold end: no younger than what is there. */
		buddy_add_last(buddy, target < high ? high : block);
		if (target >= high)
			block = high;
	}
	return block;
}

/* The buddy, if it is free and whole, and (unless any) of the same kind. */
static int32_t
free_buddy(const struct buddy *b, int32_t block, bool any)
{
	const struct buddy_node *n = &b->nodes[block], *other;
	int32_t buddy = block ^ 1 << n->order;

	if (n->order == b->top)
		return BUDDY_NONE;
	other = &b->nodes[buddy];
	if (other->order != n->order || other->state < WARM ||
	    (!any && other->state != n->state))
		return BUDDY_NONE;
	return buddy;
}

/* Two buddies, in no list, become one; as young as the younger of them. */
static int32_t
join(struct buddy *b, int32_t block, int32_t buddy)
{
	struct buddy_node one = b->nodes[block], other = b->nodes[buddy];
	bool alike = one.state == other.state;

	if (!alike)
		b->mixed = true;
	b->nodes[block | buddy].state = INSIDE;
	make_block(b, block & buddy, one.order + 1U, alike ? one.state : BARE,
		   was_freed_before(&one, &other) ? other.freed : one.freed);
	return block & buddy;
}

/* The pages of nodes that lie inside of a large block: zero is INSIDE. */
static void
release_nodes(struct buddy *b, int32_t block)
{
	struct buddy_node *n = &b->nodes[block];
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), from, to;

	if (n->order < RELEASE_ORDER)
		return;
	from = round_up((uintptr_t)(n + 1), page);
	to = round_down((uintptr_t)(n + (1 << n->order)), page);
	if (from < to)
		madvise((void *)(uintptr_t)from, (size_t)(to - from),
			MADV_DONTNEED);
}

/* Joins a free block with its buddy for as long as that is free. Its place in
   the list is right as far as the first there tells. */
static int32_t
coalesce(struct buddy *b, int32_t block, bool any)
{
	int32_t buddy = free_buddy(b, block, any), first;
	struct buddy_node *n;

	if (buddy == BUDDY_NONE)
		return block;
	buddy_remove(b, block);
	for (; buddy != BUDDY_NONE; buddy = free_buddy(b, block, any)) {
		buddy_remove(b, buddy);
		block = join(b, block, buddy);
	}
	n = &b->nodes[block];
	first = b->nodes[buddy_list(n->state, n->order)].next;
	if (first >= 0 && was_freed_before(n, &b->nodes[first]))
		buddy_add_last(b, block);
	else
		buddy_add_first(b, block);
	release_nodes(b, block);
	return block;
}

COLD void
buddy_merge(struct buddy *buddy, bool any)
{
	int32_t block;

	for (block = 0; block < buddy->frontier;
	     block += 1 << buddy->nodes[block].order)
		if (buddy->nodes[block].state >= WARM)
			block = coalesce(buddy, block, any);
	buddy->stale &= any ? 0 : ~STALE_ALIKE;
}
