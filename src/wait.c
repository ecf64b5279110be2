/* SPDX-License-Identifier: MIT */
/* Layer 13. May include: base atomics clock exclusion futex spin rest doorbell handle wait. */
/*
 * Waiting until one of several mailboxes is ready.
 *
 * What is waited for are *ends*: a mailbox's messages, or its room. A wait looks
 * at all of them for a moment, and then sleeps on the words of all of them:
 *
 *	1 announce each end that does not rest yet	(rest.h)
 *	2 one barrier for all of them, settle
 *	3 look once more at each of them
 *	4 sleep while every word says what it did when it was announced
 *	5 retract those that were rung, or whose slice is over; if none is
 *	  ready, begin again with those
 *	6 at the end, retract the others
 *
 * An end that nobody has rung stays announced over any number of sleeps, so a
 * slice that is over at one of a thousand costs a look at that one.
 *
 *	who waits				who makes the last end ready
 *	announces ends 1 to n			publishes (or takes)
 *	barrier					looks: is somebody asleep there?
 *	looks at ends 1 to n: none		no: done
 *	sleeps while all words are as		yes: changes that word, and
 *	  announced				wakes
 *
 * Of each end alone it is the proof of doorbell.h or waiters.h. That there are
 * several changes two things: the barrier comes after the last announcement,
 * and so after each; and the look at any end comes after the barrier. A word
 * that changes between 3 and 4, or in 4 before the kernel has queued the
 * sleeper on it, is found changed by the kernel, which compares each of them
 * once the sleeper is queued there.
 *
 * Who leaves takes each end back, looks at it after that, and, if it is ready,
 * rings on: see rest.h. So a ring that reached the end that was not the one
 * that ended the wait is not lost to others either.
 *
 * The kernel sleeps on FUTEX_MANY_MAX words at most, and before Linux 5.16, or
 * behind a seccomp filter, on one. Then all of them are waited for by descriptors
 * (wait_poll.c). A process that may not open so many cuts its sleep into slices
 * of up to WAIT_SLICE_LONGEST, after each of which every word is looked at: a few
 * loads, and no more than that delay.
 */
#include "base.h"
#include "clock.h"
#include "futex.h"
#include "handle.h"
#include "rest.h"
#include "spin.h"
#include "wait.h"

#include <stdlib.h>

#define EVENTS		(CUBBY_RECEIVE | CUBBY_SEND)
#define ENDS_HERE	16	/* without allocating memory */
#define SPIN_ENDS	64	/* a look at more takes longer than it may */

_Static_assert(REST_SLICE_OVER == DOORBELL_LOOK, "");

/* Looking ---------------------------------------------------------------- */

static void
see(struct waiting *waiting, struct end *end, int r)
{
	end->unknown = r == -ETIMEDOUT;
	if (end->ready || !r || end->unknown)
		return;
	end->ready = true;
	waiting->ready++;
}

void
wait_look(struct waiting *waiting, struct end *end, enum look how)
{
	see(waiting, end, end->mailbox->operations->look(end->mailbox,
							 end->role, how));
}

static void
look_at_all(struct waiting *waiting, enum look how)
{
	size_t i;

	for (i = 0; i < waiting->count; i++)
		wait_look(waiting, &waiting->ends[i], how);
}

/* Those whose lock was not to be had: all together get as long as one call with
   CUBBY_NOW. -ETIMEDOUT: still not; -EAGAIN: they are not ready. */
static int
look_patiently(struct waiting *waiting)
{
	int64_t until = clock_now() + ROBUST_LOCK_GRACE;
	int r = -EAGAIN;
	struct end *end;
	size_t i;

	for (i = 0; i < waiting->count; i++) {
		end = &waiting->ends[i];
		if (end->unknown && clock_now() < until)
			wait_look(waiting, end, LOOK_PATIENTLY);
		if (end->unknown)
			r = -ETIMEDOUT;
	}
	return r;
}

