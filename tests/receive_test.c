/* SPDX-License-Identifier: MIT */
/* Test: orders. */
/* cubby_receive(), cubby_receive_full(). */
#include "support/support.h"

#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)
#define MSEC INT64_C(1000000)

static cubby_mailbox *
open_both(void)
{
	return open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
}

static int
receive_from(cubby_mailbox *mailbox, uint64_t sender, int flags, char *ret)
{
	struct cubby_filter filter = CUBBY_FILTER_INIT;

	filter.sender = sender;
	return cubby_receive_full(mailbox, &filter, flags, CUBBY_NOW, ret, 1,
				  NULL, NULL);
}

/* Which sender of the mailbox that handle is. Sends a message to learn it. */
static uint64_t
send_and_tell(cubby_mailbox *mailbox, const char *letter)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;

	expect_ok(cubby_send_full(mailbox, letter, 1, &envelope, 0, CUBBY_NOW));
	return envelope.sender;
}

static void
an_empty_mailbox_has_nothing(void)
{
	cubby_mailbox *mailbox = open_both();
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT, before = envelope;
	char buffer[8] = "before";
	size_t size = 77;
	int64_t deadline = cubby_deadline_after(30 * MSEC);

	expect_result(cubby_receive_full(mailbox, NULL, 0, CUBBY_NOW, buffer,
					 sizeof(buffer), &size, &envelope),
		      -EAGAIN);
	expect_result(cubby_receive_full(mailbox, NULL, 0, 1, buffer,
					 sizeof(buffer), &size, &envelope),
		      -ETIMEDOUT);
	/* The longest ago that can be told. */
	expect_result(cubby_receive_full(mailbox, NULL, 0, INT64_MIN, buffer,
					 sizeof(buffer), &size, &envelope),
		      -ETIMEDOUT);
	expect_result(cubby_receive_full(mailbox, NULL, 0, deadline, buffer,
					 sizeof(buffer), &size, &envelope),
		      -ETIMEDOUT);
	expect(cubby_deadline_after(0) >= deadline);
	expect_int(size, 77);
	expect(strcmp(buffer, "before") == 0);
	expect(memcmp(&envelope, &before, sizeof(before)) == 0);
	cubby_close(mailbox);
}

static void
a_receiver_waits_for_a_message(void)
{
	struct child child;
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | CUBBY_SEND,
					      NULL);

	for (int plain = 0; plain < 2; plain++) {
		in_child(&child) {
			cubby_mailbox *own = open_mailbox("m", CUBBY_RECEIVE,
							  NULL);
			char buffer[8];
			size_t size;

			if (plain)
				expect_ok(cubby_receive(own, buffer,
							sizeof(buffer), &size));
			else
				expect_text(own, "late");
		}
		child_wait_asleep(&child);
		send_text(mailbox, "late");
		child_finish(&child);
	}
	cubby_close(mailbox);
}

/* A lane that did not exist when the receiver went to sleep. */
static void
a_receiver_waits_for_a_sender(void)
{
	struct child child;
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE, NULL);

	in_child(&child) {
		expect_text(open_mailbox("m", CUBBY_RECEIVE, NULL), "new");
	}
	child_wait_asleep(&child);
	cubby_close(mailbox);
	mailbox = open_mailbox("m", CUBBY_SEND, NULL);
	send_text(mailbox, "new");
	child_finish(&child);
	cubby_close(mailbox);
}

static void
a_buffer_too_small_leaves_the_message(void)
{
	static const size_t sizes[] = { 1, 8, 40, 100, 104, 105, 500, 100000 };
	cubby_mailbox *mailbox = open_both();
	static char data[100000], buffer[100000];

	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
		size_t size = 0;

		pattern_fill(data, sizes[i], i);
		memset(buffer, 'b', sizeof(buffer));
		expect_ok(cubby_send(mailbox, data, sizes[i]));
		expect_result(cubby_receive_full(mailbox, NULL, 0, CUBBY_NOW,
						 buffer, sizes[i] - 1, &size,
						 &envelope),
			      -EMSGSIZE);
		expect_int(size, sizes[i]);
		expect_int(envelope.size, 0);
		expect_result(cubby_receive(mailbox, buffer, 0, NULL),
			      -EMSGSIZE);
		expect_result(cubby_receive_full(mailbox, NULL, CUBBY_PEEK,
						 CUBBY_NOW, buffer,
						 sizes[i] - 1, &size, NULL),
			      -EMSGSIZE);
		/* What is beyond the buffer is not written to in any case. */
		expect(buffer[sizes[i] - 1] == 'b');
		expect_int(inspect("m").waiting, 1);
		expect_ok(cubby_receive_full(mailbox, NULL, 0, CUBBY_NOW,
					     buffer, sizes[i], &size,
					     &envelope));
		expect_bytes(buffer, size, data, sizes[i]);
		expect_int(envelope.deliveries, 1);
	}
	expect_empty(mailbox);
	cubby_close(mailbox);
}

