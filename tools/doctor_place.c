/* SPDX-License-Identifier: MIT */
/*
 * cubby doctor: where mailboxes lie, whether files there can do what is needed of
 * them, how much room there is, and what has been left there.
 *
 * What files can do is tried, in a file without a name where that is possible:
 * nothing is left behind.
 */
#include "doctor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "command.h"
#include "table.h"

#define TMPFS 0x01021994
#define SMALL (UINT64_C(64) << 20)   /* what containers get, if not asked */
#define WASTED (UINT64_C(256) << 10) /* bytes that a dead lane may keep */

/* The directories -------------------------------------------------------- */

static bool
check_root(const char *root, const struct stat *st)
{
	if (st->st_uid != 0 && st->st_uid != geteuid()) {
		diagnose(BAD, "root",
			 "use a directory that belongs to root or to you",
			 "%s belongs to user %lu, who could replace what lies "
			 "there: nothing is opened in it",
			 root, (unsigned long)st->st_uid);
		return false;
	}
	if (st->st_mode & 022 && !(st->st_mode & S_ISVTX)) {
		diagnose(BAD, "root", "chmod +t, as its owner",
			 "%s may be written by others and is not sticky: "
			 "nothing is opened in it",
			 root);
		return false;
	}
	if (access(root, W_OK | X_OK) < 0) {
		diagnose(WARN, "root",
			 "chmod 1777, as its owner, or set CUBBY_ROOT",
			 "you may not make anything in %s", root);
		return true;
	}
	diagnose(FINE, "root", NULL, "mailboxes lie in %s", root);
	return true;
}

static void
check_own(const char *root)
{
	struct stat st;
	char *own;

	if (asprintf(&own, "%s/cubby-%u", root, (unsigned int)geteuid()) < 0)
		out_of_memory();
	if (lstat(own, &st) < 0)
		diagnose(FINE, "own", NULL,
			 "you have no mailboxes of your own yet");
	else if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid())
		diagnose(BAD, "own",
			 "ask its owner, or root, to remove it; set CUBBY_ROOT "
			 "meanwhile",
			 "%s is somebody else's (user %lu): you cannot have "
			 "mailboxes of your own",
			 own, (unsigned long)st.st_uid);
	else if (st.st_mode & 077)
		diagnose(BAD, "own", "chmod 700, if you trust what is in it",
			 "%s is open to others (mode %04o): nothing is opened "
			 "in it",
			 own, (unsigned int)(st.st_mode & 07777));
	else
		diagnose(FINE, "own", NULL, "%s is closed to others", own);
	free(own);
}

/* What files can do ------------------------------------------------------ */

static int
file_for_trial(const char *root)
{
	char name[4096];
	int fd = open(root, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0)
		return fd;
	snprintf(name, sizeof(name), "%s/.cubby.trial.XXXXXX", root);
	fd = mkostemp(name, O_CLOEXEC);
	if (fd >= 0)
		unlink(name);
	return fd;
}

static bool
has_locks(int fd)
{
	struct flock lock = { .l_type = F_WRLCK,
			      .l_whence = SEEK_SET,
			      .l_len = 1 };

	return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

static bool
has_mappings(int fd)
{
	void *address = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			     0);

	if (address == MAP_FAILED)
		return false;
	munmap(address, 4096);
	return true;
}

static void
check_file(const char *root, int fd)
{
	static const char cure[] = "set CUBBY_ROOT to a directory in a tmpfs";

	if (fallocate(fd, 0, 0, 4096) < 0)
		diagnose(BAD, "files",
			 errno == ENOSPC ? "see below: room" : cure,
			 "memory cannot be reserved in %s: %s", root,
			 strerror(errno));
	else if (!has_mappings(fd))
		diagnose(BAD, "files", cure, "files in %s cannot be mapped: %s",
			 root, strerror(errno));
	else if (!has_locks(fd))
		diagnose(BAD, "files", cure,
			 "files in %s cannot be locked by those who have them "
			 "open: %s",
			 root, strerror(errno));
	else if (fgetxattr(fd, "system.posix_acl_access", NULL, 0) < 0 &&
		 errno == EOPNOTSUPP)
		diagnose(WARN, "files",
			 "mount it with acl, or set CUBBY_ROOT to a directory "
			 "in a file system that has them",
			 "%s has no access control lists: modes such as 0620, "
			 "where others send and only you receive, are refused",
			 root);
	else
		diagnose(FINE, "files", NULL,
			 "reserving, mapping, locking and access control lists "
			 "work");
}

static void
check_files(const char *root)
{
	int fd = file_for_trial(root);

	if (fd < 0)
		return; /* told as the root's */
	check_file(root, fd);
	close(fd);
}

/* Room ------------------------------------------------------------------- */

static void
check_kind(const char *root)
{
	struct statfs fs;

	if (statfs(root, &fs) == 0 && fs.f_type != TMPFS)
		diagnose(WARN, "kind",
			 "use /dev/shm, or another tmpfs, unless messages "
			 "shall outlive a reboot",
			 "%s is no tmpfs: messages are written to its disk now "
			 "and then",
			 root);
}

