/* SPDX-License-Identifier: MIT */
/* Layer 5. May include: base layout access. */
/*
 * Modes and access control lists of a mailbox's files; the table is in
 * access.h. What would break it: an ACL inherited from a directory with a
 * default ACL (removed), the umask (fchmod does not heed it).
 */
#include "base.h"
#include "access.h"

#include <sys/stat.h>
#include <sys/xattr.h>

/* The value of system.posix_acl_access, as the kernel reads it: see
   linux/posix_acl_xattr.h and acl(5). Little endian on every machine. */
#define ACL_VERSION	2
#define ACL_USER_OBJ	0x01
#define ACL_USER	0x02
#define ACL_GROUP_OBJ	0x04
#define ACL_GROUP	0x08
#define ACL_MASK	0x10
#define ACL_OTHER	0x20
#define ACL_NOBODY	UINT32_MAX

struct acl_entry {
	uint16_t tag;
	uint16_t permissions;
	uint32_t id;
};

struct acl {
	uint32_t version;
	struct acl_entry entries[5];
};

/* From this machine's byte order to theirs, or back. */
static struct acl_entry
swap(struct acl_entry entry)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	entry.tag = __builtin_bswap16(entry.tag);
	entry.permissions = __builtin_bswap16(entry.permissions);
	entry.id = __builtin_bswap32(entry.id);
#endif
	return entry;
}

static struct acl_entry
acl_entry(uint16_t tag, mode_t permissions, uint32_t id)
{
	struct acl_entry entry = {
		.tag = tag,
		.permissions = (uint16_t)permissions, .id = id,
	};

	return swap(entry);
}

/* The bits of one class (r: 4, w: 2) to the bits of one file. */
static mode_t
class_bits(enum access_kind kind, mode_t class)
{
	bool receives = class & 4, sends = class & 2;

	switch (kind) {
	case ACCESS_DIRECTORY:
		return receives || sends ? 5 : 0;
	case ACCESS_LANES:
		return (receives ? 5 : 0) | (sends ? 3 : 0);
	case ACCESS_RECEIVERS:
		return receives ? 6 : sends ? 4 : 0;
	case ACCESS_DOORBELL:
		return receives || sends ? 6 : 0;
	case ACCESS_QUEUE:	/* in whose modes r and w go together */
	case ACCESS_BLOCKS:
		return receives ? 6 : 0;
	case ACCESS_ATTENDANCE:
		return receives ? 6 : 0;
	case ACCESS_LANE:
		return receives ? 4 : 0;
	case ACCESS_REPLY:
		return receives ? 6 : 0;
	case ACCESS_BELLS:
		return (receives ? 7 : 0) | (sends ? 1 : 0);
	case ACCESS_BELL:
		return receives || sends ? 2 : 0;
	case ACCESS_LANE_BELL:
		return receives ? 2 : 0;
	case ACCESS_REGION_DIRECTORY:	/* w with r alone */
		return receives ? 5 : 0;
	case ACCESS_REGION_MEMORY:
		return sends ? 6 : receives ? 4 : 0;
	case ACCESS_REGION_ATTENDANCE:
		return sends ? 6 : 0;
	}
	return 0;
}

/* Made by others than the mailbox's owner, too. */
static bool
is_of_its_maker(enum access_kind kind)
{
	return kind == ACCESS_LANE || kind == ACCESS_REPLY ||
	       kind == ACCESS_BELL || kind == ACCESS_LANE_BELL;
}

static mode_t
file_mode(enum access_kind kind, const struct attributes *a)
{
	mode_t mode = class_bits(kind, a->mode >> 6 & 7) << 6 |
		      class_bits(kind, a->mode >> 3 & 7) << 3 |
		      class_bits(kind, a->mode & 7);

	if (is_of_its_maker(kind))
		mode = (mode & 077) | 0600;
	if (kind == ACCESS_DIRECTORY ||	/* removing it takes that */
	    kind == ACCESS_REGION_DIRECTORY)
		mode |= 0700;
	if (kind == ACCESS_REGION_ATTENDANCE)	/* granting and sweeping, too */
		mode |= 0600;
	if (kind == ACCESS_RECEIVERS)	/* its owner may look at it */
		mode |= 0400;
	if (kind == ACCESS_LANES || kind == ACCESS_BELLS)
		mode |= S_ISVTX | S_ISGID;
	return mode;
}

/* The mailbox's owner has these bits of what another has made, and no others: not
   those of a class that he is in besides. No class loses any by it. */
