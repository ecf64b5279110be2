/* SPDX-License-Identifier: MIT */
/* Messages: one process counts, two tell it to. Nothing is shared. */
#include <cubby.h>
#include <err.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAME "concept-count"

static void
check(int result)
{
	if (result < 0)
		errx(1, "%s", cubby_strerror(result));
}

int
main(void)
{
	cubby_mailbox *box;
	int value = 0, step = 1, is_counter = fork() != 0 && fork() != 0;
	int role = is_counter ? CUBBY_RECEIVE : CUBBY_SEND;

	check(cubby_open(NAME, CUBBY_CREATE | role, NULL, &box));
	for (int i = 0; i < 1000 && !is_counter; i++)
		check(cubby_send(box, &step, sizeof step));
	for (int i = 0; i < 2000 && is_counter; i++) {
		check(cubby_receive(box, &step, sizeof step, NULL));
		value += step;
	}
	cubby_close(box);
	if (!is_counter)
		return 0;
	printf("counted to %d\n", value);
	while (wait(NULL) > 0)
		;
	return cubby_unlink(NAME) != 0;
}
