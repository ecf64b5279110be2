/* SPDX-License-Identifier: MIT */
#ifndef PLAY_H
#define PLAY_H
/*
 * Killed and stopped at every instruction of request and reply. The harness is
 * that of the mailboxes (harness.h): its points, its steps, its workers; what
 * happens on the stage is another play.
 *
 *	the worker	makes the mailbox, calls what the victim serves, serves
 *			what the victim calls, and is the bystander
 *	the victim	opens its handle, prepares, and performs one call
 *
 * After each strike. The victim served: who called it gets its reply, or that of
 * another who was handed the request in its place, or is told -EPIPE; nobody is
 * handed what a dead one had. The victim called: its request is handed to nobody
 * when it is dead. Others call and are answered meanwhile, also beside one who
 * stands still. In the end nothing is left.
 *
 * REFILLED: meanwhile many others have called and been answered; and of what the
 * victim had to serve the callers have given up, so that its replies go nowhere, and
 * not to one who has called since. REPLACED: the mailbox has been unlinked, and
 * another one has its name; those who were in the first go on in it. With two
 * deaths an heir meets what the victim left (heirs.c). Not of a queue, whose lock
 * the victim may have: that is another play's matter.
 */
#include "../harness.h"

enum part { CALLS, SERVES, NEITHER };

enum { TURNS = 20 };		/* calls of others while all is refilled */

/* What the victim performs, and in which scene. */
struct act {
	struct operation operation;	/* its name; first, for casts */
	enum kind kind;			/* of the mailbox: LANES, ARRIVAL */
	enum part part;
	size_t size;			/* of requests and replies */
	bool settles;			/* it has received a streak alone */
	bool beside;			/* a second server is there from the
					   beginning */
	bool awaits;			/* nothing is there at START */
	bool has;			/* it has the request at START */
	bool enters;			/* an heir's: opens the mailbox itself */
	bool returns;			/* the request may go to another */
	int told;			/* what its caller is told in the end: 0,
					   -EPIPE; 1: whatever */
	void (*prepare)(struct victim *victim);
	void (*perform)(struct victim *victim);
	void (*conclude)(struct victim *victim);
};

/* acts.c */
const struct act *
act_of(const struct scenario *scenario);

/* The life of a victim, or of an heir. */
noreturn void
act_live(const struct act *act, struct stage *stage, bool heir);

/* What more than one list has (acts.c, heirs.c): performed. */
void
act_reply(struct victim *victim);
void
act_close_mailbox(struct victim *victim);
void
act_begin(struct victim *victim);
void
act_cancel(struct victim *victim);

/* The callers of what the victim serves have given up. */
#define GIVEN_UP(stage)	((stage)->moved_to)

/* The bytes of a request, or reply, of that number. */
void
fill(unsigned char *bytes, size_t size, unsigned number);
bool
is_filled(const unsigned char *bytes, size_t size, unsigned number);

enum { REPLY = 7, REQUEST = 3, REQUEST_OF_HEIR = 5 };	/* numbers */

#endif
