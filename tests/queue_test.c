/* SPDX-License-Identifier: MIT */
/* Test: timeout 120. */
/* Orders arrival and priority: one order and one capacity for all senders, types,
   withdrawal, and memory. What holds for every order is tested with each order by
   the other tests. */
#include "support/support.h"
#include <sys/wait.h>

#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)
#define MSEC INT64_C(1000000)

static struct cubby_options
of_order(enum cubby_order order)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;

	options.order = order;
	return options;
}

static cubby_mailbox *
open_queue(enum cubby_order order)
{
	struct cubby_options options = of_order(order);

	return open_mailbox("q", CUBBY_CREATE | BOTH, &options);
}

static void
send_typed(cubby_mailbox *mailbox, uint64_t number, int64_t type, int priority)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;

	envelope.type = type;
	envelope.priority = priority;
	expect_ok(cubby_send_full(mailbox, &number, sizeof(number), &envelope,
				  0, CUBBY_NOW));
}

/* The number received, or the error. */
static int
receive_matching(cubby_mailbox *mailbox, enum cubby_matching matching,
		 int64_t type)
{
	struct cubby_filter filter = CUBBY_FILTER_INIT;
	uint64_t number = 0;
	int result;

	filter.matching = matching;
	filter.type = type;
	result = cubby_receive_full(mailbox, &filter, 0, CUBBY_NOW, &number,
				    sizeof(number), NULL, NULL);
	return result < 0 ? result : (int)number;
}

/* Senders take turns; whoever returned first is first. */
static void
there_is_one_order_for_all_senders(void)
{
	cubby_mailbox *all = open_queue(CUBBY_ORDER_ARRIVAL);
	cubby_mailbox *senders[5];

	for (size_t i = 0; i < 5; i++)
		senders[i] = open_mailbox("q", CUBBY_SEND, NULL);
	for (uint64_t number = 0; number < 100; number++)
		send_number(senders[number * 3 % 5], number);
	for (uint64_t number = 0; number < 100; number++)
		expect_number(all, number);
	for (size_t i = 0; i < 5; i++)
		cubby_close(senders[i]);
	cubby_close(all);
}

static void
capacity_is_exact_over_all_senders(void)
{
	struct cubby_options options = of_order(CUBBY_ORDER_ARRIVAL);
	cubby_mailbox *one, *other;
	cubby_draft *draft;
	cubby_message *held;

	options.capacity = 7;
	one = open_mailbox("q", CUBBY_CREATE | BOTH, &options);
	other = open_mailbox("q", CUBBY_SEND, NULL);
	for (uint64_t i = 0; i < 7; i++)
		send_number(i % 2 ? one : other, i);
	expect_result(cubby_send_full(one, "x", 1, NULL, 0, CUBBY_NOW),
		      -EAGAIN);
	expect_result(cubby_reserve(other, 1, CUBBY_NOW, &draft), -EAGAIN);
	expect_number(one, 0);
	expect_ok(cubby_reserve(other, 1, CUBBY_NOW, &draft));
	expect_result(cubby_send_full(one, "x", 1, NULL, 0, CUBBY_NOW),
		      -EAGAIN);
	cubby_abort(draft);
	/* What is held is no longer in the buffer. */
	expect_ok(cubby_hold(one, NULL, CUBBY_NOW, &held));
	expect_int(fill_mailbox(other), 2);
	expect_ok(cubby_release(held));
	expect_int(fill_mailbox(other), 0);
	expect_int(inspect("q").waiting, 7);
	cubby_close(other);
	cubby_close(one);
}

static void
the_highest_priority_comes_first_then_the_oldest(void)
{
	static const int priorities[] = { 5, 0, 32767, 5, 7, 0, 32767, 7, 5 };
	static const int expected[] = { 2, 6, 4, 7, 0, 3, 8, 1, 5 };
	cubby_mailbox *mailbox = open_queue(CUBBY_ORDER_PRIORITY);
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	uint64_t number;

	for (size_t i = 0; i < COUNT_OF(priorities); i++)
		send_typed(mailbox, i, 0, priorities[i]);
	for (size_t i = 0; i < COUNT_OF(expected); i++) {
		expect_ok(cubby_receive_full(mailbox, NULL, 0, CUBBY_NOW,
					     &number, sizeof(number), NULL,
					     &envelope));
		expect_int(number, expected[i]);
		expect_int(envelope.priority, priorities[expected[i]]);
	}
	expect_empty(mailbox);
	cubby_close(mailbox);
}

