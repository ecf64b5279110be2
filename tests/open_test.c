/* SPDX-License-Identifier: MIT */
/* Test: timeout 240. */
/* cubby_open(), cubby_close(), cubby_unlink(): what they do and refuse. */
#include "support/support.h"
#include "layout.h"
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)

static int
try_open(const char *name, int flags, const struct cubby_options *options)
{
	cubby_mailbox *untouched = (void *)&untouched, *mailbox = untouched;
	int result = cubby_open(name, flags, options, &mailbox);

	if (result == 0)
		cubby_close(mailbox);
	else
		expect(mailbox == untouched);
	return result;
}

static void
a_mailbox_is_made_once_and_opened_often(void)
{
	cubby_mailbox *first, *second;

	expect_result(try_open("m", CUBBY_SEND, NULL), -ENOENT);
	expect_result(try_open("m", 0, NULL), -ENOENT);
	first = open_mailbox("m", CUBBY_CREATE | CUBBY_SEND, NULL);
	second = open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE, NULL);
	send_text(first, "hello");
	expect_text(second, "hello");
	expect_result(try_open("m", CUBBY_CREATE | CUBBY_EXCLUSIVE | CUBBY_SEND,
			       NULL),
		      -EEXIST);
	expect_ok(try_open("m", BOTH, NULL));
	cubby_close(first);
	cubby_close(second);
	cubby_close(NULL);
}

static void
a_handle_without_a_role_creates(void)
{
	expect_ok(try_open("m", CUBBY_CREATE, NULL));
	expect_int(inspect("m").lanes, 0);
	expect_int(inspect("m").receivers, 0);
	expect_ok(try_open("m", 0, NULL));
}

static void
a_persistent_mailbox_keeps_its_messages(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | CUBBY_SEND,
					      NULL);

	send_text(mailbox, "still there");
	cubby_close(mailbox);
	mailbox = open_mailbox("m", CUBBY_RECEIVE, NULL);
	expect_text(mailbox, "still there");
	cubby_close(mailbox);
}

/* Names ------------------------------------------------------------------ */

static void
names_are_apart(void)
{
	static const char *const names[] = { "jobs",  "/jobs", "@jobs", "Jobs",
					     "jobs.", "a b",   "jobs\n" };
	cubby_mailbox *mailboxes[COUNT_OF(names)];

	for (size_t i = 0; i < COUNT_OF(names); i++) {
		mailboxes[i] = open_mailbox(
			names[i], CUBBY_CREATE | BOTH | CUBBY_EXCLUSIVE, NULL);
		send_text(mailboxes[i], names[i]);
	}
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		expect_text(mailboxes[i], names[i]);
		expect_empty(mailboxes[i]);
		cubby_close(mailboxes[i]);
		expect_ok(cubby_unlink(names[i]));
	}
}

static void
names_that_make_no_sense_are_refused(void)
{
	static const char *const names[] = { "",    "/",   "//",  "//a", "a/b",
					     "/a/", "a/",  ".",	  "..",	 ".a",
					     "/.a", "/..", "../a" };
	struct cubby_info info = CUBBY_INFO_INIT;

	for (size_t i = 0; i < COUNT_OF(names); i++) {
		expect_result(try_open(names[i], CUBBY_CREATE | BOTH, NULL),
			      -EINVAL);
		expect_result(cubby_unlink(names[i]), -EINVAL);
		expect_result(cubby_inspect(names[i], &info), -EINVAL);
	}
}

static void
a_name_may_have_200_bytes(void)
{
	char name[CUBBY_NAME_MAX + 2];
	cubby_mailbox *mailbox;
	struct cubby_info info = CUBBY_INFO_INIT;

	for (int prefix = 0; prefix < 3; prefix++) {
		memset(name, 'n', sizeof(name));
		name[0] = "n/@"[prefix];
		name[CUBBY_NAME_MAX] = '\0';
		mailbox = open_mailbox(name, CUBBY_CREATE | BOTH, NULL);
		send_text(mailbox, "long");
		expect_text(mailbox, "long");
		cubby_close(mailbox);
		expect_ok(cubby_unlink(name));

		name[CUBBY_NAME_MAX] = 'n';
		name[CUBBY_NAME_MAX + 1] = '\0';
		expect_result(try_open(name, CUBBY_CREATE | BOTH, NULL),
			      -ENAMETOOLONG);
		expect_result(cubby_unlink(name), -ENAMETOOLONG);
		expect_result(cubby_inspect(name, &info), -ENAMETOOLONG);
		expect_result(cubby_sweep(name, NULL), -ENAMETOOLONG);
	}
}

/* Arguments -------------------------------------------------------------- */

