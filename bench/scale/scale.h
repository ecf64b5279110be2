/* SPDX-License-Identifier: MIT */
#ifndef BENCH_SCALE_H
#define BENCH_SCALE_H
/*
 * What growth costs: each test draws curves, a value against how many there are
 * of something. What the machine cannot do ends a curve there, and says why.
 *
 * Ratios are of rounds of one lap, one after the other (rows.h has what becomes
 * of them). All mailboxes lie in a root of the program's own, root.h.
 */
#include "../bench.h"
#include "../common/statistics.h"

#define POINTS_MAX 24

struct scale {
	struct settings settings;
	bool quick; /* a smoke run: every part, nothing of any size */
};

struct scale_test {
	const char *name, *title;
	/* False: something failed that should not. */
	bool (*run)(const struct scale *scale);
};

extern const struct scale_test idle_senders_test;
extern const struct scale_test busy_senders_test;
extern const struct scale_test receivers_test;
extern const struct scale_test oversubscribed_test;
extern const struct scale_test mailboxes_test;
extern const struct scale_test memory_test;
extern const struct scale_test open_test;
extern const struct scale_test backlog_test;
extern const struct scale_test sizes_test;

/* Says what failed, on standard error. Returns false. */
bool
scale_fail(const char *test, const char *what, int error);

#endif
