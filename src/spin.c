/* SPDX-License-Identifier: MIT */
/* Layer 1. May include: base atomics clock spin. */
/*
 * Adaptive looking before a sleep; see spin.h. It decides only when to sleep,
 * never what has happened.
 */
#include "base.h"
#include "atomics.h"
#include "clock.h"
#include "spin.h"

#include <unistd.h>

#define LOOKS_PER_CLOCK	16
#define LOOKS_SHORTEST	16	/* without a look at the clock */
#define MISSES		3	/* in a row: it does not pay */
#define PROBE_FIRST	16	/* waits */
#define PROBE_LAST	1024

static bool
has_one_processor(void)
{
	return sysconf(_SC_NPROCESSORS_ONLN) == 1;
}

bool
spin_pays(void)
{
	enum { NOT_ASKED, PAYS, DOES_NOT };
	static word32 known;
	uint32_t answer;

	/* relaxed: the word is all there is, and all find the same */
	answer = word32_load_relaxed(&known);
	if (answer == NOT_ASKED) {
		answer = has_one_processor() ? DOES_NOT : PAYS;
		/* relaxed: as above */
		word32_store_relaxed(&known, answer);
	}
	return answer == PAYS;
}

void
spin_init(struct spin *spin)
{
	memset(spin, 0, sizeof(*spin));
	spin->probe_every = PROBE_FIRST;
	spin->until_probe = PROBE_FIRST;
	spin->budget = spin_pays() ? SPIN_LONGEST : 0;
}

void
spin_begin(struct spin *spin)
{
	spin->began = 0;
	spin->looks = 0;
	spin->longest = spin->budget;
	if (spin->budget && --spin->until_probe == 0) {
		spin->longest = SPIN_LONGEST;
		spin->until_probe = spin->probe_every;
	}
}

bool
spin_again(struct spin *spin)
{
	return spin_again_after(spin, 1);
}

bool
spin_again_after(struct spin *spin, uint32_t moments)
{
	uint32_t before = spin->looks, i;
	bool shortest = spin->longest <= SPIN_SHORTEST;

	if (!spin->longest || (shortest && before >= LOOKS_SHORTEST))
		return false;
	for (i = 0; i < moments; i++)
		cpu_relax();
	spin->looks += moments;
	if (shortest)
		return true;
	if (before / LOOKS_PER_CLOCK == spin->looks / LOOKS_PER_CLOCK)
		return true;
	if (!spin->began) {
		spin->began = clock_now();
		return true;
	}
	return clock_now() - spin->began < spin->longest;
}

/* It was not enough. One may be the other side's losing its processor. */
static void
missed(struct spin *spin)
{
	if (spin->longest == SPIN_LONGEST && spin->probe_every < PROBE_LAST)
		spin->probe_every *= 2;
	if (++spin->missed >= MISSES && spin->budget > SPIN_SHORTEST)
		spin->budget /= 2;
}

void
spin_end(struct spin *spin, bool slept)
{
	int64_t took;

	if (!spin->longest)
		return;
	if (slept) {
		missed(spin);
		return;
	}
	spin->missed = 0;
	if (spin->longest <= SPIN_SHORTEST && spin->looks > LOOKS_SHORTEST / 4)
		spin->budget = 2 * SPIN_SHORTEST;	/* a clock is worth it */
	if (!spin->began)
		return;		/* it took no time to speak of */
	took = 2 * (clock_now() - spin->began);
	spin->probe_every = PROBE_FIRST;
	spin->until_probe = PROBE_FIRST;
	if (took > spin->budget)
		spin->budget = took < SPIN_LONGEST ? took : SPIN_LONGEST;
}
