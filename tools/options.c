/* SPDX-License-Identifier: MIT */
/*
 * The option table, and what is made of it.
 *
 * A row says which verbs have the option, so that two rows may bear the same
 * name with another meaning where no verb has both. Values are checked here,
 * once, so that a verb never sees one that makes no sense.
 */
#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "output.h"
#include "top.h"
#include "values.h"

#define IN(verb) (1u << VERB_##verb)
#define EVERY_VERB (~0u)
#define GIB (UINT64_C(1) << 30)

static const struct option_kind number = { "a whole number", parse_number,
					   NULL };
static const struct option_kind size = {
	"a size: bytes, or a number with K, M or G", parse_size, NULL
};
static const struct option_kind duration = {
	"a time: a number with ns, us, ms, s, m or h, in seconds if bare",
	parse_duration, NULL
};
static const struct option_kind mode = { "a mode in octal, such as 0620",
					 parse_octal, NULL };
static const struct option_kind delivery = { "overtake, or nothing",
					     parse_delivery, "overtake" };
static const struct option_kind speed = {
	"a speed: a factor, such as 2 or 0.5, or max", parse_speed, "max"
};
static const struct option_kind order = {
	"an order: sender, arrival or priority", parse_order,
	"sender arrival priority"
};

static const struct option_kind column = {
	"a column: name, waiting, capacity, in, out, latency, oldest, senders, "
	"receivers, asleep, held or memory",
	parse_column,
	"name waiting capacity in out latency oldest senders receivers asleep "
	"held memory"
};

