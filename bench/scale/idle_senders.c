/* SPDX-License-Identifier: MIT */
/*
 * One busy sender among idle ones: round trips of two processes through a mailbox
 * at which so many others, each a process of its own, are attached, have sent
 * once, and sleep. Half of them came before the busy one, half after.
 *
 * Each number of idle ones has mailboxes of its own, and all are there all the
 * time: a lap is one round of each, and its ratios are those to the round
 * without idle ones. A bare ping-pong before and after each round tells near
 * from far, as in ../rounds.c.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "../loops.h"
#include "../common/places.h"
#include "cubby.h"
#include "rows.h"
#include "troop.h"

#define BUSY 2 /* members: who answers, who asks */
#define AT_ONCE 32

static const int all_points[] = { 0, 1, 3, 10, 30, 100, 300, 1000 };
static const int few_points[] = { 0, 10 };

enum { ORDER_OPEN, ORDER_OPEN_IDLE, ORDER_DRAIN, ORDER_ROUND };

/* Known to all, before they are forked. */
static struct {
	const int *points;
	int count, most;
	struct round *round;
	cubby_mailbox *keep[POINTS_MAX][2];
} idle;

/* A member's own. */
static struct ends {
	cubby_mailbox *to, *from;
} ends[POINTS_MAX];

struct laps {
	const struct scale *scale;
	struct troop *troop;
	struct places places;
	struct sample values[POINTS_MAX][DISTANCES];
	struct sample ratios[POINTS_MAX][DISTANCES];
	int count[DISTANCES]; /* laps all of whose rounds were of that class */
	int rounds, dropped;
};

static void
name_of(int point, int way, char *ret, size_t size)
{
	snprintf(ret, size, "idle-%d-%s", idle.points[point],
		 way ? "back" : "there");
}

/* In a member ------------------------------------------------------------ */

ALWAYS_INLINE int
produce(void *side, uint64_t first)
{
	struct ends *mine = side;
	uint64_t message[SMALL / sizeof(uint64_t)];

	words_fill(message, sizeof(message), first);
	return cubby_send(mine->to, message, sizeof(message));
}

ALWAYS_INLINE int
consume(void *side, uint64_t *ret_sum)
{
	struct ends *mine = side;
	uint64_t message[SMALL / sizeof(uint64_t)];
	int error = cubby_receive(mine->from, message, sizeof(message), NULL);

	*ret_sum = words_sum(message, sizeof(message));
	return error;
}

static int
open_busy(int member)
{
	int error = 0;

	for (int i = 0; i < idle.count && !error; i++) {
		char name[64];

		name_of(i, 0, name, sizeof(name));
		error = cubby_open(name, member ? CUBBY_SEND : CUBBY_RECEIVE,
				   NULL, member ? &ends[i].to : &ends[i].from);
		name_of(i, 1, name, sizeof(name));
		if (!error)
			error = cubby_open(
				name, member ? CUBBY_RECEIVE : CUBBY_SEND, NULL,
				member ? &ends[i].from : &ends[i].to);
	}
	return error;
}

static int
open_idle(int number)
{
	uint64_t message[SMALL / sizeof(uint64_t)] = { 0 };
	int error = 0;

	for (int i = 0; i < idle.count && !error; i++) {
		char name[64];

		if (number >= idle.points[i])
			continue;
		name_of(i, 0, name, sizeof(name));
		error = cubby_open(name, CUBBY_SEND, NULL, &ends[i].to);
		if (!error)
			error = cubby_send(ends[i].to, message,
					   sizeof(message));
	}
	return error;
}

static int
drain(void)
{
	uint64_t message[SMALL / sizeof(uint64_t)];
	int error = 0;

	for (int i = 0; i < idle.count; i++) {
		for (int j = 0; j < idle.points[i] && !error; j++)
			error = cubby_receive(ends[i].from, message,
					      sizeof(message), NULL);
	}
	return error;
}

static void
run(int member, int point)
{
	struct rusage before, after;

	getrusage(RUSAGE_SELF, &before);
	if (member == 0)
		loop_answer(idle.round, &ends[point], produce, consume, SMALL);
	else
		loop_ask(idle.round, &ends[point], produce, consume, SMALL);
	getrusage(RUSAGE_SELF, &after);
	idle.round->member[member].preemptions =
		(uint64_t)(after.ru_nivcsw - before.ru_nivcsw);
}

