/* SPDX-License-Identifier: MIT */
/* Layer 0. May include: base error cubby. */
/*
 * The words of the library. What an errno means in cubby is told in cubby.h;
 * the table says the same in one sentence each. What is not there comes from
 * the C library, so that a kernel's own error is told too. Nothing here is
 * translated or formatted: every string is static, so threads cannot meet.
 */
#include "base.h"
#include "error.h"
#include "cubby.h"

/* A glibc from 2.32 on. */
#ifdef __GLIBC__
#if __GLIBC_PREREQ(2, 32)
#define HAS_DESCRIPTIONS
#endif
#endif

struct words {
	int error;
	const char *meaning;
};

static const struct words table[] = {
	{ 0, "success" },
	{ EACCES, "the mode of the mailbox or region does not permit that" },
	{ EAGAIN, "it would have to wait: the mailbox is empty, or full, the "
		  "mutex is locked, or no unit is there" },
	{ EBADF, "the handle was not opened for that role" },
	{ EBADMSG, "the mailbox, or one sender's part of it, makes no sense "
		   "and has been cut off" },
	{ EBUSY, "a sender of that name has the mailbox open already, or "
		 "another process receives from the inbox" },
	{ ECHILD, "the handle was opened before fork(); open your own" },
	{ EDEADLK, "this thread has locked the mutex already" },
	{ EDQUOT, "the user's disk quota is used up" },
	{ EEXIST, "the mailbox exists already, or with other attributes" },
	{ EFBIG, "larger than the region may become, or than the files that "
		 "the process may make (RLIMIT_FSIZE)" },
	{ EINPROGRESS, "the deadline has passed, but the message is queued and "
		       "will be delivered" },
	{ EINTR, "a signal came while waiting; nothing was sent or received, "
		 "unless it was a call, whose request may be carried out" },
	{ EINVAL, "an argument makes no sense" },
	{ EMFILE, "the process has too many files open" },
	{ EMSGSIZE, "the message is too large, or not of the mailbox's fixed "
		    "size, or larger than the buffer" },
	{ ENAMETOOLONG, "the name is longer than 200 bytes" },
	{ ENFILE, "the machine has too many files open" },
	{ ENOENT, "no such mailbox or region" },
	{ ENOMEM, "the process has run out of memory" },
	{ ENOMSG, "the next message carries no region; it stays" },
	{ ENOSPC, "the memory for messages is used up; nothing was sent" },
	{ ENOTDIR, "something that is no mailbox or region bears that name" },
	{ ENOTRECOVERABLE, "the mutex's owner died, and what it guards was not "
			   "put in order" },
	{ EOPNOTSUPP, "the mailbox's order, or the file system, cannot do "
		      "that; or the next message carries a region" },
	{ EOVERFLOW, "the semaphore's count is as large as it can be" },
	{ EOWNERDEAD, "locked, but the mutex's last owner died with it: what it "
		      "guards is to be put in order" },
	{ EPERM, "the directory that mailboxes live in is not safe to use; or "
		 "this thread has not locked the mutex" },
	{ EPIPE, "the process at the other end has gone; nothing was sent or "
		 "received, unless it was a call, whose request may have been "
		 "carried out" },
	{ EPROTO, "made by an incompatible version of cubby" },
	{ EROFS, "the file system is read-only" },
	{ ESRCH, "no such process has an inbox here" },
	{ ETIMEDOUT, "the deadline has passed; nothing was sent or received, "
		     "unless it was a call, whose request may be carried out" },
	{ EUSERS, "too many senders of one user, too many receivers, or too "
		  "many that may write a region" },
	{ EXDEV, "the mailbox lies in another file system than the region" },
};

static const char *
system_words(int error)
{
	const char *words = NULL;

#ifdef HAS_DESCRIPTIONS
	words = strerrordesc_np(error);
#else
	(void)error; /* strerror() may format into a buffer of its own */
#endif
	return words ? words : "an error that cubby does not know";
}

const char *
cubby_strerror(int error)
{
	size_t i;

	/* INT_MIN has no opposite, and is no errno: it stays as it is. */
	if (error < 0 && error != INT32_MIN)
		error = -error;
	for (i = 0; i < ARRAY_SIZE(table); i++)
		if (table[i].error == error)
			return table[i].meaning;
	return system_words(error);
}

const char *
cubby_version(void)
{
	return CUBBY_VERSION;
}
