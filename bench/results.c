/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "results.h"
#include "settings.h"

/* A class with fewer laps than this decides no goal (unless fewer are run). */
#define LAPS_TO_JUDGE 5

struct verdict {
	const struct goal *goal;
	double near, far, value; /* negative: not known */
	bool held;
	char reason[160];
};

static struct {
	FILE *file;
	int rows;
	size_t laps_to_judge;
	struct verdict verdicts[64];
	int verdict_count;
} results;

/* JSON ------------------------------------------------------------------- */

static void
json_string(const char *text)
{
	putc('"', results.file);
	for (; *text; text++) {
		unsigned char byte = (unsigned char)*text;

		if (byte == '"' || byte == '\\')
			fprintf(results.file, "\\%c", byte);
		else if (byte < 0x20)
			fprintf(results.file, "\\u%04x", byte);
		else
			putc(byte, results.file);
	}
	putc('"', results.file);
}

static void
row_begin(const char *test)
{
	fprintf(results.file, "%s\n{\"test\": ", results.rows++ ? "," : "");
	json_string(test);
}

static void
row_string(const char *key, const char *value)
{
	fprintf(results.file, ", \"%s\": ", key);
	if (value)
		json_string(value);
	else
		fputs("null", results.file);
}

/* A negative value is not known. */
static void
row_number(const char *key, double value)
{
	if (value < 0)
		fprintf(results.file, ", \"%s\": null", key);
	else
		fprintf(results.file, ", \"%s\": %.10g", key, value);
}

static void
row_end(void)
{
	putc('}', results.file);
	fflush(results.file);
}

void
results_open(const char *path)
{
	results.file = fopen(path, "we");
	if (!results.file) {
		fprintf(stderr, "cubby-bench: %s: %s\n", path, strerror(errno));
		exit(1);
	}
	putc('[', results.file);
}

void
results_close(void)
{
	fputs("\n]\n", results.file);
	if (fclose(results.file)) {
		fprintf(stderr, "cubby-bench: the results: %s\n",
			strerror(errno));
		exit(1);
	}
}

void
results_machine(const struct settings *settings)
{
	char model[128], when[32], cpus[CPUS_MAX * 4] = "";
	time_t now = time(NULL);
	struct utsname name;

	uname(&name);
	settings_processor(model, sizeof(model));
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
	for (int i = 0; i < settings->cpu_count; i++)
		snprintf(cpus + strlen(cpus), sizeof(cpus) - strlen(cpus),
			 "%s%d", i ? "," : "", settings->cpus[i]);
	row_begin("machine");
	row_string("system", model);
	row_string("kernel", name.release);
	row_string("when", when);
	row_string("cpus", cpus);
	row_number("rounds", settings->rounds);
	row_number("round_ms", (double)settings->duration / 1e6);
	row_number("near_from_ns", settings->near_from);
	row_number("far_from_ns", settings->far_from);
	row_end();
	results.laps_to_judge = settings->rounds < LAPS_TO_JUDGE ?
					(size_t)settings->rounds :
					LAPS_TO_JUDGE;
	printf("%s, Linux %s, processors %s\n", model, name.release, cpus);
	printf("near: a bare round trip of %.0f to %.0f ns; far: more\n",
	       settings->near_from, settings->far_from);
}

/* Tests ------------------------------------------------------------------ */

void
results_title(const struct test *test)
{
	printf("\n%s: %s\n", test->name, test->title);
	printf("  %-34s %-7s %12s %12s %12s %7s %7s\n", "", "",
	       test->unit == UNIT_NANOSECONDS ? "ns" : "messages/s", "p1",
	       "p99", "sleeps", "rounds");
	fflush(stdout);
}

static void
row_contender(const struct test *test, const struct contender *contender)
{
	row_begin(test->name);
	row_string("system", contender->system);
	row_number("size", (double)contender->size);
	row_number("senders", contender->senders);
	row_number("receivers", contender->receivers);
	row_string("unit",
		   test->unit == UNIT_NANOSECONDS ? "ns" : "messages/s");
}

void
results_contender(const struct test *test, const struct contender *contender,
		  enum distance distance, struct sample *values,
		  struct sample *sleeps)
{
	double median = sample_quantile(values, 0.5);
	double low = sample_quantile(values, 0.01);
	double high = sample_quantile(values, 0.99);
	double slept = sample_quantile(sleeps, 0.5);

