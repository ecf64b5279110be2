/* SPDX-License-Identifier: MIT */
/* Test: tsan, timeout 60. */
/*
 * Who polls in vain is told so quickly, by a look at one lane and at the bits of the
 * others, and misses nothing by that: whatever a call that has returned has brought
 * about, the next look finds.
 */
#include "support/support.h"

#include "doorbell.h"
#include "handle.h"
#include <fcntl.h>

#define STREAK 200 /* messages: the lane is biased towards who takes them */
#define MANY_SENDERS 70 /* more than a word of bits has */

static cubby_mailbox *r, *a;

/* Does a lane ring but the one whose turn it is? */
static bool
others_ring(void)
{
	uint32_t current = r->receiver.current;
	uint64_t bits = 0;

	for (uint32_t word = 0; word < LANES_MAX / 64; word++) {
		bits |= doorbell_ringing(&r->view, word);
		if (word == current / 64)
			bits &= ~(UINT64_C(1) << current % 64);
	}
	return bits;
}

/* Is the next look, if it is in vain, a quick one? */
static bool
is_quick(void)
{
	return r->receiver.polls > 2 && r->receiver.turn &&
	       lane_is_empty_plain(r->receiver.turn) && !others_ring();
}

static void
poll_until_quick(void)
{
	for (int i = 0; i < 100000 && !is_quick(); i++)
		expect_empty(r);
	expect(is_quick());
}

/* At the next look. */
static void
expect_now(uint64_t number)
{
	uint64_t got = 0;

	expect_ok(cubby_receive_full(r, NULL, 0, CUBBY_NOW, &got, sizeof(got),
				     NULL, NULL));
	expect_int(got, number);
}

static void
take_streak(void)
{
	for (uint64_t i = 0; i < STREAK; i++) {
		send_number(a, i);
		expect_now(i);
	}
}

static void
begin_with(const struct cubby_options *options)
{
	a = open_mailbox("m", CUBBY_CREATE | CUBBY_SEND, options);
	r = open_mailbox("m", CUBBY_RECEIVE, NULL);
	take_streak();
}

static void
begin(void)
{
	begin_with(NULL);
	poll_until_quick();
}

static void
end(void)
{
	cubby_close(a);
	cubby_close(r);
}

static void
the_next_of_the_same_sender_is_found(void)
{
	begin();
	for (uint64_t i = 0; i < STREAK; i++) {
		send_number(a, i);
		expect_now(i);
		poll_until_quick();
	}
	end();
}

static void
what_is_no_plain_message_is_found(void)
{
	static char sent[100000], got[sizeof(sent)];
	size_t size;

	begin();
	pattern_fill(sent, sizeof(sent), 1);
	expect_ok(cubby_send(a, sent, sizeof(sent)));
	expect_ok(cubby_receive_full(r, NULL, 0, CUBBY_NOW, got, sizeof(got),
				     &size, NULL));
	expect_bytes(got, size, sent, sizeof(sent));
	end();
}

static void
another_sender_is_found(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	cubby_mailbox *others[MANY_SENDERS];

	/* Lanes so short that 32 bits address them all, twice. */
	options.memory_limit = options.message_max = 4096;
	begin_with(&options);
	for (uint64_t i = 0; i < MANY_SENDERS; i++)
		others[i] = open_mailbox("m", CUBBY_SEND, NULL);
	for (uint64_t i = 0; i < MANY_SENDERS; i++) {
		poll_until_quick();
		send_number(others[i], i);
		expect_now(i);
		take_streak();
	}
	for (uint64_t i = 0; i < MANY_SENDERS; i++)
		cubby_close(others[i]);
	end();
}

/* Once more than round the ring. */
static void
who_has_been_overtaken_finds_the_next(void)
{
	cubby_mailbox *other;

	begin();
	other = open_mailbox("m", CUBBY_RECEIVE, NULL);
	for (uint64_t i = 0; i < 1000; i++) {
		send_number(a, i);
		expect_number(other, i);
	}
	send_number(a, 1);
	expect_now(1);
	cubby_close(other);
	end();
}

/* And whose cell is as new, for the lane has lost its memory meanwhile. */
static void
who_has_been_overtaken_finds_a_successor_s(void)
{
	cubby_mailbox *other;

	begin();
	other = open_mailbox("m", CUBBY_RECEIVE, NULL);
	/* Further than a page, and not round the ring. */
	for (uint64_t i = 0; i < 64; i++) {
		send_number(a, i);
		expect_number(other, i);
	}
	cubby_close(other);
	cubby_close(a);
	expect_ok(cubby_sweep("m", NULL));
	a = open_mailbox("m", CUBBY_SEND, NULL);
	send_number(a, 7);
	expect_now(7);
	end();
}

