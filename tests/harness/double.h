/* SPDX-License-Identifier: MIT */
#ifndef DOUBLE_H
#define DOUBLE_H
/*
 * Two deaths: the repairer dies while repairing.
 *
 * A *pair* is a first death, at a point of a scenario, and an *heir*: another
 * participant, who meets what the dead one left. The heir performs an operation
 * of its own, of which nobody knows beforehand what it will do: it takes over,
 * settles, gives back, makes anew. So for each pair it is followed once from its
 * beginning to its end. What it passes there, and never passes when nobody has
 * died, is *repair*. Then it is killed at points of these, a run for each, and
 * the others go on, with the same account as ever.
 *
 *	plain	the heir's operation while the victim is well: before its own
 *		operation, after it, or gone. All instructions met so, in any
 *		scenario of that kind of mailbox, are the heir's plain path.
 *	listed	the victim is killed at the first point, and the heir followed.
 *	double	the victim is killed at the first point, the heir at a second.
 *
 * An heir that opens does so after the first death. Any other is there before:
 * it opens while the victim stands still at its point (nobody is held up by
 * that), or, if it stands there with a queue's lock, before it begins.
 */
#include "harness.h"

/* Second deaths of one first: those in repair, and besides. */
enum { REPAIRING = 24, BESIDE = 4, SECONDS = REPAIRING + BESIDE };

struct pair {
	uint16_t scenario, heir;
	uint32_t first;		/* point of the scenario; plain: which */
	int64_t wanted;		/* this second point alone; -1: any */
	uint32_t path, repairs;	/* points of the heir's path; of repair */
	uint32_t count, repairing;	/* of those that are tried, and the
					   first of them, that are of repair */
	uint32_t indices[SECONDS];	/* in the path */
	struct point seconds[SECONDS];
};

/* heirs.c of each play, or alone.c where there are none --------------------- */

uint32_t
heirs_count(void);
const char *
heir_name(uint32_t heir);
/* Whether it may come upon what is left there. */
bool
heir_fits(const struct scenario *scenario, uint32_t heir);
/* The heir as the victim of a scenario of its own, on the same stage. */
const struct scenario *
heir_scenario(const struct scenario *scenario, uint32_t heir);
/* Whether its operation may return that, after such a death. */
bool
heir_may_return(const struct scenario *scenario, uint32_t heir, int result);

/* twice.c, or each play's own ---------------------------------------------- */

/* Sets the scene; and takes another process, as that actor, to START. */
void
play_enter(struct run *run);
void
play_start(struct run *run, enum actor actor);
/* Whether it is there before the first death. */
bool
play_is_early(const struct scenario *heir);
/* After END all goes well, and the victim leaves. */
void
play_leave(struct run *run);
void
play_die(struct run *run, enum actor actor);
/* Both are dead: the survivors go on, and all is looked at. */
void
play_bury(struct run *run, const struct scenario *heir,
	  const struct pair *pair, enum strike strike, uint32_t second);

/* double.c: one run. false: one of the two points was not met. plain: what the
   heir has passed while nobody had died, by offset into the text. */
bool
double_strike(struct run *run, struct pair *pair, unsigned char *plain,
	      enum strike strike, uint32_t second);

/* doubles.c: the plan, and what came of it -------------------------------- */

struct double_plan {
	uint32_t deaths;	/* about so many, of repairers */
	uint32_t at_least;	/* fewer are a failure */
	uint64_t seed;
	const char *heir;	/* NULL: all that fit */
	long point, second;	/* -1: a spread */
	int jobs;
	bool once;
};

/* Leaves chosen the scenarios that are played. */
void
doubles_choose(const struct double_plan *plan, bool *chosen);
/* Returns the status to exit with. */
int
doubles_run(const struct double_plan *plan, const struct text *text,
	    struct points *points, const bool *chosen);
/* By a worker: one item. */
bool
doubles_do(struct run *run, const struct item *item);
/* By the main process: it failed. */
void
doubles_tell(const struct text *text, const struct points *points,
	     const struct item *item);

#endif
