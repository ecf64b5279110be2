/* SPDX-License-Identifier: MIT */
/* Request and reply by hand: a request says where the reply goes. */
#include <cubby.h>
#include <err.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

struct request {
	char reply_to[40];
	int number;
};

static void
check(int result)
{
	if (result < 0)
		errx(1, "%s", cubby_strerror(result));
}

static void
ask(struct request r)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	cubby_mailbox *server, *replies;
	int square;

	options.lifetime = CUBBY_TEMPORARY;
	check(cubby_open(r.reply_to, CUBBY_CREATE | CUBBY_RECEIVE, &options,
			 &replies));
	check(cubby_open("@concept-server", CUBBY_SEND, NULL, &server));
	check(cubby_send(server, &r, sizeof r));
	check(cubby_receive_full(replies, NULL, 0, cubby_deadline_after(10e9),
				 &square, sizeof square, NULL, NULL));
	printf("the square of %d is %d\n", r.number, square);
	cubby_close(server);
	cubby_close(replies);
}

int
main(void)
{
	struct request r = { "@concept-client", 7 };
	cubby_mailbox *requests, *client;

	check(cubby_open("@concept-server", CUBBY_CREATE | CUBBY_RECEIVE, NULL,
			 &requests));
	if (fork() == 0)
		return ask(r), 0;
	check(cubby_receive(requests, &r, sizeof r, NULL));
	r.number *= r.number;
	if (!cubby_open(r.reply_to, CUBBY_SEND, NULL, &client)) {
		cubby_send_full(client, &r.number, sizeof r.number, NULL, 0,
				CUBBY_NOW);
		cubby_close(client);
	}
	cubby_close(requests);
	wait(NULL);
	return cubby_unlink("@concept-server") != 0;
}
