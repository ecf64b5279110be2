/* SPDX-License-Identifier: MIT */
/* Test: orders, timeout 120. */
/* cubby_hold(), cubby_release(), cubby_reject(): messages read in place, and
   given back. */
#include "support/support.h"
#include <pthread.h>
#include <sched.h>

#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)
#define MSEC INT64_C(1000000)

static cubby_mailbox *
open_both(void)
{
	return open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
}

static cubby_message *
hold_text(cubby_mailbox *mailbox, const char *text, unsigned int deliveries)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	cubby_message *message = NULL;

	expect_ok(cubby_hold(mailbox, NULL, soon(), &message));
	expect(message != NULL);
	expect_bytes(cubby_message_data(message), cubby_message_size(message),
		     text, strlen(text));
	expect_ok(cubby_message_envelope(message, &envelope));
	expect_int(envelope.deliveries, deliveries);
	expect_int(envelope.size, strlen(text));
	return message;
}

static void
a_held_message_is_nobody_elses(void)
{
	cubby_mailbox *mailbox = open_both();
	cubby_mailbox *other = open_mailbox("m", CUBBY_RECEIVE, NULL);
	cubby_message *message;
	struct cubby_info info;

	send_text(mailbox, "held");
	message = hold_text(mailbox, "held", 1);
	expect_empty(mailbox);
	expect_empty(other);
	info = inspect("m");
	expect_int(info.waiting, 0);
	expect_int(info.held, 1);
	expect_ok(cubby_release(message));
	expect_empty(mailbox);
	expect_empty(other);
	expect_int(inspect("m").held, 0);
	cubby_close(mailbox);
	cubby_close(other);
}

static void
messages_of_every_size_are_held(void)
{
	static const size_t sizes[] = { 0, 1, 8, 40, 41, 104, 105, 1 << 20 };
	cubby_mailbox *mailbox = open_both();
	static char data[1 << 20];

	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		struct cubby_envelope sent = CUBBY_ENVELOPE_INIT;
		struct cubby_envelope got = CUBBY_ENVELOPE_INIT;
		cubby_message *message;

		sent.tag = ~i;
		sent.type = INT64_C(1) << (i * 7);
		pattern_fill(data, sizes[i], i);
		expect_ok(cubby_send_full(mailbox, data, sizes[i], &sent, 0,
					  CUBBY_NOW));
		expect_ok(cubby_hold(mailbox, NULL, CUBBY_NOW, &message));
		expect_bytes(cubby_message_data(message),
			     cubby_message_size(message), data, sizes[i]);
		expect_ok(cubby_message_envelope(message, &got));
		expect(got.tag == ~i);
		expect_int(got.type, INT64_C(1) << (i * 7));
		expect(got.sequence == sent.sequence);
		expect(got.sender == sent.sender);
		expect_int(got.uid, geteuid());
		expect_int(got.size, sizes[i]);
		expect_int(got.deliveries, 1);
		got.struct_size = 0;
		expect_result(cubby_message_envelope(message, &got), -EINVAL);
		expect_result(cubby_message_envelope(message, NULL), -EINVAL);
		expect_ok(cubby_release(message));
	}
	cubby_close(mailbox);
}

static void
several_are_held_and_ended_in_any_order(void)
{
	static const int order[] = { 3, 0, 7, 1, 9, 8, 2, 4, 6, 5 };
	cubby_mailbox *mailbox = open_both();
	cubby_message *messages[10];
	char text[32];

	for (int i = 0; i < 10; i++) {
		snprintf(text, sizeof(text), "message %d", i);
		send_text(mailbox, text);
		messages[i] = hold_text(mailbox, text, 1);
	}
	expect_int(inspect("m").held, 10);
	for (int i = 0; i < 10; i++) {
		snprintf(text, sizeof(text), "message %d", order[i]);
		expect_bytes(cubby_message_data(messages[order[i]]), 9, text,
			     9);
		expect_ok(cubby_release(messages[order[i]]));
		expect_int(inspect("m").held, 9 - i);
	}
	expect_empty(mailbox);
	cubby_close(mailbox);
}

