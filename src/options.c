/* SPDX-License-Identifier: MIT */
/* Layer 6. May include: base layout layout_queue options. */
/*
 * Options: read with the size that the caller's struct has, so that programs
 * compiled against an older header go on working.
 */
#include "base.h"
#include "layout_queue.h"
#include "options.h"

#include <grp.h>
#include <stdlib.h>
#include <sys/vfs.h>
#include <unistd.h>

#define CAPACITY_DEFAULT	128
#define MESSAGE_DEFAULT		MIB(1)
#define MEMORY_DEFAULT		MIB(64)
#define MEMORY_MOST		GIB(64)	/* without a limit; of a lane, of which */
#define MEMORY_MOST_LANE	GIB(16)	/* a receiver maps thousands */
/* Where there are 4 GiB of addresses, and a lane takes twice that. */
#define MEMORY_32_BITS		MIB(32)
#define CELL_DEFAULT		128
#define GROUP_ENTRY_MAX		MIB(16)

/*
 * A smaller struct is of an older header, and the rest is default; a larger one
 * is of a newer header, and must ask for nothing that we do not know.
 */
static int
read_struct(const struct cubby_options *options, struct cubby_options *ret)
{
	size_t size = options->struct_size, i;
	const unsigned char *bytes = (const unsigned char *)options;

	if (size < sizeof(size_t) || size > 4096)
		return -EINVAL;
	for (i = sizeof(*ret); i < size; i++)
		if (bytes[i])
			return -EINVAL;
	memcpy(ret, options, min_u64(size, sizeof(*ret)));
	ret->struct_size = sizeof(*ret);
	return 0;
}

int
options_read(const struct cubby_options *options, struct cubby_options *ret)
{
	struct cubby_options o = CUBBY_OPTIONS_INIT;
	int r;

	if (options) {
		r = read_struct(options, &o);
		if (r < 0)
			return r;
	}
	if (o.sender && (!*o.sender || strlen(o.sender) > SENDER_NAME_MAX))
		return -EINVAL;
	if (o.group && !*o.group)
		return -EINVAL;
	if (o.buffering == CUBBY_UNLIMITED && o.capacity)
		return -EINVAL;
	*ret = o;
	return 0;
}

/*
 * 64 MiB a sender, or a quarter of the file system, if that is less. Without a
 * limit: all of the file system, as far as the address space for it can be had
 * of many senders.
 */
static int
default_memory(int parent, const struct attributes *a, uint64_t *ret)
{
	bool unlimited = a->buffering == CUBBY_UNLIMITED;
	bool few_addresses = SIZE_MAX <= UINT32_MAX;
	uint64_t most = few_addresses ? MEMORY_32_BITS : MEMORY_DEFAULT;
	uint64_t share;
	struct statfs fs;

	if (unlimited && !few_addresses)
		most = a->order == CUBBY_ORDER_SENDER ? MEMORY_MOST_LANE :
							MEMORY_MOST;
	if (fstatfs(parent, &fs) < 0)
		return -errno;
	share = (uint64_t)fs.f_blocks * (uint64_t)fs.f_bsize;
	if (!unlimited)
		share /= 4;
	/* A tmpfs without a limit tells 0. */
	*ret = most;
	if (share && share < most)
		*ret = max_u64(round_down(share, PAGE), PAGE);
	return 0;
}

static uint64_t
or_default(uint64_t value, uint64_t otherwise)
{
	return value ? value : otherwise;
}

/* In a queue who receives writes what senders write: each class may do both or
   neither. */
static int
check_queue(const struct attributes *a)
{
	struct queue_geometry geometry;

	if ((a->mode & 0444) >> 1 != (a->mode & 0222))
		return -EINVAL;
	return layout_queue_geometry(a, &geometry);
}