static void
a_type_is_received_exactly(void)
{
	cubby_mailbox *mailbox = open_queue(CUBBY_ORDER_ARRIVAL);

	send_typed(mailbox, 1, 3, 0);
	send_typed(mailbox, 2, 0, 0);
	send_typed(mailbox, 3, 7, 0);
	send_typed(mailbox, 4, 3, 0);
	send_typed(mailbox, 5, INT64_MAX, 0);
	expect_int(receive_matching(mailbox, CUBBY_MATCH_TYPE, 8), -EAGAIN);
	expect_int(receive_matching(mailbox, CUBBY_MATCH_TYPE, 3), 1);
	expect_int(receive_matching(mailbox, CUBBY_MATCH_NOT_TYPE, 7), 2);
	expect_int(receive_matching(mailbox, CUBBY_MATCH_NOT_TYPE, 7), 4);
	expect_int(receive_matching(mailbox, CUBBY_MATCH_LOWEST, 6), -EAGAIN);
	expect_int(receive_matching(mailbox, CUBBY_MATCH_TYPE, INT64_MAX), 5);
	expect_int(receive_matching(mailbox, CUBBY_MATCH_LOWEST, 7), 3);
	expect_empty(mailbox);
	cubby_close(mailbox);
}

static void
the_lowest_type_comes_first(void)
{
	cubby_mailbox *mailbox = open_queue(CUBBY_ORDER_PRIORITY);

	send_typed(mailbox, 1, 9, 100);
	send_typed(mailbox, 2, 4, 1);
	send_typed(mailbox, 3, 4, 2);
	send_typed(mailbox, 4, 0, 32767);
	expect_int(receive_matching(mailbox, CUBBY_MATCH_LOWEST, 3), -EAGAIN);
	expect_int(receive_matching(mailbox, CUBBY_MATCH_LOWEST, 100), 3);
	expect_int(receive_matching(mailbox, CUBBY_MATCH_LOWEST, 100), 2);
	expect_int(receive_matching(mailbox, CUBBY_MATCH_LOWEST, 100), 1);
	/* One without a type has none to be the lowest. */
	expect_int(receive_matching(mailbox, CUBBY_MATCH_LOWEST, 100), -EAGAIN);
	expect_int(receive_matching(mailbox, CUBBY_MATCH_ANY, 0), 4);
	cubby_close(mailbox);
}

static void
filters_that_make_no_sense_are_refused(void)
{
	cubby_mailbox *mailbox = open_queue(CUBBY_ORDER_ARRIVAL), *lanes;

	expect_int(receive_matching(mailbox, CUBBY_MATCH_TYPE, 0), -EINVAL);
	expect_int(receive_matching(mailbox, CUBBY_MATCH_TYPE, -1), -EINVAL);
	expect_int(receive_matching(mailbox, CUBBY_MATCH_ANY, 1), -EINVAL);
	expect_int(receive_matching(mailbox, (enum cubby_matching)4, 1),
		   -EINVAL);
	cubby_close(mailbox);
	lanes = open_mailbox("lanes", CUBBY_CREATE | BOTH, NULL);
	expect_int(receive_matching(lanes, CUBBY_MATCH_TYPE, 1), -EOPNOTSUPP);
	cubby_close(lanes);
}

static int
receive_both(cubby_mailbox *mailbox, uint64_t sender,
	     enum cubby_matching matching, int64_t type)
{
	struct cubby_filter filter = CUBBY_FILTER_INIT;
	uint64_t number = 0;
	int result;

	filter.sender = sender;
	filter.matching = matching;
	filter.type = type;
	result = cubby_receive_full(mailbox, &filter, 0, CUBBY_NOW, &number,
				    sizeof(number), NULL, NULL);
	return result < 0 ? result : (int)number;
}

