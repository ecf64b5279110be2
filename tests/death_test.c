/* SPDX-License-Identifier: MIT */
/* Test: timeout 240. */
/*
 * Processes killed and stopped where they happen to be: no accepted message is
 * lost, none doubled, nobody else is held up. (At every instruction: see the
 * harness.)
 */
#include "base.h"
#include "mailbox.h"
#include "support/forked.h"
#include "support/support.h"
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>

#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)

struct progress {
	_Atomic uint64_t accepted; /* so many sends have returned 0 */
	_Atomic uint64_t received;
};

static void
wait_for_count(_Atomic uint64_t *count, uint64_t least)
{
	while (atomic_load(count) < least)
		sched_yield();
}

/* Sizes that change between a cell and a block. */
static void
send_without_end(struct progress *progress)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_SEND, NULL);
	static uint64_t data[100];

	for (uint64_t n = 0;; n++) {
		data[0] = n;
		expect_ok(cubby_send(mailbox, data, n % 3 ? 8 : sizeof(data)));
		atomic_store(&progress->accepted, n + 1);
	}
}

static uint64_t
receive_first_word(cubby_mailbox *mailbox, int64_t deadline, int *ret_result)
{
	uint64_t data[100] = { 0 };

	*ret_result = cubby_receive_full(mailbox, NULL, 0, deadline, data,
					 sizeof(data), NULL, NULL);
	return data[0];
}

static void
a_killed_sender_loses_nothing_accepted(void)
{
	struct progress *progress = shared_memory(sizeof(*progress));
	cubby_mailbox *receiver;
	struct child child;
	int result;

	receiver = open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE, NULL);
	for (int round = 0; round < MANY(100); round++) {
		uint64_t next = 0, accepted;

		atomic_store(&progress->accepted, 0);
		in_child(&child)
			send_without_end(progress);
		for (; next < (uint64_t)round * 7; next++) {
			expect_int(receive_first_word(receiver, soon(),
						      &result),
				   next);
			expect_ok(result);
		}
		wait_for_count(&progress->accepted, next);
		child_kill(&child);
		accepted = atomic_load(&progress->accepted);
		for (;; next++) {
			uint64_t n = receive_first_word(receiver, CUBBY_NOW,
							&result);

			if (result == -EAGAIN)
				break;
			expect_ok(result);
			expect_int(n, next);
		}
		/* One more may have been sent, by a send that did not
		   return. */
		if (next != accepted && next != accepted + 1)
			fail_at(__FILE__, __LINE__, "%llu of %llu received",
				(long long)next, (long long)accepted);
	}
	expect_int(inspect("m").lanes, 1);
	cubby_close(receiver);
}

static void
receive_without_end(struct progress *progress)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_RECEIVE, NULL);
	int result;

	for (;;) {
		uint64_t n = receive_first_word(mailbox, CUBBY_FOREVER,
						&result);

		expect_ok(result);
		atomic_store(&progress->received, n + 1);
	}
}

/* Of plain receives, the killed one takes at most its last with it. */
static void
a_killed_receiver_takes_at_most_one(void)
{
	struct progress *progress = shared_memory(sizeof(*progress));
	cubby_mailbox *receiver;
	struct child sender, child;
	uint64_t next = 0;
	int result;

	receiver = open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE, NULL);
	in_child(&sender)
		send_without_end(progress);
	for (int round = 0; round < MANY(100); round++) {
		uint64_t n, gone;

		in_child(&child)
			receive_without_end(progress);
		wait_for_count(&progress->received,
			       next + (uint64_t)round * 3 + 1);
		child_kill(&child);
		gone = atomic_load(&progress->received);
		n = receive_first_word(receiver, soon(), &result);
		expect_ok(result);
		if (n != gone && n != gone + 1)
			fail_at(__FILE__, __LINE__, "%llu after %llu",
				(long long)n, (long long)gone - 1);
		next = n + 1;
	}
	child_kill(&sender);
	cubby_close(receiver);
}

static void
hold_without_end(struct progress *progress)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_RECEIVE, NULL);

	for (;;) {
		cubby_message *message;
		uint64_t n;

		expect_ok(cubby_hold(mailbox, NULL, CUBBY_FOREVER, &message));
		memcpy(&n, cubby_message_data(message), sizeof(n));
		/* The account: what is dealt with here has been received. */
		atomic_store(&progress->received, n + 1);
		expect_ok(cubby_release(message));
	}
}

