/* SPDX-License-Identifier: MIT */
/* Layer 12. May include: base probe atomics clock futex spin shm liveness layout options names participants inbox caller directory handle lanes queue_calls mailbox region region_transfer broadcast broadcast_calls pollable. */
/*
 * Opening, closing and unlinking.
 *
 * Who opens takes his locks and then asks whether he is in (directory_end.c
 * says how); if not, he leaves, clears the place and begins again by its name.
 * Each time, somebody has come or gone, so there is an end to it, and what is
 * still in the way then is told.
 */
#include "base.h"
#include "broadcast_calls.h"
#include "caller.h"
#include "clock.h"
#include "directory.h"
#include "futex.h"
#include "lanes.h"
#include "mailbox.h"
#include "options.h"
#include "participants.h"
#include "pollable.h"
#include "probe.h"
#include "queue_calls.h"
#include "region.h"
#include "region_transfer.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define ROLES (CUBBY_SEND | CUBBY_RECEIVE)
#define OPEN_FLAGS (ROLES | CUBBY_CREATE | CUBBY_EXCLUSIVE | \
		    CUBBY_TRUST_SENDERS)
#define TRIES 100	/* of an open that met somebody who removes */
#define SWEPT_BESIDE 16	/* mailboxes, when another one is unlinked */

/* Temporary mailboxes ---------------------------------------------------- */

/* Only they can take its name away. */
static bool
may_remove(const struct view *view)
{
	return geteuid() == 0 || geteuid() == view->attributes.uid;
}

static bool
bury(const struct place *place, struct view *view)
{
	bool buried;

	if (view->attributes.lifetime != CUBBY_TEMPORARY ||
	    shm_is_broken(&view->receivers_mapping) || !may_remove(view) ||
	    !directory_end(view))
		return false;
	buried = directory_carry_out(place, view_directory(view));
	/* Had it been unlinked, it lies there. */
	directory_sweep_gone(view_directory(view), view->uuid);
	return buried;
}

int
mailbox_bury_temporary(const struct place *place)
{
	struct view view;
	int buried, r;

	r = directory_open(place, DIRECTORY_END, &view);
	/* No mailbox is empty, unless its removal has come so far. */
	if (r == -ENOENT)
		return unlinkat(place->parent, place->entry, AT_REMOVEDIR) == 0;
	if (r < 0)
		return 0;
	buried = bury(place, &view);
	directory_close(&view);
	return buried;
}