/* The cell, or the block, must not be used again while it is held. */
static void
a_held_message_does_not_change(void)
{
	static const size_t sizes[] = { 20, 100, 1000, 30000 };
	cubby_mailbox *mailbox = open_both();
	cubby_message *messages[COUNT_OF(sizes)];
	static char data[30000], buffer[30000];

	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		pattern_fill(data, sizes[i], i);
		expect_ok(cubby_send(mailbox, data, sizes[i]));
		expect_ok(cubby_hold(mailbox, NULL, CUBBY_NOW, &messages[i]));
	}
	for (size_t i = 0; i < 2000; i++) {
		size_t size = sizes[i % COUNT_OF(sizes)];

		memset(data, (int)i, size);
		expect_ok(cubby_send_full(mailbox, data, size, NULL, 0,
					  CUBBY_NOW));
		expect_ok(cubby_receive(mailbox, buffer, sizeof(buffer), NULL));
	}
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		expect_int(cubby_message_size(messages[i]), sizes[i]);
		expect(pattern_holds(cubby_message_data(messages[i]), sizes[i],
				     i));
		expect_ok(cubby_release(messages[i]));
	}
	cubby_close(mailbox);
}

/* Small ones need no cell while they are held. */
static void
a_long_hold_does_not_stop_the_lane(void)
{
	cubby_mailbox *mailbox = open_both();
	cubby_message *message;

	send_text(mailbox, "held");
	message = hold_text(mailbox, "held", 1);
	expect_int(fill_mailbox(mailbox), 128);
	for (uint64_t i = 0; i < 128; i++)
		expect_number(mailbox, i);
	expect_ok(cubby_release(message));
	cubby_close(mailbox);
}

/* Giving back ------------------------------------------------------------ */

static void
a_rejected_message_comes_first_and_is_counted(void)
{
	cubby_mailbox *mailbox = open_both();
	cubby_message *message;

	send_text(mailbox, "first");
	send_text(mailbox, "second");
	for (unsigned int i = 1; i <= 5; i++) {
		struct cubby_info info;

		message = hold_text(mailbox, "first", i);
		expect_ok(cubby_reject(message));
		info = inspect("m");
		expect_int(info.held, 0);
		expect_int(info.returned, 1);
	}
	expect_text(mailbox, "first");
	expect_text(mailbox, "second");
	expect_empty(mailbox);
	expect_int(inspect("m").returned, 0);
	cubby_close(mailbox);
}

static void
a_rejected_message_goes_to_another_receiver(void)
{
	cubby_mailbox *mailbox = open_both();
	cubby_mailbox *other = open_mailbox("m", CUBBY_RECEIVE, NULL);
	static char data[5000], buffer[5000];
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	cubby_message *message;
	size_t size;

	for (size_t i = 0; i < 2; i++) {
		size_t length = i ? sizeof(data) : 30;

		pattern_fill(data, length, i);
		expect_ok(cubby_send(mailbox, data, length));
		expect_ok(cubby_hold(mailbox, NULL, CUBBY_NOW, &message));
		expect_ok(cubby_reject(message));
		expect_ok(cubby_receive_full(other, NULL, CUBBY_PEEK, CUBBY_NOW,
					     buffer, sizeof(buffer), &size,
					     &envelope));
		expect_bytes(buffer, size, data, length);
		expect_int(envelope.deliveries, 2);
		expect_result(cubby_receive_full(other, NULL, 0, CUBBY_NOW,
						 buffer, 29, &size, NULL),
			      -EMSGSIZE);
		expect_int(size, length);
		expect_ok(cubby_receive_full(other, NULL, 0, CUBBY_NOW, buffer,
					     sizeof(buffer), &size, &envelope));
		expect_bytes(buffer, size, data, length);
		expect_int(envelope.deliveries, 2);
		expect_empty(other);
		expect_empty(mailbox);
	}
	cubby_close(mailbox);
	cubby_close(other);
}

static void
of_several_rejected_all_come_before_the_rest(void)
{
	cubby_mailbox *mailbox = open_both();
	cubby_message *messages[4];
	bool came[4] = { false };

	for (uint64_t i = 0; i < 8; i++)
		send_number(mailbox, i);
	for (int i = 0; i < 4; i++)
		expect_ok(cubby_hold(mailbox, NULL, CUBBY_NOW, &messages[i]));
	expect_ok(cubby_reject(messages[2]));
	expect_ok(cubby_reject(messages[0]));
	expect_ok(cubby_reject(messages[3]));
	expect_ok(cubby_reject(messages[1]));
	for (int i = 0; i < 4; i++) {
		uint64_t number = receive_number(mailbox);

		expect(number < 4 && !came[number]);
		came[number] = true;
	}
	for (uint64_t i = 4; i < 8; i++)
		expect_number(mailbox, i);
	expect_empty(mailbox);
	cubby_close(mailbox);
}

