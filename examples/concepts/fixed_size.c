/* SPDX-License-Identifier: MIT */
/* Messages of a fixed size: every other size is refused. */
#include <cubby.h>
#include <err.h>
#include <errno.h>
#include <stdio.h>

#define NAME "concept-fixed"

struct order {
	int article, pieces;
};

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
	struct order order = { 17, 3 };
	cubby_mailbox *box;
	int error;

	options.sizing = CUBBY_FIXED;
	options.message_max = sizeof(struct order);
	check(cubby_open(NAME, CUBBY_CREATE | both, &options, &box));
	check(cubby_send(box, &order, sizeof order));
	error = cubby_send(box, &order, sizeof order - 1);
	printf("a byte less: %s\n", error == -EMSGSIZE ? "refused" : "sent");
	check(cubby_receive(box, &order, sizeof order, NULL));
	printf("%d pieces of article %d\n", order.pieces, order.article);
	cubby_close(box);
	return cubby_unlink(NAME) != 0;
}
