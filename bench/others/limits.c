/* SPDX-License-Identifier: MIT */
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>

#include "limits.h"

static bool
set(const char *name, unsigned long value)
{
	char path[128];
	FILE *file;
	bool written;

	snprintf(path, sizeof(path), "/proc/sys/%s", name);
	file = fopen(path, "we");
	if (!file)
		return false;
	written = fprintf(file, "%lu", value) > 0;
	return fclose(file) == 0 && written;
}

bool
limits_raise(void)
{
	struct rlimit bytes = { RLIM_INFINITY, RLIM_INFINITY };

	if (unshare(CLONE_NEWIPC))
		return false;
	setrlimit(RLIMIT_MSGQUEUE, &bytes);
	return set("fs/mqueue/msg_max", 1024) &&
	       set("fs/mqueue/msgsize_max", 4u << 20) &&
	       set("kernel/msgmax", 4u << 20) &&
	       set("kernel/msgmnb", 64u << 20);
}

size_t
limits_read(const char *name)
{
	char path[128];
	unsigned long value = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/sys/%s", name);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (fscanf(file, "%lu", &value) != 1)
		value = 0;
	fclose(file);
	return value;
}