/* In the order of the help. */
static const struct option_row rows[] = {
	{ OPTION_ORDER, IN(CREATE), "order", 'o', "ORDER", &order, 0,
	  UINT64_MAX,
	  "sender (the default): each sender's messages in the order sent, and "
	  "capacity counts per sender; arrival: one buffer for all, as in the "
	  "textbook; priority: highest first" },
	{ OPTION_CAPACITY, IN(CREATE), "capacity", 'c', "N", &number, 0, GIB,
	  "hold N messages (default 128): of each sender, or, with --order "
	  "arrival or priority, of all together; 0: hold none, sender and "
	  "receiver meet (rendezvous), with --order arrival" },
	{ OPTION_UNLIMITED, IN(CREATE), "unlimited", 'u', NULL, NULL, 0, 0,
	  "hold as many messages as memory does" },
	{ OPTION_BROADCAST, IN(CREATE), "broadcast", 'b', "[=overtake]",
	  &delivery, 0, UINT64_MAX,
	  "every receiver gets every message; a slow one holds the senders "
	  "back or, with =overtake, misses the oldest" },
	{ OPTION_MESSAGE_MAX, IN(CREATE), "message-max", 0, "SIZE", &size, 1,
	  GIB, "the largest message (default 1M)" },
	{ OPTION_FIXED, IN(CREATE), "fixed", 0, "SIZE", &size, 0, GIB,
	  "every message has exactly SIZE bytes" },
	{ OPTION_TEMPORARY, IN(CREATE), "temporary", 0, NULL, NULL, 0, 0,
	  "stay until interrupted, and remove the mailbox when its last user, "
	  "this command included, has gone" },
	{ OPTION_MEMORY_LIMIT, IN(CREATE), "memory-limit", 0, "SIZE", &size, 1,
	  UINT64_MAX,
	  "the most memory that one sender's messages may take (default 64M or "
	  "a quarter of the file system, the smaller)" },
	{ OPTION_CELL, IN(CREATE), "cell", 0, "SIZE", &size, 64, 4096,
	  "bytes set aside for each message, a power of 2 (default 128); one of "
	  "up to SIZE - 24 bytes needs no other memory" },
	{ OPTION_MODE, IN(CREATE), "mode", 'm', "OCTAL", &mode, 1, 0777,
	  "who may receive (r) and send (w), such as 0620 (default 0600)" },
	{ OPTION_GROUP, IN(CREATE), "group", 'g', "GROUP", NULL, 0, 0,
	  "the group that the mode speaks of (default: yours)" },
	{ OPTION_EXCLUSIVE, IN(CREATE), "exclusive", 'x', NULL, NULL, 0, 0,
	  "fail if it exists" },

	{ OPTION_NULL, IN(SEND), "null", '0', NULL, NULL, 0, 0,
	  "messages on standard input end with a NUL, not a newline" },
	{ OPTION_WHOLE, IN(SEND), "whole", 'w', NULL, NULL, 0, 0,
	  "send all of standard input as one message" },
	{ OPTION_SYNC, IN(SEND), "sync", 's', NULL, NULL, 0, 0,
	  "end when a receiver has the message, not when it is queued" },

	{ OPTION_TIMEOUT, IN(CALL), "timeout", 't', "T", &duration, 0,
	  INT64_MAX,
	  "wait at most T for the reply, then exit 4; T is a number with ns, us, "
	  "ms, s, m or h, in seconds if bare" },
	{ OPTION_JOBS, IN(SERVE), "jobs", 'j', "N", &number, 1, 10000,
	  "run up to N commands at a time (default 1)" },
	{ OPTION_COUNT, IN(SERVE), "count", 'n', "N", &number, 1, UINT64_MAX,
	  "end when N requests have been dealt with" },
	{ OPTION_ATTEMPTS, IN(SERVE), "attempts", 0, "N", &number, 0,
	  UINT32_MAX,
	  "run a command that fails up to N times (default 1) before its caller "
	  "is told; 0: for ever" },
	{ OPTION_JOBS, IN(WORK), "jobs", 'j', "N", &number, 1, 10000,
	  "run up to N commands at a time (default 1); what each prints is then "
	  "kept together, and printed when it has ended" },
	{ OPTION_ALL, IN(WORK), "all", 'a', NULL, NULL, 0, 0,
	  "end when the mailbox is empty; with 1 if a message was moved to the "
	  "dead letters" },
	{ OPTION_COUNT, IN(WORK), "count", 'n', "N", &number, 1, UINT64_MAX,
	  "end when N messages have been dealt with" },
	{ OPTION_TIMEOUT, IN(WORK) | IN(SERVE), "timeout", 't', "T", &duration, 1,
	  INT64_MAX,
	  "end a command that takes longer than T, which is a failure; T is a "
	  "number with ns, us, ms, s, m or h, in seconds if bare" },
	{ OPTION_ATTEMPTS, IN(WORK), "attempts", 0, "N", &number, 0,
	  UINT32_MAX,
	  "hand out a message at most N times (default 3), by whomever; 0: for "
	  "ever" },
	{ OPTION_RETRY_DELAY, IN(WORK), "retry-delay", 0, "T", &duration, 0,
	  INT64_MAX,
	  "give a message back only T after it has failed (default 0: at once, "
	  "before all others of its sender)" },
	{ OPTION_DEAD_LETTER, IN(WORK), "dead-letter", 0, "NAME", NULL, 0, 0,
	  "the mailbox for what has failed too often (default: NAME.dead), made "
	  "when needed, without a limit" },
	{ OPTION_REPLACE, IN(WORK) | IN(SERVE), "replace", 'I', "TEXT", NULL, 0, 0,
	  "what stands for the message in an argument (default {})" },
	{ OPTION_UNGROUP, IN(WORK), "ungroup", 'u', NULL, NULL, 0, 0,
	  "with --jobs: print at once, so that lines may get mixed up" },

	{ OPTION_ALL, IN(RECEIVE), "all", 'a', NULL, NULL, 0, 0,
	  "receive until the mailbox is empty" },
	{ OPTION_COUNT, IN(RECEIVE), "count", 'n', "N", &number, 1, UINT64_MAX,
	  "receive N messages (default 1)" },
	{ OPTION_FOLLOW, IN(RECEIVE), "follow", 'f', NULL, NULL, 0, 0,
	  "receive for ever" },
	{ OPTION_LAST, IN(RECEIVE) | IN(PEEK), "last", 'l', "N", &number, 0,
	  UINT64_MAX,
	  "of a mailbox made with --broadcast: begin with the last N messages of "
	  "each sender, as far as they are still there (default 0: with what "
	  "comes from now on)" },
	{ OPTION_FROM, IN(RECEIVE) | IN(PEEK) | IN(WORK) | IN(SERVE), "from", 0,
	  "SENDER", NULL, 0, 0,
	  "only messages of this sender: its number, or the name that it gave "
	  "(send --as NAME), whether it has sent already or not" },
	{ OPTION_TYPE, IN(RECEIVE) | IN(PEEK) | IN(WORK) | IN(SERVE), "type", 0,
	  "N", &number, 1, INT64_MAX,
	  "only messages of type N; this and the next two take --order arrival "
	  "or priority" },
	{ OPTION_NOT_TYPE, IN(RECEIVE) | IN(PEEK) | IN(WORK) | IN(SERVE),
	  "not-type", 0, "N", &number, 1, INT64_MAX,
	  "only messages of another type than N, or of none" },
	{ OPTION_TYPE_UP_TO, IN(RECEIVE) | IN(PEEK) | IN(WORK) | IN(SERVE),
	  "type-up-to", 0, "N", &number, 1, INT64_MAX,
	  "only messages of a type up to N, the lowest type first" },
	{ OPTION_NULL, IN(RECEIVE) | IN(PEEK), "null", '0', NULL, NULL, 0, 0,
	  "print a NUL after each message, not a newline" },
	{ OPTION_RAW, IN(RECEIVE) | IN(PEEK), "raw", 'r', NULL, NULL, 0, 0,
	  "print nothing after a message" },
	{ OPTION_JSON, IN(RECEIVE) | IN(PEEK), "json", 'j', NULL, NULL, 0, 0,
	  "print each message as a line of JSON; bytes that are not UTF-8 as "
	  "base64" },
	{ OPTION_WITH_NAME, IN(RECEIVE), "with-name", 'H', NULL, NULL, 0, 0,
	  "print the mailbox's name and a tab before each message; with --json, "
	  "a member of it, as always with several mailboxes" },
	{ OPTION_BATCH, IN(RECEIVE), "batch", 0, NULL, NULL, 0, 0,
	  "write many messages at a time into a pipe: faster, but those that "
	  "its reader leaves there unread are lost" },

	{ OPTION_TRY, IN(SEND), "try", 0, NULL, NULL, 0, 0,
	  "do not wait: exit 3 if the mailbox is full" },
	{ OPTION_TRY, IN(RECEIVE) | IN(PEEK), "try", 0, NULL, NULL, 0, 0,
	  "do not wait: exit 3 if there is none" },
	{ OPTION_TIMEOUT, IN(SEND) | IN(RECEIVE) | IN(PEEK), "timeout", 't',
	  "T", &duration, 0, INT64_MAX,
	  "wait at most T for each message, then exit 4; T is a number with ns, "
	  "us, ms, s, m or h, in seconds if bare" },
	{ OPTION_TAG, IN(SEND), "tag", 0, "N", &number, 0, UINT64_MAX,
	  "a number of your own that goes with each message" },
	{ OPTION_TYPE, IN(SEND) | IN(CALL), "type", 0, "N", &number, 1, INT64_MAX,
	  "a type, 1 or more, that goes with each message" },
	{ OPTION_AS, IN(SEND) | IN(CALL), "as", 0, "NAME", NULL, 0, 0,
	  "the name of this sender, of 1 to 63 bytes, for receive --from NAME" },
	{ OPTION_PRIORITY, IN(SEND) | IN(CALL), "priority", 'p', "N", &number, 0, 32767,
	  "the priority of each message, 0 (the default) to 32767; takes "
	  "--order priority" },
	{ OPTION_CREATE, IN(SEND) | IN(RECEIVE) | IN(WORK) |
	  IN(CALL) | IN(SERVE), "create", 0, NULL, NULL, 0, 0,
	  "make the mailbox, with the defaults, if it does not exist" },

	{ OPTION_SIZE, IN(REGION), "size", 0, "SIZE", &size, 1, UINT64_MAX,
	  "create: bytes, all zero (default 4K); of one that exists, what it "
	  "must have" },
	{ OPTION_MAX, IN(REGION), "max", 0, "SIZE", &size, 1, UINT64_MAX,
	  "create: the most that it may grow to (default 1G, or its size)" },
	{ OPTION_MODE, IN(REGION), "mode", 'm', "OCTAL", &mode, 1, 0777,
	  "create: who may read (r) and write (w), such as 0640 (default "
	  "0600)" },
	{ OPTION_GROUP, IN(REGION), "group", 'g', "GROUP", NULL, 0, 0,
	  "create: the group that the mode speaks of (default: yours)" },
	{ OPTION_EXCLUSIVE, IN(REGION), "exclusive", 'x', NULL, NULL, 0, 0,
	  "create: fail if it exists" },
	{ OPTION_JSON, IN(REGION), "json", 'j', NULL, NULL, 0, 0,
	  "ls: print JSON" },
	{ OPTION_FORCE, IN(REGION), "force", 'f', NULL, NULL, 0, 0,
	  "rm: do not complain of a region that does not exist" },
	{ OPTION_HEX, IN(REGION), "hex", 0, NULL, NULL, 0, 0,
	  "dump, receive: in hexadecimal, 16 bytes a line; a star for lines like the "
	  "one before" },

	{ OPTION_TRY, IN(REGION), "try", 0, NULL, NULL, 0, 0,
	  "send, receive: do not wait: exit 3 if the mailbox is full, or empty" },
	{ OPTION_TIMEOUT, IN(REGION), "timeout", 't', "T", &duration, 0,
	  INT64_MAX, "send, receive: wait at most T, then exit 4" },

	{ OPTION_OUTPUT, IN(RECORD), "output", 'o', "FILE", NULL, 0, 0,
	  "write there (default, and -: standard output); what is in it already "
	  "is overwritten" },
	{ OPTION_LAST, IN(RECORD), "last", 'l', "N", &number, 0, UINT64_MAX,
	  "begin with the last N messages of each sender, as far as they are "
	  "still there (default 0: with what comes from now on)" },
	{ OPTION_TAKE, IN(RECORD), "take", 0, NULL, NULL, 0, 0,
	  "of a mailbox that delivers each message to one receiver: receive "
	  "them, so that nobody else does" },
	{ OPTION_TO, IN(RECORD), "to", 0, "MAILBOX", NULL, 0, 0,
	  "with --take: send each message on to MAILBOX" },
	{ OPTION_COUNT, IN(RECORD), "count", 'n', "N", &number, 1, UINT64_MAX,
	  "end after N messages" },
	{ OPTION_ALL, IN(RECORD), "all", 'a', NULL, NULL, 0, 0,
	  "end when the mailbox is empty" },
	{ OPTION_TIMEOUT, IN(RECORD), "timeout", 't', "T", &duration, 0,
	  INT64_MAX,
	  "end, with exit code 4, when no message has come for T" },

	{ OPTION_TO, IN(REPLAY), "to", 0, "MAILBOX", NULL, 0, 0,
	  "send to MAILBOX (default: the one that was recorded)" },
	{ OPTION_SPEED, IN(REPLAY), "speed", 's', "X", &speed, 0, UINT64_MAX,
	  "X times as fast (default 1); max: without a pause" },
	{ OPTION_FROM, IN(REPLAY), "from", 0, "T", &duration, 0, INT64_MAX,
	  "begin with what came T after the recording began" },
	{ OPTION_UNTIL, IN(REPLAY), "until", 0, "T", &duration, 0, INT64_MAX,
	  "end with what came T after the recording began" },
	{ OPTION_CREATE, IN(REPLAY), "create", 0, NULL, NULL, 0, 0,
	  "make the mailbox, like the one that was recorded, if it does not "
	  "exist" },
	{ OPTION_AS, IN(REPLAY), "as", 0, "NAME", NULL, 0, 0,
	  "the name of the sender, of 1 to 63 bytes" },
	{ OPTION_JSON, IN(REPLAY), "json", 'j', NULL, NULL, 0, 0,
	  "send nothing: print each message as a line of JSON" },

	{ OPTION_BATCH, IN(TOP), "batch", 'b', NULL, NULL, 0, 0,
	  "print, again and again, and take no keys: for files and pipes" },
	{ OPTION_COUNT, IN(TOP), "count", 'n', "N", &number, 1, UINT64_MAX,
	  "with --batch or --json: end after N times" },
	{ OPTION_COUNT, IN(WATCH), "count", 'n', "N", &number, 1, UINT64_MAX,
	  "end after N lines" },
	{ OPTION_DELAY, IN(WATCH), "delay", 'd', "T", &duration, 10000000,
	  INT64_C(86400000000000), "look every T (default 200ms)" },
	{ OPTION_JSON, IN(WATCH), "json", 'j', NULL, NULL, 0, 0,
	  "print each as a line of JSON" },
	{ OPTION_COUNT, IN(HZ), "count", 'n', "N", &number, 1, UINT64_MAX,
	  "end after N times" },
	{ OPTION_DELAY, IN(HZ), "delay", 'd', "T", &duration, 10000000,
	  INT64_C(86400000000000),
	  "print every T (default 1s); look twenty times as often" },
	{ OPTION_WINDOW, IN(HZ), "window", 'w', "N", &number, 1, 1000000,
	  "of the last N looks (default 100)" },
	{ OPTION_JSON, IN(HZ), "json", 'j', NULL, NULL, 0, 0,
	  "print a line of JSON each time" },
	{ OPTION_DELAY, IN(TOP), "delay", 'd', "T", &duration, 10000000,
	  INT64_C(86400000000000), "look every T (default 1s)" },
	{ OPTION_SORT, IN(TOP), "sort", 's', "COLUMN", &column, 0, UINT64_MAX,
	  "sort by COLUMN: name, waiting, capacity, in (the default), out, "
	  "latency, oldest, senders, receivers, asleep, held, memory" },
	{ OPTION_JSON, IN(TOP), "json", 'j', NULL, NULL, 0, 0,
	  "as --batch, each time a line of JSON" },

	{ OPTION_JSON, IN(LS) | IN(INFO) | IN(TRADEOFFS) | IN(DOCTOR), "json",
	  'j', NULL, NULL, 0, 0, "print JSON" },
	{ OPTION_SECONDS, IN(TRADEOFFS), "seconds", 0, "N", &number, 1, 600,
	  "measure for about N seconds (default 30): the longer, the steadier; "
	  "large messages are left out if there is no time for them" },
	{ OPTION_FORCE, IN(RM), "force", 'f', NULL, NULL, 0, 0,
	  "do not complain of a mailbox that does not exist" },
	{ OPTION_HELP, EVERY_VERB, "help", 'h', NULL, NULL, 0, 0,
	  "print this help" },
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))
#define LONG_ONLY 256 /* + row: getopt_long's value of each row */
#define WORD	  1   /* its value of a word, where it hands out those */

