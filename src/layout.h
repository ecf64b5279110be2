/* SPDX-License-Identifier: MIT */
/* Layer 4. May include: base atomics shm. */
/*
 * The bytes that processes share: the only place where they are defined.
 *
 * A mailbox is a directory:
 *
 *	receivers	written by receivers, mapped read-only by senders
 *	lanes/lane.N	written by the one sender that owns it, mapped read-only
 *			by receivers
 *	doorbell	written by anyone who may send or receive; not trusted
 *	bells/		FIFOs of those who poll: see bell.h
 *	attendance	no contents: receivers lock a byte each to be alive
 *
 * So every byte of a message has one writer, and the MMU holds that true.
 * Offsets, never pointers; fixed widths; host byte order (the fingerprint
 * differs where that does). Each struct opens with its table: who writes the
 * field, who reads it, and why that is safe. What is found here is input: it is
 * checked before it is used, or masked so that any value is harmless.
 *
 * Positions count the messages of a lane. A message's sequence is its position
 * plus one, 64 bits. A head word has room for 48 bits of it; they are compared
 * modularly. A reader that stood still for an exact multiple of 2^48 messages
 * (two months at 50 million a second) could be fooled, and nobody else.
 */
#ifndef CUBBY_LAYOUT_H
#define CUBBY_LAYOUT_H

#include "base.h"
#include "atomics.h"
#include "shm.h"

#define LAYOUT_MAGIC	UINT64_C(0x0179626275632e00)	/* "\0.cubby\1" */
#define LAYOUT_VERSION	1
#define LAYOUT_QUEUE	3	/* of layout_queue.h: one more for each change */

#define LANES_MAX	4096	/* per mailbox */
#define LANES_PER_UID	2048	/* so that one user cannot take them all */
#define RECEIVERS_MAX	256
#define CLAIM_CHUNKS	512
#define CLAIMS_PER_CHUNK 16
#define CLAIMS_MAX	(CLAIM_CHUNKS * CLAIMS_PER_CHUNK)
#define SENDER_NAME_MAX	63

#define CAPACITY_MAX	(UINT64_C(1) << 30)
#define MESSAGE_LIMIT	GIB(1)
#define CELL_MIN	64
#define CELL_MAX	4096
#define CELL_HEADER	24

/* Of lanes without a limit. */
#define RINGS_MAX	24
#define RING_FIRST	KIB(64)
#define RING_FIRST_CELLS 16	/* at least */
#define RING_CHUNK	KIB(512) /* larger rings get their memory so */
#define RINGS_CELLS_MAX	(UINT64_C(1) << 27)	/* in all of them */

/* Of a broadcast mailbox in which the slow are overtaken: at least so many
   messages at once. */
#define OVERTAKE_AT_ONCE 16

/* Where the first message of a lane stands; tests build it with others. */
#ifndef CUBBY_START_SEQUENCE
#define CUBBY_START_SEQUENCE START_COUNTER(64, 337)
#endif
#define START_POSITION	((uint64_t)(CUBBY_START_SEQUENCE))

/* And where other counters start: those of events, that of a bias (in the upper
   half of `decision`). */
#define START_EVENTS	((uint32_t)START_COUNTER(32, 50))
#define START_DECISION	(START_COUNTER(32, 5) << 32)

/* What a mailbox is, fixed when it is made. */
struct attributes {
	uint32_t order;
	uint32_t buffering;
	uint32_t sizing;
	uint32_t lifetime;
	uint64_t capacity;
	uint64_t message_max;
	uint64_t memory_limit;	/* bytes a sender */
	uint32_t cell_size;
	uint32_t mode;
	uint32_t uid;
	uint32_t gid;
	uint32_t delivery;
	uint32_t unused;
};

/*
 * The first bytes of each file.
 *
 * field		written by	when			read by
 * all			the maker	before the file gets	all, who check it
 *					its name
 */
struct identity {
	uint64_t magic;
	uint32_t version;
	uint32_t fingerprint;	/* of this layout, see layout_fingerprint() */
	uint8_t uuid[16];	/* the mailbox's */
};

/* The receivers' file ---------------------------------------------------- */

