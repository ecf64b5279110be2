/* SPDX-License-Identifier: MIT */
/* Layer 6. May include: base layout. */
/*
 * From what a caller asks for (struct cubby_options) to what a mailbox is
 * (struct attributes): defaults, limits, and whether an existing one agrees.
 */
#ifndef CUBBY_OPTIONS_H
#define CUBBY_OPTIONS_H

#include "base.h"
#include "layout.h"

#include <cubby.h>

/* The caller's options, whatever version of the struct it was compiled with;
   NULL: all defaults. Errors: -EINVAL. */
int
options_read(const struct cubby_options *options, struct cubby_options *ret);

/* What to make. parent: a descriptor in the file system it will lie in. Errors:
   -EINVAL, -EOPNOTSUPP (an order that is not to be had), fstatfs's. */
int
options_attributes(const struct cubby_options *options, int parent,
		   struct attributes *ret);

/* Does what exists agree with what was asked for? Errors: -EEXIST. */
int
options_agree(const struct cubby_options *options,
	      const struct attributes *attributes);

/* The group asked for: a name, a number, or none: the process's. Errors: -EINVAL
   (there is no such group), -ENOMEM -EMFILE -ENFILE -EINTR -EIO. */
int
options_group(const struct cubby_options *options, gid_t *ret);

#endif
