/* SPDX-License-Identifier: MIT */
/* The same with a mailbox: its capacity is the buffer. */
#include <cubby.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define SLOTS 4
#define TRY(call) ((call) < 0 ? _exit(1) : (void)0)

static cubby_mailbox *buffer;

static void
put(unsigned int item)
{
	TRY(cubby_send(buffer, &item, sizeof item));
}

static unsigned int
get(void)
{
	unsigned int item;

	TRY(cubby_receive(buffer, &item, sizeof item, NULL));
	return item;
}

int
main(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	int consumer = fork() == 0, sum = 0;
	int role = consumer ? CUBBY_RECEIVE : CUBBY_SEND;

	options.capacity = SLOTS;
	TRY(cubby_open("concept-buffer", CUBBY_CREATE | role, &options,
		       &buffer));
	for (int item = 1; item <= 100; item++)
		consumer ? (void)(sum += get()) : put(item);
	cubby_close(buffer);
	if (consumer)
		return printf("sum: %d\n", sum) < 0;
	return wait(NULL) < 0 || cubby_unlink("concept-buffer") != 0;
}
