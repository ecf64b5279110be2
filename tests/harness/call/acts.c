/* SPDX-License-Identifier: MIT */
/* What the victim performs, between its marks. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "play.h"

/* More than the harness's struct victim has. */
static struct {
	const struct act *act;
	cubby_request *request;
	unsigned char request_bytes[BUFFER], reply_bytes[BUFFER];
} own;

void
fill(unsigned char *bytes, size_t size, unsigned number)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = (unsigned char)(number * 31 + i * 7 + i / 256);
}

bool
is_filled(const unsigned char *bytes, size_t size, unsigned number)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i] != (unsigned char)(number * 31 + i * 7 + i / 256))
			return false;
	return true;
}

static void
must(int result, const char *what)
{
	if (result < 0)
		fail("the victim's %s: %s", what, cubby_strerror(result));
}

static void
expect(const struct victim *victim, int other)
{
	if (victim->result != 0 && victim->result != other)
		fail("the victim was told: %s",
		     cubby_strerror(victim->result));
}

static void
conclude_plain(struct victim *victim)
{
	expect(victim, 0);
}

/* Nobody may wait for it any more. */
static void
conclude_reply(struct victim *victim)
{
	expect(victim, GIVEN_UP(victim->stage) ? -EPIPE : 0);
}

/* Serving ---------------------------------------------------------------- */

static void
take(struct victim *victim)
{
	victim->result = cubby_receive_full(victim->mailbox, NULL, 0,
					    CUBBY_FOREVER, victim->buffer,
					    BUFFER, &victim->size,
					    &victim->envelope);
}

static void
hold(struct victim *victim)
{
	victim->result = cubby_hold(victim->mailbox, NULL, CUBBY_FOREVER,
				    &victim->message);
}

/* By one who cannot reply. */
static void
take_untold(struct victim *victim)
{
	victim->result = cubby_receive(victim->mailbox, victim->buffer, BUFFER,
				       &victim->size);
}

void
act_reply(struct victim *victim)
{
	victim->result = cubby_reply(victim->mailbox, &victim->envelope,
				     own.reply_bytes, own.act->size);
}

static void
refuse(struct victim *victim)
{
	victim->result = cubby_release(victim->message);
	victim->message = NULL;
}

static void
reject(struct victim *victim)
{
	victim->result = cubby_reject(victim->message);
	victim->message = NULL;
}

void
act_close_mailbox(struct victim *victim)
{
	cubby_close(victim->mailbox);
	victim->mailbox = NULL;
}

static void
prepare_taken(struct victim *victim)
{
	take(victim);
	must(victim->result, "taking");
}

static void
prepare_held(struct victim *victim)
{
	hold(victim);
	must(victim->result, "holding");
	must(cubby_message_envelope(victim->message, &victim->envelope),
	     "envelope");
}

/* An heir that is there already may have asked first, and lives as yet. */
static bool
is_request(const struct victim *victim)
{
	return victim->size == own.act->size &&
	       (is_filled(victim->buffer, victim->size, REQUEST) ||
		is_filled(victim->buffer, victim->size, REQUEST_OF_HEIR));
}

/* What it has taken it answers. */
static void
conclude_take(struct victim *victim)
{
	expect(victim, 0);
	if (!is_request(victim))
		fail("the victim got another request");
	act_reply(victim);
	expect(victim, -EPIPE);
}

static void
conclude_hold(struct victim *victim)
{
	expect(victim, 0);
	must(cubby_message_envelope(victim->message, &victim->envelope),
	     "envelope");
	act_reply(victim);
	expect(victim, -EPIPE);
	refuse(victim);
}

/* Calling ---------------------------------------------------------------- */

static void
call(struct victim *victim)
{
	victim->result = cubby_call(victim->mailbox, own.request_bytes,
				    own.act->size, victim->buffer, BUFFER,
				    &victim->size, CUBBY_FOREVER);
}

void
act_begin(struct victim *victim)
{
	victim->result = cubby_call_begin(victim->mailbox, own.request_bytes,
					  own.act->size, NULL, CUBBY_FOREVER,
					  &own.request);
}

static void
end(struct victim *victim)
{
	victim->result = cubby_call_end(own.request, victim->buffer, BUFFER,
					&victim->size, CUBBY_FOREVER);
}

void
act_cancel(struct victim *victim)
{
	cubby_call_cancel(own.request);
	victim->result = 0;
}

