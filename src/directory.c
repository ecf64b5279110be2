/* SPDX-License-Identifier: MIT */
/* Layer 6. May include: base atomics shm liveness layout layout_queue names access participants directory. */
/*
 * A mailbox's directory and files; directory.h says how they come and go.
 *
 * Killed while making: a directory with a temporary name is left, whose flock
 * has gone; sweeping removes it.
 *
 * A mailbox ends when its last user has gone, if it is temporary or has been
 * renamed away. Whoever looks whether it does must not leave one who comes at
 * the same moment inside of what is being removed:
 *
 *	one who looks				one who comes
 *	state: OPEN -> CLOSING, CAS		takes his lock
 *	is anybody alive in it?			loads state
 *	nobody: CLOSING -> DEAD, CAS		CLOSING: -> OPEN, CAS: he is in
 *	somebody: CLOSING -> OPEN, CAS		DEAD: he leaves, and removes it
 *	DEAD: removes it
 *
 * His lock comes before his look, and CLOSING before the question; so either
 * the one who looks sees him, or he sees CLOSING or DEAD. The word counts its
 * changes, {count:30, state:2}, and each is a CAS from the very word that was
 * there before the question: an answer that others have overtaken decides
 * nothing, and is asked for again. Stopped or killed between any two steps, the
 * one who looks holds nobody up: CLOSING is taken back, DEAD is carried out, by
 * whoever comes.
 *
 * The dead one is emptied through its own descriptor, `receivers`, which says
 * that it is dead, last; then its name goes, by rmdir(2). So somebody who has
 * stood still over it meanwhile does nothing to another mailbox in its place:
 * that is never empty. Whoever finds an empty directory there does the same.
 */
#include "base.h"
#include "access.h"
#include "directory.h"
#include "layout_queue.h"
#include "participants.h"

#include <cubby.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#define PATH_DIRECTORY (O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
#define READ_DIRECTORY (O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
#define TRIES 100	/* each means that somebody has come or looked */

/* Making --------------------------------------------------------------------- */

struct making {
	const struct attributes *attributes;
	uint8_t uuid[16];
	gid_t group;
	int directory;
};

