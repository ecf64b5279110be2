/* SPDX-License-Identifier: MIT */
/*
 * cubby top on a terminal.
 *
 * From above: a line of sums, deadlocks, the mailboxes, and below who is
 * attached, to all of them or to the one chosen. Columns give way on a narrow
 * screen, and parts on a low one; nothing is drawn that does not fit.
 */
#include <curses.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#include "command.h"
#include "output.h"
#include "table.h"
#include "top.h"
#include "watch.h"

/* Last, since it gives all sorts of words another meaning. */
#include <term.h>
#undef columns
#undef lines

#define MSEC INT64_C(1000000)
#define DELAY_LEAST (100 * MSEC)
#define DELAY_MOST (60000 * MSEC)
#define NAME_LEAST 20
#define DEADLOCK_PART 4 /* of the screen, at the most, is theirs */
#define CONTROL_L 12
#define ESCAPE_DELAY 25 /* ms: a key that begins like Escape */

enum colours { PLAIN = 0, ALARM, CHOSEN };

struct screen {
	struct top *top;
	bool utf8;
	char *chosen; /* the mailbox's name, or NULL */
	size_t first; /* of the mailboxes shown */
	bool one;     /* only those attached to the chosen one */
	bool paused;
	bool helps;
	int width, height;
	int widths[TOP_COLUMNS]; /* 0: not shown */
};

/* Text ------------------------------------------------------------------- */

/*
 * The next character of text: its bytes, and in *columns how many it takes on the
 * screen. 0: it cannot be shown by this terminal.
 */
static size_t
next_character(const struct screen *screen, const char *text, int *columns)
{
	mbstate_t state = { 0 };
	wchar_t wide;
	size_t size;

	*columns = 1;
	if ((unsigned char)*text < 0x80)
		return 1;
	if (!screen->utf8)
		return 0;
	size = mbrtowc(&wide, text, strlen(text), &state);
	if (size == (size_t)-1 || size == (size_t)-2 || wcwidth(wide) < 0)
		return 0;
	*columns = wcwidth(wide);
	return size;
}

static int
columns_of(const struct screen *screen, const char *text)
{
	int sum = 0, own;
	size_t size;

	for (; *text; text += size) {
		size = next_character(screen, text, &own);
		size += !size;
		sum += own;
	}
	return sum;
}

/* Draws as much of it as fits into width columns, and fills them up. Where it is
   cut, that shows. */
static void
draw_text(const struct screen *screen, const char *text, int width)
{
	bool cut = columns_of(screen, text) > width;
	int left = cut ? width - 1 : width, own;
	size_t size;

	for (; *text && left > 0; text += size) {
		size = next_character(screen, text, &own);
		if (own > left)
			break;
		left -= own;
		if (size)
			addnstr(text, (int)size);
		else
			addch('?');
		size += !size;
	}
	if (cut && width > 0)
		addch('>');
	for (; left > 0; left--)
		addch(' ');
}

static void
draw_line(const struct screen *screen, int row, const char *text)
{
	if (row < 0 || row >= screen->height)
		return;
	move(row, 0);
	draw_text(screen, text, screen->width);
}

static void
draw_cell(const struct screen *screen, const char *text, int width,
	  bool to_the_right)
{
	int own = columns_of(screen, text);

	if (to_the_right)
		for (; own < width; width--)
			addch(' ');
	draw_text(screen, text, width);
}

/* Mailboxes -------------------------------------------------------------- */

static const struct mailbox *
shown_at(const struct top *top, size_t place)
{
	return &top->snapshot.mailboxes[top->order[place]];
}

static void
cell_of(const struct top *top, const struct mailbox *mailbox, int column,
	char text[TOP_CELL])
{
	if (column == TOP_NAME)
		snprintf(text, TOP_CELL, "%s", "");
	else
		top_cell(top, mailbox, (enum top_column)column, text);
}

