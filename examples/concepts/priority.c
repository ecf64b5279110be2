/* SPDX-License-Identifier: MIT */
/* Order priority: the most urgent first, the oldest of those first. */
#include <cubby.h>
#include <err.h>
#include <stdio.h>
#include <string.h>

#define NAME "concept-priority"

static void
check(int result)
{
	if (result < 0)
		errx(1, "%s", cubby_strerror(result));
}

static void
put(cubby_mailbox *box, const char *text, int priority)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;

	envelope.priority = priority;
	check(cubby_send_full(box, text, strlen(text) + 1, &envelope, 0,
			      CUBBY_FOREVER));
}

int
main(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	const int both = CUBBY_SEND | CUBBY_RECEIVE;
	cubby_mailbox *box;
	char text[6];

	options.order = CUBBY_ORDER_PRIORITY;
	check(cubby_open(NAME, CUBBY_CREATE | both, &options, &box));
	put(box, "sweep", 0);
	put(box, "cook", 5);
	put(box, "fire!", 9);
	put(box, "serve", 5);
	for (int i = 0; i < 4; i++) {
		check(cubby_receive(box, text, sizeof text, NULL));
		puts(text);
	}
	cubby_close(box);
	return cubby_unlink(NAME) != 0;
}
