/* SPDX-License-Identifier: MIT */
/*
 * The sleeper: receives all, to the LAST, and is asleep for want of a message; or
 * sends one more than there is room for while the victim does not receive.
 */
#include "../must.h"
#include "play.h"

static struct part own;

static int
receive_it(struct part *part)
{
	return part_take(part, CUBBY_NOW);
}

static int
in_bed(enum bed bed, int (*perform)(struct part *part))
{
	if (bed == POLL_BED || bed == POLL_SEND_BED)
		return poll_until_done(&own, perform);
	return wait_until_done(&own, perform);
}

static void
hear_all(enum bed bed)
{
	while (!own.last)
		must(bed == RECEIVE_BED ? part_take(&own, now() + FAR_OFF) :
					  in_bed(bed, receive_it),
		     "the sleeper's receive");
	if (own.gaps > own.missed ||
	    (own.missed && own.act->delivery == CUBBY_EVERY))
		fail("the sleeper missed %d, and was told of %d",
		     (int)own.gaps, (int)own.missed);
}

static void
send_all(enum bed bed)
{
	for (uint64_t i = 0; i <= ROOM; i++)
		must(bed == SEND_BED ?
			     part_send(own.mailbox, SLEEPER_VOICE, i,
				       own.act->size, 0, 0, now() + FAR_OFF) :
			     in_bed(bed, send_now),
		     "the sleeper's send");
}

static void
live(struct run *run)
{
	static struct act act;
	enum bed bed;

	act = *act_of(run->scenario);
	bed = act.bed;
	act.roles = bed >= SEND_BED ? CUBBY_SEND : CUBBY_RECEIVE;
	own = (struct part){ .stage = run->stage, .act = &act,
			     .voice = SLEEPER_VOICE };
	own.mailbox = part_open(&act, act.roles, 0, 0);
	if (bed == WAIT_BED || bed == WAIT_SEND_BED)
		prepare_wait(&own);
	if (bed >= SEND_BED)
		send_all(bed);
	else
		hear_all(bed);
	cubby_close(own.beside);
	cubby_close(own.mailbox);
}

pid_t
sleeper_start(struct run *run, const struct act *act)
{
	pid_t pid;

	if (act->bed == NO_BED)
		return 0;
	pid = helper_fork(run, live);
	if (!helper_lull(pid))
		fail("the sleeper did not sleep: %s", run->stage->complaint);
	return pid;
}
