/* SPDX-License-Identifier: MIT */
/* Layer 5. May include: base shm. */
/*
 * A message on its way between a public call and what carries it, lanes or a
 * queue: what is sent, what is asked for, what is got, and the handles of those
 * that are being written and being held. All private.
 */
#ifndef CUBBY_PARCEL_H
#define CUBBY_PARCEL_H

#include "base.h"
#include "shm.h"

#include <cubby.h>

/* What is sent, apart from its bytes. */
struct parcel {
	uint64_t size;
	uint64_t tag;
	uint64_t type;
	uint32_t priority;
	bool call;		/* a request: the tag is its reference */
};

/* At most so many messages are taken, or sent, in one step: the doorbell is
   looked at, others get their turn, a lock is given. */
#define BATCH_STEP	64

/* Several messages that are received by one call. */
struct batch {
	struct cubby_batch_entry *entries;
	size_t count;		/* of them */
	size_t filled;		/* with messages that are received */
	char *buffer;
	uint64_t size;		/* of the buffer */
	uint64_t used;		/* by those */
	/* What the last step has got, if it was more than one message. */
	uint32_t got;
	uint64_t got_used;
};
#define BATCH_ALIGN	8

/* Can that entry be filled in? One that cannot ends the batch before it. */
static inline bool
batch_is_good(const struct cubby_batch_entry *entry)
{
	return likely(!entry->envelope) ||
	       entry->envelope->struct_size >= sizeof(size_t);
}

/* Where the next message begins, `used` bytes being in use. */
static inline uint64_t
batch_begin(const struct batch *batch, uint64_t used)
{
	return min_u64(round_up(used, BATCH_ALIGN), batch->size);
}

/* What a cell, a claim or a slot says of its message. */
struct taken {
	uint64_t position;
	uint64_t lane;		/* or participant */
	uint64_t size;
	uint64_t tag;
	uint64_t type;
	uint64_t block;		/* offset in the lane's file; 0: the bytes are
				   in the cell, and in the record. Queue: not
				   0: in `blocks` */
	bool call;		/* a request: the tag is its reference */
};

/* In a type word, which a user's type does not reach: the message carries a
   region (region_transfer.h). No envelope shows it. */
#define PARCEL_REGION	(UINT64_C(1) << 63)

enum wish_kind {
	WISH_COPY,
	WISH_PEEK,
	WISH_HOLD,
	WISH_LOOK		/* is there one at all? Nothing is taken or told */
};

/* What a call asks for, and what it gets. */
struct wish {
	enum wish_kind kind;
	uint64_t sender;	/* an envelope's, or 0: anyone's */
	const char *name;	/* of those who call themselves so; or NULL */
	enum cubby_matching matching;	/* of types */
	uint64_t type;
	bool region;		/* nothing but a region; else none */
	bool replies;		/* who wishes can reply to a request */
	void *buffer;
	uint64_t size;		/* of the buffer */
	struct batch *batch;	/* WISH_COPY: more than one is welcome; or NULL.
				   The first goes to the buffer above. */
	/* out */
	struct taken taken;
	uid_t uid;
	uint32_t deliveries;
	uint32_t priority;
	uint64_t missed;
	struct cubby_message *held;
};

/* May a message with that type word be had by that wish? Else it stays:
   -EOPNOTSUPP (it carries a region), -ENOMSG (it carries none). */
static inline int
wish_suits(const struct wish *wish, uint64_t type)
{
	bool region = type & PARCEL_REGION;

	if (likely(region == wish->region))
		return 0;
	return region ? -EOPNOTSUPP : -ENOMSG;
}

/* A message being written. */
struct cubby_draft {
	struct cubby_draft *next, *previous;	/* of the open ones */
	uint64_t size;		/* reserved */
	uint64_t block;		/* lane: 0: in private memory, behind this;
				   queue: the slot */
	void *data;
	struct mapping window;	/* queue: of the block alone, or empty */
	void *owner;		/* the handle */
};

/* A message being held. */
struct cubby_message {
	struct cubby_message *next, *previous;	/* of those held; `next` of
						   the spare */
	void *owner;			/* the handle */
	const void *data;
	void *copy;			/* ours, of another user's; or NULL */
	const struct lane_reader *reader;
	struct taken taken;
	uid_t uid;
	uint32_t deliveries;
	uint32_t priority;
	uint64_t missed;
	uint32_t claim;			/* queue: the slot */
	struct mapping window;		/* queue: of the block alone, or empty */
	uint64_t word;
};

#endif
