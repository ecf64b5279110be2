/* SPDX-License-Identifier: MIT */
#ifndef BENCH_OTHERS_H
#define BENCH_OTHERS_H
/*
 * Peers: what people use today. Each is optional. One that was not found when
 * this was configured is here all the same, and says that it is absent.
 */
#include "../bench.h"

/* DPDK's ring, one sender and one receiver, elements of 40 and of 64 bytes. */
extern const struct contender dpdk_stream_40;
extern const struct contender dpdk_stream_64;

/* A POSIX message queue: messages of 64 bytes, two senders to two receivers; as
   deep as the system allows everyone, or deeper. Blocking; or never, again and
   again. */
extern const struct contender posix_queue_10;
extern const struct contender posix_queue_10_polling;
extern const struct contender posix_queue_128;
extern const struct contender posix_queue_128_polling;

#endif
