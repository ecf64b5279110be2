/* SPDX-License-Identifier: MIT */
/* Layer 5. May include: base atomics shm robust_lock layout. */
/*
 * The bytes of a queue: orders arrival and priority, and rendezvous.
 *
 * A mailbox of these orders has one more file, `queue`, which all participants
 * map writable, and, for messages that do not fit into a slot, `blocks`. They
 * trust each other with the contents (so a mode gives r and w together), but
 * not with their own memory: what is found here is input, as in layout.h.
 *
 *	queue	the header, a page
 *		participants	one for each handle
 *		waiters		one for each thread that waits
 *		chunks		one for each CHUNK_SLOTS slots
 *		nodes		of the catalogues: catalogue.h
 *		slots		a message each
 *	blocks	block_stride bytes for each slot, where the message of slot N
 *		lies if it is too large for the slot
 *
 * All of it is address space first; memory is committed as it is needed.
 *
 * *The slots are the truth, the rest is derived from them.* A message exists
 * from one store of its slot's state word, and goes with another. Lists, counts
 * and catalogues follow; whoever takes the lock from a dead owner forgets them
 * and makes them anew from the slots, the waiters and the chunks
 * (queue_repair.c). So no order of the stores to what is derived matters.
 *
 * Fields marked L are read and written under the lock alone. What a participant
 * owns (a slot that is RESERVED, TAKEN, HELD or GIVEN to it) it reads and writes
 * without the lock; who owns it has been written under the lock.
 */
#ifndef CUBBY_LAYOUT_QUEUE_H
#define CUBBY_LAYOUT_QUEUE_H

#include "base.h"
#include "atomics.h"
#include "layout.h"
#include "robust_lock.h"
#include "shm.h"

#define QUEUE "queue"
#define BLOCKS "blocks"

#define PARTICIPANTS_MAX 4096
#define WAITERS_MAX	8192
#define CHUNK_SLOTS	64
#define SLOTS_EXTRA	4096	/* beyond the capacity: held, being written */
#define SLOTS_MAX	(UINT32_C(1) << 27)
#define PRIORITIES	32768
#define CATALOGUES	2

#define SLOT_NONE	UINT32_MAX
#define NODE_NONE	UINT32_MAX
#define WAITER_NONE	UINT32_MAX
#define CHUNK_NONE	UINT32_MAX

/* Who owns something: {generation:48, participant:16}. */
#define OWNER_NONE	UINT64_MAX

static inline uint64_t
owner_make(uint32_t participant, uint64_t generation)
{
	return generation << 16 | participant;
}

static inline uint32_t
owner_participant(uint64_t owner)
{
	return owner & 0xffff;
}

static inline uint64_t
owner_generation(uint64_t owner)
{
	return owner >> 16;
}

/*
 * A participant: a handle that may send or receive. 256 bytes.
 *
 * field	written by		read by
 * generation	who joins		all: members.h
 * clean	L: nothing is left of	L: who looks round for the dead
 *		generations up to it
 * uid, pid,	who joins; pid: L	all: what it says of itself
 * roles,
 * pid_namespace
 * name		who gives it one, and	all, if that is so: members.h
 *		has locked its byte
 * number	the same		all: the name's, + 1. It is this slot's
 *					if `given` of that one says so
 * given	who gives a name, by a	all: the slot, + 1, that name number N
 *		CAS from 0; for good	of participant N here was given to
 * sequence,	L, by its owner, after	the owner, later ones
 * tag		the slot's state
 * reply	who is in it		servers, later ones: layout_reply.h
 * bell		the owner		who takes down what the dead have left:
 *					of its two ends, see bell.h
 */
struct queue_participant {
	word64 generation;
	word64 clean;
	word64 sequence;	/* of the last message sent */
	word64 tag;
	word32 uid;
	word32 pid;		/* 0: nobody is in it */
	word32 roles;		/* CUBBY_SEND, CUBBY_RECEIVE */
	word32 pid_namespace;	/* its inode; 0: not known */
	word64 name[(SENDER_NAME_MAX + 1) / 8];
	word64 reply;		/* the id of its reply file; 0: none yet */
	word64 bell[2];
	word32 number;
	word32 given;
	uint8_t unused[256 - 80 - SENDER_NAME_MAX - 1];
};

