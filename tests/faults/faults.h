/* SPDX-License-Identifier: MIT */
/*
 * Everything fails once.
 *
 * A *scenario* is a public call of the library and a state from which it is made.
 * Each *case* runs in a process of its own, in a root of its own: the state is
 * made, one point of the call fails (inject.h), and then
 *
 *  - the call has succeeded all the same, or returns an error that its header
 *    documents (documented.h), and if the process or the machine has run out of
 *    something, that very error;
 *  - what it would have returned by pointers is untouched;
 *  - no descriptor, mapping or file has come that was not there before, and if the
 *    same fails once more, nothing grows;
 *  - the same call by the same handle succeeds now;
 *  - every message that was accepted is delivered once, in order, and no other;
 *    all the handles go on; no lane has been cut off;
 *  - when all has been closed and unlinked, nothing is left: no descriptor,
 *    mapping, file or block of memory.
 *
 * The limits (RLIMIT_..., a full file system) are cases as well, with a step of
 * the limit in place of a point. A second pass runs all of it in a storm of
 * signals, whose handler has no SA_RESTART.
 */
#ifndef FAULTS_H
#define FAULTS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <cubby.h>
#include <cubby_sync.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "inject.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Kinds of mailboxes ------------------------------------------------------- */

enum kind {
	LIMITED, UNLIMITED, EVERY, OVERTAKE, INBOX,	/* lanes */
	ARRIVAL, PRIORITY, QUEUE_UNLIMITED, RENDEZVOUS,	/* queues */
	KINDS
};
#define ONLY(kind) (1u << (kind))
#define LANES (ONLY(LIMITED) | ONLY(UNLIMITED) | ONLY(EVERY) | ONLY(OVERTAKE) | \
	       ONLY(INBOX))
#define TO_ONE (ONLY(LIMITED) | ONLY(UNLIMITED) | ONLY(INBOX))
#define QUEUES (ONLY(ARRIVAL) | ONLY(PRIORITY) | ONLY(QUEUE_UNLIMITED))
#define BUFFERED (LANES | QUEUES)
#define ALL_KINDS (BUFFERED | ONLY(RENDEZVOUS))
#define NO_MAILBOX 0u

/* Scenarios ---------------------------------------------------------------- */

#define OTHERS_MAX 200
#define ACCOUNT_MAX 40000
#define SMALL 8
#define LARGE 3000	/* in a block */

/* What calls return by pointers; filled with a pattern before each. */
struct outs {
	cubby_mailbox *mailbox;
	cubby_draft *draft;
	cubby_message *message;
	cubby_request *request;
	cubby_region *region;
	size_t size;
	uint64_t number, number2;
	uint32_t value;
	struct cubby_envelope envelope;
	struct cubby_info info;
	struct cubby_region_info region_info;
	struct cubby_swept swept;
	struct cubby_wait_entry entries[OTHERS_MAX];
};

/* What helpers in other processes share with the case. */
struct common {
	atomic_uint ready, go, done, failed;
	atomic_uint taken_count, given_count;
	uint64_t taken[1024];	/* received */
	uint64_t given[1024];	/* accepted */
};

struct stage {
	const struct scenario *scenario;
	enum kind kind;
	const char *name;		/* of its mailbox */
	struct cubby_options options;
	cubby_mailbox *mine;		/* the one whose call fails */
	cubby_mailbox *others[OTHERS_MAX];
	unsigned other_count;
	int my_flags, other_flags[OTHERS_MAX];
	cubby_region *region, *region2;
	cubby_draft *draft;
	cubby_message *message;
	cubby_request *request;
	struct cubby_envelope envelope;
	int fd;				/* of cubby_fd() */
	int error;			/* what a point has failed with last */
	unsigned visited;
	struct outs outs;
	unsigned char buffer[70000];
	struct common *common;
	pid_t helpers[4];
	unsigned helper_count;
	uint64_t next;			/* number of the next message */
	uint64_t accepted[ACCOUNT_MAX];
	unsigned accepted_count;
	unsigned taken_count;
	bool is_taken[ACCOUNT_MAX];
	uint64_t passed_over;		/* overtaken, as receivers were told */
	bool is_over;			/* what the call is about is no more */
	bool has_returned;		/* messages come in another order */
	bool is_gone;			/* the inbox's process */
};

enum traits {
	GONE = 1,	/* what the call was about has gone, whatever it returns */
	COLD = 2,	/* the library has not been used before */
	MANY = 4,	/* long: a spread of its points in the quick form */
	WAITS = 8,	/* may return -ETIMEDOUT, its point being to wait */
	FILES_GO = 16,	/* it removes files, as far as it gets */
	PREPARES = 32,	/* what it has made ready stays: a descriptor, a file */
	GROWS = 64,	/* it does a part, if it fails */
	NO_LIMITS = 128, /* helpers make what limits do uncertain */
	RENAMES = 256,	/* each time a file has another name, or has gone */
	ENDS = 512,	/* as GONE, but if it is called once more, it makes what
			   it is about anew */
	ASKS = 1024,	/* waits for an answer of the kernel's: who has died, or a
			   wake-up; while there is none, to its deadline */
	PASSES = 2048	/* what cannot be attached, as 1024 others have it, counts
			   as received, and is passed over */
};

