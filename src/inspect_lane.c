/* SPDX-License-Identifier: MIT */
/* Layer 12. May include: base atomics shm liveness layout reply_file broadcast bias lane lane_rings inspect_lane. */
#include "base.h"
#include "bias.h"
#include "broadcast.h"
#include "inspect_lane.h"
#include "lane.h"
#include "lane_rings.h"
#include "liveness.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

/* The ring that its sender sends into. */
struct last_ring {
	uint32_t ring;
	uint64_t begin;
	uint64_t committed;
};

/* False: what the file says makes no sense. */
static bool
find_ring(const struct lane_file *file, const struct geometry *g,
	  struct last_ring *ret)
{
	ret->ring = 0;
	ret->begin = START_POSITION;
	/* relaxed: rising, as a rule; an old one leaves out what is being sent
	   now */
	ret->committed = word64_load_relaxed(&file->ring_committed);
	if (g->rings == 1)
		return true;
	/* RING-A4 acquire: the turn word, and then its place. Pairs with
	   RING-R3. */
	ret->ring = turn_ring(word64_load_acquire(&file->turn));
	if (ret->ring >= g->rings)
		return false;
	if (ret->ring)
		/* relaxed: as above */
		ret->committed = word64_load_relaxed(
			&file->places[ret->ring].committed);
	return rings_begin(file, ret->ring, &ret->begin);
}

/* Cells beyond what is committed are not touched: that would take memory. */
static bool
bears(const struct lane_file *file, const struct geometry *g,
      const struct last_ring *last, uint64_t position)
{
	uint64_t sequence;

	if (!layout_ring_has(g, last->ring, last->begin, last->committed,
			     position))
		return false;
	/* LANE-A8 acquire: only the sequence is read. Pairs with LANE-R1,
	   LANE-R2. */
	sequence = word64_load_acquire(
		&layout_ring_cell((struct lane_file *)(uintptr_t)file, g,
				  last->ring, position)->sequence);

	return ((sequence ^ (position + 1)) & HEAD_POSITION) == 0;
}

/* From the head on, or from where the last ring begins, the cells are published
   without a gap; by halving, the first that is not. Of a ring with holes
   everything has been received, and to look into them would take memory. */
