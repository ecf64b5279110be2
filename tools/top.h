/* SPDX-License-Identifier: MIT */
/* cubby top: what its loop, its screen and its lists share. */
#ifndef CUBBY_TOOLS_TOP_H
#define CUBBY_TOOLS_TOP_H

#include "deadlock.h"
#include "options.h"
#include "pace.h"
#include "snapshot.h"

enum top_column {
	TOP_NAME,
	TOP_WAITING,
	TOP_CAPACITY,
	TOP_IN,
	TOP_OUT,
	TOP_LATENCY,
	TOP_OLDEST,
	TOP_SENDERS,
	TOP_RECEIVERS,
	TOP_ASLEEP,
	TOP_HELD,
	TOP_MEMORY,
	TOP_COLUMNS
};

struct top_title {
	const char *title;
	const char *name; /* for --sort */
	bool is_number;
	int rank; /* the higher, the sooner it gives way on a narrow screen */
};
extern const struct top_title top_titles[TOP_COLUMNS];

/* Reads the name of one, as --sort takes it. Returns 0 or -EINVAL. */
int
parse_column(const char *text, uint64_t *ret);

/* What is shown at a time, and how it came to be. */
struct top {
	char *const *names; /* of the mailboxes wanted; none: all */
	int name_count;
	int64_t delay;
	enum top_column sort;
	bool reversed;

	struct snapshot snapshot;
	struct analysis analysis;
	struct suspicions suspicions;
	struct paces paces;
	size_t *order; /* of the snapshot's mailboxes, as sorted */
};

/* Looks, and forgets the last frame. Returns 0 or a negative errno. */
int
top_look(struct top *top);

/* Sorts again, after a change of `sort` or `reversed`. */
void
top_sort(struct top *top);

/* Looks on until then, so that latencies are seen. */
void
top_look_on(struct top *top);
#define TOP_LOOK_EVERY 100 /* ms */

void
top_free(struct top *top);

/* The text of a cell. */
#define TOP_CELL 64
void
top_cell(const struct top *top, const struct mailbox *mailbox,
	 enum top_column column, char text[TOP_CELL]);

/* A line above all: how many there are of what. */
void
top_summary(const struct top *top, char text[256]);

/* A party's cells. Safe to print; command and waits are the caller's to free. */
struct top_party {
	char process[PROCESS_TEXT];
	char user[33];
	const char *role;
	const char *state;
	char *waits_for;
	char *command;
};
void
top_party(const struct top *top, size_t party, struct top_party *ret);
void
top_party_free(struct top_party *party);

/* Whether it is a party to show: who is attached, or has died. */
bool
top_shows(const struct party *party);

/* The verdict on a party's wait. */
enum verdict
top_verdict(const struct top *top, size_t party);

/* A frame as lines of text, and as a line of JSON. */
void
top_print(const struct top *top);
void
top_print_json(const struct top *top);

/* The screen. Returns an exit code. */
int
top_screen(struct top *top);

#endif