static unsigned int
bit_of(const struct verb *verb)
{
	return 1u << (verb - verbs);
}

const struct option_row *
options_next(const struct verb *verb, const struct option_row *row)
{
	for (row = row ? row + 1 : rows; row < rows + ROWS; row++)
		if (row->verbs & bit_of(verb))
			return row;
	return NULL;
}

/* Whether the words after the first are a command, whose options are its own. */
static bool
has_command(const struct verb *verb)
{
	return verb == &verbs[VERB_WORK] || verb == &verbs[VERB_SERVE];
}

/* Fills in getopt_long's two tables with the rows that the verb has. */
static void
make_tables(const struct verb *verb, char *letters, struct option *options)
{
	if (has_command(verb))
		*letters++ = '-'; /* hand out words where they stand */
	*letters++ = ':'; /* tell a missing value from a wrong option */
	for (size_t i = 0; i < ROWS; i++) {
		const struct option_row *row = &rows[i];

		if (!(row->verbs & bit_of(verb)))
			continue;
		*options++ = (struct option){
			.name = row->name,
			.has_arg = option_takes_word(row) ? required_argument :
				   row->argument ? optional_argument :
						   no_argument,
			.val = LONG_ONLY + (int)i,
		};
		if (!row->letter)
			continue;
		*letters++ = row->letter;
		if (option_takes_word(row))
			*letters++ = ':';
	}
	*letters = '\0';
	*options = (struct option){ .name = NULL };
}

