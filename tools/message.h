/* SPDX-License-Identifier: MIT */
/* What receive and peek share: which message, and how it is printed. */
#ifndef CUBBY_TOOLS_MESSAGE_H
#define CUBBY_TOOLS_MESSAGE_H

#include <stddef.h>

#include <cubby.h>

#include "options.h"

/* Fills in *ret from --from, --type and their like. Tells what fails. Returns 0 or
   the exit code. */
int
message_filter(const struct arguments *arguments, struct cubby_filter *ret);

/* Refuses options that exclude each other. Returns 0 or EXIT_USAGE. */
int
message_check_options(const struct arguments *arguments);

/* Prints a message as --json, --null and --raw say, with the name of its mailbox
   if that is not NULL. */
void
message_print(const struct arguments *arguments, const char *name,
	      cubby_mailbox *mailbox,
	      const void *data, size_t size,
	      const struct cubby_envelope *envelope);

/*
 * Tells that no message was had: the mailbox is empty, the deadline has passed,
 * or something failed. Returns the exit code.
 */
int
message_complain(const struct arguments *arguments, int error);

#endif
