/* SPDX-License-Identifier: MIT */
/* Layer 9. May include: base atomics clock spin exclusion futex layout inbox bell doorbell lane rest. */
/*
 * The sending end of a handle: a lane, and waiting for room in it.
 */
#ifndef CUBBY_SENDER_H
#define CUBBY_SENDER_H

#include "base.h"
#include "bell.h"
#include "exclusion.h"
#include "inbox.h"
#include "lane.h"
#include "rest.h"
#include "spin.h"

struct sender {
	struct view *view;
	struct lane_writer writer;
	struct addressee *addressee;	/* of an inbox; NULL: of any other */
	struct sleeper sleeper;
	struct spin spin;
	struct exclusion exclusion;
	struct cubby_draft *drafts;
	uint32_t calm;		/* sends since the last sleep */
	const struct bell *bell;	/* of its descriptor; NULL: it has none */
	uint64_t plain_min, plain_max;	/* sizes that go into a cell */
};

/* addressee: who receives there, of an inbox; NULL: it is none. Errors: those of
   lane_open_writer(). */
int
sender_open(struct view *view, const char *name, struct addressee *addressee,
	    struct sender *ret);

/* Aborts the drafts, leaves the lane. */
void
sender_close(struct sender *sender);

/* In a child after fork(). */
void
sender_forget(struct sender *sender);

/* Between sender_enter() and sender_leave() the lane is this thread's. */
static inline void
sender_enter(struct sender *sender)
{
	exclusion_enter(&sender->exclusion);
}

static inline void
sender_leave(struct sender *sender)
{
	exclusion_leave(&sender->exclusion);
}

/* Of an inbox: has who receives there gone? -EPIPE. */
static inline int
sender_check(const struct sender *sender)
{
	return likely(!sender->addressee) ? 0 :
	       addressee_check(sender->addressee);
}

/* Waits for room. Errors: -EAGAIN (deadline CUBBY_NOW) -ETIMEDOUT -EINTR
   -EBADMSG -ENOSPC; -EPIPE (as sender_check(), before and while it waits). */
int
sender_wait_room(struct sender *sender, int64_t deadline);

/* Waits until receivers have passed position. The same errors. */
int
sender_wait_passed(struct sender *sender, uint64_t position, int64_t deadline);

/* The end of a handle as one of several: as receiver_look() and the others, of
   room. */
int
sender_look(struct sender *sender);
int
sender_announce(struct sender *sender, struct rest *ret);
void
sender_settle(struct sender *sender, struct rest *rest, bool fenced);
int
sender_retract(struct sender *sender, struct rest *rest, int slept);

/*
 * Its descriptor. hang: publishes the bell's number, and keeps the bell; NULL:
 * takes the number back. arm: the bell is empty: as the table in handle.h says.
 */
void
sender_hang(struct sender *sender, const struct bell *bell);
int
sender_arm(struct sender *sender, int64_t *ret_slice);

/* Is there room, and nothing else to see to? */
static FAST bool
sender_is_plain(const struct sender *sender)
{
	const struct lane_writer *w = &sender->writer;

	return lane_has_room(w) && !lane_is_broken(w) &&
	       likely(!sender->sleeper.often);
}

/* Sends; there is room. Errors: -ENOSPC -ENOMEM: nothing was sent. */
int
sender_send(struct sender *sender, const struct parcel *parcel,
	    const void *data);

/*
 * Sends as many of them as there is room for, up to BATCH_STEP, and as can be sent;
 * there is room for one. Returns how many. Errors: those of
 * envelope_check_entry(), -ENOSPC -ENOMEM: none was sent.
 */
int
sender_send_run(struct sender *sender, const struct cubby_batch_entry *entries,
		size_t count);

/* Reserves; there is room. Errors: -ENOSPC -ENOMEM. */
int
sender_reserve(struct sender *sender, uint64_t size, struct cubby_draft **ret);
void
sender_commit(struct sender *sender, struct cubby_draft *draft,
	      const struct parcel *parcel);
void
sender_abort(struct sender *sender, struct cubby_draft *draft);

#endif
