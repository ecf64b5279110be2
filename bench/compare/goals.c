/* SPDX-License-Identifier: MIT */
/*
 * The goals: each is the ratio of cubby to the best of some peers, in one test.
 * Of each lap in which both have a round of the same class the ratio is taken,
 * and the median counts (without such a lap, the ratio of both medians), for near
 * and far each; the worse of the two decides.
 *
 * Ours is one way of cubby's (copied, or in place; batches do not count), the same
 * in every class: the one that the goal is about or, where it is about either, the
 * better one over all classes. Beside it stands the best of the peers in that
 * class.
 *
 * A class is judged if both have rounds there. One in which ours has none is not,
 * whichever other row of cubby's has some: that would be the figure of something
 * else. Nor is one in which a peer has none that may be better than the best of
 * those that have: "the best" is not known then. What either would be judged by is
 * what counted in the other classes.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "comparison.h"

#define REASON JUDGED_REASON

enum ours {
	EITHER_WAY, /* copied or in place, whichever is better over all */
	IN_PLACE
};

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
	enum sense sense;
	double limit;
	enum ours ours;
	enum beside beside;
};

static const struct bound bounds[] = {
	{ "rate_mailboxes",
	  "one way 1 to 1, 64 bytes, beside the best that blocks, has many "
	  "senders and names",
	  "rate", SHIPPED, 1, 1, 64, AT_LEAST, 5, EITHER_WAY, MAILBOXES },
	{ "rate_rte_ring", "one way 1 to 1, 64 bytes, beside rte_ring SPSC",
	  "rate", SHIPPED, 1, 1, 64, AT_LEAST, 1, EITHER_WAY, RTE_RING },
	{ "rate_3_to_1", "one way 3 to 1, 64 bytes, beside the best of all",
	  "rate", SHIPPED, 3, 1, 64, AT_LEAST, 5, EITHER_WAY, ALL },
	{ "rate_2_to_2", "one way 2 to 2, 64 bytes, beside the best of all",
	  "rate", SHIPPED, 2, 2, 64, AT_LEAST, 5, EITHER_WAY, ALL },
	{ "untouched", "1 MiB in place, untouched, beside the best that copies",
	  "rate_untouched", SHIPPED, 1, 1, 1u << 20, AT_LEAST, 20, IN_PLACE,
	  COPYING },
	{ "in_full",
	  "1 MiB in place, written and read in full, beside the best that "
	  "copies",
	  "rate", SHIPPED, 1, 1, 1u << 20, AT_LEAST, 1.5, IN_PLACE, COPYING },
	{ "round_trip", "there and back, spinning, beside the best of all",
	  "round_trip", SPINNING, 1, 1, 0, AT_MOST, 1, EITHER_WAY, ALL },
	{ "asleep",
	  "there and back, asleep, beside the fastest of pipe, futex, eventfd",
	  "round_trip", ASLEEP, 1, 1, 0, AT_MOST, 1, EITHER_WAY, WAKE_UPS },
	{ "even_load",
	  "processor time a message at 10,000 a second, beside the best of all",
	  "even_load", SHIPPED, 1, 1, 0, AT_MOST, 1, EITHER_WAY, ALL },
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
is_ours(const struct peer *peer, enum ours ours)
{
	return peer->kind == KIND_OURS && !(peer->offers & OFFERS_BATCHES) &&
	       (ours == EITHER_WAY || (peer->offers & OFFERS_IN_PLACE));
}

/* Who is meant ------------------------------------------------------------ */

static size_t
rounds_of(const struct entry *entry)
{
	size_t count = 0;

	for (enum distance i = 0; i < DISTANCES; i++)
		count += entry->values[i].count;
	return count;
}

/* Of the first's median there to the other's, a ratio in which more is better. */
static double
advantage_there(const struct bound *goal, struct entry *one,
		struct entry *other, enum distance distance)
{
	double ratio = sample_quantile(&one->values[distance], 0.5) /
		       sample_quantile(&other->values[distance], 0.5);

	return goal->sense == AT_MOST ? 1 / ratio : ratio;
}

/* The same over all classes in which both have rounds, each as heavy as the
   others; not a number: there is none. */
static double
advantage(const struct bound *goal, struct entry *one, struct entry *other)
{
	double product = 1;
	bool some = false;

	for (enum distance i = 0; i < DISTANCES; i++) {
		if (!one->values[i].count || !other->values[i].count)
			continue;
		product *= advantage_there(goal, one, other, i);
		some = true;
	}
	return some ? product : NAN;
}

/* Where nothing compares them, the one that more is known of. */
static bool
is_better(const struct bound *goal, struct entry *one, struct entry *other)
{
	double its = advantage(goal, one, other);

	return isnan(its) ? rounds_of(one) > rounds_of(other) : its > 1;
}

/* NULL: no round of it counted, in any class. */
static struct entry *
find_ours(struct outcome *outcome, const struct bound *goal)
{
	struct entry *found = NULL;

	for (int i = 0; i < outcome->count; i++) {
		struct entry *entry = &outcome->entries[i];

		if (is_ours(entry->peer, goal->ours) && rounds_of(entry) &&
		    (!found || is_better(goal, entry, found)))
			found = entry;
	}
	return found;
}

/* The best of the peers that have rounds there; NULL: none has. */
static struct entry *
best_beside(struct outcome *outcome, const struct bound *goal,
	    enum distance distance)
{
	struct entry *found = NULL;

	for (int i = 0; i < outcome->count; i++) {
		struct entry *entry = &outcome->entries[i];

		if (entry->values[distance].count &&
		    is_beside(entry->peer, goal->beside) &&
		    (!found ||
		     advantage_there(goal, entry, found, distance) > 1))
			found = entry;
	}
	return found;
}

/* A peer without rounds there that is better than that one elsewhere, as far as
   is known; NULL: there is none. */
static struct entry *
lacking_beside(struct outcome *outcome, const struct bound *goal,
	       struct entry *best, enum distance distance)
{
	for (int i = 0; i < outcome->count; i++) {
		struct entry *entry = &outcome->entries[i];

		if (is_beside(entry->peer, goal->beside) && rounds_of(entry) &&
		    !entry->values[distance].count &&
		    !(advantage(goal, best, entry) >= 1))
			return entry;
	}
	return NULL;
}

/* Judging ----------------------------------------------------------------- */

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

/* The one beside which that class is judged; NULL: it is not, the reason is told. */
static struct entry *
find_beside(struct outcome *outcome, const struct bound *goal,
	    struct entry *over, enum distance distance, char ret_reason[])
{
	const char *class = distance_names[distance], *name;
	struct entry *best = best_beside(outcome, goal, distance);
	struct entry *lacking = NULL;

	if (best && over->values[distance].count) {
		lacking = lacking_beside(outcome, goal, best, distance);
		if (!lacking)
			return best;
	}
	if (!outcome->rounds[distance]) {
		snprintf(ret_reason, REASON, "no round was %s", class);
	} else {
		name = lacking ? lacking->peer->name :
		       best    ? over->peer->name :
				 "any of the others";
		snprintf(ret_reason, REASON, "no %s round of %s counted%s",
			 class, name, lacking ? ", which may be the best" : "");
	}
	return NULL;
}

static double
judge_class(struct outcome *outcome, const struct bound *goal,
	    struct entry *over, enum distance distance, struct judged *judged)
{
	struct entry *under = find_beside(outcome, goal, over, distance,
					  judged->reasons[distance]);
	double value;

	if (!under)
		return NAN;
	value = ratio(outcome, over, under, distance);
	/* The name of what decides. */
	if (report_worse(goal->sense, judged->value, value) == value) {
		judged->value = value;
		snprintf(judged->beside, sizeof(judged->beside), "%s",
			 under->peer->name);
	}
	return value;
}

static void
judge_classes(struct outcome *outcome, const struct bound *goal,
	      struct entry *over, struct judged *judged)
{
	snprintf(judged->ours, sizeof(judged->ours), "%s", over->peer->name);
	judged->near = judge_class(outcome, goal, over, NEAR, judged);
	judged->far = judge_class(outcome, goal, over, FAR, judged);
	if (isnan(judged->value)) {
		judge_class(outcome, goal, over, MIXED, judged);
		judge_class(outcome, goal, over, CROWDED, judged);
	}
	if (isnan(judged->value))
		judged->reason = "no class can be judged";
}

static void
judge(struct outcome *outcome, const struct bound *goal, struct judged *judged)
{
	struct entry *over = find_ours(outcome, goal);

	*judged = (struct judged){ .sense = goal->sense,
				   .limit = goal->limit,
				   .near = NAN,
				   .far = NAN,
				   .value = NAN };
	if (goal->size)
		snprintf(judged->name, sizeof(judged->name), "%s", goal->name);
	else
		snprintf(judged->name, sizeof(judged->name), "%s_%zu",
			 goal->name, outcome->comparison->size);
	snprintf(judged->text, sizeof(judged->text), "%s", goal->text);
	if (over)
		judge_classes(outcome, goal, over, judged);
	else
		judged->reason = goal->ours == IN_PLACE ?
					 "no round of cubby, in place counted" :
					 "no round of cubby counted";
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