static void
a_type_is_received_from_one_sender(void)
{
	cubby_mailbox *mailbox = open_queue(CUBBY_ORDER_PRIORITY);
	cubby_mailbox *other = open_mailbox("q", CUBBY_SEND, NULL);

	/* The first participant is number 1, the other 2. */
	send_typed(other, 1, 3, 9);
	send_typed(mailbox, 2, 4, 0);
	send_typed(mailbox, 3, 3, 0);
	send_typed(mailbox, 4, 3, 5);
	send_typed(mailbox, 5, 0, 5);
	send_typed(mailbox, 6, 5, 7);
	expect_int(receive_both(mailbox, 1, CUBBY_MATCH_TYPE, 8), -EAGAIN);
	expect_int(receive_both(mailbox, 3, CUBBY_MATCH_TYPE, 3), -EAGAIN);
	expect_int(receive_both(mailbox, 1, CUBBY_MATCH_TYPE, 3), 4);
	expect_int(receive_both(mailbox, 1, CUBBY_MATCH_LOWEST, 9), 3);
	expect_int(receive_both(mailbox, 1, CUBBY_MATCH_LOWEST, 3), -EAGAIN);
	expect_int(receive_both(mailbox, 1, CUBBY_MATCH_NOT_TYPE, 5), 5);
	expect_int(receive_both(mailbox, 1, CUBBY_MATCH_LOWEST, 9), 2);
	expect_int(receive_both(mailbox, 2, CUBBY_MATCH_NOT_TYPE, 4), 1);
	expect_int(receive_both(mailbox, 1, CUBBY_MATCH_TYPE, 5), 6);
	expect_empty(mailbox);
	cubby_close(other);
	cubby_close(mailbox);
}

/* Who waits for a type is not woken for good by another. */
static void
a_wait_for_a_type_ends_with_that_type(void)
{
	cubby_mailbox *mailbox = open_queue(CUBBY_ORDER_ARRIVAL);
	struct child child;

	in_child(&child) {
		cubby_mailbox *own = open_mailbox("q", CUBBY_RECEIVE, NULL);
		struct cubby_filter filter = CUBBY_FILTER_INIT;
		uint64_t number;

		filter.matching = CUBBY_MATCH_TYPE;
		filter.type = 2;
		expect_ok(cubby_receive_full(own, &filter, 0, soon(), &number,
					     sizeof(number), NULL, NULL));
		expect_int(number, 20);
		cubby_close(own);
	}
	child_wait_asleep(&child);
	send_typed(mailbox, 10, 1, 0);
	child_wait_asleep(&child);
	send_typed(mailbox, 20, 2, 0);
	child_finish(&child);
	expect_number(mailbox, 10);
	cubby_close(mailbox);
}

static void
what_goes_back_is_first_again(void)
{
	cubby_mailbox *mailbox = open_queue(CUBBY_ORDER_PRIORITY);
	cubby_message *messages[4];
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;

	for (uint64_t i = 0; i < 4; i++)
		send_typed(mailbox, i, 0, 1);
	for (size_t i = 0; i < 3; i++)
		expect_ok(cubby_hold(mailbox, NULL, CUBBY_NOW, &messages[i]));
	expect_ok(cubby_reject(messages[2]));
	expect_ok(cubby_reject(messages[0]));
	expect_ok(cubby_reject(messages[1]));
	send_typed(mailbox, 9, 0, 2);
	expect_int(inspect("q").returned, 3);
	expect_number(mailbox, 9);
	for (uint64_t i = 0; i < 3; i++) {
		expect_ok(cubby_hold(mailbox, NULL, CUBBY_NOW, &messages[0]));
		expect_bytes(cubby_message_data(messages[0]), 8, &i, 8);
		expect_ok(cubby_message_envelope(messages[0], &envelope));
		expect_int(envelope.deliveries, 2);
		expect_ok(cubby_release(messages[0]));
	}
	expect_int(inspect("q").returned, 0);
	expect_number(mailbox, 3);
	cubby_close(mailbox);
}

