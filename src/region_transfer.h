/* SPDX-License-Identifier: MIT */
/* Layer 8. May include: base layout_region region. */
/*
 * Whose a region without a name is, while messages carry it from one process to
 * another.
 *
 * Each transfer has a number. A message that carries a region says {uuid,
 * number}, and the region's file lies in its mailbox, as
 * lanes/region.UUID.NUMBER: it is the mailbox that owns it. The word
 * `transfers` in the file says which message is the valid one, {owner,
 * attempt}: `owner` is the number of the transfer that counts (0: none yet, it
 * is its maker's); `attempt`, if it is another, that of one which may have been
 * sent.
 *
 *	sender, whose region has number n	receiver, who holds message k
 *	1. {n, a} -> {n, k}, k = a + 1		a. opens region.UUID.k, and takes
 *	2. links the file as region.UUID.k	   a slot in it
 *	3. sends the message k			b. {x, k} -> {k, k}: it was sent,
 *	4. {n, k} -> {k, k}			   and its sender did not say so
 *	5. unlinks region.UUID.n, releases	   {k, a} -> {k, a + 1}: what an
 *	   the message n, if there was one	   earlier holder of it has tried
 *	6. detaches				   is void
 *						   any other: message k does not
 *						   count any more: releases it
 *
 * Each change is a CAS on the whole word, so one of them is first, and all obey.
 * The message k counts from the moment when the word says {k, ...}.
 *
 *	sender killed	who owns the region then
 *	before 3	message n's mailbox, to which the message has gone back
 *			(n = 0: nobody, its memory goes)
 *	after 3,	whoever is first: the receiver of k, by b; or the receiver
 *	before 4	of n, whose b makes k void. (The send did not return: it
 *			may have sent, once.)
 *	after 4		message k's mailbox. Message n goes back to its own, where
 *			whoever gets it finds that it does not count
 *
 * Stopped anywhere, the sender holds nobody up: the receiver of k does step 4
 * for him. Message n is in his hands as long as he lives.
 *
 * A receiver keeps his message as long as the region is his: killed, it goes
 * back, and with it the region. He ends it by making the word ENDED, unlinking
 * the file (if he may not, giving its memory back), and releasing the message.
 * Killed on the way: the message goes back, and whoever gets it finds that it
 * does not count.
 *
 * What is left over is a link, never memory in use, and its sender or a sweep
 * removes it: its number is not the owner's, or the word is ENDED. If it is that
 * of an attempt, it may have been sent, or be sent yet: it stays as long as a
 * slot of the region is taken. If none is, its sender is dead, and no receiver
 * is between a and b: the sweep makes it void, {n, k} -> {n, k + 1}, by the same
 * CAS: or else a receiver has been faster, and the link is in use.
 *
 * Its file belongs to the user who made it, who alone can let others in; so it
 * is his to send, and not a receiver's of another user.
 *
 * What would break this: two attempts of one number (each is a CAS that raises
 * it); a sweep that does not ask the lock for the sender, but a clock; a slot
 * that is given up before the message has been sent.
 */
#ifndef CUBBY_REGION_TRANSFER_H
#define CUBBY_REGION_TRANSFER_H

#include "base.h"
#include "layout_region.h"
#include "region.h"

/* Steps 1 and 2: a number, and a link in lanes, a directory. What it was linked
   as before stays. Errors: -EBADMSG (the word says it is not this handle's, or
   all names that it may have are taken), and linkat's. */
int
region_begin_transfer(struct cubby_region *region, int lanes,
		      uint32_t *ret_number);

/* Step 4. */
void
region_complete_transfer(struct cubby_region *region, uint32_t number);

/*
 * The message of that number was not sent, says who was to send it. False: it
 * was, and has been received. The new link goes; but if it is the only one that
 * counts, it takes the place of what was there before, since a file that has
 * lost its last name cannot be given another. (A sweep leaves it, as that of the
 * last attempt of one who lives.)
 */
bool
region_cancel_transfer(struct cubby_region *region, int lanes, uint32_t number);

/* Opens what a message carries, from the mailbox that it lay in: step a. The
   file must be the user uid's, or root's. Errors: -ENOENT -EACCES -EBADMSG
   -EPROTO (it makes no sense), -EFBIG (another user's, and more than this
   process has addresses for), those of region_attach(), and the kernel's. */
int
region_open_ticket(int lanes, const struct region_ticket *ticket, uid_t uid,
		   struct cubby_region **ret);

/* Step b. Is it ours? */
bool
region_settle(struct cubby_region *region);

/* Unlinks what it is linked as. False: another user's, it stays. */
bool
region_unlink(struct cubby_region *region);

/* It is nobody's any more: no message that carries it counts, and its memory
   goes. Does not detach. */
void
region_finish(struct cubby_region *region);

/* The link that a message names, of a region that could not be opened or does
   not count. */
void
region_unlink_ticket(int lanes, const struct region_ticket *ticket);

/* Removes what has been left over in that directory; returns how many bytes of
   memory that has given back. */
uint64_t
region_sweep_links(int lanes);

/*
 * The regions that a handle has sent to its mailbox. A receiver of another user
 * cannot unlink what it has done with; its sender can, and looks now and then.
 */
#define REGION_SENT_MAX 64	/* more are left to a sweep */

struct region_sent {
	uint32_t count;
	struct region_ticket tickets[REGION_SENT_MAX];
};

/* Notes one more, and looks at the oldest two. *sent: NULL at first. */
void
region_sent_add(struct region_sent **sent, int lanes,
		const struct region_ticket *ticket);

/* Looks at all of them once more, and forgets them. */
void
region_sent_end(struct region_sent **sent, int lanes);

/* Adds the bytes of memory of the regions in that directory; none if it may not be
   read. Errors: those by which we could not look. */
int
region_links_add_memory(int lanes, uint64_t *sum);

#endif
