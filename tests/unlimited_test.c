/* SPDX-License-Identifier: MIT */
/* Test: tsan, timeout 300. */
/*
 * Lanes without a limit: they grow with the backlog, give its memory back, and
 * lose nothing where they grow or shrink, whoever dies, joins or stands still.
 */
#include "support/support.h"
#include "handle.h"
#include "layout.h"
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>

#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)
#define FIRST_RING 512	/* cells of the default size */
#define LARGE 8192

static char data[LARGE], buffer[LARGE];

static cubby_mailbox *
open_unlimited(int roles)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;

	options.buffering = CUBBY_UNLIMITED;
	return open_mailbox("m", CUBBY_CREATE | roles, &options);
}

static void
send_numbers(cubby_mailbox *mailbox, uint64_t from, uint64_t to)
{
	for (uint64_t n = from; n < to; n++)
		expect_ok(cubby_send(mailbox, &n, sizeof(n)));
}

static void
expect_numbers(cubby_mailbox *mailbox, uint64_t from, uint64_t to)
{
	uint64_t got;
	size_t size;

	for (uint64_t n = from; n < to; n++) {
		expect_ok(cubby_receive(mailbox, &got, sizeof(got), &size));
		expect_int(size, sizeof(got));
		expect_int(got, n);
	}
}