static void
what_the_dead_held_goes_back(void)
{
	cubby_mailbox *mailbox = open_queue(CUBBY_ORDER_ARRIVAL);
	struct gate held = gate_make();
	struct child child;
	struct cubby_swept swept = CUBBY_SWEPT_INIT;

	for (uint64_t i = 0; i < 10; i++)
		send_number(mailbox, i);
	in_child(&child) {
		cubby_mailbox *own = open_mailbox("q", CUBBY_RECEIVE, NULL);
		cubby_message *message;

		for (int i = 0; i < 4; i++)
			expect_ok(cubby_hold(own, NULL, CUBBY_NOW, &message));
		gate_open(&held);
		pause();
	}
	gate_wait(&held);
	expect_number(mailbox, 4);
	child_kill(&child);
	expect_ok(cubby_sweep("q", &swept));
	expect_int(swept.messages, 4);
	for (uint64_t i = 0; i < 4; i++)
		expect_number(mailbox, i);
	expect_number(mailbox, 5);
	cubby_close(mailbox);
}

/* Without a sweep: by the look of whoever waits. */
static void
who_waits_finds_what_the_dead_held(void)
{
	cubby_mailbox *mailbox = open_queue(CUBBY_ORDER_ARRIVAL);
	struct gate held = gate_make();
	struct child holder, child;

	send_number(mailbox, 7);
	in_child(&holder) {
		cubby_mailbox *own = open_mailbox("q", CUBBY_RECEIVE, NULL);
		cubby_message *message;

		expect_ok(cubby_hold(own, NULL, CUBBY_NOW, &message));
		gate_open(&held);
		pause();
	}
	gate_wait(&held);
	in_child(&child) {
		cubby_mailbox *own = open_mailbox("q", CUBBY_RECEIVE, NULL);

		expect_number(own, 7);
		cubby_close(own);
	}
	child_wait_asleep(&child);
	child_kill(&holder);
	child_finish(&child);
	cubby_close(mailbox);
}

static void
a_synchronous_send_that_is_late_is_withdrawn(void)
{
	cubby_mailbox *mailbox = open_queue(CUBBY_ORDER_ARRIVAL);
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	uint64_t sequence, tag;

	envelope.tag = 5;
	expect_ok(cubby_send_full(mailbox, "one", 3, &envelope, 0, CUBBY_NOW));
	envelope.tag = 6;
	expect_result(cubby_send_full(mailbox, "two", 3, &envelope,
				      CUBBY_SYNCHRONOUS,
				      cubby_deadline_after(20 * MSEC)),
		      -ETIMEDOUT);
	expect_result(cubby_send_full(mailbox, "three", 5, &envelope,
				      CUBBY_SYNCHRONOUS, CUBBY_NOW),
		      -ETIMEDOUT);
	expect_int(inspect("q").waiting, 1);
	/* It has never been sent: what was published last is what was before. */
	expect_ok(cubby_published(mailbox, &sequence, &tag));
	expect_int(sequence, 1);
	expect_int(tag, 5);
	expect_text(mailbox, "one");
	expect_empty(mailbox);
	cubby_close(mailbox);
}

static void
a_synchronous_send_ends_when_it_is_held(void)
{
	cubby_mailbox *mailbox = open_queue(CUBBY_ORDER_ARRIVAL);
	cubby_message *message;
	struct child child;

	in_child(&child) {
		cubby_mailbox *own = open_mailbox("q", CUBBY_SEND, NULL);

		expect_ok(cubby_send_full(own, "sync", 4, NULL,
					  CUBBY_SYNCHRONOUS, soon()));
		cubby_close(own);
	}
	child_wait_asleep(&child);
	expect_ok(cubby_hold(mailbox, NULL, soon(), &message));
	child_finish(&child);
	expect_ok(cubby_reject(message));
	expect_text(mailbox, "sync");
	cubby_close(mailbox);
}

