/* SPDX-License-Identifier: MIT */
/*
 * Completion of command lines, from the tables of verbs and options: so what is
 * offered is what is understood. The scripts in tools/completion/ ask.
 *
 * What a word may be is told by how the help calls it: NAME and MAILBOX, FILE,
 * GROUP, COMMAND.
 */
#include "complete.h"

#include <stdio.h>
#include <string.h>

#include "command.h"
#include "output.h"
#include "region.h"

#define CLAUSE 60 /* columns of an option's help */

/* What stands before the last word. */
struct line {
	const struct verb *verb;
	const struct region_action *action; /* of region */
	const struct option_row *row;	    /* whose value the word is */
	bool dashes;			    /* after -- */
	int place;			    /* of the word, without options */
	int command;			    /* where one begins, or 0 */
};

/* Offering --------------------------------------------------------------- */

/* The first clause of a help text, or less. */
static size_t
clause(const char *help)
{
	size_t length = strcspn(help, ";");

	while (length && help[length - 1] == ' ')
		length--;
	if (length <= CLAUSE)
		return length;
	for (length = CLAUSE; length && help[length] != ' ';)
		length--;
	return length;
}

/* lead: what stands before it in the same word, --OPTION= or nothing. */
static void
offer(const char *typed, const char *lead, const char *word, const char *help)
{
	if (strncmp(word, typed, strlen(typed)) == 0)
		output_format("%s%s\t%.*s\n", lead, word, (int)clause(help),
			      help);
}

static void
offer_choices(const char *typed, const char *lead, const char *choices)
{
	char word[40];
	size_t length;

	for (; *choices; choices += length) {
		choices += strspn(choices, " ");
		length = strcspn(choices, " ");
		snprintf(word, sizeof(word), "%.*s", (int)length, choices);
		offer(typed, lead, word, "");
	}
}

struct asked {
	const char *typed;
	const char *lead;
	const char *help;
};

/* A name that does not fit on a line as it is cannot be offered. */
static int
visit(const char *name, void *context)
{
	const struct asked *asked = context;
	const char *c;

	for (c = name; *c && (unsigned char)*c >= ' ' && *c != 0x7f; c++)
		continue;
	if (!*c)
		offer(asked->typed, asked->lead, name, asked->help);
	return 0;
}

static void
offer_verbs(const char *typed)
{
	for (int i = 0; i < VERB_COUNT; i++)
		offer(typed, "", verbs[i].name, verbs[i].summary);
}

static void
offer_actions(const char *typed)
{
	const struct region_action *action;

	for (size_t i = 0; (action = region_action(i)); i++)
		offer(typed, "", action->name, "");
}

static bool
is(const char *what, size_t length, const char *name)
{
	return strlen(name) == length && strncmp(what, name, length) == 0;
}

/* what: how the help calls what stands there, of that length. */
static void
offer_word(const struct line *line, const char *what, size_t length,
	   const char *typed, const char *lead)
{
	struct asked mailbox = { typed, lead, "mailbox" };
	struct asked region = { typed, lead, "region" };

	if (is(what, length, "NAME") && line->action)
		cubby_region_list(visit, &region);
	else if (is(what, length, "NAME") || is(what, length, "MAILBOX"))
		cubby_list(visit, &mailbox);
	else if (is(what, length, "FILE"))
		output_text("\tfiles\n");
	else if (is(what, length, "GROUP"))
		output_text("\tgroups\n");
	else if (is(what, length, "VERB"))
		offer_verbs(typed);
	else if (is(what, length, "ACTION"))
		offer_actions(typed);
	else if (is(what, length, "RIGHT"))
		offer_choices(typed, lead, "read write none");
}

/* Options ---------------------------------------------------------------- */

static bool
has(const struct line *line, const struct option_row *row)
{
	return !line->action || row->id == OPTION_HELP ||
	       line->action->options & UINT64_C(1) << row->id;
}

static void
offer_options(const struct line *line, const char *typed)
{
	const struct option_row *row = NULL;
	char word[40];

	while ((row = options_next(line->verb, row))) {
		snprintf(word, sizeof(word), "--%s", row->name);
		if (has(line, row))
			offer(typed, "", word, row->help);
	}
}

/* A value has no name of its own: --as NAME is no mailbox. */
static void
offer_value(const struct line *line, const char *typed, const char *lead)
{
	const char *what = line->row->argument;

	if (line->row->kind && line->row->kind->choices)
		offer_choices(typed, lead, line->row->kind->choices);
	else if (strcmp(what, "NAME") != 0)
		offer_word(line, what, strlen(what), typed, lead);
}