/* value: as getopt_long returned it; it is the row's letter, or its place. */
static const struct option_row *
row_of(const struct verb *verb, int value)
{
	if (value >= LONG_ONLY)
		return &rows[value - LONG_ONLY];
	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].letter == value && rows[i].verbs & bit_of(verb))
			return &rows[i];
	return NULL;
}

static int
store(const struct option_row *row, const char *text,
      struct arguments *arguments)
{
	uint64_t value = 0;

	if (row->kind && text && row->kind->parse(text, &value) < 0) {
		complain("--%s %s is not %s", row->name, text, row->kind->what);
		return EXIT_USAGE;
	}
	if (row->kind && text && (value < row->least || value > row->most)) {
		complain("--%s %s is out of range", row->name, text);
		return EXIT_USAGE;
	}
	arguments->values[row->id].given = true;
	arguments->values[row->id].number = value;
	arguments->values[row->id].text = text;
	return 0;
}

/* what: ':' for a missing value, '?' for anything else that is wrong. */
static int
refuse(const struct verb *verb, int what, char **words)
{
	const struct option_row *row = optopt ? row_of(verb, optopt) : NULL;

	if (row && what == ':')
		complain("--%s needs a value: %s", row->name,
			 row->kind ? row->kind->what : row->argument);
	else if (row)
		complain("--%s takes no value", row->name);
	else if (optopt)
		complain("%s has no option -%c; see: cubby help %s", verb->name,
			 optopt, verb->name);
	else
		complain("%s has no option %s; see: cubby help %s", verb->name,
			 words[optind - 1], verb->name);
	return EXIT_USAGE;
}

