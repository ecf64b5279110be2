/* SPDX-License-Identifier: MIT */
/*
 * The goals: each is the ratio of cubby to the best of some peers, in one test.
 * Of each lap in which both have a round of the same class the ratio is taken,
 * and the median counts (without such a lap, the ratio of both medians), for near
 * and far each; the worse of the two decides.
 * Which of cubby's ways (copied, or in place) and which peer is the best, their
 * medians tell; batches do not count.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "comparison.h"

enum beside {
	ALL,	   /* peers, not floors */
	MAILBOXES, /* those that block, have many senders, and names */
	COPYING,   /* those that copy */
	RTE_RING,
	WAKE_UPS /* pipe, futex, eventfd */
};

struct bound {
	const char *name, *text;
	const char *test;
	enum mode mode;
	int senders, receivers;
	size_t size; /* 0: each */
	bool at_most;
	double limit;
	enum beside beside;
};

static const struct bound bounds[] = {
	{ "rate_mailboxes",
	  "one way 1 to 1, 64 bytes, beside the best that blocks, has many "
	  "senders and names",
	  "rate", SHIPPED, 1, 1, 64, false, 5, MAILBOXES },
	{ "rate_rte_ring", "one way 1 to 1, 64 bytes, beside rte_ring SPSC",
	  "rate", SHIPPED, 1, 1, 64, false, 1, RTE_RING },
	{ "rate_3_to_1", "one way 3 to 1, 64 bytes, beside the best of all",
	  "rate", SHIPPED, 3, 1, 64, false, 5, ALL },
	{ "rate_2_to_2", "one way 2 to 2, 64 bytes, beside the best of all",
	  "rate", SHIPPED, 2, 2, 64, false, 5, ALL },
	{ "untouched", "1 MiB in place, untouched, beside the best that copies",
	  "rate_untouched", SHIPPED, 1, 1, 1u << 20, false, 20, COPYING },
	{ "in_full",
	  "1 MiB written and read in full, beside the best that copies", "rate",
	  SHIPPED, 1, 1, 1u << 20, false, 1.5, COPYING },
	{ "round_trip", "there and back, spinning, beside the best of all",
	  "round_trip", SPINNING, 1, 1, 0, true, 1, ALL },
	{ "asleep",
	  "there and back, asleep, beside the fastest of pipe, futex, eventfd",
	  "round_trip", ASLEEP, 1, 1, 0, true, 1, WAKE_UPS },
	{ "even_load",
	  "processor time a message at 10,000 a second, beside the best of all",
	  "even_load", SHIPPED, 1, 1, 0, true, 1, ALL },
};
#define GOALS (sizeof(bounds) / sizeof(*bounds))

static bool
is_beside(const struct peer *peer, enum beside beside)
{
	const unsigned mailbox = OFFERS_BLOCKING | OFFERS_MANY_SENDERS |
				 OFFERS_NAMES;

	if (beside == WAKE_UPS)
		return peer->kind == KIND_FLOOR || !strcmp(peer->name, "pipe");
	if (peer->kind != KIND_PEER || (peer->offers & OFFERS_BATCHES))
		return false;
	if (beside == MAILBOXES)
		return (peer->offers & mailbox) == mailbox;
	if (beside == COPYING)
		return !(peer->offers & OFFERS_IN_PLACE);
	return beside == ALL || !strcmp(peer->name, "DPDK rte_ring, SPSC");
}

static bool
is_ours(const struct peer *peer)
{
	return peer->kind == KIND_OURS && !(peer->offers & OFFERS_BATCHES);
}

/* The entry with the best median there; NULL: there is none. */
static struct entry *
best(struct outcome *outcome, const struct bound *goal, bool ours,
     enum distance distance)
{
	struct entry *found = NULL;
	double its = 0;

	for (int i = 0; i < outcome->count; i++) {
		struct entry *entry = &outcome->entries[i];
		struct sample *values = &entry->values[distance];
		double median;

		if (!values->count ||
		    !(ours ? is_ours(entry->peer) :
			     is_beside(entry->peer, goal->beside)))
			continue;
		median = sample_quantile(values, 0.5);
		if (!found || (goal->at_most ? median < its : median > its)) {
			found = entry;
			its = median;
		}
	}
	return found;
}

static double
ratio(const struct outcome *outcome, struct entry *over, struct entry *under,
      enum distance distance)
{
	struct sample ratios = { NULL, 0, 0 };
	double median = NAN;

	for (int i = 0; i < outcome->laps; i++) {
		if (over->laps[i].value > 0 && under->laps[i].value > 0 &&
		    over->laps[i].distance == distance &&
		    under->laps[i].distance == distance)
			sample_add(&ratios,
				   over->laps[i].value / under->laps[i].value);
	}
	if (ratios.count)
		median = sample_quantile(&ratios, 0.5);
	else
		/* No lap has both: the medians of the run. */
		median = sample_quantile(&over->values[distance], 0.5) /
			 sample_quantile(&under->values[distance], 0.5);
	sample_free(&ratios);
	return median;
}

static double
judge_class(struct outcome *outcome, const struct bound *goal,
	    enum distance distance, struct judged *judged)
{
	struct entry *over = best(outcome, goal, true, distance);
	struct entry *under = best(outcome, goal, false, distance);
	double value;

	if (!over || !under)
		return NAN;
	value = ratio(outcome, over, under, distance);
	/* The names of what decides. */
	if (isnan(judged->value) ||
	    (goal->at_most ? value > judged->value : value < judged->value)) {
		judged->value = value;
		snprintf(judged->ours, sizeof(judged->ours), "%s",
			 over->peer->name);
		snprintf(judged->beside, sizeof(judged->beside), "%s",
			 under->peer->name);
	}
	return value;
}

static void
judge(struct outcome *outcome, const struct bound *goal, struct judged *judged)
{
	*judged = (struct judged){ .at_most = goal->at_most,
				   .limit = goal->limit,
				   .value = NAN };
	if (goal->size)
		snprintf(judged->name, sizeof(judged->name), "%s", goal->name);
	else
		snprintf(judged->name, sizeof(judged->name), "%s_%zu",
			 goal->name, outcome->comparison->size);
	snprintf(judged->text, sizeof(judged->text), "%s", goal->text);
	judged->near = judge_class(outcome, goal, NEAR, judged);
	judged->far = judge_class(outcome, goal, FAR, judged);
	if (isnan(judged->near) && isnan(judged->far)) {
		judge_class(outcome, goal, MIXED, judged);
		judge_class(outcome, goal, CROWDED, judged);
	}
	if (isnan(judged->value))
		judged->reason = "no class in which rounds of both counted";
}

int
goals_judge(struct outcome *outcome, struct judged *ret, int room)
{
	const struct comparison *comparison = outcome->comparison;
	int count = 0;

	for (size_t i = 0; i < GOALS && count < room; i++) {
		const struct bound *goal = &bounds[i];

		if (!strcmp(goal->test, comparison->test) &&
		    goal->mode == comparison->mode &&
		    goal->senders == comparison->senders &&
		    goal->receivers == comparison->receivers &&
		    (!goal->size || goal->size == comparison->size))
			judge(outcome, goal, &ret[count++]);
	}
	return count;
}
