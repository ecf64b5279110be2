/* SPDX-License-Identifier: MIT */
/*
 * Real users, each a process of its own for as long as a test runs, which does
 * what it is told; and an oracle, which says from a mailbox's mode what each of
 * them may do. It is written from cubby_safety(7), cubby_format(5) and
 * cubby_open(3), and shares nothing with the library.
 *
 *	actors_start();
 *	expect_int(actor_do(MEMBER, open_and_close, &order), 0);
 *	actors_end();
 */
#ifndef CUBBY_TESTS_ACTORS_H
#define CUBBY_TESTS_ACTORS_H

#include "support.h"

#define ACTORS_GROUP 62000
#define ACTORS_GROUP_TEXT "62000"

enum actor {
	OWNER,		/* makes the mailbox; is in its group as well */
	MEMBER,		/* of the group, among others */
	FELLOW,		/* a member too, by his first group */
	STRANGER,
	ROOT,
	ACTORS
};

extern const char *const actor_names[ACTORS];

uid_t
actor_uid(enum actor actor);

/* One process for each. Skips the test unless it runs as root. What they are to
   share is made before. */
void
actors_start(void);
void
actors_end(void);

/* Runs that as this user, and returns what it returns. argument: in
   shared_memory(), or NULL. What it keeps in static variables is the actor's own. */
int
actor_do(enum actor actor, int (*work)(void *argument), void *argument);

/* In two steps, for work that waits for that of another actor. */
void
actor_begin(enum actor actor, int (*work)(void *argument), void *argument);
int
actor_result(enum actor actor);

/* The oracle -------------------------------------------------------------- */

enum { MAY_RECEIVE = 4, MAY_SEND = 2 };

/* What the mode lets that one do, as permission bits are read: of owner, group
   and others the first that he is. Root may do all. */
unsigned int
rights_of(mode_t mode, enum actor actor);

/* Looking at it: whoever takes part, and its owner in any case. */
bool
may_look(mode_t mode, enum actor actor);

/* Such a mode can be asked for, of a mailbox with one file for all (queue), or
   of lanes. */
bool
is_mode(mode_t mode, bool queue);

/* Kinds of mailboxes ------------------------------------------------------- */

struct kind {
	const char *label;
	const char *name;	/* machine-wide */
	bool queue;		/* all write one file */
	bool inbox;		/* one handle receives */
	bool every;		/* each receiver gets all of it */
	struct cubby_options options;	/* without mode and group */
};

extern const struct kind kinds[];
extern const size_t kinds_count;

/* As its owner: makes one of that mode and group, and removes it with all that
   has been left in it. */
int
kind_try_create(const struct kind *kind, mode_t mode, const char *group);
void
kind_create(const struct kind *kind, mode_t mode);
void
kind_remove(const struct kind *kind);

#endif
