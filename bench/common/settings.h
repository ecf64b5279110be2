/* SPDX-License-Identifier: MIT */
#ifndef BENCH_SETTINGS_H
#define BENCH_SETTINGS_H
/*
 * How to measure, and where: what the options of the programs say.
 */
#include <stdint.h>

#define MEMBERS_MAX 8 /* processes that a round has at most */
#define CPUS_MAX 64

struct settings {
	int cpus[CPUS_MAX];
	int cpu_count;
	int rounds;		    /* laps to keep, of near and of far each */
	uint64_t duration;	    /* ns of a round */
	uint64_t hunt;		    /* ns to look for a class not seen so far */
	double near_from, far_from; /* ns of a bare round trip */
};

#endif
