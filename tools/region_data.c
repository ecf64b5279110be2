/* SPDX-License-Identifier: MIT */
/* cubby region dump, load, ls: what is in regions, and which there are. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "json.h"
#include "output.h"
#include "region.h"
#include "table.h"

#define CHUNK ((size_t)65536)
#define LINE ((size_t)16)

/* dump ------------------------------------------------------------------- */

static char
printable(unsigned char byte)
{
	return byte >= 0x20 && byte < 0x7f ? (char)byte : '.';
}

/* "00000010  68 65 6c 6c 6f 0a ...  |hello.|" */
static void
print_line(uint64_t offset, const unsigned char *bytes, size_t size)
{
	char text[LINE + 1] = "";

	output_format("%08llx ", (unsigned long long)offset);
	for (size_t i = 0; i < LINE; i++) {
		const char *gap = i == LINE / 2 ? "  " : " ";

		if (i < size)
			output_format("%s%02x", gap, bytes[i]);
		else
			output_format("%s  ", gap);
	}
	for (size_t i = 0; i < size; i++)
		text[i] = printable(bytes[i]);
	output_format("  |%s|\n", text);
}

/* A line that is like the one before it is left out, and a star says so. */
static void
dump_hex(const unsigned char *data, uint64_t size)
{
	bool starred = false;

	for (uint64_t at = 0; at < size; at += LINE) {
		size_t left = size - at < LINE ? (size_t)(size - at) : LINE;
		unsigned char line[LINE];

		memcpy(line, data + at, left); /* others may write meanwhile */
		if (at && left == LINE &&
		    memcmp(line, data + at - LINE, LINE) == 0) {
			if (!starred)
				output_text("*\n");
			starred = true;
			continue;
		}
		starred = false;
		print_line(at, line, left);
	}
	output_format("%08llx\n", (unsigned long long)size);
}

static void
dump_raw(const char *data, uint64_t size)
{
	for (uint64_t at = 0; at < size && output_flush() == 0; at += CHUNK)
		output(data + at,
		       size - at < CHUNK ? (size_t)(size - at) : CHUNK);
}

void
region_print(const struct arguments *arguments, const cubby_region *region)
{
	uint64_t size = cubby_region_size(region);

	if (given(arguments, OPTION_HEX))
		dump_hex(cubby_region_data(region), size);
	else
		dump_raw(cubby_region_data(region), size);
}

int
region_dump(const struct arguments *arguments)
{
	const char *name = arguments->words[0];
	struct cubby_region_info info = CUBBY_REGION_INFO_INIT;
	cubby_region *region;
	int error = cubby_region_open(name, 0, NULL, &region);

	if (error < 0)
		return region_complain(name, "read", error);
	region_print(arguments, region);
	cubby_region_close(region);
	/* Cut short meanwhile, what was missing has been read as zeros. */
	error = cubby_region_inspect(name, &info);
	return error == -EBADMSG ? region_complain(name, "read", error) :
				   EXIT_DONE;
}

/* load ------------------------------------------------------------------- */

static ssize_t
read_chunk(char *chunk)
{
	ssize_t count;

	do
		count = read(STDIN_FILENO, chunk, CHUNK);
	while (count < 0 && errno == EINTR);
	return count < 0 ? -errno : count;
}

int
region_fill(const char *name, cubby_region *region, uint64_t *ret_size)
{
	char *data = cubby_region_data(region);
	static char chunk[CHUNK];
	ssize_t count;

	for (*ret_size = 0; (count = read_chunk(chunk)) > 0;
	     *ret_size += (uint64_t)count) {
		int error = cubby_region_grow(region,
					      *ret_size + (uint64_t)count);

		if (error < 0) {
			complain("%llu bytes of standard input are in %s",
				 (unsigned long long)*ret_size, name);
			return region_complain(name, "write to", error);
		}
		memcpy(data + *ret_size, chunk, (size_t)count);
	}
	if (count == 0)
		return EXIT_DONE;
	complain("cannot read standard input: %s; %llu bytes of it are in %s",
		 strerror((int)-count), (unsigned long long)*ret_size, name);
	return EXIT_ERROR;
}

int
region_load(const struct arguments *arguments)
{
	const char *name = arguments->words[0];
	cubby_region *region;
	uint64_t size;
	int code, error = cubby_region_open(name, CUBBY_WRITE, NULL, &region);

	if (error < 0)
		return region_complain(name, "write to", error);
	code = region_fill(name, region, &size);
	cubby_region_close(region);
	return code;
}

/* ls --------------------------------------------------------------------- */

static const struct column columns[] = {
	{ "NAME", false },   { "SIZE", true },	 { "MAX", true },
	{ "WRITERS", true }, { "MEMORY", true }, { "MODE", true },
	{ "OWNER", false },
};

struct list {
	const struct arguments *arguments;
	struct table table;
	int code;
};

static void
add_row(struct table *table, const char *name,
	const struct cubby_region_info *info)
{
	table_add_name(table, name);
	table_add_size(table, info->size);
	table_add_size(table, info->size_max);
	table_add_number(table, info->attached);
	table_add_size(table, info->memory);
	table_add(table, "%04o", (unsigned int)info->mode);
	table_add_user(table, info->uid);
}

static void
print_json(const char *name, const struct cubby_region_info *info)
{
	char mode[8];

	json_break();
	json_open('{');
	json_member_bytes("name", "name_base64", name, strlen(name));
	snprintf(mode, sizeof(mode), "%04o", (unsigned int)info->mode & 07777);
	json_member_text("mode", mode);
	json_member_number("size", info->size);
	json_member_number("size_max", info->size_max);
	json_member_number("memory", info->memory);
	json_member_number("uid", info->uid);
	json_member_number("gid", info->gid);
	json_member_count("writers", info->attached);
	json_close('}');
}

/* One that has gone since its name was read is left out, unless asked for. */
static void
add(struct list *list, const char *name, bool missing_ok)
{
	struct cubby_region_info info = CUBBY_REGION_INFO_INIT;
	int error = cubby_region_inspect(name, &info);

	if (error == -ENOENT && missing_ok)
		return;
	if (error < 0)
		list->code = region_complain(name, "look at", error);
	else if (given(list->arguments, OPTION_JSON))
		print_json(name, &info);
	else
		add_row(&list->table, name, &info);
}

static int
visit(const char *name, void *context)
{
	add(context, name, true);
	return 0;
}

int
region_ls(const struct arguments *arguments)
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
		error = cubby_region_list(visit, &list);
	for (int i = 0; i < arguments->count; i++)
		add(&list, arguments->words[i], false);
	if (given(arguments, OPTION_JSON)) {
		json_close(']');
		json_end_line();
	} else {
		table_print(&list.table);
	}
	return error < 0 ? complain_of("regions", "list", error) : list.code;
}
