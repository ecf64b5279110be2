/* SPDX-License-Identifier: MIT */
/* Test: timeout 120. */
/*
 * Regions where memory, or what a file system can do, comes to an end: an error
 * from the call that needed it, and what was there before stays of use. (A death
 * by a signal fails the test that it happens in.)
 */
#include "layout_region.h"
#include "support/support.h"
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define KEEP (CUBBY_CREATE | CUBBY_WRITE)

static int
try_open(const char *name, uint64_t size, cubby_region **ret)
{
	struct cubby_region_options options = CUBBY_REGION_OPTIONS_INIT;

	options.size = size;
	options.size_max = 1 << 30;
	return cubby_region_open(name, KEEP, &options, ret);
}

static void
one_too_large_is_not_made(void)
{
	cubby_region *region = NULL;
	uint64_t before;

	need_root();
	mount_small_root(1 << 20);
	before = root_bytes_free();
	expect_result(try_open("/r", 1 << 20, &region), -ENOSPC);
	expect_result(try_open(NULL, 1 << 20, &region), -ENOSPC);
	expect(region == NULL);
	expect_int(count_files(), 0);
	expect_int(root_bytes_free(), before);
}

static void
growth_without_memory_changes_nothing(void)
{
	cubby_region *region;
	uint64_t before;
	char *data;

	need_root();
	mount_small_root(1 << 20);
	expect_ok(try_open("/r", 100000, &region));
	data = cubby_region_data(region);
	pattern_fill(data, 100000, 1);
	before = root_bytes_free();
	expect_result(cubby_region_grow(region, 1 << 20), -ENOSPC);
	expect_int(cubby_region_size(region), 100000);
	/* Nothing was taken for what was not to be had. */
	expect_int(root_bytes_free(), before);
	expect_ok(cubby_region_grow(region, 200000));
	expect(pattern_holds(data, 100000, 1));
	memset(data + 100000, 1, 100000);
	cubby_region_close(region);
}

/* From here on that call of this process fails so, if that argument of it has a
   bit of mask set. */
