/* SPDX-License-Identifier: MIT */
/* Test: timeout 120. */
/*
 * Request and reply between real users: the owner receives and the group sends.
 * A fellow sender can neither read a reply nor forge one. Needs root, to be
 * several users.
 */
#include "support/support.h"
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#define NAME "/m"
#define GROUP 62000
#define OWNER 61001 /* and in the group */
#define MEMBER 61002
#define FELLOW 61003 /* a member as well */

/* Runs the block that follows as that user, in a process of its own. */
#define as_user(child, uid) \
	in_child(child) \
		if (become_user(uid))

static bool
become_user(uid_t uid)
{
	become(uid, uid, GROUP);
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
	as_user(&child, OWNER)
		cubby_close(open_mailbox(NAME, CUBBY_CREATE | CUBBY_EXCLUSIVE,
					 &options));
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

/* Serves so many calls, and expects them of that user. */
static void
serve(int count, uid_t uid)
{
	cubby_mailbox *mailbox = open_mailbox(NAME, CUBBY_RECEIVE, NULL);
	static char data[10000];

	while (count--) {
		struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
		size_t size;

		expect_ok(cubby_receive_full(mailbox, NULL, 0, soon(), data,
					     sizeof(data), &size, &envelope));
		expect_int(envelope.uid, uid);
		expect_ok(cubby_reply(mailbox, &envelope, data, size));
	}
	cubby_close(mailbox);
}

static void
call(int count)
{
	cubby_mailbox *mailbox = open_mailbox(NAME, CUBBY_SEND, NULL);
	static char data[10000], reply[10000];

	for (int i = 0; i < count; i++) {
		size_t size = (size_t)(i * 977 % 10000), got = 0;

		pattern_fill(data, size, (uint64_t)i);
		expect_ok(cubby_call(mailbox, data, size, reply, sizeof(reply),
				     &got, soon()));
		expect_int(got, size);
		expect(pattern_holds(reply, got, (uint64_t)i));
	}
	cubby_close(mailbox);
}

static void
call_between(uid_t caller, uid_t server)
{
	struct child a, b;

	as_user(&a, server)
		serve(100, caller);
	as_user(&b, caller)
		call(100);
	child_finish(&b);
	child_finish(&a);
}

static void
the_owner_answers_its_group(void)
{
	need_root();
	create(0620);
	call_between(MEMBER, OWNER);
	call_between(FELLOW, OWNER);
	call_between(OWNER, OWNER);
	call_between(MEMBER, 0);
	remove_it();
}

static void
the_group_answers_its_owner(void)
{
	need_root();
	create(0240);
	call_between(OWNER, MEMBER);
	remove_it();
}

static void
all_answer_all(void)
{
	need_root();
	create(0660);
	call_between(OWNER, MEMBER);
	call_between(MEMBER, OWNER);
	call_between(MEMBER, FELLOW);
	remove_it();
}

/* Of the one call under way. */
static void
reply_path(char ret[PATH_MAX])
{
	struct dirent *d;
	DIR *dir;

	find_file("/receivers", ret);
	strcpy(strrchr(ret, '/'), "/lanes");
	dir = opendir(ret);
	expect(dir != NULL);
	while ((d = readdir(dir)) && strncmp(d->d_name, "reply.", 6))
		;
	expect(d != NULL);
	strcat(ret, "/");
	strcat(ret, d->d_name);
	closedir(dir);
}

static void
a_fellow_sender_can_neither_read_nor_forge(void)
{
	struct gate sent = gate_make(), done = gate_make();
	struct child caller, child;
	char path[PATH_MAX];

	need_root();
	create(0620);
	as_user(&caller, MEMBER) {
		cubby_mailbox *mailbox = open_mailbox(NAME, CUBBY_SEND, NULL);
		cubby_request *request;

		expect_ok(cubby_call_begin(mailbox, "x", 1, NULL, CUBBY_NOW,
					   &request));
		gate_open(&sent);
		gate_wait(&done);
		cubby_close(mailbox);
	}
	gate_wait(&sent);
	reply_path(path);
	as_user(&child, FELLOW) {
		expect(open(path, O_RDONLY) < 0 && errno == EACCES);
		expect(open(path, O_WRONLY) < 0 && errno == EACCES);
		expect(unlink(path) < 0);
		expect(rename(path, "/tmp/x") < 0);
		expect(truncate(path, 0) < 0);
	}
	child_finish(&child);
	as_user(&child, OWNER)
		expect(open(path, O_RDWR) >= 0);
	child_finish(&child);
	gate_open(&done);
	child_finish(&caller);
	remove_it();
}

/* What a dead caller has left, the mailbox's owner can remove, and his fellows
   cannot. */
static void
a_dead_members_file_is_removed_by_the_owner(void)
{
	struct gate sent = gate_make();
	struct child caller, child;
	char path[PATH_MAX];

	need_root();
	create(0620);
	as_user(&caller, MEMBER) {
		cubby_request *request;

		expect_ok(cubby_call_begin(open_mailbox(NAME, CUBBY_SEND, NULL),
					   "x", 1, NULL, CUBBY_NOW, &request));
		gate_open(&sent);
		pause();
	}
	gate_wait(&sent);
	reply_path(path);
	child_kill(&caller);
	as_user(&child, OWNER) {
		cubby_mailbox *server = open_mailbox(NAME, CUBBY_RECEIVE, NULL);

		expect_empty(server);
		cubby_close(server);
	}
	child_finish(&child);
	expect(access(path, F_OK) < 0 && errno == ENOENT);
	remove_it();
}

/* Nobody would answer it: so it is told, and not sent. */
static void
who_has_become_another_user_since_is_told(void)
{
	struct child child;

	need_root();
	create(0622);
	in_child(&child) {
		cubby_mailbox *caller = open_mailbox(NAME, CUBBY_SEND, NULL);

		expect_system(seteuid(FELLOW));
		expect_result(cubby_call(caller, "x", 1, NULL, 0, NULL,
					 CUBBY_NOW), -EACCES);
		expect_system(seteuid(0));
		expect_result(cubby_call(caller, "x", 1, NULL, 0, NULL,
					 CUBBY_NOW), -EAGAIN);
		cubby_close(caller);
	}
	child_finish(&child);
	remove_it();
}

int
main(void)
{
	static const struct test tests[] = {
		TEST(the_owner_answers_its_group),
		TEST(the_group_answers_its_owner),
		TEST(all_answer_all),
		TEST(a_fellow_sender_can_neither_read_nor_forge),
		TEST(a_dead_members_file_is_removed_by_the_owner),
		TEST(who_has_become_another_user_since_is_told),
	};

	return RUN_TESTS("call_rights", tests);
}