static struct lane_file *
map_lane(void)
{
	char path[PATH_MAX];
	void *mapped;
	int fd;

	find_file("/lane.0", path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	expect_system(fd);
	mapped = mmap(NULL, sizeof(struct lane_file), PROT_READ | PROT_WRITE,
		      MAP_SHARED, fd, 0);
	expect(mapped != MAP_FAILED);
	close(fd);
	return mapped;
}

/* Growing and shrinking -------------------------------------------------- */

static void
info_says_that_there_is_no_limit(void)
{
	cubby_mailbox *mailbox = open_unlimited(BOTH);
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	cubby_mailbox *other = NULL;

	expect_int(inspect("m").buffering, CUBBY_UNLIMITED);
	expect_int(inspect("m").capacity, 0);
	options.buffering = CUBBY_UNLIMITED;
	options.capacity = 1;
	expect_result(cubby_open("m", CUBBY_SEND, &options, &other), -EINVAL);
	expect_result(cubby_open("n", CUBBY_SEND | CUBBY_CREATE, &options,
				 &other),
		      -EINVAL);
	options.buffering = CUBBY_LIMITED;
	expect_result(cubby_open("m", CUBBY_SEND, &options, &other), -EEXIST);
	cubby_close(mailbox);
}

/* Returns the memory at the peak; after it there is little more than before. */
static uint64_t
backlog_comes_and_goes(cubby_mailbox *mailbox, uint64_t *number, uint64_t count)
{
	uint64_t before = inspect("m").memory, peak, after;
	uint64_t from = *number;

	send_numbers(mailbox, from, from + count);
	expect_int(inspect("m").waiting, count);
	expect_int(inspect("m").fullest, count);
	peak = inspect("m").memory;
	expect_numbers(mailbox, from, from + count);
	expect_empty(mailbox);
	expect_int(inspect("m").waiting, 0);
	from += count;
	/* The sender looks now and then. */
	for (count = 0; count < FIRST_RING; count++, from++) {
		send_numbers(mailbox, from, from + 1);
		expect_numbers(mailbox, from, from + 1);
	}
	after = inspect("m").memory;
	printf("%llu KiB before, %llu KiB with %llu messages waiting, "
	       "%llu KiB after\n",
	       (unsigned long long)before >> 10, (unsigned long long)peak >> 10,
	       (unsigned long long)(from - FIRST_RING - *number),
	       (unsigned long long)after >> 10);
	expect(after < 2 << 20);
	*number = from;
	return peak;
}

static void
memory_grows_with_the_backlog_and_is_given_back(void)
{
	cubby_mailbox *mailbox = open_unlimited(BOTH);
	uint64_t number = 0, count = MANY(200000);

	for (int round = 0; round < 3; round++) {
		uint64_t peak = backlog_comes_and_goes(mailbox, &number, count);

		expect(peak >= count * 128);
		expect(peak <= 2 * count * 128 + (2 << 20));
	}
	cubby_close(mailbox);
	/* What was kept for the next backlog goes too. */
	expect(inspect("m").memory < 256 << 10);
}

static void
every_size_of_backlog(void)
{
	cubby_mailbox *mailbox = open_unlimited(BOTH);
	uint64_t number = 0;

	for (uint64_t count = 1; count < MANY(20000); count += 1 + count / 3)
		backlog_comes_and_goes(mailbox, &number, count);
	for (uint64_t count = FIRST_RING - 4; count < FIRST_RING + 4; count++)
		backlog_comes_and_goes(mailbox, &number, count);
	cubby_close(mailbox);
}

/* A backlog that never goes away altogether: the ring is left all the same. */
static void
a_small_backlog_does_not_keep_a_large_ring(void)
{
	cubby_mailbox *mailbox = open_unlimited(BOTH);
	uint64_t sent = MANY(100000), received = 0;

	send_numbers(mailbox, 0, sent);
	while (received < sent - 100) {
		expect_numbers(mailbox, received, received + 1);
		received++;
	}
	for (int i = 0; i < MANY(100000); i++) {
		send_numbers(mailbox, sent, sent + 1);
		expect_numbers(mailbox, received, received + 1);
		sent++;
		received++;
	}
	expect(inspect("m").memory < 2 << 20);
	expect_int(inspect("m").waiting, 100);
	expect_numbers(mailbox, received, sent);
	cubby_close(mailbox);
}

static void
large_messages_wait_too(void)
{
	cubby_mailbox *mailbox = open_unlimited(BOTH);
	uint64_t count = MANY(5000), n, peak;

	need_64_bits();
	for (n = 0; n < count; n++) {
		pattern_fill(data, LARGE, n);
		expect_ok(cubby_send(mailbox, data, LARGE));
	}
	peak = inspect("m").memory;
	expect(peak > count * LARGE);
	for (n = 0; n < count; n++) {
		expect_ok(cubby_receive(mailbox, buffer, LARGE, NULL));
		expect(pattern_holds(buffer, LARGE, n));
	}
	for (n = 0; n < 2 * FIRST_RING; n++) {
		send_numbers(mailbox, n, n + 1);
		expect_numbers(mailbox, n, n + 1);
	}
	expect(inspect("m").memory < 4 << 20);
	cubby_close(mailbox);
}

/* The account of what many large messages took is made smaller when they have gone;
   not below what is reserved. */
static void
what_is_reserved_keeps_its_place_in_the_account(void)
{
	enum { DRAFTS = 20, SIZE = 200 };
	cubby_mailbox *mailbox = open_unlimited(BOTH);
	cubby_draft *drafts[DRAFTS];
	uint64_t count = MANY(5000), n;

	for (n = 0; n < DRAFTS; n++)
		expect_ok(cubby_reserve(mailbox, SIZE, CUBBY_NOW, &drafts[n]));
	for (int round = 0; round < 2; round++) {
		for (n = 0; n < count; n++) {
			pattern_fill(data, SIZE, n);
			expect_ok(cubby_send(mailbox, data, SIZE));
		}
		for (n = 0; n < count; n++) {
			expect_ok(cubby_receive(mailbox, buffer, SIZE, NULL));
			expect(pattern_holds(buffer, SIZE, n));
		}
		for (n = 0; n < 2 * FIRST_RING; n++) {
			send_numbers(mailbox, n, n + 1);
			expect_numbers(mailbox, n, n + 1);
		}
		/* Now and then there is none, and then it goes. */
		for (n = 0; n < DRAFTS && !round; n++) {
			pattern_fill(cubby_draft_data(drafts[n]), SIZE, n);
			expect_ok(cubby_commit(drafts[n], SIZE, NULL));
		}
		for (n = 0; n < DRAFTS && !round; n++) {
			expect_ok(cubby_receive(mailbox, buffer, SIZE, NULL));
			expect(pattern_holds(buffer, SIZE, n));
		}
	}
	expect_empty(mailbox);
	cubby_close(mailbox);
}

/* Memory that ends ------------------------------------------------------- */

static uint64_t
send_until_full(cubby_mailbox *mailbox, uint64_t from)
{
	uint64_t n = from;
	int result;

	while ((result = cubby_send_full(mailbox, &n, sizeof(n), NULL, 0,
					 n % 2 ? CUBBY_NOW : CUBBY_FOREVER))
	       == 0)
		n++;
	expect_result(result, -ENOSPC);
	expect_result(cubby_send(mailbox, &n, sizeof(n)), -ENOSPC);
	return n;
}

static void
when_memory_ends_nothing_is_lost(void)
{
	uint64_t first = 0, next = 0;
	cubby_mailbox *mailbox;

	mount_small_root(4 << 20);
	mailbox = open_unlimited(BOTH);
	for (int round = 0; round < 5; round++) {
		next = send_until_full(mailbox, next);
		/* Nearly all of it is used. */
		expect(next - first > 28000);
		expect_numbers(mailbox, first, first + 1000);
		first += 1000;
		expect_numbers(mailbox, first, next);
		expect_empty(mailbox);
		first = next;
	}
	cubby_close(mailbox);
}

static void
a_sender_that_was_full_goes_on_when_there_is_room(void)
{
	uint64_t first = 0, next;
	cubby_mailbox *mailbox;

	mount_small_root(2 << 20);
	mailbox = open_unlimited(BOTH);
	next = send_until_full(mailbox, 0);
	for (int round = 0; round < MANY(200); round++) {
		uint64_t end = first + (next - first) / 3 + 1;

		expect_numbers(mailbox, first, end);
		first = end;
		next = send_until_full(mailbox, next);
	}
	expect_numbers(mailbox, first, next);
	cubby_close(mailbox);
}

static void
a_memory_limit_limits_it(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	cubby_mailbox *mailbox;
	uint64_t next;

	options.buffering = CUBBY_UNLIMITED;
	options.memory_limit = 1 << 20;
	mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, &options);
	next = send_until_full(mailbox, 0);
	expect(next >= 4000 && next <= 8192 + FIRST_RING);
	expect_numbers(mailbox, 0, next);
	next = send_until_full(mailbox, 0);
	expect_numbers(mailbox, 0, next);
	cubby_close(mailbox);
}

