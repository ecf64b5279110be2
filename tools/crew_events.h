/* SPDX-License-Identifier: MIT */
/* What a crew waits for: messages, commands that end, output, signals, time. */
#ifndef CUBBY_TOOLS_CREW_EVENTS_H
#define CUBBY_TOOLS_CREW_EVENTS_H

#include "crew.h"

/* Begins to take signals by a descriptor. Returns 0 or a negative errno. */
int
crew_watch(struct crew *crew);

/* Ends that; and this process, if a signal has asked for it. */
void
crew_end_watch(struct crew *crew);

/*
 * Blocks until something has come that concerns the crew, and does what it asks
 * for; but it takes no messages, and settles none.
 */
void
crew_wait(struct crew *crew);

/* Whether another message is wanted now. */
bool
crew_may_take(const struct crew *crew);

/* Whether standard output leads to somebody who has gone. */
bool
crew_nobody_reads(void);

#endif