static int
set_owner(int fd, const struct attributes *a, mode_t mode, uint16_t bits)
{
	uint32_t version = ACL_VERSION;
	uint16_t group = mode >> 3 & 7;
	struct acl acl;

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	version = __builtin_bswap32(version);
#endif
	acl.version = version;
	acl.entries[0] = acl_entry(ACL_USER_OBJ, mode >> 6 & 7, ACL_NOBODY);
	acl.entries[1] = acl_entry(ACL_USER, bits, a->uid);
	acl.entries[2] = acl_entry(ACL_GROUP_OBJ, group, ACL_NOBODY);
	acl.entries[3] = acl_entry(ACL_MASK, bits | group, ACL_NOBODY);
	acl.entries[4] = acl_entry(ACL_OTHER, mode & 7, ACL_NOBODY);
	return fsetxattr(fd, "system.posix_acl_access", &acl, sizeof(acl), 0) < 0
	       ? -errno : 0;
}

static int
give_mode(int fd, mode_t mode)
{
	return fchmod(fd, mode) < 0 ? -errno : 0;
}

/* Where nobody but its maker gets anything, he needs no entry; and without ACLs
   one who is to have nothing gets what his group has. The mode comes with the
   entry, not before: or he could open it in between, as one of a class. */
static int
let_owner(int fd, enum access_kind kind, const struct attributes *a,
	  mode_t mode)
{
	mode_t bits = class_bits(kind, a->mode >> 6 & 7);
	int r;

	if (!bits && !(mode & 077))
		return give_mode(fd, mode);
	r = set_owner(fd, a, mode, (uint16_t)bits);
	return !bits && r == -EOPNOTSUPP ? give_mode(fd, mode) : r;
}

static int
strip(int fd, const char *name)
{
	if (fremovexattr(fd, name) < 0 && errno != ENODATA &&
	    errno != EOPNOTSUPP)
		return -errno;
	return 0;
}

int
access_set(int fd, enum access_kind kind, const struct attributes *a,
	   uid_t maker)
{
	mode_t mode = file_mode(kind, a);
	int r;

	r = strip(fd, "system.posix_acl_access");
	if (r == 0 && (kind == ACCESS_DIRECTORY || kind == ACCESS_LANES ||
		       kind == ACCESS_BELLS || kind == ACCESS_REGION_DIRECTORY))
		r = strip(fd, "system.posix_acl_default");
	if (r < 0)
		return r;
	return is_of_its_maker(kind) && maker != a->uid ?
	       let_owner(fd, kind, a, mode) : give_mode(fd, mode);
}

/* Grants ----------------------------------------------------------------- */

#define ENTRIES_MAX 128

/* A list of entries, as private numbers: not in the order of bytes that the
   kernel reads. */
struct list {
	size_t count;
	struct acl_entry entries[ENTRIES_MAX];
};

struct bytes {
	uint32_t version;
	struct acl_entry entries[ENTRIES_MAX];
};

/* In the order that the kernel wants: by tag, as their numbers rise. */
static void
add(struct list *list, struct acl_entry entry)
{
	size_t at = list->count++;

	for (; at && list->entries[at - 1].tag > entry.tag; at--)
		list->entries[at] = list->entries[at - 1];
	list->entries[at] = entry;
}

/* What the mode says alone. */
static int
list_of_mode(int fd, struct list *ret)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	ret->count = 0;
	add(ret, (struct acl_entry){ ACL_USER_OBJ, st.st_mode >> 6 & 7,
				     ACL_NOBODY });
	add(ret, (struct acl_entry){ ACL_GROUP_OBJ, st.st_mode >> 3 & 7,
				     ACL_NOBODY });
	add(ret, (struct acl_entry){ ACL_OTHER, st.st_mode & 7, ACL_NOBODY });
	return 0;
}

/* Without the mask, and without what that user or group had. Errors: -EUSERS. */
static int
read_list(int fd, const struct acl_entry *without, struct list *ret)
{
	struct bytes bytes;
	struct acl_entry entry;
	ssize_t n, i;

	n = fgetxattr(fd, "system.posix_acl_access", &bytes, sizeof(bytes));
	if (n < 0 && errno == ENODATA)
		return list_of_mode(fd, ret);
	if (n < 0)
		return errno == ERANGE ? -EUSERS : -errno;
	n = (n - (ssize_t)offsetof(struct bytes, entries)) /
	    (ssize_t)sizeof(entry);
	ret->count = 0;
	for (i = 0; i < n; i++) {
		entry = swap(bytes.entries[i]);
		if (entry.tag != ACL_MASK && (entry.tag != without->tag ||
					      entry.id != without->id))
			add(ret, entry);
	}
	return 0;
}

