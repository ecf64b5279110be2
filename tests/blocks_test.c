/* SPDX-License-Identifier: MIT */
/*
 * The blocks of a lane: no two overlap, every one is committed, the limit is
 * exact to the page, and what a later owner rebuilds is what was there.
 *
 * The kernel is the witness: st_blocks of a memory file counts its committed
 * pages, and must say what blocks_committed() says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base.h"
#include "blocks.h"

#define BASE (3 * PAGE)
#define UNIT 256
#define FOREVER INT64_MAX

/* A lane's file and its blocks. */
struct lane {
	int fd;
	uint64_t length;
	char *memory; /* the file, from its beginning */
	struct blocks *blocks;
};

static uint64_t random_state;

static uint64_t
random_below(uint64_t n)
{
	random_state = random_state * UINT64_C(6364136223846793005) +
		       UINT64_C(1442695040888963407);
	return (random_state >> 33) % n;
}

static void
lane_open(struct lane *lane, int fd, uint64_t length, uint64_t limit)
{
	lane->fd = fd;
	lane->length = length;
	lane->memory = mmap(NULL, BASE + length, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_NORESERVE, fd, 0);
	assert_ptr_not_equal(lane->memory, MAP_FAILED);
	assert_int_equal(blocks_create(fd, BASE, length, limit, &lane->blocks),
			 0);
}

