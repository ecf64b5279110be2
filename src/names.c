/* SPDX-License-Identifier: MIT */
/* Layer 5. May include: base shm names. */
/*
 * From names to directories. Each directory on the way is opened once, checked
 * by fstat on what was opened, and used through that descriptor; so nothing can
 * be put in its place in between.
 */
#include "base.h"
#include "names.h"
#include "shm.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define NAME_LONGEST 200	/* CUBBY_NAME_MAX */
#define DIRECTORY (O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)

int
names_check(const char *name)
{
	if (!name)
		return -EINVAL;
	if (strlen(name) > NAME_LONGEST)
		return -ENAMETOOLONG;
	if (*name == '/')
		name++;
	if (!*name || *name == '.' || strchr(name, '/'))
		return -EINVAL;
	return 0;
}

bool
names_is_inbox(const char *name)
{
	return name[*name == '/'] == '@';
}

/* What others may write must keep them from renaming each other's things. */
static int
check_root(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return -EPERM;
	if ((st.st_mode & 022) && !(st.st_mode & S_ISVTX))
		return -EPERM;
	return 0;
}

int
names_shared_directory(void)
{
	const char *root = secure_getenv("CUBBY_ROOT");
	int fd, r;

	if (!root || !*root)
		root = "/dev/shm";
	/* Links on the way to the root are the user's own choice. */
	fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = check_root(fd);
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

static int
check_own(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	return st.st_uid == geteuid() && !(st.st_mode & 077) ? 0 : -EPERM;
}

/* Made by us, just now: neither the umask nor an inherited ACL decides. */
static int
close_to_others(int root, const char *entry)
{
	int fd = shm_open_made(root, entry), r = 0;

	if (fd < 0)
		return fd;
	if (fremovexattr(fd, "system.posix_acl_default") < 0 &&
	    errno != ENODATA && errno != EOPNOTSUPP)
		r = -errno;
	if (r == 0 && fremovexattr(fd, "system.posix_acl_access") < 0 &&
	    errno != ENODATA && errno != EOPNOTSUPP)
		r = -errno;
	if (r == 0 && fchmod(fd, 0700) < 0)
		r = -errno;
	close(fd);
	return r;
}

static int
make_own(int root, const char *entry)
{
	if (mkdirat(root, entry, 0700) == 0)
		return close_to_others(root, entry);
	return errno == EEXIST ? 0 : -errno;
}

static int
open_own(int root, bool make)
{
	char entry[32];
	int fd, r;

	snprintf(entry, sizeof(entry), NAMES_OWN "%u", (unsigned)geteuid());
	fd = openat(root, entry, DIRECTORY);
	if (fd < 0 && errno == ENOENT && make) {
		r = make_own(root, entry);
		if (r < 0)
			return r;
		fd = openat(root, entry, DIRECTORY);
	}
	/* Its maker may be about to open it to himself, or have died before. */
	if (fd < 0 && errno == EACCES && make) {
		r = close_to_others(root, entry);
		fd = r < 0 ? -1 : openat(root, entry, DIRECTORY);
		errno = r < 0 ? EACCES : errno;
	}
	if (fd < 0)
		return errno == ELOOP || errno == ENOTDIR || errno == EACCES ?
		       -EPERM : -errno;
	r = check_own(fd);
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

static int
own_directory(bool make)
{
	int root = names_shared_directory(), fd;

	if (root < 0)
		return root;
	fd = open_own(root, make);
	close(root);
	return fd;
}

int
names_own_directory(void)
{
	return own_directory(false);
}

/* own and shared: what stands before the name in its entry. */
static int
find(const char *name, bool make, const char *own, const char *shared,
     struct place *ret)
{
	bool is_shared;
	int r = names_check(name);

	if (r < 0)
		return r;
	is_shared = *name == '/';
	ret->parent = is_shared ? names_shared_directory() :
				  own_directory(make);
	if (ret->parent < 0)
		return ret->parent;
	snprintf(ret->entry, sizeof(ret->entry), "%s%s",
		 is_shared ? shared : own, name + is_shared);
	return 0;
}

int
names_find(const char *name, bool make, struct place *ret)
{
	return find(name, make, "", NAMES_SHARED, ret);
}

int
names_find_region(const char *name, bool make, struct place *ret)
{
	return find(name, make, NAMES_OWN_REGION, NAMES_SHARED_REGION, ret);
}

void
names_gone(const uint8_t uuid[16], char ret[NAME_MAX + 1])
{
	int i, n = snprintf(ret, NAME_MAX + 1, NAMES_GONE);

	for (i = 0; i < 16; i++)
		n += snprintf(ret + n, 3, "%02x", uuid[i]);
}