bool
mailbox_is_foreign(const struct place *place)
{
	struct stat st;
	bool foreign;
	int fd;

	fd = openat(place->parent, place->entry,
		    O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOTDIR || errno == ELOOP;
	foreign = fstatat(fd, RECEIVERS, &st, AT_SYMLINK_NOFOLLOW) < 0 &&
		  errno == ENOENT && !directory_is_empty(fd);
	close(fd);
	return foreign;
}

/* Opening ---------------------------------------------------------------- */

/* What an open was asked for. */
struct request {
	const char *name;
	int flags;
	struct cubby_options options;
};

struct inbox_at
mailbox_inbox(const struct view *view)
{
	struct inbox_at at = {
		.inbox = &view->receivers->inbox,
		.directory = view_directory(view), .file = RECEIVERS,
	};

	return at;
}

/* Of an inbox: he is the one who receives there, or knows how to ask for him. */
static int
prepare_inbox(struct cubby_mailbox *mailbox, int flags)
{
	struct inbox_at at = mailbox_inbox(&mailbox->view);
	int r = 0;

	if (flags & CUBBY_RECEIVE)
		r = inbox_claim(&at, &mailbox->owner);
	if (r == 0 && flags & CUBBY_SEND)
		r = addressee_open(&at, &mailbox->addressee);
	return r;
}

static int
play_roles(const struct request *request, struct cubby_mailbox *mailbox)
{
	struct inbox_at at = mailbox_inbox(&mailbox->view);
	int flags = request->flags, r = 0;

	if (mailbox->inbox)
		r = prepare_inbox(mailbox, flags);
	if (r == 0)
		r = mailbox->operations->open(mailbox, flags & ROLES,
					      &request->options,
					      flags & CUBBY_TRUST_SENDERS);
	/* It can receive from now on. */
	if (r == 0 && mailbox->inbox && flags & CUBBY_RECEIVE)
		r = inbox_enter(&at, &mailbox->owner);
	return r;
}

static int
take_part(const struct request *request, struct cubby_mailbox *mailbox)
{
	int r;

	if (request->flags & ROLES)
		return play_roles(request, mailbox);
	r = participants_stand_by(&mailbox->view, &mailbox->presence);
	/* Who may not receive cannot: he only looks. */
	return r == -EACCES ? 0 : r;
}

static void
leave(struct cubby_mailbox *mailbox)
{
	struct inbox_at at = mailbox_inbox(&mailbox->view);

	inbox_say_gone(&at, &mailbox->owner);
	pollable_close(mailbox);
	caller_end(&mailbox->caller);
	mailbox->operations->close(mailbox);
	addressee_close(&mailbox->addressee);
	inbox_leave(&mailbox->owner);
	liveness_drop(&mailbox->presence);
	directory_close(&mailbox->view);
}

/* The last one out of a temporary mailbox removes it. */
static void
bury_entry(int directory, const char *entry)
{
	struct place place;

	place.parent = openat(directory, "..",
			      O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (place.parent < 0)
		return;
	strcpy(place.entry, entry);
	mailbox_bury_temporary(&place);
	close(place.parent);
}

/* Leaves, and removes the mailbox if it was the last one in, and it is to go. */
static void
leave_and_sweep(struct cubby_mailbox *mailbox)
{
	bool temporary = mailbox->view.attributes.lifetime == CUBBY_TEMPORARY;
	int directory = fcntl(view_directory(&mailbox->view), F_DUPFD_CLOEXEC, 0);

	leave(mailbox);
	if (directory < 0)
		return;		/* the next one to look sweeps up */
	directory_sweep_gone(directory, mailbox->view.uuid);
	if (temporary)
		bury_entry(directory, mailbox->entry);
	close(directory);
}

static enum directory_access
access_for(int flags)
{
	return flags & CUBBY_RECEIVE ? DIRECTORY_RECEIVE :
	       flags & CUBBY_SEND ? DIRECTORY_SEND : DIRECTORY_LOOK;
}

/* Joins what has been opened. -EAGAIN: he may not stop one who looks whether it
   has ended; -ENOENT: it has. */
static int
enter(const struct request *request, const struct place *place,
      struct cubby_mailbox *mailbox)
{
	int r;

	r = take_part(request, mailbox);
	if (r == 0)
		r = directory_come_in(&mailbox->view);
	/* It ends after it has lost its name. */
	if (r == -ENOENT && directory_is_at(place, view_directory(&mailbox->view)) &&
	    mailbox->view.attributes.lifetime != CUBBY_TEMPORARY)
		r = -EBADMSG;
	if (r < 0)
		leave_and_sweep(mailbox);
	return r;
}

static const struct operations *
operations_for(const struct attributes *attributes)
{
	if (attributes->order != CUBBY_ORDER_SENDER)
		return &queue_operations;
	return attributes->delivery == CUBBY_ONE ? &lanes_operations :
	       &broadcast_operations;
}

static void
prepare(const struct request *request, const struct place *place,
	struct cubby_mailbox *mailbox)
{
	mailbox->process = liveness_process();
	exclusion_init(&mailbox->regions_exclusion);
	caller_init(&mailbox->caller, &mailbox->view);
	exclusion_init(&mailbox->spin_exclusion);
	spin_init(&mailbox->spin);
	exclusion_init(&mailbox->pollables.exclusion);
	strcpy(mailbox->entry, place->entry);
	mailbox->view.fences = !barrier_register();
	mailbox->fixed = mailbox->view.attributes.sizing == CUBBY_FIXED;
	mailbox->message_max = mailbox->view.attributes.message_max;
	mailbox->plain_max = min_u64(mailbox->message_max,
				     mailbox->view.geometry.inline_max);
	mailbox->plain_min = mailbox->fixed ? mailbox->message_max : 0;
	mailbox->operations = operations_for(&mailbox->view.attributes);
	mailbox->inbox = names_is_inbox(request->name);
	if (mailbox->inbox) {
		mailbox->plain_min = 1;
		mailbox->plain_max = 0;
	}
}

/* Opens what exists. Errors: also those of enter(). */
static int
open_existing(const struct request *request, const struct place *place,
	      struct cubby_mailbox *mailbox)
{
	int r;

	memset(mailbox, 0, sizeof(*mailbox));
	r = directory_open(place, access_for(request->flags), &mailbox->view);
	if (r < 0)
		return r;
	/* One whose users have all gone does not exist any more. */
	if (mailbox->view.attributes.lifetime == CUBBY_TEMPORARY &&
	    mailbox_bury_temporary(place))
		r = -ENOENT;
	if (r == 0)
		r = options_agree(&request->options,
				  &mailbox->view.attributes);
	/* Where each message goes to one receiver there is none. */
	if (r == 0 && request->options.history &&
	    mailbox->view.attributes.delivery == CUBBY_ONE)
		r = -EOPNOTSUPP;
	if (r < 0) {
		directory_close(&mailbox->view);
		return r;
	}
	prepare(request, place, mailbox);
	return enter(request, place, mailbox);
}

/* Joins what has been made, and then gives it its name. */
static int
bring_in(const struct request *request, const struct place *place,
	 struct newborn *newborn, struct cubby_mailbox *mailbox)
{
	int r;

	r = open_existing(request, &newborn->place, mailbox);
	if (r < 0)
		return r;
	strcpy(mailbox->entry, place->entry);
	r = directory_name(newborn, place);
	if (r < 0)
		leave(mailbox);
	return r;
}

/* -EEXIST: another did. */
static int
make(const struct request *request, const struct place *place,
     struct cubby_mailbox *mailbox)
{
	struct attributes attributes;
	struct newborn newborn;
	gid_t group;
	int r;

	r = options_attributes(&request->options, place->parent, &attributes);
	/* From an inbox one handle receives. */
	if (r == 0 && attributes.delivery && names_is_inbox(request->name))
		r = -EINVAL;
	if (r == 0)
		r = options_group(&request->options, &group);
	if (r == 0)
		r = directory_make(place->parent, &attributes, group, &newborn);
	if (r < 0)
		return r;
	r = bring_in(request, place, &newborn, mailbox);
	if (r < 0)
		directory_unmake(&newborn);
	return r;
}

static int
open_once(const struct request *request, const struct place *place,
	  struct cubby_mailbox *mailbox)
{
	int r, flags = request->flags;

	if (!(flags & CUBBY_EXCLUSIVE)) {
		r = open_existing(request, place, mailbox);
		if (r != -ENOENT || !(flags & CUBBY_CREATE))
			return r;
	}
	r = make(request, place, mailbox);
	/* Another was faster: open that one. */
	return r == -EEXIST && !(flags & CUBBY_EXCLUSIVE) ? -EAGAIN : r;
}

static bool
exists(const struct place *place)
{
	struct stat st;

	return fstatat(place->parent, place->entry, &st, AT_SYMLINK_NOFOLLOW)
	       == 0;
}

/* Clears the place, if an end is what was met there. (What one makes has its
   name when one is in: nobody can unlink it before.) */
static bool
is_worth_another_try(const struct request *request, const struct place *place,
		     int r)
{
	if (r == -EEXIST && !(request->flags & CUBBY_EXCLUSIVE))
		return false;	/* with other attributes */
	if (r != -EAGAIN && r != -ENOENT && r != -EEXIST)
		return false;
	return mailbox_bury_temporary(place) || r == -EAGAIN ||
	       (r == -ENOENT && exists(place));
}

static int
open_mailbox(const struct request *request, const struct place *place,
	     struct cubby_mailbox *mailbox)
{
	int i, r = -ENOENT;

	for (i = 0; i < TRIES; i++) {
		r = open_once(request, place, mailbox);
		if (!is_worth_another_try(request, place, r))
			return r;
	}
	if (mailbox_is_foreign(place))
		return -ENOTDIR;
	/* It has ended, or was about to, and only its owner may remove it. */
	return r == -EAGAIN ? -EACCES : r;
}

static int
read_request(const char *name, int flags, const struct cubby_options *options,
	     struct request *ret)
{
	if (flags & ~OPEN_FLAGS ||
	    ((flags & CUBBY_EXCLUSIVE) && !(flags & CUBBY_CREATE)))
		return -EINVAL;
	ret->name = name;
	ret->flags = flags;
	return options_read(options, &ret->options);
}

int
cubby_open(const char *name, int flags, const struct cubby_options *options,
	   cubby_mailbox **ret)
{
	struct cubby_mailbox *mailbox;
	struct request request;
	struct place place;
	int r;

	if (!ret)
		return -EINVAL;
	r = read_request(name, flags, options, &request);
	if (r == 0)
		r = liveness_init();
	if (r == 0)
		r = names_find(name, flags & CUBBY_CREATE, &place);
	if (r < 0)
		return r;
	r = -ENOMEM;
	if (posix_memalign((void **)&mailbox, CACHE_LINE, sizeof(*mailbox))
	    == 0) {
		r = open_mailbox(&request, &place, mailbox);
		if (r < 0)
			free(mailbox);
		else
			*ret = mailbox;
		if (r == 0)
			PROBE3(open, mailbox, name, flags);
	}
	close(place.parent);
	return r;
}

/* Closing ---------------------------------------------------------------- */

static void
forget(struct cubby_mailbox *mailbox)
{
	pollable_forget(mailbox);
	caller_forget(&mailbox->caller);
	mailbox->operations->forget(mailbox);
	addressee_close(&mailbox->addressee);
	directory_forget(&mailbox->view);
}

/* The messages that carry them go back with all that is held. */
static void
leave_regions(struct cubby_mailbox *mailbox)
{
	struct cubby_region *region;

	while ((region = mailbox->regions)) {
		mailbox->regions = region->next;
		region_detach(region);
	}
	if (mailbox->process == liveness_process())
		region_sent_end(&mailbox->regions_sent,
				view_lanes(&mailbox->view));
	free(mailbox->regions_sent);
}

void
cubby_close(cubby_mailbox *mailbox)
{
	if (!mailbox)
		return;
	PROBE1(close, mailbox);
	leave_regions(mailbox);
	if (mailbox->process == liveness_process())
		leave_and_sweep(mailbox);
	else
		forget(mailbox);
	free(mailbox);
}

/* Unlinking -------------------------------------------------------------- */

/*
 * What lies there, without a name, bears the uuid of what was opened. If another
 * had taken the place meanwhile, it is that one which has been unlinked, and its
 * users look for it under its own.
 */
static void
settle(int parent, const uint8_t uuid[16])
{
	struct place gone = { .parent = parent };
	struct view view;

	names_gone(uuid, gone.entry);
	if (directory_open(&gone, DIRECTORY_LOOK, &view) < 0)
		return;
	if (memcmp(view.uuid, uuid, sizeof(view.uuid)) != 0)
		directory_rename_away(&gone, view.uuid);
	directory_sweep_gone(view_directory(&view), view.uuid);
	directory_close(&view);
}

/* By its uuid, so that its users find it; or by another, if it is damaged, or
   something of that name is there. */
static int
unlink_place(const struct place *place)
{
	uint8_t uuid[16];
	struct view view;
	int r;

	r = directory_open(place, DIRECTORY_LOOK, &view);
	if (r < 0 && r != -EBADMSG && r != -EPROTO)
		return r;
	if (r == 0) {
		memcpy(uuid, view.uuid, sizeof(uuid));
		directory_close(&view);
		r = directory_rename_away(place, uuid);
	}
	if (r == -EBADMSG || r == -EPROTO || r == -EEXIST) {
		r = shm_random(uuid);
		if (r == 0)
			r = directory_rename_away(place, uuid);
	}
	if (r == 0)
		settle(place->parent, uuid);
	/* -EEXIST: somebody has even that random name. */
	return r == -EPERM || r == -EEXIST ? -EACCES : r;
}

int
cubby_unlink(const char *name)
{
	struct place place;
	int r;

	r = names_find(name, false, &place);
	if (r < 0)
		return r;
	r = unlink_place(&place);
	if (r == -ENOENT && mailbox_is_foreign(&place))
		r = -ENOTDIR;
	else if (r == -ENOENT)
		mailbox_bury_temporary(&place);
	mailbox_sweep_directory(place.parent, SWEPT_BESIDE);
	close(place.parent);
	return r;
}

static bool
may_be_left(const char *name)
{
	return !strncmp(name, NAMES_GONE, strlen(NAMES_GONE)) ||
	       !strncmp(name, NAMES_NEW, strlen(NAMES_NEW));
}

/* How many of the entries may be what nobody needs any more. */
static uint64_t
count_left(DIR *dir)
{
	uint64_t count = 0;
	struct dirent *d;

	while ((d = readdir(dir)))
		count += may_be_left(d->d_name);
	rewinddir(dir);
	return count;
}

/*
 * Of so many that may be left, `most` are looked at: each look costs some twenty
 * system calls, and those that are still in use stay. Where to begin is left to
 * chance, so that none is passed over for ever.
 */
static uint64_t
sweep_some(DIR *dir, uint64_t most)
{
	uint64_t count = most == UINT64_MAX ? 0 : count_left(dir), i = 0;
	uint64_t first = count > most ? (uint64_t)clock_now() % count : 0;
	uint64_t swept = 0;
	struct dirent *d;

	while ((d = readdir(dir))) {
		if (!may_be_left(d->d_name))
			continue;
		/* The most that come after the first, round the end. */
		if (count <= most || (i + count - first) % count < most)
			swept += (uint64_t)directory_sweep(dirfd(dir),
							   d->d_name);
		i++;
	}
	return swept;
}

uint64_t
mailbox_sweep_directory(int directory, uint64_t most)
{
	int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	uint64_t swept;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	swept = sweep_some(dir, most);
	closedir(dir);
	return swept;
}