/*
 * A thread that waits, or a descriptor that is armed. 128 bytes.
 *
 * field	written by		read by
 * events	L: who wakes it		its thread sleeps on it
 * state	L; its thread gives up	L; its thread looks at it without the
 *		without the lock if it	lock, to know when to take it
 *		cannot have that: so
 *		each change is a CAS
 * the others	L			L; once SERVED, its thread
 */
struct queue_waiter {
	word32 events;
	word32 state;		/* enum waiter_state; the truth */
	word64 owner;		/* OWNER */
	word64 order;		/* who came first; descriptors before threads */
	word64 since;		/* ns, of its own clock: when it last looked */
	word64 type;		/* of the filter; TAKEN: the tag before */
	word64 sender;		/* 0: anyone's */
	word64 size;		/* of its buffer; WAITER_ANY_SIZE: holds */
	word64 use;		/* of the slot that it waits for */
	word32 matching;
	word32 slot;		/* given to it; or the one that it waits for */
	word32 asleep;		/* enum waiter_sleep */
	word32 peeks;		/* does not take what it is rung for */
	word32 next, prev;	/* derived: of one list */
	word64 bell;		/* of a descriptor's: see bell.h */
	uint8_t unused[128 - 96];
};

enum waiter_sleep {
	WAITER_AWAKE = 0,
	WAITER_ASLEEP,		/* a thread, on `events` */
	WAITER_POLLS		/* no thread: a descriptor, whose bell is rung */
};

#define WAITER_ANY_SIZE UINT64_MAX

enum waiter_state {
	WAITER_FREE = 0,
	WAITER_RECEIVES,	/* for a message */
	WAITER_ROOM,		/* for a place */
	WAITER_TAKEN,		/* for its message's being taken */
	WAITER_WATCHES,		/* for its sender's messages' being taken */
	WAITER_SERVED,		/* look again; or: `slot` is yours */
	WAITER_GONE		/* its thread has given up */
};

/*
 * CHUNK_SLOTS slots. 32 bytes.
 *
 * field	written by
 * state, owner	L: the truth
 * free, next	L, derived: free slots in it; of the chunks without memory
 */
struct queue_chunk {
	word32 state;		/* enum chunk_state */
	word32 free;
	word64 owner;		/* while it commits or gives back */
	word32 next;
	uint8_t unused[12];
};

enum chunk_state {
	CHUNK_BARE = 0,		/* no memory */
	CHUNK_MOVING,		/* its owner commits it, or gives it back */
	CHUNK_READY
};

/*
 * A node of a catalogue, 64 bytes; catalogue.h says what for. All L, derived.
 */
struct queue_node {
	word64 key;		/* a leaf's: type, or sender */
	word32 rank;		/* a leaf's: PRIORITIES - 1 - priority */
	word32 bit;		/* a branch's; NODE_LEAF: a leaf */
	word32 left, right;	/* a branch's children; a leaf's left: the last
				   of its messages that were handed out before */
	word32 head, tail;	/* a leaf's messages, in the order of delivery */
	word32 best;		/* slot: the first to be delivered below here */
	word32 next;		/* of the free ones */
	uint8_t unused[64 - 40];
};
#define NODE_LEAF UINT32_MAX

/*
 * A message. 128 bytes, and then its bytes, if they fit.
 *
 * field	written by		read by
 * state	L; its owner, and who	all; the truth: {use:40, deliveries:16,
 *		withdraws it: so each	state:8}
 *		change is a CAS
 * owner	L, before the state	L
 * arrival	L, before the state	L
 * waiter	L			L: who waits for its being taken, or
 *					WAITER_NONE
 * in_block	the owner		IN_BLOCK: its bytes lie in `blocks`;
 *					IS_CALL: a request, the tag is its
 *					reference
 * counted,	L, derived		L: what of it is part of the header's
 * accounted				`held` and `memory`
 * block	the owner		the owner: bytes committed for it in
 *					`blocks`
 * holes	the owner		the owner: its last one may have died
 *					over committing them, or giving them
 *					back: they are to be committed again
 * link		L, derived		L: in each catalogue; the first, of
 *					the free slots
 * place	L, before the state	L: it keeps a place in the capacity
 * the others	the owner, before it	L; who owns it
 *		is queued
 */
