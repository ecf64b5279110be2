/* SPDX-License-Identifier: MIT */
#ifndef BENCH_LINE_H
#define BENCH_LINE_H
/*
 * The bare ping-pong: one line each way, and in each a counter. There is
 * nothing simpler between two cores that share memory, so it is the bound of a
 * round trip, and it tells how far apart the two cores are.
 *
 * There are two forms. In the tight one, each side looks at its line without a
 * break; this one is the probe. It is not the fastest: the look of who waits
 * takes the line away from who is about to write it. With a pause between two
 * looks that happens less often, and the trip is shorter by up to a half,
 * though it varies more.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "words.h"

/* Each line has its neighbour too, which some processors fetch along. */
struct line_pair {
	_Alignas(128) _Atomic uint64_t question; /* who asks writes */
	_Alignas(128) _Atomic uint64_t answer;	 /* who answers */
	/* private, each side its own */
	_Alignas(128) uint64_t asked;
	_Alignas(128) uint64_t answered;
};

static inline void
line_wait(_Atomic uint64_t *line, uint64_t value, bool pausing)
{
	while (atomic_load_explicit(line, memory_order_acquire) != value) {
		if (pausing)
			spin_pause();
	}
}

static inline void
line_ask(struct line_pair *lines, bool pausing)
{
	atomic_store_explicit(&lines->question, ++lines->asked,
			      memory_order_release);
	line_wait(&lines->answer, lines->asked, pausing);
}

static inline void
line_answer(struct line_pair *lines, bool pausing)
{
	line_wait(&lines->question, ++lines->answered, pausing);
	atomic_store_explicit(&lines->answer, lines->answered,
			      memory_order_release);
}

#endif
