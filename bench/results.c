/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "common/report.h"
#include "results.h"

/* A class with fewer laps than this decides no goal (unless fewer are run). */
#define LAPS_TO_JUDGE 5

struct verdict {
	const struct goal *goal;
	double near, far, value; /* not a number: not known */
	char reason[160];
};

static struct {
	struct json json;
	size_t laps_to_judge;
	struct verdict verdicts[64];
	int verdict_count;
} results;

/* Rows -------------------------------------------------------------------- */

static void
row_begin(const char *test)
{
	json_object(&results.json, NULL);
	json_string(&results.json, "test", test);
}

static void
row_end(void)
{
	json_end_object(&results.json);
}

void
results_open(const char *path)
{
	/* Each row on a line. */
	json_open(&results.json, path, "cubby-bench", 1);
	json_array(&results.json, NULL);
}

void
results_close(void)
{
	json_end_array(&results.json);
	json_close(&results.json);
}

void
results_machine(const struct settings *settings)
{
	char model[128], when[32], cpus[CPUS_MAX * 4] = "";
	struct utsname name;

	uname(&name);
	report_processor(model, sizeof(model));
	report_when(when, sizeof(when));
	for (int i = 0; i < settings->cpu_count; i++)
		snprintf(cpus + strlen(cpus), sizeof(cpus) - strlen(cpus),
			 "%s%d", i ? "," : "", settings->cpus[i]);
	row_begin("machine");
	json_string(&results.json, "system", model);
	json_string(&results.json, "kernel", name.release);
	json_string(&results.json, "when", when);
	json_string(&results.json, "cpus", cpus);
	json_number(&results.json, "rounds", settings->rounds);
	json_number(&results.json, "round_ms",
		    (double)settings->duration / 1e6);
	json_number(&results.json, "near_from_ns", settings->near_from);
	json_number(&results.json, "far_from_ns", settings->far_from);
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
	json_string(&results.json, "system", contender->system);
	json_number(&results.json, "size", (double)contender->size);
	json_number(&results.json, "senders", contender->senders);
	json_number(&results.json, "receivers", contender->receivers);
	json_string(&results.json, "unit",
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
	json_number(&results.json, "value", median);
	json_string(&results.json, "class", distance_names[distance]);
	json_number(&results.json, "rounds", (double)values->count);
	json_number(&results.json, "p1", low);
	json_number(&results.json, "p99", high);
	json_number(&results.json, "sleeps", slept);
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
	json_number(&results.json, "value", NAN);
	json_string(&results.json, "reason", reason);
	row_end();
	printf("  %-34s absent: %s\n", contender->system, reason);
}

void
results_remark(const char *test, int kept, int changed, int preempted)
{
	if (!changed && !preempted)
		return;
	row_begin("dropped");
	json_string(&results.json, "system", test);
	json_number(&results.json, "kept", kept);
	json_number(&results.json, "changed", changed);
	json_number(&results.json, "preempted", preempted);
	row_end();
	printf("  (rounds kept: %d; dropped: %d whose processors moved, %d "
	       "that were preempted)\n",
	       kept, changed, preempted);
}

/* Goals ------------------------------------------------------------------ */

/* Not a number if there are too few. */
static double
judged_median(struct sample *ratios)
{
	if (!ratios->count || ratios->count < results.laps_to_judge)
		return NAN;
	return sample_quantile(ratios, 0.5);
}

static void
row_goal(const struct verdict *verdict)
{
	const struct goal *goal = verdict->goal;
	char name[96];

	snprintf(name, sizeof(name), "ratio:%s", goal->name);
	row_begin(name);
	json_string(&results.json, "system", goal->over->system);
	json_string(&results.json, "beside", goal->under->system);
	json_number(&results.json, "size", (double)goal->over->size);
	json_number(&results.json, "senders", goal->over->senders);
	json_number(&results.json, "receivers", goal->over->receivers);
	json_string(&results.json, "unit", "ratio");
	json_number(&results.json, "value", verdict->value);
	report_bound(&results.json, goal->sense, goal->limit);
	report_held(&results.json, goal->sense, goal->limit, verdict->value);
	json_number(&results.json, "near", verdict->near);
	json_number(&results.json, "far", verdict->far);
	if (verdict->reason[0])
		json_string(&results.json, "reason", verdict->reason);
	row_end();
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
				 report_worse(goal->sense, verdict->near,
					      verdict->far);
	if (reason)
		snprintf(verdict->reason, sizeof(verdict->reason), "%s",
			 reason);
	else if (isnan(verdict->value))
		snprintf(verdict->reason, sizeof(verdict->reason),
			 "too few rounds whose processors were near, or far, "
			 "before and after");
	row_goal(verdict);
}

static void
print_ratio(double value)
{
	if (isnan(value))
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
		printf(" %s%.2f  %s%s\n", report_sign(goal->sense), goal->limit,
		       report_verdict(goal->sense, goal->limit, verdict->value,
				      "not measured: "),
		       verdict->reason);
	}
}
