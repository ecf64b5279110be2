/* SPDX-License-Identifier: MIT */
/* Test: long, timeout 600. */
/*
 * Ten million messages wait in a lane, and 100,000 of 8 KiB: what that takes, and
 * what is left of it afterwards.
 */
#include "support/support.h"

#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)
#define LARGE 8192

static char data[LARGE], buffer[LARGE];

static void
fill(char *ret, size_t size, uint64_t n)
{
	if (size == LARGE)
		pattern_fill(ret, size, n);
	else
		memset(ret, (int)n & 0x7f, size);
	memcpy(ret, &n, sizeof(n));
}

static void
send_all(cubby_mailbox *mailbox, size_t size, uint64_t from, uint64_t to)
{
	for (uint64_t n = from; n < to; n++) {
		fill(data, size, n);
		expect_ok(cubby_send(mailbox, data, size));
	}
}

static void
receive_all(cubby_mailbox *mailbox, size_t size, uint64_t from, uint64_t to)
{
	for (uint64_t n = from; n < to; n++) {
		size_t got;

		expect_ok(cubby_receive(mailbox, buffer, size, &got));
		fill(data, size, n);
		expect_bytes(buffer, got, data, size);
	}
}

static void
in_and_out(size_t size, uint64_t count)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	uint64_t before, peak, after, closed;
	cubby_mailbox *mailbox;

	options.buffering = CUBBY_UNLIMITED;
	mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, &options);
	/* A file system that cannot hold them says so. */
	if (root_bytes_free() < count * (size + 128) * 5 / 4)
		skip_test("there is not memory enough");
	send_all(mailbox, size, 0, 1);
	receive_all(mailbox, size, 0, 1);
	before = inspect("m").memory;
	send_all(mailbox, size, 0, count);
	expect_int(inspect("m").waiting, count);
	peak = inspect("m").memory;
	receive_all(mailbox, size, 0, count);
	expect_int(inspect("m").waiting, 0);
	for (uint64_t n = count; n < count + 1024; n++) {
		send_all(mailbox, size, n, n + 1);
		receive_all(mailbox, size, n, n + 1);
	}
	after = inspect("m").memory;
	cubby_close(mailbox);
	closed = inspect("m").memory;
	printf("%llu messages of %zu bytes: %llu KiB before, %llu KiB while "
	       "they wait, %llu KiB after, %llu KiB when the sender has gone\n",
	       (unsigned long long)count, size, (unsigned long long)before >> 10,
	       (unsigned long long)peak >> 10, (unsigned long long)after >> 10,
	       (unsigned long long)closed >> 10);
	fflush(stdout);
	expect(peak >= count * size);
	expect(peak <= count * (size + 128) * 5 / 4);
	expect(after < 3 << 20);
	expect(closed < 256 << 10);
}

static void
ten_million_messages_in_and_out(void)
{
	in_and_out(64, 10000000);
}

static void
a_hundred_thousand_large_ones_in_and_out(void)
{
	in_and_out(LARGE, 100000);
}

static const struct test tests[] = {
	TEST(ten_million_messages_in_and_out),
	TEST(a_hundred_thousand_large_ones_in_and_out),
};

int
main(void)
{
	return RUN_TESTS("unlimited, many", tests);
}
