/* SPDX-License-Identifier: MIT */
/* Test: orders, tsan, timeout 240. */
/* cubby_send_batch() and cubby_receive_batch(). */
#include "support/exchange.h"

#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)
#define MSEC INT64_C(1000000)
#define MOST 300

/* A batch of numbers, and what it lies in. */
struct numbers {
	uint64_t numbers[MOST];
	struct cubby_envelope envelopes[MOST];
	struct cubby_batch_entry entries[MOST];
};

static cubby_mailbox *
open_with(uint64_t capacity, uint64_t message_max)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;

	options.capacity = capacity;
	options.message_max = message_max;
	return open_mailbox("m", CUBBY_CREATE | BOTH, &options);
}

/* So many, from that one on; envelopes too. */
static struct cubby_batch_entry *
numbers_from(struct numbers *n, uint64_t first)
{
	for (size_t i = 0; i < MOST; i++) {
		n->numbers[i] = first + i;
		n->envelopes[i] = (struct cubby_envelope)CUBBY_ENVELOPE_INIT;
		n->envelopes[i].tag = first + i;
		n->envelopes[i].type = (int64_t)i;
		n->entries[i] = (struct cubby_batch_entry){
			&n->numbers[i], sizeof(n->numbers[i]),
			&n->envelopes[i],
		};
	}
	return n->entries;
}

static int
send_numbers(cubby_mailbox *mailbox, uint64_t first, size_t count)
{
	static struct numbers n;

	return cubby_send_batch(mailbox, numbers_from(&n, first), count, 0,
				CUBBY_NOW);
}

/* Receives those that are there, and returns how many. */
static int
receive_numbers(cubby_mailbox *mailbox, uint64_t first, size_t count)
{
	static struct numbers n;
	struct cubby_batch_entry *entries = numbers_from(&n, 0);
	uint64_t number;
	int got = cubby_receive_batch(mailbox, NULL, 0, CUBBY_NOW, entries,
				      count, n.numbers, sizeof(n.numbers));

	for (int i = 0; i < got; i++) {
		expect(entries[i].data == &n.numbers[i]);
		expect_int(entries[i].size, sizeof(number));
		memcpy(&number, entries[i].data, sizeof(number));
		expect_int(number, first + (uint64_t)i);
	}
	return got;
}

/* What goes out, and what comes in --------------------------------------- */

static void
a_batch_is_those_messages_in_order(void)
{
	cubby_mailbox *mailbox = open_with(0, 0);
	static struct numbers out, in;
	struct cubby_batch_entry *to = numbers_from(&out, 1000);
	struct cubby_batch_entry *from = numbers_from(&in, 0);
	uint64_t first = first_sequence();

	for (int round = 0; round < 5; round++) {
		expect_int(cubby_send_batch(mailbox, to, 100, 0, CUBBY_NOW),
			   100);
		for (int i = 0; i < 100; i++) {
			expect_int(out.envelopes[i].sequence,
				   first + (uint64_t)(round * 100 + i));
			expect_int(out.envelopes[i].sender,
				   out.envelopes[0].sender);
		}
		expect_int(inspect("m").waiting, 100);
		for (int n = 0, got; n < 100; n += got) {
			got = cubby_receive_batch(mailbox, NULL, 0, CUBBY_NOW,
						  from, 7, in.numbers,
						  sizeof(in.numbers));
			expect(got > 0 && got <= 7);
			for (int i = 0; i < got; i++) {
				const struct cubby_envelope *e =
					&in.envelopes[i];

				expect_bytes(from[i].data, from[i].size,
					     to[n + i].data, 8);
				expect_int(e->tag, 1000 + n + i);
				expect_int(e->type, n + i);
				expect_int(e->sequence, first +
					   (uint64_t)(round * 100 + n + i));
				expect_int(e->sender, out.envelopes[0].sender);
				expect_int(e->size, 8);
				expect_int(e->deliveries, 1);
				expect_int(e->uid, geteuid());
			}
		}
		expect_empty(mailbox);
	}
	cubby_close(mailbox);
}

