/* SPDX-License-Identifier: MIT */
/* Test: orders, timeout 60. */
/* A server that replies and goes at once, between its caller's look at the reply
   and the question whether the server lives. */
/* First, so that fcntl() is the one that the library calls. */
#include "base.h"

#include "support/support.h"
#include <fcntl.h>
#include <stdarg.h>
#include <sys/syscall.h>

#define INBOX "@server"

static struct gate ready, go;
static struct child server;
static bool armed;

/* In place of the C library's, for all of this program. Before it is asked who
   lives, the server replies and goes. */
int
fcntl(int fd, int command, ...)
{
	va_list rest;
	void *argument;

	va_start(rest, command);
	argument = va_arg(rest, void *);
	va_end(rest);
	if (armed && command == F_OFD_GETLK) {
		armed = false;
		gate_open(&go);
		child_finish(&server);
	}
	return (int)syscall(SYS_fcntl, fd, command, argument);
}

static void
serve_one(void)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	char request[16];
	cubby_mailbox *inbox;

	inbox = open_mailbox(INBOX, CUBBY_CREATE | CUBBY_RECEIVE, NULL);
	gate_open(&ready);
	gate_wait(&go);
	expect_ok(cubby_receive_full(inbox, NULL, 0, soon(), request,
				     sizeof(request), NULL, &envelope));
	expect_ok(cubby_reply(inbox, &envelope, "reply", 6));
	cubby_close(inbox);
}

/* The caller asks once in a tick of the clock: so it looks until it has asked. */
static int
look_until_asked(cubby_request *request, char reply[16], size_t *ret_size)
{
	int64_t deadline = soon();
	int r;

	do
		r = cubby_call_end(request, reply, 16, ret_size, CUBBY_NOW);
	while (r == -EAGAIN && cubby_deadline_after(0) < deadline);
	return r;
}

static void
a_reply_that_is_there_is_not_lost_with_its_server(void)
{
	cubby_mailbox *caller;
	cubby_request *request;
	char reply[16];
	size_t size;

	ready = gate_make();
	go = gate_make();
	in_child(&server)
		serve_one();
	gate_wait(&ready);
	caller = open_mailbox(INBOX, CUBBY_SEND, NULL);
	expect_ok(cubby_call_begin(caller, "request", 7, NULL, CUBBY_NOW,
				   &request));
	armed = true;
	expect_ok(look_until_asked(request, reply, &size));
	expect(!armed);
	expect_int(size, 6);
	expect(memcmp(reply, "reply", 6) == 0);
	cubby_close(caller);
}

static const struct test tests[] = {
	TEST(a_reply_that_is_there_is_not_lost_with_its_server),
};

int
main(void)
{
	return RUN_TESTS("call_last_reply", tests);
}
