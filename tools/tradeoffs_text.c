/* SPDX-License-Identifier: MIT */
/* What was found, for people: tables and a plot, in 80 columns of plain text. */
#include <langinfo.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "output.h"
#include "table.h"
#include "tradeoffs.h"

#define ROWS 20
#define COLUMNS 64

static bool
has_utf8(void)
{
	setlocale(LC_CTYPE, "");
	return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

const char *
time_text(char text[TIME_TEXT], double ns)
{
	static const char *const units[] = { "ns", "us", "ms", "s" };
	size_t unit = 0;

	for (; ns >= 999.5 && unit < 3; unit++)
		ns /= 1000;
	snprintf(text, TIME_TEXT, ns < 9.95 && unit ? "%.1f %s" : "%.0f %s", ns,
		 units[unit]);
	return text;
}

/* A figure, or a dash for one that was not measured. */
static const char *
figure_text(char text[TIME_TEXT], const struct figure *figure)
{
	if (!figure->rounds)
		return "-";
	return time_text(text, figure->median);
}

static void
calls_text(char text[TIME_TEXT], double calls)
{
	if (calls < 0)
		snprintf(text, TIME_TEXT, "-");
	else if (calls > 0 && calls < 0.05)
		snprintf(text, TIME_TEXT, "%.3f", calls);
	else
		snprintf(text, TIME_TEXT, "%.1f", calls);
}

static void
heading(const char *text)
{
	output_format("\n%s%s%s\n", output_has_colour() ? "\033[1m" : "", text,
		      output_has_colour() ? "\033[0m" : "");
}

/* Set-up, calls, copies -------------------------------------------------- */

static void
print_means(const struct findings *findings)
{
	char setup[TIME_TEXT], small[TIME_TEXT], large[TIME_TEXT];

	heading("                 set-up   copies   system calls a message");
	output_format(
		"                                  of 8 bytes   of 1M%s\n",
		findings->calls_counted ? "" : "   (by construction)");
	for (int i = 0; i < CONTENDERS; i++) {
		const struct figure *its =
			&findings->setup[contenders[i].transport];

		if (contenders[i].untouched)
			continue;
		calls_text(small, findings->calls[i][0]);
		calls_text(large, findings->calls[i][1]);
		output_format("%-14s %8s   %6d   %10s   %5s\n",
			      contenders[i].title, figure_text(setup, its),
			      contenders[i].copies, small, large);
	}
}

/* Time by size ----------------------------------------------------------- */

static void
print_times(const struct findings *findings, enum mode mode)
{
	char text[SIZE_TEXT];

	output_format("%-5s", "size");
	for (int i = 0; i < CONTENDERS; i++)
		output_format(" %8s", contenders[i].title);
	output_text("\n");
	for (int size = 0; size < SIZES; size++) {
		size_text(text, tradeoffs_sizes[size]);
		output_format("%-5s", text);
		for (int i = 0; i < CONTENDERS; i++)
			output_format(
				" %8s",
				figure_text(text,
					    &findings->times[i][size][mode]));
		output_text("\n");
	}
}

static void
print_legend(void)
{
	char left[16];

	output_text("\nSet-up is that of a channel each way, with a first "
		    "message.\n");
	for (int i = 0; i < CONTENDERS; i++) {
		snprintf(left, sizeof(left), "%s", contenders[i].title);
		output_wrapped(left, 11, contenders[i].legend);
	}
}

/* How far apart the middle half of the rounds lies, at its worst. */
static void
print_spread(const struct findings *findings)
{
	double all[CONTENDERS * SIZES * MODES];
	struct figure spread;
	int count = 0;

	for (int i = 0; i < CONTENDERS * SIZES * MODES; i++) {
		const struct figure *its =
			&findings->times[i / (SIZES * MODES)][i / MODES % SIZES]
					[i % MODES];

		if (its->rounds > 1)
			all[count++] = (its->high - its->low) / its->median *
				       100;
	}
	spread = figure_of(all, count);
	if (count)
		output_format(
			"\nEach is the median of up to 15 rounds; the "
			"middle half of them lies within\n%.0f%% of it in "
			"most, within %.0f%% at the worst.\n",
			spread.median, all[count - 1]);
}

/* What all is made of ---------------------------------------------------- */

static void
print_cost(const char *what, const struct figure *figure)
{
	char text[TIME_TEXT];

	output_format("%-56s %8s\n", what, figure_text(text, figure));
}

static const struct pair_of_cpus *
extreme_pair(const struct findings *findings, int sign)
{
	const struct pair_of_cpus *found = &findings->pairs[0];

	for (int i = 1; i < findings->pair_count; i++)
		if (sign * (findings->pairs[i].ns.median - found->ns.median) >
		    0)
			found = &findings->pairs[i];
	return found;
}

static void
print_costs(const struct findings *findings)
{
	const struct pair_of_cpus *near = extreme_pair(findings, -1);
	const struct pair_of_cpus *far = extreme_pair(findings, 1);
	char what[80];

	heading("What it is made of");
	print_cost("a system call that does nothing", &findings->system_call);
	print_cost("to wake another process, from one to the other",
		   &findings->wake);
	print_cost("a mutex that nobody else wants: lock and unlock",
		   &findings->mutex_free);
	print_cost("a mutex that two want: lock and unlock",
		   &findings->mutex_shared);
	print_cost("a mutex that two want: until the other one has it",
		   &findings->mutex_handover);
	if (!findings->pair_count)
		return;
	snprintf(what, sizeof(what),
		 "a cache line there and back, nearest cores (%d, %d)",
		 near->cpus[0], near->cpus[1]);
	print_cost(what, &near->ns);
	snprintf(what, sizeof(what),
		 "a cache line there and back, farthest cores (%d, %d)",
		 far->cpus[0], far->cpus[1]);
	print_cost(what, &far->ns);
}

void
tradeoffs_table(const struct findings *findings)
{
	output_format("Measured on %d processor%s in %.0f s",
		      findings->cpu_count, findings->cpu_count == 1 ? "" : "s",
		      findings->seconds);
	if (findings->pinned[0] >= 0)
		output_format("; the two processes ran on %d and %d",
			      findings->pinned[0], findings->pinned[1]);
	output_text(".\n");
	print_means(findings);
	print_costs(findings);
	heading("Time of one message, when one at a time goes there and back");
	print_times(findings, HANDOVER);
	heading("Time of one message, when one follows another");
	print_times(findings, STREAM);
	print_legend();
	print_spread(findings);
	if (findings->missing_count)
		heading("Not measured");
	for (int i = 0; i < findings->missing_count; i++)
		output_wrapped(" -", 3, findings->missing[i]);
}

/* The plot --------------------------------------------------------------- */

struct plot {
	char cells[ROWS][COLUMNS + 1];
	double low, high; /* log10 of ns */
};

static void
find_range(const struct findings *findings, struct plot *plot)
{
	bool found = false;

	for (int i = 0; i < CONTENDERS * SIZES; i++) {
		const struct figure *its =
			&findings->times[i / SIZES][i % SIZES][HANDOVER];
		double value;

		if (!its->rounds || !contenders[i / SIZES].letter)
			continue;
		value = log10(its->median);
		if (!found || value < plot->low)
			plot->low = value;
		if (!found || value > plot->high)
			plot->high = value;
		found = true;
	}
	plot->low = floor(plot->low);
	plot->high = ceil(plot->high);
	if (plot->high <= plot->low)
		plot->high = plot->low + 1;
}

static int
column_of(double size)
{
	double first = log2((double)tradeoffs_sizes[0]);
	double last = log2((double)tradeoffs_sizes[SIZES - 1]);

	return (int)lround((log2(size) - first) / (last - first) *
			   (COLUMNS - 1));
}

static void
put(struct plot *plot, int column, double value, char mark)
{
	int row = (int)lround((plot->high - value) / (plot->high - plot->low) *
			      (ROWS - 1));

	if (row >= 0 && row < ROWS &&
	    (mark != '.' || plot->cells[row][column] == ' '))
		plot->cells[row][column] = mark;
}

/* A line of dots between two points, and a letter at the first. */
static void
draw(struct plot *plot, const struct findings *findings, int contender,
     int size)
{
	const struct figure *one = &findings->times[contender][size][HANDOVER];
	const struct figure *other = one + MODES;
	int from = column_of((double)tradeoffs_sizes[size]), to;

	if (!one->rounds)
		return;
	put(plot, from, log10(one->median), contenders[contender].letter);
	if (size + 1 == SIZES || !other->rounds)
		return;
	to = column_of((double)tradeoffs_sizes[size + 1]);
	for (int i = from + 1; i < to; i++) {
		double part = (double)(i - from) / (to - from);

		put(plot, i,
		    log10(one->median) * (1 - part) +
			    log10(other->median) * part,
		    '.');
	}
}

/* A time at each power of ten, and nothing between. */
static void
print_row(const struct plot *plot, int row, bool utf8)
{
	double step = (plot->high - plot->low) / (ROWS - 1);
	double value = plot->high - row * step;
	char text[TIME_TEXT] = "";

	if (fabs(value - round(value)) <= step / 2 &&
	    fabs(value - round(value)) < 0.5)
		time_text(text, pow(10, round(value)));
	output_format("%8s %s", text, utf8 ? "│" : "|");
	for (const char *cell = plot->cells[row]; *cell; cell++)
		output_format("%s", utf8 && *cell == '.' ?
					    "·" :
					    (char[]){ *cell, 0 });
	output_text("\n");
}

static void
print_axis(bool utf8)
{
	char line[COLUMNS + 8], text[SIZE_TEXT];

	output_format("%8s %s", "", utf8 ? "└" : "+");
	for (int i = 0; i < COLUMNS; i++)
		output_text(utf8 ? "─" : "-");
	memset(line, ' ', sizeof(line));
	for (int i = 0; i < SIZES; i++) {
		size_text(text, tradeoffs_sizes[i]);
		memcpy(line + column_of((double)tradeoffs_sizes[i]), text,
		       strlen(text));
	}
	output_format("\n%9s %.*s\n", "", COLUMNS + 3, line);
}

void
tradeoffs_plot(const struct findings *findings)
{
	bool utf8 = has_utf8();
	struct plot plot;

	find_range(findings, &plot);
	for (int i = 0; i < ROWS; i++) {
		memset(plot.cells[i], ' ', COLUMNS);
		plot.cells[i][COLUMNS] = '\0';
	}
	for (int i = 0; i < CONTENDERS * SIZES; i++)
		if (contenders[i / SIZES].letter)
			draw(&plot, findings, i / SIZES, i % SIZES);
	heading("Time of one message by its size, one at a time");
	for (int i = 0; i < ROWS; i++)
		print_row(&plot, i, utf8);
	print_axis(utf8);
	for (int i = 0, shown = 0; i < CONTENDERS; i++)
		if (contenders[i].letter)
			output_format("%s%c %s", shown++ ? "   " : "",
				      contenders[i].letter,
				      contenders[i].title);
	output_text("\n");
}
