/* SPDX-License-Identifier: MIT */
/* Layer 6. May include: base atomics layout_queue catalogue_tree. */
/*
 * What changes the catalogues that catalogue.h describes.
 *
 * A message goes to the end of its leaf's list, and leaves the list where it
 * stands. Only if that makes or unmakes a leaf, or its first message, the path
 * to the leaf is walked: the branch that parts it from its neighbour comes or
 * goes, and its first message plays against the best of each branch, up to the
 * one that it does not win. catalogue_tree.h says why nothing found here can
 * lead outside, or on for ever; the one walk along a list counts its steps.
 */
#include "base.h"
#include "catalogue.h"
#include "catalogue_tree.h"

/* The branches passed on the way, and the links that name them. */
struct path {
	unsigned length;
	struct queue_node *branch[PLACE_BITS];
	word32 *link[PLACE_BITS];
};

static FAST struct spot
place_of_message(const struct queue_slot *slot, enum catalogue which)
{
	uint32_t priority = get32(&slot->priority) % PRIORITIES;

	return (struct spot){
		.key = which == CATALOGUE_TYPE ?
			       get64(&slot->type) & CATALOGUE_TYPE_MASK :
			       (uint64_t)get32(&slot->sender) + 1,
		.rank = PRIORITIES - 1 - priority,
	};
}

/* From the root as far as what is below agrees with place. */
static FAST bool
find_place(struct cursor *at, const struct queue_map *map, enum catalogue which,
	   struct spot place, struct path *ret_path)
{
	unsigned n = 0;

	if (!enter_root(at, map, which))
		return false;
	while (leads_on(at, place, PLACE_BITS)) {
		ret_path->branch[n] = at->node;
		ret_path->link[n++] = at->link;
		if (!enter(at, child(at->node, bit_of(place, at->bit))))
			return false;
	}
	ret_path->length = n;
	return true;
}

/* Matches ---------------------------------------------------------------- */

/* A message has come first in its leaf, below this path. */
static bool
first_has_come(const struct queue_map *map, const struct path *path,
	       uint32_t message)
{
	unsigned n = path->length;
	uint32_t best;

	while (n-- > 0) {
		best = get32(&path->branch[n]->best);
		if (!play(map, &best, message))
			return false;
		if (best != message)
			break;
		set32(&path->branch[n]->best, best);
	}
	return true;
}

/* A message that was first in its leaf has left what is below this path. */
static bool
first_has_gone(const struct queue_map *map, const struct path *path,
	       uint32_t message)
{
	unsigned n = path->length;
	const struct queue_node *left, *right;
	uint32_t best;

	while (n-- > 0) {
		if (get32(&path->branch[n]->best) != message)
			break;
		left = queue_node(map, get32(&path->branch[n]->left));
		right = queue_node(map, get32(&path->branch[n]->right));
		if (!left || !right)
			return false;
		best = best_of(left);
		if (!play(map, &best, best_of(right)))
			return false;
		set32(&path->branch[n]->best, best);
	}
	return true;
}

/* Nodes ------------------------------------------------------------------ */

static struct queue_node *
node_take(const struct queue_map *map, uint32_t *ret)
{
	struct queue_file *file = map->file;
	uint32_t n = get32(&file->nodes_free);
	struct queue_node *node;

	if (n != NODE_NONE) {
		node = queue_node(map, n);
		if (!node)
			return NULL;
		set32(&file->nodes_free, get32(&node->next));
	} else {
		n = get32(&file->nodes_next);
		node = queue_node(map, n);
		if (!node)
			return NULL;
		set32(&file->nodes_next, n + 1);
	}
	set32(&file->nodes_used, get32(&file->nodes_used) + 1);
	*ret = n;
	return node;
}

static void
node_give(const struct queue_map *map, struct queue_node *node, uint32_t n)
{
	struct queue_file *file = map->file;

	set32(&node->next, get32(&file->nodes_free));
	set32(&file->nodes_free, n);
	set32(&file->nodes_used, get32(&file->nodes_used) - 1);
}

void
catalogue_reset(const struct queue_map *map)
{
	struct queue_file *file = map->file;
	unsigned which;

	for (which = 0; which < CATALOGUES; which++)
		set32(&file->root[which], NODE_NONE);
	set32(&file->nodes_free, NODE_NONE);
	set32(&file->nodes_next, 0);
	set32(&file->nodes_used, 0);
}

bool
catalogue_has_room(const struct queue_map *map)
{
	const struct queue_file *file = map->file;
	uint64_t memory = min_u64(get32(&file->nodes_committed),
				  map->geometry.nodes_max);
	uint64_t needed = get32(&file->nodes_used);
	unsigned which;

	/* A leaf, and the branch that parts it from the others. */
	for (which = 0; which < CATALOGUES; which++) {
		if (get32(&file->catalogued[which]))
			needed += 2;
	}
	return needed <= memory;
}

/* A leaf's list ---------------------------------------------------------- */

