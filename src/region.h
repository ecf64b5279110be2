/* SPDX-License-Identifier: MIT */
/* Layer 7. May include: base atomics shm liveness layout_region names access region_participants. */
/*
 * A handle of a region: memory that processes share by its name, or that is one
 * process's until it sends it.
 *
 * A named region is a directory with two files (names.h says where it lies):
 *
 *	memory		what it is, its slots, its data: see layout_region.h
 *	attendance	no contents: those that have it attached for writing lock
 *			their slot's byte; see region_participants.h
 *
 * It is made under a temporary name and renamed into place, as a mailbox is.
 * Unlinking renames it away and removes it: whoever has it open has all that he
 * needs in descriptors and mappings. One without a name is a file without a
 * name (O_TMPFILE); killed, its owner leaves nothing.
 */
#ifndef CUBBY_REGION_H
#define CUBBY_REGION_H

#include "base.h"
#include "atomics.h"
#include "layout_region.h"
#include "liveness.h"
#include "names.h"
#include "region_participants.h"
#include "shm.h"

#include <cubby.h>

#define REGION_MEMORY	"memory"
#define REGION_ATTENDANCE "attendance"	/* as a mailbox's: directory_end.c
					   asks whether somebody is there */

/*
 * Private. What others may write is not looked at again for what is copied
 * here.
 */
struct cubby_region {
	uint64_t process;	/* liveness_process() of who opened it */
	bool writes;		/* attached for writing: then a participant */
	bool named;
	struct mapping mapping;	/* all that it may grow to */
	struct region_file *file;	/* where it is mapped */
	uint64_t size_max;
	word64 size;		/* the last that was found sound, by any thread */
	word32 lied;		/* 1: what the file says cannot be */
	uint8_t uuid[16];
	int memory;		/* descriptors: of the file, */
	struct file_identity memory_is, attendance_is, link_is;
	int attendance;		/* of where the bytes are locked, to ask; or -1 */
	struct region_participant self;
	struct liveness life;
	/* Of one without a name, see region_transfer.h: */
	uint32_t number;	/* of the transfer that made it this handle's */
	int link_directory;	/* where its file has a name; -1: nowhere */
	uint32_t link_number;	/* in that name */
	/* What closing it means, if more than detaching; it detaches too. Also
	   in a child after fork(). */
	void (*end)(struct cubby_region *region);
	struct cubby_mailbox *mailbox;	/* received from there, */
	struct cubby_message *message;	/* and held so */
	struct cubby_region *next;	/* of those received from there */
};

/* Its memory's file, or -1: see shm_still(). */
static inline int
region_memory(const struct cubby_region *region)
{
	return shm_still(region->memory, &region->memory_is);
}

/* For calls on a handle: -ECHILD (inherited through fork()), -EBADMSG (its
   file makes no sense), -EACCES (writes, and it is attached for reading). */
int
region_check(const struct cubby_region *region, bool writes);

/* Do these bytes lie in its data, as far as it has grown? */
bool
region_contains(struct cubby_region *region, const void *at, size_t size);

/* Is that participant alive? For one that is attached for writing. 1, 0, or
   -errno. */
int
region_alive(const struct cubby_region *region, uint32_t slot,
	     uint64_t generation);

/*
 * Makes a handle of an open file; takes the descriptors memory and attendance
 * (-1: none is needed, as it reads; the same as memory: a nameless one),
 * whatever comes of it. join: where its bytes are locked; NULL: it reads.
 * Errors: -EBADMSG -EPROTO -ENOMEM -EUSERS -ENOSPC, and the kernel's.
 */
int
region_attach(int memory, int attendance, const struct region_attendance *join,
	      struct cubby_region **ret);

/* Ends the handle; its memory stays, if it has a name or somebody else has it. */
void
region_detach(struct cubby_region *region);

/* Opens the directory of a region, to go on relative to it. path: O_PATH alone.
   Errors: -ENOENT -ENOTDIR -EACCES -EBADMSG, and the kernel's. */
int
region_directory(const struct place *place, bool path);

/* Reads and checks what a region's file says it is. Errors: -EBADMSG -EPROTO and
   the kernel's. */
int
region_read_head(int memory, struct region_head *ret);

#endif
