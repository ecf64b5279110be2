/* SPDX-License-Identifier: MIT */
/* Test: tsan, timeout 240. */
/*
 * Mailboxes whose every receiver gets every message: what each of them gets,
 * whom senders wait for, and what becomes of those who are too slow, or dead.
 */
#include "support/support.h"
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>

#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)
#define MSEC INT64_C(1000000)

static const enum cubby_delivery kinds[] = { CUBBY_EVERY,
					     CUBBY_EVERY_OVERTAKE };

static struct cubby_options
options_of(enum cubby_delivery delivery, uint64_t capacity)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;

	options.delivery = delivery;
	options.capacity = capacity;
	return options;
}

static cubby_mailbox *
create(enum cubby_delivery delivery, uint64_t capacity, int roles)
{
	struct cubby_options options = options_of(delivery, capacity);

	return open_mailbox("m", CUBBY_CREATE | roles, &options);
}

static cubby_mailbox *
join(uint64_t history)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;

	options.history = history;
	return open_mailbox("m", CUBBY_RECEIVE, &options);
}

static uint64_t
receive_missed(cubby_mailbox *mailbox, uint64_t *ret_missed)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	uint64_t number = 0;

	expect_ok(cubby_receive_full(mailbox, NULL, 0, soon(), &number,
				     sizeof(number), NULL, &envelope));
	*ret_missed = envelope.missed;
	return number;
}

/* Who gets what ---------------------------------------------------------- */

static void
every_receiver_gets_every_message(void)
{
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		cubby_mailbox *sender = create(kinds[i], 0, CUBBY_SEND);
		cubby_mailbox *receivers[3];

		for (size_t k = 0; k < COUNT_OF(receivers); k++)
			receivers[k] = join(0);
		for (uint64_t n = 0; n < 100; n++)
			send_number(sender, n);
		for (size_t k = 0; k < COUNT_OF(receivers); k++) {
			for (uint64_t n = 0; n < 100; n++)
				expect_number(receivers[k], n);
			expect_empty(receivers[k]);
			cubby_close(receivers[k]);
		}
		cubby_close(sender);
		expect_ok(cubby_unlink("m"));
	}
}

static void
one_begins_with_what_is_sent_from_now_on(void)
{
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		cubby_mailbox *sender = create(kinds[i], 4, CUBBY_SEND);
		cubby_mailbox *early, *late;

		for (uint64_t n = 0; n < 1000; n++)
			send_number(sender, n);
		early = join(0);
		expect_empty(early);
		send_number(sender, 1000);
		late = join(0);
		send_number(sender, 1001);
		expect_number(early, 1000);
		expect_number(early, 1001);
		expect_number(late, 1001);
		expect_empty(early);
		expect_empty(late);
		cubby_close(early);
		cubby_close(late);
		cubby_close(sender);
		expect_ok(cubby_unlink("m"));
	}
}

static void
late_joiners_may_ask_for_the_last_messages(void)
{
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		cubby_mailbox *sender = create(kinds[i], 8, CUBBY_SEND);
		cubby_mailbox *receiver;
		uint64_t missed, first;

		receiver = join(5);
		expect_empty(receiver);
		cubby_close(receiver);
		for (uint64_t n = 0; n < 3; n++)
			send_number(sender, n);
		receiver = join(5);
		expect_int(receive_missed(receiver, &missed), 0);
		expect_int(missed, 0);
		cubby_close(receiver);
		for (uint64_t n = 3; n < 1000; n++)
			send_number(sender, n);
		for (uint64_t last = 1; last <= 7; last++) {
			receiver = join(last);
			for (uint64_t n = 1000 - last; n < 1000; n++)
				expect_number(receiver, n);
			expect_empty(receiver);
			cubby_close(receiver);
		}
		/* All that are still there, and no gap in them. */
		receiver = join(UINT64_MAX - 1);
		first = receive_missed(receiver, &missed);
		expect(first <= 992);
		for (uint64_t n = first + 1; n < 1000; n++)
			expect_number(receiver, n);
		expect_empty(receiver);
		cubby_close(receiver);
		cubby_close(sender);
		expect_ok(cubby_unlink("m"));
	}
}

