/* SPDX-License-Identifier: MIT */
/* Layer 13. May include: base probe envelope parcel handle pollable message. */
/*
 * The public calls that move many messages at once. lane.h and queue.h say in what
 * steps that is done, and what is left of one when somebody dies.
 */
#include "base.h"
#include "envelope.h"
#include "handle.h"
#include "message.h"
#include "pollable.h"
#include "probe.h"

/* Sending ---------------------------------------------------------------- */

int
cubby_send_batch(cubby_mailbox *mailbox,
		 const struct cubby_batch_entry *entries, size_t count,
		 int flags, int64_t deadline)
{
	int r = handle_check(mailbox, CUBBY_SEND);

	if (unlikely(r < 0))
		return r;
	if (unlikely(flags) || unlikely(!entries && count))
		return -EINVAL;
	if (unlikely(!count))
		return 0;
	r = mailbox->operations->send_batch(mailbox, entries,
					    min_u64(count, INT_MAX), deadline);
	if (r > 0)
		PROBE2(send_batch, mailbox, r);
	return pollable_told(mailbox, CUBBY_SEND, r);
}

/* Receiving -------------------------------------------------------------- */

int
cubby_receive_batch(cubby_mailbox *mailbox, const struct cubby_filter *filter,
		    int flags, int64_t deadline,
		    struct cubby_batch_entry *entries, size_t count,
		    void *buffer, size_t size)
{
	struct batch batch = { .entries = entries, .buffer = buffer,
			       .count = min_u64(count, INT_MAX), .size = size };
	struct wish wish = { .kind = WISH_COPY, .batch = &batch,
			     .buffer = buffer, .size = size };
	int r;

	r = handle_check(mailbox, CUBBY_RECEIVE);
	if (unlikely(r < 0))
		return r;
	if (unlikely(flags) || (!buffer && size) || (!entries && count) ||
	    (count && !batch_is_good(&entries[0])))
		return -EINVAL;
	r = message_read_filter(filter, &wish);
	if (r < 0 || !count)
		return r;
	r = mailbox->operations->receive_batch(mailbox, &wish, deadline);
	if (r == -EMSGSIZE)
		entries[0].size = wish.taken.size;
	if (r >= 0)
		PROBE2(receive_batch, mailbox, batch.filled);
	return r < 0 ? pollable_told(mailbox, CUBBY_RECEIVE, r) :
	       (int)batch.filled;
}
