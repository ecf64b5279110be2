/* SPDX-License-Identifier: MIT */
#ifndef BENCH_SEVERAL_H
#define BENCH_SEVERAL_H
/*
 * cubby_wait() for one mailbox that has messages and for idle ones beside it, and
 * then a receive; or the receive alone.
 */
#include "bench.h"

enum { PLAIN, WAIT_1, WAIT_8, WAIT_64, SEVERAL_COUNTS };

/* There and back between two processes; who answers waits. */
extern const struct contender several_round_trip[SEVERAL_COUNTS];

/* One process by itself, which sends each message before it waits. */
extern const struct contender several_ready[SEVERAL_COUNTS];

#endif
