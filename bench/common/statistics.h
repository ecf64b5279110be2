/* SPDX-License-Identifier: MIT */
#ifndef BENCH_STATISTICS_H
#define BENCH_STATISTICS_H

#include <stddef.h>

struct sample {
	double *values;
	size_t count, room;
};

void
sample_add(struct sample *sample, double value);

/* Of a sample that is not empty; fraction 0.5 is the median. */
double
sample_quantile(struct sample *sample, double fraction);

void
sample_free(struct sample *sample);

#endif
