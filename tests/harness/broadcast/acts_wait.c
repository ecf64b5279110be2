/* SPDX-License-Identifier: MIT */
/*
 * What those perform who poll a descriptor, and who wait for several mailboxes:
 * that of the play, and one of their own in which nothing ever happens.
 */
#include <errno.h>
#include <poll.h>

#include "../must.h"
#include "play.h"

#define BESIDE "beside"

static int
role(const struct part *own)
{
	return own->act->roles;
}

int
poll_open(struct part *own)
{
	int result = cubby_fd(own->mailbox, role(own));

	return result < 0 ? result : 0;
}

void
prepare_poll(struct part *own)
{
	if (poll_open(own) < 0)
		fail("no descriptor");
	own->bell = bell_find();
}

int
poll_until_done(struct part *own, int (*perform)(struct part *own))
{
	struct pollfd asked = { .fd = cubby_fd(own->mailbox, role(own)),
				.events = POLLIN };
	int result;

	if (asked.fd < 0)
		return asked.fd;
	while ((result = perform(own)) == -EAGAIN)
		poll(&asked, 1, FAR_OFF / NANOSECONDS * 1000);
	return result;
}

/* Told by those who bring what it waits for: nobody else is ever struck. */
static int
ring_until_done(struct part *own, int (*perform)(struct part *own))
{
	struct pollfd asked = { .fd = own->bell, .events = POLLIN };
	int result;

	while ((result = perform(own)) == -EAGAIN)
		poll(&asked, 1, FAR_OFF / NANOSECONDS * 1000);
	return result;
}

int
poll_receive(struct part *own)
{
	return ring_until_done(own, receive_now);
}

int
poll_send(struct part *own)
{
	return ring_until_done(own, send_now);
}

void
prepare_wait(struct part *own)
{
	must(cubby_open(BESIDE, CUBBY_CREATE | CUBBY_RECEIVE, NULL,
			&own->beside), "another mailbox");
	must(cubby_unlink(BESIDE), "its unlink");
}

/* Told by those who bring what it waits for, and by no timer: that would end
   somewhere on the way of who is taken there step by step. */
static void
wait_otherwise(struct part *own)
{
	pretend_call(TIMERFD_SETTIME);
	refuse_call(FUTEX_WAITV);
	own->counts = true;
}

void
prepare_wait_otherwise(struct part *own)
{
	prepare_wait(own);
	wait_otherwise(own);
}

/* There is a descriptor, and it is lit, for a message that is gone by now. */
void
prepare_wait_lit(struct part *own)
{
	wait_otherwise(own);
	must(poll_open(own), "a descriptor");
	must(receive_now(own), "the message that lit it");
	conclude_receive(own);
	prepare_wait(own);
}

int
wait_until_done(struct part *own, int (*perform)(struct part *own))
{
	struct cubby_wait_entry entries[] = {
		{ own->beside, CUBBY_RECEIVE, 0 },
		{ own->mailbox, role(own), 0 },
	};
	int result;

	do {
		result = cubby_wait(entries, 2, CUBBY_FOREVER);
		if (result >= 0 && (result != 1 || entries[0].ready))
			return -EPROTO;
		if (result >= 0)
			result = perform(own);
	} while (result == -EAGAIN);
	return result;
}

int
wait_receive(struct part *own)
{
	return wait_until_done(own, receive_now);
}

int
wait_send(struct part *own)
{
	return wait_until_done(own, send_now);
}