static void
it_mixes_with_single_calls(void)
{
	cubby_mailbox *mailbox = open_with(0, 0);

	send_number(mailbox, 1);
	expect_int(send_numbers(mailbox, 2, 3), 3);
	send_number(mailbox, 5);
	expect_number(mailbox, 1);
	expect_number(mailbox, 2);
	expect_int(receive_numbers(mailbox, 3, 2), 2);
	expect_number(mailbox, 5);
	expect_empty(mailbox);
	cubby_close(mailbox);
}

static void
none_at_all_is_none(void)
{
	cubby_mailbox *mailbox = open_with(0, 0);
	char buffer[8];

	expect_int(cubby_send_batch(mailbox, NULL, 0, 0, CUBBY_FOREVER), 0);
	expect_int(cubby_receive_batch(mailbox, NULL, 0, CUBBY_FOREVER, NULL, 0,
				       buffer, sizeof(buffer)),
		   0);
	cubby_close(mailbox);
}

/* In cells and in blocks, of wide types and of narrow ones. */
static void
all_sizes_and_types_mix(void)
{
	static const size_t sizes[] = { 0,   1,	  8,	40,  41, 96, 97,
					104, 105, 1000, 104, 0,	 4096, 16 };
	enum { COUNT = COUNT_OF(sizes) };
	cubby_mailbox *mailbox = open_with(0, 4096);
	struct cubby_envelope envelopes[COUNT];
	struct cubby_batch_entry entries[COUNT];
	static char out[COUNT][4096], in[COUNT * 4096];

	for (int round = 0; round < 100; round++) {
		int got = 0, n;

		for (size_t i = 0; i < COUNT; i++) {
			pattern_fill(out[i], sizes[i], i);
			envelopes[i] = (struct cubby_envelope)
				CUBBY_ENVELOPE_INIT;
			envelopes[i].type = i % 3 == 1 ? INT64_MAX - 1 :
							 (int64_t)i;
			entries[i] = (struct cubby_batch_entry){
				out[i], sizes[i], &envelopes[i]
			};
		}
		expect_int(cubby_send_batch(mailbox, entries, COUNT, 0,
					    CUBBY_NOW),
			   COUNT);
		while (got < COUNT) {
			n = cubby_receive_batch(mailbox, NULL, 0, CUBBY_NOW,
						entries + got,
						(size_t)(COUNT - got), in,
						sizeof(in));
			expect(n > 0);
			for (int i = got; i < got + n; i++) {
				const char *data = entries[i].data;

				expect_int(entries[i].size, sizes[i]);
				expect_int((data - in) % 8, 0);
				expect(pattern_holds(data, sizes[i],
						     (uint64_t)i));
				expect_int(envelopes[i].type,
					   i % 3 == 1 ? INT64_MAX - 1 : i);
			}
			got += n;
		}
		expect_empty(mailbox);
	}
	cubby_close(mailbox);
}

/* Where it ends ---------------------------------------------------------- */

static void
as_many_are_sent_as_there_is_room_for(void)
{
	static const uint64_t capacities[] = { 1, 2, 3, 63, 64, 65, 127, 128 };

	for (size_t i = 0; i < COUNT_OF(capacities); i++) {
		int capacity = (int)capacities[i];
		cubby_mailbox *mailbox = open_with(capacities[i], 0);

		for (uint64_t n = 0; n < 900; n += capacities[i]) {
			expect_int(send_numbers(mailbox, n, 200), capacity);
			expect_int(send_numbers(mailbox, 0, 200), -EAGAIN);
			for (int got = 0; got < capacity;)
				got += receive_numbers(mailbox,
						       n + (uint64_t)got, 50);
			expect_empty(mailbox);
		}
		cubby_close(mailbox);
		expect_ok(cubby_unlink("m"));
	}
}

static void
a_deadline_ends_it_in_the_middle(void)
{
	cubby_mailbox *mailbox = open_with(10, 0);
	static struct numbers n;
	struct cubby_batch_entry *entries = numbers_from(&n, 0);
	int64_t deadline = cubby_deadline_after(30 * MSEC);

	expect_int(cubby_send_batch(mailbox, entries, 20, 0, deadline), 10);
	expect(cubby_deadline_after(0) >= deadline);
	expect_int(cubby_send_batch(mailbox, entries, 20, 0, deadline),
		   -ETIMEDOUT);
	expect_int(receive_numbers(mailbox, 0, 20), 10);
	deadline = cubby_deadline_after(30 * MSEC);
	expect_int(cubby_receive_batch(mailbox, NULL, 0, deadline, entries, 20,
				       n.numbers, sizeof(n.numbers)),
		   -ETIMEDOUT);
	expect(cubby_deadline_after(0) >= deadline);
	expect_int(cubby_receive_batch(mailbox, NULL, 0, CUBBY_NOW, entries, 20,
				       n.numbers, sizeof(n.numbers)),
		   -EAGAIN);
	cubby_close(mailbox);
}

