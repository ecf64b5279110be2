/* SPDX-License-Identifier: MIT */
/* Layer 6. May include: base atomics fifo shm layout access. */
/*
 * Bells: a FIFO for each end of a handle that polls (cubby_fd()), so that a
 * descriptor can tell what else a futex would.
 *
 * Each has a number, 64 random bits, and lies under it where those who have to
 * ring it may open it for writing, and where its maker may make it:
 *
 *	of whom			where			made by	rung by
 *	a receiver		bells/bell.NUMBER	who may	all
 *							receive
 *	in a queue, either end	the same		all	all
 *	a lane's sender		lanes/bell.NUMBER	who may	who may receive
 *							send
 *
 * Its maker alone reads it, so nobody else can empty it. The number stands in
 * what its maker publishes (the receiver's slot, the lane's file, the record of
 * a queue) *before* the FIFO is made, so what no living participant names is
 * what a dead one has left: whoever has the slot or the lane next removes it,
 * and so does a sweep (bell_sweep()). Until then it harms nobody: what says
 * when to ring it has gone with its owner. Since the number cannot be guessed,
 * nobody can put another thing in its place before it is there, and after that
 * the directory is sticky.
 *
 * Who rings opens it for writing, puts a byte in and never waits; see fifo.h.
 * It keeps the one that it rang last open, so that the next time costs no more
 * than the write, and does not fail for want of descriptors. What breaks it: a
 * ringer killed or stopped before the byte, or without a descriptor to open it
 * with (EMFILE). The one who polls looks by itself then, when its timer ends.
 */
#ifndef CUBBY_BELL_H
#define CUBBY_BELL_H

#include "base.h"
#include "layout.h"

#define BELLS "bells"

enum bell_place {
	BELL_OF_LANE,		/* in lanes/ */
	BELL_OF_OTHERS		/* in bells/ */
};

struct bell {
	enum bell_place place;
	uint64_t number;
	int fd;			/* readable: it has been rung */
	struct file_identity is;
};

/* Chooses a number, which the caller publishes; then bell_make(). Errors:
   shm_random()'s. */
int
bell_begin(enum bell_place place, struct bell *ret);

/* Errors: -EBADMSG (somebody has spoilt its place), -EOPNOTSUPP (it needs an
   ACL, and there are none), and the kernel's. Then nothing is left. */
int
bell_make(const struct view *view, struct bell *bell);

/* Its descriptor alone, if it is still that. */
void
bell_close(struct bell *bell);

/* Takes it down. */
void
bell_remove(const struct view *view, struct bell *bell);

/* Takes down what one who is dead or has left has published; 0: nothing. */
void
bell_remove_left(const struct view *view, enum bell_place place,
		 uint64_t number);

/* The same of a receiver's slot, which is the caller's to put in order. */
void
bell_remove_of_slot(const struct view *view, uint32_t slot);

/* Rings one's own. */
void
bell_light(const struct bell *bell);

/* Makes one's own silent. */
void
bell_drain(const struct bell *bell);

/* Rings another's. Does not block, and may fail: see above. */
void
bell_ring(struct view *view, enum bell_place place, uint64_t number);

/* Closes the one that was rung last. */
void
bell_close_rung(struct view *view);

/* Takes down those in bells/ (of lanes, in lanes/) that is_named() knows of no
   living owner for. Returns how many. */
uint32_t
bell_sweep(const struct view *view, enum bell_place place,
	   bool (*is_named)(void *context, uint64_t number), void *context);

#endif
