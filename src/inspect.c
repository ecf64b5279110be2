/* SPDX-License-Identifier: MIT */
/* Layer 13. May include: base atomics shm liveness layout names participants reply_file claims lane directory inspect_lane inspect_queue inspect_receivers handle mailbox listing region_transfer. */
/*
 * Looking at mailboxes from outside: everything is mapped read-only, nothing is
 * written, and nobody notices. What cannot be looked at for want of descriptors or of
 * memory is not passed over: a count without it would be believed.
 */
#include "base.h"
#include "claims.h"
#include "directory.h"
#include "inspect_lane.h"
#include "inspect_queue.h"
#include "inspect_receivers.h"
#include "lane.h"
#include "listing.h"
#include "mailbox.h"
#include "names.h"
#include "participants.h"
#include "region_transfer.h"
#include "reply_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

/* Inspecting ------------------------------------------------------------- */

static uint64_t
memory_of(const struct stat *st)
{
	return (uint64_t)st->st_blocks * 512;
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

/* He may not even look whether there are lanes: an owner who may neither send nor
   receive. */
static void
hide_lanes(struct cubby_info *info)
{
	hide_counts(info);
	info->senders = CUBBY_UNKNOWN;
	info->lanes = CUBBY_UNKNOWN;
	info->memory = CUBBY_UNKNOWN;
	info->broken = CUBBY_UNKNOWN;
}

static bool
is_broken(const struct view *view, uint32_t lane)
{
	/* relaxed: set once */
	return lane < lane_entries(view) &&
	       word32_load_relaxed(&view->receivers->lanes[lane].broken);
}

/* Errors: -ENOENT (there are no more), -EACCES (none may be seen), and those by which
   it could not be looked at. */
static int
count_lane(const struct view *view, uint32_t i, struct cubby_info *info)
{
	struct glimpse lane;
	struct stat st;
	char name[16];
	int r;

	lane_name(i, name);
	if (fstatat(view_lanes(view), name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	info->lanes++;
	info->memory += memory_of(&st);
	memset(&lane, 0, sizeof(lane));
	r = inspect_lane(view, i, &lane);
	if (r == -EACCES) {
		hide_counts(info);
		info->senders = CUBBY_UNKNOWN;
	}
	info->broken += r == -EBADMSG || is_broken(view, i);
	if (r < 0)
		return shm_tells_of_file(r) ? 0 : r;
	add_lane(info, &lane);
	if (info->senders != CUBBY_UNKNOWN)
		info->senders += lane.attached;
	return 0;
}

static int
count_lanes(const struct view *view, struct cubby_info *info)
{
	uint32_t i;
	int r = 0;

	for (i = 0; r == 0 && i < LANES_MAX; i++)
		r = count_lane(view, i, info);
	if (r == -EACCES)
		hide_lanes(info);
	return shm_tells_of_file(r) ? 0 : r;
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

static int
count_receivers(const struct view *view, struct cubby_info *info)
{
	uint32_t slot, count = participants_slots(view);
	int fd = shm_open_at(view_directory(view), ATTENDANCE, O_RDONLY, NULL);
	int alive = 0;

	if (fd < 0) {
		info->receivers = CUBBY_UNKNOWN;
		info->sleeping = CUBBY_UNKNOWN;
		return shm_tells_of_file(fd) ? 0 : fd;
	}
	for (slot = 0; alive >= 0 && slot < count; slot++) {
		alive = liveness_ask(fd, slot);
		if (alive != 1)
			continue;
		info->receivers++;
		info->sleeping += sleeps(view, slot);
	}
	close(fd);
	return alive < 0 ? alive : 0;
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
	int r;

	if (view->attributes.order != CUBBY_ORDER_SENDER)
		return inspect_queue(view, info);
	count_claims(view, info);
	r = count_lanes(view, info);
	return r < 0 ? r : count_receivers(view, info);
}

static int
add_memory(const struct view *view, struct cubby_info *info)
{
	static const char *const files[] = { RECEIVERS, DOORBELL, ATTENDANCE };
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < ARRAY_SIZE(files); i++)
		r = shm_add_memory(view_directory(view), files[i], &info->memory);
	if (r == 0)
		r = region_links_add_memory(view_lanes(view),
					    &info->memory);
	return r < 0 ? r : reply_file_add_memory(view, &info->memory);
}

static int
inspect(const struct view *view, struct cubby_info *ret)
{
	struct cubby_info info = CUBBY_INFO_INIT;
	size_t size = ret->struct_size;
	int r;

	describe(view, &info);
	r = add_memory(view, &info);
	if (r == 0)
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

/* Who may not receive could see a lane of his own here, and that there are none:
   those who may read it are those who may receive. */
static int
may_receive(const struct view *view)
{
	int fd = shm_open_at(view_directory(view), ATTENDANCE, O_RDONLY, NULL);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

static int
visit_senders(const struct view *view,
	      int (*visit)(const struct cubby_sender_info *, void *),
	      void *context)
{
	struct cubby_sender_info sender;
	struct glimpse lane;
	uint32_t i;
	int r = may_receive(view);

	if (r < 0)
		return r;
	for (i = 0; i < LANES_MAX; i++) {
		memset(&lane, 0, sizeof(lane));
		r = inspect_lane(view, i, &lane);
		if (r == -ENOENT)
			return 0;
		if (r == -EBADMSG || r == -EPROTO)
			continue;	/* planted, or broken beyond reading */
		if (r < 0)
			return r;
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
	    inspect_receivers(&view, visit, context) :
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
