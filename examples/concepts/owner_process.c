/* SPDX-License-Identifier: MIT */
/* A mailbox of its users: with the last of them it is gone. */
#include <cubby.h>
#include <err.h>
#include <errno.h>
#include <stdio.h>

#define NAME "concept-owner-process"

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
	cubby_mailbox *owner, *sender;

	options.lifetime = CUBBY_TEMPORARY;
	check(cubby_open(NAME, CUBBY_CREATE | CUBBY_RECEIVE, &options, &owner));
	check(cubby_open(NAME, CUBBY_SEND, NULL, &sender));
	check(cubby_send(sender, "hello", 5));
	cubby_close(owner);
	cubby_close(sender);
	if (cubby_open(NAME, CUBBY_SEND, NULL, &sender) == -ENOENT)
		puts("gone, and its messages with it");
	return 0;
}
