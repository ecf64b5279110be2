/* SPDX-License-Identifier: MIT */
/* Test: timeout 240. */
/*
 * Broadcast mailboxes among those who lie, have other rights, or use it in other
 * ways: nobody is harmed beyond what the mailbox says.
 */
#include "base.h"
#include "broadcast.h"
#include "layout.h"
#include "support/support.h"
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)
#define GROUP 62000
#define OWNER 61001
#define MEMBER 61002
#define FELLOW 61003

static const enum cubby_delivery kinds[] = { CUBBY_EVERY,
					     CUBBY_EVERY_OVERTAKE };

static cubby_mailbox *
create_as(const char *name, enum cubby_delivery delivery, int roles,
	  mode_t mode)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;

	options.delivery = delivery;
	options.capacity = 8;
	options.mode = mode;
	options.group = mode ? "62000" : NULL;
	return open_mailbox(name, CUBBY_CREATE | roles, &options);
}

static cubby_mailbox *
create(enum cubby_delivery delivery, int roles)
{
	return create_as("m", delivery, roles, 0);
}

/* A file of the mailbox, mapped for writing: as one who may do that. */
static void *
map_file(const char *suffix, size_t *ret_size)
{
	char path[PATH_MAX];
	struct stat st;
	void *map;
	int fd;

	find_file(suffix, path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	expect_system(fd);
	expect_system(fstat(fd, &st));
	*ret_size = (size_t)st.st_size;
	map = mmap(NULL, *ret_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	expect(map != MAP_FAILED);
	close(fd);
	return map;
}

/* Receives until there is nothing: what comes is whole and in order. */
static uint64_t
hear(cubby_mailbox *mailbox, uint64_t *next, int *ret_errors)
{
	struct cubby_envelope e = CUBBY_ENVELOPE_INIT;
	uint64_t data[400], count = 0;
	int r;

	*ret_errors = 0;
	while ((r = cubby_receive_full(mailbox, NULL, 0, CUBBY_NOW, data,
				       sizeof(data), NULL, &e)) != -EAGAIN) {
		if (r < 0) {
			expect_result(r, -EBADMSG);
			expect(++*ret_errors < 100);
			continue;
		}
		expect(data[0] >= *next);
		*next = data[0] + 1;
		count++;
	}
	return count;
}

/* A receiver's silly cursor holds the sender back, or not; and no more. */
static void
a_silly_cursor_harms_nobody_else(void)
{
	static const uint64_t silly[] = { 0, 1, UINT64_MAX, INT64_MAX,
					  UINT64_C(1) << 48, 12345678 };

	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		cubby_mailbox *sender = create(kinds[i], CUBBY_SEND);
		cubby_mailbox *good = open_mailbox("m", CUBBY_RECEIVE, NULL);
		cubby_mailbox *bad = open_mailbox("m", CUBBY_RECEIVE, NULL);
		struct receivers_file *file;
		struct lane_cursor *cursor;
		uint64_t next = 0, sent = 0;
		size_t size;
		int errors;

		send_number(sender, sent++);
		hear(good, &next, &errors);
		file = map_file("/receivers", &size);
		/* Of slot 1, lane 0; see layout_cursor(). */
		cursor = (struct lane_cursor *)((char *)file + size) -
			 CURSORS_PER_PAGE;
		expect_int(cursor->known.word, 1);
		for (size_t k = 0; k < COUNT_OF(silly); k++) {
			cursor->next.word = silly[k];
			for (int n = 0; n < 100; n++) {
				if (cubby_send_full(sender, &sent, 8, NULL, 0,
						    CUBBY_NOW) == 0)
					sent++;
				hear(good, &next, &errors);
				expect_int(errors, 0);
				expect_int(next, sent);
			}
		}
		/* Whoever comes finds it in order. */
		cubby_close(bad);
		bad = open_mailbox("m", CUBBY_RECEIVE, NULL);
		send_number(sender, sent++);
		expect_number(bad, sent - 1);
		munmap(file, size);
		cubby_close(sender);
		cubby_close(good);
		cubby_close(bad);
		expect_ok(cubby_unlink("m"));
	}
}

/* What a sender writes into its own lane ends that lane, or not, and nothing
   else; no receiver hangs or dies of it. */
static void
a_lying_lane_is_cut_off(void)
{
	for (int round = 0; round < 400; round++) {
		cubby_mailbox *receiver = create(kinds[round % 2],
						 CUBBY_RECEIVE);
		cubby_mailbox *bad = open_mailbox("m", CUBBY_SEND, NULL);
		cubby_mailbox *good = open_mailbox("m", CUBBY_SEND, NULL);
		uint64_t next = 0, data[400] = { 0 };
		struct cubby_filter filter = CUBBY_FILTER_INIT;
		int errors, count = 0;
		uint64_t *words;
		size_t size;

		for (data[0] = 0; data[0] < 7; data[0]++)
			expect_ok(cubby_send(bad, data, data[0] % 2 ?
					     sizeof(data) : 8));
		if (round % 3)
			hear(receiver, &next, &errors);
		words = map_file("/lane.0", &size);
		srand((unsigned int)round);
		for (int k = 0; k < 40; k++) {
			size_t at = k % 2 ? 256 / 8 + (size_t)rand() % 4 :
				    512 + (size_t)rand() %
				    (size / 8 - 512 < 600 ? size / 8 - 512 :
							    600);

			words[at] = rand() % 2 ? (uint64_t)rand() % 64 :
				    UINT64_MAX >> rand() % 64;
		}
		munmap(words, size);
		for (int k = 0; k < 200; k++) {
			int r = cubby_receive_full(receiver, NULL, 0,
						   CUBBY_NOW, data,
						   sizeof(data), NULL, NULL);

			if (r == -EAGAIN)
				break;
			expect(r == 0 || r == -EBADMSG || r == -EMSGSIZE ||
			       r == -EOPNOTSUPP);
		}
		filter.sender = 2;
		for (uint64_t n = 0; n < 8; n++)
			send_number(good, n);
		while (cubby_receive_full(receiver, &filter, 0, CUBBY_NOW,
					  data, sizeof(data), NULL,
					  NULL) == 0)
			expect_int(data[0], count++);
		expect_int(count, 8);
		cubby_close(bad);
		cubby_close(good);
		cubby_close(receiver);
		expect_ok(cubby_unlink("m"));
	}
}

static void
a_lane_cut_short_is_cut_off(void)
{
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		cubby_mailbox *receiver = create(kinds[i], CUBBY_RECEIVE);
		cubby_mailbox *bad = open_mailbox("m", CUBBY_SEND, NULL);
		cubby_mailbox *good = open_mailbox("m", CUBBY_SEND, NULL);
		uint64_t n = 0, next = 0;
		char path[PATH_MAX];
		int errors;

		send_number(bad, 0);
		hear(receiver, &next, &errors);
		send_number(bad, 1);
		find_file("/lane.0", path);
		expect_system(truncate(path, 0));
		next = 0;
		hear(receiver, &next, &errors);
		expect_int(errors, 1);
		expect_result(cubby_send_full(bad, &n, sizeof(n), NULL, 0,
					      CUBBY_NOW),
			      -EBADMSG);
		send_number(good, 5);
		expect_number(receiver, 5);
		cubby_close(bad);
		cubby_close(good);
		cubby_close(receiver);
		expect_ok(cubby_unlink("m"));
	}
}

