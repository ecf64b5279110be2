/* SPDX-License-Identifier: MIT */
/* A region in a message: what it holds changes its owner, and is not copied. */
#include <cubby.h>
#include <err.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAME "concept-hand-over"
#define SIZE (10 << 20)

static void
check(int result)
{
	if (result < 0)
		errx(1, "%s", cubby_strerror(result));
}

static void
paint(void)
{
	struct cubby_region_options options = CUBBY_REGION_OPTIONS_INIT;
	cubby_region *picture;
	cubby_mailbox *box;

	options.size = SIZE;
	check(cubby_open(NAME, CUBBY_CREATE | CUBBY_SEND, NULL, &box));
	check(cubby_region_open(NULL, CUBBY_CREATE | CUBBY_WRITE, &options,
				&picture));
	memset(cubby_region_data(picture), 'x', SIZE);
	check(cubby_send_region(box, picture, NULL, CUBBY_FOREVER));
	cubby_close(box); /* picture is another's now: no handle, no close */
}

int
main(void)
{
	cubby_region *picture;
	cubby_mailbox *box;

	if (fork() == 0)
		return paint(), 0;
	check(cubby_open(NAME, CUBBY_CREATE | CUBBY_RECEIVE, NULL, &box));
	check(cubby_receive_region(box, NULL, CUBBY_FOREVER, &picture, NULL));
	printf("%lu bytes of %c\n", (unsigned long)cubby_region_size(picture),
	       *(char *)cubby_region_data(picture));
	cubby_region_close(picture);
	cubby_close(box);
	wait(NULL);
	return cubby_unlink(NAME) != 0;
}
