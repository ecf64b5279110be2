/* SPDX-License-Identifier: MIT */
/* Layer 13. May include: base clock rest handle pollable wait. */
/*
 * Waiting for several mailboxes by their descriptors (cubby_fd()): for more of
 * them than the kernel sleeps on words at a time, and where it has no futex_waitv.
 *
 * A descriptor is lit, or it is armed; pollable.c has the proof. So poll(2) sleeps
 * while all are armed. One that is lit is looked at, and armed again if there was
 * nothing: that looks once more. Nobody is announced asleep meanwhile, so no ring
 * is given to this thread that another would need.
 *
 * Descriptors stay with their handles, three for each end. So they are made only
 * where that leaves half of what the process may open.
 */
#include "base.h"
#include "clock.h"
#include "pollable.h"
#include "wait.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>

#define DESCRIPTORS_EACH 3
#define AT_ONCE 64	/* looked at by one call, to arm them */

static bool
is_there(const struct end *end)
{
	return pollable_is_there(end->mailbox, end->role);
}

/* May those that are not there yet be made? */
static bool
may_make(const struct waiting *waiting)
{
	struct rlimit limit;
	size_t needed = 0, i;

	for (i = 0; i < waiting->count; i++)
		needed += !is_there(&waiting->ends[i]);
	return !needed ||
	       (getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
		2 * DESCRIPTORS_EACH * needed <= limit.rlim_cur);
}

static bool
get_all(const struct waiting *waiting, struct pollfd *polls)
{
	size_t i;

	if (!may_make(waiting))
		return false;
	for (i = 0; i < waiting->count; i++) {
		polls[i].fd = cubby_fd(waiting->ends[i].mailbox,
				       (int)waiting->ends[i].role);
		polls[i].events = POLLIN;
		if (polls[i].fd < 0)
			return false;
	}
	return true;
}

/* A queue's lock is kept by somebody: its descriptor is lit, so that one asks
   again, and that is done after a slice. */
static bool
leave_out_unknown(const struct waiting *waiting, struct pollfd *polls)
{
	bool any = false;
	size_t i;

	for (i = 0; i < waiting->count; i++) {
		if (waiting->ends[i].unknown != (polls[i].fd < 0))
			polls[i].fd = ~polls[i].fd;
		any = any || waiting->ends[i].unknown;
	}
	return any;
}

/* 0, or an error: -EINTR. */
static int
sleep_until(struct pollfd *polls, size_t count, int64_t until)
{
	int64_t left = until - clock_now();
	struct timespec timeout;

	if (left < 0)
		left = 0;
	timeout.tv_sec = left / NSEC_PER_SEC;
	timeout.tv_nsec = left % NSEC_PER_SEC;
	return ppoll(polls, count, until == CUBBY_FOREVER ? NULL : &timeout,
		     NULL) < 0 ? -errno : 0;
}

static void
look_at_lit(struct waiting *waiting, const struct pollfd *polls)
{
	struct end *end;
	size_t i;

	for (i = 0; i < waiting->count; i++) {
		end = &waiting->ends[i];
		if (!polls[i].revents && !end->unknown)
			continue;
		wait_look(waiting, end, LOOK_THOROUGHLY);
		if (!end->ready && !end->unknown)
			pollable_arm(end->mailbox, end->role);
	}
}

static int
poll_for_all(struct waiting *waiting, struct pollfd *polls, int64_t deadline)
{
	int64_t until;
	int r = 0;

	while (r == 0 && !waiting->ready) {
		until = deadline;
		if (leave_out_unknown(waiting, polls))
			until = (int64_t)min_u64((uint64_t)until,
				(uint64_t)(clock_now() + WAIT_SLICE_LONGEST));
		r = sleep_until(polls, waiting->count, until);
		if (r == 0)
			look_at_lit(waiting, polls);
		if (r == 0 && !waiting->ready && clock_now() >= deadline)
			r = -ETIMEDOUT;
	}
	return waiting->ready ? 0 : r;
}

int
wait_by_descriptors(struct waiting *waiting, int64_t deadline)
{
	struct pollfd *polls = calloc(waiting->count, sizeof(*polls));
	int r = -ENOSYS;
	size_t i;

	for (i = 0; i < waiting->count; i++)
		waiting->ends[i].unknown = false;
	if (polls && get_all(waiting, polls))
		r = poll_for_all(waiting, polls, deadline);
	free(polls);
	return r;
}

/* Of some, those that are lit: the others are armed. */
static void
arm_lit(struct end *const *ends, nfds_t count)
{
	struct pollfd polls[AT_ONCE];
	nfds_t i;

	for (i = 0; i < count; i++)
		polls[i] = (struct pollfd){
			.fd = cubby_fd(ends[i]->mailbox, (int)ends[i]->role),
			.events = POLLIN,
		};
	if (poll(polls, count, 0) <= 0)
		return;
	for (i = 0; i < count; i++)
		if (polls[i].revents)
			pollable_arm(ends[i]->mailbox, ends[i]->role);
}

void
wait_arm_descriptors(const struct waiting *waiting)
{
	struct end *some[AT_ONCE];
	nfds_t count = 0;
	size_t i;

	for (i = 0; i < waiting->count; i++) {
		if (waiting->ends[i].ready || !is_there(&waiting->ends[i]))
			continue;
		some[count++] = &waiting->ends[i];
		if (count == AT_ONCE) {
			arm_lit(some, count);
			count = 0;
		}
	}
	if (count)
		arm_lit(some, count);
}