/* To see that something is to be told is not to be told it. */
static void
a_lane_of_nonsense_is_told_to_who_has_waited_first(void)
{
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		cubby_mailbox *receiver = create(kinds[i], CUBBY_RECEIVE);
		cubby_mailbox *bad = open_mailbox("m", CUBBY_SEND, NULL);
		struct cubby_wait_entry entry = { .mailbox = receiver,
						  .events = CUBBY_RECEIVE };
		uint64_t *file, n;
		size_t size;

		file = map_file("/lane.0", &size);
		file[0] = ~file[0];
		send_number(bad, 0);
		expect_int(cubby_wait(&entry, 1, CUBBY_NOW), 1);
		expect_result(cubby_receive_full(receiver, NULL, 0, CUBBY_NOW,
						 &n, sizeof(n), NULL, NULL),
			      -EBADMSG);
		expect_result(cubby_receive_full(receiver, NULL, 0, CUBBY_NOW,
						 &n, sizeof(n), NULL, NULL),
			      -EAGAIN);
		munmap(file, size);
		cubby_close(bad);
		cubby_close(receiver);
		expect_ok(cubby_unlink("m"));
	}
}

/* Its receivers' file gone, everybody is told. */
static void
a_receivers_file_cut_short_is_told(void)
{
	cubby_mailbox *mailbox = create(CUBBY_EVERY, BOTH);
	char path[PATH_MAX];
	uint64_t n = 0;
	int r = 0;

	send_number(mailbox, 0);
	find_file("/receivers", path);
	expect_system(truncate(path, 0));
	for (int k = 0; k < 100 && r == 0; k++)
		r = cubby_send_full(mailbox, &n, sizeof(n), NULL, 0, CUBBY_NOW);
	expect_result(r, -EBADMSG);
	r = 0;
	for (int k = 0; k < 100 && r == 0; k++)
		r = cubby_receive_full(mailbox, NULL, 0, CUBBY_NOW, &n,
				       sizeof(n), NULL, NULL);
	expect(r == -EBADMSG || r == -EAGAIN);
	cubby_close(mailbox);
}

