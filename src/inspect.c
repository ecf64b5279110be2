/* SPDX-License-Identifier: MIT */
/* Layer 13. May include: base atomics shm liveness layout names participants reply_file claims broadcast bias lane lane_rings directory inspect_queue handle mailbox listing region_transfer. */
/*
 * Looking at mailboxes from outside: everything is mapped read-only, nothing is
 * written, and nobody notices.
 */
#include "base.h"
#include "bias.h"
#include "broadcast.h"
#include "claims.h"
#include "directory.h"
#include "inspect_queue.h"
#include "lane.h"
#include "lane_rings.h"
#include "listing.h"
#include "mailbox.h"
#include "names.h"
#include "participants.h"
#include "region_transfer.h"
#include "reply_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

/* One lane, seen from outside -------------------------------------------- */

struct glimpse {
	struct stat st;
	bool attached;
	bool died;
	uint64_t waiting;
	uint64_t sequence;	/* of the last message published; 0: none */
	uint32_t pid;
	uint32_t pid_namespace;
	bool sleeping;
	bool polling;
	uint64_t ticket;
	struct reply_calls calls;
	char name[SENDER_NAME_MAX + 1];
};

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

/* Of a living sender that has called. */
static void
read_calls(const struct view *view, const struct lane_file *file,
	   struct glimpse *ret)
{
	/* relaxed: for people */
	uint64_t id = word64_load_relaxed(&file->reply);

	if (id && ret->attached)
		reply_file_calls(view, id, &ret->calls);
	ret->ticket += ret->calls.ticket << 32;
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

static void
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
	read_calls(view, file, ret);
	memcpy(ret->name, file->name, sizeof(ret->name));
	ret->name[SENDER_NAME_MAX] = 0;
}

/*
 * Who has it. One that leaves in order takes his pid away before his lock goes,
 * so a pid that stays without a lock is a dead one's; the second question is for
 * another one who comes between the two.
 */
static void
read_owner(int fd, const struct lane_file *file, struct glimpse *ret)
{
	/* relaxed: for people; a system call lies between any two */
	uint32_t pid = word32_load_relaxed(&file->pid);

	ret->attached = liveness_ask(fd, 0) == 1;
	/* relaxed: as above */
	ret->pid = word32_load_relaxed(&file->pid);
	ret->died = !ret->attached && pid && pid == ret->pid &&
		    liveness_ask(fd, 0) == 0;
}

static int
read_file(const struct view *view, uint32_t lane, int fd,
	  const struct lane_file *file, struct glimpse *ret)
{
	int r = layout_check_identity(&file->identity, view->uuid);

	if (r < 0)
		return r;
	read_owner(fd, file, ret);
	read_lane(view, lane, file, ret);
	return 0;
}

