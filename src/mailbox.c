/* SPDX-License-Identifier: MIT */
/* Layer 11. May include: base atomics futex shm liveness layout options names participants directory sender taking receiver mailbox. */
/*
 * Opening, closing and unlinking.
 *
 * A temporary mailbox lives until its last user has gone. Whoever leaves, or
 * comes and finds it empty, removes it; one who comes at the same moment must
 * not be left inside of what is being removed:
 *
 *	one who leaves				one who comes
 *	state: OPEN -> CLOSING, CAS		takes his lock
 *	is anybody alive in it?			loads state
 *	nobody: CLOSING -> DEAD, CAS		CLOSING: -> OPEN, CAS: he is in
 *	somebody: CLOSING -> OPEN, CAS		DEAD: he leaves, and removes it
 *	DEAD: renames it away, removes it
 *
 * His lock comes before his look, and CLOSING before the question; so either
 * the one who leaves sees him, or he sees CLOSING or DEAD. Stopped or killed
 * between any two steps, the one who leaves holds nobody up: CLOSING is taken
 * back, DEAD is carried out, by whoever comes.
 */
#include "base.h"
#include "directory.h"
#include "futex.h"
#include "mailbox.h"
#include "options.h"
#include "participants.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define ROLES (CUBBY_SEND | CUBBY_RECEIVE)
#define OPEN_FLAGS (ROLES | CUBBY_CREATE | CUBBY_EXCLUSIVE | \
		    CUBBY_TRUST_SENDERS)
#define TRIES 100	/* of an open that met somebody who removes */

/* Temporary mailboxes ----------------------------------------------------------- */

static bool
change_state(struct view *view, uint32_t from, uint32_t to)
{
	/* MAIL-C1 acq_rel: one step of the table above, by one of all. Pairs
	   with MAIL-A1. */
	return word32_cas_acq_rel(&view->receivers->state, &from, to);
}

/* The state as somebody who comes finds it. False: the mailbox is dead. */
static bool
come_in(struct view *view, bool writes)
{
	uint32_t state;

	/* MAIL-F1 seq_cst: the lock before the look. Pairs with MAIL-F2. */
	atomics_fence_seq_cst();
	/* MAIL-A1 acquire: has somebody found it unused? Pairs with MAIL-C1. */
	state = word32_load_acquire(&view->receivers->state);
	if (state == STATE_CLOSING && writes) {
		if (change_state(view, STATE_CLOSING, STATE_OPEN))
			return true;
		/* MAIL-A2 acquire: taken back by another, or dead. Pairs with
		   MAIL-C1. */
		state = word32_load_acquire(&view->receivers->state);
	}
	return state != STATE_DEAD;
}

static int
carry_out(const struct place *place, struct view *view)
{
	directory_rename_away(place, view->uuid);
	directory_sweep_gone(view->directory, view->uuid);
	return 1;
}

static int
bury(const struct place *place, struct view *view)
{
	/* It may be CLOSING, or DEAD, already: somebody was killed halfway. */
	change_state(view, STATE_OPEN, STATE_CLOSING);
	/* MAIL-F2 seq_cst: CLOSING before the question. Pairs with MAIL-F1. */
	atomics_fence_seq_cst();
	/* MAIL-A3 acquire: what has been found out. Pairs with MAIL-C1. */
	if (word32_load_acquire(&view->receivers->state) == STATE_DEAD)
		return carry_out(place, view);
	if (directory_is_used(view->directory)) {
		change_state(view, STATE_CLOSING, STATE_OPEN);
		return 0;
	}
	if (!change_state(view, STATE_CLOSING, STATE_DEAD))
		return 0;	/* somebody has come */
	return carry_out(place, view);
}

int
mailbox_bury_temporary(const struct place *place)
{
	struct view view;
	int buried = 0;

	if (directory_open(place, DIRECTORY_RECEIVE, &view) < 0)
		return 0;
	if (view.attributes.lifetime == CUBBY_TEMPORARY &&
	    !shm_is_broken(&view.receivers_mapping))
		buried = bury(place, &view);
	directory_close(&view);
	return buried;
}

/* Opening -------------------------------------------------------------------------- */

/* What an open was asked for. */
struct request {
	const char *name;
	int flags;
	struct cubby_options options;
};

static int
take_part(const struct request *request, struct cubby_mailbox *mailbox)
{
	int flags = request->flags, r = 0;

	if (flags & CUBBY_RECEIVE)
		r = receiver_open(&mailbox->view,
				  flags & CUBBY_TRUST_SENDERS,
				  &mailbox->receiver);
	if (r < 0)
		return r;
	mailbox->roles |= flags & CUBBY_RECEIVE;
	if (flags & CUBBY_SEND)
		r = sender_open(&mailbox->view, request->options.sender,
				&mailbox->sender);
	if (r < 0)
		return r;
	mailbox->roles |= flags & CUBBY_SEND;
	if (!(flags & ROLES)) {
		r = participants_stand_by(&mailbox->view, &mailbox->presence);
		/* Who may not receive cannot: he only looks. */
		if (r == -EACCES)
			r = 0;
	}
	return r;
}

