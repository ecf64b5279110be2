/* SPDX-License-Identifier: MIT */
/* Test: timeout 120. */
/*
 * What is done with a queue while another one stands still under its lock: the
 * calls that may not wait for it end all the same, and when it is given, or its
 * owner dies, all is as they have said.
 */
#include "handle.h"
#include "slots.h"
#include "support/support.h"
#include <sched.h>
#include <signal.h>

#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)
#define MSEC INT64_C(1000000)
#define CAPACITY 4

static cubby_mailbox *
open_queue(enum cubby_buffering buffering)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;

	options.order = CUBBY_ORDER_ARRIVAL;
	options.buffering = buffering;
	if (buffering == CUBBY_LIMITED)
		options.capacity = CAPACITY;
	return open_mailbox("q", CUBBY_CREATE | BOTH, &options);
}

static cubby_mailbox *
open_named(const char *name)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;

	options.sender = name;
	return open_mailbox("q", CUBBY_SEND, &options);
}

static int
send_tagged(cubby_mailbox *mailbox, uint64_t tag, int flags, int64_t deadline)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;

	envelope.tag = tag;
	return cubby_send_full(mailbox, &tag, sizeof(tag), &envelope, flags,
			       deadline);
}

static void
expect_published(cubby_mailbox *mailbox, uint64_t wanted_sequence,
		 uint64_t wanted_tag)
{
	uint64_t sequence, tag;

	expect_ok(cubby_published(mailbox, &sequence, &tag));
	expect_int(sequence, wanted_sequence);
	expect_int(tag, wanted_tag);
}

/* Who has the lock ------------------------------------------------------- */

struct keeper {
	struct child child;
	struct gate taken, given;
};

static void
keep_lock(struct keeper *keeper)
{
	keeper->taken = gate_make();
	keeper->given = gate_make();
	in_child(&keeper->child) {
		cubby_mailbox *own = open_mailbox("q", CUBBY_RECEIVE, NULL);
		struct queue *queue = &own->queue;

		expect_ok(robust_lock_take(&queue->map.file->lock,
					   &queue->locker, CUBBY_FOREVER));
		gate_open(&keeper->taken);
		gate_wait(&keeper->given);
		robust_lock_give(&queue->map.file->lock, &queue->locker);
		cubby_close(own);
	}
	gate_wait(&keeper->taken);
}

enum end { GIVES, DIES };

static void
end_lock(struct keeper *keeper, enum end end)
{
	if (end == DIES) {
		child_kill(&keeper->child);
		return;
	}
	gate_open(&keeper->given);
	child_finish(&keeper->child);
}

static void
on_signal(int number)
{
	(void)number;
}

static void
catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	expect_system(sigaction(SIGUSR1, &action, NULL));
}

/* Until the child says that its call has ended. */
static void
interrupt(struct child *child, const _Atomic(bool) *over)
{
	while (!atomic_load(over)) {
		child_signal(child, SIGUSR1);
		sched_yield();
	}
}

/* Sending ---------------------------------------------------------------- */

/* Interrupted while it waits for its message's being taken, it cannot have the
   lock, and withdraws the message without it. */
static void
expect_withdrawn(enum cubby_buffering buffering, enum end end)
{
	cubby_mailbox *mailbox = open_queue(buffering);
	_Atomic(bool) *over = shared_memory(sizeof(*over));
	struct gate go_on = gate_make();
	struct keeper keeper;
	struct child child;

	in_child(&child) {
		cubby_mailbox *own = open_mailbox("q", CUBBY_SEND, NULL);

		catch_signals();
		expect_result(send_tagged(own, 6, CUBBY_SYNCHRONOUS,
					  CUBBY_FOREVER),
			      -EINTR);
		*over = true;
		gate_wait(&go_on);
		expect_published(own, 0, 0);
		cubby_close(own);
	}
	child_wait_asleep(&child);
	keep_lock(&keeper);
	interrupt(&child, over);
	end_lock(&keeper, end);
	/* Whether it comes upon it, or has been told of it. */
	mailbox->queue.next_look = end == GIVES ? INT64_MAX : 0;
	expect_empty(mailbox);
	expect_int(inspect("q").waiting, 0);
	gate_open(&go_on);
	child_finish(&child);
	expect_int(inspect("q").broken, 0);
	cubby_close(mailbox);
}

static void
a_late_send_is_withdrawn_without_the_lock(void)
{
	expect_withdrawn(CUBBY_LIMITED, GIVES);
}

static void
a_late_send_is_withdrawn_where_the_locks_owner_died(void)
{
	expect_withdrawn(CUBBY_LIMITED, DIES);
}

