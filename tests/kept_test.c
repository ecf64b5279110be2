/* SPDX-License-Identifier: MIT */
/*
 * A process closes all of its descriptors, as daemons do, and opens files of its own
 * under their numbers. Of these nothing is believed, and in these nothing is changed:
 * who lives is not called dead, and what cannot go on says so.
 */
#include "support/support.h"
#include <cubby_sync.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static const enum cubby_order orders[] = { CUBBY_ORDER_SENDER,
					   CUBBY_ORDER_ARRIVAL,
					   CUBBY_ORDER_PRIORITY };

#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)
#define NUMBERS 128	/* more than the library ever has open here */
#define SIZE (UINT64_C(1) << 20)

/* The application's file: its bytes are all 'A', and it has all of its memory. */
static int
make_own_file(void)
{
	int fd = memfd_create("own", MFD_CLOEXEC);
	static char block[65536];

	expect_system(fd);
	memset(block, 'A', sizeof(block));
	for (uint64_t done = 0; done < SIZE; done += sizeof(block))
		expect_int(write(fd, block, sizeof(block)), sizeof(block));
	return fd;
}

static void
expect_untouched(int fd)
{
	struct stat st;
	char *bytes;

	expect_system(fstat(fd, &st));
	expect_int(st.st_size, SIZE);
	expect_int(st.st_blocks, SIZE / 512);
	bytes = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
	expect(bytes != MAP_FAILED);
	for (uint64_t i = 0; i < SIZE; i++)
		if (bytes[i] != 'A')
			expect_int(i, -1);
	munmap(bytes, SIZE);
}

/* In a child: every number but the gates' is that file. */
static void
become_own(int file, const struct gate *one, const struct gate *other)
{
	int kept = fcntl(file, F_DUPFD, NUMBERS);

	expect_system(kept);
	for (int fd = 3; fd < NUMBERS; fd++)
		if (fd != one->fd && fd != other->fd)
			expect_system(dup2(kept, fd));
}

/* What is opened, or gets its memory, at the first message, and the first wait. */
static void
warm_up(cubby_mailbox *mailbox, bool sends)
{
	char text[8];

	if (sends) {
		send_text(mailbox, "first");
		expect_text(mailbox, "first");
	}
	expect_result(cubby_receive_full(mailbox, NULL, 0,
					 cubby_deadline_after(1000000), text,
					 sizeof(text), NULL, NULL),
		      -ETIMEDOUT);
}

static void
a_living_receiver_of_a_broadcast_is_waited_for(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	struct gate full = gate_make(), received = gate_make();
	uint64_t *sent = shared_memory(sizeof(*sent));
	int file = make_own_file();
	cubby_mailbox *mailbox;
	struct child child;

	options.delivery = CUBBY_EVERY;
	options.capacity = 16;
	mailbox = open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE, &options);
	in_child(&child) {
		cubby_mailbox *own = open_mailbox("m", CUBBY_SEND, NULL);
		int r = 0;

		become_own(file, &full, &received);
		while (r == 0 && *sent < 1000) {
			r = cubby_send_full(own, sent, sizeof(*sent), NULL, 0,
					    CUBBY_NOW);
			*sent += r == 0;
		}
		expect_result(r, -EAGAIN);
		/* Longer than until it is asked again who lives. */
		expect_result(cubby_send_full(own, sent, sizeof(*sent), NULL,
					      0, cubby_deadline_after(
					      INT64_C(50000000))), -ETIMEDOUT);
		gate_open(&full);
		gate_wait(&received);
		send_number(own, *sent);
		cubby_close(own);
		expect_untouched(NUMBERS);
	}
	gate_wait(&full);
	expect_int(*sent, 16);
	for (uint64_t i = 0; i < *sent; i++)
		expect_int(receive_number(mailbox), i);
	gate_open(&received);
	expect_int(receive_number(mailbox), 16);
	child_finish(&child);
	expect_untouched(file);
	close(file);
	cubby_close(mailbox);
}

