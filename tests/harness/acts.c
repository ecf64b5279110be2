/* SPDX-License-Identifier: MIT */
/*
 * What victims do. acts.h lists it, scenarios.c puts it together.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "acts.h"

/* Whom it sends to may have gone. */
static bool
may_be_told(const struct victim *victim)
{
	unsigned effects = victim->scenario->operation->effects;

	if (!(effects & INBOX) || !victim->stage->gone ||
	    victim->scenario->operation->roles != CUBBY_SEND)
		return false;
	if (effects & BOUND)
		return victim->result == -ESRCH;
	return victim->result == -EPIPE ||
	       (effects & AWAITS && victim->result == -EINPROGRESS);
}

void
expect(const struct victim *victim, int other)
{
	const struct operation *operation = victim->scenario->operation;

	/* By a name that has been taken away. */
	if (victim->stage->replaced && victim->result == -ENOENT &&
	    (operation->effects & OPENS || !operation->roles))
		return;
	if (victim->result != 0 && victim->result != other &&
	    !may_be_told(victim))
		fail("the operation returned %s",
		     cubby_strerror(victim->result));
}

void
conclude_plain(struct victim *victim)
{
	expect(victim, 0);
}

/* Opening ---------------------------------------------------------------- */

void
perform_open(struct victim *victim)
{
	victim->result = cubby_open(mailbox_name(victim->scenario->operation),
				    victim->scenario->operation->roles, NULL,
				    &victim->mailbox);
}

/* The bystander, who is its parent, may have got the inbox before it. */
void
conclude_open_inbox(struct victim *victim)
{
	expect(victim, -EBUSY);
}

void
perform_open_process(struct victim *victim)
{
	victim->result = cubby_open_process(victim->stage->owner, CUBBY_SEND,
					    NULL, &victim->mailbox);
}

void
perform_create(struct victim *victim)
{
	struct cubby_options options;

	mailbox_options(victim->scenario, &options);
	victim->result = cubby_open(MAILBOX,
				    CUBBY_CREATE | CUBBY_SEND | CUBBY_RECEIVE,
				    &options, &victim->mailbox);
}

void
perform_create_exclusive(struct victim *victim)
{
	struct cubby_options options;

	mailbox_options(victim->scenario, &options);
	victim->result = cubby_open(MAILBOX,
				    CUBBY_CREATE | CUBBY_EXCLUSIVE |
					    CUBBY_SEND | CUBBY_RECEIVE,
				    &options, &victim->mailbox);
}

/* Somebody may have made it while the victim stood still. */
void
conclude_create_exclusive(struct victim *victim)
{
	expect(victim, -EEXIST);
}

void
perform_close(struct victim *victim)
{
	cubby_close(victim->mailbox);
	victim->mailbox = NULL;
}

void
perform_unlink(struct victim *victim)
{
	victim->result = cubby_unlink(MAILBOX);
}

void
perform_sweep(struct victim *victim)
{
	struct cubby_swept swept = CUBBY_SWEPT_INIT;

	victim->result = cubby_sweep(mailbox_name(victim->scenario->operation),
				     &swept);
}

void
perform_inspect(struct victim *victim)
{
	struct cubby_info info = CUBBY_INFO_INIT;

	victim->result = cubby_inspect(MAILBOX, &info);
}

/* Sending ---------------------------------------------------------------- */

void
prepare_send(struct victim *victim)
{
	letter_write(&victim->stage->account, victim->actor,
		     victim->scenario->operation->size, &victim->letter);
	letter_address(&victim->stage->account, &victim->letter,
		       &victim->envelope);
}

void
perform_send(struct victim *victim)
{
	victim->result = cubby_send_full(victim->mailbox, victim->letter.bytes,
					 victim->letter.size, &victim->envelope,
					 0, CUBBY_FOREVER);
}

void
perform_send_now(struct victim *victim)
{
	victim->result = cubby_send_full(victim->mailbox, victim->letter.bytes,
					 victim->letter.size, &victim->envelope,
					 0, CUBBY_NOW);
}

void
perform_send_synchronous(struct victim *victim)
{
	victim->result = cubby_send_full(victim->mailbox, victim->letter.bytes,
					 victim->letter.size, &victim->envelope,
					 CUBBY_SYNCHRONOUS, CUBBY_FOREVER);
}

void
conclude_send(struct victim *victim)
{
	account_sent(&victim->stage->account, &victim->letter, victim->result);
	expect(victim, 0);
}

void
conclude_send_now(struct victim *victim)
{
	account_sent(&victim->stage->account, &victim->letter, victim->result);
	expect(victim, -EAGAIN);
}

void
prepare_wait_received(struct victim *victim)
{
	prepare_send(victim);
	perform_send(victim);
	conclude_send(victim);
}

void
perform_wait_received(struct victim *victim)
{
	victim->result = cubby_wait_received(
		victim->mailbox, victim->envelope.sequence, CUBBY_FOREVER);
}

void
perform_reserve(struct victim *victim)
{
	victim->result = cubby_reserve(victim->mailbox,
				       victim->scenario->operation->size,
				       CUBBY_FOREVER, &victim->draft);
}

static void
fill_draft(struct victim *victim)
{
	prepare_send(victim);
	memcpy(cubby_draft_data(victim->draft), victim->letter.bytes,
	       victim->letter.size);
}