/* Their places are reserved, wherever the lane has gone meanwhile. */
static void
a_commit_never_lacks_memory(void)
{
	enum { DRAFTS = 5000 };
	static cubby_draft *drafts[DRAFTS];
	cubby_mailbox *mailbox;
	uint64_t count = 0, sent;
	int result = 0;

	mount_small_root(1 << 20);
	mailbox = open_unlimited(BOTH);
	while (count < DRAFTS && result == 0) {
		result = cubby_reserve(mailbox, sizeof(uint64_t), CUBBY_NOW,
				       &drafts[count]);
		count += result == 0;
	}
	expect(count == DRAFTS || result == -ENOSPC);
	expect(count > 3 * FIRST_RING);
	for (uint64_t n = 0; n < count / 2; n++)
		cubby_abort(drafts[n]);
	sent = send_until_full(mailbox, 0);
	for (uint64_t n = count / 2; n < count; n++) {
		memcpy(cubby_draft_data(drafts[n]), &sent, sizeof(sent));
		expect_ok(cubby_commit(drafts[n], sizeof(sent), NULL));
		sent++;
	}
	expect_numbers(mailbox, 0, sent);
	expect_empty(mailbox);
	cubby_close(mailbox);
}

/* Drafts alone make it grow, with nothing sent in between. */
static void
drafts_turn_a_lane_in_which_nothing_was_sent(void)
{
	enum { DRAFTS = 8 * FIRST_RING, WAIT = 100 };
	static cubby_draft *drafts[DRAFTS];
	cubby_mailbox *mailbox = open_unlimited(BOTH);
	cubby_mailbox *rival = open_mailbox("m", CUBBY_RECEIVE, NULL);
	uint64_t number = 0;

	for (int round = 0; round < 6; round++) {
		for (int i = 0; i < DRAFTS; i++)
			expect_ok(cubby_reserve(mailbox, 8, CUBBY_NOW,
						&drafts[i]));
		for (int i = 0; i < DRAFTS; i++)
			cubby_abort(drafts[i]);
		/* Some always wait, so that the ring is left before it is
		   read. */
		for (int i = 0; i < 3 * FIRST_RING; i++) {
			send_numbers(mailbox, number, number + 1);
			if (number >= WAIT)
				expect_numbers(i % 2 ? rival : mailbox,
					       number - WAIT,
					       number - WAIT + 1);
			number++;
		}
	}
	expect_numbers(rival, number - WAIT, number);
	cubby_close(rival);
	cubby_close(mailbox);
}