/* What each column would like to have. Returns their sum, with gaps. */
static int
measure(struct screen *screen)
{
	const struct top *top = screen->top;
	int sum = 0;

	for (int c = 0; c < TOP_COLUMNS; c++) {
		char text[TOP_CELL];

		screen->widths[c] = (int)strlen(top_titles[c].title);
		for (size_t i = 0; i < top->snapshot.mailbox_count; i++) {
			const struct mailbox *mailbox = shown_at(top, i);
			char *name = c ? NULL : name_text(mailbox->name);
			int own;

			cell_of(top, mailbox, c, text);
			own = columns_of(screen, name ? name : text);
			free(name);
			if (own > screen->widths[c])
				screen->widths[c] = own;
		}
		sum += screen->widths[c] + (c ? 2 : 0);
	}
	return sum;
}

/* The column that gives way next: 0, if there is none left. */
static int
least_wanted(const struct screen *screen)
{
	int worst = TOP_NAME;

	for (int c = TOP_NAME + 1; c < TOP_COLUMNS; c++)
		if (screen->widths[c] &&
		    top_titles[c].rank > top_titles[worst].rank)
			worst = c;
	return worst;
}

static void
fit_columns(struct screen *screen)
{
	int sum = measure(screen), name = screen->widths[TOP_NAME], worst;
	int least = name < NAME_LEAST ? name : NAME_LEAST;

	while (sum - name + least > screen->width &&
	       (worst = least_wanted(screen)) != TOP_NAME) {
		sum -= screen->widths[worst] + 2;
		screen->widths[worst] = 0;
	}
	name -= sum > screen->width ? sum - screen->width : 0;
	screen->widths[TOP_NAME] = name > 1 ? name : 1;
}

static void
draw_titles(const struct screen *screen, int row)
{
	move(row, 0);
	attron(A_REVERSE);
	for (int c = 0; c < TOP_COLUMNS; c++) {
		if (!screen->widths[c])
			continue;
		if (c)
			addstr("  ");
		if (c == (int)screen->top->sort)
			attron(A_BOLD);
		draw_cell(screen, top_titles[c].title, screen->widths[c],
			  top_titles[c].is_number);
		attroff(A_BOLD);
	}
	attroff(A_REVERSE);
}

static void
draw_mailbox(const struct screen *screen, int row, const struct mailbox *mailbox)
{
	bool chosen = screen->chosen &&
		      strcmp(screen->chosen, mailbox->name) == 0;
	char text[TOP_CELL], *name = name_text(mailbox->name);

	move(row, 0);
	if (chosen)
		attron(A_BOLD | A_UNDERLINE);
	draw_cell(screen, name, screen->widths[TOP_NAME], false);
	for (int c = TOP_NAME + 1; c < TOP_COLUMNS; c++) {
		if (!screen->widths[c])
			continue;
		top_cell(screen->top, mailbox, (enum top_column)c, text);
		addstr("  ");
		draw_cell(screen, text, screen->widths[c],
			  top_titles[c].is_number);
	}
	attroff(A_BOLD | A_UNDERLINE);
	free(name);
}

/* The place of the chosen one; the first if it has gone. */
static size_t
chosen_place(const struct screen *screen)
{
	const struct top *top = screen->top;

	for (size_t i = 0; i < top->snapshot.mailbox_count; i++)
		if (screen->chosen &&
		    strcmp(shown_at(top, i)->name, screen->chosen) == 0)
			return i;
	return 0;
}

static void
choose(struct screen *screen, size_t place)
{
	free(screen->chosen);
	screen->chosen = NULL;
	if (place >= screen->top->snapshot.mailbox_count)
		return;
	screen->chosen = strdup(shown_at(screen->top, place)->name);
	if (!screen->chosen)
		out_of_memory();
}

