/* SPDX-License-Identifier: MIT */
/*
 * Tables.
 *
 * On a terminal, the first column gives way: a name that leaves too little room
 * for the rest stands on a line of its own. No name is ever cut.
 */
#include "table.h"

#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "output.h"
#include "utf8.h"

#define GAP 2
#define BOLD "\033[1m"
#define PLAIN "\033[0m"

void
table_add(struct table *table, const char *format, ...)
{
	va_list arguments;
	char *text;
	int size;

	va_start(arguments, format);
	size = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (size < 0)
		out_of_memory();
	table->cells = allocate(table->cells,
				(table->count + 1) * sizeof(*table->cells));
	table->cells[table->count++] = text;
}

void
table_add_number(struct table *table, uint64_t number)
{
	if (number == CUBBY_UNKNOWN)
		table_add(table, "?");
	else
		table_add(table, "%llu", (unsigned long long)number);
}

void
table_add_size(struct table *table, uint64_t bytes)
{
	char text[SIZE_TEXT];

	if (!output_is_terminal()) {
		table_add_number(table, bytes);
		return;
	}
	size_text(text, bytes);
	table_add(table, "%s", text);
}

void
table_add_name(struct table *table, const char *name)
{
	char *text = name_text(name);

	table_add(table, "%s", text);
	free(text);
}

void
table_add_user(struct table *table, unsigned int uid)
{
	const struct passwd *user = getpwuid(uid);

	if (user)
		table_add_name(table, user->pw_name);
	else
		table_add(table, "%u", uid);
}

/* The columns that a text takes on a terminal: one for each character. */
static size_t
text_width(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += (*text & 0xc0) != 0x80;
	return width;
}

static void
print_padded(const char *text, size_t width, bool to_the_right)
{
	size_t own = text_width(text);
	int padding = own < width ? (int)(width - own) : 0;

	if (to_the_right)
		output_format("%*s%s", padding, "", text);
	else
		output_format("%s%*s", text, padding, "");
}

static void
print_row(const struct table *table, char *const *row, const size_t *widths)
{
	print_padded(row[0], widths[0], table->columns[0].is_number);
	if (text_width(row[0]) > widths[0])
		output_format("\n%*s", (int)widths[0], "");
	for (size_t i = 1; i < table->width; i++) {
		bool last = i + 1 == table->width;

		output_format("%*s", GAP, "");
		print_padded(row[i],
			     last && !table->columns[i].is_number ? 0 :
								    widths[i],
			     table->columns[i].is_number);
	}
	output_text("\n");
}

/* Fits the first column into what the others leave of the terminal. */
static void
measure(const struct table *table, size_t *widths)
{
	size_t others = 0, room, title = text_width(table->columns[0].title);

	for (size_t i = 0; i < table->width; i++)
		widths[i] = text_width(table->columns[i].title);
	for (size_t i = 0; i < table->count; i++) {
		size_t width = text_width(table->cells[i]);

		if (width > widths[i % table->width])
			widths[i % table->width] = width;
	}
	for (size_t i = 1; i < table->width; i++)
		others += GAP + widths[i];
	room = output_width() > others ? output_width() - others : 0;
	if (room < title)
		room = title;
	if (widths[0] > room)
		widths[0] = room;
}

static void
print_aligned(const struct table *table)
{
	size_t *widths = allocate(NULL, table->width * sizeof(*widths));
	char **titles = allocate(NULL, table->width * sizeof(*titles));

	measure(table, widths);
	for (size_t i = 0; i < table->width; i++)
		titles[i] = (char *)(uintptr_t)table->columns[i].title;
	output_text(output_has_colour() ? BOLD : "");
	print_row(table, titles, widths);
	output_text(output_has_colour() ? PLAIN : "");
	for (size_t i = 0; i < table->count; i += table->width)
		print_row(table, table->cells + i, widths);
	free(titles);
	free(widths);
}

static void
print_plain(const struct table *table)
{
	for (size_t i = 0; i < table->count; i++)
		output_format("%s%c", table->cells[i],
			      (i + 1) % table->width ? '\t' : '\n');
}

void
table_print(struct table *table)
{
	if (!output_is_terminal())
		print_plain(table);
	else if (table->count)
		print_aligned(table);
	for (size_t i = 0; i < table->count; i++)
		free(table->cells[i]);
	free(table->cells);
	table->cells = NULL;
	table->count = 0;
}

void
size_text(char text[SIZE_TEXT], uint64_t bytes)
{
	static const char units[] = "KMGTPE";
	const char *unit = units;
	double size = (double)bytes / 1024;

	if (bytes == CUBBY_UNKNOWN) {
		snprintf(text, SIZE_TEXT, "?");
		return;
	}
	if (bytes < 1024) {
		snprintf(text, SIZE_TEXT, "%llu", (unsigned long long)bytes);
		return;
	}
	for (; size >= 1023.5 && unit[1]; unit++)
		size /= 1024;
	/* One digit after the point, where it says something. */
	snprintf(text, SIZE_TEXT, "%.*f%c",
		 size < 9.95 && size != (double)(uint64_t)size, size, *unit);
}

const char *
count_text(char text[COUNT_TEXT], uint64_t count, const char *thing)
{
	if (count == CUBBY_UNKNOWN)
		snprintf(text, COUNT_TEXT, "? %ss", thing);
	else
		snprintf(text, COUNT_TEXT, "%llu %s%s",
			 (unsigned long long)count, thing,
			 count == 1 ? "" : "s");
	return text;
}

char *
name_text(const char *name)
{
	size_t left = strlen(name), size;
	char *text = allocate(NULL, 4 * left + 1);
	char *end = text;

	for (; left; name += size, left -= size) {
		size = utf8_printable(name, left);
		if (size && *name != '\\') {
			memcpy(end, name, size);
			end += size;
			continue;
		}
		size = 1;
		end += sprintf(end, "\\%03o", (unsigned char)*name);
	}
	*end = '\0';
	return text;
}