static void
more_than_the_capacity_waits_for_room(void)
{
	cubby_mailbox *mailbox = open_with(10, 0);
	struct child child;
	int got = 0;

	in_child(&child) {
		cubby_mailbox *own = open_mailbox("m", CUBBY_SEND, NULL);
		static struct numbers n;

		expect_int(cubby_send_batch(own, numbers_from(&n, 0), 300, 0,
					    soon()),
			   300);
		cubby_close(own);
	}
	child_wait_asleep(&child);
	while (got < 300) {
		int n = receive_numbers(mailbox, (uint64_t)got, 4);

		expect(n > 0 || n == -EAGAIN);
		got += n > 0 ? n : 0;
	}
	child_finish(&child);
	expect_empty(mailbox);
	cubby_close(mailbox);
}

/* What cannot be sent ends the batch; it is told when it is the first. */
static void
one_that_is_too_large_ends_it(void)
{
	cubby_mailbox *mailbox = open_with(0, 100);
	static struct numbers n;
	static char large[101];
	struct cubby_batch_entry *entries = numbers_from(&n, 0);

	entries[3].data = large;
	entries[3].size = sizeof(large);
	expect_int(cubby_send_batch(mailbox, entries, 10, 0, CUBBY_NOW), 3);
	expect_int(cubby_send_batch(mailbox, entries + 3, 7, 0, CUBBY_NOW),
		   -EMSGSIZE);
	expect_int(cubby_send_batch(mailbox, entries + 4, 6, 0, CUBBY_NOW), 6);
	expect_int(receive_numbers(mailbox, 0, 3), 3);
	expect_int(receive_numbers(mailbox, 4, 10), 6);
	/* Beyond the first step, too. */
	numbers_from(&n, 0);
	entries[100].data = NULL;
	expect_int(cubby_send_batch(mailbox, entries, 200, 0, CUBBY_NOW), 100);
	expect_int(cubby_send_batch(mailbox, entries + 100, 1, 0, CUBBY_NOW),
		   -EINVAL);
	for (int got = 0; got < 100;)
		got += receive_numbers(mailbox, (uint64_t)got, 100);
	expect_empty(mailbox);
	cubby_close(mailbox);
}

static void
one_that_does_not_fit_stays(void)
{
	cubby_mailbox *mailbox = open_with(0, 0);
	struct cubby_batch_entry entries[5] = { { NULL, 0, NULL } };
	char buffer[32], text[100];
	int got;

	send_text(mailbox, "one");	 /* at 0 */
	send_text(mailbox, "two");	 /* at 8 */
	send_text(mailbox, "three is longer, of 30 bytes!");
	send_text(mailbox, "four");
	got = cubby_receive_batch(mailbox, NULL, 0, CUBBY_NOW, entries, 5,
				  buffer, 16);
	expect_int(got, 2);
	expect_bytes(entries[0].data, entries[0].size, "one", 3);
	expect_bytes(entries[1].data, entries[1].size, "two", 3);
	expect(entries[1].data == buffer + 8);
	expect_int(cubby_receive_batch(mailbox, NULL, 0, CUBBY_NOW, entries, 5,
				       buffer, 16),
		   -EMSGSIZE);
	expect_int(entries[0].size, 29);
	got = cubby_receive_batch(mailbox, NULL, 0, CUBBY_NOW, entries, 5, text,
				  sizeof(text));
	expect_int(got, 2);
	expect_bytes(entries[1].data, entries[1].size, "four", 4);
	expect(entries[1].data == text + 32);
	expect_empty(mailbox);
	cubby_close(mailbox);
}

