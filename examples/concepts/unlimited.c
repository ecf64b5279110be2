/* SPDX-License-Identifier: MIT */
/* Without a limit: the sender never waits; memory is the end. */
#include <cubby.h>
#include <err.h>
#include <stdio.h>

#define NAME "concept-unlimited"
#define ITEMS 100000

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
	int item = 0;

	options.buffering = CUBBY_UNLIMITED;
	check(cubby_open(NAME, CUBBY_CREATE | both, &options, &box));
	for (int i = 1; i <= ITEMS; i++)
		check(cubby_send_full(box, &i, sizeof i, NULL, 0, CUBBY_NOW));
	for (int i = 1; i <= ITEMS; i++)
		check(cubby_receive(box, &item, sizeof item, NULL));
	printf("%d were waiting; the last was %d\n", ITEMS, item);
	cubby_close(box);
	return cubby_unlink(NAME) != 0;
}
