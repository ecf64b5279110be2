/* SPDX-License-Identifier: MIT */
/* Test: orders. */
/* cubby_send(), cubby_send_full(), cubby_wait_received(), cubby_published(). */
#include "support/support.h"
#include <time.h>

#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)
#define MSEC INT64_C(1000000)

static int64_t
now(void)
{
	return cubby_deadline_after(0);
}

static cubby_mailbox *
open_with(uint64_t capacity, uint64_t message_max, enum cubby_sizing sizing)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;

	options.capacity = capacity;
	options.message_max = message_max;
	options.sizing = sizing;
	return open_mailbox("m", CUBBY_CREATE | BOTH, &options);
}

static int
send_now(cubby_mailbox *mailbox, const void *data, size_t size)
{
	return cubby_send_full(mailbox, data, size, NULL, 0, CUBBY_NOW);
}

/* Room ------------------------------------------------------------------- */

static void
the_129th_message_waits(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);

	expect_int(fill_mailbox(mailbox), 128);
	expect_int(inspect("m").waiting, 128);
	expect_number(mailbox, 0);
	send_number(mailbox, 128);
	expect_result(send_now(mailbox, "x", 1), -EAGAIN);
	for (uint64_t i = 1; i <= 128; i++)
		expect_number(mailbox, i);
	expect_empty(mailbox);
	cubby_close(mailbox);
}

static void
capacity_is_exact(void)
{
	static const uint64_t capacities[] = { 1, 2, 3, 5, 64, 127, 129, 1000 };

	for (size_t i = 0; i < COUNT_OF(capacities); i++) {
		cubby_mailbox *mailbox = open_with(capacities[i], 0, 0);

		for (int round = 0; round < 3; round++) {
			expect_int(fill_mailbox(mailbox), capacities[i]);
			for (uint64_t n = 0; n < capacities[i]; n++)
				expect_number(mailbox, n);
			expect_empty(mailbox);
		}
		cubby_close(mailbox);
		expect_ok(cubby_unlink("m"));
	}
}

/* What is sent fetches the lines of free cells; none that waits is touched. */
static void
a_full_mailbox_keeps_every_word(void)
{
	uint64_t words[12], there[12];

	for (uint64_t capacity = 1; capacity <= 40; capacity++) {
		struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
		cubby_mailbox *mailbox = open_with(capacity, 0, 0);
		uint64_t sent = 0, received = 0;

		for (uint64_t turn = 0; turn < 3 * capacity; turn++) {
			int r = 0;

			while (r == 0) {
				envelope.tag = ~sent;
				memset(words, (int)sent + 1, sizeof(words));
				r = cubby_send_full(mailbox, words,
						    sizeof(words), &envelope, 0,
						    CUBBY_NOW);
				sent += r == 0;
			}
			expect_int(r, -EAGAIN);
			for (uint64_t i = 0; i <= turn % capacity; i++) {
				memset(words, (int)received + 1, sizeof(words));
				expect_ok(cubby_receive_full(
					mailbox, NULL, 0, CUBBY_NOW, there,
					sizeof(there), NULL, &envelope));
				expect(envelope.tag == ~received++);
				expect(!memcmp(there, words, sizeof(words)));
			}
		}
		cubby_close(mailbox);
		expect_ok(cubby_unlink("m"));
	}
}

static void
each_sender_has_the_capacity(void)
{
	cubby_mailbox *one = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	cubby_mailbox *other = open_mailbox("m", CUBBY_SEND, NULL);

	need_order_sender();
	expect_int(fill_mailbox(one), 128);
	expect_int(fill_mailbox(other), 128);
	cubby_close(one);
	cubby_close(other);
}

static void
a_deadline_ends_the_wait_for_room(void)
{
	cubby_mailbox *mailbox = open_with(1, 0, 0);
	int64_t deadline;

	send_text(mailbox, "first");
	deadline = cubby_deadline_after(30 * MSEC);
	expect_result(cubby_send_full(mailbox, "x", 1, NULL, 0, deadline),
		      -ETIMEDOUT);
	expect(now() >= deadline);
	/* One that has passed: as NOW, but told as what it is. */
	expect_result(cubby_send_full(mailbox, "x", 1, NULL, 0, 1), -ETIMEDOUT);
	expect_text(mailbox, "first");
	expect_empty(mailbox);
	/* With room it does not matter. */
	expect_ok(cubby_send_full(mailbox, "late", 4, NULL, 0, 1));
	expect_text(mailbox, "late");
	cubby_close(mailbox);
}

