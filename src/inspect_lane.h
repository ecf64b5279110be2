/* SPDX-License-Identifier: MIT */
/* Layer 12. May include: base layout reply_file. */
/*
 * Looking at one lane from outside. Its sender and the receivers go on meanwhile,
 * so what is told is of slightly different moments.
 */
#ifndef CUBBY_INSPECT_LANE_H
#define CUBBY_INSPECT_LANE_H

#include "base.h"
#include "layout.h"
#include "reply_file.h"

#include <sys/stat.h>

struct glimpse {
	struct stat st;
	bool attached;
	bool died;
	uint64_t waiting;
	uint64_t sequence;	/* of the last message published; 0: none */
	uint32_t pid;
	uint32_t pid_namespace;
	bool sleeping;
	bool polling;
	uint64_t ticket;
	struct reply_calls calls;
	char name[SENDER_NAME_MAX + 1];
};

/* Errors: -ENOENT (no such lane), -EBADMSG -EPROTO (not a lane), -EACCES; any other:
   it could not be looked at, and nothing is known of it (shm_tells_of_file()). */
int
inspect_lane(const struct view *view, uint32_t lane, struct glimpse *ret);

#endif
