/* SPDX-License-Identifier: MIT */
/* Layer 12. May include: base layout. */
/*
 * Looking at the receivers of a mailbox of lanes from outside.
 */
#ifndef CUBBY_INSPECT_RECEIVERS_H
#define CUBBY_INSPECT_RECEIVERS_H

#include "base.h"
#include "layout.h"

#include <cubby.h>

/* Tells visit of each that is attached, or has died and not been cleaned up
   after, until it returns another value than 0, and returns that. Errors:
   -EBADMSG, -EACCES and the kernel's. */
int
inspect_receivers(const struct view *view,
		  int (*visit)(const struct cubby_receiver_info *, void *),
		  void *context);

#endif
