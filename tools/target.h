/* SPDX-License-Identifier: MIT */
/*
 * The mailbox of a name, to move messages to. Who has it open does not notice
 * that it is removed, and what is sent to it then nobody will ever receive: so
 * a message is done where it came from only when target_check() has said,
 * after it was sent, that the name still leads to this mailbox.
 */
#ifndef CUBBY_TOOLS_TARGET_H
#define CUBBY_TOOLS_TARGET_H

#include <cubby.h>

struct target {
	const char *name;
	cubby_mailbox *mailbox; /* NULL: not open */
	unsigned char uuid[16]; /* which one it is */
};

/* Opens it for sending. Errors: those of cubby_open() and cubby_inspect(). */
int
target_open(struct target *target);

/*
 * After a send, whatever came of it. Returns 0 if the mailbox is that of the
 * name, or -ESTALE, and closes it: another one has that name now, or none.
 * Errors: those of cubby_inspect(), and then it is not known.
 */
int
target_check(struct target *target);

void
target_close(struct target *target);

#endif
