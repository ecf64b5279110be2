/* SPDX-License-Identifier: MIT */
/* Test: orders, tsan, timeout 240. */
/* Threads that share one handle. */
#include "support/exchange.h"
#include <pthread.h>

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

static const struct test tests[] = {
	TEST(threads_share_a_handle),
	TEST(threads_share_a_handle_with_room_for_one),
	TEST(a_thread_that_waits_holds_up_no_other),
	TEST(threads_draft_on_one_handle),
	TEST(threads_open_and_close_at_the_same_time),
};

int
main(void)
{
	return RUN_TESTS("threads", tests);
}