static int
check_words(const struct arguments *arguments)
{
	const struct verb *verb = arguments->verb;

	if (given(arguments, OPTION_HELP))
		return 0;
	if (arguments->count < verb->least_words) {
		complain("what is missing: cubby %s %s; see: cubby help %s",
			 verb->name, verb->words, verb->name);
		return EXIT_USAGE;
	}
	if (arguments->count > verb->most_words) {
		complain("%s is too much: cubby %s %s; see: cubby help %s",
			 arguments->words[verb->most_words], verb->name,
			 verb->words, verb->name);
		return EXIT_USAGE;
	}
	return 0;
}

int
options_parse(const struct verb *verb, int count, char **words,
	      struct arguments *ret)
{
	char letters[2 * ROWS + 3];
	struct option options[ROWS + 1];
	char *name = NULL; /* only of a verb with a command */
	int value, result;

	*ret = (struct arguments){ .verb = verb };
	make_tables(verb, letters, options);
	opterr = 0;
	while ((value = getopt_long(count, words, letters, options, NULL)) !=
	       -1) {
		if (value == WORD && name)
			break;
		if (value == WORD) {
			name = optarg;
			continue;
		}
		if (value == ':' || value == '?')
			return refuse(verb, value, words);
		result = store(row_of(verb, value), optarg, ret);
		if (result)
			return result;
	}
	if (value == WORD)
		optind--; /* the command begins there */
	if (name)
		words[--optind] = name; /* in place of what has been read */
	ret->count = count - optind;
	ret->words = words + optind;
	return check_words(ret);
}

const char *
option_name(const struct arguments *arguments, enum option_id option)
{
	static char name[40];

	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].id == option &&
		    rows[i].verbs & bit_of(arguments->verb))
			snprintf(name, sizeof(name), "--%s", rows[i].name);
	return name;
}

void
options_help(const struct verb *verb)
{
	char left[40];

	for (size_t i = 0; i < ROWS; i++) {
		const struct option_row *row = &rows[i];
		char letter[] = { '-', row->letter, ',', '\0' };

		if (!(row->verbs & bit_of(verb)))
			continue;
		snprintf(left, sizeof(left), "  %3s --%s%s%s",
			 row->letter ? letter : "", row->name,
			 option_takes_word(row) ? " " : "",
			 row->argument ? row->argument : "");
		output_wrapped(left, 26, row->help);
	}
}
