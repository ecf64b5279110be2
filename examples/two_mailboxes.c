/* SPDX-License-Identifier: MIT */
/* Two mailboxes for two purposes: with one of them full, the other is free. */
#include <cubby.h>
#include <err.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORK "example-work"
#define ORDERS "example-orders"

static void
check(int result, const char *what)
{
	if (result < 0)
		errx(1, "%s: %s", what, cubby_strerror(result));
}

static void
boss(cubby_mailbox *work, cubby_mailbox *orders)
{
	int jobs = 0;

	while (!cubby_send_full(work, &jobs, sizeof jobs, NULL, 0, CUBBY_NOW))
		jobs++;
	check(cubby_send(orders, &jobs, sizeof jobs), "send an order");
}

static void
worker(cubby_mailbox *work, cubby_mailbox *orders)
{
	int jobs, job = 0;

	check(cubby_receive(orders, &jobs, sizeof jobs, NULL), "receive");
	printf("an order, while %d jobs wait\n", jobs);
	for (int done = 0; done < jobs; done++)
		check(cubby_receive(work, &job, sizeof job, NULL), "receive");
	printf("they are done, up to number %d\n", job);
}

int
main(void)
{
	cubby_mailbox *work, *orders;
	pid_t child = fork();
	int role = child == 0 ? CUBBY_SEND : CUBBY_RECEIVE, status;

	if (child < 0)
		err(1, "fork");
	check(cubby_open(WORK, CUBBY_CREATE | role, NULL, &work), WORK);
	check(cubby_open(ORDERS, CUBBY_CREATE | role, NULL, &orders), ORDERS);
	child == 0 ? boss(work, orders) : worker(work, orders);
	cubby_close(work);
	cubby_close(orders);
	if (child == 0)
		return 0;
	check(cubby_unlink(WORK), WORK);
	check(cubby_unlink(ORDERS), ORDERS);
	return wait(&status) < 0 || status != 0;
}
