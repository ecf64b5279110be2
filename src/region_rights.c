/* SPDX-License-Identifier: MIT */
/* Layer 8. May include: base access names options region_participants region. */
/*
 * Granting a region to one more user or group: entries in the access control
 * lists of its directory and its two files. It is the kernel that heeds them,
 * when somebody attaches; who has it attached keeps it.
 *
 * The directory comes last when rights are given, and first when they are taken
 * back. So whoever is killed on the way, or looked at in the middle, has given
 * too little and not too much.
 */
#include "base.h"
#include "access.h"
#include "names.h"
#include "options.h"
#include "region.h"

#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

static int
find_user(const char *name, uint32_t *ret)
{
	struct passwd user, *found = NULL;
	char buffer[16384], *end;
	unsigned long number;

	if (getpwnam_r(name, &user, buffer, sizeof(buffer), &found) == 0 &&
	    found) {
		*ret = found->pw_uid;
		return 0;
	}
	errno = 0;
	number = strtoul(name, &end, 10);
	if (errno || *end || *name < '0' || *name > '9' || number >= UINT32_MAX)
		return -EINVAL;
	*ret = (uint32_t)number;
	return 0;
}

static int
find_group(const char *name, uint32_t *ret)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	gid_t gid;
	int r;

	options.group = name;
	r = options_group(&options, &gid);
	if (r == 0)
		*ret = gid;
	return r;
}

/* "user:NAME" or "group:NAME". Errors: -EINVAL. */
static int
read_grantee(const char *who, struct access_grantee *ret)
{
	if (!who)
		return -EINVAL;
	ret->is_group = !strncmp(who, "group:", 6);
	if (ret->is_group)
		return find_group(who + 6, &ret->id);
	if (strncmp(who, "user:", 5) != 0)
		return -EINVAL;
	return find_user(who + 5, &ret->id);
}

/* To the bits of a class; -EINVAL: there is no such right. */
static int
bits_of(int rights)
{
	switch (rights) {
	case CUBBY_REGION_NONE:
		return 0;
	case CUBBY_REGION_READ:
		return 4;
	case CUBBY_REGION_WRITE:
		return 6;
	default:
		return -EINVAL;
	}
}

static int
grant_file(int directory, const char *name, enum access_kind kind,
	   const struct access_grantee *grantee, mode_t bits)
{
	int fd, r;

	fd = shm_open_at(directory, name, O_RDONLY, NULL);
	if (fd < 0)
		return fd;
	r = access_grant(fd, kind, grantee, bits);
	close(fd);
	return r;
}

static int
grant_files(int directory, const struct access_grantee *grantee, mode_t bits)
{
	int r;

	r = grant_file(directory, REGION_MEMORY, ACCESS_REGION_MEMORY, grantee,
		       bits);
	if (r == 0)
		r = grant_file(directory, REGION_ATTENDANCE,
			       ACCESS_REGION_ATTENDANCE, grantee, bits);
	return r;
}

static int
grant(int directory, const struct access_grantee *grantee, mode_t bits)
{
	int r;

	if (bits) {
		r = grant_files(directory, grantee, bits);
		return r < 0 ? r : access_grant(directory,
						ACCESS_REGION_DIRECTORY,
						grantee, bits);
	}
	r = access_grant(directory, ACCESS_REGION_DIRECTORY, grantee, 0);
	return r < 0 ? r : grant_files(directory, grantee, 0);
}

int
cubby_region_grant(const char *name, const char *who, int rights)
{
	struct access_grantee grantee;
	struct place place;
	int directory, bits, r;

	bits = bits_of(rights);
	if (bits < 0)
		return bits;
	r = read_grantee(who, &grantee);
	if (r == 0)
		r = names_find_region(name, false, &place);
	if (r < 0)
		return r;
	directory = region_directory(&place, false);
	close(place.parent);
	if (directory < 0)
		return directory;
	r = grant(directory, &grantee, (mode_t)bits);
	close(directory);
	return r;
}
