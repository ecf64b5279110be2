/* SPDX-License-Identifier: MIT */
/*
 * What /proc says of a process that a mailbox names by its pid and the PID
 * namespace in which that counts.
 */
#ifndef CUBBY_TOOLS_PROCFS_H
#define CUBBY_TOOLS_PROCFS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define COMMAND_TEXT 256

struct process {
	uint64_t pid_namespace;	/* 0: not known */
	pid_t pid;		/* in it */
	uid_t user;
	pid_t here;		/* in ours; 0: not seen from here */
	bool known;		/* /proc tells the rest */
	uint64_t started;	/* ticks since the machine did */
	unsigned int threads;
	char state;		/* as ps(1): R, S, T ...; 'R' if any thread runs */
	char name[64];	/* as ps -o comm; any bytes but NUL, as below */
	char command[COMMAND_TEXT];	/* its words */
};

/*
 * Fills in *ret. user: whose it is said to be; a process of another user is not
 * the one that the mailbox means.
 */
void
procfs_look(uint64_t pid_namespace, pid_t pid, uid_t user, struct process *ret);

/* Forgets where the processes of other namespaces are: to be called now and
   then, for they come and go. */
void
procfs_forget(void);

/* The inode of this process's PID namespace, 0 if that is not known. */
uint64_t
procfs_namespace(void);

#endif