static void
messages_of_every_size_arrive_whole(void)
{
	static const size_t sizes[] = { 0, 1, 8, 40, 41, 104, 105, 4096,
					1 << 20 };
	static char data[1 << 20], got[1 << 20];

	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		cubby_mailbox *mailbox = create(kinds[i], 4, BOTH);
		cubby_mailbox *other = join(0);

		for (uint64_t n = 0; n < 10 * COUNT_OF(sizes); n++) {
			struct cubby_envelope in = CUBBY_ENVELOPE_INIT;
			struct cubby_envelope out = CUBBY_ENVELOPE_INIT;
			size_t wanted = sizes[n % COUNT_OF(sizes)], size = 7;
			cubby_message *held;

			in.tag = ~n;
			in.type = INT64_C(1) << (n % 63);
			pattern_fill(data, wanted, n);
			expect_ok(cubby_send_full(mailbox, data, wanted, &in, 0,
						  CUBBY_NOW));
			expect_ok(cubby_receive_full(mailbox, NULL, CUBBY_PEEK,
						     CUBBY_NOW, got,
						     sizeof(got), &size, NULL));
			expect_int(size, wanted);
			expect_ok(cubby_receive_full(mailbox, NULL, 0,
						     CUBBY_NOW, got,
						     sizeof(got), &size, &out));
			expect_bytes(got, size, data, wanted);
			expect(out.tag == ~n && out.type == in.type);
			expect_int(out.sequence, in.sequence);
			expect_int(out.sender, in.sender);
			expect_int(out.uid, geteuid());
			expect_int(out.size, wanted);
			expect_int(out.deliveries, 1);
			expect_int(out.missed, 0);
			expect_ok(cubby_hold(other, NULL, CUBBY_NOW, &held));
			expect_bytes(cubby_message_data(held),
				     cubby_message_size(held), data, wanted);
			expect_ok(cubby_message_envelope(held, &out));
			expect_int(out.sequence, in.sequence);
			expect_ok(cubby_release(held));
		}
		expect_empty(mailbox);
		expect_empty(other);
		cubby_close(mailbox);
		cubby_close(other);
		expect_ok(cubby_unlink("m"));
	}
}

static void
a_message_too_large_stays(void)
{
	cubby_mailbox *mailbox = create(CUBBY_EVERY, 4, BOTH);
	char buffer[8];
	size_t size = 0;

	send_text(mailbox, "too large for that");
	expect_result(cubby_receive(mailbox, buffer, sizeof(buffer), &size),
		      -EMSGSIZE);
	expect_int(size, 18);
	expect_text(mailbox, "too large for that");
	cubby_close(mailbox);
}

static void
a_filter_leaves_the_others_messages(void)
{
	struct cubby_options options = options_of(CUBBY_EVERY, 8);
	cubby_mailbox *a, *b, *receiver;
	struct cubby_filter filter = CUBBY_FILTER_INIT;
	char name[64];
	uint64_t n = 0;

	options.sender = "a";
	a = open_mailbox("m", CUBBY_CREATE | CUBBY_SEND, &options);
	options.sender = "b";
	b = open_mailbox("m", CUBBY_SEND, &options);
	receiver = join(0);
	send_number(a, 1);
	send_number(b, 2);
	send_number(a, 3);
	filter.sender_name = "b";
	expect_ok(cubby_receive_full(receiver, &filter, 0, soon(), &n,
				     sizeof(n), NULL, NULL));
	expect_int(n, 2);
	expect_result(cubby_receive_full(receiver, &filter, 0, CUBBY_NOW, &n,
					 sizeof(n), NULL, NULL),
		      -EAGAIN);
	filter.sender_name = NULL;
	filter.sender = 1;
	expect_ok(cubby_receive_full(receiver, &filter, 0, soon(), &n,
				     sizeof(n), NULL, NULL));
	expect_int(n, 1);
	filter.sender = 7;
	expect_result(cubby_receive_full(receiver, &filter, 0, CUBBY_NOW, &n,
					 sizeof(n), NULL, NULL),
		      -EAGAIN);
	filter.sender = 0;
	filter.matching = CUBBY_MATCH_TYPE;
	filter.type = 1;
	expect_result(cubby_receive_full(receiver, &filter, 0, CUBBY_NOW, &n,
					 sizeof(n), NULL, NULL),
		      -EOPNOTSUPP);
	expect_number(receiver, 3);
	expect_ok(cubby_sender_name(receiver, 2, name, sizeof(name)));
	expect(!strcmp(name, "b"));
	expect_result(cubby_sender_name(receiver, 3, name, sizeof(name)),
		      -EINVAL);
	cubby_close(a);
	cubby_close(b);
	cubby_close(receiver);
}

