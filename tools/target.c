/* SPDX-License-Identifier: MIT */
/*
 * The mailbox of a name, to move messages to.
 *
 * A handle does not tell which mailbox it is of. But no two mailboxes have the
 * same uuid, and none comes back to a name that it has lost: if the name has
 * led to the same one before the handle was opened and leads to it now, then
 * that is the one that was opened, and it had its name at every send between.
 * Who removes it after that removes a message that has arrived.
 */
#include "target.h"

#include <errno.h>
#include <string.h>

void
target_close(struct target *target)
{
	cubby_close(target->mailbox);
	target->mailbox = NULL;
}

int
target_check(struct target *target)
{
	struct cubby_info info = CUBBY_INFO_INIT;
	int error = cubby_inspect(target->name, &info);

	if (error != -ENOENT && error < 0)
		return error;
	if (!error && memcmp(info.uuid, target->uuid, sizeof(info.uuid)) == 0)
		return 0;
	target_close(target);
	return -ESTALE;
}

/* Again, as long as it is replaced in between. */
int
target_open(struct target *target)
{
	struct cubby_info info = CUBBY_INFO_INIT;
	int error;

	do {
		error = cubby_inspect(target->name, &info);
		if (!error)
			error = cubby_open(target->name, CUBBY_SEND, NULL,
					   &target->mailbox);
		if (error)
			return error;
		memcpy(target->uuid, info.uuid, sizeof(info.uuid));
		error = target_check(target);
	} while (error == -ESTALE);
	if (error)
		target_close(target);
	return error;
}
