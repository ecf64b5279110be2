/* SPDX-License-Identifier: MIT */
/* Test: serial, timeout 180. */
/*
 * Who waits for several mailboxes sleeps, costs next to nothing, is woken, and,
 * while something comes, makes no system call.
 */
#include "support/trace.h"
#include <sys/resource.h>

#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)
#define MSEC INT64_C(1000000)
#define MAILBOXES 8
#define ROUNDS 24
#define BUSY 100000

static cubby_mailbox *
open_numbered(size_t n, int flags, enum cubby_order order)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	char name[32];

	options.order = order;
	snprintf(name, sizeof(name), "m%zu", n);
	return open_mailbox(name, flags, &options);
}

/* Every other one is a queue. */
static void
open_several(struct cubby_wait_entry *entries, int flags, int events)
{
	for (size_t i = 0; i < MAILBOXES; i++)
		entries[i] = (struct cubby_wait_entry){
			open_numbered(i, CUBBY_CREATE | flags,
				      i % 2 ? CUBBY_ORDER_ARRIVAL :
					      CUBBY_ORDER_SENDER),
			events, 0
		};
}

static void
close_several(const struct cubby_wait_entry *entries)
{
	for (size_t i = 0; i < MAILBOXES; i++)
		cubby_close(entries[i].mailbox);
}

/* Idle ------------------------------------------------------------------- */

static struct rusage
usage_so_far(void)
{
	struct rusage usage;

	expect_system(getrusage(RUSAGE_SELF, &usage));
	return usage;
}

static int64_t
microseconds(struct timeval time)
{
	return time.tv_sec * INT64_C(1000000) + time.tv_usec;
}

static void
expect_cheap(struct cubby_wait_entry *entries)
{
	struct rusage before = usage_so_far(), after;
	int64_t processor_us;
	long switches;

	expect_result(cubby_wait(entries, MAILBOXES,
				 cubby_deadline_after(2000 * MSEC)),
		      -ETIMEDOUT);
	after = usage_so_far();
	processor_us = microseconds(after.ru_utime) +
		       microseconds(after.ru_stime) -
		       microseconds(before.ru_utime) -
		       microseconds(before.ru_stime);
	switches = after.ru_nvcsw - before.ru_nvcsw;
	if (processor_us > 100000 || switches > 40)
		fail_at(__FILE__, __LINE__,
			"%lld us of processor time, %ld times awake",
			(long long)processor_us, switches);
}

static void
waiting_for_messages_costs_nothing(void)
{
	struct cubby_wait_entry entries[MAILBOXES];

	open_several(entries, BOTH, CUBBY_RECEIVE);
	expect_cheap(entries);
	close_several(entries);
}

static void
waiting_for_room_costs_nothing(void)
{
	struct cubby_wait_entry entries[MAILBOXES];

	open_several(entries, BOTH, CUBBY_SEND);
	for (size_t i = 0; i < MAILBOXES; i++)
		fill_mailbox(entries[i].mailbox);
	expect_cheap(entries);
	close_several(entries);
}

/* Woken ------------------------------------------------------------------ */

/* Its own look finds a message too; strace tells how each sleep ended. */
static int
wait_for_rounds(void)
{
	cubby_mailbox *pids = open_mailbox("pid", CUBBY_SEND, NULL);
	struct cubby_wait_entry entries[MAILBOXES];

	open_several(entries, CUBBY_RECEIVE, CUBBY_RECEIVE);
	send_number(pids, (uint64_t)getpid());
	cubby_close(pids);
	for (uint64_t n = 0; n < ROUNDS; n++) {
		expect_result(cubby_wait(entries, MAILBOXES, soon()), 1);
		expect_int(entries[n % MAILBOXES].ready, CUBBY_RECEIVE);
		expect_number(entries[n % MAILBOXES].mailbox, n);
	}
	close_several(entries);
	/* A leak checker does not work under strace. */
	child_exit();
}

static void
each_message_wakes(void)
{
	cubby_mailbox *pids = open_mailbox("pid", CUBBY_CREATE | CUBBY_RECEIVE,
					   NULL);
	struct cubby_wait_entry entries[MAILBOXES];
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	struct child child;
	unsigned long woken;
	pid_t pid;

	open_several(entries, CUBBY_SEND, CUBBY_SEND);
	trace_start(&child, "wait", "?futex_waitv");
	pid = (pid_t)receive_number(pids);
	for (uint64_t n = 0; n < ROUNDS; n++) {
		cubby_mailbox *mailbox = entries[n % MAILBOXES].mailbox;

		thread_wait_asleep(pid);
		expect_ok(cubby_send_full(mailbox, &n, sizeof(n), &envelope, 0,
					  soon()));
		/* So that its next sleep is another one. */
		expect_ok(cubby_wait_received(mailbox, envelope.sequence,
					      soon()));
	}
	child_finish(&child);
	woken = trace_count_successful("futex_waitv(");
	/* A look of its own may come in between, once or twice. */
	if (woken < ROUNDS * 3 / 4)
		fail_at(__FILE__, __LINE__, "woken %lu times of %d", woken,
			ROUNDS);
	close_several(entries);
	cubby_close(pids);
}

/* Busy ------------------------------------------------------------------- */

static int
pass_many(void)
{
	struct cubby_wait_entry entries[MAILBOXES];
	uint64_t number;

	open_several(entries, BOTH, CUBBY_RECEIVE);
	for (uint64_t n = 0; n < BUSY + 1000; n++) {
		/* Before, the lanes get their memory. */
		if (n == 1000)
			trace_mark();
		send_number(entries[n % MAILBOXES].mailbox, n);
		expect_result(cubby_wait(entries, MAILBOXES, CUBBY_FOREVER), 1);
		expect_int(entries[n % MAILBOXES].ready, CUBBY_RECEIVE);
		expect_ok(cubby_receive_full(entries[n % MAILBOXES].mailbox,
					     NULL, 0, CUBBY_NOW, &number,
					     sizeof(number), NULL, NULL));
		expect_int(number, n);
	}
	trace_mark();
	close_several(entries);
	for (size_t i = 0; i < MAILBOXES; i++) {
		char name[32];

		snprintf(name, sizeof(name), "m%zu", i);
		expect_ok(cubby_unlink(name));
	}
	return 0;
}

/* A look of its own at each of them, every 50 ms, takes a few. */
static void
while_messages_come_there_is_hardly_any_system_call(void)
{
	unsigned long calls, best = -1UL;
	struct child child;

	if (UNDER_ASAN || UNDER_TSAN)
		skip_test("the sanitizer makes system calls");
	for (int run = 0; run < 8 && best > BUSY / 100; run++) {
		trace_start(&child, "pass", "all");
		child_finish(&child);
		calls = trace_count_marked();
		best = calls < best ? calls : best;
		printf("%lu system calls for %d messages\n", calls, BUSY);
	}
	expect(best <= BUSY / 100);
}

static const struct test tests[] = {
	TEST(waiting_for_messages_costs_nothing),
	TEST(waiting_for_room_costs_nothing),
	TEST(each_message_wakes),
	TEST(while_messages_come_there_is_hardly_any_system_call),
};

int
main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "wait") == 0)
		return wait_for_rounds();
	if (argc == 2 && strcmp(argv[1], "pass") == 0)
		return pass_many();
	return RUN_TESTS("waiting for several, asleep", tests);
}
