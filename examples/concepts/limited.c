/* SPDX-License-Identifier: MIT */
/* A limited buffer: whoever finds no room waits, or is told so. */
#include <cubby.h>
#include <err.h>
#include <errno.h>
#include <stdio.h>

#define NAME "concept-limited"

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
	const int both = CUBBY_SEND | CUBBY_RECEIVE;
	cubby_mailbox *box;
	int item, sent = 0, error;

	options.capacity = 3;
	check(cubby_open(NAME, CUBBY_CREATE | both, &options, &box));
	while (!cubby_send_full(box, &sent, sizeof sent, NULL, 0, CUBBY_NOW))
		sent++;
	printf("%d items are in, then it is full\n", sent);
	error = cubby_send_full(box, &sent, sizeof sent, NULL, 0,
				cubby_deadline_after(1000000));
	printf("a millisecond later it is%s full\n",
	       error == -ETIMEDOUT ? " still" : " no longer");
	check(cubby_receive(box, &item, sizeof item, NULL));
	check(cubby_send(box, &sent, sizeof sent));
	printf("with item %d out, there was room for one more\n", item);
	cubby_close(box);
	return cubby_unlink(NAME) != 0;
}