/* Draws at most `most` of them, the chosen one among them. Returns how many. */
static int
draw_mailboxes(struct screen *screen, int row, int most)
{
	size_t count = screen->top->snapshot.mailbox_count;
	size_t place = chosen_place(screen), rows = (size_t)most;
	size_t drawn = 0;

	if (most <= 0)
		return 0;
	if (place < screen->first)
		screen->first = place;
	if (place >= screen->first + rows)
		screen->first = place - rows + 1;
	if (screen->first + rows > count)
		screen->first = count > rows ? count - rows : 0;
	for (; drawn < rows && screen->first + drawn < count; drawn++)
		draw_mailbox(screen, row + (int)drawn,
			     shown_at(screen->top, screen->first + drawn));
	return (int)drawn;
}

/* Parties ---------------------------------------------------------------- */

static void
draw_party(const struct screen *screen, int row, size_t index)
{
	const struct top *top = screen->top;
	const struct party *party = &top->snapshot.parties[index];
	char *name = name_text(top->snapshot.mailboxes[party->mailbox].name);
	char *text;
	struct top_party cells;
	bool alarm = top_verdict(top, index) != GOES_ON;

	top_party(top, index, &cells);
	if (asprintf(&text, "%9s %-8.8s %-12.12s %-8s %-7s %-18s %s",
		     cells.process, cells.user, name, cells.role, cells.state,
		     cells.waits_for, cells.command) < 0)
		out_of_memory();
	if (alarm)
		attron(A_BOLD | COLOR_PAIR(ALARM));
	draw_line(screen, row, text);
	attroff(A_BOLD | COLOR_PAIR(ALARM));
	free(text);
	free(name);
	top_party_free(&cells);
}

static void
draw_parties(const struct screen *screen, int row, int end)
{
	const struct top *top = screen->top;
	char title[128];

	if (row + 1 >= end)
		return;
	snprintf(title, sizeof(title), "%9s %-8s %-12s %-8s %-7s %-18s %s",
		 "PROCESS", "USER", "MAILBOX", "ROLE", "STATE", "WAITS FOR",
		 "COMMAND");
	attron(A_REVERSE);
	draw_line(screen, row++, title);
	attroff(A_REVERSE);
	for (size_t i = 0; i < top->snapshot.mailbox_count; i++) {
		const struct mailbox *mailbox = shown_at(top, i);

		if (screen->one && i != chosen_place(screen))
			continue;
		for (size_t k = 0; k < mailbox->count && row < end; k++)
			if (top_shows(&top->snapshot.parties[mailbox->first +
							     k]))
				draw_party(screen, row++, mailbox->first + k);
	}
}

/* All of it -------------------------------------------------------------- */

static void
draw_summary(const struct screen *screen)
{
	char summary[256], line[512], now[16];
	time_t seconds = time(NULL);
	struct tm tm;

	localtime_r(&seconds, &tm);
	strftime(now, sizeof(now), "%H:%M:%S", &tm);
	top_summary(screen->top, summary);
	snprintf(line, sizeof(line), "cubby top  %s%s  %s", now,
		 screen->paused ? " (stopped)" : "", summary);
	attron(A_BOLD);
	draw_line(screen, 0, line);
	attroff(A_BOLD);
}

/* A line for each wait, as far as there are lines. */
static int
draw_deadlock(const struct screen *screen, int row, int end, char *text)
{
	char *next;

	for (; text && row < end; text = next) {
		next = strstr(text, "; ");
		if (next) {
			*next = '\0';
			next += 2;
		}
		draw_line(screen, row++, text);
	}
	return row;
}

static int
draw_deadlocks(const struct screen *screen, int row)
{
	const struct top *top = screen->top;
	int end = row + screen->height / DEADLOCK_PART;
	char *text;

	attron(A_BOLD | COLOR_PAIR(ALARM));
	for (size_t knot = 0; knot < top->analysis.knots && row < end;
	     knot++) {
		text = deadlock_text(&top->snapshot, &top->analysis, knot);
		row = draw_deadlock(screen, row, end, text);
		free(text);
	}
	attroff(A_BOLD | COLOR_PAIR(ALARM));
	return row;
}

