/* SPDX-License-Identifier: MIT */
/* Layer 6. May include: base atomics shm liveness layout names access participants. */
/*
 * The directory of a mailbox: made whole and then named, opened and checked,
 * renamed away and removed.
 *
 * It is made under a temporary name, under an flock(2) that tells a sweeper that
 * its maker lives, and renamed into place, replacing nothing; so nobody sees
 * half of a mailbox. It is removed by renaming it away first; those who are in
 * go on, and whoever finds it unused later removes it.
 */
#ifndef CUBBY_DIRECTORY_H
#define CUBBY_DIRECTORY_H

#include "base.h"
#include "layout.h"
#include "liveness.h"
#include "names.h"

#define DOORBELL "doorbell"
#define LANES "lanes"

/*
 * Makes a mailbox of these attributes (uid and gid are filled in) at place.
 * group: -1 or the group it shall belong to. *ret_maker keeps it from looking
 * unused; the caller drops it when it has attached. Errors: -EEXIST -ENOSPC
 * -EPERM (the group) and the kernel's; then nothing is left.
 */
int
directory_make(const struct place *place, struct attributes *attributes,
	       gid_t group, struct liveness *ret_maker);

enum directory_access { DIRECTORY_LOOK, DIRECTORY_SEND, DIRECTORY_RECEIVE };

/*
 * Opens and maps a mailbox's files. LOOK: nothing is mapped writable, and there
 * is no doorbell. Errors: -ENOENT -ENOTDIR -EACCES -EBADMSG -EPROTO and the
 * kernel's.
 */
int
directory_open(const struct place *place, enum directory_access access,
	       struct view *ret);
void
directory_close(struct view *view);

/* In a child after fork(): descriptors and private memory alone. */
void
directory_forget(struct view *view);

/* Is anybody alive in it? directory: a descriptor. What cannot be known counts
   as yes. */
bool
directory_is_used(int directory);

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

#endif
