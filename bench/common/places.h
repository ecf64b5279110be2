/* SPDX-License-Identifier: MIT */
#ifndef BENCH_PLACES_H
#define BENCH_PLACES_H
/*
 * Which processors a round runs on, and how far apart they are: by the time that
 * a bare line takes there and back between two of them.
 */
#include <stdbool.h>

#include "settings.h"

/* ALONE: a process by itself, for which there is no distance. CROWDED: more
   processes than processors. */
enum distance { NEAR, FAR, MIXED, SIBLING, ALONE, CROWDED, DISTANCES };

extern const char *const distance_names[DISTANCES];

/* Puts processes on these and tells the ns between the first and each other;
   false: it cannot any more. */
typedef bool
places_probe(void *context, const int cpus[], int count, double ret_ns[]);

struct places {
	double pairs[CPUS_MAX][CPUS_MAX]; /* ns, by index in the settings */
};

/* Tries all pairs of processors. False: the probe could not. */
bool
places_scan(struct places *places, const struct settings *settings,
	    places_probe *probe, void *context);

/*
 * Chooses count processors such that each of the others is wanted from the
 * first, and no two share a core. turn: another one, other processors, if there
 * are. False: there are none such.
 */
bool
places_choose(const struct places *places, const struct settings *settings,
	      int count, enum distance wanted, int turn, int ret_cpus[]);

/* As they come. */
void
places_any(const struct settings *settings, int count, int turn,
	   int ret_cpus[]);

/* What ns[1] to ns[count - 1] say of processors all in all. */
enum distance
places_class(const struct settings *settings, const double ns[], int count);

#endif
