/* SPDX-License-Identifier: MIT */
/* Test: orders, tsan, timeout 240. */
/* Threads that share one handle. */
#include "handle.h"
#include "support/exchange.h"
#include <pthread.h>
#include <sched.h>

#define THREADS 4

static void
threads_share_a_handle(void)
{
	exchange_run(&(struct exchange){
		.threads = true,
		.one_handle = true,
		.senders = THREADS,
		.receivers = THREADS,
		.messages = MANY(UINT64_C(10000)),
		.size_max = 2048,
	});
}

/* The handle's lock must not be held while one of them waits. */
static void
threads_share_a_handle_with_room_for_one(void)
{
	exchange_run(&(struct exchange){
		.threads = true,
		.one_handle = true,
		.senders = THREADS,
		.receivers = THREADS,
		.messages = MANY(UINT64_C(2000)),
		.size_max = 300,
		.capacity = 1,
	});
}

struct waiter {
	cubby_mailbox *mailbox;
	_Atomic pid_t tid;
	char text[32];
};

static void *
wait_for_text(void *context)
{
	struct waiter *waiter = context;
	size_t size;

	atomic_store(&waiter->tid, gettid());
	expect_ok(cubby_receive_full(waiter->mailbox, NULL, 0, soon(),
				     waiter->text, sizeof(waiter->text), &size,
				     NULL));
	waiter->text[size] = '\0';
	return NULL;
}

static pid_t
started(struct waiter *waiter)
{
	pid_t tid;

	while ((tid = atomic_load(&waiter->tid)) == 0)
		sched_yield();
	return tid;
}

/* One handle for both roles: who waits to receive lets the other send. */
static void
a_thread_that_waits_holds_up_no_other(void)
{
	struct waiter waiter = { .tid = 0 };
	pthread_t thread;

	waiter.mailbox = open_mailbox(
		"m", CUBBY_CREATE | CUBBY_SEND | CUBBY_RECEIVE, NULL);
	expect_int(pthread_create(&thread, NULL, wait_for_text, &waiter), 0);
	thread_wait_asleep(started(&waiter));
	send_text(waiter.mailbox, "wake up");
	expect_int(pthread_join(thread, NULL), 0);
	expect(strcmp(waiter.text, "wake up") == 0);
	cubby_close(waiter.mailbox);
}

struct drafter {
	cubby_mailbox *mailbox;
	int index;
};

#define DRAFTS 16
#define ROUNDS MANY(400)

/* Reserves a few, then commits or aborts them, last first. */
static void *
draft_in_turns(void *context)
{
	struct drafter *drafter = context;
	cubby_draft *drafts[DRAFTS];

	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < DRAFTS; i++) {
			size_t size = 8 + (size_t)(i % 4) * 700;

			expect_ok(cubby_reserve(drafter->mailbox, size, soon(),
						&drafts[i]));
			pattern_fill(cubby_draft_data(drafts[i]), size, size);
		}
		for (int i = DRAFTS - 1; i >= 0; i--) {
			size_t size = cubby_draft_size(drafts[i]);

			if (i % 5 == 0)
				cubby_abort(drafts[i]);
			else
				expect_ok(cubby_commit(drafts[i], size, NULL));
		}
	}
	return NULL;
}

/* How many of each round are committed. */
static int
committed_each_round(void)
{
	return DRAFTS - (DRAFTS + 4) / 5;
}

static void
receive_drafts(cubby_mailbox *mailbox, int count)
{
	char buffer[4096];
	size_t size;

	while (count-- > 0) {
		expect_ok(cubby_receive_full(mailbox, NULL, 0, soon(), buffer,
					     sizeof(buffer), &size, NULL));
		expect(pattern_holds(buffer, size, size));
	}
	expect_empty(mailbox);
}

static void
threads_draft_on_one_handle(void)
{
	struct drafter drafters[THREADS];
	pthread_t threads[THREADS];
	cubby_mailbox *mailbox;

	mailbox = open_mailbox("m", CUBBY_CREATE | CUBBY_SEND | CUBBY_RECEIVE,
			       NULL);
	for (int i = 0; i < THREADS; i++) {
		drafters[i] = (struct drafter){ mailbox, i };
		expect_int(pthread_create(&threads[i], NULL, draft_in_turns,
					  &drafters[i]),
			   0);
	}
	receive_drafts(mailbox, THREADS * ROUNDS * committed_each_round());
	for (int i = 0; i < THREADS; i++)
		expect_int(pthread_join(threads[i], NULL), 0);
	cubby_close(mailbox);
}