/* A deadline that has passed: the way of one who waits, to its end. */
static void
end_late(struct victim *victim)
{
	victim->result = cubby_call_end(own.request, victim->buffer, BUFFER,
					&victim->size, -1);
}

static void
check_reply(struct victim *victim)
{
	expect(victim, 0);
	if (victim->size != own.act->size ||
	    !is_filled(victim->buffer, victim->size, REPLY))
		fail("the victim got another reply");
}

/* It has to be of use. */
static void
conclude_begin(struct victim *victim)
{
	expect(victim, 0);
	victim_mark(victim->stage, MARK_TAKE);
	end(victim);
	check_reply(victim);
}

static void
conclude_late(struct victim *victim)
{
	expect(victim, -ETIMEDOUT);
	if (victim->result < 0)
		act_cancel(victim);
	else
		check_reply(victim);
}

static void
prepare_begun(struct victim *victim)
{
	act_begin(victim);
	must(victim->result, "request");
}

/* Answered. */
static void
prepare_answered(struct victim *victim)
{
	prepare_begun(victim);
	victim_mark(victim->stage, MARK_TAKE);
}

/* Somebody has it, and does not answer yet. */
static void
prepare_in_hand(struct victim *victim)
{
	prepare_begun(victim);
	victim_mark(victim->stage, MARK_BREAK);
}

static void
prepare_again(struct victim *victim)
{
	prepare_answered(victim);
	end(victim);
	check_reply(victim);
}

/* The acts --------------------------------------------------------------- */

#define SERVING(its_name, its_size, its_perform, its_conclude)		\
	.operation.name = its_name, .part = SERVES, .size = its_size,	\
	.perform = its_perform, .conclude = its_conclude
#define HAVING(its_name, its_size, its_prepare, its_perform)		\
	.operation.name = its_name, .part = SERVES, .size = its_size,	\
	.has = true, .prepare = its_prepare, .perform = its_perform,	\
	.conclude = conclude_reply
#define CALLING(its_name, its_size, its_prepare, its_perform, its_conclude) \
	.operation.name = its_name, .part = CALLS, .size = its_size,	\
	.prepare = its_prepare, .perform = its_perform,			\
	.conclude = its_conclude

static const struct act acts[] = {
	{ SERVING("take/new", SHORT, take, conclude_take) },
	{ SERVING("take/asleep", SHORT, take, conclude_take), .awaits = true },
	{ SERVING("take/settled", SHORT, take, conclude_take),
	  .settles = true },
	{ SERVING("take/settled-large", LONG, take, conclude_take),
	  .settles = true },
	{ SERVING("take/beside", SHORT, take, conclude_take), .beside = true },
	{ SERVING("take/beside-large", LONG, take, conclude_take),
	  .beside = true },
	{ SERVING("take-hold/new", SHORT, hold, conclude_hold) },
	{ SERVING("take-hold/beside-large", LONG, hold, conclude_hold),
	  .beside = true },
	{ SERVING("take-untold/settled", SHORT, take_untold, conclude_plain),
	  .settles = true, .told = -EPIPE },
	{ HAVING("reply/short", SHORT, prepare_taken, act_reply) },
	{ HAVING("reply/page", LONG, prepare_taken, act_reply) },
	{ HAVING("reply/large", BUFFER, prepare_taken, act_reply) },
	{ HAVING("reply/held", SHORT, prepare_held, act_reply) },
	{ HAVING("release/unanswered", SHORT, prepare_held, refuse),
	  .told = -EPIPE },
	{ HAVING("reject/held", SHORT, prepare_held, reject),
	  .returns = true },
	{ HAVING("close-server/unanswered", SHORT, prepare_taken,
		 act_close_mailbox), .told = -EPIPE },
	{ HAVING("close-server/held", SHORT, prepare_held, act_close_mailbox),
	  .returns = true },

	{ CALLING("call/first", SHORT, NULL, call, check_reply) },
	{ CALLING("call/again", SHORT, prepare_again, call, check_reply) },
	{ CALLING("call/large", BUFFER, prepare_again, call, check_reply) },
	{ CALLING("begin/first", SHORT, NULL, act_begin, conclude_begin) },
	{ CALLING("begin/again", LONG, prepare_again, act_begin,
		  conclude_begin) },
	{ CALLING("end/answered", SHORT, prepare_answered, end,
		  check_reply) },
	{ CALLING("end/answered-large", BUFFER, prepare_answered, end,
		  check_reply) },
	{ CALLING("end/waiting", SHORT, prepare_begun, end, check_reply) },
	{ CALLING("end/late", SHORT, prepare_begun, end_late,
		  conclude_late) },
	{ CALLING("cancel/untaken", SHORT, prepare_begun, act_cancel,
		  conclude_plain) },
	{ CALLING("cancel/in-hand", SHORT, prepare_in_hand, act_cancel,
		  conclude_plain) },
	{ CALLING("cancel/answered-large", BUFFER, prepare_answered, act_cancel,
		  conclude_plain) },
	{ CALLING("close-caller/untaken", SHORT, prepare_begun, act_close_mailbox,
		  conclude_plain) },
	{ CALLING("close-caller/in-hand", SHORT, prepare_in_hand,
		  act_close_mailbox, conclude_plain) },

	{ SERVING("arrival-take/one", SHORT, take, conclude_take),
	  .kind = ARRIVAL },
	{ SERVING("arrival-take-hold/one", SHORT, hold, conclude_hold),
	  .kind = ARRIVAL },
	{ SERVING("arrival-take/asleep", SHORT, take, conclude_take),
	  .kind = ARRIVAL, .awaits = true },
	{ HAVING("arrival-reply/short", SHORT, prepare_taken, act_reply),
	  .kind = ARRIVAL },
	{ HAVING("arrival-reject/held", SHORT, prepare_held, reject),
	  .kind = ARRIVAL, .returns = true },
	{ HAVING("arrival-release/unanswered", SHORT, prepare_held, refuse),
	  .kind = ARRIVAL, .told = -EPIPE },
	{ CALLING("arrival-call/first", SHORT, NULL, call, check_reply),
	  .kind = ARRIVAL },
	{ CALLING("arrival-cancel/untaken", SHORT, prepare_begun, act_cancel,
		  conclude_plain), .kind = ARRIVAL },
};

