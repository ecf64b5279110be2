/* SPDX-License-Identifier: MIT */
/* Test: timeout 120. */
/* Who may send and receive is set by mode and group, and enforced by the
   kernel between real users. Needs root, to be several of them. */
#include "support/support.h"
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)
#define NAME "/m"
#define GROUP 62000
#define OWNER 61001 /* and in the group */
#define MEMBER 61002
#define FELLOW 61003 /* a member as well */
#define STRANGER 61004

/* Runs the block that follows as that user, in a process of its own. */
#define as_user(child, uid) \
	in_child(child) \
		if (become_user(uid))

static bool
become_user(uid_t uid)
{
	become(uid, uid, uid == STRANGER ? 0 : GROUP);
	return true;
}

static void
create(mode_t mode)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	struct child child;

	share_root();
	options.mode = mode;
	options.group = "62000";
	as_user(&child, OWNER) {
		/* It takes no part in what the mode says. */
		umask(077);
		cubby_close(open_mailbox(NAME, CUBBY_CREATE | CUBBY_EXCLUSIVE,
					 &options));
	}
	child_finish(&child);
}

static void
remove_it(void)
{
	struct child child;

	as_user(&child, OWNER) {
		expect_ok(cubby_unlink(NAME));
		expect_ok(cubby_sweep(NULL, NULL));
	}
	child_finish(&child);
}

static int
try_open(int roles)
{
	cubby_mailbox *mailbox = NULL;
	int result = cubby_open(NAME, roles, NULL, &mailbox);

	if (result == 0)
		cubby_close(mailbox);
	return result;
}

static void
send_as(uid_t uid, uint64_t number)
{
	struct child child;

	as_user(&child, uid) {
		cubby_mailbox *mailbox = open_mailbox(NAME, CUBBY_SEND, NULL);

		send_number(mailbox, number);
		cubby_close(mailbox);
	}
	child_finish(&child);
}

static void
expect_from(cubby_mailbox *mailbox, uid_t uid, uint64_t number)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	uint64_t got = 0;

	expect_ok(cubby_receive_full(mailbox, NULL, 0, soon(), &got,
				     sizeof(got), NULL, &envelope));
	expect_int(got, number);
	expect_int(envelope.uid, uid);
}

/* What a class's bits (r: 4, w: 2) say of a role. */
static int
expected(unsigned int bits, int roles)
{
	if ((roles & CUBBY_SEND && !(bits & 2)) ||
	    (roles & CUBBY_RECEIVE && !(bits & 4)))
		return -EACCES;
	return 0;
}

static void
expect_roles(uid_t uid, unsigned int bits)
{
	struct child child;

	as_user(&child, uid)
		for (int roles = 1; roles <= BOTH; roles++)
			if (try_open(roles) != expected(bits, roles))
				fail_at(__FILE__, __LINE__,
					"user %d, bits %o, roles %d: %d", uid,
					bits, roles, try_open(roles));
	child_finish(&child);
}

static void
the_mode_says_who_may_do_what(void)
{
	static const mode_t modes[] = { 0600, 0660, 0666, 0620, 0640, 0622,
					0644, 0602, 0604, 0624, 0642, 0200,
					0400, 0264, 0426, 0060, 0006 };

	need_root();
	for (size_t i = 0; i < COUNT_OF(modes); i++) {
		mode_t mode = modes[i];

		create(mode);
		expect_int(inspect(NAME).mode, mode);
		expect_int(inspect(NAME).uid, OWNER);
		expect_int(inspect(NAME).gid, GROUP);
		expect_roles(OWNER, mode >> 6 & 7);
		expect_roles(MEMBER, mode >> 3 & 7);
		expect_roles(STRANGER, mode & 7);
		remove_it();
	}
}

static void
the_owner_receives_what_the_group_sends(void)
{
	struct child owner;

	need_root();
	create(0620);
	send_as(MEMBER, 1);
	send_as(FELLOW, 2);
	send_as(OWNER, 3);
	as_user(&owner, OWNER) {
		cubby_mailbox *mailbox = open_mailbox(NAME, CUBBY_RECEIVE,
						      NULL);
		uid_t users[] = { MEMBER, FELLOW, OWNER };
		bool came[4] = { false };

		expect_int(inspect(NAME).waiting, 3);
		for (int i = 0; i < 3; i++) {
			struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
			uint64_t number = 0;

			expect_ok(cubby_receive_full(mailbox, NULL, 0, soon(),
						     &number, sizeof(number),
						     NULL, &envelope));
			expect(number >= 1 && number <= 3 && !came[number]);
			came[number] = true;
			expect_int(envelope.uid, users[number - 1]);
		}
		cubby_close(mailbox);
	}
	child_finish(&owner);
	remove_it();
}

