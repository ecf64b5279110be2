/* SPDX-License-Identifier: MIT */
/* Test: orders. */
/* cubby_deadline_after(), and that waits keep to what it makes. */
#include "support/support.h"
#include <time.h>

#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)
#define MSEC INT64_C(1000000)

static int64_t
monotonic(void)
{
	struct timespec now;

	expect_system(clock_gettime(CLOCK_MONOTONIC, &now));
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void
it_is_monotonic_time_and_so_many_nanoseconds(void)
{
	int64_t before = monotonic();
	int64_t deadline = cubby_deadline_after(123456789);
	int64_t after = monotonic();

	expect(deadline >= before + 123456789);
	expect(deadline <= after + 123456789);
}

static void
negative_counts_as_nothing(void)
{
	int64_t before = monotonic();
	int64_t deadline = cubby_deadline_after(-5 * INT64_C(1000000000));
	int64_t lowest = cubby_deadline_after(INT64_MIN);

	expect(deadline >= before && deadline <= lowest);
	expect(lowest <= monotonic());
}

static void
what_overflows_is_for_ever(void)
{
	expect(cubby_deadline_after(INT64_MAX) == CUBBY_FOREVER);
	expect(cubby_deadline_after(INT64_MAX - 1) == CUBBY_FOREVER);
	expect(cubby_deadline_after(INT64_MAX / 2) < CUBBY_FOREVER);
}

/* Short ones and one that spans several of the sleeper's looks. */
static void
waits_end_at_the_deadline_and_not_before(void)
{
	static const int64_t waits[] = {
		0, 1, 1000, MSEC, 40 * MSEC, 700 * MSEC
	};
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	char buffer[8];

	for (size_t i = 0; i < COUNT_OF(waits); i++) {
		int64_t deadline = cubby_deadline_after(waits[i]);

		expect_result(cubby_receive_full(mailbox, NULL, 0, deadline,
						 buffer, sizeof(buffer), NULL,
						 NULL),
			      -ETIMEDOUT);
		expect(monotonic() >= deadline);
	}
	fill_mailbox(mailbox);
	for (size_t i = 0; i < COUNT_OF(waits); i++) {
		int64_t deadline = cubby_deadline_after(waits[i]);

		expect_result(cubby_send_full(mailbox, "x", 1, NULL, 0,
					      deadline),
			      -ETIMEDOUT);
		expect(monotonic() >= deadline);
	}
	cubby_close(mailbox);
}

static const struct test tests[] = {
	TEST(it_is_monotonic_time_and_so_many_nanoseconds),
	TEST(negative_counts_as_nothing),
	TEST(what_overflows_is_for_ever),
	TEST(waits_end_at_the_deadline_and_not_before),
};

int
main(void)
{
	return RUN_TESTS("deadlines", tests);
}