static void
a_returned_message_wakes_a_sleeper(void)
{
	cubby_mailbox *mailbox = open_both();
	cubby_message *message;
	struct child child;

	send_text(mailbox, "back");
	message = hold_text(mailbox, "back", 1);
	in_child(&child) {
		cubby_mailbox *own = open_mailbox("m", CUBBY_RECEIVE, NULL);

		expect_ok(cubby_release(hold_text(own, "back", 2)));
	}
	child_wait_asleep(&child);
	expect_ok(cubby_reject(message));
	child_finish(&child);
	cubby_close(mailbox);
}

static void
closing_gives_held_messages_back(void)
{
	cubby_mailbox *mailbox = open_both();
	cubby_mailbox *other = open_mailbox("m", CUBBY_RECEIVE, NULL);

	send_text(mailbox, "one");
	send_text(mailbox, "two");
	send_text(mailbox, "three");
	hold_text(other, "one", 1);
	expect_ok(cubby_release(hold_text(other, "two", 1)));
	cubby_close(other);
	expect_ok(cubby_release(hold_text(mailbox, "one", 2)));
	expect_text(mailbox, "three");
	expect_empty(mailbox);
	cubby_close(mailbox);
}

/* All handles are closed: it is in the mailbox, not with anybody. */
static void
a_returned_message_stays_when_all_have_gone(void)
{
	cubby_mailbox *mailbox = open_both();

	send_text(mailbox, "one");
	send_text(mailbox, "two");
	hold_text(mailbox, "one", 1);
	cubby_close(mailbox);
	mailbox = open_both();
	expect_ok(cubby_release(hold_text(mailbox, "one", 2)));
	expect_text(mailbox, "two");
	expect_empty(mailbox);
	cubby_close(mailbox);
}

static void
a_killed_holders_messages_go_back(void)
{
	cubby_mailbox *sender = open_mailbox("m", CUBBY_CREATE | CUBBY_SEND,
					     NULL);
	struct gate held = gate_make();
	cubby_mailbox *receiver;
	struct child child;

	send_text(sender, "one");
	send_text(sender, "two");
	for (unsigned int i = 1; i < 4; i++) {
		in_child(&child) {
			hold_text(open_mailbox("m", CUBBY_RECEIVE, NULL), "one",
				  i);
			gate_open(&held);
			pause();
		}
		gate_wait(&held);
		child_kill(&child);
	}
	receiver = open_mailbox("m", CUBBY_RECEIVE, NULL);
	expect_ok(cubby_release(hold_text(receiver, "one", 4)));
	expect_text(receiver, "two");
	expect_empty(receiver);
	cubby_close(sender);
	cubby_close(receiver);
}

/* And the memory of a large one is not used again before. */
static void
a_killed_holders_large_message_goes_back_whole(void)
{
	cubby_mailbox *mailbox = open_both();
	static char data[100000], buffer[100000];
	struct gate held = gate_make();
	struct child child;
	size_t size;

	pattern_fill(data, sizeof(data), 1);
	expect_ok(cubby_send(mailbox, data, sizeof(data)));
	in_child(&child) {
		cubby_mailbox *own = open_mailbox("m", CUBBY_RECEIVE, NULL);
		cubby_message *message;

		expect_ok(cubby_hold(own, NULL, CUBBY_NOW, &message));
		gate_open(&held);
		pause();
	}
	gate_wait(&held);
	child_kill_to_zombie(&child);
	memset(data, 'x', sizeof(data));
	expect_ok(cubby_send(mailbox, data, sizeof(data)));
	/* It goes back ahead of what was sent after it, whenever its holder's
	   death is seen: at the latest when somebody attaches. */
	cubby_close(open_mailbox("m", CUBBY_RECEIVE, NULL));
	expect_ok(cubby_receive_full(mailbox, NULL, 0, soon(), buffer,
				     sizeof(buffer), &size, NULL));
	expect(size == sizeof(data) && pattern_holds(buffer, size, 1));
	expect_ok(cubby_receive_full(mailbox, NULL, 0, soon(), buffer,
				     sizeof(buffer), &size, NULL));
	expect_bytes(buffer, size, data, sizeof(data));
	expect_empty(mailbox);
	child_reap(&child);
	cubby_close(mailbox);
}

