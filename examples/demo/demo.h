/* SPDX-License-Identifier: MIT */
#ifndef DEMO_H
#define DEMO_H
/*
 * The demo: every regular file of a tree goes through cubby, and arrives with
 * the hash that it has without.
 *
 *	            pieces               checked
 *	producers ==========> consumers =========> collector
 *	    ^                                          |
 *	    +------------------------------------------+
 *	             credit (a mailbox a producer)
 *
 * A producer takes the next file that nobody has taken and reads it, in pieces,
 * straight into the mailbox. A consumer holds a piece in place, checks it, and
 * sends it on. The collector joins the pieces of each file, which reach it out
 * of order, and hashes the file; what has come too early it holds, where it is.
 * A producer sends at most WINDOW pieces that the collector has not joined yet:
 * that bounds what is held, however large a file and however slow a consumer.
 *
 * The coordinator starts all of them, waits for them, and compares. What it
 * compares with, who has done how much, and which file is the next lie in plain
 * shared memory, outside of cubby.
 */
#include <cubby.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <xxhash.h>

#define MESSAGE_MAX 16384
#define CAPACITY 32
#define WINDOW 64
#define PROCESSES_MAX 16 /* of one role */

/* A message, in both mailboxes. */
struct piece {
	uint64_t check; /* XXH3 of all that follows it */
	uint64_t file;
	uint64_t offset;
	uint16_t kind;
	uint16_t producer;
	int32_t error; /* PIECE_LAST: the file cannot be read; errno */
	unsigned char data[];
};

enum piece_kind {
	PIECE_MORE, /* others of its file follow */
	PIECE_LAST, /* the file ends behind it */
	PIECE_END   /* of no file: all have been sent */
};

#define HEADER_SIZE offsetof(struct piece, data)
#define DATA_MAX (MESSAGE_MAX - HEADER_SIZE)

/* From the collector, to a producer: so many pieces of yours are joined. */
struct credit {
	uint64_t joined;
};
#define CREDIT_EVERY (WINDOW / 2)

struct file {
	char *path;
	uint64_t size; /* when the tree was walked: a guess */
};

struct tree {
	struct file *files;
	uint64_t count;
	uint64_t bytes;
	uint64_t unreadable; /* directories */
	uint64_t elsewhere;  /* directories on other file systems: left out */
};

/* What became of a file on one of its two ways. */
struct outcome {
	XXH128_hash_t hash;
	uint64_t size;
	uint64_t pieces; /* 0: it has not arrived */
	int error;	 /* errno: it cannot be read */
};

enum role { READER, PRODUCER, CONSUMER, COLLECTOR, ROLES };

extern const char *const role_names[ROLES];

/* What one process has done. Nobody else writes there. */
struct tally {
	_Alignas(128) atomic_uint_least64_t messages; /* sent, or received */
	atomic_uint_least64_t bytes;		      /* of files */
	atomic_uint_least64_t credits;		      /* sent */
	atomic_int untraceable;			      /* errno */
};

struct board {
	atomic_uint_least64_t next_file;
	struct tally tallies[ROLES][PROCESSES_MAX];
};

/* What is broken on purpose, to show that it is noticed. */
enum sabotage {
	NO_SABOTAGE,
	SPOIL,	/* a piece is altered on its way */
	LOSE,	/* ... is not sent on */
	DOUBLE, /* ... is sent on twice */
	KILL_PRODUCER,
	KILL_CONSUMER,
	KILL_COLLECTOR
};

#define SYSTEM_CALLS 1024

/* A run of processes over the files, inherited by each of them. */
struct run {
	const struct file *files;
	uint64_t count;
	uint64_t bytes;
	unsigned processes[ROLES];
	enum sabotage sabotage;
	bool trace;		  /* count the system calls */
	struct outcome *outcomes; /* shared, one a file */
	struct board *board;	  /* shared */
	char name[32];		  /* what its mailboxes' names begin with */
	/* Filled in by run_through_cubby(): */
	int64_t nanoseconds;
	uint64_t calls[SYSTEM_CALLS]; /* how often each was made, by number */
};

/* The processes (reader.c, producer.c, consumer.c, collector.c) ----------- */