/* Rights ----------------------------------------------------------------- */

#define as_user(child, uid) \
	in_child(child) \
		if (become_user(uid))

static bool
become_user(uid_t uid)
{
	become(uid, uid, GROUP);
	return true;
}

/* Members only send: their sends wait for the owner, who receives, and not for a
   dead one, of whom they cannot read `attendance`. */
static void
who_may_only_send_is_told_of_the_dead(void)
{
	struct gate joined = gate_make();
	struct child maker, receiver, sender;

	need_root();
	share_root();
	as_user(&maker, OWNER)
		cubby_close(create_as("/m", CUBBY_EVERY, 0, 0620));
	child_finish(&maker);
	as_user(&receiver, OWNER) {
		cubby_mailbox *mailbox = open_mailbox("/m", CUBBY_RECEIVE,
						      NULL);

		gate_open(&joined);
		for (uint64_t n = 0; n < 100; n++)
			expect_number(mailbox, n);
		gate_open(&joined);
		for (;;)
			pause();
	}
	gate_wait(&joined);
	as_user(&sender, MEMBER) {
		cubby_mailbox *mailbox = open_mailbox("/m", CUBBY_SEND, NULL);
		cubby_mailbox *none;

		expect_result(cubby_open("/m", CUBBY_RECEIVE, NULL, &none),
			      -EACCES);
		for (uint64_t n = 0; n < 200; n++)
			send_number(mailbox, n);
		cubby_close(mailbox);
	}
	gate_wait(&joined);
	child_wait_asleep(&sender);
	child_kill(&receiver);
	child_finish(&sender);
	as_user(&maker, OWNER) {
		expect_ok(cubby_unlink("/m"));
		expect_ok(cubby_sweep(NULL, NULL));
	}
	child_finish(&maker);
}

/* Locks for reading, which whoever may read the file can take, keep nobody from
   joining, and no dead one from being found. */
static void
lock_for_reading(bool all)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	cubby_mailbox *sender = create(CUBBY_EVERY, CUBBY_SEND);
	struct gate joined = gate_make();
	struct child child;
	char path[PATH_MAX];
	int fd;

	find_file("/receivers", path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	expect_system(fd);
	/* One; and then all there are. */
	lock.l_start = all ? 0 : (off_t)broadcast_voice(0, 1);
	lock.l_len = all ? 0 : 1;
	expect_system(fcntl(fd, F_OFD_SETLK, &lock));
	in_child(&child) {
		open_mailbox("m", CUBBY_RECEIVE, NULL);
		gate_open(&joined);
		for (;;)
			pause();
	}
	gate_wait(&joined);
	expect_int(fill_mailbox(sender), 8);
	child_kill(&child);
	if (all) {
		lock.l_type = F_UNLCK;
		expect_int(fill_mailbox(sender), 0);
		expect_system(fcntl(fd, F_OFD_SETLK, &lock));
	}
	for (uint64_t n = 0; n < 20; n++)
		send_number(sender, n);
	close(fd);
	cubby_close(sender);
	expect_ok(cubby_unlink("m"));
}

static void
a_senders_locks_are_in_nobodys_way(void)
{
	lock_for_reading(false);
	lock_for_reading(true);
}

/* Life ------------------------------------------------------------------- */

