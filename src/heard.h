/* SPDX-License-Identifier: MIT */
/* Layer 9. May include: base atomics exclusion spin layout parcel doorbell broadcast lane. */
/*
 * One lane of a broadcast mailbox, as one of its receivers hears it: where he is
 * on it, and taking its next message. broadcast.h has the protocol.
 */
#ifndef CUBBY_HEARD_H
#define CUBBY_HEARD_H

#include "base.h"
#include "exclusion.h"
#include "lane.h"
#include "parcel.h"
#include "spin.h"

struct heard {
	struct lane_reader reader;
	uint64_t position;	/* of the next message */
	uint64_t missed;	/* overtaken since the last one */
	struct lane_cursor *cursor;	/* ours; NULL: not begun */
	uint64_t spoilt;	/* position + 1 at which a mapping broke */
	uint32_t taken;
	uint32_t overtaken;	/* times, while it was being taken */
	bool active;		/* it has had something */
};

/* What hears the lanes: the receiving end of a handle. */
struct listener {
	struct view *view;
	struct liveness life;	/* in `attendance` */
	struct liveness voice;	/* in `receivers`, for senders */
	uint32_t slot;
	bool waits;		/* broadcast_waits() */
	bool trusts;
	bool attends;		/* in the audience */
	bool vain;		/* heard_take() gave up: there may be a message */
	struct heard **lanes;	/* NULL: not a lane */
	uint32_t room;		/* in that array; at least `known` */
	uint32_t known;		/* lanes below it have been opened, but for gaps */
	/* A bit for each lane that is open, or that is none for us. */
	uint64_t met[LANES_MAX / 64];
	uint32_t current;
	uint32_t burst;		/* messages left of its turn */
	int trouble;		/* of opening a lane, to be told; or 0 */
	uint32_t calm;
	uint32_t polls;
	int64_t next_sweep;	/* clock_tick(): a look of one's own */
	uint32_t sweeps;
	uint32_t quick;		/* quick looks in vain, as one of several */
	struct sleeper sleeper;
	struct spin spin;
	struct exclusion exclusion;
	struct cubby_message *held;
};

/*
 * Opens lane `lane`, as far as that is for us; it is not begun. Errors: those of
 * lane_open_reader(), -ENOMEM.
 */
int
heard_open(struct listener *listener, uint32_t lane, struct heard **ret);
void
heard_close(struct heard *heard);

/*
 * Begins with the last `history` messages that are there, or fewer; ~0: with all
 * since the lane's beginning. Errors: -ENOSPC -EBADMSG.
 */
#define HEARD_ALL UINT64_MAX
int
heard_begin(struct listener *listener, struct heard *heard, uint64_t history);

/* In the audience, and the cursor is set: has the sender overwritten what lies
   there in the meantime? Then it goes to where the messages begin. */
void
heard_settle(struct heard *heard);

/* Is there a message, or something to be told? */
bool
heard_look(struct listener *listener, struct heard *heard);

/* There is one, for WISH_LOOK. */
#define HEARD_SEEN 1

/* The next message. -EAGAIN: there is none, or, said in `vain`, we were overtaken
   too often: the clock is to be looked at, and then the lane. Errors: -EMSGSIZE
   -EBADMSG (told once) -ENOMEM. */
int
heard_take(struct listener *listener, struct heard *heard, struct wish *wish);

/* Ends a held message. */
int
heard_release(struct listener *listener, struct cubby_message *message);

#endif
