/* SPDX-License-Identifier: MIT */
/*
 * A sender with a name dies, or closes, and one comes back to its lane: the
 * victim, an heir, and, whenever a run has nobody else of that name, a returner.
 * Whoever comes asks what was published last, and the account is held to that.
 */
#include <errno.h>
#include <string.h>

#include "harness.h"
#include "must.h"

void
returning_options(struct stage *stage, enum actor actor,
		  struct cubby_options *ret)
{
	stage->account.bears[actor] = true;
	*ret = (struct cubby_options)CUBBY_OPTIONS_INIT;
	ret->sender = RETURNING_NAME;
}

static int
open_again(struct stage *stage, enum actor actor,
	   const struct scenario *scenario, cubby_mailbox **ret)
{
	struct cubby_options options;

	returning_options(stage, actor, &options);
	return cubby_open(mailbox_name(scenario->operation), CUBBY_SEND,
			  &options, ret);
}

static void
ask(struct stage *stage, cubby_mailbox *mailbox, bool several)
{
	uint64_t sequence, tag;
	const char *wrong;
	int result = cubby_published(mailbox, &sequence, &tag);

	if (result < 0)
		fail("cubby_published: %s", cubby_strerror(result));
	if (!sequence != !tag)
		fail("published: sequence %llu, tag %llx",
		     (unsigned long long)sequence, (unsigned long long)tag);
	wrong = account_published(&stage->account, tag, several);
	if (wrong)
		fail("who came back was told of another one: %s", wrong);
}

/* Into the lane as it is; if there is no room, as it is when drained. */
static void
send_own(struct run *run, cubby_mailbox *mailbox)
{
	int result = actor_send(run->stage, mailbox, RETURNER, SHORT,
				CUBBY_NOW);

	if (result == -EAGAIN) {
		cast_drain(run);
		result = actor_send(run->stage, mailbox, RETURNER, SHORT,
				    now() + FAR_OFF);
	}
	must(result, "the returner's send");
}

void
returner_comes(struct run *run)
{
	unsigned effects = run->scenario->operation->effects;
	int64_t since = now();
	cubby_mailbox *mailbox;
	int result;

	if (!(effects & RETURNS))
		return;
	progress("one comes back by its name");
	result = open_again(run->stage, RETURNER, run->scenario, &mailbox);
	waited("return", since);
	if (result == -EBUSY && run->victim.pid)
		return;
	must(result, "the returner's open");
	ask(run->stage, mailbox, effects & UNLINKS);
	send_own(run, mailbox);
	cubby_close(mailbox);
}

/* What victims and heirs do ---------------------------------------------- */

void
perform_return(struct victim *victim)
{
	victim->result = open_again(victim->stage, victim->actor,
				    victim->scenario, &victim->mailbox);
}

void
conclude_return(struct victim *victim)
{
	if (victim->stage->replaced && victim->result == -ENOENT)
		return;
	if (victim->result < 0)
		fail("coming back: %s", cubby_strerror(victim->result));
	ask(victim->stage, victim->mailbox, victim->stage->replaced);
}