static void
users_of_an_unlinked_one_go_on(void)
{
	cubby_mailbox *sender = create(CUBBY_EVERY, CUBBY_SEND);
	cubby_mailbox *receiver = open_mailbox("m", CUBBY_RECEIVE, NULL);

	expect_ok(cubby_unlink("m"));
	for (uint64_t n = 0; n < 100; n++) {
		send_number(sender, n);
		expect_number(receiver, n);
	}
	cubby_close(sender);
	cubby_close(receiver);
	expect_int(count_files(), 1);
}

static void
a_temporary_one_ends_with_its_last_user(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	cubby_mailbox *sender, *receiver;
	struct cubby_info info = CUBBY_INFO_INIT;

	options.delivery = CUBBY_EVERY_OVERTAKE;
	options.lifetime = CUBBY_TEMPORARY;
	sender = open_mailbox("m", CUBBY_CREATE | CUBBY_SEND, &options);
	receiver = open_mailbox("m", CUBBY_RECEIVE, NULL);
	send_number(sender, 1);
	cubby_close(sender);
	expect_number(receiver, 1);
	cubby_close(receiver);
	expect_result(cubby_inspect("m", &info), -ENOENT);
}

/* A sweep leaves the history; and takes the dead out of the audience. */
static void
a_sweep_leaves_what_late_ones_may_ask_for(void)
{
	cubby_mailbox *sender = create(CUBBY_EVERY, CUBBY_SEND), *receiver;
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	struct gate joined = gate_make();
	struct child child;

	in_child(&child) {
		open_mailbox("m", CUBBY_RECEIVE, NULL);
		gate_open(&joined);
		for (;;)
			pause();
	}
	gate_wait(&joined);
	for (uint64_t n = 0; n < 8; n++)
		send_number(sender, n);
	expect_int(inspect("m").waiting, 8);
	child_kill(&child);
	cubby_close(sender);
	expect_ok(cubby_sweep("m", NULL));
	expect_int(inspect("m").waiting, 0);
	expect_int(inspect("m").receivers, 0);
	options.history = 8;
	receiver = open_mailbox("m", CUBBY_RECEIVE, &options);
	for (uint64_t n = 0; n < 8; n++)
		expect_number(receiver, n);
	cubby_close(receiver);
}

/* Slots are used again, cursors and all. */
static void
receivers_come_and_go(void)
{
	cubby_mailbox *sender = create(CUBBY_EVERY, CUBBY_SEND);
	cubby_mailbox *receivers[100];

	need_64_bits();
	for (int round = 0; round < 5; round++) {
		for (size_t i = 0; i < COUNT_OF(receivers); i++)
			receivers[i] = open_mailbox("m", CUBBY_RECEIVE, NULL);
		for (uint64_t n = 0; n < 8; n++)
			send_number(sender, n);
		for (size_t i = 0; i < COUNT_OF(receivers); i++)
			for (uint64_t n = 0; n < 8; n++)
				expect_number(receivers[i], n);
		for (size_t i = 0; i < COUNT_OF(receivers); i++)
			cubby_close(receivers[i]);
	}
	cubby_close(sender);
}

/* Several at once -------------------------------------------------------- */

static void
one_of_several_may_be_waited_for(void)
{
	struct cubby_wait_entry entries[2] = { { NULL, 0, 0 }, { NULL, 0, 0 } };
	cubby_mailbox *receiver = create(CUBBY_EVERY, CUBBY_RECEIVE);
	cubby_mailbox *sender = open_mailbox("m", CUBBY_SEND, NULL);
	struct child child;

	entries[0].mailbox = receiver;
	entries[0].events = CUBBY_RECEIVE;
	expect_result(cubby_wait(entries, 1, CUBBY_NOW), -EAGAIN);
	send_number(sender, 1);
	expect_int(cubby_wait(entries, 1, CUBBY_NOW), 1);
	expect_number(receiver, 1);
	in_child(&child) {
		cubby_mailbox *other = open_mailbox("m", CUBBY_RECEIVE, NULL);

		entries[0].mailbox = other;
		expect_int(cubby_wait(entries, 1, soon()), 1);
		expect_number(other, 2);
		cubby_close(other);
	}
	child_wait_asleep(&child);
	send_number(sender, 2);
	child_finish(&child);
	expect_number(receiver, 2);
	/* And for room. */
	expect_int(fill_mailbox(sender), 8);
	in_child(&child) {
		cubby_mailbox *other = open_mailbox("m", CUBBY_SEND, NULL);

		expect_int(fill_mailbox(other), 8);
		entries[0].mailbox = other;
		entries[0].events = CUBBY_SEND;
		expect_int(cubby_wait(entries, 1, soon()), 1);
		send_number(other, 99);
		cubby_close(other);
	}
	child_wait_asleep(&child);
	for (int i = 0; i < 16; i++)
		receive_number(receiver);
	child_finish(&child);
	cubby_close(sender);
	cubby_close(receiver);
}

