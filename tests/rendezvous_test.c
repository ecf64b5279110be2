/* SPDX-License-Identifier: MIT */
/* Test: tsan, timeout 120. */
/* Capacity zero: a send and a receive meet, or neither happens. */
#include "support/support.h"
#include <pthread.h>

#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)
#define MSEC INT64_C(1000000)

static cubby_mailbox *
open_rendezvous(int roles)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;

	options.order = CUBBY_ORDER_ARRIVAL;
	options.buffering = CUBBY_RENDEZVOUS;
	return open_mailbox("r", CUBBY_CREATE | roles, &options);
}

static int
try_send(cubby_mailbox *mailbox, const char *text)
{
	return cubby_send_full(mailbox, text, strlen(text), NULL, 0,
			       CUBBY_NOW);
}

/* A child that receives that text. */
static void
receiver(struct child *child, const char *text)
{
	in_child(child) {
		cubby_mailbox *own = open_mailbox("r", CUBBY_RECEIVE, NULL);

		expect_text(own, text);
		cubby_close(own);
	}
}

static void
sender(struct child *child, const char *text)
{
	in_child(child) {
		cubby_mailbox *own = open_mailbox("r", CUBBY_SEND, NULL);

		expect_ok(cubby_send(own, text, strlen(text)));
		cubby_close(own);
	}
}

static void
nothing_is_buffered(void)
{
	cubby_mailbox *mailbox = open_rendezvous(BOTH);
	cubby_draft *draft;

	expect_result(try_send(mailbox, "nobody"), -EAGAIN);
	expect_result(cubby_send_full(mailbox, "late", 4, NULL, 0,
				      cubby_deadline_after(10 * MSEC)),
		      -ETIMEDOUT);
	expect_empty(mailbox);
	expect_int(inspect("r").waiting, 0);
	expect_int(inspect("r").capacity, 0);
	expect_result(cubby_reserve(mailbox, 1, CUBBY_NOW, &draft),
		      -EOPNOTSUPP);
	cubby_close(mailbox);
}

static void
a_try_succeeds_when_a_receiver_waits(void)
{
	cubby_mailbox *mailbox = open_rendezvous(CUBBY_SEND);
	struct child child;

	receiver(&child, "hello");
	child_wait_asleep(&child);
	expect_ok(try_send(mailbox, "hello"));
	expect_result(try_send(mailbox, "again"), -EAGAIN);
	child_finish(&child);
	expect_result(try_send(mailbox, "again"), -EAGAIN);
	cubby_close(mailbox);
}

static void
a_try_to_receive_succeeds_when_a_sender_waits(void)
{
	cubby_mailbox *mailbox = open_rendezvous(CUBBY_RECEIVE);
	struct child child;

	expect_empty(mailbox);
	sender(&child, "hello");
	child_wait_asleep(&child);
	expect_text(mailbox, "hello");
	child_finish(&child);
	expect_empty(mailbox);
	cubby_close(mailbox);
}

static void
senders_are_met_in_the_order_of_arrival(void)
{
	static const char *const texts[] = { "one", "two", "three", "four" };
	cubby_mailbox *mailbox = open_rendezvous(CUBBY_RECEIVE);
	struct child children[4];

	for (size_t i = 0; i < 4; i++) {
		sender(&children[i], texts[i]);
		child_wait_asleep(&children[i]);
	}
	for (size_t i = 0; i < 4; i++) {
		expect_text(mailbox, texts[i]);
		child_finish(&children[i]);
	}
	cubby_close(mailbox);
}

static void
receivers_are_met_in_the_order_of_arrival(void)
{
	static const char *const texts[] = { "one", "two", "three", "four" };
	cubby_mailbox *mailbox = open_rendezvous(CUBBY_SEND);
	struct child children[4];

	for (size_t i = 0; i < 4; i++) {
		receiver(&children[i], texts[i]);
		child_wait_asleep(&children[i]);
	}
	for (size_t i = 0; i < 4; i++)
		expect_ok(try_send(mailbox, texts[i]));
	for (size_t i = 0; i < 4; i++)
		child_finish(&children[i]);
	cubby_close(mailbox);
}

static void
a_dead_receiver_does_not_wait(void)
{
	cubby_mailbox *mailbox = open_rendezvous(CUBBY_SEND);
	struct child dead, living;

	receiver(&dead, "never");
	child_wait_asleep(&dead);
	receiver(&living, "hello");
	child_wait_asleep(&living);
	child_kill(&dead);
	expect_ok(try_send(mailbox, "hello"));
	child_finish(&living);
	expect_result(try_send(mailbox, "nobody"), -EAGAIN);
	cubby_close(mailbox);
}