/*
 * One receiver. 64 bytes.
 *
 * field	written by		read by		why that is safe
 * generation	the slot's owner, once,	people, senders	the owner has the lock
 *		when it attaches	(broadcast)	of the slot's byte
 * sleep	the slot's owner	senders		{ticket:32, asleep:32} in
 *							one word; a sender that
 *							reads an old one rings
 *							for nothing
 * pid, uid,	the slot's owner	people		what it says of itself;
 * pid_namespace					not used by programs
 * cursors	the slot's owner,	senders		after the commit; the memory
 *		rising: broadcast			stays with the slot
 * shared	the slot's owner:	senders		before the generation
 *		broadcast
 * polls	the slot's owner	senders		{ticket:32, POLLS_ARMED:32}
 *							in one word, as `sleep`
 * bell		the slot's owner, before senders	a number, see bell.h: a
 *		`polls`					wrong one is no FIFO's
 */
struct receiver_slot {
	word64 generation;
	word64 sleep;
	word32 pid;
	word32 uid;
	word32 pid_namespace;	/* its inode; 0: not known */
	word32 cursors;		/* of so many lanes have got memory */
	word64 polls;
	word64 bell;
	word32 shared;		/* 1: its lock for senders is for reading */
	uint8_t unused[12];
};

/* The generation after that one; they begin with 1. */
static inline uint64_t
slot_next(uint64_t generation)
{
	return counter_next(generation, 64, START_COUNTER(64, 5));
}

/*
 * How far one receiver of a broadcast mailbox is on one lane. 64 bytes.
 *
 * field	written by		read by		why that is safe
 * next		the slot's owner	the lane's	release: what was read,
 *					sender		before it may be overwritten
 * known	the slot's owner; 0 by	the lane's	release, after `next`
 *		who joins, before he	sender
 *		is in the audience
 */
struct lane_cursor {
	word64 next;		/* the position to receive */
	word32 known;		/* 0: where the lane begins */
	uint8_t unused[52];
};

/*
 * What receivers keep of one lane. 256 bytes: two pairs of cache lines, so
 * that the head, which changes with every message, and `hot`, which hardly
 * ever changes, and which the sender loads with every message, do not meet.
 * They lie in the second line of each pair, as `attention` does: a processor
 * that compares the low 12 bits of addresses makes a load wait for a store that
 * only looks like its own, and a sender's stores of short messages go to the
 * first line of each pair.
 *
 * field	written by		read by		why that is safe
 * head		receivers, by CAS	receivers, the	one word: {position:48,
 *		(biased: see bias.h)	lane's sender	claim:16}, see HEAD_*
 *
 * bias		the owner of the bias,	the same	while head is biased,
 *		plain stores				this is the true head
 * decision	receivers that end a	the owner of	CAS by epoch: the first
 *		bias, by CAS		the bias	one decides
 * bias_owner	receivers, by CAS	receivers	slot + 1, or 0
 * room		receivers, by an atomic	the sender	an event count on which
 *		increment		sleeps on it	the sender sleeps
 * polled	receivers, by CAS	the sender	the event count of the
 *							sender's descriptor
 * hot		receivers		the sender	0: "ring the doorbell when
 *							you send"; see doorbell.h
 * broken	receivers, once		receivers	the lane is cut off
 */
struct lane_entry {
	uint8_t unused0[64];
	word64 head;
	word64 bias;
	word64 decision;
	word32 bias_owner;
	word32 room;
	word32 polled;
	uint8_t unused1[92];
	word32 hot;
	word32 broken;
	uint8_t unused2[56];
};

/*
 * A head word: the position of the next message to hand out, and the claim
 * that took the last one.
 *
 *	{position:48, claim + 1:16}	claim: the record to be settled before
 *					the head moves on; 0: none
 *	{epoch:32, 0:16, slot:14, revoking:1, 1}	biased: `bias` is the
 *					head, see bias.h
 */
#define HEAD_POSITION	((UINT64_C(1) << 48) - 1)
#define HEAD_BIASED	(UINT64_C(1) << 63)
#define HEAD_REVOKING	(UINT64_C(1) << 62)

/*
 * The word `bias` is {position:48, claim + 1:16} too; or, when its last store
 * took several messages at once, {position:48, 1:1, how many:15}. (No claim has
 * so high a number.)
 */
#define BIAS_STEPS	0x8000U
#define BIAS_STEPS_MAX	0x7fffU

