/* SPDX-License-Identifier: MIT */
/* Layer 8. May include: base atomics shm liveness layout access participants bell carry bias broadcast lane lane_ring lane_rings. */
/*
 * Who owns a lane: making one, taking one over, leaving it, sweeping up.
 *
 * A lane is made and locked under a temporary name and gets its number by a
 * rename that replaces nothing, so nobody ever sees one that is half made or
 * unlocked. The library never removes it while the mailbox lives; where one was
 * unlinked by its sender after something was received, the number is not used
 * for another lane. One that its sender has left is taken over: whoever gets
 * the lock has it, finds by the sequence words where it stands, and goes on.
 *
 * A name has one lane: who makes one has seen that no lane bears the name, and
 * gets the first number that was free then, or looks again.
 */
#include "base.h"
#include "access.h"
#include "bell.h"
#include "broadcast.h"
#include "lane.h"
#include "lane_ring.h"
#include "lane_rings.h"
#include "participants.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <limits.h>
#include <unistd.h>

#define TEMPORARY ".new."
#define MAKE_TRIES 8	/* while sweepers take it for what a dead one left */

/* Finding or making one -------------------------------------------------- */

static void
fill_in(struct lane_writer *w)
{
	w->file = w->mapping.address;
	w->ring = (char *)(w->file + 1);
	w->mask_cells = (uint32_t)w->view->geometry.ring_mask;
	w->cell_shift = w->view->geometry.cell_shift;
}

static int
map_writer(struct lane_writer *w, const char *name)
{
	struct stat st;
	int r;

	w->fd = shm_open_at(view_lanes(w->view), name, O_RDWR, &st);
	if (w->fd < 0)
		return w->fd;
	w->is.device = st.st_dev;
	w->is.inode = st.st_ino;
	r = shm_map(w->fd, w->view->geometry.lane_length,
		    PROT_READ | PROT_WRITE, &w->mapping);
	if (r == 0 && ((uint64_t)st.st_size < sizeof(struct lane_file) ||
		       st.st_uid != geteuid())) {
		shm_unmap(&w->mapping);
		r = -EBADMSG;
	}
	if (r < 0) {
		close(w->fd);
		return r;
	}
	fill_in(w);
	return 0;
}

/*
 * Takes the lock of the file that we have open, whatever bears its name by now.
 * Not through w->fd, which a child inherits, and the lock with it. Errors:
 * -ENOENT (another bears its name, or none), and those of liveness_take_at().
 */
static int
lock_writer(struct lane_writer *w, const char *name)
{
	struct stat ours, st;
	int fd, r;

	if (fstat(w->fd, &ours) < 0)
		return -errno;
	r = liveness_init();
	if (r < 0)
		return r;
	liveness_fork_lock();
	fd = shm_open_at(view_lanes(w->view), name, O_RDWR, &st);
	if (fd < 0)
		r = fd;
	else if (st.st_ino != ours.st_ino || st.st_dev != ours.st_dev)
		r = -ENOENT;
	else
		r = liveness_take_fd(fd, 0, &w->life);
	if (fd >= 0)
		close(fd);
	liveness_fork_unlock();
	return r;
}

/* Opened while there are descriptors: who waits for one who has died has to learn
   that, whatever the process has run out of by then. */
static int
open_receivers(struct lane_writer *w)
{
	int fd;

	if (!broadcast_waits(w->view))
		return 0;
	fd = shm_open_at(w->view->directory, RECEIVERS, O_RDONLY, NULL);
	if (fd < 0)
		return fd;
	w->receivers = fd;
	return shm_identify(fd, &w->receivers_is);
}

static void
close_receivers(struct lane_writer *w)
{
	shm_close_kept(w->receivers, &w->receivers_is);
}

static void
unmap_writer(struct lane_writer *w)
{
	shm_unmap(&w->mapping);
	shm_close_kept(w->fd, &w->is);
	liveness_drop(&w->life);
}

static int
make_file(struct lane_writer *w, const char *temporary, const char *name)
{
	struct view *view = w->view;
	int r;

	w->fd = openat(view_lanes(view), temporary,
		       O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		       0600);
	if (w->fd < 0)
		return -errno;
	memset(&w->is, 0, sizeof(w->is));
	r = shm_identify(w->fd, &w->is);
	if (r == 0)
		r = access_set(w->fd, ACCESS_LANE, &view->attributes,
			       geteuid());
	if (r == 0)
		r = shm_map(w->fd, view->geometry.lane_length,
			    PROT_READ | PROT_WRITE, &w->mapping);
	if (r < 0)
		return r;
	fill_in(w);
	ring_start(w);
	r = ring_commit(w, ring_first_cells(&view->geometry));
	if (r < 0)
		return r;
	layout_identify(&w->file->identity, view->uuid);
	if (name)
		strncpy(w->file->name, name, SENDER_NAME_MAX);
	rings_start(w);
	w->floor = START_POSITION;
	/* relaxed: the lane has no name yet */
	word64_store_relaxed(&w->file->floor, w->floor);
	return lock_writer(w, temporary);
}

