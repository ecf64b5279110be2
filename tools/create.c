/* SPDX-License-Identifier: MIT */
/* cubby create, rm, sweep: mailboxes as a whole. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "values.h"
#include "output.h"
#include "table.h"
#include "watch.h"

/* A capacity of zero is a buffering of its own, which not every order has. */
static int
read_capacity(const struct arguments *arguments, struct cubby_options *options)
{
	if (given(arguments, OPTION_UNLIMITED)) {
		options->buffering = CUBBY_UNLIMITED;
		if (!given(arguments, OPTION_CAPACITY))
			return 0;
		complain("--unlimited and --capacity exclude each other");
		return EXIT_USAGE;
	}
	options->capacity = number_or(arguments, OPTION_CAPACITY, 0);
	if (options->capacity || !given(arguments, OPTION_CAPACITY))
		return 0;
	if (given(arguments, OPTION_ORDER) &&
	    options->order == CUBBY_ORDER_SENDER) {
		complain("--capacity 0 does not go with --order sender; use "
			 "--order arrival");
		return EXIT_USAGE;
	}
	options->buffering = CUBBY_RENDEZVOUS;
	if (!given(arguments, OPTION_ORDER)) {
		complain("--capacity 0 takes --order arrival, so that is the "
			 "order");
		options->order = CUBBY_ORDER_ARRIVAL;
	}
	return 0;
}

static int
read_sizes(const struct arguments *arguments, struct cubby_options *options)
{
	uint64_t cell = number_or(arguments, OPTION_CELL, 0);

	if (cell & (cell - 1)) {
		complain("--cell %s is not a power of 2",
			 text_of(arguments, OPTION_CELL));
		return EXIT_USAGE;
	}
	if (given(arguments, OPTION_FIXED) &&
	    given(arguments, OPTION_MESSAGE_MAX)) {
		complain("--fixed and --message-max exclude each other");
		return EXIT_USAGE;
	}
	options->cell_size = (uint32_t)cell;
	options->memory_limit = number_or(arguments, OPTION_MEMORY_LIMIT, 0);
	options->message_max = number_or(arguments, OPTION_MESSAGE_MAX, 0);
	if (given(arguments, OPTION_FIXED)) {
		options->sizing = CUBBY_FIXED;
		options->message_max = number_or(arguments, OPTION_FIXED, 0);
	}
	return 0;
}

/* Sender and receiver write the one queue: who may one may the other. */
static int
check_mode(const struct arguments *arguments,
	   const struct cubby_options *options)
{
	mode_t reads = options->mode >> 2 & 0111;
	mode_t writes = options->mode >> 1 & 0111;

	if (options->mode & ~(mode_t)0666) {
		complain("--mode %s: a mailbox's mode is made of read and write, "
			 "such as 0660", text_of(arguments, OPTION_MODE));
		return EXIT_USAGE;
	}
	if (options->order == CUBBY_ORDER_SENDER || reads == writes)
		return 0;
	complain("--mode %s lets some only send or only receive, which takes "
		 "--order sender; use a mode such as 0660",
		 text_of(arguments, OPTION_MODE));
	return EXIT_USAGE;
}

/* Every receiver gets what a lane has, and a lane alone. */
static int
check_delivery(const struct cubby_options *options)
{
	if (options->delivery == CUBBY_ONE ||
	    (options->order == CUBBY_ORDER_SENDER &&
	     options->buffering == CUBBY_LIMITED))
		return 0;
	complain("--broadcast takes --order sender, and a capacity of 1 or "
		 "more");
	return EXIT_USAGE;
}

static int
check_group(const struct cubby_options *options)
{
	if (!options->group || is_group(options->group))
		return 0;
	complain("there is no group %s; see: getent group", options->group);
	return EXIT_USAGE;
}

