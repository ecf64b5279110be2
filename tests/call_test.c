/* SPDX-License-Identifier: MIT */
/* Test: orders, timeout 120. */
/* cubby_call() and cubby_reply(): requests whose replies find their way. */
#include "support/support.h"
#include <time.h>

#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)
#define MSEC INT64_C(1000000)

static cubby_mailbox *
open_server(void)
{
	return open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE, NULL);
}

static cubby_mailbox *
open_caller(void)
{
	return open_mailbox("m", CUBBY_CREATE | CUBBY_SEND, NULL);
}

/* Receives a request, by copy. */
static struct cubby_envelope
take_request(cubby_mailbox *server, void *buffer, size_t room, size_t *size)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;

	expect_ok(cubby_receive_full(server, NULL, 0, soon(), buffer, room,
				     size, &envelope));
	expect(envelope.call != 0);
	expect_int(envelope.tag, 0);
	return envelope;
}

static struct cubby_envelope
take_text(cubby_mailbox *server, const char *text)
{
	char buffer[64];
	size_t size;
	struct cubby_envelope envelope =
		take_request(server, buffer, sizeof(buffer), &size);

	expect_bytes(buffer, size, text, strlen(text));
	return envelope;
}

/* Answers numbers with their doubles, until it is 0. */
static void
serve_numbers(cubby_mailbox *server)
{
	struct cubby_envelope envelope;
	uint64_t number;
	size_t size;

	do {
		envelope = take_request(server, &number, sizeof(number), &size);
		expect_int(size, sizeof(number));
		number *= 2;
		expect_ok(cubby_reply(server, &envelope, &number,
				      sizeof(number)));
	} while (number);
}

static uint64_t
call_number(cubby_mailbox *caller, uint64_t number)
{
	uint64_t reply = ~number;
	size_t size = 0;

	expect_ok(cubby_call(caller, &number, sizeof(number), &reply,
			     sizeof(reply), &size, soon()));
	expect_int(size, sizeof(reply));
	return reply;
}

static cubby_request *
begin_text(cubby_mailbox *caller, const char *text)
{
	cubby_request *request = NULL;

	expect_ok(cubby_call_begin(caller, text, strlen(text), NULL, CUBBY_NOW,
				   &request));
	expect(request != NULL);
	return request;
}

static void
expect_reply(cubby_request *request, const char *text)
{
	char buffer[64];
	size_t size;

	expect_ok(cubby_call_end(request, buffer, sizeof(buffer), &size,
				 soon()));
	expect_bytes(buffer, size, text, strlen(text));
}

static void
reply_text(cubby_mailbox *server, const struct cubby_envelope *envelope,
	   const char *text)
{
	expect_ok(cubby_reply(server, envelope, text, strlen(text)));
}

/* Whether a caller lives is asked once in each. */
static void
wait_for_tick(void)
{
	struct timespec before, now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &before);
	do
		clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	while (now.tv_sec == before.tv_sec && now.tv_nsec == before.tv_nsec);
}

/* Replies ---------------------------------------------------------------- */

static void
a_reply_comes_back_to_its_caller(void)
{
	cubby_mailbox *server = open_server();
	cubby_mailbox *first = open_caller(), *second = open_caller();
	struct cubby_envelope request_a, request_b;
	cubby_request *a, *b;

	a = begin_text(first, "a");
	request_a = take_text(server, "a");
	b = begin_text(second, "b");
	request_b = take_text(server, "b");
	expect(request_a.sender != request_b.sender);
	reply_text(server, &request_b, "to b");
	reply_text(server, &request_a, "to a");
	expect_reply(a, "to a");
	expect_reply(b, "to b");
	cubby_close(first);
	cubby_close(second);
	cubby_close(server);
}