/* All that the handle has sent, whatever the others have. */
static void
waiting_for_receipt_is_about_all_before_it(void)
{
	cubby_mailbox *mailbox = open_queue(CUBBY_ORDER_PRIORITY);
	cubby_mailbox *other = open_mailbox("q", CUBBY_SEND, NULL);

	send_typed(other, 9, 0, 0);
	send_typed(mailbox, 1, 0, 0);
	send_typed(mailbox, 2, 0, 3);
	expect_result(cubby_wait_received(mailbox, 3, CUBBY_NOW), -EINVAL);
	expect_number(mailbox, 2);
	expect_result(cubby_wait_received(mailbox, 2, CUBBY_NOW), -EAGAIN);
	expect_result(cubby_wait_received(mailbox, 2,
					  cubby_deadline_after(MSEC)),
		      -ETIMEDOUT);
	expect_number(mailbox, 9);
	expect_result(cubby_wait_received(mailbox, 1, CUBBY_NOW), -EAGAIN);
	expect_number(mailbox, 1);
	expect_ok(cubby_wait_received(mailbox, 2, CUBBY_NOW));
	cubby_close(other);
	cubby_close(mailbox);
}

static void
waiting_for_receipt_ends_with_the_receive(void)
{
	cubby_mailbox *mailbox = open_queue(CUBBY_ORDER_ARRIVAL);
	struct child child;

	in_child(&child) {
		cubby_mailbox *own = open_mailbox("q", CUBBY_SEND, NULL);

		send_number(own, 1);
		send_number(own, 2);
		expect_ok(cubby_wait_received(own, 2, soon()));
		cubby_close(own);
	}
	child_wait_asleep(&child);
	expect_number(mailbox, 1);
	child_wait_asleep(&child);
	expect_number(mailbox, 2);
	child_finish(&child);
	cubby_close(mailbox);
}

/* More of them than the index had room for before anybody asked for one. */
static void
many_senders_are_told_apart(void)
{
	cubby_mailbox *mailbox = open_queue(CUBBY_ORDER_ARRIVAL);
	cubby_mailbox *senders[100];

	for (uint64_t i = 0; i < 100; i++) {
		senders[i] = open_mailbox("q", CUBBY_SEND, NULL);
		send_number(senders[i], i);
	}
	for (size_t i = 0; i < 100; i++)
		expect_result(cubby_wait_received(senders[i], 1, CUBBY_NOW),
			      -EAGAIN);
	for (uint64_t i = 100; i-- > 0;) {
		expect_int(receive_both(mailbox, i + 2, CUBBY_MATCH_ANY, 0),
			   (int)i);
		expect_ok(cubby_wait_received(senders[i], 1, CUBBY_NOW));
	}
	for (size_t i = 0; i < 100; i++)
		cubby_close(senders[i]);
	expect_int(inspect("q").broken, 0);
	cubby_close(mailbox);
}

/* Nobody receives, and nobody waits: who only tries finds it out by himself. */
static void
the_places_of_the_dead_are_found_by_trying(void)
{
	struct cubby_options options = of_order(CUBBY_ORDER_ARRIVAL);
	struct gate reserved = gate_make();
	cubby_mailbox *mailbox;
	struct child child;
	int64_t end = soon();
	int result;

	options.capacity = 2;
	mailbox = open_mailbox("q", CUBBY_CREATE | CUBBY_SEND, &options);
	in_child(&child) {
		cubby_mailbox *own = open_mailbox("q", CUBBY_SEND, NULL);
		cubby_draft *draft;

		expect_ok(cubby_reserve(own, 1, CUBBY_NOW, &draft));
		expect_ok(cubby_reserve(own, 1, CUBBY_NOW, &draft));
		gate_open(&reserved);
		pause();
	}
	gate_wait(&reserved);
	expect_result(cubby_send_full(mailbox, "x", 1, NULL, 0, CUBBY_NOW),
		      -EAGAIN);
	child_kill(&child);
	do
		result = cubby_send_full(mailbox, "x", 1, NULL, 0, CUBBY_NOW);
	while (result == -EAGAIN && cubby_deadline_after(0) < end);
	expect_ok(result);
	cubby_close(mailbox);
}

/* Stopped anywhere but under the lock, nobody holds anybody up; a sender that was
   killed has sent or has not. */
