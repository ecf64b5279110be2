/* SPDX-License-Identifier: MIT */
/* A frame of cubby top as text: the same on a terminal and in a file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command.h"
#include "output.h"
#include "table.h"
#include "top.h"

#define PARTY_COLUMNS 7

static const struct top_title party_titles[PARTY_COLUMNS] = {
	{ "PROCESS", "", false, 0 },  { "USER", "", false, 0 },
	{ "MAILBOX", "", false, 0 },  { "ROLE", "", false, 0 },
	{ "STATE", "", false, 0 },    { "WAITS FOR", "", false, 0 },
	{ "COMMAND", "", false, 0 },
};

/* Rows of cells that get the same width below each other. */
struct grid {
	const struct top_title *titles;
	size_t width;
	char **cells;
	size_t count;
};

static void
add_cell(struct grid *grid, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		out_of_memory();
	grid->cells = allocate(grid->cells,
			       (grid->count + 1) * sizeof(*grid->cells));
	grid->cells[grid->count++] = copy;
}

static size_t
text_width(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += (*text & 0xc0) != 0x80;
	return width;
}

static void
print_cell(const struct grid *grid, size_t index, size_t width)
{
	const char *text = grid->cells[index];
	size_t column = index % grid->width;
	int padding = (int)(width - text_width(text));

	output_text(column ? "  " : "");
	if (grid->titles[column].is_number)
		output_format("%*s%s", padding, "", text);
	else if (column + 1 < grid->width)
		output_format("%s%*s", text, padding, "");
	else
		output_text(text);
	if (column + 1 == grid->width)
		output_text("\n");
}

static void
print_grid(struct grid *grid)
{
	size_t *widths = allocate(NULL, grid->width * sizeof(*widths));

	memset(widths, 0, grid->width * sizeof(*widths));
	for (size_t i = 0; i < grid->count; i++) {
		size_t width = text_width(grid->cells[i]);

		if (width > widths[i % grid->width])
			widths[i % grid->width] = width;
	}
	for (size_t i = 0; i < grid->count; i++) {
		print_cell(grid, i, widths[i % grid->width]);
		free(grid->cells[i]);
	}
	free(grid->cells);
	free(widths);
}

static void
print_mailboxes(const struct top *top)
{
	struct grid grid = { top_titles, TOP_COLUMNS, NULL, 0 };
	char text[TOP_CELL], *name;

	for (size_t i = 0; i < TOP_COLUMNS; i++)
		add_cell(&grid, top_titles[i].title);
	for (size_t i = 0; i < top->snapshot.mailbox_count; i++) {
		const struct mailbox *mailbox =
			&top->snapshot.mailboxes[top->order[i]];

		name = name_text(mailbox->name);
		add_cell(&grid, name);
		free(name);
		for (int column = TOP_NAME + 1; column < TOP_COLUMNS;
		     column++) {
			top_cell(top, mailbox, (enum top_column)column, text);
			add_cell(&grid, text);
		}
	}
	print_grid(&grid);
}

static void
add_party(struct grid *grid, const struct top *top, size_t index)
{
	const struct party *party = &top->snapshot.parties[index];
	struct top_party cells;
	char *name = name_text(top->snapshot.mailboxes[party->mailbox].name);

	top_party(top, index, &cells);
	add_cell(grid, cells.process);
	add_cell(grid, cells.user);
	add_cell(grid, name);
	add_cell(grid, cells.role);
	add_cell(grid, cells.state);
	add_cell(grid, *cells.waits_for ? cells.waits_for : "-");
	add_cell(grid, *cells.command ? cells.command : "-");
	top_party_free(&cells);
	free(name);
}

static void
print_parties(const struct top *top)
{
	struct grid grid = { party_titles, PARTY_COLUMNS, NULL, 0 };

	for (size_t i = 0; i < PARTY_COLUMNS; i++)
		add_cell(&grid, party_titles[i].title);
	for (size_t i = 0; i < top->snapshot.mailbox_count; i++) {
		const struct mailbox *mailbox =
			&top->snapshot.mailboxes[top->order[i]];

		for (size_t k = 0; k < mailbox->count; k++)
			if (top_shows(&top->snapshot.parties[mailbox->first +
							     k]))
				add_party(&grid, top, mailbox->first + k);
	}
	if (grid.count > PARTY_COLUMNS)
		output_text("\n");
	else
		grid.count = 0;
	print_grid(&grid);
}

static void
print_deadlocks(const struct top *top)
{
	char *text;

	for (size_t knot = 0; knot < top->analysis.knots; knot++) {
		text = deadlock_text(&top->snapshot, &top->analysis, knot);
		output_format("\n%s\n", text);
		free(text);
	}
}

void
top_print(const struct top *top)
{
	char summary[256], now[32];
	time_t seconds = time(NULL);
	struct tm tm;

	localtime_r(&seconds, &tm);
	strftime(now, sizeof(now), "%Y-%m-%d %H:%M:%S", &tm);
	top_summary(top, summary);
	output_format("cubby top, %s: %s\n", now, summary);
	print_mailboxes(top);
	print_parties(top);
	print_deadlocks(top);
	output_text("\n");
}