/* Those who hold lose nothing: only what was counted may be missing. */
static void
a_killed_holder_loses_nothing(void)
{
	struct progress *progress = shared_memory(sizeof(*progress));
	struct child sender, child;
	uint64_t next = 0;

	cubby_close(open_mailbox("m", CUBBY_CREATE, NULL));
	in_child(&sender)
		send_without_end(progress);
	for (int round = 0; round < MANY(100); round++) {
		cubby_mailbox *receiver;
		uint64_t n, counted;
		int result;

		in_child(&child)
			hold_without_end(progress);
		wait_for_count(&progress->received,
			       next + (uint64_t)round * 3 + 1);
		child_kill(&child);
		counted = atomic_load(&progress->received);
		/* Attaching sees that the holder is dead. */
		receiver = open_mailbox("m", CUBBY_RECEIVE, NULL);
		n = receive_first_word(receiver, soon(), &result);
		expect_ok(result);
		/* Counted and not released yet: once more. */
		if (n != counted && n != counted - 1)
			fail_at(__FILE__, __LINE__, "%llu after %llu",
				(long long)n, (long long)counted - 1);
		next = n + 1;
		cubby_close(receiver);
	}
	child_kill(&sender);
}

static void
a_receiver_killed_in_its_sleep_takes_nothing(void)
{
	cubby_mailbox *sender, *receiver;
	struct child child;

	sender = open_mailbox("m", CUBBY_CREATE | CUBBY_SEND, NULL);
	receiver = open_mailbox("m", CUBBY_RECEIVE, NULL);
	for (uint64_t round = 0; round < 10; round++) {
		in_child(&child)
			receive_number(open_mailbox("m", CUBBY_RECEIVE, NULL));
		child_wait_asleep(&child);
		child_kill(&child);
		for (uint64_t n = 0; n < 10; n++)
			send_number(sender, round * 10 + n);
		for (uint64_t n = 0; n < 10; n++)
			expect_number(receiver, round * 10 + n);
		expect_empty(receiver);
	}
	expect_int(inspect("m").receivers, 1);
	cubby_close(sender);
	cubby_close(receiver);
}

/* Its wake-up goes to nobody else; the other must be woken as well. */
static void
a_stopped_sleeper_keeps_no_wakeup_from_another(void)
{
	struct progress *progress = shared_memory(sizeof(*progress));
	struct child stopped, awake;
	cubby_mailbox *sender;

	sender = open_mailbox("m", CUBBY_CREATE | CUBBY_SEND, NULL);
	in_child(&stopped)
		expect_number(open_mailbox("m", CUBBY_RECEIVE, NULL), 5);
	child_wait_asleep(&stopped);
	child_stop(&stopped);
	in_child(&awake) {
		cubby_mailbox *own = open_mailbox("m", CUBBY_RECEIVE, NULL);

		for (uint64_t n = 0; n < 5; n++) {
			expect_number(own, n);
			atomic_store(&progress->received, n + 1);
		}
	}
	for (uint64_t n = 0; n < 5; n++) {
		child_wait_asleep(&awake);
		send_number(sender, n);
		wait_for_count(&progress->received, n + 1);
	}
	child_finish(&awake);
	child_continue(&stopped);
	send_number(sender, 5);
	child_finish(&stopped);
	cubby_close(sender);
}

static void
a_stopped_sender_holds_up_no_other(void)
{
	struct progress *progress = shared_memory(sizeof(*progress));
	cubby_mailbox *receiver, *other;
	struct child child;

	receiver = open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE, NULL);
	for (int round = 0; round < MANY(50); round++) {
		uint64_t least = atomic_load(&progress->accepted) + 1;
		int result = 0;

		atomic_store(&progress->accepted, 0);
		in_child(&child)
			send_without_end(progress);
		wait_for_count(&progress->accepted, least % 100);
		child_stop(&child);
		other = open_mailbox("m", CUBBY_SEND, NULL);
		expect_int(inspect("m").senders, 2);
		for (uint64_t n = 0; n < 500; n++) {
			uint64_t mark = UINT64_MAX - n, got;

			expect_ok(cubby_send_full(other, &mark, sizeof(mark),
						  NULL, 0, CUBBY_NOW));
			do
				got = receive_first_word(receiver, soon(),
							 &result);
			while (got != mark);
		}
		cubby_close(other);
		child_continue(&child);
		child_kill(&child);
		while (result == 0)
			receive_first_word(receiver, CUBBY_NOW, &result);
		expect_result(result, -EAGAIN);
	}
	expect_int(inspect("m").lanes, 2);
	cubby_close(receiver);
}