/* A buffer of no bytes is enough for messages of none. */
static void
messages_of_no_bytes_need_no_room(void)
{
	cubby_mailbox *mailbox = open_with(0, 0);
	struct cubby_batch_entry entries[3] = { { NULL, 0, NULL } };
	int got = 0, n;

	expect_int(cubby_send_batch(mailbox, entries, 3, 0, CUBBY_NOW), 3);
	while (got < 3) {
		n = cubby_receive_batch(mailbox, NULL, 0, CUBBY_NOW, entries, 3,
					NULL, 0);
		expect(n > 0);
		for (int i = 0; i < n; i++)
			expect_int(entries[i].size, 0);
		got += n;
	}
	expect_empty(mailbox);
	cubby_close(mailbox);
}

static void
messages_of_one_size_are_an_array(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	struct cubby_batch_entry entries[20] = { { NULL, 0, NULL } };
	uint64_t out[20][3], in[20][3];
	cubby_mailbox *mailbox;
	int got = 0;

	options.sizing = CUBBY_FIXED;
	options.message_max = sizeof(out[0]);
	mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, &options);
	for (uint64_t i = 0; i < 20; i++) {
		out[i][0] = out[i][1] = out[i][2] = i;
		entries[i].data = out[i];
		entries[i].size = sizeof(out[i]);
	}
	entries[10].size = 8;
	expect_int(cubby_send_batch(mailbox, entries, 20, 0, CUBBY_NOW), 10);
	expect_int(cubby_send_batch(mailbox, entries + 10, 10, 0, CUBBY_NOW),
		   -EMSGSIZE);
	entries[10].size = sizeof(out[0]);
	expect_int(cubby_send_batch(mailbox, entries + 10, 10, 0, CUBBY_NOW),
		   10);
	while (got < 20) {
		int n = cubby_receive_batch(mailbox, NULL, 0, CUBBY_NOW,
					    entries, (size_t)(20 - got),
					    in[got], sizeof(in[0]) *
					    (size_t)(20 - got));

		expect(n > 0);
		got += n;
	}
	expect_bytes(in, sizeof(in), out, sizeof(out));
	cubby_close(mailbox);
}

/* Errors ----------------------------------------------------------------- */

/* One without room for what is told: those before it come, and it stays for the
   next call, which has none before it. Of one sender, and of two. */
static void
an_entry_that_makes_no_sense_ends_it(void)
{
	cubby_mailbox *mailbox = open_with(0, 0);
	cubby_mailbox *other = open_mailbox("m", CUBBY_SEND, NULL);
	struct numbers n;
	uint64_t sum;

	for (int senders = 1; senders <= 2; senders++) {
		numbers_from(&n, 0);
		n.envelopes[1].struct_size = 3;
		expect_int(cubby_send_batch(mailbox, n.entries, 3, 0,
					    CUBBY_NOW), 1);
		expect_result(cubby_send_batch(mailbox, &n.entries[1], 2, 0,
					       CUBBY_NOW), -EINVAL);
		send_number(senders == 1 ? mailbox : other, 1);
		send_number(senders == 1 ? mailbox : other, 2);
		expect_int(cubby_receive_batch(mailbox, NULL, 0, CUBBY_NOW,
					       n.entries, 3, n.numbers,
					       sizeof(n.numbers)), 1);
		expect_result(cubby_receive_batch(mailbox, NULL, 0, CUBBY_NOW,
						  &n.entries[1], 2, n.numbers,
						  sizeof(n.numbers)), -EINVAL);
		/* Of two senders either may be the first. */
		expect(n.numbers[0] == 0 || (senders == 2 && n.numbers[0] == 1));
		sum = n.numbers[0];
		sum += receive_number(mailbox);
		sum += receive_number(mailbox);
		expect_int(sum, 3);
		expect_empty(mailbox);
	}
	cubby_close(other);
	cubby_close(mailbox);
}

