/* SPDX-License-Identifier: MIT */
/* Layer 6. May include: base atomics layout_queue. */
/*
 * Which of the queued messages is the next: of all, of a type, of any type but
 * one, of the lowest type, of a sender. No answer costs more because more
 * messages wait.
 *
 * The order of delivery: higher priority first; within one, what has been
 * handed out before (deliveries > 0) first; then the lower arrival.
 *
 * There are two catalogues, one by type and one by sender, each a binary tree
 * in the queue's nodes:
 *
 *	leaf	the messages of one key and one priority, as a list in the order
 *		of delivery. Those handed out before stand in front, by arrival;
 *		fresh ones are added at the end, for they are the last to arrive.
 *	branch	what is below it agrees in all bits of {key:64, rank:16} before
 *		number `bit`, and is parted by that bit into left and right.
 *		(rank: 0 is the highest priority; bit 0: the highest of the key.)
 *		`best` is the message below it that is to be delivered first.
 *
 * So a tree of n leaves has n - 1 branches, a path has at most 80 of them, with
 * rising bits, and all messages of a key are one subtree. (D. J. Bernstein's
 * crit-bit tree, which is Morrison's PATRICIA, Knuth 6.3, without its threads;
 * with a tournament, Knuth 5.4.1, played up its branches.) A mailbox whose
 * messages have one type and one priority has a leaf for a root: a plain list.
 *
 * A branch bears the key and rank of a message that was once below it: their
 * first `bit` bits say at once whether a key can be there. A message's slot
 * names its leaf, so the tree is walked only to make or remove a leaf, or to
 * play the matches of a leaf's first message again.
 *
 * All of it is called under the queue's lock, and derived: catalogue_reset()
 * and an insert of each queued slot make it anew. Every function that returns
 * bool returns false if it found bytes that make no sense, and may then have
 * done a part of its work: the caller makes all catalogues anew. Until then
 * nothing outside of the queue's nodes and slots has been touched, and no loop
 * was longer than the longest path, or list, that there can be.
 */
#ifndef CUBBY_CATALOGUE_H
#define CUBBY_CATALOGUE_H

#include "base.h"
#include "layout_queue.h"

enum catalogue {
	CATALOGUE_TYPE = 0, /* key: type; 0: without one */
	CATALOGUE_SENDER    /* key: the sender's participant + 1 */
};

/* The numbers of cubby.h's enum cubby_matching. */
enum catalogue_matching {
	CATALOGUE_ANY = 0,
	CATALOGUE_THIS,	    /* that type */
	CATALOGUE_NOT_THIS, /* any other, or none */
	CATALOGUE_LOWEST    /* the lowest that there is, if that is at most
				   that type; not those without one */
};

struct catalogue_query {
	enum catalogue_matching matching;
	uint64_t type;
	uint64_t sender; /* participant + 1; 0: anyone. With another matching
			    than CATALOGUE_ANY it costs a look at each of
			    that sender's messages */
};

/* A type's bit that is no part of the key. */
#define CATALOGUE_TYPE_MASK ((uint64_t)INT64_MAX)

/* Both are empty; all nodes are free. */
void
catalogue_reset(const struct queue_map *map);

/* Are there nodes for one more message in each catalogue that is kept, without
   more memory? */
bool
catalogue_has_room(const struct queue_map *map);

/* Puts a message into each catalogue that file->catalogued says is kept. There
   has to be room. */
bool
catalogue_insert(const struct queue_map *map, uint32_t slot);

/* Takes it out of them. */
bool
catalogue_remove(const struct queue_map *map, uint32_t slot);

/* The first to be delivered of those that match, or SLOT_NONE; by a catalogue
   that is kept. Its number is in range, no more is known of it. */
bool
catalogue_first(const struct queue_map *map,
		const struct catalogue_query *query, uint32_t *ret_slot);

/*
 * The lowest sequence of this sender's (participant + 1) messages that have
 * never been handed out, UINT64_MAX if there is none; the catalogue by sender
 * is kept. Costs one look for each priority that they have.
 */
bool
catalogue_first_of_sender_sequence(const struct queue_map *map, uint64_t sender,
				   uint64_t *ret_sequence);

#endif
