/* SPDX-License-Identifier: MIT */
/* Send and receive, each waiting or not: the four combinations. */
#include <cubby.h>
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAME "concept-four"

static void
check(int result)
{
	if (result < 0)
		errx(1, "%s", cubby_strerror(result));
}

/* The next process receives one message; deadline says whether it waits. */
static void
receiver(int64_t deadline)
{
	cubby_mailbox *box;
	char text[40] = "";
	int error = -EAGAIN;

	wait(NULL);
	if (fork() != 0)
		return;
	check(cubby_open(NAME, CUBBY_RECEIVE, NULL, &box));
	while (error == -EAGAIN) /* between two looks, its other work */
		error = cubby_receive_full(box, NULL, 0, deadline, text, 39,
					   NULL, NULL);
	check(error);
	printf("received: %s\n", text);
	exit(0);
}

int
main(void)
{
	cubby_mailbox *box;
	const int sync = CUBBY_SYNCHRONOUS;
	const int64_t forever = CUBBY_FOREVER, now = CUBBY_NOW;

	check(cubby_open(NAME, CUBBY_CREATE | CUBBY_SEND, NULL, &box));
	receiver(forever);
	check(cubby_send_full(box, "both wait", 9, NULL, sync, forever));
	receiver(now);
	check(cubby_send_full(box, "sender waits", 12, NULL, sync, forever));
	receiver(forever);
	check(cubby_send_full(box, "receiver waits", 14, NULL, 0, now));
	wait(NULL);
	check(cubby_send_full(box, "neither waits", 13, NULL, 0, now));
	receiver(now);
	wait(NULL);
	cubby_close(box);
	return cubby_unlink(NAME) != 0;
}
