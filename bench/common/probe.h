/* SPDX-License-Identifier: MIT */
#ifndef BENCH_PROBE_H
#define BENCH_PROBE_H
/*
 * How far apart two processors are: two processes on them, which have met, bounce
 * a bare line.
 */
#include "line.h"

#define PROBE_TRIPS 100u /* of a batch, where each has a processor of its own */

/* The ns of one trip, there and back; who answers has to do the same number. */
double
probe_ask(struct line_pair *lines, unsigned trips);

void
probe_answer(struct line_pair *lines, unsigned trips);

#endif
