/* SPDX-License-Identifier: MIT */
/* Layer 13. May include: base shm liveness layout names inbox directory handle mailbox. */
/*
 * From a process to its inbox.
 *
 * The inboxes that the caller can see are looked through for one whose owner is
 * alive, says that it is this process of this PID namespace, and is the same
 * before and after both were found out. The handle is bound to that owner's
 * generation, so from then on the pid is of no use: reused, or another's in
 * another namespace, it leads nowhere.
 *
 * The pid that an owner tells is his own word. So the inbox has to belong to the
 * user whom the kernel says the process is of: nobody poses as another's.
 */
#include "base.h"
#include "directory.h"
#include "handle.h"
#include "inbox.h"
#include "mailbox.h"
#include "names.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct search {
	pid_t pid;
	struct namespace namespace;
	/* found: */
	char name[CUBBY_NAME_MAX + 1];
	uint8_t uuid[16];
	uint64_t generation;
};

/* What keeps us from looking, and says nothing about what is there. */
static bool
is_want(int error)
{
	return error == -EMFILE || error == -ENFILE || error == -ENOMEM;
}

/* Is it the process of that user, by what the kernel says? 1, 0, or an error of
   stat's. */
static int
is_of_user(pid_t pid, uid_t uid)
{
	char path[32];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	return stat(path, &st) < 0 ? -errno : st.st_uid == uid;
}

/* Errors: those of the kernel that keep it from looking. */
static int
look_into(const struct place *place, struct search *search)
{
	struct inbox_at at;
	struct view view;
	int r;

	r = directory_open(place, DIRECTORY_LOOK, &view);
	if (r < 0)
		return is_want(r) ? r : 0;
	r = is_of_user(search->pid, view.attributes.uid);
	if (r > 0) {
		at = mailbox_inbox(&view);
		r = inbox_find(&at, search->pid, &search->namespace,
			       &search->generation);
		memcpy(search->uuid, view.uuid, sizeof(search->uuid));
	}
	directory_close(&view);
	return is_want(r) ? r : 0;
}

static int
visit(const char *name, void *context)
{
	struct search *search = context;
	struct place place;
	int r;

	if (!names_is_inbox(name))
		return 0;
	r = names_find(name, false, &place);
	if (r < 0)
		return is_want(r) ? r : 0;
	r = look_into(&place, search);
	close(place.parent);
	if (r < 0)
		return r;
	if (search->generation)
		strcpy(search->name, name);
	return search->generation != 0;
}

/* Errors: -ESRCH, and those of cubby_list(). */
static int
find(struct search *search)
{
	int r = liveness_init();

	if (r < 0)
		return r;
	r = inbox_namespace(&search->namespace);
	if (r < 0)	/* nobody tells who he is */
		return is_want(r) ? r : -ESRCH;
	r = cubby_list(visit, search);
	return r < 0 ? r : r == 0 ? -ESRCH : 0;
}

int
cubby_open_process(pid_t pid, int flags, const struct cubby_options *options,
		   cubby_mailbox **ret)
{
	struct search search = { .pid = pid };
	struct cubby_mailbox *mailbox;
	int r;

	if (!ret || pid <= 0 || flags & ~CUBBY_SEND)
		return -EINVAL;
	r = find(&search);
	if (r == 0)
		r = cubby_open(search.name, flags, options, &mailbox);
	if (r < 0)
		return r == -ENOENT ? -ESRCH : r;
	if (memcmp(mailbox->view.uuid, search.uuid, sizeof(search.uuid))) {
		cubby_close(mailbox);
		return -ESRCH;	/* another bears the name meanwhile */
	}
	mailbox->addressee.bound = search.generation;
	*ret = mailbox;
	return 0;
}
