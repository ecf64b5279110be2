/* SPDX-License-Identifier: MIT */
#include "places.h"

const char *const distance_names[DISTANCES] = { "near",	 "far",
						"mixed", "sibling",
						"alone", "oversubscribed" };

static enum distance
classify(const struct settings *settings, double ns)
{
	if (ns < settings->near_from)
		return SIBLING;
	return ns < settings->far_from ? NEAR : FAR;
}

bool
places_scan(struct places *places, const struct settings *settings,
	    places_probe *probe, void *context)
{
	double ns[MEMBERS_MAX];

	for (int i = 0; i < settings->cpu_count; i++) {
		for (int j = i + 1; j < settings->cpu_count; j++) {
			int cpus[2] = { settings->cpus[i], settings->cpus[j] };

			if (!probe(context, cpus, 2, ns))
				return false;
			places->pairs[i][j] = places->pairs[j][i] = ns[1];
		}
	}
	return true;
}

/* As indices, beginning with that one. */
static bool
choose_from(const struct places *places, const struct settings *settings,
	    int count, enum distance wanted, int turn, int first, int ret[])
{
	int found = 1;

	ret[0] = first;
	for (int i = 0; i < settings->cpu_count && found < count; i++) {
		/* Start elsewhere each time, so that all get their turn. */
		int j = (i + turn) % settings->cpu_count;
		bool fits = j != first &&
			    classify(settings, places->pairs[first][j]) ==
				    wanted;

		for (int k = 1; fits && k < found; k++)
			fits = classify(settings, places->pairs[ret[k]][j]) !=
			       SIBLING;
		if (fits)
			ret[found++] = j;
	}
	return found == count;
}

bool
places_choose(const struct places *places, const struct settings *settings,
	      int count, enum distance wanted, int turn, int ret_cpus[])
{
	int indices[MEMBERS_MAX];

	for (int i = 0; i < settings->cpu_count; i++) {
		int first = (i + turn) % settings->cpu_count;

		if (!choose_from(places, settings, count, wanted, turn, first,
				 indices))
			continue;
		for (int k = 0; k < count; k++)
			ret_cpus[k] = settings->cpus[indices[k]];
		return true;
	}
	return false;
}

void
places_any(const struct settings *settings, int count, int turn, int ret_cpus[])
{
	for (int k = 0; k < count; k++)
		ret_cpus[k] = settings->cpus[(k + turn) % settings->cpu_count];
}

enum distance
places_class(const struct settings *settings, const double ns[], int count)
{
	enum distance all = classify(settings, ns[1]);

	for (int i = 2; i < count; i++) {
		enum distance its = classify(settings, ns[i]);

		if (its != all)
			all = its == SIBLING || all == SIBLING ? SIBLING :
								 MIXED;
	}
	return all;
}
