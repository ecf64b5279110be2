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
 */
#include "../harness.h"

enum part { CALLS, SERVES };

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
	bool again;			/* it has called before */
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

/* The victim's life. */
noreturn void
act_live(const struct act *act, struct stage *stage);

/* The bytes of a request, or reply, of that number. */
void
fill(unsigned char *bytes, size_t size, unsigned number);
bool
is_filled(const unsigned char *bytes, size_t size, unsigned number);

enum { REPLY = 7, REQUEST = 3 };	/* numbers */

#endif
