/* SPDX-License-Identifier: MIT */
/*
 * The heirs: what those do who meet what a dead victim left. Like a victim's,
 * an operation of theirs is what lies between two marks; none of them waits for
 * a message or for room.
 */
#include <errno.h>
#include <string.h>

#include "acts.h"
#include "double.h"

/* Where it may come. */
enum place {
	ORDINARY = 1 << 0,
	BEGINNING_OR_END = 1 << 1,	/* of the mailbox */
	IN_INBOX = 1 << 2,
	WITH_REGIONS = 1 << 3,	/* regions are in the messages */
	NAMED_REGIONS = 1 << 4,
	ROOMY = 1 << 5,		/* not in a rendezvous */
	NAMED_LANE = 1 << 6,	/* where the dead one had a name */
};

struct heir {
	struct operation operation;
	unsigned places;
};

static void
perform_enter_receive(struct victim *victim)
{
	perform_open(victim);
	if (victim->result == 0)
		perform_receive_now(victim);
}

static void
perform_enter_send(struct victim *victim)
{
	perform_open(victim);
	if (victim->result == 0)
		perform_send_now(victim);
}

static void
perform_return_send(struct victim *victim)
{
	perform_return(victim);
	if (victim->result == 0)
		perform_send_now(victim);
}

static void
perform_hold_now(struct victim *victim)
{
	victim->result = cubby_hold(victim->mailbox, NULL, CUBBY_NOW,
				    &victim->message);
}

static void
perform_hold_release(struct victim *victim)
{
	perform_hold_now(victim);
	if (victim->result == 0)
		perform_release(victim);
}

static void
perform_hold_reject(struct victim *victim)
{
	perform_hold_now(victim);
	if (victim->result == 0)
		perform_reject(victim);
}

static void
perform_receive_batch_now(struct victim *victim)
{
	victim->result = cubby_receive_batch(victim->mailbox, NULL, 0,
					     CUBBY_NOW, victim->entries, BATCH,
					     victim->buffer, BUFFER);
}

static void
perform_receive_region_now(struct victim *victim)
{
	victim->result = cubby_receive_region(victim->mailbox, NULL, CUBBY_NOW,
					      &victim->region,
					      &victim->envelope);
}

static void
perform_reserve_now(struct victim *victim)
{
	victim->result = cubby_reserve(victim->mailbox, SHORT, CUBBY_NOW,
				       &victim->draft);
}

static void
perform_sweep_all(struct victim *victim)
{
	victim->result = cubby_sweep(NULL, NULL);
}

#define ALONE 0	/* opens nothing */
#define EVERYWHERE (ORDINARY | WITH_REGIONS)

/* clang-format off */
#define HEIR(name, effects, roles, size, prepare, perform, places)	\
	{ { name, (effects) | ENDS_BY_ITSELF, roles, AT_EMPTY, size,	\
	    NOTHING, 0, prepare, perform, conclude_plain }, places }

