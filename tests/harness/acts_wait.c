/* SPDX-License-Identifier: MIT */
/*
 * What victims do who wait for several mailboxes: that of the run, and one
 * besides of the victim's own, in which nothing ever happens. It has no name any
 * more, so that nobody else comes by, and who dies leaves it to a sweep.
 */
#include <errno.h>

#include "acts.h"

#define BESIDE "beside"

static void
check(int result, const char *what)
{
	if (result < 0)
		fail("%s: %s", what, cubby_strerror(result));
}

void
prepare_wait(struct victim *victim)
{
	check(cubby_open(BESIDE, CUBBY_CREATE | CUBBY_RECEIVE, NULL,
			 &victim->beside),
	      "the victim's open of another mailbox");
	check(cubby_unlink(BESIDE), "its unlink");
}

void
prepare_wait_send(struct victim *victim)
{
	prepare_wait(victim);
	prepare_send(victim);
}

void
prepare_wait_otherwise(struct victim *victim)
{
	prepare_wait(victim);
	refuse_call(FUTEX_WAITV);
}

void
prepare_wait_send_otherwise(struct victim *victim)
{
	prepare_wait_send(victim);
	refuse_call(FUTEX_WAITV);
}

/* 0: the run's own is ready. */
static int
wait_for(struct victim *victim, int events)
{
	struct cubby_wait_entry entries[] = {
		{ victim->beside, CUBBY_RECEIVE, 0 },
		{ victim->mailbox, events, 0 },
	};
	int result = cubby_wait(entries, 2, CUBBY_FOREVER);

	if (result < 0)
		return result;
	return result == 1 && !entries[0].ready &&
	       entries[1].ready == events ? 0 : -EPROTO;
}

void
perform_wait(struct victim *victim)
{
	victim->result = wait_for(victim, CUBBY_RECEIVE);
}

/* Others may be quicker. */
void
perform_wait_receive(struct victim *victim)
{
	do {
		perform_wait(victim);
		if (victim->result == 0)
			perform_receive_now(victim);
	} while (victim->result == -EAGAIN);
}

void
perform_wait_send(struct victim *victim)
{
	do {
		victim->result = wait_for(victim, CUBBY_SEND);
		if (victim->result == 0)
			perform_send_now(victim);
	} while (victim->result == -EAGAIN);
}

static void
leave_beside(struct victim *victim)
{
	cubby_close(victim->beside);
	victim->beside = NULL;
}

void
conclude_wait_receive(struct victim *victim)
{
	conclude_receive(victim);
	leave_beside(victim);
}

/* It has only waited, and what made it ready stays for the others. */
void
conclude_wait(struct victim *victim)
{
	expect(victim, 0);
	leave_beside(victim);
}

void
conclude_wait_send(struct victim *victim)
{
	conclude_send(victim);
	leave_beside(victim);
}
