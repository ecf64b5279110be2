/* SPDX-License-Identifier: MIT */
/* Who meets what a dead victim left: see double.h. None of them waits. */
#include <errno.h>

#include "../double.h"
#include "play.h"

static void
enter(struct victim *victim)
{
	int role = act_of(victim->scenario)->part == CALLS ? CUBBY_SEND :
							     CUBBY_RECEIVE;

	victim->result = cubby_open(MAILBOX, role, NULL, &victim->mailbox);
}

static void
take(struct victim *victim)
{
	victim->result = cubby_receive_full(victim->mailbox, NULL, 0, CUBBY_NOW,
					    victim->buffer, BUFFER,
					    &victim->size, &victim->envelope);
}

static void
hold(struct victim *victim)
{
	victim->result = cubby_hold(victim->mailbox, NULL, CUBBY_NOW,
				    &victim->message);
}

static void
hold_reject(struct victim *victim)
{
	hold(victim);
	if (victim->result == 0)
		victim->result = cubby_reject(victim->message);
}

static void
take_reply(struct victim *victim)
{
	take(victim);
	if (victim->result == 0)
		act_reply(victim);
}

static void
enter_take(struct victim *victim)
{
	enter(victim);
	if (victim->result == 0)
		take(victim);
}

static void
enter_begin(struct victim *victim)
{
	enter(victim);
	if (victim->result == 0)
		act_begin(victim);
}

static void
sweep(struct victim *victim)
{
	victim->result = cubby_sweep(MAILBOX, NULL);
}

static void
sweep_all(struct victim *victim)
{
	victim->result = cubby_sweep(NULL, NULL);
}

#define HEIR(title, whose, how, ...)					\
	{ .operation.name = title, .part = whose, .perform = how, __VA_ARGS__ }

static const struct act heirs[] = {
	HEIR("enter-server", SERVES, enter, .enters = true),
	HEIR("enter-take", SERVES, enter_take, .enters = true),
	HEIR("take", SERVES, take),
	HEIR("take-reply", SERVES, take_reply),
	HEIR("hold", SERVES, hold),
	HEIR("hold-reject", SERVES, hold_reject),
	HEIR("close-server", SERVES, act_close_mailbox),
	HEIR("enter-caller", CALLS, enter, .enters = true),
	HEIR("enter-begin", CALLS, enter_begin, .enters = true),
	HEIR("begin", CALLS, act_begin),
	HEIR("cancel", CALLS, act_cancel, .prepare = act_begin),
	HEIR("close-caller", CALLS, act_close_mailbox, .prepare = act_begin),
	HEIR("sweep", NEITHER, sweep, .enters = true),
	HEIR("sweep-all", NEITHER, sweep_all, .enters = true),
};

uint32_t
heirs_count(void)
{
	return sizeof(heirs) / sizeof(heirs[0]);
}

const char *
heir_name(uint32_t heir)
{
	return heirs[heir].operation.name;
}

bool
heir_fits(const struct scenario *scenario, uint32_t heir)
{
	(void)scenario, (void)heir;
	return true;
}

const struct scenario *
heir_scenario(const struct scenario *scenario, uint32_t heir)
{
	static struct act act;
	static struct scenario own;

	act = heirs[heir];
	act.kind = scenario->kind;
	act.size = act_of(scenario)->size;
	own = (struct scenario){ .operation = &act.operation,
				 .kind = scenario->kind };
	return &own;
}

/* There is nothing to take; or nobody waits for the reply any more. */
bool
heir_may_return(const struct scenario *scenario, uint32_t heir, int result)
{
	(void)scenario;
	return result >= 0 ||
	       (heirs[heir].part == SERVES &&
		(result == -EAGAIN || result == -EPIPE));
}
