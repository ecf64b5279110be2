/* SPDX-License-Identifier: MIT */
/* Test: orders, tsan, timeout 180. */
/*
 * Many callers and many servers on one mailbox, killed at random and replaced;
 * and threads that share their handles. Each request is served once at the most,
 * and each caller gets its own reply.
 */
#include "support/support.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

#define CALLERS 4
#define SERVERS 3
#define CALLS 100000	/* of one caller, at most */
#define KILLS MANY(80)

struct request {
	uint64_t caller, number;
	char padding[4000];	/* in every second one */
};

/* Shared by all. */
struct account {
	_Atomic(uint32_t) calls[CALLERS];	/* begun */
	_Atomic(uint8_t) served[CALLERS][CALLS];
	_Atomic(uint8_t) answered[CALLERS][CALLS];
	_Atomic(uint64_t) replies;
	_Atomic(bool) stop_calling, stop_serving;
};

static uint64_t
reply_to(const struct request *request)
{
	return request->caller * 1000003 + request->number * 7 + 1;
}

static void
serve_one(struct account *account, cubby_mailbox *mailbox, unsigned turn)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	cubby_message *message = NULL;
	static __thread struct request request;
	uint64_t reply[600];
	int result;

	if (turn % 2) {
		result = cubby_hold(mailbox, NULL, cubby_deadline_after(1000000),
				    &message);
		if (result == 0) {
			memcpy(&request, cubby_message_data(message),
			       cubby_message_size(message));
			cubby_message_envelope(message, &envelope);
		}
	} else {
		result = cubby_receive_full(mailbox, NULL, 0,
					    cubby_deadline_after(1000000),
					    &request, sizeof(request), NULL,
					    &envelope);
	}
	if (result == -ETIMEDOUT)
		return;
	expect_ok(result);
	expect(envelope.call);
	if (turn % 16 == 5) {
		expect_ok(cubby_reject(message));
		return;
	}
	expect_int(account->served[request.caller][request.number]++, 0);
	for (size_t i = 0; i < COUNT_OF(reply); i++)
		reply[i] = reply_to(&request) + i;
	result = cubby_reply(mailbox, &envelope, reply,
			     request.number % 3 ? 8 : sizeof(reply));
	expect(result == 0 || result == -EPIPE);
	if (message)
		expect_ok(cubby_release(message));
}

static void
serve(struct account *account)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_RECEIVE, NULL);

	for (unsigned turn = (unsigned)getpid(); !account->stop_serving;
	     turn++)
		serve_one(account, mailbox, turn);
	cubby_close(mailbox);
}

static void
check_reply(const struct request *request, const uint64_t *reply, size_t size)
{
	expect_int(size, request->number % 3 ? 8 : 4800);
	for (size_t i = 0; i < size / 8; i++)
		expect_int(reply[i], reply_to(request) + i);
}

static void
call_one(struct account *account, cubby_mailbox *mailbox, uint64_t caller)
{
	static __thread struct request request;
	uint64_t reply[600];
	size_t size = 0;
	int result;

	request.caller = caller;
	request.number = account->calls[caller]++;
	expect(request.number < CALLS);
	result = cubby_call(mailbox, &request,
			    request.number % 2 ? 16 : sizeof(request), reply,
			    sizeof(reply), &size, soon());
	if (result == -EPIPE)
		return;
	expect_ok(result);
	check_reply(&request, reply, size);
	account->answered[caller][request.number]++;
	account->replies++;
}

static void
call(struct account *account, uint64_t caller)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_SEND, NULL);

	while (!account->stop_calling &&
	       account->calls[caller] < CALLS - 1)
		call_one(account, mailbox, caller);
	cubby_close(mailbox);
}

static void
start_caller(struct account *account, struct child *ret, uint64_t caller)
{
	in_child(ret)
		call(account, caller);
}

static void
start_server(struct account *account, struct child *ret)
{
	in_child(ret)
		serve(account);
}

