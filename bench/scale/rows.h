/* SPDX-License-Identifier: MIT */
#ifndef BENCH_SCALE_ROWS_H
#define BENCH_SCALE_ROWS_H
/*
 * What came of it: a table on standard output as it goes, and scale.json, which
 * bench/README.md describes.
 */
#include "../common/places.h"
#include "scale.h"

/* One line, or one for each class. Those of one name belong together, and have
   all the same but for the series. */
struct curve {
	const char *name, *title, *series;
	const char *x; /* what there is more and more of */
	const char *unit;
	bool more_is_better;
	bool x_is_bytes;
};

/* Exits with a message if it cannot be written. */
void
rows_open(const char *path, const struct scale *scale);

/* Writes the rest, prints the targets. */
void
rows_close(void);

void
rows_test(const struct scale_test *test);

/* Begins a curve: its rows follow. */
void
rows_curve(const struct curve *curve);

/* One class of processors, of those of rounds that were pinned. */
void
rows_class(const struct curve *curve, double x, enum distance distance,
	   struct sample *values);

/* Rounds that were not pinned, or no rounds. */
void
rows_values(const struct curve *curve, double x, struct sample *values);

void
rows_value(const struct curve *curve, double x, double value);

/* The curve ends before that. */
void
rows_end(const struct curve *curve, double x, const char *reason);

struct target {
	const char *name, *text, *unit;
	enum sense sense;
	double goal;
};

/* reason: why it has not been measured, if value is not a number. near, far: of
   which value is the worse, or not a number. */
void
rows_target(const struct target *target, double value, double near, double far,
	    const char *reason);

#endif
