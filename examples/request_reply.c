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
serve_one(cubby_mailbox *requests)
{
	struct request request;
	cubby_mailbox *replies;

	check(cubby_receive(requests, &request, sizeof request, NULL));
	int square = request.number * request.number;
	check(cubby_open(request.reply_to, CUBBY_SEND, NULL, &replies));
	check(cubby_send(replies, &square, sizeof square));
	cubby_close(replies);
	cubby_close(requests);
}

int
main(void)
{
	struct request request = { .reply_to = "example-client", .number = 7 };
	cubby_mailbox *requests, *replies;
	pid_t child = fork();
	int role = child == 0 ? CUBBY_RECEIVE : CUBBY_SEND, square, status;

	if (child < 0)
		err(1, "fork");
	check(cubby_open(SERVER, CUBBY_CREATE | role, NULL, &requests));
	if (child == 0)
		return serve_one(requests), 0;
	check(cubby_open(request.reply_to, CUBBY_CREATE | CUBBY_RECEIVE, NULL,
			 &replies));
	check(cubby_send(requests, &request, sizeof request));
	check(cubby_receive(replies, &square, sizeof square, NULL));
	printf("the square of %d is %d\n", request.number, square);
	cubby_close(replies);
	cubby_close(requests);
	check(cubby_unlink(request.reply_to));
	check(cubby_unlink(SERVER));
	return wait(&status) < 0 || status != 0;
}
