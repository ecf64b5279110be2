/* SPDX-License-Identifier: MIT */
/* Layer 6. May include: base atomics fifo shm layout access bell. */
/*
 * Bells: made, rung, taken down; bell.h says where they lie, and why there.
 */
#include "base.h"
#include "access.h"
#include "bell.h"
#include "fifo.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PREFIX "bell."
#define NAME_SIZE (sizeof(PREFIX) + 16)

static void
name_of(uint64_t number, char ret[NAME_SIZE])
{
	snprintf(ret, NAME_SIZE, PREFIX "%016llx", (unsigned long long)number);
}

/* The directory of a place; to be given to close_place(). Not by a path through
   it, for what lies under its name is looked at first. */
static int
open_place(const struct view *view, enum bell_place place)
{
	int parent = place == BELL_OF_LANE ? view_lanes(view) :
					     view_directory(view);
	int fd;

	if (parent < 0)
		return -EMFILE;
	if (place == BELL_OF_LANE)
		return parent;
	fd = openat(parent, BELLS,
		    O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static void
close_place(const struct view *view, int directory)
{
	if (directory != view->lanes_directory)
		close(directory);
}

/* One's own -------------------------------------------------------------- */

int
bell_begin(enum bell_place place, struct bell *ret)
{
	uint8_t bytes[16];
	int r;

	memset(&ret->is, 0, sizeof(ret->is));
	ret->place = place;
	ret->fd = -1;
	do {
		r = shm_random(bytes);
		if (r < 0)
			return r;
		memcpy(&ret->number, bytes, sizeof(ret->number));
	} while (!ret->number);
	return 0;
}

static int
make(const struct view *view, int directory, struct bell *bell)
{
	char name[NAME_SIZE];
	int r;

	name_of(bell->number, name);
	bell->fd = fifo_make(directory, name);
	if (bell->fd < 0) {
		unlinkat(directory, name, 0);
		/* There are file systems without FIFOs; and what has that
		   number already, nobody has who could know it. */
		return bell->fd == -EPERM ? -EOPNOTSUPP :
		       bell->fd == -EEXIST ? -EBADMSG : bell->fd;
	}
	r = shm_identify(bell->fd, &bell->is);
	if (r == 0)
		r = access_set(bell->fd, bell->place == BELL_OF_LANE ?
			       ACCESS_LANE_BELL : ACCESS_BELL,
			       &view->attributes, geteuid());
	if (r < 0) {
		unlinkat(directory, name, 0);
		close(bell->fd);
		bell->fd = -1;
	}
	return r == -EPERM ? -EACCES : r;
}

int
bell_make(const struct view *view, struct bell *bell)
{
	int directory = open_place(view, bell->place), r;

	if (directory < 0)
		return directory == -ENOENT ? -EBADMSG : directory;
	r = make(view, directory, bell);
	close_place(view, directory);
	return r;
}

void
bell_close(struct bell *bell)
{
	shm_close_kept(bell->fd, &bell->is);
	bell->fd = -1;
}

void
bell_remove(const struct view *view, struct bell *bell)
{
	/* Before: to take it down takes a descriptor. */
	bell_close(bell);
	bell_remove_left(view, bell->place, bell->number);
	bell->number = 0;
}

void
bell_remove_left(const struct view *view, enum bell_place place,
		 uint64_t number)
{
	int directory = number ? open_place(view, place) : -1;
	char name[NAME_SIZE];

	if (directory < 0)
		return;
	name_of(number, name);
	unlinkat(directory, name, 0);
	close_place(view, directory);
}

void
bell_remove_of_slot(const struct view *view, uint32_t slot)
{
	struct receiver_slot *s = &view->receivers->slots[slot];

	/* relaxed: the last owner is dead, and the next one is us, or waits */
	bell_remove_left(view, BELL_OF_OTHERS, word64_load_relaxed(&s->bell));
	word64_store_relaxed(&s->bell, 0);
}

void
bell_light(const struct bell *bell)
{
	fifo_tell(shm_still(bell->fd, &bell->is));
}

void
bell_drain(const struct bell *bell)
{
	fifo_drain(shm_still(bell->fd, &bell->is));
}

/* Another's -------------------------------------------------------------- */

/* Threads of both ends may ring at a time; who is second does without. */
static bool
take_cache(struct bell_cache *cache)
{
	uint32_t is_free = 0;

	/* RUNG-C1 acq_rel: what it holds. Pairs with RUNG-R1. */
	return word32_cas_acq_rel(&cache->busy, &is_free, 1);
}

static void
give_cache(struct bell_cache *cache)
{
	/* RUNG-R1 release: what it holds. Pairs with RUNG-C1. */
	word32_store_release(&cache->busy, 0);
}

static int
open_bell(const struct view *view, enum bell_place place, uint64_t number)
{
	int directory = open_place(view, place), fd;
	char name[NAME_SIZE];

	if (directory < 0)
		return directory;
	name_of(number, name);
	fd = fifo_open(directory, name);
	close_place(view, directory);
	return fd;
}

static void
drop(struct bell_cache *cache)
{
	if (cache->is_open)
		shm_close_kept(cache->fd, &cache->is);
	cache->is_open = false;
}

/* Through the cache, which is ours. */
static void
ring_kept(struct view *view, enum bell_place place, uint64_t number)
{
	struct bell_cache *cache = &view->rung;
	int fd;

	if (!cache->is_open || cache->number != number ||
	    shm_still(cache->fd, &cache->is) < 0) {
		fd = open_bell(view, place, number);
		if (fd < 0)
			return;
		drop(cache);
		/* Not known, it is not looked at. */
		memset(&cache->is, 0, sizeof(cache->is));
		shm_identify(fd, &cache->is);
		cache->fd = fd;
		cache->number = number;
		cache->is_open = true;
	}
	if (fifo_tell(cache->fd) < 0)
		drop(cache);
}

static void
ring_once(const struct view *view, enum bell_place place, uint64_t number)
{
	int fd = open_bell(view, place, number);

	if (fd < 0)
		return;
	fifo_tell(fd);
	close(fd);
}

COLD void
bell_ring(struct view *view, enum bell_place place, uint64_t number)
{
	int error = errno;

	if (!number)
		return;
	if (take_cache(&view->rung)) {
		ring_kept(view, place, number);
		give_cache(&view->rung);
	} else {
		ring_once(view, place, number);
	}
	errno = error;
}

void
bell_close_rung(struct view *view)
{
	drop(&view->rung);
}

/* What the dead have left ------------------------------------------------ */

/* The number of an entry, 0: it is no bell's. */
static uint64_t
number_of(const char *entry)
{
	uint64_t number = 0;
	char name[NAME_SIZE];

	if (!strncmp(entry, PREFIX, strlen(PREFIX)))
		number = strtoull(entry + strlen(PREFIX), NULL, 16);
	name_of(number, name);
	return strcmp(entry, name) ? 0 : number;
}

uint32_t
bell_sweep(const struct view *view, enum bell_place place,
	   bool (*is_named)(void *context, uint64_t number), void *context)
{
	int at = open_place(view, place), fd;
	uint32_t removed = 0;
	struct dirent *d;
	DIR *dir;

	if (at < 0)
		return 0;
	fd = openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	close_place(view, at);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	while ((d = readdir(dir)))
		if (number_of(d->d_name) &&
		    !is_named(context, number_of(d->d_name)) &&
		    unlinkat(dirfd(dir), d->d_name, 0) == 0)
			removed++;
	closedir(dir);
	return removed;
}