static void
a_message_too_large_keeps_its_place(void)
{
	cubby_mailbox *mailbox = open_both();
	char buffer[4];
	size_t size = 0;

	send_text(mailbox, "first");
	send_text(mailbox, "2nd");
	expect_result(cubby_receive(mailbox, buffer, sizeof(buffer), &size),
		      -EMSGSIZE);
	expect_int(size, 5);
	expect_text(mailbox, "first");
	expect_text(mailbox, "2nd");
	cubby_close(mailbox);
}

static void
a_peek_lets_the_message_stay(void)
{
	cubby_mailbox *mailbox = open_both();
	char buffer[8];
	size_t size;

	expect_result(cubby_receive_full(mailbox, NULL, CUBBY_PEEK, CUBBY_NOW,
					 buffer, sizeof(buffer), &size, NULL),
		      -EAGAIN);
	send_text(mailbox, "first");
	send_text(mailbox, "second");
	for (int i = 0; i < 5; i++) {
		struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;

		expect_ok(cubby_receive_full(mailbox, NULL, CUBBY_PEEK,
					     CUBBY_NOW, buffer, sizeof(buffer),
					     &size, &envelope));
		expect_bytes(buffer, size, "first", 5);
		expect_int(envelope.deliveries, 1);
		expect_int(inspect("m").waiting, 2);
	}
	expect_text(mailbox, "first");
	expect_text(mailbox, "second");
	expect_result(cubby_receive_full(mailbox, NULL, CUBBY_PEEK, CUBBY_NOW,
					 buffer, sizeof(buffer), &size, NULL),
		      -EAGAIN);
	cubby_close(mailbox);
}

static void
a_peek_at_a_large_message(void)
{
	cubby_mailbox *mailbox = open_both();
	static char data[200000], buffer[200000];
	size_t size;

	pattern_fill(data, sizeof(data), 3);
	expect_ok(cubby_send(mailbox, data, sizeof(data)));
	for (int peek = 1; peek >= 0; peek--) {
		memset(buffer, 0, sizeof(buffer));
		expect_ok(cubby_receive_full(
			mailbox, NULL, peek ? CUBBY_PEEK : 0, CUBBY_NOW, buffer,
			sizeof(buffer), &size, NULL));
		expect_bytes(buffer, size, data, sizeof(data));
	}
	expect_empty(mailbox);
	cubby_close(mailbox);
}

static void
a_peek_waits_as_a_receive_does(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	struct child child;

	in_child(&child) {
		cubby_mailbox *own = open_mailbox("m", CUBBY_RECEIVE, NULL);
		char buffer[8];
		size_t size;

		expect_ok(cubby_receive_full(own, NULL, CUBBY_PEEK, soon(),
					     buffer, sizeof(buffer), &size,
					     NULL));
		expect_bytes(buffer, size, "look", 4);
	}
	child_wait_asleep(&child);
	send_text(mailbox, "look");
	child_finish(&child);
	expect_text(mailbox, "look");
	cubby_close(mailbox);
}

static void
one_sender_is_chosen(void)
{
	cubby_mailbox *mailbox = open_both();
	cubby_mailbox *other = open_mailbox("m", CUBBY_SEND, NULL);
	uint64_t a, b;
	char letter = '-';

	a = send_and_tell(mailbox, "a");
	b = send_and_tell(other, "b");
	expect(a != b);
	expect_int(send_and_tell(mailbox, "c"), a);
	expect_int(send_and_tell(other, "d"), b);
	expect_ok(receive_from(mailbox, b, CUBBY_PEEK, &letter));
	expect_int(letter, 'b');
	expect_ok(receive_from(mailbox, b, 0, &letter));
	expect_int(letter, 'b');
	expect_ok(receive_from(mailbox, b, 0, &letter));
	expect_int(letter, 'd');
	expect_result(receive_from(mailbox, b, 0, &letter), -EAGAIN);
	expect_result(receive_from(mailbox, b, CUBBY_PEEK, &letter), -EAGAIN);
	expect_ok(receive_from(mailbox, a, 0, &letter));
	expect_int(letter, 'a');
	expect_ok(receive_from(mailbox, 0, 0, &letter));
	expect_int(letter, 'c');
	expect_empty(mailbox);
	cubby_close(mailbox);
	cubby_close(other);
}

static void
a_sender_that_there_is_not_sends_nothing(void)
{
	cubby_mailbox *mailbox = open_both();
	uint64_t sender = send_and_tell(mailbox, "a");
	struct cubby_filter filter = CUBBY_FILTER_INIT;
	char letter;

	expect_result(receive_from(mailbox, sender + 1, 0, &letter), -EAGAIN);
	expect_result(receive_from(mailbox, UINT64_MAX, 0, &letter), -EAGAIN);
	filter.sender = sender + 1;
	expect_result(cubby_receive_full(mailbox, &filter, 0,
					 cubby_deadline_after(5 * MSEC),
					 &letter, 1, NULL, NULL),
		      -ETIMEDOUT);
	expect_text(mailbox, "a");
	cubby_close(mailbox);
}

