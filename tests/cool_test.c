/* SPDX-License-Identifier: MIT */
/* Test: tsan, timeout 60. */
/*
 * Of many lanes that have been in use, those that are idle stop ringing after few
 * looks of their receiver, however many they are; and then their messages come
 * all the same.
 */
#include "support/support.h"

#include "doorbell.h"
#include "handle.h"

#define SENDERS 300
/* Each looks at every lane that rings: two of them pay for a barrier, and then a
   dozen to have found each in vain often enough. */
#define LOOKS 60

static cubby_mailbox *receiver, *senders[SENDERS];

static int
count_ringing(void)
{
	int count = 0;

	for (uint32_t word = 0; word <= SENDERS / 64; word++)
		count += __builtin_popcountll(
			doorbell_ringing(&receiver->view, word));
	return count;
}

static void
look_in_vain(int times)
{
	char byte;

	for (int i = 0; i < times; i++)
		expect(cubby_receive_full(receiver, NULL, 0, CUBBY_NOW, &byte,
					  1, NULL, NULL) == -EAGAIN);
}

/* Their lanes are short, so that 32 bits address them all, twice. */
static void
open_all(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;

	options.memory_limit = options.message_max = 4096;
	receiver = open_mailbox("jobs", CUBBY_CREATE | CUBBY_RECEIVE,
				&options);
	for (int i = 0; i < SENDERS; i++) {
		senders[i] = open_mailbox("jobs", CUBBY_SEND, NULL);
		send_text(senders[i], "x");
	}
	for (int i = 0; i < SENDERS; i++)
		expect_text(receiver, "x");
	expect(count_ringing() == SENDERS);
}

static void
close_all(void)
{
	for (int i = 0; i < SENDERS; i++)
		cubby_close(senders[i]);
	cubby_close(receiver);
}

static void
idle_lanes_stop_ringing_after_few_looks(void)
{
	open_all();
	look_in_vain(LOOKS);
	expect(count_ringing() == 0);
	close_all();
}

/* Each look finds its message, in the last of the lanes that it comes to. */
static void
they_stop_too_while_one_is_busy(void)
{
	open_all();
	for (int i = 0; i < LOOKS; i++) {
		cubby_mailbox *sender = senders[SENDERS / 2];

		send_text(sender, "busy");
		expect_text(receiver, "busy");
		/* Its turn ends. */
		receiver->receiver.burst = 0;
	}
	expect(count_ringing() <= 1);
	close_all();
}

static void
a_lane_that_was_cooled_rings_again(void)
{
	open_all();
	look_in_vain(LOOKS);
	for (int i = SENDERS; i-- > 0;) {
		send_text(senders[i], "again");
		expect(count_ringing() > 0);
		expect_text(receiver, "again");
	}
	close_all();
}

int
main(void)
{
	static const struct test tests[] = {
		TEST(idle_lanes_stop_ringing_after_few_looks),
		TEST(they_stop_too_while_one_is_busy),
		TEST(a_lane_that_was_cooled_rings_again),
	};

	return RUN_TESTS("cool", tests);
}