static bool
is_readable(int fd, int milliseconds)
{
	struct pollfd polled = { .fd = fd, .events = POLLIN };

	return poll(&polled, 1, milliseconds) == 1;
}

/* A descriptor of each receiver tells of each message; a sender's of room, also
   when whoever held it back has died. */
static void
descriptors_tell_of_what_is_for_all(void)
{
	cubby_mailbox *a = create(CUBBY_EVERY, CUBBY_RECEIVE);
	cubby_mailbox *b = open_mailbox("m", CUBBY_RECEIVE, NULL);
	cubby_mailbox *sender = open_mailbox("m", CUBBY_SEND, NULL);
	int of_a = cubby_fd(a, CUBBY_RECEIVE), of_b, of_sender;
	struct gate joined = gate_make();
	struct child child;

	of_b = cubby_fd(b, CUBBY_RECEIVE);
	of_sender = cubby_fd(sender, CUBBY_SEND);
	expect(of_a >= 0 && of_b >= 0 && of_sender >= 0);
	for (uint64_t n = 0; n < 20; n++) {
		send_number(sender, n);
		expect(is_readable(of_a, 10000));
		expect(is_readable(of_b, 10000));
		expect_number(a, n);
		expect_number(b, n);
		expect_empty(a);
		expect_empty(b);
	}
	cubby_close(a);
	cubby_close(b);
	in_child(&child) {
		open_mailbox("m", CUBBY_RECEIVE, NULL);
		gate_open(&joined);
		for (;;)
			pause();
	}
	gate_wait(&joined);
	expect_int(fill_mailbox(sender), 8);
	child_kill(&child);
	expect(is_readable(of_sender, 10000));
	send_number(sender, 1);
	cubby_close(sender);
}

static void
batches_go_to_every_receiver(void)
{
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		cubby_mailbox *mailbox = create(kinds[i], BOTH);
		cubby_mailbox *other = open_mailbox("m", CUBBY_RECEIVE, NULL);
		struct cubby_batch_entry entries[8];
		uint64_t numbers[8], got[8];

		for (uint64_t round = 0; round < 50; round++) {
			memset(entries, 0, sizeof(entries));
			for (uint64_t n = 0; n < 8; n++) {
				numbers[n] = round * 8 + n;
				entries[n].data = &numbers[n];
				entries[n].size = sizeof(numbers[n]);
			}
			expect_int(cubby_send_batch(mailbox, entries, 8, 0,
						    CUBBY_NOW), 8);
			memset(entries, 0, sizeof(entries));
			expect_int(cubby_receive_batch(other, NULL, 0,
						       CUBBY_NOW, entries, 8,
						       got, sizeof(got)), 8);
			expect(!memcmp(got, numbers, sizeof(got)));
			for (uint64_t n = 0; n < 8; n++)
				expect_number(mailbox, round * 8 + n);
		}
		cubby_close(mailbox);
		cubby_close(other);
		expect_ok(cubby_unlink("m"));
	}
}

int
main(void)
{
	static const struct test tests[] = {
		TEST(a_silly_cursor_harms_nobody_else),
		TEST(a_lying_lane_is_cut_off),
		TEST(a_lane_cut_short_is_cut_off),
		TEST(a_lane_of_nonsense_is_told_to_who_has_waited_first),
		TEST(a_receivers_file_cut_short_is_told),
		TEST(who_may_only_send_is_told_of_the_dead),
		TEST(a_senders_locks_are_in_nobodys_way),
		TEST(users_of_an_unlinked_one_go_on),
		TEST(a_temporary_one_ends_with_its_last_user),
		TEST(a_sweep_leaves_what_late_ones_may_ask_for),
		TEST(receivers_come_and_go),
		TEST(one_of_several_may_be_waited_for),
		TEST(descriptors_tell_of_what_is_for_all),
		TEST(batches_go_to_every_receiver),
	};

	return RUN_TESTS("broadcast_damage", tests);
}
