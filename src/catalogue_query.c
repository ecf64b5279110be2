/* SPDX-License-Identifier: MIT */
/* Layer 6. May include: base atomics layout_queue catalogue catalogue_tree. */
/*
 * What asks the catalogues that catalogue.h describes. A key is one subtree, and
 * the best below each branch is known: so a key costs the path to it, all but a
 * key the branches beside that path, and the lowest key the way down on the left.
 */
#include "base.h"
#include "catalogue.h"
#include "catalogue_tree.h"

/* The top of the subtree of that key; *ret_found says if there is one. */
static FAST bool
find_key(struct cursor *at, const struct queue_map *map, enum catalogue which,
	 uint64_t key, bool *ret_found)
{
	struct spot place = { .key = key };

	*ret_found = false;
	if (is_empty(map, which))
		return true;
	if (!enter_root(at, map, which))
		return false;
	while (leads_on(at, place, KEY_BITS)) {
		if (!enter(at, child(at->node, bit_of(place, at->bit))))
			return false;
	}
	/* Below a key there is no branch on one of its bits. The key, which is read
	   here a second time, may be another one by now. */
	*ret_found = at->bit >= KEY_BITS && get64(&at->node->key) == key;
	return true;
}

/* Both may be SLOT_NONE. */
static bool
play_or_take(const struct queue_map *map, uint32_t *winner, uint32_t other)
{
	if (*winner != SLOT_NONE)
		return play(map, winner, other);
	*winner = other;
	return true;
}

static FAST bool
first_of_all(const struct queue_map *map, uint32_t *ret)
{
	struct cursor at;

	if (is_empty(map, CATALOGUE_TYPE))
		return true;
	if (!enter_root(&at, map, CATALOGUE_TYPE))
		return false;
	*ret = best_of(at.node);
	return true;
}

static bool
first_of_key(const struct queue_map *map, enum catalogue which, uint64_t key,
	     uint32_t *ret)
{
	struct cursor at;
	bool found;

	if (!find_key(&at, map, which, key, &found))
		return false;
	if (found)
		*ret = best_of(at.node);
	return true;
}

/* What hangs beside the path to that type, and at its end, if that is not it. */
static bool
first_of_others(const struct queue_map *map, uint64_t type, uint32_t *ret)
{
	struct spot place = { .key = type };
	struct cursor at, beside;
	bool right;

	if (is_empty(map, CATALOGUE_TYPE))
		return true;
	if (!enter_root(&at, map, CATALOGUE_TYPE))
		return false;
	while (leads_on(&at, place, KEY_BITS)) {
		right = bit_of(place, at.bit);
		beside = at;
		if (!enter(&beside, child(at.node, !right)) ||
		    !play_or_take(map, ret, best_of(beside.node)) ||
		    !enter(&at, child(at.node, right)))
			return false;
	}
	if (get64(&at.node->key) == type)
		return true;
	return play_or_take(map, ret, best_of(at.node));
}

/* Down to the lowest key; *beside becomes the lowest branch passed, if any. */
static bool
go_to_lowest(struct cursor *at, struct cursor *beside)
{
	while (at->bit < KEY_BITS) {
		*beside = *at;
		if (!enter(at, &at->node->left))
			return false;
	}
	return true;
}

static bool
first_of_lowest(const struct queue_map *map, uint64_t limit, uint32_t *ret)
{
	struct cursor at, branch = { .bit = -1 }, unused;

	if (is_empty(map, CATALOGUE_TYPE))
		return true;
	if (!enter_root(&at, map, CATALOGUE_TYPE) ||
	    !go_to_lowest(&at, &branch))
		return false;
	if (get64(&at.node->key) == 0) {
		if (branch.bit < 0)
			return true;
		at = branch;
		if (!enter(&at, &at.node->right) || !go_to_lowest(&at, &unused))
			return false;
	}
	if (get64(&at.node->key) <= limit)
		*ret = best_of(at.node);
	return true;
}

/* By sender and by type: a look at that sender's messages, one by one. Each is in
   one leaf, so there are no more of them than slots, whatever hangs where. */

struct search {
	const struct catalogue_query *query;
	uint32_t winner;	/* so far */
	uint32_t steps;		/* messages that may be looked at yet */
};

static bool
is_wanted(const struct catalogue_query *query, uint64_t type)
{
	uint64_t wanted = query->type & CATALOGUE_TYPE_MASK;

	switch (query->matching) {
	case CATALOGUE_THIS:
		return type == wanted;
	case CATALOGUE_NOT_THIS:
		return type != wanted;
	default:
		return type && type <= wanted;
	}
}