/*
 * Gives the new lane the lowest free number from `lane` on; one with a name,
 * that number or none (-EEXIST): who was faster may bear the same name.
 */
static int
give_number(struct lane_writer *w, const char *temporary, uint32_t lane,
	    bool named)
{
	int dir = view_lanes(w->view), r;
	char name[16];

	for (; lane < LANES_MAX; lane++) {
		lane_name(lane, name);
		r = shm_rename(dir, temporary, dir, name);
		if (r == 0) {
			w->lane = lane;
			return 0;
		}
		if (r != -EEXIST || named)
			return r;
	}
	return -EUSERS;
}

/*
 * Has the number been in use before? Then its sender has unlinked its lane, and
 * receivers would begin in the middle of ours.
 */
static bool
is_worn(const struct view *view, uint32_t lane)
{
	const struct lane_entry *entry = &view->receivers->lanes[lane];

	/* relaxed: the head moves only after something was published, and what
	   cuts a lane off is there for good */
	return lane < lane_entries(view) &&
	       (word64_load_relaxed(&entry->head) !=
		head_make(START_POSITION, 0) ||
		word32_load_relaxed(&entry->broken));
}

static int
make_numbered(struct lane_writer *w, const char *name, uint32_t lane)
{
	char temporary[NAME_MAX + 1];
	int r;

	w->fd = -1;
	r = shm_random_name(TEMPORARY, temporary);
	if (r < 0)
		return r;
	r = make_file(w, temporary, name);
	if (r == 0)
		r = give_number(w, temporary, lane, name);
	if (r < 0) {
		if (w->fd >= 0)
			unlinkat(view_lanes(w->view), temporary, 0);
		unmap_writer(w);
		return r;
	}
	w->position = START_POSITION;
	w->head = START_POSITION;
	return 0;
}

/*
 * -EEXIST: look at the lanes again. Either somebody was faster, or the number
 * was worn: then the file stays there as a plug, so that the numbers have no
 * gap, and nobody adopts it, for its head is where no message was.
 */
static int
make_lane(struct lane_writer *w, const char *name, uint32_t lane)
{
	int tries, r = -ENOENT;

	for (tries = 0; r == -ENOENT && tries < MAKE_TRIES; tries++)
		r = make_numbered(w, name, lane);
	if (r == 0 && is_worn(w->view, w->lane)) {
		memset(w->file->name, 0, sizeof(w->file->name));
		unmap_writer(w);
		return -EEXIST;
	}
	return r;
}

/* Taking over ------------------------------------------------------------ */

/* For a sweep: a lane without a name, also one that is cut off. */
static const char SWEPT[] = "";

/* Whose owner lives, as a rule: without mapping it. */
static bool
is_in_use(const struct lane_writer *w, const char *file)
{
	int fd, r;

	fd = shm_open_at(view_lanes(w->view), file, O_RDONLY, NULL);
	if (fd < 0)
		return false;
	r = liveness_ask(fd, 0);
	close(fd);
	return r == 1;
}

static bool
is_named(const struct lane_writer *w, const char *name)
{
	char found[SENDER_NAME_MAX + 1];

	memcpy(found, w->file->name, sizeof(found));
	found[SENDER_NAME_MAX] = 0;
	return !strcmp(found, name ? name : "");
}

/* Fills the holes that a sweep has made, as far as they will be used. */
static int
refill(struct lane_writer *w)
{
	uint64_t cells = w->view->geometry.ring_cells, count = cells;
	int r;

	if (w->view->geometry.rings > 1)
		r = rings_turn_back(w);
	else
		r = ring_commit(w, w->rings[0].committed);
	/* Less than all of it has memory only in the first round. */
	if (w->rings[0].committed < cells)
		count = START_POSITION + w->rings[0].committed - w->position;
	if (r == 0 && !w->current)
		ring_clear(w, 0, w->position, count);
	if (r == 0)
		/* relaxed: a successor comes after our lock has gone */
		word32_store_relaxed(&w->file->ring_hollow, 0);
	return r;
}

