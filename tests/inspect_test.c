/* SPDX-License-Identifier: MIT */
/* cubby_inspect(), cubby_inspect_senders(). */
#include "support/support.h"
#include <sched.h>
#include <stddef.h>

#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)

static void
attributes_are_told(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	struct cubby_info info;

	options.capacity = 77;
	options.message_max = 12345;
	options.memory_limit = 3 << 20;
	options.cell_size = 256;
	options.sizing = CUBBY_FIXED;
	options.mode = 0622;
	cubby_close(open_mailbox("m", CUBBY_CREATE, &options));
	info = inspect("m");
	expect_int(info.struct_size, sizeof(info));
	expect_int(info.order, CUBBY_ORDER_SENDER);
	expect_int(info.buffering, CUBBY_LIMITED);
	expect_int(info.sizing, CUBBY_FIXED);
	expect_int(info.lifetime, CUBBY_PERSISTENT);
	expect_int(info.capacity, 77);
	expect_int(info.message_max, 12345);
	expect_int(info.memory_limit, 3 << 20);
	expect_int(info.cell_size, 256);
	expect_int(info.mode, 0622);
	expect_int(info.uid, geteuid());
	expect_int(info.gid, getegid());
}

static void
a_new_mailbox_is_empty(void)
{
	struct cubby_info info;

	cubby_close(open_mailbox("m", CUBBY_CREATE, NULL));
	info = inspect("m");
	expect_int(info.waiting, 0);
	expect_int(info.fullest, 0);
	expect_int(info.held, 0);
	expect_int(info.returned, 0);
	expect_int(info.sent, 0);
	expect_int(info.senders, 0);
	expect_int(info.receivers, 0);
	expect_int(info.lanes, 0);
	expect_int(info.sleeping, 0);
	expect_int(info.broken, 0);
	expect(info.memory > 0 && info.memory <= 64 << 10);
}

static void
counts_follow_what_happens(void)
{
	cubby_mailbox *one, *other, *receiver;
	cubby_message *message;
	struct cubby_info info;

	receiver = open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE, NULL);
	one = open_mailbox("m", CUBBY_SEND, NULL);
	other = open_mailbox("m", BOTH, NULL);
	for (int i = 0; i < 7; i++)
		send_number(one, i);
	for (int i = 0; i < 3; i++)
		send_number(other, i);
	info = inspect("m");
	expect_int(info.senders, 2);
	expect_int(info.receivers, 2);
	expect_int(info.lanes, 2);
	expect_int(info.waiting, 10);
	expect_int(info.fullest, 7);
	expect_int(info.sent, 10);
	expect_ok(cubby_hold(receiver, NULL, CUBBY_NOW, &message));
	receive_number(receiver);
	info = inspect("m");
	expect_int(info.waiting, 8);
	expect_int(info.held, 1);
	expect_int(info.sent, 10);
	expect_ok(cubby_reject(message));
	info = inspect("m");
	expect_int(info.held, 0);
	expect_int(info.returned, 1);
	cubby_close(one);
	info = inspect("m");
	expect_int(info.senders, 1);
	expect_int(info.lanes, 2);
	expect_int(info.sent, 10);
	for (int i = 0; i < 9; i++)
		receive_number(receiver);
	expect_empty(receiver);
	info = inspect("m");
	expect_int(info.waiting + info.held + info.returned, 0);
	cubby_close(other);
	cubby_close(receiver);
	info = inspect("m");
	expect_int(info.senders, 0);
	expect_int(info.receivers, 0);
}

static void
sleepers_are_counted(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | CUBBY_SEND,
					      NULL);
	struct child children[3];

	for (int i = 0; i < 3; i++) {
		in_child(&children[i])
			receive_number(open_mailbox("m", CUBBY_RECEIVE, NULL));
		child_wait_asleep(&children[i]);
	}
	/* One may be having a look just now. */
	while (inspect("m").sleeping != 3)
		sched_yield();
	expect_int(inspect("m").receivers, 3);
	for (int i = 0; i < 3; i++)
		send_number(mailbox, i);
	for (int i = 0; i < 3; i++)
		child_finish(&children[i]);
	expect_int(inspect("m").sleeping, 0);
	expect_int(inspect("m").receivers, 0);
	cubby_close(mailbox);
}