static uint64_t
find_tail(const struct lane_file *file, const struct geometry *g, uint64_t head)
{
	uint64_t low = head, high, middle;
	struct last_ring last;

	/* relaxed: a sweeper sets it, of a lane that nobody owns */
	if (word32_load_relaxed(&file->ring_hollow) ||
	    !find_ring(file, g, &last))
		return head;
	if (g->rings > 1)
		low = position_near(head, last.begin);
	if ((int64_t)(head - low) > 0)
		low = head;
	high = low + layout_ring_cells(g, last.ring);
	while (low != high) {
		middle = low + (high - low) / 2;
		if (bears(file, g, &last, middle))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The most that can wait in a lane. */
static uint64_t
most_waiting(const struct view *view)
{
	const struct geometry *g = &view->geometry;

	return g->rings == 1 ? view->attributes.capacity :
	       layout_ring_cells(g, g->rings) - g->ring_cells;
}

/* Its sender has announced a sleep, and nobody has rung for it since. */
static void
read_sleep(const struct view *view, uint32_t lane, const struct lane_file *file,
	   struct glimpse *ret)
{
	/* relaxed: for people */
	uint64_t sleep = word64_load_relaxed(&file->sleep);

	ret->ticket = sleep_ticket(sleep);
	/* relaxed: as above */
	ret->sleeping = (uint32_t)sleep & SLEEP_ASLEEP &&
			lane < lane_entries(view) &&
			word32_load_relaxed(&view->receivers->lanes[lane].room)
				== sleep_ticket(sleep);
}

/* The same of its descriptor. */
static void
read_polls(const struct view *view, uint32_t lane, const struct lane_file *file,
	   struct glimpse *ret)
{
	/* relaxed: for people */
	uint64_t polls = word64_load_relaxed(&file->polls);
	const word32 *polled = &view->receivers->lanes[lane].polled;

	/* relaxed: as above */
	ret->polling = (uint32_t)polls & POLLS_ARMED &&
		       lane < lane_entries(view) &&
		       word32_load_relaxed(polled) == sleep_ticket(polls);
}

/* Of a living sender that has called. Errors: by which it could not be looked at. */
static int
read_calls(const struct view *view, const struct lane_file *file,
	   struct glimpse *ret)
{
	/* relaxed: for people */
	uint64_t id = word64_load_relaxed(&file->reply);
	int r = 0;

	if (id && ret->attached)
		r = reply_file_calls(view, id, &ret->calls);
	ret->ticket += ret->calls.ticket << 32;
	return shm_tells_of_file(r) ? 0 : r;
}

/* Of a broadcast mailbox: where the messages begin that are there. */
static uint64_t
find_floor(const struct lane_file *file)
{
	/* CAST-A10 acquire: what lies above has not been overwritten. Pairs
	   with CAST-F1. */
	return word64_load_acquire(&file->floor);
}

/* What the slowest has still to receive, and can. */
static uint64_t
waiting_for_all(const struct view *view, uint32_t lane, uint64_t floor,
		uint64_t tail)
{
	return min_u64(broadcast_lag(view, lane, tail, NULL),
		       broadcast_waits(view) ? view->attributes.capacity :
		       tail - floor);
}

static int
read_lane(const struct view *view, uint32_t lane, const struct lane_file *file,
	  struct glimpse *ret)
{
	const struct geometry *g = &view->geometry;
	uint64_t head = START_POSITION, tail;
	uint32_t steps = 0;

	if (broadcast_is(view))
		head = find_floor(file);
	else if (lane < lane_entries(view))
		head = head_position(bias_head_at_most(
			&view->receivers->lanes[lane], head_make(head, 0),
			&steps));
	if (!broadcast_is(view))
		head = position_near(START_POSITION, head);
	tail = find_tail(file, g, head);
	/* More than the capacity: the head has moved on since it was read. */
	ret->waiting = broadcast_is(view) ?
		       waiting_for_all(view, lane, head, tail) :
		       min_u64(tail - head + steps, most_waiting(view));
	ret->sequence = tail;
	/* relaxed: for people */
	ret->pid_namespace = word32_load_relaxed(&file->pid_namespace);
	read_sleep(view, lane, file, ret);
	read_polls(view, lane, file, ret);
	memcpy(ret->name, file->name, sizeof(ret->name));
	ret->name[SENDER_NAME_MAX] = 0;
	return read_calls(view, file, ret);
}

/*
 * Who has it. One that leaves in order takes his pid away before his lock goes,
 * so a pid that stays without a lock is a dead one's; the second question is for
 * another one who comes between the two. Errors: liveness_ask()'s.
 */
static int
read_owner(int fd, const struct lane_file *file, struct glimpse *ret)
{
	/* relaxed: for people; a system call lies between any two */
	uint32_t pid = word32_load_relaxed(&file->pid);

	int alive = liveness_ask(fd, 0);

	if (alive < 0)
		return alive;
	ret->attached = alive == 1;
	/* relaxed: as above */
	ret->pid = word32_load_relaxed(&file->pid);
	if (ret->attached || !pid || pid != ret->pid)
		return 0;
	alive = liveness_ask(fd, 0);
	ret->died = alive == 0;
	return alive < 0 ? alive : 0;
}

static int
read_file(const struct view *view, uint32_t lane, int fd,
	  const struct lane_file *file, struct glimpse *ret)
{
	int r = layout_check_identity(&file->identity, view->uuid);

	if (r == 0)
		r = read_owner(fd, file, ret);
	return r < 0 ? r : read_lane(view, lane, file, ret);
}

int
inspect_lane(const struct view *view, uint32_t lane, struct glimpse *ret)
{
	struct mapping mapping;
	char name[16];
	int fd, r;

	lane_name(lane, name);
	fd = shm_open_at(view_lanes(view), name, O_RDONLY, &ret->st);
	if (fd < 0)
		return fd;
	r = shm_map(fd, view->geometry.blocks_offset, PROT_READ, &mapping);
	if (r == 0) {
		r = read_file(view, lane, fd, mapping.address, ret);
		if (shm_is_broken(&mapping))
			r = -EBADMSG;
		shm_unmap(&mapping);
	}
	close(fd);
	return r;
}
