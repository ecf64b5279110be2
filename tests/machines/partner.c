/* SPDX-License-Identifier: MIT */
/*
 * One of two processes that exchange messages, built by one compiler for one
 * machine; tests/machines/exchange.py lets it meet those of others.
 *
 *	partner KIND first|second	the half of an exchange (CUBBY_ROOT says where)
 *	partner too-large		opens a mailbox that only 64 bits can map
 *
 * Both halves open what they share, whoever comes first makes it. What goes to
 * and fro makes each sleep and wake the other; what goes one way until there is
 * no room, the senders. Each message's bytes follow from its number and size.
 */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include <cubby.h>
#include <cubby_sync.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECONDS 60
#define LARGEST 300000
#define ROUNDS 60
#define FLOOD 3000

static unsigned char buffer[LARGEST], sample[LARGEST];
static int64_t until;

#define need(call) needed(#call, __LINE__, call)

static long
needed(const char *what, int line, long result)
{
	if (result < 0) {
		fprintf(stderr, "partner.c:%d: %s: %s\n", line, what,
			strerror((int)-result));
		exit(1);
	}
	return result;
}

static void
check(int holds, const char *what, uint64_t number)
{
	if (!holds) {
		fprintf(stderr, "%s: message %" PRIu64 "\n", what, number);
		exit(1);
	}
}
#define expect(condition, number) check(condition, #condition, number)

static size_t
size_of(uint64_t number, size_t most)
{
	static const size_t sizes[] = {
		0, 1, 7, 8, 40, 41, 103, 104, 105, 4096, 5000, 65537, LARGEST
	};
	size_t size = sizes[number % (sizeof(sizes) / sizeof(sizes[0]))];

	return size < most ? size : most;
}

static const void *
bytes_of(uint64_t number, size_t size)
{
	for (size_t i = 0; i < size; i++)
		sample[i] = (unsigned char)(number * 31 + i * 7 + i / 251);
	return sample;
}

/* Each way of sending and of receiving in turn. */

static void
send_number(cubby_mailbox *mailbox, uint64_t number, size_t most)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	size_t size = size_of(number, most);
	cubby_draft *draft;

	envelope.tag = number << 33 | number;	/* beyond 32 bits */
	if (number % 3) {
		need(cubby_send_full(mailbox, bytes_of(number, size), size,
				     &envelope, 0, until));
		return;
	}
	if (cubby_reserve(mailbox, size, until, &draft) == -EOPNOTSUPP) {
		need(cubby_send_full(mailbox, bytes_of(number, size), size,
				     &envelope, 0, until));
		return;
	}
	memcpy(cubby_draft_data(draft), bytes_of(number, size), size);
	need(cubby_commit(draft, size, &envelope));
}

static void
check_number(const struct cubby_envelope *envelope, const void *data,
	     size_t size, uint64_t number, size_t most)
{
	expect(envelope->tag == (number << 33 | number), number);
	expect(envelope->size == size_of(number, most), number);
	expect(size == envelope->size, number);
	expect(!memcmp(data, bytes_of(number, size), size), number);
}

static void
receive_number(cubby_mailbox *mailbox, uint64_t number, size_t most)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	cubby_message *message;
	size_t size;

	if (number % 4 == 1) {
		need(cubby_hold(mailbox, NULL, until, &message));
		need(cubby_message_envelope(message, &envelope));
		check_number(&envelope, cubby_message_data(message),
			     cubby_message_size(message), number, most);
		need(cubby_release(message));
		return;
	}
	need(cubby_receive_full(mailbox, NULL, 0, until, buffer,
				sizeof(buffer), &size, &envelope));
	check_number(&envelope, buffer, size, number, most);
}

static cubby_mailbox *
open_it(const char *name, int roles, const struct cubby_options *options)
{
	cubby_mailbox *mailbox;

	need(cubby_open(name, CUBBY_CREATE | roles, options, &mailbox));
	return mailbox;
}

/* To and fro, and then as many as there is room for. */
static void
exchange(const struct cubby_options *options, size_t most, int first)
{
	cubby_mailbox *there = open_it(first ? "a" : "b", CUBBY_SEND, options);
	cubby_mailbox *here = open_it(first ? "b" : "a", CUBBY_RECEIVE,
				      options);
	uint64_t n;

	for (n = 0; n < ROUNDS; n++) {
		if (first)
			send_number(there, n, most);
		receive_number(here, n, most);
		if (!first)
			send_number(there, n, most);
	}
	for (n = 0; n < FLOOD; n++)
		if (first)
			send_number(there, n, 200);
		else
			receive_number(here, n, 200);
	for (n = 0; n < FLOOD; n++)
		if (!first)
			send_number(there, n, 200);
		else
			receive_number(here, n, 200);
	cubby_close(there);
	cubby_close(here);
}

static void
calls(int first)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	cubby_mailbox *mailbox = open_it("c", first ? CUBBY_SEND :
					 CUBBY_RECEIVE, NULL);
	size_t size;

	for (uint64_t n = 0; n < ROUNDS; n++) {
		size_t wanted = size_of(n, 60000);

		if (first) {
			need(cubby_call(mailbox, bytes_of(n, wanted), wanted,
					buffer, sizeof(buffer), &size, until));
			expect(size == wanted && !memcmp(buffer,
			       bytes_of(n + 1, size), size), n);
			continue;
		}
		need(cubby_receive_full(mailbox, NULL, 0, until, buffer,
					sizeof(buffer), &size, &envelope));
		expect(size == wanted && !memcmp(buffer, bytes_of(n, size),
						 size), n);
		need(cubby_reply(mailbox, &envelope, bytes_of(n + 1, size),
				 size));
	}
	cubby_close(mailbox);
}

