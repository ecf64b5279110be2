/* SPDX-License-Identifier: MIT */
/* A command that runs beside this one: started, listened to, and ended. */
#ifndef CUBBY_TOOLS_PROCESS_H
#define CUBBY_TOOLS_PROCESS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* What a command has written, and the pipe that it comes by. */
struct gather {
	int fd; /* -1: closed, or never was */
	char *data;
	size_t begin; /* of what has not been passed on */
	size_t end;
	size_t room;
	size_t most;  /* that is kept, about */
	bool is_full; /* no more is taken in until some has been passed on */
};

struct process {
	pid_t pid; /* also the id of its process group; 0: none */
	struct gather out;
	struct gather err;
};

/* What a command is started with. */
struct process_plan {
	char **words;
	const void *input; /* its standard input; NULL: none */
	size_t input_size;
	bool gather_out; /* what it writes; else it goes where ours goes */
	bool gather_err;
	size_t most; /* bytes of what is gathered to keep in memory */
	sigset_t mask; /* the signals that it is to have blocked */
};

/*
 * Starts a command, in a process group of its own; it is killed when this
 * process dies. It sees its whole input as a file, so that it does not matter
 * how much of it is read. Blocks until it has been started. Returns 0 or what
 * it failed with; then nothing is left of it.
 */
int
process_start(struct process *process, const struct process_plan *plan);

/*
 * Takes in what it has written, as long as there is room: what is beyond that
 * waits in the pipe, and so does the command. Does not block.
 */
void
process_listen(struct process *process);

/* Whether it has ended; *ret is then as waitpid(2) tells it, and its pid 0. Does
   not block. */
bool
process_ended(struct process *process, int *ret);

/*
 * Writes some of what has been gathered to fd, which poll(2) has said to be
 * ready: so much that it does not block. Returns 0 or a negative errno.
 */
int
gather_pass_on(struct gather *gather, int fd);

/* Whether nothing is left to pass on. */
static inline bool
gather_is_empty(const struct gather *gather)
{
	return gather->begin == gather->end;
}

/* Whether anything is left that it has written. */
static inline bool
process_has_output(const struct process *process)
{
	return !gather_is_empty(&process->out) ||
	       !gather_is_empty(&process->err);
}

/* Sends a signal to all that it has started, and wakes what is stopped. */
void
process_signal(const struct process *process, int number);

/* Frees what it has written. It must not run. */
void
process_free(struct process *process);

/* Whether this command was itself started to ignore SIGPIPE. */
extern bool sigpipe_was_ignored;

#endif
