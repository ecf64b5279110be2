/* SPDX-License-Identifier: MIT */
/*
 * The method, as in rounds.c: laps of one short round of each peer, in turns, the
 * other way round each second time, with a bare ping-pong on the same processors
 * right before and after each round. A round whose two answers differ is dropped;
 * so is one in which the kernel took a processor away from a member, unless there
 * are more processes than processors, or the peer's own threads do that, or it is
 * about what a message costs and not how long it takes. Laps are run on near and on far processors until there are enough of each; where one of
 * the two is not to be had, on the other.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "comparison.h"

/* An even load needs time to be told. */
#define PACED_ROUNDS 5u
/* So many messages, or trips, go before where they are large. */
#define LARGE 4096u
#define WARMING 64u
#define WARMING_NS 500000000u /* at most */

struct measuring {
	struct outcome *outcome;
	const struct choice *choice;
	const struct settings *settings;
	struct team *probes;
	struct places places;
	int members, turn;
	bool crowded;
	int laps[DISTANCES];
};

/* Where ------------------------------------------------------------------ */

/* Those who probe begin anew if they got stuck, as on a machine that is very
   busy: nothing is known then. */
static bool
probe_some(void *context, const int cpus[], int count, double ret_ns[])
{
	struct measuring *measuring = context;

	if (team_probe(measuring->probes, cpus, count, ret_ns))
		return true;
	team_stop(measuring->probes);
	measuring->probes = team_start_probes(measuring->members);
	return false;
}

/* How far apart these are now. */
static enum distance
distance_of(struct measuring *measuring, const int cpus[])
{
	double ns[PEER_MEMBERS_MAX];

	if (measuring->crowded)
		return CROWDED;
	if (!probe_some(measuring, cpus, measuring->members, ns))
		return MIXED;
	return places_class(measuring->settings, ns, measuring->members);
}

static bool
choose(struct measuring *measuring, enum distance wanted, int ret_cpus[])
{
	return measuring->laps[wanted] < measuring->settings->rounds &&
	       places_choose(&measuring->places, measuring->settings,
			     measuring->members, wanted, measuring->turn,
			     ret_cpus);
}

/* Of those still short, the rarer; false: they are not to be had now. */
static bool
choose_next(struct measuring *measuring, int ret_cpus[])
{
	enum distance first = measuring->laps[FAR] <= measuring->laps[NEAR] ?
				      FAR :
				      NEAR;

	if (!places_scan(&measuring->places, measuring->settings, probe_some,
			 measuring))
		return false;
	return choose(measuring, first, ret_cpus) ||
	       choose(measuring, first == FAR ? NEAR : FAR, ret_cpus);
}

/* Waits for such processors for as long as is left to hunt. */
static bool
hunt(struct measuring *measuring, uint64_t *left, int ret_cpus[])
{
	const struct timespec step = { 0, 20000000 };
	bool found = choose_next(measuring, ret_cpus);

	while (!found && *left) {
		uint64_t begun = clock_now(), passed;

		nanosleep(&step, NULL);
		found = choose_next(measuring, ret_cpus);
		passed = clock_now() - begun;
		*left -= passed < *left ? passed : *left;
	}
	return found;
}

/* Rounds ----------------------------------------------------------------- */

/* Of the trips of one round; in its bucket by proportion. */
static double
latencies_median(const struct latencies *latencies)
{
	uint64_t total = 0, before = 0;

	for (unsigned i = 0; i < LATENCY_BUCKETS; i++)
		total += latencies->count[i];
	for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
		uint64_t its = latencies->count[i];
		double from = (double)latency_of_bucket(i);
		double to = (double)latency_of_bucket(i + 1);

		if (its && 2 * (before + its) >= total)
			return from +
			       (to - from) *
				       ((double)total / 2 - (double)before) /
				       (double)its;
		before += its;
	}
	return 0;
}

static double
value_of(const struct entry *entry, const struct shared_round *round)
{
	const struct plan *plan = &entry->plan;
	int receivers = plan->channels[0].receivers;
	double value = 0;

	switch (plan->workload) {
	case THERE_AND_BACK:
		return round->member[1].each;
	case THERE_AND_BACK_ASLEEP:
		return latencies_median(&round->latencies);
	case ONE_WAY:
		for (int i = 0; i < receivers; i++)
			value += round->member[i].rate;
		return value;
	case ONE_WAY_PACED:
		for (int i = 0; i < plan->members; i++) {
			const struct member_round *its = &round->member[i];

			if (its->messages)
				value += (double)its->used.processor_ns /
					 (double)its->messages;
		}
		return value;
	}
	return 0;
}

