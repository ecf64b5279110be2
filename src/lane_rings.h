/* SPDX-License-Identifier: MIT */
/* Layer 8. May include: base layout lane. */
/*
 * The rings of a lane without a limit.
 *
 * Such a lane has several rings in its (sparse) file, each twice as large as
 * the one before. Only the first has memory at the beginning, and as long as
 * the receivers keep up nothing but the first is used: the lane is as any
 * other. When the ring is full the sender goes on in another that is idle: it
 * makes a *turn*. When the backlog would fit well into a smaller one it turns
 * to that. Each message lies in the ring that was the sender's when it was
 * sent, in the cell of its position; positions go on through all rings.
 *
 * A turn from ring A to ring B at position P (the next message's):
 *
 *	1. memory for B, as much as it needs at first	(may fail: no turn)
 *	2. places[B].begin = P				(release)
 *	3. turn = {count + 1, B}			(release)
 *	4. A had no message at all: places[A].begin = none
 *	5. message P is published in B			(release of its sequence)
 *
 * Killed before 3: the turn word says A. Receivers do not believe a place that
 * begins where the ring of the turn word begins, or later, and a successor
 * clears it before he sends. Killed after 3: message P will be in B, whoever
 * sends it. Stopped anywhere: what is published can be read.
 *
 * A receiver keeps the ring that it reads, and for which positions that holds,
 * in private memory. If it finds the turn word changed, or is at another
 * position, it looks for its ring anew, before it touches a cell: from the place
 * of the turn word's ring on it is that; before, it is the one with the
 * latest beginning. The plain case (lane_copy_plain) does not look at all: a
 * cell of the wrong ring never bears the sequence that is awaited, since each
 * sequence is in one ring. So a turn costs the readers one look the general
 * way, and is free otherwise.
 *
 * The ring A is left. It is idle again when the head is *beyond* P: until then
 * whoever awaits P may look at the cell of P in A. Then places[A].begin = none
 * (release), and its memory is given back. Before, when the head has reached P,
 * all of its pages go but those of the cells of P - 1, by which a successor
 * finds where the lane stands, and of P. The memory of a small ring is kept, so
 * that a backlog that comes and goes costs no system calls; the sender may turn
 * to it again as soon as the head has reached P and P is published. Who still
 * looks there for P meets the sequence of a later message, finds that the turn
 * word is not what it was, and knows that P had not come when it looked.
 *
 * A receiver that stood still may hold an old head, and find none of its ring,
 * or another's: the cell does not bear the sequence, and the second look at the
 * head says that it was overtaken. It may be about to touch a cell whose page
 * has gone: then that page comes back, empty, or there is no memory for it, and
 * SIGBUS is answered; the head, which has moved on, tells that only its own
 * mapping is spoilt.
 *
 * What breaks it: a ring used again before the head has reached its end; a place
 * cleared before that, or before a later message shows where the lane stands;
 * two rings that begin at the same position, of which the older is not cleared.
 */
#ifndef CUBBY_LANE_RINGS_H
#define CUBBY_LANE_RINGS_H

#include "base.h"
#include "lane.h"

/* For those who read ----------------------------------------------------- */

/*
 * The ring that holds position (its lower 48 bits count), by a turn word that
 * was read before; *ret_span: for how many positions from this one on that
 * holds. Any bytes give some ring below geometry->rings, if the turn word's is.
 */
uint32_t
rings_find(const struct lane_file *file, const struct geometry *geometry,
	   uint64_t turn, uint64_t position, uint64_t *ret_span);

/* Where the ring begins: 64 bits, or (false) nowhere. */
bool
rings_begin(const struct lane_file *file, uint32_t ring, uint64_t *ret);

/* For the owner ---------------------------------------------------------- */

/* Says in the file where a new lane begins; nobody sees it yet. */
void
rings_start(struct lane_writer *writer);

/* What a predecessor's turn word and places say; size: the file's. Errors:
   -EBADMSG. */
int
rings_inherit(struct lane_writer *writer, uint64_t size);

/* After that, and when it is known where the lane stands: gives back what was
   left in idle rings. */
void
rings_tidy(struct lane_writer *writer);

/* Holes may be anywhere: memory for the first ring; or, if another is current,
   a turn to one that is idle. Errors: those of a commit. */
int
rings_turn_back(struct lane_writer *writer);

/* As lane_make_room(), when the head has been read. Errors: -ENOSPC, and those
   of a commit. */
int
rings_make_room(struct lane_writer *writer);

/* The owner leaves: gives back what he kept for later. */
void
rings_leave(struct lane_writer *writer);

/* Gives back all pages but those of the last message and of the next. */
void
rings_hollow(struct lane_writer *writer);

#endif
