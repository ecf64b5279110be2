/* SPDX-License-Identifier: MIT */
#include "faults.h"

#include <ctype.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *visited_root;
static struct ledger *visited;
static bool is_told;

static void
take_descriptors(struct ledger *ledger)
{
	int fd;

	for (fd = 0; fd < 64 * (int)COUNT_OF(ledger->descriptors); fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			ledger->descriptors[fd / 64] |= UINT64_C(1) << fd % 64;
}

/* By read(2), into memory that is ours: stdio would change the count of blocks. */
static void
take_mappings(const char *below, struct ledger *ledger)
{
	static char text[1 << 20];
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	size_t length = 0;
	const char *at = text;
	ssize_t n;

	need(fd >= 0);
	while ((n = read(fd, text + length, sizeof(text) - 1 - length)) > 0)
		length += (size_t)n;
	close(fd);
	text[length] = '\0';
	while ((at = strstr(at, below))) {
		ledger->mappings++;
		at += strlen(below);
	}
}

static uint64_t
hash_of(const char *name)
{
	uint64_t hash = 5381;

	while (*name)
		hash = hash * 33 + (unsigned char)*name++;
	return hash;
}

static int
visit(const char *path, const struct stat *status, int type, struct FTW *where)
{
	(void)type;
	/* A user's own directory stays. */
	if (where->level == 0 ||
	    (where->level == 1 && !strncmp(path + where->base, "cubby-", 6) &&
	     isdigit((unsigned char)path[where->base + 6])))
		return 0;
	visited->files++;
	visited->file_names += hash_of(path + strlen(visited_root));
	visited->bytes += (uint64_t)status->st_blocks * 512;
	if (is_told)
		fprintf(stderr, "    %s %lld\n", path + strlen(visited_root),
			(long long)status->st_blocks * 512);
	return 0;
}

static void
take_files(const char *below, struct ledger *ledger)
{
	visited_root = below;
	visited = ledger;
	nftw(below, visit, 16, FTW_PHYS);
}

void
ledger_take(const char *below, struct ledger *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->blocks = inject_blocks();
	take_descriptors(ret);
	take_mappings(below, ret);
	take_files(below, ret);
}

static void
tell_files(const char *below)
{
	struct ledger dummy = { .files = 0 };

	is_told = true;
	take_files(below, &dummy);
	is_told = false;
}

static void
compare_descriptors(const struct ledger *before, const struct ledger *after)
{
	char path[64], target[256];
	int fd;

	for (fd = 0; fd < 64 * (int)COUNT_OF(after->descriptors); fd++) {
		ssize_t n;

		if ((before->descriptors[fd / 64] >> fd % 64 & 1) ==
		    (after->descriptors[fd / 64] >> fd % 64 & 1))
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		n = readlink(path, target, sizeof(target) - 1);
		target[n > 0 ? n : 0] = '\0';
		fail_at(__FILE__, __LINE__, "descriptor %d was %s: %s", fd,
			n > 0 ? "left open" : "closed", target);
	}
}

void
ledger_compare(const struct ledger *before, const struct ledger *after,
	       int what, const char *below)
{
	if (what & LEDGER_DESCRIPTORS)
		compare_descriptors(before, after);
	if ((what & LEDGER_MAPPINGS) && after->mappings != before->mappings)
		fail_at(__FILE__, __LINE__, "%u mappings where there were %u",
			after->mappings, before->mappings);
	if (((what & LEDGER_COUNT) && after->files > before->files) ||
	    ((what & LEDGER_FILES) &&
	     (after->files != before->files ||
	      after->file_names != before->file_names))) {
		tell_files(below);
		fail_at(__FILE__, __LINE__, "%u files where there were %u",
			after->files, before->files);
	}
	if ((what & LEDGER_BYTES) && after->bytes > before->bytes) {
		tell_files(below);
		fail_at(__FILE__, __LINE__, "%llu bytes where there were %llu",
			(unsigned long long)after->bytes,
			(unsigned long long)before->bytes);
	}
	if ((what & LEDGER_BLOCKS) && after->blocks != before->blocks)
		fail_at(__FILE__, __LINE__,
			"%ld blocks of memory where there were %ld",
			after->blocks, before->blocks);
}

static int
remove_one(const char *path, const struct stat *status, int type,
	   struct FTW *where)
{
	(void)status;
	(void)type;
	if (where->level)
		remove(path);
	return 0;
}

void
ledger_remove_files(const char *below)
{
	nftw(below, remove_one, 16, FTW_PHYS | FTW_DEPTH);
}
