/* SPDX-License-Identifier: MIT */
/*
 * What a scenario is about, as far as that can be seen in its path: a function of
 * libcubby's, or a system call. A scenario whose path does not come by it tries
 * something else than its name says, and fails; so does one that names a function
 * that is not there any more.
 *
 * Who is asleep looks for itself now and then, and is awake when it does: whoever
 * comes by in that moment does not wake it. So a path is recorded again, a few
 * times, before it is said not to come by.
 */
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "acts.h"

static bool
is_one_of(const struct scenario *scenario,
	  void (*const *list)(struct victim *victim))
{
	while (*list && scenario->operation->perform != *list)
		list++;
	return *list;
}

static bool
begins_with(const struct scenario *scenario, const char *name)
{
	return !strncmp(scenario->operation->name, name, strlen(name));
}

static bool
takes_at_once(const struct scenario *scenario)
{
	static void (*const list[])(struct victim *victim) = {
		perform_receive, perform_receive_now, perform_hold,
		perform_receive_batch, perform_receive_region,
		perform_wait_receive, perform_poll_receive, NULL
	};

	return is_one_of(scenario, list);
}

static bool
sends_at_once(const struct scenario *scenario)
{
	static void (*const list[])(struct victim *victim) = {
		perform_send, perform_send_now, perform_send_synchronous,
		perform_send_batch, perform_send_region, perform_commit,
		perform_reserve_commit, perform_wait_send, perform_poll_send,
		NULL
	};

	return is_one_of(scenario, list);
}

/* There is nothing to take, or no room, or nobody takes what it has sent. */
static bool
sleeps(const struct scenario *scenario)
{
	static void (*const takers[])(struct victim *victim) = {
		perform_receive, perform_hold, perform_receive_batch,
		perform_receive_region, perform_receive_named,
		perform_receive_type, perform_receive_not_type,
		perform_receive_lowest, perform_receive_sender, NULL
	};
	static void (*const senders[])(struct victim *victim) = {
		perform_send, perform_reserve, perform_reserve_commit,
		perform_send_region, NULL
	};
	unsigned effects = scenario->operation->effects;
	enum start start = scenario->start;

	if (begins_with(scenario, "receive-turn") ||
	    begins_with(scenario, "give-back"))
		return false;
	if (effects & AWAITS)
		return start != ASLEEP_THERE;
	return (start == EMPTY && is_one_of(scenario, takers)) ||
	       (start == FULL && is_one_of(scenario, senders) &&
		!(effects & (GROWS | MOVES)));
}

/* Somebody is asleep, and gets what it sleeps for, from nobody else. */
static bool
serves(const struct scenario *scenario)
{
	return scenario->start == ASLEEP_THERE &&
	       !scenario->operation->clash &&
	       (takes_at_once(scenario) || sends_at_once(scenario));
}

static bool
wakes(const struct scenario *scenario)
{
	return serves(scenario) && scenario->operation->scenery != POLLER;
}

static bool
rings(const struct scenario *scenario)
{
	return serves(scenario) && scenario->operation->scenery == POLLER;
}

static bool
waits(const struct scenario *scenario)
{
	static void (*const takers[])(struct victim *victim) = {
		perform_wait, perform_wait_receive, NULL
	};
	static void (*const senders[])(struct victim *victim) = {
		perform_wait_send, NULL
	};

	return (scenario->start == EMPTY && is_one_of(scenario, takers)) ||
	       (scenario->start == FULL && is_one_of(scenario, senders));
}

static bool
is_otherwise(const struct scenario *scenario)
{
	return scenario->operation->prepare == prepare_wait_otherwise ||
	       scenario->operation->prepare == prepare_wait_send_otherwise;
}

static bool
waits_for_words(const struct scenario *scenario)
{
	return waits(scenario) && !is_otherwise(scenario);
}

static bool
polls(const struct scenario *scenario)
{
	return (scenario->operation->perform == perform_poll_receive &&
		scenario->start == EMPTY) ||
	       (scenario->operation->perform == perform_poll_send &&
		scenario->start == FULL);
}

static bool
repairs(const struct scenario *scenario)
{
	return scenario->operation->scenery == GHOST_OWNER;
}

static bool
adds_slots(const struct scenario *scenario)
{
	return scenario->operation->scenery == USED_UP;
}

static bool
gives_slots_back(const struct scenario *scenario)
{
	return begins_with(scenario, "give-back");
}

static bool
grows(const struct scenario *scenario)
{
	return begins_with(scenario, "send-grow") ||
	       begins_with(scenario, "send-extend") ||
	       begins_with(scenario, "reserve-grow");
}

static bool
changes_rings(const struct scenario *scenario)
{
	return begins_with(scenario, "send-grow") ||
	       begins_with(scenario, "send-shrink");
}

static bool
gives_rings_back(const struct scenario *scenario)
{
	return begins_with(scenario, "send-retire-far") ||
	       begins_with(scenario, "close-grown");
}

static bool
turns(const struct scenario *scenario)
{
	return strstr(scenario->operation->name, "-turn") ||
	       begins_with(scenario, "receive-passed");
}