static void
a_stopped_receiver_holds_up_no_other(void)
{
	struct progress *progress = shared_memory(sizeof(*progress));
	cubby_mailbox *both;
	struct child child;
	uint64_t number = 0;

	both = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	in_child(&child)
		receive_without_end(progress);
	for (int round = 0; round < MANY(200); round++) {
		uint64_t last;
		int result;

		last = number + (uint64_t)round % 50 + 1;
		while (number < last)
			send_number(both, number++);
		wait_for_count(&progress->received, number);
		send_number(both, number++);
		child_stop(&child);
		/* What it has not taken is for others; it has at most one. */
		for (int left = 0; left < 300; left++) {
			send_number(both, number++);
			receive_first_word(both, soon(), &result);
			expect_ok(result);
		}
		while (result == 0)
			receive_first_word(both, CUBBY_NOW, &result);
		child_continue(&child);
		/* It goes on: it gets what is sent next. */
		send_number(both, number++);
		wait_for_count(&progress->received, number);
	}
	child_kill(&child);
	expect_empty(both);
	cubby_close(both);
}

static void
a_stopped_holder_keeps_its_message_only(void)
{
	struct gate held = gate_make();
	cubby_mailbox *both;
	struct child child;

	both = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	send_number(both, 1000);
	in_child(&child) {
		cubby_mailbox *own = open_mailbox("m", CUBBY_RECEIVE, NULL);
		cubby_message *message;
		uint64_t n;

		expect_ok(cubby_hold(own, NULL, CUBBY_NOW, &message));
		gate_open(&held);
		pause();
		memcpy(&n, cubby_message_data(message), sizeof(n));
		expect_int(n, 1000);
	}
	gate_wait(&held);
	child_stop(&child);
	for (uint64_t n = 0; n < 1000; n++) {
		send_number(both, n);
		expect_number(both, n);
	}
	cubby_close(open_mailbox("m", BOTH, NULL));
	expect_ok(cubby_sweep("m", NULL));
	expect_empty(both);
	expect_int(inspect("m").held, 1);
	child_kill(&child);
	cubby_close(open_mailbox("m", CUBBY_RECEIVE, NULL));
	expect_number(both, 1000);
	cubby_close(both);
}

/* A sender that waits for room when the only receiver dies goes on with the
   next one. */
static void
a_waiting_sender_outlives_its_receiver(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	struct gate opened = gate_make();
	cubby_mailbox *receiver;
	struct child sender, child;

	options.capacity = 2;
	cubby_close(open_mailbox("m", CUBBY_CREATE, &options));
	in_child(&child) {
		open_mailbox("m", CUBBY_RECEIVE, NULL);
		gate_open(&opened);
		pause();
	}
	gate_wait(&opened);
	in_child(&sender) {
		cubby_mailbox *own = open_mailbox("m", CUBBY_SEND, NULL);

		for (uint64_t n = 0; n < 5; n++)
			send_number(own, n);
	}
	child_wait_asleep(&sender);
	child_kill(&child);
	receiver = open_mailbox("m", CUBBY_RECEIVE, NULL);
	for (uint64_t n = 0; n < 5; n++)
		expect_number(receiver, n);
	child_finish(&sender);
	cubby_close(receiver);
}

/* A receiver who holds message 0, and is dead. Made before the others. */
static void
make_dead_holder(cubby_mailbox **ret_receiver, cubby_mailbox **ret_sender)
{
	struct gate held = gate_make();
	struct child holder;

	*ret_sender = open_mailbox("m", CUBBY_CREATE | CUBBY_SEND, NULL);
	send_number(*ret_sender, 0);
	in_child(&holder) {
		cubby_mailbox *own = open_mailbox("m", CUBBY_RECEIVE, NULL);
		cubby_message *message;

		expect_ok(cubby_hold(own, NULL, CUBBY_NOW, &message));
		gate_open(&held);
		pause();
	}
	gate_wait(&held);
	*ret_receiver = open_mailbox("m", CUBBY_RECEIVE, NULL);
	child_kill(&holder);
}

static int64_t
clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* What a receiver is busy with. */
static void
work_for(int64_t ns)
{
	int64_t end = clock_ns() + ns;

	while (clock_ns() < end)
		;
}

/* It never waits, and never looks in vain: each job takes 5 ms, there is always
   another. In 400 of them it has looked for the dead. */
