/* SPDX-License-Identifier: MIT */
/* The mailbox for messages that nobody could deal with. */
#ifndef CUBBY_TOOLS_DEAD_LETTERS_H
#define CUBBY_TOOLS_DEAD_LETTERS_H

#include <cubby.h>

#include "target.h"

struct dead_letters {
	const char *source; /* the mailbox that they come from */
	char name[CUBBY_NAME_MAX + 1];
	struct target target;  /* that of this name */
	int has_no_priorities; /* one that was there before */
};

/*
 * Where dead letters go: to the mailbox called name, or (NULL) to that of the
 * source with .dead behind. It is not opened yet. Tells what is wrong with the
 * name. Returns 0 or the exit code.
 */
int
dead_letters_name(struct dead_letters *letters, const char *source,
		  const char *name);

/*
 * Sends a copy of a held message there, with its tag, type and priority. Makes
 * the mailbox if need be: without a limit, and else as the source is (info).
 * Tells what fails. Returns 0 or the exit code.
 */
int
dead_letters_add(struct dead_letters *letters, const struct cubby_info *info,
		 const cubby_message *message,
		 const struct cubby_envelope *envelope);

void
dead_letters_close(struct dead_letters *letters);

#endif
