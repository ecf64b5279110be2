/* SPDX-License-Identifier: MIT */
/* One mailbox, several kinds of messages: take the kind you want. */
#include <cubby.h>
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NAME "concept-by-type"

enum { QUESTION = 1, ANSWER = 2 };

static void
check(int result)
{
	if (result < 0)
		errx(1, "%s", cubby_strerror(result));
}

static void
put(cubby_mailbox *box, const char *text, int64_t type)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;

	envelope.type = type;
	check(cubby_send_full(box, text, strlen(text) + 1, &envelope, 0,
			      CUBBY_FOREVER));
}

int
main(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	struct cubby_filter answers = CUBBY_FILTER_INIT;
	const int both = CUBBY_SEND | CUBBY_RECEIVE;
	cubby_mailbox *box;
	char text[20];

	options.order = CUBBY_ORDER_ARRIVAL;
	check(cubby_open(NAME, CUBBY_CREATE | both, &options, &box));
	put(box, "how many?", QUESTION);
	put(box, "three", ANSWER);
	answers.matching = CUBBY_MATCH_TYPE;
	answers.type = ANSWER;
	check(cubby_receive_full(box, &answers, 0, CUBBY_FOREVER, text,
				 sizeof text, NULL, NULL));
	printf("answer: %s\n", text);
	check(cubby_receive(box, text, sizeof text, NULL));
	printf("left: %s\n", text);
	cubby_close(box);
	return cubby_unlink(NAME) != 0;
}
