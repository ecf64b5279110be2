/* SPDX-License-Identifier: MIT */
/* Layer 13. May include: base envelope parcel handle pollable message. */
/*
 * The public calls that move many messages at once. Each step of BATCH_STEP
 * messages is checked, then sent as far as there is room; lane.h and queue.h say
 * what a step is, and what is left of it when somebody dies.
 */
#include "base.h"
#include "envelope.h"
#include "handle.h"
#include "message.h"
#include "pollable.h"

/* Sending ---------------------------------------------------------------------- */

static int
check(const struct cubby_mailbox *mailbox,
      const struct cubby_batch_entry *entry)
{
	if (unlikely(!entry->data && entry->size))
		return -EINVAL;
	if (unlikely(entry->size > mailbox->message_max) ||
	    unlikely(mailbox->fixed && entry->size != mailbox->message_max))
		return -EMSGSIZE;
	return likely(!entry->envelope) ? 0 :
	       envelope_check(entry->envelope, mailbox->view.attributes.order);
}

/* Those before the first that cannot be sent; or what keeps the first from it. */
static int
sendable(const struct cubby_mailbox *mailbox,
	 const struct cubby_batch_entry *entries, size_t count)
{
	int n = 0, r = 0;

	while (n < BATCH_STEP && (size_t)n < count &&
	       (r = check(mailbox, &entries[n])) == 0)
		n++;
	return n ? n : r;
}

int
cubby_send_batch(cubby_mailbox *mailbox,
		 const struct cubby_batch_entry *entries, size_t count,
		 int flags, int64_t deadline)
{
	size_t sent = 0;
	int n, r;

	r = handle_check(mailbox, CUBBY_SEND);
	if (unlikely(r < 0))
		return r;
	if (unlikely(flags) || unlikely(!entries && count))
		return -EINVAL;
	count = min_u64(count, INT_MAX);
	do {
		n = sendable(mailbox, entries + sent, count - sent);
		r = n;
		if (likely(n > 0))
			r = mailbox->operations->send_batch(mailbox,
				entries + sent, (uint32_t)n, deadline);
		if (likely(r > 0))
			sent += (size_t)r;
	} while (r > 0 && r == n && sent < count);
	return sent ? (int)sent : pollable_told(mailbox, CUBBY_SEND, r);
}

/* Receiving --------------------------------------------------------------------- */

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
	return r < 0 ? pollable_told(mailbox, CUBBY_RECEIVE, r) :
	       (int)batch.filled;
}
