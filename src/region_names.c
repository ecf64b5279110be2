/* SPDX-License-Identifier: MIT */
/* Layer 8. May include: base atomics shm liveness layout_region names access options directory region_participants region listing. */
/*
 * Regions by name: made, opened, unlinked, listed, looked at.
 *
 * Made whole in a directory under a temporary name, whose flock says that its
 * maker lives; attached there, so that one whose maker could not attach it is
 * removed before anybody has seen it; and renamed into place, replacing nothing.
 * Killed on the way: the next sweep removes it. Unlinked: renamed to a name that says so, and
 * removed. Killed between the two: the next sweep removes it, when nobody has it
 * attached for writing any more; readers do not need it.
 */
#include "base.h"
#include "access.h"
#include "directory.h"
#include "listing.h"
#include "options.h"
#include "region.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPEN_FLAGS (CUBBY_CREATE | CUBBY_EXCLUSIVE | CUBBY_WRITE)
#define TRIES 100	/* each means that somebody has unlinked or made it */
#define STRUCT_LARGEST 4096
#define SIZE_DEFAULT PAGE
#define SIZE_MAX_DEFAULT (sizeof(void *) == 8 ? GIB(1) : MIB(64))

/* What is asked for ------------------------------------------------------ */

struct request {
	int flags;
	struct cubby_region_options options;
};

/* The caller's, whatever version of the struct it was compiled with; one newer
   than ours must ask for nothing that we do not know. */
static int
read_struct(const struct cubby_region_options *options,
	    struct cubby_region_options *ret)
{
	const unsigned char *bytes = (const unsigned char *)options;
	size_t i;

	if (options->struct_size < sizeof(size_t) ||
	    options->struct_size > STRUCT_LARGEST)
		return -EINVAL;
	for (i = sizeof(*ret); i < options->struct_size; i++)
		if (bytes[i])
			return -EINVAL;
	memcpy(ret, options, min_u64(options->struct_size, sizeof(*ret)));
	return 0;
}

static int
check_options(const struct cubby_region_options *o)
{
	if (o->mode > 0777 || (o->mode & 0111) ||
	    o->size > REGION_SIZE_LIMIT || o->size_max > REGION_SIZE_LIMIT ||
	    (o->size_max && o->size > o->size_max) || (o->group && !*o->group))
		return -EINVAL;
	return 0;
}

static int
read_request(int flags, const struct cubby_region_options *options,
	     struct request *ret)
{
	int r;

	memset(ret, 0, sizeof(*ret));
	ret->flags = flags;
	if (flags & ~OPEN_FLAGS ||
	    ((flags & CUBBY_EXCLUSIVE) && !(flags & CUBBY_CREATE)))
		return -EINVAL;
	if (!options)
		return 0;
	r = read_struct(options, &ret->options);
	return r < 0 ? r : check_options(&ret->options);
}

/* w: also r */
static mode_t
complete(mode_t mode)
{
	return mode | (mode & 0222) << 1;
}

/* With the defaults. Errors: -EINVAL. */
static int
read_options(const struct cubby_region_options *options,
	     struct cubby_region_options *ret, gid_t *ret_group)
{
	struct cubby_options group = CUBBY_OPTIONS_INIT;

	*ret = *options;
	if (!ret->size)
		ret->size = ret->size_max ?
			    min_u64(SIZE_DEFAULT, ret->size_max) : SIZE_DEFAULT;
	if (!ret->size_max)
		ret->size_max = max_u64(ret->size, SIZE_MAX_DEFAULT);
	ret->size_max = round_up(ret->size_max, PAGE);
	ret->mode = complete(ret->mode ? ret->mode : 0600);
	if (ret->size_max > SIZE_MAX / 2)
		return -EINVAL;
	group.group = ret->group;
	return options_group(&group, ret_group);
}

/* Making ----------------------------------------------------------------- */

struct making {
	const struct cubby_region_options *options;
	gid_t group;
	int directory;
};

