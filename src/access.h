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
 *	bells/		rwx		--x		rwx	---
 *	bells/bell.X	-w-		-w-		-w-	---
 *	lanes/bell.X	-w-		---		-w-	---
 *	lane.N		r--		---		r--	---
 *	reply.ID	rw-		---		rw-	---
 *	queue, blocks	rw-		rw-		rw-	---
 *
 * Of a region (r: may read, w: may write, and so read):
 *
 *			may read	may write	neither
 *	directory	r-x		r-x		---
 *	memory		r--		rw-		---
 *	attendance	---		rw-		---
 *
 * The owner keeps rwx on the directory and r on `receivers` in any case (and rw
 * on `attendance` of a region): to look at the mailbox and to remove it. lanes/
 * and bells/ are sticky and setgid: a lane belongs to the sender that made it
 * and to the mailbox's group, a bell to the one for whom it is rung, who alone
 * reads it. What the owner of the mailbox may of these is what its class may, by
 * an ACL entry of its own: it is not their owner, and it may be in the group, or
 * not, whatever that may. Others whom a region is granted to have such entries on its
 * directory and files.
 */
#ifndef CUBBY_ACCESS_H
#define CUBBY_ACCESS_H

#include "base.h"
#include "layout.h"

enum access_kind {
	ACCESS_DIRECTORY,
	ACCESS_QUEUE,
	ACCESS_BLOCKS,
	ACCESS_LANES,
	ACCESS_RECEIVERS,
	ACCESS_DOORBELL,
	ACCESS_ATTENDANCE,
	ACCESS_LANE,
	ACCESS_REPLY,
	ACCESS_BELLS,
	ACCESS_BELL,		/* of a receiver, or of one in a queue */
	ACCESS_LANE_BELL,	/* of a sender, in lanes/ */
	ACCESS_REGION_DIRECTORY,
	ACCESS_REGION_MEMORY,
	ACCESS_REGION_ATTENDANCE
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

/* Whom a region is granted to. */
struct access_grantee {
	bool is_group;
	uint32_t id;
};

/*
 * Gives one more user or group what class bits (r: 4, w: 2; 0: takes back what
 * was given) mean for this kind, beside what is set already. Errors:
 * -EOPNOTSUPP (no ACLs here), -EACCES (not the caller's), -EUSERS (too many
 * grants), and the kernel's.
 */
int
access_grant(int fd, enum access_kind kind,
	     const struct access_grantee *grantee, mode_t bits);

/*
 * Lets those read and write a region without a name, whose file the caller
 * owns, who may receive from a mailbox of these attributes, or of the other
 * (NULL: there is none), and nobody else. Errors: -EOPNOTSUPP (it takes an ACL
 * and the file system has none), and the kernel's.
 */
int
access_share(int fd, const struct attributes *attributes,
	     const struct attributes *other);

#endif