static void
a_new_senders_first_messages_are_not_lost(void)
{
	cubby_mailbox *receiver = create(CUBBY_EVERY, 4, CUBBY_RECEIVE);
	cubby_mailbox *senders[20];

	/* More lanes than a page of cursors has, and of entries. */
	for (size_t i = 0; i < COUNT_OF(senders); i++) {
		senders[i] = open_mailbox("m", CUBBY_SEND, NULL);
		expect_int(fill_mailbox(senders[i]), 4);
	}
	for (size_t i = 0; i < 4 * COUNT_OF(senders); i++) {
		uint64_t n;
		size_t size;

		expect_ok(cubby_receive_full(receiver, NULL, 0, CUBBY_NOW, &n,
					     sizeof(n), &size, NULL));
	}
	expect_empty(receiver);
	for (size_t i = 0; i < COUNT_OF(senders); i++)
		cubby_close(senders[i]);
	cubby_close(receiver);
}

/* Who is waited for ------------------------------------------------------ */

static void
the_slowest_holds_the_sender_back(void)
{
	cubby_mailbox *sender = create(CUBBY_EVERY, 8, CUBBY_SEND);
	cubby_mailbox *fast = join(0), *slow = join(0);
	uint64_t n = 0;

	expect_int(fill_mailbox(sender), 8);
	for (int i = 0; i < 8; i++)
		receive_number(fast);
	expect_result(cubby_send_full(sender, &n, sizeof(n), NULL, 0,
				      CUBBY_NOW),
		      -EAGAIN);
	expect_result(cubby_send_full(sender, &n, sizeof(n), NULL, 0,
				      cubby_deadline_after(MSEC)),
		      -ETIMEDOUT);
	receive_number(slow);
	expect_int(fill_mailbox(sender), 1);
	/* Whoever leaves holds nobody back. */
	cubby_close(slow);
	expect_int(fill_mailbox(sender), 7);
	for (int i = 0; i < 8; i++)
		receive_number(fast);
	expect_int(fill_mailbox(sender), 8);
	cubby_close(fast);
	for (n = 0; n < 1000; n++)
		send_number(sender, n);
	cubby_close(sender);
}

static void
a_filled_lane_is_read_in_order(void)
{
	static const uint64_t capacities[] = { 1, 2, 3, 7, 8, 127, 128, 1000 };

	for (size_t i = 0; i < COUNT_OF(capacities); i++) {
		cubby_mailbox *sender = create(CUBBY_EVERY, capacities[i],
					       CUBBY_SEND);
		cubby_mailbox *a = join(0), *b = join(0);
		uint64_t sent = 0, got_a = 0, got_b = 0;

		for (int round = 0; round < 50; round++) {
			while (cubby_send_full(sender, &sent, sizeof(sent),
					       NULL, 0, CUBBY_NOW) == 0)
				sent++;
			expect_int(sent - (got_a < got_b ? got_a : got_b),
				   capacities[i]);
			for (int k = round % 7; k >= 0 && got_a < sent; k--)
				expect_number(a, got_a++);
			for (int k = round % 5; k >= 0 && got_b < sent; k--)
				expect_number(b, got_b++);
		}
		cubby_close(a);
		cubby_close(b);
		cubby_close(sender);
		expect_ok(cubby_unlink("m"));
	}
}

static void
the_slow_are_overtaken_and_told(void)
{
	static const uint64_t capacities[] = { 1, 2, 8, 100, 128, 1000 };

	for (size_t i = 0; i < COUNT_OF(capacities); i++) {
		uint64_t capacity = capacities[i], sent = 0, next = 0, missed;
		cubby_mailbox *sender = create(CUBBY_EVERY_OVERTAKE, capacity,
					       CUBBY_SEND);
		cubby_mailbox *slow = join(0);

		for (int round = 0; round < 20; round++) {
			for (uint64_t k = 0; k < capacity * 3; k++)
				expect_ok(cubby_send_full(sender, &sent,
							  sizeof(sent), NULL, 0,
							  CUBBY_NOW)),
					sent++;
			/* The capacity is there at least. */
			for (bool first = true; next < sent; first = false) {
				uint64_t n = receive_missed(slow, &missed);

				expect_int(n, next + missed);
				expect(first || !missed);
				expect(!first || sent - n >= capacity);
				next = n + 1;
			}
			expect_empty(slow);
		}
		cubby_close(slow);
		cubby_close(sender);
		expect_ok(cubby_unlink("m"));
	}
}

/* Of a sender that came after it, and that it has not met yet, too. */
static void
what_is_missed_of_a_new_sender_is_told(void)
{
	cubby_mailbox *receiver = create(CUBBY_EVERY_OVERTAKE, 4,
					 CUBBY_RECEIVE);
	cubby_mailbox *sender = open_mailbox("m", CUBBY_SEND, NULL);
	uint64_t missed, first;

	for (uint64_t n = 0; n < 100; n++)
		send_number(sender, n);
	first = receive_missed(receiver, &missed);
	expect_int(first, missed);
	expect(missed > 0 && missed <= 96);
	cubby_close(sender);
	cubby_close(receiver);
}

