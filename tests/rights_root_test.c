/* SPDX-License-Identifier: MIT */
/* Test: timeout 120. */
/*
 * Who can create, where, and for whom: roots of each kind, groups, and umasks, which
 * take no part. Compared with cubby_open(3). Needs root, to be several users.
 */
#include "support/actors.h"
#include <limits.h>
#include <sys/stat.h>

#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)

static struct {
	char name[16], group[16];
	mode_t mode, mask;
	uint32_t order;
	unsigned int gid; /* of what was made */
} *order;

/* Makes it, uses it, both ways, with a descriptor and a request, and removes it. */
static int
use(void)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	cubby_mailbox *mailbox = NULL, *again = NULL;
	cubby_request *request = NULL;
	char buffer[8];
	int result;

	options.mode = order->mode;
	options.order = (enum cubby_order)order->order;
	options.group = order->group[0] ? order->group : NULL;
	result = cubby_open(order->name, CUBBY_CREATE | CUBBY_EXCLUSIVE | BOTH,
			    &options, &mailbox);
	if (result < 0)
		return result;
	order->gid = inspect(order->name).gid;
	expect_ok(cubby_open(order->name, BOTH, NULL, &again));
	expect(cubby_fd(mailbox, CUBBY_RECEIVE) >= 0);
	expect(cubby_fd(mailbox, CUBBY_SEND) >= 0);
	send_text(again, "x");
	expect_text(mailbox, "x");
	expect_ok(cubby_call_begin(again, "x", 1, NULL, CUBBY_NOW, &request));
	expect_ok(cubby_receive_full(mailbox, NULL, 0, CUBBY_NOW, buffer,
				     sizeof(buffer), NULL, &envelope));
	expect_ok(cubby_reply(mailbox, &envelope, "y", 1));
	expect_ok(cubby_call_end(request, buffer, sizeof(buffer), NULL,
				 soon()));
	cubby_close(again);
	cubby_close(mailbox);
	expect_ok(cubby_unlink(order->name));
	return 0;
}

static int
create(void *argument)
{
	mode_t before = umask(order->mask);
	int result = use();

	(void)argument;
	umask(before);
	return result;
}

static int
create_as(enum actor actor, const char *name)
{
	strcpy(order->name, name);
	return actor_do(actor, create, NULL);
}

/* Users' own directories, which the first mailbox makes. */
static void
remove_own_directories(void)
{
	char path[PATH_MAX];

	for (int a = 0; a < ACTORS; a++) {
		snprintf(path, sizeof(path), "%s/cubby-%u", test_root(),
			 actor_uid((enum actor)a));
		expect(rmdir(path) == 0 || errno == ENOENT);
	}
}

static void
begin(void)
{
	order = shared_memory(sizeof(*order));
	order->mode = 0600;
	actors_start();
}

/* Roots ------------------------------------------------------------------------ */

/* One row: what a root is like, and what each actor is told of "/m" and of "m". */
struct row {
	mode_t mode;
	enum actor owner;
	gid_t group;
	int shared[ACTORS], own[ACTORS];
};

#define A (-EACCES)
#define P (-EPERM)

static const struct row rows[] = {
	/* owner, member, fellow, stranger, root */
	{ 01777, ROOT, 0, { 0, 0, 0, 0, 0 }, { 0, 0, 0, 0, 0 } },
	{ 01770, ROOT, ACTORS_GROUP, { 0, 0, 0, A, 0 }, { 0, 0, 0, A, 0 } },
	{ 0755, ROOT, 0, { A, A, A, A, 0 }, { A, A, A, A, 0 } },
	{ 0700, ROOT, 0, { A, A, A, A, 0 }, { A, A, A, A, 0 } },
	/* Others could put something else in one's place. */
	{ 0777, ROOT, 0, { P, P, P, P, P }, { P, P, P, P, P } },
	{ 0775, ROOT, ACTORS_GROUP, { P, P, P, P, P }, { P, P, P, P, P } },
	/* One's own, and nobody else's, be he root. */
	{ 01777, OWNER, 0, { 0, P, P, P, P }, { 0, P, P, P, P } },
	{ 0700, OWNER, 0, { 0, A, A, A, P }, { 0, A, A, A, P } },
};

static void
a_root_says_who_can_create(void)
{
	begin();
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct row *row = &rows[i];

		expect_system(chown(test_root(), actor_uid(row->owner),
				    row->group));
		expect_system(chmod(test_root(), row->mode));
		for (int a = 0; a < ACTORS; a++) {
			int shared = create_as((enum actor)a, "/m");
			int own = create_as((enum actor)a, "m");

			if (shared != row->shared[a] || own != row->own[a])
				fail_at(__FILE__, __LINE__,
					"root %04o of %s: %s makes %d %d, not "
					"%d %d",
					row->mode, actor_names[row->owner],
					actor_names[a], shared, own,
					row->shared[a], row->own[a]);
		}
		remove_own_directories();
	}
	expect_system(chown(test_root(), 0, 0));
	share_root();
	actors_end();
}

