/* SPDX-License-Identifier: MIT */
#ifndef PLAY_H
#define PLAY_H
/*
 * Killed and stopped at every instruction of a broadcast mailbox. The harness is
 * that of the other mailboxes (harness.h): its points, its steps, its workers;
 * what happens on the stage is another play.
 *
 *	the worker	makes the mailbox, is a sender and (the other) a receiver
 *	the ghost	has died: a sender with a backlog, or a receiver
 *	the victim	opens its handle, if that is not what it performs, and
 *			performs one call
 *	fresh ones	come after the victim was struck: a receiver, a sender
 *
 * After each strike the worker's sender goes on. A dead victim holds it up no
 * longer than it takes to ask; a stopped one only if it receives and the mailbox
 * waits for the slow. The other receiver gets every message, in order, whole, and
 * once. A victim that was stopped gets, when it goes on, all that it is due: with
 * CUBBY_EVERY without a gap; else it is told of each gap.
 */
#include "../harness.h"

enum {
	ROOM = 4,	/* capacity */
	GHOSTS = 3,	/* messages that the ghost leaves */
	RUN = 10,	/* messages that are sent after the strike */
	LONG_RUN = 100	/* the same where the slow are overtaken: round */
};

/* Who sends. */
enum voice { WORKER, VICTIM_VOICE, GHOST_VOICE, FRESH_VOICE, VOICES };

#define LAST UINT64_C(77)	/* the tag of a message that ends the play */

struct letter_to_all {
	uint64_t voice, number;
	unsigned char filler[LONG - 16];
};

/* A handle, and what has come through it. */
struct part {
	cubby_mailbox *mailbox;
	bool known[VOICES];		/* where each began */
	uint64_t next[VOICES];
	uint64_t gaps, missed;
	bool last;			/* the LAST has come */
	cubby_message *message;
	cubby_draft *draft;
	struct stage *stage;
	const struct act *act;
};

/* What the victim performs, and in which scene. */
struct act {
	struct operation operation;	/* its name; first, for casts */
	enum cubby_delivery delivery;
	int roles;
	bool joins;			/* the open is what it performs */
	bool overtaken;			/* so much was sent before START */
	bool ghost_sender, ghost_receiver;
	int waiting;			/* sent after it has opened */
	int own;			/* by itself, before START */
	bool left;			/* the other receiver has not got them */
	size_t size;			/* 0: SHORT */
	uint64_t history;
	void (*prepare)(struct part *own);
	int (*perform)(struct part *own);
	void (*conclude)(struct part *own);
	bool awaits;			/* that all have what it sends */
	int result;			/* 1: or -EAGAIN */
};

/* The victim's messages: begun, and accepted. */
#define victim_begun moved_from
#define victim_accepted moved_to

const struct act *
act_of(const struct scenario *scenario);

noreturn void
act_live(const struct act *act, struct stage *stage);

/* part.c */

cubby_mailbox *
part_open(const struct act *act, int roles, int flags, uint64_t history);

/* Sends one as that voice; 0 or an error. */
int
part_send(cubby_mailbox *mailbox, enum voice voice, uint64_t number,
	  size_t size, uint64_t tag, int flags, int64_t deadline);

/* Checks and enters one that has come. */
void
part_enter(struct part *part, const void *bytes, size_t size,
	   const struct cubby_envelope *envelope);

/* Receives what is there. */
void
part_drain(struct part *part);

#endif
