/* SPDX-License-Identifier: MIT */
/* Test: orders, tsan. */
/* An end of a handle that is announced asleep is told of what it waits for. */
#include "handle.h"
#include "support/support.h"

#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)

static int
look(cubby_mailbox *mailbox, uint32_t role, enum look how)
{
	return mailbox->operations->look(mailbox, role, how);
}

static void
expect_looks(cubby_mailbox *mailbox, uint32_t role, int wanted)
{
	expect_result(look(mailbox, role, LOOK_QUICKLY), wanted);
	expect_result(look(mailbox, role, LOOK_THOROUGHLY), wanted);
	expect_result(look(mailbox, role, LOOK_PATIENTLY), wanted);
}

/* As a thread does that is about to sleep. */
static void
announce(cubby_mailbox *mailbox, uint32_t role, struct rest *ret)
{
	expect_result(mailbox->operations->announce(mailbox, role, ret), 0);
	expect(ret->kind != REST_NONE);
	if (ret->barrier)
		mailbox->operations->settle(mailbox, role, ret,
					    doorbell_barrier());
	if (ret->look)
		expect_result(look(mailbox, role, LOOK_THOROUGHLY), 0);
	expect(ret->slice > 0);
}

static void
expect_retracts(cubby_mailbox *mailbox, uint32_t role, struct rest *rest,
		int wanted)
{
	expect_result(mailbox->operations->retract(mailbox, role, rest, 0),
		      wanted);
	expect_int(rest->kind, REST_NONE);
}

static bool
is_rung(const struct rest *rest)
{
	/* relaxed: this thread rang, or nobody did */
	return word32_load_relaxed(rest->events) != rest->ticket;
}

static void
a_look_tells_of_a_message_and_leaves_it(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);

	expect_looks(mailbox, CUBBY_RECEIVE, 0);
	send_text(mailbox, "a");
	expect_looks(mailbox, CUBBY_RECEIVE, 1);
	expect_text(mailbox, "a");
	expect_looks(mailbox, CUBBY_RECEIVE, 0);
	cubby_close(mailbox);
}

static void
a_look_tells_of_room(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);

	expect_looks(mailbox, CUBBY_SEND, 1);
	fill_mailbox(mailbox);
	expect_looks(mailbox, CUBBY_SEND, 0);
	receive_number(mailbox);
	expect_looks(mailbox, CUBBY_SEND, 1);
	cubby_close(mailbox);
}

static void
a_look_tells_of_what_went_back(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	cubby_message *held;

	send_text(mailbox, "a");
	expect_ok(cubby_hold(mailbox, NULL, CUBBY_NOW, &held));
	expect_looks(mailbox, CUBBY_RECEIVE, 0);
	expect_ok(cubby_reject(held));
	expect_looks(mailbox, CUBBY_RECEIVE, 1);
	expect_text(mailbox, "a");
	cubby_close(mailbox);
}

static void
who_rests_is_rung_for_a_message(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	struct rest rest;

	announce(mailbox, CUBBY_RECEIVE, &rest);
	expect(!is_rung(&rest));
	send_text(mailbox, "a");
	expect(is_rung(&rest));
	expect_retracts(mailbox, CUBBY_RECEIVE, &rest, 1);
	expect_text(mailbox, "a");
	announce(mailbox, CUBBY_RECEIVE, &rest);
	expect_retracts(mailbox, CUBBY_RECEIVE, &rest, 0);
	cubby_close(mailbox);
}

/* Both have the ring of one message, whoever is rung first. */
static void
expect_both_rung(const struct cubby_options *options)
{
	cubby_mailbox *a = open_mailbox("m", CUBBY_CREATE | BOTH, options);
	cubby_mailbox *b = open_mailbox("m", CUBBY_RECEIVE, NULL);
	struct rest rests[2];

	announce(a, CUBBY_RECEIVE, &rests[0]);
	announce(b, CUBBY_RECEIVE, &rests[1]);
	send_text(a, "x");
	expect(is_rung(&rests[0]) || is_rung(&rests[1]));
	if (is_rung(&rests[0])) {
		expect_retracts(a, CUBBY_RECEIVE, &rests[0], 1);
		expect(is_rung(&rests[1]));
		expect_retracts(b, CUBBY_RECEIVE, &rests[1], 1);
	} else {
		expect_retracts(b, CUBBY_RECEIVE, &rests[1], 1);
		expect(is_rung(&rests[0]));
		expect_retracts(a, CUBBY_RECEIVE, &rests[0], 1);
	}
	expect_text(b, "x");
	cubby_close(b);
	cubby_close(a);
}

