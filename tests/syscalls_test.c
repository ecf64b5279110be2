/* SPDX-License-Identifier: MIT */
/* Test: serial, timeout 900. */
/*
 * While nobody sleeps, send and receive make no system call: counted by strace
 * in two processes that pass a million messages.
 *
 * A process that loses its processor lets the other wait, which then goes to
 * sleep as it should, and that takes calls. So on a busy machine one run may
 * have more of them than the library needs, never fewer: what counts is the
 * best of many runs, if the first are not good.
 */
#include "support/trace.h"
#include <sys/wait.h>

#define MESSAGES UINT64_C(1000000)
/* Before it is counted: in these the lane gets its memory. */
#define FIRST UINT64_C(10000)
#define CALLS_MAX 100
#define RUNS 64

/* How a message of `size` bytes is passed. */
struct manner {
	size_t size;
	bool in_place;
	int flags;
};

static void
send_all(const struct manner *manner, struct gate *ready, struct gate *go)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_SEND, NULL);
	static char data[1000];

	send_text(mailbox, "warm");
	gate_open(ready);
	gate_wait(go);
	for (uint64_t n = 0; n < FIRST + MESSAGES; n++) {
		cubby_draft *draft;

		if (n == FIRST)
			trace_mark();
		memcpy(data, &n, sizeof(n));
		if (!manner->in_place) {
			expect_ok(cubby_send(mailbox, data, manner->size));
			continue;
		}
		expect_ok(cubby_reserve(mailbox, manner->size, CUBBY_FOREVER,
					&draft));
		memcpy(cubby_draft_data(draft), data, manner->size);
		expect_ok(cubby_commit(draft, manner->size, NULL));
	}
	trace_mark();
	cubby_close(mailbox);
}

static void
receive_all(const struct manner *manner, struct gate *ready, struct gate *go)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_RECEIVE, NULL);
	char data[1000];

	gate_wait(ready);
	expect_text(mailbox, "warm");
	gate_open(go);
	for (uint64_t n = 0; n < FIRST + MESSAGES; n++) {
		cubby_message *message;

		if (n == FIRST)
			trace_mark();
		if (!manner->in_place) {
			expect_ok(cubby_receive(mailbox, data, sizeof(data),
						NULL));
		} else {
			expect_ok(cubby_hold(mailbox, NULL, CUBBY_FOREVER,
					     &message));
			memcpy(data, cubby_message_data(message), sizeof(n));
			expect_ok(cubby_release(message));
		}
		expect(memcmp(data, &n, sizeof(n)) == 0);
	}
	trace_mark();
	cubby_close(mailbox);
}

static int
exchange(const struct manner *manner)
{
	struct gate ready = gate_make(), go = gate_make();
	struct child child;

	cubby_close(open_mailbox("m", CUBBY_CREATE, NULL));
	in_child(&child)
		receive_all(manner, &ready, &go);
	send_all(manner, &ready, &go);
	child_finish(&child);
	expect_ok(cubby_unlink("m"));
	return 0;
}

/* Backlogs of up to three thousand messages, which come and go. */
static int
exchange_unlimited(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	cubby_mailbox *mailbox;

	options.buffering = CUBBY_UNLIMITED;
	mailbox = open_mailbox("m", CUBBY_CREATE | CUBBY_SEND | CUBBY_RECEIVE,
			       &options);
	for (uint64_t round = 0; round < 400; round++) {
		uint64_t count = 3000 - round * 7 % 2900, n, got;

		/* In these the rings get their memory. */
		if (round == 20)
			trace_mark();
		for (n = 0; n < count; n++)
			expect_ok(cubby_send(mailbox, &n, sizeof(n)));
		for (n = 0; n < count; n++) {
			expect_ok(cubby_receive(mailbox, &got, sizeof(got),
						NULL));
			expect(got == n);
		}
	}
	trace_mark();
	cubby_close(mailbox);
	expect_ok(cubby_unlink("m"));
	return 0;
}

/* Whether its receiver lives is asked for by the clock, not by the message. */
static int
send_to_inbox(void)
{
	cubby_mailbox *mailbox;

	mailbox = open_mailbox("@m", CUBBY_CREATE | CUBBY_SEND | CUBBY_RECEIVE,
			       NULL);
	for (uint64_t n = 0; n < 110000; n++) {
		if (n == 10000)
			trace_mark();
		send_number(mailbox, n);
		expect_number(mailbox, n);
	}
	trace_mark();
	cubby_close(mailbox);
	expect_ok(cubby_unlink("@m"));
	return 0;
}

static int
open_by_name(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	cubby_mailbox *mailbox;

	options.sender = "Ada";
	cubby_close(open_mailbox("m", CUBBY_CREATE | CUBBY_SEND, &options));
	trace_mark();
	mailbox = open_mailbox("m", CUBBY_SEND, &options);
	trace_mark();
	cubby_close(mailbox);
	expect_ok(cubby_unlink("m"));
	return 0;
}

static void
expect_few_calls(const char *part)
{
	unsigned long calls[RUNS], best = -1UL;

	if (UNDER_ASAN || UNDER_TSAN)
		skip_test("the sanitizer makes system calls");
	for (int run = 0; run < RUNS && best > CALLS_MAX; run++) {
		struct child child;

		trace_start(&child, part, "all");
		child_finish(&child);
		calls[run] = trace_count_marked();
		best = calls[run] < best ? calls[run] : best;
		printf("%s: %lu system calls\n", part, calls[run]);
	}
	if (best > CALLS_MAX)
		fail_at(__FILE__, __LINE__,
			"%lu system calls at least, not "
			"%d at most",
			best, CALLS_MAX);
}

static void
a_busy_exchange_makes_hardly_any_system_call(void)
{
	expect_few_calls("copied");
}

static void
nor_does_one_in_place(void)
{
	expect_few_calls("in-place");
}

static void
nor_does_one_of_larger_messages(void)
{
	expect_few_calls("blocks");
}

static void
nor_does_a_backlog_that_comes_and_goes(void)
{
	expect_few_calls("unlimited");
}

static void
nor_does_one_with_an_inbox(void)
{
	expect_few_calls("inbox");
}

static void
a_named_sender_is_found_by_a_few(void)
{
	expect_few_calls("named");
}

static const struct test tests[] = {
	TEST(nor_does_one_with_an_inbox),
	TEST(a_named_sender_is_found_by_a_few),
	TEST(a_busy_exchange_makes_hardly_any_system_call),
	TEST(nor_does_one_in_place),
	TEST(nor_does_one_of_larger_messages),
	TEST(nor_does_a_backlog_that_comes_and_goes),
};

int
main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "copied") == 0)
		return exchange(&(struct manner){ .size = 40 });
	if (argc == 2 && strcmp(argv[1], "in-place") == 0)
		return exchange(
			&(struct manner){ .size = 40, .in_place = true });
	if (argc == 2 && strcmp(argv[1], "blocks") == 0)
		return exchange(&(struct manner){ .size = 1000 });
	if (argc == 2 && strcmp(argv[1], "unlimited") == 0)
		return exchange_unlimited();
	if (argc == 2 && strcmp(argv[1], "inbox") == 0)
		return send_to_inbox();
	if (argc == 2 && strcmp(argv[1], "named") == 0)
		return open_by_name();
	return RUN_TESTS("system calls", tests);
}