static int
act(struct troop *troop, int member, int order, long argument)
{
	(void)troop;
	switch (order) {
	case ORDER_OPEN:
		return open_busy(member);
	case ORDER_OPEN_IDLE:
		return open_idle(member - BUSY);
	case ORDER_DRAIN:
		return drain();
	default:
		run(member, (int)argument);
		return idle.round->failure[0] ? -EBADMSG : 0;
	}
}

/* In the coordinator ----------------------------------------------------- */

static int
make_mailboxes(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	int error = 0;

	options.lifetime = CUBBY_TEMPORARY;
	for (int i = 0; i < idle.count; i++) {
		for (int way = 0; way < 2 && !error; way++) {
			char name[64];

			name_of(i, way, name, sizeof(name));
			error = cubby_open(name,
					   CUBBY_CREATE | CUBBY_EXCLUSIVE,
					   &options, &idle.keep[i][way]);
		}
	}
	return error;
}

/* The points that have as many processes. */
static void
leave_out(int members, int error)
{
	int most = members - BUSY;

	while (idle.count && idle.points[idle.count - 1] > most)
		idle.count--;
	idle.most = idle.count ? idle.points[idle.count - 1] : 0;
	(void)error;
}

static bool
attach(struct troop *troop)
{
	int half = idle.most / 2;

	return troop_order_in_turn(troop, BUSY, half, AT_ONCE, ORDER_OPEN_IDLE,
				   0) &&
	       troop_order(troop, 0, BUSY, ORDER_OPEN, 0) &&
	       troop_order_in_turn(troop, BUSY + half, idle.most - half,
				   AT_ONCE, ORDER_OPEN_IDLE, 0) &&
	       troop_order(troop, 0, 1, ORDER_DRAIN, 0);
}

static bool
probe(struct laps *laps, const int cpus[], enum distance *ret)
{
	double ns[BUSY];

	if (!troop_probe(laps->troop, cpus, BUSY, ns))
		return false;
	*ret = places_class(&laps->scale->settings, ns, BUSY);
	return true;
}

static bool
one_round(struct laps *laps, int point)
{
	struct round *round = idle.round;

	round->duration = laps->scale->settings.duration;
	round->warm_up = round->duration / 5;
	round->senders = round->receivers = 1;
	atomic_store(&round->last, UINT64_MAX);
	return troop_order(laps->troop, 0, BUSY, ORDER_ROUND, point);
}

static bool
one_lap(struct laps *laps, const int cpus[], int number)
{
	double values[POINTS_MAX] = { 0 };
	enum distance classes[POINTS_MAX], before, after, all = NEAR;
	bool whole = true;

	if (!probe(laps, cpus, &before))
		return false;
	for (int i = 0; i < idle.count; i++) {
		int point = number % 2 ? idle.count - 1 - i : i;

		if (!one_round(laps, point) || !probe(laps, cpus, &after))
			return false;
		laps->rounds++;
		if (before != after || idle.round->member[0].preemptions ||
		    idle.round->member[1].preemptions) {
			laps->dropped++;
			whole = false;
		} else {
			values[point] = idle.round->value;
			classes[point] = after;
			sample_add(&laps->values[point][after],
				   idle.round->value);
		}
		before = after;
	}
	for (int i = 0; i < idle.count && values[0] > 0; i++) {
		if (values[i] > 0 && classes[i] == classes[0])
			sample_add(&laps->ratios[i][classes[i]],
				   values[i] / values[0]);
		all = classes[0];
		whole = whole && values[i] > 0 && classes[i] == classes[0];
	}
	laps->count[all] += whole;
	return true;
}

/* Processors for the next lap: of near and far that which has fewer. */
static void
place(struct laps *laps, int number, int ret_cpus[])
{
	const struct settings *settings = &laps->scale->settings;
	bool far = laps->count[FAR] <= laps->count[NEAR];

	if (!places_choose(&laps->places, settings, BUSY, far ? FAR : NEAR,
			   number, ret_cpus) &&
	    !places_choose(&laps->places, settings, BUSY, far ? NEAR : FAR,
			   number, ret_cpus))
		places_any(settings, BUSY, number, ret_cpus);
}

/* As many as are to be had in the time that the rounds need. */
static bool
all_laps(struct laps *laps)
{
	const struct settings *settings = &laps->scale->settings;
	int wanted = settings->rounds, cpus[BUSY];

	for (int i = 0; i < (laps->scale->quick ? 1 : 3 * wanted); i++) {
		if (laps->count[NEAR] >= wanted && laps->count[FAR] >= wanted)
			break;
		if (!places_scan(&laps->places, settings, troop_probe,
				 laps->troop))
			return false;
		place(laps, i, cpus);
		if (!one_lap(laps, cpus, i))
			return false;
	}
	return true;
}