static inline uint64_t
head_make(uint64_t position, uint32_t claim_plus_1)
{
	return (position & HEAD_POSITION) | (uint64_t)claim_plus_1 << 48;
}

static inline uint64_t
head_position(uint64_t head)
{
	return head & HEAD_POSITION;
}

/* claim + 1, or 0; meaningless if biased */
static inline uint32_t
head_claim(uint64_t head)
{
	return head >> 48;
}

/* How far the last store of that word `bias` moved the head. */
static inline uint32_t
bias_steps(uint64_t bias)
{
	return head_claim(bias) & BIAS_STEPS ?
	       head_claim(bias) & BIAS_STEPS_MAX : 1;
}

/* What that word `bias` makes of the head. */
static inline uint64_t
bias_as_head(uint64_t bias)
{
	return head_claim(bias) & BIAS_STEPS ?
	       head_make(head_position(bias), 0) : bias;
}

/* The 64-bit position nearest to `near` whose low 48 bits are these. */
static inline uint64_t
position_near(uint64_t near, uint64_t low48)
{
	int64_t ahead = (int64_t)((low48 - near) << 16) >> 16;

	return near + (uint64_t)ahead;
}

/*
 * A claim record: one message in the hands of one receiver. 64 bytes, and then
 * room for what a cell carries.
 *
 * field	written by		read by		why that is safe
 * word		the owner; who settles,	receivers, the	each change is a CAS on
 *		repairs or takes over	lane's sender	the whole word, which
 *							counts its uses
 * the others	the owner, while the	receivers, the	who reads them proves by
 *		word says FREE		lane's sender	a later look at the word
 *							(or a CAS on it) that
 *							they were not changing
 */
struct claim {
	word64 word;
	word64 position;	/* 64 bits */
	word64 lane;
	word64 size;
	word64 tag;
	word64 type;
	word64 block;		/* offset in the lane's file; 0: in bytes */
	word64 call;		/* 1: a request; the tag is its reference */
	word64 bytes[];		/* cell_size - CELL_HEADER, rounded up to 64 */
};

enum claim_state {
	CLAIM_FREE = 0,
	CLAIM_INTENT = 1,	/* the owner is about to move the head */
	CLAIM_HELD = 2,
	CLAIM_RETURNED = 3	/* goes to whoever takes it over */
};

/* {use:40, deliveries:12, slot:8, state:4} */
#define CLAIM_DELIVERIES_MAX 4095

static inline uint64_t
claim_make(uint64_t use, uint32_t deliveries, uint32_t slot,
	   enum claim_state state)
{
	return use << 24 | (uint64_t)deliveries << 12 | slot << 4 | state;
}

static inline enum claim_state
claim_state(uint64_t word)
{
	return word & 15;
}

static inline uint32_t
claim_slot(uint64_t word)
{
	return word >> 4 & 255;
}

static inline uint32_t
claim_deliveries(uint64_t word)
{
	return word >> 12 & 4095;
}

static inline uint64_t
claim_use(uint64_t word)
{
	return word >> 24;
}

/* The same claim in another state, or in other hands. */
static inline uint64_t
claim_with(uint64_t word, uint32_t slot, enum claim_state state)
{
	return claim_make(claim_use(word), claim_deliveries(word), slot, state);
}

/*
 * Who receives from an inbox, a mailbox `@name`; all zero in any other. 64
 * bytes. inbox.h has the protocol.
 *
 * field	written by		read by		why that is safe
 * owner	who has locked the byte	senders		one word: {generation:62,
 *		INBOX of `attendance`			INBOX_*}; 0: nobody has
 *							ever received there
 * the others	the same, while `owner`	who looks for	read between two equal
 *		says that nobody is	a process	values of `owner`
 *		there
 */
struct inbox {
	word64 owner;
	word64 pid;		/* in the namespace that follows */
	word64 device;		/* of its PID namespace */
	word64 inode;		/* the same; 0: not known */
	uint8_t unused[32];
};
#define INBOX_HERE	1	/* he receives, unless he has died since */
#define INBOX_SHARED	2	/* the lock of his generation is for reading */

static inline uint64_t
inbox_generation(uint64_t owner)
{
	return owner >> 2;
}