static void
a_sender_waits_until_there_is_room(void)
{
	cubby_mailbox *mailbox = open_with(1, 0, 0);
	struct child child;

	for (int plain = 0; plain < 2; plain++) {
		in_child(&child) {
			cubby_mailbox *own = open_mailbox("m", CUBBY_SEND,
							  NULL);

			send_text(own, "first");
			if (plain)
				expect_ok(cubby_send(own, "second", 6));
			else
				send_text(own, "second");
		}
		child_wait_asleep(&child);
		expect_text(mailbox, "first");
		expect_text(mailbox, "second");
		child_finish(&child);
	}
	cubby_close(mailbox);
}

/* What is sent ----------------------------------------------------------- */

static void
messages_of_every_size_arrive(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	static char data[1 << 20], buffer[1 << 20];
	size_t got;

	pattern_fill(data, sizeof(data), 7);
	for (size_t size = 0; size <= sizeof(data);
	     size += 1 + size / 300 * 20) {
		expect_ok(cubby_send(mailbox, data, size));
		expect_ok(cubby_receive(mailbox, buffer, sizeof(buffer), &got));
		expect_bytes(buffer, got, data, size);
	}
	expect_ok(cubby_send(mailbox, data, sizeof(data)));
	expect_ok(cubby_receive(mailbox, buffer, sizeof(buffer), &got));
	expect_bytes(buffer, got, data, sizeof(data));
	cubby_close(mailbox);
}

static void
a_message_of_no_bytes_is_a_message(void)
{
	cubby_mailbox *mailbox = open_with(2, 0, 0);
	size_t size = 9;

	expect_ok(cubby_send(mailbox, NULL, 0));
	expect_ok(cubby_send(mailbox, "", 0));
	expect_result(send_now(mailbox, NULL, 0), -EAGAIN);
	expect_int(inspect("m").waiting, 2);
	expect_ok(cubby_receive(mailbox, NULL, 0, &size));
	expect_int(size, 0);
	expect_ok(cubby_receive(mailbox, NULL, 0, NULL));
	expect_empty(mailbox);
	cubby_close(mailbox);
}

static void
one_byte_more_than_the_maximum_is_refused(void)
{
	static const uint64_t sizes[] = { 1, 40, 103, 104, 105, 4096, 100000 };
	static char data[100001];

	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		cubby_mailbox *mailbox = open_with(0, sizes[i], 0);

		expect_ok(send_now(mailbox, data, sizes[i]));
		expect_result(send_now(mailbox, data, sizes[i] + 1), -EMSGSIZE);
		expect_result(cubby_send(mailbox, data, SIZE_MAX), -EMSGSIZE);
		expect_int(inspect("m").sent, 1);
		cubby_close(mailbox);
		expect_ok(cubby_unlink("m"));
	}
}

static void
a_fixed_size_mailbox_refuses_every_other_size(void)
{
	static const uint64_t sizes[] = { 1, 40, 104, 105, 5000 };
	static char data[5001], buffer[5000];
	size_t size;

	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		cubby_mailbox *mailbox = open_with(0, sizes[i], CUBBY_FIXED);

		expect_result(send_now(mailbox, data, sizes[i] - 1), -EMSGSIZE);
		expect_result(send_now(mailbox, data, sizes[i] + 1), -EMSGSIZE);
		expect_result(send_now(mailbox, NULL, 0), -EMSGSIZE);
		expect_ok(send_now(mailbox, data, sizes[i]));
		expect_ok(
			cubby_receive(mailbox, buffer, sizeof(buffer), &size));
		expect_int(size, sizes[i]);
		expect_empty(mailbox);
		cubby_close(mailbox);
		expect_ok(cubby_unlink("m"));
	}
}

/* More bytes than the mailbox's memory, through it in turn. */
static void
memory_is_used_again(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	static char data[30000], buffer[30000];
	cubby_mailbox *mailbox;
	size_t got;

	options.memory_limit = 256 << 10;
	mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, &options);
	for (uint64_t i = 0; i < 200; i++) {
		size_t size = 200 + i * 149 % 29800;

		pattern_fill(data, size, i);
		expect_ok(send_now(mailbox, data, size));
		if (i > 0) {
			expect_ok(cubby_receive(mailbox, buffer, sizeof(buffer),
						&got));
			expect(pattern_holds(buffer, got, i - 1));
		}
	}
	expect(inspect("m").memory <= 512 << 10);
	cubby_close(mailbox);
}

