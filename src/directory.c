/* SPDX-License-Identifier: MIT */
/* Layer 6. May include: base atomics shm liveness layout layout_queue names access participants bell directory. */
/*
 * A mailbox's directory and files, made and opened; directory.h says how they
 * come and go, directory_end.c how they end.
 *
 * Killed while making: a directory with a temporary name is left, whose flock
 * has gone; sweeping removes it.
 */
#include "base.h"
#include "access.h"
#include "bell.h"
#include "directory.h"
#include "layout_queue.h"
#include "participants.h"

#include <cubby.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#define TRIES_MAX 1000	/* a sweeper, each time */
#define PATH_DIRECTORY (O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)

/* Making ----------------------------------------------------------------- */

struct making {
	const struct attributes *attributes;
	uint8_t uuid[16];
	gid_t group;
	int directory;
};

static int
set_rights(const struct making *making, int fd, enum access_kind kind)
{
	if (fchown(fd, (uid_t)-1, making->group) < 0)
		/* A group that its maker is not in. */
		return errno == EPERM ? -EACCES : -errno;
	return access_set(fd, kind, making->attributes, geteuid());
}

static int
write_all(int fd, const void *data, size_t size)
{
	ssize_t n = pwrite(fd, data, size, 0);

	return n < 0 ? -errno : (size_t)n == size ? 0 : -ENOSPC;
}

/* What precedes the tables. All of it is a megabyte, more than the stack of many a
   thread holds. */
static int
write_receivers_head(const struct making *making, int fd)
{
	struct receivers_file *head = calloc(1, sizeof(*head));
	int r;

	if (!head)
		return -ENOMEM;
	layout_identify(&head->identity, making->uuid);
	head->attributes = *making->attributes;
	/* relaxed: nobody else has it yet */
	word32_store_relaxed(&head->lanes_committed, LANES_PER_PAGE);
	word32_store_relaxed(&head->slots_committed, 1);
	word32_store_relaxed(&head->returned, START_EVENTS);
	word32_store_relaxed(&head->state, (uint32_t)START_COUNTER(30, 3) << 2);
	r = write_all(fd, head, offsetof(struct receivers_file, slots));
	free(head);
	return r;
}

static int
make_receivers(const struct making *making, int fd)
{
	uint64_t i, size = offsetof(struct receivers_file, slots);
	int r;

	r = shm_commit(fd, 0, size + PAGE, INT64_MAX);
	if (r == 0)
		r = shm_commit(fd, offsetof(struct receivers_file, lanes), PAGE,
			       INT64_MAX);
	if (r == 0)
		r = write_receivers_head(making, fd);
	for (i = 0; r == 0 && START_POSITION && i < LANES_PER_PAGE; i++) {
		struct lane_entry entry = {
			.head.word = head_make(START_POSITION, 0),
			.decision.word = START_DECISION,
			.room.word = START_EVENTS,
			.polled.word = START_EVENTS,
		};

		if (pwrite(fd, &entry, sizeof(entry), (off_t)
			   (offsetof(struct receivers_file, lanes) +
			    i * sizeof(entry))) != sizeof(entry))
			r = -errno;
	}
	return r;
}

static int
make_doorbell(const struct making *making, int fd)
{
	struct doorbell_file head = { .unused0 = { 0 } };
	int i, r = shm_commit(fd, 0, sizeof(head), INT64_MAX);

	layout_identify(&head.identity, making->uuid);
	for (i = 0; i < RECEIVERS_MAX; i++) {
		/* relaxed: nobody else has it yet */
		word32_store_relaxed(&head.events[i], START_EVENTS);
		word32_store_relaxed(&head.polled[i], START_EVENTS);
	}
	return r < 0 ? r : write_all(fd, &head, sizeof(head));
}

static int
make_queue(const struct making *making, int fd)
{
	struct queue_file head;
	int r = shm_commit(fd, 0, sizeof(head), INT64_MAX);

	layout_queue_init(&head, making->uuid);
	return r < 0 ? r : write_all(fd, &head, sizeof(head));
}

