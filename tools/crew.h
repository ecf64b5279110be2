/* SPDX-License-Identifier: MIT */
/*
 * What work and serve share: a command for each message, several at a time. A
 * message is held until its command has ended and what it printed is written
 * out; what then becomes of it, the verb's trade says.
 */
#ifndef CUBBY_TOOLS_CREW_H
#define CUBBY_TOOLS_CREW_H

#include <stdbool.h>
#include <stdint.h>
#include <signal.h>

#include <cubby.h>

#include "command.h"
#include "process.h"
#include "template.h"

enum job_state {
	JOB_IS_NEW,   /* its command is to be started */
	JOB_RUNS,     /* its command */
	JOB_HAS_ENDED,/* its command; what that printed is to be written out */
	JOB_RESTS     /* it goes back when it is due */
};

/* A message that is held, and its command. */
struct job {
	struct job *next;
	enum job_state state;
	unsigned int slot; /* which of the places that commands run in */
	cubby_message *message;
	struct cubby_envelope envelope;
	struct process process;
	int status;   /* of its command, as waitpid(2) tells it */
	int error;    /* why it could not be started; 0: it was */
	bool is_late; /* ended since it took longer than --timeout */
	bool is_excessive; /* ended since it wrote more than a reply holds */
	bool is_cut;  /* ended since this command is to end */
	int64_t due;  /* when to do more, CUBBY_FOREVER: never: while it runs,
			 to end it; while it rests, to give it back */
};

struct crew;

/*
 * What a verb does with a message, by calls of crew_release(), crew_give_back()
 * or crew_rest(), one of them exactly.
 */
struct trade {
	bool keeps_output; /* what the command prints is not printed */
	/* Just handed out: whether it is to be worked on at all; if not, it is
	   settled. */
	bool (*accept)(struct crew *crew, struct job *job);
	/* Its command has ended with 0. */
	void (*succeed)(struct crew *crew, struct job *job);
	/* It has not, or could not be started with this message. */
	void (*fail)(struct crew *crew, struct job *job);
};

enum crew_will {
	CREW_GOES_ON,
	CREW_FINISHES, /* takes no more, and ends when nothing runs */
	CREW_ENDS      /* and has told what runs to end */
};

struct crew {
	const struct arguments *arguments;
	const char *name; /* of the mailbox */
	const struct trade *trade;
	void *context; /* the trade's */
	cubby_mailbox *mailbox;
	struct cubby_filter filter;
	struct template template;
	struct cubby_info info; /* as it was in the beginning */
	struct job *jobs;
	struct job *printing;	/* whose output is being written out */
	unsigned int places;	/* for commands: --jobs */
	unsigned int busy;	/* of these */
	uint64_t wanted;	/* messages to be dealt with */
	uint64_t finished;	/* that have been */
	enum crew_will will;
	bool is_empty;	 /* the mailbox was, when last looked at */
	bool has_enough; /* no more can be held, or started, for now */
	bool has_told_of_removal;
	bool output_is_broken;
	int signal; /* that asked to end; 0: none did */
	int code;   /* to exit with */
	uint64_t cut;		/* lanes that made no sense */
	int signals;		/* a descriptor */
	int arrivals;		/* a descriptor: cubby_fd(); -1: none */
	bool is_rung;		/* that was readable, last time */
	sigset_t former_mask;	/* that commands are started with */
	int64_t next_look;	/* whether the mailbox has been removed */
};

/* Runs it to its end. Returns the exit code; or does not, when a signal is what
   ended it. */
int
crew_run(const struct arguments *arguments, const struct trade *trade,
	 void *context);

/* What became of a message. The job is gone. */
void
crew_release(struct crew *crew, struct job *job);
void
crew_give_back(struct crew *crew, struct job *job);
/* It goes back later, and takes no place until then. */
void
crew_rest(struct crew *crew, struct job *job, int64_t nanoseconds);

/* Takes no more messages, and ends with that code. */
void
crew_stop(struct crew *crew, int code);

/* "ended with 3", and its like. */
const char *
crew_how(const struct crew *crew, const struct job *job, char *text,
	 size_t size);
#define HOW_TEXT 160

#endif
