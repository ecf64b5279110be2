/* SPDX-License-Identifier: MIT */
/* A synchronous send whose deadline passes: was it sent or not? */
#include <cubby.h>
#include <err.h>
#include <errno.h>
#include <stdio.h>

#define NAME "concept-synchronous"

static void
check(int result)
{
	if (result < 0)
		errx(1, "%s", cubby_strerror(result));
}

int
main(void)
{
	struct cubby_envelope sent = CUBBY_ENVELOPE_INIT;
	const int both = CUBBY_SEND | CUBBY_RECEIVE;
	cubby_mailbox *box;
	char text[20] = "";
	int error;

	check(cubby_open(NAME, CUBBY_CREATE | both, NULL, &box));
	error = cubby_send_full(box, "hello", 5, &sent, CUBBY_SYNCHRONOUS,
				cubby_deadline_after(1000000));
	if (error == -EINPROGRESS)
		puts("nobody has it yet; it stays queued");
	check(cubby_receive(box, text, sizeof text - 1, NULL));
	printf("received: %s\n", text);
	check(cubby_wait_received(box, sent.sequence, CUBBY_NOW));
	puts("and now the sender knows");
	cubby_close(box);
	return cubby_unlink(NAME) != 0;
}