static void
draw_keys(const struct screen *screen)
{
	char text[160];

	snprintf(text, sizeof(text),
		 "q end  h help  </> sort: %s%s  +/- every %gs  Enter %s",
		 top_titles[screen->top->sort].name,
		 screen->top->reversed ? ", turned" : "",
		 (double)screen->top->delay / 1e9,
		 screen->one ? "all" : "one");
	attron(A_REVERSE);
	draw_line(screen, screen->height - 1, text);
	attroff(A_REVERSE);
}

static void
draw_help(const struct screen *screen)
{
	static const char *const text[] = {
		"Up Down PgUp PgDn Home End   choose a mailbox",
		"Enter                        who is attached to it, or to all",
		"< >                          sort by the next column",
		"r                            turn the order round",
		"+ -                          look half, or twice, as often",
		"Space                        stop, and go on",
		"h                            this help, or back",
		"q                            end",
		"",
		"LATENCY   from being sent to being handed out, of one message",
		"          in a while; <60us: it was less",
		"OLDEST    how long ago the oldest message that waits was first",
		"          seen; >5s: it was there at the first look",
		"?         you are not allowed to see it, or it is not known yet",
		"",
		"All of it is seen by looking: nothing is received.",
	};

	for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++)
		draw_line(screen, (int)i + 2, text[i]);
}

static void
draw(struct screen *screen)
{
	int row = 1, end, parties;

	getmaxyx(stdscr, screen->height, screen->width);
	erase();
	draw_summary(screen);
	end = screen->height - 1;
	if (screen->helps) {
		draw_help(screen);
	} else {
		row = draw_deadlocks(screen, row);
		fit_columns(screen);
		if (row < end)
			draw_titles(screen, row++);
		parties = (end - row) / 2;
		row += draw_mailboxes(screen, row, end - row - parties);
		draw_parties(screen, row + 1, end);
	}
	if (screen->height > 1)
		draw_keys(screen);
	refresh();
}

/* Keys ------------------------------------------------------------------- */

static void
move_by(struct screen *screen, int by)
{
	long place = (long)chosen_place(screen) + by;
	long last = (long)screen->top->snapshot.mailbox_count - 1;

	if (place > last)
		place = last;
	choose(screen, place < 0 ? 0 : (size_t)place);
}

static void
sort_by(struct screen *screen, int by)
{
	int column = (int)screen->top->sort;

	do
		column = (column + by + TOP_COLUMNS) % TOP_COLUMNS;
	while (!screen->widths[column]);
	screen->top->sort = (enum top_column)column;
	top_sort(screen->top);
}

static void
change_delay(struct screen *screen, bool longer)
{
	int64_t delay = screen->top->delay;

	delay = longer ? 2 * delay : delay / 2;
	if (delay >= DELAY_LEAST && delay <= DELAY_MOST)
		screen->top->delay = delay;
}

/* Returns false when it is to end. */
static bool
press(struct screen *screen, int key)
{
	int page = screen->height / 2;

	switch (key) {
	case 'q':
	case KEY_F(10):
		return false;
	case KEY_UP:
	case 'k':
		move_by(screen, -1);
		break;
	case KEY_DOWN:
	case 'j':
		move_by(screen, 1);
		break;
	case KEY_PPAGE:
		move_by(screen, -page);
		break;
	case KEY_NPAGE:
		move_by(screen, page);
		break;
	case KEY_HOME:
		choose(screen, 0);
		break;
	case KEY_END:
		choose(screen, screen->top->snapshot.mailbox_count - 1);
		break;
	case '<':
		sort_by(screen, -1);
		break;
	case '>':
		sort_by(screen, 1);
		break;
	case 'r':
		screen->top->reversed = !screen->top->reversed;
		top_sort(screen->top);
		break;
	case '+':
		change_delay(screen, true);
		break;
	case '-':
		change_delay(screen, false);
		break;
	case ' ':
		screen->paused = !screen->paused;
		break;
	case 'h':
	case '?':
	case KEY_F(1):
		screen->helps = !screen->helps;
		break;
	case '\n':
	case '\r':
	case KEY_ENTER:
		screen->one = !screen->one;
		break;
	case CONTROL_L:
		clearok(stdscr, TRUE);
		break;
	default:
		break; /* KEY_RESIZE: draws again */
	}
	return true;
}