static void
calls_from_another_process_are_answered(void)
{
	cubby_mailbox *caller = open_caller();
	struct child server;

	in_child(&server) {
		cubby_mailbox *mailbox = open_server();

		serve_numbers(mailbox);
		cubby_close(mailbox);
	}
	for (uint64_t i = 1; i <= MANY(10000); i++)
		expect_int(call_number(caller, i), 2 * i);
	expect_int(call_number(caller, 0), 0);
	child_finish(&server);
	cubby_close(caller);
}

static void
requests_and_replies_of_every_size_come_whole(void)
{
	static const size_t sizes[] = { 0, 1, 8, 40, 55, 56, 57, 104, 105, 3903,
					3904, 3905, 65536, 1 << 20 };
	cubby_mailbox *server = open_server(), *caller = open_caller();
	static char data[1 << 20], reply[1 << 20];

	for (size_t i = 0; i < COUNT_OF(sizes); i++)
		for (size_t j = 0; j < COUNT_OF(sizes); j++) {
			struct cubby_envelope envelope;
			cubby_request *request;
			size_t size = 0;

			pattern_fill(data, sizes[i], i);
			expect_ok(cubby_call_begin(caller, data, sizes[i], NULL,
						   CUBBY_NOW, &request));
			envelope = take_request(server, reply, sizeof(reply),
						&size);
			expect_int(size, sizes[i]);
			expect_int(envelope.size, sizes[i]);
			expect(pattern_holds(reply, size, i));
			pattern_fill(data, sizes[j], 100 + j);
			expect_ok(cubby_reply(server, &envelope, data,
					      sizes[j]));
			memset(reply, 0, sizeof(reply));
			expect_ok(cubby_call_end(request, reply, sizes[j],
						 &size, soon()));
			expect_int(size, sizes[j]);
			expect(pattern_holds(reply, size, 100 + j));
		}
	cubby_close(caller);
	cubby_close(server);
}

/* Who gives up ----------------------------------------------------------- */

static void
a_request_given_up_is_handed_to_nobody(void)
{
	cubby_mailbox *server = open_server(), *caller = open_caller();
	cubby_request *first, *second;
	struct cubby_envelope envelope;
	size_t size;

	first = begin_text(caller, "first");
	second = begin_text(caller, "second");
	cubby_call_cancel(first);
	envelope = take_text(server, "second");
	reply_text(server, &envelope, "yes");
	expect_reply(second, "yes");
	expect_result(cubby_call(caller, "x", 1, NULL, 0, &size, CUBBY_NOW),
		      -EAGAIN);
	expect_result(cubby_call(caller, "x", 1, NULL, 0, &size,
				 cubby_deadline_after(MSEC)), -ETIMEDOUT);
	expect_empty(server);
	cubby_close(caller);
	cubby_close(server);
}

static void
a_late_reply_goes_nowhere(void)
{
	cubby_mailbox *server = open_server(), *caller = open_caller();
	struct cubby_envelope envelope;
	cubby_request *request = begin_text(caller, "x");

	envelope = take_text(server, "x");
	cubby_call_cancel(request);
	expect_result(cubby_reply(server, &envelope, "late", 4), -EPIPE);
	request = begin_text(caller, "y");
	envelope = take_text(server, "y");
	reply_text(server, &envelope, "in time");
	expect_result(cubby_reply(server, &envelope, "twice", 5), -EPIPE);
	expect_reply(request, "in time");
	cubby_close(caller);
	cubby_close(server);
}

static void
requests_of_a_dead_caller_are_handed_to_nobody(void)
{
	cubby_mailbox *server = open_server();
	struct gate sent = gate_make();
	struct cubby_envelope envelope;
	struct child caller;

	in_child(&caller) {
		cubby_mailbox *mailbox = open_caller();

		begin_text(mailbox, "taken");
		begin_text(mailbox, "left");
		gate_open(&sent);
		pause();
	}
	gate_wait(&sent);
	envelope = take_text(server, "taken");
	child_kill(&caller);
	expect_result(cubby_reply(server, &envelope, "x", 1), 0);
	wait_for_tick();
	expect_empty(server);
	cubby_close(server);
}