static void
a_dead_sender_offers_nothing(void)
{
	cubby_mailbox *mailbox = open_rendezvous(CUBBY_RECEIVE);
	struct child dead, living;

	sender(&dead, "never");
	child_wait_asleep(&dead);
	sender(&living, "hello");
	child_wait_asleep(&living);
	child_kill(&dead);
	expect_text(mailbox, "hello");
	child_finish(&living);
	expect_empty(mailbox);
	cubby_close(mailbox);
}

/* What was given to a receiver that stands still is its own; the others go on. If
   it dies before it has seen it, it goes to another. */
static void
a_stopped_receiver_holds_nobody_up(void)
{
	cubby_mailbox *mailbox = open_rendezvous(BOTH);
	struct child stopped, other;
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	char buffer[16];

	receiver(&stopped, "never seen");
	child_wait_asleep(&stopped);
	child_stop(&stopped);
	receiver(&other, "hello");
	child_wait_asleep(&other);
	expect_ok(cubby_send_full(mailbox, "given", 5, NULL, 0, soon()));
	expect_ok(cubby_send_full(mailbox, "hello", 5, NULL, 0, soon()));
	child_finish(&other);
	child_kill(&stopped);
	expect_ok(cubby_receive_full(mailbox, NULL, 0, soon(), buffer,
				     sizeof(buffer), NULL, &envelope));
	expect_int(envelope.size, 5);
	expect_bytes(buffer, 5, "given", 5);
	expect_empty(mailbox);
	cubby_close(mailbox);
}

static void
a_message_that_does_not_fit_meets_nobody(void)
{
	cubby_mailbox *mailbox = open_rendezvous(CUBBY_SEND);
	struct child small;

	in_child(&small) {
		cubby_mailbox *own = open_mailbox("r", CUBBY_RECEIVE, NULL);
		char buffer[4];
		size_t size = 0;

		expect_ok(cubby_receive_full(own, NULL, 0, soon(), buffer,
					     sizeof(buffer), &size, NULL));
		expect_bytes(buffer, size, "fits", 4);
		expect_result(cubby_receive_full(own, NULL, 0, soon(), buffer,
						 sizeof(buffer), &size, NULL),
			      -EMSGSIZE);
		expect_int(size, 8);
		expect_text(own, "too long");
		cubby_close(own);
	}
	child_wait_asleep(&small);
	expect_result(try_send(mailbox, "too long"), -EAGAIN);
	expect_ok(try_send(mailbox, "fits"));
	expect_ok(cubby_send_full(mailbox, "too long", 8, NULL, 0, soon()));
	child_finish(&small);
	cubby_close(mailbox);
}

static void
an_offer_is_held_and_given_back(void)
{
	cubby_mailbox *mailbox = open_rendezvous(CUBBY_RECEIVE);
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	cubby_message *message;
	struct child child;

	sender(&child, "hold me");
	expect_ok(cubby_hold(mailbox, NULL, soon(), &message));
	child_finish(&child);
	expect_ok(cubby_reject(message));
	expect_int(inspect("r").returned, 1);
	expect_ok(cubby_hold(mailbox, NULL, CUBBY_NOW, &message));
	expect_ok(cubby_message_envelope(message, &envelope));
	expect_int(envelope.deliveries, 2);
	expect_ok(cubby_release(message));
	expect_empty(mailbox);
	cubby_close(mailbox);
}

static void
a_peek_sees_an_offer_and_leaves_it(void)
{
	cubby_mailbox *mailbox = open_rendezvous(CUBBY_RECEIVE);
	struct child child;
	char buffer[8];
	size_t size;

	sender(&child, "offer");
	expect_ok(cubby_receive_full(mailbox, NULL, CUBBY_PEEK, soon(), buffer,
				     sizeof(buffer), &size, NULL));
	expect_bytes(buffer, size, "offer", 5);
	child_wait_asleep(&child);
	expect_text(mailbox, "offer");
	child_finish(&child);
	cubby_close(mailbox);
}

struct crowd {
	cubby_mailbox *mailbox;
	uint64_t count;
	_Atomic(uint64_t) sum, received;
};

static void *
send_many(void *context)
{
	struct crowd *crowd = context;

	for (uint64_t i = 1; i <= crowd->count; i++)
		expect_ok(cubby_send(crowd->mailbox, &i, sizeof(i)));
	return NULL;
}