static void
what_goes_back_is_found(void)
{
	cubby_mailbox *b, *other;
	cubby_message *held;

	begin();
	b = open_mailbox("m", CUBBY_SEND, NULL);
	other = open_mailbox("m", CUBBY_RECEIVE, NULL);
	send_number(b, 7);
	expect_ok(cubby_hold(other, NULL, CUBBY_NOW, &held));
	poll_until_quick();
	expect_ok(cubby_reject(held));
	expect_now(7);
	cubby_close(other);
	cubby_close(b);
	end();
}

static void
what_the_dead_held_is_found_by_looks_of_one_s_own(void)
{
	struct gate holds = gate_make();
	struct child child;
	int64_t until = soon();
	cubby_mailbox *b;
	uint64_t got = 0;
	int result;

	begin();
	b = open_mailbox("m", CUBBY_SEND, NULL);
	send_number(b, 7);
	in_child(&child) {
		cubby_message *held;
		cubby_mailbox *other = open_mailbox("m", CUBBY_RECEIVE, NULL);

		expect_ok(cubby_hold(other, NULL, CUBBY_NOW, &held));
		gate_open(&holds);
		for (;;)
			pause();
	}
	gate_wait(&holds);
	poll_until_quick();
	child_kill(&child);
	do {
		result = cubby_receive_full(r, NULL, 0, CUBBY_NOW, &got,
					    sizeof(got), NULL, NULL);
		expect(cubby_deadline_after(0) < until);
	} while (result == -EAGAIN);
	expect_ok(result);
	expect_int(got, 7);
	cubby_close(b);
	end();
}

/* Which are several rings, one after the other. */
static void
no_look_into_a_long_backlog_is_in_vain(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;

	options.buffering = CUBBY_UNLIMITED;
	begin_with(&options);
	expect_empty(r);
	for (uint64_t i = 0; i < 100000; i++)
		send_number(a, i);
	for (uint64_t i = 0; i < 100000; i++)
		expect_now(i);
	/* Some time the sender goes back to a smaller ring. */
	for (uint64_t i = 0; i < 100000; i++) {
		for (int j = 0; j < 3; j++)
			expect_empty(r);
		send_number(a, i);
		expect_now(i);
	}
	end();
}

static void
a_lane_that_was_cut_is_told(void)
{
	char path[PATH_MAX];
	uint64_t got;

	begin();
	find_file("/lanes/lane.0", path);
	expect_system(truncate(path, 0));
	expect_result(cubby_receive_full(r, NULL, 0, CUBBY_NOW, &got,
					 sizeof(got), NULL, NULL), -EBADMSG);
	end();
}

/* What makes no sense, in the cell that is awaited. */
static void
spoil(void)
{
	const struct lane_reader *reader = r->receiver.turn;
	uint64_t cell = layout_cell_index(reader->position, reader->mask_cells);
	uint64_t nonsense = 0x1234567;
	off_t at = reader->ring - (const char *)reader->file +
		   (off_t)(cell << reader->cell_shift);
	char path[PATH_MAX];
	int fd;

	find_file("/lanes/lane.0", path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	expect_system(fd);
	expect(pwrite(fd, &nonsense, 8, at) == 8);
	close(fd);
}

static void
expect_told(void)
{
	uint64_t got;

	expect_result(cubby_receive_full(r, NULL, 0, CUBBY_NOW, &got,
					 sizeof(got), NULL, NULL), -EBADMSG);
}

static void
nonsense_is_told(void)
{
	begin();
	spoil();
	expect_told();
	end();
}

/* Who waited was told that there is something: so there is. */
static void
what_a_look_has_found_wrong_is_told(void)
{
	begin();
	spoil();
	expect(receiver_look(&r->receiver, LOOK_THOROUGHLY) != 0);
	expect_told();
	end();
}

static void
another_sender_is_found_without_a_doorbell(void)
{
	cubby_mailbox *b;
	char path[PATH_MAX];

	begin();
	b = open_mailbox("m", CUBBY_SEND, NULL);
	send_number(b, 7);
	find_file("/doorbell", path);
	expect_system(truncate(path, 0));
	expect_now(7);
	cubby_close(b);
	end();
}

int
main(void)
{
	static const struct test tests[] = {
		TEST(the_next_of_the_same_sender_is_found),
		TEST(what_is_no_plain_message_is_found),
		TEST(another_sender_is_found),
		TEST(who_has_been_overtaken_finds_the_next),
		TEST(who_has_been_overtaken_finds_a_successor_s),
		TEST(what_goes_back_is_found),
		TEST(what_the_dead_held_is_found_by_looks_of_one_s_own),
		TEST(no_look_into_a_long_backlog_is_in_vain),
		TEST(a_lane_that_was_cut_is_told),
		TEST(nonsense_is_told),
		TEST(what_a_look_has_found_wrong_is_told),
		TEST(another_sender_is_found_without_a_doorbell),
	};

	return RUN_TESTS("poll", tests);
}
