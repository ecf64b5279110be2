/* SPDX-License-Identifier: MIT */
/* Test: orders, tsan, timeout 120. */
/* Waiting until one of several mailboxes is ready. */
#include "handle.h"
#include "support/support.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)
#define UNTOUCHED 77

static cubby_mailbox *
open_numbered(size_t n, int flags)
{
	char name[32];

	snprintf(name, sizeof(name), "m%zu", n);
	return open_mailbox(name, flags, NULL);
}

/* Mailboxes m0, m1 ... and an entry for each. */
static void
open_several(struct cubby_wait_entry *entries, size_t count, int flags,
	     int events)
{
	for (size_t i = 0; i < count; i++)
		entries[i] = (struct cubby_wait_entry){
			open_numbered(i, flags), events, UNTOUCHED
		};
}

static void
close_several(const struct cubby_wait_entry *entries, size_t count)
{
	for (size_t i = 0; i < count; i++)
		cubby_close(entries[i].mailbox);
}

/* Of many, whose names nobody else remembers. */
static void
unlink_several(size_t count)
{
	char name[32];

	for (size_t i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "m%zu", i);
		expect_ok(cubby_unlink(name));
	}
}

/* Waits, and expects entry n alone to be ready, for that. */
static void
expect_only(struct cubby_wait_entry *entries, size_t count, size_t n, int ready)
{
	expect_result(cubby_wait(entries, count, soon()), 1);
	for (size_t i = 0; i < count; i++)
		expect_int(entries[i].ready, i == n ? ready : 0);
}

/* What there is ---------------------------------------------------------- */

static void
nothing_is_ready_and_nothing_is_touched(void)
{
	struct cubby_wait_entry entries[3];

	open_several(entries, 3, CUBBY_CREATE | BOTH, CUBBY_RECEIVE);
	expect_result(cubby_wait(entries, 3, CUBBY_NOW), -EAGAIN);
	expect_result(cubby_wait(entries, 3, cubby_deadline_after(1000000)),
		      -ETIMEDOUT);
	expect_result(cubby_wait(entries, 3, -1), -ETIMEDOUT);
	for (size_t i = 0; i < 3; i++)
		expect_int(entries[i].ready, UNTOUCHED);
	close_several(entries, 3);
}

static void
those_that_have_a_message_are_ready(void)
{
	struct cubby_wait_entry entries[3];

	open_several(entries, 3, CUBBY_CREATE | BOTH, CUBBY_RECEIVE);
	send_text(entries[1].mailbox, "a");
	expect_only(entries, 3, 1, CUBBY_RECEIVE);
	send_text(entries[2].mailbox, "b");
	expect_result(cubby_wait(entries, 3, CUBBY_NOW), 2);
	expect_int(entries[0].ready, 0);
	expect_int(entries[2].ready, CUBBY_RECEIVE);
	expect_text(entries[1].mailbox, "a");
	expect_only(entries, 3, 2, CUBBY_RECEIVE);
	expect_text(entries[2].mailbox, "b");
	close_several(entries, 3);
}

static void
a_handle_may_wait_for_both(void)
{
	struct cubby_wait_entry entries[2];

	open_several(entries, 2, CUBBY_CREATE | BOTH, BOTH);
	fill_mailbox(entries[0].mailbox);
	entries[1].events = CUBBY_RECEIVE;
	expect_only(entries, 2, 0, CUBBY_RECEIVE);
	receive_number(entries[0].mailbox);
	expect_only(entries, 2, 0, BOTH);
	entries[0].events = CUBBY_SEND;
	expect_only(entries, 2, 0, CUBBY_SEND);
	close_several(entries, 2);
}

static void
one_mailbox_may_occur_several_times(void)
{
	cubby_mailbox *m = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	struct cubby_wait_entry entries[] = {
		{ m, CUBBY_RECEIVE, 0 }, { NULL, CUBBY_RECEIVE, 0 },
		{ m, CUBBY_RECEIVE, 0 }, { m, 0, 0 }, { m, CUBBY_SEND, 0 },
	};

	expect_only(entries, COUNT_OF(entries), 4, CUBBY_SEND);
	expect_result(cubby_wait(entries, 4, cubby_deadline_after(1000000)),
		      -ETIMEDOUT);
	send_text(m, "a");
	expect_result(cubby_wait(entries, COUNT_OF(entries), soon()), 3);
	expect_int(entries[0].ready, CUBBY_RECEIVE);
	expect_int(entries[1].ready, 0);
	expect_int(entries[2].ready, CUBBY_RECEIVE);
	expect_int(entries[3].ready, 0);
	expect_text(m, "a");
	cubby_close(m);
}

