/* SPDX-License-Identifier: MIT */
/* Layer 11. May include: handle. */
/*
 * Order sender: the operations of a handle whose messages go through lanes.
 */
#ifndef CUBBY_LANES_H
#define CUBBY_LANES_H

#include "handle.h"

extern const struct operations lanes_operations;

#endif