/* Errors: -ENOENT (no such lane), -EBADMSG (not a lane), -EACCES. */
static int
glimpse(const struct view *view, uint32_t lane, struct glimpse *ret)
{
	struct mapping mapping;
	char name[16];
	int fd, r;

	lane_name(lane, name);
	fd = shm_open_at(view->lanes_directory, name, O_RDONLY, &ret->st);
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

/* Inspecting ------------------------------------------------------------- */

static uint64_t
memory_of(const struct stat *st)
{
	return (uint64_t)st->st_blocks * 512;
}

static uint64_t
file_memory(int directory, const char *name)
{
	struct stat st;

	return fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ?
	       memory_of(&st) : 0;
}

static void
add_lane(struct cubby_info *info, const struct glimpse *lane)
{
	if (info->waiting == CUBBY_UNKNOWN)
		return;
	info->waiting += lane->waiting;
	info->fullest = max_u64(info->fullest, lane->waiting);
	info->sent += lane->sequence - START_POSITION;
}

static void
hide_counts(struct cubby_info *info)
{
	info->waiting = CUBBY_UNKNOWN;
	info->fullest = CUBBY_UNKNOWN;
	info->sent = CUBBY_UNKNOWN;
}

static bool
is_broken(const struct view *view, uint32_t lane)
{
	/* relaxed: set once */
	return lane < lane_entries(view) &&
	       word32_load_relaxed(&view->receivers->lanes[lane].broken);
}

static void
count_lanes(const struct view *view, struct cubby_info *info)
{
	struct glimpse lane;
	struct stat st;
	char name[16];
	uint32_t i;
	int r;

	for (i = 0; i < LANES_MAX; i++) {
		lane_name(i, name);
		if (fstatat(view->lanes_directory, name, &st,
			    AT_SYMLINK_NOFOLLOW) < 0)
			break;
		info->lanes++;
		info->memory += memory_of(&st);
		r = glimpse(view, i, &lane);
		if (r == -EACCES) {
			hide_counts(info);
			info->senders = CUBBY_UNKNOWN;
		}
		info->broken += r == -EBADMSG || is_broken(view, i);
		if (r < 0)
			continue;
		add_lane(info, &lane);
		if (info->senders != CUBBY_UNKNOWN)
			info->senders += lane.attached;
	}
}

static void
count_claims(const struct view *view, struct cubby_info *info)
{
	uint32_t i, count = claims_count(view);
	struct taken taken;
	uint64_t word;

	for (i = 0; i < count; i++) {
		if (!claims_read(view, i, &word, &taken))
			continue;
		info->held += claim_state(word) == CLAIM_HELD;
		info->returned += claim_state(word) == CLAIM_RETURNED;
	}
}

/* A slot's owner sleeps, by its own word. */
static bool
sleeps(const struct view *view, uint32_t slot)
{
	/* relaxed: for people */
	return (uint32_t)word64_load_relaxed(
		&view->receivers->slots[slot].sleep) & SLEEP_ASLEEP;
}

static void
count_receivers(const struct view *view, struct cubby_info *info)
{
	uint32_t slot, count = participants_slots(view);
	int fd = shm_open_at(view->directory, ATTENDANCE, O_RDONLY, NULL);

	if (fd < 0) {
		info->receivers = CUBBY_UNKNOWN;
		info->sleeping = CUBBY_UNKNOWN;
		return;
	}
	for (slot = 0; slot < count; slot++) {
		if (liveness_ask(fd, slot) != 1)
			continue;
		info->receivers++;
		info->sleeping += sleeps(view, slot);
	}
	close(fd);
}

static void
describe(const struct view *view, struct cubby_info *info)
{
	const struct attributes *a = &view->attributes;

	info->order = a->order;
	info->buffering = a->buffering;
	info->sizing = a->sizing;
	info->lifetime = a->lifetime;
	info->delivery = a->delivery;
	info->capacity = a->capacity;
	info->message_max = a->message_max;
	info->memory_limit = a->memory_limit;
	info->cell_size = a->cell_size;
	info->mode = a->mode;
	info->uid = a->uid;
	info->gid = a->gid;
	_Static_assert(sizeof(info->uuid) == sizeof(view->uuid), "");
	memcpy(info->uuid, view->uuid, sizeof(info->uuid));
}

static int
count(const struct view *view, struct cubby_info *info)
{
	if (view->attributes.order != CUBBY_ORDER_SENDER)
		return inspect_queue(view, info);
	count_lanes(view, info);
	count_claims(view, info);
	count_receivers(view, info);
	return 0;
}

static int
inspect(const struct view *view, struct cubby_info *ret)
{
	struct cubby_info info = CUBBY_INFO_INIT;
	size_t size = ret->struct_size;
	int r;

	describe(view, &info);
	info.memory = file_memory(view->directory, RECEIVERS) +
		      file_memory(view->directory, DOORBELL) +
		      file_memory(view->directory, ATTENDANCE) +
		      region_links_memory(view->lanes_directory) +
		      reply_file_memory(view);
	r = count(view, &info);
	if (r < 0)
		return r;
	if (shm_is_broken(&view->receivers_mapping))
		return -EBADMSG;
	memcpy(ret, &info, size < sizeof(info) ? size : sizeof(info));
	ret->struct_size = size;
	return 0;
}

static int
open_view(const char *name, struct view *ret)
{
	struct place place;
	int r;

	r = liveness_init();
	if (r == 0)
		r = names_find(name, false, &place);
	if (r < 0)
		return r;
	r = directory_open(&place, DIRECTORY_LOOK, ret);
	if (r == -ENOENT && mailbox_is_foreign(&place))
		r = -ENOTDIR;
	close(place.parent);
	return r;
}

int
cubby_inspect(const char *name, struct cubby_info *ret)
{
	struct view view;
	int r;

	if (!ret || ret->struct_size < sizeof(size_t))
		return -EINVAL;
	r = open_view(name, &view);
	if (r < 0)
		return r;
	r = inspect(&view, ret);
	directory_close(&view);
	return r;
}

static void
tell_sender(const struct view *view, uint32_t lane,
	    const struct glimpse *glimpse, struct cubby_sender_info *ret)
{
	_Static_assert(sizeof(ret->name) == sizeof(glimpse->name), "");
	memset(ret, 0, sizeof(*ret));
	ret->struct_size = sizeof(*ret);
	ret->sender = lane + 1;
	memcpy(ret->name, glimpse->name, sizeof(ret->name));
	ret->uid = glimpse->st.st_uid;
	ret->attached = glimpse->attached;
	ret->pid = glimpse->attached ? (pid_t)glimpse->pid : 0;
	ret->broken = is_broken(view, lane);
	ret->waiting = glimpse->waiting;
	ret->sequence = glimpse->sequence;
	ret->memory = memory_of(&glimpse->st);
	ret->pid_namespace = glimpse->attached ? glimpse->pid_namespace : 0;
	ret->sleeping = glimpse->attached && glimpse->sleeping;
	ret->died = glimpse->died;
	ret->ticket = glimpse->ticket;
	ret->polling = glimpse->attached && glimpse->polling;
	ret->calling = glimpse->calls.asleep;
	ret->server = glimpse->calls.server;
}

static int
visit_senders(const struct view *view,
	      int (*visit)(const struct cubby_sender_info *, void *),
	      void *context)
{
	struct cubby_sender_info sender;
	struct glimpse lane;
	uint32_t i;
	int r;

	for (i = 0; i < LANES_MAX; i++) {
		memset(&lane, 0, sizeof(lane));
		r = glimpse(view, i, &lane);
		if (r == -ENOENT)
			return 0;
		if (r == -EACCES)
			return r;
		if (r < 0)
			continue;	/* planted, or broken beyond reading */
		tell_sender(view, i, &lane, &sender);
		r = visit(&sender, context);
		if (r)
			return r;
	}
	return 0;
}

int
cubby_inspect_senders(const char *name,
		      int (*visit)(const struct cubby_sender_info *sender,
				   void *context),
		      void *context)
{
	struct view view;
	int r;

	if (!visit)
		return -EINVAL;
	r = open_view(name, &view);
	if (r < 0)
		return r;
	r = view.attributes.order == CUBBY_ORDER_SENDER ?
	    visit_senders(&view, visit, context) :
	    inspect_queue_senders(&view, visit, context);
	directory_close(&view);
	return r;
}

/* Receivers -------------------------------------------------------------- */

/* How many messages each slot's owner holds. */
static void
count_held(const struct view *view, uint64_t held[RECEIVERS_MAX])
{
	uint32_t i, count = claims_count(view);
	struct taken taken;
	uint64_t word;

	for (i = 0; i < count; i++)
		if (claims_read(view, i, &word, &taken) &&
		    claim_state(word) == CLAIM_HELD &&
		    claim_slot(word) < RECEIVERS_MAX)
			held[claim_slot(word)]++;
}

/* It has announced a sleep, and nobody has rung for it since. */
static bool
is_asleep(const struct doorbell_file *doorbell, uint32_t slot, uint64_t sleep)
{
	/* relaxed: for people */
	return (uint32_t)sleep & SLEEP_ASLEEP &&
	       word32_load_relaxed(&doorbell->events[slot]) ==
		       sleep_ticket(sleep);
}

/*
 * A slot's owner has gone without leaving: {generation, pid} stood there before
 * it was found dead, and do so after it. Who leaves in order takes his pid away
 * before his lock goes, and who joins is of another generation.
 */
static bool
has_died(const struct receiver_slot *s, uint64_t generation, uint32_t pid)
{
	/* PART-A4 acquire: the pid, before whose it is. Pairs with PART-R4. */
	return pid && word32_load_acquire(&s->pid) == pid &&
	       /* relaxed: after that */
	       word64_load_relaxed(&s->generation) == generation;
}

/* The same of its descriptor. */
static bool
is_armed(const struct doorbell_file *doorbell, uint32_t slot, uint64_t polls)
{
	/* relaxed: for people */
	return (uint32_t)polls & POLLS_ARMED &&
	       word32_load_relaxed(&doorbell->polled[slot]) ==
		       sleep_ticket(polls);
}

static void
read_receiver(const struct view *view, const struct doorbell_file *doorbell,
	      int attendance, uint32_t slot, struct cubby_receiver_info *ret)
{
	const struct receiver_slot *s = &view->receivers->slots[slot];
	/* relaxed: for people; of one who joins just now it may be a part */
	uint64_t generation = word64_load_relaxed(&s->generation);
	uint32_t pid = word32_load_relaxed(&s->pid);
	uint32_t uid = word32_load_relaxed(&s->uid);
	uint32_t pid_namespace = word32_load_relaxed(&s->pid_namespace);
	uint64_t sleep = word64_load_relaxed(&s->sleep);
	uint64_t polls = word64_load_relaxed(&s->polls);
	int alive = liveness_ask(attendance, slot);

	*ret = (struct cubby_receiver_info){
		.struct_size = sizeof(*ret),
		.receiver = slot + 1,
		.generation = generation,
		.uid = uid,
		.pid = alive == 1 ? (pid_t)pid : 0,
		.pid_namespace = alive == 1 ? pid_namespace : 0,
		.attached = alive == 1,
		.died = alive == 0 && has_died(s, generation, pid),
		.sleeping = alive == 1 && is_asleep(doorbell, slot, sleep),
		.polling = alive == 1 && is_armed(doorbell, slot, polls),
		.ticket = sleep_ticket(sleep),
	};
}

static int
visit_slots(const struct view *view, const struct doorbell_file *doorbell,
	    int attendance,
	    int (*visit)(const struct cubby_receiver_info *, void *),
	    void *context)
{
	uint32_t slot, count = participants_slots(view);
	uint64_t held[RECEIVERS_MAX] = { 0 };
	struct cubby_receiver_info receiver;
	int r = 0;

	count_held(view, held);
	for (slot = 0; r == 0 && slot < count; slot++) {
		read_receiver(view, doorbell, attendance, slot, &receiver);
		receiver.held = held[slot];
		if (receiver.attached || receiver.died)
			r = visit(&receiver, context);
	}
	return shm_is_broken(&view->receivers_mapping) ? -EBADMSG : r;
}

/* The event counts on which they sleep, for reading. */
static int
map_doorbell(const struct view *view, struct mapping *ret)
{
	int fd, r;

	fd = shm_open_at(view->directory, DOORBELL, O_RDONLY, NULL);
	if (fd < 0)
		return fd;
	r = shm_map(fd, sizeof(struct doorbell_file), PROT_READ, ret);
	close(fd);
	return r;
}

static int
visit_receivers(const struct view *view,
		int (*visit)(const struct cubby_receiver_info *, void *),
		void *context)
{
	struct mapping doorbell;
	int fd, r;

	fd = shm_open_at(view->directory, ATTENDANCE, O_RDONLY, NULL);
	if (fd < 0)
		return fd;
	r = map_doorbell(view, &doorbell);
	if (r == 0) {
		r = visit_slots(view, doorbell.address, fd, visit, context);
		shm_unmap(&doorbell);
	}
	close(fd);
	return r;
}

int
cubby_inspect_receivers(const char *name,
			int (*visit)(const struct cubby_receiver_info *receiver,
				     void *context),
			void *context)
{
	struct view view;
	int r;

	if (!visit)
		return -EINVAL;
	r = open_view(name, &view);
	if (r < 0)
		return r;
	r = view.attributes.order == CUBBY_ORDER_SENDER ?
	    visit_receivers(&view, visit, context) :
	    inspect_queue_receivers(&view, visit, context);
	directory_close(&view);
	return r;
}

/* Listing ---------------------------------------------------------------- */

int
cubby_list(int (*visit)(const char *name, void *context), void *context)
{
	static const struct listing_kind mailboxes = {
		.own = "", .shared = NAMES_SHARED, .file = RECEIVERS,
	};

	return visit ? listing_visit(&mailboxes, visit, context) : -EINVAL;
}