static int
commit(int fd, uint64_t size)
{
	int r = shm_commit(fd, 0, offsetof(struct region_file, slots) + PAGE,
			   INT64_MAX);

	return r < 0 ? r : shm_commit(fd, REGION_DATA, round_up(size, PAGE),
				      INT64_MAX);
}

/* What every region's file begins with, and its memory. */
static int
write_memory(int fd, const struct cubby_region_options *options)
{
	const size_t size = offsetof(struct region_file, slots);
	struct region_file *file = calloc(1, sizeof(*file));
	ssize_t n;
	int r;

	if (!file)
		return -ENOMEM;
	file->head.identity.magic = REGION_MAGIC;
	file->head.identity.version = REGION_VERSION;
	file->head.identity.fingerprint = REGION_FINGERPRINT;
	/* relaxed: nobody else has it yet */
	word64_store_relaxed(&file->transfers,
			     transfers_make(0, (uint32_t)START_COUNTER(32, 3)));
	file->head.size_max = options->size_max;
	file->head.mode = options->mode;
	/* relaxed: nobody else has it yet */
	word64_store_relaxed(&file->size, options->size);
	word32_store_relaxed(&file->slots_committed, 1);
	r = shm_random(file->head.identity.uuid);
	if (r == 0)
		r = commit(fd, options->size);
	if (r == 0) {
		n = pwrite(fd, file, size, 0);
		r = n < 0 ? -errno : (size_t)n == size ? 0 : -ENOSPC;
	}
	free(file);
	return r;
}

static int
set_rights(const struct making *making, int fd, enum access_kind kind)
{
	struct attributes attributes = { .mode = making->options->mode,
					 .uid = geteuid() };

	if (fchown(fd, (uid_t)-1, making->group) < 0)
		return errno == EPERM ? -EACCES : -errno;
	return access_set(fd, kind, &attributes, geteuid());
}