static void
without_mailboxes_it_waits_for_the_deadline(void)
{
	struct cubby_wait_entry nobody = { NULL, CUBBY_RECEIVE, UNTOUCHED };
	int64_t deadline = cubby_deadline_after(3000000);

	expect_result(cubby_wait(&nobody, 1, deadline), -ETIMEDOUT);
	expect_result(cubby_wait(NULL, 0, CUBBY_NOW), -EAGAIN);
	expect(cubby_deadline_after(0) >= deadline);
	expect_int(nobody.ready, UNTOUCHED);
}

static void
what_goes_back_makes_it_ready(void)
{
	struct cubby_wait_entry entries[2];
	struct child child;
	struct gate held = gate_make();

	open_several(entries, 2, CUBBY_CREATE | BOTH, CUBBY_RECEIVE);
	send_text(entries[1].mailbox, "a");
	in_child(&child) {
		cubby_mailbox *holder = open_numbered(1, CUBBY_RECEIVE);
		cubby_message *message;

		expect_ok(cubby_hold(holder, NULL, soon(), &message));
		gate_open(&held);
		pause();
	}
	gate_wait(&held);
	expect_result(cubby_wait(entries, 2, CUBBY_NOW), -EAGAIN);
	child_kill(&child);
	/* By its own look. */
	expect_only(entries, 2, 1, CUBBY_RECEIVE);
	expect_text(entries[1].mailbox, "a");
	close_several(entries, 2);
}

static void
a_lane_that_makes_no_sense_is_something_to_tell(void)
{
	struct cubby_wait_entry entries[2];
	char path[PATH_MAX], buffer[8];

	need_order_sender();
	open_several(entries, 2, CUBBY_CREATE | BOTH, CUBBY_RECEIVE);
	send_text(entries[1].mailbox, "a");
	expect_text(entries[1].mailbox, "a");
	find_file("m1/lanes/lane.0", path);
	expect_system(truncate(path, 0));
	expect_only(entries, 2, 1, CUBBY_RECEIVE);
	expect_result(cubby_receive_full(entries[1].mailbox, NULL, 0, CUBBY_NOW,
					 buffer, sizeof(buffer), NULL, NULL),
		      -EBADMSG);
	/* Once. */
	expect_result(cubby_wait(entries, 2, CUBBY_NOW), -EAGAIN);
	entries[1].events = CUBBY_SEND;
	expect_only(entries, 2, 1, CUBBY_SEND);
	expect_result(cubby_send(entries[1].mailbox, "b", 1), -EBADMSG);
	close_several(entries, 2);
}

static void
a_region_is_a_message(void)
{
	struct cubby_wait_entry entries[2];
	cubby_region *region;

	open_several(entries, 2, CUBBY_CREATE | BOTH, CUBBY_RECEIVE);
	expect_ok(cubby_region_open(NULL, CUBBY_CREATE | CUBBY_WRITE, NULL,
				    &region));
	expect_ok(cubby_send_region(entries[0].mailbox, region, NULL, soon()));
	expect_only(entries, 2, 0, CUBBY_RECEIVE);
	expect_ok(cubby_receive_region(entries[0].mailbox, NULL, CUBBY_NOW,
				       &region, NULL));
	cubby_region_close(region);
	expect_result(cubby_wait(entries, 2, CUBBY_NOW), -EAGAIN);
	close_several(entries, 2);
}

/* Being woken ------------------------------------------------------------ */

enum { MANY_MAILBOXES = 150 };	/* more than the kernel sleeps on at once */

static void
limit_descriptors(rlim_t most)
{
	struct rlimit limit;

	expect_system(getrlimit(RLIMIT_NOFILE, &limit));
	if (limit.rlim_max < most)
		skip_test("needs more descriptors");
	limit.rlim_cur = most;
	expect_system(setrlimit(RLIMIT_NOFILE, &limit));
}

/* A child that waits for m0 ... to have messages, and receives those numbers of
   them, ascending, until each has brought `each`. */
static void
start_receiver(struct child *child, size_t count, uint64_t each,
	       bool few_descriptors)
{
	in_child(child) {
		struct cubby_wait_entry *entries =
			calloc(count, sizeof(*entries));
		uint64_t left = count * each;

		open_several(entries, count, CUBBY_CREATE | CUBBY_RECEIVE,
			     CUBBY_RECEIVE);
		/* Some for the senders' lanes, as they come. */
		if (few_descriptors)
			limit_descriptors((rlim_t)dup(0) + 50);
		while (left) {
			expect(cubby_wait(entries, count, soon()) > 0);
			for (size_t i = 0; i < count; i++) {
				if (!entries[i].ready)
					continue;
				receive_number(entries[i].mailbox);
				left--;
			}
		}
		close_several(entries, count);
		free(entries);
	}
}

