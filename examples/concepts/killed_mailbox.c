/* SPDX-License-Identifier: MIT */
/* Killed with a message in its hands: the message goes back. */
#include <cubby.h>
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAME "concept-killed"

static void
check(int result)
{
	if (result < 0)
		errx(1, "%s", cubby_strerror(result));
}

int
main(void)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	cubby_mailbox *box;
	cubby_message *held;
	int item;

	check(cubby_open(NAME, CUBBY_CREATE | CUBBY_SEND, NULL, &box));
	for (item = 1; item <= 3; item++)
		check(cubby_send(box, &item, sizeof item));
	cubby_close(box);
	if (fork() == 0) { /* the consumer */
		check(cubby_open(NAME, CUBBY_RECEIVE, NULL, &box));
		check(cubby_hold(box, NULL, CUBBY_FOREVER, &held));
		kill(getpid(), SIGKILL);
	}
	wait(NULL);
	check(cubby_open(NAME, CUBBY_RECEIVE, NULL, &box));
	for (int i = 0; i < 3; i++) {
		check(cubby_receive_full(box, NULL, 0, CUBBY_FOREVER, &item,
					 sizeof item, NULL, &envelope));
		printf("item %d, handed out %u times\n", item,
		       envelope.deliveries);
	}
	cubby_close(box);
	return cubby_unlink(NAME) != 0;
}
