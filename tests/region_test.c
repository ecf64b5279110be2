/* SPDX-License-Identifier: MIT */
/* Test: tsan, timeout 120. */
/* Shared memory regions: made, attached, grown, detached, unlinked, listed. */
#include "support/support.h"
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define NAME "r"
#define KEEP (CUBBY_CREATE | CUBBY_WRITE)

static cubby_region *
open_region(const char *name, int flags, uint64_t size, uint64_t size_max)
{
	struct cubby_region_options options = CUBBY_REGION_OPTIONS_INIT;
	cubby_region *region = NULL;

	options.size = size;
	options.size_max = size_max;
	expect_ok(cubby_region_open(name, flags, &options, &region));
	expect(region != NULL);
	return region;
}

static int
try_open(const char *name, int flags,
	 const struct cubby_region_options *options)
{
	cubby_region *region = NULL;
	int result = cubby_region_open(name, flags, options, &region);

	if (result == 0)
		cubby_region_close(region);
	else
		expect(region == NULL);
	return result;
}

static struct cubby_region_info
look(const char *name)
{
	struct cubby_region_info info = CUBBY_REGION_INFO_INIT;

	expect_ok(cubby_region_inspect(name, &info));
	return info;
}

/* What is shared ------------------------------------------------------------ */

static void
one_sees_what_another_writes(const char *name)
{
	cubby_region *writer = open_region(name, KEEP, 10000, 0);
	cubby_region *reader = open_region(name, 0, 0, 0);
	char *data = cubby_region_data(writer);
	struct child child;

	expect(data != cubby_region_data(reader));
	expect_int((uintptr_t)data % 4096, 0);
	expect_int(cubby_region_size(writer), 10000);
	expect_int(cubby_region_size(reader), 10000);
	for (size_t i = 0; i < 10000; i++)
		expect_int(data[i], 0);
	pattern_fill(data, 10000, 1);
	expect(pattern_holds(cubby_region_data(reader), 10000, 1));
	in_child(&child) {
		cubby_region *other = open_region(name, CUBBY_WRITE, 0, 0);

		expect(pattern_holds(cubby_region_data(other), 10000, 1));
		pattern_fill(cubby_region_data(other), 10000, 2);
		cubby_region_close(other);
	}
	child_finish(&child);
	expect(pattern_holds(data, 10000, 2));
	cubby_region_close(writer);
	expect(pattern_holds(cubby_region_data(reader), 10000, 2));
	cubby_region_close(reader);
	reader = open_region(name, 0, 0, 0);
	expect(pattern_holds(cubby_region_data(reader), 10000, 2));
	cubby_region_close(reader);
	cubby_region_close(NULL);
}

static void
the_users_own_is_shared(void)
{
	one_sees_what_another_writes(NAME);
}

static void
a_machine_wide_one_is_shared(void)
{
	one_sees_what_another_writes("/" NAME);
	/* The same name, and another region. */
	expect_result(try_open(NAME, 0, NULL), -ENOENT);
}

static void
names_of_regions_and_of_mailboxes_do_not_clash(void)
{
	cubby_region *region = open_region("/region.x", KEEP, 0, 0);
	cubby_mailbox *mailbox = open_mailbox("/region.x", CUBBY_CREATE, NULL);

	cubby_region_close(region);
	cubby_close(mailbox);
	expect_ok(cubby_unlink("/region.x"));
	expect_int(look("/region.x").size, 4096);
}

/* A store through what is attached for reading. */
static void
a_store_through_a_reader_faults(void)
{
	cubby_region *writer = open_region(NAME, KEEP, 100, 0);
	cubby_region *reader = open_region(NAME, 0, 0, 0);
	char *data = cubby_region_data(writer);
	pid_t pid = fork();
	int status;

	expect_system(pid);
	if (pid == 0) {
		cubby_region *mine = open_region(NAME, 0, 0, 0);

		signal(SIGSEGV, SIG_DFL);
		*(volatile char *)cubby_region_data(mine) = 1;
		_exit(0);
	}
	expect_int(waitpid(pid, &status, 0), pid);
	expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	expect_int(*data, 0);
	expect_result(cubby_region_grow(reader, 200), -EACCES);
	cubby_region_close(reader);
	cubby_region_close(writer);
}

/* Growing -------------------------------------------------------------------- */

static void
growth_is_seen_at_once_and_moves_nothing(void)
{
	cubby_region *a = open_region(NAME, KEEP, 100, 1 << 20);
	cubby_region *b = open_region(NAME, CUBBY_WRITE, 0, 0);
	cubby_region *reader = open_region(NAME, 0, 0, 0);
	char *at = cubby_region_data(a), *there = cubby_region_data(reader);

	for (uint64_t size = 101; size < 1 << 20; size = size * 3 / 2) {
		uint64_t before = cubby_region_size(reader);
		cubby_region *one = size & 1 ? a : b;

		expect_ok(cubby_region_grow(one, size));
		expect_int(cubby_region_size(reader), size);
		expect_int(cubby_region_size(a), size);
		expect_int(cubby_region_size(b), size);
		expect_int(there[size - 1], 0);
		memset(at + before, 1, size - before);
		expect_int(there[size - 1], 1);
	}
	expect(cubby_region_data(a) == at);
	expect(cubby_region_data(reader) == there);
	for (uint64_t i = 100; i < cubby_region_size(a); i++)
		expect_int(there[i], 1);
	cubby_region_close(a);
	cubby_region_close(b);
	cubby_region_close(reader);
}

static void
a_region_never_shrinks_and_has_an_end(void)
{
	cubby_region *region = open_region(NAME, KEEP, 5000, 10000);

	expect_ok(cubby_region_grow(region, 0));
	expect_ok(cubby_region_grow(region, 4000));
	expect_int(cubby_region_size(region), 5000);
	/* Rounded up to whole pages. */
	expect_int(look(NAME).size_max, 12288);
	expect_ok(cubby_region_grow(region, 12288));
	expect_result(cubby_region_grow(region, 12289), -EFBIG);
	expect_int(cubby_region_size(region), 12288);
	cubby_region_close(region);
}

static void *
grow_often(void *context)
{
	cubby_region *region = context;

	for (uint64_t size = 1; size <= 200; size++) {
		uint64_t found;

		expect_ok(cubby_region_grow(region, size * 1000));
		found = cubby_region_size(region);
		expect(found >= size * 1000);
		__atomic_store_n((char *)cubby_region_data(region) + found - 1,
				 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void
threads_and_processes_grow_it_together(void)
{
	cubby_region *region = open_region(NAME, KEEP, 0, 1 << 20);
	pthread_t threads[3];
	struct child child;

	in_child(&child) {
		cubby_region *mine = open_region(NAME, CUBBY_WRITE, 0, 0);

		grow_often(mine);
		cubby_region_close(mine);
	}
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		expect_int(pthread_create(&threads[i], NULL, grow_often,
					  region), 0);
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		expect_int(pthread_join(threads[i], NULL), 0);
	child_finish(&child);
	expect_int(cubby_region_size(region), 200000);
	cubby_region_close(region);
}

static const struct test tests[] = {
	TEST(the_users_own_is_shared),
	TEST(a_machine_wide_one_is_shared),
	TEST(names_of_regions_and_of_mailboxes_do_not_clash),
	TEST(a_store_through_a_reader_faults),
	TEST(growth_is_seen_at_once_and_moves_nothing),
	TEST(a_region_never_shrinks_and_has_an_end),
	TEST(threads_and_processes_grow_it_together),
};

int
main(void)
{
	return RUN_TESTS("region", tests);
}
