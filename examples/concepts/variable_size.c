/* SPDX-License-Identifier: MIT */
/* Messages of any size, none of them cut or joined. */
#include <cubby.h>
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define NAME "concept-variable"

static void
check(int result)
{
	if (result < 0)
		errx(1, "%s", cubby_strerror(result));
}

int
main(void)
{
	const int both = CUBBY_SEND | CUBBY_RECEIVE;
	cubby_mailbox *box;
	char little[4], *enough;
	size_t size;
	int error;

	check(cubby_open(NAME, CUBBY_CREATE | both, NULL, &box));
	check(cubby_send(box, NULL, 0));
	check(cubby_send(box, "a longer message", 16));
	check(cubby_receive(box, little, sizeof little, &size));
	printf("a message of %zu bytes\n", size);
	error = cubby_receive(box, little, sizeof little, &size);
	if (error != -EMSGSIZE || (enough = malloc(size)) == NULL)
		return 1;
	printf("the next has %zu, and stays\n", size);
	check(cubby_receive(box, enough, size, &size));
	printf("%.*s\n", (int)size, enough);
	free(enough);
	cubby_close(box);
	return cubby_unlink(NAME) != 0;
}
