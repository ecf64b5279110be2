/* SPDX-License-Identifier: MIT */
/*
 * Files that are cut short or overwritten while they are in use: whoever meets
 * that is told -EBADMSG, nobody dies of it, and what is sound goes on.
 */
#include "layout.h"
#include "support/support.h"
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)

/* Receives until there is nothing. Returns how many bore that letter. */
static int
receive_all(cubby_mailbox *mailbox, char sound, int *ret_errors)
{
	static char data[10000];
	int count = 0, result;

	*ret_errors = 0;
	while ((result = cubby_receive_full(mailbox, NULL, 0, CUBBY_NOW, data,
					    sizeof(data), NULL, NULL)) !=
	       -EAGAIN) {
		if (result == 0) {
			/* Of the other's, what is told is what was sent. */
			expect(data[0] == sound || data[0] == 'b');
			count += data[0] == sound;
			continue;
		}
		expect_result(result, -EBADMSG);
		++*ret_errors;
		/* It must come to an end. */
		expect(*ret_errors < 100);
	}
	return count;
}

static void
send_letters(cubby_mailbox *mailbox, char letter, int count)
{
	static char data[10000];

	memset(data, letter, sizeof(data));
	for (int i = 0; i < count; i++)
		expect_ok(cubby_send(mailbox, data, i % 2 ? sizeof(data) : 9));
}

static void
a_lane_cut_short_is_cut_off_and_others_go_on(void)
{
	cubby_mailbox *receiver, *bad, *good;
	char path[PATH_MAX];
	int errors;

	receiver = open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE, NULL);
	bad = open_mailbox("m", CUBBY_SEND, NULL);
	find_file("/lane.0", path);
	good = open_mailbox("m", CUBBY_SEND, NULL);
	send_letters(bad, 'b', 50);
	send_letters(good, 'g', 50);
	expect_system(truncate(path, 0));
	expect(receive_all(receiver, 'g', &errors) == 50);
	expect(errors >= 1);
	expect_int(inspect("m").broken, 1);
	send_letters(good, 'g', 100);
	expect_int(receive_all(receiver, 'g', &errors), 100);
	expect_int(errors, 0);
	cubby_close(bad);
	cubby_close(good);
	cubby_close(receiver);
}

/* Nobody will receive what is on it. */
static void
waiting_on_a_lane_that_is_cut_off_ends(void)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	cubby_mailbox *receiver, *bad;
	char path[PATH_MAX];
	int errors;

	receiver = open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE, NULL);
	bad = open_mailbox("m", CUBBY_SEND, NULL);
	expect_ok(cubby_send_full(bad, "b", 1, &envelope, 0, soon()));
	expect_int(receive_all(receiver, 'b', &errors), 1);
	expect_ok(cubby_wait_received(bad, envelope.sequence, soon()));
	expect_ok(cubby_send_full(bad, "b", 1, &envelope, 0, soon()));
	find_file("/lane.0", path);
	expect_system(truncate(path, 0));
	receive_all(receiver, 'b', &errors);
	expect_int(inspect("m").broken, 1);
	expect_result(cubby_wait_received(bad, envelope.sequence, INT64_MAX),
		      -EBADMSG);
	/* What was received before was received. */
	expect_ok(cubby_wait_received(bad, envelope.sequence - 1, soon()));
	cubby_close(bad);
	cubby_close(receiver);
}

static void
a_lane_of_nonsense_is_cut_off_and_others_go_on(void)
{
	cubby_mailbox *receiver, *bad, *good;
	char path[PATH_MAX], nonsense[4096];
	int errors, fd;

	receiver = open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE, NULL);
	bad = open_mailbox("m", CUBBY_SEND, NULL);
	find_file("/lane.0", path);
	good = open_mailbox("m", CUBBY_SEND, NULL);
	send_letters(bad, 'b', 50);
	send_letters(good, 'g', 50);
	memset(nonsense, 0xff, sizeof(nonsense));
	fd = open(path, O_WRONLY | O_CLOEXEC);
	expect_system(fd);
	for (off_t page = 1; page < 8; page++)
		expect_int(pwrite(fd, nonsense, sizeof(nonsense),
				  page * (off_t)sizeof(nonsense)),
			   sizeof(nonsense));
	close(fd);
	expect_int(receive_all(receiver, 'g', &errors), 50);
	expect(errors >= 1);
	expect_int(inspect("m").broken, 1);
	send_letters(good, 'g', 100);
	expect_int(receive_all(receiver, 'g', &errors), 100);
	expect_int(errors, 0);
	cubby_close(bad);
	cubby_close(good);
	cubby_close(receiver);
}

