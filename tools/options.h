/* SPDX-License-Identifier: MIT */
/*
 * The options of every verb: one table, from which getopt_long's tables and
 * every help text are made.
 */
#ifndef CUBBY_TOOLS_OPTIONS_H
#define CUBBY_TOOLS_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum verb_id {
	VERB_CREATE,
	VERB_SEND,
	VERB_RECEIVE,
	VERB_PEEK,
	VERB_LS,
	VERB_INFO,
	VERB_RM,
	VERB_SWEEP,
	VERB_WORK,
	VERB_CALL,
	VERB_SERVE,
	VERB_REGION,
	VERB_TOP,
	VERB_WATCH,
	VERB_HZ,
	VERB_TRADEOFFS,
	VERB_RECORD,
	VERB_REPLAY,
	VERB_DOCTOR,
	VERB_HELP,
	VERB_COUNT
};

enum option_id {
	OPTION_ALL,
	OPTION_AS,
	OPTION_ATTEMPTS,
	OPTION_BATCH,
	OPTION_BROADCAST,
	OPTION_CAPACITY,
	OPTION_CELL,
	OPTION_COUNT,
	OPTION_CREATE,
	OPTION_DELAY,
	OPTION_DEAD_LETTER,
	OPTION_EXCLUSIVE,
	OPTION_FIXED,
	OPTION_FOLLOW,
	OPTION_FORCE,
	OPTION_FROM,
	OPTION_GROUP,
	OPTION_HELP,
	OPTION_HEX,
	OPTION_JOBS,
	OPTION_JSON,
	OPTION_LAST,
	OPTION_MAX,
	OPTION_MEMORY_LIMIT,
	OPTION_MESSAGE_MAX,
	OPTION_MODE,
	OPTION_NOT_TYPE,
	OPTION_NULL,
	OPTION_ORDER,
	OPTION_OUTPUT,
	OPTION_PRIORITY,
	OPTION_RAW,
	OPTION_REPLACE,
	OPTION_RETRY_DELAY,
	OPTION_SECONDS,
	OPTION_SIZE,
	OPTION_SORT,
	OPTION_SPEED,
	OPTION_SYNC,
	OPTION_TAG,
	OPTION_TAKE,
	OPTION_TEMPORARY,
	OPTION_TIMEOUT,
	OPTION_TO,
	OPTION_TRY,
	OPTION_TYPE,
	OPTION_TYPE_UP_TO,
	OPTION_UNGROUP,
	OPTION_UNLIMITED,
	OPTION_UNTIL,
	OPTION_WHOLE,
	OPTION_WINDOW,
	OPTION_WITH_NAME,
	OPTIONS_ALL
};

/* What was given on the command line. */
struct arguments {
	const struct verb *verb;
	struct {
		bool given;
		uint64_t number;
		const char *text;
	} values[OPTIONS_ALL];
	int count; /* of words: what is not an option */
	char **words;
};

/* A verb of the command: what it is called, what its help says, what runs. */
struct verb {
	const char *name;
	const char *words; /* what follows its options, for the help */
	int least_words;
	int most_words;
	const char *summary;  /* one line */
	const char *text;     /* paragraphs, parted by an empty line */
	const char *examples; /* lines */
	int (*run)(const struct arguments *arguments);
};

extern const struct verb verbs[VERB_COUNT];

const struct verb *
find_verb(const char *name);

/*
 * Reads a verb's command line; words[0] is the verb. Says on stderr what is
 * wrong with it. Returns 0, or EXIT_USAGE.
 */
int
options_parse(const struct verb *verb, int count, char **words,
	      struct arguments *ret);

/* How a value is read, and how its help and its errors describe it. */
struct option_kind {
	const char *what;
	int (*parse)(const char *text, uint64_t *ret);
	const char *choices; /* NULL: too many to tell; else parted by spaces */
};

/* A row of the table. */
struct option_row {
	enum option_id id;
	unsigned int verbs; /* a bit for each that has it */
	const char *name;
	char letter;			/* 0: none */
	const char *argument;		/* NULL: takes none; [=VALUE]: may */
	const struct option_kind *kind; /* NULL: any text */
	uint64_t least;
	uint64_t most;
	const char *help;
};

/* Is the next word its value? */
static inline bool
option_takes_word(const struct option_row *row)
{
	return row->argument && *row->argument != '[';
}

/* The verb's row after that one (NULL: its first), or NULL. */
const struct option_row *
options_next(const struct verb *verb, const struct option_row *row);

/* What an option of this verb is called, with its dashes. */
const char *
option_name(const struct arguments *arguments, enum option_id option);

/* Prints the help lines of a verb's options to stdout. */
void
options_help(const struct verb *verb);

static inline bool
given(const struct arguments *arguments, enum option_id option)
{
	return arguments->values[option].given;
}

/* The number given, or otherwise. */
static inline uint64_t
number_or(const struct arguments *arguments, enum option_id option,
	  uint64_t otherwise)
{
	return given(arguments, option) ? arguments->values[option].number :
					  otherwise;
}

/* The text given, or NULL. */
static inline const char *
text_of(const struct arguments *arguments, enum option_id option)
{
	return arguments->values[option].text;
}

#endif
