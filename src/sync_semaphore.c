/* SPDX-License-Identifier: MIT */
/* Layer 3. May include: base atomics clock sync_word. */
/*
 * A semaphore of one word; see sync_semaphore.h.
 *
 * To post is one addition, which cannot fail. A CAS that fails, of one who takes,
 * means that somebody else has come further, or that somebody scribbles on the
 * word; so he looks at the clock too, or, if he only tries, gives in after more
 * failures than honest rivals cause.
 */
#include "base.h"
#include "atomics.h"
#include "clock.h"
#include "sync_semaphore.h"

#define TRIES	1000

/* Takes a unit if there is one; *ret_seen: what the word was. */
static bool
take(word64 *count, uint64_t *ret_seen)
{
	uint64_t seen;

	/* relaxed: a guess for the CAS */
	seen = word64_load_relaxed(count);
	*ret_seen = seen;
	/* SEMAPHORE-X2 acq_rel: after the post. Pairs with SEMAPHORE-X3. */
	return sync_number(seen) &&
	       word64_cas_acq_rel(count, &seen,
				  sync_next(seen, sync_number(seen) - 1,
					    seen & SYNC_WAITING));
}

/* Says that somebody waits, if the word is still seen and that; false: look
   again. *seen becomes what it made. */
static bool
announce(word64 *count, uint64_t *seen)
{
	uint64_t made = sync_next(*seen, 0, SYNC_WAITING);

	/* SEMAPHORE-X1 acq_rel: told, then asleep. Pairs with SYNC-X1,
	   SEMAPHORE-X3. */
	if (!word64_cas_acq_rel(count, seen, made))
		return false;
	*seen = made;
	return true;
}

/* Sleeps, unless there is something. */
static int
wait_once(word64 *count, uint64_t seen, int64_t *slice, int64_t deadline)
{
	if (sync_number(seen) || !announce(count, &seen))
		return clock_now() < deadline ? 0 : -ETIMEDOUT;
	return sync_sleep(count, seen, slice, deadline);
}

static int
try_only(word64 *count)
{
	uint64_t seen;
	int tries;

	for (tries = TRIES; tries; tries--) {
		if (take(count, &seen))
			return 0;
		if (!sync_number(seen))
			break;
	}
	return -EAGAIN;
}

int
semaphore_wait(struct sync_semaphore *semaphore, int64_t deadline)
{
	word64 *count = &semaphore->count;
	int64_t slice = 0;
	uint64_t seen;
	int error;

	if (!deadline)
		return try_only(count);
	if (take(count, &seen))
		return 0;
	if (!sync_number(seen))
		sync_look(count, seen);
	for (;;) {
		if (take(count, &seen))
			return 0;
		error = wait_once(count, seen, &slice, deadline);
		if (error)
			return error;
	}
}

int
semaphore_post(struct sync_semaphore *semaphore)
{
	word64 *count = &semaphore->count;
	uint64_t made;

	/* relaxed: the limit is far from where a carry would do harm */
	if (sync_number(word64_load_relaxed(count)) >= SEMAPHORE_MAX)
		return -EOVERFLOW;
	/* SEMAPHORE-X3 acq_rel: what was done, then the unit. Pairs with
	   SEMAPHORE-X1, SEMAPHORE-X2. */
	made = word64_add_acq_rel(count, SYNC_ONE_MORE) + SYNC_ONE_MORE;
	sync_wake(count, made, 1);
	return 0;
}

uint32_t
semaphore_value(const struct sync_semaphore *semaphore)
{
	/* relaxed: another one a moment later */
	return sync_number(word64_load_relaxed(&semaphore->count));
}