/* Of a dead sender, or one who has gone: what it has left in its lane. */
static bool
inherits(const struct scenario *scenario)
{
	enum scenery scenery = scenario->operation->scenery;

	return scenario->kind == LANES &&
	       !(scenario->operation->effects & TEMPORARY) &&
	       (scenery == GHOST_SENDER || scenery == GHOST_SENDER_HELD ||
		scenery == GHOST_GONE);
}

static bool
inherits_rings(const struct scenario *scenario)
{
	return inherits(scenario) && scenario->operation->effects & GROWS;
}

/* Is handed what comes back. */
static bool
meets_returned(const struct scenario *scenario)
{
	enum scenery scenery = scenario->operation->scenery;

	return scenario->kind == LANES && takes_at_once(scenario) &&
	       (scenery == REJECTED || scenery == GHOST_HOLDER);
}

/* Gives back what a dead one held. */
static bool
looks_after_holder(const struct scenario *scenario)
{
	return scenario->kind == LANES &&
	       scenario->operation->scenery == GHOST_HOLDER &&
	       !strstr(scenario->operation->name, "-after-dead");
}

static bool
puts_back(const struct scenario *scenario)
{
	return scenario->kind != LANES &&
	       scenario->operation->scenery == GHOST_HOLDER;
}

static bool
looks_after_poller(const struct scenario *scenario)
{
	return scenario->operation->scenery == GHOST_POLLER;
}

static bool
looks_after_drafts(const struct scenario *scenario)
{
	return scenario->operation->scenery == GHOST_DRAFTS &&
	       !begins_with(scenario, "receive");
}

/* (A message of the sleeper's, and of the second one, is in another lane.) */
static bool
unsettles(const struct scenario *scenario)
{
	return scenario->operation->scenery == SETTLED_BYSTANDER &&
	       scenario->start != ASLEEP_THERE && scenario->start != SEVERAL;
}

static bool
asks_for_owner(const struct scenario *scenario)
{
	return scenario->operation->effects & INBOX &&
	       sends_at_once(scenario);
}

static bool
comes_to_inbox(const struct scenario *scenario)
{
	unsigned both = INBOX | OPENS;

	return (scenario->operation->effects & both) == both &&
	       scenario->operation->roles == CUBBY_RECEIVE;
}

static bool
leaves_inbox(const struct scenario *scenario)
{
	return scenario->operation->effects & LEAVES;
}

static bool
finds_process(const struct scenario *scenario)
{
	return scenario->operation->effects & BOUND;
}

static bool
has_competitor(const struct scenario *scenario)
{
	return scenario->operation->clash;
}

/* Not under a queue's lock; and one who is at home in a lane competes with nobody
   by compare-and-exchange. */
static bool
is_lost(const struct scenario *scenario)
{
	return scenario->kind == LANES &&
	       scenario->operation->scenery != SETTLED_BYSTANDER;
}

/* One of the two; neither: the competitor comes, and is quicker. */
static const struct goal {
	bool (*have)(const struct scenario *scenario);
	const char *function;
	int call;
} goals[] = {
	{ sleeps, "futex_wait", 0 },
	{ wakes, "futex_wake", 0 },
	{ rings, "fifo_tell", 0 },
	{ waits_for_words, NULL, FUTEX_WAITV },
	{ is_otherwise, NULL, SYS_ppoll },
	{ polls, NULL, SYS_poll },
	{ repairs, "queue_make_anew", 0 },
	{ adds_slots, "slots_begin_growth", 0 },
	{ gives_slots_back, "slots_give_back", 0 },
	{ grows, "shm_commit", 0 },
	{ changes_rings, "ring_clear", 0 },
	{ gives_rings_back, "shm_give_back", 0 },
	{ turns, "rings_find", 0 },
	{ inherits, "ring_inherit", 0 },
	{ inherits_rings, "rings_inherit", 0 },
	{ meets_returned, "taking_try_returned", 0 },
	{ looks_after_holder, "lane_repair_slot", 0 },
	{ puts_back, "queue_take_back_chunk", 0 },
	{ looks_after_drafts, "queue_take_back_chunk", 0 },
	{ looks_after_poller, "bell_remove_left", 0 },
	{ unsettles, "bias_revoke", 0 },
	{ asks_for_owner, "addressee_ask", 0 },
	{ comes_to_inbox, "inbox_enter", 0 },
	{ leaves_inbox, "inbox_say_gone", 0 },
	{ finds_process, "inbox_find", 0 },
	{ has_competitor, NULL, 0 },
};

const char *
aims_missed(const struct run *run)
{
	static char missed[80];

	for (size_t i = 0; i < sizeof(goals) / sizeof(goals[0]); i++) {
		const struct goal *goal = &goals[i];

		if (!goal->have(run->scenario))
			continue;
		if (goal->function && !path_passes(run, goal->function))
			return goal->function;
		snprintf(missed, sizeof(missed), "system call %d", goal->call);
		if (goal->call && !path_calls(run, goal->call))
			return missed;
		if (goal->function || goal->call)
			continue;
		if (run->points->clash == NO_CLASH)
			return "its competitor";
		if (!run->points->lost && is_lost(run->scenario))
			return "a competitor who is quicker";
	}
	return NULL;
}