/* Of all members, for one message, or for one trip. */
static void
add_costs(struct entry *entry, const struct shared_round *round,
	  enum distance distance)
{
	const struct plan *plan = &entry->plan;
	double processor = 0, calls = 0, sleeps = 0, messages = 0;

	for (int i = 0; i < plan->members; i++) {
		const struct member_round *its = &round->member[i];
		bool counts = plan->workload < ONE_WAY ?
				      i == 1 :
				      i < plan->channels[0].receivers;

		/* Each side's of its own messages: their times differ a bit. */
		if (plan->workload < ONE_WAY || plan->members == 2) {
			if (its->messages) {
				double its_messages = (double)its->messages;

				processor += (double)its->used.processor_ns /
					     its_messages;
				calls += (double)its->used.calls / its_messages;
			}
		} else {
			processor += (double)its->used.processor_ns;
			calls += (double)its->used.calls;
		}
		sleeps += (double)its->sleeps;
		if (counts)
			messages += (double)its->messages;
	}
	if (!messages)
		return;
	if (plan->workload >= ONE_WAY && plan->members > 2) {
		processor /= messages;
		calls /= messages;
	}
	sample_add(&entry->processor[distance], processor);
	sample_add(&entry->sleeps[distance], sleeps / messages);
	sample_add(&entry->calls[distance], calls);
}

/*
 * Where a team has all processors, whatever else there is to do runs on one of
 * them: once each in a round is no other work, but the machine's own.
 */
static uint64_t
preemptions_allowed(const struct measuring *measuring,
		    const struct entry *entry)
{
	int members = entry->plan.members;

	return members >= measuring->settings->cpu_count ? (uint64_t)members :
							   0;
}

static void
take(struct measuring *measuring, struct entry *entry, int lap,
     const struct shared_round *round, enum distance before,
     enum distance after)
{
	/* What a message costs is the same if something else ran meanwhile. */
	bool undisturbed = entry->plan.workload != ONE_WAY_PACED &&
			   !entry->plan.count_calls && !measuring->crowded &&
			   !entry->peer->helpers;
	double value = value_of(entry, round);
	uint64_t preemptions = 0;

	for (int i = 0; i < entry->plan.members; i++)
		preemptions += round->member[i].preemptions;
	if (before != after) {
		entry->moved++;
	} else if (undisturbed &&
		   preemptions > preemptions_allowed(measuring, entry)) {
		entry->preempted++;
	} else if (value <= 0) {
		entry->empty++;
	} else {
		sample_add(&entry->values[before], value);
		add_costs(entry, round, before);
		entry->laps[lap].value = value;
		entry->laps[lap].distance = before;
		for (int i = 0; i < LATENCY_BUCKETS; i++)
			entry->latencies[before][i] +=
				round->latencies.count[i];
	}
}

static void
drop(struct entry *entry)
{
	team_stop(entry->team);
	entry->team = NULL;
	entry->present = false;
	entry->failed = true;
}

static void
one_round(struct measuring *measuring, struct entry *entry, int lap,
	  const int cpus[], enum distance *before)
{
	uint64_t duration = measuring->settings->duration;
	const struct shared_round *round;
	enum distance after;

	if (entry->plan.workload == ONE_WAY_PACED)
		duration *= PACED_ROUNDS;
	round = team_round(entry->team, cpus, duration, 0, entry->reason,
			   sizeof(entry->reason));
	if (!round) {
		drop(entry);
		return;
	}
	after = distance_of(measuring, cpus);
	measuring->outcome->rounds[*before]++;
	take(measuring, entry, lap, round, *before, after);
	*before = after;
	measuring->turn++;
}

/*
 * Before anything counts: a round as those that count. Large messages are few in a
 * round; of them so many go before that all the memory which a peer goes through
 * has been touched.
 */
static void
warm_up(struct measuring *measuring)
{
	struct outcome *outcome = measuring->outcome;
	int cpus[PEER_MEMBERS_MAX];

	places_any(measuring->settings, measuring->members, 0, cpus);
	for (int i = 0; i < 2 * outcome->count; i++) {
		struct entry *entry = &outcome->entries[i / 2];

		if (i % 2 == 0 && outcome->comparison->size <= LARGE)
			continue;
		if (entry->team &&
		    !team_round(entry->team, cpus,
				i % 2 ? measuring->settings->duration :
					WARMING_NS,
				i % 2 ? 0 : WARMING, entry->reason,
				sizeof(entry->reason)))
			drop(entry);
	}
}

