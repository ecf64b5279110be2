/* SPDX-License-Identifier: MIT */
/* Test: orders, timeout 180. */
/* Signals during waits: told as -EINTR, and nothing is lost or doubled. */
#include "support/exchange.h"
#include <signal.h>

#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)

static void
on_signal(int number)
{
	(void)number;
}

static void
catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	expect_system(sigaction(SIGUSR1, &action, NULL));
}

static cubby_mailbox *
open_full(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	cubby_mailbox *mailbox;

	options.capacity = 1;
	mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, &options);
	send_text(mailbox, "full");
	return mailbox;
}

/* Each is a wait that a signal ends, by what is returned. */

static int
wait_in_receive(cubby_mailbox *mailbox)
{
	char buffer[8];

	return cubby_receive(mailbox, buffer, sizeof(buffer), NULL);
}

static int
wait_in_receive_full(cubby_mailbox *mailbox)
{
	char buffer[8];

	return cubby_receive_full(mailbox, NULL, 0, soon(), buffer,
				  sizeof(buffer), NULL, NULL);
}

static int
wait_in_peek(cubby_mailbox *mailbox)
{
	char buffer[8];

	return cubby_receive_full(mailbox, NULL, CUBBY_PEEK, CUBBY_FOREVER,
				  buffer, sizeof(buffer), NULL, NULL);
}

static int
wait_in_hold(cubby_mailbox *mailbox)
{
	cubby_message *message;

	return cubby_hold(mailbox, NULL, CUBBY_FOREVER, &message);
}

static int
wait_in_send(cubby_mailbox *mailbox)
{
	return cubby_send(mailbox, "x", 1);
}

static int
wait_in_send_full(cubby_mailbox *mailbox)
{
	return cubby_send_full(mailbox, "x", 1, NULL, 0, soon());
}

static int
wait_in_send_batch(cubby_mailbox *mailbox)
{
	struct cubby_batch_entry entry = { "x", 1, NULL };

	return cubby_send_batch(mailbox, &entry, 1, 0, CUBBY_FOREVER);
}

static int
wait_in_reserve(cubby_mailbox *mailbox)
{
	cubby_draft *draft;

	return cubby_reserve(mailbox, 1, CUBBY_FOREVER, &draft);
}

static int
wait_in_wait_received(cubby_mailbox *mailbox)
{
	uint64_t sequence, tag;

	expect_ok(cubby_published(mailbox, &sequence, &tag));
	return cubby_wait_received(mailbox, sequence, CUBBY_FOREVER);
}

static void
expect_interrupted(cubby_mailbox *(*prepare)(void),
		   int (*wait)(cubby_mailbox *mailbox))
{
	struct child child;

	in_child(&child) {
		cubby_mailbox *mailbox;

		catch_signals();
		mailbox = prepare();
		expect_result(wait(mailbox), -EINTR);
		cubby_close(mailbox);
	}
	child_interrupt(&child, SIGUSR1);
	child_finish(&child);
}

static cubby_mailbox *
open_empty(void)
{
	return open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
}

static void
a_signal_ends_the_wait_for_a_message(void)
{
	expect_interrupted(open_empty, wait_in_receive);
	expect_interrupted(open_empty, wait_in_receive_full);
	expect_interrupted(open_empty, wait_in_peek);
	expect_interrupted(open_empty, wait_in_hold);
	expect_int(inspect("m").sent, 0);
}

/* Each leaves one message; the next finds the lane full of it. */
static void
a_signal_ends_the_wait_for_room(void)
{
	static int (*const waits[])(cubby_mailbox * mailbox) = {
		wait_in_send, wait_in_send_full, wait_in_send_batch,
		wait_in_reserve, wait_in_wait_received
	};

	for (size_t i = 0; i < COUNT_OF(waits); i++) {
		cubby_mailbox *mailbox;

		expect_interrupted(open_full, waits[i]);
		mailbox = open_mailbox("m", BOTH, NULL);
		expect_text(mailbox, "full");
		expect_empty(mailbox);
		cubby_close(mailbox);
	}
}

static int *signals;	/* that have come, of all children */

