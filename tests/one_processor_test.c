/* SPDX-License-Identifier: MIT */
/* Test: orders, timeout 120. */
/*
 * On a machine of one processor nobody looks before he sleeps: whom he waits for
 * cannot run meanwhile. All comes, in order, and nothing is waited for in vain.
 */
#include "support/support.h"
#include <cubby_sync.h>
#include <dlfcn.h>
#include <sched.h>
#include <stdatomic.h>

#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)
#define COUNT 2000

static _Atomic int asked;

/* In place of libc's: one processor; the rest is as it is. */
long
sysconf(int name)
{
	static long (*real)(int name);

	if (name == _SC_NPROCESSORS_ONLN) {
		asked++;
		return 1;
	}
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "sysconf");
	return real(name);
}

/* As well as it is one in truth: of those that this process may run on. */
static void
stay_on_one(void)
{
	cpu_set_t one;
	int first = 0;

	expect_system(sched_getaffinity(0, sizeof(one), &one));
	while (!CPU_ISSET(first, &one))
		first++;
	CPU_ZERO(&one);
	CPU_SET(first, &one);
	expect_system(sched_setaffinity(0, sizeof(one), &one));
}

static cubby_mailbox *
open_there(const char *name, int flags)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;

	options.capacity = 4;	/* both sides wait */
	options.order = test_order();
	return open_mailbox(name, flags, &options);
}

static void
messages_pass_between_processes(void)
{
	cubby_mailbox *there, *back;
	struct child child;

	stay_on_one();
	there = open_there("there", CUBBY_CREATE | BOTH);
	back = open_there("back", CUBBY_CREATE | BOTH);
	in_child(&child) {
		cubby_mailbox *in = open_there("there", CUBBY_RECEIVE);
		cubby_mailbox *out = open_there("back", CUBBY_SEND);

		for (uint64_t i = 0; i < COUNT; i++) {
			expect_int(receive_number(in), i);
			send_number(out, i);
		}
		cubby_close(in);
		cubby_close(out);
	}
	cubby_close(there);
	there = open_there("there", CUBBY_SEND);
	for (uint64_t i = 0; i < COUNT; i++) {
		send_number(there, i);
		expect_int(receive_number(back), i);
	}
	child_finish(&child);
	expect(asked > 0);
	cubby_close(there);
	cubby_close(back);
}

/* Each waits for the other all the time: for room, or for a message. */
static void
a_full_mailbox_is_waited_for(void)
{
	cubby_mailbox *mailbox;
	struct child child;

	stay_on_one();
	mailbox = open_there("m", CUBBY_CREATE | CUBBY_RECEIVE);
	in_child(&child) {
		cubby_mailbox *out = open_there("m", CUBBY_SEND);

		for (uint64_t i = 0; i < COUNT; i++)
			send_number(out, i);
		cubby_close(out);
	}
	for (uint64_t i = 0; i < COUNT; i++)
		expect_int(receive_number(mailbox), i);
	child_finish(&child);
	expect_empty(mailbox);
	cubby_close(mailbox);
}

static void
several_are_waited_for_at_once(void)
{
	struct cubby_wait_entry entries[2] = { { 0 } };
	cubby_mailbox *a, *b;
	struct child child;
	uint64_t got[2] = { 0 };

	stay_on_one();
	a = open_there("a", CUBBY_CREATE | CUBBY_RECEIVE);
	b = open_there("b", CUBBY_CREATE | CUBBY_RECEIVE);
	in_child(&child) {
		cubby_mailbox *to_a = open_there("a", CUBBY_SEND);
		cubby_mailbox *to_b = open_there("b", CUBBY_SEND);

		for (uint64_t i = 0; i < COUNT / 10; i++)
			send_number(i % 3 ? to_a : to_b, i);
		cubby_close(to_a);
		cubby_close(to_b);
	}
	while (got[0] + got[1] < COUNT / 10) {
		entries[0] = (struct cubby_wait_entry){
			.mailbox = a, .events = CUBBY_RECEIVE };
		entries[1] = (struct cubby_wait_entry){
			.mailbox = b, .events = CUBBY_RECEIVE };
		expect(cubby_wait(entries, 2, soon()) > 0);
		for (int i = 0; i < 2; i++)
			if (entries[i].ready) {
				receive_number(entries[i].mailbox);
				got[i]++;
			}
	}
	child_finish(&child);
	cubby_close(a);
	cubby_close(b);
}

/* Of one mutex, and of what is signalled below it. */
struct shared {
	cubby_mutex mutex;
	cubby_condition changed;
	cubby_semaphore done;
	uint64_t turn;
};

static void
take_turns(cubby_region *region, uint64_t parity)
{
	struct shared *shared = cubby_region_data(region);

	for (uint64_t i = 0; i < COUNT; i++) {
		expect_ok(cubby_mutex_lock(region, &shared->mutex, soon()));
		while (shared->turn % 2 != parity)
			expect_ok(cubby_condition_wait(region,
				&shared->changed, &shared->mutex, soon()));
		shared->turn++;
		expect_ok(cubby_condition_broadcast(region, &shared->changed));
		expect_ok(cubby_mutex_unlock(region, &shared->mutex));
	}
	expect_ok(cubby_semaphore_post(region, &shared->done));
}

static void
locks_are_handed_over(void)
{
	cubby_region *region = NULL;
	struct shared *shared;
	struct child child;

	stay_on_one();
	expect_ok(cubby_region_open("r", CUBBY_CREATE | CUBBY_WRITE, NULL,
				    &region));
	shared = cubby_region_data(region);
	in_child(&child) {
		cubby_region *own = NULL;

		expect_ok(cubby_region_open("r", CUBBY_WRITE, NULL, &own));
		take_turns(own, 1);
		cubby_region_close(own);
	}
	take_turns(region, 0);
	expect_ok(cubby_semaphore_wait(region, &shared->done, soon()));
	expect_ok(cubby_semaphore_wait(region, &shared->done, soon()));
	expect_int(shared->turn, 2 * COUNT);
	child_finish(&child);
	cubby_region_close(region);
	expect_ok(cubby_region_unlink("r"));
}

static void
calls_are_answered(void)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	cubby_mailbox *mailbox;
	struct child child;
	uint64_t number, answer;
	size_t size;

	stay_on_one();
	mailbox = open_there("m", CUBBY_CREATE | CUBBY_RECEIVE);
	in_child(&child) {
		cubby_mailbox *caller = open_there("m", CUBBY_SEND);

		for (uint64_t i = 0; i < COUNT / 4; i++) {
			expect_ok(cubby_call(caller, &i, sizeof(i), &answer,
					     sizeof(answer), &size, soon()));
			expect_int(answer, i + 1);
		}
		cubby_close(caller);
	}
	for (uint64_t i = 0; i < COUNT / 4; i++) {
		expect_ok(cubby_receive_full(mailbox, NULL, 0, soon(), &number,
					     sizeof(number), &size, &envelope));
		expect_int(number, i);
		number++;
		expect_ok(cubby_reply(mailbox, &envelope, &number,
				      sizeof(number)));
	}
	child_finish(&child);
	cubby_close(mailbox);
}

static const struct test tests[] = {
	TEST(messages_pass_between_processes),
	TEST(a_full_mailbox_is_waited_for),
	TEST(several_are_waited_for_at_once),
	TEST(locks_are_handed_over),
	TEST(calls_are_answered),
};

int
main(void)
{
	return RUN_TESTS("one_processor", tests);
}