static void
the_dead_are_not_counted(void)
{
	struct gate opened = gate_make();
	struct child child;

	cubby_close(open_mailbox("m", CUBBY_CREATE, NULL));
	in_child(&child) {
		cubby_mailbox *own = open_mailbox("m", BOTH, NULL);

		send_text(own, "left");
		gate_open(&opened);
		pause();
	}
	gate_wait(&opened);
	expect_int(inspect("m").senders, 1);
	expect_int(inspect("m").receivers, 1);
	child_kill_to_zombie(&child);
	expect_int(inspect("m").senders, 0);
	expect_int(inspect("m").receivers, 0);
	expect_int(inspect("m").waiting, 1);
	child_reap(&child);
}

static void
memory_is_that_of_the_backlog(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	static char data[1 << 20];
	uint64_t before = inspect("m").memory;

	for (int i = 0; i < 5; i++)
		expect_ok(cubby_send(mailbox, data, sizeof(data)));
	expect(inspect("m").memory >= before + (5 << 20));
	expect(inspect("m").memory <= before + (12 << 20));
	cubby_close(mailbox);
}

/* Nobody notices: no file is written, nobody woken, nothing changed. */
static void
inspecting_changes_nothing(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	struct cubby_info first, again;
	size_t files = count_files();

	send_text(mailbox, "x");
	first = inspect("m");
	for (int i = 0; i < 100; i++) {
		again = inspect("m");
		expect(memcmp(&first, &again, sizeof(first)) == 0);
	}
	expect_int(count_files(), files);
	expect_text(mailbox, "x");
	expect_empty(mailbox);
	cubby_close(mailbox);
}

/* What a sweep has given back is not taken again by looking. */
static void
inspecting_takes_no_memory(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	cubby_mailbox *mailbox;
	struct cubby_info first;

	options.capacity = 4096;
	mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, &options);
	for (uint64_t n = 0; n < 4000; n++)
		send_number(mailbox, n);
	for (uint64_t n = 0; n < 4000; n++)
		expect_number(mailbox, n);
	cubby_close(mailbox);
	expect_ok(cubby_sweep("m", NULL));
	first = inspect("m");
	expect_int(first.waiting, 0);
	expect_int(first.sent, 4000);
	expect(first.memory == inspect("m").memory);
}

/* And while others are busy, it is neither refused nor absurd. */
static void
a_busy_mailbox_is_inspected(void)
{
	cubby_mailbox *keeper = open_mailbox("m", CUBBY_CREATE, NULL);
	struct child sender, receiver;

	in_child(&sender) {
		cubby_mailbox *own = open_mailbox("m", CUBBY_SEND, NULL);

		for (uint64_t n = 0;; n++)
			expect_ok(cubby_send(own, &n, sizeof(n)));
	}
	in_child(&receiver) {
		cubby_mailbox *own = open_mailbox("m", CUBBY_RECEIVE, NULL);

		for (uint64_t n = 0;; n++)
			expect_number(own, n);
	}
	for (int i = 0; i < MANY(1000); i++) {
		struct cubby_info info = inspect("m");

		expect(info.senders <= 1 && info.receivers <= 1);
		/* The head and the sender are read at different moments. */
		expect(info.waiting <= info.capacity);
		expect(info.fullest <= info.capacity);
		expect(info.held <= 64 && info.broken == 0);
	}
	child_kill(&sender);
	child_kill(&receiver);
	cubby_close(keeper);
}

static void
errors_are_told(void)
{
	struct cubby_info info = CUBBY_INFO_INIT, before;

	memset(&info, 0x55, sizeof(info));
	info.struct_size = sizeof(info);
	before = info;
	expect_result(cubby_inspect("none", &info), -ENOENT);
	info.struct_size = before.struct_size = 0;
	cubby_close(open_mailbox("m", CUBBY_CREATE, NULL));
	expect_result(cubby_inspect("m", &info), -EINVAL);
	expect(memcmp(&info, &before, sizeof(info)) == 0);
	expect_result(cubby_inspect("m", NULL), -EINVAL);
}

