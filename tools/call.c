/* SPDX-License-Identifier: MIT */
/*
 * cubby call: sends a request, waits for the reply, and prints it as it is:
 * what the server's command has printed, and nothing more.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "input.h"
#include "output.h"

#define USUAL_REPLY ((size_t)65536)

struct caller {
	const struct arguments *arguments;
	const char *name;
	cubby_mailbox *mailbox;
	int64_t deadline; /* for the request and the reply */
};

static int
complain_of_size(const struct caller *caller, size_t size)
{
	struct cubby_info info = CUBBY_INFO_INIT;

	if (cubby_inspect(caller->name, &info) < 0)
		complain("the request has %zu bytes, too many for %s", size,
			 caller->name);
	else
		complain("the request has %zu bytes, and %s takes messages of "
			 "%s %llu bytes",
			 size, caller->name,
			 info.sizing == CUBBY_FIXED ? "exactly" : "at most",
			 (unsigned long long)info.message_max);
	return EXIT_ERROR;
}

static int
complain_of_call(const struct caller *caller, size_t size, int error)
{
	const char *name = caller->name;

	switch (-error) {
	case ETIMEDOUT:
		complain("%s: no reply came within %s", name,
			 text_of(caller->arguments, OPTION_TIMEOUT));
		return EXIT_LATE;
	case EPIPE:
		complain("%s: who took the request has ended, or failed, and "
			 "does not reply",
			 name);
		return EXIT_ERROR;
	case EMSGSIZE:
		return complain_of_size(caller, size);
	case EOPNOTSUPP:
		complain("%s takes no requests: %s; of those with priorities, "
			 "--order priority does, and none with --broadcast",
			 name, cubby_strerror(error));
		return EXIT_ERROR;
	default:
		return complain_of(name, "call", error);
	}
}

static int
begin(const struct caller *caller, const void *data, size_t size,
      cubby_request **ret)
{
	const struct arguments *arguments = caller->arguments;
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	int result;

	envelope.type = (int64_t)number_or(arguments, OPTION_TYPE, 0);
	envelope.priority = (int32_t)number_or(arguments, OPTION_PRIORITY, 0);
	do
		result = cubby_call_begin(caller->mailbox, data, size,
					  &envelope, caller->deadline, ret);
	while (result == -EINTR);
	return result;
}

/* Waits for the reply and prints it. A larger one than usual asks for room. */
static int
end(const struct caller *caller, cubby_request *request)
{
	size_t room = USUAL_REPLY, size;
	char *reply = allocate(NULL, room);
	int result;

	while ((result = cubby_call_end(request, reply, room, &size,
					caller->deadline)) < 0) {
		if (result == -EMSGSIZE) {
			room = size;
			reply = allocate(reply, room);
		} else if (result != -EINTR) {
			break;
		}
	}
	if (result == 0)
		output(reply, size);
	if (result == -ETIMEDOUT)
		cubby_call_cancel(request);
	free(reply);
	return result;
}

static int
call(const struct caller *caller, const void *data, size_t size)
{
	cubby_request *request;
	int result = begin(caller, data, size, &request);

	if (result == 0)
		result = end(caller, request);
	return result < 0 ? complain_of_call(caller, size, result) : EXIT_DONE;
}

static int
call_words(const struct caller *caller)
{
	char **words = caller->arguments->words + 1;
	char *text = allocate(NULL, 1), *end;
	size_t size = 0;
	int code;

	for (int i = 0; i < caller->arguments->count - 1; i++) {
		size_t length = strlen(words[i]);

		text = allocate(text, size + length + 1);
		end = mempcpy(text + size, words[i], length);
		*end = ' ';
		size += length + 1;
	}
	code = call(caller, text, size - 1);
	free(text);
	return code;
}

static int
call_input(const struct caller *caller)
{
	struct cubby_info info = CUBBY_INFO_INIT;
	struct input input = { .separator = -1 };
	const char *piece = "";
	size_t size = 0;
	int result, code;

	if (cubby_inspect(caller->name, &info) < 0)
		info.message_max = SIZE_MAX - 1;
	input.limit = info.message_max;
	result = input_next(&input, &piece, &size);
	if (result == -EMSGSIZE) {
		code = complain_of_size(caller, input.end - input.begin);
	} else if (result < 0) {
		complain("cannot read standard input: %s", strerror(-result));
		code = EXIT_ERROR;
	} else {
		code = call(caller, piece, size);
	}
	free(input.buffer);
	return code;
}

int
run_call(const struct arguments *arguments)
{
	struct caller caller = {
		.arguments = arguments,
		.name = arguments->words[0],
	};
	int code = open_mailbox(arguments, CUBBY_SEND, "call",
				&caller.mailbox);

	if (code)
		return code;
	caller.deadline = deadline_of(arguments);
	code = arguments->count > 1 ? call_words(&caller) :
				      call_input(&caller);
	cubby_close(caller.mailbox);
	return code;
}
