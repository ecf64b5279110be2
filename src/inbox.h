/* SPDX-License-Identifier: MIT */
/* Layer 6. May include: base atomics clock shm liveness layout participants. */
/*
 * An inbox: a mailbox `@name`, from which one process at a time receives; who
 * sends to it is told that this process has gone.
 *
 * The one who receives, the *owner*, holds two locks that go with his memory:
 * the byte INBOX of `attendance`, which keeps every other from receiving (who
 * may only send cannot open that file, and so not be in the way), and a byte of
 * a file that senders may read, for them to ask for. Each owner has a generation
 * of his own, and that byte is its number.
 *
 *	owner					sender, before each message
 *	1 locks INBOX, or is told -EBUSY	loads `owner`: who he was last
 *	2 owner = {last generation}		time, in the same tick of the
 *	3 locks the next generation's byte	clock: sends
 *	4 writes his pid and namespace		else: is that generation's byte
 *	5 owner = {next generation, HERE}	locked? Sends; or -EPIPE
 *	... receives ...
 *	6 owner = {generation}			no HERE: -EPIPE
 *	7 drops both locks
 *
 * Died before 5: the word names one who has gone, and the next owner begins
 * anew. After it: the byte tells. Stopped before 5: the others are told -EBUSY,
 * and nobody waits. The two locks of one who dies do not go at one instant: so
 * the next owner may find a byte locked that is no longer of use, and takes the
 * generation after it; and `owner` loses its HERE (2) before anything else is
 * written, so that what is read between two equal values of it belongs together.
 *
 * He lives when he was asked for, and may die before the message is published:
 * then it lies there, for his successor. Nothing here is needed for the exchange
 * itself; a word that lies makes a sender believe in a dead owner, or not in a
 * living one. Who may only send can take a lock for reading on every byte; the
 * owner then takes one too, and as long as the other keeps his, this inbox's
 * dead are not told from the living.
 *
 * Nobody has ever received there (generation 0): what is sent waits for the
 * first.
 *
 * It is written for any file that begins with a struct inbox somewhere: struct
 * inbox_at says where.
 */
#ifndef CUBBY_INBOX_H
#define CUBBY_INBOX_H

#include "base.h"
#include "clock.h"
#include "layout.h"
#include "liveness.h"

/* No wait for the owner to do something lasts longer without asking whether he
   lives. As SLEEP_SLICE_FIRST, nothing but a look. */
#define INBOX_SLICE	(4 * NSEC_PER_MSEC)

struct inbox_at {
	struct inbox *inbox;	/* mapped; for reading, by those who send */
	int directory;		/* the mailbox's */
	const char *file;	/* the one that it lies in */
};

/* The owner's end -------------------------------------------------------- */

struct owner {
	struct liveness exclusive, life;
	uint64_t word;
};

/* Step 1. Errors: -EBUSY (a living process receives there) and the kernel's. */
int
inbox_claim(const struct inbox_at *at, struct owner *ret);

/* Steps 2 to 5. Errors: the kernel's; he still has what he claimed. */
int
inbox_enter(const struct inbox_at *at, struct owner *owner);

/* Step 6, for one who has entered or has not. */
void
inbox_say_gone(const struct inbox_at *at, struct owner *owner);

/* Step 7. */
void
inbox_leave(struct owner *owner);

/* The sender's end ------------------------------------------------------- */

struct addressee {
	const struct inbox *inbox;
	int fd;			/* to ask the kernel through */
	struct file_identity is;
	uint64_t bound;		/* the one generation that is meant; 0: whoever
				   receives */
	uint64_t word;		/* of `owner`: alive when asked */
	int64_t asked;		/* clock_tick() then */
};

/* Errors: the kernel's. */
int
addressee_open(const struct inbox_at *at, struct addressee *ret);
void
addressee_close(struct addressee *addressee);

/* The slow part of addressee_check(). */
int
addressee_ask(struct addressee *addressee, uint64_t word, int64_t tick);

/*
 * Does the owner live? 0, or -EPIPE: he has gone. Asks the kernel once in a tick
 * of its clock, 1 to 10 ms; and always while he has gone.
 */
static inline int
addressee_check(struct addressee *addressee)
{
	int64_t tick = clock_tick();
	/* INBOX-A1 acquire: who receives, before what he has made. Pairs with
	   INBOX-R3. */
	uint64_t word = word64_load_acquire(&addressee->inbox->owner);

	if (likely(word == addressee->word) && likely(tick == addressee->asked))
		return 0;
	return addressee_ask(addressee, word, tick);
}

/* By process ------------------------------------------------------------- */

/* A PID namespace, as stat(2) tells of /proc/PID/ns/pid. */
struct namespace {
	uint64_t device, inode;
};

/* This process's. Errors: the kernel's (there may be no /proc). */
int
inbox_namespace(struct namespace *ret);

/*
 * Is its owner alive, and process pid of that namespace? Then *ret_generation is
 * his, else 0. Once it has been told the pid is of no more use. Errors: those of
 * shm_open_at().
 */
int
inbox_find(const struct inbox_at *at, pid_t pid,
	   const struct namespace *namespace, uint64_t *ret_generation);

#endif
