/* SPDX-License-Identifier: MIT */
/* Layer 1. May include: base atomics clock spin. */
/*
 * Adaptive looking before a sleep; see spin.h. It decides only when to sleep,
 * never what has happened.
 */
#include "base.h"
#include "clock.h"
#include "spin.h"

#include <sched.h>

#define LOOKS_PER_CLOCK	16

void
spin_init(struct spin *spin)
{
	cpu_set_t cpus;

	spin->budget = 20 * NSEC_PER_USEC;
	if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0 &&
	    CPU_COUNT(&cpus) == 1)
		spin->budget = 0;
}

void
spin_begin(struct spin *spin)
{
	spin->began = 0;
	spin->looks = 0;
}

bool
spin_again(struct spin *spin)
{
	if (!spin->budget)
		return false;
	cpu_relax();
	if (++spin->looks % LOOKS_PER_CLOCK)
		return true;
	if (!spin->began) {
		spin->began = clock_now();
		return true;
	}
	return clock_now() - spin->began < spin->budget;
}

void
spin_end(struct spin *spin)
{
	int64_t took;

	if (!spin->budget || !spin->began)
		return;		/* it took no time to speak of */
	took = clock_now() - spin->began;
	if (took > SPIN_LONGEST)
		spin->budget /= 2;
	else if (2 * took > spin->budget)
		spin->budget = 2 * took;
	if (spin->budget > SPIN_LONGEST)
		spin->budget = SPIN_LONGEST;
	if (spin->budget < SPIN_SHORTEST)
		spin->budget = SPIN_SHORTEST;
}
