/* SPDX-License-Identifier: MIT */
/* Order arrival: what was sent first comes first, whoever sent it. */
#include <cubby.h>
#include <err.h>
#include <stdio.h>

#define NAME "concept-order-arrival"

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
	cubby_mailbox *one, *two, *reader;
	char event;

	options.order = CUBBY_ORDER_ARRIVAL;
	check(cubby_open(NAME, CUBBY_CREATE | CUBBY_SEND, &options, &one));
	check(cubby_open(NAME, CUBBY_SEND, NULL, &two));
	check(cubby_open(NAME, CUBBY_RECEIVE, NULL, &reader));
	check(cubby_send(one, "a", 1));
	check(cubby_send(two, "b", 1));
	check(cubby_send(one, "c", 1));
	for (int i = 0; i < 3; i++) {
		check(cubby_receive(reader, &event, 1, NULL));
		printf("%c\n", event);
	}
	cubby_close(one);
	cubby_close(two);
	cubby_close(reader);
	return cubby_unlink(NAME) != 0;
}
