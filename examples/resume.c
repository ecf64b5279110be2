/* SPDX-License-Identifier: MIT */
/* A sender that is killed again and again, and comes back under its name. */
#include <cubby.h>
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAME "example-numbers"
#define LIVES 20
#define LAST 100000

static void
check(int result)
{
	if (result < 0)
		errx(1, "%s", cubby_strerror(result));
}

/* The number is the message's tag as well: that of the last one is told. */
static void
send_numbers(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	cubby_mailbox *numbers;

	options.sender = "counter";
	check(cubby_open(NAME, CUBBY_SEND, &options, &numbers));
	check(cubby_published(numbers, NULL, &envelope.tag));
	while (envelope.tag++ < LAST)
		check(cubby_send_full(numbers, &envelope.tag, 8, &envelope, 0,
				      CUBBY_FOREVER));
	cubby_close(numbers);
}

int
main(void)
{
	cubby_mailbox *numbers;
	uint64_t number, last = 0;

	check(cubby_open(NAME, CUBBY_CREATE | CUBBY_RECEIVE, NULL, &numbers));
	for (int life = 1; life <= LIVES; life++) {
		pid_t sender = fork();
		if (sender == 0)
			return send_numbers(), 0;
		while (last < (uint64_t)LAST / LIVES * life) {
			check(cubby_receive(numbers, &number, 8, NULL));
			if (number != ++last)
				errx(1, "lost, or come twice");
		}
		if (sender < 0 || kill(sender, SIGKILL) < 0 || wait(NULL) < 0)
			err(1, "the sender");
	}
	printf("1 to %d, each once, of a sender of %d lives\n", LAST, LIVES);
	cubby_close(numbers);
	return cubby_unlink(NAME) != 0;
}
