/* SPDX-License-Identifier: MIT */
#ifndef BENCH_BATCHES_H
#define BENCH_BATCHES_H
/*
 * cubby with many messages in one call, each way. The capacity is the default,
 * 128, as deep as the reference ring is.
 */
#include "bench.h"

/* The reference ring with messages of 64 bytes: reference/ring_64.h. */
extern const struct contender ring_64_stream;

/* Messages of 64 bytes. */
extern const struct contender batch_single; /* cubby_send, cubby_receive */
extern const struct contender batch_1;
extern const struct contender batch_8;
extern const struct contender batch_32;
extern const struct contender batch_256;

extern const struct contender batch_32_of_40;
extern const struct contender batch_32_of_1024;

#endif