static void
flags_that_make_no_sense_are_refused(void)
{
	static const int flags[] = {
		CUBBY_EXCLUSIVE,	   CUBBY_EXCLUSIVE | CUBBY_SEND,
		CUBBY_CREATE | CUBBY_PEEK, CUBBY_CREATE | CUBBY_SYNCHRONOUS,
		CUBBY_CREATE | 1 << 20,	   -1
	};

	for (size_t i = 0; i < COUNT_OF(flags); i++)
		expect_result(try_open("m", flags[i], NULL), -EINVAL);
	expect_result(cubby_open("m", CUBBY_CREATE, NULL, NULL), -EINVAL);
	expect_result(try_open(NULL, CUBBY_CREATE, NULL), -EINVAL);
	expect_result(try_open("m", 0, NULL), -ENOENT);
}

static struct cubby_options
options_with(void (*set)(struct cubby_options *options))
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;

	set(&options);
	return options;
}

#define SETTER(name, what) \
	static void name(struct cubby_options *options) \
	{ \
		options->what; \
	}
SETTER(no_size, struct_size = 0)
SETTER(short_size, struct_size = sizeof(size_t) - 1)
SETTER(bad_order, order = 3)
SETTER(bad_buffering, buffering = 3)
SETTER(bad_sizing, sizing = 2)
SETTER(bad_lifetime, lifetime = 2)
SETTER(bad_capacity, capacity = (1 << 30) + 1)
SETTER(bad_message_max, message_max = (1 << 30) + 1)
SETTER(odd_cell, cell_size = 100)
SETTER(small_cell, cell_size = 32)
SETTER(large_cell, cell_size = 8192)
SETTER(execute_bits, mode = 0700)
SETTER(set_id_bits, mode = 04600)
SETTER(empty_sender, sender = "")
SETTER(long_sender,
       sender =
	       "0123456789012345678901234567890123456789012345678901234567890123")

static void
options_that_make_no_sense_are_refused(void)
{
	static void (*const setters[])(struct cubby_options *) = {
		no_size,     short_size,   bad_order,	 bad_buffering,
		bad_sizing,  bad_lifetime, bad_capacity, bad_message_max,
		odd_cell,    small_cell,   large_cell,	 execute_bits,
		set_id_bits, empty_sender, long_sender
	};

	for (size_t i = 0; i < COUNT_OF(setters); i++) {
		struct cubby_options options = options_with(setters[i]);
		int result = try_open("m", CUBBY_CREATE | BOTH, &options);

		if (result != -EINVAL)
			fail_at(__FILE__, __LINE__, "options %zu: %d", i,
				result);
	}
	expect_result(try_open("m", 0, NULL), -ENOENT);
}

static void
limits_themselves_are_allowed(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	char sender[64];

	need_64_bits();
	if (START_POSITION)
		skip_test("writes to all the memory of a lane");
	memset(sender, 's', 63);
	sender[63] = '\0';
	options.sender = sender;
	options.capacity = UINT64_C(1) << 30;
	options.message_max = UINT64_C(1) << 30;
	for (options.cell_size = 64; options.cell_size <= 4096;
	     options.cell_size *= 2) {
		cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH,
						      &options);

		send_text(mailbox, "first");
		expect_text(mailbox, "first");
		cubby_close(mailbox);
		expect_ok(cubby_unlink("m"));
	}
}

/* A program built with a later header must not believe that what this library
   does not know was done. */
static void
options_of_a_later_header_are_not_ignored(void)
{
	struct {
		struct cubby_options options;
		uint64_t later[4];
	} extended = { CUBBY_OPTIONS_INIT, { 0, 1, 0, 0 } };

	extended.options.struct_size = sizeof(extended);
	expect_result(try_open("m", CUBBY_CREATE | BOTH, &extended.options),
		      -EINVAL);
	expect_result(try_open("m", 0, NULL), -ENOENT);
}

/* Nor one with an earlier header that more was asked for than it knows. */
static void
options_of_an_earlier_header_are_understood(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;

	options.capacity = 5;
	options.struct_size = offsetof(struct cubby_options, message_max);
	options.message_max = 1;
	options.cell_size = 99;
	options.sender = "";
	expect_ok(try_open("m", CUBBY_CREATE | BOTH, &options));
	expect_int(inspect("m").capacity, 5);
	expect_int(inspect("m").message_max, 1 << 20);
}

static void
rendezvous_needs_one_buffer_for_all(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;

	options.buffering = CUBBY_RENDEZVOUS;
	expect_result(try_open("m", CUBBY_CREATE | BOTH, &options), -EINVAL);
	expect_result(try_open("m", 0, NULL), -ENOENT);
	options.order = CUBBY_ORDER_ARRIVAL;
	options.capacity = 1;
	expect_result(try_open("m", CUBBY_CREATE | BOTH, &options), -EINVAL);
	options.capacity = 0;
	expect_ok(try_open("m", CUBBY_CREATE | BOTH, &options));
}