static void
senders_killed_at_random_leave_whole_messages(void)
{
	cubby_mailbox *mailbox = open_queue(CUBBY_ORDER_ARRIVAL);
	_Atomic(uint64_t) *accepted = shared_memory(sizeof(*accepted));
	uint64_t next = 0, number;

	for (int i = 0; i < MANY(200); i++) {
		struct child child;
		uint64_t before = *accepted;

		in_child(&child) {
			cubby_mailbox *own = open_mailbox("q", CUBBY_SEND,
							  NULL);

			for (;;) {
				number = *accepted;
				expect_ok(cubby_send_full(own, &number,
							  sizeof(number), NULL,
							  0, soon()));
				*accepted = number + 1;
			}
		}
		while (atomic_load(accepted) < before + 20)
			if (next < atomic_load(accepted))
				expect_number(mailbox, next++);
		child_kill(&child);
		/* The last one may have been sent and not counted. */
		while (cubby_receive_full(mailbox, NULL, 0, CUBBY_NOW, &number,
					  sizeof(number), NULL, NULL) == 0)
			expect_int(number, next++);
		expect(next == *accepted || next == *accepted + 1);
		*accepted = next;
	}
	expect_int(inspect("q").broken, 0);
	cubby_close(mailbox);
}

static void
an_unlimited_backlog_gives_its_memory_back(void)
{
	struct cubby_options options = of_order(CUBBY_ORDER_ARRIVAL);
	const uint64_t count = MANY(200000);
	cubby_mailbox *mailbox;
	uint64_t before, peak;
	char buffer[64];

	options.buffering = CUBBY_UNLIMITED;
	mailbox = open_mailbox("q", CUBBY_CREATE | BOTH, &options);
	send_number(mailbox, 0);
	expect_number(mailbox, 0);
	before = inspect("q").memory;
	for (uint64_t i = 0; i < count; i++) {
		pattern_fill(buffer, sizeof(buffer), i);
		expect_ok(cubby_send_full(mailbox, buffer, sizeof(buffer), NULL,
					  0, CUBBY_NOW));
	}
	peak = inspect("q").memory;
	expect(peak >= before + count * 64);
	expect_int(inspect("q").waiting, count);
	for (uint64_t i = 0; i < count; i++) {
		expect_ok(cubby_receive_full(mailbox, NULL, 0, CUBBY_NOW,
					     buffer, sizeof(buffer), NULL,
					     NULL));
		expect(pattern_holds(buffer, sizeof(buffer), i));
	}
	expect_empty(mailbox);
	expect(inspect("q").memory < before + (1 << 20));
	cubby_close(mailbox);
}

static void
large_messages_give_their_memory_back(void)
{
	struct cubby_options options = of_order(CUBBY_ORDER_PRIORITY);
	static char data[1 << 20], buffer[1 << 20];
	cubby_mailbox *mailbox;
	int sent = 0, result;

	options.memory_limit = 48 << 20;
	mailbox = open_mailbox("q", CUBBY_CREATE | BOTH, &options);
	for (;; sent++) {
		pattern_fill(data, sizeof(data), (uint64_t)sent);
		result = cubby_send_full(mailbox, data, sizeof(data), NULL, 0,
					 CUBBY_NOW);
		if (result < 0)
			break;
	}
	expect_result(result, -ENOSPC);
	expect_int(sent, 48);
	for (int i = 0; i < sent; i++) {
		expect_ok(cubby_receive(mailbox, buffer, sizeof(buffer), NULL));
		expect(pattern_holds(buffer, sizeof(buffer), (uint64_t)i));
	}
	expect(inspect("q").memory < 34 << 20);
	expect_ok(cubby_sweep("q", NULL));
	expect(inspect("q").memory < 1 << 20);
	expect_ok(cubby_send_full(mailbox, data, sizeof(data), NULL, 0,
				  CUBBY_NOW));
	cubby_close(mailbox);
}

static void
a_full_file_system_is_an_error_and_loses_nothing(void)
{
	struct cubby_options options = of_order(CUBBY_ORDER_ARRIVAL);
	cubby_mailbox *mailbox;
	uint64_t sent = 0;
	int result;

	need_root();
	mount_small_root(4 << 20);
	options.buffering = CUBBY_UNLIMITED;
	mailbox = open_mailbox("q", CUBBY_CREATE | BOTH, &options);
	do
		result = cubby_send_full(mailbox, &sent, sizeof(sent), NULL, 0,
					 CUBBY_NOW);
	while (result == 0 && ++sent);
	expect_result(result, -ENOSPC);
	expect(sent > 1000);
	for (uint64_t i = 0; i < sent; i++)
		expect_number(mailbox, i);
	expect_empty(mailbox);
	send_number(mailbox, 1);
	expect_number(mailbox, 1);
	cubby_close(mailbox);
}

