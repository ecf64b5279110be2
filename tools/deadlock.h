/* SPDX-License-Identifier: MIT */
/*
 * Of a snapshot: who waits for whom, and which of them wait for each other for
 * ever. waits.h says what that is, and what cannot be known.
 *
 * Mailboxes are looked at one after the other, so two who take turns may both
 * seem asleep. Each deadlock that is found is therefore looked at again: it is
 * one if nothing at all has changed in its mailboxes (messages sent, handed out,
 * given back; who is attached; the ticket of each sleep) and its processes do
 * not run. All that was seen was then so at one time. It is told when it was
 * found in two looks in a row.
 *
 * It is *certain* if each of its processes has one thread. One with several may
 * have one that does something else: then it is told as a maybe, if all of its
 * threads sleep. A process that /proc does not tell of is a maybe as well.
 */
#ifndef CUBBY_TOOLS_DEADLOCK_H
#define CUBBY_TOOLS_DEADLOCK_H

#include "snapshot.h"
#include "waits.h"

/* wait I is of party parties[I]. judgements: of each process. */
struct analysis {
	struct wait *waits;
	size_t count;
	size_t *parties;
	size_t *helpers;	/* of all waits */
	struct judgement *judgements;
	size_t knots;
	bool *certain;		/* of each knot */
	int64_t *since;		/* likewise: when it was first seen */
};

/* What was found before: zeros at first. */
struct suspicions {
	struct suspicion {
		uint64_t hash;
		int64_t since;
	} *known;
	size_t count;
};

/* *ret is the caller's, to be freed by analysis_free(). */
void
analyse(const struct snapshot *snapshot, struct suspicions *suspicions,
	struct analysis *ret);
void
analysis_free(struct analysis *analysis);

/*
 * A sentence on a wait: "4711 (sh) waits for a message in x, which only 4712
 * could send". Safe to print. The caller frees it.
 */
char *
wait_text(const struct snapshot *snapshot, const struct analysis *analysis,
	  size_t wait);

/* A line on a deadlock, likewise. */
char *
deadlock_text(const struct snapshot *snapshot, const struct analysis *analysis,
	      size_t knot);

/* "4711", or if it is of another PID namespace "4711 of 4026531836". */
#define PROCESS_TEXT 64
const char *
process_text(char text[PROCESS_TEXT], const struct process *process);

#endif
