/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../common/report.h"
#include "comparison.h"

/* A quantile of so few is none. */
#define LEAST_FOR_P99 200u
#define LEAST_FOR_P999 2000u

static struct {
	struct json json;
	struct judged judged[JUDGED_MAX];
	int judged_count;
} report;

/* Head ------------------------------------------------------------------- */

static void
report_settings(const struct choice *choice)
{
	const struct settings *settings = &choice->settings;
	struct json *json = &report.json;

	json_object(json, "settings");
	json_number(json, "rounds", settings->rounds);
	json_number(json, "round_ms", (double)settings->duration / 1e6);
	json_number(json, "near_from_ns", settings->near_from);
	json_number(json, "far_from_ns", settings->far_from);
	json_number(json, "hunt_s", (double)settings->hunt / 1e9);
	json_string(json, "clock",
		    choice->tick_scale ? "processor's counter" :
					 "CLOCK_MONOTONIC");
	json_number(json, "pacing_ns", choice->pacing);
	json_bool(json, "limits_raised", choice->limits_raised);
	json_string(json, "calls_counted_by",
		    choice->uncounted[0] ?
			    NULL :
			    "perf_event, tracepoint raw_syscalls:sys_enter");
	json_string(json, "calls_not_counted",
		    choice->uncounted[0] ? choice->uncounted : NULL);
	json_end_object(json);
}

static void
report_offers(unsigned offers)
{
	static const char *const names[] = { "blocking",     "spinning",
					     "many senders", "many receivers",
					     "names",	     "in place",
					     "batches" };

	json_array(&report.json, "offers");
	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (offers & (1u << i))
			json_string(&report.json, NULL, names[i]);
	}
	json_end_array(&report.json);
}

static void
report_peers(const struct choice *choice)
{
	static const char *const kinds[] = { "ours", "peer", "floor" };
	struct json *json = &report.json;

	json_array(json, "peers");
	for (int i = 0; i < choice->count; i++) {
		const struct peer *peer = choice->peers[i];
		char version[100] = "";
		bool absent = choice->absent[i][0] != '\0';

		if (!absent && peer->version)
			peer->version(version, sizeof(version));
		json_object(json, NULL);
		json_string(json, "name", peer->name);
		json_string(json, "kind", kinds[peer->kind]);
		json_bool(json, "present", !absent);
		json_string(json, "absent", absent ? choice->absent[i] : NULL);
		json_string(json, "version", absent ? NULL : version);
		json_string(json, "manual", peer->manual);
		json_string(json, "note", peer->note);
		json_bool(json, "own_threads", peer->helpers);
		report_offers(peer->offers);
		json_end_object(json);
		printf("  %-30s %s\n", peer->name,
		       absent ? choice->absent[i] : version);
	}
	json_end_array(json);
}

void
report_open(const struct choice *choice, const char *path)
{
	report_begin(&report.json, path, "cubby-compare", &choice->settings);
	report_settings(choice);
	report_peers(choice);
	json_array(&report.json, "rows");
}

/* Rows ------------------------------------------------------------------- */

static const char *
unit_of(const struct comparison *comparison)
{
	switch (comparison->workload) {
	case ONE_WAY:
		return "messages/s";
	case ONE_WAY_PACED:
		return "ns of processor";
	default:
		return "ns";
	}
}

static double
quantile(struct sample *sample, double fraction)
{
	return sample->count ? sample_quantile(sample, fraction) : NAN;
}

/* The latency below which that many lie, within its bucket by proportion. */
static double
latency_quantile(const uint64_t *counts, uint64_t total, double fraction)
{
	double wanted = fraction * (double)total, before = 0;

	for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
		double its = (double)counts[i];
		double from = (double)latency_of_bucket(i);

		if (its > 0 && before + its >= wanted)
			return from +
			       (wanted - before) / its *
				       ((double)latency_of_bucket(i + 1) -
					from);
		before += its;
	}
	return NAN;
}