static void
expect_all_received(size_t count, uint64_t each, bool asleep)
{
	struct cubby_wait_entry *entries = calloc(count, sizeof(*entries));
	struct child child;

	start_receiver(&child, count, each, false);
	open_several(entries, count, CUBBY_CREATE | CUBBY_SEND, CUBBY_SEND);
	for (uint64_t n = 0; n < each; n++)
		for (size_t i = count; i-- > 0;) {
			if (asleep)
				child_wait_asleep(&child);
			send_number(entries[i].mailbox, n);
		}
	child_finish(&child);
	close_several(entries, count);
	unlink_several(count);
	free(entries);
}

static void
a_message_in_any_of_them_wakes(void)
{
	expect_all_received(3, 5, true);
}

static void
a_stream_through_several_arrives(void)
{
	expect_all_received(5, (uint64_t)MANY(2000), false);
}

static void
a_thousand_mailboxes_are_waited_for(void)
{
	need_64_bits();
	limit_descriptors(10000);
	expect_all_received(MANY(1000), 1, false);
}

static void
expect_any_of_many_wakes(bool few_descriptors)
{
	struct cubby_wait_entry entries[MANY_MAILBOXES];
	struct child child;

	start_receiver(&child, MANY_MAILBOXES, 1, few_descriptors);
	open_several(entries, MANY_MAILBOXES, CUBBY_CREATE | CUBBY_SEND,
		     CUBBY_SEND);
	for (size_t i = MANY_MAILBOXES; i-- > 0;) {
		child_wait_asleep(&child);
		send_number(entries[i].mailbox, 1);
	}
	child_finish(&child);
	close_several(entries, MANY_MAILBOXES);
	unlink_several(MANY_MAILBOXES);
}

static void
more_than_the_kernel_waits_for_at_once(void)
{
	need_64_bits();
	limit_descriptors(10000);
	expect_any_of_many_wakes(false);
}

/* Three descriptors for each would be too many. */
static void
more_than_there_are_descriptors_for(void)
{
	need_64_bits();
	limit_descriptors(10000);
	expect_any_of_many_wakes(true);
}

/* That many of the two descriptors poll readable, once those that are not ready
   have been armed; their timers may end at any time. */
static void
expect_lit(struct pollfd polls[2], int wanted, struct cubby_wait_entry *entries)
{
	int64_t end = soon();

	while (poll(polls, 2, 0) != wanted) {
		expect(cubby_deadline_after(0) < end);
		cubby_wait(entries, MANY_MAILBOXES, CUBBY_NOW);
	}
}

static void
their_descriptors_tell_the_same(void)
{
	struct cubby_wait_entry entries[MANY_MAILBOXES];
	struct pollfd polls[2] = { { .events = POLLIN }, { .events = POLLIN } };

	need_64_bits();
	limit_descriptors(10000);
	open_several(entries, MANY_MAILBOXES, CUBBY_CREATE | BOTH,
		     CUBBY_RECEIVE);
	expect_result(cubby_wait(entries, MANY_MAILBOXES,
				 cubby_deadline_after(1000000)), -ETIMEDOUT);
	for (size_t i = 0; i < 2; i++)
		polls[i].fd = cubby_fd(entries[i].mailbox, CUBBY_RECEIVE);
	expect_lit(polls, 0, entries);
	send_text(entries[1].mailbox, "a");
	send_text(entries[0].mailbox, "b");
	expect_int(poll(polls, 2, 0), 2);
	expect_text(entries[0].mailbox, "b");
	expect_lit(polls, 1, entries);
	expect_int(polls[1].revents, POLLIN);
	close_several(entries, MANY_MAILBOXES);
	unlink_several(MANY_MAILBOXES);
}

static void
room_wakes(void)
{
	struct cubby_wait_entry entries[3];
	struct gate first = gate_make();
	struct child child;

	open_several(entries, 3, CUBBY_CREATE | CUBBY_RECEIVE, CUBBY_RECEIVE);
	in_child(&child) {
		open_several(entries, 3, BOTH, CUBBY_SEND);
		for (size_t i = 0; i < 3; i++)
			fill_mailbox(entries[i].mailbox);
		expect_only(entries, 3, 2, CUBBY_SEND);
		send_number(entries[2].mailbox, 0);
		gate_open(&first);
		expect_only(entries, 3, 0, CUBBY_SEND);
		close_several(entries, 3);
	}
	child_wait_asleep(&child);
	receive_number(entries[2].mailbox);
	gate_wait(&first);
	child_wait_asleep(&child);
	receive_number(entries[0].mailbox);
	child_finish(&child);
	close_several(entries, 3);
}