static void
without_receivers_nothing_holds_a_sender_back(void)
{
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		static char data[5000];
		cubby_mailbox *sender = create(kinds[i], 3, CUBBY_SEND);

		for (uint64_t n = 0; n < 1000; n++)
			expect_ok(cubby_send_full(sender, data,
						  n % 2 ? sizeof(data) : 8,
						  NULL, 0, CUBBY_NOW));
		expect_int(inspect("m").waiting, 0);
		expect_int(inspect("m").sent, 1000);
		cubby_close(sender);
		expect_ok(cubby_unlink("m"));
	}
}

static void
the_dead_hold_nobody_up(void)
{
	cubby_mailbox *sender = create(CUBBY_EVERY, 4, CUBBY_SEND);
	struct gate joined = gate_make(), never = gate_make();
	struct child child;

	for (int round = 0; round < 20; round++) {
		in_child(&child) {
			join(0);
			gate_open(&joined);
			gate_wait(&never);
		}
		gate_wait(&joined);
		expect_int(fill_mailbox(sender), 4);
		if (round % 2)
			child_kill(&child);
		else
			child_kill_to_zombie(&child);
		for (uint64_t n = 0; n < 10; n++)
			send_number(sender, n);
		if (round % 2 == 0)
			child_reap(&child);
	}
	cubby_close(sender);
}

/* A sender that sleeps finds out as well. */
static void
a_death_wakes_who_waits(void)
{
	struct gate joined = gate_make();
	struct child sender, receiver;

	cubby_close(create(CUBBY_EVERY, 4, 0));
	in_child(&receiver) {
		join(0);
		gate_open(&joined);
		for (;;)
			pause();
	}
	gate_wait(&joined);
	in_child(&sender) {
		cubby_mailbox *mailbox = open_mailbox("m", CUBBY_SEND, NULL);

		for (uint64_t n = 0; n < 10; n++)
			send_number(mailbox, n);
		cubby_close(mailbox);
	}
	child_wait_asleep(&sender);
	child_kill(&receiver);
	child_finish(&sender);
}

static void
one_who_leaves_wakes_who_waits(void)
{
	cubby_mailbox *receiver = create(CUBBY_EVERY, 4, CUBBY_RECEIVE);
	struct child sender;

	in_child(&sender) {
		cubby_mailbox *mailbox = open_mailbox("m", CUBBY_SEND, NULL);

		for (uint64_t n = 0; n < 10; n++)
			send_number(mailbox, n);
		cubby_close(mailbox);
	}
	child_wait_asleep(&sender);
	/* It has not met the sender's lane. */
	cubby_close(receiver);
	child_finish(&sender);
}

static void
the_stopped_hold_back_or_are_overtaken(void)
{
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		cubby_mailbox *sender = create(kinds[i], 4, CUBBY_SEND);
		struct gate joined = gate_make();
		struct child child;

		in_child(&child) {
			cubby_mailbox *mailbox = join(0);
			uint64_t missed, next = 0, n;

			gate_open(&joined);
			while (next < 1000) {
				n = receive_missed(mailbox, &missed);
				expect_int(n, next + missed);
				expect(!missed ||
				       kinds[i] == CUBBY_EVERY_OVERTAKE);
				next = n + 1;
			}
			cubby_close(mailbox);
		}
		gate_wait(&joined);
		child_stop(&child);
		if (kinds[i] == CUBBY_EVERY)
			expect_int(fill_mailbox(sender), 4);
		for (uint64_t n = kinds[i] == CUBBY_EVERY ? 4 : 0; n < 1000;
		     n++) {
			if (n == 4)
				child_continue(&child);
			send_number(sender, n);
			if (n == 500 && kinds[i] == CUBBY_EVERY_OVERTAKE)
				child_stop(&child);
		}
		child_continue(&child);
		child_finish(&child);
		cubby_close(sender);
		expect_ok(cubby_unlink("m"));
	}
}

/* Sleeping --------------------------------------------------------------- */

static void
every_sleeper_is_woken(void)
{
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		cubby_mailbox *sender = create(kinds[i], 4, CUBBY_SEND);
		struct gate joined = gate_make();
		struct child children[4];

		for (size_t k = 0; k < COUNT_OF(children); k++)
			in_child(&children[k]) {
				cubby_mailbox *mailbox = join(0);

				gate_open(&joined);
				for (uint64_t n = 0; n < 20; n++)
					expect_number(mailbox, n);
				cubby_close(mailbox);
			}
		for (size_t k = 0; k < COUNT_OF(children); k++)
			gate_wait(&joined);
		for (uint64_t n = 0; n < 20; n++) {
			if (n % 4 == 0)
				for (size_t k = 0; k < COUNT_OF(children); k++)
					child_wait_asleep(&children[k]);
			send_number(sender, n);
		}
		for (size_t k = 0; k < COUNT_OF(children); k++)
			child_finish(&children[k]);
		cubby_close(sender);
		expect_ok(cubby_unlink("m"));
	}
}

