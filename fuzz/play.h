/* SPDX-License-Identifier: MIT */
/* Between the files that make a script's calls. */
#ifndef CUBBY_FUZZ_PLAY_H
#define CUBBY_FUZZ_PLAY_H

#include "fuzz.h"

/* What each call documents. -ECHILD, of a fork, is not among it, nor -EINTR. */
#define OPEN_ERRORS EACCES, EBADMSG, EBUSY, EEXIST, EINVAL, ENOENT, ENOSPC, \
	ENOTDIR, EOPNOTSUPP, EPERM, EPROTO, EUSERS, ENOMEM
#define SEND_ERRORS EBADF, EBADMSG, EFBIG, EMSGSIZE, ENOMEM, ENOSPC, EPIPE
#define SEND_FULL_ERRORS SEND_ERRORS, EAGAIN, EINPROGRESS, EINVAL, EOPNOTSUPP, \
	ETIMEDOUT
#define SEND_BATCH_ERRORS SEND_ERRORS, EAGAIN, EINVAL, EOPNOTSUPP, ETIMEDOUT
#define RESERVE_ERRORS SEND_ERRORS, EAGAIN, EINVAL, EOPNOTSUPP, ETIMEDOUT
#define COMMIT_ERRORS EBADMSG, EINVAL, EMSGSIZE, EOPNOTSUPP, EPIPE
#define WAIT_RECEIVED_ERRORS EAGAIN, EBADF, EBADMSG, EINVAL, ENOSPC, \
	EOPNOTSUPP, EPIPE, ETIMEDOUT
#define RECEIVE_ERRORS EBADF, EBADMSG, EMSGSIZE, ENOMEM, ENOSPC
#define RECEIVE_FULL_ERRORS RECEIVE_ERRORS, EAGAIN, EINVAL, EOPNOTSUPP, EPIPE, \
	ETIMEDOUT
#define HOLD_ERRORS EAGAIN, EBADF, EBADMSG, EINVAL, ENOMEM, ENOSPC, EOPNOTSUPP, \
	EPIPE, ETIMEDOUT
#define CALL_BEGIN_ERRORS EACCES, EAGAIN, EBADF, EBADMSG, EINVAL, EMSGSIZE, \
	ENOMEM, ENOSPC, EOPNOTSUPP, EPIPE, ETIMEDOUT, EUSERS
#define INSPECT_ERRORS EACCES, EBADMSG, EINVAL, ENOENT, ENOTDIR, EPERM, EPROTO

size_t
message_make(struct play *play, int handle, uint8_t how, uint64_t ahead);
void
message_sent(struct play *play, int handle, uint64_t count);
void
message_seen(struct play *play, const struct cubby_envelope *envelope,
	     const unsigned char *bytes, size_t size, bool taken);

void
play_close(struct play *play, int handle);
void
play_detach(struct play *play, int handle);
void
play_release(struct play *play, int handle);

/* One of those that are about regions. */
void
region_step(struct play *play, struct script *script, unsigned int which,
	    int handle);

#endif
