/* SPDX-License-Identifier: MIT */
/* Layer 0. May include: base. */
/*
 * cubby_strerror() and cubby_version(): the words of the library (declared in
 * cubby.h), and nothing else.
 */
#ifndef CUBBY_ERROR_H
#define CUBBY_ERROR_H

#include "base.h"

#endif