/* Its lane has no entry yet in the receivers' file. */
static void
room_that_the_first_receiver_makes_wakes(void)
{
	struct cubby_wait_entry senders[20];
	cubby_mailbox *receiver;
	struct child child;
	uint64_t sent = 0;

	need_order_sender();
	for (size_t i = 0; i < COUNT_OF(senders); i++)
		senders[i] = (struct cubby_wait_entry){
			open_mailbox("m", CUBBY_CREATE | CUBBY_SEND, NULL),
			CUBBY_SEND, 0
		};
	close_several(senders, COUNT_OF(senders) - 1);
	in_child(&child) {
		for (size_t i = 0; i < COUNT_OF(senders); i++) {
			senders[i].mailbox = open_mailbox("m", CUBBY_SEND,
							  NULL);
			sent += fill_mailbox(senders[i].mailbox);
		}
		expect(cubby_wait(senders, COUNT_OF(senders), soon()) > 0);
		close_several(senders, COUNT_OF(senders));
	}
	child_wait_asleep(&child);
	receiver = open_mailbox("m", CUBBY_RECEIVE, NULL);
	/* Of each lane. */
	for (size_t i = 0; i < 21 * 128; i++)
		if (cubby_receive_full(receiver, NULL, 0, CUBBY_NOW,
				       &(uint64_t){ 0 }, 8, NULL, NULL) < 0)
			break;
	child_finish(&child);
	cubby_close(senders[COUNT_OF(senders) - 1].mailbox);
	cubby_close(receiver);
}

static void
who_has_left_his_inbox_is_told(void)
{
	cubby_mailbox *inbox = open_mailbox("@worker",
					    CUBBY_CREATE | CUBBY_RECEIVE, NULL);
	struct cubby_wait_entry entries[2];
	struct child child;

	in_child(&child) {
		entries[0] = (struct cubby_wait_entry){
			open_numbered(0, CUBBY_CREATE | BOTH), CUBBY_RECEIVE, 0
		};
		entries[1] = (struct cubby_wait_entry){
			open_mailbox("@worker", CUBBY_SEND, NULL), CUBBY_SEND,
			0
		};
		fill_mailbox(entries[1].mailbox);
		expect_only(entries, 2, 1, CUBBY_SEND);
		expect_result(cubby_send(entries[1].mailbox, "x", 1), -EPIPE);
		close_several(entries, 2);
	}
	child_wait_asleep(&child);
	cubby_close(inbox);
	child_finish(&child);
}

static void
the_death_of_an_inbox_is_told(void)
{
	struct cubby_wait_entry entries[2];
	struct gate there = gate_make();
	struct child owner, child;

	in_child(&owner) {
		open_mailbox("@worker", CUBBY_CREATE | CUBBY_RECEIVE, NULL);
		gate_open(&there);
		pause();
	}
	gate_wait(&there);
	in_child(&child) {
		open_several(entries, 1, CUBBY_CREATE | BOTH, CUBBY_RECEIVE);
		entries[1] = (struct cubby_wait_entry){
			open_mailbox("@worker", CUBBY_SEND, NULL), CUBBY_SEND,
			0
		};
		fill_mailbox(entries[1].mailbox);
		expect_only(entries, 2, 1, CUBBY_SEND);
		expect_result(cubby_send(entries[1].mailbox, "x", 1), -EPIPE);
		close_several(entries, 2);
	}
	child_wait_asleep(&child);
	child_kill(&owner);
	child_finish(&child);
}

/* Who only waits leaves the message, and the ring goes on to who receives. */
static void
a_ring_is_not_kept_by_who_only_waits(void)
{
	struct cubby_wait_entry entries[2];
	struct child waits, receives;

	open_several(entries, 2, CUBBY_CREATE | CUBBY_SEND, CUBBY_SEND);
	in_child(&waits) {
		open_several(entries, 2, CUBBY_RECEIVE, CUBBY_RECEIVE);
		/* The other one may be quicker than its look. */
		expect_only(entries, 2, 1, CUBBY_RECEIVE);
		pause();
	}
	child_wait_asleep(&waits);
	in_child(&receives) {
		cubby_mailbox *mailbox = open_numbered(1, CUBBY_RECEIVE);

		expect_text(mailbox, "x");
		cubby_close(mailbox);
	}
	child_wait_asleep(&receives);
	send_text(entries[1].mailbox, "x");
	child_finish(&receives);
	child_kill(&waits);
	close_several(entries, 2);
}

static void
one_who_is_stopped_over_its_wait_holds_nobody_up(void)
{
	struct cubby_wait_entry entries[2];
	struct child waits, receives;

	open_several(entries, 2, CUBBY_CREATE | CUBBY_SEND, CUBBY_SEND);
	in_child(&waits) {
		open_several(entries, 2, CUBBY_RECEIVE, CUBBY_RECEIVE);
		cubby_wait(entries, 2, soon());
	}
	child_wait_asleep(&waits);
	child_stop(&waits);
	in_child(&receives) {
		cubby_mailbox *mailbox = open_numbered(0, CUBBY_RECEIVE);

		for (uint64_t n = 0; n < 100; n++)
			expect_number(mailbox, n);
		cubby_close(mailbox);
	}
	for (uint64_t n = 0; n < 100; n++)
		send_number(entries[0].mailbox, n);
	child_finish(&receives);
	child_kill(&waits);
	close_several(entries, 2);
}

