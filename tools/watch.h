/* SPDX-License-Identifier: MIT */
/*
 * Ends a wait when a signal asks for it, or when nobody reads stdout any more.
 */
#ifndef CUBBY_TOOLS_WATCH_H
#define CUBBY_TOOLS_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#define WATCH_NOBODY_READS (-1)

/*
 * Begins to watch for SIGINT, SIGTERM and SIGHUP (but those that the command
 * was started to ignore) and for the end of stdout's reader. From then on
 * blocking calls return EINTR once there is a cause, and go on doing so.
 * Returns 0 or a negative errno. Does nothing if it has been called before.
 */
int
watch_start(void);

/* Why the command is to end: a signal, WATCH_NOBODY_READS, or 0. */
int
watch_cause(void);

/* Sleeps until that time of CLOCK_MONOTONIC, in nanoseconds. False: the command
   is to end before. */
bool
watch_sleep(int64_t until);

/*
 * Ends the watch. If its cause was a signal, this process dies of it: whoever
 * started it is to know. Allowed without a watch.
 */
void
watch_end(void);

#endif