static void
a_shorter_info_is_filled_as_far_as_it_goes(void)
{
	struct cubby_info info = CUBBY_INFO_INIT;

	cubby_close(open_mailbox("m", CUBBY_CREATE, NULL));
	info.struct_size = offsetof(struct cubby_info, memory);
	info.memory = info.broken = 99;
	expect_ok(cubby_inspect("m", &info));
	expect_int(info.capacity, 128);
	expect_int(info.memory, 99);
	expect_int(info.broken, 99);
}

/* Senders ---------------------------------------------------------------- */

struct seen {
	struct cubby_sender_info senders[8];
	int count;
	int stop_after;
};

static int
note_sender(const struct cubby_sender_info *sender, void *context)
{
	struct seen *seen = context;

	expect(seen->count < (int)COUNT_OF(seen->senders));
	expect_int(sender->struct_size, sizeof(*sender));
	seen->senders[seen->count++] = *sender;
	return seen->count == seen->stop_after ? 42 : 0;
}

static const struct cubby_sender_info *
find_sender(const struct seen *seen, uint64_t sender)
{
	for (int i = 0; i < seen->count; i++)
		if (seen->senders[i].sender == sender)
			return &seen->senders[i];
	fail_at(__FILE__, __LINE__, "no sender %llu", (long long)sender);
}

static void
senders_are_told_one_by_one(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	struct cubby_envelope unnamed = CUBBY_ENVELOPE_INIT, named = unnamed;
	const struct cubby_sender_info *sender;
	cubby_mailbox *one, *other;
	struct seen seen = { .count = 0 };

	one = open_mailbox("m", CUBBY_CREATE | CUBBY_SEND, NULL);
	options.sender = "Ada";
	other = open_mailbox("m", CUBBY_SEND, &options);
	for (int i = 0; i < 3; i++)
		expect_ok(cubby_send_full(one, "x", 1, &unnamed, 0, CUBBY_NOW));
	for (int i = 0; i < 5; i++)
		expect_ok(cubby_send_full(other, "x", 1, &named, 0, CUBBY_NOW));
	cubby_close(other);
	expect_ok(cubby_inspect_senders("m", note_sender, &seen));
	expect_int(seen.count, 2);
	sender = find_sender(&seen, unnamed.sender);
	expect(strcmp(sender->name, "") == 0);
	expect_int(sender->uid, geteuid());
	expect_int(sender->pid, getpid());
	expect_int(sender->attached, 1);
	expect_int(sender->broken, 0);
	expect_int(sender->waiting, 3);
	expect(sender->sequence == unnamed.sequence);
	expect(sender->memory > 0);
	sender = find_sender(&seen, named.sender);
	expect(strcmp(sender->name, "Ada") == 0);
	expect_int(sender->pid, 0);
	expect_int(sender->attached, 0);
	expect_int(sender->waiting, 5);
	expect(sender->sequence == named.sequence);
	cubby_close(one);
}

static void
the_visit_ends_when_the_visitor_says_so(void)
{
	cubby_mailbox *senders[3];
	struct seen seen = { .stop_after = 2 };

	for (int i = 0; i < 3; i++)
		senders[i] = open_mailbox("m", CUBBY_CREATE | CUBBY_SEND, NULL);
	expect_int(cubby_inspect_senders("m", note_sender, &seen), 42);
	expect_int(seen.count, 2);
	for (int i = 0; i < 3; i++)
		cubby_close(senders[i]);
	expect_result(cubby_inspect_senders("none", note_sender, &seen),
		      -ENOENT);
	expect_result(cubby_inspect_senders("", note_sender, &seen), -EINVAL);
	expect_result(cubby_inspect_senders("m", NULL, &seen), -EINVAL);
}

static const struct test tests[] = {
	TEST(attributes_are_told),
	TEST(a_new_mailbox_is_empty),
	TEST(counts_follow_what_happens),
	TEST(sleepers_are_counted),
	TEST(the_dead_are_not_counted),
	TEST(memory_is_that_of_the_backlog),
	TEST(inspecting_changes_nothing),
	TEST(inspecting_takes_no_memory),
	TEST(a_busy_mailbox_is_inspected),
	TEST(errors_are_told),
	TEST(a_shorter_info_is_filled_as_far_as_it_goes),
	TEST(senders_are_told_one_by_one),
	TEST(the_visit_ends_when_the_visitor_says_so),
};

int
main(void)
{
	return RUN_TESTS("inspect", tests);
}
