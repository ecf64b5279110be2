/* SPDX-License-Identifier: MIT */
/* Direct naming, symmetric: both name the other; a third does not come between. */
#include <cubby.h>
#include <err.h>
#include <stdio.h>
#include <string.h>

#define INBOX "@concept-bob"

static void
check(int result)
{
	if (result < 0)
		errx(1, "%s", cubby_strerror(result));
}

static cubby_mailbox *
send_as(const char *name, const char *text)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	cubby_mailbox *box;

	options.sender = name;
	check(cubby_open(INBOX, CUBBY_SEND, &options, &box));
	check(cubby_send(box, text, strlen(text) + 1));
	return box;
}

int
main(void)
{
	struct cubby_filter from_alice = CUBBY_FILTER_INIT;
	cubby_mailbox *bob, *alice, *mallory;
	char text[40];

	check(cubby_open(INBOX, CUBBY_CREATE | CUBBY_RECEIVE, NULL, &bob));
	mallory = send_as("mallory", "I was here first");
	alice = send_as("alice", "the key lies under the mat");
	from_alice.sender_name = "alice";
	check(cubby_receive_full(bob, &from_alice, 0, CUBBY_FOREVER, text,
				 sizeof text, NULL, NULL));
	puts(text);
	cubby_close(alice);
	cubby_close(mallory);
	cubby_close(bob);
	return cubby_unlink(INBOX) != 0;
}