static void
check_account(struct account *account)
{
	for (int caller = 0; caller < CALLERS; caller++)
		for (uint32_t i = 0; i < account->calls[caller]; i++)
			if (account->answered[caller][i])
				expect_int(account->served[caller][i], 1);
}

/* Kills wait for replies, so that something happens between them. */
static void
wait_for_replies(struct account *account, uint64_t more)
{
	uint64_t until = account->replies + more;

	while (account->replies < until)
		sched_yield();
}

static void
kill_at_random(struct account *account, struct child *callers,
	       struct child *servers)
{
	unsigned seed = 1;

	for (int i = 0; i < KILLS; i++) {
		unsigned which = (unsigned)rand_r(&seed) % 16;

		wait_for_replies(account, (unsigned)rand_r(&seed) % 32);
		if (which < SERVERS) {
			child_kill(&servers[which]);
			start_server(account, &servers[which]);
		} else if (which < SERVERS + CALLERS) {
			child_kill(&callers[which - SERVERS]);
			start_caller(account, &callers[which - SERVERS],
				     which - SERVERS);
		}
	}
}

static void
many_are_killed_and_nothing_is_served_twice(void)
{
	struct account *account = shared_memory(sizeof(*account));
	struct child callers[CALLERS], servers[SERVERS];

	cubby_close(open_mailbox("m", CUBBY_CREATE, NULL));
	for (int i = 0; i < SERVERS; i++)
		start_server(account, &servers[i]);
	for (int i = 0; i < CALLERS; i++)
		start_caller(account, &callers[i], (uint64_t)i);
	kill_at_random(account, callers, servers);
	account->stop_calling = true;
	for (int i = 0; i < CALLERS; i++)
		child_finish(&callers[i]);
	account->stop_serving = true;
	for (int i = 0; i < SERVERS; i++)
		child_finish(&servers[i]);
	check_account(account);
	expect_ok(cubby_sweep("m", NULL));
	expect_ok(cubby_unlink("m"));
}

/* Threads ---------------------------------------------------------------- */

#define THREAD_CALLS ((unsigned)MANY(2000))

struct shared {
	struct account *account;
	cubby_mailbox *caller, *server;
	_Atomic(uint64_t) next;
};

static void *
call_in_thread(void *context)
{
	struct shared *shared = context;
	uint64_t caller = shared->next++;

	for (unsigned i = 0; i < THREAD_CALLS; i++)
		call_one(shared->account, shared->caller, caller);
	return NULL;
}

static void *
serve_in_thread(void *context)
{
	struct shared *shared = context;

	for (unsigned turn = 0; !shared->account->stop_serving; turn++)
		serve_one(shared->account, shared->server, turn);
	return NULL;
}

static void
threads_share_their_handles(void)
{
	struct shared shared = {
		.account = shared_memory(sizeof(struct account)),
	};
	pthread_t callers[CALLERS], servers[SERVERS];

	shared.caller = open_mailbox("m", CUBBY_CREATE | CUBBY_SEND, NULL);
	shared.server = open_mailbox("m", CUBBY_RECEIVE, NULL);
	for (int i = 0; i < SERVERS; i++)
		expect_int(pthread_create(&servers[i], NULL, serve_in_thread,
					  &shared), 0);
	for (int i = 0; i < CALLERS; i++)
		expect_int(pthread_create(&callers[i], NULL, call_in_thread,
					  &shared), 0);
	for (int i = 0; i < CALLERS; i++)
		pthread_join(callers[i], NULL);
	shared.account->stop_serving = true;
	for (int i = 0; i < SERVERS; i++)
		pthread_join(servers[i], NULL);
	check_account(shared.account);
	expect_int(shared.account->replies, CALLERS * THREAD_CALLS);
	cubby_close(shared.caller);
	cubby_close(shared.server);
}

int
main(void)
{
	static const struct test tests[] = {
		TEST(many_are_killed_and_nothing_is_served_twice),
		TEST(threads_share_their_handles),
	};

	return RUN_TESTS("call_crowd", tests);
}
