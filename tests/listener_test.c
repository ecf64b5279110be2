/* SPDX-License-Identifier: MIT */
/* Test: timeout 60. */
/* A receiver of a broadcast mailbox that cannot open a sender's lane just now. */
/* First, so that files have offsets of the library's size, and openat() its name. */
#include "base.h"

#include "support/support.h"
#include <fcntl.h>
#include <stdarg.h>
#include <sys/syscall.h>

static const enum cubby_delivery kinds[] = { CUBBY_EVERY,
					     CUBBY_EVERY_OVERTAKE };

/* So often, the first sender's lane is not opened, for that reason. */
static int failures, reason;

/* In place of the C library's, for all of this program. */
int
openat(int directory, const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list rest;

	va_start(rest, flags);
	if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE)
		mode = va_arg(rest, mode_t);
	va_end(rest);
	if (failures && !strcmp(path, "lane.0")) {
		failures--;
		errno = reason;
		return -1;
	}
	return (int)syscall(SYS_openat, directory, path, flags | O_LARGEFILE,
			    mode);
}

static int
receive_now(cubby_mailbox *mailbox, uint64_t *ret)
{
	return cubby_receive_full(mailbox, NULL, 0, CUBBY_NOW, ret,
				  sizeof(*ret), NULL, NULL);
}

/* A receiver that has just looked at everything. */
static cubby_mailbox *
open_receiver(enum cubby_delivery delivery)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	cubby_mailbox *mailbox;
	uint64_t got;

	options.delivery = delivery;
	mailbox = open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE, &options);
	expect_result(receive_now(mailbox, &got), -EAGAIN);
	return mailbox;
}

/* Though a later one's could be opened meanwhile: its sender's bit is enough. */
static void
a_lane_that_could_not_be_opened_is_heard_when_it_can(void)
{
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		cubby_mailbox *receiver = open_receiver(kinds[i]);
		cubby_mailbox *first = open_mailbox("m", CUBBY_SEND, NULL);
		cubby_mailbox *second = open_mailbox("m", CUBBY_SEND, NULL);
		uint64_t one = 0, other = 0;

		send_number(first, 1);
		send_number(second, 2);
		reason = EMFILE;
		failures = 2;
		expect_ok(receive_now(receiver, &one));
		expect_int(failures, 0);
		expect_ok(receive_now(receiver, &other));
		expect_int(one + other, 3);
		send_number(first, 3);
		expect_number(receiver, 3);
		/* It has been opened since: there is nothing to tell. */
		expect_result(receive_now(receiver, &one), -EAGAIN);
		cubby_close(first);
		cubby_close(second);
		cubby_close(receiver);
		expect_ok(cubby_unlink("m"));
	}
}

static void
a_lane_that_one_cannot_open_rings_for_the_others(void)
{
	static const int reasons[] = { EMFILE, ENOMEM, EACCES };

	for (size_t i = 0; i < COUNT_OF(reasons); i++) {
		cubby_mailbox *receiver = open_receiver(CUBBY_EVERY);
		cubby_mailbox *other = open_receiver(CUBBY_EVERY);
		cubby_mailbox *sender = open_mailbox("m", CUBBY_SEND, NULL);
		uint64_t got;

		send_number(sender, 1);
		reason = reasons[i];
		failures = 100;
		expect_result(receive_now(receiver, &got),
			      reason == EACCES ? -EAGAIN : -reason);
		failures = 0;
		expect_ok(receive_now(other, &got));
		expect_int(got, 1);
		cubby_close(sender);
		cubby_close(other);
		cubby_close(receiver);
		expect_ok(cubby_unlink("m"));
	}
}

int
main(void)
{
	const struct test tests[] = {
		TEST(a_lane_that_could_not_be_opened_is_heard_when_it_can),
		TEST(a_lane_that_one_cannot_open_rings_for_the_others),
	};

	return RUN_TESTS("listener", tests);
}