static void
report_latencies(const uint64_t *counts)
{
	struct json *json = &report.json;
	uint64_t total = 0;
	unsigned last = 0;

	for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
		total += counts[i];
		if (counts[i])
			last = i;
	}
	if (!total) {
		json_null(json, "latency");
		return;
	}
	json_object(json, "latency");
	json_number(json, "count", (double)total);
	json_number(json, "p50", latency_quantile(counts, total, 0.5));
	json_number(json, "p99",
		    total < LEAST_FOR_P99 ?
			    NAN :
			    latency_quantile(counts, total, 0.99));
	json_number(json, "p999",
		    total < LEAST_FOR_P999 ?
			    NAN :
			    latency_quantile(counts, total, 0.999));
	json_number(json, "max", (double)latency_of_bucket(last + 1));
	json_array(json, "buckets");
	for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
		if (!counts[i])
			continue;
		json_array(json, NULL);
		json_number(json, NULL, (double)latency_of_bucket(i));
		json_number(json, NULL, (double)counts[i]);
		json_end_array(json);
	}
	json_end_array(json);
	json_end_object(json);
}

static void
row_begin(const struct comparison *comparison, const struct entry *entry)
{
	struct json *json = &report.json;

	json_object(json, NULL);
	json_string(json, "test", comparison->test);
	json_string(json, "mode", mode_names[comparison->mode]);
	json_number(json, "size", (double)comparison->size);
	json_number(json, "senders", comparison->senders);
	json_number(json, "receivers", comparison->receivers);
	json_bool(json, "touched", comparison->touched);
	json_string(json, "peer", entry->peer->name);
	json_string(json, "unit", unit_of(comparison));
}

static void
report_class(const struct comparison *comparison, struct entry *entry,
	     enum distance distance)
{
	struct json *json = &report.json;
	struct sample *values = &entry->values[distance];
	bool counted = comparison->count_calls;

	row_begin(comparison, entry);
	json_bool(json, "spins", entry->plan.channels[0].spinning);
	json_string(json, "class", distance_names[distance]);
	json_number(json, "value", quantile(values, 0.5));
	json_number(json, "low", quantile(values, 0.05));
	json_number(json, "high", quantile(values, 0.95));
	json_number(json, "rounds", (double)values->count);
	/* Who asks one that sleeps looks for that all the time. */
	json_number(json, "processor_ns",
		    comparison->mode == ASLEEP ?
			    NAN :
			    quantile(&entry->processor[distance], 0.5));
	json_number(json, "calls",
		    counted ? quantile(&entry->calls[distance], 0.5) : NAN);
	json_number(json, "sleeps", quantile(&entry->sleeps[distance], 0.5));
	report_latencies(entry->latencies[distance]);
	json_end_object(json);
	printf("  %-30s %-14s %13.*f %13.*f %13.*f %10.0f %6.2f %5zu\n",
	       entry->peer->name, distance_names[distance],
	       quantile(values, 0.5) < 10000, quantile(values, 0.5),
	       quantile(values, 0.05) < 10000, quantile(values, 0.05),
	       quantile(values, 0.95) < 10000, quantile(values, 0.95),
	       quantile(&entry->processor[distance], 0.5),
	       counted ? quantile(&entry->calls[distance], 0.5) :
			 quantile(&entry->sleeps[distance], 0.5),
	       values->count);
}

static void
report_nothing(const struct comparison *comparison, struct entry *entry)
{
	struct json *json = &report.json;

	if (entry->present)
		snprintf(entry->reason, sizeof(entry->reason),
			 "no round counts: %d whose processors moved, %d "
			 "preempted, %d too short",
			 entry->moved, entry->preempted, entry->empty);
	row_begin(comparison, entry);
	json_null(json, "value");
	json_bool(json, "failed", entry->failed);
	json_string(json, "reason", entry->reason);
	json_end_object(json);
	printf("  %-30s %s%s\n", entry->peer->name,
	       entry->failed ? "FAILED: " : "", entry->reason);
}

static void
report_test_row(const struct outcome *outcome)
{
	struct json *json = &report.json;
	const struct comparison *comparison = outcome->comparison;
	int moved = 0, preempted = 0;

	for (int i = 0; i < outcome->count; i++) {
		moved += outcome->entries[i].moved;
		preempted += outcome->entries[i].preempted;
	}
	json_object(json, NULL);
	json_string(json, "test", "shares");
	json_string(json, "of", comparison->test);
	json_string(json, "mode", mode_names[comparison->mode]);
	json_number(json, "size", (double)comparison->size);
	json_number(json, "senders", comparison->senders);
	json_number(json, "receivers", comparison->receivers);
	json_number(json, "laps", outcome->laps);
	for (enum distance i = 0; i < DISTANCES; i++) {
		if (i != ALONE)
			json_number(json, distance_names[i],
				    outcome->rounds[i]);
	}
	json_number(json, "moved", moved);
	json_number(json, "preempted", preempted);
	json_end_object(json);
	printf("  (%d laps; rounds near %d, far %d, mixed %d, oversubscribed "
	       "%d; dropped: %d moved, %d preempted)\n",
	       outcome->laps, outcome->rounds[NEAR], outcome->rounds[FAR],
	       outcome->rounds[MIXED], outcome->rounds[CROWDED], moved,
	       preempted);
}

