/* SPDX-License-Identifier: MIT */
/* Layer 6. May include: base atomics shm liveness layout names access participants. */
/*
 * The directory of a mailbox: made whole and then named, opened and checked,
 * renamed away and removed.
 *
 * It is made under a temporary name, under an flock(2) that tells a sweeper
 * that its maker lives. Its maker joins it there, and then renames it into
 * place, replacing nothing; so nobody sees half of a mailbox, and one whose
 * maker could not get into it is removed before anybody has seen it. Unlinking
 * renames it away; those who are in go on, and whoever finds it unused later
 * removes it. directory_end.c says how a mailbox ends while others may come.
 */
#ifndef CUBBY_DIRECTORY_H
#define CUBBY_DIRECTORY_H

#include "base.h"
#include "layout.h"
#include "liveness.h"
#include "names.h"

#define DOORBELL "doorbell"
#define LANES "lanes"
#define READ_DIRECTORY (O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)

/* A mailbox that has been made, and has no name yet. */
struct newborn {
	struct place place;	/* where it lies meanwhile */
	int directory;		/* its flock keeps sweepers off */
	struct liveness maker;	/* and this keeps it from looking unused */
};

/*
 * Makes a mailbox of these attributes (uid and gid are filled in) in parent.
 * group: which it shall belong to. *ret ends by directory_name() or
 * directory_unmake(). Errors: -ENOSPC -EPERM (the group) and the kernel's; then
 * nothing is left.
 */
int
directory_make(int parent, struct attributes *attributes, gid_t group,
	       struct newborn *ret);

/* Puts it in its place. Errors: -EEXIST and the kernel's; then nothing has
   changed. */
int
directory_name(struct newborn *newborn, const struct place *place);

/* Removes it. */
void
directory_unmake(struct newborn *newborn);

/*
 * Makes an empty directory in parent under a temporary name (written to entry),
 * which a sweep removes when the descriptor returned, which has its flock, has
 * been closed. Errors: the kernel's.
 */
int
directory_begin(int parent, char entry[NAME_MAX + 1]);

enum directory_access {
	DIRECTORY_LOOK,
	DIRECTORY_SEND,
	DIRECTORY_RECEIVE,
	DIRECTORY_END
};

/*
 * Opens and maps a mailbox's files. LOOK: nothing is mapped writable, and there
 * is no doorbell. END: the receivers' file alone, for whatever else has gone
 * already. Errors: -ENOENT (also: it is dead) -ENOTDIR -EACCES -EBADMSG -EPROTO
 * and the kernel's.
 */
int
directory_open(const struct place *place, enum directory_access access,
	       struct view *ret);
void
directory_close(struct view *view);

/* In a child after fork(): descriptors and private memory alone. */
void
directory_forget(struct view *view);

/*
 * For one who has taken his lock in it: 0: he is in. -ENOENT: it has ended;
 * -EAGAIN: somebody looks whether it has, and he may not stop that; he leaves.
 */
int
directory_come_in(const struct view *view);

/* Ends it if nobody is alive in it; what cannot be known counts as alive. view:
   for END. Has it ended? */
bool
directory_end(struct view *view);

/* Removes one that has ended, and its name, if that is place. False: place is
   still its name; another may carry on. */
bool
directory_carry_out(const struct place *place, int directory);

bool
directory_is_empty(int directory);

/* Is that what lies there? */
bool
directory_is_at(const struct place *place, int directory);

/* Takes the name away, for a mailbox of that uuid. Errors: -ENOENT and the
   kernel's. */
int
directory_rename_away(const struct place *place, const uint8_t uuid[16]);

/* Removes an entry of the directory parent with all that is in it. Errors: the
   kernel's; what can be removed is. */
int
directory_remove(int parent, const char *entry);

/*
 * Removes entry (a renamed-away or unfinished mailbox) if nobody uses it. 1: it
 * is gone; 0: it is used, or not ours.
 */
int
directory_sweep(int parent, const char *entry);

/* The last user of a mailbox that has been renamed away removes it. */
void
directory_sweep_gone(int directory, const uint8_t uuid[16]);

/* Between directory.c and directory_end.c -------------------------------- */

/* 1: entry is still what fd is open on; 0: it is not. Errors: the kernel's. */
int
directory_is_still(int parent, const char *entry, int fd);

/* Opens, checks and maps view->receivers. Errors: as directory_open(). */
int
directory_map_receivers(struct view *view, enum directory_access access);

/* What a state word of the receivers' file says. */
static inline enum mailbox_state
directory_state(uint32_t word)
{
	return word & 3;
}

#endif
