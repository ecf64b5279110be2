/* SPDX-License-Identifier: MIT */
/* A mailbox of the system: it outlives its maker, messages and all. */
#include <cubby.h>
#include <err.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAME "concept-owner-system"

static void
check(int result)
{
	if (result < 0)
		errx(1, "%s", cubby_strerror(result));
}

int
main(void)
{
	cubby_mailbox *box;
	char text[20] = "";

	if (fork() == 0) {
		check(cubby_open(NAME, CUBBY_CREATE | CUBBY_SEND, NULL, &box));
		check(cubby_send(box, "my last words", 13));
		_exit(0); /* without even closing it */
	}
	wait(NULL);
	check(cubby_open(NAME, CUBBY_RECEIVE, NULL, &box));
	check(cubby_receive(box, text, sizeof text - 1, NULL));
	puts(text);
	cubby_close(box);
	return cubby_unlink(NAME) != 0;
}
