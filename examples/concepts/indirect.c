/* SPDX-License-Identifier: MIT */
/* Indirect naming: two processes send to a mailbox; neither knows its reader. */
#include <cubby.h>
#include <err.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAME "concept-indirect"

static void
check(int result)
{
	if (result < 0)
		errx(1, "%s", cubby_strerror(result));
}

static void
measure(int temperature)
{
	cubby_mailbox *mailbox;

	check(cubby_open(NAME, CUBBY_CREATE | CUBBY_SEND, NULL, &mailbox));
	check(cubby_send(mailbox, &temperature, sizeof temperature));
	cubby_close(mailbox);
}

int
main(void)
{
	cubby_mailbox *mailbox;
	int temperature, sum = 0;

	for (int sensor = 1; sensor <= 2; sensor++)
		if (fork() == 0)
			return measure(sensor * 10), 0;
	check(cubby_open(NAME, CUBBY_CREATE | CUBBY_RECEIVE, NULL, &mailbox));
	for (int i = 0; i < 2; i++) {
		check(cubby_receive(mailbox, &temperature, sizeof temperature,
				    NULL));
		sum += temperature;
	}
	printf("mean temperature: %d\n", sum / 2);
	cubby_close(mailbox);
	check(cubby_unlink(NAME));
	while (wait(NULL) > 0)
		;
	return 0;
}
