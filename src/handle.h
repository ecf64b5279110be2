/* SPDX-License-Identifier: MIT */
/* Layer 11. May include: base exclusion liveness layout parcel rest inbox caller queue spin sender receiver listener bell. */
/*
 * A handle: a mailbox that is open, and the table of what carries its messages.
 *
 * The public calls (message.c) check what they are given and go through the
 * table: lanes.c for order sender, queue_calls.c for the others,
 * broadcast_calls.c for what every receiver gets. Only the plain case of order
 * sender is done by them at once, without a call.
 */
#ifndef CUBBY_HANDLE_H
#define CUBBY_HANDLE_H

#include "base.h"
#include "caller.h"
#include "bell.h"
#include "exclusion.h"
#include "inbox.h"
#include "layout.h"
#include "liveness.h"
#include "listener.h"
#include "parcel.h"
#include "queue.h"
#include "receiver.h"
#include "rest.h"
#include "sender.h"
#include "spin.h"

#include <cubby.h>
#include <limits.h>

struct cubby_mailbox;

/*
 * What a mechanism does. The handle has been checked, and is open for the role;
 * sizes fit the mailbox. Errors are those of the public calls.
 *
 * send		parcel->size bytes; sequence and sender of the message in *ret
 * reserve	*ret_draft, but for its owner
 * commit	size fits the draft
 * receive	grants the wish
 * sender_name	sender is not 0. Errors: -EINVAL (there is no such)
 * reject	NULL: a message does not go back
 * send_batch	at least one message, at most INT_MAX; checks each. Returns how
 *		many were sent; or an error, if none was
 * receive_batch as receive, with a wish for a batch, which has room for one
 *		message more; those that it has got are entered in it
 *
 * Requests and replies (layout_reply.h); NULL: there are none, -EOPNOTSUPP.
 *
 * reply_word	in which the sender says the id of its reply file
 * check	can what was sent be taken yet? -EPIPE, -EBADMSG
 * reply	as answers_reply()
 *
 * The end of a handle as one of several, see rest.h; role: CUBBY_RECEIVE or
 * CUBBY_SEND. None waits, but for LOOK_PATIENTLY.
 *
 * look		1: it is ready: a call with CUBBY_NOW would have something to do;
 *		0: not; -ETIMEDOUT: a queue's lock was not to be had, so it is not
 *		known (not with LOOK_QUICKLY); other -errno: what the next call
 *		tells
 * announce	0: *ret has been announced, and is to be retracted; 1: it is
 *		ready, or has something to tell; -errno: it cannot wait (-ENOSPC
 *		-EUSERS, and the kernel's)
 * settle	after a barrier for those that want one: fenced: what
 *		doorbell_barrier() returned
 * hang		the bell of that end's descriptor is about to be hung up, under
 *		this number; NULL: about to be taken down. It stays the caller's
 * arm		the bell has been emptied: has those who bring it about that the
 *		end is ready ring it, once, and looks. 0: armed; -EALREADY: it was
 *		before, and nobody has rung; 1 or other -errno: it is ready, or
 *		has something to tell, and is not armed: the caller rings.
 *		*ret_slice: the longest it may be without another look
 * retract	slept: REST_SLICE_OVER if the end has slept for its slice, else 0
 *		or the error that ended the sleep. Looks thoroughly, and returns
 *		as look does, but for -ETIMEDOUT; rings on, if it is ready
 */
struct sent {
	uint64_t sender;
	uint64_t sequence;
};

struct operations {
	int (*open)(struct cubby_mailbox *mailbox, uint32_t roles,
		    const struct cubby_options *options, bool trusts);
	/* Leaves those roles of the handle that it has got. */
	void (*close)(struct cubby_mailbox *mailbox);
	/* In a child after fork(). */
	void (*forget)(struct cubby_mailbox *mailbox);

