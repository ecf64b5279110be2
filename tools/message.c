/* SPDX-License-Identifier: MIT */
/* What receive and peek share: which message, and how it is printed. */
#include "message.h"

#include <errno.h>
#include <string.h>

#include "command.h"
#include "json.h"
#include "output.h"
#include "values.h"

struct search {
	const char *name;
	uint64_t sender; /* out */
};

static int
match_name(const struct cubby_sender_info *sender, void *context)
{
	struct search *search = context;

	if (strcmp(sender->name, search->name) != 0)
		return 0;
	search->sender = sender->sender;
	return 1;
}

int
message_filter(const struct arguments *arguments, struct cubby_filter *ret)
{
	const char *mailbox = arguments->words[0];
	struct search search = { text_of(arguments, OPTION_FROM), 0 };
	int result;

	if (!search.name)
		return 0;
	if (parse_number(search.name, &search.sender) < 0) {
		result = cubby_inspect_senders(mailbox, match_name, &search);
		if (result < 0)
			return complain_of(mailbox, "look into", result);
	}
	if (search.sender) {
		ret->sender = search.sender;
		return 0;
	}
	complain("%s has no sender %s; see: cubby info %s", mailbox,
		 search.name, mailbox);
	return EXIT_ERROR;
}

static int
exclude(const struct arguments *arguments, enum option_id one,
	enum option_id other, const char *names)
{
	if (!given(arguments, one) || !given(arguments, other))
		return 0;
	complain("%s exclude each other", names);
	return EXIT_USAGE;
}

int
message_check_options(const struct arguments *arguments)
{
	int code;

	code = exclude(arguments, OPTION_TRY, OPTION_TIMEOUT,
		       "--try and --timeout");
	if (!code)
		code = exclude(arguments, OPTION_ALL, OPTION_FOLLOW,
			       "--all and --follow");
	if (!code)
		code = exclude(arguments, OPTION_TRY, OPTION_FOLLOW,
			       "--try and --follow");
	if (!code)
		code = exclude(arguments, OPTION_JSON, OPTION_NULL,
			       "--json and --null");
	if (!code)
		code = exclude(arguments, OPTION_JSON, OPTION_RAW,
			       "--json and --raw");
	if (!code)
		code = exclude(arguments, OPTION_NULL, OPTION_RAW,
			       "--null and --raw");
	return code;
}

static void
print_json(const void *data, size_t size, const struct cubby_envelope *envelope)
{
	json_open('{');
	json_member_number("sequence", envelope->sequence);
	json_member_number("sender", envelope->sender);
	json_member_number("uid", envelope->uid);
	json_member_number("tag", envelope->tag);
	json_member_number("type", (uint64_t)envelope->type);
	json_member_number("size", size);
	json_member_number("deliveries", envelope->deliveries);
	json_member_bytes("data", "base64", data, size);
	json_close('}');
	json_end_line();
}

void
message_print(const struct arguments *arguments, const void *data, size_t size,
	      const struct cubby_envelope *envelope)
{
	if (given(arguments, OPTION_JSON)) {
		print_json(data, size, envelope);
		return;
	}
	output(data, size);
	if (given(arguments, OPTION_NULL))
		output("", 1);
	else if (!given(arguments, OPTION_RAW))
		output_text("\n");
}

int
message_complain(const struct arguments *arguments, int error)
{
	const char *mailbox = arguments->words[0];
	const char *from = text_of(arguments, OPTION_FROM);

	if (error == -EAGAIN) {
		complain("%s is empty%s%s", mailbox,
			 from ? " of messages from sender " : "",
			 from ? from : "");
		return EXIT_NOTHING;
	}
	if (error == -ETIMEDOUT) {
		complain("%s: no message came within %s", mailbox,
			 text_of(arguments, OPTION_TIMEOUT));
		return EXIT_LATE;
	}
	return complain_of(mailbox, "receive from", error);
}
