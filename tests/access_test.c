/* SPDX-License-Identifier: MIT */
/* When the rights of a file are given, not only which. */
#include "access.h"
#include "support/support.h"
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

static bool given_early;

/* In place of the library's: after it, who has a class's rights has them. */
int
fchmod(int fd, mode_t mode)
{
	int r = (int)syscall(SYS_fchmod, fd, mode);

	if (mode & 077 &&
	    fgetxattr(fd, "system.posix_acl_access", NULL, 0) <= 0)
		given_early = true;
	return r;
}

/* The mailbox's owner, who may not receive, and is in the group that may, does
   not get at a lane, not for a moment: what he has opened then, he has. */
static void
an_owner_has_no_rights_for_a_moment(void)
{
	const struct attributes attributes = { .mode = 0240,
					       .uid = geteuid() + 1 };
	char path[PATH_MAX];
	struct stat st;
	int fd, r;

	expect(snprintf(path, sizeof(path), "%s/lane", test_root()) > 0);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	expect_system(fd);
	expect_system(unlink(path));
	given_early = false;
	r = access_set(fd, ACCESS_LANE, &attributes, geteuid());
	expect_ok(r);
	if (fgetxattr(fd, "system.posix_acl_access", NULL, 0) <= 0)
		skip_test("no access control lists here");
	expect(!given_early);
	expect_system(fstat(fd, &st));
	expect_int(st.st_mode & 0777, 0640);
	close(fd);
}

static const struct test tests[] = {
	TEST(an_owner_has_no_rights_for_a_moment),
};

int
main(void)
{
	return RUN_TESTS("access", tests);
}
