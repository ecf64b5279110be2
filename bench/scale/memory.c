/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "memory.h"
#include "root.h"

#define KIB 1024.0
#define MIB (1024 * KIB)

static double walked;

static int
add_blocks(const char *path, const struct stat *status, int kind,
	   struct FTW *walk)
{
	(void)path;
	(void)kind;
	(void)walk;
	walked += 512.0 * (double)status->st_blocks;
	return 0;
}

double
memory_of_files(const char *mailbox)
{
	char path[PATH_MAX];

	walked = 0;
	root_mailbox(mailbox, path, sizeof(path));
	nftw(path, add_blocks, 16, FTW_PHYS);
	return walked;
}

/* A line "field: number kB" of a file of /proc. */
static double
field(const char *path, const char *name)
{
	FILE *file = fopen(path, "re");
	char line[256];
	double value = 0;

	while (file && fgets(line, sizeof(line), file)) {
		if (!strncmp(line, name, strlen(name)))
			value = strtod(line + strlen(name), NULL) * KIB;
	}
	if (file)
		fclose(file);
	return value;
}

double
memory_private(void)
{
	return field("/proc/self/smaps_rollup", "Anonymous:");
}

double
memory_tables(void)
{
	return field("/proc/self/status", "VmPTE:");
}

size_t
memory_mappings(void)
{
	FILE *file = fopen("/proc/self/maps", "re");
	size_t count = 0;
	int c;

	while (file && (c = getc(file)) != EOF)
		count += c == '\n';
	if (file)
		fclose(file);
	return count;
}

size_t
memory_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t count = 0;

	while (dir && readdir(dir))
		count++;
	if (!dir)
		return 0;
	closedir(dir);
	return count - 3; /* ".", "..", and the one by which it is listed */
}

double
memory_available(void)
{
	return field("/proc/meminfo", "MemAvailable:");
}

double
memory_available_there(void)
{
	struct statvfs status;

	if (statvfs(root_path(), &status) < 0)
		return 0;
	return (double)status.f_bavail * (double)status.f_frsize;
}

_Bool
memory_suffices(double files, double private, char *ret_reason, size_t size)
{
	double reserve = 512 * MIB, there = memory_available_there();
	double available = memory_available();

	if (there < files + reserve) {
		snprintf(ret_reason, size,
			 "needs %.0f MiB of %s, and %.0f MiB are free there",
			 (files + reserve) / MIB, root_path(), there / MIB);
		return 0;
	}
	if (available < files + private + reserve) {
		snprintf(ret_reason, size,
			 "needs %.0f MiB of memory, and %.0f MiB are available",
			 (files + private + reserve) / MIB, available / MIB);
		return 0;
	}
	return 1;
}
