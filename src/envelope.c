/* SPDX-License-Identifier: MIT */
/* Layer 5. May include: base envelope. */
/*
 * The struct that tells about a message. A caller that sets a smaller size than
 * ours was compiled against an older header: it gets what it knows.
 */
#include "base.h"
#include "envelope.h"

#define PRIORITY_MAX 32767
/* What the first version had; no caller knows less. */
#define SMALLEST sizeof(struct cubby_envelope)

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

void
envelope_write(struct cubby_envelope *ret, const struct cubby_envelope *full)
{
	size_t size = ret->struct_size;

	memcpy(ret, full, size < sizeof(*full) ? size : sizeof(*full));
	ret->struct_size = size;
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
