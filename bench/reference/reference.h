/* SPDX-License-Identifier: MIT */
#ifndef BENCH_REFERENCE_H
#define BENCH_REFERENCE_H
/*
 * The bounds that cubby is measured beside, as contenders: bare shared memory,
 * each with the least that its job can be done with.
 */
#include "../bench.h"

/* Round trip of one line each way, spinning: line.h. */
extern const struct contender bare_lines;
extern const struct contender bare_lines_pausing;

/* The reference ring (ring.h): one way; and two of them, there and back. */
extern const struct contender ring_stream;
extern const struct contender ring_stream_from_three; /* a ring for each */
extern const struct contender ring_round_trip;

/* Round trip by futex; the answering side is asleep when it is asked. */
extern const struct contender futex_round_trip;		 /* both sleep */
extern const struct contender futex_round_trip_spinning; /* the asker spins */

/*
 * Messages of 1 MiB through two bare buffers, written and read in full; in
 * memory that both share, and in memory that each has for itself.
 */
extern const struct contender buffer_shared;
extern const struct contender buffer_private;

#endif
