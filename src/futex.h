/* SPDX-License-Identifier: MIT */
/* Layer 1. May include: base atomics clock. */
/*
 * Sleeping on a word of shared memory, and the expensive half of asymmetric
 * fences. Both work through read-only mappings.
 */
#ifndef CUBBY_FUTEX_H
#define CUBBY_FUTEX_H

#include "base.h"
#include "atomics.h"

/*
 * Sleeps while *word == expected, until futex_wake() or the deadline (absolute,
 * CLOCK_MONOTONIC, ns; INT64_MAX: none). The mapping may be read-only.
 * Returns 0 when woken (or for no reason) or when the value was another at
 * once, or when the word's file has no page there any more. Errors: -ETIMEDOUT
 * (also if the value was another, and the deadline has passed) -EINTR.
 */
int
futex_wait(const word32 *word, uint32_t expected, int64_t deadline);

/* A word, and what it has to say for the sleep to last. */
struct futex_ticket {
	const word32 *word;
	uint32_t expected;
};
#define FUTEX_MANY_MAX 128

/*
 * Sleeps while each of the count words (1 to FUTEX_MANY_MAX) says what is
 * expected of it. As futex_wait(); a handler with SA_RESTART does not end it.
 * Errors: also -ENOSYS: the kernel cannot (before Linux 5.16), or may not
 * (seccomp), or had no memory for it.
 */
int
futex_wait_many(const struct futex_ticket *tickets, uint32_t count,
		int64_t deadline);

/* Has it worked so far, or not been tried? */
bool
futex_waits_for_many(void);

/* Wakes up to count sleepers. Through any mapping. Returns how many. */
int
futex_wake(const word32 *word, int count);

/*
 * Registers this process for barrier_all(); call again in a child that uses
 * the library. True: barrier_all() of others reaches us. False: we must fence
 * ourselves on every publish and advance. Idempotent and cheap after the
 * first; async-safe with threads.
 */
bool
barrier_register(void);

/*
 * Makes every running thread of every registered process of the machine
 * execute a full memory barrier before this returns (membarrier(2),
 * MEMBARRIER_CMD_GLOBAL_EXPEDITED). False: the kernel cannot; then the caller
 * executes a full fence itself and sleeps in short slices.
 */
bool
barrier_all(void);

#endif