/* The backlog is in a ring beside others that begin where it does. */
static void
rings_that_bear_nothing_are_passed_by(void)
{
	enum { DRAFTS = 8 * FIRST_RING, SENT = 40 * FIRST_RING };
	static cubby_draft *drafts[DRAFTS];
	cubby_mailbox *mailbox = open_unlimited(BOTH);

	for (int i = 0; i < DRAFTS; i++)
		expect_ok(cubby_reserve(mailbox, 8, CUBBY_NOW, &drafts[i]));
	for (int i = 0; i < DRAFTS; i++)
		cubby_abort(drafts[i]);
	send_numbers(mailbox, 0, SENT);
	for (uint64_t n = 0; n < SENT; n++)
		expect_number(mailbox, n);
	cubby_close(mailbox);
}

/* Successors ------------------------------------------------------------- */

static const uint64_t backlogs[] = { 0, 1, 31, 32, 100, FIRST_RING - 1,
	FIRST_RING, FIRST_RING + 1, 1000, 1535, 1536, 1537, 5000, 12000, 40000 };

/* What has been sent, and how many of that were received, when it is killed.
   Returns the last sequence. */
static uint64_t
leave_dead(uint64_t sent, uint64_t received, cubby_mailbox *receiver)
{
	uint64_t *sequence = shared_memory(sizeof(*sequence));
	struct gate done = gate_make();
	struct child child;

	in_child(&child) {
		cubby_mailbox *own = open_mailbox("m", CUBBY_SEND, NULL);

		send_numbers(own, 0, sent);
		expect_ok(cubby_published(own, sequence, NULL));
		gate_open(&done);
		pause();
	}
	gate_wait(&done);
	expect_numbers(receiver, 0, received);
	child_kill(&child);
	return *sequence;
}

static void
take_over(uint64_t sent, uint64_t received, bool sweep)
{
	cubby_mailbox *receiver = open_unlimited(CUBBY_RECEIVE), *heir;
	struct cubby_swept swept = CUBBY_SWEPT_INIT;
	uint64_t sequence, last = leave_dead(sent, received, receiver);

	expect_int(inspect("m").waiting, sent - received);
	if (sweep)
		expect_ok(cubby_sweep("m", &swept));
	if (sweep && sent == received)
		expect(inspect("m").memory < 256 << 10);
	heir = open_mailbox("m", CUBBY_SEND, NULL);
	expect_int(inspect("m").lanes, 1);
	expect_ok(cubby_published(heir, &sequence, NULL));
	expect_int(sequence, last);
	send_numbers(heir, sent, 2 * sent + 1000);
	expect_numbers(receiver, received, sent + 3);
	cubby_close(heir);
	heir = open_mailbox("m", CUBBY_SEND, NULL);
	expect_numbers(receiver, sent + 3, 2 * sent + 1000);
	send_numbers(heir, 2 * sent + 1000, 2 * sent + 2000);
	expect_numbers(receiver, 2 * sent + 1000, 2 * sent + 2000);
	expect_empty(receiver);
	expect_int(inspect("m").sent, 2 * sent + 2000);
	expect_ok(cubby_published(heir, &last, NULL));
	cubby_close(heir);
	/* All of its memory has gone but for that of the last message. */
	expect(inspect("m").memory < 256 << 10);
	heir = open_mailbox("m", CUBBY_SEND, NULL);
	expect_ok(cubby_published(heir, &sequence, NULL));
	expect_int(sequence, last);
	cubby_close(heir);
	cubby_close(receiver);
	expect_ok(cubby_unlink("m"));
}

static void
a_lane_is_taken_over_in_every_ring(void)
{
	for (size_t i = 0; i < COUNT_OF(backlogs); i++) {
		take_over(backlogs[i], 0, false);
		take_over(backlogs[i], backlogs[i] / 2, false);
		take_over(backlogs[i], backlogs[i], false);
	}
}

static void
a_sweep_gives_a_drained_lane_back(void)
{
	for (size_t i = 0; i < COUNT_OF(backlogs); i++) {
		take_over(backlogs[i], backlogs[i], true);
		take_over(backlogs[i], backlogs[i] / 2, true);
	}
}

/* As one who was killed after he had written where a ring begins, and before he
   turned to it: his heir turns to another. */
