/* SPDX-License-Identifier: MIT */
/* Test: timeout 180. */
/*
 * A file system that is full, and limits: errors from the call that needed the
 * memory. Nothing accepted is lost, nobody dies of SIGBUS or SIGXFSZ, and the
 * mailbox goes on. (A death by a signal fails the test that it happens in.)
 */
#include "support/support.h"
#include <fcntl.h>
#include <limits.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)
#define LARGE 60000

static char data[LARGE], buffer[LARGE];

static cubby_mailbox *
open_unbounded(int roles)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;

	options.capacity = 1000;
	options.memory_limit = sizeof(void *) < 8 ? 1 << 28 : 1 << 30;
	return open_mailbox("m", CUBBY_CREATE | roles, &options);
}

static int
send_large(cubby_mailbox *mailbox, uint64_t seed)
{
	pattern_fill(data, LARGE, seed);
	return cubby_send_full(mailbox, data, LARGE, NULL, 0, soon());
}

static void
receive_large(cubby_mailbox *mailbox, uint64_t seed)
{
	size_t size = 0;

	expect_ok(cubby_receive_full(mailbox, NULL, 0, soon(), buffer, LARGE,
				     &size, NULL));
	expect_int(size, LARGE);
	expect(pattern_holds(buffer, LARGE, seed));
}

/* Eats all of the file system but that many bytes. */
static void
ballast_path(char *ret, size_t size)
{
	snprintf(ret, size, "%s/ballast", test_root());
}

static void
load_ballast(uint64_t leave)
{
	char path[PATH_MAX];
	uint64_t bytes;
	int fd;

	ballast_path(path, sizeof(path));
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	expect_system(fd);
	bytes = root_bytes_free();
	expect(bytes >= leave);
	if (bytes > leave)
		expect_system(fallocate(fd, 0, 0, (off_t)(bytes - leave)));
	close(fd);
}

static void
drop_ballast(void)
{
	char path[PATH_MAX];

	ballast_path(path, sizeof(path));
	expect_system(unlink(path));
}

static void
sending_until_it_is_full_loses_nothing(void)
{
	cubby_mailbox *mailbox;
	uint64_t first = 0, next = 0;
	int result;

	mount_small_root(2 << 20);
	mailbox = open_unbounded(BOTH);
	for (int round = 0; round < 5; round++) {
		while ((result = send_large(mailbox, next)) == 0)
			next++;
		expect_result(result, -ENOSPC);
		expect(next > first);
		/* Full for large ones; small ones have their cells. */
		expect_result(send_large(mailbox, next), -ENOSPC);
		while (first < next)
			receive_large(mailbox, first++);
		expect_empty(mailbox);
	}
	cubby_close(mailbox);
}

static void
small_messages_fill_it_too(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	uint64_t sent = 0, received = 0;
	cubby_mailbox *mailbox;
	int result = 0;

	mount_small_root(1 << 20);
	options.capacity = 1 << 20;
	mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, &options);
	for (;; sent++) {
		result = cubby_send_full(mailbox, &sent, sizeof(sent), NULL, 0,
					 soon());
		if (result < 0)
			break;
	}
	expect_result(result, -ENOSPC);
	expect(sent >= 1000);
	for (; received < sent / 2; received++)
		expect_number(mailbox, received);
	for (; received < sent; received++)
		expect_number(mailbox, received);
	expect_empty(mailbox);
	cubby_close(mailbox);
}

static void
others_fill_it_and_leave(void)
{
	cubby_mailbox *mailbox;
	uint64_t n = 0;

	mount_small_root(4 << 20);
	mailbox = open_unbounded(BOTH);
	expect_ok(send_large(mailbox, 0));
	for (int i = 0; i < 5; i++) {
		cubby_message *message;

		load_ballast(0);
		for (int tries = 0; tries < 20; tries++) {
			int result = send_large(mailbox, n + 1);

			if (result == 0)
				n++;
			else
				expect_result(result, -ENOSPC);
			result = cubby_hold(mailbox, NULL, CUBBY_NOW, &message);
			if (result == 0)
				expect_ok(cubby_reject(message));
			else
				expect_result(result, -ENOSPC);
		}
		drop_ballast();
		expect_ok(send_large(mailbox, ++n));
	}
	for (uint64_t i = 0; i <= n; i++)
		receive_large(mailbox, i);
	expect_empty(mailbox);
	cubby_close(mailbox);
}

/* With a little more space each time, until it is enough. */
static void
creating_without_space_leaves_nothing(void)
{
	struct cubby_info info = CUBBY_INFO_INIT;
	cubby_mailbox *mailbox = NULL;
	size_t files;
	int result = -ENOSPC;

	mount_small_root(1 << 20);
	/* The user's own directory, first. */
	cubby_close(open_mailbox("m", CUBBY_CREATE, NULL));
	expect_ok(cubby_unlink("m"));
	expect_ok(cubby_sweep(NULL, NULL));
	files = count_files();
	for (uint64_t leave = 0; result != 0; leave += 4096) {
		expect(leave < 1 << 20);
		load_ballast(leave);
		result = cubby_open("m", CUBBY_CREATE | BOTH, NULL, &mailbox);
		if (result != 0) {
			expect_result(result, -ENOSPC);
			/* It may have been made; then it is whole. */
			result = cubby_inspect("m", &info);
			if (result == 0)
				expect_ok(cubby_unlink("m"));
			else
				expect_result(result, -ENOENT);
			expect_ok(cubby_sweep(NULL, NULL));
			expect_int(count_files(), files + 1);
			result = -ENOSPC;
		}
		drop_ballast();
	}
	send_text(mailbox, "enough");
	expect_text(mailbox, "enough");
	cubby_close(mailbox);
}