struct queue_slot {
	word64 state;
	word64 owner;
	word64 arrival;
	word64 type;
	word64 tag;
	word64 sequence;
	word64 size;
	word64 block;
	word32 sender;		/* participant */
	word32 priority;
	word32 place;
	word32 waiter;
	word32 in_block;
	word32 uid;		/* the sender's, as it says */
	struct {
		word32 next, prev;
		word32 node;	/* its leaf */
	} link[CATALOGUES];
	word32 counted;
	word32 holes;
	word64 accounted;
	word64 bytes[];
};

enum slot_state {
	SLOT_FREE = 0,
	SLOT_RESERVED,		/* being written by its owner */
	SLOT_QUEUED,
	SLOT_TAKEN,		/* received: its owner copies it out */
	SLOT_HELD,		/* goes back when its owner dies */
	SLOT_GIVEN,		/* to its owner, who waits: it goes back as well */
	/* Said by one who may not have the lock just then; anybody does the
	   rest: */
	SLOT_WITHDRAWN,		/* by its sender: to be freed */
	SLOT_REJECTED,		/* by its holder: to be queued again */
	SLOT_ABORTED		/* a draft: to be freed, and its place */
};

#define SLOT_DELIVERIES_MAX 65535

/* in_block */
#define IN_BLOCK	1
#define IS_CALL		2

static inline uint64_t
slot_state_make(uint64_t use, uint32_t deliveries, enum slot_state state)
{
	return use << 24 | (uint64_t)deliveries << 8 | state;
}

static inline enum slot_state
slot_state_of(uint64_t word)
{
	return word & 255;
}

/* How often it has been handed out. */
static inline uint32_t
slot_deliveries(uint64_t word)
{
	return word >> 8 & SLOT_DELIVERIES_MAX;
}

static inline uint64_t
slot_use(uint64_t word)
{
	return word >> 24;
}

/* The same message in another state. */
static inline uint64_t
slot_state_with(uint64_t word, enum slot_state state)
{
	return (word & ~UINT64_C(255)) | state;
}

/* A list of slots, waiters or chunks: L, derived. */
struct queue_list {
	word32 head, tail;
};

/*
 * The header. A page; all L and derived, but for what is said.
 *
 * field		written by
 * identity		the maker
 * lock			robust_lock.h
 * ..._committed	by CAS, rising, after the commit: there is memory below
 *			it. The truth
 * waiters, chunks	L: numbers below it have been used. The truth
 * catalogued		L: the catalogue of senders is kept, from the first time
 *			that it is asked for. The truth
 * arrival, order	L: above all there are. The truth, but for that
 * broken, anew		L: counts, for good
 * left			who could not have the lock, by adding: how often there have
 *			been slots that anybody may see to
 * seen			by CAS, who has looked at all slots: `left` as it was when he
 *			began
 */
struct queue_file {
	struct identity identity;
	uint8_t unused0[128 - sizeof(struct identity)];
	struct robust_lock lock;
	word32 root[CATALOGUES];
	word32 waiting;		/* messages queued */
	word32 places;		/* kept by drafts */
	word64 arrival;		/* of the next message */
	struct queue_list free_bare, free_warm;
	word32 free;		/* slots */
	word32 held;		/* or given */
	word32 nodes_free;	/* list */
	word32 nodes_next;	/* never used from here on */
	word32 nodes_used;
	word32 unused1;
	struct queue_list receiving, wanting_room, watching;
	uint8_t unused2[256 - 104];
	word64 order;		/* of the next waiter */
	word32 waiters_free;	/* list */
	word32 waiters;
	word32 chunks_bare;	/* list, of those below `chunks` */
	word32 chunks;
	word64 memory;		/* bytes of blocks */
	word64 warm;		/* of them, of free slots */
	word32 participants_committed;
	word32 waiters_committed;
	word32 chunks_committed;
	word32 nodes_committed;
	word32 catalogued[CATALOGUES];
	word32 broken;		/* slots that made no sense */
	word32 anew;		/* how often all that is derived was made */
	word32 returned;	/* queued again */
	word32 left;
	word32 seen;
	uint8_t unused3[PAGE - 384 - 84];
};

/* Where things lie in the two files: derived from the attributes. */
struct queue_geometry {
	uint32_t slots_max;
	uint32_t nodes_max;
	uint32_t inline_max;	/* payload bytes that a slot carries */
	uint64_t slot_stride;
	uint64_t block_stride;	/* 0: every message fits into a slot */
	uint64_t participants, waiters, chunks, nodes, slots;	/* offsets */
	uint64_t length;	/* of `queue` */
	uint64_t blocks_length;
};

