/* SPDX-License-Identifier: MIT */
#include "inbox.h"
#include <time.h>

struct cubby_options made = CUBBY_OPTIONS_INIT;

cubby_mailbox *
open_receiver(void)
{
	return open_mailbox(NAME, CUBBY_CREATE | CUBBY_RECEIVE, &made);
}

cubby_mailbox *
open_sender(void)
{
	return open_mailbox(NAME, CUBBY_CREATE | CUBBY_SEND, &made);
}

void
owner_fork(struct child *ret)
{
	struct gate opened = gate_make();

	in_child(ret) {
		open_receiver();
		gate_open(&opened);
		pause();
	}
	gate_wait(&opened);
}

void
next_tick(void)
{
	struct timespec first, now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &first);
	do
		clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	while (now.tv_nsec == first.tv_nsec && now.tv_sec == first.tv_sec);
}

static void
expect_epipe(const char *file, int line, const char *what, int result)
{
	expect_result_at(file, line, what, result, -EPIPE);
}

void
expect_gone_at(const char *file, int line, cubby_mailbox *sender)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	cubby_draft *draft = NULL;
	uint64_t waiting = inspect(NAME).waiting;

	expect_epipe(file, line, "cubby_send()", cubby_send(sender, "x", 1));
	expect_epipe(file, line, "cubby_send_full()",
		     cubby_send_full(sender, "x", 1, &envelope, 0, soon()));
	expect_int(envelope.sequence, 0);
	expect_epipe(file, line, "CUBBY_NOW",
		     cubby_send_full(sender, "x", 1, NULL, 0, CUBBY_NOW));
	expect_epipe(file, line, "CUBBY_SYNCHRONOUS",
		     cubby_send_full(sender, "x", 1, NULL, CUBBY_SYNCHRONOUS,
				     soon()));
	if (made.buffering != CUBBY_RENDEZVOUS)
		expect_epipe(file, line, "cubby_reserve()",
			     cubby_reserve(sender, 1, soon(), &draft));
	expect(draft == NULL);
	expect_int(inspect(NAME).waiting, waiting);
}
