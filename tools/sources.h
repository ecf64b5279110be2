/* SPDX-License-Identifier: MIT */
/* The mailboxes that receive receives from. */
#ifndef CUBBY_TOOLS_SOURCES_H
#define CUBBY_TOOLS_SOURCES_H

#include <stddef.h>

#include <cubby.h>

#include "options.h"

struct source {
	struct arguments arguments; /* as if it were the only one */
	cubby_mailbox *mailbox;
	uint64_t cut; /* lanes that made no sense */
};

struct sources {
	size_t count;
	size_t turn; /* who is asked first */
	struct source *list;
	struct cubby_wait_entry *entries;
};

/* Opens those that the words name. Tells what fails. Returns 0 or the exit code,
   and then there is nothing to close. */
int
sources_open(const struct arguments *arguments, struct sources *ret);

void
sources_close(struct sources *sources);

/*
 * Holds the next message of any of them, in turns, as cubby_hold() does of one.
 * *ret_source: whose message, or error, it is; of several that have none, the
 * first.
 */
int
sources_hold(struct sources *sources, const struct cubby_filter *filter,
	     int64_t deadline, struct source **ret_source,
	     cubby_message **ret);

#endif
