/* SPDX-License-Identifier: MIT */
/* Test: orders, timeout 180. */
/* Who waits sleeps, costs next to nothing, and is woken. */
#include "support/trace.h"
#include <sys/resource.h>

#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)
#define MSEC INT64_C(1000000)
#define ROUNDS 20

struct cost {
	int64_t processor_us;
	long switches;
};

static int64_t
microseconds(struct timeval time)
{
	return time.tv_sec * INT64_C(1000000) + time.tv_usec;
}

static struct cost
cost_so_far(void)
{
	struct rusage usage;

	expect_system(getrusage(RUSAGE_SELF, &usage));
	return (struct cost){ microseconds(usage.ru_utime) +
				      microseconds(usage.ru_stime),
			      usage.ru_nvcsw };
}

/* Of two seconds' waiting: the bounded spin at first, and a look now and then,
   which comes more rarely as time passes. */
static void
expect_cheap(struct cost before)
{
	struct cost after = cost_so_far();
	int64_t processor_us = after.processor_us - before.processor_us;
	long switches = after.switches - before.switches;

	if (processor_us > 100000 || switches > 40)
		fail_at(__FILE__, __LINE__,
			"%lld us of processor time, %ld "
			"times awake",
			(long long)processor_us, switches);
}

static void
waiting_for_a_message_costs_nothing(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	struct cost before = cost_so_far();
	char buffer[8];

	expect_result(cubby_receive_full(mailbox, NULL, 0,
					 cubby_deadline_after(2000 * MSEC),
					 buffer, sizeof(buffer), NULL, NULL),
		      -ETIMEDOUT);
	expect_cheap(before);
	cubby_close(mailbox);
}

static void
waiting_beside_many_idle_senders_costs_nothing(void)
{
	cubby_mailbox *senders[100], *mailbox;
	struct cost before;
	char buffer[8];

	need_64_bits();
	mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	for (size_t i = 0; i < COUNT_OF(senders); i++) {
		senders[i] = open_mailbox("m", CUBBY_SEND, NULL);
		send_text(senders[i], "x");
		expect_text(mailbox, "x");
	}
	before = cost_so_far();
	expect_result(cubby_receive_full(mailbox, NULL, 0,
					 cubby_deadline_after(2000 * MSEC),
					 buffer, sizeof(buffer), NULL, NULL),
		      -ETIMEDOUT);
	expect_cheap(before);
	for (size_t i = 0; i < COUNT_OF(senders); i++)
		cubby_close(senders[i]);
	cubby_close(mailbox);
}

static void
waiting_for_room_costs_nothing(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	struct cost before;

	fill_mailbox(mailbox);
	before = cost_so_far();
	expect_result(cubby_send_full(mailbox, "x", 1, NULL, 0,
				      cubby_deadline_after(2000 * MSEC)),
		      -ETIMEDOUT);
	expect_cheap(before);
	cubby_close(mailbox);
}

static void
waiting_for_receipt_costs_nothing(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	struct cost before = cost_so_far();

	need_order_sender();
	expect_result(cubby_send_full(mailbox, "x", 1, NULL, CUBBY_SYNCHRONOUS,
				      cubby_deadline_after(2000 * MSEC)),
		      -EINPROGRESS);
	expect_cheap(before);
	cubby_close(mailbox);
}

/* Being woken ------------------------------------------------------------ */

/*
 * The sleeper finds a message by its own look too, so its arrival proves
 * nothing. strace tells whether a wait was ended by the other side (it returns
 * 0) or by time.
 */

/* Parts that run under strace. The first message tells who they are. */
static cubby_mailbox *
introduce(int role)
{
	cubby_mailbox *mailbox = open_mailbox("pid", CUBBY_SEND, NULL);

	send_number(mailbox, getpid());
	cubby_close(mailbox);
	return open_mailbox("m", role, NULL);
}

static int
receive_rounds(void)
{
	cubby_mailbox *mailbox = introduce(CUBBY_RECEIVE);

	for (uint64_t n = 0; n < ROUNDS; n++)
		expect_number(mailbox, n);
	child_exit();
}