static void
forbid(long call, unsigned int arg, uint32_t mask, int error)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 (uint32_t)offsetof(struct seccomp_data, args) +
			 8 * arg),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, mask, 0, 1),
		BPF_STMT(BPF_RET | BPF_K,
			 SECCOMP_RET_ERRNO | (uint32_t)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { COUNT_OF(filter), filter };

	need_filters();
	expect_system(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	expect_system(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
}

struct score {
	uint64_t size;
};

static void
touch(cubby_region *region, uint64_t *touched)
{
	uint64_t size = cubby_region_size(region);

	memset((char *)cubby_region_data(region) + *touched, 1,
	       size - *touched);
	*touched = size;
}

/* Lets it grow until the file system is full, and writes each byte of it. The
   greedy ask for too much, and are not told beforehand. */
static void
grow_to_the_end(struct score *score, bool greedy)
{
	cubby_region *region = NULL;
	uint64_t touched = 0;
	int result;

	expect_ok(cubby_region_open("/r", CUBBY_WRITE, NULL, &region));
	if (greedy)
		forbid(SYS_fstatfs, 1, UINT32_MAX, EIO);
	do {
		touch(region, &touched);
		result = 0;
		if (greedy)
			result = cubby_region_grow(region, touched + (3 << 20));
		if (!greedy || result == -ENOSPC)
			result = cubby_region_grow(region, touched + 9000);
	} while (result == 0);
	expect_result(result, -ENOSPC);
	touch(region, &touched);
	/* Nothing was taken back from under it: it would be broken. */
	expect_ok(cubby_region_grow(region, 0));
	score->size = touched;
	cubby_region_close(region);
}

/* Each of them commits what the others have committed, and fails. */
static void
those_that_fill_it_together_take_nothing_from_each_other(void)
{
	struct score *scores = shared_memory(4 * sizeof(*scores));
	struct child children[4];
	cubby_region *region;

	need_root();
	mount_small_root(2 << 20);
	for (int round = 0; round < MANY(50); round++) {
		expect_ok(try_open("/r", 0, &region));
		for (size_t i = 0; i < COUNT_OF(children); i++)
			in_child(&children[i])
				grow_to_the_end(&scores[i], i & 1);
		for (size_t i = 0; i < COUNT_OF(children); i++)
			child_finish(&children[i]);
		expect(cubby_region_size(region) > 1 << 20);
		cubby_region_close(region);
		expect_ok(cubby_region_unlink("/r"));
	}
}

static void
a_hole_that_cannot_be_filled_kills_nobody(void)
{
	cubby_region *region;
	char path[PATH_MAX];
	volatile char *data;
	uint64_t left;
	int fd, full;

	need_root();
	mount_small_root(1 << 20);
	expect_ok(try_open("/r", 100000, &region));
	data = cubby_region_data(region);
	data[50000] = 1;
	find_file("/memory", path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	expect_system(fd);
	expect_system(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				REGION_DATA, 100000));
	close(fd);
	snprintf(path, sizeof(path), "%s/ballast", test_root());
	full = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	expect_system(full);
	left = root_bytes_free();
	expect_system(fallocate(full, 0, 0, (off_t)left));
	close(full);
	expect_int(data[50000], 0);
	data[50000] = 1;
	expect_result(cubby_region_grow(region, 0), -EBADMSG);
	expect_system(unlink(path));
	cubby_region_close(region);
}

static void
a_limit_on_files_is_an_error(void)
{
	struct rlimit limit = { REGION_DATA + 8192, RLIM_INFINITY };
	cubby_region *region;
	struct child child;

	expect_ok(try_open("/r", 8192, &region));
	in_child(&child) {
		cubby_region *mine = NULL;

		expect_system(setrlimit(RLIMIT_FSIZE, &limit));
		expect_ok(cubby_region_open("/r", CUBBY_WRITE, NULL, &mine));
		expect_result(cubby_region_grow(mine, 8193), -EFBIG);
		expect_int(cubby_region_size(mine), 8192);
		cubby_region_close(mine);
		expect_result(try_open("/s", 8193, &mine), -EFBIG);
	}
	child_finish(&child);
	cubby_region_close(region);
}

static void
too_little_address_space_is_an_error(void)
{
	struct rlimit limit = { 512 << 20, RLIM_INFINITY };
	cubby_region *region;
	struct child child;

	if (UNDER_EMULATION)
		skip_test("an emulator does not limit memory");
	if (UNDER_ASAN || UNDER_TSAN)
		skip_test("a sanitizer needs the address space itself");
	expect_ok(try_open("/r", 0, &region));
	in_child(&child) {
		cubby_region *mine = NULL;

		expect_system(setrlimit(RLIMIT_AS, &limit));
		expect_result(cubby_region_open("/r", 0, NULL, &mine), -ENOMEM);
		expect_result(cubby_region_open("/r", CUBBY_WRITE, NULL, &mine),
			      -ENOMEM);
	}
	child_finish(&child);
	cubby_region_close(region);
}

static void
what_the_file_system_cannot_do_is_told(void)
{
	cubby_region *region;
	struct child child;

	expect_ok(try_open("/r", 0, &region));
	in_child(&child) {
		cubby_region *mine = NULL;

		forbid(SYS_openat, 2, O_TMPFILE & ~O_DIRECTORY, EOPNOTSUPP);
		expect_result(try_open(NULL, 0, &mine), -EOPNOTSUPP);
		expect(mine == NULL);
		/* Others are to be had. */
		expect_ok(try_open("/r", 0, &mine));
		cubby_region_close(mine);
		/* The size: always one that has a bit set. */
		forbid(SYS_fsetxattr, 3, UINT32_MAX, EOPNOTSUPP);
		expect_result(cubby_region_grant("/r", "user:1",
						 CUBBY_REGION_READ),
			      -EOPNOTSUPP);
	}
	child_finish(&child);
	cubby_region_close(region);
}

static const struct test tests[] = {
	TEST(one_too_large_is_not_made),
	TEST(growth_without_memory_changes_nothing),
	TEST(those_that_fill_it_together_take_nothing_from_each_other),
	TEST(a_hole_that_cannot_be_filled_kills_nobody),
	TEST(a_limit_on_files_is_an_error),
	TEST(too_little_address_space_is_an_error),
	TEST(what_the_file_system_cannot_do_is_told),
};

int
main(void)
{
	return RUN_TESTS("region_space", tests);
}