static void
a_busy_receiver_sees_a_holders_death(void)
{
	cubby_mailbox *receiver, *sender;
	uint64_t number = 1;
	int jobs = 0;

	make_dead_holder(&receiver, &sender);
	for (uint64_t n = 1; n <= 100; n++)
		send_number(sender, n);
	while (number != 0) {
		cubby_message *message;

		expect_ok(cubby_hold(receiver, NULL, soon(), &message));
		memcpy(&number, cubby_message_data(message), sizeof(number));
		work_for(5000000);
		expect_ok(cubby_release(message));
		send_number(sender, 1);
		expect(++jobs < 400);
	}
	cubby_close(sender);
	cubby_close(receiver);
}

/* Asks again and again, or waits for moments: in two seconds' worth it has. */
static void
poll_for_what_the_dead_held(int64_t wait, int64_t work)
{
	cubby_mailbox *receiver, *sender;
	uint64_t number = 1;
	int result, rounds = (int)(2000000000 / (wait + work));

	make_dead_holder(&receiver, &sender);
	do {
		expect(rounds-- > 0);
		result = cubby_receive_full(
			receiver, NULL, 0,
			wait ? cubby_deadline_after(wait) : CUBBY_NOW, &number,
			sizeof(number), NULL, NULL);
		work_for(work);
	} while (result == (wait ? -ETIMEDOUT : -EAGAIN));
	expect_ok(result);
	expect_int(number, 0);
	cubby_close(sender);
	cubby_close(receiver);
}

static void
a_polling_receiver_sees_a_holders_death(void)
{
	poll_for_what_the_dead_held(0, 1000000);
}

static void
a_receiver_that_waits_for_moments_sees_a_holders_death(void)
{
	poll_for_what_the_dead_held(10000000, 0);
}

/* Through what others do, without a file of its own to open. */
static void
set_descriptors(rlim_t most, rlim_t *ret_before)
{
	struct rlimit limit;

	expect_system(getrlimit(RLIMIT_NOFILE, &limit));
	if (ret_before)
		*ret_before = limit.rlim_cur;
	limit.rlim_cur = most;
	expect_system(setrlimit(RLIMIT_NOFILE, &limit));
}

static void
a_receiver_without_descriptors_leaves_a_message_to_others(void)
{
	cubby_mailbox *poor, *other, *sender;
	uint64_t number;
	rlim_t before;

	poor = open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE, NULL);
	other = open_mailbox("m", CUBBY_RECEIVE, NULL);
	sender = open_mailbox("m", CUBBY_SEND, NULL);
	for (uint64_t n = 0; n < 3; n++) {
		send_number(sender, n);
		set_descriptors(0, &before);
		expect_result(cubby_receive_full(poor, NULL, 0, CUBBY_NOW,
						 &number, sizeof(number), NULL,
						 NULL),
			      -EMFILE);
		set_descriptors(before, NULL);
		/* It needs no look of its own for it. */
		expect(doorbell_ringing(&other->view, 0) & 1);
		expect_ok(cubby_receive_full(other, NULL, 0, CUBBY_NOW, &number,
					     sizeof(number), NULL, NULL));
		expect_int(number, n);
	}
	send_number(sender, 3);
	expect_number(poor, 3);
	cubby_close(poor);
	cubby_close(other);
	cubby_close(sender);
}

/* As a sender who is killed before it rings. */
static void
publish_silently(cubby_mailbox *sender, uint64_t number)
{
	struct lane_writer *writer = &sender->sender.writer;
	struct cell *cell = lane_next_cell(writer);

	expect_ok(lane_make_room(writer));
	word64_store_relaxed(&cell->size_type, sizeof(number) << 1);
	copy_in_relaxed(cell->bytes, &number, sizeof(number));
	word64_store_release(&cell->sequence, ++writer->position);
}

static uint32_t
event_of(const cubby_mailbox *mailbox, uint32_t slot)
{
	return word32_load_acquire(&mailbox->view.doorbell->events[slot]);
}

