/* SPDX-License-Identifier: MIT */
#ifndef BENCH_SCALE_ROOT_H
#define BENCH_SCALE_ROOT_H
/*
 * Where the mailboxes of a run lie: a directory of its own, CUBBY_ROOT for all
 * that the program starts.
 *
 * Returns in a child, which does the work. The parent waits for it; when it has
 * ended in whatever way, or SIGINT, SIGTERM or SIGHUP has come, it ends all
 * that is left of the child's process group, removes the directory, and exits
 * as the child did.
 */
void
root_enter(void);

const char *
root_path(void);

/* Removes all mailboxes; nobody has one open. */
void
root_clear(void);

/* The directory of a mailbox of one's own. */
void
root_mailbox(const char *name, char *ret, unsigned long size);

#endif
