/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../common/report.h"
#include "rows.h"

#define CURVES_MAX 64
#define TARGETS_MAX 16
#define REASON 200

struct verdict {
	const struct target *target;
	double value, near, far;
	char reason[REASON];
};

static struct {
	struct json json;
	const struct scale_test *test;
	const struct curve *curves[CURVES_MAX];
	const char *tests[CURVES_MAX]; /* of each curve */
	int curve_count;
	struct verdict verdicts[TARGETS_MAX];
	int verdict_count;
} rows;

/* Head ------------------------------------------------------------------- */

static void
write_settings(const struct scale *scale)
{
	struct json *json = &rows.json;

	json_object(json, "settings");
	json_bool(json, "quick", scale->quick);
	json_number(json, "rounds", scale->settings.rounds);
	json_number(json, "round_ms", (double)scale->settings.duration / 1e6);
	json_number(json, "near_from_ns", scale->settings.near_from);
	json_number(json, "far_from_ns", scale->settings.far_from);
	json_end_object(json);
}

void
rows_open(const char *path, const struct scale *scale)
{
	report_begin(&rows.json, path, "cubby-scale", &scale->settings);
	write_settings(scale);
	json_array(&rows.json, "rows");
}

/* Rows ------------------------------------------------------------------- */

void
rows_test(const struct scale_test *test)
{
	rows.test = test;
	printf("\n%s: %s\n", test->name, test->title);
	fflush(stdout);
}

void
rows_curve(const struct curve *curve)
{
	printf("  %s: %s\n    %-24s %-9s %14s %14s %14s %5s\n", curve->title,
	       curve->series, curve->x, "", curve->unit, "p10", "p90", "n");
	for (int i = 0; i < rows.curve_count; i++) {
		if (!strcmp(rows.curves[i]->name, curve->name))
			return;
	}
	if (rows.curve_count == CURVES_MAX)
		return;
	rows.tests[rows.curve_count] = rows.test->name;
	rows.curves[rows.curve_count++] = curve;
}

static void
begin(const struct curve *curve, double x, const char *class)
{
	struct json *json = &rows.json;

	json_object(json, NULL);
	json_string(json, "test", rows.test->name);
	json_string(json, "curve", curve->name);
	json_string(json, "series", curve->series);
	json_number(json, "x", x);
	json_string(json, "class", class);
	json_string(json, "unit", curve->unit);
}

static void
write_values(const struct curve *curve, double x, const char *class,
	     struct sample *values)
{
	struct json *json = &rows.json;
	double value = sample_quantile(values, 0.5);
	double low = sample_quantile(values, 0.1);
	double high = sample_quantile(values, 0.9);
	int digits = fabs(value) < 10 ? 3 : fabs(value) < 1000 ? 1 : 0;

	begin(curve, x, class);
	json_number(json, "value", value);
	json_number(json, "low", low);
	json_number(json, "high", high);
	json_number(json, "rounds", (double)values->count);
	json_end_object(json);
	printf("    %-24.0f %-9s %14.*f %14.*f %14.*f %5zu\n", x,
	       class ? class : "", digits, value, digits, low, digits, high,
	       values->count);
	fflush(stdout);
}

void
rows_class(const struct curve *curve, double x, enum distance distance,
	   struct sample *values)
{
	if (values->count)
		write_values(curve, x, distance_names[distance], values);
}

void
rows_values(const struct curve *curve, double x, struct sample *values)
{
	if (values->count)
		write_values(curve, x, NULL, values);
}

void
rows_value(const struct curve *curve, double x, double value)
{
	struct sample one = { &value, 1, 1 };

	write_values(curve, x, NULL, &one);
}

void
rows_end(const struct curve *curve, double x, const char *reason)
{
	begin(curve, x, NULL);
	json_null(&rows.json, "value");
	json_string(&rows.json, "reason", reason);
	json_end_object(&rows.json);
	printf("    %-24.0f not measured: %s\n", x, reason);
	fflush(stdout);
}

/* Targets ---------------------------------------------------------------- */

void
rows_target(const struct target *target, double value, double near, double far,
	    const char *reason)
{
	struct verdict *verdict;

	if (rows.verdict_count == TARGETS_MAX)
		return;
	verdict = &rows.verdicts[rows.verdict_count++];
	*verdict = (struct verdict){ target, value, near, far, "" };
	if (isnan(value))
		snprintf(verdict->reason, REASON, "%s",
			 reason ? reason : "nothing was measured");
}

static void
write_verdict(const struct verdict *verdict)
{
	const struct target *target = verdict->target;
	struct json *json = &rows.json;

	json_object(json, NULL);
	json_string(json, "name", target->name);
	json_string(json, "text", target->text);
	report_bound(json, target->sense, target->goal);
	json_string(json, "unit", target->unit);
	json_number(json, "value", verdict->value);
	json_number(json, "near", verdict->near);
	json_number(json, "far", verdict->far);
	report_held(json, target->sense, target->goal, verdict->value);
	json_string(json, "reason",
		    isnan(verdict->value) ? verdict->reason : NULL);
	json_end_object(json);
	if (isnan(verdict->value))
		printf("  %-22s not measured: %s\n", target->name,
		       verdict->reason);
	else
		printf("  %-22s %8.2f %s %8.2f %-6s %s\n", target->name,
		       verdict->value, report_sign(target->sense), target->goal,
		       target->unit,
		       report_verdict(target->sense, target->goal,
				      verdict->value, ""));
}

static void
write_curves(void)
{
	struct json *json = &rows.json;

	json_array(json, "curves");
	for (int i = 0; i < rows.curve_count; i++) {
		const struct curve *curve = rows.curves[i];

		json_object(json, NULL);
		json_string(json, "name", curve->name);
		json_string(json, "test", rows.tests[i]);
		json_string(json, "title", curve->title);
		json_string(json, "x", curve->x);
		json_string(json, "x_unit", curve->x_is_bytes ? "bytes" : NULL);
		json_string(json, "unit", curve->unit);
		json_string(json, "better",
			    curve->more_is_better ? "more" : "less");
		json_end_object(json);
	}
	json_end_array(json);
}

void
rows_close(void)
{
	struct json *json = &rows.json;

	json_end_array(json);
	write_curves();
	json_array(json, "targets");
	printf("\ntargets\n");
	for (int i = 0; i < rows.verdict_count; i++)
		write_verdict(&rows.verdicts[i]);
	json_end_array(json);
	json_end_object(json);
	json_close(json);
}