static int
send_rounds(void)
{
	cubby_mailbox *mailbox = introduce(CUBBY_SEND);

	for (uint64_t n = 0; n <= ROUNDS; n++)
		send_number(mailbox, n);
	child_exit();
}

static int
send_synchronous_rounds(void)
{
	cubby_mailbox *mailbox = introduce(CUBBY_SEND);

	for (uint64_t n = 0; n < ROUNDS; n++)
		expect_ok(cubby_send_full(mailbox, &n, sizeof(n), NULL,
					  CUBBY_SYNCHRONOUS, soon()));
	child_exit();
}

static pid_t
start_part(struct child *child, const char *part)
{
	cubby_mailbox *pids;
	pid_t pid;

	pids = open_mailbox("pid", CUBBY_CREATE | CUBBY_RECEIVE, NULL);
	trace_start(child, part, "futex,?futex_time64,?futex_waitv,?futex_wait");
	pid = (pid_t)receive_number(pids);
	cubby_close(pids);
	return pid;
}

static void
expect_woken(struct child *child)
{
	unsigned long woken;

	child_finish(child);
	woken = trace_count_successful("WAIT");
	/* A look of its own may come in between, once or twice. */
	if (woken < ROUNDS * 3 / 4)
		fail_at(__FILE__, __LINE__, "woken %lu times of %d", woken,
			ROUNDS);
}

static void
a_sleeping_receiver_is_woken_by_a_send(void)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | CUBBY_SEND,
					      NULL);
	struct child child;
	pid_t pid = start_part(&child, "receive");

	for (uint64_t n = 0; n < ROUNDS; n++) {
		thread_wait_asleep(pid);
		expect_ok(cubby_send_full(mailbox, &n, sizeof(n), &envelope, 0,
					  soon()));
		/* So that its next sleep is another one. */
		expect_ok(cubby_wait_received(mailbox, envelope.sequence,
					      soon()));
	}
	expect_woken(&child);
	cubby_close(mailbox);
}

/* Waits until the sender has sent this and sleeps behind it. */
static void
wait_asleep_behind(cubby_mailbox *mailbox, pid_t pid, uint64_t number)
{
	uint64_t got = 0;

	expect_ok(cubby_receive_full(mailbox, NULL, CUBBY_PEEK, soon(), &got,
				     sizeof(got), NULL, NULL));
	expect_int(got, number);
	thread_wait_asleep(pid);
}

static void
a_sleeping_sender_is_woken_by_a_receive(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	cubby_mailbox *mailbox;
	struct child child;
	pid_t pid;

	options.capacity = 1;
	mailbox = open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE, &options);
	pid = start_part(&child, "send");
	for (uint64_t n = 0; n < ROUNDS; n++) {
		wait_asleep_behind(mailbox, pid, n);
		expect_number(mailbox, n);
	}
	expect_number(mailbox, ROUNDS);
	expect_woken(&child);
	cubby_close(mailbox);
}

static void
a_synchronous_sender_is_woken_by_a_receive(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE,
					      NULL);
	struct child child;
	pid_t pid = start_part(&child, "send-synchronously");

	for (uint64_t n = 0; n < ROUNDS; n++) {
		wait_asleep_behind(mailbox, pid, n);
		expect_number(mailbox, n);
	}
	expect_woken(&child);
	cubby_close(mailbox);
}

static const struct test tests[] = {
	TEST(waiting_for_a_message_costs_nothing),
	TEST(waiting_beside_many_idle_senders_costs_nothing),
	TEST(waiting_for_room_costs_nothing),
	TEST(waiting_for_receipt_costs_nothing),
	TEST(a_sleeping_receiver_is_woken_by_a_send),
	TEST(a_sleeping_sender_is_woken_by_a_receive),
	TEST(a_synchronous_sender_is_woken_by_a_receive),
};

int
main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "receive") == 0)
		return receive_rounds();
	if (argc == 2 && strcmp(argv[1], "send") == 0)
		return send_rounds();
	if (argc == 2 && strcmp(argv[1], "send-synchronously") == 0)
		return send_synchronous_rounds();
	return RUN_TESTS("sleep", tests);
}