static void
each_argument_is_checked(void)
{
	cubby_mailbox *mailbox = open_with(0, 0);
	cubby_mailbox *sends = open_mailbox("m", CUBBY_SEND, NULL);
	cubby_mailbox *receives = open_mailbox("m", CUBBY_RECEIVE, NULL);
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	struct cubby_batch_entry entry = { "x", 1, NULL };
	struct cubby_filter filter = CUBBY_FILTER_INIT;
	char b[8];
	struct child child;

#define SEND(m, entries, flags) \
	cubby_send_batch(m, entries, 1, flags, CUBBY_NOW)
#define RECEIVE(m, filter, entries, flags, buffer) \
	cubby_receive_batch(m, filter, flags, CUBBY_NOW, entries, 1, buffer, 8)
	expect_result(SEND(receives, &entry, 0), -EBADF);
	expect_result(SEND(sends, &entry, CUBBY_SYNCHRONOUS), -EINVAL);
	expect_result(SEND(sends, NULL, 0), -EINVAL);
	entry.envelope = &envelope;
	envelope.type = -1;
	expect_result(SEND(sends, &entry, 0), -EINVAL);
	envelope.type = 0;
	envelope.struct_size = 3;
	expect_result(SEND(sends, &entry, 0), -EINVAL);
	expect_result(RECEIVE(receives, NULL, &entry, 0, b), -EINVAL);
	entry.envelope = NULL;
	expect_result(RECEIVE(sends, NULL, &entry, 0, b), -EBADF);
	expect_result(RECEIVE(receives, NULL, &entry, CUBBY_PEEK, b), -EINVAL);
	expect_result(RECEIVE(receives, NULL, NULL, 0, b), -EINVAL);
	expect_result(RECEIVE(receives, NULL, &entry, 0, NULL), -EINVAL);
	filter.struct_size = 1;
	expect_result(RECEIVE(receives, &filter, &entry, 0, b), -EINVAL);
	in_child(&child) {
		expect_result(SEND(mailbox, &entry, 0), -ECHILD);
		expect_result(RECEIVE(mailbox, NULL, &entry, 0, b), -ECHILD);
		cubby_close(mailbox);
		cubby_close(sends);
		cubby_close(receives);
	}
	child_finish(&child);
	expect_empty(receives);
	cubby_close(mailbox);
	cubby_close(sends);
	cubby_close(receives);
}

static void
what_an_order_cannot_do_it_says(void)
{
	bool by_priority = test_order() == CUBBY_ORDER_PRIORITY;
	cubby_mailbox *mailbox = open_with(0, 0);
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	struct cubby_batch_entry entries[2] = { { "x", 1, NULL },
						{ "y", 1, &envelope } };
	struct cubby_filter filter = CUBBY_FILTER_INIT;
	char buffer[16];

	envelope.priority = 1;
	expect_int(cubby_send_batch(mailbox, entries, 2, 0, CUBBY_NOW),
		   by_priority ? 2 : 1);
	filter.matching = CUBBY_MATCH_TYPE;
	filter.type = 1;
	expect_result(cubby_receive_batch(mailbox, &filter, 0, CUBBY_NOW,
					  entries, 2, buffer, sizeof(buffer)),
		      test_order() == CUBBY_ORDER_SENDER ? -EOPNOTSUPP :
							   -EAGAIN);
	expect_text(mailbox, by_priority ? "y" : "x");
	cubby_close(mailbox);
}

/* Filters ---------------------------------------------------------------- */

static void
a_filter_holds_for_all_of_it(void)
{
	cubby_mailbox *mailbox = open_with(0, 0);
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	struct cubby_filter filter = CUBBY_FILTER_INIT;
	struct cubby_batch_entry entries[20] = { { NULL, 0, NULL } };
	uint64_t numbers[20];
	cubby_mailbox *other;
	int got = 0;

	options.sender = "other";
	other = open_mailbox("m", CUBBY_SEND, &options);
	for (uint64_t i = 0; i < 10; i++) {
		send_number(mailbox, i);
		send_number(other, 100 + i);
	}
	filter.sender_name = "other";
	while (got < 10) {
		int n = cubby_receive_batch(mailbox, &filter, 0, CUBBY_NOW,
					    entries, 20, numbers,
					    sizeof(numbers));

		expect(n > 0);
		for (int i = 0; i < n; i++)
			expect_int(numbers[i], 100 + got + i);
		got += n;
	}
	expect_result(cubby_receive_batch(mailbox, &filter, 0, CUBBY_NOW,
					  entries, 20, numbers,
					  sizeof(numbers)),
		      -EAGAIN);
	for (got = 0; got < 10;)
		got += receive_numbers(mailbox, (uint64_t)got, 20);
	cubby_close(other);
	cubby_close(mailbox);
}