static void
leave(struct cubby_mailbox *mailbox)
{
	if (mailbox->roles & CUBBY_SEND)
		sender_close(&mailbox->sender);
	if (mailbox->roles & CUBBY_RECEIVE)
		receiver_close(&mailbox->receiver);
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
	int directory = fcntl(mailbox->view.directory, F_DUPFD_CLOEXEC, 0);

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

/* Opens what exists. -EAGAIN: it is being removed. */
static int
open_existing(const struct request *request, const struct place *place,
	      struct cubby_mailbox *mailbox)
{
	int r;

	memset(mailbox, 0, sizeof(*mailbox));
	r = directory_open(place, access_for(request->flags), &mailbox->view);
	if (r < 0)
		return r;
	r = options_agree(&request->options, &mailbox->view.attributes);
	/* One whose users have all gone does not exist any more. */
	if (r == 0 && mailbox->view.attributes.lifetime == CUBBY_TEMPORARY &&
	    mailbox_bury_temporary(place))
		r = -ENOENT;
	if (r < 0) {
		directory_close(&mailbox->view);
		return r;
	}
	mailbox->process = liveness_process();
	strcpy(mailbox->entry, place->entry);
	mailbox->view.fences = !barrier_register();
	mailbox->fixed = mailbox->view.attributes.sizing == CUBBY_FIXED;
	mailbox->message_max = mailbox->view.attributes.message_max;
	mailbox->plain_max = min_u64(mailbox->message_max,
				     mailbox->view.geometry.inline_max);
	mailbox->plain_min = mailbox->fixed ? mailbox->message_max : 0;
	r = take_part(request, mailbox);
	if (r == 0 && mailbox->view.attributes.lifetime == CUBBY_TEMPORARY &&
	    !come_in(&mailbox->view, request->flags & CUBBY_RECEIVE))
		r = -ENOENT;
	if (r < 0)
		leave_and_sweep(mailbox);
	return r;
}

/* Makes it; then it is opened as any other. -EEXIST: another did. */
static int
make(const struct request *request, const struct place *place,
     struct cubby_mailbox *mailbox)
{
	struct attributes attributes;
	struct liveness maker;
	gid_t group;
	int r;

	r = options_attributes(&request->options, place->parent, &attributes);
	if (r == 0)
		r = options_group(&request->options, &group);
	if (r == 0)
		r = directory_make(place, &attributes, group, &maker);
	if (r < 0)
		return r;
	r = open_existing(request, place, mailbox);
	liveness_drop(&maker);
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

bool
mailbox_exists(const struct place *place)
{
	struct stat st;

	return fstatat(place->parent, place->entry, &st, AT_SYMLINK_NOFOLLOW)
	       == 0;
}

/*
 * Met by somebody who removes, it is tried again: each time, a mailbox has come
 * or gone.
 */
static int
open_mailbox(const struct request *request, const struct place *place,
	     struct cubby_mailbox *mailbox)
{
	int i, r = -ENOENT;

	for (i = 0; i < TRIES; i++) {
		r = open_once(request, place, mailbox);
		if (r != -EAGAIN && (r != -ENOENT || !mailbox_exists(place)))
			return r;
	}
	/* There is something, and it never was a mailbox. */
	return -ENOTDIR;
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
	}
	close(place.parent);
	return r;
}

/* Closing -------------------------------------------------------------------------- */

static void
forget(struct cubby_mailbox *mailbox)
{
	if (mailbox->roles & CUBBY_SEND)
		sender_forget(&mailbox->sender);
	if (mailbox->roles & CUBBY_RECEIVE)
		receiver_forget(&mailbox->receiver);
	directory_forget(&mailbox->view);
}

void
cubby_close(cubby_mailbox *mailbox)
{
	if (!mailbox)
		return;
	if (mailbox->process == liveness_process())
		leave_and_sweep(mailbox);
	else
		forget(mailbox);
	free(mailbox);
}

/* Unlinking ------------------------------------------------------------------------- */

/* By its uuid, so that its users find it; or, damaged, by another. */
static int
unlink_place(const struct place *place)
{
	uint8_t uuid[16];
	struct view view;
	int r;

	r = directory_open(place, DIRECTORY_LOOK, &view);
	if (r == -EBADMSG || r == -EPROTO) {
		r = shm_random(uuid);
		if (r == 0)
			r = directory_rename_away(place, uuid);
		return r;
	}
	if (r < 0)
		return r;
	r = directory_rename_away(place, view.uuid);
	if (r == 0)
		directory_sweep_gone(view.directory, view.uuid);
	directory_close(&view);
	return r == -EPERM ? -EACCES : r;
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
	if (r == -ENOENT && mailbox_exists(&place))
		r = -ENOTDIR;
	mailbox_sweep_directory(place.parent);
	close(place.parent);
	return r;
}

uint64_t
mailbox_sweep_directory(int directory)
{
	int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	uint64_t swept = 0;
	struct dirent *d;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	while ((d = readdir(dir)))
		if (!strncmp(d->d_name, NAMES_GONE, strlen(NAMES_GONE)) ||
		    !strncmp(d->d_name, NAMES_NEW, strlen(NAMES_NEW)))
			swept += (uint64_t)directory_sweep(dirfd(dir),
							   d->d_name);
	closedir(dir);
	return swept;
}