/*
 * The head of the receivers' file: one page.
 *
 * field		written by		read by
 * identity,		the maker, before the	all
 * attributes		mailbox gets its name
 * lanes_committed	receivers, rising, by	all: entries below it are
 *			CAS, after the commit	committed memory
 * claims_committed	receivers, rising, by	all: chunks below it are
 *			CAS, after the commit	committed memory
 * slots_committed	receivers, rising, by	receivers: pages below it are
 *			CAS, after the commit	committed memory
 * returned		receivers, an event	receivers: another value than
 *			count			last time: look for returned ones
 * state		receivers, by CAS	all: see directory_end.c
 * chunk_owner		receivers, by CAS from	receivers: slot + 1, for good:
 *			0, once			a chunk goes with its slot
 * attention		receivers, each its own	senders: see doorbell.h
 *			bit, by atomic or, and
 * inbox		see struct inbox
 * audience		receivers of a broadcast senders: whom to wait for; see
 *			mailbox, each its own	broadcast.h
 *			bit, by atomic or, and
 */
struct receivers_file {
	struct identity identity;
	struct attributes attributes;
	uint8_t unused0[256 - sizeof(struct identity) -
			sizeof(struct attributes)];
	word32 lanes_committed;
	word32 claims_committed;
	word32 returned;
	word32 slots_committed;
	word32 state;
	uint8_t unused1[192 - 20];
	word64 attention[RECEIVERS_MAX / 64];
	uint8_t unused2[64 - 8 * RECEIVERS_MAX / 64];
	word32 chunk_owner[CLAIM_CHUNKS];
	uint8_t unused3[64];
	struct inbox inbox;
	uint8_t unused4[64];
	word64 audience[RECEIVERS_MAX / 64];
	uint8_t unused5[PAGE - 704 - 4 * CLAIM_CHUNKS -
			8 * RECEIVERS_MAX / 64];
	struct receiver_slot slots[RECEIVERS_MAX];
	struct lane_entry lanes[LANES_MAX];
	/* then the claims: see layout_claim(); of a broadcast mailbox then the
	   cursors: see layout_cursor() */
};

enum mailbox_state {
	STATE_OPEN = 0,
	STATE_CLOSING = 1,	/* the last user of a temporary one looks round */
	STATE_DEAD = 2
};

#define LANES_PER_PAGE	(PAGE / sizeof(struct lane_entry))
#define SLOTS_PER_PAGE	(PAGE / sizeof(struct receiver_slot))
#define CURSORS_PER_PAGE (PAGE / sizeof(struct lane_cursor))

/* A lane's file ---------------------------------------------------------- */

/*
 * One message. The words before the payload and 40 bytes of it are one cache
 * line.
 *
 * field	written by		read by		why that is safe
 * sequence	the lane's sender, last	receivers	release: whoever sees it
 *							sees the rest
 * the others	the lane's sender,	receivers	not touched again before
 *		before it				the head has passed
 */
struct cell {
	word64 sequence;	/* position + 1 */
	word64 tag;
	word64 size_type;	/* {call:1, type:30, wide:1, size:31, block:1} */
	word64 bytes[];		/* the payload; or, block: {offset}; wide: {type}
				   comes first */
};
#define CELL_BLOCK	UINT64_C(1)
#define CELL_WIDE	(UINT64_C(1) << 32)
#define CELL_CALL	(UINT64_C(1) << 63)	/* a request: `tag` refers */
#define CELL_TYPE_MAX	((UINT64_C(1) << 30) - 1)	/* of one not wide */

static inline uint64_t
cell_size_of(uint64_t size_type)
{
	return (uint32_t)size_type >> 1;
}

static inline uint64_t
cell_type_of(uint64_t size_type)
{
	return size_type >> 33 & CELL_TYPE_MAX;
}

/*
 * One ring of a lane without a limit; see lane_rings.h. 16 bytes.
 *
 * field	written by		read by		why that is safe
 * begin	the lane's sender	receivers,	release; an old one goes
 *					later owners	with an old head or turn
 * committed	the lane's sender	later owners	they have the lock
 */
struct ring_place {
	word64 begin;		/* the first position + 1; 0: none is here */
	word64 committed;	/* cells, from the chunk of the first on; of
				   ring 0: see ring_committed */
};