static void
a_sleeping_sender_is_woken_by_the_last(void)
{
	cubby_mailbox *fast = create(CUBBY_EVERY, 4, CUBBY_RECEIVE);
	cubby_mailbox *slow = join(0);
	struct child sender;

	in_child(&sender) {
		cubby_mailbox *mailbox = open_mailbox("m", CUBBY_SEND, NULL);

		for (uint64_t n = 0; n < 5; n++)
			send_number(mailbox, n);
		cubby_close(mailbox);
	}
	for (uint64_t n = 0; n < 4; n++)
		expect_number(fast, n);
	child_wait_asleep(&sender);
	expect_number(slow, 0);
	child_finish(&sender);
	expect_number(fast, 4);
	for (uint64_t n = 1; n < 5; n++)
		expect_number(slow, n);
	cubby_close(fast);
	cubby_close(slow);
}

static void
a_synchronous_send_waits_for_all(void)
{
	cubby_mailbox *sender = create(CUBBY_EVERY, 4, CUBBY_SEND);
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	cubby_mailbox *a, *b;
	uint64_t n = 1;

	/* All of nobody. */
	expect_ok(cubby_send_full(sender, &n, sizeof(n), NULL,
				  CUBBY_SYNCHRONOUS, CUBBY_NOW));
	a = join(0);
	b = join(0);
	expect_result(cubby_send_full(sender, &n, sizeof(n), &envelope,
				      CUBBY_SYNCHRONOUS, CUBBY_NOW),
		      -EINPROGRESS);
	expect_number(a, 1);
	expect_result(cubby_wait_received(sender, envelope.sequence, CUBBY_NOW),
		      -EAGAIN);
	expect_number(b, 1);
	expect_ok(cubby_wait_received(sender, envelope.sequence, CUBBY_NOW));
	cubby_close(a);
	cubby_close(b);
	cubby_close(sender);
	expect_ok(cubby_unlink("m"));
	sender = create(CUBBY_EVERY_OVERTAKE, 4, CUBBY_SEND);
	expect_result(cubby_send_full(sender, &n, sizeof(n), NULL,
				      CUBBY_SYNCHRONOUS, CUBBY_NOW),
		      -EOPNOTSUPP);
	send_number(sender, 1);
	expect_result(cubby_wait_received(sender, 1, CUBBY_NOW), -EOPNOTSUPP);
	cubby_close(sender);
}

/* Drafts, successors ----------------------------------------------------- */

static void
drafts_keep_their_places(void)
{
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		cubby_mailbox *mailbox = create(kinds[i], 8, BOTH);
		cubby_draft *drafts[8];
		cubby_draft *more;

		for (int round = 0; round < 20; round++) {
			uint64_t base = (uint64_t)round * 108;

			for (size_t k = 0; k < COUNT_OF(drafts); k++) {
				expect_ok(cubby_reserve(mailbox,
							k % 2 ? 8 : 500,
							CUBBY_NOW, &drafts[k]));
				*(uint64_t *)cubby_draft_data(drafts[k]) =
					base + 100 + k;
				/* Others go by it meanwhile. */
				for (uint64_t n = 0; n < 10 && k < 7; n++) {
					if (k * 10 + n >= 70)
						break;
					send_number(mailbox, base + n);
					expect_number(mailbox, base + n);
				}
			}
			if (kinds[i] == CUBBY_EVERY)
				expect_result(cubby_reserve(mailbox, 8,
							    CUBBY_NOW, &more),
					      -EAGAIN);
			for (size_t k = 0; k < COUNT_OF(drafts); k++)
				expect_ok(cubby_commit(drafts[k], 8, NULL));
			for (size_t k = 0; k < COUNT_OF(drafts); k++)
				expect_number(mailbox, base + 100 + k);
		}
		expect_empty(mailbox);
		cubby_close(mailbox);
		expect_ok(cubby_unlink("m"));
	}
}

