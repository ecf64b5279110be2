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

/* The same clock at the kernel's last tick, 1 to 10 ms ago at the most. Costs a
   quarter: no counter of the processor is read. */
int64_t
clock_tick(void);

#endif
