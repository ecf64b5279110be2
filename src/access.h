/* SPDX-License-Identifier: MIT */
/* Layer 5. May include: base layout. */
/*
 * Who may do what, said to the kernel: a mailbox's mode (r: may receive, w: may
 * send, for owner, group and others) becomes the modes of its files.
 *
 *			may receive	may send	both	neither
 *	directory	r-x		r-x		r-x	---
 *	lanes/		r-x		-wx		rwx	---
 *	receivers	rw-		r--		rw-	---
 *	doorbell	rw-		rw-		rw-	---
 *	attendance	rw-		---		rw-	---
 *	lane.N		r--		---		r--	---
 *
 * The owner keeps rwx on the directory and r on `receivers` in any case: to look
 * at the mailbox and to remove it. lanes/ is sticky and setgid: a lane belongs to the sender that made it and to
 * the mailbox's group. The owner of the mailbox, if it may receive, reads every
 * lane by an ACL entry of its own, since it is neither the lane's owner nor, it
 * may be, of a class that may receive.
 */
#ifndef CUBBY_ACCESS_H
#define CUBBY_ACCESS_H

#include "base.h"
#include "layout.h"

enum access_kind {
	ACCESS_DIRECTORY,
	ACCESS_LANES,
	ACCESS_RECEIVERS,
	ACCESS_DOORBELL,
	ACCESS_ATTENDANCE,
	ACCESS_LANE
};

/*
 * Gives what fd is open on, which the caller owns, the rights of its kind, and
 * removes ACLs that it has inherited. maker: the caller's user id.
 * Errors: -EOPNOTSUPP (a lane needs an ACL and the file system has none),
 * fchmod's.
 */
int
access_set(int fd, enum access_kind kind, const struct attributes *attributes,
	   uid_t maker);

#endif
