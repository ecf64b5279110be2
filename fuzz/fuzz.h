/* SPDX-License-Identifier: MIT */
/*
 * What the fuzzers share: mailboxes whose files lie.
 *
 * An input is a *script*: numbers, of which a fuzzer makes its mailbox, what is
 * written into the mailbox's files behind the library's back (*patches*, or
 * *flips*, which another thread does without pause), and the calls that are
 * made meanwhile. A script that has ended goes on with zeros; so every input is
 * a script, and a shorter one is a simpler one.
 *
 * What is looked at in each run, besides what the sanitizers see: that no call
 * overstays its deadline, that each error is one that the call documents, that
 * nothing is touched beyond a mapping's ends (there lies memory that may not be
 * touched, see outside.c), that every handle closes and no descriptor and no
 * mapping is left.
 *
 * Each fuzzer is linked with libFuzzer, or with replay.c, which runs the inputs
 * that it is given, with any compiler.
 */
#ifndef CUBBY_FUZZ_H
#define CUBBY_FUZZ_H

#include <cubby.h>
#include <cubby_sync.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)

/* What a fuzzer gives to libFuzzer, or to replay.c. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int
LLVMFuzzerInitialize(int *argc, char ***argv);

/* Says what is wrong, and ends the process. */
_Noreturn void
finding(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* For what this program itself needs of the system. */
#define need(condition) \
	((condition) ? (void)0 : \
		       finding("%s:%d: not so: %s (%s)", __FILE__, __LINE__, \
			       #condition, strerror(errno)))

/* Scripts --------------------------------------------------------------- */

struct script {
	const uint8_t *at, *end;
};

uint8_t
script_byte(struct script *script);
uint16_t
script_16(struct script *script);
uint64_t
script_64(struct script *script);

/* A number that is often a small one, or at the edge of something. */
uint64_t
script_value(struct script *script);

static inline bool
script_has_ended(const struct script *script)
{
	return script->at == script->end;
}

/* Mailboxes ------------------------------------------------------------- */

#define NAME "m"
#define INBOX "@m"
#define REGION "g"

enum kind {
	KIND_LANES,
	KIND_UNLIMITED,
	KIND_FIXED,
	KIND_INBOX,
	KIND_EVERY,
	KIND_OVERTAKE,
	KIND_ARRIVAL,
	KIND_PRIORITY,	/* without a limit */
	KIND_RENDEZVOUS,
	KIND_REGION,
	KINDS
};

/* What a mailbox's files are, whatever each is called. */
enum part {
	PART_RECEIVERS,
	PART_DOORBELL,
	PART_LANE,	/* lane.0 */
	PART_LANE_1,
	PART_REPLY,
	PART_QUEUE,
	PART_BLOCKS,
	PART_MEMORY,	/* a region's */
	PARTS
};
#define PART(part) (1U << (part))

/* The options that a mailbox of that kind is made with. */
struct cubby_options
kind_options(enum kind kind);
const char *
kind_name(enum kind kind);

/* The parts that such a mailbox has. */
unsigned int
kind_parts(enum kind kind);

/* Puts the files of such a mailbox there, in place of all that is there: a new
   one, or a used one, whose participants have died all at once. */
void
image_restore(enum kind kind, bool used);

/* Takes all away that is in the root. */
void
image_remove(void);

/* A descriptor of that file of the mailbox (any, be it made since); -1: there
   is none. */
int
part_open(enum part part);

/* Where the script says, in that file: mostly where there is something other
   than zeros in the image. A multiple of 4. */
uint64_t
part_place(enum part part, struct script *script);

/* Patches ---------------------------------------------------------------- */

/* The next patch of the script, in one of these files. */
void
patch(struct script *script, unsigned int parts, bool truncate);

/* Flips ------------------------------------------------------------------ */

/* Makes the thread that does them; who it is. */
void
flips_prepare(void);
extern pid_t flips_thread;

/* Begins to do the next flips of the script, in one of these files, time and
   again; ends it. */
void
flips_begin(struct script *script, unsigned int parts);
void
flips_end(void);

/* Calls ------------------------------------------------------------------ */

#define HANDLES 4
#define BUFFER 16384

struct play {
	enum kind kind;
	const char *name;
	unsigned int parts;	/* that may be patched in the middle */
	bool truncate;		/* and cut short */
	unsigned int opened;	/* by steps */
	cubby_mailbox *handles[HANDLES];
	cubby_draft *drafts[HANDLES];
	cubby_message *messages[HANDLES];
	cubby_request *requests[HANDLES];
	cubby_region *regions[HANDLES];
	bool received[HANDLES];	/* the region: it goes with the mailbox */
	bool writable[HANDLES];
	uint64_t sequences[HANDLES];	/* of the last message sent there */
	struct cubby_envelope asked;	/* the request received last */
	unsigned char buffer[BUFFER];
	/* Messages of one sender, whom nobody disturbs: each says its number. */
	int good;		/* the handle; -1: there is none */
	uint64_t good_sender;
	uint64_t good_sent, good_received;
};

void
play_begin(struct play *play, enum kind kind);

/* The next call of the script; all of them. */
void
play_step(struct play *play, struct script *script);
void
play_all(struct play *play, struct script *script);

/* Opens that handle, if it can be. */
void
play_open(struct play *play, int handle, int flags, const char *sender);

/* Receives until nothing is there: what the good one has sent must be. */
void
play_drain(struct play *play, int handle);

/* Closes all, and looks whether all is gone. */
void
play_end(struct play *play);

/* A call that took so long, or told that, is a finding. errors: what it may
   tell, with a 0 at the end. */
void
call_begins(const char *call);
int
call_ended(int result, const int *errors);
#define CALL(call, name, ...) \
	(call_begins(name), call_ended(call, (const int[]){ __VA_ARGS__, 0 }))

/* NOW, mostly. */
int64_t
deadline_of(struct script *script);

/* Counts ----------------------------------------------------------------- */

extern uint64_t executions, calls_made, flips_made, patches_made;

/* What is mapped of files now; what is open. */
unsigned int
mappings_now(void);
unsigned int
descriptors_now(void);

#endif
