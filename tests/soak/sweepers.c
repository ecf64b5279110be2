/* SPDX-License-Identifier: MIT */
/* Who sweeps, looks at everything, and unlinks what others use. */
#include <errno.h>
#include <string.h>

#include "actors.h"
#include "contents.h"

static int
look_at_sender(const struct cubby_sender_info *info, void *context)
{
	(void)info;
	(void)context;
	return 0;
}

static int
look_at_receiver(const struct cubby_receiver_info *info, void *context)
{
	(void)info;
	(void)context;
	return 0;
}

static int
look_at_name(const char *name, void *context)
{
	(void)name;
	(void)context;
	return 0;
}

/* Of what may go while one looks, and come again. */
static void
expect_found(struct actor *actor, const char *call, int result)
{
	if (result < 0 && result != -ENOENT)
		wrong_result(actor, call, result);
}

static void
sweep(struct actor *actor, const char *name)
{
	struct cubby_swept swept = CUBBY_SWEPT_INIT;

	expect_found(actor, "cubby_sweep", cubby_sweep(name, &swept));
	atomic_fetch_add(&account->swept,
			 swept.messages + swept.lanes + swept.mailboxes);
}

static void
look(struct actor *actor, const char *name)
{
	struct cubby_info info = CUBBY_INFO_INIT;

	expect_found(actor, "cubby_inspect", cubby_inspect(name, &info));
	expect_found(actor, "cubby_inspect_senders",
		     cubby_inspect_senders(name, look_at_sender, NULL));
	expect_found(actor, "cubby_inspect_receivers",
		     cubby_inspect_receivers(name, look_at_receiver, NULL));
	expect_found(actor, "cubby_list", cubby_list(look_at_name, NULL));
}

static void
unlink_something(struct actor *actor)
{
	int result = cubby_unlink(kinds[FLEETING].name);
	cubby_region *region;

	expect_found(actor, "cubby_unlink", result);
	if (result == 0)
		atomic_fetch_add(&account->unlinked, 1);
	result = cubby_region_open("fleeting", CUBBY_CREATE | CUBBY_WRITE, NULL,
				   &region);
	if (result < 0)
		wrong_result(actor, "cubby_region_open", result);
	expect_found(actor, "cubby_region_unlink",
		     cubby_region_unlink("fleeting"));
	cubby_region_close(region);
}

void
play_sweeper(struct actor *actor)
{
	while (!receivers_end()) {
		const char *name = kinds[below(&actor->random, KINDS)].name;

		stand_idle(1000000 + below(&actor->random, 8000000));
		switch (below(&actor->random, 4)) {
		case 0:
			sweep(actor, below(&actor->random, 4) ? name : NULL);
			break;
		case 1:
			unlink_something(actor);
			break;
		default:
			look(actor, name);
		}
	}
}