/* Others' messages must not end the wait, nor be lost. */
static void
waiting_for_one_sender(void)
{
	cubby_mailbox *mailbox = open_both();
	cubby_mailbox *other = open_mailbox("m", CUBBY_SEND, NULL);
	struct cubby_filter filter = CUBBY_FILTER_INIT;
	struct child child;
	char letter;

	filter.sender = send_and_tell(other, "0");
	expect_text(mailbox, "0");
	in_child(&child) {
		cubby_mailbox *own = open_mailbox("m", CUBBY_RECEIVE, NULL);

		expect_ok(cubby_receive_full(own, &filter, 0, soon(), &letter,
					     1, NULL, NULL));
		expect_int(letter, 'b');
	}
	child_wait_asleep(&child);
	send_text(mailbox, "a");
	child_wait_asleep(&child);
	send_text(other, "b");
	child_finish(&child);
	expect_text(mailbox, "a");
	expect_empty(mailbox);
	cubby_close(mailbox);
	cubby_close(other);
}

static void
arguments_that_make_no_sense_are_refused(void)
{
	cubby_mailbox *mailbox = open_both();
	struct cubby_filter filter = CUBBY_FILTER_INIT;
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	char buffer[8];

	send_text(mailbox, "stays");
	filter.struct_size = 0;
	expect_result(cubby_receive_full(mailbox, &filter, 0, CUBBY_NOW, buffer,
					 8, NULL, NULL),
		      -EINVAL);
	filter.struct_size = 4097;
	expect_result(cubby_receive_full(mailbox, &filter, 0, CUBBY_NOW, buffer,
					 8, NULL, NULL),
		      -EINVAL);
	envelope.struct_size = 0;
	expect_result(cubby_receive_full(mailbox, NULL, 0, CUBBY_NOW, buffer, 8,
					 NULL, &envelope),
		      -EINVAL);
	expect_result(cubby_receive_full(mailbox, NULL, CUBBY_SYNCHRONOUS,
					 CUBBY_NOW, buffer, 8, NULL, NULL),
		      -EINVAL);
	expect_result(cubby_receive_full(mailbox, NULL, 1 << 20, CUBBY_NOW,
					 buffer, 8, NULL, NULL),
		      -EINVAL);
	expect_result(cubby_receive_full(mailbox, NULL, 0, CUBBY_NOW, NULL, 8,
					 NULL, NULL),
		      -EINVAL);
	expect_text(mailbox, "stays");
	cubby_close(mailbox);
}

static void
who_may_not_receive_is_told(void)
{
	static const int roles[] = { 0, CUBBY_SEND };
	char buffer[8];

	for (size_t i = 0; i < COUNT_OF(roles); i++) {
		cubby_mailbox *mailbox =
			open_mailbox("m", CUBBY_CREATE | roles[i], NULL);
		cubby_message *message;

		expect_result(cubby_receive(mailbox, buffer, sizeof(buffer),
					    NULL),
			      -EBADF);
		expect_result(cubby_receive_full(mailbox, NULL, 0, CUBBY_NOW,
						 buffer, sizeof(buffer), NULL,
						 NULL),
			      -EBADF);
		expect_result(cubby_hold(mailbox, NULL, CUBBY_NOW, &message),
			      -EBADF);
		cubby_close(mailbox);
	}
}

/* An envelope of an earlier header is filled as far as it goes. */
static void
a_shorter_envelope_is_filled_as_far_as_it_goes(void)
{
	cubby_mailbox *mailbox = open_both();
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	char buffer[8];

	send_text(mailbox, "x");
	envelope.struct_size = offsetof(struct cubby_envelope, missed);
	envelope.missed = 99;
	expect_ok(cubby_receive_full(mailbox, NULL, 0, CUBBY_NOW, buffer, 8,
				     NULL, &envelope));
	expect_int(envelope.missed, 99);
	expect_int(envelope.size, 1);
	expect_int(envelope.struct_size,
		   offsetof(struct cubby_envelope, missed));
	cubby_close(mailbox);
}

static const struct test tests[] = {
	TEST(an_empty_mailbox_has_nothing),
	TEST(a_receiver_waits_for_a_message),
	TEST(a_receiver_waits_for_a_sender),
	TEST(a_buffer_too_small_leaves_the_message),
	TEST(a_message_too_large_keeps_its_place),
	TEST(a_peek_lets_the_message_stay),
	TEST(a_peek_at_a_large_message),
	TEST(a_peek_waits_as_a_receive_does),
	TEST(one_sender_is_chosen),
	TEST(a_sender_that_there_is_not_sends_nothing),
	TEST(waiting_for_one_sender),
	TEST(arguments_that_make_no_sense_are_refused),
	TEST(who_may_not_receive_is_told),
	TEST(a_shorter_envelope_is_filled_as_far_as_it_goes),
};

int
main(void)
{
	return RUN_TESTS("receive", tests);
}
