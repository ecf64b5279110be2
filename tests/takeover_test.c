/* SPDX-License-Identifier: MIT */
/* Test: timeout 180. */
/* A lane left by its sender is taken over by the next one, backlog and all. */
#include "support/support.h"
#include "layout.h"
#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>

#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)

static cubby_mailbox *
create_with(uint64_t capacity)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;

	options.capacity = capacity;
	return open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE, &options);
}

/* As one `cubby send` of a shell's loop does. */
static int
send_one_shot(uint64_t number)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_SEND, NULL);
	int result = cubby_send_full(mailbox, &number, sizeof(number), NULL, 0,
				     CUBBY_NOW);

	cubby_close(mailbox);
	return result;
}

static void
a_thousand_senders_in_a_row_leave_one_lane(void)
{
	cubby_mailbox *receiver = create_with(2000);

	for (uint64_t n = 0; n < 1000; n++) {
		struct child child;

		in_child(&child)
			expect_ok(send_one_shot(n));
		child_finish(&child);
	}
	expect_int(inspect("m").lanes, 1);
	expect_int(inspect("m").waiting, 1000);
	for (uint64_t n = 0; n < 1000; n++)
		expect_number(receiver, n);
	expect_empty(receiver);
	cubby_close(receiver);
}

static void
what_earlier_senders_left_counts(void)
{
	cubby_mailbox *receiver = create_with(0);

	for (uint64_t n = 0; n < 128; n++)
		expect_ok(send_one_shot(n));
	expect_result(send_one_shot(128), -EAGAIN);
	expect_number(receiver, 0);
	expect_ok(send_one_shot(128));
	expect_result(send_one_shot(129), -EAGAIN);
	for (uint64_t n = 1; n <= 128; n++)
		expect_number(receiver, n);
	expect_empty(receiver);
	cubby_close(receiver);
}

static void
a_killed_senders_lane_is_taken_over(void)
{
	struct gate sent = gate_make();
	cubby_mailbox *receiver = create_with(0);
	struct child child;

	for (uint64_t n = 0; n < 50; n++) {
		in_child(&child) {
			cubby_mailbox *own = open_mailbox("m", CUBBY_SEND,
							  NULL);

			send_number(own, n);
			gate_open(&sent);
			pause();
		}
		gate_wait(&sent);
		/* A zombie has lost its lane already. */
		child_kill_to_zombie(&child);
		if (n % 2)
			child_reap(&child);
		expect_ok(send_one_shot(1000 + n));
		if (n % 2 == 0)
			child_reap(&child);
	}
	expect_int(inspect("m").lanes, 1);
	for (uint64_t n = 0; n < 50; n++) {
		expect_number(receiver, n);
		expect_number(receiver, 1000 + n);
	}
	expect_empty(receiver);
	cubby_close(receiver);
}

static void
a_living_senders_lane_is_its_own(void)
{
	cubby_mailbox *receiver = create_with(0), *alive;
	struct child child;

	alive = open_mailbox("m", CUBBY_SEND, NULL);
	in_child(&child) {
		cubby_mailbox *own = open_mailbox("m", CUBBY_SEND, NULL);

		expect_int(fill_mailbox(own), 128);
		send_number(own, 128);
	}
	child_wait_asleep(&child);
	child_stop(&child);
	/* Stopped is not dead. */
	expect_ok(send_one_shot(0));
	expect_int(inspect("m").lanes, 3);
	expect_ok(send_one_shot(1));
	expect_int(inspect("m").lanes, 3);
	send_number(alive, 5);
	child_continue(&child);
	for (int n = 0; n < 128 + 1 + 2 + 1; n++)
		receive_number(receiver);
	child_finish(&child);
	cubby_close(alive);
	cubby_close(receiver);
}

/* As many lanes as there ever were senders at once. */
static void
lanes_are_as_many_as_senders_at_once(void)
{
	cubby_mailbox *receiver = create_with(0), *senders[10];

	for (int round = 0; round < 5; round++) {
		for (uint64_t i = 0; i < 10; i++) {
			senders[i] = open_mailbox("m", CUBBY_SEND, NULL);
			send_number(senders[i], i);
		}
		for (int i = 0; i < 10; i++)
			cubby_close(senders[(i * 7) % 10]);
		for (uint64_t i = 0; i < 10; i++)
			receive_number(receiver);
		expect_int(inspect("m").lanes, 10);
		expect_int(inspect("m").senders, 0);
	}
	cubby_close(receiver);
}

