/* SPDX-License-Identifier: MIT */
/* Layer 0. May include: base. */
/*
 * CLOCK_MONOTONIC in nanoseconds: the only clock of the library. A step of the
 * wall clock changes nothing. (Read through the vDSO: no system call.)
 */
#ifndef CUBBY_CLOCK_H
#define CUBBY_CLOCK_H

#include "base.h"

int64_t
clock_now(void);

#endif
