/* SPDX-License-Identifier: MIT */
/* Layer 8. May include: base atomics liveness layout layout_reply. */
/*
 * The server's end of calls: whose request is it that has been met, does anybody
 * wait for it, and the reply. layout_reply.h has the protocol.
 *
 * A handle that receives keeps open the reply file of each caller that it has
 * met, as long as that one lives; its lock there says that the handle lives. All
 * calls but answers_init() are made with the lock of the handle's receiving end.
 */
#ifndef CUBBY_ANSWERS_H
#define CUBBY_ANSWERS_H

#include "base.h"
#include "layout.h"
#include "layout_reply.h"

#define SENDERS_MAX 4096	/* lanes, or participants of a queue */

struct answers {
	const struct view *view;
	uint64_t server;	/* server_make() */
	struct peer **peers;	/* by sender; NULL: none met yet */
	uint32_t descriptors;	/* kept open, of them */
	uint32_t next;		/* to be looked at */
};

/* A request in hand. */
struct called {
	struct peer *peer;
	struct call_slot *slot;
	uint32_t use;
};

void
answers_init(struct answers *answers, const struct view *view, uint32_t slot,
	     uint64_t generation);

/* Leaves: calls that have not been answered fail. */
void
answers_end(struct answers *answers);

/* In a child after fork(). */
void
answers_forget(struct answers *answers);

/*
 * A request of that sender (LANES_MAX, PARTICIPANTS_MAX) has been met. id: of its
 * present reply file, as it says; uid: whose that has to be, or (uid_t)-1.
 * Errors: -ENOENT (nobody waits for it: it is to be passed over), and those of
 * the kernel for what it takes to open the file.
 */
int
answers_meet(struct answers *answers, uint64_t sender, uint64_t id, uid_t uid,
	     uint64_t reference, struct called *ret);

/* Step 1 of a taking without a claim. False: somebody has been there. */
bool
answers_take(const struct answers *answers, const struct called *called);

/* It was lost, or is rejected: another may have it. */
void
answers_give_up(const struct answers *answers, const struct called *called);

/*
 * Step 1 for one who has the request for sure. again: it has been handed out
 * before. False: nobody is to have it, for its caller has given up, or who had it
 * has died over it, as the caller has been told now.
 */
bool
answers_own(const struct answers *answers, const struct called *called,
	    bool again);

/* The request in hand will not be answered, if it has not been: so its caller is
   told. */
void
answers_refuse(const struct answers *answers, const struct called *called);

/* The same two by its reference, if it is still known. */
void
answers_give_up_by(struct answers *answers, uint64_t sender,
		   uint64_t reference);
void
answers_refuse_by(struct answers *answers, uint64_t sender,
		  uint64_t reference);

/* Steps 3 to 6. Errors: -EPIPE (nobody waits for it any more, or it is not
   ours), -ENOSPC and others of shm_commit(): nothing was said. */
int
answers_reply(struct answers *answers, uint64_t sender, uint64_t reference,
	      const void *data, size_t size);

/* Lets go of some callers that have died. */
void
answers_look(struct answers *answers);

#endif