/* With both there at the same time, asleep and woken across users. */
static void
users_wake_each_other(void)
{
	struct child owner, member;

	need_root();
	create(0620);
	as_user(&owner, OWNER) {
		cubby_mailbox *mailbox = open_mailbox(NAME, CUBBY_RECEIVE,
						      NULL);

		for (uint64_t n = 0; n < 1000; n++)
			expect_from(mailbox, MEMBER, n);
		expect_empty(mailbox);
		cubby_close(mailbox);
	}
	child_wait_asleep(&owner);
	as_user(&member, MEMBER) {
		cubby_mailbox *mailbox = open_mailbox(NAME, CUBBY_SEND, NULL);
		uint64_t sequence, tag;

		for (uint64_t n = 0; n < 1000; n++)
			send_number(mailbox, n);
		expect_ok(cubby_published(mailbox, &sequence, &tag));
		expect_ok(cubby_wait_received(mailbox, sequence, soon()));
		cubby_close(mailbox);
	}
	child_finish(&member);
	child_finish(&owner);
	remove_it();
}

/* Held in place, or copied first: a foreign sender's bytes arrive. */
static void
a_foreign_users_messages_are_held(void)
{
	static char data[50000];
	struct child child;

	need_root();
	create(0622);
	for (int trust = 0; trust < 2; trust++) {
		int flags = CUBBY_RECEIVE | (trust ? CUBBY_TRUST_SENDERS : 0);

		as_user(&child, STRANGER) {
			cubby_mailbox *mailbox = open_mailbox(NAME, CUBBY_SEND,
							      NULL);

			pattern_fill(data, sizeof(data), trust);
			expect_ok(cubby_send(mailbox, data, sizeof(data)));
			expect_ok(cubby_send(mailbox, data, 30));
			cubby_close(mailbox);
		}
		child_finish(&child);
		as_user(&child, OWNER) {
			cubby_mailbox *mailbox = open_mailbox(NAME, flags,
							      NULL);
			cubby_message *message;

			for (int i = 0; i < 2; i++) {
				expect_ok(cubby_hold(mailbox, NULL, CUBBY_NOW,
						     &message));
				expect(pattern_holds(
					cubby_message_data(message),
					i ? 24 : sizeof(data), trust));
				expect_int(cubby_message_size(message),
					   i ? 30 : sizeof(data));
				expect_ok(cubby_release(message));
			}
			cubby_close(mailbox);
		}
		child_finish(&child);
	}
	remove_it();
}

/* By hand ---------------------------------------------------------------- */

static void
expect_no_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	if (fd >= 0 || errno != EACCES)
		fail_at(__FILE__, __LINE__, "user %d opens %s with %#x: %s",
			geteuid(), path, flags,
			fd >= 0 ? "yes" : strerror(errno));
}

static void
nobody_opens_a_file_that_is_not_for_him(void)
{
	char lane[PATH_MAX], receivers[PATH_MAX];
	struct child child;

	need_root();
	create(0620);
	send_as(MEMBER, 1);
	find_file("/lane.0", lane);
	find_file("/receivers", receivers);
	as_user(&child, FELLOW) {
		expect_no_open(lane, O_RDONLY);
		expect_no_open(lane, O_WRONLY);
		expect_no_open(receivers, O_WRONLY);
		expect(unlink(lane) == -1);
		expect(unlink(receivers) == -1);
	}
	child_finish(&child);
	as_user(&child, STRANGER) {
		expect_no_open(lane, O_RDONLY);
		expect_no_open(receivers, O_RDONLY);
		expect_no_open(lane, O_WRONLY);
		expect_no_open(receivers, O_WRONLY);
	}
	child_finish(&child);
	/* A receiver reads lanes and writes none. */
	as_user(&child, OWNER) {
		int fd = open(lane, O_RDONLY | O_CLOEXEC);

		expect_system(fd);
		close(fd);
		expect_no_open(lane, O_WRONLY);
	}
	child_finish(&child);
	remove_it();
}