/* Nothing buffered ------------------------------------------------------- */

static cubby_mailbox *
open_rendezvous(int flags)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;

	options.order = test_order() ? test_order() : CUBBY_ORDER_ARRIVAL;
	options.buffering = CUBBY_RENDEZVOUS;
	return open_mailbox("r", flags, &options);
}

static void
an_offer_is_a_message(void)
{
	cubby_mailbox *sender = open_rendezvous(CUBBY_CREATE | CUBBY_SEND);
	struct cubby_wait_entry entries[2];
	struct child child;

	in_child(&child) {
		open_several(entries, 1, CUBBY_CREATE | BOTH, CUBBY_RECEIVE);
		entries[1] = (struct cubby_wait_entry){
			open_rendezvous(CUBBY_RECEIVE), CUBBY_RECEIVE, 0
		};
		expect_only(entries, 2, 1, CUBBY_RECEIVE);
		expect_text(entries[1].mailbox, "x");
		close_several(entries, 2);
	}
	child_wait_asleep(&child);
	send_text(sender, "x");
	child_finish(&child);
	cubby_close(sender);
}

static void
who_receives_is_room(void)
{
	struct cubby_wait_entry entries[2];
	struct child child;

	open_several(entries, 1, CUBBY_CREATE | BOTH, CUBBY_RECEIVE);
	entries[1] = (struct cubby_wait_entry){
		open_rendezvous(CUBBY_CREATE | CUBBY_SEND), CUBBY_SEND, 0
	};
	expect_result(cubby_wait(entries, 2, CUBBY_NOW), -EAGAIN);
	in_child(&child) {
		cubby_mailbox *receiver = open_rendezvous(CUBBY_RECEIVE);

		expect_text(receiver, "x");
		cubby_close(receiver);
	}
	expect_only(entries, 2, 1, CUBBY_SEND);
	expect_ok(cubby_send_full(entries[1].mailbox, "x", 1, NULL, 0,
				  CUBBY_NOW));
	child_finish(&child);
	close_several(entries, 2);
}

/* The dead, and those who want something else, do not. */
static void
who_would_not_take_it_is_no_room(void)
{
	struct cubby_filter filter = CUBBY_FILTER_INIT;
	struct cubby_wait_entry entry;
	struct child child;
	int64_t end = soon();

	entry = (struct cubby_wait_entry){
		open_rendezvous(CUBBY_CREATE | CUBBY_SEND), CUBBY_SEND, 0
	};
	filter.matching = CUBBY_MATCH_TYPE;
	filter.type = 5;
	in_child(&child) {
		cubby_mailbox *receiver = open_rendezvous(CUBBY_RECEIVE);
		char buffer[8];

		cubby_receive_full(receiver, &filter, 0, soon(), buffer,
				   sizeof(buffer), NULL, NULL);
	}
	child_wait_asleep(&child);
	expect_result(cubby_wait(&entry, 1, CUBBY_NOW), -EAGAIN);
	child_kill(&child);
	in_child(&child) {
		receive_number(open_rendezvous(CUBBY_RECEIVE));
	}
	child_wait_asleep(&child);
	expect_result(cubby_wait(&entry, 1, CUBBY_NOW), 1);
	child_kill(&child);
	/* Of whom it is known that he lived a moment ago, nobody asks. */
	while (cubby_wait(&entry, 1, CUBBY_NOW) == 1)
		expect(cubby_deadline_after(0) < end);
	cubby_close(entry.mailbox);
}

/* The lock of a queue ---------------------------------------------------- */

/* A child that has the lock of queue q until the gate opens. */
static void
hold_lock(struct child *child, struct gate *go)
{
	struct gate held = gate_make();

	in_child(child) {
		cubby_mailbox *mailbox = open_mailbox("q", BOTH, NULL);

		expect_ok(queue_enter(&mailbox->queue, CUBBY_FOREVER));
		gate_open(&held);
		gate_wait(go);
		queue_leave(&mailbox->queue, &(struct wakes){ .count = 0 });
		cubby_close(mailbox);
	}
	gate_wait(&held);
}

static void
open_with_queue(struct cubby_wait_entry entries[2])
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;

	options.order = test_order() ? test_order() : CUBBY_ORDER_ARRIVAL;
	open_several(entries, 1, CUBBY_CREATE | BOTH, CUBBY_RECEIVE);
	entries[1] = (struct cubby_wait_entry){
		open_mailbox("q", CUBBY_CREATE | BOTH, &options),
		CUBBY_RECEIVE, UNTOUCHED
	};
}