/* Also by one message that is as large as all of the others. */
static void
memory_of_many_messages_serves_a_large_one(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	enum { COUNT = 256, SIZE = 4096 };
	static char data[COUNT * SIZE];
	cubby_mailbox *mailbox;

	options.memory_limit = sizeof(data);
	options.message_max = sizeof(data);
	options.capacity = COUNT;
	mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, &options);
	for (int i = 0; i < COUNT; i++)
		expect_ok(send_now(mailbox, data, SIZE));
	for (int i = 0; i < COUNT; i++)
		expect_ok(cubby_receive(mailbox, data, sizeof(data), NULL));
	expect_ok(send_now(mailbox, data, sizeof(data)));
	expect_ok(cubby_receive(mailbox, data, sizeof(data), NULL));
	cubby_close(mailbox);
}

static void
the_memory_limit_ends_before_the_capacity(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	static char data[20000], buffer[20000];
	cubby_mailbox *mailbox;
	uint64_t sent = 0, received = 0;
	size_t size;
	int result;

	options.memory_limit = 256 << 10;
	mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, &options);
	for (;; sent++) {
		pattern_fill(data, sizeof(data), sent);
		/* It would wait for ever if this were told as full. */
		result = cubby_send(mailbox, data, sizeof(data));
		if (result < 0)
			break;
		expect(sent < 20);
	}
	expect_result(result, -ENOSPC);
	expect(sent > 0);
	expect_result(send_now(mailbox, data, sizeof(data)), -ENOSPC);
	for (; received < sent; received++) {
		expect_ok(
			cubby_receive(mailbox, buffer, sizeof(buffer), &size));
		expect(size == sizeof(data) &&
		       pattern_holds(buffer, size, received));
	}
	expect_empty(mailbox);
	expect_ok(cubby_send(mailbox, data, sizeof(data)));
	cubby_close(mailbox);
}

/* Envelopes -------------------------------------------------------------- */

static void
the_envelope_crosses(void)
{
	static const int64_t types[] = { 0, 1, INT32_MAX, INT64_C(1) << 31,
					 INT64_MAX };
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	static char data[3000], buffer[3000];

	for (size_t i = 0; i < 3 * COUNT_OF(types); i++) {
		struct cubby_envelope sent = CUBBY_ENVELOPE_INIT;
		struct cubby_envelope got = CUBBY_ENVELOPE_INIT;
		size_t size = (size_t[]){ 5, 100, 3000 }[i % 3];

		sent.tag = UINT64_MAX - i;
		sent.type = types[i / 3];
		expect_ok(cubby_send_full(mailbox, data, size, &sent, 0,
					  CUBBY_NOW));
		expect_ok(cubby_receive_full(mailbox, NULL, 0, CUBBY_NOW,
					     buffer, sizeof(buffer), NULL,
					     &got));
		expect(got.tag == UINT64_MAX - i);
		expect_int(got.type, types[i / 3]);
		expect_int(got.priority, 0);
		expect_int(got.uid, geteuid());
		expect(got.sender >= 1 && got.sender == sent.sender);
		expect(got.sequence == sent.sequence);
		expect_int(got.size, size);
		expect_int(got.deliveries, 1);
		expect_int(got.missed, 0);
	}
	cubby_close(mailbox);
}

static void
sequences_count_up_by_one(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	uint64_t sequence, tag, first = 0;

	expect_ok(cubby_published(mailbox, &sequence, &tag));
	expect_int(tag, 0);
	for (uint64_t i = 0; i < 300; i++) {
		struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;

		envelope.tag = 1000 + i;
		expect_ok(cubby_send_full(mailbox, "x", 1, &envelope, 0,
					  CUBBY_NOW));
		first = i == 0 ? envelope.sequence : first;
		expect_int(envelope.sequence - first, i);
		expect_ok(cubby_published(mailbox, &sequence, &tag));
		expect_int(sequence - first, i);
		expect_int(tag, 1000 + i);
		expect_text(mailbox, "x");
	}
	cubby_close(mailbox);
}

static void
an_envelope_is_untouched_when_nothing_is_sent(void)
{
	cubby_mailbox *mailbox = open_with(1, 0, 0);
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT, before;

	send_text(mailbox, "first");
	envelope.tag = 5;
	envelope.sequence = 77;
	envelope.sender = 78;
	before = envelope;
	expect_result(cubby_send_full(mailbox, "x", 1, &envelope, 0, CUBBY_NOW),
		      -EAGAIN);
	expect(memcmp(&before, &envelope, sizeof(before)) == 0);
	cubby_close(mailbox);
}

