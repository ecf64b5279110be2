/* SPDX-License-Identifier: MIT */
/*
 * For the tests of locks: participants that have a slot, a generation and a life
 * that the kernel knows, without a mailbox or a region around them.
 */
#ifndef CUBBY_TESTS_PARTICIPANTS_H
#define CUBBY_TESTS_PARTICIPANTS_H

#include "base.h"
#include "liveness.h"
#include "robust_lock.h"

enum { PARTICIPANTS = 16 }; /* slots */

struct participant {
	struct robust_locker locker;
	struct liveness liveness;
};

/* Before any child is made; and when all is over. */
void
participants_begin(void);
void
participants_end(void);

/* As the next one of that slot, until it leaves or the process dies. */
void
participant_join(uint32_t slot, struct participant *ret);
void
participant_leave(struct participant *participant);

/* The locker's question. */
int
participant_alive(void *context, uint32_t slot, uint64_t generation);

/* Waits to be killed. */
_Noreturn void
participant_stay(void);

/* Runs on as process 1 of a new PID namespace; the process that called waits for
   it. Skips the test if it cannot be. */
void
participant_enter_namespace(void);

#endif
