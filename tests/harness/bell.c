/* SPDX-License-Identifier: MIT */
/* What lies below a descriptor of cubby_fd(). */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"

int
bell_find(void)
{
	DIR *dir = opendir("/proc/self/fd");
	char path[200];
	struct dirent *d;
	struct stat st;
	int found = -1;
	ssize_t n;

	while (dir && found < 0 && (d = readdir(dir))) {
		if (fstat(atoi(d->d_name), &st) < 0 || !S_ISFIFO(st.st_mode))
			continue;
		n = readlinkat(dirfd(dir), d->d_name, path, sizeof(path) - 1);
		path[n < 0 ? 0 : n] = 0;
		if (strstr(path, "/bell."))
			found = atoi(d->d_name);
	}
	if (dir)
		closedir(dir);
	if (found < 0)
		fail("the victim finds no bell");
	return found;
}
