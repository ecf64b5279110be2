/* SPDX-License-Identifier: MIT */
/* Layer 6. May include: base atomics shm liveness layout access layout_reply. */
/*
 * Reply files: how they come, are found, and go.
 *
 * One is made and locked under a temporary name, and then gets its own, which
 * nobody can foresee: so nobody ever sees one that is half made, or whose caller
 * seems dead, and no fellow sender can be there first. It goes when its caller
 * closes; if he has died, by whoever notices and may: who has the lane next, a
 * server that meets a request of his, a sweep.
 */
#ifndef CUBBY_REPLY_FILE_H
#define CUBBY_REPLY_FILE_H

#include "base.h"
#include "layout.h"
#include "layout_reply.h"
#include "liveness.h"

/* Its id, not 0, of which the epoch follows that of the one before (0: there was
   none). Errors: the kernel's. */
int
reply_file_choose(uint64_t before, uint64_t *ret_id);

/*
 * Makes the file of that id, with memory for so many slots, and locks byte 0.
 * *ret_fd is open on it, without the lock. Errors: -EACCES (of what it has made
 * the kernel lets it change nothing), -EBADMSG (others remove it, or take its name,
 * again and again), -ENOSPC, -EOPNOTSUPP (it takes an ACL, and there are none), and
 * the kernel's.
 */
int
reply_file_make(const struct view *view, uint64_t id, uint32_t slots,
		int *ret_fd, struct mapping *ret_mapping,
		struct liveness *ret_life);

/* Opens and maps one; uid: whose it has to be, or (uid_t)-1. Errors: -ENOENT
   -EACCES -EBADMSG, and the kernel's. */
int
reply_file_open(const struct view *view, uint64_t id, uid_t uid, int *ret_fd,
		struct mapping *ret_mapping);

/* A descriptor more. */
int
reply_file_reopen(const struct view *view, uint64_t id);

/* Locks that byte of it for us. Errors: -EAGAIN (it is locked), -ENOENT... */
int
reply_file_lock(const struct view *view, uint64_t id, uint64_t byte,
		struct liveness *ret);

/* The calls of which a caller sleeps until the reply comes. */
struct reply_calls {
	uint32_t asleep;
	uint64_t server;	/* the number of the receiver that has the
				   request; 0: nobody, or not one alone */
	uint64_t ticket;	/* other calls: another one */
};

/* Looks at them from outside: reads, and maps nothing. Errors: -EBADMSG (it is cut
   short), and the kernel's; *ret has then those that were seen. */
int
reply_file_calls(const struct view *view, uint64_t id, struct reply_calls *ret);

/* Takes its name away, if it is ours to take. */
void
reply_file_unlink(const struct view *view, uint64_t id);

/* Removes those whose callers have died. Returns bytes. */
uint64_t
reply_file_sweep(const struct view *view);

/* Adds the bytes of memory of all there are; none if that may not be read. Errors:
   those by which we could not look. */
int
reply_file_add_memory(const struct view *view, uint64_t *sum);

#endif