static const struct heir heirs[] = {
	HEIR("open-receiver", OPENS, CUBBY_RECEIVE, SHORT, NULL, perform_open,
	     EVERYWHERE | IN_INBOX | BEGINNING_OR_END),
	HEIR("open-sender", OPENS, CUBBY_SEND, SHORT, NULL, perform_open,
	     EVERYWHERE | IN_INBOX | BEGINNING_OR_END),
	HEIR("enter-receive", OPENS | TAKES, CUBBY_RECEIVE, SHORT, NULL,
	     perform_enter_receive, ORDINARY | IN_INBOX),
	HEIR("enter-send", OPENS | SENDS, CUBBY_SEND, SHORT, prepare_send,
	     perform_enter_send, EVERYWHERE | IN_INBOX),
	HEIR("receive", TAKES, CUBBY_RECEIVE, SHORT, NULL,
	     perform_receive_now, ORDINARY),
	HEIR("return", OPENS, CUBBY_SEND, SHORT, NULL, perform_return,
	     NAMED_LANE),
	HEIR("return-send", OPENS | SENDS, CUBBY_SEND, SHORT, prepare_send,
	     perform_return_send, NAMED_LANE),
	HEIR("receive-batch", TAKES | MANY, CUBBY_RECEIVE, SHORT,
	     prepare_receive_batch, perform_receive_batch_now, ORDINARY),
	HEIR("hold", HOLDS, CUBBY_RECEIVE, SHORT, NULL, perform_hold_now,
	     ORDINARY),
	HEIR("hold-release", HOLDS | ENDS, CUBBY_RECEIVE, SHORT, NULL,
	     perform_hold_release, ORDINARY),
	HEIR("hold-reject", HOLDS | GIVES_BACK, CUBBY_RECEIVE, SHORT, NULL,
	     perform_hold_reject, ORDINARY),
	HEIR("receive-region", HOLDS, CUBBY_RECEIVE, SHORT, NULL,
	     perform_receive_region_now, WITH_REGIONS),
	HEIR("send", SENDS, CUBBY_SEND, SHORT, prepare_send, perform_send_now,
	     EVERYWHERE),
	HEIR("send-large", SENDS, CUBBY_SEND, LONG, prepare_send,
	     perform_send_now, ORDINARY),
	HEIR("reserve", 0, CUBBY_SEND, SHORT, NULL, perform_reserve_now,
	     ORDINARY | ROOMY),
	HEIR("sweep", BORROWS, ALONE, SHORT, NULL, perform_sweep,
	     EVERYWHERE | IN_INBOX),
	HEIR("sweep-all", BORROWS, ALONE, SHORT, NULL, perform_sweep_all,
	     EVERYWHERE | IN_INBOX | BEGINNING_OR_END | NAMED_REGIONS),
	HEIR("close-receiver", 0, CUBBY_RECEIVE, SHORT, NULL, perform_close,
	     EVERYWHERE),
	HEIR("close-sender", 0, CUBBY_SEND, SHORT, NULL, perform_close,
	     EVERYWHERE),
	HEIR("unlink", UNLINKS, ALONE, SHORT, NULL, perform_unlink,
	     EVERYWHERE | BEGINNING_OR_END | ROOMY),
	HEIR("create", OPENS, CUBBY_SEND | CUBBY_RECEIVE, SHORT, NULL,
	     perform_create, BEGINNING_OR_END),
	HEIR("region-open", OPENS, ALONE, SHORT, NULL, perform_region_open,
	     NAMED_REGIONS),
	HEIR("region-grow", OPENS, ALONE, SHORT, prepare_region,
	     perform_region_grow, NAMED_REGIONS),
	HEIR("region-close", OPENS, ALONE, SHORT, prepare_region,
	     perform_region_close, NAMED_REGIONS),
	HEIR("region-unlink", OPENS, ALONE, SHORT, NULL, perform_region_unlink,
	     NAMED_REGIONS),
};
/* clang-format on */

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

static unsigned
place_of(const struct scenario *scenario)
{
	unsigned effects = scenario->operation->effects;

	if (effects & (CREATES | UNLINKS))
		return BEGINNING_OR_END;
	if (effects & INBOX)
		return IN_INBOX;
	if (effects & NAMED_REGION)
		return NAMED_REGIONS;
	if (effects & RETURNS)
		return ORDINARY | NAMED_LANE;
	return scenario->operation->size == REGIONAL ? WITH_REGIONS : ORDINARY;
}

bool
heir_fits(const struct scenario *scenario, uint32_t heir)
{
	unsigned places = heirs[heir].places;

	if (places & ROOMY && scenario->kind == RENDEZVOUS)
		return false;
	return places & place_of(scenario);
}

const struct scenario *
heir_scenario(const struct scenario *scenario, uint32_t heir)
{
	unsigned inherited = INBOX | NAMED | NAMED_REGION | GROWS | CREATES |
			     UNLINKS | TEMPORARY;
	static struct operation operation;
	static struct scenario own;

	operation = heirs[heir].operation;
	operation.effects |= scenario->operation->effects & inherited;
	own = (struct scenario){ &operation, EMPTY, scenario->kind };
	return &own;
}

bool
heir_may_return(const struct scenario *scenario, uint32_t heir, int result)
{
	unsigned effects = scenario->operation->effects;

	if (result >= 0 || result == -EAGAIN)
		return true;
	if (effects & (CREATES | UNLINKS))
		return result == -ENOENT;
	if (effects & INBOX)
		return result == -EBUSY || result == -EPIPE;
	return effects & NAMED_REGION && result == -ENOENT &&
	       heirs[heir].operation.perform == perform_region_unlink;
}
