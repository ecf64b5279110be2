/* SPDX-License-Identifier: MIT */
/*
 * What victims do with batches. Those of a batch whose sender is killed come in
 * order, and none without the one before it; a receiver that is killed may take
 * all of its batch with it.
 */
#include "acts.h"

static void
write_letter(struct victim *victim, int i, size_t size)
{
	struct letter *letter = &victim->letters[i];

	letter_write(&victim->stage->account, victim->actor, size, letter);
	victim->envelopes[i] = (struct cubby_envelope)CUBBY_ENVELOPE_INIT;
	letter_address(&victim->stage->account, letter, &victim->envelopes[i]);
	victim->entries[i] = (struct cubby_batch_entry){
		letter->bytes, letter->size, &victim->envelopes[i]
	};
}

void
prepare_send_batch(struct victim *victim)
{
	for (int i = 0; i < BATCH; i++)
		write_letter(victim, i, victim->scenario->operation->size);
}

/* The middle one lies in a block. */
void
prepare_send_batch_mixed(struct victim *victim)
{
	for (int i = 0; i < BATCH; i++)
		write_letter(victim, i, i == 1 ? LONG : SHORT);
}

void
perform_send_batch(struct victim *victim)
{
	victim->result = cubby_send_batch(victim->mailbox, victim->entries,
					  BATCH, 0, CUBBY_FOREVER);
}

void
conclude_send_batch(struct victim *victim)
{
	for (int i = 0; i < BATCH; i++)
		account_sent(&victim->stage->account, &victim->letters[i],
			     victim->result == BATCH ? 0 : -1);
	if (victim->result != BATCH)
		fail("the batch returned %d", victim->result);
}

void
prepare_receive_batch(struct victim *victim)
{
	for (int i = 0; i < BATCH; i++) {
		victim->envelopes[i] =
			(struct cubby_envelope)CUBBY_ENVELOPE_INIT;
		victim->entries[i].envelope = &victim->envelopes[i];
	}
}

void
prepare_settled_batch(struct victim *victim)
{
	prepare_settled(victim);
	prepare_receive_batch(victim);
}

void
perform_receive_batch(struct victim *victim)
{
	victim->asked = account_tick(&victim->stage->account);
	victim->result = cubby_receive_batch(victim->mailbox, NULL, 0,
					     CUBBY_FOREVER, victim->entries,
					     BATCH, victim->buffer, BUFFER);
}

void
conclude_receive_batch(struct victim *victim)
{
	if (victim->result <= 0 || victim->result > BATCH)
		fail("the batch returned %d", victim->result);
	for (int i = 0; i < victim->result; i++)
		actor_enter(victim->stage, victim->actor, victim->entries[i].data,
			    &victim->envelopes[i], false, victim->asked);
}
