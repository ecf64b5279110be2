/* SPDX-License-Identifier: MIT */
/* Test: timeout 120. */
/* Who may attach a region is set by mode, group and grants, and enforced by the
   kernel between real users. Needs root, to be several of them. */
#include "support/support.h"
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#define NAME "/r"
#define GROUP 62000
#define OWNER 61001 /* and in the group */
#define MEMBER 61002
#define STRANGER 61004
#define GUEST 61005	/* in a group of strangers */
#define GUESTS 62005

#define as_user(child, uid) \
	in_child(child) \
		if (become_user(uid))

static bool
become_user(uid_t uid)
{
	become(uid, uid, uid == STRANGER ? 0 : uid == GUEST ? GUESTS : GROUP);
	return true;
}

static int
try_open(int flags)
{
	cubby_region *region = NULL;
	int result = cubby_region_open(NAME, flags, NULL, &region);

	if (result == 0) {
		char *data = cubby_region_data(region);

		/* It is of use. */
		expect_int(cubby_region_size(region), 4096);
		expect(data[0] >= 0);
		if (flags & CUBBY_WRITE)
			data[1]++;
		cubby_region_close(region);
	}
	return result;
}

static void
create(mode_t mode)
{
	struct cubby_region_options options = CUBBY_REGION_OPTIONS_INIT;
	struct child child;

	share_root();
	options.mode = mode;
	options.group = "62000";
	as_user(&child, OWNER) {
		cubby_region *region = NULL;
		int result;

		umask(077);
		result = cubby_region_open(NAME, CUBBY_CREATE | CUBBY_EXCLUSIVE,
					   &options, &region);
		/* Made in any case; attached if the mode lets its owner. */
		expect_result(result, mode & 0600 ? 0 : -EACCES);
		cubby_region_close(region);
	}
	child_finish(&child);
}

static void
remove_it(void)
{
	struct child child;

	as_user(&child, OWNER)
		expect_ok(cubby_region_unlink(NAME));
	child_finish(&child);
	expect_int(count_files(), 0);
}

static void
expect_rights(uid_t uid, bool reads, bool writes)
{
	struct child child;

	as_user(&child, uid) {
		if (try_open(0) != (reads ? 0 : -EACCES) ||
		    try_open(CUBBY_WRITE) != (writes ? 0 : -EACCES))
			fail_at(__FILE__, __LINE__, "user %d: %d %d", uid,
				try_open(0), try_open(CUBBY_WRITE));
	}
	child_finish(&child);
}

static void
expect_class(uid_t uid, unsigned int bits)
{
	expect_rights(uid, bits & 6, bits & 2);
}

static void
the_mode_says_who_may_do_what(void)
{
	static const mode_t modes[] = { 0600, 0400, 0640, 0660, 0644, 0664,
					0666, 0620, 0604, 0642, 0060, 0004 };

	need_root();
	for (size_t i = 0; i < COUNT_OF(modes); i++) {
		create(modes[i]);
		expect_class(OWNER, modes[i] >> 6 & 7);
		expect_class(MEMBER, modes[i] >> 3 & 7);
		expect_class(STRANGER, modes[i] & 7);
		remove_it();
	}
}

static void
grant_as_owner(const char *who, int rights)
{
	struct child child;

	as_user(&child, OWNER)
		expect_ok(cubby_region_grant(NAME, who, rights));
	child_finish(&child);
}

static void
a_user_gets_what_is_granted(void)
{
	need_root();
	create(0640);
	expect_rights(STRANGER, false, false);
	grant_as_owner("user:61004", CUBBY_REGION_READ);
	expect_rights(STRANGER, true, false);
	grant_as_owner("user:61004", CUBBY_REGION_WRITE);
	expect_rights(STRANGER, true, true);
	grant_as_owner("user:61004", CUBBY_REGION_READ);
	expect_rights(STRANGER, true, false);
	/* The others have what they had. */
	expect_rights(OWNER, true, true);
	expect_rights(MEMBER, true, false);
	expect_rights(GUEST, false, false);
	grant_as_owner("user:61004", CUBBY_REGION_NONE);
	expect_rights(STRANGER, false, false);
	expect_rights(MEMBER, true, false);
	/* What was not granted can be taken back as well. */
	grant_as_owner("user:61005", CUBBY_REGION_NONE);
	remove_it();
}

static void
a_group_gets_what_is_granted(void)
{
	need_root();
	create(0600);
	grant_as_owner("group:62005", CUBBY_REGION_WRITE);
	grant_as_owner("user:61004", CUBBY_REGION_READ);
	expect_rights(GUEST, true, true);
	expect_rights(STRANGER, true, false);
	expect_rights(MEMBER, false, false);
	/* What the user gets comes before what its group gets. */
	grant_as_owner("user:61005", CUBBY_REGION_READ);
	expect_rights(GUEST, true, false);
	grant_as_owner("user:61005", CUBBY_REGION_NONE);
	expect_rights(GUEST, true, true);
	grant_as_owner("group:62005", CUBBY_REGION_NONE);
	expect_rights(GUEST, false, false);
	expect_rights(STRANGER, true, false);
	remove_it();
}

