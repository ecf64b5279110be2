/* SPDX-License-Identifier: MIT */
/* Messages of one sender arrive in the order sent; between senders it is
   fair. */
#include "support/support.h"

#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)

static void
each_senders_messages_arrive_in_order(void)
{
	cubby_mailbox *senders[3], *receiver;
	uint64_t next[3] = { 0 }, number;

	receiver = open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE, NULL);
	for (int i = 0; i < 3; i++)
		senders[i] = open_mailbox("m", CUBBY_SEND, NULL);
	for (uint64_t n = 0; n < 100; n++)
		for (uint64_t i = 0; i < 3; i++)
			send_number(senders[i], i << 32 | n);
	for (int i = 0; i < 300; i++) {
		number = receive_number(receiver);
		expect_int(number & UINT32_MAX, next[number >> 32]++);
	}
	expect_empty(receiver);
	for (int i = 0; i < 3; i++)
		cubby_close(senders[i]);
	cubby_close(receiver);
}

/* Two receivers take turns: each next message goes to whoever asks next. */
static void
receivers_share_one_order(void)
{
	cubby_mailbox *receivers[3], *sender;

	sender = open_mailbox("m", CUBBY_CREATE | CUBBY_SEND, NULL);
	for (int i = 0; i < 3; i++)
		receivers[i] = open_mailbox("m", CUBBY_RECEIVE, NULL);
	for (int round = 0; round < 5; round++) {
		expect_int(fill_mailbox(sender), 128);
		for (uint64_t n = 0; n < 128; n++)
			expect_number(receivers[(n * n + n / 5) % 3], n);
		for (int i = 0; i < 3; i++)
			expect_empty(receivers[i]);
	}
	for (int i = 0; i < 3; i++)
		cubby_close(receivers[i]);
	cubby_close(sender);
}

/* A flooding sender's lane is full again after each receive. */
static void
a_flooding_sender_starves_nobody(void)
{
	cubby_mailbox *receiver, *flood, *quiet;
	int left = 5, received = 0;

	receiver = open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE, NULL);
	flood = open_mailbox("m", CUBBY_SEND, NULL);
	quiet = open_mailbox("m", CUBBY_SEND, NULL);
	fill_mailbox(flood);
	/* The receiver has got used to the one. */
	for (int i = 0; i < 1000; i++) {
		receive_number(receiver);
		fill_mailbox(flood);
	}
	for (int i = 0; i < left; i++)
		send_number(quiet, UINT64_MAX);
	while (left > 0) {
		if (receive_number(receiver) == UINT64_MAX)
			left--;
		fill_mailbox(flood);
		/* At worst a whole lane of the other between any two. */
		expect(++received <= 5 * (2 * 128 + 1));
	}
	cubby_close(flood);
	cubby_close(quiet);
	cubby_close(receiver);
}

/* Twenty senders, each with plenty: nobody is served much more than others. */
static void
busy_senders_are_served_alike(void)
{
	enum { SENDERS = 20, ROUNDS = 20000 };
	cubby_mailbox *receiver, *senders[SENDERS];
	int served[SENDERS] = { 0 };

	receiver = open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE, NULL);
	for (uint64_t i = 0; i < SENDERS; i++) {
		senders[i] = open_mailbox("m", CUBBY_SEND, NULL);
		for (int n = 0; n < 128; n++)
			send_number(senders[i], i);
	}
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t sender = receive_number(receiver);

		served[sender]++;
		send_number(senders[sender], sender);
	}
	for (int i = 0; i < SENDERS; i++) {
		int share = ROUNDS / SENDERS;

		if (served[i] < share / 2 || served[i] > share * 2)
			fail_at(__FILE__, __LINE__, "sender %d: %d of %d", i,
				served[i], ROUNDS);
		cubby_close(senders[i]);
	}
	cubby_close(receiver);
}

/* Silent for long, found at once when it speaks. */
static void
a_sender_that_was_idle_is_heard(void)
{
	cubby_mailbox *receiver, *busy, *idle;

	receiver = open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE, NULL);
	busy = open_mailbox("m", CUBBY_SEND, NULL);
	idle = open_mailbox("m", CUBBY_SEND, NULL);
	for (int round = 0; round < 20; round++) {
		for (uint64_t n = 0; n < 3000; n++) {
			send_number(busy, n);
			expect_number(receiver, n);
		}
		send_text(idle, "still here");
		expect_text(receiver, "still here");
		expect_empty(receiver);
	}
	cubby_close(busy);
	cubby_close(idle);
	cubby_close(receiver);
}

static const struct test tests[] = {
	TEST(each_senders_messages_arrive_in_order),
	TEST(receivers_share_one_order),
	TEST(a_flooding_sender_starves_nobody),
	TEST(busy_senders_are_served_alike),
	TEST(a_sender_that_was_idle_is_heard),
};

int
main(void)
{
	return RUN_TESTS("order", tests);
}
