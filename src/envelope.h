/* SPDX-License-Identifier: MIT */
/* Layer 5. May include: base. */
/*
 * Envelopes, in and out, whatever version of the struct the caller was compiled
 * with.
 */
#ifndef CUBBY_ENVELOPE_H
#define CUBBY_ENVELOPE_H

#include "base.h"

#include <cubby.h>

/* Is it one, and may a message of that order bear it? NULL is allowed.
   Errors: -EINVAL, -EOPNOTSUPP (a priority, but for order priority). */
int
envelope_check(const struct cubby_envelope *envelope, uint32_t order);

/* Writes what the caller's struct has room for. */
void
envelope_write(struct cubby_envelope *ret, const struct cubby_envelope *full);

/* After a send: sender and sequence. */
void
envelope_sent(struct cubby_envelope *envelope, uint64_t sender,
	      uint64_t sequence);

#endif
