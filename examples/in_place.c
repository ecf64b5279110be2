/* SPDX-License-Identifier: MIT */
/* No copies: pictures are painted, and looked at, where the mailbox is. */
#include <cubby.h>
#include <err.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAME "example-in-place"
#define PICTURES 4
#define PIXELS 1000000

static void
check(int result, const char *what)
{
	if (result < 0)
		errx(1, "%s: %s", what, cubby_strerror(result));
}

static void
paint(cubby_mailbox *mailbox, char colour)
{
	cubby_draft *draft;

	check(cubby_reserve(mailbox, PIXELS, CUBBY_FOREVER, &draft), "reserve");
	memset(cubby_draft_data(draft), colour, PIXELS);
	check(cubby_commit(draft, PIXELS, NULL), "commit");
}

static void
look(cubby_mailbox *mailbox)
{
	cubby_message *message;

	check(cubby_hold(mailbox, NULL, CUBBY_FOREVER, &message), "hold");
	const char *pixels = cubby_message_data(message);
	size_t size = cubby_message_size(message);
	printf("%zu pixels: %c...%c\n", size, pixels[0], pixels[size - 1]);
	check(cubby_release(message), "release");
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
	for (int picture = 0; picture < PICTURES; picture++)
		child == 0 ? paint(mailbox, 'a' + picture) : look(mailbox);
	cubby_close(mailbox);
	if (child == 0)
		return 0;
	check(cubby_unlink(NAME), "unlink");
	return wait(&status) < 0 || status != 0;
}
