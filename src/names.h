/* SPDX-License-Identifier: MIT */
/* Layer 5. May include: base shm. */
/*
 * Where a mailbox lies: from its name to a directory that is safe to use.
 *
 *	name		directory, in CUBBY_ROOT or /dev/shm
 *	jobs, @worker	cubby-UID/jobs, cubby-UID/@worker
 *	/jobs		cubby.jobs
 *
 * and where a region lies:
 *
 *	pixels		cubby-UID/.region.pixels
 *	/pixels		cubby-region.pixels
 *
 * The root must belong to the user or to root, and be sticky if others may write
 * there; cubby-UID must be the user's own, and closed to others. The directories
 * of mailboxes are made and removed under names that begin with a dot, which no
 * mailbox has.
 */
#ifndef CUBBY_NAMES_H
#define CUBBY_NAMES_H

#include "base.h"

#include <limits.h>

#define NAMES_OWN "cubby-"	/* and the user id, in decimal */
#define NAMES_SHARED "cubby."	/* and the name */
#define NAMES_OWN_REGION ".region."	/* and the name: in cubby-UID */
#define NAMES_SHARED_REGION "cubby-region."	/* no user's number, so no
						   clash with NAMES_OWN */
#define NAMES_NEW ".cubby.new."	/* and 16 hex digits: being made */
#define NAMES_GONE ".cubby.gone."	/* and the uuid: being removed */

struct place {
	int parent;			/* descriptor of the directory that holds
					   the mailbox's, to be closed */
	char entry[NAME_MAX + 1];	/* the mailbox's directory in it */
};

/*
 * Finds the place of a name. make: the user's own directory is made if it is
 * missing. Errors: -EINVAL -ENAMETOOLONG (the name), -ENOENT (no directory, so
 * no mailbox), -EPERM (not safe to use), and the kernel's.
 */
int
names_find(const char *name, bool make, struct place *ret);

/* The same of a region. */
int
names_find_region(const char *name, bool make, struct place *ret);

/* Checks the name alone. Errors: -EINVAL -ENAMETOOLONG. */
int
names_check(const char *name);

/* Is it a process's inbox: "@worker", or machine-wide "/@worker"? */
bool
names_is_inbox(const char *name);

/* The directories that hold mailboxes: the user's own (-ENOENT: it has none),
   and the machine's. Returns a descriptor, to be closed. */
int
names_own_directory(void);
int
names_shared_directory(void);

/* The name under which a mailbox of that uuid is removed. */
void
names_gone(const uint8_t uuid[16], char ret[NAME_MAX + 1]);

#endif