static void *
receive_many(void *context)
{
	struct crowd *crowd = context;
	uint64_t number;

	for (uint64_t i = 0; i < crowd->count; i++) {
		expect_ok(cubby_receive(crowd->mailbox, &number, sizeof(number),
					NULL));
		atomic_fetch_add(&crowd->sum, number);
		atomic_fetch_add(&crowd->received, 1);
	}
	return NULL;
}

static void
many_threads_meet(void)
{
	struct crowd crowd = { .mailbox = open_rendezvous(BOTH),
			       .count = MANY(3000) };
	pthread_t threads[6];

	for (size_t i = 0; i < 6; i++)
		expect_int(pthread_create(&threads[i], NULL,
					  i % 2 ? send_many : receive_many,
					  &crowd),
			   0);
	for (size_t i = 0; i < 6; i++)
		pthread_join(threads[i], NULL);
	expect_int(crowd.received, 3 * crowd.count);
	expect_int(crowd.sum, 3 * (crowd.count * (crowd.count + 1) / 2));
	expect_int(inspect("r").broken, 0);
	expect_empty(crowd.mailbox);
	cubby_close(crowd.mailbox);
}

/* A child that receives what the filter lets through. */
static void
choosy_receiver(struct child *child, const struct cubby_filter *filter,
		const char *text)
{
	in_child(child) {
		cubby_mailbox *own = open_mailbox("r", CUBBY_RECEIVE, NULL);
		char buffer[64];
		size_t size;

		expect_ok(cubby_receive_full(own, filter, 0, soon(), buffer,
					     sizeof(buffer), &size, NULL));
		expect_bytes(buffer, size, text, strlen(text));
		cubby_close(own);
	}
	child_wait_asleep(child);
}

static int
is_ready(cubby_mailbox *mailbox)
{
	struct cubby_wait_entry entry = { .mailbox = mailbox,
					  .events = CUBBY_SEND };
	int result = cubby_wait(&entry, 1, CUBBY_NOW);

	return result < 0 ? result : 0;
}

/* There is room for who may send at once: not for those whose messages nobody who
   waits would take. */
static void
room_is_for_those_whom_one_waits_for(void)
{
	struct cubby_filter by_type = CUBBY_FILTER_INIT;
	struct cubby_filter by_name = CUBBY_FILTER_INIT;
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	cubby_mailbox *mailbox = open_rendezvous(CUBBY_SEND), *ada;
	struct child typed, named;

	options.sender = "Ada";
	ada = open_mailbox("r", CUBBY_SEND, &options);
	by_type.matching = CUBBY_MATCH_TYPE;
	by_type.type = 7;
	by_name.sender_name = "Ada";
	expect_result(is_ready(mailbox), -EAGAIN);
	choosy_receiver(&typed, &by_type, "typed");
	expect_result(is_ready(mailbox), -EAGAIN);
	expect_result(is_ready(ada), -EAGAIN);
	expect_result(try_send(mailbox, "untyped"), -EAGAIN);
	choosy_receiver(&named, &by_name, "named");
	expect_result(is_ready(mailbox), -EAGAIN);
	expect_result(try_send(mailbox, "not Ada's"), -EAGAIN);
	expect_ok(is_ready(ada));
	expect_ok(try_send(ada, "named"));
	child_finish(&named);
	expect_result(is_ready(ada), -EAGAIN);
	envelope.type = 7;
	expect_ok(cubby_send_full(mailbox, "typed", 5, &envelope, 0,
				  CUBBY_NOW));
	child_finish(&typed);
	cubby_close(ada);
	cubby_close(mailbox);
}

int
main(void)
{
	static const struct test tests[] = {
		TEST(nothing_is_buffered),
		TEST(a_try_succeeds_when_a_receiver_waits),
		TEST(a_try_to_receive_succeeds_when_a_sender_waits),
		TEST(senders_are_met_in_the_order_of_arrival),
		TEST(receivers_are_met_in_the_order_of_arrival),
		TEST(a_dead_receiver_does_not_wait),
		TEST(a_dead_sender_offers_nothing),
		TEST(a_stopped_receiver_holds_nobody_up),
		TEST(a_message_that_does_not_fit_meets_nobody),
		TEST(an_offer_is_held_and_given_back),
		TEST(a_peek_sees_an_offer_and_leaves_it),
		TEST(many_threads_meet),
		TEST(room_is_for_those_whom_one_waits_for),
	};

	return RUN_TESTS("rendezvous", tests);
}
