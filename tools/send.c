/* SPDX-License-Identifier: MIT */
/*
 * cubby send: the words as one message, or the lines of standard input as one
 * each. Each is sent when it has been read, so that it works at the end of a
 * pipe that never ends.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "input.h"

struct sender {
	const struct arguments *arguments;
	cubby_mailbox *mailbox;
	const char *name;
	const char *what; /* a message is, for those who gave it */
	bool counts;	  /* there may be several */
	uint64_t sent;
};

/* Ends a complaint with how many were sent before, where that is a question. */
__attribute__((format(printf, 2, 3))) static void
complain_sent(const struct sender *sender, const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		out_of_memory();
	va_end(arguments);
	if (sender->counts)
		complain("%s; %llu sent before", text,
			 (unsigned long long)sender->sent);
	else
		complain("%s", text);
	free(text);
}

static void
receivers_text(char *text, size_t size, uint64_t receivers)
{
	if (receivers == 0)
		snprintf(text, size, ", nobody receives");
	else if (receivers == 1)
		snprintf(text, size, ", 1 receiver is attached");
	else if (receivers == CUBBY_UNKNOWN)
		snprintf(text, size, "%s", "");
	else
		snprintf(text, size, ", %llu receivers are attached",
			 (unsigned long long)receivers);
}

/* "jobs is full: 128 of 128 messages wait, nobody receives" */
static void
complain_full(const struct sender *sender, const char *is_full)
{
	struct cubby_info info = CUBBY_INFO_INIT;
	uint64_t waiting;
	char receivers[64];

	if (cubby_inspect(sender->name, &info) < 0) {
		complain_sent(sender, "%s %s", sender->name, is_full);
		return;
	}
	waiting = info.order == CUBBY_ORDER_SENDER ? info.fullest :
						     info.waiting;
	receivers_text(receivers, sizeof(receivers), info.receivers);
	if (waiting == CUBBY_UNKNOWN)
		complain_sent(sender, "%s %s: it takes %llu messages%s",
			      sender->name, is_full,
			      (unsigned long long)info.capacity, receivers);
	else
		complain_sent(sender, "%s %s: %llu of %llu messages wait%s",
			      sender->name, is_full,
			      (unsigned long long)waiting,
			      (unsigned long long)info.capacity, receivers);
}

static void
complain_of_size(const struct sender *sender, const char *excess, size_t size)
{
	struct cubby_info info = CUBBY_INFO_INIT;
	char what[48];

	snprintf(what, sizeof(what), "%s", sender->what);
	if (sender->counts)
		snprintf(what, sizeof(what), "%s %llu", sender->what,
			 (unsigned long long)sender->sent + 1);
	if (cubby_inspect(sender->name, &info) < 0) {
		complain_sent(sender, "%s has %s%zu bytes, too many for %s",
			      what, excess, size, sender->name);
		return;
	}
	complain_sent(sender,
		      "%s has %s%zu bytes, and %s takes messages of %s %llu "
		      "bytes",
		      what, excess, size, sender->name,
		      info.sizing == CUBBY_FIXED ? "exactly" : "at most",
		      (unsigned long long)info.message_max);
}

/*
 * Whether it was to be received at once, and so was withdrawn: nothing is
 * buffered, or --sync, which the order sender cannot withdraw.
 */
static bool
was_offered(const struct sender *sender)
{
	struct cubby_info info = CUBBY_INFO_INIT;

	if (cubby_inspect(sender->name, &info) < 0)
		return false;
	return info.buffering == CUBBY_RENDEZVOUS ||
	       (given(sender->arguments, OPTION_SYNC) &&
		info.order != CUBBY_ORDER_SENDER);
}

static int
complain_of_try(const struct sender *sender)
{
	if (was_offered(sender))
		complain_sent(sender, "%s: nobody waits for a message",
			      sender->name);
	else
		complain_full(sender, "is full");
	return EXIT_NOTHING;
}

static int
complain_late(const struct sender *sender)
{
	const char *timeout = text_of(sender->arguments, OPTION_TIMEOUT);
	char full[80];

	snprintf(full, sizeof(full), "is still full after %.40s", timeout);
	if (was_offered(sender))
		complain_sent(sender,
			      "%s: nobody has received the message within %s; "
			      "it was withdrawn",
			      sender->name, timeout);
	else
		complain_full(sender, full);
	return EXIT_LATE;
}

/* The mailbox's order does not have what was asked for. */
static int
complain_of_order(const struct sender *sender)
{
	if (number_or(sender->arguments, OPTION_PRIORITY, 0))
		complain_sent(sender,
			      "%s has no priorities; make it with --order "
			      "priority",
			      sender->name);
	else
		complain_sent(sender, "cannot send to %s so: %s", sender->name,
			      cubby_strerror(-EOPNOTSUPP));
	return EXIT_ERROR;
}

