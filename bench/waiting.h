/* SPDX-License-Identifier: MIT */
#ifndef BENCH_WAITING_H
#define BENCH_WAITING_H
/*
 * What it costs to receive a message and to send one in its place, while so many
 * wait. One process by itself, messages of 64 bytes.
 */
#include "bench.h"

enum { WAITING_10, WAITING_1000, WAITING_100000, WAITING_COUNTS };

extern const struct contender waiting_first[WAITING_COUNTS];
extern const struct contender waiting_type[WAITING_COUNTS];
extern const struct contender waiting_not_type[WAITING_COUNTS];
extern const struct contender waiting_lowest[WAITING_COUNTS];
extern const struct contender waiting_priority[WAITING_COUNTS];
/* A synchronous send that nobody takes, until it has been withdrawn. */
extern const struct contender waiting_withdrawal[WAITING_COUNTS];

#endif