/* Each returns the status to exit with: 0, if all went well. */
int
read_plainly(struct run *run, unsigned index);

int
produce(struct run *run, unsigned index);

int
consume(struct run *run, unsigned index);

int
collect(struct run *run, unsigned index);

/* What they share (common.c) ---------------------------------------------- */

#define MAILBOX_NAME_SIZE 64

void
pieces_name(const struct run *run, char name[MAILBOX_NAME_SIZE]);

void
checked_name(const struct run *run, char name[MAILBOX_NAME_SIZE]);

void
credit_name(const struct run *run, unsigned producer,
	    char name[MAILBOX_NAME_SIZE]);

/* Opens it, or says why not and returns NULL. */
cubby_mailbox *
open_mailbox(const char *name, int flags);

/* Counts a piece, in the tally of a process. */
void
count(struct run *run, enum role role, unsigned index, uint64_t bytes);

void
count_credit(struct run *run);

/* From now on the caller's system calls are counted, if they are to be. */
void
trace_if_asked(struct run *run, enum role role, unsigned index);

uint64_t
piece_check(const struct piece *piece, size_t size);

/* Whether that is the piece to break, in that way. */
bool
sabotaged(const struct run *run, enum sabotage how, uint64_t file,
	  uint64_t offset);

/* A descriptor, or a negative errno. */
int
open_file(const char *path);

/* Reads until size bytes or the end; fewer than size: the end. */
ssize_t
read_file(int fd, void *buffer, size_t size);

/* Who the process is, for what it says. */
void
call_myself(enum role role, unsigned index);

/* Says what went wrong, on standard error. */
__attribute__((format(printf, 1, 2))) void
complain(const char *format, ...);

/* A path, or a part of it, that is safe on a terminal. Static. */
const char *
printable(const char *path);

int64_t
now(void);

/* The tree (tree.c) -------------------------------------------------------- */

int
tree_walk(struct tree *tree, const char *root);

void
tree_free(struct tree *tree);

/* The processes, seen by the coordinator (crew.c) -------------------------- */

struct crew;

/* label: for the progress bar. NULL if memory is out. */
struct crew *
crew_new(struct run *run, const char *label);

/* Starts run->processes[role] of them. */
int
crew_start(struct crew *crew, enum role role);

/*
 * Waits until all of a role have ended, well. Returns -1, and says why, if any
 * of the crew has not, or nothing has moved for a minute, or a signal came.
 */
int
crew_wait(struct crew *crew, enum role role);

/* Kills who still lives. */
void
crew_free(struct crew *crew);

/* How often each system call was made, by number: SYSTEM_CALLS of them. */
const uint64_t *
crew_system_calls(const struct crew *crew);

/* System calls, counted by ptrace (trace.c) -------------------------------- */

/*
 * Called by the process that is to be counted, from now on. Returns 0 or the
 * errno of what is not allowed here.
 */
int
trace_me(enum role role);

/*
 * Called by its parent when waitpid() says that it has stopped: counts the
 * call, if it was one, and lets the process go on.
 */
void
trace_stop(pid_t pid, int status, uint64_t calls[SYSTEM_CALLS]);

/* Prints the most frequent ones: "futex 12, membarrier 3". */
void
trace_print(const uint64_t calls[SYSTEM_CALLS]);

/* The progress bar (progress.c) -------------------------------------------- */

struct progress {
	const char *label;
	int64_t start;
	int64_t shown; /* when it was shown last */
	bool terminal;
};

void
progress_start(struct progress *progress, const char *label);

void
progress_show(struct progress *progress, uint64_t done, uint64_t total);

/* The last line, which stays. */
void
progress_end(struct progress *progress, uint64_t done);

/* Runs (transport.c), and what came out of them (report.c) ----------------- */

/* Return -1 if it failed, and have said why. label: for the progress bar. */
int
run_plainly(struct run *run, const char *label);

int
run_through_cubby(struct run *run, const char *label);

/* How many pieces the processes of a role have dealt with. */
uint64_t
tallied(const struct run *run, enum role role);

void
report(const struct run *run, const struct run *counted,
       const struct tree *tree);

#endif