/* A lap counts for the class that most of its rounds were of. */
static void
one_lap(struct measuring *measuring, int lap, const int cpus[])
{
	struct outcome *outcome = measuring->outcome;
	enum distance before = distance_of(measuring, cpus), most = MIXED;
	int seen[DISTANCES] = { 0 };

	for (int i = 0; i < outcome->count; i++) {
		int number = lap % 2 ? outcome->count - 1 - i : i;
		struct entry *entry = &outcome->entries[number];

		if (!entry->team)
			continue;
		one_round(measuring, entry, lap, cpus, &before);
		seen[before]++;
	}
	for (enum distance i = 0; i < DISTANCES; i++) {
		if (seen[i] > seen[most])
			most = i;
	}
	measuring->laps[most]++;
	outcome->laps = lap + 1;
}

/*
 * Near and far rounds as wanted, or as many as can be had; where neither can,
 * rounds as they come.
 */
static void
all_laps(struct measuring *measuring, int most)
{
	const struct settings *settings = measuring->settings;
	uint64_t left = settings->hunt;

	for (int lap = 0; lap < most; lap++) {
		int cpus[PEER_MEMBERS_MAX];
		const int *seen = measuring->laps;

		if (seen[NEAR] >= settings->rounds &&
		    seen[FAR] >= settings->rounds)
			break;
		if (measuring->crowded || !hunt(measuring, &left, cpus)) {
			if (seen[NEAR] >= settings->rounds ||
			    seen[FAR] >= settings->rounds)
				break;
			places_any(settings, measuring->members,
				   measuring->turn, cpus);
			if (lap >= settings->rounds)
				break;
		}
		one_lap(measuring, lap, cpus);
	}
}

/* A test ----------------------------------------------------------------- */

static void
start_entry(struct entry *entry, const struct comparison *comparison,
	    const struct choice *choice, int number, int most)
{
	const char *refused;

	entry->peer = choice->peers[number];
	if (choice->absent[number][0]) {
		snprintf(entry->reason, sizeof(entry->reason), "absent: %s",
			 choice->absent[number]);
		return;
	}
	refused = comparison_plan(comparison, entry->peer, choice->tick_scale,
				  &entry->plan);
	if (refused) {
		snprintf(entry->reason, sizeof(entry->reason),
			 "not offered: %s", refused);
		return;
	}
	entry->laps = calloc((size_t)most, sizeof(*entry->laps));
	if (!entry->laps)
		abort();
	entry->team = team_start(entry->peer, &entry->plan, entry->reason,
				 sizeof(entry->reason));
	entry->present = entry->team != NULL;
	entry->failed = !entry->present;
}

struct outcome *
outcome_measure(const struct comparison *comparison,
		const struct choice *choice)
{
	struct outcome *outcome = calloc(1, sizeof(*outcome));
	struct measuring *measuring = calloc(1, sizeof(*measuring));
	int most = 3 * choice->settings.rounds;

	if (!outcome || !measuring)
		abort();
	outcome->comparison = comparison;
	outcome->count = choice->count;
	measuring->outcome = outcome;
	measuring->choice = choice;
	measuring->settings = &choice->settings;
	measuring->members = comparison->senders + comparison->receivers;
	measuring->crowded = measuring->members > choice->settings.cpu_count;
	measuring->probes = team_start_probes(measuring->members);
	for (int i = 0; i < choice->count; i++)
		start_entry(&outcome->entries[i], comparison, choice, i, most);
	warm_up(measuring);
	all_laps(measuring, most);
	for (int i = 0; i < choice->count; i++)
		team_stop(outcome->entries[i].team);
	team_stop(measuring->probes);
	free(measuring);
	return outcome;
}

void
outcome_free(struct outcome *outcome)
{
	for (int i = 0; i < outcome->count; i++) {
		struct entry *entry = &outcome->entries[i];

		for (int j = 0; j < DISTANCES; j++) {
			sample_free(&entry->values[j]);
			sample_free(&entry->processor[j]);
			sample_free(&entry->sleeps[j]);
			sample_free(&entry->calls[j]);
		}
		free(entry->laps);
	}
	free(outcome);
}
