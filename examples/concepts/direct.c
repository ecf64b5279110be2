/* SPDX-License-Identifier: MIT */
/* Direct naming, asymmetric: send to a process; receive from whoever sends. */
#include <cubby.h>
#include <err.h>
#include <errno.h>
#include <stdio.h>

#define CLERK "@concept-clerk"

static void
check(int result)
{
	if (result < 0)
		errx(1, "%s", cubby_strerror(result));
}

int
main(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	cubby_mailbox *clerk, *other, *client;
	char text[20], name[64];

	check(cubby_open(CLERK, CUBBY_CREATE | CUBBY_RECEIVE, NULL, &clerk));
	if (cubby_open(CLERK, CUBBY_RECEIVE, NULL, &other) == -EBUSY)
		puts("only one may receive from an inbox");
	options.sender = "ann";
	check(cubby_open(CLERK, CUBBY_SEND, &options, &client));
	check(cubby_send(client, "good morning", 13));
	check(cubby_receive_full(clerk, NULL, 0, CUBBY_FOREVER, text,
				 sizeof text, NULL, &envelope));
	check(cubby_sender_name(clerk, envelope.sender, name, sizeof name));
	printf("from %s: %s\n", name, text);
	cubby_close(clerk);
	if (cubby_send(client, "hello?", 7) == -EPIPE)
		puts("the clerk has gone; nothing was sent");
	cubby_close(client);
	return cubby_unlink(CLERK) != 0;
}
