/* SPDX-License-Identifier: MIT */
/* Help, made from the tables of verbs and options. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "output.h"

static void
paragraphs(const char *text)
{
	const char *end;
	char *paragraph;

	for (; *text; text = end + strspn(end, "\n")) {
		end = strstr(text, "\n\n");
		if (!end)
			end = text + strlen(text);
		paragraph = strndup(text, (size_t)(end - text));
		if (!paragraph)
			out_of_memory();
		output_text("\n");
		output_wrapped("", 0, paragraph);
		free(paragraph);
	}
}

static void
indented(const char *lines)
{
	const char *end;

	for (; *lines; lines = end + 1) {
		end = strchr(lines, '\n');
		output_format("  %.*s\n", (int)(end - lines), lines);
	}
}

void
help_verb(const struct verb *verb)
{
	output_format("Usage: cubby %s [OPTION...] %s\n", verb->name,
		      verb->words);
	paragraphs(verb->text);
	output_text("\nOptions:\n");
	options_help(verb);
	output_text("\nExamples:\n");
	indented(verb->examples);
}

void
help_all(void)
{
	char left[20];

	output_text("Usage: cubby VERB [OPTION...] [NAME] [WORD...]\n\n"
		    "Messages between the processes of this machine, through "
		    "named mailboxes; and\nmemory that they share.\n\n"
		    "Verbs:\n");
	for (int i = 0; i < VERB_COUNT; i++) {
		snprintf(left, sizeof(left), "  %s", verbs[i].name);
		output_wrapped(left, 12, verbs[i].summary);
	}
	output_text("\nA first exchange:\n"
		    "  cubby create jobs\n"
		    "  cubby receive jobs       in one terminal: waits\n"
		    "  cubby send jobs hello    in another\n");
	paragraphs("With the default order, the capacity of a mailbox counts "
		   "per sender. One buffer for all, as in the textbook, is: "
		   "cubby create --order arrival NAME.\n\n"
		   "Mailboxes lie in /dev/shm, or where CUBBY_ROOT says. "
		   "NO_COLOR, if not empty, switches colour off.");
	output_text("\nExit codes:\n"
		    "  0  done\n"
		    "  1  an error, told on standard error\n"
		    "  2  a mistake on the command line\n"
		    "  3  empty or full, with --try\n"
		    "  4  the time given with --timeout has passed\n"
		    "  5  no such mailbox or region\n"
		    "\nSee also: cubby help VERB, cubby(1), cubby(7)\n");
}

int
run_help(const struct arguments *arguments)
{
	const struct verb *verb;

	if (!arguments->count) {
		help_all();
		return EXIT_DONE;
	}
	verb = find_verb(arguments->words[0]);
	if (!verb) {
		complain("there is no verb %s; see: cubby help",
			 arguments->words[0]);
		return EXIT_USAGE;
	}
	help_verb(verb);
	return EXIT_DONE;
}
