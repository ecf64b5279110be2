/* SPDX-License-Identifier: MIT */
/* Layer 11. May include: handle. */
/*
 * Order sender: the operations of a handle whose messages go through lanes.
 */
#ifndef CUBBY_LANES_H
#define CUBBY_LANES_H

#include "handle.h"

extern const struct operations lanes_operations;

/* Those of a sender, for broadcast_calls.c as well. */
int
lanes_send(struct cubby_mailbox *mailbox, const void *data,
	   const struct parcel *parcel, bool synchronous, int64_t deadline,
	   struct sent *ret);
int
lanes_send_batch(struct cubby_mailbox *mailbox,
		 const struct cubby_batch_entry *entries, size_t count,
		 int64_t deadline);
int
lanes_wait_received(struct cubby_mailbox *mailbox, uint64_t sequence,
		    int64_t deadline);
void
lanes_published(struct cubby_mailbox *mailbox, uint64_t *ret_sequence,
		uint64_t *ret_tag);
int
lanes_reserve(struct cubby_mailbox *mailbox, uint64_t size, int64_t deadline,
	      struct cubby_draft **ret_draft);
int
lanes_commit(struct cubby_mailbox *mailbox, struct cubby_draft *draft,
	     const struct parcel *parcel, struct sent *ret);
void
lanes_abort(struct cubby_mailbox *mailbox, struct cubby_draft *draft);

#endif