static int
make_file(const struct making *making, const char *name, enum access_kind kind)
{
	int fd, r = 0;

	fd = openat(making->directory, name,
		    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (kind == ACCESS_REGION_MEMORY)
		r = write_memory(fd, making->options);
	if (r == 0)
		r = set_rights(making, fd, kind);
	close(fd);
	return r;
}

static int
make_contents(const struct making *making)
{
	int r;

	r = make_file(making, REGION_MEMORY, ACCESS_REGION_MEMORY);
	if (r == 0)
		r = make_file(making, REGION_ATTENDANCE, ACCESS_REGION_ATTENDANCE);
	if (r == 0)
		r = set_rights(making, making->directory,
			       ACCESS_REGION_DIRECTORY);
	return r;
}

/* Attaches what lies in that directory. */
static int
attach(int directory, bool writes, struct cubby_region **ret)
{
	struct region_attendance join = { .directory = directory,
					  .name = REGION_ATTENDANCE };
	int memory;

	memory = shm_open_at(directory, REGION_MEMORY,
			     writes ? O_RDWR : O_RDONLY, NULL);
	if (memory < 0)
		return memory;
	if (!writes)
		return region_attach(memory, -1, NULL, ret);
	join.fd = shm_open_at(directory, REGION_ATTENDANCE, O_RDONLY, NULL);
	if (join.fd < 0) {
		close(memory);
		return join.fd;
	}
	return region_attach(memory, join.fd, &join, ret);
}

/* Takes no descriptor: that there is none left may be why it is called. */
static void
unmake(const struct making *making, int parent, const char *entry)
{
	unlinkat(making->directory, REGION_MEMORY, 0);
	unlinkat(making->directory, REGION_ATTENDANCE, 0);
	if (unlinkat(parent, entry, AT_REMOVEDIR) < 0)
		directory_remove(parent, entry);
}

/* By its maker. *ret is NULL if its mode does not let him. */
static int
attach_made(const struct making *making, bool writes, struct cubby_region **ret)
{
	int r = attach(making->directory, writes, ret);

	return r == -EACCES ? 0 : r;
}

static int
name_made(const struct place *place, const char *entry)
{
	return shm_rename(place->parent, entry, place->parent, place->entry);
}

/* Errors: -EACCES (its mode does not let its maker: it is there for others all
   the same) -EEXIST and others; then nothing is left. */
static int
make(const struct request *request, const struct place *place,
     struct cubby_region **ret)
{
	struct cubby_region_options options;
	struct making making = { .options = &options };
	struct cubby_region *region = NULL;
	char entry[NAME_MAX + 1];
	int r;

	r = read_options(&request->options, &options, &making.group);
	if (r < 0)
		return r;
	making.directory = directory_begin(place->parent, entry);
	if (making.directory < 0)
		return making.directory;
	r = make_contents(&making);
	if (r == 0)
		r = attach_made(&making, request->flags & CUBBY_WRITE, &region);
	if (r == 0)
		r = name_made(place, entry);
	if (r < 0) {
		if (region)
			region_detach(region);
		unmake(&making, place->parent, entry);
	}
	close(making.directory);
	if (r == 0 && region)
		*ret = region;
	return r == 0 && !region ? -EACCES : r;
}

/* Opening ---------------------------------------------------------------- */

int
region_directory(const struct place *place, bool path)
{
	struct stat st;
	int fd, r = 0;

	fd = openat(place->parent, place->entry, O_DIRECTORY | O_NOFOLLOW |
		    O_CLOEXEC | (path ? O_PATH : O_RDONLY));
	if (fd < 0)
		return errno == ELOOP ? -ENOTDIR : -errno;
	/* Only its owner may change what is in it. */
	if (fstat(fd, &st) < 0)
		r = -errno;
	else if (st.st_mode & 022)
		r = -EBADMSG;
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

/* Is it what was asked for? */
static int
agree(const struct request *request, const struct cubby_region *region)
{
	const struct cubby_region_options *options = &request->options;

	if (options->size_max &&
	    round_up(options->size_max, PAGE) != region->size_max)
		return -EEXIST;
	return options->size > cubby_region_size(region) ? -EEXIST : 0;
}

static int
open_existing(const struct request *request, const struct place *place,
	      struct cubby_region **ret)
{
	struct cubby_region *region;
	int directory, r;

	directory = region_directory(place, true);
	if (directory < 0)
		return directory;
	r = attach(directory, request->flags & CUBBY_WRITE, &region);
	close(directory);
	if (r < 0)
		return r;
	r = agree(request, region);
	if (r < 0)
		region_detach(region);
	else
		*ret = region;
	return r;
}

static int
open_named(const struct request *request, const struct place *place,
	   struct cubby_region **ret)
{
	int i, flags = request->flags, r = -ENOENT;

	for (i = 0; i < TRIES; i++) {
		if (!(flags & CUBBY_EXCLUSIVE)) {
			r = open_existing(request, place, ret);
			if (r != -ENOENT || !(flags & CUBBY_CREATE))
				return r;
		}
		r = make(request, place, ret);
		if (r != -EEXIST || (flags & CUBBY_EXCLUSIVE))
			return r;
	}
	return r;
}

/* Without a name --------------------------------------------------------- */

/* In the file system of the mailboxes that it may be sent to: in the root, or
   where the user may not write there, in the user's own directory. */
static int
open_unnamed_file(void)
{
	int directory = names_shared_directory(), fd;

	if (directory < 0)
		return directory;
	fd = openat(directory, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		fd = -errno;
	close(directory);
	if (fd != -EACCES)
		return fd == -EISDIR ? -EOPNOTSUPP : fd;
	directory = names_own_directory();
	if (directory < 0)
		return -EACCES;
	fd = openat(directory, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		fd = -errno;
	close(directory);
	return fd;
}

static int
open_nameless(const struct request *request, struct cubby_region **ret)
{
	struct region_attendance join = { .directory = -1 };
	struct cubby_region_options options;
	gid_t group;
	int fd, r;

	if (!(request->flags & CUBBY_CREATE))
		return -EINVAL;
	r = read_options(&request->options, &options, &group);
	if (r < 0)
		return r;
	fd = open_unnamed_file();
	if (fd < 0)
		return fd;
	r = write_memory(fd, &options);
	if (r < 0) {
		close(fd);
		return r;
	}
	join.fd = fd;
	return region_attach(fd, fd, &join, ret);
}

int
cubby_region_open(const char *name, int flags,
		  const struct cubby_region_options *options,
		  cubby_region **ret)
{
	struct request request;
	struct place place;
	int r;

	if (!ret)
		return -EINVAL;
	r = read_request(flags, options, &request);
	if (r == 0)
		r = liveness_init();
	if (r < 0)
		return r;
	if (!name)
		return open_nameless(&request, ret);
	r = names_find_region(name, flags & CUBBY_CREATE, &place);
	if (r < 0)
		return r;
	r = open_named(&request, &place, ret);
	close(place.parent);
	return r;
}

/* Unlinking -------------------------------------------------------------- */

static int
unlink_place(const struct place *place)
{
	char gone[NAME_MAX + 1];
	uint8_t uuid[16];
	int directory, i, r;

	/* What is no directory is no region, and stays. */
	directory = region_directory(place, true);
	if (directory < 0 && directory != -EBADMSG)
		return directory;
	if (directory >= 0)
		close(directory);
	r = -EEXIST;
	for (i = 0; r == -EEXIST && i < TRIES; i++) {
		r = shm_random(uuid);
		if (r == 0)
			r = directory_rename_away(place, uuid);
	}
	if (r < 0)
		return r == -EPERM ? -EACCES : r;
	names_gone(uuid, gone);
	directory_remove(place->parent, gone);
	return 0;
}

int
cubby_region_unlink(const char *name)
{
	struct place place;
	int r;

	r = names_find_region(name, false, &place);
	if (r < 0)
		return r;
	r = unlink_place(&place);
	close(place.parent);
	return r;
}

/* Looking ---------------------------------------------------------------- */

/* Who may not write it may not know. */
static int
count_attached(int directory, uint64_t *ret)
{
	int fd, r;

	fd = shm_open_at(directory, REGION_ATTENDANCE, O_RDONLY, NULL);
	if (fd == -EACCES) {
		*ret = CUBBY_UNKNOWN;
		return 0;
	}
	if (fd < 0)
		return fd;
	r = region_count_participants(fd, ret);
	close(fd);
	return r;
}

static int
look(int directory, struct cubby_region_info *ret)
{
	struct cubby_region *region;
	struct stat st;
	int r;

	r = attach(directory, false, &region);
	if (r < 0)
		return r;
	if (fstat(region_memory(region), &st) < 0) {
		r = -errno;
	} else {
		ret->size = cubby_region_size(region);
		ret->size_max = region->size_max;
		ret->mode = (mode_t)region->file->head.mode & 0777;
		ret->memory = (uint64_t)st.st_blocks * 512;
		ret->uid = st.st_uid;
		ret->gid = st.st_gid;
		r = count_attached(directory, &ret->attached);
	}
	region_detach(region);
	return r;
}

int
cubby_region_inspect(const char *name, struct cubby_region_info *ret)
{
	struct cubby_region_info info = CUBBY_REGION_INFO_INIT;
	struct place place;
	size_t size;
	int directory, r;

	if (!ret || ret->struct_size < sizeof(size_t))
		return -EINVAL;
	r = liveness_init();
	if (r == 0)
		r = names_find_region(name, false, &place);
	if (r < 0)
		return r;
	directory = region_directory(&place, true);
	r = directory < 0 ? directory : look(directory, &info);
	if (directory >= 0)
		close(directory);
	close(place.parent);
	if (r < 0)
		return r;
	size = ret->struct_size;
	memcpy(ret, &info, min_u64(size, sizeof(info)));
	ret->struct_size = size;
	return 0;
}

int
cubby_region_list(int (*visit)(const char *name, void *context), void *context)
{
	static const struct listing_kind regions = {
		.own = NAMES_OWN_REGION, .shared = NAMES_SHARED_REGION,
		.file = REGION_MEMORY,
	};

	return visit ? listing_visit(&regions, visit, context) : -EINVAL;
}
