/* SPDX-License-Identifier: MIT */
/* Test: tsan, timeout 120. */
/* Threads that share a handle of an inbox: each is told of the other end. */
#include "support/inbox.h"
#include <pthread.h>
#include <sched.h>

enum { THREADS = 4 };

struct worker {
	cubby_mailbox *mailbox;
	const char *name;
	_Atomic pid_t tid;
	_Atomic uint64_t sent;
	pthread_t thread;
};

static void
start(struct worker *worker, void *(*work)(void *))
{
	expect_int(pthread_create(&worker->thread, NULL, work, worker), 0);
	while (atomic_load(&worker->tid) == 0)
		sched_yield();
}

static void *
send_until_told(void *context)
{
	struct worker *worker = context;
	int result;

	atomic_store(&worker->tid, gettid());
	while ((result = cubby_send_full(worker->mailbox, "x", 1, NULL, 0,
					 CUBBY_FOREVER)) == 0)
		atomic_fetch_add(&worker->sent, 1);
	expect_result(result, -EPIPE);
	return NULL;
}

/* Some of them wait for room. */
static void
all_senders_are_told(void)
{
	struct worker workers[THREADS] = { { .mailbox = NULL } };
	cubby_mailbox *own = open_receiver(), *sender = open_sender();
	uint64_t sent = 0;

	for (int i = 0; i < THREADS; i++) {
		workers[i].mailbox = sender;
		start(&workers[i], send_until_told);
	}
	for (int i = 0; i < MANY(2000); i++)
		expect_text(own, "x");
	for (int i = 0; i < THREADS; i++)
		thread_wait_asleep(workers[i].tid);
	cubby_close(own);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		sent += workers[i].sent;
	}
	expect_int(sent, (uint64_t)MANY(2000) + inspect(NAME).waiting);
	cubby_close(sender);
}

static void *
receive_until_told(void *context)
{
	struct worker *worker = context;
	struct cubby_filter filter = CUBBY_FILTER_INIT;
	char buffer[8];
	int result;

	filter.sender_name = worker->name;
	atomic_store(&worker->tid, gettid());
	while ((result = cubby_receive_full(worker->mailbox, &filter, 0,
					    CUBBY_FOREVER, buffer,
					    sizeof(buffer), NULL, NULL)) == 0) {
		expect(buffer[0] == worker->name[0]);
		atomic_fetch_add(&worker->sent, 1);
	}
	expect_result(result, -EPIPE);
	return NULL;
}

/* Each waits for another sender, by its name. */
static void
all_receivers_are_told(void)
{
	static const char *const names[THREADS] = { "Ada", "Bob", "Cyd",
						    "Don" };
	struct worker workers[THREADS] = { { .mailbox = NULL } };
	cubby_mailbox *own = open_receiver(), *senders[THREADS];
	struct cubby_options options = made;

	for (int i = 0; i < THREADS; i++) {
		options.sender = names[i];
		senders[i] = open_mailbox(NAME, CUBBY_SEND, &options);
		workers[i].mailbox = own;
		workers[i].name = names[i];
		start(&workers[i], receive_until_told);
	}
	for (int n = 0; n < MANY(400); n++)
		for (int i = 0; i < THREADS; i++)
			expect_ok(cubby_send_full(senders[i], names[i], 1,
						  NULL, 0, soon()));
	for (int i = 0; i < THREADS; i++)
		thread_wait_asleep(workers[i].tid);
	for (int i = 0; i < THREADS; i++)
		cubby_close(senders[i]);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		expect_int(workers[i].sent, MANY(400));
	}
	cubby_close(own);
}

OF_QUEUE(all_senders_are_told)
OF_QUEUE(all_receivers_are_told)

static const struct test tests[] = {
	TEST(all_senders_are_told),
	TEST(all_receivers_are_told),
	TEST(all_senders_are_told_of_a_queue),
	TEST(all_receivers_are_told_of_a_queue),
};

int
main(void)
{
	return RUN_TESTS("threads at an inbox", tests);
}