/* Groups ----------------------------------------------------------------------- */

static void
only_members_give_a_mailbox_to_a_group(void)
{
	begin();
	for (uint32_t o = 0; o < 3; o++) {
		order->order = o;
		order->mode = 0660;
		strcpy(order->group, ACTORS_GROUP_TEXT);
		expect_ok(create_as(OWNER, "/m"));
		expect_int(order->gid, ACTORS_GROUP);
		expect_ok(create_as(MEMBER, "/m"));
		expect_int(order->gid, ACTORS_GROUP);
		expect_ok(create_as(FELLOW, "/m"));
		expect_ok(create_as(ROOT, "/m"));
		expect_int(order->gid, ACTORS_GROUP);
		expect_result(create_as(STRANGER, "/m"), -EACCES);
		expect_int(count_files(), 0);
		strcpy(order->group, "no such group");
		for (int a = 0; a < ACTORS; a++)
			expect_result(create_as((enum actor)a, "/m"), -EINVAL);
		strcpy(order->group, "4294967295");
		expect_result(create_as(ROOT, "/m"), -EINVAL);
		/* By default, the process's. */
		order->group[0] = 0;
		expect_ok(create_as(OWNER, "/m"));
		expect_int(order->gid, actor_uid(OWNER));
		expect_ok(create_as(FELLOW, "/m"));
		expect_int(order->gid, ACTORS_GROUP);
	}
	expect_int(count_files(), 0);
	actors_end();
}

/* In a root that hands its own group down, too: it is nobody's who creates there. */
static void
the_default_group_is_the_process_s_in_any_root(void)
{
	begin();
	expect_system(chown(test_root(), 0, 63000));
	expect_system(chmod(test_root(), 03777));
	expect_ok(create_as(OWNER, "/m"));
	expect_int(order->gid, actor_uid(OWNER));
	expect_ok(create_as(FELLOW, "/m"));
	expect_int(order->gid, ACTORS_GROUP);
	strcpy(order->group, ACTORS_GROUP_TEXT);
	expect_ok(create_as(OWNER, "/m"));
	expect_int(order->gid, ACTORS_GROUP);
	expect_system(chown(test_root(), 0, 0));
	share_root();
	actors_end();
}

/* Umasks ------------------------------------------------------------------------- */

static int
create_region(void *argument)
{
	mode_t before = umask(order->mask);
	cubby_region *region = NULL;
	int result;

	(void)argument;
	result = cubby_region_open(order->name, CUBBY_CREATE | CUBBY_WRITE, NULL,
				   &region);
	if (result == 0) {
		cubby_region_close(region);
		expect_ok(cubby_region_unlink(order->name));
	}
	umask(before);
	return result;
}

static void
no_umask_takes_part(void)
{
	static const mode_t masks[] = { 0, 022, 077, 0177, 0277, 0477, 0777 };

	begin();
	for (size_t i = 0; i < COUNT_OF(masks); i++) {
		order->mask = masks[i];
		for (uint32_t o = 0; o < 3; o++) {
			order->order = o;
			for (int a = 0; a < ACTORS; a++) {
				int shared = create_as((enum actor)a, "/m");
				int own = create_as((enum actor)a, "m");

				if (shared || own)
					fail_at(__FILE__, __LINE__,
						"umask %03o, %s: %d %d",
						masks[i], actor_names[a],
						shared, own);
			}
		}
		for (int a = 0; a < ACTORS; a++) {
			strcpy(order->name, "/r");
			expect_ok(actor_do((enum actor)a, create_region, NULL));
			strcpy(order->name, "r");
			expect_ok(actor_do((enum actor)a, create_region, NULL));
		}
		/* Made by the first of them, with that mask. */
		remove_own_directories();
	}
	actors_end();
}

/* As its maker leaves it who dies between mkdir(2) and fchmod(2), with a umask that
   closes it to himself. */
static void
a_directory_that_its_maker_did_not_open_is_opened(void)
{
	char path[PATH_MAX];

	begin();
	snprintf(path, sizeof(path), "%s/cubby-%u", test_root(),
		 actor_uid(STRANGER));
	expect_system(mkdir(path, 0));
	expect_system(chown(path, actor_uid(STRANGER), 0));
	expect_ok(create_as(STRANGER, "m"));
	remove_own_directories();
	actors_end();
}

int
main(void)
{
	static const struct test tests[] = {
		TEST(a_root_says_who_can_create),
		TEST(only_members_give_a_mailbox_to_a_group),
		TEST(the_default_group_is_the_process_s_in_any_root),
		TEST(no_umask_takes_part),
		TEST(a_directory_that_its_maker_did_not_open_is_opened),
	};

	return RUN_TESTS("rights_root", tests);
}
