/* SPDX-License-Identifier: MIT */
/* Short forms of the calls, for tests that are about something else. */
#include "support.h"
#include "layout.h"

#define SOON_SECONDS (IS_SLOW ? 45 : 15)

int64_t
soon(void)
{
	return cubby_deadline_after(SOON_SECONDS * INT64_C(1000000000));
}

enum cubby_order
test_order(void)
{
	const char *order = getenv("CUBBY_TEST_ORDER");

	if (!order || !*order)
		return CUBBY_ORDER_SENDER;
	return strcmp(order, "priority") ? CUBBY_ORDER_ARRIVAL :
					   CUBBY_ORDER_PRIORITY;
}

void
need_order_sender(void)
{
	if (test_order() != CUBBY_ORDER_SENDER)
		skip_test("it is about order sender");
}

cubby_mailbox *
open_mailbox(const char *name, int flags, const struct cubby_options *options)
{
	struct cubby_options o = CUBBY_OPTIONS_INIT;
	cubby_mailbox *mailbox = NULL;

	if (options)
		o = *options;
	if (flags & CUBBY_CREATE && o.order == CUBBY_ORDER_SENDER)
		o.order = test_order();
	expect_ok(cubby_open(name, flags, &o, &mailbox));
	expect(mailbox != NULL);
	return mailbox;
}

void
send_text(cubby_mailbox *mailbox, const char *text)
{
	expect_ok(
		cubby_send_full(mailbox, text, strlen(text), NULL, 0, soon()));
}

void
send_number(cubby_mailbox *mailbox, uint64_t number)
{
	expect_ok(cubby_send_full(mailbox, &number, sizeof(number), NULL, 0,
				  soon()));
}

void
expect_text(cubby_mailbox *mailbox, const char *text)
{
	char buffer[256];
	size_t size = 0;

	expect_ok(cubby_receive_full(mailbox, NULL, 0, soon(), buffer,
				     sizeof(buffer), &size, NULL));
	if (size != strlen(text) || memcmp(buffer, text, size) != 0)
		fail_at(__FILE__, __LINE__, "received \"%.*s\", not \"%s\"",
			(int)size, buffer, text);
}

uint64_t
receive_number(cubby_mailbox *mailbox)
{
	uint64_t number = 0;
	size_t size = 0;

	expect_ok(cubby_receive_full(mailbox, NULL, 0, soon(), &number,
				     sizeof(number), &size, NULL));
	expect_int(size, sizeof(number));
	return number;
}

void
expect_number(cubby_mailbox *mailbox, uint64_t number)
{
	expect_int(receive_number(mailbox), number);
}

void
expect_empty(cubby_mailbox *mailbox)
{
	char buffer[256];

	expect_result(cubby_receive_full(mailbox, NULL, 0, CUBBY_NOW, buffer,
					 sizeof(buffer), NULL, NULL),
		      -EAGAIN);
}

uint64_t
fill_mailbox(cubby_mailbox *mailbox)
{
	uint64_t count = 0;
	int result;

	while ((result = cubby_send_full(mailbox, &count, sizeof(count), NULL,
					 0, CUBBY_NOW)) == 0)
		count++;
	expect_result(result, -EAGAIN);
	return count;
}

struct cubby_info
inspect(const char *name)
{
	struct cubby_info info = CUBBY_INFO_INIT;

	expect_ok(cubby_inspect(name, &info));
	return info;
}

static uint64_t
pattern_word(uint64_t seed, size_t index)
{
	uint64_t word = (seed ^ (index + 1)) * UINT64_C(0x9e3779b97f4a7c15);

	return word ^ word >> 29;
}

void
pattern_fill(void *buffer, size_t size, uint64_t seed)
{
	char *to = buffer;

	for (size_t i = 0; i * 8 < size; i++) {
		uint64_t word = pattern_word(seed, i);
		size_t left = size - i * 8;

		memcpy(to + i * 8, &word, left < 8 ? left : 8);
	}
}

bool
pattern_holds(const void *buffer, size_t size, uint64_t seed)
{
	const char *from = buffer;

	for (size_t i = 0; i * 8 < size; i++) {
		uint64_t word = pattern_word(seed, i);
		size_t left = size - i * 8;

		if (memcmp(from + i * 8, &word, left < 8 ? left : 8) != 0)
			return false;
	}
	return true;
}

uint64_t
first_sequence(void)
{
	return test_order() == CUBBY_ORDER_SENDER ? START_POSITION + 1 : 1;
}