struct scenario {
	const char *name, *call;
	unsigned kinds;
	int traits;
	void (*set)(struct stage *stage);
	int (*act)(struct stage *stage);
	/* After it has succeeded; NULL: nothing to look at. */
	void (*check)(struct stage *stage);
};

/* Each list, which ends with one that has no name, is one of the program's. */
#define SCENARIOS(list) \
	static const struct scenario *const list##_is_listed \
		__attribute__((used, section("scenarios"))) = list
extern const char *const kind_names[KINDS];

/* The stage (stage.c) ------------------------------------------------------ */

_Noreturn void
fail_at(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
#define need(condition) \
	((condition) ? (void)0 : \
		       fail_at(__FILE__, __LINE__, "not so: %s", #condition))
#define need_ok(call) need_at(__FILE__, __LINE__, #call, call)
void
need_at(const char *file, int line, const char *what, int result);

/* The call's result, once it is not -EINTR. */
#define again(call) \
	({ \
		int again_result; \
\
		do \
			again_result = call; \
		while (again_result == -EINTR); \
		again_result; \
	})

/* What the process is doing, for what fail_at() says. */
void
now_doing(const char *format, ...) __attribute__((format(printf, 1, 2)));

void
stage_make(struct stage *stage, const struct scenario *scenario,
	   enum kind kind);
/* Receives what there is, and compares; makes each handle go on. */
void
stage_account(struct stage *stage);
void
stage_close(struct stage *stage);

int64_t
soon(void);

/* Helpers for scenarios. */
void
open_mine(struct stage *stage, int flags);
cubby_mailbox *
open_other(struct stage *stage, int flags);
int
send_one(struct stage *stage, cubby_mailbox *from, size_t size,
	 int64_t deadline);
void
send_many(struct stage *stage, cubby_mailbox *from, unsigned count, size_t size);
void
fill(struct stage *stage, cubby_mailbox *from);
/* Receives all that there is for that one. */
void
drain_one(struct stage *stage, cubby_mailbox *receiver);
void
accept_number(struct stage *stage, uint64_t number);
void
take_number(struct stage *stage, uint64_t number);
/* The next message, from the buffer of the stage. */
void
take_buffer(struct stage *stage, size_t size);
void
put_number(void *buffer, size_t size, uint64_t number);
/* Runs body in another process until it returns; it waits for go. */
void
help(struct stage *stage, void (*body)(struct stage *stage));
/* A process that does body, and dies of SIGKILL. */
void
die_after(struct stage *stage, void (*body)(struct stage *stage));
/* Of a helper: what it has sent, or received, for the account. Those are
   accounted for first that are told of by tell_given(). */
void
tell_given(struct stage *stage, uint64_t number);
void
tell_taken(struct stage *stage, uint64_t number);
/* Bodies of helpers: one that receives, and one that sends, until it may go. */
void
keeps_receiving(struct stage *stage);
void
keeps_sending(struct stage *stage);
void
let_helpers_go(struct stage *stage);
void
helpers_end(struct stage *stage);
bool
is_queue(const struct stage *stage);
bool
is_every(const struct stage *stage);

/* What is there (ledger.c) --------------------------------------------------- */

struct ledger {
	uint64_t descriptors[8];	/* bits: those that are open */
	unsigned mappings;		/* of files below the root */
	unsigned files;
	uint64_t file_names;		/* a sum over their names */
	uint64_t bytes;			/* that the files take */
	long blocks;
};

void
ledger_take(const char *root, struct ledger *ret);
enum { LEDGER_FILES = 1, LEDGER_MAPPINGS = 2, LEDGER_BYTES = 4,
       LEDGER_BLOCKS = 8, LEDGER_DESCRIPTORS = 16,
       LEDGER_COUNT = 32 /* no more files, whatever they are called */ };
/* Ends the process if what are named differ; after must not be more. */
void
ledger_compare(const struct ledger *before, const struct ledger *after,
	       int what, const char *root);
void
ledger_remove_files(const char *root);

/* Cases (run.c) --------------------------------------------------------------- */

enum how {
	HOW_INJECT,
	HOW_NOFILE, HOW_AS, HOW_FSIZE, HOW_MEMLOCK, HOW_FULL, HOW_INODES,
	HOWS
};
extern const char *const how_names[HOWS];

struct item {
	uint16_t scenario;	/* which of all */
	uint8_t kind;
	uint8_t how;
	uint8_t has_storm;
	struct inject_plan plan;	/* or at: the limit's step */
};

/* What the process that runs a case tells. */
struct outcome {
	unsigned points;
	bool is_out_of_choices, has_coped, has_failed;
	int result;
	int16_t calls[4096];
	unsigned call_count;
};

extern const char *root;	/* of this worker */

const struct scenario *
scenario_at(unsigned index);
unsigned
scenario_count(void);

/* Does not return: exits with 0 if all was as it should be. */
_Noreturn void
run_case(const struct item *item, struct outcome *ret);

/* Limits (limits.c) ----------------------------------------------------------- */

/* Makes that limit hold from now on, with so many steps of room; false: there is
   no such step. */
bool
limit_set(enum how how, unsigned step);
void
limit_lift(enum how how);
/* Since this process has locked what it maps, and so filled the holes of files. */
extern bool limit_has_locked;
/* This worker's root becomes a small file system. Needs root. */
bool
limit_prepare(void);

#endif
