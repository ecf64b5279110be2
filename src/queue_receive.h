/* SPDX-License-Identifier: MIT */
/* Layer 8. May include: base layout_queue parcel queue. */
/*
 * A receive, between its parts: waiting for a message (queue_receive.c), taking it
 * (queue_take.c), and handing it over (queue_hand_over.c).
 */
#ifndef CUBBY_QUEUE_RECEIVE_H
#define CUBBY_QUEUE_RECEIVE_H

#include "base.h"
#include "queue.h"

_Static_assert(QUEUE_STEP <= 32, "in_blocks");

/* A receive under way. */
struct receive {
	struct wish *wish;
	uint32_t slot;		/* what has been taken, or peeked at */
	uint64_t word;		/* its state */
	uint32_t waiter;
	uint32_t ticket;	/* of the record, if it only looks */
	uint64_t asked;		/* owner: does it live? */
	uint64_t living;	/* an owner of whom that is known */
	uint32_t asks;
	uint32_t *slots;	/* of a batch: QUEUE_STEP; or NULL */
	uint32_t count;		/* taken in one step; 0: by itself */
	uint32_t in_blocks;	/* a bit for each: it lies in a block */
	bool holds;		/* whatever it takes, at first */
};

/* What is needed before one can be taken, without the lock. */
enum {
	NEED_WAITERS = 1,	/* memory of records */
	NEED_ANSWER,		/* does receive->asked live? */
	NEED_NODES		/* memory of the catalogue */
};

/*
 * Takes the first message that is wanted, or what of a batch there is, or looks at
 * it, as the wish says. Under the lock. 0; a need; -EAGAIN: there is none. Other
 * errors: -EMSGSIZE -ENOMSG -EBADMSG; the message stays.
 */
int
queue_take(struct queue *queue, struct receive *receive, struct wakes *wakes);

/* A sender has given us its message while we waited by a record: it is ours, without
   the lock, and goes back if we die before we make it so. False: none fit to be
   had. */
bool
queue_accept(struct queue *queue, struct receive *receive);

/* Copies out what has been taken from that slot, of that size, and in a block, as
   these were read. The slot is freed with the next lock, or goes back if it was held.
   Errors: -EBADMSG, and the kernel's. */
int
queue_copy(struct queue *queue, uint32_t slot, bool in_block, void *buffer,
	   uint64_t size);

/* The same of all that has been taken in one step. */
int
queue_copy_batch(struct queue *queue, struct receive *receive);

/* A message that lies in a block is copied and stays. -EAGAIN: it was taken
   meanwhile. */
int
queue_peek_block(struct queue *queue, struct receive *receive,
		 int64_t deadline);

/* What has been taken is held by that handle. */
int
queue_hold(struct queue *queue, struct receive *receive,
	   struct cubby_message *message);

/*
 * A request has been taken, and is held until its caller can know by whom
 * (queue_request.c). 0: it is ours, TAKEN or HELD, as the wish says. PASSED_OVER:
 * nobody is to have it, and it has gone. For any error it has gone back.
 */
#define PASSED_OVER 1
int
queue_own_request(struct queue *queue, struct receive *receive);

#endif
