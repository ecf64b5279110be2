/* SPDX-License-Identifier: MIT */
/* Ghosts: what they do before they die, and then nothing any more. */
#include "harness.h"
#include "must.h"

static cubby_mailbox *
attend(struct run *run, int roles)
{
	unsigned effects = run->scenario->operation->effects;
	bool named = effects & RETURNS && roles & CUBBY_SEND;
	struct cubby_options options;
	cubby_mailbox *mailbox;

	if (effects & TEMPORARY) {
		mailbox_options(run->scenario, &options);
		roles |= CUBBY_CREATE;
	} else if (named) {
		returning_options(run->stage, GHOST, &options);
	}
	must(cubby_open(mailbox_name(run->scenario->operation), roles,
			named || effects & TEMPORARY ? &options : NULL,
			&mailbox),
	     "a ghost's open");
	return mailbox;
}

/* It fills all the rings, and drains them if it starts so. */
static void
ghost_grows(struct run *run, cubby_mailbox *mailbox, cubby_mailbox *receiver)
{
	enum start start = run->scenario->start;
	int count = cast_large_backlog(start);

	for (int i = 0; i < count; i++)
		must(actor_send(run->stage, mailbox, GHOST,
				run->scenario->operation->size, CUBBY_NOW),
		     "send");
	for (int i = 0; start == WRAPPED && i < count; i++)
		must(actor_take(run->stage, receiver, GHOST, CUBBY_NOW),
		     "receive");
}

static void
ghost_sends(struct run *run)
{
	size_t size = run->scenario->operation->size;
	int through;
	int waiting = cast_backlog(run->scenario, &through);
	cubby_mailbox *mailbox, *receiver;

	mailbox = attend(run, CUBBY_SEND);
	receiver = attend(run, CUBBY_RECEIVE);
	if (run->scenario->operation->effects & GROWS) {
		ghost_grows(run, mailbox, receiver);
		return;
	}
	while (through-- > 0) {
		must(actor_send(run->stage, mailbox, GHOST, size, CUBBY_NOW),
		     "send");
		must(actor_take(run->stage, receiver, GHOST, CUBBY_NOW),
		     "receive");
	}
	while (waiting-- > 0)
		must(actor_send(run->stage, mailbox, GHOST, size, CUBBY_NOW),
		     "send");
	if (run->scenario->operation->scenery != GHOST_GONE)
		return;
	cubby_close(mailbox);
	cubby_close(receiver);
}

static void
ghost_holds(struct run *run)
{
	cubby_mailbox *mailbox;
	cubby_message *message;

	mailbox = attend(run, CUBBY_RECEIVE);
	must(actor_hold(run->stage, mailbox, GHOST, CUBBY_NOW, &message),
	     "hold");
}

static void
ghost_keeps_places(struct run *run)
{
	cubby_mailbox *mailbox;
	cubby_draft *draft;

	mailbox = attend(run, CUBBY_SEND);
	for (int i = 0; i < 2; i++)
		must(cubby_reserve(mailbox, run->scenario->operation->size,
				   CUBBY_NOW, &draft),
		     "reserve");
}

/* What its name will be put to: see cast_oblige(). */
static void
ghost_attends(struct run *run)
{
	attend(run, CUBBY_SEND | CUBBY_RECEIVE);
}

/* Its descriptor is armed. */
static void
ghost_polls(struct run *run)
{
	must(cubby_fd(attend(run, CUBBY_RECEIVE), CUBBY_RECEIVE), "cubby_fd");
}

static void
(*part_of_ghost(enum scenery scenery))(struct run *run)
{
	switch (scenery) {
	case GHOST_HOLDER:
		return ghost_holds;
	case GHOST_DRAFTS:
		return ghost_keeps_places;
	case GHOST_OWNER:
		return ghost_attends;
	case GHOST_POLLER:
		return ghost_polls;
	default:
		return ghost_sends;
	}
}

void
ghost_enter(struct run *run)
{
	enum scenery scenery = run->scenario->operation->scenery;
	bool named = run->scenario->operation->effects & RETURNS;
	bool sends = scenery != GHOST_HOLDER && scenery != GHOST_POLLER &&
		     !named;
	pid_t pid;

	if (sends)
		cast_count(run, 1);
	pid = helper_fork(run, part_of_ghost(scenery));
	helper_bury(run, pid, "a ghost");
	account_died(&run->stage->account, GHOST);
	if (scenery == GHOST_OWNER)
		run->ghost = queue_view_owner(run, pid);
	if (sends)
		cast_count(run, -1);
	if (scenery == GHOST_SENDER_HELD)
		must(actor_hold(run->stage, run->receivers[BYSTANDER],
				BYSTANDER, CUBBY_NOW, &run->held),
		     "hold");
}