/* In a queue a receiver writes what senders write. */
static void
a_queue_lets_each_class_do_both_or_neither(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;

	options.order = CUBBY_ORDER_ARRIVAL;
	options.mode = 0620;
	expect_result(try_open("m", CUBBY_CREATE | BOTH, &options), -EINVAL);
	options.mode = 0640;
	expect_result(try_open("m", CUBBY_CREATE | BOTH, &options), -EINVAL);
	options.mode = 0660;
	expect_ok(try_open("m", CUBBY_CREATE | BOTH, &options));
}

SETTER(other_lifetime, lifetime = CUBBY_TEMPORARY)
SETTER(other_sizing, sizing = CUBBY_FIXED)
SETTER(other_buffering, buffering = CUBBY_RENDEZVOUS)
SETTER(other_order, order = CUBBY_ORDER_ARRIVAL)
SETTER(other_capacity, capacity = 11)
SETTER(other_message_max, message_max = 1001)
SETTER(other_memory_limit, memory_limit = 1 << 21)
SETTER(other_cell_size, cell_size = 64)

static void
attributes_must_be_those_that_are(void)
{
	static void (*const setters[])(struct cubby_options *) = {
		other_lifetime,	    other_sizing,   other_buffering,
		other_order,	    other_capacity, other_message_max,
		other_memory_limit, other_cell_size
	};
	struct cubby_options made = CUBBY_OPTIONS_INIT;

	made.capacity = 10;
	made.message_max = 1000;
	made.memory_limit = 1 << 20;
	made.cell_size = 256;
	expect_ok(try_open("m", CUBBY_CREATE, &made));
	expect_ok(try_open("m", CUBBY_CREATE | BOTH, &made));
	expect_ok(try_open("m", CUBBY_CREATE | BOTH, NULL));
	for (size_t i = 0; i < COUNT_OF(setters); i++) {
		struct cubby_options options = options_with(setters[i]);
		int created = try_open("m", CUBBY_CREATE | BOTH, &options);
		int opened = try_open("m", BOTH, &options);

		if (created != -EEXIST || opened != -EEXIST)
			fail_at(__FILE__, __LINE__, "options %zu: %d, %d", i,
				created, opened);
	}
	made.mode = 0666;
	expect_ok(try_open("m", CUBBY_CREATE | BOTH, &made));
	expect_int(inspect("m").mode, 0600);
}

static void
defaults_are_as_documented(void)
{
	struct cubby_info info;

	expect_ok(try_open("m", CUBBY_CREATE, NULL));
	info = inspect("m");
	expect_int(info.order, CUBBY_ORDER_SENDER);
	expect_int(info.buffering, CUBBY_LIMITED);
	expect_int(info.sizing, CUBBY_VARIABLE);
	expect_int(info.lifetime, CUBBY_PERSISTENT);
	expect_int(info.capacity, 128);
	expect_int(info.message_max, 1 << 20);
	expect_int(info.cell_size, 128);
	expect_int(info.mode, 0600);
	expect_int(info.uid, geteuid());
	expect_int(info.gid, getegid());
	expect(info.memory_limit > 0 && info.memory_limit <= 64 << 20);
}

static void
the_umask_is_not_applied(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;

	options.mode = 0666;
	umask(0777);
	expect_ok(try_open("m", CUBBY_CREATE | BOTH, &options));
	expect_ok(try_open("/m", CUBBY_CREATE | BOTH, &options));
	umask(022);
	expect_int(inspect("m").mode, 0666);
	expect_int(inspect("/m").mode, 0666);
}

/* Places ----------------------------------------------------------------- */

static void
a_file_in_its_place_is_no_mailbox(void)
{
	char path[PATH_MAX], inside[PATH_MAX + 10];
	struct cubby_info info = CUBBY_INFO_INIT;

	expect_ok(try_open("m", CUBBY_CREATE, NULL));
	find_file("/receivers", path);
	*strrchr(path, '/') = '\0';
	expect_ok(cubby_unlink("m"));
	expect_ok(cubby_sweep(NULL, NULL));
	close(open(path, O_CREAT | O_WRONLY, 0600));
	expect_result(try_open("m", BOTH, NULL), -ENOTDIR);
	expect_result(try_open("m", CUBBY_CREATE | BOTH, NULL), -ENOTDIR);
	expect_result(cubby_unlink("m"), -ENOTDIR);
	expect_result(cubby_inspect("m", &info), -ENOTDIR);
	expect_result(cubby_sweep("m", NULL), -ENOTDIR);
	expect_system(unlink(path));
	expect_system(symlink("/tmp", path));
	expect_result(try_open("m", BOTH, NULL), -ENOTDIR);
	expect_result(cubby_unlink("m"), -ENOTDIR);
	expect_system(unlink(path));
	expect_system(mkdir(path, 0700));
	snprintf(inside, sizeof(inside), "%s/stranger", path);
	close(open(inside, O_CREAT | O_WRONLY, 0600));
	expect_result(try_open("m", BOTH, NULL), -ENOTDIR);
	expect_result(try_open("m", CUBBY_CREATE | BOTH, NULL), -ENOTDIR);
	expect_result(cubby_unlink("m"), -ENOTDIR);
	expect_result(cubby_inspect("m", &info), -ENOTDIR);
	expect_result(cubby_sweep("m", NULL), -ENOTDIR);
	expect_system(unlink(inside));
	expect_system(rmdir(path));
}