static void
a_turn_that_was_not_made_is_forgotten(void)
{
	enum { SENT = 3000, RECEIVED = 2700 };
	cubby_mailbox *receiver = open_unlimited(CUBBY_RECEIVE), *heir, *late;
	uint64_t position = leave_dead(SENT, RECEIVED, receiver);
	struct lane_file *file = map_lane();
	uint32_t ring = turn_ring(word64_load_relaxed(&file->turn));

	expect_int(ring, 2);
	word64_store_relaxed(&file->places[ring + 1].begin, position + 1);
	heir = open_mailbox("m", CUBBY_SEND, NULL);
	send_numbers(heir, SENT, SENT + 200);
	/* To where the other ring would begin, and beyond. */
	expect_numbers(receiver, RECEIVED, SENT + 10);
	send_numbers(heir, SENT + 200, SENT + 257);
	expect_int(turn_ring(word64_load_relaxed(&file->turn)), 1);
	late = open_mailbox("m", CUBBY_RECEIVE, NULL);
	for (uint64_t n = SENT + 10; n < SENT + 257; n++)
		expect_number(late, n);
	munmap(file, sizeof(*file));
	cubby_close(late);
	cubby_close(heir);
	cubby_close(receiver);
}

/* As one who was killed after a turn, and before he sent anything there; a sweep
   has taken the memory of both rings, and his heir needs one. */
static void
a_turn_with_nothing_behind_it_is_swept_and_taken_over(void)
{
	cubby_mailbox *receiver = open_unlimited(CUBBY_RECEIVE), *heir;
	struct gate there = gate_make();
	uint64_t *sent = shared_memory(sizeof(*sent));
	struct lane_file *file;
	struct child child;

	in_child(&child) {
		cubby_mailbox *sender = open_mailbox("m", CUBBY_SEND, NULL);
		struct lane_file *own = map_lane();
		cubby_draft *draft;

		for (;;) {
			expect_ok(cubby_reserve(sender, 8, CUBBY_NOW, &draft));
			if (turn_ring(word64_load_relaxed(&own->turn)))
				break;
			cubby_abort(draft);
			send_numbers(sender, *sent, *sent + 1);
			++*sent;
		}
		gate_open(&there);
		pause();
	}
	gate_wait(&there);
	child_kill(&child);
	expect_numbers(receiver, 0, *sent);
	expect_empty(receiver);
	expect_ok(cubby_sweep("m", NULL));
	file = map_lane();
	expect_int(turn_ring(word64_load_relaxed(&file->turn)), 1);
	heir = open_mailbox("m", CUBBY_SEND, NULL);
	for (uint64_t n = *sent; n < *sent + 4 * FIRST_RING; n += 100) {
		send_numbers(heir, n, n + 100);
		expect_numbers(receiver, n, n + 100);
	}
	send_numbers(heir, 0, 4 * FIRST_RING);
	expect_numbers(receiver, 0, 4 * FIRST_RING);
	expect_empty(receiver);
	munmap(file, sizeof(*file));
	cubby_close(heir);
	cubby_close(receiver);
}

static void
a_large_backlog_is_taken_over(void)
{
	cubby_mailbox *receiver = open_unlimited(CUBBY_RECEIVE), *sender;
	uint64_t count = 2000, n;

	sender = open_mailbox("m", CUBBY_SEND, NULL);
	for (n = 0; n < count; n++) {
		pattern_fill(data, LARGE, n);
		expect_ok(cubby_send(sender, data, LARGE));
	}
	cubby_close(sender);
	sender = open_mailbox("m", CUBBY_SEND, NULL);
	for (; n < 2 * count; n++) {
		pattern_fill(data, LARGE, n);
		expect_ok(cubby_send(sender, data, LARGE));
	}
	for (n = 0; n < 2 * count; n++) {
		expect_ok(cubby_receive(receiver, buffer, LARGE, NULL));
		expect(pattern_holds(buffer, LARGE, n));
	}
	cubby_close(sender);
	cubby_close(receiver);
}

/* Receivers -------------------------------------------------------------- */

static void
a_receiver_that_comes_late_finds_the_ring(void)
{
	for (size_t i = 0; i < COUNT_OF(backlogs); i++) {
		cubby_mailbox *sender = open_unlimited(CUBBY_SEND);
		cubby_mailbox *first, *late;
		uint64_t n = backlogs[i], third = n / 3;

		send_numbers(sender, 0, n);
		first = open_mailbox("m", CUBBY_RECEIVE, NULL);
		expect_numbers(first, 0, third);
		late = open_mailbox("m", CUBBY_RECEIVE, NULL);
		expect_numbers(late, third, 2 * third);
		expect_numbers(first, 2 * third, n);
		send_numbers(sender, n, n + 3000);
		expect_numbers(late, n, n + 1);
		expect_numbers(first, n + 1, n + 2000);
		expect_numbers(late, n + 2000, n + 3000);
		expect_empty(first);
		cubby_close(first);
		cubby_close(late);
		cubby_close(sender);
		expect_ok(cubby_unlink("m"));
	}
}