/* Puts a message behind `after`; SLOT_NONE: in front. */
static FAST bool
list_add(const struct queue_map *map, enum catalogue which,
	 struct queue_node *leaf, struct queue_slot *slot, uint32_t n,
	 uint32_t after)
{
	struct queue_slot *neighbour;
	word32 *forth = &leaf->head, *back = &leaf->tail;
	uint32_t next;

	if (after != SLOT_NONE) {
		neighbour = queue_slot(map, after);
		if (unlikely(!neighbour))
			return false;
		forth = &neighbour->link[which].next;
	}
	next = get32(forth);
	if (next != SLOT_NONE) {
		neighbour = queue_slot(map, next);
		if (unlikely(!neighbour))
			return false;
		back = &neighbour->link[which].prev;
	}
	set32(&slot->link[which].next, next);
	set32(&slot->link[which].prev, after);
	set32(forth, n);
	set32(back, n);
	return true;
}

/* Touches the leaf and the message alone: the next one's lines are most likely in
   another processor's cache. So what the first one's prev says is not kept. */
static FAST bool
list_remove_first(struct queue_node *leaf, uint32_t n, uint32_t next)
{
	if (unlikely((next == SLOT_NONE) != (get32(&leaf->tail) == n)))
		return false;
	set32(&leaf->head, next);
	if (next == SLOT_NONE)
		set32(&leaf->tail, SLOT_NONE);
	if (get32(last_returned(leaf)) == n)
		set32(last_returned(leaf), SLOT_NONE);
	return true;
}

static bool
list_remove_other(const struct queue_map *map, enum catalogue which,
		  struct queue_node *leaf, uint32_t n,
		  const struct queue_slot *slot)
{
	uint32_t next = get32(&slot->link[which].next);
	uint32_t prev = get32(&slot->link[which].prev);
	struct queue_slot *before = queue_slot(map, prev);
	struct queue_slot *after = queue_slot(map, next);
	word32 *back = after ? &after->link[which].prev : &leaf->tail;

	if (!before || (!after && next != SLOT_NONE) ||
	    get32(&before->link[which].next) != n || get32(back) != n)
		return false;
	set32(&before->link[which].next, next);
	set32(back, prev);
	if (get32(last_returned(leaf)) == n)
		set32(last_returned(leaf), prev);
	return true;
}

/*
 * Behind which message does one belong that was handed out before? Found from
 * behind, for messages mostly come back in the order in which they went; in
 * front at once, if they come back in the opposite one.
 */
static bool
find_returned(const struct queue_map *map, enum catalogue which,
	      struct queue_node *leaf, uint64_t arrival, uint32_t *ret)
{
	uint32_t after = get32(last_returned(leaf));
	uint32_t steps = map->geometry.slots_max;
	const struct queue_slot *slot;

	if (after != SLOT_NONE) {
		slot = queue_slot(map, get32(&leaf->head));
		if (!slot)
			return false;
		if ((int64_t)(get64(&slot->arrival) - arrival) > 0)
			after = SLOT_NONE;
	}
	while (after != SLOT_NONE) {
		slot = queue_slot(map, after);
		if (!slot || steps-- == 0)
			return false;
		if ((int64_t)(get64(&slot->arrival) - arrival) <= 0)
			break;
		after = get32(&slot->link[which].prev);
	}
	*ret = after;
	return true;
}

static bool
list_add_returned(const struct queue_map *map, enum catalogue which,
		  struct queue_node *leaf, struct queue_slot *slot, uint32_t n)
{
	uint32_t after;

	if (!find_returned(map, which, leaf, get64(&slot->arrival), &after) ||
	    !list_add(map, which, leaf, slot, n, after))
		return false;
	if (after == get32(last_returned(leaf)))
		set32(last_returned(leaf), n);
	return true;
}

/* Insert ----------------------------------------------------------------- */

/* A message on its way into a catalogue. */
struct newcomer {
	enum catalogue which;
	struct queue_slot *slot;
	uint32_t n;
	struct spot place;
};

/* Makes the leaf of one that is the first of its place. */
static bool
make_leaf(const struct queue_map *map, const struct newcomer *new,
	  uint32_t *ret)
{
	struct queue_node *leaf = node_take(map, ret);
	bool returned = slot_deliveries(get64(&new->slot->state)) != 0;

	if (!leaf)
		return false;
	set64(&leaf->key, new->place.key);
	set32(&leaf->rank, new->place.rank);
	set32(&leaf->bit, NODE_LEAF);
	set32(&leaf->head, new->n);
	set32(&leaf->tail, new->n);
	set32(last_returned(leaf), returned ? new->n : SLOT_NONE);
	set32(&new->slot->link[new->which].next, SLOT_NONE);
	set32(&new->slot->link[new->which].prev, SLOT_NONE);
	set32(&new->slot->link[new->which].node, *ret);
	return true;
}