/*
 * The head of a lane's file: one page; then the ring, then the blocks.
 *
 * field	written by		read by		why that is safe
 * identity,	the maker, before the	receivers, later
 * name		lane gets its number	owners
 * ring_committed the owner		later owners	cells of the (first) ring
 *							that are committed
 * ring_hollow	the owner		later owners	1: a sweeper has given
 *							pages of the ring back
 * sleep	the owner		receivers	{ticket:32, flags:32} in
 *							one word; see doorbell.h
 * wanted	the owner, before it	receivers	a hint: a wrong one costs
 *		sleeps					a wake-up, or a delay
 *							until the sleeper looks
 * polls, bell	the owner		receivers	as a receiver's slot has
 *							them
 * turn		the owner		receivers,	release, after the place
 *					later owners	of the ring that it names
 * reply	the owner		receivers,	release, after the file that
 *					later owners	it names: layout_reply.h
 * places	see struct ring_place
 * pid,		the owner		people		not used by programs
 * pid_namespace
 * floor	the owner: broadcast	receivers,	fences: see broadcast.h
 *					later owners
 */
struct lane_file {
	struct identity identity;
	char name[SENDER_NAME_MAX + 1];
	word64 ring_committed;
	word32 pid;
	word32 ring_hollow;
	word32 pid_namespace;	/* its inode; 0: not known */
	uint8_t unused0[256 - sizeof(struct identity) - SENDER_NAME_MAX - 1
			- 20];
	word64 sleep;
	word64 wanted;
	word64 turn;		/* {count:56, ring:8}: where the sender sends */
	word64 floor;		/* what lies below may be overwritten */
	word64 reply;		/* the id of its reply file; 0: none yet */
	word64 polls;
	word64 bell;
	uint8_t unused1[64 - 56];
	struct ring_place places[RINGS_MAX];
	uint8_t unused2[PAGE - 320 - 16 * RINGS_MAX];
	/* then the cells: see layout_cell(), and the blocks */
};

static inline uint32_t
turn_ring(uint64_t turn)
{
	return turn & 255;
}

/* The doorbell's file ---------------------------------------------------- */

/*
 * field	written by		read by		why that is safe
 * ringing	senders set, receivers	receivers	a hint; whoever sleeps
 *		clear, atomically			looks for himself now
 *							and then
 * events	senders, an atomic	the slot's	the same
 *		increment		owner sleeps on it
 * polled	senders, by CAS		the slot's	the same: of its
 *					owner		descriptor
 */
struct doorbell_file {
	struct identity identity;
	uint8_t unused0[1024 - sizeof(struct identity)];
	word64 ringing[LANES_MAX / 64];
	word32 events[RECEIVERS_MAX];
	word32 polled[RECEIVERS_MAX];
	uint8_t unused1[PAGE - 1024 - LANES_MAX / 8 - 8 * RECEIVERS_MAX];
};

/* What a sleep word says: {ticket:32, flags:32}. */
#define SLEEP_ASLEEP	1
#define SLEEP_ATTENTION	2	/* fence, and look again: I sleep often */
#define SLEEP_POLLS	4	/* of a lane: look at `polls` */

/* What `polls` says, in the same manner. */
#define POLLS_ARMED	1

static inline uint64_t
sleep_make(uint32_t ticket, uint32_t flags)
{
	return (uint64_t)ticket << 32 | flags;
}

static inline uint32_t
sleep_ticket(uint64_t sleep)
{
	return sleep >> 32;
}

/* Where things lie ------------------------------------------------------- */

/* Derived from the attributes once, private; every process computes the same. */
struct geometry {
	uint64_t ring_cells;	/* a power of two, at least capacity + 1; of
				   the first ring */
	uint64_t ring_mask;
	uint32_t rings;		/* 1; without a limit more, each twice as large
				   as the one before */
	uint32_t cell_shift;
	uint32_t inline_max;	/* payload bytes that a cell carries */
	uint64_t claim_stride;
	uint64_t cursors_offset;	/* in the receivers' file */
	uint64_t receivers_length;	/* bytes, all of it */
	uint64_t blocks_offset;	/* in a lane's file */
	uint64_t blocks_length;
	uint64_t lane_length;
};

/* Checks attributes read from a file (or made of options) and computes the
   geometry. Errors: -EINVAL; -ENOMEM: it makes sense, but a process has not so many
   addresses (one of 32 bits: those of 64 can have the mailbox). */
int
layout_geometry(const struct attributes *attributes, struct geometry *ret);

/* A hash of the layout: sizes, offsets, byte order. */
uint32_t
layout_fingerprint(void);