/* Nothing but a removal that was broken off leaves one. */
static void
an_empty_directory_is_in_nobodys_way(void)
{
	char path[PATH_MAX];
	struct cubby_info info = CUBBY_INFO_INIT;

	expect_ok(try_open("m", CUBBY_CREATE, NULL));
	find_file("/receivers", path);
	*strrchr(path, '/') = '\0';
	expect_ok(cubby_unlink("m"));
	expect_system(mkdir(path, 0700));
	expect_result(cubby_inspect("m", &info), -ENOENT);
	expect_result(try_open("m", BOTH, NULL), -ENOENT);
	expect(access(path, F_OK) != 0);
	expect_system(mkdir(path, 0700));
	expect_ok(try_open("m", CUBBY_CREATE | CUBBY_EXCLUSIVE, NULL));
}

static void
a_root_that_others_may_write_is_refused(void)
{
	struct cubby_info info = CUBBY_INFO_INIT;

	expect_ok(try_open("m", CUBBY_CREATE, NULL));
	expect_ok(try_open("/m", CUBBY_CREATE, NULL));
	expect_system(chmod(test_root(), 0777));
	for (int machine_wide = 0; machine_wide < 2; machine_wide++) {
		const char *name = machine_wide ? "/m" : "m";

		expect_result(try_open(name, CUBBY_CREATE | BOTH, NULL),
			      -EPERM);
		expect_result(cubby_unlink(name), -EPERM);
		expect_result(cubby_inspect(name, &info), -EPERM);
		expect_result(cubby_sweep(name, NULL), -EPERM);
	}
	expect_system(chmod(test_root(), 0730));
	expect_result(try_open("/m", BOTH, NULL), -EPERM);
	expect_system(chmod(test_root(), 01777));
	expect_ok(try_open("m", BOTH, NULL));
	expect_ok(try_open("/m", BOTH, NULL));
	expect_system(chmod(test_root(), 0700));
}

static void
a_root_of_somebody_else_is_refused(void)
{
	need_root();
	expect_ok(try_open("m", CUBBY_CREATE, NULL));
	expect_system(chown(test_root(), 54321, 54321));
	expect_result(try_open("m", BOTH, NULL), -EPERM);
	expect_result(try_open("/m", CUBBY_CREATE | BOTH, NULL), -EPERM);
	expect_system(chown(test_root(), 0, 0));
	expect_ok(try_open("m", BOTH, NULL));
}

static void
a_users_directory_of_somebody_else_is_refused(void)
{
	char path[PATH_MAX];

	need_root();
	snprintf(path, sizeof(path), "%s/cubby-%d", test_root(), geteuid());
	expect_system(mkdir(path, 0700));
	expect_system(chown(path, 54321, 54321));
	expect_result(try_open("m", CUBBY_CREATE | BOTH, NULL), -EPERM);
	expect_system(chown(path, 0, 0));
	expect_system(chmod(path, 0777));
	expect_result(try_open("m", CUBBY_CREATE | BOTH, NULL), -EPERM);
	expect_system(rmdir(path));
	expect_system(symlink("/tmp", path));
	expect_result(try_open("m", CUBBY_CREATE | BOTH, NULL), -EPERM);
	expect_system(unlink(path));
}

static void
overwrite(const char *path, off_t offset, const void *bytes, size_t size)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	expect_system(fd);
	expect_int(pwrite(fd, bytes, size, offset), size);
	close(fd);
}

static void
another_version_is_told(void)
{
	uint32_t ours = LAYOUT_VERSION, other = LAYOUT_VERSION + 1;
	off_t version = offsetof(struct receivers_file, identity.version);
	struct cubby_info info = CUBBY_INFO_INIT;
	char path[PATH_MAX];

	expect_ok(try_open("m", CUBBY_CREATE, NULL));
	find_file("/receivers", path);
	overwrite(path, version, &other, sizeof(other));
	expect_result(try_open("m", BOTH, NULL), -EPROTO);
	expect_result(try_open("m", CUBBY_CREATE | BOTH, NULL), -EPROTO);
	expect_result(cubby_inspect("m", &info), -EPROTO);
	overwrite(path, version, &ours, sizeof(ours));
	expect_ok(try_open("m", BOTH, NULL));
}