static void
a_lock_that_is_kept_holds_up_no_other_mailbox(void)
{
	struct cubby_wait_entry entries[2];
	struct gate go = gate_make();
	struct child owner;

	open_with_queue(entries);
	hold_lock(&owner, &go);
	expect_result(cubby_wait(entries, 2, CUBBY_NOW), -ETIMEDOUT);
	expect_result(cubby_wait(entries, 2, cubby_deadline_after(1000000)),
		      -ETIMEDOUT);
	expect_int(entries[1].ready, UNTOUCHED);
	send_text(entries[0].mailbox, "a");
	expect_only(entries, 2, 0, CUBBY_RECEIVE);
	gate_open(&go);
	child_finish(&owner);
	close_several(entries, 2);
}

/* All of them together are asked for as long as one call waits for a lock. */
static void
several_locks_that_are_kept_take_no_longer_than_one(void)
{
	enum { QUEUES = 100 };
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	struct cubby_wait_entry entries[QUEUES];
	struct gate held = gate_make(), go = gate_make();
	struct child owner;
	char name[16];
	int64_t began, took;

	options.order = test_order() ? test_order() : CUBBY_ORDER_ARRIVAL;
	for (int i = 0; i < QUEUES; i++) {
		snprintf(name, sizeof(name), "q%d", i);
		entries[i] = (struct cubby_wait_entry){
			open_mailbox(name, CUBBY_CREATE | BOTH, &options),
			CUBBY_RECEIVE, UNTOUCHED
		};
	}
	in_child(&owner) {
		cubby_mailbox *own[QUEUES];

		for (int i = 0; i < QUEUES; i++) {
			snprintf(name, sizeof(name), "q%d", i);
			own[i] = open_mailbox(name, BOTH, NULL);
			expect_ok(queue_enter(&own[i]->queue, CUBBY_FOREVER));
		}
		gate_open(&held);
		gate_wait(&go);
		for (int i = 0; i < QUEUES; i++) {
			queue_leave(&own[i]->queue,
				    &(struct wakes){ .count = 0 });
			cubby_close(own[i]);
		}
	}
	gate_wait(&held);
	began = clock_now();
	expect_result(cubby_wait(entries, QUEUES, CUBBY_NOW), -ETIMEDOUT);
	took = clock_now() - began;
	/* One by one it would be a hundred times as long as one: 10 s. */
	expect(took < QUEUES * ROBUST_LOCK_GRACE);
	expect_int(entries[0].ready, UNTOUCHED);
	gate_open(&go);
	child_finish(&owner);
	close_several(entries, QUEUES);
	for (int i = 0; i < QUEUES; i++) {
		snprintf(name, sizeof(name), "q%d", i);
		expect_ok(cubby_unlink(name));
	}
}

static void *
send_one(void *argument)
{
	send_text(argument, "a");
	return NULL;
}

/* The thread waits for the lock as well; one of them is woken when it is given,
   and both go on. */
static void
a_lock_that_is_given_back_wakes(void)
{
	struct cubby_wait_entry entries[2];
	struct gate go = gate_make();
	cubby_mailbox *sender;
	struct child owner;
	pthread_t thread;

	open_with_queue(entries);
	sender = open_mailbox("q", CUBBY_SEND, NULL);
	hold_lock(&owner, &go);
	expect_int(pthread_create(&thread, NULL, send_one, sender), 0);
	gate_open(&go);
	expect_only(entries, 2, 1, CUBBY_RECEIVE);
	expect_int(pthread_join(thread, NULL), 0);
	expect_text(entries[1].mailbox, "a");
	child_finish(&owner);
	cubby_close(sender);
	close_several(entries, 2);
}

static void
a_lock_of_the_dead_is_taken_over(void)
{
	struct cubby_wait_entry entries[2];
	struct gate go = gate_make();
	struct child owner;

	open_with_queue(entries);
	send_text(entries[1].mailbox, "a");
	hold_lock(&owner, &go);
	child_kill(&owner);
	expect_only(entries, 2, 1, CUBBY_RECEIVE);
	expect_text(entries[1].mailbox, "a");
	close_several(entries, 2);
}

/* Threads, forks, signals ------------------------------------------------ */

struct sharing {
	cubby_mailbox *mailboxes[3];
	_Atomic uint64_t left;
};

/* Others may be quicker. */
static void *
receive_in_turns(void *argument)
{
	struct sharing *sharing = argument;
	struct cubby_wait_entry entries[3];
	uint64_t number;

	for (size_t i = 0; i < 3; i++)
		entries[i] = (struct cubby_wait_entry){
			sharing->mailboxes[i], CUBBY_RECEIVE, 0
		};
	while (atomic_load(&sharing->left)) {
		int r = cubby_wait(entries, 3, cubby_deadline_after(20000000));

		expect(r > 0 || r == -ETIMEDOUT);
		for (size_t i = 0; r > 0 && i < 3; i++)
			if (entries[i].ready &&
			    cubby_receive_full(entries[i].mailbox, NULL, 0,
					       CUBBY_NOW, &number,
					       sizeof(number), NULL, NULL) == 0)
				atomic_fetch_sub(&sharing->left, 1);
	}
	return NULL;
}

