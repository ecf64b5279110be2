/* SPDX-License-Identifier: MIT */
/*
 * The victim: what it lives through from fork to exit.
 *
 * Between the marks START and END nothing runs but the operation, so that the
 * harness kills nobody outside of libcubby and what libcubby calls.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"

void
mailbox_options(const struct scenario *scenario, struct cubby_options *ret)
{
	enum kind kind = scenario->kind;

	*ret = (struct cubby_options)CUBBY_OPTIONS_INIT;
	if (kind == PRIORITY)
		ret->order = CUBBY_ORDER_PRIORITY;
	else if (kind != LANES)
		ret->order = CUBBY_ORDER_ARRIVAL;
	if (kind == RENDEZVOUS)
		ret->buffering = CUBBY_RENDEZVOUS;
	if (kind == UNLIMITED)
		ret->buffering = CUBBY_UNLIMITED;
	if (kind != UNLIMITED)
		ret->capacity = (uint64_t)scenario_capacity(scenario);
	if (scenario->operation->effects & GROWS) {
		ret->buffering = CUBBY_UNLIMITED;
		ret->capacity = 0;
		ret->cell_size = 4096;
	}
	if (scenario->operation->effects & TEMPORARY)
		ret->lifetime = CUBBY_TEMPORARY;
	ret->message_max = BUFFER;
}

const char *
mailbox_name(const struct operation *operation)
{
	return operation->effects & INBOX ? INBOX_NAME : MAILBOX;
}

static void
manage(int result, const char *what)
{
	if (result < 0)
		fail("the victim's %s: %s", what, cubby_strerror(result));
}

static void
send_own(struct victim *victim, int count)
{
	for (int i = 0; i < count; i++)
		manage(actor_send(victim->stage, victim->mailbox, victim->actor,
				victim->scenario->operation->size,
				now() + FAR_OFF),
		     "first send");
}

/* The starting state, as far as it lies in the victim's own lane. */
static void
fill_own_lane(struct victim *victim)
{
	switch (victim->scenario->start) {
	case ONE:
		send_own(victim, 1);
		break;
	case FULL:
		send_own(victim, scenario_capacity(victim->scenario));
		break;
	case WRAPPED:
		for (int i = 0; i < 2 * CAPACITY + 3; i++) {
			send_own(victim, 1);
			victim_mark(victim->stage, MARK_TAKE);
		}
		send_own(victim, 1);
		break;
	case EMPTY:
	case ASLEEP_THERE:
	case SEVERAL:
	case STARTS:
		break;
	}
}

/*
 * Opens while it may run on any processor, as who waits may spin then, and goes
 * back to the worker's: a step is quicker there.
 */
static void
open_own(struct victim *victim)
{
	const struct operation *operation = victim->scenario->operation;
	bool makes = operation->effects & TEMPORARY;
	bool returns = operation->effects & RETURNS;
	struct cubby_options options;
	cpu_set_t own, any;

	if (!operation->roles || operation->effects & OPENS)
		return;
	memset(&any, 0xff, sizeof(any));
	if (sched_getaffinity(0, sizeof(own), &own) < 0 ||
	    sched_setaffinity(0, sizeof(any), &any) < 0)
		fail("the victim cannot choose its processor");
	if (makes)
		mailbox_options(victim->scenario, &options);
	else if (returns)
		returning_options(victim->stage, victim->actor, &options);
	manage(cubby_open(mailbox_name(operation),
			  operation->roles | (makes ? CUBBY_CREATE : 0),
			  makes || returns ? &options : NULL,
			  &victim->mailbox),
	     "open");
	sched_setaffinity(0, sizeof(own), &own);
}

/* It has received from its inbox before. */
static void
begin_inbox(struct victim *victim)
{
	int through;

	cast_backlog(victim->scenario, &through);
	do {
		victim_mark(victim->stage, MARK_SEND);
		manage(actor_take(victim->stage, victim->mailbox,
				  victim->actor, CUBBY_NOW),
		       "first receive");
	} while (--through > 0);
	victim_mark(victim->stage, MARK_FURNISH);
}

/* The one process to whom it could send has gone. */
static bool
is_forsaken(const struct victim *victim)
{
	return victim->scenario->operation->effects & BOUND &&
	       victim->stage->gone;
}

/* Into the lane as it is; if there is no room, as it is when drained. */
static void
send_next(struct victim *victim)
{
	size_t size = victim->scenario->operation->size;
	int result = actor_send(victim->stage, victim->mailbox, victim->actor, size,
				CUBBY_NOW);

	if (is_forsaken(victim)) {
		if (result != -EPIPE)
			fail("the victim's next send, to one who has gone: %s",
			     cubby_strerror(result));
		return;
	}
	if (result != -EAGAIN) {
		manage(result, "next send");
		return;
	}
	victim_mark(victim->stage, MARK_TAKE);
	send_own(victim, 1);
}

/* What the dead have left in a queue is looked at for 5 ms at a time, which step by
   step is soon over. It goes by a clock that takes no notice of that, where it does
   not sleep. */
static bool
goes_by_count(const struct scenario *scenario)
{
	switch (scenario->operation->scenery) {
	case GHOST_SENDER:
	case GHOST_SENDER_HELD:
	case GHOST_GONE:
	case GHOST_HOLDER:
	case GHOST_DRAFTS:
	case GHOST_POLLER:
		return scenario->kind != LANES;
	default:
		return false;
	}
}

/* After the operation the handle must be of use. */
static void
go_on(struct victim *victim)
{
	int roles = victim->scenario->operation->roles;

	if (!victim->mailbox)
		return;
	if (roles & CUBBY_SEND)
		send_next(victim);
	if (roles & CUBBY_RECEIVE)
		manage(actor_take(victim->stage, victim->mailbox, victim->actor,
				now() + FAR_OFF),
		     "next receive");
	if (roles & CUBBY_RECEIVE && victim->scenario->operation->effects & INBOX)
		victim_mark(victim->stage, MARK_ROOM);
}

void
victim_live(const struct scenario *scenario, struct stage *stage,
	    enum actor actor)
{
	const struct operation *operation = scenario->operation;
	struct victim victim = { .scenario = scenario, .stage = stage,
				 .actor = actor };

	complain_to(stage);
	tracee_offer();
	victim.buffer = malloc(BUFFER);
	memset(victim.buffer, 0xee, BUFFER);
	victim.envelope = (struct cubby_envelope)CUBBY_ENVELOPE_INIT;
	open_own(&victim);
	if (victim.mailbox && operation->roles & CUBBY_SEND)
		fill_own_lane(&victim);
	if (operation->effects & INBOX && scenario_waits_for_victim(scenario))
		begin_inbox(&victim);
	if (operation->prepare)
		operation->prepare(&victim);
	if (operation->effects & LEAVES)
		stage->gone = true;
	clock_by_count(goes_by_count(scenario));
	victim_mark(stage, MARK_START);
	operation->perform(&victim);
	stage->result = victim.result;
	victim_mark(stage, MARK_END);
	clock_by_count(false);
	operation->conclude(&victim);
	go_on(&victim);
	stage->gone = stage->gone || operation->roles & CUBBY_RECEIVE;
	cubby_close(victim.mailbox);
	free(victim.buffer);
	_exit(0);
}
