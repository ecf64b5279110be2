/* SPDX-License-Identifier: MIT */
/*
 * cubby info: all about one mailbox. For people on a terminal; as names and
 * values with a tab between, or as JSON, for programs, both of the same fields.
 */
#include "info.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "json.h"
#include "output.h"
#include "table.h"

#define INDENT 13

const char *
info_order(enum cubby_order order)
{
	switch (order) {
	case CUBBY_ORDER_SENDER:
		return "sender";
	case CUBBY_ORDER_ARRIVAL:
		return "arrival";
	case CUBBY_ORDER_PRIORITY:
		return "priority";
	}
	return "unknown";
}

static const char *
buffering_name(enum cubby_buffering buffering)
{
	switch (buffering) {
	case CUBBY_LIMITED:
		return "limited";
	case CUBBY_UNLIMITED:
		return "unlimited";
	case CUBBY_RENDEZVOUS:
		return "rendezvous";
	}
	return "unknown";
}

static const char *
delivery_name(enum cubby_delivery delivery)
{
	switch (delivery) {
	case CUBBY_ONE:
		return "one";
	case CUBBY_EVERY:
		return "every";
	case CUBBY_EVERY_OVERTAKE:
		return "every-overtake";
	}
	return "unknown";
}

static const char *
sizing_name(enum cubby_sizing sizing)
{
	return sizing == CUBBY_FIXED ? "fixed" : "variable";
}

static const char *
lifetime_name(enum cubby_lifetime lifetime)
{
	return lifetime == CUBBY_TEMPORARY ? "temporary" : "persistent";
}

/* The fields that are words and the fields that are counts, in one order. */
struct words {
	const char *name;
	const char *text;
};

struct counts {
	const char *name;
	uint64_t count;
};

#define WORDS 6
#define COUNTS 17

static void
get_words(const struct cubby_info *info, char mode[8],
	  struct words words[WORDS])
{
	snprintf(mode, 8, "%04o", (unsigned int)info->mode & 07777);
	words[0] = (struct words){ "order", info_order(info->order) };
	words[1] = (struct words){ "buffering",
				   buffering_name(info->buffering) };
	words[2] = (struct words){ "sizing", sizing_name(info->sizing) };
	words[3] = (struct words){ "lifetime", lifetime_name(info->lifetime) };
	words[4] = (struct words){ "mode", mode };
	words[5] = (struct words){ "delivery", delivery_name(info->delivery) };
}

static void
get_counts(const struct cubby_info *info, struct counts counts[COUNTS])
{
	const struct counts all[COUNTS] = {
		{ "capacity", info->capacity },
		{ "message_max", info->message_max },
		{ "memory_limit", info->memory_limit },
		{ "cell_size", info->cell_size },
		{ "uid", info->uid },
		{ "gid", info->gid },
		{ "waiting", info->waiting },
		{ "fullest", info->fullest },
		{ "held", info->held },
		{ "returned", info->returned },
		{ "sent", info->sent },
		{ "senders", info->senders },
		{ "receivers", info->receivers },
		{ "lanes", info->lanes },
		{ "sleeping", info->sleeping },
		{ "memory", info->memory },
		{ "broken", info->broken },
	};

	memcpy(counts, all, sizeof(all));
}

static void
members(const char *name, const struct cubby_info *info)
{
	struct words words[WORDS];
	struct counts counts[COUNTS];
	char mode[8];

	get_words(info, mode, words);
	get_counts(info, counts);
	json_member_bytes("name", "name_base64", name, strlen(name));
	for (size_t i = 0; i < WORDS; i++)
		json_member_text(words[i].name, words[i].text);
	for (size_t i = 0; i < COUNTS; i++)
		json_member_count(counts[i].name, counts[i].count);
}

void
info_json(const char *name, const struct cubby_info *info)
{
	json_open('{');
	members(name, info);
	json_close('}');
}