static void
highest_priority_comes_first(void)
{
	cubby_mailbox *mailbox = open_with(0, 0);
	static struct numbers n;
	struct cubby_batch_entry *entries = numbers_from(&n, 0);
	uint64_t number;
	int got = 0;

	if (test_order() != CUBBY_ORDER_PRIORITY) {
		cubby_close(mailbox);
		skip_test("of order priority");
	}
	for (int i = 0; i < 100; i++)
		n.envelopes[i].priority = i / 10;
	expect_int(cubby_send_batch(mailbox, entries, 100, 0, CUBBY_NOW), 100);
	while (got < 100) {
		int more = cubby_receive_batch(mailbox, NULL, 0, CUBBY_NOW,
					       entries, 33, n.numbers,
					       sizeof(n.numbers));

		expect(more > 0);
		for (int i = 0; i < more; i++) {
			memcpy(&number, entries[i].data, 8);
			expect_int(number, (9 - (got + i) / 10) * 10 +
					   (got + i) % 10);
			expect_int(n.envelopes[i].priority,
				   9 - (got + i) / 10);
		}
		got += more;
	}
	cubby_close(mailbox);
}

/* From several senders, and what went back ------------------------------- */

static void
one_batch_takes_from_all_senders(void)
{
	cubby_mailbox *mailbox = open_with(64, 64), *senders[30];
	struct cubby_batch_entry entries[64] = { { NULL, 0, NULL } };
	uint64_t numbers[64];
	bool seen[30] = { false };

	for (uint64_t i = 0; i < 30; i++) {
		senders[i] = open_mailbox("m", CUBBY_SEND, NULL);
		send_number(senders[i], i);
	}
	expect_int(cubby_receive_batch(mailbox, NULL, 0, CUBBY_NOW, entries, 64,
				       numbers, sizeof(numbers)),
		   30);
	for (int i = 0; i < 30; i++) {
		expect(numbers[i] < 30 && !seen[numbers[i]]);
		seen[numbers[i]] = true;
		cubby_close(senders[i]);
	}
	expect_empty(mailbox);
	cubby_close(mailbox);
}

static void
what_went_back_comes_first(void)
{
	cubby_mailbox *mailbox = open_with(0, 0);
	struct cubby_envelope envelopes[10];
	struct cubby_batch_entry entries[10];
	uint64_t numbers[10];
	cubby_message *held[3];
	int got = 0, n;

	expect_int(send_numbers(mailbox, 0, 10), 10);
	for (int i = 0; i < 3; i++)
		expect_ok(cubby_hold(mailbox, NULL, CUBBY_NOW, &held[i]));
	for (int i = 0; i < 3; i++)
		expect_ok(cubby_reject(held[i]));
	while (got < 10) {
		for (int i = 0; i < 10; i++) {
			envelopes[i] = (struct cubby_envelope)
				CUBBY_ENVELOPE_INIT;
			entries[i].envelope = &envelopes[i];
		}
		n = cubby_receive_batch(mailbox, NULL, 0, CUBBY_NOW, entries,
					10, numbers, sizeof(numbers));
		expect(n > 0);
		for (int i = 0; i < n; i++) {
			expect_int(numbers[i], got + i);
			expect_int(envelopes[i].deliveries,
				   got + i < 3 ? 2 : 1);
		}
		got += n;
	}
	cubby_close(mailbox);
}

/* A batch of ten wakes as many as ten messages do. */
static void
it_wakes_as_many_as_can_take_of_it(void)
{
	cubby_mailbox *mailbox = open_with(0, 0);
	struct child children[3];

	for (int i = 0; i < 3; i++) {
		in_child(&children[i]) {
			cubby_mailbox *own = open_mailbox("m", CUBBY_RECEIVE,
							  NULL);

			receive_number(own);
			cubby_close(own);
		}
	}
	for (int i = 0; i < 3; i++)
		child_wait_asleep(&children[i]);
	expect_int(send_numbers(mailbox, 0, 3), 3);
	for (int i = 0; i < 3; i++)
		child_finish(&children[i]);
	expect_empty(mailbox);
	cubby_close(mailbox);
}