/* The calls without options, which take a shorter way where there is one thread:
   each sender's numbers come once, and in order, whoever holds or receives them. */
enum { PLAIN_THREADS = 3 };

struct plain {
	cubby_mailbox *mailbox;
	uint64_t sender;
	uint64_t count;
};

static void *
send_plainly(void *context)
{
	const struct plain *plain = context;

	for (uint64_t i = 1; i <= plain->count; i++) {
		uint64_t number = plain->sender << 32 | i;

		expect_ok(cubby_send(plain->mailbox, &number, sizeof(number)));
	}
	return NULL;
}

static uint64_t
hold_number(cubby_mailbox *mailbox)
{
	cubby_message *message = NULL;
	uint64_t number;

	expect_ok(cubby_hold(mailbox, NULL, CUBBY_FOREVER, &message));
	memcpy(&number, cubby_message_data(message), sizeof(number));
	expect_ok(cubby_release(message));
	return number;
}

/* Until a 0. */
static void *
receive_plainly(void *context)
{
	cubby_mailbox *mailbox = context;
	uint64_t last[PLAIN_THREADS] = { 0 }, number, count = 0;
	size_t size;

	for (;; count++) {
		if (count % 3 == 2) {
			number = hold_number(mailbox);
		} else {
			expect_ok(cubby_receive(mailbox, &number,
						sizeof(number), &size));
			expect_int(size, sizeof(number));
		}
		if (!number)
			return (void *)(uintptr_t)count;
		expect(number >> 32 < PLAIN_THREADS);
		expect((uint32_t)number > last[number >> 32]);
		last[number >> 32] = (uint32_t)number;
	}
}

static void
threads_send_and_receive_by_the_plain_calls(void)
{
	cubby_mailbox *out = open_mailbox("m", CUBBY_CREATE | CUBBY_SEND, NULL);
	cubby_mailbox *in = open_mailbox("m", CUBBY_RECEIVE, NULL);
	pthread_t senders[PLAIN_THREADS], receivers[PLAIN_THREADS];
	struct plain plain[PLAIN_THREADS];
	uint64_t received = 0, count = MANY(20000);
	void *some;

	for (uint64_t i = 0; i < PLAIN_THREADS; i++) {
		plain[i] = (struct plain){ out, i, count };
		expect_int(pthread_create(&senders[i], NULL, send_plainly,
					  &plain[i]), 0);
		expect_int(pthread_create(&receivers[i], NULL, receive_plainly,
					  in), 0);
	}
	for (int i = 0; i < PLAIN_THREADS; i++)
		expect_int(pthread_join(senders[i], NULL), 0);
	for (int i = 0; i < PLAIN_THREADS; i++)
		send_number(out, 0);
	for (int i = 0; i < PLAIN_THREADS; i++) {
		expect_int(pthread_join(receivers[i], &some), 0);
		received += (uintptr_t)some;
	}
	expect_int(received, PLAIN_THREADS * count);
	expect_empty(in);
	cubby_close(in);
	cubby_close(out);
}

static _Atomic pid_t its_tid;

static void *
send_one_plainly(void *mailbox)
{
	uint64_t number = 77;

	its_tid = gettid();
	expect_ok(cubby_send(mailbox, &number, sizeof(number)));
	return NULL;
}

static void *
receive_one_plainly(void *mailbox)
{
	uint64_t number = 0;

	its_tid = gettid();
	expect_ok(cubby_receive(mailbox, &number, sizeof(number), NULL));
	expect_int(number, 77);
	return NULL;
}

static void *
do_nothing(void *context)
{
	return context;
}

/* One that does this, up to where it waits for another thread's lock. */
static pthread_t
start_and_see_it_wait(void *(*body)(void *), cubby_mailbox *mailbox)
{
	pthread_t thread;

	its_tid = 0;
	expect_int(pthread_create(&thread, NULL, body, mailbox), 0);
	while (!its_tid)
		sched_yield();
	thread_wait_asleep(its_tid);
	return thread;
}