static int
make_file(const struct making *making, const char *name, enum access_kind kind)
{
	int fd, r = 0;

	fd = openat(making->directory, name,
		    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (kind == ACCESS_RECEIVERS)
		r = make_receivers(making, fd);
	else if (kind == ACCESS_DOORBELL)
		r = make_doorbell(making, fd);
	else if (kind == ACCESS_QUEUE)
		r = make_queue(making, fd);
	if (r == 0)
		r = set_rights(making, fd, kind);
	close(fd);
	return r;
}

static int
make_directory(const struct making *making, const char *name,
	       enum access_kind kind)
{
	int fd, r;

	if (mkdirat(making->directory, name, 0700) < 0)
		return -errno;
	fd = shm_open_made(making->directory, name);
	if (fd < 0)
		return fd;
	r = set_rights(making, fd, kind);
	close(fd);
	return r;
}

/* What lanes need, or a queue. */
static int
make_carrier(const struct making *making)
{
	int r;

	if (making->attributes->order == CUBBY_ORDER_SENDER)
		return make_file(making, DOORBELL, ACCESS_DOORBELL);
	r = make_file(making, QUEUE, ACCESS_QUEUE);
	return r < 0 ? r : make_file(making, BLOCKS, ACCESS_BLOCKS);
}

static int
make_contents(struct making *making, struct attributes *attributes)
{
	int r;

	/* The group first: attributes tell it, files get it. */
	attributes->uid = geteuid();
	attributes->gid = making->group;
	r = make_file(making, RECEIVERS, ACCESS_RECEIVERS);
	if (r == 0)
		r = make_carrier(making);
	if (r == 0)
		r = make_file(making, ATTENDANCE, ACCESS_ATTENDANCE);
	if (r == 0)
		r = make_directory(making, LANES, ACCESS_LANES);
	if (r == 0)
		r = make_directory(making, BELLS, ACCESS_BELLS);
	if (r == 0)
		r = set_rights(making, making->directory, ACCESS_DIRECTORY);
	return r;
}

int
directory_is_still(int parent, const char *entry, int fd)
{
	struct stat a, b;

	if (fstat(fd, &a) < 0)
		return -errno;
	if (fstatat(parent, entry, &b, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* 1: it is ours; 0: a sweeper was faster. Errors: the kernel's. */
static int
lock_new(int parent, const char *entry, int fd)
{
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? 0 : -errno;
	return directory_is_still(parent, entry, fd);
}

/* 0: a sweeper was faster. */
static int
begin_once(int parent, char entry[NAME_MAX + 1], int *ret_fd)
{
	int fd, r = shm_random_name(NAMES_NEW, entry);

	if (r < 0)
		return r;
	if (mkdirat(parent, entry, 0700) < 0)
		return -errno;
	fd = shm_open_made(parent, entry);
	r = fd >= 0 ? lock_new(parent, entry, fd) : fd == -ENOENT ? 0 : fd;
	if (r == 1) {
		*ret_fd = fd;
		return 1;
	}
	if (fd >= 0)
		close(fd);
	/* If the sweeper has not, or if there is none. */
	unlinkat(parent, entry, AT_REMOVEDIR);
	return r;
}

/*
 * A new directory, with its flock. A sweeper that comes between the two removes
 * it; then another is made.
 *
 * A file system that locks nothing for us is not tried for ever: -ENOLCK. No sweeper
 * brings that about who does not mean to. To win once, he has to read the parent's
 * entries after this mkdirat(2), and to open and lock that very directory before the
 * flock(2) three calls later; and what he has won he empties and removes, and reads
 * the entries anew from the beginning, before he can win again. He would have to do
 * so in each of TRIES_MAX such moments in a row, which begin when we please, under
 * names that nobody can guess. Of several sweepers one wins, and it takes as many
 * wins.
 */
int
directory_begin(int parent, char entry[NAME_MAX + 1])
{
	int i, r = 0, fd = -1;

	for (i = 0; r == 0 && i < TRIES_MAX; i++)
		r = begin_once(parent, entry, &fd);
	return r == 1 ? fd : r == 0 ? -ENOLCK : r;
}

/* A maker who may not receive cannot, and a temporary mailbox that nobody has
   opened yet may be found unused. */
static int
keep_in_use(struct view *view, struct liveness *ret_maker)
{
	int r = participants_stand_by(view, ret_maker);

	return r == -EACCES ? 0 : r;
}

int
directory_make(int parent, struct attributes *attributes, gid_t group,
	       struct newborn *ret)
{
	struct making making = { .attributes = attributes, .group = group };
	struct newborn newborn = { .place.parent = parent };
	struct view view = { .directory = -1 };
	int r;

	r = shm_random(making.uuid);
	if (r < 0)
		return r;
	making.directory = directory_begin(parent, newborn.place.entry);
	if (making.directory < 0)
		return making.directory;
	newborn.directory = making.directory;
	r = make_contents(&making, attributes);
	view.directory = making.directory;
	if (r == 0)
		r = keep_in_use(&view, &newborn.maker);
	if (r < 0)
		directory_unmake(&newborn);
	else
		*ret = newborn;
	return r;
}

int
directory_name(struct newborn *newborn, const struct place *place)
{
	int r = shm_rename(newborn->place.parent, newborn->place.entry,
			   place->parent, place->entry);

	if (r < 0)
		return r;
	liveness_drop(&newborn->maker);
	close(newborn->directory);
	return 0;
}

/* What its maker puts there, and the lane that he may have taken in it. */
static void
remove_made(int directory)
{
	static const char *const files[] = { RECEIVERS, DOORBELL, QUEUE, BLOCKS,
					     ATTENDANCE, LANES "/lane.0" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(files); i++)
		unlinkat(directory, files[i], 0);
	unlinkat(directory, LANES, AT_REMOVEDIR);
	unlinkat(directory, BELLS, AT_REMOVEDIR);
}

void
directory_unmake(struct newborn *newborn)
{
	const struct place *place = &newborn->place;

	liveness_drop(&newborn->maker);
	/* Without a look at what is there: that would take descriptors, and
	   there may be none left. */
	remove_made(newborn->directory);
	if (unlinkat(place->parent, place->entry, AT_REMOVEDIR) < 0)
		directory_remove(place->parent, place->entry);
	close(newborn->directory);
}

/* Opening ---------------------------------------------------------------- */

/* Reads what the mailbox is, and computes where things lie. */
static int
read_attributes(int fd, struct view *view)
{
	struct {
		struct identity identity;
		struct attributes attributes;
	} head;
	struct stat st;
	ssize_t n = pread(fd, &head, sizeof(head), 0);
	int r;

	_Static_assert(offsetof(struct receivers_file, attributes) ==
		       sizeof(struct identity), "read as one");
	if (n < 0)
		return -errno;
	if ((size_t)n < sizeof(head))
		return -EBADMSG;
	r = layout_check_identity(&head.identity, NULL);
	if (r < 0)
		return r;
	if (fstat(view->directory, &st) < 0)
		return -errno;
	/* Who owns it is asked of the kernel. */
	head.attributes.uid = st.st_uid;
	head.attributes.gid = st.st_gid;
	memcpy(view->uuid, head.identity.uuid, sizeof(view->uuid));
	view->attributes = head.attributes;
	r = layout_geometry(&view->attributes, &view->geometry);
	return r == -EINVAL ? -EBADMSG : r;
}

int
directory_map_receivers(struct view *view, enum directory_access access)
{
	bool writes = access >= DIRECTORY_RECEIVE;
	struct stat st;
	int fd, r;

	fd = shm_open_at(view->directory, RECEIVERS,
			 writes ? O_RDWR : O_RDONLY, &st);
	if (fd < 0)
		return fd;
	r = read_attributes(fd, view);
	if (r == 0 && (uint64_t)st.st_size < offsetof(struct receivers_file,
						     slots))
		r = -EBADMSG;
	if (r == 0)
		r = shm_map(fd, view->geometry.receivers_length,
			    writes ? PROT_READ | PROT_WRITE : PROT_READ,
			    &view->receivers_mapping);
	close(fd);
	view->receivers = view->receivers_mapping.address;
	return r;
}

/* Has its owner made that? Errors: -EBADMSG, and the kernel's. */
static int
check_owner(const struct view *view, const struct stat *st)
{
	struct stat owner;

	if (fstat(view->directory, &owner) < 0)
		return -errno;
	return st->st_uid == owner.st_uid ? 0 : -EBADMSG;
}

static int
map_doorbell(struct view *view)
{
	struct stat st;
	int fd, r;

	fd = shm_open_at(view->directory, DOORBELL, O_RDWR, &st);
	if (fd < 0)
		return fd;
	/* It has no identity to look at, and all of it is written: somebody else's
	   file, moved there, is not to be. */
	r = check_owner(view, &st);
	if (r == 0)
		r = shm_map(fd, sizeof(struct doorbell_file),
			    PROT_READ | PROT_WRITE, &view->doorbell_mapping);
	close(fd);
	view->doorbell = view->doorbell_mapping.address;
	return r;
}

static int
open_others(struct view *view, enum directory_access access)
{
	bool lanes = view->attributes.order == CUBBY_ORDER_SENDER;
	int r = access == DIRECTORY_LOOK || !lanes ? 0 : map_doorbell(view);

	if (r < 0)
		return r;
	view->lanes_directory = openat(view->directory, LANES, PATH_DIRECTORY);
	if (view->lanes_directory >= 0)
		return shm_identify(view->lanes_directory,
				    &view->lanes_directory_is);
	/* Something else in its place: the mailbox is there, and damaged. */
	return errno == ENOTDIR || errno == ELOOP ? -EBADMSG : -errno;
}

static int
open_files(struct view *view, enum directory_access access)
{
	int r = directory_map_receivers(view, access);

	if (r < 0 || access == DIRECTORY_END)
		return r;
	r = open_others(view, access);
	/* DIR-A1 acquire: they go only from the dead. Pairs with DIR-C1. */
	if (r == -ENOENT &&
	    directory_state(word32_load_acquire(&view->receivers->state)) !=
		    STATE_DEAD)
		r = -EBADMSG;
	return r;
}

/* Only its owner may change what is in it. */
static int
check_directory(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	return st.st_mode & 022 ? -EBADMSG : 0;
}

int
directory_open(const struct place *place, enum directory_access access,
	       struct view *ret)
{
	struct view view = { .directory = -1, .lanes_directory = -1 };
	int r;

	view.directory = openat(place->parent, place->entry, PATH_DIRECTORY);
	if (view.directory < 0)
		return errno == ELOOP ? -ENOTDIR : -errno;
	r = check_directory(view.directory);
	if (r == 0)
		r = shm_identify(view.directory, &view.directory_is);
	if (r == 0)
		r = open_files(&view, access);
	if (r < 0) {
		directory_close(&view);
		return r;
	}
	*ret = view;
	return 0;
}

static void
close_descriptors(struct view *view)
{
	bell_close_rung(view);
	shm_close_kept(view->directory, &view->directory_is);
	shm_close_kept(view->lanes_directory, &view->lanes_directory_is);
}

void
directory_close(struct view *view)
{
	shm_unmap(&view->doorbell_mapping);
	shm_unmap(&view->receivers_mapping);
	close_descriptors(view);
}

void
directory_forget(struct view *view)
{
	shm_forget(&view->doorbell_mapping);
	shm_forget(&view->receivers_mapping);
	close_descriptors(view);
}