static void
who_rests_takes_no_ring_from_another(void)
{
	expect_both_rung(NULL);
}

static void
who_rests_takes_no_ring_from_another_of_a_queue(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;

	options.order = CUBBY_ORDER_PRIORITY;
	expect_both_rung(&options);
}

static void
who_rests_is_rung_for_room(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	struct rest rest;

	fill_mailbox(mailbox);
	announce(mailbox, CUBBY_SEND, &rest);
	receive_number(mailbox);
	expect(is_rung(&rest));
	expect_retracts(mailbox, CUBBY_SEND, &rest, 1);
	cubby_close(mailbox);
}

static void
what_is_ready_is_not_announced(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	struct rest rest = { .kind = REST_NONE };

	expect_result(mailbox->operations->announce(mailbox, CUBBY_SEND, &rest),
		      1);
	expect_int(rest.kind, REST_NONE);
	cubby_close(mailbox);
}

static void
one_handle_rests_several_times(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	struct rest rests[2];

	announce(mailbox, CUBBY_RECEIVE, &rests[0]);
	announce(mailbox, CUBBY_RECEIVE, &rests[1]);
	send_text(mailbox, "a");
	expect(is_rung(&rests[0]));
	expect(is_rung(&rests[1]));
	expect_retracts(mailbox, CUBBY_RECEIVE, &rests[0], 1);
	expect_retracts(mailbox, CUBBY_RECEIVE, &rests[1], 1);
	expect_text(mailbox, "a");
	cubby_close(mailbox);
}

/* Nothing buffered: a sender's offer is a message, a receiver's wait is room. */
static void
a_rendezvous_is_two_sided(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	cubby_mailbox *mailbox;
	struct child child;
	struct rest rest;

	options.order = test_order() ? test_order() : CUBBY_ORDER_ARRIVAL;
	options.buffering = CUBBY_RENDEZVOUS;
	mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, &options);
	expect_looks(mailbox, CUBBY_SEND, 0);
	announce(mailbox, CUBBY_SEND, &rest);
	in_child(&child) {
		cubby_mailbox *receiver = open_mailbox("m", CUBBY_RECEIVE,
						       NULL);
		expect_text(receiver, "x");
		cubby_close(receiver);
	}
	child_wait_asleep(&child);
	expect(is_rung(&rest));
	expect_retracts(mailbox, CUBBY_SEND, &rest, 1);
	expect_looks(mailbox, CUBBY_SEND, 1);
	send_text(mailbox, "x");
	child_finish(&child);

	announce(mailbox, CUBBY_RECEIVE, &rest);
	in_child(&child) {
		cubby_mailbox *sender = open_mailbox("m", CUBBY_SEND, NULL);

		send_text(sender, "y");
		cubby_close(sender);
	}
	child_wait_asleep(&child);
	expect(is_rung(&rest));
	expect_retracts(mailbox, CUBBY_RECEIVE, &rest, 1);
	expect_text(mailbox, "y");
	child_finish(&child);
	cubby_close(mailbox);
}

static const struct test tests[] = {
	TEST(a_look_tells_of_a_message_and_leaves_it),
	TEST(a_look_tells_of_room),
	TEST(a_look_tells_of_what_went_back),
	TEST(who_rests_is_rung_for_a_message),
	TEST(who_rests_takes_no_ring_from_another),
	TEST(who_rests_takes_no_ring_from_another_of_a_queue),
	TEST(who_rests_is_rung_for_room),
	TEST(what_is_ready_is_not_announced),
	TEST(one_handle_rests_several_times),
	TEST(a_rendezvous_is_two_sided),
};

int
main(void)
{
	return RUN_TESTS("rest", tests);
}
