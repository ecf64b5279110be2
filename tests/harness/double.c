/* SPDX-License-Identifier: MIT */
/* One run with two deaths: see double.h. */
#include <errno.h>
#include <string.h>
#include <sys/ptrace.h>

#include "double.h"

/* The heir's place in a run: it takes the victim's while it acts. */
static struct place {
	const struct scenario *scenario;
	struct points *points;
	struct tracee tracee;
	bool started;
} heir;

static struct points heir_points;

static void
change_places(struct run *run)
{
	struct place victim = { run->scenario, run->points, run->victim,
				heir.started };

	run->scenario = heir.scenario;
	run->points = heir.points;
	run->victim = heir.tracee;
	heir = victim;
}

static void
start_heir(struct run *run)
{
	if (heir.started)
		return;
	heir.started = true;
	change_places(run);
	play_start(run, HEIR);
	change_places(run);
}

/* The victim is well: before its operation, after it, or gone. */
static void
leave_alone(struct run *run, uint32_t which)
{
	enum stop stop;

	if (which == 0)
		return;
	while ((stop = path_resume(run, PTRACE_SYSCALL)) == STOP_SYSCALL)
		;
	path_marked(run, stop, "left alone");
	if (which == 1)
		return;
	play_leave(run);
}

/* Those at which the heir is to die: a spread over the repair, and a few besides. */
static void
choose_seconds(const struct run *run, struct pair *pair,
	       const unsigned char *plain, uint32_t salt)
{
	static uint32_t repair[POINTS_MAX];
	const struct points *points = &heir_points;
	uint32_t count = 0, take;

	for (uint32_t i = 0; i < points->count; i++) {
		if (!plain[points->list[i].address - run->text->start])
			repair[count++] = i;
	}
	pair->path = points->count;
	pair->repairs = count;
	take = count < REPAIRING ? count : REPAIRING;
	for (uint32_t i = 0; i < take; i++)
		pair->indices[i] = repair[(2 * i + 1) * count / (2 * take)];
	pair->repairing = take;
	for (uint32_t i = 0; i < BESIDE && points->count; i++)
		pair->indices[take + i] = (salt + i * points->count / BESIDE) %
					  points->count;
	pair->count = points->count ? take + BESIDE : 0;
	if (pair->wanted >= 0 && pair->wanted < points->count) {
		pair->indices[0] = (uint32_t)pair->wanted;
		pair->count = 1;
	}
	for (uint32_t i = 0; i < pair->count; i++)
		pair->seconds[i] = points->list[pair->indices[i]];
}

/* From its beginning to its end. */
static void
follow_heir(struct run *run, struct pair *pair, unsigned char *plain,
	    enum strike strike)
{
	/* Its name, if it comes by one, is still the victim's. */
	bool busy;

	path_record(run, true);
	busy = strike == PLAIN && run->stage->result == -EBUSY;
	if (!busy &&
	    !heir_may_return(heir.scenario, pair->heir, run->stage->result))
		fail("the heir's operation returned %s",
		     cubby_strerror(run->stage->result));
	for (uint32_t i = 0; i < heir_points.count && strike == PLAIN; i++)
		plain[heir_points.list[i].address - run->text->start] = 1;
	if (strike == LISTED)
		choose_seconds(run, pair, plain, pair->first * 7919);
}

static bool
act_as_heir(struct run *run, struct pair *pair, unsigned char *plain,
	    enum strike strike, uint32_t second)
{
	bool reached = true;

	change_places(run);
	if (strike == DOUBLE) {
		heir_points.list[0] = pair->seconds[second];
		heir_points.count = 1;
		heir_points.clash = NO_CLASH;
		reached = path_reach(run, 0);
	} else {
		follow_heir(run, pair, plain, strike);
	}
	play_die(run, HEIR);
	change_places(run);
	return reached;
}

bool
double_strike(struct run *run, struct pair *pair, unsigned char *plain,
	      enum strike strike, uint32_t second)
{
	bool reached = true;

	memset(&heir, 0, sizeof(heir));
	heir.scenario = heir_scenario(run->scenario, pair->heir);
	heir.points = &heir_points;
	play_enter(run);
	play_start(run, VICTIM);
	if (play_is_early(heir.scenario) &&
	    (strike == PLAIN || run->points->list[pair->first].locked))
		start_heir(run);
	if (strike == PLAIN)
		leave_alone(run, pair->first);
	else
		reached = path_reach(run, pair->first);
	if (play_is_early(heir.scenario))
		start_heir(run);
	if (strike != PLAIN)
		play_die(run, VICTIM);
	start_heir(run);
	run->stage->account.era = BESIDE_VICTIM;
	reached = act_as_heir(run, pair, plain, strike, second) && reached;
	if (run->victim.pid > 0)
		play_die(run, VICTIM);
	run->stage->account.era = AFTER_STRIKE;
	play_bury(run, heir.scenario, pair, strike, second);
	return reached;
}