/* What the two do in turn, in a region. */
struct place {
	cubby_mutex mutex;
	cubby_condition changed;
	cubby_semaphore full;
	uint64_t turn;
	uint64_t sum;
};

static void
regions(int first)
{
	struct cubby_region_options options = CUBBY_REGION_OPTIONS_INIT;
	cubby_region *region;
	struct place *place;

	options.size = sizeof(*place);
	options.size_max = 1 << 20;
	need(cubby_region_open("r", CUBBY_CREATE | CUBBY_WRITE, &options,
			       &region));
	place = cubby_region_data(region);
	for (uint64_t n = 0; n < 2 * ROUNDS; n++) {
		need(cubby_mutex_lock(region, &place->mutex, until));
		while (place->turn % 2 != (uint64_t)!first)
			need(cubby_condition_wait(region, &place->changed,
						  &place->mutex, until));
		place->sum += n << 33;
		place->turn++;
		need(cubby_condition_signal(region, &place->changed));
		need(cubby_mutex_unlock(region, &place->mutex));
		if (first)
			need(cubby_semaphore_post(region, &place->full));
		else
			need(cubby_semaphore_wait(region, &place->full,
						  until));
	}
	if (!first)
		expect(place->sum == (uint64_t)(2 * ROUNDS) *
		       (2 * ROUNDS - 1) << 33, place->sum);
	if (!first)
		need(cubby_region_grow(region, 100000));
	cubby_region_close(region);
}

/* A region goes to the other in a message. */
static void
send_region(int first)
{
	cubby_mailbox *mailbox = open_it("s", first ? CUBBY_SEND :
					 CUBBY_RECEIVE, NULL);
	struct cubby_region_options options = CUBBY_REGION_OPTIONS_INIT;
	cubby_region *region;

	if (first) {
		options.size = 100000;
		need(cubby_region_open(NULL, CUBBY_CREATE | CUBBY_WRITE,
				       &options, &region));
		memcpy(cubby_region_data(region), bytes_of(5, 100000), 100000);
		need(cubby_send_region(mailbox, region, NULL, until));
	} else {
		need(cubby_receive_region(mailbox, NULL, until, &region,
					  NULL));
		expect(cubby_region_size(region) == 100000, 5);
		expect(!memcmp(cubby_region_data(region),
			       bytes_of(5, 100000), 100000), 5);
		cubby_region_close(region);
	}
	cubby_close(mailbox);
}

/* 64 bits make it; with 32 it cannot be mapped, and that is said. */
static int
too_large(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	cubby_mailbox *mailbox = NULL;
	int r;

	options.memory_limit = UINT64_C(1) << 33;
	r = cubby_open("large", CUBBY_CREATE | CUBBY_SEND, &options, &mailbox);
	cubby_close(mailbox);
	if (r == (sizeof(void *) < 8 ? -ENOMEM : 0))
		return 0;
	fprintf(stderr, "a mailbox of 8 GiB: %s\n", strerror(-r));
	return 1;
}

struct kind {
	const char *name;
	struct cubby_options options;
	size_t most;
};

static void
run(const char *name, int first)
{
	static const struct kind kinds[] = {
		{ "lanes", CUBBY_OPTIONS_INIT, 104 },
		{ "blocks", CUBBY_OPTIONS_INIT, LARGEST },
		{ "unlimited", { .struct_size = sizeof(struct cubby_options),
		  .buffering = CUBBY_UNLIMITED, .sizing = CUBBY_VARIABLE,
		  .memory_limit = 16 << 20 }, LARGEST },
		{ "arrival", { .struct_size = sizeof(struct cubby_options),
		  .order = CUBBY_ORDER_ARRIVAL,
		  .sizing = CUBBY_VARIABLE }, LARGEST },
		{ "priority", { .struct_size = sizeof(struct cubby_options),
		  .order = CUBBY_ORDER_PRIORITY,
		  .sizing = CUBBY_VARIABLE }, LARGEST },
		{ "queue-unlimited", {
		  .struct_size = sizeof(struct cubby_options),
		  .order = CUBBY_ORDER_ARRIVAL, .buffering = CUBBY_UNLIMITED,
		  .sizing = CUBBY_VARIABLE,
		  .memory_limit = 16 << 20 }, LARGEST },
		{ "rendezvous", { .struct_size = sizeof(struct cubby_options),
		  .order = CUBBY_ORDER_ARRIVAL,
		  .buffering = CUBBY_RENDEZVOUS,
		  .sizing = CUBBY_VARIABLE }, LARGEST },
		{ "broadcast", { .struct_size = sizeof(struct cubby_options),
		  .sizing = CUBBY_VARIABLE, .history = 1,
		  .delivery = CUBBY_EVERY }, LARGEST },
	};

	if (!strcmp(name, "calls"))
		calls(first);
	else if (!strcmp(name, "regions"))
		regions(first);
	else if (!strcmp(name, "region-sent"))
		send_region(first);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(name, kinds[i].name))
			exchange(&kinds[i].options, kinds[i].most, first);
}

int
main(int count, char **arguments)
{
	until = cubby_deadline_after(SECONDS * INT64_C(1000000000));
	if (count == 2 && !strcmp(arguments[1], "too-large"))
		return too_large();
	if (count != 3)
		return 2;
	run(arguments[1], !strcmp(arguments[2], "first"));
	return 0;
}