/* Its last owner polled for room, and has died over it. */
static void
take_down_bell(struct lane_writer *w)
{
	/* relaxed: our predecessor is dead */
	bell_remove_left(w->view, BELL_OF_LANE,
			 word64_load_relaxed(&w->file->bell));
	word64_store_relaxed(&w->file->polls, 0);
	word64_store_relaxed(&w->file->bell, 0);
}

/* Locked, and ours from now on. */
static int
settle_in(struct lane_writer *w)
{
	bool hollow, several = w->view->geometry.rings > 1;
	uint64_t size = 0;
	int r;

	take_down_bell(w);
	/* relaxed: our predecessor is dead */
	hollow = word32_load_relaxed(&w->file->ring_hollow);
	r = ring_inherit(w, &size);
	if (r == 0 && several)
		r = rings_inherit(w, size);
	if (r == 0)
		r = ring_find_position(w, hollow);
	if (r == 0 && several)
		rings_tidy(w);
	return r == 0 && hollow ? refill(w) : r;
}

/* -ENOENT: not one for us. */
static int
adopt_lane(struct lane_writer *w, const char *name, uint32_t lane)
{
	char file[16];
	int r;

	lane_name(lane, file);
	/* relaxed: set once. Cut off: nobody reads it any more. */
	if (name != SWEPT && lane < lane_entries(w->view) &&
	    word32_load_relaxed(&w->view->receivers->lanes[lane].broken))
		return -ENOENT;
	if (!name && is_in_use(w, file))
		return -ENOENT;
	w->life.page = NULL;
	w->lane = lane;
	w->entry = &w->view->receivers->lanes[lane];
	r = map_writer(w, file);
	if (r < 0)
		return r == -EBADMSG || r == -EACCES ? -ENOENT : r;
	if (layout_check_identity(&w->file->identity, w->view->uuid) < 0 ||
	    !is_named(w, name)) {
		unmap_writer(w);
		return -ENOENT;
	}
	r = lock_writer(w, file);
	if (r == 0)
		r = settle_in(w);
	if (r < 0) {
		unmap_writer(w);
		if (r == -EAGAIN)
			return name ? -EBUSY : -ENOENT;
		return r == -EBADMSG ? -ENOENT : r;
	}
	return 0;
}