	row_contender(test, contender);
	row_number("value", median);
	row_string("class", distance_names[distance]);
	row_number("rounds", (double)values->count);
	row_number("p1", low);
	row_number("p99", high);
	row_number("sleeps", slept);
	row_end();
	printf("  %-34s %-7s %12.*f %12.*f %12.*f %7.0f %7zu\n",
	       contender->system, distance_names[distance], median < 1000,
	       median, median < 1000, low, median < 1000, high, slept,
	       values->count);
	fflush(stdout);
}

void
results_absent(const struct test *test, const struct contender *contender,
	       const char *reason)
{
	row_contender(test, contender);
	row_number("value", -1);
	row_string("reason", reason);
	row_end();
	printf("  %-34s absent: %s\n", contender->system, reason);
}

void
results_remark(const char *test, int kept, int changed, int preempted)
{
	if (!changed && !preempted)
		return;
	row_begin("dropped");
	row_string("system", test);
	row_number("kept", kept);
	row_number("changed", changed);
	row_number("preempted", preempted);
	row_end();
	printf("  (rounds kept: %d; dropped: %d whose processors moved, %d "
	       "that were preempted)\n",
	       kept, changed, preempted);
}

/* Goals ------------------------------------------------------------------ */

static bool
holds(const struct goal *goal, double value)
{
	return goal->sense == AT_MOST ? value <= goal->limit :
					value >= goal->limit;
}

/* Negative if there are too few. */
static double
judged_median(struct sample *ratios)
{
	if (!ratios->count || ratios->count < results.laps_to_judge)
		return -1;
	return sample_quantile(ratios, 0.5);
}

static void
row_goal(const struct verdict *verdict)
{
	const struct goal *goal = verdict->goal;
	char name[96];

	snprintf(name, sizeof(name), "ratio:%s", goal->name);
	row_begin(name);
	row_string("system", goal->over->system);
	row_string("beside", goal->under->system);
	row_number("size", (double)goal->over->size);
	row_number("senders", goal->over->senders);
	row_number("receivers", goal->over->receivers);
	row_string("unit", "ratio");
	row_number("value", verdict->value);
	row_number("goal", goal->limit);
	row_string("sense", goal->sense == AT_MOST ? "at most" : "at least");
	fprintf(results.file, ", \"held\": %s",
		verdict->value < 0 ? "null" :
		verdict->held	   ? "true" :
				     "false");
	row_number("near", verdict->near);
	row_number("far", verdict->far);
	if (verdict->reason[0])
		row_string("reason", verdict->reason);
	row_end();
}

/* The value of a goal is that of the class in which it is worse. */
static double
worse(const struct goal *goal, double near, double far)
{
	if (near < 0 || far < 0)
		return near < 0 ? far : near;
	if (goal->sense == AT_MOST)
		return near > far ? near : far;
	return near < far ? near : far;
}

void
results_goal(const struct goal *goal, struct sample ratios[DISTANCES],
	     const char *reason)
{
	struct verdict *verdict = &results.verdicts[results.verdict_count++];

	verdict->goal = goal;
	verdict->near = judged_median(&ratios[NEAR]);
	verdict->far = judged_median(&ratios[FAR]);
	verdict->value = goal->over->alone ?
				 judged_median(&ratios[ALONE]) :
				 worse(goal, verdict->near, verdict->far);
	verdict->held = verdict->value >= 0 && holds(goal, verdict->value);
	if (reason)
		snprintf(verdict->reason, sizeof(verdict->reason), "%s",
			 reason);
	else if (verdict->value < 0)
		snprintf(verdict->reason, sizeof(verdict->reason),
			 "too few rounds whose processors were near, or far, "
			 "before and after");
	row_goal(verdict);
}

static void
print_ratio(double value)
{
	if (value < 0)
		printf(" %8s", "-");
	else
		printf(" %8.3f", value);
}

void
results_goals(void)
{
	printf("\n%-28s %8s %8s %8s  %s\n", "goal", "near", "far", "", "");
	for (int i = 0; i < results.verdict_count; i++) {
		const struct verdict *verdict = &results.verdicts[i];
		const struct goal *goal = verdict->goal;

		printf("%-28s", goal->name);
		print_ratio(verdict->near);
		print_ratio(verdict->far);
		printf(" %s%.2f  %s%s\n",
		       goal->sense == AT_MOST ? "<=" : ">=", goal->limit,
		       verdict->value < 0 ? "not measured: " :
		       verdict->held	  ? "held" :
					    "MISSED",
		       verdict->reason);
	}
}