static void
a_receiving_group_reads_lanes_and_writes_none(void)
{
	char lane[PATH_MAX];
	struct child child;

	need_root();
	create(0660);
	send_as(MEMBER, 1);
	find_file("/lane.0", lane);
	as_user(&child, FELLOW) {
		cubby_mailbox *mailbox = open_mailbox(NAME, BOTH, NULL);

		expect_no_open(lane, O_WRONLY);
		expect_from(mailbox, MEMBER, 1);
		cubby_close(mailbox);
	}
	child_finish(&child);
	remove_it();
}

static void
a_lane_is_taken_over_by_its_own_user_only(void)
{
	struct child child;

	need_root();
	create(0620);
	send_as(MEMBER, 0);
	send_as(FELLOW, 1);
	expect_int(inspect(NAME).lanes, 2);
	for (uint64_t n = 2; n < 20; n++)
		send_as(n % 2 ? FELLOW : MEMBER, n);
	expect_int(inspect(NAME).lanes, 2);
	as_user(&child, OWNER) {
		cubby_mailbox *mailbox = open_mailbox(NAME, CUBBY_RECEIVE,
						      NULL);
		uint64_t next[2] = { 0, 1 };

		for (int i = 0; i < 20; i++) {
			uint64_t n = receive_number(mailbox);

			expect_int(n, next[n % 2]);
			next[n % 2] += 2;
		}
		cubby_close(mailbox);
	}
	child_finish(&child);
	remove_it();
}

/* A sender may harm its own lane. Others' messages arrive. */
static void
a_hostile_sender_cuts_only_itself_off(void)
{
	char lane[PATH_MAX];
	struct child child;

	need_root();
	create(0620);
	send_as(MEMBER, 1);
	find_file("/lane.0", lane);
	send_as(FELLOW, 2);
	as_user(&child, MEMBER)
		expect_system(truncate(lane, 0));
	child_finish(&child);
	as_user(&child, OWNER) {
		cubby_mailbox *mailbox = open_mailbox(NAME, CUBBY_RECEIVE,
						      NULL);
		uint64_t n = 0;
		int result, errors = 0;

		while ((result = cubby_receive_full(mailbox, NULL, 0, soon(),
						    &n, sizeof(n), NULL,
						    NULL)) != 0) {
			expect_result(result, -EBADMSG);
			expect(++errors < 10);
		}
		expect_int(n, 2);
		expect_int(inspect(NAME).broken, 1);
		cubby_close(mailbox);
	}
	child_finish(&child);
	remove_it();
}

/* Looking and unlinking -------------------------------------------------- */

static int
no_visit(const struct cubby_sender_info *sender, void *context)
{
	(void)sender;
	(void)context;
	return 1;
}

static void
who_may_only_send_sees_little(void)
{
	struct child child;

	need_root();
	create(0620);
	send_as(FELLOW, 1);
	as_user(&child, MEMBER) {
		struct cubby_info info = inspect(NAME);

		expect_int(info.capacity, 128);
		expect_int(info.mode, 0620);
		expect_int(info.uid, OWNER);
		expect_int(info.waiting, CUBBY_UNKNOWN);
		expect_result(cubby_inspect_senders(NAME, no_visit, NULL),
			      -EACCES);
	}
	child_finish(&child);
	as_user(&child, STRANGER) {
		struct cubby_info info = CUBBY_INFO_INIT;

		expect_result(cubby_inspect(NAME, &info), -EACCES);
		expect_result(cubby_inspect_senders(NAME, no_visit, NULL),
			      -EACCES);
		expect_result(try_open(0), -EACCES);
	}
	child_finish(&child);
	remove_it();
}

static void
only_the_owner_unlinks(void)
{
	static const uid_t others[] = { MEMBER, STRANGER };
	struct child child;

	need_root();
	create(0666);
	for (size_t i = 0; i < COUNT_OF(others); i++) {
		as_user(&child, others[i])
			expect_result(cubby_unlink(NAME), -EACCES);
		child_finish(&child);
	}
	send_as(STRANGER, 1);
	remove_it();
	expect_result(cubby_unlink(NAME), -ENOENT);
}

