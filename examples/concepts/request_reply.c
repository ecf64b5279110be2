/* SPDX-License-Identifier: MIT */
/* Request and reply: what a caller is told when its server dies. */
#include <cubby.h>
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static void
check(int result)
{
	if (result < 0)
		errx(1, "%s", cubby_strerror(result));
}

static void
serve_until_0(void)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	cubby_mailbox *requests;
	int n;

	check(cubby_open("concept-server", CUBBY_RECEIVE, NULL, &requests));
	for (;;) {
		check(cubby_receive_full(requests, NULL, 0, CUBBY_FOREVER, &n,
					 sizeof n, NULL, &envelope));
		if (n == 0)
			_exit(0);
		n *= n;
		check(cubby_reply(requests, &envelope, &n, sizeof n));
	}
}

static void
ask(cubby_mailbox *server, int n)
{
	int square, r = cubby_call(server, &n, sizeof n, &square, sizeof square,
				   NULL, cubby_deadline_after(10e9));

	if (r == 0)
		printf("the square of %d is %d\n", n, square);
	else
		printf("%d: %s\n", n, r == -EPIPE ? "it died" : "error");
}

int
main(void)
{
	cubby_mailbox *server;

	check(cubby_open("concept-server", CUBBY_CREATE | CUBBY_SEND, NULL,
			 &server));
	if (fork() == 0)
		serve_until_0();
	ask(server, 7);
	ask(server, 0);
	cubby_close(server);
	return wait(NULL) < 0 || cubby_unlink("concept-server") != 0;
}
