/* SPDX-License-Identifier: MIT */
/* cubby_list(). */
#include "support/support.h"
#include <limits.h>
#include <fcntl.h>
#include <sys/stat.h>

#define LIST_MAX 32

struct list {
	char names[LIST_MAX][CUBBY_NAME_MAX + 1];
	int count;
	int stop_after;
};

static int
note(const char *name, void *context)
{
	struct list *list = context;

	expect(list->count < LIST_MAX);
	strcpy(list->names[list->count++], name);
	return list->count == list->stop_after ? 7 : 0;
}

static void
expect_list(const char *const names[], int count)
{
	struct list list = { .count = 0 };

	expect_ok(cubby_list(note, &list));
	for (int i = 0; i < count && i < list.count; i++)
		if (strcmp(list.names[i], names[i]) != 0)
			fail_at(__FILE__, __LINE__, "name %d is %s, not %s", i,
				list.names[i], names[i]);
	expect_int(list.count, count);
}

static void
create(const char *name)
{
	cubby_close(open_mailbox(name, CUBBY_CREATE, NULL));
}

static void
nothing_is_listed_at_first(void)
{
	expect_list(NULL, 0);
}

static void
own_mailboxes_come_first_and_sorted(void)
{
	static const char *const made[] = { "/zoo", "jobs",  "@worker", "/abc",
					    "Jobs", "jobs2", "a" };
	static const char *const sorted[] = { "@worker", "Jobs", "a",	"jobs",
					      "jobs2",	 "/abc", "/zoo" };

	for (size_t i = 0; i < COUNT_OF(made); i++)
		create(made[i]);
	expect_list(sorted, COUNT_OF(sorted));
	expect_ok(cubby_unlink("a"));
	expect_ok(cubby_unlink("/abc"));
	expect_list((const char *const[]){ "@worker", "Jobs", "jobs", "jobs2",
					   "/zoo" },
		    5);
}

static void
what_is_unlinked_and_in_use_is_not_listed(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | CUBBY_SEND,
					      NULL);

	expect_ok(cubby_unlink("m"));
	expect_list(NULL, 0);
	send_text(mailbox, "x");
	cubby_close(mailbox);
}

static void
what_is_no_mailbox_is_not_listed(void)
{
	char path[PATH_MAX];

	create("m");
	snprintf(path, sizeof(path), "%s/stranger", test_root());
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	expect_list((const char *const[]){ "m" }, 1);
	expect_system(unlink(path));
}

static void
the_visit_ends_when_the_visitor_says_so(void)
{
	struct list list = { .stop_after = 2 };

	create("a");
	create("b");
	create("/c");
	expect_int(cubby_list(note, &list), 7);
	expect_int(list.count, 2);
}

/* The visitor may do with them what it likes. */
static int
unlink_it(const char *name, void *context)
{
	expect_ok(cubby_unlink(name));
	++*(int *)context;
	return 0;
}

static void
the_visitor_may_unlink_what_it_visits(void)
{
	int count = 0;

	create("a");
	create("b");
	create("/c");
	expect_ok(cubby_list(unlink_it, &count));
	expect_int(count, 3);
	expect_list(NULL, 0);
}

static void
an_unsafe_root_is_told(void)
{
	struct list list = { .count = 0 };

	create("m");
	expect_system(chmod(test_root(), 0777));
	expect_result(cubby_list(note, &list), -EPERM);
	expect_int(list.count, 0);
	expect_system(chmod(test_root(), 0700));
}

static const struct test tests[] = {
	TEST(nothing_is_listed_at_first),
	TEST(own_mailboxes_come_first_and_sorted),
	TEST(what_is_unlinked_and_in_use_is_not_listed),
	TEST(what_is_no_mailbox_is_not_listed),
	TEST(the_visit_ends_when_the_visitor_says_so),
	TEST(the_visitor_may_unlink_what_it_visits),
	TEST(an_unsafe_root_is_told),
};

int
main(void)
{
	return RUN_TESTS("list", tests);
}
