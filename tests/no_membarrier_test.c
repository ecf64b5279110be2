/* SPDX-License-Identifier: MIT */
/* Test: orders, timeout 180. */
/*
 * Where membarrier(2) is missing, for both sides or for one, all comes, in order,
 * and nobody waits in vain: whoever could not register fences himself, and looks
 * by himself every few milliseconds while he sleeps.
 */
#include "handle.h"
#include "support/forked.h"
#include "support/passing.h"
#include <sys/syscall.h>

static void
lose_membarrier(void)
{
	forked_deny(SYS_membarrier, ENOSYS);
}

static const struct passing ways[] = {
	{ lose_membarrier, NULL, 300, 4 },
	{ NULL, lose_membarrier, 300, 4 },
	{ lose_membarrier, lose_membarrier, 300, 4 },
	/* Enough for lanes to become warm, and biased. */
	{ lose_membarrier, lose_membarrier, 5000, 0 },
};

/* Each in a process of its own: what was lost is lost. */
static void
in_every_way(void (*pass)(const struct passing *passing))
{
	struct child child;

	for (size_t i = 0; i < COUNT_OF(ways); i++) {
		in_child(&child)
			pass(&ways[i]);
		child_finish(&child);
	}
}

#define WITHOUT_MEMBARRIER(what) \
	static void \
	what##_without_membarrier(void) \
	{ \
		in_every_way(passing_##what); \
	}

WITHOUT_MEMBARRIER(to_and_fro)
WITHOUT_MEMBARRIER(from_there)
WITHOUT_MEMBARRIER(from_here)
WITHOUT_MEMBARRIER(through_several)
WITHOUT_MEMBARRIER(watched)
WITHOUT_MEMBARRIER(calls)
WITHOUT_MEMBARRIER(turns)

/* One without it cannot take away the bias of one who has it. */
static void
to_both_without_membarrier(void)
{
	passing_to_both(&ways[3]);
}

/* Nobody could take it away from him: his stores are his own affair. */
static bool
biases_its_lane(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | CUBBY_SEND |
					      CUBBY_RECEIVE, NULL);
	bool is_biased;

	for (uint64_t i = 0; i < 200; i++) {
		send_number(mailbox, i);
		expect_number(mailbox, i);
	}
	is_biased = bias_is_set(word64_load_acquire(
		&mailbox->sender.writer.entry->head));
	cubby_close(mailbox);
	return is_biased;
}

static void
who_has_no_membarrier_biases_no_lane(void)
{
	need_order_sender();
	expect(biases_its_lane());
	lose_membarrier();
	expect(!biases_its_lane());
}

static const struct test tests[] = {
	TEST(who_has_no_membarrier_biases_no_lane),
	TEST(to_and_fro_without_membarrier),
	TEST(from_there_without_membarrier),
	TEST(from_here_without_membarrier),
	TEST(through_several_without_membarrier),
	TEST(watched_without_membarrier),
	TEST(calls_without_membarrier),
	TEST(turns_without_membarrier),
	TEST(to_both_without_membarrier),
};

int
main(void)
{
	return RUN_TESTS("without_membarrier", tests);
}
