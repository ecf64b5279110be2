/* SPDX-License-Identifier: MIT */
/*
 * Mailboxes, and who is attached to them, as they are at about one moment: by
 * looking at shared memory alone, so that nobody notices. What the caller may
 * not see is not known, and said to be so.
 */
#ifndef CUBBY_TOOLS_SNAPSHOT_H
#define CUBBY_TOOLS_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cubby.h>

#include "procfs.h"

#define NO_PROCESS ((size_t)-1)

/* A sender or a receiver: attached, or dead, or gone and with messages left. */
struct party {
	size_t mailbox;
	int role;		/* CUBBY_SEND or CUBBY_RECEIVE */
	uint64_t number;
	uint64_t generation;	/* of a receiver */
	uint64_t ticket;
	uint64_t sequence;	/* of a sender: last message published */
	uint64_t waiting;	/* of a sender: messages not handed out */
	uint64_t held;		/* by a receiver */
	uint64_t calling;	/* of a sender: calls that it waits for */
	uint64_t server;	/* the receiver that has them; 0: not one */
	char name[64];
	uid_t uid;
	pid_t pid;
	uint64_t pid_namespace;
	bool attached;
	bool died;
	bool sleeping;
	bool polling;
	bool broken;
	bool waits;		/* as a watcher has found in two looks */
	size_t process;		/* NO_PROCESS: it is not known which one it is */
};

struct mailbox {
	char *name;
	struct cubby_info info;
	int error;		/* of looking at it: then the rest is nothing */
	bool senders_known, receivers_known;
	int64_t time;		/* when it was looked at: CLOCK_MONOTONIC */
	size_t first, count;	/* of its parties */
};

struct snapshot {
	int64_t time, end;	/* when it was begun, and done */
	struct mailbox *mailboxes;
	size_t mailbox_count;
	struct party *parties;
	size_t party_count;
	struct process *processes;
	size_t process_count;
};

/* Nanoseconds of CLOCK_MONOTONIC. */
int64_t
monotonic_now(void);

/*
 * Looks at the mailboxes of those names, or at all there are (count 0). One that
 * is not there is left out. Returns 0 or what cubby_list() says. *ret is the
 * caller's, to be freed by snapshot_free().
 */
int
snapshot_take(char *const *names, int count, struct snapshot *ret);

void
snapshot_free(struct snapshot *snapshot);

/* The one of that name, or NULL. */
const struct mailbox *
snapshot_find(const struct snapshot *snapshot, const char *name);

#endif