/* 0: adopted. -ENOENT: no lane has that number. -EEXIST: it is not for us. */
static int
try_lane(struct lane_writer *w, const char *name, uint32_t lane, uint32_t *own)
{
	struct stat st;
	char file[16];
	int r;

	lane_name(lane, file);
	if (fstatat(view_lanes(w->view), file, &st,
		    AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (st.st_uid != geteuid() || !S_ISREG(st.st_mode))
		return -EEXIST;
	++*own;
	r = adopt_lane(w, name, lane);
	return r == -ENOENT ? -EEXIST : r;
}

/* N of an entry lane.N; LANES_MAX: it is none. */
static uint32_t
number_of(const char *entry)
{
	uint32_t lane;
	char name[16];

	if (strncmp(entry, "lane.", 5))
		return LANES_MAX;
	lane = (uint32_t)min_u64(strtoul(entry + 5, NULL, 10), LANES_MAX);
	lane_name(lane, name);
	return strcmp(entry, name) ? LANES_MAX : lane;
}

/* No lane that there is now has that number or a higher one; LANES_MAX for who
   may not list them. */
static uint32_t
end_of_lanes(const struct view *view)
{
	int fd = openat(view_lanes(view), ".",
			O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *found;
	uint32_t lane, end = 0;

	if (!directory) {
		if (fd >= 0)
			close(fd);
		return LANES_MAX;
	}
	while ((found = readdir(directory))) {
		lane = number_of(found->d_name);
		if (lane < LANES_MAX && lane >= end)
			end = lane + 1;
	}
	closedir(directory);
	return end;
}

/*
 * Looks at each lane in turn: one of this user's that can be adopted, or the
 * first number that is free. A gap ends the numbers, as a rule; but a name may
 * have its lane behind one, whose sender has unlinked his. One that is made
 * meanwhile beyond the end gets the number there, as we would.
 */
static int
look_for_lane(struct lane_writer *w, const char *name)
{
	uint32_t lane, own = 0, unused = LANES_MAX;
	uint32_t end = name ? end_of_lanes(w->view) : LANES_MAX;
	int r;

	for (lane = 0; lane < end; lane++) {
		r = try_lane(w, name, lane, &own);
		if (r != -ENOENT && r != -EEXIST)
			return r;
		if (r == -ENOENT && unused == LANES_MAX)
			unused = lane;
		if (r == -ENOENT && !name)
			break;
	}
	if (unused == LANES_MAX)
		unused = end;
	if (unused == LANES_MAX || own >= LANES_PER_UID)
		return -EUSERS;
	return make_lane(w, name, unused);
}

static int
find_lane(struct lane_writer *w, const char *name)
{
	int r;

	do
		r = look_for_lane(w, name);
	while (r == -EEXIST);
	return r;
}

/* Opening and leaving ---------------------------------------------------- */

int
lane_open_writer(struct view *view, const char *name, struct lane_writer *ret)
{
	struct lane_writer w = { .view = view, .fd = -1, .receivers = -1 };
	int r;

	if (view_lanes(view) < 0)
		return -EMFILE;
	r = open_receivers(&w);
	if (r == 0)
		r = find_lane(&w, name);
	if (r < 0) {
		close_receivers(&w);
		return r;
	}
	w.entry = &view->receivers->lanes[w.lane];
	w.entry_known = w.lane < lane_entries(view);
	w.limit = w.position;
	w.fetched = w.position;
	/* relaxed: for people; and nobody sleeps here yet */
	word32_store_relaxed(&w.file->pid_namespace, liveness_pid_namespace());
	word32_store_relaxed(&w.file->pid, (uint32_t)getpid());
	word64_store_relaxed(&w.file->sleep, 0);
	*ret = w;
	return 0;
}

void
lane_close_writer(struct lane_writer *writer)
{
	if (writer->view->geometry.rings > 1)
		rings_leave(writer);
	if (writer->carry.blocks)
		carry_give_back(&writer->carry, lane_kept(writer));
	carry_end(&writer->carry);
	/* relaxed: for people; and nobody sleeps here */
	word32_store_relaxed(&writer->file->pid, 0);
	word64_store_relaxed(&writer->file->sleep, 0);
	unmap_writer(writer);
	close_receivers(writer);
}

void
lane_forget_writer(struct lane_writer *writer)
{
	carry_end(&writer->carry);
	shm_forget(&writer->mapping);
	shm_close_kept(writer->fd, &writer->is);
	close_receivers(writer);
}

/* Sweeping --------------------------------------------------------------- */

/* For the next owner: before the memory goes. */
static void
hollow(struct lane_writer *w)
{
	/* relaxed: he comes after our lock has gone */
	word32_store_relaxed(&w->file->ring_hollow, 1);
	if (w->view->geometry.rings > 1)
		rings_hollow(w);
	else
		ring_hollow(w, 0, w->position);
}

int
lane_sweep(struct view *view, uint32_t lane, uint64_t *ret_bytes)
{
	struct lane_writer w = { .view = view, .fd = -1, .receivers = -1 };
	struct stat before, after;
	char file[16];
	int r;

	lane_name(lane, file);
	if (fstatat(view_lanes(view), file, &before,
		    AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (before.st_uid != geteuid() || !S_ISREG(before.st_mode))
		return 0;
	r = adopt_lane(&w, SWEPT, lane);
	if (r < 0)
		return 0;	/* in use, or not ours to sweep */
	w.entry = &view->receivers->lanes[lane];
	/* What everybody gets is kept for those who come late. */
	if (!broadcast_is(view) && lane_passed(&w) == w.position) {
		if (lane_start_carry(&w) == 0)
			carry_give_back(&w.carry, lane_passed(&w));
		hollow(&w);
	}
	if (fstat(w.fd, &after) < 0)
		after = before;
	carry_end(&w.carry);
	unmap_writer(&w);
	*ret_bytes = (uint64_t)(before.st_blocks - after.st_blocks) * 512;
	return before.st_blocks > after.st_blocks;
}

/* Of this user's, and its maker is dead; or just about to lock it, and then he
   starts over. */
static bool
is_unfinished(struct view *view, const char *name)
{
	struct stat st;
	int fd, r;

	if (strncmp(name, TEMPORARY, strlen(TEMPORARY)))
		return false;
	fd = shm_open_at(view_lanes(view), name, O_RDONLY, &st);
	if (fd < 0)
		return false;
	r = liveness_ask(fd, 0);
	close(fd);
	return r == 0 && st.st_uid == geteuid();
}

uint32_t
lane_sweep_unfinished(struct view *view)
{
	int fd = openat(view_lanes(view), ".",
			O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *found;
	uint32_t removed = 0;
	DIR *directory;

	if (fd < 0)
		return 0;
	directory = fdopendir(fd);
	if (!directory) {
		close(fd);
		return 0;
	}
	while ((found = readdir(directory)))
		if (is_unfinished(view, found->d_name) &&
		    unlinkat(view_lanes(view), found->d_name, 0) == 0)
			removed++;
	closedir(directory);
	return removed;
}