static void
a_successor_goes_on_where_the_lane_stands(void)
{
	static char large[3000];

	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		cubby_mailbox *receiver = create(kinds[i], 16, CUBBY_RECEIVE);
		uint64_t sequence, tag, got, next = 0;
		cubby_mailbox *sender;

		for (uint64_t round = 0; round < 200; round++) {
			sender = open_mailbox("m", CUBBY_SEND, NULL);
			expect_ok(cubby_published(sender, &sequence, &tag));
			/* 0: nothing yet */
			expect_int(sequence, round ? first_sequence() - 1 +
						     round * 3 : 0);
			for (uint64_t n = 0; n < 3; n++) {
				uint64_t number = round * 3 + n;

				memcpy(large, &number, sizeof(number));
				expect_ok(cubby_send(sender, large,
						     number % 4 ? 8 : 3000));
			}
			cubby_close(sender);
			for (int k = round < 2 ? 0 : 3; k; k--) {
				expect_ok(cubby_receive(receiver, large,
							sizeof(large), NULL));
				memcpy(&got, large, sizeof(got));
				expect_int(got, next++);
			}
		}
		expect_int(inspect("m").lanes, 1);
		expect_int(inspect("m").waiting, 6);
		cubby_close(receiver);
		expect_ok(cubby_unlink("m"));
	}
}

/* What cannot be --------------------------------------------------------- */

static void
what_it_cannot_be_is_refused(void)
{
	struct cubby_options options = options_of(CUBBY_EVERY, 0);
	cubby_mailbox *mailbox = NULL;
	struct cubby_filter filter = CUBBY_FILTER_INIT;
	struct cubby_batch_entry entry = { 0 };
	cubby_message *message;
	cubby_region *region, *got;
	char bytes[64];

	options.order = CUBBY_ORDER_ARRIVAL;
	expect_result(cubby_open("m", CUBBY_CREATE, &options, &mailbox),
		      -EOPNOTSUPP);
	options.order = CUBBY_ORDER_SENDER;
	options.buffering = CUBBY_UNLIMITED;
	expect_result(cubby_open("m", CUBBY_CREATE, &options, &mailbox),
		      -EOPNOTSUPP);
	options.buffering = CUBBY_LIMITED;
	options.delivery = 3;
	expect_result(cubby_open("m", CUBBY_CREATE, &options, &mailbox),
		      -EINVAL);
	options.delivery = CUBBY_EVERY;
	expect_result(cubby_open("@m", CUBBY_CREATE, &options, &mailbox),
		      -EINVAL);
	mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, &options);
	options.delivery = CUBBY_EVERY_OVERTAKE;
	expect_result(cubby_open("m", CUBBY_SEND, &options, &mailbox),
		      -EEXIST);
	expect_ok(cubby_region_open(NULL, CUBBY_CREATE, NULL, &region));
	expect_result(cubby_send_region(mailbox, region, NULL, CUBBY_NOW),
		      -EOPNOTSUPP);
	expect_result(cubby_receive_region(mailbox, NULL, CUBBY_NOW, &got,
					   NULL),
		      -EOPNOTSUPP);
	cubby_region_close(region);
	/* What everybody has got goes back to nobody. */
	send_text(mailbox, "once");
	filter.matching = CUBBY_MATCH_TYPE;
	filter.type = 1;
	expect_result(cubby_receive_batch(mailbox, &filter, 0, CUBBY_NOW,
					  &entry, 1, bytes, sizeof(bytes)),
		      -EOPNOTSUPP);
	expect_result(cubby_receive_full(mailbox, &filter, 0, CUBBY_NOW, bytes,
					 sizeof(bytes), NULL, NULL),
		      -EOPNOTSUPP);
	expect_ok(cubby_hold(mailbox, NULL, CUBBY_NOW, &message));
	expect_result(cubby_reject(message), -EOPNOTSUPP);
	expect_empty(mailbox);
	cubby_close(mailbox);
	expect_ok(cubby_unlink("m"));
	cubby_close(open_mailbox("m", CUBBY_CREATE, NULL));
	options = options_of(CUBBY_ONE, 0);
	options.history = 1;
	expect_result(cubby_open("m", CUBBY_RECEIVE, &options, &mailbox),
		      -EOPNOTSUPP);
}

static void
held_messages_are_a_handles_own(void)
{
	cubby_mailbox *mailbox = create(CUBBY_EVERY, 2, BOTH);
	cubby_message *held[3];
	char text[24];

	for (int i = 0; i < 3; i++) {
		snprintf(text, sizeof(text), "text %d", i);
		send_text(mailbox, text);
		expect_ok(cubby_hold(mailbox, NULL, CUBBY_NOW, &held[i]));
	}
	expect_bytes(cubby_message_data(held[1]), cubby_message_size(held[1]),
		     "text 1", 6);
	expect_ok(cubby_release(held[1]));
	expect_ok(cubby_release(held[2]));
	/* The other goes with the handle. */
	cubby_close(mailbox);
}

