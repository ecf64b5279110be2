/* SPDX-License-Identifier: MIT */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H
/*
 * The command lines of the programs of the bench. Each has a table of its options,
 * those that all of them know and its own, from which its --help is made as well.
 */
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "settings.h"

/* What may be measured, if anything is named at all. */
struct filter {
	const char *texts[16];
	int count;
};

void
filter_add(struct filter *filter, const char *text);

bool
filter_takes(const struct filter *filter, const char *text);

/* Ends the program if something is named that there is not. */
void
filter_check(const struct filter *filter, bool (*exists)(const char *text),
	     const char *what);

/* What all of them know. */
struct options {
	struct settings settings;
	struct filter tests;
	char json[PATH_MAX]; /* where the results go */
};

struct program_option {
	const char *name, *argument; /* NULL: it takes none */
	int letter; /* the program's own: none of those below */
	const char *help;
};

/* At the beginning of a line of the help that goes on. */
#define OPTION_NEXT "\n                   "

#define OPTION_TEST(more) \
	{ \
		"test", "NAME", 't', "only this test (may be repeated)" more \
	}
#define OPTION_ROUNDS(help) \
	{ \
		"rounds", "N", 'r', help \
	}
#define OPTION_ROUND_MS(help) \
	{ \
		"round-ms", "N", 'm', help \
	}
#define OPTION_HUNT(default) \
	{ \
		"hunt", "N", 'u', \
			"seconds to wait, in each test, for near or far" OPTION_NEXT \
			"processors to turn up (" default ")" \
	}
#define OPTIONS_WHERE(file) \
	{ "cpus", "A,B,...", 'c', \
	  "processors to use (all that are allowed)" }, \
		{ "json", "FILE", 'j', \
		  "where the results go (" file " beside this program)" }, \
		{ "near-from", "NS", 'n', \
		  "a bare round trip of less is within one core (60)" }, \
	{ \
		"far-from", "NS", 'f', "one of as much or more is far (250)" \
	}
#define OPTIONS_END \
	{ "help", NULL, 'h', NULL }, \
	{ \
		NULL, NULL, 0, NULL \
	}

struct program {
	const char *name, *purpose;
	const char *file; /* of the results, beside the program by default */
	const struct program_option *options; /* to an OPTIONS_END */
	/* One of its own; value: NULL, if it takes none. */
	void (*take)(void *context, int letter, const char *value);
	/* Its tests: the name of number 0 and so on, to a NULL. NULL: the help does
	   without them, and --test is for the program to check. */
	const char *(*test)(size_t number, const char **ret_title);
};

/*
 * Reads the command line into options, whose defaults are set; ends the program
 * if it asks for help, or makes no sense. From then on options_wrong() knows the
 * program's name.
 */
void
options_parse(const struct program *program, int argc, char **argv,
	      struct options *options, void *context);

/* Its tests, a line each. */
void
options_list(const struct program *program, FILE *file);

/* Ends the program with a message: the option's value makes no sense. */
_Noreturn void
options_wrong(const char *what, const char *value);

#endif
