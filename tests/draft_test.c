/* SPDX-License-Identifier: MIT */
/* Test: orders. */
/* cubby_reserve(), cubby_commit(), cubby_abort(): messages written in place. */
#include "support/support.h"

#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)
#define MSEC INT64_C(1000000)

static cubby_draft *
reserve(cubby_mailbox *mailbox, size_t size)
{
	cubby_draft *draft = NULL;

	expect_ok(cubby_reserve(mailbox, size, CUBBY_NOW, &draft));
	expect(draft != NULL);
	expect_int(cubby_draft_size(draft), size);
	expect_int((uintptr_t)cubby_draft_data(draft) % 64, 0);
	return draft;
}

static cubby_draft *
reserve_text(cubby_mailbox *mailbox, const char *text)
{
	cubby_draft *draft = reserve(mailbox, strlen(text));

	memcpy(cubby_draft_data(draft), text, strlen(text));
	return draft;
}

static void
commit_text(cubby_draft *draft, const char *text)
{
	expect_ok(cubby_commit(draft, strlen(text), NULL));
}

static void
a_draft_is_sent_when_it_is_committed(void)
{
	static const size_t sizes[] = { 0, 1, 40, 104, 105, 4096, 1 << 20 };
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	static char buffer[1 << 20];
	size_t size;

	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		struct cubby_envelope sent = CUBBY_ENVELOPE_INIT;
		struct cubby_envelope got = CUBBY_ENVELOPE_INIT;
		cubby_draft *draft = reserve(mailbox, sizes[i]);

		sent.tag = i + 1;
		sent.type = 3;
		if (sizes[i] > 0)
			pattern_fill(cubby_draft_data(draft), sizes[i], i);
		expect_empty(mailbox);
		expect_int(inspect("m").waiting, 0);
		expect_ok(cubby_commit(draft, sizes[i], &sent));
		expect_ok(cubby_receive_full(mailbox, NULL, 0, CUBBY_NOW,
					     buffer, sizeof(buffer), &size,
					     &got));
		expect_int(size, sizes[i]);
		expect(pattern_holds(buffer, size, i));
		expect_int(got.tag, i + 1);
		expect_int(got.type, 3);
		expect(got.sequence == sent.sequence);
		expect(got.sender == sent.sender);
	}
	cubby_close(mailbox);
}

static void
part_of_a_draft_may_be_sent(void)
{
	static const size_t sizes[] = { 0, 1, 39, 41, 104, 105, 1000, 4999 };
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	static char buffer[5000];
	size_t size;

	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		cubby_draft *draft = reserve(mailbox, 5000);

		pattern_fill(cubby_draft_data(draft), 5000, i);
		expect_ok(cubby_commit(draft, sizes[i], NULL));
		expect_ok(
			cubby_receive(mailbox, buffer, sizeof(buffer), &size));
		expect_int(size, sizes[i]);
		expect(pattern_holds(buffer, size / 8 * 8, i));
	}
	cubby_close(mailbox);
}

static void
the_order_of_commit_is_the_order_of_messages(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	cubby_draft *a, *b, *c;

	a = reserve_text(mailbox, "aa");
	b = reserve_text(mailbox, "bb");
	c = reserve_text(mailbox, "cc");
	commit_text(c, "cc");
	send_text(mailbox, "between");
	commit_text(a, "aa");
	commit_text(b, "bb");
	expect_text(mailbox, "cc");
	expect_text(mailbox, "between");
	expect_text(mailbox, "aa");
	expect_text(mailbox, "bb");
	cubby_close(mailbox);
}

static void
drafts_do_not_overlap(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	static char buffer[70000];
	cubby_draft *drafts[100];
	size_t size;

	for (size_t i = 0; i < COUNT_OF(drafts); i++)
		drafts[i] = reserve(mailbox, i * 7 * (i % 9 ? 1 : 100));
	for (size_t i = 0; i < COUNT_OF(drafts); i++)
		if (cubby_draft_size(drafts[i]) > 0)
			pattern_fill(cubby_draft_data(drafts[i]),
				     cubby_draft_size(drafts[i]), i);
	for (size_t i = 0; i < COUNT_OF(drafts); i++) {
		size = cubby_draft_size(drafts[i]);
		if (i % 10 == 3)
			cubby_abort(drafts[i]);
		else
			expect_ok(cubby_commit(drafts[i], size, NULL));
	}
	for (size_t i = 0; i < COUNT_OF(drafts); i++) {
		if (i % 10 == 3)
			continue;
		expect_ok(
			cubby_receive(mailbox, buffer, sizeof(buffer), &size));
		expect_int(size, i * 7 * (i % 9 ? 1 : 100));
		expect(pattern_holds(buffer, size, i));
	}
	expect_empty(mailbox);
	cubby_close(mailbox);
}