static int
read_options(const struct arguments *arguments, struct cubby_options *options)
{
	int code;

	options->order = (enum cubby_order)number_or(arguments, OPTION_ORDER,
						     CUBBY_ORDER_SENDER);
	if (given(arguments, OPTION_TEMPORARY))
		options->lifetime = CUBBY_TEMPORARY;
	if (given(arguments, OPTION_BROADCAST))
		options->delivery = text_of(arguments, OPTION_BROADCAST) ?
				    CUBBY_EVERY_OVERTAKE : CUBBY_EVERY;
	options->mode = (mode_t)number_or(arguments, OPTION_MODE, 0);
	options->group = text_of(arguments, OPTION_GROUP);
	code = read_sizes(arguments, options);
	if (!code)
		code = read_capacity(arguments, options);
	if (!code)
		code = check_delivery(options);
	if (!code)
		code = check_group(options);
	return code ? code : check_mode(arguments, options);
}

static bool
is_name(const char *name)
{
	struct cubby_info info = CUBBY_INFO_INIT;

	return cubby_inspect(name, &info) != -EINVAL;
}

static int
complain_of_create(const struct arguments *arguments, int error)
{
	const char *name = arguments->words[0];

	if (error == -EEXIST && given(arguments, OPTION_EXCLUSIVE))
		complain("%s exists already", name);
	else if (error == -EEXIST)
		complain("%s exists, with other attributes; see: cubby info %s",
			 name, name);
	else if (error == -EOPNOTSUPP)
		complain("cannot make %s so: %s (this is version %s)", name,
			 cubby_strerror(error), cubby_version());
	else if (error == -ENOENT)
		return complain_of_root(name);
	else if (error == -EINVAL && is_name(name))
		complain("cannot make %s so: together, capacity and the largest "
			 "message take more addresses than a process has; lower "
			 "--capacity, --message-max or --memory-limit",
			 name);
	else
		return complain_of(name, "create", error);
	return EXIT_ERROR;
}

/*
 * A temporary mailbox would be gone with the command that made it: so that
 * stays until a signal ends it.
 */
static int
stay(void)
{
	int error = watch_start();

	if (error) {
		complain("cannot wait for signals: %s", cubby_strerror(error));
		return EXIT_ERROR;
	}
	while (!watch_cause())
		pause();
	return EXIT_DONE;
}

int
run_create(const struct arguments *arguments)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	cubby_mailbox *mailbox;
	int flags = CUBBY_CREATE;
	int code, error;

	code = read_options(arguments, &options);
	if (code)
		return code;
	if (given(arguments, OPTION_EXCLUSIVE))
		flags |= CUBBY_EXCLUSIVE;
	error = cubby_open(arguments->words[0], flags, &options, &mailbox);
	if (error < 0)
		return complain_of_create(arguments, error);
	if (given(arguments, OPTION_TEMPORARY))
		code = stay();
	cubby_close(mailbox);
	return code;
}

int
run_rm(const struct arguments *arguments)
{
	int code = EXIT_DONE;

	for (int i = 0; i < arguments->count; i++) {
		int error = cubby_unlink(arguments->words[i]);

		if (error == -ENOENT && given(arguments, OPTION_FORCE))
			continue;
		if (error == -ENOENT) {
			complain("no mailbox %s", arguments->words[i]);
			code = EXIT_NO_MAILBOX;
		} else if (error < 0) {
			code = complain_of(arguments->words[i], "remove",
					   error);
		}
	}
	return code;
}

static void
print_swept(const char *name, const struct cubby_swept *swept)
{
	char bytes[SIZE_TEXT], messages[COUNT_TEXT], senders[COUNT_TEXT];

	size_text(bytes, swept->bytes);
	output_format("%s: %s put back, %s given back from %s, %llu unused "
		      "removed\n",
		      name, count_text(messages, swept->messages, "message"),
		      bytes, count_text(senders, swept->lanes, "sender"),
		      (unsigned long long)swept->mailboxes);
}

int
run_sweep(const struct arguments *arguments)
{
	int code = EXIT_DONE;

	for (int i = 0; i < arguments->count || i == 0; i++) {
		const char *name = arguments->count ? arguments->words[i] :
						      NULL;
		struct cubby_swept swept = CUBBY_SWEPT_INIT;
		int error = cubby_sweep(name, &swept);

		if (error < 0)
			code = complain_of(name ? name : "mailboxes", "sweep",
					   error);
		else
			print_swept(name ? name : "all", &swept);
	}
	return code;
}
