/* SPDX-License-Identifier: MIT */
/* Order sender: each sender's messages in the order sent. */
#include <cubby.h>
#include <err.h>
#include <stdio.h>

#define NAME "concept-order-sender"

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
	cubby_mailbox *one, *two, *reader;
	int item, sum[3] = { 0 };

	check(cubby_open(NAME, CUBBY_CREATE | CUBBY_SEND, NULL, &one));
	check(cubby_open(NAME, CUBBY_SEND, NULL, &two));
	check(cubby_open(NAME, CUBBY_RECEIVE, NULL, &reader));
	for (item = 1; item <= 3; item++) {
		check(cubby_send(one, &item, sizeof item));
		check(cubby_send(two, &item, sizeof item));
	}
	for (int i = 0; i < 6; i++) {
		check(cubby_receive_full(reader, NULL, 0, CUBBY_FOREVER, &item,
					 sizeof item, NULL, &envelope));
		sum[envelope.sender] = sum[envelope.sender] * 10 + item;
	}
	printf("of the first sender: %d\n", sum[1]);
	printf("of the second: %d\n", sum[2]);
	cubby_close(one);
	cubby_close(two);
	cubby_close(reader);
	return cubby_unlink(NAME) != 0;
}
