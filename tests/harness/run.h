/* SPDX-License-Identifier: MIT */
#ifndef RUN_H
#define RUN_H
/* The parts of a run (run.c) that one with two deaths has, too. */
#include "harness.h"

/* Forks the victim, as that actor, and takes it to START. */
void
run_start(struct run *run, enum actor actor);

/* Whether it has a lane, or may have: one that is the next one's when it goes. */
bool
run_is_sender(const struct run *run);

/* Accepted messages that may be missing because it takes, or has, them, or
   because they go with the mailbox. */
int
run_in_hand(const struct run *run, unsigned ways);

/* After END: it uses what it has, closes and exits. */
void
run_see_off(struct run *run);

/* Its mailbox may have been unlinked: from here on there may be two. */
void
run_regard_unlinked(struct run *run);

/* Kills who is being traced. */
void
run_kill(struct run *run, enum actor actor);

/* What those who have been killed may have taken with them. */
struct deaths {
	int missing;	/* accepted messages */
	int gaps;	/* of one batch */
	int unseen;	/* hand-outs of one message */
	bool ordered;	/* somebody looks after the dead first */
	bool forsaken;	/* who waits for one who had an inbox is told */
	bool moved;	/* a message that was on its way is one of the two */
};

/* The survivors go on, and all is looked at. */
void
run_after_deaths(struct run *run, const struct deaths *deaths);

#endif