static void
the_owner_alone_grants_and_unlinks(void)
{
	struct child child;

	need_root();
	create(0666);
	as_user(&child, STRANGER) {
		expect_result(cubby_region_grant(NAME, "user:61004", 3),
			      -EACCES);
		expect_result(cubby_region_unlink(NAME), -EACCES);
	}
	child_finish(&child);
	/* But for root. */
	expect_ok(cubby_region_grant(NAME, "user:61004", CUBBY_REGION_READ));
	expect_rights(STRANGER, true, false);
	remove_it();
}

static void
who_has_it_attached_keeps_it(void)
{
	struct gate attached = gate_make(), revoked = gate_make();
	struct child child;

	need_root();
	create(0600);
	grant_as_owner("user:61004", CUBBY_REGION_WRITE);
	as_user(&child, STRANGER) {
		cubby_region *region;

		expect_ok(cubby_region_open(NAME, CUBBY_WRITE, NULL, &region));
		gate_open(&attached);
		gate_wait(&revoked);
		expect_result(try_open(0), -EACCES);
		expect_ok(cubby_region_grow(region, 10000));
		((char *)cubby_region_data(region))[9999] = 1;
		cubby_region_close(region);
	}
	gate_wait(&attached);
	grant_as_owner("user:61004", CUBBY_REGION_NONE);
	gate_open(&revoked);
	child_finish(&child);
	remove_it();
}

static void
only_so_many_grants(void)
{
	char who[32];
	int result = 0, count = 0;

	need_root();
	create(0600);
	for (; result == 0 && count < 1000; count++) {
		snprintf(who, sizeof(who), "user:%d", 70000 + count);
		result = cubby_region_grant(NAME, who, CUBBY_REGION_READ);
	}
	expect_result(result, -EUSERS);
	expect(count > 100);
	expect_ok(cubby_region_grant(NAME, "user:70000", CUBBY_REGION_NONE));
	expect_ok(cubby_region_grant(NAME, "user:61004", CUBBY_REGION_READ));
	expect_rights(STRANGER, true, false);
	remove_it();
}

/* Others are not let in -------------------------------------------------- */

static void
expect_no_file(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	if (fd >= 0 || errno != EACCES)
		fail_at(__FILE__, __LINE__, "user %d opens %s with %#x: %s",
			geteuid(), path, flags,
			fd >= 0 ? "yes" : strerror(errno));
}

/* Who may read it can neither lock a slot nor see who is there. */
static void
a_reader_takes_no_place(void)
{
	struct cubby_region_info info = CUBBY_REGION_INFO_INIT;
	char path[PATH_MAX];
	struct child child;

	need_root();
	create(0644);
	find_file("/attendance", path);
	as_user(&child, STRANGER) {
		expect_no_file(path, O_RDONLY);
		expect_ok(cubby_region_inspect(NAME, &info));
		expect(info.attached == CUBBY_UNKNOWN);
		expect_int(info.uid, OWNER);
		expect_int(info.gid, GROUP);
		expect_int(info.mode, 0644);
	}
	child_finish(&child);
	find_file("/memory", path);
	as_user(&child, STRANGER) {
		expect_no_file(path, O_WRONLY);
		expect_no_file(path, O_RDWR);
		expect(unlink(path) == -1);
	}
	child_finish(&child);
	remove_it();
}

static void
who_may_nothing_sees_nothing(void)
{
	struct cubby_region_info info = CUBBY_REGION_INFO_INIT;
	cubby_region *region;
	struct child child;

	need_root();
	create(0600);
	as_user(&child, STRANGER) {
		expect_result(cubby_region_inspect(NAME, &info), -EACCES);
		/* But it has regions of its own. */
		expect_ok(cubby_region_open("mine", CUBBY_CREATE, NULL,
					    &region));
		cubby_region_close(region);
		expect_ok(cubby_region_unlink("mine"));
	}
	child_finish(&child);
	expect_system(chdir(test_root()));
	expect_system(rmdir("cubby-61004"));
	remove_it();
}

/* A group that its maker is not in. */
static void
a_strange_group_is_refused(void)
{
	struct cubby_region_options options = CUBBY_REGION_OPTIONS_INIT;
	struct child child;

	need_root();
	share_root();
	options.group = "62000";
	as_user(&child, STRANGER) {
		cubby_region *region = NULL;

		expect_result(cubby_region_open(NAME, CUBBY_CREATE, &options,
						&region), -EACCES);
	}
	child_finish(&child);
	expect_int(count_files(), 0);
}

static const struct test tests[] = {
	TEST(the_mode_says_who_may_do_what),
	TEST(a_user_gets_what_is_granted),
	TEST(a_group_gets_what_is_granted),
	TEST(the_owner_alone_grants_and_unlinks),
	TEST(who_has_it_attached_keeps_it),
	TEST(only_so_many_grants),
	TEST(a_reader_takes_no_place),
	TEST(who_may_nothing_sees_nothing),
	TEST(a_strange_group_is_refused),
};

int
main(void)
{
	return RUN_TESTS("region_rights", tests);
}
