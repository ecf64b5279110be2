/* SPDX-License-Identifier: MIT */
/* What victims do to queues alone. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "acts.h"

/* Deadlines that pass: an instruction at a time they pass sooner. */
#define SOON (now() + 4 * NANOSECONDS / 1000)

void
perform_send_withdrawn(struct victim *victim)
{
	victim->result = cubby_send_full(victim->mailbox, victim->letter.bytes,
					 victim->letter.size, &victim->envelope,
					 CUBBY_SYNCHRONOUS, SOON);
}

void
conclude_send_late(struct victim *victim)
{
	account_sent(&victim->stage->account, &victim->letter, victim->result);
	expect(victim, -ETIMEDOUT);
}

void
perform_receive_late(struct victim *victim)
{
	receive(victim, NULL, 0, SOON);
}

void
conclude_receive_late(struct victim *victim)
{
	expect(victim, -ETIMEDOUT);
	if (victim->result == 0)
		conclude_receive(victim);
}

/* An actor's messages have its number for a type (letter_address()). */
static void
receive_matching(struct victim *victim, enum cubby_matching matching,
		 enum actor type)
{
	struct cubby_filter filter = CUBBY_FILTER_INIT;

	filter.matching = matching;
	filter.type = (int64_t)type;
	receive(victim, &filter, 0, CUBBY_FOREVER);
}

void
perform_receive_type(struct victim *victim)
{
	receive_matching(victim, CUBBY_MATCH_TYPE, BYSTANDER);
}

void
perform_receive_not_type(struct victim *victim)
{
	receive_matching(victim, CUBBY_MATCH_NOT_TYPE, SECOND);
}

void
perform_receive_lowest(struct victim *victim)
{
	receive_matching(victim, CUBBY_MATCH_LOWEST, BYSTANDER);
}

/* The bystander's handle is the first that was ever opened. */
void
perform_receive_sender(struct victim *victim)
{
	struct cubby_filter filter = CUBBY_FILTER_INIT;

	filter.sender = 1;
	receive(victim, &filter, 0, CUBBY_FOREVER);
}

/* The last owner of the lock has died, and the victim finds that out ----- */

void
prepare_break(struct victim *victim)
{
	victim_mark(victim->stage, MARK_BREAK);
}

void
prepare_send_break(struct victim *victim)
{
	prepare_send(victim);
	prepare_break(victim);
}

void
prepare_held_break(struct victim *victim)
{
	prepare_held(victim);
	prepare_break(victim);
}

void
prepare_draft_break(struct victim *victim)
{
	prepare_draft(victim);
	prepare_break(victim);
}

void
prepare_commit_break(struct victim *victim)
{
	prepare_commit(victim);
	prepare_break(victim);
}

/* So many slots that some of them are given back ------------------------- */

enum { DRAFTS = 640, KEPT = 500 };

void
prepare_many_drafts(struct victim *victim)
{
	victim->drafts = calloc(DRAFTS, sizeof(victim->drafts[0]));
	for (int i = 0; i < DRAFTS && victim->result == 0; i++)
		victim->result = cubby_reserve(victim->mailbox, SHORT,
					       CUBBY_NOW, &victim->drafts[i]);
	expect(victim, 0);
	for (int i = 0; i < KEPT; i++)
		cubby_abort(victim->drafts[i]);
}

/* Its last message is the last of a chunk, the other slots of which are free. */
void
prepare_give_back(struct victim *victim)
{
	prepare_many_drafts(victim);
	victim->draft = victim->drafts[DRAFTS - 1];
	for (int i = KEPT; i < DRAFTS - 1; i++)
		cubby_abort(victim->drafts[i]);
	prepare_send(victim);
	memcpy(cubby_draft_data(victim->draft), victim->letter.bytes,
	       victim->letter.size);
	perform_commit(victim);
	conclude_send(victim);
}

/* Its slot is free when the queue is used once more, and then the chunk is. */
void
perform_give_back(struct victim *victim)
{
	static unsigned char buffer[BUFFER];

	perform_receive(victim);
	cubby_receive_full(victim->mailbox, NULL, CUBBY_PEEK, CUBBY_NOW, buffer,
			   sizeof(buffer), NULL, NULL);
}

void
perform_abort_many(struct victim *victim)
{
	for (int i = KEPT; i < DRAFTS; i++)
		cubby_abort(victim->drafts[i]);
}