/* Committing never waits: its place is taken when it is reserved. */
static void
a_draft_has_its_place_in_the_capacity(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	cubby_draft *first, *second, *third = NULL;
	cubby_mailbox *mailbox;

	options.capacity = 3;
	mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, &options);
	first = reserve_text(mailbox, "1");
	second = reserve_text(mailbox, "2");
	expect_int(fill_mailbox(mailbox), 1);
	expect_result(cubby_reserve(mailbox, 1, CUBBY_NOW, &third), -EAGAIN);
	expect_result(cubby_reserve(mailbox, 1, 1, &third), -ETIMEDOUT);
	expect_result(cubby_reserve(mailbox, 1, cubby_deadline_after(9 * MSEC),
				    &third),
		      -ETIMEDOUT);
	expect(third == NULL);
	commit_text(first, "1");
	expect_result(cubby_reserve(mailbox, 1, CUBBY_NOW, &third), -EAGAIN);
	cubby_abort(second);
	third = reserve_text(mailbox, "3");
	commit_text(third, "3");
	expect_int(fill_mailbox(mailbox), 0);
	expect_number(mailbox, 0);
	expect_text(mailbox, "1");
	expect_text(mailbox, "3");
	expect_empty(mailbox);
	expect_int(fill_mailbox(mailbox), 3);
	cubby_close(mailbox);
}

static void
an_open_draft_delays_no_later_send(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	cubby_draft *small = reserve_text(mailbox, "small");
	cubby_draft *large = reserve(mailbox, 100000);

	/* Round the ring several times. */
	for (uint64_t i = 0; i < 1000; i++) {
		expect_ok(cubby_send_full(mailbox, &i, sizeof(i), NULL, 0,
					  CUBBY_NOW));
		expect_number(mailbox, i);
	}
	commit_text(small, "small");
	memset(cubby_draft_data(large), 'l', 3);
	commit_text(large, "lll");
	expect_text(mailbox, "small");
	expect_text(mailbox, "lll");
	cubby_close(mailbox);
}

static void
waiting_to_reserve_is_woken(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	cubby_mailbox *mailbox;
	struct child child;

	options.capacity = 1;
	mailbox = open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE, &options);
	in_child(&child) {
		cubby_mailbox *own = open_mailbox("m", CUBBY_SEND, NULL);
		cubby_draft *draft;

		send_text(own, "first");
		expect_ok(cubby_reserve(own, 6, soon(), &draft));
		memcpy(cubby_draft_data(draft), "second", 6);
		commit_text(draft, "second");
	}
	child_wait_asleep(&child);
	expect_text(mailbox, "first");
	expect_text(mailbox, "second");
	child_finish(&child);
	cubby_close(mailbox);
}

static void
an_aborted_draft_was_never_there(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	struct cubby_envelope before = CUBBY_ENVELOPE_INIT, after = before;

	expect_ok(cubby_send_full(mailbox, "x", 1, &before, 0, CUBBY_NOW));
	expect_text(mailbox, "x");
	/* Many more than there is memory for, were it not given back. */
	for (int i = 0; i < 1000; i++)
		cubby_abort(reserve(mailbox, 1 << 20));
	cubby_abort(NULL);
	expect_empty(mailbox);
	expect_ok(cubby_send_full(mailbox, "y", 1, &after, 0, CUBBY_NOW));
	expect_int(after.sequence - before.sequence, 1);
	expect_text(mailbox, "y");
	cubby_close(mailbox);
}

static void
closing_aborts_drafts(void)
{
	cubby_mailbox *keeper = open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE,
					     NULL);

	for (int i = 0; i < 20; i++) {
		cubby_mailbox *mailbox = open_mailbox("m", CUBBY_SEND, NULL);

		for (int j = 0; j < 5; j++) {
			reserve(mailbox, 10);
			reserve(mailbox, 1 << 20);
		}
		send_text(mailbox, "sent");
		cubby_close(mailbox);
		expect_text(keeper, "sent");
	}
	expect_empty(keeper);
	expect_int(inspect("m").lanes, 1);
	cubby_close(keeper);
}

static void
a_killed_senders_drafts_are_gone(void)
{
	cubby_mailbox *keeper = open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE,
					     NULL);
	struct gate reserved = gate_make();
	struct child child;

	for (int i = 0; i < 10; i++) {
		in_child(&child) {
			cubby_mailbox *own = open_mailbox("m", CUBBY_SEND,
							  NULL);

			for (int j = 0; j < 5; j++) {
				reserve_text(own, "never");
				memset(cubby_draft_data(reserve(own, 1 << 20)),
				       1, 1 << 20);
			}
			send_text(own, "sent");
			gate_open(&reserved);
			pause();
		}
		gate_wait(&reserved);
		child_kill(&child);
		expect_text(keeper, "sent");
	}
	expect_empty(keeper);
	expect_int(inspect("m").lanes, 1);
	cubby_close(keeper);
}