/* The winner so far, or another that is wanted as well. */
static bool
play_wanted(const struct queue_map *map, const struct catalogue_query *query,
	    uint32_t *winner, uint32_t n)
{
	uint64_t type, best;

	if (*winner != SLOT_NONE && query->matching == CATALOGUE_LOWEST) {
		type = get64(&queue_slot(map, n)->type) & CATALOGUE_TYPE_MASK;
		best = get64(&queue_slot(map, *winner)->type) &
		       CATALOGUE_TYPE_MASK;
		if (type != best) {
			*winner = type < best ? n : *winner;
			return true;
		}
	}
	return play_or_take(map, winner, n);
}

static bool
look_at_leaf(const struct queue_map *map, const struct queue_node *leaf,
	     struct search *search)
{
	const struct catalogue_query *query = search->query;
	uint32_t n = get32(&leaf->head);
	const struct queue_slot *slot;

	for (; n != SLOT_NONE && search->steps; search->steps--) {
		slot = queue_slot(map, n);
		if (!slot)
			return false;
		if (is_wanted(query, get64(&slot->type) & CATALOGUE_TYPE_MASK)) {
			if (!play_wanted(map, query, &search->winner, n))
				return false;
			/* Those behind it come later. */
			if (query->matching != CATALOGUE_LOWEST)
				return true;
		}
		n = get32(&slot->link[CATALOGUE_SENDER].next);
	}
	return n == SLOT_NONE;
}

/* The leaves below at, as look_below(). */
static bool
look_for_wanted(const struct cursor *at, struct search *search)
{
	struct cursor left = *at, right = *at;

	if (at->bit == PLACE_BITS)
		return look_at_leaf(at->map, at->node, search);
	return enter(&left, &at->node->left) &&
	       look_for_wanted(&left, search) &&
	       enter(&right, &at->node->right) &&
	       look_for_wanted(&right, search);
}

static bool
first_of_both(const struct queue_map *map, const struct catalogue_query *query,
	      uint32_t *ret)
{
	struct search search = {
		.query = query,
		.winner = SLOT_NONE,
		.steps = map->geometry.slots_max,
	};
	struct cursor at;
	bool found;

	if (!find_key(&at, map, CATALOGUE_SENDER, query->sender, &found) ||
	    (found && !look_for_wanted(&at, &search)))
		return false;
	*ret = search.winner;
	return true;
}

bool
catalogue_first(const struct queue_map *map,
		const struct catalogue_query *query, uint32_t *ret_slot)
{
	uint64_t type = query->type & CATALOGUE_TYPE_MASK;
	uint32_t found = SLOT_NONE;
	bool good = false;

	if (unlikely(query->sender && query->matching != CATALOGUE_ANY))
		good = first_of_both(map, query, &found);
	else if (query->sender)
		good = first_of_key(map, CATALOGUE_SENDER, query->sender,
				    &found);
	else if (likely(query->matching == CATALOGUE_ANY))
		good = first_of_all(map, &found);
	else if (query->matching == CATALOGUE_THIS)
		good = first_of_key(map, CATALOGUE_TYPE, type, &found);
	else if (query->matching == CATALOGUE_NOT_THIS)
		good = first_of_others(map, type, &found);
	else if (query->matching == CATALOGUE_LOWEST)
		good = first_of_lowest(map, type, &found);
	if (unlikely(!good) ||
	    unlikely(found != SLOT_NONE && !queue_slot(map, found)))
		return false;
	*ret_slot = found;
	return true;
}

/* *lowest goes down to the sequence of a leaf's first fresh message. */
static bool
look_at_fresh(const struct queue_map *map, struct queue_node *leaf,
	      uint64_t *lowest)
{
	uint32_t n = get32(last_returned(leaf));
	const struct queue_slot *slot;
	const word32 *first = &leaf->head;

	if (n != SLOT_NONE) {
		slot = queue_slot(map, n);
		if (!slot)
			return false;
		first = &slot->link[CATALOGUE_SENDER].next;
	}
	n = get32(first);
	if (n == SLOT_NONE)
		return true;
	slot = queue_slot(map, n);
	if (!slot)
		return false;
	*lowest = min_u64(*lowest, get64(&slot->sequence));
	return true;
}

/* The leaves below at. It calls itself at most PLACE_BITS deep, RANK_BITS below
   the top of one key. */
static bool
look_below(const struct cursor *at, uint64_t *lowest)
{
	struct cursor left = *at, right = *at;

	if (at->bit == PLACE_BITS)
		return look_at_fresh(at->map, at->node, lowest);
	return enter(&left, &at->node->left) && look_below(&left, lowest) &&
	       enter(&right, &at->node->right) && look_below(&right, lowest);
}

bool
catalogue_first_of_sender_sequence(const struct queue_map *map, uint64_t sender,
				   uint64_t *ret_sequence)
{
	uint64_t lowest = UINT64_MAX;
	struct cursor at;
	bool found;

	if (!find_key(&at, map, CATALOGUE_SENDER, sender, &found) ||
	    (found && !look_below(&at, &lowest)))
		return false;
	*ret_sequence = lowest;
	return true;
}
