/* SPDX-License-Identifier: MIT */
/* Test: orders, tsan, timeout 240. */
/*
 * Several senders and receivers on one mailbox, each a process: every message
 * arrives once, whole, in its sender's order. The same as threads, each with a
 * handle of its own, for ThreadSanitizer.
 */
#include "support/exchange.h"

#define MESSAGES MANY(UINT64_C(100000))

static void
exchange_among(bool threads, int senders, int receivers)
{
	exchange_run(&(struct exchange){
		.threads = threads,
		.senders = senders,
		.receivers = receivers,
		.messages = MESSAGES,
		.size_max = 4096,
	});
}

static void
one_process_sends_to_one(void)
{
	exchange_among(false, 1, 1);
}

static void
three_processes_send_to_one(void)
{
	exchange_among(false, 3, 1);
}

static void
one_process_sends_to_three(void)
{
	exchange_among(false, 1, 3);
}

static void
three_processes_send_to_three(void)
{
	exchange_among(false, 3, 3);
}

static void
large_messages_are_whole(void)
{
	exchange_run(&(struct exchange){
		.senders = 2,
		.receivers = 2,
		.messages = MANY(UINT64_C(1000)),
		.size_max = 1 << 20,
	});
}

/* A capacity of one: every send after the first waits for a receive. */
static void
room_for_one_is_enough(void)
{
	exchange_run(&(struct exchange){
		.senders = 2,
		.receivers = 2,
		.messages = MANY(UINT64_C(4000)),
		.size_max = 512,
		.capacity = 1,
	});
}

static void
more_processes_than_processors(void)
{
	exchange_run(&(struct exchange){
		.senders = 8,
		.receivers = 8,
		.messages = MANY(UINT64_C(2000)),
		.size_max = 512,
		.capacity = 8,
	});
}

static void
one_thread_sends_to_one(void)
{
	exchange_among(true, 1, 1);
}

static void
three_threads_send_to_three(void)
{
	exchange_among(true, 3, 3);
}

static const struct test tests[] = {
	TEST(one_process_sends_to_one),
	TEST(three_processes_send_to_one),
	TEST(one_process_sends_to_three),
	TEST(three_processes_send_to_three),
	TEST(large_messages_are_whole),
	TEST(room_for_one_is_enough),
	TEST(more_processes_than_processors),
	TEST(one_thread_sends_to_one),
	TEST(three_threads_send_to_three),
};

int
main(void)
{
	return RUN_TESTS("exchange", tests);
}