/* What came of it -------------------------------------------------------- */

static const struct curve trips = {
	.name = "idle_senders",
	.title = "One busy sender beside idle ones",
	.series = "round trip",
	.x = "idle senders",
	.unit = "ns",
};
static const struct curve ratios = {
	.name = "idle_senders_ratio",
	.title = "The same, beside the round trip without idle ones",
	.series = "round trip",
	.x = "idle senders",
	.unit = "ratio",
};
static const struct target target = {
	"idle_senders",
	"one busy sender among 1,000 idle ones: round trip beside that of one "
	"alone",
	"ratio", AT_MOST, 1.1
};

static double
median(struct sample *sample, const struct scale *scale)
{
	size_t least = scale->settings.rounds < 5 ?
			       (size_t)scale->settings.rounds :
			       5;

	return sample->count && sample->count >= least ?
		       sample_quantile(sample, 0.5) :
		       NAN;
}

static void
report(struct laps *laps, const char *ended, int ended_at)
{
	int last = idle.count - 1;
	double near = NAN, far = NAN;

	rows_curve(&trips);
	for (enum distance j = 0; j < DISTANCES; j++) {
		for (int i = 0; i < idle.count; i++)
			rows_class(&trips, idle.points[i], j,
				   &laps->values[i][j]);
	}
	if (ended[0])
		rows_end(&trips, ended_at, ended);
	rows_curve(&ratios);
	for (enum distance j = 0; j < DISTANCES; j++) {
		for (int i = 0; i < idle.count; i++)
			rows_class(&ratios, idle.points[i], j,
				   &laps->ratios[i][j]);
	}
	printf("  (%d rounds; dropped, as their processors moved or were "
	       "taken away: %d)\n",
	       laps->rounds, laps->dropped);
	if (last >= 0 && idle.points[last] >= 1000) {
		near = median(&laps->ratios[last][NEAR], laps->scale);
		far = median(&laps->ratios[last][FAR], laps->scale);
	}
	rows_target(&target, fmax(near, far), near, far,
		    ended[0] ? ended : "too few rounds near, or far");
}

static void
laps_free(struct laps *laps)
{
	for (int i = 0; i < POINTS_MAX; i++) {
		for (enum distance j = 0; j < DISTANCES; j++) {
			sample_free(&laps->values[i][j]);
			sample_free(&laps->ratios[i][j]);
		}
	}
	free(laps);
}

static bool
run_test(const struct scale *scale)
{
	struct laps *laps = calloc(1, sizeof(*laps));
	int wanted, made, error;
	char ended[200] = "";
	bool fine;

	idle.points = scale->quick ? few_points : all_points;
	made = idle.count = scale->quick ? 2 : 8;
	idle.round = process_share(sizeof(*idle.round));
	wanted = idle.points[idle.count - 1];
	laps->scale = scale;
	error = make_mailboxes();
	if (error)
		return scale_fail("idle_senders", "making mailboxes", error);
	if (scale->quick)
		troop_probe_trips = 5;
	laps->troop = troop_start(BUSY + wanted, act, &error);
	leave_out(troop_members(laps->troop), error);
	if (error)
		snprintf(ended, sizeof(ended),
			 "no more than %d processes to be had",
			 troop_members(laps->troop));
	else if (scale->quick)
		snprintf(ended, sizeof(ended), "a quick run");
	fine = idle.count > 0 && scale->settings.cpu_count >= BUSY;
	if (!fine) {
		rows_end(&trips, 0, "it takes two processors");
		rows_target(&target, NAN, NAN, NAN, "it takes two processors");
	} else if (!attach(laps->troop) || !all_laps(laps)) {
		fine = scale_fail("idle_senders", troop_reason(laps->troop), 0);
	} else {
		report(laps, ended, wanted);
	}
	troop_end(laps->troop);
	for (int i = 0; i < made; i++) {
		cubby_close(idle.keep[i][0]);
		cubby_close(idle.keep[i][1]);
	}
	laps_free(laps);
	return fine || scale->settings.cpu_count < BUSY;
}

const struct scale_test idle_senders_test = {
	"idle_senders", "one busy sender among idle ones: round trip", run_test
};