/* Blocks are sent and received, more than has memory so far. Returns the first error,
   and what was accepted and received before. */
static int
exchange(cubby_mailbox *mailbox, uint64_t *sent, uint64_t *received)
{
	static char block[40000], got[40000];
	int r = 0;

	for (int round = 0; r == 0 && round < 40; round++) {
		for (int i = 0; r == 0 && i < 1 + round % 7; i++) {
			pattern_fill(block, sizeof(block), *sent);
			r = cubby_send_full(mailbox, block, sizeof(block),
					    NULL, 0, CUBBY_NOW);
			*sent += r == 0;
		}
		while (*received < *sent) {
			int result = cubby_receive_full(mailbox, NULL, 0,
							CUBBY_NOW, got,
							sizeof(got), NULL,
							NULL);

			expect_ok(result);
			expect(pattern_holds(got, sizeof(got), *received));
			++*received;
		}
	}
	return r;
}

static void
expect_own(int file, const struct gate *one, const struct gate *other)
{
	struct stat own, st;

	expect_untouched(file);
	expect_system(fstat(file, &own));
	for (int fd = 3; fd < NUMBERS; fd++)
		if (fd != one->fd && fd != other->fd) {
			expect_system(fstat(fd, &st));
			expect_int(st.st_ino, own.st_ino);
		}
}

/* What was accepted is received; what cannot be had is told by an error that says
   so; the files stay, also when the handle is closed. */
static void
exchange_without_descriptors(enum cubby_order order,
			     enum cubby_buffering buffering, size_t before)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	struct gate one = gate_make(), other = gate_make();
	int file = make_own_file(), r;
	struct child child;

	options.order = order;
	options.buffering = buffering;
	options.message_max = 100000;
	in_child(&child) {
		cubby_mailbox *own = open_mailbox("m", CUBBY_CREATE | BOTH,
						  &options);
		static char block[40000];
		uint64_t sent = 0, received = 0, more = before;

		warm_up(own, true);
		/* From here on the blocks of this lane are mapped. */
		expect_ok(cubby_send(own, block, sizeof(block)));
		expect_ok(cubby_receive(own, block, sizeof(block), NULL));
		for (; sent < before; sent++) {
			pattern_fill(block, sizeof(block), sent);
			expect_ok(cubby_send_full(own, block, sizeof(block),
						  NULL, 0, CUBBY_NOW));
		}
		become_own(file, &one, &other);
		if (more)
			expect_ok(cubby_receive_full(own, NULL, 0, CUBBY_NOW,
						     block, sizeof(block),
						     NULL, NULL));
		received += more != 0;
		r = exchange(own, &sent, &received);
		expect(r == 0 || r == -EMFILE || r == -EAGAIN);
		expect_int(received, sent);
		/* Many small ones: more of the ring, or more slots. */
		for (more = 0, r = 0; r == 0 && more < 100000; more += r == 0)
			r = cubby_send_full(own, &more, sizeof(more), NULL, 0,
					    CUBBY_NOW);
		expect(r == 0 || r == -EMFILE || r == -EAGAIN);
		for (uint64_t i = 0; i < more; i++)
			expect_int(receive_number(own), i);
		expect_empty(own);
		expect_own(NUMBERS, &one, &other);
		cubby_close(own);
		expect_own(NUMBERS, &one, &other);
	}
	child_finish(&child);
	expect_ok(cubby_unlink("m"));
	expect_untouched(file);
	close(file);
}

static void
a_limited_mailbox_leaves_other_files_alone(void)
{
	for (size_t i = 0; i < COUNT_OF(orders); i++)
		exchange_without_descriptors(orders[i], CUBBY_LIMITED, 0);
}

static void
what_is_in_a_limited_one_stays(void)
{
	for (size_t i = 0; i < COUNT_OF(orders); i++)
		exchange_without_descriptors(orders[i], CUBBY_LIMITED, 5);
}

