/* SPDX-License-Identifier: MIT */
/*
 * What the verbs of the command share: exit codes, and how errors are told.
 * Data goes to stdout (output.h), talk to stderr.
 */
#ifndef CUBBY_TOOLS_COMMAND_H
#define CUBBY_TOOLS_COMMAND_H

#include <stdint.h>
#include <stddef.h>

#include <cubby.h>

#include "options.h"

enum exit_code {
	EXIT_DONE = 0,
	EXIT_ERROR = 1,
	EXIT_USAGE = 2,
	EXIT_NOTHING = 3, /* empty or full, with --try */
	EXIT_LATE = 4,	  /* the deadline has passed */
	EXIT_NO_MAILBOX = 5
};

/* The longest name of a sender, as struct cubby_sender_info has room for. */
#define SENDER_NAME_MAX 63

/* The verbs. Each returns an exit code. */
int
run_create(const struct arguments *arguments);
int
run_send(const struct arguments *arguments);
int
run_receive(const struct arguments *arguments);
int
run_peek(const struct arguments *arguments);
int
run_ls(const struct arguments *arguments);
int
run_info(const struct arguments *arguments);
int
run_rm(const struct arguments *arguments);
int
run_sweep(const struct arguments *arguments);
int
run_work(const struct arguments *arguments);
int
run_call(const struct arguments *arguments);
int
run_serve(const struct arguments *arguments);
int
run_region(const struct arguments *arguments);
int
run_top(const struct arguments *arguments);
int
run_watch(const struct arguments *arguments);
int
run_hz(const struct arguments *arguments);
int
run_tradeoffs(const struct arguments *arguments);
int
run_record(const struct arguments *arguments);
int
run_replay(const struct arguments *arguments);
int
run_doctor(const struct arguments *arguments);
int
run_help(const struct arguments *arguments);

/* Prints the help of one verb, or of the whole command. */
void
help_verb(const struct verb *verb);
void
help_all(void);

/* Prints a line to stderr: "cubby: " and what is given. */
__attribute__((format(printf, 1, 2))) void
complain(const char *format, ...);

/*
 * Tells that something failed with a negative errno, and what to do about it.
 * deed: what was tried, as in "you may not DEED jobs". Returns the exit code.
 */
int
complain_of(const char *mailbox, const char *deed, int error);

/* -ENOENT for one that was to be made. Returns the exit code. */
int
complain_of_root(const char *mailbox);

/* Ends the command: the memory of this process is used up. */
__attribute__((noreturn)) void
out_of_memory(void);

/* Memory, or the end of the command. */
void *
allocate(void *old, size_t size);

/* The point until which to wait, as --try and --timeout say. */
int64_t
deadline_of(const struct arguments *arguments);

/*
 * Opens the mailbox that the first word names, with these roles, as the sender
 * of --as, and makes it first with --create. Tells what fails. Returns 0 or the
 * exit code.
 */
int
open_mailbox(const struct arguments *arguments, int roles, const char *deed,
	     cubby_mailbox **ret);

#endif