/* The last one out cannot remove what is another's: its owner's sweep does. */
static void
an_unlinked_mailbox_that_others_use_is_swept_by_its_owner(void)
{
	struct gate opened = gate_make(), unlinked = gate_make();
	struct child child;

	need_root();
	create(0666);
	as_user(&child, STRANGER) {
		cubby_mailbox *mailbox = open_mailbox(NAME, BOTH, NULL);

		gate_open(&opened);
		gate_wait(&unlinked);
		send_text(mailbox, "goes on");
		expect_text(mailbox, "goes on");
		cubby_close(mailbox);
	}
	gate_wait(&opened);
	remove_it();
	gate_open(&unlinked);
	child_finish(&child);
	as_user(&child, OWNER)
		expect_ok(cubby_sweep(NULL, NULL));
	child_finish(&child);
	expect_int(count_files(), 0);
}

static void
a_group_that_one_is_not_in_cannot_be_given(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	cubby_mailbox *mailbox = NULL;
	struct child child;

	share_root();
	options.group = "62000";
	options.mode = 0660;
	as_user(&child, STRANGER) {
		expect_result(cubby_open(NAME, CUBBY_CREATE | BOTH, &options,
					 &mailbox),
			      -EACCES);
		options.group = "no such group";
		expect_result(cubby_open(NAME, CUBBY_CREATE | BOTH, &options,
					 &mailbox),
			      -EINVAL);
		expect_result(cubby_sweep(NULL, NULL), 0);
	}
	child_finish(&child);
	expect_int(count_files(), 0);
}

static void
users_have_mailboxes_of_their_own(void)
{
	static const uid_t users[] = { OWNER, STRANGER };
	struct child child;

	share_root();
	for (size_t i = 0; i < COUNT_OF(users); i++) {
		as_user(&child, users[i]) {
			cubby_mailbox *mailbox;

			mailbox = open_mailbox(
				"jobs", CUBBY_CREATE | CUBBY_EXCLUSIVE | BOTH,
				NULL);
			send_number(mailbox, users[i]);
			cubby_close(mailbox);
		}
		child_finish(&child);
	}
	for (size_t i = 0; i < COUNT_OF(users); i++) {
		as_user(&child, users[i]) {
			cubby_mailbox *mailbox;

			mailbox = open_mailbox("jobs", BOTH, NULL);
			expect_from(mailbox, users[i], users[i]);
			cubby_close(mailbox);
			expect_ok(cubby_unlink("jobs"));
		}
		child_finish(&child);
	}
	/* A directory for each. */
	expect_int(count_files(), 2);
}

/* A default ACL of the root's must let nobody in. */
static void
inherited_acls_are_stripped(void)
{
	char command[PATH_MAX + 64], receivers[PATH_MAX], lane[PATH_MAX];
	struct child child;

	share_root();
	snprintf(command, sizeof(command), "setfacl -d -m u:%d:rwx '%s'",
		 STRANGER, test_root());
	if (system(command) != 0)
		skip_test("needs setfacl and a file system with ACLs");
	create(0600);
	send_as(OWNER, 1);
	find_file("/receivers", receivers);
	find_file("/lane.0", lane);
	as_user(&child, STRANGER) {
		expect_result(try_open(CUBBY_SEND), -EACCES);
		expect_result(try_open(CUBBY_RECEIVE), -EACCES);
		expect_no_open(receivers, O_RDONLY);
		expect_no_open(receivers, O_WRONLY);
		expect_no_open(lane, O_RDONLY);
		expect_no_open(lane, O_WRONLY);
	}
	child_finish(&child);
	remove_it();
}

static const struct test tests[] = {
	TEST(the_mode_says_who_may_do_what),
	TEST(the_owner_receives_what_the_group_sends),
	TEST(users_wake_each_other),
	TEST(a_foreign_users_messages_are_held),
	TEST(nobody_opens_a_file_that_is_not_for_him),
	TEST(a_receiving_group_reads_lanes_and_writes_none),
	TEST(a_lane_is_taken_over_by_its_own_user_only),
	TEST(a_hostile_sender_cuts_only_itself_off),
	TEST(who_may_only_send_sees_little),
	TEST(only_the_owner_unlinks),
	TEST(an_unlinked_mailbox_that_others_use_is_swept_by_its_owner),
	TEST(a_group_that_one_is_not_in_cannot_be_given),
	TEST(users_have_mailboxes_of_their_own),
	TEST(inherited_acls_are_stripped),
};

int
main(void)
{
	return RUN_TESTS("rights", tests);
}