static int
look_now(struct waiting *waiting)
{
	look_at_all(waiting, LOOK_THOROUGHLY);
	return waiting->ready ? 0 : look_patiently(waiting);
}

/* How long has paid of late: what the first mailbox knows of that. */
static void
spin_for_all(struct waiting *waiting)
{
	struct cubby_mailbox *first = waiting->ends[0].mailbox;
	struct spin spin;

	exclusion_enter(&first->spin_exclusion);
	spin = first->spin;
	exclusion_leave(&first->spin_exclusion);
	spin_begin(&spin);
	/* The clock is read after so many looks, at whichever end. */
	while (!waiting->ready &&
	       spin_again_after(&spin, (uint32_t)waiting->count))
		look_at_all(waiting, LOOK_QUICKLY);
	spin_end(&spin, !waiting->ready);
	exclusion_enter(&first->spin_exclusion);
	first->spin = spin;
	exclusion_leave(&first->spin_exclusion);
}

static void
look_for_a_moment(struct waiting *waiting)
{
	look_at_all(waiting, LOOK_QUICKLY);
	if (!waiting->ready && waiting->count && waiting->count <= SPIN_ENDS)
		spin_for_all(waiting);
}

/* Sleeping --------------------------------------------------------------- */

/* Is it as it was announced? */
static bool
is_rung(const struct end *end)
{
	/* relaxed: what it was rung for is looked at by the retraction */
	return word32_load_relaxed(end->rest.events) != end->rest.ticket;
}

static bool
any_is_rung(const struct waiting *waiting)
{
	size_t i;

	for (i = 0; i < waiting->count; i++)
		if (is_rung(&waiting->ends[i]))
			return true;
	return false;
}

static uint32_t
collect(const struct waiting *waiting, struct futex_ticket *ret)
{
	uint32_t i;

	for (i = 0; i < waiting->count && i < FUTEX_MANY_MAX; i++) {
		ret[i].word = waiting->ends[i].rest.events;
		ret[i].expected = waiting->ends[i].rest.ticket;
	}
	return i;
}

/* On some of the words, or on one. */
static int
sleep_on_some(const struct futex_ticket *tickets, uint32_t count,
	      int64_t until)
{
	int r = -ENOSYS;

	if (count > 1)
		r = futex_wait_many(tickets, count, until);
	return r == -ENOSYS ?
	       futex_wait(tickets->word, tickets->expected, until) : r;
}

static int
sleep_in_slices(const struct waiting *waiting,
		const struct futex_ticket *tickets, uint32_t count,
		int64_t until)
{
	int64_t slice = WAIT_SLICE_FIRST, now = clock_now();
	int r = -ETIMEDOUT;

	while (r == -ETIMEDOUT && now < until && !any_is_rung(waiting)) {
		r = sleep_on_some(tickets, count, now + slice < until ?
				  now + slice : until);
		if (slice < WAIT_SLICE_LONGEST)
			slice *= 2;
		now = clock_now();
	}
	return r == -ETIMEDOUT && now < until ? 0 : r;
}

/* 0, -ETIMEDOUT, -EINTR; -ENOSYS: it cannot be done like that. */
static int
sleep_until(const struct waiting *waiting, int64_t until)
{
	static const word32 nothing;
	const struct futex_ticket none = { .word = &nothing };
	struct futex_ticket tickets[FUTEX_MANY_MAX];
	uint32_t count = collect(waiting, tickets);

	if (!count)
		return futex_wait(none.word, none.expected, until);
	if (waiting->count == 1)
		return futex_wait(tickets->word, tickets->expected, until);
	if (waiting->slices)
		return sleep_in_slices(waiting, tickets, count, until);
	return futex_wait_many(tickets, count, until);
}

/* Resting ---------------------------------------------------------------- */

static void
retract(struct waiting *waiting, struct end *end, int slept)
{
	see(waiting, end, end->mailbox->operations->retract(end->mailbox,
					end->role, &end->rest, slept));
}

