/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "statistics.h"

void
sample_add(struct sample *sample, double value)
{
	if (sample->count == sample->room) {
		sample->room = sample->room ? 2 * sample->room : 64;
		sample->values = realloc(sample->values,
					 sample->room * sizeof(double));
		if (!sample->values)
			abort();
	}
	sample->values[sample->count++] = value;
}

static int
compare(const void *one, const void *other)
{
	double a = *(const double *)one, b = *(const double *)other;

	return (a > b) - (a < b);
}

double
sample_quantile(struct sample *sample, double fraction)
{
	double place = fraction * (double)(sample->count - 1);
	size_t below = (size_t)place;
	double part = place - (double)below;

	qsort(sample->values, sample->count, sizeof(double), compare);
	if (below + 1 == sample->count)
		return sample->values[below];
	return sample->values[below] * (1 - part) +
	       sample->values[below + 1] * part;
}

void
sample_free(struct sample *sample)
{
	free(sample->values);
	*sample = (struct sample){ NULL, 0, 0 };
}
