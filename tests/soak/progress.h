/* SPDX-License-Identifier: MIT */
/*
 * Does anybody stand still who need not? Looked at from outside, a hundred times a
 * second: a mailbox in which a message waits (or a sender waits in a send) and a
 * receiver that takes any message waits in a receive, neither of them stopped, and
 * in which nothing has been accepted or handed out since both were so. How long
 * the longest such time was is told; more than STALL_SECONDS is a failure. Where
 * one who is stopped may have the lock (in a queue), the time does not count.
 *
 * Messages count as waiting only if they certainly do: less those of which the dead
 * have left it in doubt, and one for each who is stopped (or killed, and not reaped)
 * and may have one in hand. So more may wait than it says.
 */
#ifndef SOAK_PROGRESS_H
#define SOAK_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define STALL_SECONDS 10

/* Where one person lives at a time. */
struct place {
	pid_t pid; /* 0: nobody */
	uint32_t person;
	int64_t continue_at; /* stopped until then; 0: not stopped */
	bool asleep;	     /* it slept when it was killed */
};

void
progress_begin(int64_t time);

void
progress_sample(const struct place *places, uint32_t count);

#endif