static void
a_receiver_of_batches_sleeps_and_is_woken(void)
{
	cubby_mailbox *mailbox = open_with(0, 0);
	struct child child;

	in_child(&child) {
		cubby_mailbox *own = open_mailbox("m", CUBBY_RECEIVE, NULL);
		static struct numbers n;
		struct cubby_batch_entry *entries = numbers_from(&n, 0);
		uint64_t next = 0;

		while (next < 200) {
			int got = cubby_receive_batch(own, NULL, 0, soon(),
						      entries, 100, n.numbers,
						      sizeof(n.numbers));

			expect(got > 0);
			for (int i = 0; i < got; i++)
				expect_int(n.numbers[i], next++);
		}
		cubby_close(own);
	}
	for (int i = 0; i < 10; i++) {
		child_wait_asleep(&child);
		expect_int(send_numbers(mailbox, (uint64_t)i * 20, 20), 20);
	}
	child_finish(&child);
	expect_empty(mailbox);
	cubby_close(mailbox);
}

/* What is not plain ------------------------------------------------------ */

/* As a single receive refuses it: it stays, and what comes before it is had. */
static void
a_region_ends_the_batch_before_it(void)
{
	cubby_mailbox *mailbox = open_with(0, 0);
	struct cubby_batch_entry entries[5] = { { NULL, 0, NULL } };
	cubby_region *region;
	uint64_t numbers[5];

	send_number(mailbox, 1);
	send_number(mailbox, 2);
	expect_ok(cubby_region_open(NULL, CUBBY_WRITE | CUBBY_CREATE, NULL,
				    &region));
	expect_ok(cubby_send_region(mailbox, region, NULL, CUBBY_NOW));
	send_number(mailbox, 3);
	expect_int(cubby_receive_batch(mailbox, NULL, 0, CUBBY_NOW, entries, 5,
				       numbers, sizeof(numbers)),
		   2);
	expect_int(cubby_receive_batch(mailbox, NULL, 0, CUBBY_NOW, entries, 5,
				       numbers, sizeof(numbers)),
		   -EOPNOTSUPP);
	expect_ok(cubby_receive_region(mailbox, NULL, CUBBY_NOW, &region,
				       NULL));
	cubby_region_close(region);
	expect_int(receive_numbers(mailbox, 3, 5), 1);
	cubby_close(mailbox);
}

static void
a_request_in_a_batch_is_answered(void)
{
	cubby_mailbox *mailbox = open_with(0, 0);
	struct cubby_envelope envelopes[5];
	struct cubby_batch_entry entries[5];
	char buffer[100], reply[10];
	cubby_request *request;
	int got = 0, n, requests = 0;
	size_t size;

	send_text(mailbox, "before");
	expect_ok(cubby_call_begin(mailbox, "question", 8, NULL, CUBBY_NOW,
				   &request));
	send_text(mailbox, "after");
	while (got < 3) {
		for (int i = 0; i < 5; i++) {
			envelopes[i] = (struct cubby_envelope)
				CUBBY_ENVELOPE_INIT;
			entries[i].envelope = &envelopes[i];
		}
		n = cubby_receive_batch(mailbox, NULL, 0, CUBBY_NOW, entries,
					5, buffer, sizeof(buffer));
		expect(n > 0);
		for (int i = 0; i < n; i++) {
			if (!envelopes[i].call)
				continue;
			expect_int(got + i, 1);
			expect_bytes(entries[i].data, entries[i].size,
				     "question", 8);
			expect_ok(cubby_reply(mailbox, &envelopes[i], "answer",
					      6));
			requests++;
		}
		got += n;
	}
	expect_int(requests, 1);
	expect_ok(cubby_call_end(request, reply, sizeof(reply), &size, soon()));
	expect_bytes(reply, size, "answer", 6);
	expect_empty(mailbox);
	cubby_close(mailbox);
}

/* Through several rings of a lane, and many slots of a queue. */
static void
without_a_limit_all_of_it_goes(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	const uint64_t all = MANY(UINT64_C(60000));
	cubby_mailbox *mailbox;

	options.buffering = CUBBY_UNLIMITED;
	/* A batch's buffer has room for large messages, so that the place of all
	   that there may be is mapped: more than ThreadSanitizer leaves. */
	options.message_max = 4096;
	mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, &options);
	for (int round = 0; round < 2; round++) {
		for (uint64_t n = 0; n < all; n += 300)
			expect_int(send_numbers(mailbox, n, 300), 300);
		for (uint64_t n = 0; n < all;) {
			int got = receive_numbers(mailbox, n, 300);

			expect(got > 0);
			n += (uint64_t)got;
		}
		expect_empty(mailbox);
	}
	cubby_close(mailbox);
}