static void
check_room(const char *root)
{
	static const char larger[] =
		"mount -o remount,size=2G /dev/shm, as root; for a container: "
		"docker run --shm-size=2g, or a volume of medium Memory";
	char free_text[SIZE_TEXT], all[SIZE_TEXT];
	uint64_t size, left;
	struct statvfs fs;

	if (statvfs(root, &fs) < 0)
		return;
	size = (uint64_t)fs.f_blocks * fs.f_frsize;
	left = (uint64_t)fs.f_bavail * fs.f_frsize;
	size_text(free_text, left);
	size_text(all, size);
	if (fs.f_flag & ST_RDONLY)
		diagnose(BAD, "room", "mount it for writing",
			 "%s is mounted read-only", root);
	else if (size && left < size / 100)
		diagnose(BAD, "room",
			 "cubby sweep; then see who fills it: du -sh there",
			 "%s of %s free: sends are about to fail", free_text,
			 all);
	else if (fs.f_files && !fs.f_favail)
		diagnose(BAD, "room",
			 "remove files; mount -o remount,nr_inodes=1m, as root",
			 "no more files can be made in %s", root);
	else if (size && left < size / 10)
		diagnose(WARN, "room",
			 "cubby sweep; cubby ls tells who uses it",
			 "%s of %s free", free_text, all);
	else if (size && size <= SMALL)
		diagnose(WARN, "room", larger,
			 "%s in all: little for large messages or long queues",
			 all);
	else if (size)
		diagnose(FINE, "room", NULL, "%s of %s free", free_text, all);
}

bool
doctor_place(void)
{
	const char *root = doctor_root();
	struct stat st;

	if (stat(root, &st) < 0 || !S_ISDIR(st.st_mode)) {
		diagnose(BAD, "root",
			 strcmp(root, "/dev/shm") == 0 ?
				 "mount -t tmpfs -o mode=1777 shm /dev/shm, as "
				 "root; or set CUBBY_ROOT" :
				 "make it, or unset CUBBY_ROOT",
			 "%s is no directory that you can see", root);
		return false;
	}
	if (!check_root(root, &st))
		return false;
	check_own(root);
	check_kind(root);
	check_files(root);
	check_room(root);
	return true;
}

/* Leftovers -------------------------------------------------------------- */

struct left {
	const char *name;
	uint64_t unfinished; /* mailboxes half made, or half removed */
	uint64_t lanes;	     /* of the dead, with memory */
	uint64_t bytes;
	uint64_t held; /* messages, by the dead */
};

static int
visit_sender(const struct cubby_sender_info *sender, void *context)
{
	struct left *left = context;

	if (sender->broken)
		diagnose(
			WARN, "broken",
			"its sender has to open the mailbox anew; what it sent "
			"before is lost",
			"%s: the lane of sender %" PRIu64 " made no sense, and "
			"was cut off",
			left->name, sender->sender);
	if (sender->attached || sender->waiting || sender->memory < WASTED)
		return 0;
	left->lanes++;
	left->bytes += sender->memory;
	return 0;
}

static int
visit_receiver(const struct cubby_receiver_info *receiver, void *context)
{
	struct left *left = context;

	if (receiver->died)
		left->held += receiver->held;
	return 0;
}

static int
visit_mailbox(const char *name, void *context)
{
	struct cubby_info info = CUBBY_INFO_INIT;
	struct left *left = context;
	int error = cubby_inspect(name, &info);

	left->name = name;
	if (error == -EPROTO || error == -EBADMSG) {
		diagnose(WARN, "mailbox",
			 "end the programs that use it, and cubby rm it",
			 "%s: %s", name, cubby_strerror(error));
		return 0;
	}
	if (error < 0)
		return 0;
	cubby_inspect_senders(name, visit_sender, left);
	cubby_inspect_receivers(name, visit_receiver, left);
	return 0;
}

static uint64_t
count_unfinished(const char *directory)
{
	DIR *dir = opendir(directory);
	struct dirent *entry;
	uint64_t count = 0;
	struct stat st;

	if (!dir)
		return 0;
	while ((entry = readdir(dir)))
		if (strncmp(entry->d_name, ".cubby.", 7) == 0 &&
		    fstatat(dirfd(dir), entry->d_name, &st,
			    AT_SYMLINK_NOFOLLOW) == 0 &&
		    st.st_uid == geteuid())
			count++;
	closedir(dir);
	return count;
}

void
doctor_leftovers(void)
{
	static const char cure[] = "cubby sweep";
	struct left left = { .name = NULL };
	char text[COUNT_TEXT], size[SIZE_TEXT];
	char *own;

	if (asprintf(&own, "%s/cubby-%u", doctor_root(),
		     (unsigned int)geteuid()) < 0)
		out_of_memory();
	left.unfinished = count_unfinished(doctor_root()) +
			  count_unfinished(own);
	free(own);
	cubby_list(visit_mailbox, &left);
	if (left.unfinished)
		diagnose(WARN, "leftovers", cure,
			 "%s without a name: still in use, or left by one who "
			 "was killed",
			 count_text(text, left.unfinished, "mailbox"));
	if (left.lanes) {
		size_text(size, left.bytes);
		diagnose(WARN, "leftovers", cure,
			 "%s of senders that have gone keep %s of memory",
			 count_text(text, left.lanes, "lane"), size);
	}
	if (left.held)
		diagnose(WARN, "leftovers",
			 "the next receive gets them; or cubby sweep",
			 "%s held by receivers that have died",
			 count_text(text, left.held, "message"));
	if (!left.unfinished && !left.lanes && !left.held)
		diagnose(FINE, "leftovers", NULL,
			 "the dead have left nothing behind");
}