/* Found by the sleeper's own look, for nobody wakes it. */
static void
a_sleeping_receiver_gets_what_a_dead_one_held(void)
{
	cubby_mailbox *mailbox = open_both();
	struct gate held = gate_make();
	struct child holder, sleeper;

	send_text(mailbox, "back");
	in_child(&holder) {
		hold_text(open_mailbox("m", CUBBY_RECEIVE, NULL), "back", 1);
		gate_open(&held);
		pause();
	}
	gate_wait(&held);
	in_child(&sleeper)
		hold_text(open_mailbox("m", CUBBY_RECEIVE, NULL), "back", 2);
	child_wait_asleep(&sleeper);
	child_kill(&holder);
	child_finish(&sleeper);
	expect_ok(cubby_release(hold_text(mailbox, "back", 3)));
	cubby_close(mailbox);
}

/* The rest --------------------------------------------------------------- */

static void
waiting_to_hold_ends_at_the_deadline(void)
{
	cubby_mailbox *mailbox = open_both();
	int64_t deadline = cubby_deadline_after(20 * MSEC);
	cubby_message *message = NULL;
	struct cubby_filter filter = CUBBY_FILTER_INIT;

	expect_result(cubby_hold(mailbox, NULL, CUBBY_NOW, &message), -EAGAIN);
	expect_result(cubby_hold(mailbox, NULL, 1, &message), -ETIMEDOUT);
	expect_result(cubby_hold(mailbox, NULL, deadline, &message),
		      -ETIMEDOUT);
	expect(cubby_deadline_after(0) >= deadline);
	filter.struct_size = 1;
	expect_result(cubby_hold(mailbox, &filter, CUBBY_NOW, &message),
		      -EINVAL);
	expect(message == NULL);
	expect_result(cubby_hold(mailbox, NULL, CUBBY_NOW, NULL), -EINVAL);
	cubby_close(mailbox);
}

static void
a_message_of_one_sender_is_held(void)
{
	cubby_mailbox *mailbox = open_both();
	cubby_mailbox *other = open_mailbox("m", CUBBY_SEND, NULL);
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	struct cubby_filter filter = CUBBY_FILTER_INIT;
	cubby_message *message;

	send_text(mailbox, "a");
	expect_ok(cubby_send_full(other, "b", 1, &envelope, 0, CUBBY_NOW));
	filter.sender = envelope.sender;
	for (int i = 0; i < 2; i++) {
		expect_ok(cubby_hold(mailbox, &filter, CUBBY_NOW, &message));
		expect_bytes(cubby_message_data(message),
			     cubby_message_size(message), "b", 1);
		if (i == 0)
			expect_ok(cubby_reject(message));
	}
	expect_ok(cubby_release(message));
	expect_result(cubby_hold(mailbox, &filter, CUBBY_NOW, &message),
		      -EAGAIN);
	expect_text(mailbox, "a");
	cubby_close(mailbox);
	cubby_close(other);
}

/* A returned message of another sender is not the one that is asked for. */
static void
a_returned_message_is_filtered_too(void)
{
	cubby_mailbox *mailbox = open_both();
	cubby_mailbox *other = open_mailbox("m", CUBBY_SEND, NULL);
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	struct cubby_filter filter = CUBBY_FILTER_INIT;
	cubby_message *message;
	char letter;

	send_text(mailbox, "a");
	expect_ok(cubby_reject(hold_text(mailbox, "a", 1)));
	expect_ok(cubby_send_full(other, "b", 1, &envelope, 0, CUBBY_NOW));
	filter.sender = envelope.sender;
	expect_ok(cubby_receive_full(mailbox, &filter, 0, CUBBY_NOW, &letter, 1,
				     NULL, &envelope));
	expect_int(letter, 'b');
	expect_int(envelope.deliveries, 1);
	expect_result(cubby_hold(mailbox, &filter, CUBBY_NOW, &message),
		      -EAGAIN);
	expect_ok(cubby_release(hold_text(mailbox, "a", 2)));
	cubby_close(mailbox);
	cubby_close(other);
}