/* Attaching to one that is there, with nothing left. */
static void
attaching_without_space_harms_nobody(void)
{
	cubby_mailbox *mailbox, *other = NULL;

	mount_small_root(1 << 20);
	mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	send_text(mailbox, "first");
	load_ballast(0);
	for (int role = 1; role <= BOTH; role++) {
		int result = cubby_open("m", role, NULL, &other);

		if (result == 0)
			cubby_close(other);
		else
			expect_result(result, -ENOSPC);
	}
	expect_result(cubby_open("m", CUBBY_SEND, NULL, &other), -ENOSPC);
	send_text(mailbox, "second");
	expect_text(mailbox, "first");
	expect_text(mailbox, "second");
	drop_ballast();
	other = open_mailbox("m", CUBBY_SEND, NULL);
	send_text(other, "third");
	expect_text(mailbox, "third");
	cubby_close(other);
	cubby_close(mailbox);
}

static void
drafts_without_space_are_refused(void)
{
	cubby_draft *drafts[64];
	cubby_mailbox *mailbox;
	size_t count = 0;
	int result;

	mount_small_root(2 << 20);
	mailbox = open_unbounded(BOTH);
	for (int round = 0; round < 3; round++) {
		while ((result = cubby_reserve(mailbox, LARGE, soon(),
					       &drafts[count])) == 0) {
			pattern_fill(cubby_draft_data(drafts[count]), LARGE,
				     count);
			expect(++count < COUNT_OF(drafts));
		}
		expect_result(result, -ENOSPC);
		expect(count > 0);
		for (size_t i = 0; i < count; i++)
			expect_ok(cubby_commit(drafts[i], LARGE, NULL));
		for (size_t i = 0; i < count; i++)
			receive_large(mailbox, i);
		count = 0;
	}
	cubby_close(mailbox);
}

/* Receiving needs no memory of the mailbox's. */
static void
a_full_file_system_can_be_drained(void)
{
	struct child child;
	uint64_t sent = 0;

	mount_small_root(2 << 20);
	cubby_close(open_unbounded(BOTH));
	in_child(&child) {
		cubby_mailbox *own = open_mailbox("m", CUBBY_SEND, NULL);
		uint64_t n = 0;

		while (send_large(own, n) == 0)
			n++;
		cubby_close(own);
	}
	child_finish(&child);
	load_ballast(0);
	sent = inspect("m").waiting;
	expect(sent > 0);
	in_child(&child) {
		cubby_mailbox *own = NULL;
		int result = cubby_open("m", CUBBY_RECEIVE, NULL, &own);

		/* A new receiver may need a page of its own. */
		if (result == -ENOSPC) {
			drop_ballast();
			own = open_mailbox("m", CUBBY_RECEIVE, NULL);
			load_ballast(0);
		}
		for (uint64_t n = 0; n < sent; n++)
			receive_large(own, n);
		expect_empty(own);
		cubby_close(own);
	}
	child_finish(&child);
	drop_ballast();
}

/* Limits of the process -------------------------------------------------- */

static void
limit_file_size(rlim_t bytes)
{
	struct rlimit limit;

	expect_system(getrlimit(RLIMIT_FSIZE, &limit));
	limit.rlim_cur = bytes;
	expect_system(setrlimit(RLIMIT_FSIZE, &limit));
}

static void
a_file_size_limit_is_an_error_not_a_signal(void)
{
	cubby_mailbox *mailbox = open_unbounded(BOTH);
	uint64_t sent = 0;
	int result;

	expect_ok(send_large(mailbox, sent++));
	limit_file_size(1 << 20);
	while ((result = send_large(mailbox, sent)) == 0)
		expect(++sent < 100);
	expect_result(result, -EFBIG);
	expect_result(send_large(mailbox, sent), -EFBIG);
	limit_file_size(RLIM_INFINITY);
	expect_ok(send_large(mailbox, sent++));
	for (uint64_t n = 0; n < sent; n++)
		receive_large(mailbox, n);
	expect_empty(mailbox);
	cubby_close(mailbox);
}

static void
creating_under_a_file_size_limit_leaves_nothing(void)
{
	cubby_mailbox *mailbox = NULL;
	struct cubby_info info = CUBBY_INFO_INIT;

	limit_file_size(100);
	expect_result(cubby_open("m", CUBBY_CREATE | BOTH, NULL, &mailbox),
		      -EFBIG);
	limit_file_size(RLIM_INFINITY);
	expect_result(cubby_inspect("m", &info), -ENOENT);
	expect_ok(cubby_sweep(NULL, NULL));
	expect_int(count_files(), 1);
}

static const struct test tests[] = {
	TEST(sending_until_it_is_full_loses_nothing),
	TEST(small_messages_fill_it_too),
	TEST(others_fill_it_and_leave),
	TEST(creating_without_space_leaves_nothing),
	TEST(attaching_without_space_harms_nobody),
	TEST(drafts_without_space_are_refused),
	TEST(a_full_file_system_can_be_drained),
	TEST(a_file_size_limit_is_an_error_not_a_signal),
	TEST(creating_under_a_file_size_limit_leaves_nothing),
};

int
main(void)
{
	return RUN_TESTS("space", tests);
}
