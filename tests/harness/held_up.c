/* SPDX-License-Identifier: MIT */
/*
 * What survivors do beside a victim that stands still in a queue: with its lock,
 * and without.
 */
#include <errno.h>

#include "harness.h"
#include "must.h"

void
cast_feed(struct run *run)
{
	int result;

	if (run->scenario->kind != RENDEZVOUS)
		return;
	progress("the victim is fed");
	result = actor_send(run->stage, run->senders[BYSTANDER], BYSTANDER,
			    SHORT, CUBBY_NOW);
	if (result != -EAGAIN)
		must(result, "a send that does not wait");
}

static int
call_in_vain(struct run *run, uint32_t which)
{
	cubby_mailbox *sender = run->senders[BYSTANDER];
	cubby_mailbox *receiver = run->receivers[BYSTANDER];
	int64_t deadline = which / 3 % 2 ? CUBBY_NOW :
					   now() + 2 * NANOSECONDS / 1000;
	cubby_message *message;

	if (which % 3 == 0)
		return actor_send(run->stage, sender, BYSTANDER, SHORT,
				  deadline);
	if (which % 3 == 1)
		return actor_take(run->stage, receiver, BYSTANDER, deadline);
	return actor_hold(run->stage, receiver, BYSTANDER, deadline, &message);
}

void
cast_held_up(struct run *run, uint32_t which)
{
	int64_t since = now();
	int result;

	progress("the victim has the lock, and a survivor calls");
	if (!run->receivers[BYSTANDER])
		return;
	result = call_in_vain(run, which);
	if (result == 0)
		fail("call %u did what it should without the lock", which % 6);
	if (result != -ETIMEDOUT)
		fail("call %u, held up, returned %s", which % 6,
		     cubby_strerror(result));
	waited("held up", since);
}
