/* SPDX-License-Identifier: MIT */
/*
 * How messages move through mailboxes, seen from outside: rates, how long one
 * takes from being sent to being handed out, and how old the oldest is.
 *
 * All that an observer sees is, at each look, how far each sender has come (its
 * last message), and how many of its messages have not been handed out. So
 * between two looks it knows how many were sent and handed out, which is the
 * rate; and a message that was not there at one look and was at the next has been
 * sent between the two. From the look at which it is gone it has been handed out
 * since the one before. That gives the two bounds of a *latency*, of which the
 * upper one is too much by up to two looks. Looks in a row are some tens of
 * microseconds apart: nothing less is told from nothing.
 *
 * The *age* of the oldest message is the time since it was first seen; of those
 * that were there at the first look, they are at least that old.
 *
 * It counts on each sender's messages being handed out in order: of a mailbox of
 * order priority only the rates are told. One that is given back has been handed
 * out.
 */
#ifndef CUBBY_TOOLS_PACE_H
#define CUBBY_TOOLS_PACE_H

#include "snapshot.h"

/* Times in nanoseconds. */
struct pace {
	unsigned char uuid[16];
	char *name;
	bool in_order;
	bool present;		/* at the last look */

	/* Between the last two frames; less than 0: not known yet. */
	double in, out;		/* messages a second */
	int64_t frame;
	uint64_t sent, received;

	/* Of the message that was seen best since the last frame but one. */
	bool latency_known;
	int64_t latency_least, latency_most;
	bool latency_fresh;

	int64_t looked;		/* when the last look began */
	struct track *tracks;	/* one for each sender */
	size_t track_count;
};

struct paces {
	struct pace *all;
	size_t count;
	size_t next;		/* to be looked at */
};

/* A frame: takes in a snapshot, tells rates since the last one. */
void
paces_frame(struct paces *paces, const struct snapshot *snapshot);

/* Looks at senders alone, at as many mailboxes as there is time for. */
void
paces_look(struct paces *paces, int64_t time);

/* Of that mailbox of the last snapshot. */
const struct pace *
paces_find(const struct paces *paces, const struct mailbox *mailbox);

/* The age of its oldest message at that time, -1: there is none, or it cannot be
   known. *at_least: it was there before the first look. */
int64_t
pace_oldest(const struct pace *pace, int64_t now, bool *at_least);

void
paces_free(struct paces *paces);

#endif