/* The mask lets through all that the entries give. */
static void
add_mask(struct list *list)
{
	struct acl_entry mask = { ACL_MASK, 0, ACL_NOBODY };
	bool needed = false;
	size_t i;

	for (i = 0; i < list->count; i++) {
		uint16_t tag = list->entries[i].tag;

		if (tag == ACL_USER || tag == ACL_GROUP)
			needed = true;
		if (tag == ACL_USER || tag == ACL_GROUP || tag == ACL_GROUP_OBJ)
			mask.permissions |= list->entries[i].permissions;
	}
	if (needed)
		add(list, mask);
}

static int
write_list(int fd, const struct list *list)
{
	struct bytes bytes = { .version = ACL_VERSION };
	size_t i;

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	bytes.version = __builtin_bswap32(bytes.version);
#endif
	for (i = 0; i < list->count; i++)
		bytes.entries[i] = swap(list->entries[i]);
	if (fsetxattr(fd, "system.posix_acl_access", &bytes,
		      offsetof(struct bytes, entries) +
		      list->count * sizeof(bytes.entries[0]), 0) == 0)
		return 0;
	return errno == EPERM ? -EACCES : -errno;
}

int
access_grant(int fd, enum access_kind kind,
	     const struct access_grantee *grantee, mode_t bits)
{
	struct acl_entry entry = {
		grantee->is_group ? ACL_GROUP : ACL_USER,
		(uint16_t)class_bits(kind, bits), grantee->id,
	};
	struct list list;
	int r;

	r = read_list(fd, &entry, &list);
	if (r < 0)
		return r;
	/* One more, and the mask. */
	if (list.count + 2 > ENTRIES_MAX)
		return -EUSERS;
	if (bits)
		add(&list, entry);
	add_mask(&list);
	return write_list(fd, &list);
}

/* Regions that are sent -------------------------------------------------- */

/* Adds rights to what the list has for this entry's user, group or class. */
static void
add_rights(struct list *list, struct acl_entry entry)
{
	size_t i;

	for (i = 0; i < list->count; i++)
		if (list->entries[i].tag == entry.tag &&
		    list->entries[i].id == entry.id) {
			list->entries[i].permissions |= entry.permissions;
			return;
		}
	add(list, entry);
}

/* Who may receive: the mailbox's owner, its group, the others; where these are
   not the file's, by entries of their own. */
static void
add_receivers(struct list *list, const struct stat *st,
	      const struct attributes *a)
{
	uint16_t owner = a->mode & 0400 ? 6 : 0, group = a->mode & 040 ? 6 : 0;
	uint16_t other = a->mode & 04 ? 6 : 0;
	bool same_group = st->st_gid == a->gid || group == other;

	add_rights(list, (struct acl_entry){ ACL_USER_OBJ, 6, ACL_NOBODY });
	add_rights(list, (struct acl_entry){ ACL_OTHER, other, ACL_NOBODY });
	add_rights(list, (struct acl_entry){
		ACL_GROUP_OBJ, st->st_gid == a->gid ? group : other,
		ACL_NOBODY });
	if (!same_group)
		add_rights(list, (struct acl_entry){ ACL_GROUP, group,
						     a->gid });
	if (st->st_uid != a->uid && (owner != group || owner != other))
		add_rights(list, (struct acl_entry){ ACL_USER, owner, a->uid });
}

static int
set_mode(int fd, const struct list *list)
{
	mode_t mode = 0;
	size_t i;
	int r = strip(fd, "system.posix_acl_access");

	for (i = 0; i < list->count; i++)
		mode |= (mode_t)list->entries[i].permissions <<
			(list->entries[i].tag == ACL_USER_OBJ ? 6 :
			 list->entries[i].tag == ACL_GROUP_OBJ ? 3 : 0);
	if (r == 0 && fchmod(fd, mode) < 0)
		r = -errno;
	return r;
}

int
access_share(int fd, const struct attributes *attributes,
	     const struct attributes *other)
{
	struct list list = { .count = 0 };
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	add_receivers(&list, &st, attributes);
	if (other)
		add_receivers(&list, &st, other);
	if (list.count == 3)
		return set_mode(fd, &list);
	add_mask(&list);
	return write_list(fd, &list);
}
