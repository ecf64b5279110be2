/* SPDX-License-Identifier: MIT */
/* Layer 8. May include: base lane. */
/*
 * A lane of a broadcast mailbox, for the one who owns it: where there is room.
 * broadcast.h has the protocol.
 */
#ifndef CUBBY_LANE_AUDIENCE_H
#define CUBBY_LANE_AUDIENCE_H

#include "base.h"
#include "lane.h"

/* What all have received for whom the sender waits. */
uint64_t
audience_passed(struct lane_writer *writer);

/* The first message whose block is still needed: by the audience, or by those
   who come late. */
uint64_t
audience_kept(struct lane_writer *writer);

/* As lane_make_room(). */
int
audience_make_room(struct lane_writer *writer);

/* Asks, once in a tick of the kernel's clock, whether those live for whom the
   sender waits. True: one does not, and is not waited for any more. */
bool
audience_ask(struct lane_writer *writer);

/* Memory is short: gives the oldest block up that nobody is waited for to read.
   False: there is none. */
bool
audience_drop(struct lane_writer *writer);

#endif