/* Each receiver's messages come in order, and none twice, and all. */
static void
several_receivers_share_it(void)
{
	enum { RECEIVERS = 3 };
	uint64_t count = MANY(300000), stop = UINT64_MAX;
	_Atomic(unsigned char) *seen = shared_memory(count);
	cubby_mailbox *sender = open_unlimited(CUBBY_SEND);
	struct child children[RECEIVERS];

	for (int i = 0; i < RECEIVERS; i++)
		in_child(&children[i]) {
			cubby_mailbox *own = open_mailbox("m", CUBBY_RECEIVE,
							  NULL);
			uint64_t last = 0, n;

			while ((n = receive_number(own)) != stop) {
				expect(n < count && (!last || n > last));
				expect_int(seen[n]++, 0);
				last = n;
			}
			cubby_close(own);
		}
	for (uint64_t n = 0; n < count; n++) {
		send_number(sender, n);
		/* So that it comes to several backlogs. */
		if (n % 30000 == 29999)
			while (inspect("m").waiting)
				sched_yield();
	}
	for (int i = 0; i < RECEIVERS; i++)
		send_number(sender, stop);
	for (int i = 0; i < RECEIVERS; i++)
		child_finish(&children[i]);
	for (uint64_t n = 0; n < count; n++)
		expect_int(seen[n], 1);
	cubby_close(sender);
}

/* Alone, the receiver is biased, and takes the short way. */
static void
a_receiver_alone_follows_a_stream(void)
{
	uint64_t count = MANY(2000000);
	cubby_mailbox *sender = open_unlimited(CUBBY_SEND);
	struct child child;

	in_child(&child) {
		cubby_mailbox *own = open_mailbox("m", CUBBY_RECEIVE, NULL);

		expect_numbers(own, 0, count);
		cubby_close(own);
	}
	send_numbers(sender, 0, count);
	child_finish(&child);
	cubby_close(sender);
}

static void *
send_stream(void *count)
{
	cubby_mailbox *own = open_mailbox("m", CUBBY_SEND, NULL);

	for (uint64_t n = 0; n < *(uint64_t *)count; n++) {
		send_number(own, n);
		if (n % 5000 == 4999)
			while (inspect("m").waiting > n % 200)
				sched_yield();
	}
	cubby_close(own);
	return NULL;
}

static void *
receive_stream(void *count)
{
	cubby_mailbox *own = open_mailbox("m", CUBBY_RECEIVE, NULL);

	expect_numbers(own, 0, *(uint64_t *)count);
	cubby_close(own);
	return NULL;
}

static void
threads_follow_each_other_from_ring_to_ring(void)
{
	cubby_mailbox *user = open_unlimited(CUBBY_SEND);
	uint64_t count = MANY(200000);
	pthread_t sender, receiver;

	expect_int(pthread_create(&sender, NULL, send_stream, &count), 0);
	expect_int(pthread_create(&receiver, NULL, receive_stream, &count), 0);
	pthread_join(sender, NULL);
	pthread_join(receiver, NULL);
	cubby_close(user);
}

static void
what_is_held_outlives_the_ring(void)
{
	cubby_mailbox *mailbox = open_unlimited(BOTH);
	cubby_message *held[3];
	uint64_t n, count = 20000;

	send_numbers(mailbox, 0, count);
	for (n = 0; n < 3; n++)
		expect_ok(cubby_hold(mailbox, NULL, CUBBY_NOW, &held[n]));
	expect_numbers(mailbox, 3, count);
	send_numbers(mailbox, count, count + 1000);
	expect_numbers(mailbox, count, count + 1000);
	for (n = 0; n < 3; n++)
		expect(memcmp(cubby_message_data(held[n]), &n, sizeof(n)) == 0);
	expect_ok(cubby_reject(held[1]));
	expect_ok(cubby_reject(held[0]));
	expect_ok(cubby_release(held[2]));
	send_numbers(mailbox, 7, 8);
	expect_number(mailbox, 0);
	expect_number(mailbox, 1);
	expect_number(mailbox, 7);
	cubby_close(mailbox);
}