/* The next sender must not use the memory of what waits, or is held. */
static void
a_backlog_of_large_messages_survives(void)
{
	static char data[100000], buffer[100000];
	cubby_mailbox *receiver = create_with(0);
	struct gate sent = gate_make();
	cubby_message *held;
	struct child child;
	size_t size;

	for (uint64_t n = 0; n < 40; n++) {
		in_child(&child) {
			cubby_mailbox *own = open_mailbox("m", CUBBY_SEND,
							  NULL);

			pattern_fill(data, sizeof(data) - n * 2000, n);
			expect_ok(
				cubby_send(own, data, sizeof(data) - n * 2000));
			if (n % 2)
				cubby_close(own);
			gate_open(&sent);
			pause();
		}
		gate_wait(&sent);
		child_kill(&child);
		if (n == 0)
			expect_ok(cubby_hold(receiver, NULL, soon(), &held));
	}
	expect_int(inspect("m").lanes, 1);
	for (uint64_t n = 1; n < 40; n++) {
		expect_ok(cubby_receive_full(receiver, NULL, 0, soon(), buffer,
					     sizeof(buffer), &size, NULL));
		expect_int(size, sizeof(data) - n * 2000);
		expect(pattern_holds(buffer, size, n));
	}
	expect(pattern_holds(cubby_message_data(held), sizeof(data), 0));
	expect_ok(cubby_release(held));
	expect_empty(receiver);
	cubby_close(receiver);
}

/* The receivers' file, as who has stood still in the middle of a call would
   still write it. */
