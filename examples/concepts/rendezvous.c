/* SPDX-License-Identifier: MIT */
/* No buffer: a send succeeds only into the hands of a receiver. */
#include <cubby.h>
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAME "concept-rendezvous"

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
	cubby_mailbox *box;
	char text[20] = "";
	int error;

	options.order = CUBBY_ORDER_ARRIVAL;
	options.buffering = CUBBY_RENDEZVOUS;
	check(cubby_open(NAME, CUBBY_CREATE | CUBBY_SEND, &options, &box));
	error = cubby_send_full(box, "early", 5, NULL, 0, CUBBY_NOW);
	printf("nobody receives: %s\n", error == -EAGAIN ? "not sent" : "sent");
	fflush(stdout);
	if (fork() == 0) {
		check(cubby_open(NAME, CUBBY_RECEIVE, NULL, &box));
		check(cubby_receive(box, text, sizeof text - 1, NULL));
		printf("received: %s\n", text);
		cubby_close(box);
		return 0;
	}
	check(cubby_send(box, "here you are", 12)); /* until they have met */
	cubby_close(box);
	wait(NULL);
	return cubby_unlink(NAME) != 0;
}
