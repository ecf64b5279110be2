/* SPDX-License-Identifier: MIT */
/* Layer 7. May include: base atomics layout claims blocks. */
/*
 * What a lane's blocks carry: which message lies in which block, and when the
 * block is free again.
 *
 * The block of message p is free when the head has passed p and, looked at
 * after that, no claim names (lane, p). A claim that is going to hold p exists
 * before the head passes p, and a message that goes from hand to hand stays in
 * its record, so the two looks, in this order, miss nobody.
 *
 * All of it is the sender's private memory. A later owner of the lane makes it
 * anew from the unread cells and the claims. A claim may name a block that has
 * been freed and carries a later message: INTENT by a receiver that stood still
 * before, and will lose the race for the head. So the latest message of those
 * that name the same memory is the one that is in it.
 */
#ifndef CUBBY_CARRY_H
#define CUBBY_CARRY_H

#include "base.h"
#include "blocks.h"
#include "claims.h"
#include "layout.h"

struct carried {
	uint64_t position;
	uint64_t block;
};

struct carry {
	const struct view *view;
	uint32_t lane;
	struct blocks *blocks;
	struct carried *sent;	/* in order: a ring of sent_room, a power of 2 */
	uint64_t sent_first, sent_end, sent_room;
	struct carried *passed;	/* the head has passed, a claim names them */
	uint64_t passed_count, passed_room;
	uint64_t *hands;	/* scratch: positions in receivers' hands */
	uint64_t hands_count, hands_room;
	uint64_t kept;		/* what the last reclaim left */
	uint64_t allocated;	/* bytes since then */
	uint64_t peak;		/* most bytes in use since the last trim */
	uint32_t since_trim;
};

/* fd: the lane's file, for writing. Errors: -ENOMEM. */
int
carry_start(struct carry *carry, const struct view *view, uint32_t lane, int fd);

/* Private memory only. Also what carry_start() has not touched: all zero. */
void
carry_end(struct carry *carry);

/*
 * A predecessor's: first each unread message, then carry_inherit_hands(), then
 * carry_settle(). A message moves from unread to hands and not back, so none is
 * missed. Errors: -ENOMEM -EBADMSG.
 */
int
carry_inherit(struct carry *carry, uint64_t position, const struct cell *cell);
int
carry_inherit_hands(struct carry *carry);
void
carry_settle(struct carry *carry);

/*
 * A block for a message of size bytes; drafts: how many blocks are out that
 * have not been sent. Errors: -ENOSPC (reclaim, and try again) -ENOMEM and the
 * kernel's.
 */
int
carry_allocate(struct carry *carry, uint64_t drafts, uint64_t size,
	       int64_t deadline, uint64_t *ret_block);
void
carry_unallocate(struct carry *carry, uint64_t block);

/* The block goes out with the message at position. Never fails: there is room
   for each block that is out. */
void
carry_sent(struct carry *carry, uint64_t position, uint64_t block);

/* Is it worth looking where the head is, to reclaim? */
bool
carry_is_due(const struct carry *carry);

/* The first message whose block has not been freed, of those that no claim
   names. False: there is none. */
bool
carry_oldest(const struct carry *carry, uint64_t *ret_position);

/* Frees the blocks of messages that nobody will read again; head: how far the
   receivers are. */
void
carry_reclaim(struct carry *carry, uint64_t head);

/* After a backlog: what carries nothing goes back, but for a little; private
   memory too. drafts: as for carry_allocate(). */
void
carry_trim(struct carry *carry, uint64_t head, uint64_t drafts);

/* All memory that carries nothing goes back to the file system. */
void
carry_give_back(struct carry *carry, uint64_t head);

#endif