void
layout_identify(struct identity *identity, const uint8_t uuid[16]);

/* Errors: -EBADMSG (not a file of ours, or of this uuid; uuid may be NULL),
   -EPROTO (of another version or layout). */
int
layout_check_identity(const struct identity *identity, const uint8_t *uuid);

/*
 * What a handle has open of a mailbox: private, made by mailbox.c, used by every
 * layer between. Senders have receivers mapped read-only.
 */
struct view {
	struct receivers_file *receivers;
	struct doorbell_file *doorbell;
	struct mapping receivers_mapping;
	struct mapping doorbell_mapping;
	struct geometry geometry;
	struct attributes attributes;	/* copied, and checked */
	uint8_t uuid[16];
	int directory;		/* use them by view_directory(), */
	int lanes_directory;	/* and view_lanes() */
	struct file_identity directory_is, lanes_directory_is;
	bool fences;	/* barrier_all() of others does not reach us: fence on
			   every publish and advance */
	struct bell_cache {	/* the bell rung last: see bell.c */
		word32 busy;
		bool is_open;
		int fd;
		struct file_identity is;
		uint64_t number;
	} rung;
};

/* They, or -1: they have been closed to us. */
static inline int
view_directory(const struct view *view)
{
	return shm_still(view->directory, &view->directory_is);
}

static inline int
view_lanes(const struct view *view)
{
	return shm_still(view->lanes_directory, &view->lanes_directory_is);
}

static inline struct claim *
layout_claim(struct receivers_file *file, const struct geometry *geometry,
	     uint32_t claim)
{
	return (struct claim *)((char *)file + sizeof(*file) +
				geometry->claim_stride * claim);
}

/* Of a broadcast mailbox. */
static inline struct lane_cursor *
layout_cursor(struct receivers_file *file, const struct geometry *geometry,
	      uint32_t slot, uint32_t lane)
{
	return (struct lane_cursor *)((char *)file + geometry->cursors_offset) +
	       slot * LANES_MAX + lane;
}

/* The cells of a ring; its first, in a lane's file. */
static inline uint64_t
layout_ring_cells(const struct geometry *geometry, uint32_t ring)
{
	return geometry->ring_cells << ring;
}

static inline uint64_t
layout_ring_offset(const struct geometry *geometry, uint32_t ring)
{
	return sizeof(struct lane_file) +
	       ((layout_ring_cells(geometry, ring) - geometry->ring_cells)
		<< geometry->cell_shift);
}

/* A lane begins at the first cell, wherever its positions do. */
static inline uint64_t
layout_cell_index(uint64_t position, uint64_t mask)
{
	return (position - START_POSITION) & mask;
}

static inline struct cell *
layout_ring_cell(struct lane_file *file, const struct geometry *geometry,
		 uint32_t ring, uint64_t position)
{
	uint64_t mask = layout_ring_cells(geometry, ring) - 1;

	return (struct cell *)((char *)file +
			       layout_ring_offset(geometry, ring) +
			       (layout_cell_index(position, mask)
				<< geometry->cell_shift));
}

/* How many of a ring's cells get their memory at a time: all of a small one. */
static inline uint64_t
layout_ring_chunk(const struct geometry *geometry, uint32_t ring)
{
	return min_u64(layout_ring_cells(geometry, ring),
		       max_u64(geometry->ring_cells,
			       RING_CHUNK >> geometry->cell_shift));
}

/* Has the cell of position got memory, in a ring whose messages begin at
   `begin`, and that has `committed` cells from the chunk of that one on? */
static inline bool
layout_ring_has(const struct geometry *geometry, uint32_t ring, uint64_t begin,
		uint64_t committed, uint64_t position)
{
	uint64_t mask = layout_ring_cells(geometry, ring) - 1;
	uint64_t first = layout_cell_index(begin, mask) &
			 ~(layout_ring_chunk(geometry, ring) - 1);

	return ((layout_cell_index(position, mask) - first) & mask) < committed;
}

/* Of the only ring, or the first. */
static inline struct cell *
layout_cell(struct lane_file *file, const struct geometry *geometry,
	    uint64_t position)
{
	return (struct cell *)((char *)file + sizeof(*file) +
			       (layout_cell_index(position, geometry->ring_mask)
				<< geometry->cell_shift));
}

#endif