enum { ACTS = sizeof(acts) / sizeof(acts[0]) };

const struct act *
act_of(const struct scenario *scenario)
{
	return (const struct act *)scenario->operation;
}

const char *
scenario_name(const struct scenario *scenario)
{
	return scenario->operation->name;
}

const struct scenario *
scenarios(uint32_t *ret_count)
{
	static struct scenario list[ACTS];

	for (int i = 0; i < ACTS; i++) {
		list[i].operation = &acts[i].operation;
		list[i].kind = acts[i].kind;
	}
	*ret_count = ACTS;
	return list;
}

/* The victim's life ------------------------------------------------------ */

static void
settle_down(struct victim *victim)
{
	victim_mark(victim->stage, MARK_FURNISH);
	for (int i = 0; i < STREAK; i++)
		must(cubby_receive_full(victim->mailbox, NULL, 0, CUBBY_NOW,
					victim->buffer, BUFFER, NULL, NULL),
		     "streak");
}

static void
open_own(struct victim *victim)
{
	if (own.act->part != NEITHER && !own.act->enters)
		must(cubby_open(MAILBOX, own.act->part == CALLS ?
						 CUBBY_SEND : CUBBY_RECEIVE,
				NULL, &victim->mailbox),
		     "opening");
}

void
act_live(const struct act *act, struct stage *stage, bool heir)
{
	const struct scenario scenario = { .operation = &act->operation };
	struct victim victim = { .stage = stage, .scenario = &scenario };

	complain_to(stage);
	tracee_offer();
	own.act = act;
	victim.envelope = (struct cubby_envelope)CUBBY_ENVELOPE_INIT;
	victim.buffer = calloc(1, BUFFER);
	fill(own.request_bytes, act->size, heir ? REQUEST_OF_HEIR : REQUEST);
	fill(own.reply_bytes, act->size, REPLY);
	open_own(&victim);
	if (act->settles)
		settle_down(&victim);
	if (act->part == SERVES && !act->awaits && !heir)
		victim_mark(stage, MARK_SEND);
	if (act->prepare)
		act->prepare(&victim);
	victim_mark(stage, MARK_START);
	act->perform(&victim);
	stage->result = victim.result;
	victim_mark(stage, MARK_END);
	if (act->conclude)
		act->conclude(&victim);
	cubby_close(victim.mailbox);
	free(victim.buffer);
	_exit(0);
}
