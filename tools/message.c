/* SPDX-License-Identifier: MIT */
/* What receive and peek share: which message, and how it is printed. */
#include "message.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "json.h"
#include "output.h"
#include "values.h"

/* --type and its like. */
static void
read_types(const struct arguments *arguments, struct cubby_filter *ret)
{
	static const struct {
		enum option_id option;
		enum cubby_matching matching;
	} all[] = {
		{ OPTION_TYPE, CUBBY_MATCH_TYPE },
		{ OPTION_NOT_TYPE, CUBBY_MATCH_NOT_TYPE },
		{ OPTION_TYPE_UP_TO, CUBBY_MATCH_LOWEST },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (!given(arguments, all[i].option))
			continue;
		ret->matching = all[i].matching;
		ret->type = (int64_t)number_or(arguments, all[i].option, 0);
	}
}

int
message_filter(const struct arguments *arguments, struct cubby_filter *ret)
{
	const char *from = text_of(arguments, OPTION_FROM);

	read_types(arguments, ret);
	if (!from || parse_number(from, &ret->sender) == 0)
		return 0;
	ret->sender_name = from;
	if (*from && strlen(from) <= SENDER_NAME_MAX)
		return 0;
	complain("--from %s is not a sender's name: 1 to %d bytes", from,
		 SENDER_NAME_MAX);
	return EXIT_USAGE;
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
	if (!code)
		code = exclude(arguments, OPTION_TYPE, OPTION_NOT_TYPE,
			       "--type and --not-type");
	if (!code)
		code = exclude(arguments, OPTION_TYPE, OPTION_TYPE_UP_TO,
			       "--type and --type-up-to");
	if (!code)
		code = exclude(arguments, OPTION_NOT_TYPE, OPTION_TYPE_UP_TO,
			       "--not-type and --type-up-to");
	return code;
}

/* A sender that has no name, or is not to be found any more, has no member. */
static void
print_sender_name(cubby_mailbox *mailbox, uint64_t sender)
{
	char name[SENDER_NAME_MAX + 1];

	if (cubby_sender_name(mailbox, sender, name, sizeof(name)) == 0 &&
	    *name)
		json_member_bytes("sender_name", "sender_name_base64", name,
				  strlen(name));
}

static void
print_json(const char *name, cubby_mailbox *mailbox, const void *data,
	   size_t size, const struct cubby_envelope *envelope)
{
	json_open('{');
	if (name)
		json_member_bytes("mailbox", "mailbox_base64", name,
				  strlen(name));
	json_member_number("sequence", envelope->sequence);
	json_member_number("sender", envelope->sender);
	print_sender_name(mailbox, envelope->sender);
	json_member_number("uid", envelope->uid);
	json_member_number("tag", envelope->tag);
	json_member_number("type", (uint64_t)envelope->type);
	json_member_number("priority", (uint64_t)envelope->priority);
	json_member_number("size", size);
	json_member_number("deliveries", envelope->deliveries);
	if (envelope->missed)
		json_member_number("missed", envelope->missed);
	json_member_bytes("data", "base64", data, size);
	json_close('}');
	json_end_line();
}

void
message_print(const struct arguments *arguments, const char *name,
	      cubby_mailbox *mailbox,
	      const void *data, size_t size,
	      const struct cubby_envelope *envelope)
{
	if (given(arguments, OPTION_JSON)) {
		print_json(name, mailbox, data, size, envelope);
		return;
	}
	if (envelope->missed)
		complain("%s: %llu messages of sender %llu were overwritten "
			 "before they could be received",
			 arguments->words[0],
			 (unsigned long long)envelope->missed,
			 (unsigned long long)envelope->sender);
	if (name) {
		output_text(name);
		output_text("\t");
	}
	output(data, size);
	if (given(arguments, OPTION_NULL))
		output("", 1);
	else if (!given(arguments, OPTION_RAW))
		output_text("\n");
}

/* What was asked for: "", " of messages from worker", " of type 3", both. */
static void
wanted_text(const struct arguments *arguments, char *text, size_t size)
{
	const char *from = text_of(arguments, OPTION_FROM);
	const char *type = text_of(arguments, OPTION_TYPE);
	const char *other = text_of(arguments, OPTION_NOT_TYPE);
	const char *up_to = text_of(arguments, OPTION_TYPE_UP_TO);

	if (!from && !type && !other && !up_to) {
		*text = '\0';
		return;
	}
	snprintf(text, size, " of messages%s%s%s%s", from ? " from " : "",
		 from ? from : "",
		 type  ? " of type " :
		 other ? " of another type than " :
		 up_to ? " of a type up to " :
			 "",
		 type  ? type :
		 other ? other :
		 up_to ? up_to :
			 "");
}

/*
 * The mailbox's order does not have what the filter asks for; or, without a
 * filter, the message is a region.
 */
static int
complain_of_kind(const struct arguments *arguments)
{
	const char *mailbox = arguments->words[0];
	struct cubby_info info = CUBBY_INFO_INIT;
	bool by_type = given(arguments, OPTION_TYPE) ||
		       given(arguments, OPTION_NOT_TYPE) ||
		       given(arguments, OPTION_TYPE_UP_TO);

	if (by_type && cubby_inspect(mailbox, &info) == 0 &&
		 info.order == CUBBY_ORDER_SENDER)
		complain("%s has the order sender, which is not received by "
			 "type; make it with --order arrival or priority",
			 mailbox);
	else
		complain("the next message of %s is a region; take it with: "
			 "cubby region receive %s",
			 mailbox, mailbox);
	return EXIT_ERROR;
}

int
message_complain(const struct arguments *arguments, int error)
{
	const char *mailbox = arguments->words[0];
	char wanted[320];

	switch (-error) {
	case EAGAIN:
		wanted_text(arguments, wanted, sizeof(wanted));
		complain("%s is empty%s", mailbox, wanted);
		return EXIT_NOTHING;
	case ETIMEDOUT:
		complain("%s: no message came within %s", mailbox,
			 text_of(arguments, OPTION_TIMEOUT));
		return EXIT_LATE;
	case EOPNOTSUPP:
		return complain_of_kind(arguments);
	case ENOMSG:
		complain("the next message of %s is no region; take it with: "
			 "cubby receive %s",
			 mailbox, mailbox);
		return EXIT_ERROR;
	case EPIPE:
		complain("%s: sender %s has gone, and nothing of its is left",
			 mailbox, text_of(arguments, OPTION_FROM));
		return EXIT_ERROR;
	default:
		return complain_of(mailbox, "receive from", error);
	}
}
