/* SPDX-License-Identifier: MIT */
/* What the hostile user does to a file, by its path, with its own rights. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "play.h"

enum { PAGE = 4096, EDGES = 7, ROOT_BYTES = 12 << 20 };

/* The ways: to nothing, by a byte, EDGES edges, and holes. */
enum way {
	CUT_TO_NOTHING,
	CUT_BY_A_BYTE,
	CUT_AT_EDGE,
	HOLE = CUT_AT_EDGE + EDGES,
	HOLE_WHEN_FULL,
	REGROWN_WHEN_FULL
};
_Static_assert(REGROWN_WHEN_FULL + 1 == WAYS, "each has a number");

static char all_names[FILE_KINDS][WAYS][64];

void
damage_prepare_names(void)
{
	static const char *const files[FILE_KINDS] = {
		[NO_FILE] = "no file", [LANE] = "the hostile's lane",
		[OWN] = "the own lane", [RECEIVERS] = "receivers",
		[DOORBELL] = "doorbell", [ATTENDANCE] = "attendance",
		[QUEUE] = "queue", [BLOCKS] = "blocks",
		[REPLY] = "the reply file", [MEMORY] = "memory",
		[PLACES] = "the region's attendance",
		[SENT_REGION] = "the region",
	};
	static const char *const ways[WAYS] = {
		"cut to nothing", "cut by a byte",
		"cut at page 1", "cut at edge 2", "cut at edge 3",
		"cut at edge 4", "cut at edge 5", "cut at edge 6",
		"cut at the last page", "a hole", "a hole without memory",
		"cut, grown again without memory",
	};

	for (int file = 0; file < FILE_KINDS; file++)
		for (int way = 0; way < WAYS; way++)
			snprintf(all_names[file][way],
				 sizeof(all_names[file][way]), "%s: %s",
				 files[file], ways[way]);
}

const char *
damage_name(enum file file, int way)
{
	return all_names[file][way];
}

bool
damage_fills(int way)
{
	return way >= HOLE_WHEN_FULL;
}

bool
damage_invents(int way)
{
	return way >= HOLE;
}

void
act_as(uid_t uid)
{
	if (seteuid(0) < 0 || (uid && (setegid(uid) < 0 || seteuid(uid) < 0)) ||
	    (!uid && setegid(0) < 0))
		fail("user %u: %s", uid, strerror(errno));
}

void
damage_mount(const char *root)
{
	static bool is_done;
	char options[64];

	if (is_done)
		return;
	snprintf(options, sizeof(options), "size=%d,mode=1777", ROOT_BYTES);
	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", root, "tmpfs", 0, options) < 0)
		fail("a file system of its own: %s", strerror(errno));
	is_done = true;
}

/* Finding the file -------------------------------------------------------- */

static struct {
	const char *prefix;
	uid_t owner;		/* (uid_t)-1: whoever */
	char path[4096];
} sought;

static int
look_at(const char *path, const struct stat *st, int type, struct FTW *at)
{
	if (type != FTW_F ||
	    strncmp(path + at->base, sought.prefix, strlen(sought.prefix)) ||
	    (sought.owner != (uid_t)-1 && st->st_uid != sought.owner))
		return 0;
	snprintf(sought.path, sizeof(sought.path), "%s", path);
	return 1;
}

/* NULL: it has not been made yet, or has gone. */
static const char *
find(const struct run *run, enum file file)
{
	const struct act *act = act_of(run->scenario);
	static const char *const prefixes[] = {
		[LANE] = "lane.", [OWN] = "lane.", [RECEIVERS] = "receivers",
		[DOORBELL] = "doorbell", [ATTENDANCE] = "attendance",
		[QUEUE] = "queue", [BLOCKS] = "blocks", [REPLY] = "reply.",
		[MEMORY] = "memory", [PLACES] = "attendance",
		[SENT_REGION] = "region.",
	};
	char below[600];

	sought.prefix = prefixes[file];
	sought.owner = file == LANE ? HOSTILE_UID :
		       file == OWN ? VICTIM_UID : (uid_t)-1;
	snprintf(below, sizeof(below), "%s/cubby%s%s", run->root,
		 file == MEMORY || file == PLACES ? "-region." : ".",
		 (file == MEMORY || file == PLACES ? GROUND :
		  stage_mailbox(act)) + 1);
	return nftw(below, look_at, 8, FTW_PHYS) == 1 ? sought.path : NULL;
}

/* Damage ------------------------------------------------------------------ */

/* An edge of a page that has memory, or of the last one. */
static off_t
edge(int fd, off_t size, int number)
{
	off_t data = 0, step = PAGE;

	if (number == EDGES - 1)
		return (size - 1) / PAGE * PAGE;
	/* The first pages, and then every fourth, of those with memory. */
	for (int i = 0; i <= number; i++) {
		data = lseek(fd, data + step, SEEK_DATA);
		if (data < 0)
			return PAGE;
		step = i < 2 ? PAGE : 4 * PAGE;
	}
	return data / PAGE * PAGE;
}

static void
take_all_memory(const struct run *run)
{
	char path[600];
	int fd;

	snprintf(path, sizeof(path), "%s/ballast", run->root);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		fail("%s: %s", path, strerror(errno));
	for (off_t at = 0, step = 1 << 20; step >= PAGE;) {
		if (fallocate(fd, 0, at, step) == 0)
			at += step;
		else
			step /= 4;
	}
	close(fd);
}

void
damage_relieve(const struct run *run)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/ballast", run->root);
	unlink(path);
}

static int
damage(int fd, int way)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -1;
	if (way == CUT_TO_NOTHING)
		return ftruncate(fd, 0);
	if (way == CUT_BY_A_BYTE)
		return ftruncate(fd, st.st_size ? st.st_size - 1 : 0);
	if (way < HOLE)
		return ftruncate(fd, !st.st_size ? 0 :
				 edge(fd, st.st_size, way - CUT_AT_EDGE));
	if (way == REGROWN_WHEN_FULL)
		return ftruncate(fd, 0) < 0 ? -1 : ftruncate(fd, st.st_size);
	return !st.st_size ? 0 :
	       fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
			 st.st_size);
}

void
damage_do(const struct run *run, enum file file, int way)
{
	const char *path = find(run, file);
	int fd;

	if (!path)
		return;
	act_as(file == OWN ? VICTIM_UID : HOSTILE_UID);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 && file == SENT_REGION && errno == EACCES) {
		act_as(0);	/* not shared yet */
		return;
	}
	if (fd < 0)
		fail("%s cannot be opened by user %u: %s", path, geteuid(),
		     strerror(errno));
	if (damage(fd, way) < 0)
		fail("%s: %s", damage_name(file, way), strerror(errno));
	close(fd);
	act_as(0);
	if (damage_fills(way))
		take_all_memory(run);
}
