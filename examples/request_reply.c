/* SPDX-License-Identifier: MIT */
/* Request and reply: the reply comes back to who called, and to nobody else. */
#include <cubby.h>
#include <err.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define SERVER "example-server"

static void
check(int result)
{
	if (result < 0)
		errx(1, "%s", cubby_strerror(result));
}

static void
serve_one(cubby_mailbox *requests)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	int number;

	check(cubby_receive_full(requests, NULL, 0, CUBBY_FOREVER, &number,
				 sizeof number, NULL, &envelope));
	number *= number;
	check(cubby_reply(requests, &envelope, &number, sizeof number));
	cubby_close(requests);
}

int
main(void)
{
	cubby_mailbox *requests;
	pid_t child = fork();
	int role = child == 0 ? CUBBY_RECEIVE : CUBBY_SEND;
	int number = 7, square, status;

	if (child < 0)
		err(1, "fork");
	check(cubby_open(SERVER, CUBBY_CREATE | role, NULL, &requests));
	if (child == 0)
		return serve_one(requests), 0;
	check(cubby_call(requests, &number, sizeof number, &square,
			 sizeof square, NULL, cubby_deadline_after(10e9)));
	printf("the square of %d is %d\n", number, square);
	cubby_close(requests);
	check(cubby_unlink(SERVER));
	return wait(&status) < 0 || status != 0;
}
