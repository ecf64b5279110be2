/* SPDX-License-Identifier: MIT */
/*
 * cubby region send, receive: shared memory that changes hands. What the one
 * writes is what the other reads; nothing of it is copied in between.
 */
#include <errno.h>

#include "command.h"
#include "message.h"
#include "output.h"
#include "region.h"

/* A region without a name, with what standard input holds. */
static int
make(const char *mailbox, cubby_region **ret)
{
	struct cubby_region_options options = CUBBY_REGION_OPTIONS_INIT;
	uint64_t size = 0;
	int code, error;

	options.size = 1; /* and then as large as what comes */
	error = cubby_region_open(NULL, CUBBY_CREATE, &options, ret);
	if (error < 0) {
		complain("cannot make a region for %s: %s", mailbox,
			 cubby_strerror(error));
		return EXIT_ERROR;
	}
	code = region_fill("the region, which was not sent", *ret, &size);
	if (code == EXIT_DONE && size == 0) {
		complain("standard input is empty, and a region has a byte at "
			 "least");
		code = EXIT_ERROR;
	}
	if (code)
		cubby_region_close(*ret);
	return code;
}

static int
complain_of_send(const struct arguments *arguments, int error)
{
	const char *mailbox = arguments->words[0];

	switch (-error) {
	case EAGAIN:
		complain("%s has no room now", mailbox);
		return EXIT_NOTHING;
	case ETIMEDOUT:
		complain("%s had no room within %s", mailbox,
			 text_of(arguments, OPTION_TIMEOUT));
		return EXIT_LATE;
	case EMSGSIZE:
		complain("%s takes no regions: its messages are of another "
			 "size; see: cubby info %s",
			 mailbox, mailbox);
		return EXIT_ERROR;
	default:
		return complain_of(mailbox, "send to", error);
	}
}

int
region_send(const struct arguments *arguments)
{
	cubby_mailbox *mailbox;
	cubby_region *region;
	int64_t deadline;
	int code, result;

	code = message_check_options(arguments);
	if (!code)
		code = open_mailbox(arguments, CUBBY_SEND, "send to", &mailbox);
	if (code)
		return code;
	code = make(arguments->words[0], &region);
	if (code == EXIT_DONE) {
		deadline = deadline_of(arguments);
		do
			result = cubby_send_region(mailbox, region, NULL,
						   deadline);
		while (result == -EINTR);
		if (result < 0) {
			cubby_region_close(region);
			code = complain_of_send(arguments, result);
		}
	}
	cubby_close(mailbox);
	return code;
}

/* What cannot be written out goes back when the mailbox is closed. */
static int
print(const struct arguments *arguments, cubby_region *region)
{
	int error;

	region_print(arguments, region);
	error = output_flush();
	if (error)
		return output_complain(error);
	cubby_region_close(region);
	return EXIT_DONE;
}

int
region_receive(const struct arguments *arguments)
{
	cubby_mailbox *mailbox;
	cubby_region *region;
	int64_t deadline;
	int code, result;

	code = message_check_options(arguments);
	if (!code)
		code = open_mailbox(arguments, CUBBY_RECEIVE, "receive from",
				    &mailbox);
	if (code)
		return code;
	deadline = deadline_of(arguments);
	do
		result = cubby_receive_region(mailbox, NULL, deadline, &region,
					      NULL);
	while (result == -EINTR);
	code = result < 0 ? message_complain(arguments, result) :
			    print(arguments, region);
	cubby_close(mailbox);
	return code;
}