static void
a_childs_use_of_it_is_refused(void)
{
	cubby_mailbox *mailbox = create(CUBBY_EVERY, 4, BOTH);
	struct child child;
	uint64_t n = 0;

	send_number(mailbox, 1);
	in_child(&child) {
		expect_result(cubby_send(mailbox, &n, sizeof(n)), -ECHILD);
		expect_result(cubby_receive(mailbox, &n, sizeof(n), NULL),
			      -ECHILD);
		cubby_close(mailbox);
		mailbox = join(0);
		cubby_close(mailbox);
	}
	child_finish(&child);
	expect_number(mailbox, 1);
	cubby_close(mailbox);
}

/* Memory ----------------------------------------------------------------- */

static void
memory_is_made_by_giving_up_what_is_not_waited_for(void)
{
	static char data[300000];

	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		struct cubby_options options = options_of(kinds[i], 100);
		cubby_mailbox *sender, *slow;
		uint64_t missed, first, next, n;
		int r = 0;

		options.memory_limit = 1 << 20;
		sender = open_mailbox("m", CUBBY_CREATE | CUBBY_SEND, &options);
		for (n = 0; n < 20; n++) {
			memcpy(data, &n, sizeof(n));
			expect_ok(cubby_send_full(sender, data, sizeof(data),
						  NULL, 0, CUBBY_NOW));
		}
		slow = join(100);
		expect_ok(cubby_receive(slow, data, sizeof(data), NULL));
		memcpy(&first, data, sizeof(first));
		expect(first >= 15 && first < 20);
		for (next = first + 1; next < 20; next++) {
			expect_ok(cubby_receive(slow, data, sizeof(data),
						NULL));
			memcpy(&n, data, sizeof(n));
			expect_int(n, next);
		}
		/* It waits now for what they have not got. */
		for (n = 20; n < 40 && r == 0; n++) {
			memcpy(data, &n, sizeof(n));
			r = cubby_send_full(sender, data, sizeof(data), NULL, 0,
					    CUBBY_NOW);
		}
		if (kinds[i] == CUBBY_EVERY) {
			expect_int(r, -ENOSPC);
			n--;
		}
		for (missed = 0; next < n; next++) {
			struct cubby_envelope e = CUBBY_ENVELOPE_INIT;
			uint64_t got;

			expect_ok(cubby_receive_full(slow, NULL, 0, CUBBY_NOW,
						     data, sizeof(data), NULL,
						     &e));
			memcpy(&got, data, sizeof(got));
			expect_int(got, next + e.missed);
			missed += e.missed;
			next = got;
		}
		expect(!missed == (kinds[i] == CUBBY_EVERY));
		cubby_close(sender);
		cubby_close(slow);
		expect_ok(cubby_unlink("m"));
	}
}

/* All at once ------------------------------------------------------------ */

#define STORM_SENDERS 2
#define STORM_RECEIVERS 3

static void
storm_receive(uint64_t count, bool overtakes)
{
	uint64_t data[512], next[STORM_SENDERS] = { 0 }, ended = 0;
	cubby_mailbox *mailbox = join(1 << 20);

	while (ended < STORM_SENDERS) {
		struct cubby_envelope e = CUBBY_ENVELOPE_INIT;
		size_t size;

		expect_ok(cubby_receive_full(mailbox, NULL, 0, soon(), data,
					     sizeof(data), &size, &e));
		expect(e.sender >= 1 && e.sender <= STORM_SENDERS);
		expect(pattern_holds(data + 1, size - 8, data[0]));
		expect(e.missed == 0 || overtakes);
		if (next[e.sender - 1])
			expect_int(data[0], next[e.sender - 1] + e.missed);
		next[e.sender - 1] = data[0] + 1;
		ended += data[0] == count - 1;
	}
	cubby_close(mailbox);
}

/* go: when all have opened, each with a lane of its own; who comes after another has
   gone has that one's lane, and its number. */
static void
storm_send(uint64_t count, struct gate *ready, struct gate *go)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_SEND, NULL);
	uint64_t data[512];

	gate_open(ready);
	gate_wait(go);
	for (uint64_t n = 0; n < count; n++) {
		size_t size = 8 + (n % 7 ? n % 90 : n % 4000);

		data[0] = n;
		pattern_fill(data + 1, size - 8, n);
		expect_ok(cubby_send_full(mailbox, data, size, NULL, 0,
					  soon()));
	}
	cubby_close(mailbox);
}

