/* SPDX-License-Identifier: MIT */
#ifndef PLAY_H
#define PLAY_H
/*
 * Files that another user cuts short, or takes the memory of, at every
 * instruction of who uses them. The harness is that of the mailboxes
 * (harness.h): its points, its steps, its workers; what happens on the stage is
 * another play.
 *
 *	the worker	root, and the bystander: owns the mailbox, sends and
 *			receives beside the victim
 *	the hostile	another user, who may send and receive: the worker with
 *			that user's effective id, so that the kernel asks its
 *			rights, and not root's
 *	the victim	a third user; opens its handle, prepares, and performs
 *			one call
 *
 * A scenario is an act of the victim. A strike does not harm the victim: it
 * stands still at a point, and a file that the hostile user may write is
 * *damaged*: cut to nothing, by a byte, at the edge of a page; or a hole is
 * punched into it, also one that the file system has no memory for, because the
 * hostile user has taken all of it. Each point gets two of these, by a number
 * that follows from the point and CUBBY_HOSTILE_ROUND; the rounds 0 to
 * FILES * WAYS - 1 together try each file, each way, at each point.
 *
 *	KILLED		the victim goes on at once (nobody is killed here)
 *	STOPPED		others go on first, and meet the damage before it does
 *
 * The victim must not die, and come to the end of its call with success or an
 * error that is documented for it, by its deadline. What is not damaged goes
 * on: the bystander's messages arrive, unless the damaged file is the one that
 * all need. Then it closes its handle, which leaves no descriptor and no mapping,
 * and uses another mailbox, as if nothing had been. In the end nothing is left.
 */
#include "../harness.h"

enum { WAYS = 12, FILES = 4 };
enum { VICTIM_UID = 61001, HOSTILE_UID = 61002 };

#define ELSEWHERE	"/elsewhere"
#define GROUND		"/ground"	/* the region */

/* Which file; found when it is damaged. */
enum file {
	NO_FILE,
	LANE,			/* the hostile sender's */
	OWN,			/* the victim's lane: by another process of its
				   user */
	RECEIVERS,		/* the receivers' file */
	DOORBELL,
	ATTENDANCE,
	QUEUE,
	BLOCKS,
	REPLY,			/* a caller's */
	MEMORY,			/* of the region GROUND */
	PLACES,			/* its attendance */
	SENT_REGION,		/* in lanes/ */
	FILE_KINDS
};

/* What the others do, before and after. */
enum company {
	SEND_TO_VICTIM,		/* the hostile before, the bystander after */
	TAKE_FROM_VICTIM,
	SERVE_VICTIM,
	CALL_VICTIM,		/* the hostile does */
	SEND_REGION_TO_VICTIM,	/* the hostile does */
	POST_TO_VICTIM		/* a semaphore in the region */
};

struct act {
	struct operation operation;	/* its name; first, for act_of() */
	enum kind kind;
	enum cubby_delivery delivery;
	const char *mailbox;		/* its name; NULL: MAILBOX */
	int roles;			/* that the victim has; 0: none */
	enum company company;
	size_t size;			/* of messages */
	int waiting;			/* messages that wait at START */
	bool opens;			/* performs the open itself */
	bool settles;			/* has received a streak alone */
	bool unlimited;			/* with large cells */
	int also;			/* an error that it may be told too */
	int and_also;
	void (*prepare)(struct victim *victim);
	void (*perform)(struct victim *victim);
	enum file files[FILES];
};

/* acts.c, life.c */
const struct act *
act_of(const struct scenario *scenario);
const char *
stage_mailbox(const struct act *act);

/* The victim's life. */
noreturn void
act_live(const struct act *act, struct stage *stage);

/* Becomes that user for good. */
void
become(uid_t uid);

/* Do those who use the mailbox do without it? Then nobody may notice. */
bool
is_spare(enum file file);

/* What the strike has done, for the victim to see: 1 + the way, 0: nothing yet;
   and to which file it does it, NO_FILE: to none. */
#define DAMAGE_DONE(stage)	((stage)->moved_from)
#define DAMAGED_FILE(stage)	((stage)->moved_to)

/* damage.c */

/* Once for each worker: its root is a small file system, of its own. */
void
damage_mount(const char *root);
/* For the report: the same in all processes. */
void
damage_prepare_names(void);
const char *
damage_name(enum file file, int way);

/* Has somebody taken all memory of it? */
bool
damage_fills(int way);
/* Does it leave bytes that others may take for the file's own? */
bool
damage_invents(int way);
void
damage_do(const struct run *run, enum file file, int way);
/* The memory is there again. */
void
damage_relieve(const struct run *run);

/* The effective user; 0: root again. */
void
act_as(uid_t uid);

#endif
