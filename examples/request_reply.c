/* SPDX-License-Identifier: MIT */
/* Request and reply by hand: a request names the mailbox for its reply. */
#include <cubby.h>
#include <err.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define SERVER "example-server"

struct request {
	char reply_to[32];
	int number;
};

static void
check(int result)
{
	if (result < 0)
		errx(1, "%s", cubby_strerror(result));
}

static void
serve(cubby_mailbox *requests)
{
	struct request request;
	cubby_mailbox *replies;

	do {
		check(cubby_receive(requests, &request, sizeof request, NULL));
		check(cubby_open(request.reply_to, CUBBY_SEND, NULL, &replies));
		request.number *= request.number;
		check(cubby_send(replies, &request.number, sizeof(int)));
		cubby_close(replies);
	} while (request.number > 1);
}

int
main(void)
{
	struct request request = { "example-client", 5 };
	cubby_mailbox *requests, *replies;
	pid_t child = fork();
	int role = child == 0 ? CUBBY_RECEIVE : CUBBY_SEND, square, status;

	if (child < 0)
		err(1, "fork");
	check(cubby_open(SERVER, CUBBY_CREATE | role, NULL, &requests));
	if (child == 0)
		return serve(requests), cubby_unlink(SERVER) != 0;
	check(cubby_open(request.reply_to, CUBBY_CREATE | CUBBY_RECEIVE, NULL,
			 &replies));
	for (; request.number > 0; request.number--) {
		check(cubby_send(requests, &request, sizeof request));
		check(cubby_receive(replies, &square, sizeof square, NULL));
		printf("%d squared is %d\n", request.number, square);
	}
	check(cubby_unlink(request.reply_to));
	return wait(&status) < 0 || status != 0;
}
