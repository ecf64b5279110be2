/* SPDX-License-Identifier: MIT */
/* Layer 13. May include: base shm liveness layout names participants reply_file lane queue directory handle mailbox region_transfer bell. */
/*
 * Cleaning up behind the dead. Each step is one that a participant takes by
 * itself sooner or later; a sweep takes them all now. It never touches what a
 * living process has locked.
 */
#include "base.h"
#include "bell.h"
#include "directory.h"
#include "lane.h"
#include "mailbox.h"
#include "names.h"
#include "participants.h"
#include "queue.h"
#include "region_transfer.h"
#include "reply_file.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

struct sweep {
	struct view *view;
	struct cubby_swept swept;
};

static void
repair(void *context, uint32_t slot, bool ours)
{
	struct sweep *sweep = context;

	sweep->swept.messages += lane_repair_slot(sweep->view, slot, ours);
}

static void
sweep_lanes(struct sweep *sweep)
{
	uint32_t lane, entries = lane_entries(sweep->view);
	uint64_t bytes;
	int r;

	for (lane = 0; lane < LANES_MAX; lane++) {
		bytes = 0;
		r = lane_sweep(sweep->view, lane, &bytes);
		if (r < 0 && lane >= entries)
			return;
		if (r < 0)
			continue;	/* whoever made it has removed it */
		sweep->swept.lanes += (uint64_t)r;
		sweep->swept.bytes += bytes;
	}
}

/* Bells that the living name. The number stands there before the FIFO does. */
static bool
a_receiver_names(void *context, uint64_t number)
{
	const struct view *view = context;
	uint32_t slot, count = participants_slots(view);

	for (slot = 0; slot < count; slot++)
		/* relaxed: see bell.h */
		if (word64_load_relaxed(&view->receivers->slots[slot].bell) ==
		    number)
			return true;
	return false;
}

/* Of the lanes that have a sender: whoever comes to one makes another number. */
static bool
a_sender_names(void *context, uint64_t number)
{
	const struct view *view = context;
	uint32_t lane, entries = lane_entries(view);
	uint64_t its = 0;
	bool names = false;
	char name[16];
	ssize_t n;
	int fd = 0;

	for (lane = 0; !names && lane < LANES_MAX &&
		       (fd >= 0 || lane < entries); lane++) {
		lane_name(lane, name);
		fd = shm_open_at(view_lanes(view), name, O_RDONLY, NULL);
		if (fd < 0) {
			/* What cannot be looked at may be its. */
			names = fd != -ENOENT && fd != -EBADMSG;
			continue;
		}
		n = pread(fd, &its, sizeof(its),
			  offsetof(struct lane_file, bell));
		names = n < 0 || (n == sizeof(its) && its == number &&
				  liveness_ask(fd, 0));
		close(fd);
	}
	return names;
}

static bool
a_participant_names(void *context, uint64_t number)
{
	const struct queue_map *map = context;
	uint32_t n, count = queue_participants(map);
	const struct queue_participant *p;

	for (n = 0; n < count; n++) {
		p = queue_participant(map, n);
		if (p && (get64(&p->bell[0]) == number ||
			  get64(&p->bell[1]) == number))
			return true;
	}
	return false;
}

static int
sweep_queue(struct sweep *sweep)
{
	struct queue queue;
	int r;

	r = queue_open(sweep->view, NULL, 0, &queue);
	if (r < 0)
		return r;
	sweep->swept.messages += queue.recovered +
				 queue_look_to_the_end(&queue);
	sweep->swept.bytes += queue_trim(&queue);
	bell_sweep(sweep->view, BELL_OF_OTHERS, a_participant_names,
		   &queue.map);
	queue_close(&queue);
	return 0;
}

static int
sweep_view(const struct place *place, struct sweep *sweep)
{
	struct view view;
	int r;

	r = directory_open(place, DIRECTORY_RECEIVE, &view);
	if (r < 0)
		return r;
	sweep->view = &view;
	sweep->swept.bytes += region_sweep_links(view_lanes(&view)) +
			      reply_file_sweep(&view);
	/* Of lanes, and of reply files. */
	lane_sweep_unfinished(&view);
	if (view.attributes.order != CUBBY_ORDER_SENDER) {
		r = sweep_queue(sweep);
		directory_close(&view);
		return r;
	}
	participants_find_dead(&view, UINT32_MAX, repair, sweep);
	if (sweep->swept.messages)
		doorbell_ring(&view);
	bell_sweep(&view, BELL_OF_OTHERS, a_receiver_names, &view);
	bell_sweep(&view, BELL_OF_LANE, a_sender_names, &view);
	sweep_lanes(sweep);
	directory_close(&view);
	return 0;
}

static int
sweep_mailbox(const char *name, struct sweep *sweep)
{
	struct place place;
	int r;

	r = names_find(name, false, &place);
	if (r < 0)
		return r;
	sweep->swept.mailboxes += mailbox_sweep_directory(place.parent,
							   UINT64_MAX);
	if (mailbox_bury_temporary(&place)) {
		sweep->swept.mailboxes++;
	} else {
		r = sweep_view(&place, sweep);
		if (r == -ENOENT && mailbox_is_foreign(&place))
			r = -ENOTDIR;
	}
	close(place.parent);
	return r;
}

/* One of all: another's damage, or its going away, ends nothing. */
static int
sweep_listed(const char *name, void *context)
{
	sweep_mailbox(name, context);
	return 0;
}

/* What has no name any more lies in both directories. */
static void
sweep_directory(int directory, struct sweep *sweep)
{
	if (directory < 0)
		return;
	sweep->swept.mailboxes += mailbox_sweep_directory(directory,
							   UINT64_MAX);
	close(directory);
}

static int
sweep_all(struct sweep *sweep)
{
	sweep_directory(names_own_directory(), sweep);
	sweep_directory(names_shared_directory(), sweep);
	return cubby_list(sweep_listed, sweep);
}

int
cubby_sweep(const char *name, struct cubby_swept *ret)
{
	struct sweep sweep = { .swept = CUBBY_SWEPT_INIT };
	size_t size;
	int r;

	if (ret && ret->struct_size < sizeof(size_t))
		return -EINVAL;
	r = liveness_init();
	if (r == 0)
		r = name ? sweep_mailbox(name, &sweep) : sweep_all(&sweep);
	if (r < 0 || !ret)
		return r;
	size = ret->struct_size;
	memcpy(ret, &sweep.swept, min_u64(size, sizeof(sweep.swept)));
	ret->struct_size = size;
	return 0;
}