static void
a_held_message_cut_short_is_told_at_release(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	cubby_message *message;
	char path[PATH_MAX];
	unsigned int sum = 0;
	int errors;

	find_file("/lane.0", path);
	send_letters(mailbox, 'x', 2);
	expect_int(receive_all(mailbox, 'x', &errors), 2);
	send_letters(mailbox, 'h', 2);
	expect_ok(cubby_receive(mailbox, &(char[16]){ 0 }, 16, NULL));
	expect_ok(cubby_hold(mailbox, NULL, CUBBY_NOW, &message));
	expect_system(truncate(path, 0));
	for (size_t i = 0; i < cubby_message_size(message); i++)
		sum += ((const unsigned char *)cubby_message_data(message))[i];
	expect(sum != 'h' * cubby_message_size(message));
	expect_result(cubby_release(message), -EBADMSG);
	cubby_close(mailbox);
}

static void
a_receivers_file_cut_short_is_told_to_all(void)
{
	cubby_mailbox *sender, *receiver;
	char path[PATH_MAX], byte;
	int result = 0;

	receiver = open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE, NULL);
	sender = open_mailbox("m", CUBBY_SEND, NULL);
	send_text(sender, "x");
	find_file("/receivers", path);
	expect_system(truncate(path, 0));
	/* A sender looks there when its lane seems full, at the latest. */
	for (int i = 0; i < 300 && result == 0; i++)
		result = cubby_send_full(sender, "x", 1, NULL, 0, CUBBY_NOW);
	expect_result(result, -EBADMSG);
	result = 0;
	for (int i = 0; i < 300 && result == 0; i++)
		result = cubby_receive_full(receiver, NULL, 0, CUBBY_NOW, &byte,
					    1, NULL, NULL);
	expect_result(result, -EBADMSG);
	cubby_close(sender);
	cubby_close(receiver);
}

/* Nothing in the doorbell is trusted. */
static void
a_doorbell_cut_short_delays_at_most(void)
{
	cubby_mailbox *sender, *receiver;
	char path[PATH_MAX];

	receiver = open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE, NULL);
	sender = open_mailbox("m", CUBBY_SEND, NULL);
	send_text(sender, "before");
	find_file("/doorbell", path);
	expect_system(truncate(path, 0));
	expect_text(receiver, "before");
	for (uint64_t n = 0; n < 500; n++) {
		send_number(sender, n);
		expect_number(receiver, n);
	}
	expect_empty(receiver);
	cubby_close(sender);
	cubby_close(receiver);
}

static void
a_sleeper_is_found_without_a_doorbell(void)
{
	cubby_mailbox *sender;
	char path[PATH_MAX];
	struct child child;

	sender = open_mailbox("m", CUBBY_CREATE | CUBBY_SEND, NULL);
	in_child(&child)
		expect_text(open_mailbox("m", CUBBY_RECEIVE, NULL), "found");
	child_wait_asleep(&child);
	find_file("/doorbell", path);
	expect_system(truncate(path, 0));
	send_text(sender, "found");
	child_finish(&child);
	cubby_close(sender);
}

/* In its place: receivers are beyond the beginning of whatever comes there. */
static void
the_number_of_a_lane_that_was_unlinked_is_left_alone(void)
{
	cubby_mailbox *receiver, *sender;
	char path[PATH_MAX];

	receiver = open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE, NULL);
	sender = open_mailbox("m", CUBBY_SEND, NULL);
	for (uint64_t n = 0; n < 5; n++) {
		send_number(sender, n);
		expect_number(receiver, n);
	}
	cubby_close(sender);
	find_file("/lane.0", path);
	expect_system(unlink(path));
	for (int round = 0; round < 3; round++) {
		sender = open_mailbox("m", CUBBY_SEND, NULL);
		for (uint64_t n = 0; n < 5; n++) {
			send_number(sender, n);
			expect_number(receiver, n);
		}
		cubby_close(sender);
		expect_ok(cubby_sweep("m", NULL));
	}
	expect_int(inspect("m").lanes, 2);
	cubby_close(receiver);
}

/* Other beginnings ------------------------------------------------------- */

/* What the first bytes of a file may say that are not ours. */
enum { VERSION, FINGERPRINT, ENDIANNESS, STRANGE, ANOTHERS, BEGINNINGS };

static void
begin_otherwise(const char *path, int how)
{
	struct identity identity;
	int fd = open(path, O_RDWR | O_CLOEXEC);

	expect_int(pread(fd, &identity, sizeof(identity), 0),
		   sizeof(identity));
	if (how == VERSION)
		identity.version++;
	else if (how == FINGERPRINT)
		identity.fingerprint ^= 1;
	else if (how == ENDIANNESS)
		identity.magic = __builtin_bswap64(identity.magic);
	else if (how == STRANGE)
		identity.magic ^= 1;
	else
		identity.uuid[15] ^= 1;
	expect_int(pwrite(fd, &identity, sizeof(identity), 0),
		   sizeof(identity));
	close(fd);
}