/* What goes back may exceed the capacity: then a place that is given up is none. */
static void
room_is_what_lies_below_the_capacity(void)
{
	struct cubby_options options = of_order(CUBBY_ORDER_ARRIVAL);
	cubby_message *held[2];
	cubby_mailbox *mailbox;
	struct child child;

	options.capacity = 2;
	mailbox = open_mailbox("q", CUBBY_CREATE | BOTH, &options);
	for (uint64_t i = 0; i < 2; i++) {
		send_number(mailbox, i);
		expect_ok(cubby_hold(mailbox, NULL, CUBBY_NOW, &held[i]));
	}
	send_number(mailbox, 2);
	send_number(mailbox, 3);
	cubby_reject(held[1]);
	cubby_reject(held[0]);
	expect_int(inspect("q").waiting, 4);
	in_child(&child) {
		cubby_mailbox *own = open_mailbox("q", CUBBY_SEND, NULL);

		send_number(own, 4);
		cubby_close(own);
	}
	child_wait_asleep(&child);
	/* Still full, to who tries and to who waits. */
	for (uint64_t i = 0; i < 2; i++) {
		expect_number(mailbox, i);
		expect_result(cubby_send_full(mailbox, "x", 1, NULL, 0,
					      CUBBY_NOW),
			      -EAGAIN);
		child_wait_asleep(&child);
	}
	expect_number(mailbox, 2);
	child_finish(&child);
	expect_int(inspect("q").waiting, 2);
	expect_number(mailbox, 3);
	expect_number(mailbox, 4);
	expect_empty(mailbox);
	cubby_close(mailbox);
}

/* There are slots for so many beyond the capacity, and then an error. */
static void
more_cannot_be_held_than_there_are_slots(void)
{
	enum { MOST = 8192 };
	struct cubby_options options = of_order(CUBBY_ORDER_ARRIVAL);
	static cubby_message *held[MOST];
	cubby_mailbox *mailbox;
	uint64_t count = 0, number;
	int result;

	options.capacity = 1;
	mailbox = open_mailbox("q", CUBBY_CREATE | BOTH, &options);
	for (;;) {
		result = cubby_send_full(mailbox, &count, sizeof(count), NULL,
					 0, CUBBY_NOW);
		if (result < 0)
			break;
		expect(count < MOST);
		expect_ok(cubby_hold(mailbox, NULL, CUBBY_NOW, &held[count]));
		count++;
	}
	expect_result(result, -ENOSPC);
	expect(count > 1000);
	expect_int(inspect("q").held, count);
	/* It costs nothing, and what is released is room again. */
	expect_ok(cubby_release(held[--count]));
	send_number(mailbox, count);
	expect_number(mailbox, count);
	while (count) {
		memcpy(&number, cubby_message_data(held[--count]),
		       sizeof(number));
		expect_int(number, count);
		expect_ok(cubby_release(held[count]));
	}
	expect_int(inspect("q").held, 0);
	expect_int(inspect("q").broken, 0);
	cubby_close(mailbox);
}

static uint64_t
next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 33;
}

