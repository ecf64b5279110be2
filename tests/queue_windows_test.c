/* SPDX-License-Identifier: MIT */
/* Test: timeout 120. */
/*
 * A queue whose blocks do not fit into the addresses that a process has (of 32
 * bits, or with a limit): each is mapped by itself while it is written or held.
 */
#include "support/support.h"
#include <sys/resource.h>

#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)
#define LARGE 200000

static unsigned char data[LARGE], buffer[LARGE];

/* The default's blocks take 4 GiB. (A sanitizer's memory takes more.) */
static void
leave_few_addresses(void)
{
	struct rlimit limit = { 1 << 30, 1 << 30 };

	if (UNDER_EMULATION)
		skip_test("an emulator does not limit memory");
	if (UNDER_ASAN || UNDER_TSAN)
		skip_test("a sanitizer needs its addresses");
	expect_system(setrlimit(RLIMIT_AS, &limit));
}

static cubby_mailbox *
open_queue(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;

	options.order = CUBBY_ORDER_ARRIVAL;
	/* No multiple of the pages of a machine that has larger ones. */
	options.message_max = (1 << 20) + 4096;
	return open_mailbox("m", CUBBY_CREATE | BOTH, &options);
}

static void
send_large(cubby_mailbox *mailbox, uint64_t seed)
{
	pattern_fill(data, LARGE, seed);
	expect_ok(cubby_send_full(mailbox, data, LARGE, NULL, 0, soon()));
}

static void
receive_large(cubby_mailbox *mailbox, int flags, uint64_t seed)
{
	size_t size;

	memset(buffer, 0, LARGE);
	expect_ok(cubby_receive_full(mailbox, NULL, flags, soon(), buffer,
				     LARGE, &size, NULL));
	expect_int(size, LARGE);
	expect(pattern_holds(buffer, LARGE, seed));
}

static void
large_messages_are_copied_and_peeked_at(void)
{
	cubby_mailbox *mailbox;

	leave_few_addresses();
	mailbox = open_queue();
	for (uint64_t i = 0; i < 20; i++)
		send_large(mailbox, i);
	receive_large(mailbox, CUBBY_PEEK, 0);
	for (uint64_t i = 0; i < 20; i++)
		receive_large(mailbox, 0, i);
	cubby_close(mailbox);
}

static void
several_are_written_and_held_in_place_at_a_time(void)
{
	cubby_message *held[5];
	cubby_draft *drafts[5];
	cubby_mailbox *mailbox;

	leave_few_addresses();
	mailbox = open_queue();
	for (int i = 0; i < 5; i++)
		expect_ok(cubby_reserve(mailbox, LARGE, soon(), &drafts[i]));
	for (int i = 0; i < 5; i++)
		pattern_fill(cubby_draft_data(drafts[i]), LARGE, (uint64_t)i);
	for (int i = 0; i < 4; i++)
		expect_ok(cubby_commit(drafts[i], LARGE, NULL));
	cubby_abort(drafts[4]);
	for (int i = 0; i < 4; i++)
		expect_ok(cubby_hold(mailbox, NULL, soon(), &held[i]));
	for (int i = 0; i < 4; i++)
		expect(pattern_holds(cubby_message_data(held[i]), LARGE,
				     (uint64_t)i));
	expect_ok(cubby_reject(held[0]));
	for (int i = 1; i < 4; i++)
		expect_ok(cubby_release(held[i]));
	receive_large(mailbox, 0, 0);
	cubby_close(mailbox);
}

/* And what cannot be mapped while it is to be held goes back. */
static void
what_cannot_be_held_goes_back(void)
{
	cubby_message *held[2000];
	cubby_mailbox *mailbox;
	int count = 0, r;

	leave_few_addresses();
	mailbox = open_queue();
	send_large(mailbox, 1);
	/* Until there is no address left for another. */
	for (;;) {
		struct rlimit none = { 1, 1 << 30 };

		expect_system(setrlimit(RLIMIT_AS, &none));
		r = cubby_hold(mailbox, NULL, soon(), &held[count]);
		none.rlim_cur = 1 << 30;
		expect_system(setrlimit(RLIMIT_AS, &none));
		expect_result(r, -ENOMEM);
		if (++count == 3)
			break;
	}
	receive_large(mailbox, 0, 1);
	cubby_close(mailbox);
}

static const struct test tests[] = {
	TEST(large_messages_are_copied_and_peeked_at),
	TEST(several_are_written_and_held_in_place_at_a_time),
	TEST(what_cannot_be_held_goes_back),
};

int
main(void)
{
	return RUN_TESTS("queue_windows", tests);
}