static void
a_damaged_mailbox_is_told(void)
{
	uint64_t garbage = UINT64_C(0x123456789abcdef0);
	struct cubby_info info = CUBBY_INFO_INIT;
	char path[PATH_MAX];

	expect_ok(try_open("m", CUBBY_CREATE, NULL));
	find_file("/receivers", path);
	overwrite(path, 0, &garbage, sizeof(garbage));
	expect_result(try_open("m", BOTH, NULL), -EBADMSG);
	expect_result(cubby_inspect("m", &info), -EBADMSG);
	expect_system(truncate(path, 0));
	expect_result(try_open("m", BOTH, NULL), -EBADMSG);
	expect_result(cubby_inspect("m", &info), -EBADMSG);
	expect_ok(cubby_unlink("m"));
	expect_ok(try_open("m", CUBBY_CREATE | CUBBY_EXCLUSIVE | BOTH, NULL));
}

/* Limits ----------------------------------------------------------------- */

static void
allow_many_descriptors(void)
{
	struct rlimit limit;

	expect_system(getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = limit.rlim_max;
	expect_system(setrlimit(RLIMIT_NOFILE, &limit));
	if (limit.rlim_cur < 16384)
		skip_test("too few descriptors are allowed");
}

/* Opens until it is refused; returns how many were, and closes all. */
static size_t
open_until_refused(int role, size_t most, int *ret_result)
{
	cubby_mailbox **mailboxes = calloc(most + 1, sizeof(*mailboxes));
	size_t count = 0;

	expect(mailboxes != NULL);
	while (count <= most &&
	       (*ret_result = cubby_open("m", role, NULL, &mailboxes[count])) ==
		       0)
		count++;
	for (size_t i = 0; i < count; i++)
		cubby_close(mailboxes[i]);
	free(mailboxes);
	return count;
}

static void
receivers_are_limited(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	int result = 0;

	allow_many_descriptors();
	options.capacity = 1;
	expect_ok(try_open("m", CUBBY_CREATE, &options));
	expect_int(open_until_refused(CUBBY_RECEIVE, RECEIVERS_MAX, &result),
		   RECEIVERS_MAX);
	expect_result(result, -EUSERS);
	expect_ok(try_open("m", CUBBY_RECEIVE, NULL));
}

static void
senders_of_one_user_are_limited(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	int result = 0;

	need_64_bits();
	allow_many_descriptors();
	options.capacity = 1;
	expect_ok(try_open("m", CUBBY_CREATE, &options));
	expect_int(open_until_refused(CUBBY_SEND, LANES_PER_UID, &result),
		   LANES_PER_UID);
	expect_result(result, -EUSERS);
	expect_ok(try_open("m", CUBBY_SEND, NULL));
	expect_int(inspect("m").lanes, LANES_PER_UID);
}

/* With one descriptor more each time, until it is enough. */
static void
too_few_descriptors_are_told_and_leave_nothing(void)
{
	struct rlimit limit;
	rlim_t all, lowest = dup(0);
	int result = -EMFILE;

	close(lowest);
	expect_system(getrlimit(RLIMIT_NOFILE, &limit));
	all = limit.rlim_max;
	for (rlim_t more = 0; result == -EMFILE; more++) {
		expect(more < 64);
		limit.rlim_cur = lowest + more;
		limit.rlim_max = all;
		expect_system(setrlimit(RLIMIT_NOFILE, &limit));
		result = try_open("m", CUBBY_CREATE | BOTH, NULL);
		if (more == 0)
			expect_result(result, -EMFILE);
	}
	expect_ok(result);
	limit.rlim_cur = all;
	expect_system(setrlimit(RLIMIT_NOFILE, &limit));
	expect_ok(cubby_unlink("m"));
	expect_ok(cubby_sweep(NULL, NULL));
	expect_int(count_files(), 1);
}

/* Unlinking -------------------------------------------------------------- */

static void
a_mailbox_that_is_unlinked_goes_on_for_its_users(void)
{
	cubby_mailbox *sender, *receiver, *other;

	sender = open_mailbox("m", CUBBY_CREATE | CUBBY_SEND, NULL);
	receiver = open_mailbox("m", CUBBY_RECEIVE, NULL);
	send_text(sender, "before");
	expect_ok(cubby_unlink("m"));
	expect_result(cubby_unlink("m"), -ENOENT);
	expect_result(try_open("m", BOTH, NULL), -ENOENT);
	send_text(sender, "after");
	other = open_mailbox("m", CUBBY_CREATE | CUBBY_EXCLUSIVE | BOTH, NULL);
	expect_empty(other);
	expect_text(receiver, "before");
	expect_text(receiver, "after");
	send_text(other, "of the other");
	expect_empty(receiver);
	expect_text(other, "of the other");
	cubby_close(sender);
	cubby_close(receiver);
	cubby_close(other);
}

/* A lane that appears after the unlinking, and one that is large. */
static void
large_messages_go_on_after_unlinking(void)
{
	static char data[1 << 20], buffer[1 << 20];
	cubby_mailbox *sender, *receiver;
	size_t size;

	sender = open_mailbox("m", CUBBY_CREATE | CUBBY_SEND, NULL);
	receiver = open_mailbox("m", CUBBY_RECEIVE, NULL);
	expect_ok(cubby_unlink("m"));
	pattern_fill(data, sizeof(data), 1);
	for (int i = 0; i < 50; i++) {
		expect_ok(cubby_send(sender, data, sizeof(data)));
		expect_ok(
			cubby_receive(receiver, buffer, sizeof(buffer), &size));
		expect_bytes(buffer, size, data, sizeof(data));
	}
	cubby_close(sender);
	cubby_close(receiver);
}

static void
the_last_user_of_an_unlinked_mailbox_removes_it(void)
{
	cubby_mailbox *sender, *receiver;
	size_t files;

	expect_ok(try_open("m", CUBBY_CREATE, NULL));
	expect_ok(cubby_unlink("m"));
	files = count_files();
	expect_int(files, 1);
	sender = open_mailbox("m", CUBBY_CREATE | CUBBY_SEND, NULL);
	receiver = open_mailbox("m", CUBBY_RECEIVE, NULL);
	expect_ok(cubby_unlink("m"));
	expect(count_files() > files);
	cubby_close(sender);
	expect(count_files() > files);
	cubby_close(receiver);
	expect_int(count_files(), files);
}

/* Temporary ones --------------------------------------------------------- */

static struct cubby_options
temporary(void)
{
	return options_with(other_lifetime);
}

static void
a_temporary_mailbox_ends_with_its_last_user(void)
{
	struct cubby_options options = temporary();
	cubby_mailbox *keeper, *user;

	keeper = open_mailbox("m", CUBBY_CREATE, &options);
	user = open_mailbox("m", BOTH, NULL);
	send_text(user, "one");
	cubby_close(user);
	user = open_mailbox("m", BOTH, NULL);
	cubby_close(keeper);
	expect_text(user, "one");
	cubby_close(user);
	expect_result(try_open("m", BOTH, NULL), -ENOENT);
	expect_int(count_files(), 1);
}

static void
a_temporary_mailbox_ends_with_its_killed_last_user(void)
{
	struct cubby_options options = temporary();
	struct gate opened = gate_make();
	struct child child;

	for (int role = 0; role <= BOTH; role++) {
		in_child(&child) {
			open_mailbox("m", CUBBY_CREATE | role, &options);
			gate_open(&opened);
			pause();
		}
		gate_wait(&opened);
		expect_ok(try_open("m", 0, NULL));
		child_kill(&child);
		expect_result(try_open("m", BOTH, NULL), -ENOENT);
		expect_ok(try_open("m", CUBBY_CREATE | CUBBY_EXCLUSIVE | BOTH,
				   &options));
	}
}

/* Its users are dead, and who comes makes another. */
static void
what_has_ended_does_not_exist(void)
{
	struct cubby_options options = temporary();
	struct child child;

	options.capacity = 10;
	for (int round = 0; round < 2; round++) {
		in_child(&child) {
			open_mailbox("m", CUBBY_CREATE | BOTH, &options);
			raise(SIGKILL);
		}
		expect_int(waitpid(child.pid, NULL, 0), child.pid);
		close(child.pidfd);
		expect_ok(try_open(
			"m",
			CUBBY_CREATE | BOTH | (round ? CUBBY_EXCLUSIVE : 0),
			round ? &options : NULL));
		/* Of the first round, a persistent one. */
		expect_result(cubby_unlink("m"), round ? -ENOENT : 0);
	}
}

static void
set_state(const char *path, uint32_t state)
{
	overwrite(path, offsetof(struct receivers_file, state), &state,
		  sizeof(state));
}

static uint32_t
get_state(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint32_t state;

	expect_system(fd);
	expect_int(pread(fd, &state, sizeof(state),
			 offsetof(struct receivers_file, state)),
		   sizeof(state));
	close(fd);
	return state & 3;
}

/* Somebody was killed while he looked whether it has ended. */
static void
who_comes_takes_closing_back(void)
{
	struct cubby_options options = temporary();
	cubby_mailbox *keeper = open_mailbox("m", CUBBY_CREATE, &options);
	cubby_mailbox *user;
	char path[PATH_MAX];

	find_file("/receivers", path);
	for (int role = 0; role <= BOTH; role++) {
		set_state(path, 7 << 2 | STATE_CLOSING);
		user = open_mailbox("m", role, NULL);
		expect_int(get_state(path), STATE_OPEN);
		cubby_close(user);
	}
	cubby_close(keeper);
	expect_int(count_files(), 1);
}

static void
who_may_not_take_closing_back_is_told(void)
{
	struct cubby_options options = temporary();
	cubby_mailbox *keeper;
	struct child child;
	char path[PATH_MAX];

	need_root();
	share_root();
	options.mode = 0622;
	keeper = open_mailbox("/m", CUBBY_CREATE | BOTH, &options);
	find_file("/receivers", path);
	set_state(path, STATE_CLOSING);
	in_child(&child) {
		become(54321, 54321, 0);
		expect_result(try_open("/m", CUBBY_SEND, NULL), -EACCES);
		expect_result(try_open("/m", CUBBY_CREATE | CUBBY_SEND, NULL),
			      -EACCES);
	}
	child_finish(&child);
	set_state(path, STATE_DEAD);
	in_child(&child) {
		become(54321, 54321, 0);
		expect_result(try_open("/m", CUBBY_SEND, NULL), -ENOENT);
		expect_result(try_open("/m", CUBBY_CREATE | CUBBY_SEND, NULL),
			      -EACCES);
	}
	child_finish(&child);
	cubby_close(keeper);
}

static void
a_persistent_one_that_says_it_is_dead_is_damaged(void)
{
	char path[PATH_MAX];

	expect_ok(try_open("m", CUBBY_CREATE, NULL));
	find_file("/receivers", path);
	set_state(path, STATE_DEAD);
	expect_result(try_open("m", CUBBY_CREATE | BOTH, NULL), -EBADMSG);
	expect_result(try_open("m", CUBBY_SEND, NULL), -EBADMSG);
	expect_ok(cubby_unlink("m"));
	expect_ok(try_open("m", CUBBY_CREATE | CUBBY_EXCLUSIVE, NULL));
}

/* They race to be the last who leaves and the first who comes. */
static void
users_of_a_temporary_mailbox_come_and_go(void)
{
	struct cubby_options options = temporary();
	struct child children[4];

	for (int i = 0; i < 4; i++)
		in_child(&children[i])
			for (int round = 0; round < MANY(400); round++) {
				cubby_mailbox *mailbox = open_mailbox(
					"m", CUBBY_CREATE | BOTH, &options);

				send_number(mailbox, round);
				receive_number(mailbox);
				cubby_close(mailbox);
			}
	for (int i = 0; i < 4; i++)
		child_finish(&children[i]);
	expect_result(try_open("m", BOTH, NULL), -ENOENT);
	/* Who met somebody else who removes left it to the next who looks. */
	expect_ok(cubby_sweep(NULL, NULL));
	expect_int(count_files(), 1);
}

static void
of_many_who_create_one_does(void)
{
	struct gate ready = gate_make(), go = gate_make();
	_Atomic int *made = shared_memory(sizeof(*made));
	struct child children[4];

	for (int round = 0; round < MANY(100); round++) {
		atomic_store(made, 0);
		for (int i = 0; i < 4; i++)
			in_child(&children[i]) {
				int result;

				gate_open(&ready);
				gate_wait(&go);
				result = try_open("m",
						  CUBBY_CREATE | BOTH |
							  CUBBY_EXCLUSIVE,
						  NULL);
				if (result == 0)
					atomic_fetch_add(made, 1);
				else
					expect_result(result, -EEXIST);
			}
		for (int i = 0; i < 4; i++)
			gate_wait(&ready);
		for (int i = 0; i < 4; i++)
			gate_open(&go);
		for (int i = 0; i < 4; i++)
			child_finish(&children[i]);
		expect_int(*made, 1);
		expect_ok(cubby_unlink("m"));
	}
	expect_ok(cubby_sweep(NULL, NULL));
	expect_int(count_files(), 1);
}

/* None is refused because another was quicker. */
static void
all_who_create_or_open_at_once_get_it(void)
{
	struct gate ready = gate_make(), go = gate_make();
	struct child children[4];

	for (int round = 0; round < MANY(300); round++) {
		for (int i = 0; i < 4; i++)
			in_child(&children[i]) {
				cubby_mailbox *mailbox;

				gate_open(&ready);
				gate_wait(&go);
				mailbox = open_mailbox("m", CUBBY_CREATE | BOTH,
						       NULL);
				send_number(mailbox, i);
				cubby_close(mailbox);
			}
		for (int i = 0; i < 4; i++)
			gate_wait(&ready);
		for (int i = 0; i < 4; i++)
			gate_open(&go);
		for (int i = 0; i < 4; i++)
			child_finish(&children[i]);
		expect_int(inspect("m").waiting, 4);
		expect_ok(cubby_unlink("m"));
	}
	expect_int(count_files(), 1);
}

static void
options_of_no_size_that_can_be_are_refused(void)
{
	static union {
		struct cubby_options options;
		char bytes[8192];
	} large;

	large.options.struct_size = 4097;
	expect_result(try_open("m", CUBBY_CREATE | BOTH, &large.options),
		      -EINVAL);
	large.options.struct_size = 4096;
	expect_ok(try_open("m", CUBBY_CREATE | BOTH, &large.options));
}

/* Of a fixed size, no size given is one: none. */
static void
a_fixed_size_is_asked_for_exactly(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;

	options.sizing = CUBBY_FIXED;
	options.message_max = 64;
	expect_ok(try_open("m", CUBBY_CREATE | BOTH, &options));
	expect_ok(try_open("m", CUBBY_CREATE | BOTH, &options));
	options.message_max = 0;
	expect_result(try_open("m", CUBBY_CREATE | BOTH, &options), -EEXIST);
	expect_ok(cubby_unlink("m"));
	expect_ok(try_open("m", CUBBY_CREATE | BOTH, &options));
	expect_ok(try_open("m", CUBBY_CREATE | BOTH, &options));
	expect_int(inspect("m").message_max, 0);
	options.message_max = 64;
	expect_result(try_open("m", CUBBY_CREATE | BOTH, &options), -EEXIST);
}

static void
what_is_no_group_is_refused(void)
{
	static const char *const groups[] = {
		"", "-1", "+1", " 1", "1 ", "1x", "0x1", "4294967295",
		"4294967296", "99999999999999999999999", "no such group", "/",
	};
	struct cubby_options options = CUBBY_OPTIONS_INIT;

	for (size_t i = 0; i < COUNT_OF(groups); i++) {
		options.group = groups[i];
		expect_result(try_open("m", CUBBY_CREATE | BOTH, &options),
			      -EINVAL);
	}
	expect_result(try_open("m", 0, NULL), -ENOENT);
}

static const struct test tests[] = {
	TEST(a_mailbox_is_made_once_and_opened_often),
	TEST(a_handle_without_a_role_creates),
	TEST(a_persistent_mailbox_keeps_its_messages),
	TEST(names_are_apart),
	TEST(names_that_make_no_sense_are_refused),
	TEST(a_name_may_have_200_bytes),
	TEST(flags_that_make_no_sense_are_refused),
	TEST(options_that_make_no_sense_are_refused),
	TEST(limits_themselves_are_allowed),
	TEST(options_of_a_later_header_are_not_ignored),
	TEST(options_of_an_earlier_header_are_understood),
	TEST(rendezvous_needs_one_buffer_for_all),
	TEST(a_queue_lets_each_class_do_both_or_neither),
	TEST(attributes_must_be_those_that_are),
	TEST(defaults_are_as_documented),
	TEST(the_umask_is_not_applied),
	TEST(a_file_in_its_place_is_no_mailbox),
	TEST(an_empty_directory_is_in_nobodys_way),
	TEST(a_root_that_others_may_write_is_refused),
	TEST(a_root_of_somebody_else_is_refused),
	TEST(a_users_directory_of_somebody_else_is_refused),
	TEST(another_version_is_told),
	TEST(a_damaged_mailbox_is_told),
	TEST(receivers_are_limited),
	TEST(senders_of_one_user_are_limited),
	TEST(too_few_descriptors_are_told_and_leave_nothing),
	TEST(a_mailbox_that_is_unlinked_goes_on_for_its_users),
	TEST(large_messages_go_on_after_unlinking),
	TEST(the_last_user_of_an_unlinked_mailbox_removes_it),
	TEST(a_temporary_mailbox_ends_with_its_last_user),
	TEST(a_temporary_mailbox_ends_with_its_killed_last_user),
	TEST(what_has_ended_does_not_exist),
	TEST(who_comes_takes_closing_back),
	TEST(who_may_not_take_closing_back_is_told),
	TEST(a_persistent_one_that_says_it_is_dead_is_damaged),
	TEST(users_of_a_temporary_mailbox_come_and_go),
	TEST(of_many_who_create_one_does),
	TEST(all_who_create_or_open_at_once_get_it),
	TEST(options_of_no_size_that_can_be_are_refused),
	TEST(a_fixed_size_is_asked_for_exactly),
	TEST(what_is_no_group_is_refused),
};

int
main(void)
{
	return RUN_TESTS("open", tests);
}
