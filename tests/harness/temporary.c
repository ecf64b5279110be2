/* SPDX-License-Identifier: MIT */
/*
 * A temporary mailbox, whose last user the victim is, or was the ghost. What
 * waits in it goes with it. A fresh one finds it, if the victim stands still and
 * has not left yet, or makes it anew.
 */
#include <errno.h>

#include "harness.h"

/* How many of an actor's accepted messages have come; *ret_sent: of how many. */
static int
came(const struct account *account, enum actor from, int *ret_sent)
{
	int ended = 0;

	*ret_sent = 0;
	for (int number = 1; number < NUMBERS; number++) {
		const struct entry *entry = &account->entries[from][number];

		*ret_sent += entry->fate == ACCEPTED;
		ended += entry->fate == ACCEPTED && entry->ended;
	}
	return ended;
}

void
temporary_check(const struct run *run)
{
	int sent, ended;

	if (!(run->scenario->operation->effects & TEMPORARY))
		return;
	ended = came(&run->stage->account, VICTIM, &sent);
	if (ended && ended != sent)
		fail("%d of %d messages went with the mailbox", sent - ended,
		     sent);
	if (came(&run->stage->account, FRESH, &sent) != sent)
		fail("messages in the next mailbox of that name are lost");
	if (came(&run->stage->account, GHOST, &sent))
		fail("what the last user of a mailbox left has come");
	if (cubby_unlink(MAILBOX) != -ENOENT)
		fail("the mailbox is there after its last user has gone");
}
