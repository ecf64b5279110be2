/* SPDX-License-Identifier: MIT */
/*
 * The other end of a rendezvous, where no message can wait for anyone: a child
 * that comes to receive what a survivor sends, or to offer what somebody is to
 * receive.
 */
#include <signal.h>
#include <unistd.h>

#include "harness.h"
#include "must.h"

static const struct entry *
awaited(const struct run *run)
{
	return &run->stage->account
			.entries[run->awaited][run->awaited_number];
}

/* What others offer meanwhile it takes as well. */
static void
receive_awaited(struct run *run)
{
	int64_t end = now() + FAR_OFF;
	cubby_mailbox *mailbox;

	must(cubby_open(MAILBOX, CUBBY_RECEIVE, NULL, &mailbox), "open");
	do
		must(actor_take(run->stage, mailbox, PARTNER, end),
		     "the partner's receive");
	while (!awaited(run)->ended);
}

void
partner_send(struct run *run, enum actor actor, size_t size)
{
	int64_t since = now();
	pid_t pid;

	progress("a survivor sends to a partner");
	run->awaited = actor;
	run->awaited_number = run->stage->account.last[actor] + 1;
	pid = helper_fork(run, receive_awaited);
	must(actor_send(run->stage, run->senders[actor], actor, size,
			since + FAR_OFF),
	     "a survivor's send");
	waited("send", since);
	helper_bury(run, pid, "the partner");
}

static void
offer(struct run *run)
{
	cubby_mailbox *mailbox;

	must(cubby_open(MAILBOX, CUBBY_SEND, NULL, &mailbox), "open");
	must(actor_send(run->stage, mailbox, PARTNER, run->offered,
			now() + FAR_OFF),
	     "the partner's send");
}

void
partner_offer(struct run *run, size_t size)
{
	pid_t pid;
	int i = 0;

	while (i < PARTNERS && run->partners[i])
		i++;
	if (i == PARTNERS)
		fail("too many partners");
	run->offered = size;
	pid = helper_fork(run, offer);
	run->partners[i] = pid;
	helper_lull(pid);
}

void
partners_leave(struct run *run)
{
	for (int i = 0; i < PARTNERS; i++) {
		if (!run->partners[i])
			continue;
		cast_drain(run);
		helper_bury(run, run->partners[i], "the partner");
		run->partners[i] = 0;
	}
}