static struct receivers_file *
map_receivers(struct geometry *ret)
{
	struct receivers_file *file;
	char path[PATH_MAX];
	int fd;

	find_file("/receivers", path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	expect_system(fd);
	file = mmap(NULL, sizeof(*file), PROT_READ, MAP_SHARED, fd, 0);
	expect(file != MAP_FAILED);
	expect_ok(layout_geometry(&file->attributes, ret));
	munmap(file, sizeof(*file));
	file = mmap(NULL, ret->receivers_length, PROT_READ | PROT_WRITE,
		    MAP_SHARED, fd, 0);
	expect(file != MAP_FAILED);
	close(fd);
	return file;
}

static struct claim *
find_claim(struct receivers_file *file, const struct geometry *g,
	   enum claim_state state)
{
	uint32_t n = 2 * CLAIMS_PER_CHUNK;
	struct claim *claim = NULL;

	while (n--) {
		claim = layout_claim(file, g, n);
		if (claim_state(word64_load_acquire(&claim->word)) == state)
			return claim;
	}
	fail_at(__FILE__, __LINE__, "no claim in state %d", (int)state);
}

/* Writes the claim of a receiver that saw the message before the one that is
   held, when that lay in the same block, and has stood still since. */
static struct claim *
intend_late(struct receivers_file *file, const struct geometry *g)
{
	const struct claim *held = find_claim(file, g, CLAIM_HELD);
	struct claim *late = layout_claim(file, g, 0);
	uint64_t word = word64_load_acquire(&late->word);

	expect_int(claim_state(word), CLAIM_FREE);
	expect(held != late);
	/* relaxed: nobody looks yet */
	word64_store_relaxed(&late->position,
			     word64_load_relaxed(&held->position) - 1);
	word64_store_relaxed(&late->lane, word64_load_relaxed(&held->lane));
	word64_store_relaxed(&late->size, word64_load_relaxed(&held->size));
	word64_store_relaxed(&late->block, word64_load_relaxed(&held->block));
	word64_store_release(&late->word, claim_with(word, claim_slot(word),
						     CLAIM_INTENT));
	return late;
}

#define LARGE 100000

/* `backlog` of them at a time. */
static void
exchange_large(cubby_mailbox *sender, cubby_mailbox *receiver, char *data,
	       uint64_t backlog)
{
	for (uint64_t n = 0; n < 40; n++) {
		for (uint64_t i = 0; n % backlog == 0 && i < backlog; i++) {
			pattern_fill(data, LARGE, 100 + n + i);
			expect_ok(cubby_send(sender, data, LARGE));
		}
		expect_ok(cubby_receive_full(receiver, NULL, 0, soon(), data,
					     LARGE, NULL, NULL));
		expect(pattern_holds(data, LARGE, 100 + n));
	}
}

static void
a_late_claim_does_not_hide_what_is_held(void)
{
	static char data[LARGE];
	cubby_mailbox *slow = create_with(0), *holder, *sender;
	struct receivers_file *file;
	struct geometry geometry;
	cubby_message *held;
	struct claim *late;

	sender = open_mailbox("m", CUBBY_SEND, NULL);
	/* The first claims are the slow one's. */
	exchange_large(sender, slow, data, 1);
	expect_ok(cubby_send(sender, data, LARGE));
	expect_ok(cubby_hold(slow, NULL, soon(), &held));
	expect_ok(cubby_release(held));
	holder = open_mailbox("m", CUBBY_RECEIVE, NULL);
	pattern_fill(data, LARGE, 7);
	expect_ok(cubby_send(sender, data, LARGE));
	expect_ok(cubby_hold(holder, NULL, soon(), &held));
	file = map_receivers(&geometry);
	late = intend_late(file, &geometry);
	cubby_close(sender);
	sender = open_mailbox("m", CUBBY_SEND, NULL);
	exchange_large(sender, slow, data, 1);
	/* It loses the race. */
	word64_store_release(&late->word,
			     claim_with(word64_load_acquire(&late->word), 0,
					CLAIM_FREE));
	exchange_large(sender, slow, data, 1);
	/* So many that all memory that is free gets used. */
	exchange_large(sender, slow, data, 40);
	expect(pattern_holds(cubby_message_data(held), LARGE, 7));
	expect_ok(cubby_release(held));
	munmap(file, geometry.receivers_length);
	cubby_close(sender);
	cubby_close(holder);
	cubby_close(slow);
}

static void
sequences_go_on_where_they_stood(void)
{
	struct cubby_envelope first = CUBBY_ENVELOPE_INIT, then = first;
	cubby_mailbox *mailbox;
	uint64_t sequence, tag;

	mailbox = open_mailbox("m", CUBBY_CREATE | CUBBY_SEND, NULL);
	first.tag = 11;
	expect_ok(cubby_send_full(mailbox, "x", 1, &first, 0, CUBBY_NOW));
	cubby_close(mailbox);
	mailbox = open_mailbox("m", CUBBY_SEND, NULL);
	expect_ok(cubby_published(mailbox, &sequence, &tag));
	expect(sequence == first.sequence);
	expect_int(tag, 11);
	expect_ok(cubby_send_full(mailbox, "x", 1, &then, 0, CUBBY_NOW));
	expect_int(then.sequence - first.sequence, 1);
	expect(then.sender == first.sender);
	cubby_close(mailbox);
}

/* Many at once, most of them killed at any moment. */
static void
crowds_leave_no_more_lanes_than_they_were(void)
{
	enum { CROWD = 6 };
	_Atomic uint64_t *accepted = shared_memory(sizeof(*accepted));
	cubby_mailbox *receiver = create_with(100000);
	uint64_t received = 0, low;

	for (int round = 0; round < MANY(100); round++) {
		struct child children[CROWD];

		low = atomic_load(accepted);
		for (int i = 0; i < CROWD; i++)
			in_child(&children[i]) {
				for (uint64_t n = 0; n < 20 || i % 2; n++) {
					expect_ok(send_one_shot(n));
					atomic_fetch_add(accepted, 1);
				}
			}
		for (int i = 0; i < CROWD; i += 2)
			child_finish(&children[i]);
		expect(atomic_load(accepted) >= low + 60);
		for (int i = 1; i < CROWD; i += 2)
			child_kill(&children[i]);
	}
	expect(inspect("m").lanes <= CROWD);
	while (inspect("m").waiting > 0) {
		receive_number(receiver);
		received++;
	}
	expect_empty(receiver);
	/* Of each that was killed, one may have been sent uncounted. */
	expect(received >= *accepted);
	expect(received <= *accepted + MANY(100) * CROWD / 2);
	cubby_close(receiver);
}

static const struct test tests[] = {
	TEST(a_thousand_senders_in_a_row_leave_one_lane),
	TEST(what_earlier_senders_left_counts),
	TEST(a_killed_senders_lane_is_taken_over),
	TEST(a_living_senders_lane_is_its_own),
	TEST(lanes_are_as_many_as_senders_at_once),
	TEST(a_backlog_of_large_messages_survives),
	TEST(a_late_claim_does_not_hide_what_is_held),
	TEST(sequences_go_on_where_they_stood),
	TEST(crowds_leave_no_more_lanes_than_they_were),
};

int
main(void)
{
	return RUN_TESTS("takeover", tests);
}