/* Whose server dies ------------------------------------------------------ */

static void
a_caller_whose_server_dies_is_told(void)
{
	cubby_mailbox *caller = open_caller();
	struct gate taken = gate_make();
	struct child server;
	cubby_request *request;

	in_child(&server) {
		cubby_mailbox *mailbox = open_server();

		take_text(mailbox, "x");
		gate_open(&taken);
		pause();
	}
	request = begin_text(caller, "x");
	gate_wait(&taken);
	expect_result(cubby_call_end(request, NULL, 0, NULL, CUBBY_NOW),
		      -EAGAIN);
	child_kill(&server);
	expect_result(cubby_call_end(request, NULL, 0, NULL, CUBBY_FOREVER),
		      -EPIPE);
	cubby_close(caller);
}

static void
a_request_whose_holder_died_is_not_served_again(void)
{
	cubby_mailbox *other = open_server(), *caller = open_caller();
	struct gate taken = gate_make();
	struct child server;
	cubby_request *request;

	in_child(&server) {
		cubby_mailbox *mailbox = open_server();
		cubby_message *message;

		expect_ok(cubby_hold(mailbox, NULL, soon(), &message));
		gate_open(&taken);
		pause();
	}
	request = begin_text(caller, "x");
	gate_wait(&taken);
	child_kill(&server);
	cubby_sweep("m", NULL);
	expect_empty(other);
	expect_result(cubby_call_end(request, NULL, 0, NULL, CUBBY_FOREVER),
		      -EPIPE);
	cubby_close(caller);
	cubby_close(other);
}

static void
a_request_rejected_is_served_by_another(void)
{
	cubby_mailbox *server = open_server(), *other = open_server();
	cubby_mailbox *caller = open_caller();
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	cubby_request *request = begin_text(caller, "x");
	cubby_message *message;

	expect_ok(cubby_hold(server, NULL, soon(), &message));
	expect_ok(cubby_message_envelope(message, &envelope));
	expect_ok(cubby_reject(message));
	expect_result(cubby_reply(server, &envelope, "x", 1), -EPIPE);
	envelope = take_text(other, "x");
	expect_int(envelope.deliveries, 2);
	reply_text(other, &envelope, "served");
	expect_reply(request, "served");
	cubby_close(server);
	cubby_close(other);
	cubby_close(caller);
}

static void
a_request_released_unanswered_has_failed(void)
{
	cubby_mailbox *server = open_server(), *caller = open_caller();
	cubby_request *request = begin_text(caller, "x");
	cubby_message *message;

	expect_ok(cubby_hold(server, NULL, soon(), &message));
	expect_ok(cubby_release(message));
	expect_result(cubby_call_end(request, NULL, 0, NULL, CUBBY_FOREVER),
		      -EPIPE);
	request = begin_text(caller, "x");
	expect_text(server, "x");
	expect_result(cubby_call_end(request, NULL, 0, NULL, CUBBY_FOREVER),
		      -EPIPE);
	cubby_close(server);
	cubby_close(caller);
}

int
main(void)
{
	static const struct test tests[] = {
		TEST(a_reply_comes_back_to_its_caller),
		TEST(calls_from_another_process_are_answered),
		TEST(requests_and_replies_of_every_size_come_whole),
		TEST(a_request_given_up_is_handed_to_nobody),
		TEST(a_late_reply_goes_nowhere),
		TEST(requests_of_a_dead_caller_are_handed_to_nobody),
		TEST(a_caller_whose_server_dies_is_told),
		TEST(a_request_whose_holder_died_is_not_served_again),
		TEST(a_request_rejected_is_served_by_another),
		TEST(a_request_released_unanswered_has_failed),
	};

	return RUN_TESTS("call", tests);
}