static void
lane_make(struct lane *lane, uint64_t length, uint64_t limit)
{
	int fd = memfd_create("blocks", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	lane_open(lane, fd, length, limit);
	blocks_settle(lane->blocks);
}

static void
lane_close(struct lane *lane)
{
	blocks_destroy(lane->blocks);
	munmap(lane->memory, BASE + lane->length);
	close(lane->fd);
}

/* Another owner, who knows nothing yet. */
static void
lane_take_over(struct lane *lane, uint64_t limit)
{
	blocks_destroy(lane->blocks);
	assert_int_equal(blocks_create(lane->fd, BASE, lane->length, limit,
				       &lane->blocks),
			 0);
}

static uint64_t
file_memory(const struct lane *lane)
{
	struct stat st;

	assert_int_equal(fstat(lane->fd, &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

static void
assert_accounts(const struct lane *lane, uint64_t committed, uint64_t in_use)
{
	assert_int_equal(blocks_committed(lane->blocks), committed);
	assert_int_equal(blocks_in_use(lane->blocks), in_use);
	assert_int_equal(file_memory(lane), committed);
}

static uint64_t
allocate(struct lane *lane, uint64_t size)
{
	uint64_t offset = 0;

	assert_int_equal(blocks_allocate(lane->blocks, size, FOREVER, &offset),
			 0);
	return offset;
}

static void
assert_refused(struct lane *lane, uint64_t size, int error)
{
	uint64_t offset = 12345;

	assert_int_equal(blocks_allocate(lane->blocks, size, FOREVER, &offset),
			 error);
	assert_int_equal(offset, 12345);
}

static bool
is_hole(const struct lane *lane, uint64_t offset)
{
	return lseek(lane->fd, (off_t)offset, SEEK_DATA) != (off_t)offset;
}

/* What is handed out ----------------------------------------------------- */

static void
a_block_is_inside_aligned_and_committed(void **state)
{
	static const uint64_t sizes[] = { 0,	1,    256,   257,    4095,
					  4096, 4097, 65536, 100000, KIB(512) };
	struct lane lane;
	uint64_t offset, size;
	size_t i;

	(void)state;
	lane_make(&lane, MIB(4), MIB(2));
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		offset = allocate(&lane, sizes[i]);
		size = max_u64(power_of_2_from(sizes[i]), UNIT);
		assert_true(offset >= BASE);
		assert_true(offset - BASE + size <= lane.length);
		assert_int_equal((offset - BASE) % size, 0);
		/* Not committed: st_blocks would grow. */
		memset(lane.memory + offset, (int)i, size);
		assert_int_equal(file_memory(&lane),
				 blocks_committed(lane.blocks));
	}
	lane_close(&lane);
}

static void
a_block_comes_back_last_in_first_out(void **state)
{
	struct lane lane;
	uint64_t a, b, c;

	(void)state;
	lane_make(&lane, MIB(1), MIB(1));
	a = allocate(&lane, 1000);
	b = allocate(&lane, 1000);
	c = allocate(&lane, 5000);
	blocks_free(lane.blocks, a);
	blocks_free(lane.blocks, c);
	blocks_free(lane.blocks, b);
	assert_int_equal(allocate(&lane, 700), b);
	assert_int_equal(allocate(&lane, 700), a);
	assert_int_equal(allocate(&lane, 8192), c);
	lane_close(&lane);
}

static void
a_warm_block_needs_no_system_call(void **state)
{
	struct lane lane;
	uint64_t offset;
	int status, i;
	pid_t pid;

	(void)state;
	if (UNDER_EMULATION) /* no seccomp */
		skip();
	lane_make(&lane, MIB(1), MIB(1));
	blocks_free(lane.blocks, allocate(&lane, 3000));
	pid = fork();
	if (pid == 0) {
		/* From here on any call but exit kills. */
		if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
			_exit(2);
		for (i = 0; i < 1000; i++) {
			if (blocks_allocate(lane.blocks, 3000, FOREVER,
					    &offset))
				syscall(SYS_exit, 3);
			blocks_free(lane.blocks, offset);
		}
		syscall(SYS_exit, 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	lane_close(&lane);
}

static void
what_is_larger_than_the_span_is_refused(void **state)
{
	struct lane lane;

	(void)state;
	lane_make(&lane, KIB(64), MIB(1));
	assert_refused(&lane, KIB(64) + 1, -ENOSPC);
	assert_refused(&lane, UINT64_MAX, -ENOSPC);
	assert_refused(&lane, (UINT64_C(1) << 63) + 1, -ENOSPC);
	assert_accounts(&lane, 0, 0);
	assert_int_equal(allocate(&lane, KIB(64)), BASE);
	assert_refused(&lane, 1, -ENOSPC);
	lane_close(&lane);
}

static void
a_span_smaller_than_a_page_or_empty_works(void **state)
{
	struct lane lane;
	uint64_t a, b;

	(void)state;
	lane_make(&lane, 512, MIB(1));
	a = allocate(&lane, 200);
	b = allocate(&lane, 200);
	assert_true(a != b && a < BASE + 512 && b < BASE + 512);
	assert_refused(&lane, 1, -ENOSPC);
	assert_accounts(&lane, PAGE, 512);
	blocks_free(lane.blocks, a);
	blocks_free(lane.blocks, b);
	assert_int_equal(allocate(&lane, 512), BASE);
	blocks_free(lane.blocks, BASE);
	assert_int_equal(blocks_trim(lane.blocks, 0), PAGE);
	lane_take_over(&lane, MIB(1));
	assert_int_equal(blocks_occupy(lane.blocks, BASE + 256, 256), 0);
	blocks_settle(lane.blocks);
	assert_int_equal(allocate(&lane, 1), BASE);
	lane_close(&lane);

	lane_make(&lane, 0, MIB(1));
	assert_refused(&lane, 0, -ENOSPC);
	assert_refused(&lane, 1, -ENOSPC);
	assert_int_equal(blocks_occupy(lane.blocks, BASE, 1), -EINVAL);
	blocks_free(lane.blocks, BASE);
	assert_int_equal(blocks_trim(lane.blocks, 0), 0);
	lane_close(&lane);
}

static void
freeing_nonsense_changes_nothing(void **state)
{
	struct lane lane;
	uint64_t a, b;

	(void)state;
	lane_make(&lane, MIB(1), MIB(1));
	a = allocate(&lane, 1024);
	b = allocate(&lane, 1024);
	blocks_free(lane.blocks, a + 256);
	blocks_free(lane.blocks, a + 1);
	blocks_free(lane.blocks, 0);
	blocks_free(lane.blocks, BASE + MIB(1));
	blocks_free(lane.blocks, UINT64_MAX);
	assert_int_equal(blocks_in_use(lane.blocks), 2048);
	blocks_free(lane.blocks, a);
	blocks_free(lane.blocks, a);
	assert_int_equal(blocks_in_use(lane.blocks), 1024);
	assert_int_equal(allocate(&lane, 1024), a);
	assert_int_not_equal(allocate(&lane, 1024), b);
	assert_int_not_equal(allocate(&lane, 1024), a);
	lane_close(&lane);
}

/* Bytes of memory behind the bookkeeping, as the kernel counts them. */
static uint64_t
private_memory(const struct lane *lane)
{
	uintptr_t from, to, at = (uintptr_t)lane->blocks;
	FILE *file = fopen("/proc/self/smaps", "re");
	unsigned long kib = 0;
	char line[512];
	bool found = false;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%zx-%zx ", &from, &to) == 2)
			found = from <= at && at < to;
		else if (found && sscanf(line, "Rss: %lu kB", &kib) == 1)
			break;
	}
	fclose(file);
	assert_true(kib > 0);
	return KIB(kib);
}

static void
private_memory_is_in_proportion_to_use(void **state)
{
	struct lane lane;
	int i;

	(void)state;
	if (UNDER_EMULATION) /* its smaps are the emulator's */
		skip();
	lane_make(&lane, MIB(128), MIB(64));
	assert_true(private_memory(&lane) <= 2 * PAGE);
	for (i = 0; i < 512; i++)
		allocate(&lane, UNIT);
	/* 16 bytes a block, a bit a page. */
	assert_true(private_memory(&lane) <= 5 * PAGE);
	lane_close(&lane);

	if (sizeof(void *) < 8)
		return;		/* nor has anyone so long a lane */
	lane_make(&lane, UINT64_C(1) << 43, UINT64_C(1) << 42);
	assert_true(private_memory(&lane) <= 2 * PAGE);
	allocate(&lane, 300);
	allocate(&lane, MIB(1));
	assert_true(private_memory(&lane) <= 5 * PAGE);
	lane_close(&lane);
}

static void
private_memory_goes_back_with_the_backlog(void **state)
{
	uint64_t n = MIB(16) / UNIT, i;
	struct lane lane;

	(void)state;
	if (UNDER_EMULATION) /* its smaps are the emulator's */
		skip();
	lane_make(&lane, MIB(32), MIB(16));
	for (i = 0; i < n; i++)
		assert_int_equal(allocate(&lane, UNIT), BASE + i * UNIT);
	assert_true(private_memory(&lane) >= MIB(1));
	for (i = 0; i < n; i++)
		blocks_free(lane.blocks, BASE + i * UNIT);
	assert_int_equal(blocks_trim(lane.blocks, 0), MIB(16));
	assert_true(private_memory(&lane) <= 8 * (uint64_t)sysconf(_SC_PAGESIZE));
	/* And what has gone is found again. */
	assert_int_equal(allocate(&lane, MIB(16)), BASE);
	blocks_free(lane.blocks, BASE);
	for (i = 0; i < n; i++)
		allocate(&lane, UNIT);
	assert_refused(&lane, 1, -ENOSPC);
	lane_close(&lane);
}

/* The limit -------------------------------------------------------------- */

static void
the_limit_is_exact_in_pages(void **state)
{
	struct lane lane;
	uint64_t i;

	(void)state;
	lane_make(&lane, MIB(1), KIB(64));
	for (i = 0; i < 16; i++)
		allocate(&lane, PAGE);
	assert_refused(&lane, 1, -ENOSPC);
	assert_accounts(&lane, KIB(64), KIB(64));
	lane_close(&lane);

	lane_make(&lane, MIB(1), KIB(64));
	for (i = 0; i < KIB(64) / UNIT; i++)
		allocate(&lane, UNIT);
	assert_refused(&lane, 1, -ENOSPC);
	assert_accounts(&lane, KIB(64), KIB(64));
	lane_close(&lane);

	/* A limit that is no multiple of a page. */
	lane_make(&lane, MIB(1), 2 * PAGE - 1);
	for (i = 0; i < PAGE / UNIT; i++)
		allocate(&lane, UNIT);
	assert_refused(&lane, 1, -ENOSPC);
	assert_accounts(&lane, PAGE, PAGE);
	lane_close(&lane);

	lane_make(&lane, MIB(1), PAGE - 1);
	assert_refused(&lane, 1, -ENOSPC);
	assert_accounts(&lane, 0, 0);
	lane_close(&lane);
}

static void
a_block_of_the_whole_limit_follows_small_ones(void **state)
{
	uint64_t blocks[64], i;
	struct lane lane;

	(void)state;
	lane_make(&lane, KIB(512), KIB(256));
	for (i = 0; i < 64; i++)
		blocks[i] = allocate(&lane, PAGE);
	for (i = 0; i < 64; i++)
		blocks_free(lane.blocks, blocks[(i * 37) % 64]);
	assert_accounts(&lane, KIB(256), 0);
	/* They lie together, so they are merged, and nothing is given back. */
	memset(lane.memory + BASE, 'x', KIB(256));
	assert_int_equal(allocate(&lane, KIB(256)), BASE);
	assert_int_equal(lane.memory[BASE + KIB(256) - 1], 'x');
	assert_accounts(&lane, KIB(256), KIB(256));
	lane_close(&lane);
}

static void
scattered_free_pages_make_room_for_a_large_block(void **state)
{
	uint64_t blocks[256], i, large;
	struct lane lane;

	(void)state;
	lane_make(&lane, MIB(2), MIB(1));
	for (i = 0; i < 256; i++)
		blocks[i] = allocate(&lane, PAGE);
	for (i = 0; i < 256; i += 2)
		blocks_free(lane.blocks, blocks[i]);
	assert_accounts(&lane, MIB(1), KIB(512));
	large = allocate(&lane, KIB(512));
	memset(lane.memory + large, 'y', KIB(512));
	assert_accounts(&lane, MIB(1), MIB(1));
	assert_refused(&lane, 1, -ENOSPC);
	lane_close(&lane);
}

static void
a_refused_block_leaves_everything_as_it_was(void **state)
{
	uint64_t blocks[16], i;
	struct lane lane;

	(void)state;
	lane_make(&lane, KIB(256), KIB(64));
	for (i = 0; i < 16; i++) {
		blocks[i] = allocate(&lane, PAGE);
		memset(lane.memory + blocks[i], (int)i + 1, PAGE);
	}
	for (i = 0; i < 16; i += 4)
		blocks_free(lane.blocks, blocks[i]);
	/* Four pages are free, eight are wanted: none is given back in vain. */
	assert_refused(&lane, 8 * PAGE, -ENOSPC);
	assert_accounts(&lane, KIB(64), KIB(48));
	for (i = 0; i < 16; i++)
		assert_int_equal(lane.memory[blocks[i]], i + 1);
	allocate(&lane, 4 * PAGE);
	assert_accounts(&lane, KIB(64), KIB(64));
	lane_close(&lane);
}

static void
a_page_shared_with_a_used_block_is_never_given_back(void **state)
{
	uint64_t blocks[64], i;
	struct lane lane;

	(void)state;
	lane_make(&lane, KIB(256), KIB(16));
	for (i = 0; i < 64; i++) {
		blocks[i] = allocate(&lane, UNIT);
		memset(lane.memory + blocks[i], 'a' + (int)i % 16, UNIT);
	}
	/* One block of each page but the last stays. */
	for (i = 0; i < 64; i++)
		if (i % 16 != 7 || i >= 48)
			blocks_free(lane.blocks, blocks[i]);
	assert_refused(&lane, 2 * PAGE, -ENOSPC);
	assert_int_equal(blocks_trim(lane.blocks, 0), PAGE);
	assert_accounts(&lane, 3 * PAGE, 3 * UNIT);
	for (i = 7; i < 48; i += 16)
		assert_int_equal(lane.memory[blocks[i]], 'a' + 7);
	/* Pages that stayed are as warm as before. */
	for (i = 0; i < 3 * 15; i++)
		allocate(&lane, UNIT);
	assert_accounts(&lane, 3 * PAGE, 3 * PAGE);
	lane_close(&lane);
}

/* Giving back ------------------------------------------------------------ */

static void
the_coldest_is_given_back_first(void **state)
{
	struct lane lane;
	uint64_t block[4], small;
	size_t i;

	(void)state;
	lane_make(&lane, MIB(1), MIB(1));
	for (i = 0; i < 4; i++)
		block[i] = allocate(&lane, KIB(32));
	small = allocate(&lane, KIB(16));
	allocate(&lane, KIB(16));
	/* Reserved pages look like holes until they are written. */
	memset(lane.memory + BASE, 'h', KIB(160));
	/* The buddies of all three stay in use. */
	blocks_free(lane.blocks, block[2]);
	blocks_free(lane.blocks, small);
	blocks_free(lane.blocks, block[0]);
	assert_int_equal(blocks_trim(lane.blocks, KIB(48)), KIB(32));
	assert_true(is_hole(&lane, block[2]));
	assert_false(is_hole(&lane, small));
	assert_false(is_hole(&lane, block[0]));
	assert_int_equal(blocks_trim(lane.blocks, KIB(32)), KIB(16));
	assert_true(is_hole(&lane, small));
	assert_false(is_hole(&lane, block[0]));
	/* A part of a block, if that is enough; its lower part stays warm. */
	assert_int_equal(blocks_trim(lane.blocks, KIB(20)), KIB(12));
	for (i = 0; i < 8; i++)
		assert_int_equal(is_hole(&lane, block[0] + i * PAGE), i >= 5);
	assert_int_equal(blocks_trim(lane.blocks, KIB(20)), 0);
	assert_int_equal(blocks_trim(lane.blocks, 0), KIB(20));
	assert_int_equal(file_memory(&lane), blocks_committed(lane.blocks));
	assert_int_equal(file_memory(&lane), blocks_in_use(lane.blocks));
	lane_close(&lane);
}

static void
trim_keeps_what_it_is_told_to_keep(void **state)
{
	uint64_t blocks[256], i, keep;
	struct lane lane;

	(void)state;
	lane_make(&lane, MIB(2), MIB(1));
	for (i = 0; i < 256; i++)
		blocks[i] = allocate(&lane, PAGE);
	for (i = 1; i < 256; i++)
		blocks_free(lane.blocks, blocks[i]);
	assert_int_equal(blocks_trim(lane.blocks, MIB(1)), 0);
	for (keep = 200 * PAGE; keep; keep -= 25 * PAGE) {
		assert_true(blocks_trim(lane.blocks, keep) > 0);
		assert_accounts(&lane, keep + PAGE, PAGE);
	}
	assert_int_equal(blocks_trim(lane.blocks, 0), 25 * PAGE);
	assert_accounts(&lane, PAGE, PAGE);
	lane_close(&lane);
}

static void
memory_that_cannot_be_given_back_stays_counted(void **state)
{
	struct lane lane;
	uint64_t a, b;

	(void)state;
	lane_make(&lane, KIB(256), KIB(64));
	assert_int_equal(ftruncate(lane.fd, BASE + KIB(256)), 0);
	a = allocate(&lane, KIB(32));
	b = allocate(&lane, KIB(32));
	blocks_free(lane.blocks, b);
	munmap(lane.memory, BASE + lane.length);
	assert_int_equal(fcntl(lane.fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	assert_int_equal(blocks_trim(lane.blocks, 0), 0);
	assert_accounts(&lane, KIB(64), KIB(32));
	assert_refused(&lane, KIB(64), -ENOSPC);
	assert_accounts(&lane, KIB(64), KIB(32));
	assert_int_equal(allocate(&lane, KIB(32)), b);
	blocks_free(lane.blocks, a);
	blocks_free(lane.blocks, b);
	assert_int_equal(allocate(&lane, KIB(64)), BASE);
	lane.memory = NULL;
	lane.length = 0;
	blocks_destroy(lane.blocks);
	close(lane.fd);
}

static void
what_could_not_be_given_back_is_given_back_later(void **state)
{
	struct lane lane;
	char path[64];
	int writable, readable;
	uint64_t a;

	(void)state;
	lane_make(&lane, KIB(256), KIB(64));
	a = allocate(&lane, KIB(32));
	allocate(&lane, KIB(32));
	blocks_free(lane.blocks, a);
	/* A descriptor that is only for reading gets EBADF. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", lane.fd);
	readable = open(path, O_RDONLY | O_CLOEXEC);
	writable = dup(lane.fd);
	assert_true(readable >= 0 && writable >= 0);
	assert_int_equal(dup2(readable, lane.fd), lane.fd);
	assert_int_equal(blocks_trim(lane.blocks, 0), 0);
	assert_accounts(&lane, KIB(64), KIB(32));
	assert_int_equal(dup2(writable, lane.fd), lane.fd);
	assert_int_equal(blocks_trim(lane.blocks, 0), KIB(32));
	assert_accounts(&lane, KIB(32), KIB(32));
	close(readable);
	close(writable);
	lane_close(&lane);
}

/* Merging ---------------------------------------------------------------- */

static void
the_whole_span_in_small_blocks_becomes_one_again(void **state)
{
	static uint64_t blocks[MIB(1) / UNIT];
	uint64_t n = ARRAY_SIZE(blocks), i;
	struct lane lane;

	(void)state;
	lane_make(&lane, MIB(1), MIB(1));
	for (i = 0; i < n; i++)
		blocks[i] = allocate(&lane, UNIT);
	assert_refused(&lane, 1, -ENOSPC);
	for (i = 0; i < n; i++)
		blocks_free(lane.blocks, blocks[i * 1237 % n]);
	assert_int_equal(allocate(&lane, MIB(1)), BASE);
	assert_accounts(&lane, MIB(1), MIB(1));
	lane_close(&lane);
}

static void
warm_and_bare_blocks_merge_when_nothing_else_is_left(void **state)
{
	uint64_t blocks[16], i;
	struct lane lane;

	(void)state;
	lane_make(&lane, KIB(64), KIB(64));
	for (i = 0; i < 16; i++)
		blocks[i] = allocate(&lane, PAGE);
	for (i = 0; i < 16; i += 2)
		blocks_free(lane.blocks, blocks[i]);
	assert_int_equal(blocks_trim(lane.blocks, 0), 8 * PAGE);
	for (i = 1; i < 16; i += 2)
		blocks_free(lane.blocks, blocks[i]);
	assert_accounts(&lane, 8 * PAGE, 0);
	assert_int_equal(allocate(&lane, KIB(64)), BASE);
	memset(lane.memory + BASE, 'z', KIB(64));
	assert_accounts(&lane, KIB(64), KIB(64));
	lane_close(&lane);
}

/* Failures of the kernel ------------------------------------------------- */

static void
a_commit_that_fails_midway_leaks_nothing(void **state)
{
	struct lane lane;
	uint64_t a;

	(void)state;
	lane_make(&lane, MIB(16), MIB(16));
	/* Two and a half of eight MiB can be had, then it is EPERM. */
	assert_int_equal(ftruncate(lane.fd, BASE + MIB(8) + KIB(2560)), 0);
	assert_int_equal(fcntl(lane.fd, F_ADD_SEALS, F_SEAL_GROW), 0);
	a = allocate(&lane, 1);
	assert_refused(&lane, MIB(8), -EPERM);
	assert_accounts(&lane, PAGE, UNIT);
	assert_refused(&lane, MIB(8), -EPERM);
	assert_accounts(&lane, PAGE, UNIT);
	blocks_free(lane.blocks, a);
	allocate(&lane, MIB(4));
	assert_refused(&lane, MIB(8), -EPERM);
	assert_accounts(&lane, MIB(4) + PAGE, MIB(4));
	lane_close(&lane);
}

static void
what_cannot_be_undone_stays_counted(void **state)
{
	struct lane lane;

	(void)state;
	lane_make(&lane, MIB(16), MIB(8));
	assert_int_equal(ftruncate(lane.fd, BASE + KIB(2560)), 0);
	munmap(lane.memory, BASE + lane.length);
	assert_int_equal(
		fcntl(lane.fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_WRITE), 0);
	assert_refused(&lane, MIB(8), -EPERM);
	assert_accounts(&lane, MIB(2), 0);
	/* It is used before any other. */
	assert_int_equal(allocate(&lane, MIB(1)), BASE);
	assert_int_equal(allocate(&lane, MIB(1)), BASE + MIB(1));
	assert_accounts(&lane, MIB(2), MIB(2));
	blocks_destroy(lane.blocks);
	close(lane.fd);
}

static void
a_growing_backlog_needs_few_system_calls(void **state)
{
	struct lane lane;
	uint64_t before, offset;
	int i, commits = 0;

	(void)state;
	lane_make(&lane, MIB(128), MIB(64));
	for (i = 0; i < 128; i++) {
		before = blocks_committed(lane.blocks);
		offset = allocate(&lane, KIB(16));
		memset(lane.memory + offset, 'g', KIB(16));
		commits += blocks_committed(lane.blocks) != before;
	}
	assert_true(commits <= 40);
	assert_true(blocks_committed(lane.blocks) <=
		    blocks_in_use(lane.blocks) * 5 / 4);
	assert_int_equal(file_memory(&lane), blocks_committed(lane.blocks));
	lane_close(&lane);
}

/* In a tmpfs of 1 MiB, on which nobody else is. */
static int
small_tmpfs(void)
{
	char directory[] = "/tmp/blocks_test.XXXXXX";
	int fd;

	assert_non_null(mkdtemp(directory));
	if (mount("tmpfs", directory, "tmpfs", 0, "size=1m")) {
		rmdir(directory);
		return -1;
	}
	fd = open(directory, O_RDWR | O_CLOEXEC | O_TMPFILE, 0600);
	/* Open files keep it; its name goes. */
	umount2(directory, MNT_DETACH);
	rmdir(directory);
	assert_true(fd >= 0);
	return fd;
}

static void
a_full_file_system_is_an_error_and_costs_nothing(void **state)
{
	uint64_t blocks[64], n = 0, i, large;
	struct lane lane;
	int fd = small_tmpfs();

	(void)state;
	if (fd < 0)
		skip();
	lane_open(&lane, fd, MIB(8), MIB(4));
	assert_refused(&lane, MIB(2), -ENOSPC);
	assert_accounts(&lane, 0, 0);
	while (!blocks_allocate(lane.blocks, KIB(64), FOREVER, &blocks[n])) {
		memset(lane.memory + blocks[n], 'm', KIB(64));
		n++;
	}
	assert_int_equal(n, 16);
	assert_refused(&lane, KIB(64), -ENOSPC);
	assert_accounts(&lane, MIB(1), MIB(1));
	/* Scattered free blocks are given back for a larger one. */
	for (i = 0; i < n; i += 2)
		blocks_free(lane.blocks, blocks[i]);
	assert_refused(&lane, MIB(1), -ENOSPC);
	large = allocate(&lane, KIB(256));
	memset(lane.memory + large, 'n', KIB(256));
	for (i = 1; i < n; i += 2)
		assert_int_equal(lane.memory[blocks[i] + 12345], 'm');
	assert_int_equal(file_memory(&lane), blocks_committed(lane.blocks));
	lane_close(&lane);
}

/* Taking over ------------------------------------------------------------ */

/* Of a span of 1 MiB that is in use from 64 to 80 KiB. */
static const struct {
	uint64_t offset;
	uint64_t size;
} nonsense[] = {
	{ 0, 256 },
	{ BASE - 256, 256 },
	{ BASE + MIB(1), 256 },
	{ BASE + MIB(1) - 256, 257 },
	{ BASE, MIB(1) + 1 },
	{ BASE, UINT64_MAX },
	{ BASE, UINT64_C(1) << 63 },
	{ BASE, 0 },
	{ BASE + 1, 1 },
	{ BASE + 128, 1 },
	{ BASE + 256, 257 },
	{ BASE + 4096, 4097 },
	{ BASE + KIB(512), KIB(512) + 1 },
	{ UINT64_MAX, 1 },
	{ UINT64_MAX - 255, 256 },
	/* overlapping what is in use */
	{ BASE + KIB(64), 1 },
	{ BASE + KIB(64), KIB(16) },
	{ BASE + KIB(72), 256 },
	{ BASE + KIB(80) - 256, 256 },
	{ BASE + KIB(64), KIB(64) },
	{ BASE, KIB(128) },
	{ BASE, MIB(1) },
};

static void
nonsense_is_not_occupied(void **state)
{
	struct lane lane;
	size_t i;

	(void)state;
	lane_make(&lane, MIB(1), MIB(1));
	lane_take_over(&lane, MIB(1));
	assert_int_equal(blocks_occupy(lane.blocks, BASE + KIB(64), KIB(12)),
			 0);
	for (i = 0; i < ARRAY_SIZE(nonsense); i++)
		assert_int_equal(blocks_occupy(lane.blocks, nonsense[i].offset,
					       nonsense[i].size),
				 -EINVAL);
	assert_int_equal(blocks_in_use(lane.blocks), KIB(16));
	assert_int_equal(blocks_committed(lane.blocks), KIB(16));
	/* What is right still is. */
	assert_int_equal(blocks_occupy(lane.blocks, BASE, KIB(64)), 0);
	assert_int_equal(blocks_occupy(lane.blocks, BASE + KIB(80), 1), 0);
	assert_int_equal(blocks_occupy(lane.blocks, BASE + KIB(512), KIB(512)),
			 0);
	lane_close(&lane);
}

/* The model -------------------------------------------------------------- */

struct block {
	uint64_t offset;
	uint64_t asked;
	uint64_t stamp; /* written to its first and last bytes */
};

struct model {
	struct lane lane;
	uint64_t limit;
	uint8_t *used; /* a byte per unit */
	struct block *blocks;
	size_t n, room;
	uint64_t in_use;
};

static uint64_t
bytes_of(uint64_t asked)
{
	return max_u64(power_of_2_from(asked), UNIT);
}

/* Sizes of all magnitudes, small ones more often. */
static uint64_t
random_size(uint64_t most)
{
	uint64_t size = 1 + random_below(UINT64_C(1) << random_below(30));

	return 1 + (size - 1) % most;
}

static void
model_add(struct model *m, uint64_t offset, uint64_t asked)
{
	uint64_t bytes = bytes_of(asked), unit;
	struct block *block = &m->blocks[m->n++];

	assert_true(m->n <= m->room);
	assert_true(offset >= BASE && bytes <= m->lane.length);
	assert_true(offset - BASE <= m->lane.length - bytes);
	assert_int_equal((offset - BASE) % bytes, 0);
	for (unit = 0; unit < bytes / UNIT; unit++) {
		assert_int_equal(m->used[(offset - BASE) / UNIT + unit], 0);
		m->used[(offset - BASE) / UNIT + unit] = 1;
	}
	m->in_use += bytes;
	*block = (struct block){ offset, asked, random_below(UINT32_MAX) };
	memcpy(m->lane.memory + offset, &block->stamp, 8);
	memcpy(m->lane.memory + offset + bytes - 8, &block->stamp, 8);
}

static void
model_check_contents(const struct model *m, size_t i)
{
	const struct block *block = &m->blocks[i];
	const char *bytes = m->lane.memory + block->offset;

	assert_memory_equal(bytes, &block->stamp, 8);
	assert_memory_equal(bytes + bytes_of(block->asked) - 8, &block->stamp,
			    8);
}

static void
model_remove(struct model *m, size_t i)
{
	struct block block = m->blocks[i];

	model_check_contents(m, i);
	memset(m->used + (block.offset - BASE) / UNIT, 0,
	       bytes_of(block.asked) / UNIT);
	m->in_use -= bytes_of(block.asked);
	m->blocks[i] = m->blocks[--m->n];
	blocks_free(m->lane.blocks, block.offset);
}

/* Pages that hold a block in use, in bytes: what can be given back to. */
static uint64_t
model_pinned(const struct model *m)
{
	uint64_t unit, pages = 0, per_page = PAGE / UNIT;

	for (unit = 0; unit < m->lane.length / UNIT; unit += per_page)
		pages += !!memchr(m->used + unit, 1, per_page);
	return pages * PAGE;
}

static void
model_check(const struct model *m)
{
	assert_accounts(&m->lane, blocks_committed(m->lane.blocks), m->in_use);
	assert_true(blocks_committed(m->lane.blocks) <= m->limit);
	assert_true(model_pinned(m) <= blocks_committed(m->lane.blocks));
}

static void
model_make(struct model *m, uint64_t length, uint64_t limit)
{
	*m = (struct model){ .limit = limit, .room = length / UNIT };
	lane_make(&m->lane, length, limit);
	m->used = calloc(length / UNIT, 1);
	m->blocks = calloc(m->room, sizeof(*m->blocks));
	assert_true(m->used && m->blocks);
}

static void
model_free(struct model *m)
{
	lane_close(&m->lane);
	free(m->used);
	free(m->blocks);
}

/* Is there an aligned run of free units for it? */
static bool
model_has_room(const struct model *m, uint64_t asked)
{
	uint64_t n = bytes_of(asked) / UNIT, unit;

	for (unit = 0; unit < m->lane.length / UNIT; unit += n)
		if (!memchr(m->used + unit, 1, n))
			return true;
	return false;
}

/* A refusal is right only if there is no room, or not within the limit. */
static void
model_check_refusal(const struct model *m, uint64_t asked, uint64_t committed)
{
	uint64_t pages = round_up(bytes_of(asked), PAGE);

	assert_int_equal(blocks_committed(m->lane.blocks), committed);
	if (model_has_room(m, asked))
		assert_true(model_pinned(m) + pages > m->limit);
}

static void
model_allocate(struct model *m, uint64_t asked)
{
	uint64_t committed = blocks_committed(m->lane.blocks), offset;
	int r = blocks_allocate(m->lane.blocks, asked, FOREVER, &offset);

	if (r == 0) {
		model_add(m, offset, asked);
		return;
	}
	assert_int_equal(r, -ENOSPC);
	model_check_refusal(m, asked, committed);
}

/* In waves, so that it is full at times and empty at others. */
static void
model_run(struct model *m, unsigned steps)
{
	uint64_t spare, most = m->lane.length / 2;
	unsigned i, allocations = 50;

	for (i = 0; i < steps; i++) {
		if (i % 500 == 0) {
			allocations = 20 + (unsigned)random_below(65);
			most = UNIT << random_below(16);
			most = min_u64(most, m->lane.length);
		}
		if (random_below(100) < allocations)
			model_allocate(m, random_size(most));
		else if (m->n)
			model_remove(m, random_below(m->n));
		if (i % 97 == 0)
			model_check(m);
		if (random_below(1000) == 0) {
			spare = blocks_committed(m->lane.blocks) - m->in_use;
			blocks_trim(m->lane.blocks, random_below(spare + 1));
			model_check(m);
		}
	}
}

static void
at_random_nothing_overlaps_and_accounts_hold(void **state)
{
	static const uint64_t shapes[][2] = { { MIB(2), MIB(1) },
					      { MIB(1), MIB(1) },
					      { KIB(256), KIB(60) },
					      { KIB(64), MIB(1) } };
	struct model m;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(shapes); i++) {
		random_state = i;
		model_make(&m, shapes[i][0], shapes[i][1]);
		model_run(&m, 15000);
		while (m.n)
			model_remove(&m, m.n - 1);
		blocks_trim(m.lane.blocks, 0);
		assert_accounts(&m.lane, 0, 0);
		model_free(&m);
	}
}

/* Everything that is in use, in any order, then all else is given back. */
static void
model_take_over(struct model *m)
{
	size_t i, j;
	struct block block;

	lane_take_over(&m->lane, m->limit);
	for (i = 0; i < m->n; i++) {
		j = i + random_below(m->n - i);
		block = m->blocks[j];
		m->blocks[j] = m->blocks[i];
		m->blocks[i] = block;
		assert_int_equal(blocks_occupy(m->lane.blocks, block.offset,
					       block.asked),
				 0);
		assert_int_equal(blocks_occupy(m->lane.blocks, block.offset,
					       block.asked),
				 -EINVAL);
	}
	blocks_settle(m->lane.blocks);
	assert_accounts(&m->lane, model_pinned(m), m->in_use);
	for (i = 0; i < m->n; i++)
		model_check_contents(m, i);
}

static void
a_later_owner_rebuilds_it_and_goes_on(void **state)
{
	struct model m;
	unsigned i;

	(void)state;
	random_state = 7;
	model_make(&m, MIB(2), MIB(1));
	for (i = 0; i < 30; i++) {
		model_run(&m, 700);
		model_take_over(&m);
	}
	while (m.n)
		model_remove(&m, 0);
	assert_int_equal(allocate(&m.lane, MIB(1)) % PAGE, 0);
	model_free(&m);
}

static void
random_occupation_never_overlaps(void **state)
{
	uint64_t at, size;
	struct model m;
	unsigned i, run;

	(void)state;
	for (run = 0; run < 20; run++) {
		random_state = run;
		model_make(&m, MIB(1), MIB(1));
		assert_int_equal(posix_fallocate(m.lane.fd, BASE, MIB(1)), 0);
		for (i = 0; i < 2000; i++) {
			at = random_below(UINT64_C(1) << random_below(23));
			if (random_below(2))
				at = round_down(at, UNIT);
			size = random_below(UINT64_C(1) << random_below(22));
			if (!blocks_occupy(m.lane.blocks, BASE + at, size))
				model_add(&m, BASE + at, size);
		}
		blocks_settle(m.lane.blocks);
		assert_int_equal(blocks_in_use(m.lane.blocks), m.in_use);
		assert_int_equal(blocks_committed(m.lane.blocks),
				 model_pinned(&m));
		model_run(&m, 500);
		while (m.n)
			model_remove(&m, 0);
		assert_int_equal(allocate(&m.lane, MIB(1)), BASE);
		model_free(&m);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_block_is_inside_aligned_and_committed),
		cmocka_unit_test(a_block_comes_back_last_in_first_out),
		cmocka_unit_test(a_warm_block_needs_no_system_call),
		cmocka_unit_test(what_is_larger_than_the_span_is_refused),
		cmocka_unit_test(a_span_smaller_than_a_page_or_empty_works),
		cmocka_unit_test(freeing_nonsense_changes_nothing),
		cmocka_unit_test(private_memory_is_in_proportion_to_use),
		cmocka_unit_test(private_memory_goes_back_with_the_backlog),
		cmocka_unit_test(the_limit_is_exact_in_pages),
		cmocka_unit_test(a_block_of_the_whole_limit_follows_small_ones),
		cmocka_unit_test(
			scattered_free_pages_make_room_for_a_large_block),
		cmocka_unit_test(a_refused_block_leaves_everything_as_it_was),
		cmocka_unit_test(
			a_page_shared_with_a_used_block_is_never_given_back),
		cmocka_unit_test(the_coldest_is_given_back_first),
		cmocka_unit_test(trim_keeps_what_it_is_told_to_keep),
		cmocka_unit_test(
			memory_that_cannot_be_given_back_stays_counted),
		cmocka_unit_test(
			what_could_not_be_given_back_is_given_back_later),
		cmocka_unit_test(
			the_whole_span_in_small_blocks_becomes_one_again),
		cmocka_unit_test(
			warm_and_bare_blocks_merge_when_nothing_else_is_left),
		cmocka_unit_test(a_commit_that_fails_midway_leaks_nothing),
		cmocka_unit_test(what_cannot_be_undone_stays_counted),
		cmocka_unit_test(a_growing_backlog_needs_few_system_calls),
		cmocka_unit_test(
			a_full_file_system_is_an_error_and_costs_nothing),
		cmocka_unit_test(nonsense_is_not_occupied),
		cmocka_unit_test(at_random_nothing_overlaps_and_accounts_hold),
		cmocka_unit_test(a_later_owner_rebuilds_it_and_goes_on),
		cmocka_unit_test(random_occupation_never_overlaps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