/* Takes all keys there are. Returns false when it is to end. */
static bool
take_keys(struct screen *screen, bool *pressed)
{
	int key;

	*pressed = false;
	while ((key = getch()) != ERR) {
		*pressed = true;
		if (!press(screen, key))
			return false;
	}
	return true;
}

/* Running ---------------------------------------------------------------- */

/* Until the next look, or a key. Returns false when it is to end. */
static bool
wait_for_key(struct screen *screen, int64_t until)
{
	struct pollfd keys = { STDIN_FILENO, POLLIN, 0 };
	bool pressed;
	int64_t left;

	while (!watch_cause()) {
		left = until - monotonic_now();
		if (left <= 0)
			return true;
		if (left > TOP_LOOK_EVERY * MSEC)
			left = TOP_LOOK_EVERY * MSEC;
		poll(&keys, 1, (int)((left + MSEC - 1) / MSEC));
		if (keys.revents & (POLLHUP | POLLERR | POLLNVAL))
			return false;
		if (!take_keys(screen, &pressed))
			return false;
		if (pressed)
			draw(screen);
		if (!screen->paused)
			top_look_on(screen->top);
	}
	return false;
}

static int
run(struct screen *screen)
{
	struct top *top = screen->top;
	int64_t next = monotonic_now();
	int error = 0;
	bool first = true;

	do {
		if (!screen->paused)
			error = top_look(top);
		draw(screen);
		/* Rates take two looks: the second comes soon. */
		next = monotonic_now() + (first ? DELAY_LEAST : top->delay);
		first = false;
	} while (!error && wait_for_key(screen, next));
	return error;
}

/* Can text be put where it is wanted? Else complains. */
static int
check_terminal(void)
{
	const char *name = getenv("TERM");
	bool has_screen;
	int status;

	if (!isatty(STDIN_FILENO)) {
		complain("standard input is not a terminal; see: cubby top "
			 "--batch");
		return EXIT_USAGE;
	}
	if (setupterm(NULL, STDOUT_FILENO, &status) == OK) {
		has_screen = cursor_address != NULL;
		del_curterm(cur_term);
		if (has_screen)
			return 0;
	}
	complain("the terminal (TERM is %s) has no screen; see: cubby top "
		 "--batch",
		 name && *name ? name : "not set");
	return EXIT_ERROR;
}

static void
set_up(void)
{
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(ESCAPE_DELAY);
	curs_set(0);
	if (!output_has_colour() || !has_colors())
		return;
	start_color();
	use_default_colors();
	init_pair(ALARM, COLOR_RED, -1);
}

int
top_screen(struct top *top)
{
	struct screen screen = { .top = top };
	SCREEN *terminal;
	int error, code = check_terminal();

	if (code)
		return code;
	/* Of the locale no more than that: numbers keep their points. */
	setlocale(LC_CTYPE, "");
	screen.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	terminal = newterm(NULL, stdout, stdin);
	if (!terminal) {
		complain("the terminal cannot be used; see: cubby top --batch");
		return EXIT_ERROR;
	}
	set_up();
	error = watch_start();
	if (!error)
		error = run(&screen);
	endwin();
	delscreen(terminal);
	free(screen.chosen);
	return error ? complain_of("mailboxes", "list", error) : EXIT_DONE;
}
