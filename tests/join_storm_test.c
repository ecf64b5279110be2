/* SPDX-License-Identifier: MIT */
/*
 * Others open and unlink the same mailbox all the time: who opens it is told of
 * nothing that is not about himself.
 */
#include "support.h"

#define TIMES MANY(3000)

/* Until told to end, opens and closes, or unlinks. */
static void
disturb(struct child *child, const _Atomic bool *end, const char *unlinked,
	const struct cubby_options *options)
{
	in_child(child) {
		while (!atomic_load(end)) {
			if (unlinked)
				cubby_unlink(unlinked);
			else
				cubby_close(open_mailbox("joined", CUBBY_SEND,
							 options));
		}
	}
}

/* Who has no name passes the slots of those that have one by, and does not keep
   their senders from coming back meanwhile. */
static void
a_name_is_not_in_use_because_others_pass_by(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	_Atomic bool *end = shared_memory(sizeof(*end));
	struct child others[2];

	options.order = CUBBY_ORDER_ARRIVAL;
	options.sender = "named";
	cubby_close(open_mailbox("joined", CUBBY_CREATE | CUBBY_SEND,
				 &options));
	disturb(&others[0], end, NULL, NULL);
	disturb(&others[1], end, NULL, NULL);
	for (int i = 0; i < TIMES; i++)
		cubby_close(open_mailbox("joined", CUBBY_SEND, &options));
	atomic_store(end, true);
	child_finish(&others[0]);
	child_finish(&others[1]);
}

/* It is made again, however often it goes between being made and opened. */
static void
what_is_to_be_made_is_not_missing(void)
{
	_Atomic bool *end = shared_memory(sizeof(*end));
	struct child others[2];

	disturb(&others[0], end, "made", NULL);
	disturb(&others[1], end, "made", NULL);
	for (int i = 0; i < TIMES; i++)
		cubby_close(open_mailbox("made", CUBBY_CREATE | CUBBY_SEND,
					 NULL));
	atomic_store(end, true);
	child_finish(&others[0]);
	child_finish(&others[1]);
}

static const struct test tests[] = {
	TEST(a_name_is_not_in_use_because_others_pass_by),
	TEST(what_is_to_be_made_is_not_missing),
};

int
main(void)
{
	return RUN_TESTS("join_storm", tests);
}