static void
arguments_that_make_no_sense_are_refused(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;

	envelope.struct_size = 0;
	expect_result(cubby_send_full(mailbox, "x", 1, &envelope, 0, CUBBY_NOW),
		      -EINVAL);
	envelope = (struct cubby_envelope)CUBBY_ENVELOPE_INIT;
	envelope.type = -1;
	expect_result(cubby_send_full(mailbox, "x", 1, &envelope, 0, CUBBY_NOW),
		      -EINVAL);
	envelope.type = 0;
	envelope.priority = -1;
	expect_result(cubby_send_full(mailbox, "x", 1, &envelope, 0, CUBBY_NOW),
		      -EINVAL);
	envelope.priority = 32768;
	expect_result(cubby_send_full(mailbox, "x", 1, &envelope, 0, CUBBY_NOW),
		      -EINVAL);
	envelope.priority = 1;
	if (test_order() != CUBBY_ORDER_PRIORITY)
		expect_result(cubby_send_full(mailbox, "x", 1, &envelope, 0,
					      CUBBY_NOW),
			      -EOPNOTSUPP);
	expect_result(cubby_send_full(mailbox, "x", 1, NULL, CUBBY_PEEK,
				      CUBBY_NOW),
		      -EINVAL);
	expect_result(cubby_send_full(mailbox, "x", 1, NULL, 1 << 20,
				      CUBBY_NOW),
		      -EINVAL);
	expect_result(cubby_send_full(mailbox, NULL, 1, NULL, 0, CUBBY_NOW),
		      -EINVAL);
	expect_empty(mailbox);
	expect_int(inspect("m").sent, 0);
	cubby_close(mailbox);
}

static void
who_may_not_send_is_told(void)
{
	static const int roles[] = { 0, CUBBY_RECEIVE };

	for (size_t i = 0; i < COUNT_OF(roles); i++) {
		cubby_mailbox *mailbox =
			open_mailbox("m", CUBBY_CREATE | roles[i], NULL);
		cubby_draft *draft;
		uint64_t sequence, tag;

		expect_result(cubby_send(mailbox, "x", 1), -EBADF);
		expect_result(send_now(mailbox, "x", 1), -EBADF);
		expect_result(cubby_reserve(mailbox, 1, CUBBY_NOW, &draft),
			      -EBADF);
		expect_result(cubby_wait_received(mailbox, 1, CUBBY_NOW),
			      -EBADF);
		expect_result(cubby_published(mailbox, &sequence, &tag),
			      -EBADF);
		cubby_close(mailbox);
	}
}

/* Synchronously ---------------------------------------------------------- */

static void
a_synchronous_send_waits_for_a_receiver(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE,
					      NULL);
	_Atomic int *returned = shared_memory(sizeof(*returned));
	cubby_message *message;
	struct child child;

	for (int hold = 0; hold < 2; hold++) {
		atomic_store(returned, 0);
		in_child(&child) {
			cubby_mailbox *own = open_mailbox("m", CUBBY_SEND,
							  NULL);

			expect_ok(cubby_send_full(own, "sync", 4, NULL,
						  CUBBY_SYNCHRONOUS, soon()));
			atomic_store(returned, 1);
		}
		child_wait_asleep(&child);
		expect_int(*returned, 0);
		if (hold)
			expect_ok(cubby_hold(mailbox, NULL, soon(), &message));
		else
			expect_text(mailbox, "sync");
		child_finish(&child);
		expect_int(*returned, 1);
		if (hold)
			expect_ok(cubby_release(message));
	}
	cubby_close(mailbox);
}

/* Looking at it is not having it. */
static void
a_peek_does_not_end_a_synchronous_send(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	char buffer[8];

	need_order_sender();
	expect_result(cubby_send_full(mailbox, "sync", 4, &envelope,
				      CUBBY_SYNCHRONOUS, CUBBY_NOW),
		      -EINPROGRESS);
	expect_ok(cubby_receive_full(mailbox, NULL, CUBBY_PEEK, CUBBY_NOW,
				     buffer, sizeof(buffer), NULL, NULL));
	expect_result(cubby_wait_received(mailbox, envelope.sequence,
					  CUBBY_NOW),
		      -EAGAIN);
	expect_text(mailbox, "sync");
	cubby_close(mailbox);
}

