/* SPDX-License-Identifier: MIT */
/* Layer 12. May include: base atomics clock exclusion shm layout bell doorbell handle pollable. */
/*
 * A descriptor for each end of a handle, that polls readable when the end may
 * be ready. It is an epoll descriptor over two others:
 *
 *	its bell	a FIFO, with a byte in it once somebody has rung (bell.h)
 *	a timer		for the sleeper's own look, as in doorbell.h
 *
 * At any time it is *lit* (its bell has a byte) or *armed* (who makes the end
 * ready will ring). What is public:
 *
 *	a call that finds nothing	empties the bell, arms it, looks once
 *					more; if there is something, rings it
 *					itself: it is lit
 *	one that finds something	leaves it as it is: there may be more
 *	who makes it ready		rings, if it is armed: from then on it is
 *					lit
 *
 * So it is lit, or about to be, as long as there is something; it may be lit
 * for nothing, which the next call that finds nothing puts right. doorbell.h
 * and queue_poll.c have the two columns, and arm one end each.
 *
 * The timer is set when it is armed, to SLEEP_SLICE_FIRST, and to twice as long
 * as the last time if it has ended with nobody having rung. It is not set again
 * while it ends soon enough: so a descriptor in use takes no call for it but
 * now and then. It runs before there is a descriptor to be told of, and goes on by
 * itself: what can neither be armed nor lit, for want of something, is looked at
 * all the same.
 *
 * The three descriptors are the handle's, and closed with it. A child after
 * fork() inherits them, and what it polls is its parent's: it closes them with
 * the handle that it has inherited.
 */
#include "base.h"
#include "bell.h"
#include "clock.h"
#include "doorbell.h"
#include "pollable.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

struct pollable {
	uint32_t role;
	int fd;			/* the one that is told of */
	int timer;
	/* Which tell them from files, not from others of the sort. */
	struct file_identity is, timer_is;
	int64_t ends;		/* when the timer does */
	int64_t slice;
	struct bell bell;
};

static struct pollable **
place_of(struct cubby_mailbox *mailbox, uint32_t role)
{
	return role == CUBBY_RECEIVE ? &mailbox->pollables.receiving :
				       &mailbox->pollables.sending;
}

/* Arming ----------------------------------------------------------------- */

static int
set_timer(struct pollable *pollable, int64_t at)
{
	struct itimerspec spec = {
		.it_value.tv_sec = at / NSEC_PER_SEC,
		.it_value.tv_nsec = at % NSEC_PER_SEC,
		.it_interval.tv_sec = SLEEP_SLICE_LONGEST / NSEC_PER_SEC,
	};
	int fd = shm_still(pollable->timer, &pollable->timer_is);

	pollable->ends = at;
	if (fd < 0)
		return fd;
	return timerfd_settime(fd, TFD_TIMER_ABSTIME, &spec, NULL) < 0 ?
			       -errno : 0;
}

/* Armed. rested: it was before, and nobody has rung since. */
static void
wind_timer(struct pollable *pollable, bool rested, int64_t longest)
{
	int64_t now = clock_now();
	bool over = now >= pollable->ends;

	if (!rested)
		pollable->slice = SLEEP_SLICE_FIRST;
	else if (over)
		pollable->slice *= 2;
	if (pollable->slice > longest)
		pollable->slice = longest;
	if (over || pollable->ends > now + pollable->slice)
		set_timer(pollable, now + pollable->slice);
}

static void
arm(struct cubby_mailbox *mailbox, struct pollable *pollable)
{
	int64_t longest;
	int r;

	bell_drain(&pollable->bell);
	r = mailbox->operations->arm(mailbox, pollable->role, &longest);
	if (r == 0 || r == -EALREADY)
		wind_timer(pollable, r == -EALREADY, longest);
	else
		bell_light(&pollable->bell);
}

COLD void
pollable_arm(struct cubby_mailbox *mailbox, uint32_t role)
{
	exclusion_enter(&mailbox->pollables.exclusion);
	arm(mailbox, *place_of(mailbox, role));
	exclusion_leave(&mailbox->pollables.exclusion);
}

/* Making one ------------------------------------------------------------- */

static int
watch(struct pollable *pollable, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };

	return epoll_ctl(pollable->fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno :
									 0;
}