static void
an_offer_is_withdrawn_without_the_lock(void)
{
	expect_withdrawn(CUBBY_RENDEZVOUS, GIVES);
}

/* Its place is free again, for one who looks round for what is left. */
static void
what_is_withdrawn_gives_its_place_back(void)
{
	cubby_mailbox *mailbox = open_queue(CUBBY_LIMITED);
	_Atomic(bool) *over = shared_memory(sizeof(*over));
	struct keeper keeper;
	struct child child;

	for (uint64_t i = 0; i < CAPACITY - 1; i++)
		send_number(mailbox, i);
	in_child(&child) {
		cubby_mailbox *own = open_mailbox("q", CUBBY_SEND, NULL);

		catch_signals();
		expect_result(send_tagged(own, 6, CUBBY_SYNCHRONOUS,
					  CUBBY_FOREVER),
			      -EINTR);
		*over = true;
		for (;;) /* another signal ends one pause */
			pause();
	}
	child_wait_asleep(&child);
	keep_lock(&keeper);
	interrupt(&child, over);
	end_lock(&keeper, GIVES);
	child_stop(&child);
	mailbox->queue.next_look = 0;
	expect_ok(send_tagged(mailbox, 3, 0, CUBBY_NOW));
	expect_result(send_tagged(mailbox, 4, 0, CUBBY_NOW), -EAGAIN);
	for (uint64_t i = 0; i < CAPACITY; i++)
		expect_number(mailbox, i);
	expect_empty(mailbox);
	child_kill(&child);
	cubby_close(mailbox);
}

/* Who comes back under its name goes on from what has been sent. */
static void
what_is_withdrawn_has_not_been_published(void)
{
	cubby_mailbox *mailbox = open_queue(CUBBY_LIMITED), *again;
	_Atomic(bool) *over = shared_memory(sizeof(*over));
	struct keeper keeper;
	struct child child;

	in_child(&child) {
		cubby_mailbox *own = open_named("s");

		catch_signals();
		expect_ok(send_tagged(own, 5, 0, CUBBY_NOW));
		expect_result(send_tagged(own, 6, CUBBY_SYNCHRONOUS,
					  CUBBY_FOREVER),
			      -EINTR);
		expect_published(own, 1, 5);
		*over = true;
		for (;;) /* another signal ends one pause */
			pause();
	}
	child_wait_asleep(&child);
	keep_lock(&keeper);
	interrupt(&child, over);
	child_kill(&child);
	again = open_named("s");
	expect_published(again, 1, 5);
	end_lock(&keeper, GIVES);
	expect_published(again, 1, 5);
	expect_number(mailbox, 5);
	mailbox->queue.next_look = 0;
	expect_empty(mailbox);
	expect_published(again, 1, 5);
	expect_ok(send_tagged(again, 6, 0, CUBBY_NOW));
	expect_published(again, 2, 6);
	expect_number(mailbox, 6);
	expect_empty(mailbox);
	cubby_close(again);
	cubby_close(mailbox);
}

/* Where the message lies that was sent last, and has not been taken. */
static struct queue_slot *
find_queued(const cubby_mailbox *mailbox)
{
	const struct queue_map *map = &mailbox->queue.map;

	for (uint32_t n = 0; queue_slot(map, n); n++)
		if (slot_state_of(get64(&queue_slot(map, n)->state)) ==
		    SLOT_QUEUED)
			return queue_slot(map, n);
	fail_at(__FILE__, __LINE__, "no message");
	return NULL;
}

/* Killed just after it has withdrawn its message: done in its place here. */
static void
withdrawn_by_one_who_died_over_it(void)
{
	cubby_mailbox *mailbox = open_queue(CUBBY_LIMITED), *again;
	struct queue_slot *slot;
	struct child child;
	uint64_t word;

	in_child(&child) {
		cubby_mailbox *own = open_named("s");

		expect_ok(send_tagged(own, 5, 0, CUBBY_NOW));
		send_tagged(own, 6, CUBBY_SYNCHRONOUS, CUBBY_FOREVER);
	}
	child_wait_asleep(&child);
	expect_number(mailbox, 5);
	slot = find_queued(mailbox);
	word = get64(&slot->state);
	expect(slots_change(slot, &word, slot_state_with(word, SLOT_WITHDRAWN)));
	child_kill(&child);
	again = open_named("s");
	expect_published(again, 1, 5);
	expect_empty(mailbox);
	expect_ok(send_tagged(again, 6, 0, CUBBY_NOW));
	expect_published(again, 2, 6);
	expect_number(mailbox, 6);
	expect_int(inspect("q").broken, 0);
	cubby_close(again);
	cubby_close(mailbox);
}