static void
judge(struct outcome *outcome, const struct choice *choice)
{
	int count = goals_judge(outcome, report.judged + report.judged_count,
				JUDGED_MAX - report.judged_count);

	for (; count > 0; count--) {
		struct judged *judged = &report.judged[report.judged_count++];

		if (choice->is_part)
			judged->reason = "not all peers were asked for";
	}
}

void
report_outcome(struct outcome *outcome, const struct choice *choice)
{
	const struct comparison *comparison = outcome->comparison;

	(void)choice;
	printf("\n%s, %s, %zu bytes, %d to %d\n", comparison->test,
	       mode_names[comparison->mode], comparison->size,
	       comparison->senders, comparison->receivers);
	printf("  %-30s %-14s %13s %13s %13s %10s %6s %5s\n", "", "",
	       unit_of(comparison), "p5", "p95", "cpu ns",
	       comparison->count_calls ? "calls" : "sleeps", "n");
	for (int i = 0; i < outcome->count; i++) {
		struct entry *entry = &outcome->entries[i];
		bool some = false;

		for (enum distance j = 0; j < DISTANCES; j++) {
			if (entry->values[j].count) {
				report_class(comparison, entry, j);
				some = true;
			}
		}
		if (!some || entry->failed)
			report_nothing(comparison, entry);
	}
	report_test_row(outcome);
	judge(outcome, choice);
	fflush(stdout);
}

/* Goals ------------------------------------------------------------------ */

/* As short as it gets, and never nothing. */
static const char *
ratio_text(double value, char *ret, size_t size)
{
	if (isnan(value))
		snprintf(ret, size, "not judged");
	else
		snprintf(ret, size, value < 0.1 ? "%.1g" : "%.2f", value);
	return ret;
}

/* Why not, of a class that is not judged. */
static void
report_reason(const struct judged *judged, enum distance distance)
{
	const char *reason = judged->reasons[distance];
	char key[32];

	snprintf(key, sizeof(key), "%s_reason", distance_names[distance]);
	json_string(&report.json, key, reason[0] ? reason : NULL);
	if (reason[0])
		printf("; %s: %s", distance_names[distance], reason);
}

static void
report_goal(const struct judged *judged)
{
	struct json *json = &report.json;
	double value = judged->reason ? NAN : judged->value;
	char near[32], far[32];

	json_object(json, NULL);
	json_string(json, "name", judged->name);
	json_string(json, "text", judged->text);
	json_string(json, "ours", judged->ours[0] ? judged->ours : NULL);
	json_string(json, "beside", judged->beside[0] ? judged->beside : NULL);
	report_bound(json, judged->sense, judged->limit);
	json_number(json, "near", judged->near);
	json_number(json, "far", judged->far);
	json_number(json, "value", judged->value);
	json_string(json, "reason", judged->reason);
	report_held(json, judged->sense, judged->limit, value);
	printf("  %-22s %10s near, %10s far, %s %5.2f  %-11s (%s, beside %s)%s%s",
	       judged->name, ratio_text(judged->near, near, sizeof(near)),
	       ratio_text(judged->far, far, sizeof(far)),
	       report_sign(judged->sense), judged->limit,
	       report_verdict(judged->sense, judged->limit, value,
			      "not judged"),
	       judged->ours[0] ? judged->ours : "-",
	       judged->beside[0] ? judged->beside : "-",
	       judged->reason ? ": " : "",
	       judged->reason ? judged->reason : "");
	report_reason(judged, NEAR);
	report_reason(judged, FAR);
	json_end_object(json);
	putchar('\n');
}

void
report_close(void)
{
	json_end_array(&report.json);
	json_array(&report.json, "goals");
	printf("\ngoals\n");
	for (int i = 0; i < report.judged_count; i++)
		report_goal(&report.judged[i]);
	json_end_array(&report.json);
	json_end_object(&report.json);
	json_close(&report.json);
}