/* The option of that name, which may be cut short if no other begins so. */
static const struct option_row *
find_long(const struct verb *verb, const char *name, size_t length)
{
	const struct option_row *row = NULL, *found = NULL;

	while ((row = options_next(verb, row))) {
		if (is(name, length, row->name))
			return row;
		if (strncmp(row->name, name, length) == 0)
			found = row;
	}
	return found;
}

/* The option of a cluster of letters whose value is the next word. */
static const struct option_row *
find_short(const struct verb *verb, const char *letters)
{
	const struct option_row *row;

	for (; *letters; letters++) {
		row = NULL;
		while ((row = options_next(verb, row)))
			if (row->letter == *letters)
				break;
		if (row && option_takes_word(row))
			return letters[1] ? NULL : row;
	}
	return NULL;
}

/* Reading ---------------------------------------------------------------- */

/* How the help calls the word at that place: "NAME [WORD...]"; dashes that must
   stand before it are not counted. */
static const char *
called(const char *words, int place, size_t *ret_length)
{
	const char *what = NULL;

	while (*(words += strspn(words, " []-"))) {
		what = words;
		*ret_length = strspn(words, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
		words += *ret_length;
		if (place-- == 0 || strncmp(words, "...", 3) == 0)
			return what;
		words += strcspn(words, " ");
	}
	return NULL;
}

static void
read_option(struct line *line, const char *word)
{
	const struct option_row *row;

	if (strcmp(word, "--") == 0) {
		line->dashes = true;
	} else if (word[1] != '-') {
		line->row = find_short(line->verb, word + 1);
	} else if (!strchr(word, '=')) {
		row = find_long(line->verb, word + 2, strlen(word + 2));
		line->row = row && option_takes_word(row) ? row : NULL;
	}
}

/* index: of the word, among all. */
static void
read_word(struct line *line, const char *word, int index)
{
	const struct region_action *action;
	const char *what;
	size_t length;

	if (line->command)
		return;
	if (line->row) {
		line->row = NULL;
		return;
	}
	if (!line->dashes && word[0] == '-' && word[1]) {
		read_option(line, word);
		return;
	}
	what = called(line->verb->words, line->place, &length);
	if (what && is(what, length, "COMMAND"))
		line->command = index + 1;
	if (line->place++ || strcmp(line->verb->name, "region") != 0)
		return;
	for (size_t i = 0; (action = region_action(i)); i++)
		if (strcmp(action->name, word) == 0)
			line->action = action;
}

static void
offer_place(const struct line *line, const char *typed, int index)
{
	bool action = line->action && line->place > 0;
	const char *what;
	size_t length;

	what = action ? called(line->action->words, line->place - 1, &length) :
			called(line->verb->words, line->place, &length);
	if (line->command || (what && is(what, length, "COMMAND")))
		output_format("\tcommand %d\n",
			      line->command ? line->command : index + 1);
	else if (what)
		offer_word(line, what, length, typed, "");
}

static void
complete_last(struct line *line, const char *word, int index)
{
	const char *value = strchr(word, '=');
	char lead[40];

	if (line->row) {
		offer_value(line, word, "");
	} else if (line->command || line->dashes || word[0] != '-') {
		offer_place(line, word, index);
	} else if (word[1] != '-' || !value) {
		offer_options(line, word);
	} else {
		line->row = find_long(line->verb, word + 2,
				      (size_t)(value - word - 2));
		snprintf(lead, sizeof(lead), "%.*s=", (int)(value - word),
			 word);
		if (line->row && line->row->argument)
			offer_value(line, value + 1, lead);
	}
}

int
complete(int count, char **words)
{
	struct line line = { .verb = NULL };

	if (count < 1)
		return EXIT_DONE;
	if (count == 1) {
		offer_verbs(words[0]);
		if (words[0][0] == '-') {
			offer(words[0], "", "--help", "print help");
			offer(words[0], "", "--version", "print the version");
		}
		return EXIT_DONE;
	}
	line.verb = find_verb(words[0]);
	if (!line.verb)
		return EXIT_DONE;
	for (int i = 1; i < count - 1; i++)
		read_word(&line, words[i], i);
	complete_last(&line, words[count - 1], count - 1);
	return EXIT_DONE;
}
