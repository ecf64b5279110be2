/* SPDX-License-Identifier: MIT */
/*
 * Are those who sleep woken? A sleeper of cubby looks for himself now and then, so
 * a wake-up that is forgotten is a delay of 50 ms and more, and not a hang. Two
 * processes that nobody kills or stops send a message to and fro, each asleep
 * while the other has it, through cubby in several ways and, in turn, through
 * pipes of the kernel. However loaded the machine is, the load is the same for
 * all of them; so what is compared is the median of each way with that of the
 * pipes: more than three times as long and 40 ms is a failure.
 */
#ifndef SOAK_PAIRS_H
#define SOAK_PAIRS_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

struct pair {
	pid_t ping, pong;
};

void
pair_begin(struct pair *ret);

/* Ends them; to be called when the round has ended. */
void
pair_end(struct pair *pair);

/* Prints the medians, and notes findings. */
void
pair_report(FILE *to);

#endif
