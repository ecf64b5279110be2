/* SPDX-License-Identifier: MIT */
/* Layer 11. May include: base atomics futex shm liveness layout names participants directory sender taking receiver. */
/*
 * A handle: a mailbox that is open, with its sending and its receiving end.
 *
 * Opening never waits for another process, and finds its way around whoever
 * died or stands still in the middle of making, closing or removing the
 * mailbox.
 */
#ifndef CUBBY_MAILBOX_H
#define CUBBY_MAILBOX_H

#include "base.h"
#include "layout.h"
#include "liveness.h"
#include "names.h"
#include "receiver.h"
#include "sender.h"

#include <cubby.h>

struct cubby_mailbox {
	uint64_t process;	/* liveness_process() of who opened it */
	uint32_t roles;		/* CUBBY_SEND, CUBBY_RECEIVE */
	bool fixed;		/* messages of message_max bytes exactly */
	uint64_t message_max;
	uint64_t plain_min, plain_max;	/* sizes that go into a cell */
	char entry[NAME_MAX + 1];	/* in the directory it lies in */
	struct view view;
	struct liveness presence;	/* of a handle without a role */
	struct sender sender;
	struct receiver receiver;
};

/* -ECHILD: inherited through fork(); -EBADF: not opened for that role. */
static inline int
mailbox_check(const struct cubby_mailbox *mailbox, uint32_t role)
{
	if (unlikely(mailbox->process != liveness_process()))
		return -ECHILD;
	return likely(mailbox->roles & role) ? 0 : -EBADF;
}

/*
 * Removes what nobody needs any more among the entries of a directory of
 * mailboxes: unfinished, and renamed away. Returns how many.
 */
uint64_t
mailbox_sweep_directory(int directory);

/* Is there something that is no mailbox, nor what is left of one? */
bool
mailbox_is_foreign(const struct place *place);

/*
 * Clears the place of a temporary mailbox whose users have all gone, if its
 * owner (or root) asks, and of one whose removal was broken off. 1: it has.
 */
int
mailbox_bury_temporary(const struct place *place);

#endif
