/* SPDX-License-Identifier: MIT */
#ifndef BENCH_SCALE_STREAM_H
#define BENCH_SCALE_STREAM_H
/*
 * Rates of many processes, which all send or receive as fast as they can, on
 * whatever processors the kernel gives them. Points, which differ in how many
 * there are of each, take turns; one round of each is a lap.
 */
#include "rows.h"
#include "scale.h"
#include "troop.h"

struct stream_point {
	double x;
	int senders, receivers;
	bool pairs; /* one to one, each pair a mailbox of its own */
};

struct stream {
	const char *test;
	const struct stream_point *points;
	int count;
	int laps;
	uint64_t duration; /* ns of a round; a quarter of it is warm-up */

	/* out */
	struct sample rates[POINTS_MAX];
	struct sample ratios[POINTS_MAX]; /* to point 0, of one lap */
	int ended;			  /* points below it were measured */
	char reason[160];		  /* why those are fewer than count */
};

/* False: something failed, and was told. */
bool
stream_run(struct stream *stream);

/* Its rates as a curve. */
void
stream_report(struct stream *stream, const struct curve *curve);

void
stream_free(struct stream *stream);

#endif
