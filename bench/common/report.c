/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "report.h"

/* The head ---------------------------------------------------------------- */

void
report_when(char *ret, size_t size)
{
	time_t now = time(NULL);

	strftime(ret, size, "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
}

void
report_processor(char *ret, size_t size)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	char line[256];

	snprintf(ret, size, "unknown");
	while (file && fgets(line, sizeof(line), file)) {
		char *colon = strchr(line, ':');

		if (strncmp(line, "model name", 10) || !colon)
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(ret, size, "%.100s", colon + 2);
		break;
	}
	if (file)
		fclose(file);
}

static void
os_name(char *ret, size_t size)
{
	FILE *file = fopen("/etc/os-release", "re");
	char line[200];

	snprintf(ret, size, "Linux");
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "PRETTY_NAME=\"%99[^\"]", ret) == 1)
			break;
	}
	if (file)
		fclose(file);
}

static void
machine(struct json *json, const struct settings *settings)
{
	char text[128];
	struct utsname name;

	uname(&name);
	json_object(json, "machine");
	report_processor(text, sizeof(text));
	json_string(json, "processor", text);
	json_string(json, "architecture", name.machine);
	json_string(json, "kernel", name.release);
	os_name(text, sizeof(text));
	json_string(json, "system", text);
	json_array(json, "cpus");
	for (int i = 0; i < settings->cpu_count; i++)
		json_number(json, NULL, settings->cpus[i]);
	json_end_array(json);
	json_number(json, "memory_bytes",
		    (double)sysconf(_SC_PHYS_PAGES) *
			    (double)sysconf(_SC_PAGESIZE));
	json_end_object(json);
}

void
report_begin(struct json *json, const char *path, const char *program,
	     const struct settings *settings)
{
	char when[32];

	/* Each row, which lies two deep, on a line. */
	json_open(json, path, program, 2);
	report_when(when, sizeof(when));
	json_object(json, NULL);
	json_number(json, "schema", 1);
	json_string(json, "program", program);
	json_string(json, "when", when);
	machine(json, settings);
}

/* Bounds ------------------------------------------------------------------ */

bool
report_holds(enum sense sense, double limit, double value)
{
	return sense == AT_MOST ? value <= limit : value >= limit;
}

double
report_worse(enum sense sense, double one, double other)
{
	/* Of a number and none, both give the number. */
	return sense == AT_MOST ? fmax(one, other) : fmin(one, other);
}

const char *
report_sign(enum sense sense)
{
	return sense == AT_MOST ? "<=" : ">=";
}

void
report_bound(struct json *json, enum sense sense, double limit)
{
	json_string(json, "sense", sense == AT_MOST ? "at most" : "at least");
	json_number(json, "goal", limit);
}

void
report_held(struct json *json, enum sense sense, double limit, double value)
{
	if (isnan(value))
		json_null(json, "held");
	else
		json_bool(json, "held", report_holds(sense, limit, value));
}

const char *
report_verdict(enum sense sense, double limit, double value,
	       const char *unknown)
{
	if (isnan(value))
		return unknown;
	return report_holds(sense, limit, value) ? "held" : "MISSED";
}