static void
whoever_waits_for_the_last_is_woken(void)
{
	cubby_mailbox *sender = open_unlimited(CUBBY_SEND);
	struct child child;

	/* Asleep in a ring that the sender leaves. */
	for (uint64_t round = 0; round < 20; round++) {
		uint64_t n = 600 * round;

		send_numbers(sender, n, n + 600);
		in_child(&child) {
			cubby_mailbox *own = open_mailbox("m", CUBBY_RECEIVE,
							  NULL);

			expect_numbers(own, n, n + 600);
			expect_number(own, UINT64_MAX);
			cubby_close(own);
		}
		child_wait_asleep(&child);
		for (int i = 0; i < 3; i++)
			expect_ok(lane_make_room(&sender->sender.writer));
		send_number(sender, UINT64_MAX);
		child_finish(&child);
	}
	cubby_close(sender);
}

/* It stands in a ring whose memory has been given back, and there is none to
   be had when it looks there again. */
static void
a_receiver_may_come_back_to_memory_that_has_gone(void)
{
	struct gate there = gate_make(), go = gate_make();
	uint64_t count = 20000, n;
	cubby_mailbox *sender, *receiver;
	struct child child;
	char path[PATH_MAX];
	int fd;

	mount_small_root(8 << 20);
	sender = open_unlimited(CUBBY_SEND);
	receiver = open_mailbox("m", CUBBY_RECEIVE, NULL);
	send_numbers(sender, 0, count);
	expect_numbers(receiver, 0, count - 100);
	in_child(&child) {
		cubby_mailbox *own = open_mailbox("m", CUBBY_RECEIVE, NULL);

		expect_numbers(own, count - 100, count - 90);
		gate_open(&there);
		gate_wait(&go);
		expect_number(own, UINT64_MAX);
		expect_number(own, UINT64_MAX - 1);
		cubby_close(own);
	}
	gate_wait(&there);
	expect_numbers(receiver, count - 90, count);
	for (n = 0; n < 2 * FIRST_RING; n++) {
		send_numbers(sender, n, n + 1);
		expect_numbers(receiver, n, n + 1);
	}
	snprintf(path, sizeof(path), "%s/ballast", test_root());
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	expect_system(fallocate(fd, 0, 0, (off_t)root_bytes_free()));
	close(fd);
	gate_open(&go);
	send_number(sender, UINT64_MAX);
	send_number(sender, UINT64_MAX - 1);
	child_finish(&child);
	expect_system(unlink(path));
	expect_int(inspect("m").broken, 0);
	cubby_close(receiver);
	cubby_close(sender);
}

/* A file that lies ------------------------------------------------------- */

static void
a_turn_to_no_ring_cuts_the_lane_off(void)
{
	cubby_mailbox *bad = open_unlimited(CUBBY_SEND), *good, *receiver;
	struct lane_file *file = map_lane();
	uint64_t number;

	good = open_mailbox("m", CUBBY_SEND, NULL);
	receiver = open_mailbox("m", CUBBY_RECEIVE, NULL);
	send_numbers(bad, 0, 1000);
	expect_numbers(receiver, 0, 10);
	word64_store_relaxed(&file->turn, 0xff);
	send_numbers(good, 0, 1000);
	expect_result(cubby_receive_full(receiver, NULL, 0, soon(), &number,
					 sizeof(number), NULL, NULL),
		      -EBADMSG);
	expect_numbers(receiver, 0, 1000);
	expect_int(inspect("m").broken, 1);
	expect_result(cubby_send(bad, "x", 1), -EBADMSG);
	munmap(file, sizeof(*file));
	cubby_close(receiver);
	cubby_close(good);
	cubby_close(bad);
}

