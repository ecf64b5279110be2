/* SPDX-License-Identifier: MIT */
/* Layer 8. May include: base layout_queue parcel waiters queue. */
/*
 * The parts of a send, for those that send several at once. For queue_*.c alone.
 */
#ifndef CUBBY_QUEUE_SEND_H
#define CUBBY_QUEUE_SEND_H

#include "base.h"
#include "queue.h"

/* A send under way, or a reservation. */
struct send {
	uint32_t slot;
	const struct parcel *parcel;	/* NULL: a reservation */
	bool synchronous;
	bool queued;		/* and not given to one who waited */
	uint64_t sequence;	/* of the message, once it is sent */
	uint64_t use;		/* of the slot */
	uint32_t waiter;	/* for its being taken */
	uint32_t room;		/* for room */
	uint64_t asked;		/* owner: does it live? */
	uint64_t living, dead;	/* owners of whom that is known */
	uint32_t asks;
};
#define SEND_NOTHING { .waiter = WAITER_NONE, .room = WAITER_NONE, \
	.living = OWNER_NONE, .dead = OWNER_NONE }

/* Puts a message into a slot of ours. Errors: those of queue_commit_block(). */
int
queue_fill(struct queue *queue, uint32_t slot, const void *data,
	   const struct parcel *parcel, int64_t deadline);

/* And what is said of it. */
void
queue_address(struct queue *queue, struct queue_slot *slot,
	      const struct parcel *parcel);

/* A slot of ours that has not been sent is written over by the next send. */
void
queue_keep_slot(struct queue *queue, uint32_t slot);

/* Is there memory for what the catalogues need for one more? Under the lock. */
bool
queue_has_nodes(const struct queue *queue);

/* Queues the slot; there is room. Under the lock. 0, or -EBADMSG. */
int
queue_put(struct queue *queue, struct send *send, struct wakes *wakes);

/* A slot that has been filled: waits for room, and queues it. */
int
queue_post(struct queue *queue, struct send *send, int64_t deadline);

/* One message, from the beginning to the end. */
int
queue_send_one(struct queue *queue, const void *data, struct send *send,
	       int64_t deadline);

#endif
