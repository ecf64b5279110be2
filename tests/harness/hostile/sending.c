/* SPDX-License-Identifier: MIT */
/* What victims do who send; opening and closing. */
#include <errno.h>
#include <string.h>

#include "acts.h"

void
open_mailbox(struct victim *victim)
{
	victim->result = cubby_open(stage_mailbox(own.act), own.act->roles,
				    NULL, &victim->mailbox);
}

void
close_mailbox(struct victim *victim)
{
	cubby_close(victim->mailbox);
	victim->mailbox = NULL;
	victim->result = 0;
}

void
send_it(struct victim *victim)
{
	victim->result = cubby_send_full(victim->mailbox, own.bytes,
					 own.act->size, NULL, 0,
					 in_a_moment());
}

void
send_synchronously(struct victim *victim)
{
	victim->result = cubby_send_full(victim->mailbox, own.bytes,
					 own.act->size, NULL,
					 CUBBY_SYNCHRONOUS, in_a_moment());
}

void
send_batch(struct victim *victim)
{
	for (int i = 0; i < BATCH; i++)
		victim->entries[i] = (struct cubby_batch_entry){
			.data = own.bytes, .size = own.act->size
		};
	victim->result = cubby_send_batch(victim->mailbox, victim->entries,
					  BATCH, 0, in_a_moment());
}

void
prepare_full(struct victim *victim)
{
	int result;

	do
		result = cubby_send_full(victim->mailbox, own.bytes,
					 own.act->size, NULL, 0, CUBBY_NOW);
	while (result == 0);
	if (result != -EAGAIN)
		manage(result, "filling");
}

void
prepare_ring(struct victim *victim)
{
	for (int i = 0; i < RING; i++) {
		send_it(victim);
		manage(victim->result, "first sends");
	}
}

/* Its user has left a lane behind. */
void
prepare_left(struct victim *victim)
{
	cubby_mailbox *mailbox;

	(void)victim;
	manage(cubby_open(stage_mailbox(own.act), CUBBY_SEND, NULL, &mailbox),
	     "opening");
	manage(cubby_send_full(mailbox, own.bytes, own.act->size, NULL, 0,
			     CUBBY_NOW), "first send");
	cubby_close(mailbox);
}

void
reserve_commit(struct victim *victim)
{
	victim->result = cubby_reserve(victim->mailbox, own.act->size,
				       in_a_moment(), &victim->draft);
	if (victim->result < 0)
		return;
	memcpy(cubby_draft_data(victim->draft), own.bytes, own.act->size);
	victim->result = cubby_commit(victim->draft, own.act->size, NULL);
	if (victim->result < 0)
		cubby_abort(victim->draft);
}

void
wait_for_room(struct victim *victim)
{
	struct cubby_wait_entry entry = { victim->mailbox, CUBBY_SEND, 0 };

	victim->result = cubby_wait(&entry, 1, in_a_moment());
	if (victim->result > 0)
		send_it(victim);
}