static int
told_of(int how)
{
	return how == STRANGE || how == ANOTHERS ? -EBADMSG : -EPROTO;
}

/* Cut off, whatever it is; the others go on. */
static void
a_lane_that_begins_otherwise_is_cut_off(void)
{
	for (int how = 0; how < BEGINNINGS; how++) {
		cubby_mailbox *receiver, *bad, *good;
		char path[PATH_MAX];
		int errors;

		bad = open_mailbox("m", CUBBY_CREATE | CUBBY_SEND, NULL);
		find_file("/lane.0", path);
		good = open_mailbox("m", CUBBY_SEND, NULL);
		receiver = open_mailbox("m", CUBBY_RECEIVE, NULL);
		send_letters(bad, 'b', 3);
		send_letters(good, 'g', 3);
		begin_otherwise(path, how);
		expect_int(receive_all(receiver, 'g', &errors), 3);
		expect_int(errors, 1);
		expect_int(inspect("m").broken, 1);
		/* And its next owner gets another. */
		cubby_close(bad);
		bad = open_mailbox("m", CUBBY_SEND, NULL);
		send_letters(bad, 'b', 1);
		expect_text(receiver, "bbbbbbbbb");
		cubby_close(bad);
		cubby_close(good);
		cubby_close(receiver);
		expect_ok(cubby_unlink("m"));
	}
}

static void
a_queue_that_begins_otherwise_is_told(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;

	options.order = CUBBY_ORDER_ARRIVAL;
	for (int how = 0; how < BEGINNINGS; how++) {
		struct cubby_info info = CUBBY_INFO_INIT;
		cubby_mailbox *mailbox, *other;
		char path[PATH_MAX];

		mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, &options);
		find_file("/queue", path);
		begin_otherwise(path, how);
		expect_result(cubby_open("m", BOTH, NULL, &other),
			      told_of(how));
		expect(cubby_inspect("m", &info) <= 0);
		/* Who has looked once does not look again. */
		send_text(mailbox, "goes on");
		expect_text(mailbox, "goes on");
		cubby_close(mailbox);
		expect_ok(cubby_unlink("m"));
	}
}

static void
a_mailbox_that_begins_otherwise_is_told(void)
{
	for (int how = 0; how < ANOTHERS; how++) {
		struct cubby_info info = CUBBY_INFO_INIT;
		cubby_mailbox *mailbox;
		char path[PATH_MAX];

		cubby_close(open_mailbox("m", CUBBY_CREATE | BOTH, NULL));
		find_file("/receivers", path);
		begin_otherwise(path, how);
		for (int role = 0; role <= BOTH; role++)
			expect_result(cubby_open("m", role, NULL, &mailbox),
				      told_of(how));
		expect_result(cubby_inspect("m", &info), told_of(how));
		expect_result(cubby_sweep("m", NULL), told_of(how));
		expect_ok(cubby_unlink("m"));
	}
}

static void
a_region_that_begins_otherwise_is_told(void)
{
	for (int how = 0; how < ANOTHERS; how++) {
		struct cubby_region_info info = CUBBY_REGION_INFO_INIT;
		cubby_region *region;
		char path[PATH_MAX];

		expect_ok(cubby_region_open("r", CUBBY_CREATE | CUBBY_WRITE,
					    NULL, &region));
		cubby_region_close(region);
		find_file("/memory", path);
		begin_otherwise(path, how);
		expect_result(cubby_region_open("r", 0, NULL, &region),
			      told_of(how));
		expect_result(cubby_region_open("r", CUBBY_WRITE, NULL,
						&region), told_of(how));
		expect_result(cubby_region_inspect("r", &info), told_of(how));
		expect_ok(cubby_region_unlink("r"));
	}
}

/* A server that cannot read the file of replies cannot reply; the next caller
   makes another. */