static int
sender_json(const struct cubby_sender_info *sender, void *context)
{
	(void)context;
	json_open('{');
	json_member_number("sender", sender->sender);
	json_member_bytes("name", "name_base64", sender->name,
			  strlen(sender->name));
	json_member_number("uid", sender->uid);
	json_member_number("pid", (uint64_t)sender->pid);
	json_member_flag("attached", sender->attached);
	json_member_flag("broken", sender->broken);
	json_member_count("waiting", sender->waiting);
	json_member_count("sequence", sender->sequence);
	json_member_count("memory", sender->memory);
	json_close('}');
	return 0;
}

/* Who may not receive may not see the senders: then there is no list. */
static int
print_json(const char *name, const struct cubby_info *info)
{
	int error;

	json_open('{');
	members(name, info);
	json_name("sender_list");
	json_open('[');
	error = cubby_inspect_senders(name, sender_json, NULL);
	json_close(']');
	json_close('}');
	json_end_line();
	return error == -EACCES ? 0 : error;
}

static int
sender_row(const struct cubby_sender_info *sender, void *context)
{
	struct table *table = context;

	if (!output_is_terminal())
		table_add(table, "sender");
	table_add_number(table, sender->sender);
	table_add_name(table, *sender->name ? sender->name : "-");
	table_add_user(table, sender->uid);
	table_add(table, "%s",
		  sender->broken   ? "cut off" :
		  sender->attached ? "attached" :
				     "gone");
	if (sender->pid)
		table_add(table, "%ld", (long)sender->pid);
	else
		table_add(table, "-");
	table_add_number(table, sender->waiting);
	table_add_number(table, sender->sequence);
	table_add_size(table, sender->memory);
	return 0;
}

/* A table; in a pipe, lines that begin with the word "sender". */
static int
print_senders(const char *name)
{
	static const struct column columns[] = {
		{ "", false },	     { "SENDER", true }, { "NAME", false },
		{ "USER", false },   { "STATE", false }, { "PID", true },
		{ "WAITING", true }, { "SENT", true },	 { "MEMORY", true },
	};
	size_t first = output_is_terminal();
	struct table table = {
		.columns = columns + first,
		.width = sizeof(columns) / sizeof(columns[0]) - first,
	};
	int error = cubby_inspect_senders(name, sender_row, &table);

	if (table.count && output_is_terminal())
		output_text("\n");
	table_print(&table);
	return error == -EACCES ? 0 : error;
}

static void
print_plain(const char *name, const struct cubby_info *info)
{
	struct words words[WORDS];
	struct counts counts[COUNTS];
	char mode[8], *text = name_text(name);

	get_words(info, mode, words);
	get_counts(info, counts);
	output_format("name\t%s\n", text);
	free(text);
	for (size_t i = 0; i < WORDS; i++)
		output_format("%s\t%s\n", words[i].name, words[i].text);
	for (size_t i = 0; i < COUNTS; i++) {
		output_format("%s\t", counts[i].name);
		if (counts[i].count == CUBBY_UNKNOWN)
			output_text("?\n");
		else
			output_format("%" PRIu64 "\n", counts[i].count);
	}
}

__attribute__((format(printf, 2, 3))) static void
line(const char *title, const char *format, ...)
{
	va_list arguments;
	char *text;
	int size;

	va_start(arguments, format);
	size = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (size < 0)
		out_of_memory();
	output_wrapped(title, INDENT, text);
	free(text);
}

static void
print_owner(const struct cubby_info *info)
{
	const struct passwd *user = getpwuid(info->uid);
	const struct group *group = getgrgid(info->gid);
	char uid[16], gid[16];

	snprintf(uid, sizeof(uid), "%lu", (unsigned long)info->uid);
	snprintf(gid, sizeof(gid), "%lu", (unsigned long)info->gid);
	line("owner", "%s, group %s, mode %04o", user ? user->pw_name : uid,
	     group ? group->gr_name : gid, (unsigned int)info->mode & 07777);
}