static void
too_many_holds_are_refused(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	enum { MANY_MESSAGES = 20000 };
	cubby_message **messages = calloc(MANY_MESSAGES, sizeof(*messages));
	cubby_mailbox *mailbox;
	uint64_t count = 0;
	int result = 0;

	need_order_sender();
	expect(messages != NULL);
	options.capacity = MANY_MESSAGES;
	mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, &options);
	expect_int(fill_mailbox(mailbox), MANY_MESSAGES);
	while (count < MANY_MESSAGES &&
	       (result = cubby_hold(mailbox, NULL, CUBBY_NOW,
				    &messages[count])) == 0)
		count++;
	expect_result(result, -ENOSPC);
	expect(count >= 64);
	expect_int(inspect("m").held, count);
	/* One less, and there is one more. */
	expect_ok(cubby_release(messages[0]));
	expect_ok(cubby_hold(mailbox, NULL, CUBBY_NOW, &messages[0]));
	expect(memcmp(cubby_message_data(messages[0]), &count, 8) == 0);
	for (uint64_t i = 0; i < count; i++)
		expect_ok(cubby_release(messages[i]));
	for (uint64_t i = count + 1; i < MANY_MESSAGES; i++)
		expect_number(mailbox, i);
	expect_empty(mailbox);
	free(messages);
	cubby_close(mailbox);
}

static void
a_hold_makes_a_synchronous_sender_go_on(void)
{
	cubby_mailbox *mailbox = open_both();
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	cubby_message *message;

	expect_ok(cubby_send_full(mailbox, "held", 4, &envelope, 0, CUBBY_NOW));
	message = hold_text(mailbox, "held", 1);
	expect_ok(cubby_wait_received(mailbox, envelope.sequence, CUBBY_NOW));
	expect_ok(cubby_release(message));
	cubby_close(mailbox);
}

struct fellow {
	cubby_mailbox *mailbox;
	_Atomic pid_t tid;
};

static void *
send_when_there_is_room(void *context)
{
	struct fellow *fellow = context;

	atomic_store(&fellow->tid, gettid());
	send_text(fellow->mailbox, "sent");
	return NULL;
}

/* A draft has the only place. Its end wakes who waits for one: he looks by
   himself as well, but not before 50 ms of sleep are over. */
static void
an_abort_lets_a_fellow_thread_send(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	struct fellow fellow = { .mailbox = NULL };
	int woken = 0;

	options.capacity = 1;
	fellow.mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, &options);
	send_text(fellow.mailbox, "first");
	expect_text(fellow.mailbox, "first");
	for (int round = 0; round < 20; round++) {
		cubby_draft *draft;
		pthread_t thread;
		int64_t early;
		pid_t tid;

		atomic_store(&fellow.tid, 0);
		expect_ok(cubby_reserve(fellow.mailbox, 1, CUBBY_NOW, &draft));
		expect_int(pthread_create(&thread, NULL,
					  send_when_there_is_room, &fellow),
			   0);
		while ((tid = atomic_load(&fellow.tid)) == 0)
			sched_yield();
		thread_wait_asleep(tid);
		early = cubby_deadline_after(25 * MSEC);
		cubby_abort(draft);
		expect_int(pthread_join(thread, NULL), 0);
		woken += cubby_deadline_after(1) < early;
		expect_text(fellow.mailbox, "sent");
	}
	/* A machine under load may be late now and then. */
	expect(woken >= 10);
	cubby_close(fellow.mailbox);
}

static const struct test tests[] = {
	TEST(a_held_message_is_nobody_elses),
	TEST(messages_of_every_size_are_held),
	TEST(several_are_held_and_ended_in_any_order),
	TEST(a_held_message_does_not_change),
	TEST(a_long_hold_does_not_stop_the_lane),
	TEST(a_rejected_message_comes_first_and_is_counted),
	TEST(a_rejected_message_goes_to_another_receiver),
	TEST(of_several_rejected_all_come_before_the_rest),
	TEST(a_returned_message_wakes_a_sleeper),
	TEST(closing_gives_held_messages_back),
	TEST(a_returned_message_stays_when_all_have_gone),
	TEST(a_killed_holders_messages_go_back),
	TEST(a_killed_holders_large_message_goes_back_whole),
	TEST(a_sleeping_receiver_gets_what_a_dead_one_held),
	TEST(waiting_to_hold_ends_at_the_deadline),
	TEST(a_message_of_one_sender_is_held),
	TEST(a_returned_message_is_filtered_too),
	TEST(too_many_holds_are_refused),
	TEST(a_hold_makes_a_synchronous_sender_go_on),
	TEST(an_abort_lets_a_fellow_thread_send),
};

int
main(void)
{
	return RUN_TESTS("hold", tests);
}
