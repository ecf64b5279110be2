/* SPDX-License-Identifier: MIT */
/* What lies in a directory, and what this process has open. */
#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"

static uint64_t bytes;
static char leftover[4096];

static int
add_bytes(const char *path, const struct stat *status, int type,
	  struct FTW *place)
{
	(void)path;
	(void)place;
	if (type == FTW_F)
		bytes += (uint64_t)status->st_blocks * 512;
	return 0;
}

uint64_t
tree_bytes(const char *root)
{
	bytes = 0;
	nftw(root, add_bytes, 8, FTW_PHYS);
	return bytes;
}

static int
stop_at_anything(const char *path, const struct stat *status, int type,
		 struct FTW *place)
{
	char own[32];

	(void)status;
	/* The directory of a user's own mailboxes is made once, and stays. */
	snprintf(own, sizeof(own), "cubby-%u", getuid());
	if (place->level == 0 || (place->level == 1 && type == FTW_D &&
				  !strcmp(path + place->base, own)))
		return 0;
	snprintf(leftover, sizeof(leftover), "%s", path);
	return 1;
}

const char *
tree_leftover(const char *root)
{
	return nftw(root, stop_at_anything, 8, FTW_PHYS) == 1 ? leftover : NULL;
}

static int
stop_at_region(const char *path, const struct stat *status, int type,
	       struct FTW *place)
{
	(void)status;
	(void)type;
	if (strncmp(path + place->base, "region.", 7) != 0)
		return 0;
	snprintf(leftover, sizeof(leftover), "%s", path);
	return 1;
}

const char *
tree_region(const char *root)
{
	return nftw(root, stop_at_region, 8, FTW_PHYS) == 1 ? leftover : NULL;
}

static int
remove_entry(const char *path, const struct stat *status, int type,
	     struct FTW *place)
{
	(void)status;
	(void)type;
	(void)place;
	remove(path);
	return 0;
}

void
tree_remove(const char *root)
{
	nftw(root, remove_entry, 8, FTW_PHYS | FTW_DEPTH);
}

int
count_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	int count = 0;

	if (!directory)
		fail("/proc/self/fd cannot be read");
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

int
count_mappings(const char *root)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[4352];
	int count = 0;

	if (!maps)
		fail("/proc/self/maps cannot be read");
	while (fgets(line, sizeof(line), maps))
		count += strstr(line, root) != NULL;
	fclose(maps);
	return count;
}