/* The lowest type first, of one type the highest priority, of these the oldest. */
static void
the_lowest_type_of_one_sender_comes_first(void)
{
	enum { COUNT = 24, TYPES = 4, PRIORITIES_USED = 5, MOST = 3 };
	struct { int type, priority; } sent[COUNT];
	uint64_t random = 1;

	for (int round = 0; round < 20; round++) {
		cubby_mailbox *mailbox = open_queue(CUBBY_ORDER_PRIORITY);
		cubby_mailbox *other = open_mailbox("q", CUBBY_SEND, NULL);
		int best, left = 0;

		for (int i = 0; i < COUNT; i++) {
			sent[i].type = (int)(next_random(&random) % TYPES) + 1;
			sent[i].priority = (int)(next_random(&random) %
						 PRIORITIES_USED);
			send_typed(mailbox, (uint64_t)i, sent[i].type,
				   sent[i].priority);
			send_typed(other, 99, 1, 9);
			left += sent[i].type > MOST;
		}
		for (;;) {
			best = -EAGAIN;
			for (int i = 0; i < COUNT; i++)
				if (sent[i].type <= MOST &&
				    (best < 0 || sent[i].type < sent[best].type ||
				     (sent[i].type == sent[best].type &&
				      sent[i].priority > sent[best].priority)))
					best = i;
			expect_int(receive_both(mailbox, 1, CUBBY_MATCH_LOWEST,
						MOST),
				   best);
			if (best < 0)
				break;
			sent[best].type = MOST + 1;
		}
		expect_int(inspect("q").waiting, COUNT + left);
		cubby_close(other);
		cubby_close(mailbox);
		expect_ok(cubby_unlink("q"));
	}
}

/* What has been in a receiver's hands, and goes back, has been received; what lies
   behind it has not. */
static void
waiting_for_receipt_passes_what_went_back(void)
{
	cubby_mailbox *mailbox = open_queue(CUBBY_ORDER_ARRIVAL);
	cubby_message *held[3];

	for (uint64_t i = 1; i <= 3; i++)
		send_number(mailbox, i);
	expect_result(cubby_wait_received(mailbox, 1, CUBBY_NOW), -EAGAIN);
	expect_ok(cubby_hold(mailbox, NULL, CUBBY_NOW, &held[0]));
	expect_ok(cubby_hold(mailbox, NULL, CUBBY_NOW, &held[1]));
	expect_ok(cubby_wait_received(mailbox, 2, CUBBY_NOW));
	cubby_reject(held[1]);
	cubby_reject(held[0]);
	expect_ok(cubby_wait_received(mailbox, 2, CUBBY_NOW));
	expect_result(cubby_wait_received(mailbox, 3, CUBBY_NOW), -EAGAIN);
	expect_number(mailbox, 1);
	expect_result(cubby_wait_received(mailbox, 3, CUBBY_NOW), -EAGAIN);
	expect_number(mailbox, 2);
	expect_ok(cubby_hold(mailbox, NULL, CUBBY_NOW, &held[2]));
	expect_ok(cubby_wait_received(mailbox, 3, CUBBY_NOW));
	cubby_reject(held[2]);
	/* Alone in its list, and gone back. */
	expect_ok(cubby_wait_received(mailbox, 3, CUBBY_NOW));
	expect_number(mailbox, 3);
	expect_empty(mailbox);
	cubby_close(mailbox);
}

int
main(void)
{
	static const struct test tests[] = {
		TEST(there_is_one_order_for_all_senders),
		TEST(capacity_is_exact_over_all_senders),
		TEST(the_highest_priority_comes_first_then_the_oldest),
		TEST(a_type_is_received_exactly),
		TEST(the_lowest_type_comes_first),
		TEST(filters_that_make_no_sense_are_refused),
		TEST(a_type_is_received_from_one_sender),
		TEST(a_wait_for_a_type_ends_with_that_type),
		TEST(what_goes_back_is_first_again),
		TEST(what_the_dead_held_goes_back),
		TEST(who_waits_finds_what_the_dead_held),
		TEST(a_synchronous_send_that_is_late_is_withdrawn),
		TEST(a_synchronous_send_ends_when_it_is_held),
		TEST(waiting_for_receipt_is_about_all_before_it),
		TEST(waiting_for_receipt_ends_with_the_receive),
		TEST(many_senders_are_told_apart),
		TEST(the_places_of_the_dead_are_found_by_trying),
		TEST(senders_killed_at_random_leave_whole_messages),
		TEST(an_unlimited_backlog_gives_its_memory_back),
		TEST(large_messages_give_their_memory_back),
		TEST(a_full_file_system_is_an_error_and_loses_nothing),
		TEST(room_is_what_lies_below_the_capacity),
		TEST(more_cannot_be_held_than_there_are_slots),
		TEST(the_lowest_type_of_one_sender_comes_first),
		TEST(waiting_for_receipt_passes_what_went_back),
	};

	return RUN_TESTS("queue", tests);
}