static void
a_grown_lane_cut_short_is_cut_off(void)
{
	cubby_mailbox *bad = open_unlimited(CUBBY_SEND), *good, *receiver;
	uint64_t number, next = 0;
	char path[PATH_MAX];
	int result, errors = 0;

	find_file("/lane.0", path);
	good = open_mailbox("m", CUBBY_SEND, NULL);
	receiver = open_mailbox("m", CUBBY_RECEIVE, NULL);
	send_numbers(bad, 1 << 20, (1 << 20) + 3000);
	for (int i = 0; i < 10; i++)
		expect(receive_number(receiver) >= 1 << 20);
	expect_system(truncate(path, 0));
	send_numbers(good, 0, 1000);
	while (next < 1000) {
		result = cubby_receive_full(receiver, NULL, 0, soon(), &number,
					    sizeof(number), NULL, NULL);
		if (result < 0) {
			expect_result(result, -EBADMSG);
			expect(++errors < 10);
		} else if (number < 1 << 20) {
			expect_int(number, next++);
		}
	}
	expect_int(inspect("m").broken, 1);
	/* At the latest when it has touched what is not there any more. */
	cubby_send(bad, "x", 1);
	expect_result(cubby_send(bad, "x", 1), -EBADMSG);
	cubby_close(receiver);
	cubby_close(good);
	cubby_close(bad);
}

static uint64_t
random_of(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + 1442695040888963407;
	return *state >> 33;
}

/* Nobody may crash, hang, or be told of what was never sent. */
static void
any_table_is_survived(void)
{
	uint64_t seed = 1, number, round, i;

	for (round = 0; round < MANY(300); round++) {
		cubby_mailbox *sender = open_unlimited(CUBBY_SEND);
		cubby_mailbox *receiver = open_mailbox("m", CUBBY_RECEIVE,
						       NULL);
		struct lane_file *file = map_lane();
		struct cubby_info info = CUBBY_INFO_INIT;

		send_numbers(sender, 0, random_of(&seed) % 5000);
		for (i = 0; i < 200; i++) {
			word64 *word = (word64 *)&file->turn +
				       random_of(&seed) % (8 + 2 * RINGS_MAX);
			uint64_t value = random_of(&seed) % 6000;

			word64_store_relaxed(word, random_of(&seed) % 2 ? value :
					     value << 40 | random_of(&seed));
			if (cubby_receive_full(receiver, NULL, 0, CUBBY_NOW,
					       &number, sizeof(number), NULL,
					       NULL) == 0)
				expect(number < 5000);
			cubby_send_full(sender, &i, sizeof(i), NULL, 0,
					CUBBY_NOW);
			if (i % 50 == 0)
				expect_ok(cubby_inspect("m", &info));
		}
		cubby_close(sender);
		sender = open_mailbox("m", CUBBY_SEND, NULL);
		cubby_send_full(sender, &i, sizeof(i), NULL, 0, CUBBY_NOW);
		munmap(file, sizeof(*file));
		cubby_close(receiver);
		cubby_close(sender);
		expect_ok(cubby_unlink("m"));
	}
}

static const struct test tests[] = {
	TEST(info_says_that_there_is_no_limit),
	TEST(memory_grows_with_the_backlog_and_is_given_back),
	TEST(every_size_of_backlog),
	TEST(a_small_backlog_does_not_keep_a_large_ring),
	TEST(large_messages_wait_too),
	TEST(what_is_reserved_keeps_its_place_in_the_account),
	TEST(when_memory_ends_nothing_is_lost),
	TEST(a_sender_that_was_full_goes_on_when_there_is_room),
	TEST(a_memory_limit_limits_it),
	TEST(a_commit_never_lacks_memory),
	TEST(drafts_turn_a_lane_in_which_nothing_was_sent),
	TEST(rings_that_bear_nothing_are_passed_by),
	TEST(a_lane_is_taken_over_in_every_ring),
	TEST(a_sweep_gives_a_drained_lane_back),
	TEST(a_turn_that_was_not_made_is_forgotten),
	TEST(a_turn_with_nothing_behind_it_is_swept_and_taken_over),
	TEST(a_large_backlog_is_taken_over),
	TEST(a_receiver_that_comes_late_finds_the_ring),
	TEST(several_receivers_share_it),
	TEST(a_receiver_alone_follows_a_stream),
	TEST(threads_follow_each_other_from_ring_to_ring),
	TEST(what_is_held_outlives_the_ring),
	TEST(whoever_waits_for_the_last_is_woken),
	TEST(a_receiver_may_come_back_to_memory_that_has_gone),
	TEST(a_turn_to_no_ring_cuts_the_lane_off),
	TEST(a_grown_lane_cut_short_is_cut_off),
	TEST(any_table_is_survived),
};

int
main(void)
{
	return RUN_TESTS("unlimited", tests);
}