static void
the_plain_calls_wait_for_a_fellow_thread(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | CUBBY_SEND |
					      CUBBY_RECEIVE, NULL);
	pthread_t thread;

	need_order_sender();
	/* Enough for its lane to be the receiver's. */
	for (uint64_t i = 0; i < 200; i++) {
		send_number(mailbox, i);
		expect_number(mailbox, i);
	}
	/* From here on there may be others. */
	expect_int(pthread_create(&thread, NULL, do_nothing, NULL), 0);
	expect_int(pthread_join(thread, NULL), 0);
	sender_enter(&mailbox->sender);
	thread = start_and_see_it_wait(send_one_plainly, mailbox);
	expect_int(inspect("m").waiting, 0);
	sender_leave(&mailbox->sender);
	expect_int(pthread_join(thread, NULL), 0);
	receiver_enter(&mailbox->receiver);
	thread = start_and_see_it_wait(receive_one_plainly, mailbox);
	expect_int(inspect("m").waiting, 1);
	receiver_leave(&mailbox->receiver);
	expect_int(pthread_join(thread, NULL), 0);
	expect_empty(mailbox);
	cubby_close(mailbox);
}

static void *
open_and_close(void *context)
{
	_Atomic uint64_t *sent = context;

	for (int i = 0; i < MANY(200); i++) {
		cubby_mailbox *mailbox =
			open_mailbox("m", CUBBY_CREATE | CUBBY_SEND, NULL);
		uint64_t number = i;
		int result = cubby_send_full(mailbox, &number, sizeof(number),
					     NULL, 0, CUBBY_NOW);

		if (result == 0)
			atomic_fetch_add(sent, 1);
		else
			expect_result(result, -EAGAIN);
		cubby_close(mailbox);
	}
	return NULL;
}

static void
threads_open_and_close_at_the_same_time(void)
{
	_Atomic uint64_t sent = 0;
	pthread_t threads[THREADS];
	cubby_mailbox *mailbox;
	uint64_t received = 0;

	for (int i = 0; i < THREADS; i++)
		expect_int(pthread_create(&threads[i], NULL, open_and_close,
					  &sent),
			   0);
	for (int i = 0; i < THREADS; i++)
		expect_int(pthread_join(threads[i], NULL), 0);
	mailbox = open_mailbox("m", CUBBY_RECEIVE, NULL);
	expect_int(inspect("m").waiting, sent);
	for (; received < sent; received++)
		receive_number(mailbox);
	expect_empty(mailbox);
	cubby_close(mailbox);
}

static void *
do_a_little_of_all(void *unused)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | CUBBY_SEND |
					      CUBBY_RECEIVE, NULL);
	struct cubby_swept swept = CUBBY_SWEPT_INIT;
	static char block[100000];
	cubby_message *message;

	send_text(mailbox, "small");
	expect_ok(cubby_send_full(mailbox, block, sizeof(block), NULL, 0,
				  soon()));
	expect_text(mailbox, "small");
	expect_ok(cubby_hold(mailbox, NULL, soon(), &message));
	expect_int(inspect("m").held, 1);
	expect_ok(cubby_release(message));
	cubby_close(mailbox);
	expect_ok(cubby_sweep("m", &swept));
	expect_ok(cubby_unlink("m"));
	return unused;
}

/* The C library's own choice may be 128 KiB, of which it needs some itself; on some
   machines that is the least. */
static void
a_thread_with_a_small_stack_does_what_others_do(void)
{
	long least = sysconf(_SC_THREAD_STACK_MIN);
	size_t size = least > 96 << 10 ? (size_t)least : 96 << 10;
	pthread_attr_t attributes;
	pthread_t thread;

	if (UNDER_ASAN || UNDER_TSAN)
		skip_test("a sanitizer needs more");
	expect_int(pthread_attr_init(&attributes), 0);
	expect_int(pthread_attr_setstacksize(&attributes, size), 0);
	expect_int(pthread_create(&thread, &attributes, do_a_little_of_all,
				  NULL), 0);
	expect_int(pthread_join(thread, NULL), 0);
	pthread_attr_destroy(&attributes);
}

static const struct test tests[] = {
	TEST(a_thread_with_a_small_stack_does_what_others_do),
	TEST(threads_share_a_handle),
	TEST(threads_share_a_handle_with_room_for_one),
	TEST(a_thread_that_waits_holds_up_no_other),
	TEST(threads_draft_on_one_handle),
	TEST(threads_send_and_receive_by_the_plain_calls),
	TEST(the_plain_calls_wait_for_a_fellow_thread),
	TEST(threads_open_and_close_at_the_same_time),
};

int
main(void)
{
	return RUN_TESTS("threads", tests);
}