/* Parts what `at` stands on from a new leaf, by the bit in which they differ. */
static bool
make_branch(const struct cursor *at, const struct newcomer *new, uint32_t leaf,
	    int bit)
{
	uint32_t best = best_of(at->node), n;
	bool right = bit_of(new->place, bit);
	struct queue_node *branch;

	if (!play(at->map, &best, new->n))
		return false;
	branch = node_take(at->map, &n);
	if (!branch)
		return false;
	set64(&branch->key, new->place.key);
	set32(&branch->rank, new->place.rank);
	set32(&branch->bit, (uint32_t)bit);
	set32(child(branch, right), leaf);
	set32(child(branch, !right), get32(at->link));
	set32(&branch->best, best);
	set32(at->link, n);
	return true;
}

static bool
insert_into_empty(const struct queue_map *map, const struct newcomer *new)
{
	uint32_t leaf;

	if (!make_leaf(map, new, &leaf))
		return false;
	set32(&map->file->root[new->which], leaf);
	return true;
}

static bool
insert_with_leaf(const struct cursor *at, const struct path *path,
		 const struct newcomer *new, int bit)
{
	uint32_t leaf;

	return make_leaf(at->map, new, &leaf) &&
	       make_branch(at, new, leaf, bit) &&
	       first_has_come(at->map, path, new->n);
}

static FAST bool
insert_into_leaf(const struct cursor *at, const struct path *path,
		 const struct newcomer *new)
{
	struct queue_node *leaf = at->node;

	set32(&new->slot->link[new->which].node, get32(at->link));
	if (likely(!slot_deliveries(get64(&new->slot->state))))
		return list_add(at->map, new->which, leaf, new->slot, new->n,
				get32(&leaf->tail));
	if (!list_add_returned(at->map, new->which, leaf, new->slot, new->n))
		return false;
	return get32(&leaf->head) != new->n ||
	       first_has_come(at->map, path, new->n);
}

static FAST bool
insert(const struct queue_map *map, const struct newcomer *new)
{
	struct cursor at;
	struct path path;
	int bit;

	if (is_empty(map, new->which))
		return insert_into_empty(map, new);
	if (!find_place(&at, map, new->which, new->place, &path))
		return false;
	bit = first_difference(place_of_node(at.node), new->place);
	if (bit < at.bit)
		return insert_with_leaf(&at, &path, new, bit);
	return at.bit == PLACE_BITS && insert_into_leaf(&at, &path, new);
}

bool
catalogue_insert(const struct queue_map *map, uint32_t slot)
{
	struct newcomer new = { .slot = queue_slot(map, slot), .n = slot };

	if (unlikely(!new.slot))
		return false;
	for (new.which = 0; new.which < CATALOGUES; new.which++) {
		if (!get32(&map->file->catalogued[new.which]))
			continue;
		new.place = place_of_message(new.slot, new.which);
		if (!insert(map, &new))
			return false;
	}
	return true;
}

/* Remove ----------------------------------------------------------------- */

/* Takes an empty leaf out of the tree; the branch above it goes with it. */
static bool
unhang(const struct cursor *at, struct path *path)
{
	uint32_t leaf = get32(at->link);
	struct queue_node *branch;
	word32 *link, *sibling;
	uint32_t n;

	node_give(at->map, at->node, leaf);
	if (path->length == 0) {
		set32(at->link, NODE_NONE);
		return true;
	}
	branch = path->branch[--path->length];
	link = path->link[path->length];
	sibling = child(branch, at->link == &branch->left);
	n = get32(link);
	set32(link, get32(sibling));
	node_give(at->map, branch, n);
	return true;
}

/* The leaf has lost its first message. */
static bool
lost_first(const struct queue_map *map, enum catalogue which,
	   const struct queue_node *leaf, uint32_t message)
{
	struct cursor at;
	struct path path;

	if (!find_place(&at, map, which, place_of_node(leaf), &path) ||
	    at.node != leaf)
		return false;
	if (get32(&leaf->head) == SLOT_NONE && !unhang(&at, &path))
		return false;
	return first_has_gone(map, &path, message);
}

static FAST bool
take_out(const struct queue_map *map, enum catalogue which,
	 struct queue_slot *slot, uint32_t n)
{
	struct queue_node *leaf = queue_node(map,
					     get32(&slot->link[which].node));

	if (unlikely(!leaf) || unlikely(get32(&leaf->bit) != NODE_LEAF))
		return false;
	if (get32(&leaf->head) != n)
		return list_remove_other(map, which, leaf, n, slot);
	return list_remove_first(leaf, n, get32(&slot->link[which].next)) &&
	       lost_first(map, which, leaf, n);
}

bool
catalogue_remove(const struct queue_map *map, uint32_t slot)
{
	struct queue_slot *message = queue_slot(map, slot);
	unsigned which;

	if (unlikely(!message))
		return false;
	for (which = 0; which < CATALOGUES; which++) {
		if (!get32(&map->file->catalogued[which]))
			continue;
		if (!take_out(map, which, message, slot))
			return false;
		set32(&message->link[which].node, NODE_NONE);
	}
	return true;
}