/* Nobody will have it. */
static void
a_dead_senders_offer_has_not_been_published(void)
{
	cubby_mailbox *mailbox = open_queue(CUBBY_RENDEZVOUS), *again;
	struct child child;

	in_child(&child) {
		cubby_mailbox *own = open_named("s");

		expect_ok(send_tagged(own, 5, 0, CUBBY_FOREVER));
		send_tagged(own, 6, 0, CUBBY_FOREVER);
	}
	expect_number(mailbox, 5);
	while (inspect("q").waiting == 0)
		sched_yield();
	child_wait_asleep(&child);
	child_kill(&child);
	again = open_named("s");
	expect_published(again, 1, 5);
	expect_empty(mailbox);
	expect_int(inspect("q").broken, 0);
	cubby_close(again);
	cubby_close(mailbox);
}

/* A commit waits for nothing but the lock, signals or not. */
static void
a_commit_waits_for_the_lock(void)
{
	cubby_mailbox *mailbox = open_queue(CUBBY_LIMITED);
	struct gate reserved = gate_make(), kept = gate_make();
	struct keeper keeper;
	struct child child;

	in_child(&child) {
		cubby_mailbox *own = open_mailbox("q", CUBBY_SEND, NULL);
		cubby_draft *draft;

		catch_signals();
		expect_ok(cubby_reserve(own, 5, CUBBY_NOW, &draft));
		memcpy(cubby_draft_data(draft), "draft", 5);
		gate_open(&reserved);
		gate_wait(&kept);
		expect_ok(cubby_commit(draft, 5, NULL));
		cubby_close(own);
	}
	gate_wait(&reserved);
	keep_lock(&keeper);
	gate_open(&kept);
	for (int i = 0; i < 20; i++) {
		child_wait_asleep(&child);
		child_signal(&child, SIGUSR1);
	}
	end_lock(&keeper, GIVES);
	child_finish(&child);
	expect_text(mailbox, "draft");
	expect_empty(mailbox);
	cubby_close(mailbox);
}

/* Receiving -------------------------------------------------------------- */

/* Interrupted while it waits, a receiver gives up its record without the lock: no
   message is given to it any more. */
static void
expect_gone(enum cubby_buffering buffering, enum end end)
{
	cubby_mailbox *mailbox = open_queue(buffering);
	_Atomic(bool) *over = shared_memory(sizeof(*over));
	struct gate go_on = gate_make();
	struct keeper keeper;
	struct child child;
	uint64_t number;

	in_child(&child) {
		cubby_mailbox *own = open_mailbox("q", CUBBY_RECEIVE, NULL);

		catch_signals();
		expect_result(cubby_receive(own, &number, sizeof(number), NULL),
			      -EINTR);
		*over = true;
		gate_wait(&go_on);
		expect_empty(own);
		cubby_close(own);
	}
	child_wait_asleep(&child);
	keep_lock(&keeper);
	interrupt(&child, over);
	end_lock(&keeper, end);
	if (buffering == CUBBY_RENDEZVOUS) {
		expect_result(send_tagged(mailbox, 1, 0, CUBBY_NOW), -EAGAIN);
	} else {
		send_number(mailbox, 1);
		expect_number(mailbox, 1);
	}
	gate_open(&go_on);
	child_finish(&child);
	expect_int(inspect("q").broken, 0);
	cubby_close(mailbox);
}

static void
a_receiver_gives_up_without_the_lock(void)
{
	expect_gone(CUBBY_LIMITED, GIVES);
}

static void
a_receiver_gives_up_where_the_locks_owner_died(void)
{
	expect_gone(CUBBY_LIMITED, DIES);
}

static void
nothing_is_given_to_one_that_has_given_up(void)
{
	expect_gone(CUBBY_RENDEZVOUS, GIVES);
}

/* What can be told by nobody is told by the deadline. */
static void
deadlines_hold_while_the_lock_is_kept(void)
{
	cubby_mailbox *mailbox = open_queue(CUBBY_LIMITED);
	struct keeper keeper;
	cubby_message *held;
	cubby_draft *draft;
	uint64_t number;

	send_number(mailbox, 1);
	keep_lock(&keeper);
	expect_result(send_tagged(mailbox, 2, 0, CUBBY_NOW), -ETIMEDOUT);
	expect_result(send_tagged(mailbox, 2, 0,
				  cubby_deadline_after(20 * MSEC)),
		      -ETIMEDOUT);
	expect_result(cubby_reserve(mailbox, 1, CUBBY_NOW, &draft),
		      -ETIMEDOUT);
	expect_result(cubby_receive_full(mailbox, NULL, 0, CUBBY_NOW, &number,
					 sizeof(number), NULL, NULL),
		      -ETIMEDOUT);
	expect_result(cubby_hold(mailbox, NULL,
				 cubby_deadline_after(20 * MSEC), &held),
		      -ETIMEDOUT);
	end_lock(&keeper, GIVES);
	expect_number(mailbox, 1);
	expect_empty(mailbox);
	cubby_close(mailbox);
}

