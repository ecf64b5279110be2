/* SPDX-License-Identifier: MIT */
/* cubby ls: the mailboxes there are. */
#include <errno.h>
#include <string.h>

#include "command.h"
#include "info.h"
#include "json.h"
#include "output.h"
#include "table.h"

static const struct column columns[] = {
	{ "NAME", false },  { "WAITING", true }, { "CAPACITY", true },
	{ "SEND", true },   { "RECV", true },	 { "HELD", true },
	{ "MEMORY", true }, { "MODE", true },	 { "OWNER", false },
	{ "ORDER", false },
};

struct list {
	const struct arguments *arguments;
	struct table table;
	int code;
};

/* What the next receives would get: given back or never handed out. */
static uint64_t
to_receive(const struct cubby_info *info)
{
	if (info->waiting == CUBBY_UNKNOWN || info->returned == CUBBY_UNKNOWN)
		return info->waiting;
	return info->waiting + info->returned;
}

static void
add_row(struct table *table, const char *name, const struct cubby_info *info)
{
	table_add_name(table, name);
	table_add_number(table, to_receive(info));
	if (info->buffering == CUBBY_UNLIMITED)
		table_add(table, "unlimited");
	else if (info->buffering == CUBBY_RENDEZVOUS)
		table_add_number(table, 0);
	else
		table_add_number(table, info->capacity);
	table_add_number(table, info->senders);
	table_add_number(table, info->receivers);
	table_add_number(table, info->held);
	table_add_size(table, info->memory);
	table_add(table, "%04o", (unsigned int)info->mode);
	table_add_user(table, info->uid);
	table_add(table, "%s", info_order(info->order));
}

/* One that has gone since its name was read is left out, unless asked for. */
static void
add(struct list *list, const char *name, int missing_ok)
{
	struct cubby_info info = CUBBY_INFO_INIT;
	int error = cubby_inspect(name, &info);

	if (error == -ENOENT && missing_ok)
		return;
	if (error < 0) {
		list->code = complain_of(name, "look at", error);
		return;
	}
	if (!given(list->arguments, OPTION_JSON)) {
		add_row(&list->table, name, &info);
		return;
	}
	json_break();
	info_json(name, &info);
}

static int
visit(const char *name, void *context)
{
	add(context, name, 1);
	return 0;
}

int
run_ls(const struct arguments *arguments)
{
	struct list list = {
		.arguments = arguments,
		.table = { columns, sizeof(columns) / sizeof(columns[0]), NULL,
			   0 },
	};
	int error = 0;

	if (given(arguments, OPTION_JSON))
		json_open('[');
	if (!arguments->count)
		error = cubby_list(visit, &list);
	for (int i = 0; i < arguments->count; i++)
		add(&list, arguments->words[i], 0);
	if (given(arguments, OPTION_JSON)) {
		json_close(']');
		json_end_line();
	} else {
		table_print(&list.table);
	}
	return error < 0 ? complain_of("mailboxes", "list", error) : list.code;
}
