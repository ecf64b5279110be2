/* SPDX-License-Identifier: MIT */
/*
 * Tables: aligned, with headings and colour, on a terminal; lines with tabs
 * between the fields, and nothing else, in a pipe.
 */
#ifndef CUBBY_TOOLS_TABLE_H
#define CUBBY_TOOLS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct column {
	const char *title;
	bool is_number; /* aligned to the right */
};

struct table {
	const struct column *columns;
	size_t width; /* columns */
	char **cells;
	size_t count;
};

/* Adds a cell, and so, when it is full, a row. */
__attribute__((format(printf, 2, 3))) void
table_add(struct table *table, const char *format, ...);

/* Adds a number, or a question mark for CUBBY_UNKNOWN. */
void
table_add_number(struct table *table, uint64_t number);

/* Adds a size: readable on a terminal, bytes in a pipe. */
void
table_add_size(struct table *table, uint64_t bytes);

/* Adds a name as name_text() shows it. */
void
table_add_name(struct table *table, const char *name);

/* Adds a user's name, or number if there is none. */
void
table_add_user(struct table *table, unsigned int uid);

/* Prints the table and frees what it holds. */
void
table_print(struct table *table);

/* Bytes as people read them: "64M", "1.5K", "?". */
#define SIZE_TEXT 24
void
size_text(char text[SIZE_TEXT], uint64_t bytes);

/* "1 message", "2 messages", "? messages". The thing's plural ends with s. */
#define COUNT_TEXT 48
const char *
count_text(char text[COUNT_TEXT], uint64_t count, const char *thing);

/*
 * A name for a line of text, whoever chose it: what is not printable UTF-8, or
 * is a backslash, as \ooo. The caller frees it.
 */
char *
name_text(const char *name);

#endif
