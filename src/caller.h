/* SPDX-License-Identifier: MIT */
/* Layer 8. May include: base atomics exclusion spin shm liveness layout layout_reply reply_file. */
/*
 * The caller's end of a call: slots of its reply file, and waiting for what is
 * put there. layout_reply.h has the protocol.
 *
 * Slots are used in turn, the one that was given back first before all others.
 * So while a reply is awaited, the line of the next call's can be fetched back
 * from the server, and the next request does not wait for it.
 */
#ifndef CUBBY_CALLER_H
#define CUBBY_CALLER_H

#include "base.h"
#include "exclusion.h"
#include "layout.h"
#include "layout_reply.h"
#include "liveness.h"
#include "shm.h"
#include "spin.h"

/* What the caller knows of a slot. */
struct caller_slot {
	uint32_t use;		/* the last one */
	uint32_t next;		/* of the free, or of those in limbo */
};

struct caller_list {
	uint32_t first, last;	/* CALL_SLOTS_MAX: empty */
};

/* A call under way. */
struct calling {
	uint32_t slot;
	uint32_t use;
};

struct caller {
	const struct view *view;
	uid_t uid;			/* effective, when it was opened */
	uint64_t id;			/* of the file; 0: none yet */
	int fd;				/* use it by file_of() */
	struct file_identity is;
	struct mapping mapping;
	struct liveness life;
	struct caller_slot *slots;	/* of CALL_SLOTS_MAX */
	uint32_t count;			/* with memory */
	uint32_t under_way;
	struct caller_list free, limbo;
	struct spin spin;
	bool looks;			/* it pays: there are several processors */
	struct exclusion exclusion;
	struct cubby_request *requests;	/* those with a handle of their own */
};

/* A call that may be one of many. */
struct cubby_request {
	struct calling calling;
	struct cubby_mailbox *owner;
	struct cubby_request *next, *previous;
};

/* Asked by one who waits, of what could keep his request from being taken:
   0, or the error that ends the call. Called without any lock. watched: it may
   come to be so at any time, and is asked again and again. */
struct caller_trust {
	int (*check)(void *context);
	void *context;
	bool watched;
};

void
caller_init(struct caller *caller, const struct view *view);

/*
 * A slot for a call. said: the sender's own word in which it says the file's id;
 * the file is made with the first call. Errors: -EUSERS (CALL_SLOTS_MAX are under
 * way), -EACCES (we are another user than the sender's lane is of), -ENOSPC,
 * -EBADMSG (somebody has spoilt the file, and calls are under
 * way), -EOPNOTSUPP, and the kernel's.
 */
int
caller_begin(struct caller *caller, word64 *said, struct calling *ret);

static inline uint64_t
caller_reference(const struct caller *caller, const struct calling *calling)
{
	return reference_make(caller->id, calling->use, calling->slot);
}

/* It was not sent. */
void
caller_unsend(struct caller *caller, const struct calling *calling);

/* The next call's lines, while this one's reply is awaited. */
void
caller_fetch_next(const struct caller *caller);

/*
 * Waits for the reply; then the slot is given back, whatever it was. Stays under
 * way with: -EAGAIN -ETIMEDOUT -EINTR -EMSGSIZE (*ret_size tells). Ended by: 0;
 * -EPIPE: who took it has gone; -EBADMSG; and what trust says.
 */
int
caller_wait(struct caller *caller, const struct calling *calling,
	    const struct caller_trust *trust, void *buffer, size_t size,
	    size_t *ret_size, int64_t deadline);

static inline bool
caller_goes_on(int r)
{
	return r < 0 && r != -EPIPE && r != -EBADMSG;
}

/* Gives it up. */
void
caller_cancel(struct caller *caller, const struct calling *calling);

/* Its handle is listed, and goes with the mailbox's. */
void
caller_list(struct caller *caller, struct cubby_request *request);
void
caller_unlist(struct caller *caller, struct cubby_request *request);

/* Gives up all that is under way, and the handles. */
void
caller_end(struct caller *caller);

/* In a child after fork(). */
void
caller_forget(struct caller *caller);

#endif