/* Those that do not rest. Stops at one that is ready. Errors: those of
   announce. */
static int
announce_all(struct waiting *waiting, bool *ret_barrier)
{
	struct end *end;
	size_t i;
	int r;

	for (i = 0; i < waiting->count && !waiting->ready; i++) {
		end = &waiting->ends[i];
		if (end->rest.kind != REST_NONE)
			continue;
		r = end->mailbox->operations->announce(end->mailbox, end->role,
						       &end->rest);
		if (r < 0)
			return r;
		see(waiting, end, r);
		if (r)
			continue;
		*ret_barrier = *ret_barrier || end->rest.barrier;
		end->until = 0;		/* not asleep yet */
	}
	return 0;
}

static void
settle_all(struct waiting *waiting)
{
	bool fenced = doorbell_barrier();
	struct end *end;
	size_t i;

	for (i = 0; i < waiting->count; i++) {
		end = &waiting->ends[i];
		if (end->rest.kind != REST_NONE && !end->until)
			end->mailbox->operations->settle(end->mailbox,
						end->role, &end->rest, fenced);
	}
}

/* The last look before the sleep, at those that are new. */
static void
look_once_more(struct waiting *waiting)
{
	struct end *end;
	size_t i;

	for (i = 0; i < waiting->count && !waiting->ready; i++) {
		end = &waiting->ends[i];
		if (!end->until && end->rest.look)
			wait_look(waiting, end, LOOK_THOROUGHLY);
	}
}

/* Until when all of them may sleep: till the first slice is over. */
static int64_t
begin_slices(struct waiting *waiting, int64_t deadline)
{
	int64_t now = clock_now();
	struct end *end;
	size_t i;

	for (i = 0; i < waiting->count; i++) {
		end = &waiting->ends[i];
		if (!end->until)
			end->until = now + end->rest.slice;
		if (end->until < deadline)
			deadline = end->until;
	}
	return deadline;
}

/* All of them rest: sleeps, and sees to those that were rung, or that have slept
   for long enough. Errors: -ETIMEDOUT -EINTR -ENOSYS. */
static int
sleep_once(struct waiting *waiting, int64_t until, int64_t deadline)
{
	int r = sleep_until(waiting, until);
	int64_t now = clock_now();
	struct end *end;
	size_t i;

	for (i = 0; i < waiting->count; i++) {
		end = &waiting->ends[i];
		if (is_rung(end))
			retract(waiting, end, 0);
		else if (now >= end->until)
			retract(waiting, end, REST_SLICE_OVER);
	}
	if (r == -EINTR || r == -ENOSYS)
		return r;
	return now >= deadline ? -ETIMEDOUT : 0;
}

static bool
may_sleep_on_words(const struct waiting *waiting)
{
	return waiting->slices || waiting->count <= 1 ||
	       (waiting->count <= FUTEX_MANY_MAX && futex_waits_for_many());
}

static int
sleep_for_all(struct waiting *waiting, int64_t deadline)
{
	bool barrier = false;
	int64_t until;
	int r;

	if (!may_sleep_on_words(waiting))
		return -ENOSYS;
	r = announce_all(waiting, &barrier);
	if (r < 0 || waiting->ready)
		return r;
	if (barrier)
		settle_all(waiting);
	look_once_more(waiting);
	if (waiting->ready)
		return 0;
	until = begin_slices(waiting, deadline);
	return sleep_once(waiting, until, deadline);
}

/* Takes back what rests, and looks at it: who is ready? The others have been looked
   at. */
static void
leave_all(struct waiting *waiting)
{
	struct end *end;
	size_t i;

	for (i = 0; i < waiting->count; i++) {
		end = &waiting->ends[i];
		if (end->rest.kind != REST_NONE)
			retract(waiting, end, 0);
	}
}