static void
threads_share_the_handles(void)
{
	struct sharing sharing = { .left = (uint64_t)MANY(3000) };
	uint64_t count = sharing.left;
	pthread_t threads[3];

	for (size_t i = 0; i < 3; i++)
		sharing.mailboxes[i] = open_numbered(i, CUBBY_CREATE | BOTH);
	for (size_t i = 0; i < 3; i++)
		expect_int(pthread_create(&threads[i], NULL, receive_in_turns,
					  &sharing), 0);
	for (uint64_t n = 0; n < count; n++)
		send_number(sharing.mailboxes[n % 3], n);
	for (size_t i = 0; i < 3; i++)
		expect_int(pthread_join(threads[i], NULL), 0);
	for (size_t i = 0; i < 3; i++) {
		expect_empty(sharing.mailboxes[i]);
		cubby_close(sharing.mailboxes[i]);
	}
}

static void
a_child_may_not_wait_for_what_it_inherited(void)
{
	struct cubby_wait_entry entries[2];
	struct child child;

	open_several(entries, 2, CUBBY_CREATE | BOTH, CUBBY_RECEIVE);
	in_child(&child) {
		expect_result(cubby_wait(entries, 2, CUBBY_NOW), -ECHILD);
		expect_int(entries[0].ready, UNTOUCHED);
		close_several(entries, 2);
	}
	child_finish(&child);
	send_text(entries[1].mailbox, "a");
	expect_only(entries, 2, 1, CUBBY_RECEIVE);
	close_several(entries, 2);
}

static void
on_signal(int number)
{
	(void)number;
}

static void
expect_interrupted(size_t count)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct cubby_wait_entry entries[2];
	struct child child;

	in_child(&child) {
		expect_system(sigaction(SIGUSR1, &action, NULL));
		open_several(entries, count, CUBBY_CREATE | BOTH,
			     CUBBY_RECEIVE);
		expect_result(cubby_wait(entries, count, CUBBY_FOREVER),
			      -EINTR);
		expect_int(entries[0].ready, UNTOUCHED);
		send_text(entries[0].mailbox, "a");
		expect_only(entries, count, 0, CUBBY_RECEIVE);
		close_several(entries, count);
	}
	child_interrupt(&child, SIGUSR1);
	child_finish(&child);
}

static void
a_signal_ends_a_wait_for_one(void)
{
	expect_interrupted(1);
}

static void
a_signal_ends_a_wait_for_several(void)
{
	expect_interrupted(2);
}

/* A kernel without the call ---------------------------------------------- */