void
perform_commit(struct victim *victim)
{
	victim->result = cubby_commit(victim->draft, victim->letter.size,
				      &victim->envelope);
}

/* A reservation must be of use. */
void
conclude_reserve(struct victim *victim)
{
	expect(victim, 0);
	fill_draft(victim);
	perform_commit(victim);
	conclude_send(victim);
}

void
prepare_draft(struct victim *victim)
{
	perform_reserve(victim);
	expect(victim, 0);
}

void
prepare_commit(struct victim *victim)
{
	prepare_draft(victim);
	fill_draft(victim);
}

void
perform_abort(struct victim *victim)
{
	cubby_abort(victim->draft);
}

/* Both at once, the bytes filled in by libcubby's caller in between. */
void
perform_reserve_commit(struct victim *victim)
{
	perform_reserve(victim);
	if (victim->result < 0)
		return;
	memcpy(cubby_draft_data(victim->draft), victim->letter.bytes,
	       victim->letter.size);
	perform_commit(victim);
}

/* Receiving -------------------------------------------------------------- */

void
receive(struct victim *victim, const struct cubby_filter *filter, int flags,
	int64_t deadline)
{
	victim->asked = account_tick(&victim->stage->account);
	victim->result = cubby_receive_full(victim->mailbox, filter, flags,
					    deadline, victim->buffer, BUFFER,
					    &victim->size, &victim->envelope);
}

void
perform_receive(struct victim *victim)
{
	receive(victim, NULL, 0, CUBBY_FOREVER);
}

void
perform_receive_now(struct victim *victim)
{
	receive(victim, NULL, 0, CUBBY_NOW);
}

/* The bystander's, by its name. */
static void
receive_named(struct victim *victim, int64_t deadline)
{
	struct cubby_filter filter = CUBBY_FILTER_INIT;

	filter.sender_name = BYSTANDER_NAME;
	receive(victim, &filter, 0, deadline);
}

void
perform_receive_named(struct victim *victim)
{
	receive_named(victim, CUBBY_FOREVER);
}

void
perform_receive_named_now(struct victim *victim)
{
	receive_named(victim, CUBBY_NOW);
}

void
perform_peek(struct victim *victim)
{
	receive(victim, NULL, CUBBY_PEEK, CUBBY_NOW);
}

void
conclude_receive(struct victim *victim)
{
	expect(victim, 0);
	actor_enter(victim->stage, victim->actor, victim->buffer, &victim->envelope,
		    false, victim->asked);
}

void
conclude_receive_now(struct victim *victim)
{
	expect(victim, -EAGAIN);
	if (victim->result == 0)
		conclude_receive(victim);
}

void
conclude_peek(struct victim *victim)
{
	enum actor from;
	uint32_t number;
	const char *wrong = NULL;

	expect(victim, -EAGAIN);
	if (victim->result == 0)
		wrong = letter_read(&victim->stage->account, victim->buffer,
				    &victim->envelope, &from, &number);
	if (wrong)
		fail("the victim peeked at %s", wrong);
}

/* Holding ---------------------------------------------------------------- */

void
perform_hold(struct victim *victim)
{
	victim->asked = account_tick(&victim->stage->account);
	victim->result = cubby_hold(victim->mailbox, NULL, CUBBY_FOREVER,
				    &victim->message);
}

static void
enter_hold(struct victim *victim)
{
	int result = cubby_message_envelope(victim->message, &victim->envelope);

	if (result < 0)
		fail("cubby_message_envelope: %s", cubby_strerror(result));
	actor_enter(victim->stage, victim->actor, cubby_message_data(victim->message),
		    &victim->envelope, true, victim->asked);
}

void
conclude_hold(struct victim *victim)
{
	int result;

	expect(victim, 0);
	enter_hold(victim);
	result = actor_release(victim->stage, victim->message);
	if (result < 0)
		fail("the victim's release: %s", cubby_strerror(result));
}

void
prepare_held(struct victim *victim)
{
	perform_hold(victim);
	expect(victim, 0);
	enter_hold(victim);
}

void
perform_release(struct victim *victim)
{
	victim->result = cubby_release(victim->message);
}

void
conclude_release(struct victim *victim)
{
	expect(victim, 0);
	account_released(&victim->stage->account, &victim->envelope, true);
}

void
perform_reject(struct victim *victim)
{
	victim->result = cubby_reject(victim->message);
}

void
conclude_given_back(struct victim *victim)
{
	expect(victim, 0);
	account_released(&victim->stage->account, &victim->envelope, false);
}

void
prepare_inheritance(struct victim *victim)
{
	victim_mark(victim->stage, MARK_FURNISH);
	victim_pass_time();
}

/* Receives a streak of messages while nobody else does. */
void
prepare_settled(struct victim *victim)
{
	for (int i = 0; i < STREAK; i++) {
		victim_mark(victim->stage, MARK_SEND);
		victim->result = actor_take(victim->stage, victim->mailbox,
					    victim->actor, CUBBY_NOW);
		expect(victim, 0);
	}
	victim_mark(victim->stage, MARK_FURNISH);
	if (victim->scenario->start == EMPTY)
		victim_pass_time();
}

