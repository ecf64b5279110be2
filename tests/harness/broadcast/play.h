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
 *	the sleeper	is asleep at the other end when the victim begins: in a
 *			call, polling a descriptor, or in cubby_wait()
 *	the victim	opens its handle, if that is not what it performs, and
 *			performs one call
 *	fresh ones	come after the victim was struck: a receiver, a sender
 *	the heir	with two deaths: meets what the victim left (heirs.c)
 *
 * After each strike the worker's sender goes on. A dead victim holds it up no
 * longer than it takes to ask; a stopped one only if it receives and the mailbox
 * waits for the slow. The other receiver gets every message, in order, whole, and
 * once. A victim that was stopped gets, when it goes on, all that it is due: with
 * CUBBY_EVERY without a gap; else it is told of each gap.
 *
 * REFILLED: meanwhile all have gone round several times, fresh ones have come and
 * gone in its neighbours' places, and the worker's lane is full. REPLACED: the
 * mailbox has been unlinked, and another one has its name; those who were in the
 * first go on in it.
 */
#include "../harness.h"

enum {
	ROOM = 4,	/* capacity */
	GHOSTS = 3,	/* messages that the ghost leaves */
	RUN = 10,	/* messages that are sent after the strike */
	LONG_RUN = 100,	/* the same where the slow are overtaken: round */
	TURNS = 6	/* fresh ones that come and go */
};

/* Who sends. */
enum voice {
	WORKER,
	VICTIM_VOICE,
	GHOST_VOICE,
	FRESH_VOICE,
	SLEEPER_VOICE,
	HEIR_VOICE,
	VOICES
};

/* What the sleeper is asleep in. */
enum bed {
	NO_BED,
	RECEIVE_BED,
	POLL_BED,
	WAIT_BED,
	SEND_BED,	/* it sends from here on */
	POLL_SEND_BED,
	WAIT_SEND_BED
};

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
	enum voice voice;		/* its own, if it sends */
	cubby_message *message;
	cubby_mailbox *beside;		/* in which nothing happens */
	int bell;			/* of who polls */
	bool counts;			/* its clock does: clock.c */
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
	enum bed bed;			/* of the sleeper */
	int waiting;			/* sent after it has opened */
	int own;			/* by itself, before START */
	bool left;			/* the other receiver has not got them */
	size_t size;			/* 0: SHORT */
	uint64_t history;
	void (*prepare)(struct part *own);
	int (*perform)(struct part *own);
	void (*conclude)(struct part *own);
	bool awaits;			/* that all have what it sends */
	bool sleeps;			/* there is nothing for it yet */
	int calls;			/* a system call that it comes by */
	int result;			/* 1: or -EAGAIN */
};

const struct act *
act_of(const struct scenario *scenario);

/* The life of a victim, or of an heir. */
noreturn void
act_live(const struct act *act, struct stage *stage, enum voice voice);

/* What more than one list has (acts.c, acts_wait.c, heirs.c): performed. */
int
open_it(struct part *own);
int
close_it(struct part *own);
int
receive_now(struct part *own);
int
hold_now(struct part *own);
int
send_now(struct part *own);
void
conclude_receive(struct part *own);

/* acts_wait.c: by those who poll, and who wait for several */
void
prepare_poll(struct part *own);
int
poll_open(struct part *own);
int
poll_receive(struct part *own);
int
poll_send(struct part *own);
void
prepare_wait(struct part *own);
/* Where the kernel cannot wait for several words. */
void
prepare_wait_otherwise(struct part *own);
void
prepare_wait_lit(struct part *own);
/* Until that is not -EAGAIN any more. */
int
poll_until_done(struct part *own, int (*perform)(struct part *own));
int
wait_until_done(struct part *own, int (*perform)(struct part *own));
int
wait_receive(struct part *own);
int
wait_send(struct part *own);

/* sleeper.c */

/* Returns when it sleeps. */
pid_t
sleeper_start(struct run *run, const struct act *act);

/* part.c */

/* A handle, or an error. */
int
part_try_open(const struct act *act, int roles, int flags, uint64_t history,
	      cubby_mailbox **ret);
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

/* Receives one by then and enters it; 0 or an error. */
int
part_take(struct part *part, int64_t deadline);

/* Receives what is there. */
void
part_drain(struct part *part);

#endif
