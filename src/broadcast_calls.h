/* SPDX-License-Identifier: MIT */
/* Layer 11. May include: handle. */
/*
 * The operations of a handle of a mailbox whose every receiver gets every
 * message.
 */
#ifndef CUBBY_BROADCAST_CALLS_H
#define CUBBY_BROADCAST_CALLS_H

#include "handle.h"

extern const struct operations broadcast_operations;

#endif
