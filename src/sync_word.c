/* SPDX-License-Identifier: MIT */
/* Layer 2. May include: base atomics clock futex spin sync_word. */
/*
 * Sleeping on a number and waking who sleeps; proved in sync_word.h.
 *
 * Nothing here believes the word: it is compared, never used as an index, and
 * each sleep has an end.
 */
#include "base.h"
#include "atomics.h"
#include "clock.h"
#include "futex.h"
#include "spin.h"
#include "sync_word.h"

#define LOOK_TIME	(20 * NSEC_PER_USEC)
#define PAUSES		16

void
sync_wake(word64 *word, uint64_t made, int count)
{
	uint64_t without = sync_next(made, sync_number(made), 0);

	if (!(made & SYNC_WAITING))
		return;
	if (futex_wake(word64_low_half(word), count) == count)
		return; /* others may be left */
	/* SYNC-X1 acq_rel: nobody sleeps, and nothing has happened. Pairs with
	   SEMAPHORE-X1, CONDITION-X1. */
	word64_cas_acq_rel(word, &made, without);
}

int
sync_sleep(const word64 *word, uint64_t seen, int64_t *slice, int64_t deadline)
{
	int64_t now = clock_now();
	int error;

	if (now >= deadline)
		return -ETIMEDOUT;
	*slice = *slice ? 2 * *slice : SYNC_SLICE_FIRST;
	if (*slice > SYNC_SLICE_LONGEST)
		*slice = SYNC_SLICE_LONGEST;
	if (deadline - now > *slice)
		deadline = now + *slice;
	error = futex_wait(word64_low_half(word), (uint32_t)seen, deadline);
	return error == -ETIMEDOUT ? 0 : error;
}

void
sync_look(const word64 *word, uint64_t seen)
{
	int64_t until;
	int i;

	if (!spin_pays())
		return;
	until = clock_now() + LOOK_TIME;
	do {
		for (i = 0; i < PAUSES; i++)
			cpu_relax();
		/* relaxed: who asked looks again */
		if (sync_number(word64_load_relaxed(word)) != sync_number(seen))
			return;
	} while (clock_now() < until);
}