int
options_attributes(const struct cubby_options *options, int parent,
		   struct attributes *ret)
{
	const struct cubby_options *o = options;
	struct attributes a = {
		.order = o->order, .buffering = o->buffering,
		.sizing = o->sizing, .lifetime = o->lifetime,
		.capacity = o->buffering == CUBBY_LIMITED ?
			or_default(o->capacity, CAPACITY_DEFAULT) : 0,
		.message_max = o->message_max,
		.memory_limit = o->memory_limit,
		.cell_size = (uint32_t)or_default(o->cell_size, CELL_DEFAULT),
		.mode = (uint32_t)or_default(o->mode, 0600),
		.delivery = o->delivery,
	};
	struct geometry geometry;
	int r;

	if (a.mode > 0777 || (a.mode & 0111) ||
	    (a.buffering != CUBBY_LIMITED && o->capacity) ||
	    (a.buffering == CUBBY_RENDEZVOUS && a.order == CUBBY_ORDER_SENDER))
		return -EINVAL;
	if (a.delivery && (a.order != CUBBY_ORDER_SENDER ||
			   a.buffering != CUBBY_LIMITED))
		return -EOPNOTSUPP;
	if (a.sizing != CUBBY_FIXED)
		a.message_max = or_default(a.message_max, MESSAGE_DEFAULT);
	if (!a.memory_limit) {
		r = default_memory(parent, &a, &a.memory_limit);
		if (r < 0)
			return r;
	}
	r = layout_geometry(&a, &geometry);
	if (r < 0)
		return r;
	if (a.order != CUBBY_ORDER_SENDER)
		r = check_queue(&a);
	if (r == 0)
		*ret = a;
	return r;
}

/* A number that was asked for, and another that is. */
static bool
differs(uint64_t asked, uint64_t is)
{
	return asked && asked != is;
}

int
options_agree(const struct cubby_options *options,
	      const struct attributes *attributes)
{
	const struct cubby_options *o = options;
	const struct attributes *a = attributes;

	if (differs(o->order, a->order) ||
	    differs(o->buffering, a->buffering) ||
	    differs(o->sizing, a->sizing) ||
	    differs(o->lifetime, a->lifetime) ||
	    differs(o->capacity, a->capacity) ||
	    differs(o->message_max, a->message_max) ||
	    differs(o->memory_limit, a->memory_limit) ||
	    differs(o->cell_size, a->cell_size) ||
	    differs(o->delivery, a->delivery))
		return -EEXIST;
	if (o->sizing == CUBBY_FIXED && o->message_max != a->message_max)
		return -EEXIST;
	return 0;
}

/* The group of that name; all its members have to fit. -ENOENT: there is none. */
static int
look_up_group(const char *name, gid_t *ret)
{
	struct group group, *found = NULL;
	char *buffer = NULL, *larger;
	size_t size = 1024;
	int r;

	do {
		size *= 4;
		larger = size <= GROUP_ENTRY_MAX ? realloc(buffer, size) : NULL;
		if (!larger) {
			free(buffer);
			return -ENOMEM;
		}
		buffer = larger;
		r = getgrnam_r(name, &group, buffer, size, &found);
	} while (r == ERANGE);
	if (r == 0 && found)
		*ret = group.gr_gid;
	free(buffer);
	if (r == ENOMEM || r == EMFILE || r == ENFILE || r == EINTR || r == EIO)
		return -r;
	return r == 0 && found ? 0 : -ENOENT;
}

int
options_group(const struct cubby_options *options, gid_t *ret)
{
	const char *name = options->group;
	unsigned long number;
	gid_t gid = getegid();
	char *end;
	int r;

	/* By default: not what a directory with the set-group-ID bit hands down. */
	*ret = gid;
	if (!name)
		return 0;
	r = look_up_group(name, &gid);
	*ret = gid;
	if (r != -ENOENT)
		return r;
	errno = 0;
	number = strtoul(name, &end, 10);
	if (errno || *end || *name < '0' || *name > '9' || number >= UINT32_MAX)
		return -EINVAL;
	*ret = (gid_t)number;
	return 0;
}
