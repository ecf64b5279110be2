/* SPDX-License-Identifier: MIT */
#include <errno.h>
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
	cpu_set_t allowed;

	if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0)
		settings_wrong("which processors are allowed",
			       strerror(errno));
	settings->cpu_count = 0;
	while (*at) {
		char *end;
		long cpu = strtol(at, &end, 10);

		if (end == at || (*end && *end != ',') || cpu < 0 ||
		    cpu >= CPU_SETSIZE || settings->cpu_count == CPUS_MAX)
			settings_wrong("not a list of processors", list);
		if (!CPU_ISSET(cpu, &allowed))
			settings_wrong("a processor that is not there, or not "
				       "allowed", list);
		CPU_CLR(cpu, &allowed);		/* each once */
		settings->cpus[settings->cpu_count++] = (int)cpu;
		at = *end ? end + 1 : end;
	}
}

void
settings_check(const struct settings *settings)
{
	char text[64];

	snprintf(text, sizeof(text), "%g and %g", settings->near_from,
		 settings->far_from);
	if (settings->near_from >= settings->far_from)
		settings_wrong("--near-from has to be less than --far-from",
			       text);
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