static void
many_processes_at_once_get_all_or_are_told(void)
{
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		struct child receivers[STORM_RECEIVERS];
		struct child senders[STORM_SENDERS];
		struct gate ready[STORM_SENDERS], go[STORM_SENDERS];
		uint64_t count = MANY(100000);

		cubby_close(create(kinds[i], 64, 0));
		for (size_t k = 0; k < STORM_RECEIVERS; k++)
			in_child(&receivers[k])
				storm_receive(count,
					      kinds[i] != CUBBY_EVERY);
		for (size_t k = 0; k < STORM_SENDERS; k++) {
			ready[k] = gate_make();
			go[k] = gate_make();
			in_child(&senders[k])
				storm_send(count, &ready[k], &go[k]);
		}
		for (size_t k = 0; k < STORM_SENDERS; k++)
			gate_wait(&ready[k]);
		for (size_t k = 0; k < STORM_SENDERS; k++)
			gate_open(&go[k]);
		for (size_t k = 0; k < STORM_SENDERS; k++)
			child_finish(&senders[k]);
		for (size_t k = 0; k < STORM_RECEIVERS; k++)
			child_finish(&receivers[k]);
		expect_ok(cubby_unlink("m"));
	}
}

/* Receivers killed at random: the one that stays gets every message. */
static void
a_thousand_killed_receivers_take_nothing_along(void)
{
	cubby_mailbox *receiver = create(CUBBY_EVERY, 16, CUBBY_RECEIVE);
	_Atomic uint64_t *stop = shared_memory(sizeof(*stop));
	struct child sender, child;
	uint64_t next = 0;

	in_child(&sender) {
		cubby_mailbox *mailbox = open_mailbox("m", CUBBY_SEND, NULL);

		for (uint64_t n = 0; !atomic_load(stop); n++)
			send_number(mailbox, n);
		cubby_close(mailbox);
	}
	for (int round = 0; round < MANY(1000); round++) {
		in_child(&child) {
			cubby_mailbox *mailbox = join((uint64_t)round % 5);
			uint64_t n = receive_number(mailbox);

			for (;;)
				expect_number(mailbox, ++n);
		}
		for (int k = round * 7 % 50; k >= 0; k--)
			expect_number(receiver, next++);
		child_kill(&child);
	}
	atomic_store(stop, 1);
	cubby_close(receiver);
	child_finish(&sender);
}

static void *
receive_some(void *argument)
{
	cubby_mailbox *mailbox = argument;
	uint64_t n, sum = 0;

	for (int i = 0; i < 500; i++) {
		n = receive_number(mailbox);
		sum += n;
	}
	return (void *)(uintptr_t)sum;
}

/* The threads that share a handle are one receiver. */
static void
threads_share_a_position(void)
{
	cubby_mailbox *sender = create(CUBBY_EVERY, 16, CUBBY_SEND);
	cubby_mailbox *receiver = join(0);
	uint64_t sum = 0;
	pthread_t threads[2];

	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, receive_some, receiver);
	for (uint64_t n = 0; n < 1000; n++)
		send_number(sender, n);
	for (int i = 0; i < 2; i++) {
		void *ret;

		pthread_join(threads[i], &ret);
		sum += (uintptr_t)ret;
	}
	expect_int(sum, 1000 * 999 / 2);
	cubby_close(sender);
	cubby_close(receiver);
}

int
main(void)
{
	static const struct test tests[] = {
		TEST(every_receiver_gets_every_message),
		TEST(one_begins_with_what_is_sent_from_now_on),
		TEST(late_joiners_may_ask_for_the_last_messages),
		TEST(messages_of_every_size_arrive_whole),
		TEST(a_message_too_large_stays),
		TEST(a_filter_leaves_the_others_messages),
		TEST(a_new_senders_first_messages_are_not_lost),
		TEST(the_slowest_holds_the_sender_back),
		TEST(a_filled_lane_is_read_in_order),
		TEST(the_slow_are_overtaken_and_told),
		TEST(what_is_missed_of_a_new_sender_is_told),
		TEST(without_receivers_nothing_holds_a_sender_back),
		TEST(the_dead_hold_nobody_up),
		TEST(a_death_wakes_who_waits),
		TEST(one_who_leaves_wakes_who_waits),
		TEST(the_stopped_hold_back_or_are_overtaken),
		TEST(every_sleeper_is_woken),
		TEST(a_sleeping_sender_is_woken_by_the_last),
		TEST(a_synchronous_send_waits_for_all),
		TEST(drafts_keep_their_places),
		TEST(a_successor_goes_on_where_the_lane_stands),
		TEST(what_it_cannot_be_is_refused),
		TEST(held_messages_are_a_handles_own),
		TEST(a_childs_use_of_it_is_refused),
		TEST(memory_is_made_by_giving_up_what_is_not_waited_for),
		TEST(many_processes_at_once_get_all_or_are_told),
		TEST(a_thousand_killed_receivers_take_nothing_along),
		TEST(threads_share_a_position),
	};

	return RUN_TESTS("broadcast", tests);
}