static void
a_draft_that_cannot_be_sent_stays(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	cubby_draft *draft = reserve_text(mailbox, "stays");
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;

	expect_result(cubby_commit(draft, 6, NULL), -EMSGSIZE);
	envelope.struct_size = 0;
	expect_result(cubby_commit(draft, 5, &envelope), -EINVAL);
	envelope = (struct cubby_envelope)CUBBY_ENVELOPE_INIT;
	envelope.type = -5;
	expect_result(cubby_commit(draft, 5, &envelope), -EINVAL);
	envelope.type = 0;
	envelope.priority = test_order() == CUBBY_ORDER_PRIORITY ? 32768 : 3;
	expect_result(cubby_commit(draft, 5, &envelope),
		      envelope.priority == 3 ? -EOPNOTSUPP : -EINVAL);
	expect_empty(mailbox);
	expect_int(cubby_draft_size(draft), 5);
	commit_text(draft, "stays");
	expect_text(mailbox, "stays");
	cubby_close(mailbox);
}

static void
a_draft_larger_than_the_maximum_is_refused(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	cubby_draft *draft = NULL;
	cubby_mailbox *mailbox;

	options.message_max = 100;
	mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, &options);
	expect_result(cubby_reserve(mailbox, 101, CUBBY_NOW, &draft),
		      -EMSGSIZE);
	expect_result(cubby_reserve(mailbox, SIZE_MAX, CUBBY_NOW, &draft),
		      -EMSGSIZE);
	expect(draft == NULL);
	expect_result(cubby_reserve(mailbox, 1, CUBBY_NOW, NULL), -EINVAL);
	expect_int(fill_mailbox(mailbox), 128);
	cubby_close(mailbox);
}

static void
a_draft_for_a_fixed_size_has_that_size(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	cubby_draft *draft = NULL;
	cubby_mailbox *mailbox;

	options.message_max = 100;
	options.sizing = CUBBY_FIXED;
	mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, &options);
	expect_result(cubby_reserve(mailbox, 99, CUBBY_NOW, &draft), -EMSGSIZE);
	expect_result(cubby_reserve(mailbox, 101, CUBBY_NOW, &draft),
		      -EMSGSIZE);
	draft = reserve(mailbox, 100);
	expect_result(cubby_commit(draft, 99, NULL), -EMSGSIZE);
	memset(cubby_draft_data(draft), 'f', 100);
	expect_ok(cubby_commit(draft, 100, NULL));
	expect_int(inspect("m").waiting, 1);
	cubby_close(mailbox);
}

static void
drafts_beyond_the_memory_limit_are_refused(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	cubby_draft *drafts[32];
	cubby_mailbox *mailbox;
	size_t count = 0;
	int result;

	options.memory_limit = 256 << 10;
	mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, &options);
	while ((result = cubby_reserve(mailbox, 20000, soon(),
				       &drafts[count])) == 0)
		expect(++count < COUNT_OF(drafts));
	expect_result(result, -ENOSPC);
	expect(count > 0);
	/* What needs no memory but its cell goes on. */
	send_text(mailbox, "small");
	expect_text(mailbox, "small");
	cubby_abort(drafts[--count]);
	drafts[count++] = reserve(mailbox, 20000);
	while (count > 0)
		cubby_abort(drafts[--count]);
	cubby_close(mailbox);
}

static void
a_committed_draft_can_be_waited_for(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	cubby_draft *draft = reserve_text(mailbox, "draft");

	expect_ok(cubby_commit(draft, 5, &envelope));
	expect_result(cubby_wait_received(mailbox, envelope.sequence,
					  CUBBY_NOW),
		      -EAGAIN);
	expect_text(mailbox, "draft");
	expect_ok(cubby_wait_received(mailbox, envelope.sequence, CUBBY_NOW));
	cubby_close(mailbox);
}

static const struct test tests[] = {
	TEST(a_draft_is_sent_when_it_is_committed),
	TEST(part_of_a_draft_may_be_sent),
	TEST(the_order_of_commit_is_the_order_of_messages),
	TEST(drafts_do_not_overlap),
	TEST(a_draft_has_its_place_in_the_capacity),
	TEST(an_open_draft_delays_no_later_send),
	TEST(waiting_to_reserve_is_woken),
	TEST(an_aborted_draft_was_never_there),
	TEST(closing_aborts_drafts),
	TEST(a_killed_senders_drafts_are_gone),
	TEST(a_draft_that_cannot_be_sent_stays),
	TEST(a_draft_larger_than_the_maximum_is_refused),
	TEST(a_draft_for_a_fixed_size_has_that_size),
	TEST(drafts_beyond_the_memory_limit_are_refused),
	TEST(a_committed_draft_can_be_waited_for),
};

int
main(void)
{
	return RUN_TESTS("drafts", tests);
}