/* Not on words. */
static int
sleep_otherwise(struct waiting *waiting, int64_t deadline)
{
	int r;

	leave_all(waiting);
	if (waiting->ready)
		return 0;
	r = wait_by_descriptors(waiting, deadline);
	waiting->slices = r == -ENOSYS;
	return waiting->slices ? 0 : r;
}

/* 0: some are ready. */
static int
wait_for_all(struct waiting *waiting, int64_t deadline)
{
	int r = 0;

	if (deadline == CUBBY_NOW)
		return look_now(waiting);
	look_for_a_moment(waiting);
	while (r == 0 && !waiting->ready) {
		r = sleep_for_all(waiting, deadline);
		if (r == -ENOSYS)
			r = sleep_otherwise(waiting, deadline);
	}
	leave_all(waiting);
	return waiting->ready ? 0 : r;
}

/* The call --------------------------------------------------------------- */

static int
check(const struct cubby_wait_entry *entry)
{
	int r = 0;

	if (entry->events & ~EVENTS)
		return -EINVAL;
	if (!entry->mailbox)
		return 0;
	if (entry->events & CUBBY_RECEIVE)
		r = handle_check(entry->mailbox, CUBBY_RECEIVE);
	if (r == 0 && entry->events & CUBBY_SEND)
		r = handle_check(entry->mailbox, CUBBY_SEND);
	return r;
}

/* How many ends there are to wait for; or an error. */
static int
check_all(const struct cubby_wait_entry *entries, size_t count, size_t *ret)
{
	size_t i, ends = 0;
	int r;

	if (!entries && count)
		return -EINVAL;
	for (i = 0; i < count; i++) {
		r = check(&entries[i]);
		if (r < 0)
			return r;
		if (entries[i].mailbox)
			ends += !!(entries[i].events & CUBBY_RECEIVE) +
				!!(entries[i].events & CUBBY_SEND);
	}
	*ret = ends;
	return 0;
}

static void
add(struct waiting *waiting, const struct cubby_wait_entry *entry, size_t n,
    uint32_t role)
{
	struct end *end = &waiting->ends[waiting->count];

	if (!entry->mailbox || !(entry->events & (int)role))
		return;
	end->mailbox = entry->mailbox;
	end->role = role;
	end->ready = end->unknown = false;
	end->entry = n;
	end->rest.kind = REST_NONE;
	end->until = 0;
	waiting->count++;
}

/* Returns how many entries are ready. */
static int
tell(const struct waiting *waiting, struct cubby_wait_entry *entries,
     size_t count)
{
	const struct end *end;
	int ready = 0;
	size_t i;

	for (i = 0; i < count; i++)
		entries[i].ready = 0;
	for (i = 0; i < waiting->count; i++) {
		end = &waiting->ends[i];
		if (!end->ready)
			continue;
		ready += !entries[end->entry].ready;
		entries[end->entry].ready |= (int)end->role;
	}
	return ready;
}

int
cubby_wait(struct cubby_wait_entry *entries, size_t count, int64_t deadline)
{
	struct end here[ENDS_HERE];
	struct waiting waiting = { .ends = here };
	size_t ends, i;
	int r;

	r = check_all(entries, count, &ends);
	if (r < 0)
		return r;
	if (!ends && deadline == CUBBY_FOREVER)
		return -EINVAL;		/* it would never end */
	if (ends > ENDS_HERE)
		waiting.ends = reallocarray(NULL, ends, sizeof(struct end));
	if (!waiting.ends)
		return -ENOMEM;
	for (i = 0; i < count; i++) {
		add(&waiting, &entries[i], i, CUBBY_RECEIVE);
		add(&waiting, &entries[i], i, CUBBY_SEND);
	}
	r = wait_for_all(&waiting, deadline);
	wait_arm_descriptors(&waiting);
	if (r == 0)
		r = tell(&waiting, entries, count);
	if (waiting.ends != here)
		free(waiting.ends);
	return r;
}