/* A queue keeps slots for the sender's next batch. */
static void
what_a_sender_keeps_it_gives_back(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	static struct numbers n;
	struct cubby_batch_entry *entries = numbers_from(&n, 0);
	cubby_mailbox *mailbox, *sender;

	options.capacity = 40;
	options.order = CUBBY_ORDER_ARRIVAL;
	mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, &options);
	for (int round = 0; round < 300; round++) {
		sender = open_mailbox("m", CUBBY_SEND, NULL);
		expect_int(cubby_send_batch(sender, entries, 40, 0, CUBBY_NOW),
			   40);
		cubby_close(sender);
		for (int got = 0; got < 40;)
			got += receive_numbers(mailbox, (uint64_t)got, 40);
	}
	cubby_close(mailbox);
}

/* Many of them, with an account ------------------------------------------ */

static void
exchange_in_batches(bool threads, int senders, int receivers, int batch,
		    uint64_t capacity)
{
	exchange_run(&(struct exchange){
		.threads = threads,
		.senders = senders,
		.receivers = receivers,
		.messages = MANY(UINT64_C(60000)),
		.size_max = 1024,
		.capacity = capacity,
		.batch = batch,
	});
}

static void
one_sends_to_one_in_batches(void)
{
	exchange_in_batches(false, 1, 1, 32, 0);
	exchange_in_batches(false, 1, 1, 200, 127);
	exchange_in_batches(false, 1, 1, 8, 3);
}

static void
three_send_to_three_in_batches(void)
{
	exchange_in_batches(false, 3, 3, 32, 0);
	exchange_in_batches(false, 3, 3, 100, 127);
}

static void
threads_with_handles_of_their_own_in_batches(void)
{
	exchange_in_batches(true, 3, 3, 32, 0);
	exchange_in_batches(true, 2, 2, 64, 20);
}

static void
threads_that_share_a_handle_in_batches(void)
{
	exchange_run(&(struct exchange){
		.threads = true,
		.one_handle = true,
		.senders = 3,
		.receivers = 3,
		.messages = MANY(UINT64_C(10000)),
		.size_max = 300,
		.batch = 20,
	});
}

static void
a_storm_of_signals_loses_and_doubles_nothing(void)
{
	exchange_run(&(struct exchange){
		.senders = 2,
		.receivers = 2,
		.messages = MANY(UINT64_C(20000)),
		.size_max = 300,
		.capacity = 10,
		.storm_us = 500,
		.batch = 32,
	});
}

static const struct test tests[] = {
	TEST(a_batch_is_those_messages_in_order),
	TEST(it_mixes_with_single_calls),
	TEST(none_at_all_is_none),
	TEST(all_sizes_and_types_mix),
	TEST(as_many_are_sent_as_there_is_room_for),
	TEST(a_deadline_ends_it_in_the_middle),
	TEST(more_than_the_capacity_waits_for_room),
	TEST(one_that_is_too_large_ends_it),
	TEST(one_that_does_not_fit_stays),
	TEST(messages_of_no_bytes_need_no_room),
	TEST(messages_of_one_size_are_an_array),
	TEST(an_entry_that_makes_no_sense_ends_it),
	TEST(each_argument_is_checked),
	TEST(what_an_order_cannot_do_it_says),
	TEST(a_filter_holds_for_all_of_it),
	TEST(highest_priority_comes_first),
	TEST(one_batch_takes_from_all_senders),
	TEST(what_went_back_comes_first),
	TEST(it_wakes_as_many_as_can_take_of_it),
	TEST(a_receiver_of_batches_sleeps_and_is_woken),
	TEST(a_region_ends_the_batch_before_it),
	TEST(a_request_in_a_batch_is_answered),
	TEST(without_a_limit_all_of_it_goes),
	TEST(what_a_sender_keeps_it_gives_back),
	TEST(one_sends_to_one_in_batches),
	TEST(three_send_to_three_in_batches),
	TEST(threads_with_handles_of_their_own_in_batches),
	TEST(threads_that_share_a_handle_in_batches),
	TEST(a_storm_of_signals_loses_and_doubles_nothing),
};

int
main(void)
{
	return RUN_TESTS("batch", tests);
}
