/* SPDX-License-Identifier: MIT */
#ifndef BENCH_CALLS_H
#define BENCH_CALLS_H
#include "bench.h"

/* cubby_call() of 40 bytes, answered with as many. */
extern const struct contender cubby_calls;

/* The same of a server that holds each request until it has replied. */
extern const struct contender cubby_calls_held;

#endif