/* From here on futex_waitv fails so in this process. */
static void
forbid_waitv(uint32_t error)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 449, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { COUNT_OF(filter), filter };

	need_filters();
	expect_system(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	expect_system(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
	expect_int(syscall(449, NULL, 0, 0, NULL, 0), -1);
	expect_int(errno, error);
}

static void
the_same_holds_where_the_kernel_lacks_the_call(void)
{
	forbid_waitv(ENOSYS);
	a_message_in_any_of_them_wakes();
	what_goes_back_makes_it_ready();
	room_wakes();
}

static void
the_same_holds_where_a_filter_refuses_the_call(void)
{
	forbid_waitv(EPERM);
	a_message_in_any_of_them_wakes();
	a_stream_through_several_arrives();
	nothing_is_ready_and_nothing_is_touched();
	a_signal_ends_a_wait_for_several();
}

/* Errors ----------------------------------------------------------------- */

static void
what_makes_no_sense_is_told(void)
{
	cubby_mailbox *sends = open_mailbox("m", CUBBY_CREATE | CUBBY_SEND,
					    NULL);
	struct cubby_wait_entry entry = { sends, CUBBY_RECEIVE, UNTOUCHED };

	expect_result(cubby_wait(&entry, 1, CUBBY_NOW), -EBADF);
	entry.events = CUBBY_SEND;
	expect_result(cubby_wait(&entry, 1, CUBBY_NOW), 1);
	entry.ready = UNTOUCHED;
	entry.events = CUBBY_SEND | CUBBY_PEEK;
	expect_result(cubby_wait(&entry, 1, CUBBY_NOW), -EINVAL);
	expect_result(cubby_wait(NULL, 1, CUBBY_NOW), -EINVAL);
	expect_result(cubby_wait(NULL, 0, CUBBY_FOREVER), -EINVAL);
	entry.events = 0;
	expect_result(cubby_wait(&entry, 1, CUBBY_FOREVER), -EINVAL);
	expect_int(entry.ready, UNTOUCHED);
	cubby_close(sends);
}

static void
without_memory_nothing_is_waited_for(void)
{
	cubby_mailbox *m = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	enum { COUNT = 1000000 };
	struct cubby_wait_entry *entries = calloc(COUNT, sizeof(*entries));
	struct rlimit limit, none;

	if (UNDER_EMULATION)
		skip_test("an emulator does not limit memory");
	if (UNDER_ASAN || UNDER_TSAN)
		skip_test("the sanitizer needs the address space");
	for (size_t i = 0; i < COUNT; i++)
		entries[i] = (struct cubby_wait_entry){ m, CUBBY_RECEIVE, 0 };
	expect_system(getrlimit(RLIMIT_AS, &limit));
	none = (struct rlimit){ 0, limit.rlim_max };
	expect_system(setrlimit(RLIMIT_AS, &none));
	expect_result(cubby_wait(entries, COUNT, CUBBY_NOW), -ENOMEM);
	expect_system(setrlimit(RLIMIT_AS, &limit));
	send_text(m, "a");
	expect_only(entries, 1, 0, CUBBY_RECEIVE);
	free(entries);
	cubby_close(m);
}

static cubby_mailbox *
open_queue(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;

	options.order = test_order() ? test_order() : CUBBY_ORDER_ARRIVAL;
	return open_mailbox("q", CUBBY_CREATE | BOTH, &options);
}

static void
expect_too_many(int error)
{
	cubby_mailbox *m = open_queue();
	enum { COUNT = WAITERS_MAX + 1 };
	struct cubby_wait_entry *entries = calloc(COUNT, sizeof(*entries));

	for (size_t i = 0; i < COUNT; i++)
		entries[i] = (struct cubby_wait_entry){ m, CUBBY_RECEIVE,
							UNTOUCHED };
	expect_result(cubby_wait(entries, COUNT, soon()), error);
	expect_int(entries[0].ready, UNTOUCHED);
	/* What it had is given back. */
	expect_result(cubby_wait(entries, 10, cubby_deadline_after(1000000)),
		      -ETIMEDOUT);
	free(entries);
	cubby_close(m);
}

static void
too_many_at_one_queue_are_refused(void)
{
	expect_too_many(-ENOSPC);
}

static void
memory_for_those_who_wait_may_end(void)
{
	need_root();
	mount_small_root(700 * 1024);
	expect_too_many(-ENOSPC);
}

static const struct test tests[] = {
	TEST(nothing_is_ready_and_nothing_is_touched),
	TEST(those_that_have_a_message_are_ready),
	TEST(a_handle_may_wait_for_both),
	TEST(one_mailbox_may_occur_several_times),
	TEST(without_mailboxes_it_waits_for_the_deadline),
	TEST(what_goes_back_makes_it_ready),
	TEST(a_lane_that_makes_no_sense_is_something_to_tell),
	TEST(a_region_is_a_message),
	TEST(a_message_in_any_of_them_wakes),
	TEST(a_stream_through_several_arrives),
	TEST(a_thousand_mailboxes_are_waited_for),
	TEST(more_than_the_kernel_waits_for_at_once),
	TEST(more_than_there_are_descriptors_for),
	TEST(their_descriptors_tell_the_same),
	TEST(room_wakes),
	TEST(room_that_the_first_receiver_makes_wakes),
	TEST(who_has_left_his_inbox_is_told),
	TEST(the_death_of_an_inbox_is_told),
	TEST(a_ring_is_not_kept_by_who_only_waits),
	TEST(one_who_is_stopped_over_its_wait_holds_nobody_up),
	TEST(an_offer_is_a_message),
	TEST(who_receives_is_room),
	TEST(who_would_not_take_it_is_no_room),
	TEST(a_lock_that_is_kept_holds_up_no_other_mailbox),
	TEST(several_locks_that_are_kept_take_no_longer_than_one),
	TEST(a_lock_that_is_given_back_wakes),
	TEST(a_lock_of_the_dead_is_taken_over),
	TEST(threads_share_the_handles),
	TEST(a_child_may_not_wait_for_what_it_inherited),
	TEST(a_signal_ends_a_wait_for_one),
	TEST(a_signal_ends_a_wait_for_several),
	TEST(the_same_holds_where_the_kernel_lacks_the_call),
	TEST(the_same_holds_where_a_filter_refuses_the_call),
	TEST(what_makes_no_sense_is_told),
	TEST(without_memory_nothing_is_waited_for),
	TEST(too_many_at_one_queue_are_refused),
	TEST(memory_for_those_who_wait_may_end),
};

int
main(void)
{
	return RUN_TESTS("wait", tests);
}
