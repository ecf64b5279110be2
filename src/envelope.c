/* SPDX-License-Identifier: MIT */
/* Layer 5. May include: base layout parcel envelope. */
/*
 * The struct that tells about a message. A caller that sets a smaller size than
 * ours was compiled against an older header: it gets what it knows.
 */
#include "base.h"
#include "envelope.h"

#define PRIORITY_MAX 32767
/* What the first version had; no caller knows less. */
#define SMALLEST offsetof(struct cubby_envelope, call)

int
envelope_check(const struct cubby_envelope *envelope, uint32_t order)
{
	if (!envelope)
		return 0;
	if (envelope->struct_size < SMALLEST || envelope->type < 0 ||
	    envelope->priority < 0 || envelope->priority > PRIORITY_MAX)
		return -EINVAL;
	return envelope->priority && order != CUBBY_ORDER_PRIORITY ?
	       -EOPNOTSUPP : 0;
}

int
envelope_check_entry(const struct attributes *attributes,
		     const struct cubby_batch_entry *entry)
{
	if (unlikely(!entry->data && entry->size))
		return -EINVAL;
	if (unlikely(entry->size > attributes->message_max) ||
	    unlikely(attributes->sizing &&
		     entry->size != attributes->message_max))
		return -EMSGSIZE;
	return likely(!entry->envelope) ? 0 :
	       envelope_check(entry->envelope, attributes->order);
}

void
envelope_write(struct cubby_envelope *ret, const struct cubby_envelope *full)
{
	size_t size = ret->struct_size;

	if (likely(size >= sizeof(*full)))
		*ret = *full;
	else
		memcpy(ret, full, size);
	ret->struct_size = size;
}

void
envelope_describe(const struct taken *taken, uid_t uid, uint32_t deliveries,
		  uint32_t priority, uint64_t missed,
		  struct cubby_envelope *ret)
{
	struct cubby_envelope full = CUBBY_ENVELOPE_INIT;

	full.tag = taken->call ? 0 : taken->tag;
	full.call = taken->call ? taken->tag : 0;
	full.type = (int64_t)taken->type;
	full.priority = (int32_t)priority;
	full.uid = uid;
	full.sender = taken->lane + 1;
	full.sequence = taken->position + 1;
	full.size = taken->size;
	full.deliveries = deliveries;
	full.missed = missed;
	envelope_write(ret, &full);
}

/* Of one message that was received by itself. */
static void
enter_one(struct wish *wish)
{
	struct batch *batch = wish->batch;
	struct cubby_batch_entry *entry = &batch->entries[batch->filled];

	entry->data = wish->buffer;
	entry->size = wish->taken.size;
	if (entry->envelope)
		envelope_describe(&wish->taken, wish->uid, wish->deliveries,
				  wish->priority, wish->missed,
				  entry->envelope);
	batch->got = 1;
	batch->got_used = batch_begin(batch, batch->used) + wish->taken.size;
}

void
envelope_enter(struct wish *wish)
{
	struct batch *batch = wish->batch;

	if (!batch->got)
		enter_one(wish);
	batch->filled += batch->got;
	batch->used = batch->got_used;
	batch->got = 0;
	wish->buffer = batch->buffer + batch_begin(batch, batch->used);
	wish->size = batch->size - batch_begin(batch, batch->used);
}

void
envelope_sent(struct cubby_envelope *envelope, uint64_t sender,
	      uint64_t sequence)
{
	if (!envelope)
		return;
	envelope->sender = sender;
	envelope->sequence = sequence;
}
