/* SPDX-License-Identifier: MIT */
/* Producer and consumer, as in a textbook: the mailbox is their buffer. */
#include <cubby.h>
#include <err.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAME "example-producer-consumer"
#define ITEMS 1000

static void
check(int result, const char *what)
{
	if (result < 0)
		errx(1, "%s: %s", what, cubby_strerror(result));
}

static void
produce(cubby_mailbox *mailbox)
{
	for (int item = 1; item <= ITEMS; item++)
		check(cubby_send(mailbox, &item, sizeof item), "send");
}

static void
consume(cubby_mailbox *mailbox)
{
	int item;

	for (int count = 1; count <= ITEMS; count++) {
		check(cubby_receive(mailbox, &item, sizeof item, NULL),
		      "receive");
		if (count % 100 == 0)
			printf("item %d is consumed\n", item);
	}
}

int
main(void)
{
	cubby_mailbox *mailbox;
	pid_t child = fork();
	int role = child == 0 ? CUBBY_SEND : CUBBY_RECEIVE, status;

	if (child < 0)
		err(1, "fork");
	check(cubby_open(NAME, CUBBY_CREATE | role, NULL, &mailbox), "open");
	child == 0 ? produce(mailbox) : consume(mailbox);
	cubby_close(mailbox);
	if (child == 0)
		return 0;
	check(cubby_unlink(NAME), "unlink");
	return wait(&status) < 0 || status != 0;
}
