/* SPDX-License-Identifier: MIT */
/* Who waits in vain: waits.h says what that is, and how it is found. */
#include "waits.h"

#include <string.h>

struct graph {
	const struct wait *waits;
	size_t count;
	struct judgement *processes;
	size_t process_count;
};

/* One that waits for a message which it could send itself is idle. */
static bool
is_idle(const struct wait *wait)
{
	if (wait->kind != WAIT_MESSAGE)
		return false;
	for (size_t i = 0; i < wait->helper_count; i++)
		if (wait->helpers[i] == wait->process)
			return true;
	return false;
}

static bool
is_helped(const struct graph *graph, const struct wait *wait)
{
	for (size_t i = 0; i < wait->helper_count; i++)
		if (graph->processes[wait->helpers[i]].goes_on)
			return true;
	return false;
}

/* Whom nothing holds: it runs, has no wait, or one that a stranger may end. */
static void
mark_free(const struct graph *graph, const bool *runs)
{
	for (size_t p = 0; p < graph->process_count; p++)
		graph->processes[p].goes_on = true;
	for (size_t i = 0; i < graph->count; i++)
		graph->processes[graph->waits[i].process].goes_on = false;
	for (size_t i = 0; i < graph->count; i++) {
		const struct wait *wait = &graph->waits[i];

		if (wait->open || !wait->helper_count || is_idle(wait) ||
		    runs[wait->process])
			graph->processes[wait->process].goes_on = true;
	}
}

/* And whom those help, until there are no more. */
static void
spread(const struct graph *graph)
{
	bool again = true;

	while (again) {
		again = false;
		for (size_t i = 0; i < graph->count; i++) {
			const struct wait *wait = &graph->waits[i];
			struct judgement *p = &graph->processes[wait->process];

			if (p->goes_on || !is_helped(graph, wait))
				continue;
			p->goes_on = true;
			again = true;
		}
	}
}

/* Marks the helpers of a wait. Returns how many had no mark. */
static size_t
reach_helpers(const struct graph *graph, const struct wait *wait)
{
	size_t fresh = 0;

	for (size_t i = 0; i < wait->helper_count; i++) {
		struct judgement *p = &graph->processes[wait->helpers[i]];

		fresh += !p->reached;
		p->reached = true;
	}
	return fresh;
}

/* Marks all that process waits for, by however many steps; itself only if it
   waits for itself. Returns how many. */
static size_t
reach(const struct graph *graph, size_t process)
{
	size_t size = 0, fresh;

	for (size_t p = 0; p < graph->process_count; p++)
		graph->processes[p].reached = false;
	for (size_t i = 0; i < graph->count; i++)
		if (graph->waits[i].process == process)
			size += reach_helpers(graph, &graph->waits[i]);
	do {
		fresh = 0;
		for (size_t i = 0; i < graph->count; i++)
			if (graph->processes[graph->waits[i].process].reached)
				fresh += reach_helpers(graph, &graph->waits[i]);
		size += fresh;
	} while (fresh);
	return size;
}

static bool
is_to_be_judged(const struct graph *graph, size_t p)
{
	return !graph->processes[p].goes_on &&
	       graph->processes[p].verdict == GOES_ON;
}

/*
 * Of all whom nobody has judged yet, the one that waits for the fewest: those
 * wait for nobody else, so they wait for each other. Returns whether there was
 * one.
 */
static bool
find_knot(const struct graph *graph, size_t knot)
{
	size_t best = 0, fewest = graph->process_count + 1, size;

	for (size_t p = 0; p < graph->process_count; p++) {
		if (!is_to_be_judged(graph, p))
			continue;
		size = reach(graph, p);
		if (size < fewest) {
			fewest = size;
			best = p;
		}
	}
	if (fewest > graph->process_count)
		return false;
	reach(graph, best);
	for (size_t p = 0; p < graph->process_count; p++) {
		if (!graph->processes[p].reached)
			continue;
		graph->processes[p].verdict = DEADLOCKED;
		graph->processes[p].knot = knot;
	}
	return true;
}

static bool
reaches_knot(const struct graph *graph, size_t process)
{
	reach(graph, process);
	for (size_t p = 0; p < graph->process_count; p++)
		if (graph->processes[p].reached &&
		    graph->processes[p].verdict == DEADLOCKED)
			return true;
	return false;
}

/* Those that wait for somebody in a knot, and are in none, are behind it. */
static void
mark_behind(const struct graph *graph)
{
	for (size_t p = 0; p < graph->process_count; p++)
		if (is_to_be_judged(graph, p) && reaches_knot(graph, p))
			graph->processes[p].verdict = WAITS_IN_VAIN;
}

size_t
waits_judge(const struct wait *waits, size_t count, const bool *runs,
	    size_t processes, struct judgement *ret)
{
	const struct graph graph = { waits, count, ret, processes };
	size_t knots = 0;

	memset(ret, 0, processes * sizeof(*ret));
	mark_free(&graph, runs);
	spread(&graph);
	while (find_knot(&graph, knots)) {
		knots++;
		mark_behind(&graph);
	}
	return knots;
}