static void
print_capacity(const struct cubby_info *info)
{
	char capacity[COUNT_TEXT];
	bool each = info->order == CUBBY_ORDER_SENDER;

	count_text(capacity, info->capacity, "message");
	if (info->buffering == CUBBY_UNLIMITED)
		line("capacity", "unlimited: as many as memory holds");
	else if (info->buffering == CUBBY_RENDEZVOUS)
		line("capacity", "none: sender and receiver meet (rendezvous)");
	else if (each)
		line("capacity",
		     "%s of each sender (one buffer for all, as in the "
		     "textbook, is --order arrival)",
		     capacity);
	else
		line("capacity", "%s, of all senders together", capacity);
}

static void
print_memory_limit(const struct cubby_info *info)
{
	char size[SIZE_TEXT], cell[SIZE_TEXT];

	size_text(size, info->memory_limit);
	size_text(cell, info->cell_size);
	if (info->order != CUBBY_ORDER_SENDER)
		line("memory limit", "%s of large messages, all together",
		     size);
	else if (info->buffering == CUBBY_UNLIMITED)
		line("memory limit",
		     "%s of cells for each sender, and as much of larger "
		     "messages; cells of %s bytes",
		     size, cell);
	else
		line("memory limit", "%s for each sender; cells of %s bytes",
		     size, cell);
}

static void
print_attributes(const struct cubby_info *info)
{
	char size[SIZE_TEXT];

	print_owner(info);
	line("order", "%s", info_order(info->order));
	if (info->delivery)
		line("delivery", "every message to every receiver; a slow one "
		     "%s", info->delivery == CUBBY_EVERY ?
		     "holds the senders back" :
		     "misses the oldest, and is told how many");
	print_capacity(info);
	size_text(size, info->message_max);
	if (info->sizing == CUBBY_FIXED)
		line("messages", "of %" PRIu64 " bytes exactly",
		     info->message_max);
	else
		line("messages", "of at most %s", size);
	print_memory_limit(info);
	line("lifetime", "%s",
	     info->lifetime == CUBBY_TEMPORARY ?
		     "temporary: until its last user has gone" :
		     "persistent: until cubby rm");
}

static const char *
number_text(char text[COUNT_TEXT], uint64_t number)
{
	if (number == CUBBY_UNKNOWN)
		return "?";
	snprintf(text, COUNT_TEXT, "%" PRIu64, number);
	return text;
}

static void
print_state(const struct cubby_info *info)
{
	bool lanes = info->order == CUBBY_ORDER_SENDER;
	char one[COUNT_TEXT], two[COUNT_TEXT], three[COUNT_TEXT];
	char size[SIZE_TEXT];

	line("waiting", "%s%s%s%s", count_text(one, info->waiting, "message"),
	     lanes ? ", at most " : "",
	     lanes ? number_text(two, info->fullest) : "",
	     lanes ? " from one sender" : "");
	line("held", "%s, and %s given back",
	     count_text(one, info->held, "message"),
	     number_text(two, info->returned));
	line("sent", "%s since it was made",
	     count_text(one, info->sent, "message"));
	line("attached", "%s, %s (%s asleep)",
	     count_text(one, info->senders, "sender"),
	     count_text(two, info->receivers, "receiver"),
	     number_text(three, info->sleeping));
	if (lanes)
		line("lanes", "%s: the most senders there were at once",
		     number_text(one, info->lanes));
	size_text(size, info->memory);
	line("memory", "%s in use", size);
	if (info->broken)
		line("cut off", "%s, whose memory made no sense",
		     count_text(one, info->broken, "sender"));
}

static void
print_for_people(const char *name, const struct cubby_info *info)
{
	char *text = name_text(name);

	line("mailbox", "%s", text);
	free(text);
	print_attributes(info);
	print_state(info);
}

int
run_info(const struct arguments *arguments)
{
	const char *name = arguments->words[0];
	struct cubby_info info = CUBBY_INFO_INIT;
	int error = cubby_inspect(name, &info);

	if (error < 0)
		return complain_of(name, "look at", error);
	if (given(arguments, OPTION_JSON)) {
		error = print_json(name, &info);
	} else {
		if (output_is_terminal())
			print_for_people(name, &info);
		else
			print_plain(name, &info);
		error = print_senders(name);
	}
	return error < 0 ? complain_of(name, "look at", error) : EXIT_DONE;
}
