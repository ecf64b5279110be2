/* SPDX-License-Identifier: MIT */
/* Test: orders, timeout 240. */
/*
 * A program that sends numbers under a name, is killed a thousand times, and is
 * started again each time: every number arrives exactly once.
 *
 * What it has to remember it keeps nowhere but in the mailbox: the tag of each
 * message is its number, so cubby_published() tells where to go on. It is killed
 * wherever it happens to be, while its numbers are received, or before it has
 * opened the mailbox, or asleep because that is full.
 */
#include "support/support.h"
#include <sched.h>

#define KILLS MANY(1000)
#define LARGE 600
#define BATCH 20

struct shared {
	_Atomic uint64_t last; /* to be sent; 0: not known yet */
	_Atomic uint64_t runs;
};

/* The bytes of a number: most fit into a cell, some lie in a block. */
struct number {
	uint64_t number;
	unsigned char rest[LARGE];
};

static size_t
size_of(uint64_t number)
{
	return number % 11 == 0 ? sizeof(struct number) :
				  8 + (size_t)(number % 60);
}

static void
write_number(uint64_t number, struct number *ret)
{
	ret->number = number;
	pattern_fill(ret->rest, size_of(number) - 8, number);
}

/* The sender ------------------------------------------------------------- */

static void
send_copied(cubby_mailbox *mailbox, uint64_t n)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	struct number number;

	write_number(n, &number);
	envelope.tag = n;
	expect_ok(cubby_send_full(mailbox, &number, size_of(n), &envelope, 0,
				  soon()));
}

static void
send_in_place(cubby_mailbox *mailbox, uint64_t n)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	cubby_draft *draft;

	envelope.tag = n;
	expect_ok(cubby_reserve(mailbox, size_of(n), soon(), &draft));
	write_number(n, cubby_draft_data(draft));
	expect_ok(cubby_commit(draft, size_of(n), &envelope));
}

static void
send_batch(cubby_mailbox *mailbox, uint64_t n)
{
	static struct number numbers[BATCH];
	struct cubby_envelope envelopes[BATCH];
	struct cubby_batch_entry entries[BATCH];

	for (uint64_t i = 0; i < BATCH; i++) {
		write_number(n + i, &numbers[i]);
		envelopes[i] = (struct cubby_envelope)CUBBY_ENVELOPE_INIT;
		envelopes[i].tag = n + i;
		entries[i] = (struct cubby_batch_entry){
			&numbers[i], size_of(n + i), &envelopes[i]
		};
	}
	expect_int(cubby_send_batch(mailbox, entries, BATCH, 0, soon()), BATCH);
}

/* From where its last life ended, until it has sent the last one. */
static void
send_numbers(const struct shared *shared)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	cubby_mailbox *mailbox;
	uint64_t sent;

	options.sender = "counter";
	mailbox = open_mailbox("m", CUBBY_SEND, &options);
	expect_ok(cubby_published(mailbox, NULL, &sent));
	while (!shared->last || sent < shared->last) {
		if (sent % 3 == 0 &&
		    (!shared->last || sent + BATCH <= shared->last)) {
			send_batch(mailbox, sent + 1);
			sent += BATCH;
			continue;
		}
		if (sent % 3 == 1)
			send_in_place(mailbox, sent + 1);
		else
			send_copied(mailbox, sent + 1);
		sent++;
	}
	cubby_close(mailbox);
}

static void
start(struct child *child, struct shared *shared)
{
	in_child(child) {
		shared->runs++;
		send_numbers(shared);
	}
}

/* The receiver ----------------------------------------------------------- */

static void
check_number(const struct cubby_envelope *envelope, const void *data,
	     uint64_t wanted)
{
	const struct number *number = data;

	expect_int(number->number, wanted);
	expect_int(envelope->tag, wanted);
	expect_int(envelope->sequence, wanted - 1 + first_sequence());
	expect_int(envelope->size, size_of(wanted));
	expect(pattern_holds(number->rest, size_of(wanted) - 8, wanted));
}

/* What is there, or comes by then; returns how many. */
static uint64_t
receive_some(cubby_mailbox *mailbox, uint64_t received, int64_t deadline)
{
	static struct number numbers[2 * BATCH];
	struct cubby_envelope envelopes[2 * BATCH];
	struct cubby_batch_entry entries[2 * BATCH];
	int got;

	for (int i = 0; i < 2 * BATCH; i++) {
		envelopes[i] = (struct cubby_envelope)CUBBY_ENVELOPE_INIT;
		entries[i].envelope = &envelopes[i];
	}
	got = cubby_receive_batch(mailbox, NULL, 0, deadline, entries,
				  2 * BATCH, numbers, sizeof(numbers));
	if (got == -EAGAIN)
		return 0;
	expect(got > 0);
	for (int i = 0; i < got; i++)
		check_number(&envelopes[i], entries[i].data,
			     received + 1 + (uint64_t)i);
	return (uint64_t)got;
}

static uint64_t
random_below(uint64_t most)
{
	static uint64_t state = 88172645463325252;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % most;
}

/* Until so many more have come, or that often nothing has; sometimes at once. */
static uint64_t
receive_for_a_while(cubby_mailbox *mailbox, uint64_t received)
{
	uint64_t until = received + random_below(300);
	uint64_t patience = 1 + random_below(2000);

	while (received < until && patience) {
		uint64_t got = receive_some(mailbox, received, CUBBY_NOW);

		received += got;
		if (!got && patience--)
			sched_yield();
	}
	return received;
}

/* Until the sender lives, and has sent some: not where it is killed at once. */
static uint64_t
receive_a_few(cubby_mailbox *mailbox, uint64_t received)
{
	uint64_t until = received + 3;

	while (received < until)
		received += receive_some(mailbox, received, soon());
	return received;
}

static void
every_number_arrives_exactly_once(void)
{
	struct shared *shared = shared_memory(sizeof(*shared));
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	uint64_t received = 0;
	cubby_mailbox *mailbox;
	struct child child;

	options.capacity = 100;
	options.message_max = sizeof(struct number);
	mailbox = open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE, &options);
	for (int kills = 0; kills < KILLS; kills++) {
		start(&child, shared);
		if (kills % 2)
			received = receive_a_few(mailbox, received);
		received = receive_for_a_while(mailbox, received);
		child_kill(&child);
	}
	/* The last life, to an end. */
	shared->last = received + 1000;
	start(&child, shared);
	while (received < shared->last)
		received += receive_some(mailbox, received, CUBBY_NOW);
	child_finish(&child);
	expect_empty(mailbox);
	expect(received > (uint64_t)KILLS);
	expect(shared->runs >= (uint64_t)KILLS / 2);
	cubby_close(mailbox);
}

static const struct test tests[] = {
	TEST(every_number_arrives_exactly_once),
};

int
main(void)
{
	return RUN_TESTS("resume", tests);
}