static void
an_unlimited_mailbox_leaves_other_files_alone(void)
{
	for (size_t i = 0; i < COUNT_OF(orders); i++)
		exchange_without_descriptors(orders[i], CUBBY_UNLIMITED, 0);
}

/* But for what 32 bits do not address all of: see what_was_not_mapped_stays(). */
static void
what_is_in_an_unlimited_one_stays(void)
{
	for (size_t i = 0; i < COUNT_OF(orders); i++)
		if (!i || sizeof(void *) >= 8)
			exchange_without_descriptors(orders[i],
						     CUBBY_UNLIMITED, 100);
}

#define LONG_ONES 20

/* No way leads to the bytes of a long message, or to room for one; each way says so,
   and again. */
static void
expect_no_long_ones(cubby_mailbox *own)
{
	static char block[40000];
	struct cubby_batch_entry entries[4] = { { 0 } };
	cubby_message *message;
	cubby_draft *draft;

	for (int i = 0; i < 3; i++) {
		expect_result(cubby_receive_full(own, NULL, 0, CUBBY_NOW,
						 block, sizeof(block), NULL,
						 NULL), -EMFILE);
		expect_result(cubby_receive_full(own, NULL, CUBBY_PEEK,
						 CUBBY_NOW, block,
						 sizeof(block), NULL, NULL),
			      -EMFILE);
		expect_result(cubby_receive_batch(own, NULL, 0, CUBBY_NOW,
						  entries, COUNT_OF(entries),
						  block, sizeof(block)),
			      -EMFILE);
		expect_result(cubby_hold(own, NULL, CUBBY_NOW, &message),
			      -EMFILE);
		expect_result(cubby_send_full(own, block, sizeof(block), NULL,
					      0, CUBBY_NOW), -EMFILE);
		expect_result(cubby_reserve(own, sizeof(block), CUBBY_NOW,
					    &draft), -EMFILE);
	}
}

/* Who has no addresses for all blocks of a queue, as 32 bits have none for those of
   this one, maps and reads each through a descriptor: without it no long message is
   to be had, which is told; none is lost, nor moved. */
static void
keep_long_ones(enum cubby_order order)
{
	struct cubby_options options = { sizeof(options), .order = order };
	struct rlimit few = { 1 << 30, 1 << 30 };
	struct gate one = gate_make(), other = gate_make();
	int file = make_own_file();
	struct child child;

	in_child(&child) {
		static char block[40000];
		cubby_mailbox *own, *again;
		uint64_t i;

		expect_system(setrlimit(RLIMIT_AS, &few));
		own = open_mailbox("m", CUBBY_CREATE | BOTH, &options);
		warm_up(own, true);
		for (i = 0; i < LONG_ONES; i++) {
			pattern_fill(block, sizeof(block), i);
			expect_ok(cubby_send_full(own, block, sizeof(block),
						  NULL, 0, CUBBY_NOW));
		}
		become_own(file, &one, &other);
		expect_no_long_ones(own);
		send_text(own, "short");
		expect_own(NUMBERS, &one, &other);
		cubby_close(own);
		expect_own(NUMBERS, &one, &other);
		again = open_mailbox("m", CUBBY_RECEIVE, NULL);
		for (i = 0; i < LONG_ONES; i++) {
			expect_ok(cubby_receive(again, block, sizeof(block),
						NULL));
			expect(pattern_holds(block, sizeof(block), i));
		}
		expect_text(again, "short");
		expect_empty(again);
		cubby_close(again);
	}
	child_finish(&child);
	expect_ok(cubby_unlink("m"));
	expect_untouched(file);
	close(file);
}

static void
what_was_not_mapped_stays(void)
{
	if (UNDER_EMULATION)
		skip_test("an emulator does not limit memory");
	if (UNDER_ASAN || UNDER_TSAN)
		skip_test("a sanitizer needs its addresses");
	keep_long_ones(CUBBY_ORDER_ARRIVAL);
	keep_long_ones(CUBBY_ORDER_PRIORITY);
}

