/* SPDX-License-Identifier: MIT */
/* Layer 13. May include: base parcel. */
/*
 * What the calls that move messages share with those that move regions.
 */
#ifndef CUBBY_MESSAGE_H
#define CUBBY_MESSAGE_H

#include "base.h"
#include "parcel.h"

/* From a caller's filter (NULL: none) to a wish. Errors: -EINVAL. */
int
message_read_filter(const struct cubby_filter *filter, struct wish *wish);

/* May it be sent there, with that envelope (or NULL)? As cubby_send_full(). */
int
message_check_send(const struct cubby_mailbox *mailbox, const void *data,
		   size_t size, const struct cubby_envelope *envelope);

#endif
