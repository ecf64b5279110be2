/* SPDX-License-Identifier: MIT */
#ifndef BENCH_BROADCASTS_H
#define BENCH_BROADCASTS_H
/* One sender, whose every receiver gets every message; of 40 bytes. */
#include "bench.h"

/* The sender waits for the slowest. */
extern const struct contender broadcast_to_one;
extern const struct contender broadcast_to_two;
extern const struct contender broadcast_to_three;
/* The slow are overtaken; what the first receiver gets is counted. */
extern const struct contender broadcast_overtaking_one;
extern const struct contender broadcast_overtaking_three;

#endif