static int
complain_of_send(const struct sender *sender, size_t size, int error)
{
	switch (-error) {
	case EAGAIN:
		return complain_of_try(sender);
	case ETIMEDOUT:
		return complain_late(sender);
	case EINPROGRESS:
		complain_sent(sender,
			      "%s: nobody has received the message %s; "
			      "it stays there and will be delivered",
			      sender->name,
			      given(sender->arguments, OPTION_TIMEOUT) ?
				      "in time" :
				      "yet");
		return EXIT_LATE;
	case EMSGSIZE:
		complain_of_size(sender, "", size);
		return EXIT_ERROR;
	case EOPNOTSUPP:
		return complain_of_order(sender);
	case EPIPE:
		complain_sent(sender,
			      "the process that receives from %s has gone; "
			      "nothing was sent",
			      sender->name);
		return EXIT_ERROR;
	default:
		if (sender->counts)
			complain("%s: %llu sent before", sender->name,
				 (unsigned long long)sender->sent);
		return complain_of(sender->name, "send to", error);
	}
}

static int
send_one(struct sender *sender, const void *data, size_t size)
{
	const struct arguments *arguments = sender->arguments;
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	int flags = given(arguments, OPTION_SYNC) ? CUBBY_SYNCHRONOUS : 0;
	int64_t deadline = deadline_of(arguments);
	int result;

	envelope.tag = number_or(arguments, OPTION_TAG, 0);
	envelope.type = (int64_t)number_or(arguments, OPTION_TYPE, 0);
	envelope.priority = (int32_t)number_or(arguments, OPTION_PRIORITY, 0);
	do
		result = cubby_send_full(sender->mailbox, data, size, &envelope,
					 flags, deadline);
	while (result == -EINTR);
	if (result < 0)
		return complain_of_send(sender, size, result);
	sender->sent++;
	return EXIT_DONE;
}

static int
send_words(struct sender *sender)
{
	char **words = sender->arguments->words + 1;
	int count = sender->arguments->count - 1;
	char *text = NULL;
	size_t size = 0;
	int code;

	for (int i = 0; i < count; i++) {
		size_t length = strlen(words[i]);

		text = allocate(text, size + length + 1);
		memcpy(text + size, words[i], length);
		size += length;
		text[size++] = ' ';
	}
	code = send_one(sender, text, size - 1);
	free(text);
	return code;
}

static int
complain_of_input(const struct sender *sender, const struct input *input,
		  int error)
{
	if (error == -EMSGSIZE)
		complain_of_size(sender, "more than ", input->limit);
	else
		complain_sent(sender, "cannot read standard input: %s",
			      strerror(-error));
	return EXIT_ERROR;
}

static int
send_lines(struct sender *sender, struct input *input)
{
	const char *piece;
	size_t size;
	int result, code = EXIT_DONE;

	while (code == EXIT_DONE) {
		result = input_next(input, &piece, &size);
		if (result < 0)
			return complain_of_input(sender, input, result);
		if (result == 0)
			break;
		code = send_one(sender, piece, size);
	}
	return code;
}

static int
send_whole(struct sender *sender, struct input *input)
{
	const char *piece = NULL;
	size_t size = 0;
	int result = input_next(input, &piece, &size);

	if (result < 0)
		return complain_of_input(sender, input, result);
	return send_one(sender, piece, size);
}

static int
send_input(struct sender *sender)
{
	const struct arguments *arguments = sender->arguments;
	struct cubby_info info = CUBBY_INFO_INIT;
	struct input input = { .separator = '\n' };
	int error = cubby_inspect(sender->name, &info);
	int code;

	if (error < 0)
		return complain_of(sender->name, "look at", error);
	input.limit = (size_t)info.message_max;
	if (given(arguments, OPTION_WHOLE)) {
		sender->what = "standard input";
		input.separator = -1;
		code = send_whole(sender, &input);
	} else {
		sender->what = "line";
		sender->counts = true;
		if (given(arguments, OPTION_NULL)) {
			sender->what = "message";
			input.separator = '\0';
		}
		code = send_lines(sender, &input);
	}
	free(input.buffer);
	return code;
}

static int
check_options(const struct arguments *arguments)
{
	bool null = given(arguments, OPTION_NULL);
	bool whole = given(arguments, OPTION_WHOLE);

	if (given(arguments, OPTION_TRY) && given(arguments, OPTION_TIMEOUT))
		complain("--try and --timeout exclude each other");
	else if (null && whole)
		complain("--null and --whole exclude each other");
	else if ((null || whole) && arguments->count > 1)
		complain("--%s is about standard input, and there are words "
			 "to send",
			 null ? "null" : "whole");
	else
		return 0;
	return EXIT_USAGE;
}

int
run_send(const struct arguments *arguments)
{
	struct sender sender = {
		.arguments = arguments,
		.name = arguments->words[0],
		.what = "the message",
	};
	int code = check_options(arguments);

	if (!code)
		code = open_mailbox(arguments, CUBBY_SEND, "send to",
				    &sender.mailbox);
	if (code)
		return code;
	code = arguments->count > 1 ? send_words(&sender) : send_input(&sender);
	cubby_close(sender.mailbox);
	return code;
}
