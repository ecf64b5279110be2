/* SPDX-License-Identifier: MIT */
#ifndef PLAY_H
#define PLAY_H
/*
 * Killed and stopped at every instruction of cubby_sync.h. The harness is that
 * of the mailboxes (harness.h): its points, its steps, its workers; what happens
 * on the stage is another play.
 *
 *	the worker	makes a region, sets the scene, is the bystander
 *	the victim	attaches the region, prepares, and performs one call
 *	sleepers	are asleep in a call when the victim begins, or (second
 *			in the queue) from when it has fallen asleep itself
 *	a fresh one	attaches the region after the victim was struck
 *
 * After each strike: who sleeps is served, without the victim; the mutex passes
 * from hand to hand, and says -EOWNERDEAD once if its owner was killed and not at
 * all if not; no ticket and no unit is lost or doubled. The mutex is lost if one
 * who was told of a death has unlocked it as it was, and then for everybody: those
 * that sleep for it, or with it for a condition, are told. A victim that stands
 * still with the mutex holds others up until their deadline and no longer; one
 * that stands still anywhere else holds up nobody.
 *
 * REFILLED: meanwhile the mutex has passed from hand to hand, and units and signals
 * have come and gone, many times. REPLACED: the region has been unlinked, and another
 * one has its name, where all is as new. With two deaths an heir meets what the
 * victim left (heirs.c).
 */
#include <stdatomic.h>
#include <sys/types.h>

#include "../harness.h"
#include "cubby_sync.h"

#define REGION "stage"

enum { SLEEPERS = 2, TURNS = 20 };

/* In the region. */
struct props {
	cubby_mutex mutex;
	cubby_condition condition;
	cubby_semaphore semaphore;
	uint64_t tickets;	       /* guarded by the mutex */
	_Atomic(uint64_t) victim_word; /* the mutex's first, when it has it */
	_Atomic(uint32_t) tickets_taken;
	_Atomic(uint32_t) units_taken; /* by others than the victim */
	/* One who was told of a death unlocks it all the same; or has. */
	_Atomic(bool) losing, lost;
};

/* What somebody is asleep in. */
enum bed { NO_BED, MUTEX_BED, CONDITION_BED, SEMAPHORE_BED };

struct attached {
	cubby_region *region;
	struct props *props;
};

/* What the victim performs, and in which scene. */
struct act {
	struct operation operation; /* its name; first, for casts */
	enum bed bed;		    /* of the sleepers */
	int early, late;	    /* how many there are, from when */
	bool held;		    /* the bystander has the mutex */
	bool ghost;		    /* one has died with it */
	bool lost;		    /* the same, and nobody put it right */
	bool owns;		    /* the victim locks it before START */
	int tickets, units;	    /* that are there */
	bool loses;		    /* the mutex, or finds it lost */
	bool locks;		    /* the call ends with the mutex locked */
	bool takes, posts;	    /* a unit */
	enum bed waits; /* what the victim may sleep for, but the mutex */
	int (*perform)(struct attached *own);
	int expected; /* the call's result, unharmed */
	bool enters;  /* an heir's: attaches the region itself */
};

/* The worker's view of a run. */
struct play {
	struct run *run;
	const struct act *act;
	struct attached own;
	bool holding;		  /* the worker has the mutex */
	bool late_came;		  /* who comes late is there */
	bool two_died;		  /* an heir, too */
	struct attached second;	  /* another one of that name */
	pid_t sleepers[SLEEPERS]; /* 0: none, or gone */
	uint32_t tickets_issued, units_posted;
	uint32_t signals; /* the condition's count of them, at START */
};

/* acts.c */
const struct act *
act_of(const struct scenario *scenario);

/* The life of a victim, or of an heir; and a sleeper's. */
noreturn void
act_live(const struct act *act, struct stage *stage, bool heir);
noreturn void
act_sleep(enum bed bed, struct stage *stage);

/* As one more participant of the region. */
struct attached
attach(int flags);

/* Unlocks the mutex, which nobody has put right after a death. */
int
lose(struct attached *own);
/* A lock, or a wait for the condition, has said that: is the mutex lost? It is
   if, and only if, somebody has lost it. */
bool
is_lost(const struct attached *own, int result);

#endif
