/* SPDX-License-Identifier: MIT */
/*
 * Limits that are really lowered: each step gives a little more room than the one
 * before, until the call succeeds. Soft limits, so that they can be lifted.
 */
#include "faults.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#define FILE_SYSTEM_BYTES (32 << 20)
#define FILE_SYSTEM_INODES 4096
#define FILLER "filler"

const char *const how_names[HOWS] = {
	"point", "RLIMIT_NOFILE", "RLIMIT_AS", "RLIMIT_FSIZE", "RLIMIT_MEMLOCK",
	"full file system", "no inodes",
};

bool limit_has_locked;

/* Steps of pages: each of the first, then in larger ones. */
static const uint64_t pages[] = {
	0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 18, 20, 24, 28, 32, 40, 48, 56,
	64, 80, 96, 128, 160, 192, 256, 384, 512, 768, 1024, 2048,
};

static void
lower(int which, uint64_t value)
{
	struct rlimit limit;

	need(getrlimit((__rlimit_resource_t)which, &limit) == 0);
	limit.rlim_cur = value;
	need(setrlimit((__rlimit_resource_t)which, &limit) == 0);
}

static void
lift(int which)
{
	struct rlimit limit;

	need(getrlimit((__rlimit_resource_t)which, &limit) == 0);
	limit.rlim_cur = limit.rlim_max;
	need(setrlimit((__rlimit_resource_t)which, &limit) == 0);
}

/* What RLIMIT_NOFILE limits is the number of a descriptor, so the first free ones
   count. */
static uint64_t
descriptor_after(unsigned free_ones)
{
	int fd;

	for (fd = 0;; fd++)
		if (fcntl(fd, F_GETFD) < 0 && free_ones-- == 0)
			return (uint64_t)fd;
}

static uint64_t
address_space(void)
{
	unsigned long long total = 0;
	char text[128];
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	close(fd);
	need(n > 0);
	text[n] = '\0';
	total = strtoull(text, NULL, 10);
	return total * 4096;
}

/* Leaves so much free. */
static void
fill_up(uint64_t bytes_left)
{
	struct statfs status;
	uint64_t bytes;
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/" FILLER, root);
	need(statfs(root, &status) == 0);
	bytes = status.f_bfree * (uint64_t)status.f_bsize;
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	need(fd >= 0);
	if (bytes > bytes_left)
		need(fallocate(fd, 0, 0, (off_t)(bytes - bytes_left)) == 0);
	close(fd);
}

static void
take_inodes(unsigned left)
{
	struct statfs status;
	char path[256];
	unsigned i;

	need(statfs(root, &status) == 0);
	snprintf(path, sizeof(path), "%s/" FILLER, root);
	need(mkdir(path, 0700) == 0);
	for (i = 0; i + 1 + left < status.f_ffree; i++) {
		snprintf(path, sizeof(path), "%s/" FILLER "/%u", root, i);
		need(mknod(path, S_IFREG | 0600, 0) == 0);
	}
}

static void
remove_filler(void)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/" FILLER, root);
	ledger_remove_files(path);
	remove(path);
}

bool
limit_set(enum how how, unsigned step)
{
	step--;
	if (how == HOW_NOFILE && step <= 20)
		lower(RLIMIT_NOFILE, descriptor_after(step));
	else if (how == HOW_INODES && step <= 20)
		take_inodes(step);
	else if (how == HOW_NOFILE || how == HOW_INODES ||
		 step >= COUNT_OF(pages))
		return false;
	else if (how == HOW_AS)
		lower(RLIMIT_AS, address_space() + pages[step] * 4096);
	else if (how == HOW_FSIZE)
		lower(RLIMIT_FSIZE, pages[step] * 4096 + (step & 1));
	else if (how == HOW_FULL)
		fill_up(pages[step] * 4096);
	else {
		lower(RLIMIT_MEMLOCK, pages[step] * 4096);
		limit_has_locked = true;
		/* What is mapped from now on counts. */
		need(mlockall(MCL_FUTURE) == 0 || errno == ENOMEM ||
		     errno == EPERM);
	}
	return true;
}

void
limit_lift(enum how how)
{
	if (how == HOW_NOFILE)
		lift(RLIMIT_NOFILE);
	else if (how == HOW_AS)
		lift(RLIMIT_AS);
	else if (how == HOW_FSIZE)
		lift(RLIMIT_FSIZE);
	else if (how == HOW_MEMLOCK) {
		lift(RLIMIT_MEMLOCK);
		munlockall();
	} else {
		remove_filler();
	}
}

bool
limit_prepare(void)
{
	char options[64];

	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return false;
	snprintf(options, sizeof(options), "size=%d,nr_inodes=%d,mode=0700",
		 FILE_SYSTEM_BYTES, FILE_SYSTEM_INODES);
	return mount("tmpfs", root, "tmpfs", 0, options) == 0;
}