static int
set_rights(const struct making *making, int fd, enum access_kind kind)
{
	if (making->group != (gid_t)-1 &&
	    fchown(fd, (uid_t)-1, making->group) < 0)
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

static int
make_receivers(const struct making *making, int fd)
{
	struct receivers_file head = { .attributes.uid = 0 };
	uint64_t i, size = offsetof(struct receivers_file, slots);
	int r;

	layout_identify(&head.identity, making->uuid);
	head.attributes = *making->attributes;
	/* relaxed: nobody else has it yet */
	word32_store_relaxed(&head.lanes_committed, LANES_PER_PAGE);
	word32_store_relaxed(&head.slots_committed, 1);
	r = shm_commit(fd, 0, size + PAGE, INT64_MAX);
	if (r == 0)
		r = shm_commit(fd, offsetof(struct receivers_file, lanes), PAGE,
			       INT64_MAX);
	if (r == 0)
		r = write_all(fd, &head, size);
	for (i = 0; r == 0 && START_POSITION && i < LANES_PER_PAGE; i++) {
		struct lane_entry entry = {
			.head.word = head_make(START_POSITION, 0)
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
	struct identity identity;
	int r = shm_commit(fd, 0, sizeof(struct doorbell_file), INT64_MAX);

	layout_identify(&identity, making->uuid);
	return r < 0 ? r : write_all(fd, &identity, sizeof(identity));
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
make_lanes(const struct making *making)
{
	int fd, r;

	if (mkdirat(making->directory, LANES, 0700) < 0)
		return -errno;
	fd = openat(making->directory, LANES, READ_DIRECTORY);
	if (fd < 0)
		return -errno;
	r = set_rights(making, fd, ACCESS_LANES);
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
	struct stat st;
	int r;

	/* The group first: attributes tell it, files get it. */
	if (making->group == (gid_t)-1) {
		if (fstat(making->directory, &st) < 0)
			return -errno;
		making->group = st.st_gid;
	}
	attributes->uid = geteuid();
	attributes->gid = making->group;
	r = make_file(making, RECEIVERS, ACCESS_RECEIVERS);
	if (r == 0)
		r = make_carrier(making);
	if (r == 0)
		r = make_file(making, ATTENDANCE, ACCESS_ATTENDANCE);
	if (r == 0)
		r = make_lanes(making);
	if (r == 0)
		r = set_rights(making, making->directory, ACCESS_DIRECTORY);
	return r;
}

/* Is entry still what fd is open on? */
static bool
is_still(int parent, const char *entry, int fd)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 &&
	       fstatat(parent, entry, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/*
 * A new directory, with its flock. A sweeper that comes between the two removes
 * it; then another is made.
 */
int
directory_begin(int parent, char entry[NAME_MAX + 1])
{
	int fd, r;

	for (;;) {
		r = shm_random_name(NAMES_NEW, entry);
		if (r < 0)
			return r;
		if (mkdirat(parent, entry, 0700) < 0)
			return -errno;
		fd = openat(parent, entry, READ_DIRECTORY);
		if (fd < 0 && errno != ENOENT) {
			r = -errno;
			unlinkat(parent, entry, AT_REMOVEDIR);
			return r;
		}
		if (fd < 0)
			continue;
		if (flock(fd, LOCK_EX | LOCK_NB) == 0 &&
		    is_still(parent, entry, fd))
			return fd;
		close(fd);
	}
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
directory_make(const struct place *place, struct attributes *attributes,
	       gid_t group, struct liveness *ret_maker)
{
	struct making making = { .attributes = attributes, .group = group };
	struct view view = { .directory = -1 };
	struct liveness maker = { .page = NULL };
	char entry[NAME_MAX + 1];
	int r;

	r = shm_random(making.uuid);
	if (r < 0)
		return r;
	making.directory = directory_begin(place->parent, entry);
	if (making.directory < 0)
		return making.directory;
	r = make_contents(&making, attributes);
	view.directory = making.directory;
	if (r == 0)
		r = keep_in_use(&view, &maker);
	if (r == 0 && renameat2(place->parent, entry, place->parent,
				place->entry, RENAME_NOREPLACE) < 0)
		r = -errno;
	if (r < 0) {
		liveness_drop(&maker);
		directory_remove(place->parent, entry);
	} else {
		*ret_maker = maker;
	}
	close(making.directory);
	return r;
}

/* Opening --------------------------------------------------------------------- */

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
	return layout_geometry(&view->attributes, &view->geometry) < 0 ?
	       -EBADMSG : 0;
}

static int
map_receivers(struct view *view, enum directory_access access)
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

static int
map_doorbell(struct view *view)
{
	int fd, r;

	fd = shm_open_at(view->directory, DOORBELL, O_RDWR, NULL);
	if (fd < 0)
		return fd;
	r = shm_map(fd, sizeof(struct doorbell_file), PROT_READ | PROT_WRITE,
		    &view->doorbell_mapping);
	close(fd);
	view->doorbell = view->doorbell_mapping.address;
	return r;
}

static enum mailbox_state
state_of(uint32_t word)
{
	return word & 3;
}

static int
open_others(struct view *view, enum directory_access access)
{
	bool lanes = view->attributes.order == CUBBY_ORDER_SENDER;
	int r = access == DIRECTORY_LOOK || !lanes ? 0 : map_doorbell(view);

	if (r < 0)
		return r;
	view->lanes_directory = openat(view->directory, LANES, PATH_DIRECTORY);
	return view->lanes_directory < 0 ? -errno : 0;
}

static int
open_files(struct view *view, enum directory_access access)
{
	int r = map_receivers(view, access);

	if (r < 0 || access == DIRECTORY_END)
		return r;
	r = open_others(view, access);
	/* DIR-A1 acquire: they go only from the dead. Pairs with DIR-C1. */
	if (r == -ENOENT &&
	    state_of(word32_load_acquire(&view->receivers->state)) !=
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
	if (view->directory >= 0)
		close(view->directory);
	if (view->lanes_directory >= 0)
		close(view->lanes_directory);
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

/* Removing --------------------------------------------------------------------- */

#define DEPTH_MAX 8	/* of what somebody has planted in lanes/ */

static int
remove_tree(int parent, const char *entry, int depth);

/* All but one (NULL: all). Errors: of what could not be removed. */
static int
remove_contents(int directory, const char *but, int depth)
{
	int fd = openat(directory, ".", READ_DIRECTORY), r = 0, error;
	struct dirent *d;
	DIR *dir;

	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir) {
		r = -errno;
		close(fd);
		return r;
	}
	while ((d = readdir(dir))) {
		if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, "..") ||
		    (but && !strcmp(d->d_name, but)))
			continue;
		error = remove_tree(dirfd(dir), d->d_name, depth + 1);
		if (error < 0 && error != -ENOENT)
			r = error;
	}
	closedir(dir);
	return r;
}

static int
remove_tree(int parent, const char *entry, int depth)
{
	int fd;

	if (unlinkat(parent, entry, 0) == 0)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	fd = openat(parent, entry, READ_DIRECTORY);
	if (fd < 0 && errno == EACCES &&
	    fchmodat(parent, entry, 0700, AT_SYMLINK_NOFOLLOW) == 0)
		fd = openat(parent, entry, READ_DIRECTORY);
	if (fd < 0)
		return -errno;
	if (depth < DEPTH_MAX)
		remove_contents(fd, NULL, depth);
	close(fd);
	return unlinkat(parent, entry, AT_REMOVEDIR) < 0 ? -errno : 0;
}

int
directory_remove(int parent, const char *entry)
{
	return remove_tree(parent, entry, 0);
}

/* Has a lane's file an owner alive? unknown: what to say if that may not be
   known. */
static bool
is_locked(int lanes, const char *name, bool unknown)
{
	struct stat st;
	int fd, r;

	fd = shm_open_at(lanes, name, O_RDONLY, &st);
	if (fd < 0)
		return fd == -EACCES && unknown;
	r = liveness_ask(fd, 0);
	close(fd);
	return r != 0;
}

static bool
has_senders(int directory, bool unknown)
{
	int fd = openat(directory, LANES, READ_DIRECTORY);
	bool used = false;
	struct dirent *d;
	DIR *dir;

	if (fd < 0)
		return errno != ENOENT;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return true;
	}
	while (!used && (d = readdir(dir)))
		used = d->d_type != DT_DIR &&
		       is_locked(dirfd(dir), d->d_name, unknown);
	closedir(dir);
	return used;
}

static bool
is_used(int directory, bool unknown)
{
	struct view view = { .directory = directory };
	int r = participants_any(&view);

	if (r != 0 && r != -ENOENT)
		return true;
	return has_senders(directory, unknown);
}

int
directory_rename_away(const struct place *place, const uint8_t uuid[16])
{
	char gone[NAME_MAX + 1];

	names_gone(uuid, gone);
	if (renameat2(place->parent, place->entry, place->parent, gone,
		      RENAME_NOREPLACE) < 0)
		return -errno;
	return 0;
}

/* Not of what a link points to. */
static void
add_rights(int directory, const char *name, mode_t rights)
{
	struct stat st;

	if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    (st.st_mode & rights) != rights)
		fchmodat(directory, name, (st.st_mode & 07777) | rights,
			 AT_SYMLINK_NOFOLLOW);
}

/* The owner may not be one who may receive or send; to remove it, he has to
   see. Nobody else has such rights to give. */
static void
open_up(int directory)
{
	struct stat st;

	if (fstat(directory, &st) < 0 || st.st_uid != geteuid())
		return;
	add_rights(directory, LANES, 0700);
	add_rights(directory, ATTENDANCE, 0600);
	add_rights(directory, RECEIVERS, 0600);
}

/* The end ----------------------------------------------------------------------- */

/* *word: what was found, and what has been made of it. */
static bool
change_state(word32 *state, uint32_t *word, enum mailbox_state to)
{
	uint32_t changed = ((*word >> 2) + 1) << 2 | to;

	/* DIR-C1 acq_rel: one step of the table above, by one of all. Pairs
	   with DIR-A1, DIR-A2, DIR-A3, DIR-A4. */
	if (!word32_cas_acq_rel(state, word, changed))
		return false;
	*word = changed;
	return true;
}

static bool
end(struct view *view, bool unknown)
{
	word32 *state = &view->receivers->state;
	uint32_t word;
	int i;

	for (i = 0; i < TRIES; i++) {
		/* DIR-A2 acquire: what has been found out. Pairs with DIR-C1. */
		word = word32_load_acquire(state);
		if (state_of(word) == STATE_DEAD)
			return true;
		/* It may be CLOSING: somebody looks, or was killed over it. */
		if (state_of(word) == STATE_OPEN &&
		    !change_state(state, &word, STATE_CLOSING))
			continue;
		/* DIR-F1 seq_cst: CLOSING before the question. Pairs with
		   DIR-F2. */
		atomics_fence_seq_cst();
		if (is_used(view->directory, unknown)) {
			change_state(state, &word, STATE_OPEN);
			return false;
		}
		if (change_state(state, &word, STATE_DEAD))
			return true;
	}
	return false;
}

bool
directory_end(struct view *view)
{
	return end(view, true);
}

/* Through a mapping of its own: the caller's may be for reading. */
static int
take_back(int directory)
{
	struct view view = { .directory = directory };
	int i, r = map_receivers(&view, DIRECTORY_END);
	uint32_t word;

	if (r < 0)	/* -EACCES: he may not; -ENOENT: it is being removed */
		return -EAGAIN;
	r = -EAGAIN;
	for (i = 0; r == -EAGAIN && i < TRIES; i++) {
		/* DIR-A3 acquire: as DIR-A4. Pairs with DIR-C1. */
		word = word32_load_acquire(&view.receivers->state);
		if (state_of(word) == STATE_DEAD)
			r = -ENOENT;
		else if (state_of(word) == STATE_OPEN ||
			 change_state(&view.receivers->state, &word,
				      STATE_OPEN))
			r = 0;
	}
	shm_unmap(&view.receivers_mapping);
	return r;
}

int
directory_come_in(const struct view *view)
{
	uint32_t word;

	/* DIR-F2 seq_cst: the lock before the look. Pairs with DIR-F1. */
	atomics_fence_seq_cst();
	/* DIR-A4 acquire: has somebody found it unused? Pairs with DIR-C1. */
	word = word32_load_acquire(&view->receivers->state);
	if (state_of(word) == STATE_OPEN)
		return 0;
	return state_of(word) == STATE_DEAD ? -ENOENT :
					      take_back(view->directory);
}

/* One who has come late may still put a lane there: it is tried again. */
static int
empty(int directory)
{
	int i, r = -ENOTEMPTY;

	open_up(directory);
	for (i = 0; r == -ENOTEMPTY && i < TRIES; i++)
		r = remove_contents(directory, RECEIVERS, 0);
	if (r == 0)
		unlinkat(directory, RECEIVERS, 0);
	return r;
}

bool
directory_carry_out(const struct place *place, int directory)
{
	if (empty(directory) == 0)
		unlinkat(place->parent, place->entry, AT_REMOVEDIR);
	return !is_still(place->parent, place->entry, directory);
}

bool
directory_is_empty(int directory)
{
	int fd = openat(directory, ".", READ_DIRECTORY), n = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	while (n < 3 && readdir(dir))
		n++;
	closedir(dir);
	return n == 2;	/* . and .. */
}

bool
directory_is_at(const struct place *place, int directory)
{
	return is_still(place->parent, place->entry, directory);
}

/* Has it ended? It has been renamed away. */
static bool
has_ended(int directory)
{
	struct view view = { .directory = directory };
	int r = map_receivers(&view, DIRECTORY_END);
	bool ended;

	/* Senders that its owner may not know of, without a receiver, are left
	   with their memory: nobody can come to receive. */
	if (r == -ENOENT || r == -EBADMSG || r == -EPROTO) {
		ended = !is_used(directory, false);
	} else {
		ended = r == 0 && end(&view, false);
	}
	shm_unmap(&view.receivers_mapping);
	return ended;
}

static int
sweep_gone(int parent, const char *entry, int directory)
{
	struct place place = { .parent = parent };

	strcpy(place.entry, entry);
	open_up(directory);
	return has_ended(directory) && directory_carry_out(&place, directory);
}

/* Its maker, if he lives, has the flock until it has its name. */
static int
sweep_new(int parent, const char *entry, int directory)
{
	return flock(directory, LOCK_EX | LOCK_NB) == 0 &&
	       is_still(parent, entry, directory) &&
	       directory_remove(parent, entry) == 0;
}

int
directory_sweep(int parent, const char *entry)
{
	struct stat st;
	int fd, swept = 0;

	fd = openat(parent, entry, READ_DIRECTORY);
	if (fd < 0)
		return 0;
	if (fstat(fd, &st) == 0 && st.st_uid == geteuid())
		swept = strncmp(entry, NAMES_NEW, strlen(NAMES_NEW)) ?
			sweep_gone(parent, entry, fd) :
			sweep_new(parent, entry, fd);
	close(fd);
	return swept;
}

void
directory_sweep_gone(int directory, const uint8_t uuid[16])
{
	int parent = openat(directory, "..", READ_DIRECTORY);
	char gone[NAME_MAX + 1];

	if (parent < 0)
		return;
	names_gone(uuid, gone);
	directory_sweep(parent, gone);
	close(parent);
}