/* Who sees a message, and cannot take it, was perhaps the one who was rung. */
static void
a_receive_that_fails_passes_the_ring_on(void)
{
	cubby_mailbox *receiver, *sender;
	struct child sleeper;
	uint32_t event;
	char byte;

	receiver = open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE, NULL);
	sender = open_mailbox("m", CUBBY_SEND, NULL);
	send_number(sender, 0);
	expect_number(receiver, 0);
	in_child(&sleeper)
		expect_number(open_mailbox("m", CUBBY_RECEIVE, NULL), 1);
	child_wait_asleep(&sleeper);
	child_stop(&sleeper);
	event = event_of(receiver, 1);
	publish_silently(sender, 1);
	expect_int(event_of(receiver, 1), event);
	expect_result(cubby_receive_full(receiver, NULL, 0, CUBBY_NOW, &byte,
					 sizeof(byte), NULL, NULL),
		      -EMSGSIZE);
	expect_int(event_of(receiver, 1), event + 1);
	child_continue(&sleeper);
	child_finish(&sleeper);
	cubby_close(sender);
	cubby_close(receiver);
}

static void
a_hold_without_memory_passes_the_ring_on(void)
{
	cubby_mailbox *receiver, *sender;
	struct child sleeper;
	cubby_message *message;
	uint64_t number = 0;
	uint32_t event;
	int result;

	receiver = open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE, NULL);
	sender = open_mailbox("m", CUBBY_SEND, NULL);
	do {
		send_number(sender, number);
		result = cubby_hold(receiver, NULL, CUBBY_NOW, &message);
		number++;
	} while (result == 0);
	expect_result(result, -ENOSPC);
	expect_number(receiver, number - 1);
	in_child(&sleeper)
		expect_number(open_mailbox("m", CUBBY_RECEIVE, NULL), number);
	child_wait_asleep(&sleeper);
	child_stop(&sleeper);
	event = event_of(receiver, 1);
	publish_silently(sender, number);
	expect_int(event_of(receiver, 1), event);
	expect_result(cubby_hold(receiver, NULL, CUBBY_NOW, &message), -ENOSPC);
	expect_int(event_of(receiver, 1), event + 1);
	child_continue(&sleeper);
	child_finish(&sleeper);
	cubby_close(sender);
	cubby_close(receiver);
}

/* Its bias is buried, not revoked: for that there is no membarrier. */
static void
who_has_no_membarrier_gets_past_a_dead_ones_bias(void)
{
	struct gate biased = gate_make(), opened = gate_make();
	struct gate killed = gate_make();
	struct child owner, poor;
	cubby_mailbox *sender;

	need_filters();
	sender = open_mailbox("m", CUBBY_CREATE | CUBBY_SEND, NULL);
	in_child(&owner) {
		cubby_mailbox *own = open_mailbox("m", CUBBY_RECEIVE, NULL);

		for (uint64_t n = 0; n < 60; n++)
			expect_number(own, n);
		gate_open(&biased);
		pause();
	}
	for (uint64_t n = 0; n < 60; n++)
		send_number(sender, n);
	gate_wait(&biased);
	expect(bias_is_set(
		word64_load_acquire(&sender->sender.writer.entry->head)));
	in_child(&poor) {
		cubby_mailbox *own;

		forked_deny(SYS_membarrier, ENOSYS);
		own = open_mailbox("m", CUBBY_RECEIVE, NULL);
		gate_open(&opened);
		gate_wait(&killed);
		expect_number(own, 60);
	}
	gate_wait(&opened);
	child_kill(&owner);
	send_number(sender, 60);
	gate_open(&killed);
	child_finish(&poor);
	cubby_close(sender);
}

static const struct test tests[] = {
	TEST(a_killed_sender_loses_nothing_accepted),
	TEST(a_killed_receiver_takes_at_most_one),
	TEST(a_killed_holder_loses_nothing),
	TEST(a_receiver_killed_in_its_sleep_takes_nothing),
	TEST(a_stopped_sleeper_keeps_no_wakeup_from_another),
	TEST(a_stopped_sender_holds_up_no_other),
	TEST(a_stopped_receiver_holds_up_no_other),
	TEST(a_stopped_holder_keeps_its_message_only),
	TEST(a_waiting_sender_outlives_its_receiver),
	TEST(a_busy_receiver_sees_a_holders_death),
	TEST(a_polling_receiver_sees_a_holders_death),
	TEST(a_receiver_that_waits_for_moments_sees_a_holders_death),
	TEST(a_receiver_without_descriptors_leaves_a_message_to_others),
	TEST(a_receive_that_fails_passes_the_ring_on),
	TEST(a_hold_without_memory_passes_the_ring_on),
	TEST(who_has_no_membarrier_gets_past_a_dead_ones_bias),
};

int
main(void)
{
	return RUN_TESTS("death", tests);
}