	int (*send)(struct cubby_mailbox *mailbox, const void *data,
		    const struct parcel *parcel, bool synchronous,
		    int64_t deadline, struct sent *ret);
	int (*wait_received)(struct cubby_mailbox *mailbox, uint64_t sequence,
			     int64_t deadline);
	void (*published)(struct cubby_mailbox *mailbox, uint64_t *ret_sequence,
			  uint64_t *ret_tag);
	int (*reserve)(struct cubby_mailbox *mailbox, uint64_t size,
		       int64_t deadline, struct cubby_draft **ret_draft);
	int (*commit)(struct cubby_mailbox *mailbox, struct cubby_draft *draft,
		      const struct parcel *parcel, struct sent *ret);
	void (*abort)(struct cubby_mailbox *mailbox, struct cubby_draft *draft);

	int (*receive)(struct cubby_mailbox *mailbox, struct wish *wish,
		       int64_t deadline);
	int (*sender_name)(struct cubby_mailbox *mailbox, uint64_t sender,
			   char ret[SENDER_NAME_MAX + 1]);
	int (*release)(struct cubby_mailbox *mailbox,
		       struct cubby_message *message);
	void (*reject)(struct cubby_mailbox *mailbox,
		       struct cubby_message *message);

	int (*send_batch)(struct cubby_mailbox *mailbox,
			  const struct cubby_batch_entry *entries,
			  size_t count, int64_t deadline);
	int (*receive_batch)(struct cubby_mailbox *mailbox, struct wish *wish,
			     int64_t deadline);

	word64 *(*reply_word)(struct cubby_mailbox *mailbox);
	int (*check)(struct cubby_mailbox *mailbox);
	int (*reply)(struct cubby_mailbox *mailbox, uint64_t sender,
		     uint64_t reference, const void *data, size_t size);

	int (*look)(struct cubby_mailbox *mailbox, uint32_t role,
		    enum look how);
	int (*announce)(struct cubby_mailbox *mailbox, uint32_t role,
			struct rest *ret);
	void (*settle)(struct cubby_mailbox *mailbox, uint32_t role,
		       struct rest *rest, bool fenced);
	int (*retract)(struct cubby_mailbox *mailbox, uint32_t role,
		       struct rest *rest, int slept);

	void (*hang)(struct cubby_mailbox *mailbox, uint32_t role,
		     const struct bell *bell);
	int (*arm)(struct cubby_mailbox *mailbox, uint32_t role,
		   int64_t *ret_slice);
};

/* The descriptors of a handle: see pollable.c. */
struct pollables {
	word32 roles;		/* that have one: CUBBY_SEND, CUBBY_RECEIVE */
	struct pollable *receiving, *sending;
	struct exclusion exclusion;
};

struct cubby_mailbox {
	uint64_t process;	/* liveness_process() of who opened it */
	uint32_t roles;		/* CUBBY_SEND, CUBBY_RECEIVE */
	bool inbox;		/* of one receiving process, see inbox.h */
	bool fixed;		/* messages of message_max bytes exactly */
	uint64_t message_max;
	uint64_t plain_min, plain_max;	/* sizes that go into a cell of a lane;
					   of an inbox none, for each send asks
					   who is there */
	const struct operations *operations;
	char entry[NAME_MAX + 1];	/* in the directory it lies in */
	struct view view;
	struct liveness presence;	/* of a handle without a role */
	struct owner owner;		/* of an inbox, if it receives */
	struct addressee addressee;	/* of an inbox, if it sends */
	struct sender sender;
	struct receiver receiver;
	struct listener listener;	/* of a broadcast mailbox */
	struct queue queue;
	struct caller caller;
	struct cubby_region *regions;	/* received here, and open */
	struct region_sent *regions_sent;
	struct exclusion regions_exclusion;	/* of these two */
	struct spin spin;		/* of waits that it is the first of */
	struct exclusion spin_exclusion;
	struct pollables pollables;
};

/* -ECHILD: inherited through fork(); -EBADF: not opened for that role. */
static inline int
handle_check(const struct cubby_mailbox *mailbox, uint32_t role)
{
	if (unlikely(mailbox->process != liveness_process()))
		return -ECHILD;
	return likely(mailbox->roles & role) ? 0 : -EBADF;
}

#endif
