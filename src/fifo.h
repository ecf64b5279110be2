/* SPDX-License-Identifier: MIT */
/* Layer 2. May include: base. */
/*
 * A FIFO that says one thing: "look". It has a byte in it, or it has none; how
 * many, and which, does not matter.
 *
 * Who is told has it open for reading and for writing, so that it never ends.
 * Who tells opens it for writing alone, writes one byte, and never waits: a
 * FIFO that is full says it already. If nobody has it open for reading any
 * more, the kernel says so, and the signal SIGPIPE that comes with that is
 * taken back.
 */
#ifndef CUBBY_FIFO_H
#define CUBBY_FIFO_H

#include "base.h"

/*
 * Makes one called name in the directory dir, and opens it to be told. Returns
 * the descriptor. Errors: mkfifoat's, openat's; -EBADMSG: another has taken its
 * place.
 */
int
fifo_make(int dir, const char *name);

/* Opens one to tell. Errors: openat's (-ENXIO: nobody is told any more),
   -EBADMSG: it is no FIFO, or has more than one name. */
int
fifo_open(int dir, const char *name);

/* Puts a byte in. 0, or -EPIPE: nobody is told; does not block. */
int
fifo_tell(int fd);

/* Empties it. It may have a byte again at once, from one who has come since. */
void
fifo_drain(int fd);

#endif
