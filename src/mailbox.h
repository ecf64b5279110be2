/* SPDX-License-Identifier: MIT */
/* Layer 12. May include: base layout names inbox handle. */
/*
 * A mailbox as a whole: opened, closed, unlinked, and removed when nobody needs
 * it any more.
 *
 * Opening never waits for another process, and finds its way around whoever
 * died or stands still in the middle of making, closing or removing the
 * mailbox.
 */
#ifndef CUBBY_MAILBOX_H
#define CUBBY_MAILBOX_H

#include "base.h"
#include "handle.h"
#include "inbox.h"
#include "layout.h"
#include "names.h"

/* Where an inbox keeps who receives from it. */
struct inbox_at
mailbox_inbox(const struct view *view);

/*
 * Removes what nobody needs any more among the entries of a directory of
 * mailboxes: unfinished, and renamed away. Looks at no more than `most` of them.
 * Returns how many it has removed.
 */
uint64_t
mailbox_sweep_directory(int directory, uint64_t most);

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
