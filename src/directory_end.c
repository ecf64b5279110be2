/* SPDX-License-Identifier: MIT */
/* Layer 6. May include: base atomics shm liveness layout names participants bell directory. */
/*
 * The end of a mailbox: who finds that it has come, what is removed, and how
 * nobody is left inside of it.
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
#include "bell.h"
#include "directory.h"
#include "participants.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define TRIES 100	/* each means that somebody has come or looked */

/* Removing --------------------------------------------------------------- */

#define DEPTH_MAX 8	/* of what somebody has planted in lanes/ */

static int
remove_tree(int parent, const char *entry, int depth);

/* All but one (NULL: all). Errors: of what could not be removed, or not be
   read: then there may be more. */
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
	while ((errno = 0, d = readdir(dir))) {
		if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, "..") ||
		    (but && !strcmp(d->d_name, but)))
			continue;
		error = remove_tree(dirfd(dir), d->d_name, depth + 1);
		if (error < 0 && error != -ENOENT)
			r = error;
	}
	if (errno)
		r = -errno;
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
	/* -ENOENT: it has gone; -EBADMSG: it is no lane. */
	if (fd < 0)
		return fd == -EACCES ? unknown :
				       fd != -ENOENT && fd != -EBADMSG;
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
	while (!used && (errno = 0, d = readdir(dir)))
		used = d->d_type != DT_DIR && d->d_type != DT_FIFO &&
		       is_locked(dirfd(dir), d->d_name, unknown);
	/* What cannot be read may hold one. */
	used = used || errno != 0;
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
	return shm_rename(place->parent, place->entry, place->parent, gone);
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
	add_rights(directory, BELLS, 0700);
	add_rights(directory, ATTENDANCE, 0600);
	add_rights(directory, RECEIVERS, 0600);
}

/* The end ---------------------------------------------------------------- */

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
		if (directory_state(word) == STATE_DEAD)
			return true;
		/* It may be CLOSING: somebody looks, or was killed over it. */
		if (directory_state(word) == STATE_OPEN &&
		    !change_state(state, &word, STATE_CLOSING))
			continue;
		/* DIR-F1 seq_cst: CLOSING before the question. Pairs with
		   DIR-F2. */
		atomics_fence_seq_cst();
		if (is_used(view_directory(view), unknown)) {
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
	int i, r = directory_map_receivers(&view, DIRECTORY_END);
	uint32_t word;

	if (r < 0)	/* -EACCES: he may not; -ENOENT: it is being removed */
		return -EAGAIN;
	r = -EAGAIN;
	for (i = 0; r == -EAGAIN && i < TRIES; i++) {
		/* DIR-A3 acquire: as DIR-A4. Pairs with DIR-C1. */
		word = word32_load_acquire(&view.receivers->state);
		if (directory_state(word) == STATE_DEAD)
			r = -ENOENT;
		else if (directory_state(word) == STATE_OPEN ||
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
	if (directory_state(word) == STATE_OPEN)
		return 0;
	return directory_state(word) == STATE_DEAD ? -ENOENT :
					      take_back(view_directory(view));
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
		remove_tree(directory, RECEIVERS, 0);
	return r;
}

bool
directory_carry_out(const struct place *place, int directory)
{
	if (empty(directory) == 0)
		unlinkat(place->parent, place->entry, AT_REMOVEDIR);
	return directory_is_still(place->parent, place->entry, directory) == 0;
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
	return directory_is_still(place->parent, place->entry, directory) == 1;
}

/* Has it ended? It has been renamed away. */
static bool
has_ended(int directory)
{
	struct view view = { .directory = directory };
	int r = directory_map_receivers(&view, DIRECTORY_END);
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
	       directory_is_still(parent, entry, directory) == 1 &&
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