/* Releasing -------------------------------------------------------------- */

/* They do not wait for the lock; it is done by those who have it next. */
static void
what_is_given_back_without_the_lock_is_there_again(void)
{
	cubby_mailbox *mailbox = open_queue(CUBBY_LIMITED);
	cubby_mailbox *other = open_mailbox("q", BOTH, NULL);
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	cubby_message *held[2];
	struct keeper keeper;
	cubby_draft *draft;
	uint64_t number;

	send_number(mailbox, 0);
	send_number(mailbox, 1);
	expect_ok(cubby_hold(mailbox, NULL, CUBBY_NOW, &held[0]));
	expect_ok(cubby_hold(mailbox, NULL, CUBBY_NOW, &held[1]));
	for (int i = 0; i < CAPACITY - 1; i++)
		send_number(mailbox, 2 + (uint64_t)i);
	expect_ok(cubby_reserve(mailbox, 1, CUBBY_NOW, &draft));
	keep_lock(&keeper);
	expect_ok(cubby_release(held[0]));
	cubby_reject(held[1]);
	cubby_abort(draft);
	end_lock(&keeper, GIVES);
	/* Not by its own next call: by others, who look round. */
	other->queue.next_look = 0;
	expect_ok(cubby_receive_full(other, NULL, 0, CUBBY_NOW, &number,
				     sizeof(number), NULL, &envelope));
	expect_int(number, 1);
	expect_int(envelope.deliveries, 2);
	expect_ok(send_tagged(other, 5, 0, CUBBY_NOW));
	expect_result(send_tagged(other, 6, 0, CUBBY_NOW), -EAGAIN);
	for (number = 2; number < 6; number++)
		expect_number(mailbox, number);
	expect_empty(mailbox);
	cubby_close(other);
	cubby_close(mailbox);
}

/* As for one who has died. */
static void
what_is_held_goes_back_when_it_is_closed_without_the_lock(void)
{
	cubby_mailbox *mailbox = open_queue(CUBBY_LIMITED);
	cubby_mailbox *other = open_mailbox("q", BOTH, NULL);
	cubby_message *held;
	struct keeper keeper;
	cubby_draft *draft;

	send_number(mailbox, 1);
	expect_ok(cubby_hold(other, NULL, CUBBY_NOW, &held));
	expect_ok(cubby_reserve(other, 1, CUBBY_NOW, &draft));
	for (int i = 0; i < CAPACITY - 1; i++)
		send_number(mailbox, 2 + (uint64_t)i);
	keep_lock(&keeper);
	cubby_close(other);
	end_lock(&keeper, GIVES);
	mailbox->queue.next_look = 0;
	expect_number(mailbox, 1);
	expect_ok(send_tagged(mailbox, 5, 0, CUBBY_NOW));
	expect_result(send_tagged(mailbox, 6, 0, CUBBY_NOW), -EAGAIN);
	for (uint64_t number = 2; number < 6; number++)
		expect_number(mailbox, number);
	expect_empty(mailbox);
	cubby_close(mailbox);
}

int
main(void)
{
	static const struct test tests[] = {
		TEST(a_late_send_is_withdrawn_without_the_lock),
		TEST(a_late_send_is_withdrawn_where_the_locks_owner_died),
		TEST(an_offer_is_withdrawn_without_the_lock),
		TEST(what_is_withdrawn_gives_its_place_back),
		TEST(what_is_withdrawn_has_not_been_published),
		TEST(withdrawn_by_one_who_died_over_it),
		TEST(a_dead_senders_offer_has_not_been_published),
		TEST(a_commit_waits_for_the_lock),
		TEST(a_receiver_gives_up_without_the_lock),
		TEST(a_receiver_gives_up_where_the_locks_owner_died),
		TEST(nothing_is_given_to_one_that_has_given_up),
		TEST(deadlines_hold_while_the_lock_is_kept),
		TEST(what_is_given_back_without_the_lock_is_there_again),
		TEST(what_is_held_goes_back_when_it_is_closed_without_the_lock),
	};

	return RUN_TESTS("queue_lock", tests);
}