static int
make_descriptors(struct pollable *pollable)
{
	int r;

	pollable->fd = epoll_create1(EPOLL_CLOEXEC);
	if (pollable->fd < 0)
		return -errno;
	pollable->timer = timerfd_create(CLOCK_MONOTONIC,
					 TFD_CLOEXEC | TFD_NONBLOCK);
	if (pollable->timer < 0)
		return -errno;
	r = shm_identify(pollable->fd, &pollable->is);
	if (r == 0)
		r = shm_identify(pollable->timer, &pollable->timer_is);
	if (r == 0)
		r = watch(pollable, pollable->timer);
	return r < 0 ? r : watch(pollable, pollable->bell.fd);
}

/* Its number is known before the FIFO is there: see bell.h. */
static int
hang_bell(struct cubby_mailbox *mailbox, struct pollable *pollable)
{
	bool lanes = mailbox->view.attributes.order == CUBBY_ORDER_SENDER;
	int r;

	r = bell_begin(lanes && pollable->role == CUBBY_SEND ? BELL_OF_LANE :
							       BELL_OF_OTHERS,
		       &pollable->bell);
	if (r < 0)
		return r;
	mailbox->operations->hang(mailbox, pollable->role, &pollable->bell);
	return bell_make(&mailbox->view, &pollable->bell);
}

static void
close_descriptors(struct pollable *pollable)
{
	shm_close_kept(pollable->timer, &pollable->timer_is);
	shm_close_kept(pollable->fd, &pollable->is);
}

static void
take_down(struct cubby_mailbox *mailbox, struct pollable *pollable)
{
	mailbox->operations->hang(mailbox, pollable->role, NULL);
	close_descriptors(pollable);
	bell_remove(&mailbox->view, &pollable->bell);
	free(pollable);
}

static int
make(struct cubby_mailbox *mailbox, uint32_t role, struct pollable **ret)
{
	struct pollable *pollable = malloc(sizeof(*pollable));
	int r;

	if (!pollable)
		return -ENOMEM;
	*pollable = (struct pollable){ .role = role, .fd = -1, .timer = -1,
				       .bell.fd = -1 };
	r = hang_bell(mailbox, pollable);
	if (r == 0)
		r = make_descriptors(pollable);
	/* From here on it is told by this, whatever cannot be armed or lit. */
	if (r == 0)
		r = set_timer(pollable, clock_now() + SLEEP_SLICE_FIRST);
	if (r < 0) {
		take_down(mailbox, pollable);
		return r;
	}
	arm(mailbox, pollable);
	*ret = pollable;
	return 0;
}

/* Under the lock. */
static int
get(struct cubby_mailbox *mailbox, uint32_t role)
{
	struct pollables *all = &mailbox->pollables;
	struct pollable **place = place_of(mailbox, role);
	int r;

	if (*place) {
		r = shm_still((*place)->fd, &(*place)->is);
		return r < 0 ? -EMFILE : r;
	}
	r = make(mailbox, role, place);
	if (r < 0)
		return r;
	/* relaxed: under the lock, which all who write it have */
	/* POLL-R1 release: what is to be armed. Pairs with POLL-A1. */
	word32_store_release(&all->roles,
			     word32_load_relaxed(&all->roles) | role);
	return (*place)->fd;
}

int
cubby_fd(cubby_mailbox *mailbox, int role)
{
	int r;

	if (!mailbox || (role != CUBBY_SEND && role != CUBBY_RECEIVE))
		return -EINVAL;
	r = handle_check(mailbox, (uint32_t)role);
	if (r < 0)
		return r;
	exclusion_enter(&mailbox->pollables.exclusion);
	r = get(mailbox, (uint32_t)role);
	exclusion_leave(&mailbox->pollables.exclusion);
	return r;
}

/* Closing ---------------------------------------------------------------- */

void
pollable_close(struct cubby_mailbox *mailbox)
{
	struct pollables *all = &mailbox->pollables;

	if (all->receiving)
		take_down(mailbox, all->receiving);
	if (all->sending)
		take_down(mailbox, all->sending);
	all->receiving = all->sending = NULL;
}

static void
forget(struct pollable *pollable)
{
	if (!pollable)
		return;
	bell_close(&pollable->bell);
	close_descriptors(pollable);
	free(pollable);
}

void
pollable_forget(struct cubby_mailbox *mailbox)
{
	forget(mailbox->pollables.receiving);
	forget(mailbox->pollables.sending);
}