static void
a_reply_file_that_begins_otherwise_fails_its_calls(void)
{
	for (int how = 0; how < BEGINNINGS; how++) {
		struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
		cubby_mailbox *caller, *server;
		char path[PATH_MAX], *end, byte;
		struct dirent *entry;
		cubby_request *request;
		int result;
		DIR *lanes;

		caller = open_mailbox("m", CUBBY_CREATE | CUBBY_SEND, NULL);
		server = open_mailbox("m", CUBBY_RECEIVE, NULL);
		expect_ok(cubby_call_begin(caller, "x", 1, NULL, CUBBY_NOW,
					   &request));
		find_file("/lane.0", path);
		end = strrchr(path, '/');
		*end++ = '\0';
		lanes = opendir(path);
		end[-1] = '/';
		while ((entry = readdir(lanes)) != NULL)
			if (!strncmp(entry->d_name, "reply.", 6))
				strcpy(end, entry->d_name);
		closedir(lanes);
		begin_otherwise(path, how);
		result = cubby_receive_full(server, NULL, 0, CUBBY_NOW, &byte,
					    1, NULL, &envelope);
		if (result == 0)
			expect_result(cubby_reply(server, &envelope, "y", 1),
				      -EPIPE);
		else
			expect_result(result, -EAGAIN);
		result = cubby_call_end(request, &byte, 1, NULL, CUBBY_NOW);
		expect(result == -EPIPE || result == -EAGAIN ||
		       result == -EBADMSG);
		if (result == -EAGAIN)
			cubby_call_cancel(request);
		cubby_close(caller);
		caller = open_mailbox("m", CUBBY_SEND, NULL);
		expect_ok(cubby_call_begin(caller, "x", 1, NULL, CUBBY_NOW,
					   &request));
		expect_ok(cubby_receive_full(server, NULL, 0, CUBBY_NOW, &byte,
					     1, NULL, &envelope));
		expect_ok(cubby_reply(server, &envelope, "y", 1));
		expect_ok(cubby_call_end(request, &byte, 1, NULL, soon()));
		cubby_close(caller);
		cubby_close(server);
		expect_ok(cubby_unlink("m"));
	}
}

/* What is planted among the lanes is ignored. */
static void
strange_files_among_the_lanes_are_survived(void)
{
	static const char *const names[] = { "lane.1", "lane.2", "lane.x",
					     "lane.99999999999", "stranger" };
	cubby_mailbox *mailbox, *other;
	char path[PATH_MAX], *end;

	mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	find_file("/lane.0", path);
	end = strrchr(path, '/') + 1;
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		strcpy(end, names[i]);
		if (i % 2)
			expect_system(symlink("/etc/passwd", path));
		else
			close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	}
	other = open_mailbox("m", BOTH, NULL);
	send_text(mailbox, "one");
	expect_text(other, "one");
	send_text(other, "two");
	expect_text(mailbox, "two");
	expect_empty(other);
	inspect("m");
	expect_ok(cubby_sweep("m", NULL));
	cubby_close(mailbox);
	cubby_close(other);
}

/* What a letter begins with in the file is looked for there. */
static off_t
find_letters(const char *path)
{
	static const char letters[] = "wwwwwwwwwwwwwwww";
	struct stat st;
	char *map, *found;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	expect_system(fd);
	expect_system(fstat(fd, &st));
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	expect(map != MAP_FAILED);
	found = memmem(map, (size_t)st.st_size, letters, 16);
	expect(found);
	munmap(map, (size_t)st.st_size);
	close(fd);
	return found - map;
}

/* A message half of which is there: in its slot, which lies over two pages, or in
   its block. */
static void
what_a_queue_s_files_have_lost_is_not_peeked_at(void)
{
	for (int block = 0; block < 2; block++) {
		struct cubby_options options = CUBBY_OPTIONS_INIT;
		static char data[100000], read[100000];
		cubby_mailbox *mailbox;
		char path[PATH_MAX];
		off_t begin;

		options.order = CUBBY_ORDER_ARRIVAL;
		options.cell_size = 4096;
		mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, &options);
		memset(data, 'w', sizeof(data));
		expect_ok(cubby_send(mailbox, data, block ? 100000 : 4000));
		find_file(block ? "/blocks" : "/queue", path);
		begin = find_letters(path);
		expect_system(truncate(path, (begin / 4096 + 1) * 4096));
		expect_result(cubby_receive_full(mailbox, NULL, CUBBY_PEEK,
						 CUBBY_NOW, read, sizeof(read),
						 NULL, NULL),
			      -EBADMSG);
		cubby_close(mailbox);
		expect_ok(cubby_unlink("m"));
	}
}

static const struct test tests[] = {
	TEST(a_lane_cut_short_is_cut_off_and_others_go_on),
	TEST(waiting_on_a_lane_that_is_cut_off_ends),
	TEST(a_lane_of_nonsense_is_cut_off_and_others_go_on),
	TEST(a_held_message_cut_short_is_told_at_release),
	TEST(a_receivers_file_cut_short_is_told_to_all),
	TEST(a_doorbell_cut_short_delays_at_most),
	TEST(what_a_queue_s_files_have_lost_is_not_peeked_at),
	TEST(a_sleeper_is_found_without_a_doorbell),
	TEST(the_number_of_a_lane_that_was_unlinked_is_left_alone),
	TEST(strange_files_among_the_lanes_are_survived),
	TEST(a_mailbox_that_begins_otherwise_is_told),
	TEST(a_lane_that_begins_otherwise_is_cut_off),
	TEST(a_queue_that_begins_otherwise_is_told),
	TEST(a_reply_file_that_begins_otherwise_fails_its_calls),
	TEST(a_region_that_begins_otherwise_is_told),
};

int
main(void)
{
	return RUN_TESTS("damage", tests);
}