static void
a_synchronous_send_that_is_late_stays_queued(void)
{
	cubby_mailbox *mailbox = open_with(2, 0, 0);
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	int64_t deadline = cubby_deadline_after(20 * MSEC);

	need_order_sender();
	expect_result(cubby_send_full(mailbox, "one", 3, &envelope,
				      CUBBY_SYNCHRONOUS, deadline),
		      -EINPROGRESS);
	expect(now() >= deadline);
	expect(envelope.sender >= 1);
	expect_result(cubby_send_full(mailbox, "two", 3, NULL,
				      CUBBY_SYNCHRONOUS, CUBBY_NOW),
		      -EINPROGRESS);
	/* Full: neither sent nor queued. */
	expect_result(cubby_send_full(mailbox, "three", 5, NULL,
				      CUBBY_SYNCHRONOUS, CUBBY_NOW),
		      -EAGAIN);
	expect_result(cubby_send_full(mailbox, "three", 5, NULL,
				      CUBBY_SYNCHRONOUS,
				      cubby_deadline_after(20 * MSEC)),
		      -ETIMEDOUT);
	expect_text(mailbox, "one");
	expect_ok(cubby_wait_received(mailbox, envelope.sequence, CUBBY_NOW));
	expect_text(mailbox, "two");
	expect_empty(mailbox);
	cubby_close(mailbox);
}

static void
waiting_for_receipt_covers_all_before_it(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	uint64_t sequences[10];

	for (int i = 0; i < 10; i++) {
		struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;

		expect_ok(cubby_send_full(mailbox, "x", 1, &envelope, 0,
					  CUBBY_NOW));
		sequences[i] = envelope.sequence;
	}
	expect_result(cubby_wait_received(mailbox, sequences[9] + 1, CUBBY_NOW),
		      -EINVAL);
	expect_result(cubby_wait_received(mailbox, 0, CUBBY_NOW), -EINVAL);
	for (int i = 0; i < 10; i++) {
		expect_result(cubby_wait_received(mailbox, sequences[i],
						  CUBBY_NOW),
			      -EAGAIN);
		expect_result(cubby_wait_received(mailbox, sequences[9],
						  cubby_deadline_after(MSEC)),
			      -ETIMEDOUT);
		expect_text(mailbox, "x");
		for (int j = 0; j <= i; j++)
			expect_ok(cubby_wait_received(mailbox, sequences[j],
						      CUBBY_NOW));
	}
	cubby_close(mailbox);
}

static void
waiting_for_receipt_is_woken(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE,
					      NULL);
	struct child child;

	in_child(&child) {
		cubby_mailbox *own = open_mailbox("m", CUBBY_SEND, NULL);
		uint64_t sequence, tag;

		send_text(own, "one");
		send_text(own, "two");
		expect_ok(cubby_published(own, &sequence, &tag));
		expect_ok(cubby_wait_received(own, sequence, soon()));
	}
	child_wait_asleep(&child);
	expect_text(mailbox, "one");
	child_wait_asleep(&child);
	expect_text(mailbox, "two");
	child_finish(&child);
	cubby_close(mailbox);
}

static const struct test tests[] = {
	TEST(the_129th_message_waits),
	TEST(capacity_is_exact),
	TEST(a_full_mailbox_keeps_every_word),
	TEST(each_sender_has_the_capacity),
	TEST(a_deadline_ends_the_wait_for_room),
	TEST(a_sender_waits_until_there_is_room),
	TEST(messages_of_every_size_arrive),
	TEST(a_message_of_no_bytes_is_a_message),
	TEST(one_byte_more_than_the_maximum_is_refused),
	TEST(a_fixed_size_mailbox_refuses_every_other_size),
	TEST(memory_is_used_again),
	TEST(memory_of_many_messages_serves_a_large_one),
	TEST(the_memory_limit_ends_before_the_capacity),
	TEST(the_envelope_crosses),
	TEST(sequences_count_up_by_one),
	TEST(an_envelope_is_untouched_when_nothing_is_sent),
	TEST(arguments_that_make_no_sense_are_refused),
	TEST(who_may_not_send_is_told),
	TEST(a_synchronous_send_waits_for_a_receiver),
	TEST(a_peek_does_not_end_a_synchronous_send),
	TEST(a_synchronous_send_that_is_late_stays_queued),
	TEST(waiting_for_receipt_covers_all_before_it),
	TEST(waiting_for_receipt_is_woken),
};

int
main(void)
{
	return RUN_TESTS("send", tests);
}
