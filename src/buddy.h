/* SPDX-License-Identifier: MIT */
/* Layer 4. May include: base. */
/*
 * A buddy system whose bookkeeping lies outside of what it allocates.
 *
 * A span is cut into units. A block is 2^order of them, begins at a multiple of
 * its own size, and is named by its first unit; its buddy, the other half of
 * the block of twice that size, is block ^ 2^order. For each unit there is a
 * node, in private memory that is only touched where blocks begin. The node of
 * a block's first unit says what the block is:
 *
 *	USED	handed out
 *	WARM	free, and all of its memory is there
 *	BARE	free, and none of its memory is there; or some of it, if `mixed`
 *	INSIDE	no block begins here
 *
 *	| USED |WARM|  USED  |      BARE      | USED |  untouched ...
 *	0                                         frontier         units
 *
 * Blocks cover [0, frontier). What lies beyond is free, bare, and has no nodes
 * yet, so that they take memory in proportion to use, not to the span.
 *
 * Free blocks are in lists, one for each order of WARM ones and of BARE ones,
 * from those that were freed last to those that were freed first. Blocks are
 * not merged when they are freed, but when the user says so: in a walk over all
 * of them, in the order of their addresses.
 *
 * What would break it: a node that still says USED, WARM or BARE inside of
 * another block: buddy_locate() would find it. Two lists that share a block: a
 * block's state and order change only while it is in no list.
 *
 * Knows nothing of files and of pages: those are blocks.c and pages.c.
 */
#ifndef CUBBY_BUDDY_H
#define CUBBY_BUDDY_H

#include "base.h"

#define BUDDY_ORDERS 32
#define BUDDY_LISTS (2 * BUDDY_ORDERS)
#define BUDDY_UNITS_MAX (UINT64_C(1) << 28)
#define BUDDY_NONE INT32_MIN

enum buddy_state { INSIDE = 0, USED, WARM, BARE };

/* Of a unit; or, with an index below 0, the head of a list. */
struct buddy_node {
	int32_t next;
	int32_t prev;
	uint32_t freed; /* the clock when it was freed */
	uint8_t order;
	uint8_t state;
};

/* What merging may find: buddies of one kind, or of any. */
#define STALE_ALIKE 1
#define STALE_ANY 2
#define STALE (STALE_ALIKE | STALE_ANY)

struct buddy {
	struct buddy_node *nodes; /* [-BUDDY_LISTS, units) */
	int32_t units;		  /* a power of two, or 0 */
	int32_t frontier;
	uint32_t clock; /* counts what was freed */
	uint8_t top;	/* the order of the whole span */
	uint8_t stale;
	bool mixed;
};

/* zeros: BUDDY_LISTS + units nodes, all zero, which stay the caller's. */
void
buddy_init(struct buddy *buddy, struct buddy_node *zeros, uint64_t units);

static inline int32_t
buddy_list(enum buddy_state state, unsigned order)
{
	return -1 - (int32_t)(order + (state == BARE ? BUDDY_ORDERS : 0));
}

static inline void
buddy_remove(struct buddy *b, int32_t block)
{
	struct buddy_node *n = &b->nodes[block];

	b->nodes[n->next].prev = n->prev;
	b->nodes[n->prev].next = n->next;
}

static inline void
buddy_add_after(struct buddy *b, int32_t prev, int32_t block)
{
	struct buddy_node *n = &b->nodes[block];

	n->prev = prev;
	n->next = b->nodes[prev].next;
	b->nodes[n->next].prev = block;
	b->nodes[prev].next = block;
}

/* To the list of its state and order; at its warm end, or the cold one. */
static inline void
buddy_add_first(struct buddy *b, int32_t block)
{
	struct buddy_node *n = &b->nodes[block];

	buddy_add_after(b, buddy_list(n->state, n->order), block);
}

void
buddy_add_last(struct buddy *buddy, int32_t block);

/* The first of the blocks in that state, of that order or the next higher that
   has one; or BUDDY_NONE. It stays in its list, as with all that follow. */
int32_t
buddy_find(const struct buddy *buddy, enum buddy_state state, unsigned order);

/* A BARE block of at least that order, of the untouched if there is no other;
   or BUDDY_NONE. */
int32_t
buddy_find_bare(struct buddy *buddy, unsigned order);

/* The WARM block of at least that order that was freed first; or BUDDY_NONE. */
int32_t
buddy_coldest(const struct buddy *buddy, unsigned order);

/* The block that a unit below the frontier lies in. */
int32_t
buddy_locate(const struct buddy *buddy, int32_t unit);

/* Makes BARE blocks of the untouched up to there, the largest that fit. */
void
buddy_extend(struct buddy *buddy, int32_t to);

/*
 * Halves a free block, which is in no list, until the one of that order at
 * target is left, which is in no list either; the other halves are. Returns
 * target.
 */
int32_t
buddy_split(struct buddy *buddy, int32_t block, int32_t target, unsigned order);

/* Joins free buddies as far as that goes: those that are both WARM or both
   BARE; or any, which makes BARE ones that are mixed. */
void
buddy_merge(struct buddy *buddy, bool any);

#endif
