/* SPDX-License-Identifier: MIT */
/* Layer 12. May include: base layout. */
/*
 * Looking at a queue from outside: read-only, without its lock, so the counts are
 * those of slightly different moments.
 */
#ifndef CUBBY_INSPECT_QUEUE_H
#define CUBBY_INSPECT_QUEUE_H

#include "base.h"
#include "layout.h"

#include <cubby.h>

/* Fills in what the messages and the participants make. What the caller may not
   see is CUBBY_UNKNOWN. Errors: -EBADMSG and the kernel's. */
int
inspect_queue(const struct view *view, struct cubby_info *info);

/* Errors: the same, and -EACCES. */
int
inspect_queue_senders(const struct view *view,
		      int (*visit)(const struct cubby_sender_info *, void *),
		      void *context);
int
inspect_queue_receivers(const struct view *view,
			int (*visit)(const struct cubby_receiver_info *, void *),
			void *context);

#endif
