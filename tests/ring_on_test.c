/* SPDX-License-Identifier: MIT */
/* Test: tsan, timeout 60. */
/*
 * A receiver that has announced its sleep, and takes a message instead, has
 * been rung for another one: it rings for who sleeps.
 *
 * receiver.c is compiled into this file, so that the sender can be made to send
 * between two of its steps.
 */
#include "support/support.h"

#include "doorbell.h"

#include <pthread.h>

#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)

static __thread bool is_first; /* whose steps are the test's */
static cubby_mailbox *sender, *second;
static pthread_t other_thread;
static struct gate asleep;
static int its_sleep; /* what the other's first sleep came to */
static char received[8];

static uint32_t
announce(struct view *view, uint32_t slot, struct sleeper *its)
{
	/* After its last look, and before anybody knows that it sleeps. */
	if (is_first)
		send_text(sender, "one");
	return doorbell_announce(view, slot, its);
}

static int
sleep_on(const word32 *events, uint32_t ticket, int64_t slice, int64_t deadline)
{
	int r;

	(void)slice;
	gate_open(&asleep);
	/* Not by a look of its own, which nothing but a failure reaches. */
	r = doorbell_sleep(events, ticket, 20 * NSEC_PER_SEC, deadline);
	if (its_sleep < 0)
		its_sleep = r;
	return r;
}

static void *
receive_too(void *unused)
{
	(void)unused;
	expect_text(second, "two");
	return NULL;
}

static void
retract(struct view *view, uint32_t slot, struct sleeper *its)
{
	/* "one" has been taken. The other has looked, and sleeps, or is about
	   to; then comes "two", and the first is said to sleep still. */
	if (is_first) {
		expect_int(pthread_create(&other_thread, NULL, receive_too,
					  NULL),
			   0);
		gate_wait(&asleep);
		send_text(sender, "two");
	}
	doorbell_retract(view, slot, its);
}

#define doorbell_announce announce
#define doorbell_sleep sleep_on
#define doorbell_retract retract
#include "receiver.c"

static void
who_sleeps_is_rung_for_the_message_that_another_was_rung_for(void)
{
	cubby_mailbox *first = open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE,
					    NULL);
	size_t size;

	second = open_mailbox("m", CUBBY_RECEIVE, NULL);
	sender = open_mailbox("m", CUBBY_SEND, NULL);
	asleep = gate_make();
	its_sleep = -1;
	is_first = true;
	expect_ok(cubby_receive_full(first, NULL, 0, soon(), received,
				     sizeof(received), &size, NULL));
	is_first = false;
	expect_bytes(received, size, "one", 3);
	expect_int(pthread_join(other_thread, NULL), 0);
	expect_int(its_sleep, 0);
	cubby_close(sender);
	cubby_close(second);
	cubby_close(first);
}

int
main(void)
{
	const struct test tests[] = {
		TEST(who_sleeps_is_rung_for_the_message_that_another_was_rung_for),
	};

	return RUN_TESTS("ring_on", tests);
}
