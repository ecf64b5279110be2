/* SPDX-License-Identifier: MIT */
/* cubby peek: prints the next message and lets it stay. */
#include <errno.h>
#include <stdlib.h>

#include "command.h"
#include "message.h"
#include "output.h"

struct copy {
	char *data;
	size_t room;
	size_t size;
	struct cubby_envelope envelope;
};

/* Copies the next message, into a larger buffer if need be. */
static int
look(cubby_mailbox *mailbox, const struct cubby_filter *filter,
     int64_t deadline, struct copy *copy)
{
	int result;

	do {
		copy->data = allocate(copy->data, copy->room);
		result = cubby_receive_full(mailbox, filter, CUBBY_PEEK,
					    deadline, copy->data, copy->room,
					    &copy->size, &copy->envelope);
		if (result == -EMSGSIZE)
			copy->room = copy->size;
	} while (result == -EMSGSIZE || result == -EINTR);
	return result;
}

static int
peek(const struct arguments *arguments, cubby_mailbox *mailbox)
{
	struct cubby_filter filter = CUBBY_FILTER_INIT;
	struct copy copy = { .room = 4096, .envelope = CUBBY_ENVELOPE_INIT };
	int code = message_filter(arguments, &filter);
	int result;

	if (code)
		return code;
	result = look(mailbox, &filter, deadline_of(arguments), &copy);
	if (result < 0)
		code = message_complain(arguments, result);
	else
		message_print(arguments, NULL, mailbox, copy.data, copy.size,
			      &copy.envelope);
	free(copy.data);
	return code;
}

int
run_peek(const struct arguments *arguments)
{
	cubby_mailbox *mailbox;
	int code = message_check_options(arguments);

	if (!code)
		code = open_mailbox(arguments, CUBBY_RECEIVE, "receive from",
				    &mailbox);
	if (code)
		return code;
	code = peek(arguments, mailbox);
	cubby_close(mailbox);
	return code;
}