/* What a living process holds is given to nobody else. */
static void
hold_in_order(enum cubby_order order)
{
	struct cubby_options options = { sizeof(options), .order = order };
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH,
					      &options);
	struct gate held = gate_make(), done = gate_make();
	int file = make_own_file();
	cubby_message *message;
	struct child child;

	in_child(&child) {
		cubby_mailbox *own = open_mailbox("m", BOTH, NULL);
		char text[8];

		warm_up(own, true);
		become_own(file, &held, &done);
		gate_open(&held);
		gate_wait(&done);
		for (int i = 0; i < 20; i++) {
			expect_result(cubby_receive_full(own, NULL, 0,
				      cubby_deadline_after(INT64_C(20000000)),
				      text, sizeof(text), NULL, NULL),
				      -ETIMEDOUT);
		}
		cubby_close(own);
		expect_own(NUMBERS, &held, &done);
	}
	gate_wait(&held);
	send_text(mailbox, "held");
	expect_ok(cubby_hold(mailbox, NULL, CUBBY_NOW, &message));
	gate_open(&done);
	child_finish(&child);
	expect_ok(cubby_release(message));
	expect_empty(mailbox);
	cubby_close(mailbox);
	expect_ok(cubby_unlink("m"));
	expect_untouched(file);
	close(file);
}

static void
a_living_holder_keeps_its_message(void)
{
	for (size_t i = 0; i < COUNT_OF(orders); i++)
		hold_in_order(orders[i]);
}

/* A region's mutex that a living one has locked is not taken from it, and what has
   to have memory says that it cannot. */
static void
a_living_owner_keeps_its_mutex(void)
{
	struct cubby_region_options options = CUBBY_REGION_OPTIONS_INIT;
	struct gate locked = gate_make(), done = gate_make();
	int file = make_own_file();
	cubby_region *region;
	struct child child;

	options.size = 4096;
	options.size_max = 1 << 20;
	expect_ok(cubby_region_open("/r", CUBBY_CREATE | CUBBY_WRITE, &options,
				    &region));
	in_child(&child) {
		cubby_mutex *mutex;
		cubby_region *own;

		expect_ok(cubby_region_open("/r", CUBBY_WRITE, NULL, &own));
		mutex = cubby_region_data(own);
		become_own(file, &locked, &done);
		gate_open(&locked);
		gate_wait(&done);
		expect_result(cubby_mutex_lock(own, mutex,
			      cubby_deadline_after(INT64_C(200000000))),
			      -ETIMEDOUT);
		expect_result(cubby_region_grow(own, 100000), -EMFILE);
		cubby_region_close(own);
		expect_own(NUMBERS, &locked, &done);
	}
	gate_wait(&locked);
	expect_ok(cubby_mutex_lock(region, cubby_region_data(region),
				   CUBBY_NOW));
	gate_open(&done);
	child_finish(&child);
	expect_ok(cubby_mutex_unlock(region, cubby_region_data(region)));
	cubby_region_close(region);
	expect_untouched(file);
	close(file);
}

static uint64_t
call(cubby_mailbox *mailbox, const char *wanted, int *ret)
{
	static char reply[20000];
	size_t size = 0;

	*ret = cubby_call(mailbox, wanted, strlen(wanted), reply, sizeof(reply),
			  &size, soon());
	if (*ret == 0)
		expect(pattern_holds(reply, size, size));
	return size;
}

static int
serve(cubby_mailbox *mailbox)
{
	struct cubby_envelope request = CUBBY_ENVELOPE_INIT;
	static char text[64], reply[20000];
	size_t size;

	expect_ok(cubby_receive_full(mailbox, NULL, 0, soon(), text,
				     sizeof(text) - 1, &size, &request));
	text[size] = 0;
	size = (size_t)atoi(text);
	pattern_fill(reply, size, size);
	return cubby_reply(mailbox, &request, reply, size);
}

