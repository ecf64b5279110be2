/* SPDX-License-Identifier: MIT */
/* Layer 6. May include: base atomics layout_queue. */
/*
 * The tree of a catalogue, for catalogue.c, which changes it, and
 * catalogue_query.c, which asks it; catalogue.h says what it is.
 *
 * Every number of a node or slot that is read goes through queue_node() or
 * queue_slot(), which know where they end. A walk down the tree demands that
 * the bits rise, so it ends within PLACE_BITS steps whatever the nodes say, even
 * if they form a circle. What has been checked is not read again.
 */
#ifndef CUBBY_CATALOGUE_TREE_H
#define CUBBY_CATALOGUE_TREE_H

#include "base.h"
#include "layout_queue.h"

#define PLACE_BITS (KEY_BITS + RANK_BITS)
#define RANK_BITS 16
#define KEY_BITS 64
#define RANK_MASK ((1u << RANK_BITS) - 1)

/* What a tree is sorted by. */
struct spot {
	uint64_t key;
	uint32_t rank;
};

/* Somewhere on the way down a tree. */
struct cursor {
	const struct queue_map *map;
	word32 *link; /* that names the node */
	struct queue_node *node;
	int bit; /* of the node; a leaf's: PLACE_BITS; -1: none yet */
};

static FAST struct spot
place_of_node(const struct queue_node *node)
{
	return (struct spot){
		.key = get64(&node->key),
		.rank = get32(&node->rank) & RANK_MASK,
	};
}

/* The first bit in which they differ; PLACE_BITS: none. */
static FAST int
first_difference(struct spot a, struct spot b)
{
	if (a.key != b.key)
		return __builtin_clzll(a.key ^ b.key);
	if (a.rank != b.rank)
		return KEY_BITS +
		       __builtin_clz((a.rank ^ b.rank) << (32 - RANK_BITS));
	return PLACE_BITS;
}

static FAST bool
bit_of(struct spot place, int bit)
{
	if (bit < KEY_BITS)
		return place.key >> (KEY_BITS - 1 - bit) & 1;
	return place.rank >> (PLACE_BITS - 1 - bit) & 1;
}

static FAST word32 *
child(struct queue_node *branch, bool right)
{
	return right ? &branch->right : &branch->left;
}

/*
 * A leaf has no children: its `left` is the last of its messages that were
 * handed out before, SLOT_NONE if there is none. The fresh ones follow it.
 */
static FAST word32 *
last_returned(struct queue_node *leaf)
{
	return &leaf->left;
}

static FAST uint32_t
best_of(const struct queue_node *node)
{
	return get32(get32(&node->bit) == NODE_LEAF ? &node->head :
						      &node->best);
}

/* Walks ------------------------------------------------------------------ */

/* Goes on to the node that link names. */
static FAST bool
enter(struct cursor *at, word32 *link)
{
	struct queue_node *node = queue_node(at->map, get32(link));
	uint32_t bit;

	if (unlikely(!node))
		return false;
	bit = get32(&node->bit);
	if (bit == NODE_LEAF)
		bit = PLACE_BITS;
	else if (unlikely(bit >= PLACE_BITS))
		return false;
	if (unlikely((int)bit <= at->bit))
		return false;
	at->link = link;
	at->node = node;
	at->bit = (int)bit;
	return true;
}

static FAST bool
enter_root(struct cursor *at, const struct queue_map *map, unsigned which)
{
	at->map = map;
	at->bit = -1;
	return enter(at, &map->file->root[which]);
}

static FAST bool
is_empty(const struct queue_map *map, unsigned which)
{
	return get32(&map->file->root[which]) == NODE_NONE;
}

/* Is this a branch that parts what agrees with place? */
static FAST bool
leads_on(const struct cursor *at, struct spot place, int limit)
{
	return at->bit < limit &&
	       first_difference(place_of_node(at->node), place) >= at->bit;
}

/* Matches ---------------------------------------------------------------- */

static FAST bool
comes_before(const struct queue_slot *a, const struct queue_slot *b)
{
	uint32_t priority_a = get32(&a->priority) % PRIORITIES;
	uint32_t priority_b = get32(&b->priority) % PRIORITIES;
	bool returned_a = slot_deliveries(get64(&a->state)) != 0;
	bool returned_b = slot_deliveries(get64(&b->state)) != 0;

	if (priority_a != priority_b)
		return priority_a > priority_b;
	if (returned_a != returned_b)
		return returned_a;
	return (int64_t)(get64(&a->arrival) - get64(&b->arrival)) < 0;
}

/* *winner becomes `other` if that is to be delivered before it. */
static FAST bool
play(const struct queue_map *map, uint32_t *winner, uint32_t other)
{
	const struct queue_slot *a = queue_slot(map, *winner);
	const struct queue_slot *b = queue_slot(map, other);

	if (unlikely(!b) || unlikely(!a))
		return false;
	if (comes_before(b, a))
		*winner = other;
	return true;
}

#endif
