/* SPDX-License-Identifier: MIT */
/* Test: orders, serial, timeout 120. */
/*
 * What a descriptor costs: nothing while messages come; a few calls for a
 * receive that finds nothing, and for a send that finds it armed; and while
 * nothing happens, what its timer costs. Counted by strace.
 */
#include "support/trace.h"
#include <poll.h>
#include <time.h>

#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)
#define MESSAGES 10000
#define ROUNDS 100
#define CALLS_MAX 10UL	/* by the clock, if the machine is slow */

static cubby_mailbox *
begin(int *ret_fd)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);

	*ret_fd = cubby_fd(mailbox, CUBBY_RECEIVE);
	expect(*ret_fd >= 0);
	return mailbox;
}

static int
end(cubby_mailbox *mailbox)
{
	cubby_close(mailbox);
	expect_ok(cubby_unlink("m"));
	return 0;
}

static int
receive_now(cubby_mailbox *mailbox)
{
	uint64_t got;

	return cubby_receive_full(mailbox, NULL, 0, CUBBY_NOW, &got,
				  sizeof(got), NULL, NULL);
}

/* The first send rings; nobody heeds it, and no other does. Nor does a receive
   that finds something. */
static int
stream(void)
{
	int fd;
	cubby_mailbox *mailbox = begin(&fd);

	expect_result(receive_now(mailbox), -EAGAIN);
	for (int n = 0; n < 2 * MESSAGES; n++) {
		if (n == MESSAGES)
			trace_mark();
		send_number(mailbox, 0);
		expect_ok(receive_now(mailbox));
	}
	trace_mark();
	return end(mailbox);
}

/* Armed and rung each time. */
static int
rounds(void)
{
	int fd;
	cubby_mailbox *mailbox = begin(&fd);

	for (int n = 0; n < 2 * ROUNDS; n++) {
		if (n == ROUNDS)
			trace_mark();
		send_number(mailbox, 0);
		expect_ok(receive_now(mailbox));
		expect_result(receive_now(mailbox), -EAGAIN);
	}
	trace_mark();
	return end(mailbox);
}

/* Nothing happens for two seconds. */
static int
idle(void)
{
	int fd;
	cubby_mailbox *mailbox = begin(&fd);
	struct pollfd asked = { .fd = fd, .events = POLLIN };
	int64_t until = cubby_deadline_after(INT64_C(2000000000));
	struct timespec time;

	expect_result(receive_now(mailbox), -EAGAIN);
	trace_mark();
	do {
		expect_int(poll(&asked, 1, 20000), 1);
		expect_result(receive_now(mailbox), -EAGAIN);
		clock_gettime(CLOCK_MONOTONIC, &time);
	} while (time.tv_sec * INT64_C(1000000000) + time.tv_nsec < until);
	trace_mark();
	return end(mailbox);
}

static unsigned long
calls_of(const char *part, unsigned long enough)
{
	unsigned long calls, best = -1UL;

	if (UNDER_ASAN || UNDER_TSAN)
		skip_test("the sanitizer makes system calls");
	for (int run = 0; run < 8 && best > enough; run++) {
		struct child child;

		trace_start(&child, part, "all");
		child_finish(&child);
		calls = trace_count_marked();
		printf("%s: %lu system calls\n", part, calls);
		best = calls < best ? calls : best;
	}
	return best;
}

static void
a_stream_costs_no_system_call(void)
{
	expect(calls_of("stream", CALLS_MAX) <= CALLS_MAX);
}

/* A ring: blocked signal, write, the mask as it was. An arming: the bell is
   emptied, and now and then the timer is set; at first, a membarrier. And once
   more: is the descriptor still the bell's, or a file of the program's own? In a
   queue a receive that finds nothing takes no more. */
static void
a_round_costs_a_few(void)
{
	expect(calls_of("rounds", 6 * ROUNDS + CALLS_MAX) <=
	       6 * ROUNDS + CALLS_MAX);
}

/* At 50, 150, 350, 750 and 1550 ms, and once more to end it: each a poll, an
   empty bell, a timer, and who of the others lives. */
static void
idle_costs_what_the_timer_does(void)
{
	expect(calls_of("idle", 100) <= 100);
}

int
main(int argc, char **argv)
{
	const struct test tests[] = {
		TEST(a_stream_costs_no_system_call),
		TEST(a_round_costs_a_few),
		TEST(idle_costs_what_the_timer_does),
	};

	if (argc == 2 && strcmp(argv[1], "stream") == 0)
		return stream();
	if (argc == 2 && strcmp(argv[1], "rounds") == 0)
		return rounds();
	if (argc == 2 && strcmp(argv[1], "idle") == 0)
		return idle();
	return RUN_TESTS("pollable_syscalls", tests);
}