static void
count_signal(int number)
{
	(void)number;
	__atomic_fetch_add(signals, 1, __ATOMIC_RELAXED);
}

static void
fill_by_a_batch(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	struct sigaction action = { .sa_handler = count_signal };
	struct cubby_batch_entry entries[10];
	cubby_mailbox *mailbox;

	options.capacity = 5;
	for (size_t i = 0; i < COUNT_OF(entries); i++)
		entries[i] = (struct cubby_batch_entry){ "x", 1, NULL };
	expect_system(sigaction(SIGUSR1, &action, NULL));
	mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, &options);
	expect_int(cubby_send_batch(mailbox, entries, COUNT_OF(entries), 0,
				    soon()), 5);
	for (int i = 0; i < 5; i++)
		expect_text(mailbox, "x");
	expect_empty(mailbox);
	cubby_close(mailbox);
}

/* By the first, unless that came between two of its sleeps. */
static void
a_signal_ends_a_batch_in_the_middle(void)
{
	enum { ROUNDS = 10 };
	struct child child;

	signals = shared_memory(sizeof(*signals));
	for (int i = 0; i < ROUNDS; i++) {
		in_child(&child) {
			fill_by_a_batch();
		}
		child_interrupt(&child, SIGUSR1);
		child_finish(&child);
	}
	expect(*signals < 2 * ROUNDS);
}

static void
a_signal_during_a_synchronous_send_leaves_it_queued(void)
{
	cubby_mailbox *mailbox = open_empty();
	struct child child;

	need_order_sender();
	in_child(&child) {
		cubby_mailbox *own = open_mailbox("m", CUBBY_SEND, NULL);

		catch_signals();
		expect_result(cubby_send_full(own, "sync", 4, NULL,
					      CUBBY_SYNCHRONOUS, CUBBY_FOREVER),
			      -EINPROGRESS);
		cubby_close(own);
	}
	child_wait_asleep(&child);
	child_signal(&child, SIGUSR1);
	child_finish(&child);
	expect_text(mailbox, "sync");
	expect_empty(mailbox);
	cubby_close(mailbox);
}

/* A signal whose handler is not run is no reason to return. */
static void
an_ignored_signal_ends_nothing(void)
{
	cubby_mailbox *mailbox = open_empty();
	struct child child;

	in_child(&child) {
		signal(SIGUSR1, SIG_IGN);
		expect_text(open_mailbox("m", CUBBY_RECEIVE, NULL), "message");
	}
	child_wait_asleep(&child);
	child_signal(&child, SIGUSR1);
	child_stop(&child);
	child_continue(&child);
	child_wait_asleep(&child);
	send_text(mailbox, "message");
	child_finish(&child);
	cubby_close(mailbox);
}

/* Often, wherever it may be; EINTR is tried again. */
static void
in_a_storm_of_signals_every_message_arrives_once(void)
{
	exchange_run(&(struct exchange){
		.senders = 2,
		.receivers = 2,
		.messages = MANY(UINT64_C(5000)),
		.size_max = 2000,
		.capacity = 4,
		.storm_us = UNDER_ASAN || UNDER_TSAN ? 1000 : 100,
	});
}

static void
in_a_storm_of_signals_large_messages_arrive(void)
{
	exchange_run(&(struct exchange){
		.senders = 2,
		.receivers = 1,
		.messages = MANY(UINT64_C(200)),
		.size_max = 1 << 20,
		.storm_us = UNDER_ASAN || UNDER_TSAN ? 2000 : 300,
	});
}

static const struct test tests[] = {
	TEST(a_signal_ends_the_wait_for_a_message),
	TEST(a_signal_ends_the_wait_for_room),
	TEST(a_signal_ends_a_batch_in_the_middle),
	TEST(a_signal_during_a_synchronous_send_leaves_it_queued),
	TEST(an_ignored_signal_ends_nothing),
	TEST(in_a_storm_of_signals_every_message_arrives_once),
	TEST(in_a_storm_of_signals_large_messages_arrive),
};

int
main(void)
{
	return RUN_TESTS("signals", tests);
}
