/* SPDX-License-Identifier: MIT */
/* Layer 5. May include: base layout parcel. */
/*
 * Envelopes, in and out, whatever version of the struct the caller was compiled
 * with.
 */
#ifndef CUBBY_ENVELOPE_H
#define CUBBY_ENVELOPE_H

#include "base.h"
#include "layout.h"
#include "parcel.h"

#include <cubby.h>

/* Is it one, and may a message of that order bear it? NULL is allowed.
   Errors: -EINVAL, -EOPNOTSUPP (a priority, but for order priority). */
int
envelope_check(const struct cubby_envelope *envelope, uint32_t order);

/* Has the caller's struct room for what is needed to reply? */
static inline bool
envelope_tells_call(const struct cubby_envelope *envelope)
{
	return envelope->struct_size >=
	       offsetof(struct cubby_envelope, call) + sizeof(envelope->call);
}

/* Can who wishes reply to the request that he gets? */
static inline bool
wish_can_reply(const struct wish *wish)
{
	const struct cubby_envelope *envelope;

	if (likely(!wish->batch))
		return wish->replies;
	envelope = wish->batch->entries[wish->batch->filled].envelope;
	return envelope && envelope_tells_call(envelope);
}

/* Writes what the caller's struct has room for. */
void
envelope_write(struct cubby_envelope *ret, const struct cubby_envelope *full);

/* Can one with those attributes carry that message of a batch? Errors: -EINVAL
   -EMSGSIZE -EOPNOTSUPP. */
int
envelope_check_entry(const struct attributes *attributes,
		     const struct cubby_batch_entry *entry);

/* A message of size bytes with that envelope, or NULL. */
static inline struct parcel
envelope_parcel(uint64_t size, const struct cubby_envelope *envelope)
{
	struct parcel parcel = { .size = size };

	if (envelope) {
		parcel.tag = envelope->tag;
		parcel.type = (uint64_t)envelope->type;
		parcel.priority = (uint32_t)envelope->priority;
	}
	return parcel;
}

/* Tells of a message. */
void
envelope_describe(const struct taken *taken, uid_t uid, uint32_t deliveries,
		  uint32_t priority, uint64_t missed,
		  struct cubby_envelope *ret);

/* A wish for a batch has been granted: enters what it has got, and makes it one
   for what is still to come. */
void
envelope_enter(struct wish *wish);

/* After a send: sender and sequence. */
void
envelope_sent(struct cubby_envelope *envelope, uint64_t sender,
	      uint64_t sequence);

#endif