/* A server that lives is waited for; what lies in the file cannot be read any more. */
static void
call_in_order(enum cubby_order order)
{
	struct cubby_options options = { sizeof(options), .order = order };
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE,
					      &options);
	struct gate one = gate_make(), other = gate_make();
	int file = make_own_file(), r;
	struct child child;

	in_child(&child) {
		cubby_mailbox *own = open_mailbox("m", CUBBY_SEND, NULL);

		call(own, "20000", &r);
		expect_ok(r);
		become_own(file, &one, &other);
		expect_int(call(own, "20", &r), 20);
		expect_ok(r);
		call(own, "20000", &r);
		expect_result(r, -EMFILE);
		cubby_close(own);
		expect_own(NUMBERS, &one, &other);
	}
	for (int i = 0; i < 3; i++)
		expect_ok(serve(mailbox));
	child_finish(&child);
	cubby_close(mailbox);
	expect_ok(cubby_unlink("m"));
	expect_untouched(file);
	close(file);
}

static void
a_caller_reads_no_other_file(void)
{
	for (size_t i = 0; i < COUNT_OF(orders); i++)
		call_in_order(orders[i]);
}

/* What it cannot write into the caller's file it writes nowhere. */
static void
serve_in_order(enum cubby_order order)
{
	struct cubby_options options = { sizeof(options), .order = order };
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | CUBBY_SEND,
					      &options);
	struct gate served = gate_make(), closed = gate_make();
	int file = make_own_file(), r;
	struct child child;

	in_child(&child) {
		cubby_mailbox *own = open_mailbox("m", CUBBY_RECEIVE, NULL);

		warm_up(own, false);
		gate_open(&served);
		expect_ok(serve(own));
		become_own(file, &served, &closed);
		expect_ok(serve(own));
		expect_result(serve(own), -EMFILE);
		cubby_close(own);
		expect_own(NUMBERS, &served, &closed);
	}
	gate_wait(&served);
	call(mailbox, "20000", &r);
	expect_ok(r);
	call(mailbox, "20", &r);
	expect_ok(r);
	call(mailbox, "20000", &r);
	expect(r < 0);
	child_finish(&child);
	cubby_close(mailbox);
	expect_ok(cubby_unlink("m"));
	expect_untouched(file);
	close(file);
}

static void
a_server_writes_no_other_file(void)
{
	for (size_t i = 0; i < COUNT_OF(orders); i++)
		serve_in_order(orders[i]);
}

/* To give a name in a queue needs a lock in its directory, which is gone. */
static void
a_name_is_given_in_no_other_directory(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	struct gate one = gate_make(), other = gate_make();
	int file = make_own_file();
	struct child child;

	options.order = CUBBY_ORDER_ARRIVAL;
	in_child(&child) {
		struct cubby_filter of_nobody = CUBBY_FILTER_INIT;
		cubby_mailbox *own = open_mailbox("m", CUBBY_CREATE |
						  CUBBY_RECEIVE, &options);
		char text[8];

		of_nobody.sender_name = "nobody";
		become_own(file, &one, &other);
		expect_result(cubby_receive_full(own, &of_nobody, 0, CUBBY_NOW,
						 text, sizeof(text), NULL,
						 NULL), -EMFILE);
		cubby_close(own);
		expect_untouched(NUMBERS);
	}
	child_finish(&child);
	expect_untouched(file);
	close(file);
}

static const struct test tests[] = {
	TEST(a_living_receiver_of_a_broadcast_is_waited_for),
	TEST(a_limited_mailbox_leaves_other_files_alone),
	TEST(what_is_in_a_limited_one_stays),
	TEST(an_unlimited_mailbox_leaves_other_files_alone),
	TEST(what_is_in_an_unlimited_one_stays),
	TEST(what_was_not_mapped_stays),
	TEST(a_living_holder_keeps_its_message),
	TEST(a_living_owner_keeps_its_mutex),
	TEST(a_caller_reads_no_other_file),
	TEST(a_server_writes_no_other_file),
	TEST(a_name_is_given_in_no_other_directory),
};

int
main(void)
{
	return RUN_TESTS("kept", tests);
}