/* Errors: -EINVAL (too large for the address space). */
int
layout_queue_geometry(const struct attributes *attributes,
		      struct queue_geometry *ret);

/* What is derived says that there is nothing. */
void
layout_queue_reset(struct queue_file *file);

/* What the file says at first. */
void
layout_queue_init(struct queue_file *file, const uint8_t uuid[16]);

/* What a handle has of the queue: private. */
struct queue_map {
	struct queue_file *file;
	struct view *view;	/* to ring bells through */
	struct queue_geometry geometry;
	struct mapping mapping;
	int attendance;		/* to ask who lives, kept open so that it can
				   be asked when descriptors have run out; -1 */
	struct file_identity attendance_is;
	bool rendezvous;
};

/*
 * Loads and stores of what the lock guards, or of what the caller owns: relaxed,
 * because the lock orders them.
 */
static inline uint32_t
get32(const word32 *word)
{
	return word32_load_relaxed(word);	/* relaxed: under the lock */
}

static inline void
set32(word32 *word, uint32_t value)
{
	word32_store_relaxed(word, value);	/* relaxed: under the lock */
}

/* The sequence that was last published, and its tag; the sequence last: while it
   has not been said, whoever repairs says both (and takes both back). */
static inline void
queue_say_published(struct queue_participant *p, uint64_t sequence,
		    uint64_t tag)
{
	/* relaxed: before QUEUE-R1 */
	word64_store_relaxed(&p->tag, tag);
	/* QUEUE-R1 release: the tag, then the sequence, should we die here.
	   Pairs with ROBUST-X1, WATCH-A1. */
	word64_store_release(&p->sequence, sequence);
}

static inline uint64_t
get64(const word64 *word)
{
	return word64_load_relaxed(word);	/* relaxed: under the lock */
}

static inline void
set64(word64 *word, uint64_t value)
{
	word64_store_relaxed(word, value);	/* relaxed: under the lock */
}

/*
 * Each is NULL if there can be no such number (so for ..._NONE), and only then:
 * what is one's own stays so, whatever others write into the counts. Numbers that
 * others have written may lie where no memory has been committed: that reads as
 * zeros. Only of nodes those without memory are none, so each look at one is
 * asked for whether it found it, even if the same number was found before.
 */
static inline struct queue_participant *
queue_participant(const struct queue_map *map, uint32_t n)
{
	if (unlikely(n >= PARTICIPANTS_MAX))
		return NULL;
	return (struct queue_participant *)
		((char *)map->file + map->geometry.participants) + n;
}

static inline struct queue_waiter *
queue_waiter(const struct queue_map *map, uint32_t n)
{
	if (unlikely(n >= WAITERS_MAX))
		return NULL;
	return (struct queue_waiter *)
		((char *)map->file + map->geometry.waiters) + n;
}

static inline struct queue_chunk *
queue_chunk(const struct queue_map *map, uint32_t n)
{
	if (unlikely(n >= map->geometry.slots_max / CHUNK_SLOTS))
		return NULL;
	return (struct queue_chunk *)
		((char *)map->file + map->geometry.chunks) + n;
}

/* How many of them there are to be looked at, whatever others write. */
static inline uint32_t
queue_chunks(const struct queue_map *map)
{
	return (uint32_t)min_u64(min_u64(get32(&map->file->chunks),
					 get32(&map->file->chunks_committed)),
				 map->geometry.slots_max / CHUNK_SLOTS);
}

static inline uint32_t
queue_participants(const struct queue_map *map)
{
	return (uint32_t)min_u64(get32(&map->file->participants_committed),
				 PARTICIPANTS_MAX);
}

static inline struct queue_node *
queue_node(const struct queue_map *map, uint32_t n)
{
	if (unlikely(n >= map->geometry.nodes_max) ||
	    unlikely(n >= get32(&map->file->nodes_committed)))
		return NULL;
	return (struct queue_node *)
		((char *)map->file + map->geometry.nodes) + n;
}

static inline struct queue_slot *
queue_slot(const struct queue_map *map, uint32_t n)
{
	if (unlikely(n >= map->geometry.slots_max))
		return NULL;
	return (struct queue_slot *)((char *)map->file + map->geometry.slots +
				     map->geometry.slot_stride * n);
}

#endif
