/* SPDX-License-Identifier: MIT */
/*
 * What victims do who poll a descriptor of the mailbox: they ask for it, arm it
 * by a call that finds nothing, and come back when it is readable. But they
 * wait for its FIFO alone, and not for its timer: whoever brings what they wait
 * for tells them, since nobody but the victim is ever struck. (The sleeper who
 * polls while a victim is struck that should tell it waits for both:
 * sleeper.c.)
 */
#include <errno.h>
#include <poll.h>

#include "acts.h"

static int bell;

static int
role(const struct victim *victim)
{
	return victim->scenario->operation->roles;
}

void
perform_poll_open(struct victim *victim)
{
	int result = cubby_fd(victim->mailbox, role(victim));

	victim->result = result < 0 ? result : 0;
}

void
prepare_poll(struct victim *victim)
{
	perform_poll_open(victim);
	expect(victim, 0);
	bell = bell_find();
}

/* It has been rung, and what it was rung for is gone: so what follows arms it. */
void
prepare_poll_receive(struct victim *victim)
{
	prepare_poll(victim);
	if (victim->scenario->start != EMPTY)
		return;
	victim_mark(victim->stage, MARK_SEND);
	victim->result = actor_take(victim->stage, victim->mailbox, victim->actor,
				    CUBBY_NOW);
	expect(victim, 0);
}

void
prepare_poll_send(struct victim *victim)
{
	prepare_poll(victim);
	prepare_send(victim);
}

/* It is armed, and the victim leaves it so. */
void
prepare_polling(struct victim *victim)
{
	prepare_poll(victim);
	perform_receive_now(victim);
	expect(victim, -EAGAIN);
	victim->result = 0;
}

static void
until_done(struct victim *victim, void (*perform)(struct victim *victim))
{
	struct pollfd asked = { .fd = bell, .events = POLLIN };

	for (;;) {
		perform(victim);
		if (victim->result != -EAGAIN)
			break;
		poll(&asked, 1, -1);
	}
}

void
perform_poll_receive(struct victim *victim)
{
	until_done(victim, perform_receive_now);
}

void
perform_poll_send(struct victim *victim)
{
	until_done(victim, perform_send_now);
}
