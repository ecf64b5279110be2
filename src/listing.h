/* SPDX-License-Identifier: MIT */
/* Layer 6. May include: base names. */
/*
 * What has a name: the user's own, then the machine's, each part sorted.
 */
#ifndef CUBBY_LISTING_H
#define CUBBY_LISTING_H

#include "base.h"

/* Directories with that file in them, whose entries begin so. */
struct listing_kind {
	const char *own;	/* in the user's directory; "": not with a dot */
	const char *shared;	/* in the root */
	const char *file;
};

/*
 * Calls visit with the name of each, until it returns other than 0. Returns
 * what visit last returned. Errors: -ENOMEM -EPERM, and the kernel's.
 */
int
listing_visit(const struct listing_kind *kind,
	      int (*visit)(const char *name, void *context), void *context);

#endif
