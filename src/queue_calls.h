/* SPDX-License-Identifier: MIT */
/* Layer 11. May include: handle. */
/*
 * Orders arrival and priority, and rendezvous: the operations of a handle whose
 * messages go through a queue.
 */
#ifndef CUBBY_QUEUE_CALLS_H
#define CUBBY_QUEUE_CALLS_H

#include "handle.h"

extern const struct operations queue_operations;

#endif
