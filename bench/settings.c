/* SPDX-License-Identifier: MIT */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "settings.h"

const char *settings_program = "";

void
settings_wrong(const char *what, const char *value)
{
	fprintf(stderr, "%s: %s: %s\nTry: %s --help\n", settings_program, what,
		value, settings_program);
	exit(2);
}

double
settings_number(const char *text, double least, double most)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !(value >= least && value <= most))
		settings_wrong("not a number that makes sense here", text);
	return value;
}

void
settings_cpus(struct settings *settings, const char *list)
{
	const char *at = list;

	settings->cpu_count = 0;
	while (*at) {
		char *end;
		long cpu = strtol(at, &end, 10);

		if (end == at || (*end && *end != ',') || cpu < 0 ||
		    cpu >= CPU_SETSIZE || settings->cpu_count == CPUS_MAX)
			settings_wrong("not a list of processors", list);
		settings->cpus[settings->cpu_count++] = (int)cpu;
		at = *end ? end + 1 : end;
	}
}

void
settings_cpus_allowed(struct settings *settings)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return;
	for (int i = 0; i < CPU_SETSIZE; i++) {
		if (CPU_ISSET(i, &set) && settings->cpu_count < CPUS_MAX)
			settings->cpus[settings->cpu_count++] = i;
	}
}

void
settings_processor(char *ret, size_t size)
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
