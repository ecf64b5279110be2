/* SPDX-License-Identifier: MIT */
/* What two deaths (double.c) ask of this play. */
#include "double.h"
#include "run.h"

void
play_enter(struct run *run)
{
	cast_enter(run);
}

void
play_start(struct run *run, enum actor actor)
{
	run_start(run, actor);
}

bool
play_is_early(const struct scenario *heir)
{
	return heir->operation->roles && !(heir->operation->effects & OPENS);
}

void
play_leave(struct run *run)
{
	/* Others may have been quicker to take what the victim sent. */
	cast_wake(run, true);
	run_see_off(run);
}

void
play_die(struct run *run, enum actor actor)
{
	run_kill(run, actor);
}

void
play_bury(struct run *run, const struct scenario *heir,
	  const struct pair *pair, enum strike strike, uint32_t second)
{
	const struct run heirs = { .scenario = heir };
	unsigned ends = TAKES | ENDS;
	unsigned both = run->scenario->operation->effects |
			heir->operation->effects;
	struct deaths deaths = {
		.missing = run_in_hand(run, ends) + run_in_hand(&heirs, ends),
		.gaps = run_in_hand(&heirs, ends),
		.unseen = 2,
		.ordered = (pair->first + second) % 2 &&
			   !(both & (CREATES | UNLINKS)),
		.moved = strike != PLAIN,
	};

	if (heir->operation->effects & UNLINKS)
		run_regard_unlinked(run);
	run_after_deaths(run, &deaths);
}
