/* SPDX-License-Identifier: MIT */
/* Test: tsan, timeout 120. */
/* Shared memory regions: made, attached, grown, detached, unlinked, listed. */
#include "region.h"
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

/* What is shared --------------------------------------------------------- */

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

/* Growing ---------------------------------------------------------------- */

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

/* Names ------------------------------------------------------------------ */

static void
it_lives_until_unlinked_and_closed(void)
{
	cubby_region *writer = open_region(NAME, KEEP, 100, 0);
	cubby_region *reader = open_region(NAME, 0, 0, 0), *other;
	char *data = cubby_region_data(writer);

	data[99] = 7;
	expect_ok(cubby_region_unlink(NAME));
	expect_int(count_files(), 1);	/* the user's directory */
	expect_result(try_open(NAME, 0, NULL), -ENOENT);
	expect_result(cubby_region_unlink(NAME), -ENOENT);
	/* They go on, and another takes the name. */
	other = open_region(NAME, KEEP | CUBBY_EXCLUSIVE, 100, 0);
	expect_ok(cubby_region_grow(writer, 5000));
	data[4999] = 8;
	expect_int(((char *)cubby_region_data(reader))[4999], 8);
	expect_int(((char *)cubby_region_data(other))[99], 0);
	cubby_region_close(writer);
	expect_int(((char *)cubby_region_data(reader))[99], 7);
	cubby_region_close(reader);
	cubby_region_close(other);
}

struct seen {
	char names[8][64];
	int count;
};

static int
note(const char *name, void *context)
{
	struct seen *seen = context;

	snprintf(seen->names[seen->count++], 64, "%s", name);
	return seen->count == 7 ? 42 : 0;
}

static void
regions_are_listed_and_mailboxes_are_not(void)
{
	struct seen seen = { .count = 0 };

	cubby_region_close(open_region("b", KEEP, 0, 0));
	cubby_region_close(open_region("/z", KEEP, 0, 0));
	cubby_region_close(open_region("/c", KEEP, 0, 0));
	cubby_region_close(open_region("a", KEEP, 0, 0));
	cubby_close(open_mailbox("m", CUBBY_CREATE, NULL));
	cubby_close(open_mailbox("/m", CUBBY_CREATE, NULL));
	expect_ok(cubby_region_list(note, &seen));
	expect_int(seen.count, 4);
	expect(!strcmp(seen.names[0], "a") && !strcmp(seen.names[1], "b") &&
	       !strcmp(seen.names[2], "/c") && !strcmp(seen.names[3], "/z"));
	seen.count = 0;
	expect_ok(cubby_list(note, &seen));
	expect_int(seen.count, 2);
	seen.count = 6;
	expect_int(cubby_region_list(note, &seen), 42);
	expect_result(cubby_region_list(NULL, NULL), -EINVAL);
	expect_ok(cubby_sweep(NULL, NULL));
	expect_int(look("/z").size, 4096);
}

static void
inspection_tells_what_it_is(void)
{
	cubby_region *one = open_region(NAME, KEEP, 10000, 20000);
	cubby_region *two = open_region(NAME, CUBBY_WRITE, 0, 0);
	cubby_region *reader = open_region(NAME, 0, 0, 0);
	struct cubby_region_info info = look(NAME);

	expect_int(info.size, 10000);
	expect_int(info.size_max, 20480);
	expect_int(info.mode, 0600);
	expect_int(info.uid, geteuid());
	expect_int(info.gid, getegid());
	expect_int(info.attached, 2);
	/* Two pages besides the data: what it is, and its slots. */
	expect_int(info.memory, 5 * 4096);
	cubby_region_close(reader);
	cubby_region_close(one);
	expect_int(look(NAME).attached, 1);
	cubby_region_close(two);
	expect_int(look(NAME).attached, 0);
	info.struct_size = offsetof(struct cubby_region_info, size_max);
	info.size = info.size_max = 1;
	expect_ok(cubby_region_inspect(NAME, &info));
	expect_int(info.size, 10000);
	expect_int(info.size_max, 1);
	info.struct_size = 0;
	expect_result(cubby_region_inspect(NAME, &info), -EINVAL);
	expect_result(cubby_region_inspect(NAME, NULL), -EINVAL);
	info.struct_size = sizeof(info);
	expect_result(cubby_region_inspect("none", &info), -ENOENT);
	expect_result(cubby_region_inspect("", &info), -EINVAL);
}

static void
what_an_unfinished_maker_left_is_swept(void)
{
	struct cubby_swept swept = CUBBY_SWEPT_INIT;
	char path[PATH_MAX];

	/* As if killed before its flock, and after making a file. */
	snprintf(path, sizeof(path), "%s/.cubby.new.0123456789abcdef",
		 test_root());
	expect_system(mkdir(path, 0700));
	strcat(path, "/memory");
	expect_system(mknod(path, S_IFREG | 0600, 0));
	expect_ok(cubby_sweep(NULL, &swept));
	expect_int(swept.mailboxes, 1);
	expect_int(count_files(), 0);
}

/* Killed between renaming it away and removing it. */
static void
what_an_unlinker_left_is_swept_when_nobody_writes_it(void)
{
	struct cubby_swept swept = CUBBY_SWEPT_INIT;
	cubby_region *region = open_region("/r", KEEP, 0, 0);
	char from[PATH_MAX], to[PATH_MAX];

	snprintf(from, sizeof(from), "%s/cubby-region.r", test_root());
	snprintf(to, sizeof(to), "%s/.cubby.gone.%032d", test_root(), 7);
	expect_system(rename(from, to));
	expect_ok(cubby_sweep(NULL, &swept));
	expect_int(swept.mailboxes, 0);
	cubby_region_close(region);
	expect_ok(cubby_sweep(NULL, &swept));
	expect_int(swept.mailboxes, 1);
	expect_int(count_files(), 0);
}

/* Without a name --------------------------------------------------------- */

static void
one_without_a_name_ends_with_its_handle(void)
{
	uint64_t before;
	cubby_region *region;

	need_root();
	mount_small_root(4 << 20);
	before = root_bytes_free();
	region = open_region(NULL, CUBBY_CREATE, 1 << 20, 0);
	expect(root_bytes_free() <= before - (1 << 20));
	expect_int(count_files(), 0);
	pattern_fill(cubby_region_data(region), 1 << 20, 3);
	expect_ok(cubby_region_grow(region, 2 << 20));
	expect(pattern_holds(cubby_region_data(region), 1 << 20, 3));
	cubby_region_close(region);
	expect_int(root_bytes_free(), before);
}

/* Refused ---------------------------------------------------------------- */

static void
what_makes_no_sense_is_refused(void)
{
	struct cubby_region_options options = CUBBY_REGION_OPTIONS_INIT;
	char long_name[300];

	memset(long_name, 'x', sizeof(long_name));
	long_name[201] = '\0';
	expect_result(cubby_region_open(NAME, KEEP, NULL, NULL), -EINVAL);
	expect_result(try_open(NAME, CUBBY_SEND | CUBBY_CREATE, NULL), -EINVAL);
	expect_result(try_open(NAME, CUBBY_EXCLUSIVE, NULL), -EINVAL);
	expect_result(try_open(NULL, CUBBY_WRITE, NULL), -EINVAL);
	expect_result(try_open("", KEEP, NULL), -EINVAL);
	expect_result(try_open(".x", KEEP, NULL), -EINVAL);
	expect_result(try_open("a/b", KEEP, NULL), -EINVAL);
	expect_result(try_open(long_name, KEEP, NULL), -ENAMETOOLONG);
	expect_result(try_open(NAME, 0, NULL), -ENOENT);
	options.mode = 0700;
	expect_result(try_open(NAME, KEEP, &options), -EINVAL);
	options.mode = 01600;
	expect_result(try_open(NAME, KEEP, &options), -EINVAL);
	options.mode = 0;
	options.struct_size = sizeof(size_t) - 1;
	expect_result(try_open(NAME, KEEP, &options), -EINVAL);
	options.struct_size = sizeof(options);
	options.group = "";
	expect_result(try_open(NAME, KEEP, &options), -EINVAL);
	options.group = NULL;
	options.size = 8193;
	options.size_max = 8192;
	expect_result(try_open(NAME, KEEP, &options), -EINVAL);
	options.size_max = (UINT64_C(1) << 44) + 1;
	expect_result(try_open(NAME, KEEP, &options), -EINVAL);
	options.size_max = 0;
	options.size = (UINT64_C(1) << 44) + 1;
	expect_result(try_open(NAME, KEEP, &options), -EINVAL);
	options.size = 0;
	options.group = "no such group here";
	expect_result(try_open(NAME, KEEP, &options), -EINVAL);
	expect_result(try_open(NULL, KEEP, &options), -EINVAL);
	expect_result(cubby_region_unlink("a/b"), -EINVAL);
	expect_result(cubby_region_unlink(long_name), -ENAMETOOLONG);
	expect_result(cubby_region_unlink(NAME), -ENOENT);
	expect_result(cubby_region_grant(NAME, "user:0", 2), -EINVAL);
	expect_result(cubby_region_grant(NAME, "user:no such", 1), -EINVAL);
	expect_result(cubby_region_grant(NAME, "user:", 1), -EINVAL);
	expect_result(cubby_region_grant(NAME, "user:-1", 1), -EINVAL);
	expect_result(cubby_region_grant(NAME, "user:12x", 1), -EINVAL);
	expect_result(cubby_region_grant(NAME, "user:4294967295", 1), -EINVAL);
	expect_result(cubby_region_grant(NAME, "user:99999999999999999999", 1),
		      -EINVAL);
	expect_result(cubby_region_grant(NAME, "group:no such", 1), -EINVAL);
	expect_result(cubby_region_grant(NAME, "root", 1), -EINVAL);
	expect_result(cubby_region_grant(NAME, NULL, 1), -EINVAL);
	expect_result(cubby_region_grant(NAME, "user:0", 1), -ENOENT);
}

/* One that was compiled with a newer header, or an older one. */
static void
other_versions_of_the_options_are_read(void)
{
	struct {
		struct cubby_region_options known;
		uint64_t newer;
	} options = { CUBBY_REGION_OPTIONS_INIT, 0 };

	options.known.struct_size = sizeof(options);
	options.known.size = 10000;
	expect_result(try_open(NAME, KEEP, &options.known), 0);
	options.newer = 1;
	expect_result(try_open(NAME, KEEP, &options.known), -EINVAL);
	options.known.struct_size = 100000;
	expect_result(try_open(NAME, KEEP, &options.known), -EINVAL);
	options.known.struct_size = offsetof(struct cubby_region_options, mode);
	options.known.mode = 01;
	expect_result(try_open(NAME, KEEP, &options.known), 0);
	expect_int(look(NAME).size, 10000);
}

static void
one_that_exists_must_be_as_asked(void)
{
	struct cubby_region_options options = CUBBY_REGION_OPTIONS_INIT;

	cubby_region_close(open_region(NAME, KEEP, 5000, 10000));
	expect_result(try_open(NAME, KEEP | CUBBY_EXCLUSIVE, NULL), -EEXIST);
	expect_result(try_open(NAME, KEEP, NULL), 0);
	options.size = 5000;
	options.size_max = 12288;
	expect_result(try_open(NAME, KEEP, &options), 0);
	options.size = 5001;
	expect_result(try_open(NAME, KEEP, &options), -EEXIST);
	options.size = 1;
	options.size_max = 12289;
	expect_result(try_open(NAME, 0, &options), -EEXIST);
}

static void
plant(const char *text)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/cubby-region.r", test_root());
	expect_system(mkdir(path, 0700));
	strcat(path, "/memory");
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	expect_system(fd);
	expect_int(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void
what_is_no_region_is_not_attached(void)
{
	struct cubby_region_info info = CUBBY_REGION_INFO_INIT;
	char path[PATH_MAX];

	plant("this is not the beginning of a region, nor of any other thing "
	      "that cubby has made");
	expect_result(try_open("/r", 0, NULL), -EBADMSG);
	expect_result(cubby_region_inspect("/r", &info), -EBADMSG);
	expect_ok(cubby_region_unlink("/r"));
	plant("short");
	expect_result(try_open("/r", 0, NULL), -EBADMSG);
	expect_ok(cubby_region_unlink("/r"));
	snprintf(path, sizeof(path), "%s/cubby-region.r", test_root());
	expect_system(mknod(path, S_IFREG | 0600, 0));
	expect_result(try_open("/r", KEEP, NULL), -ENOTDIR);
	expect_result(cubby_region_inspect("/r", &info), -ENOTDIR);
	expect_result(cubby_region_unlink("/r"), -ENOTDIR);
	expect_result(cubby_region_grant("/r", "user:0", 1), -ENOTDIR);
	expect_system(unlink(path));
	expect_system(symlink("/", path));
	expect_result(try_open("/r", KEEP, NULL), -ENOTDIR);
	expect_system(unlink(path));
	expect_system(chmod(test_root(), 0777));
	expect_result(try_open("/r", KEEP, NULL), -EPERM);
	expect_result(try_open(NULL, KEEP, NULL), -EPERM);
	expect_system(chmod(test_root(), 0700));
}

static void
another_version_is_told(void)
{
	char path[PATH_MAX];
	uint32_t version = 77;
	int fd;

	cubby_region_close(open_region(NAME, KEEP, 0, 0));
	find_file("/memory", path);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	expect_system(fd);
	expect_int(pwrite(fd, &version, 4, 8), 4);
	close(fd);
	expect_result(try_open(NAME, 0, NULL), -EPROTO);
}

/* Where a region without a name lies: in the root; or, where its user may not
   write there, in his own directory, if he has one. */
static void
a_user_may_not_write_the_root(void)
{
	struct child child;

	need_root();
	share_root();
	in_child(&child) {
		become(61001, 61001, 0);
		cubby_close(open_mailbox("m", CUBBY_CREATE, NULL));
	}
	child_finish(&child);
	expect_system(chmod(test_root(), 0755));
	in_child(&child) {
		cubby_region *region = NULL;
		cubby_mailbox *mailbox;

		become(61001, 61001, 0);
		mailbox = open_mailbox("m", CUBBY_SEND | CUBBY_RECEIVE, NULL);
		expect_ok(cubby_region_open(NULL, CUBBY_CREATE, NULL,
					    &region));
		strcpy(cubby_region_data(region), "there");
		expect_ok(cubby_send_region(mailbox, region, NULL, soon()));
		expect_ok(cubby_receive_region(mailbox, NULL, soon(), &region,
					       NULL));
		expect(!strcmp(cubby_region_data(region), "there"));
		cubby_region_close(region);
		cubby_close(mailbox);
		expect_ok(cubby_unlink("m"));
	}
	child_finish(&child);
	in_child(&child) {
		become(61002, 61002, 0);
		expect_result(try_open(NULL, KEEP, NULL), -EACCES);
	}
	child_finish(&child);
	expect_system(chmod(test_root(), 01777));
}

/* Participants ----------------------------------------------------------- */

static void
a_place_is_for_one(void)
{
	cubby_region *a = open_region(NAME, KEEP, 0, 0);
	cubby_region *b = open_region(NAME, CUBBY_WRITE, 0, 0);
	struct region_participant gone = b->self;

	expect_int(a->self.slot, 0);
	expect_int(b->self.slot, 1);
	expect_int(region_alive(a, b->self.slot, b->self.generation), 1);
	expect_int(region_alive(a, a->self.slot, a->self.generation), 1);
	expect_int(region_alive(b, a->self.slot, a->self.generation), 1);
	cubby_region_close(b);
	expect_int(region_alive(a, gone.slot, gone.generation), 0);
	b = open_region(NAME, CUBBY_WRITE, 0, 0);
	expect_int(b->self.slot, gone.slot);
	expect(b->self.generation != gone.generation);
	/* The slot's owner lives, and is another. */
	expect_int(region_alive(a, gone.slot, gone.generation), 0);
	expect_int(region_alive(a, gone.slot, b->self.generation), 1);
	expect_int(region_alive(a, gone.slot, b->self.generation + 1), 0);
	expect_int(region_alive(a, 1023, 1), 0);
	expect_int(region_alive(a, UINT32_MAX, 1), 0);
	cubby_region_close(a);
	cubby_region_close(b);
}

static void
a_stopped_participant_lives_and_a_killed_one_does_not(void)
{
	struct region_participant *who = shared_memory(sizeof(*who));
	cubby_region *mine = open_region(NAME, KEEP, 0, 0);
	struct gate gate = gate_make(), never = gate_make();
	struct child child;

	in_child(&child) {
		cubby_region *region = open_region(NAME, CUBBY_WRITE, 0, 0);

		*who = region->self;
		gate_open(&gate);
		gate_wait(&never);
	}
	gate_wait(&gate);
	expect_int(region_alive(mine, who->slot, who->generation), 1);
	child_stop(&child);
	expect_int(region_alive(mine, who->slot, who->generation), 1);
	child_kill_to_zombie(&child);
	expect_int(region_alive(mine, who->slot, who->generation), 0);
	expect_int(look(NAME).attached, 1);
	child_reap(&child);
	cubby_region_close(mine);
}

static void
lock_bytes(int fd, short type, off_t start, off_t length)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET,
			      .l_start = start, .l_len = length };

	expect_system(fcntl(fd, F_OFD_SETLK, &lock));
}

static void
there_are_places_for_so_many(void)
{
	cubby_region *region = open_region(NAME, KEEP, 0, 0);
	struct region_participant last = { .slot = 0 };
	char path[PATH_MAX];
	int fd;

	find_file("/attendance", path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	expect_system(fd);
	/* As if all others were taken: but for one, beyond the first page. */
	lock_bytes(fd, F_WRLCK, 1, 1023);
	expect_result(try_open(NAME, CUBBY_WRITE, NULL), -EUSERS);
	expect_result(try_open(NAME, 0, NULL), 0);
	lock_bytes(fd, F_UNLCK, 1000, 1);
	cubby_region_close(region);
	lock_bytes(fd, F_WRLCK, 0, 1);
	region = open_region(NAME, CUBBY_WRITE, 0, 0);
	last = region->self;
	expect_int(last.slot, 1000);
	expect_int(region_alive(region, last.slot, last.generation), 1);
	cubby_region_close(region);
	close(fd);
}

/* fork ------------------------------------------------------------------- */

static void
a_child_may_not_use_an_inherited_handle(void)
{
	cubby_region *region = open_region(NAME, KEEP, 100, 0);
	struct child child;

	in_child(&child) {
		expect(cubby_region_data(region) == NULL);
		expect_int(cubby_region_size(region), 0);
		expect_result(cubby_region_grow(region, 5000), -ECHILD);
		cubby_region_close(region);
		region = open_region(NAME, CUBBY_WRITE, 0, 0);
		expect_int(region->self.slot, 1);
		((char *)cubby_region_data(region))[0] = 9;
		cubby_region_close(region);
	}
	child_finish(&child);
	expect_int(((char *)cubby_region_data(region))[0], 9);
	expect_int(region_alive(region, region->self.slot,
				region->self.generation), 1);
	expect_ok(cubby_region_grow(region, 5000));
	cubby_region_close(region);
}

/* Files that lie --------------------------------------------------------- */

static int
open_memory(void)
{
	char path[PATH_MAX];
	int fd;

	find_file("/memory", path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	expect_system(fd);
	return fd;
}

static void
a_size_that_cannot_be_is_not_believed(uint64_t lie)
{
	cubby_region *region = open_region(NAME, KEEP, 5000, 1 << 20);
	cubby_region *reader = open_region(NAME, 0, 0, 0);
	int fd = open_memory();

	expect_int(pwrite(fd, &lie, 8, offsetof(struct region_file, size)), 8);
	expect_int(cubby_region_size(reader), 5000);
	expect_result(cubby_region_grow(region, 6000), -EBADMSG);
	expect_int(cubby_region_size(region), 5000);
	expect_result(cubby_region_grow(region, 5000), -EBADMSG);
	expect_int(((char *)cubby_region_data(region))[4999], 0);
	close(fd);
	cubby_region_close(region);
	cubby_region_close(reader);
	expect_ok(cubby_region_unlink(NAME));
}

static void
lies_about_the_size_are_found_out(void)
{
	a_size_that_cannot_be_is_not_believed(4999);	/* it shrinks */
	a_size_that_cannot_be_is_not_believed(9000);	/* beyond the file */
	a_size_that_cannot_be_is_not_believed((1 << 20) + 1);
	a_size_that_cannot_be_is_not_believed(UINT64_MAX);
}

static void
one_that_lies_from_the_beginning_is_not_attached(void)
{
	uint64_t lie = UINT64_MAX;
	int fd;

	cubby_region_close(open_region(NAME, KEEP, 5000, 0));
	fd = open_memory();
	expect_int(pwrite(fd, &lie, 8, offsetof(struct region_file, size)), 8);
	expect_result(try_open(NAME, CUBBY_WRITE, NULL), -EBADMSG);
	lie = 5000;
	expect_int(pwrite(fd, &lie, 8, offsetof(struct region_file, size)), 8);
	expect_result(try_open(NAME, CUBBY_WRITE, NULL), 0);
	expect_system(ftruncate(fd, REGION_DATA));
	expect_result(try_open(NAME, CUBBY_WRITE, NULL), -EBADMSG);
	expect_system(ftruncate(fd, 4096));
	expect_result(try_open(NAME, CUBBY_WRITE, NULL), -EBADMSG);
	expect_system(ftruncate(fd, 100));
	expect_result(try_open(NAME, CUBBY_WRITE, NULL), -EBADMSG);
	expect_system(ftruncate(fd, 1 << 20));
	lie = 12345;
	expect_int(pwrite(fd, &lie, 8, offsetof(struct region_head, size_max)),
		   8);
	expect_result(try_open(NAME, CUBBY_WRITE, NULL), -EBADMSG);
	lie = UINT64_C(1) << 60;
	expect_int(pwrite(fd, &lie, 8, offsetof(struct region_head, size_max)),
		   8);
	expect_result(try_open(NAME, CUBBY_WRITE, NULL), -EBADMSG);
	lie = 1 << 20;
	expect_int(pwrite(fd, &lie, 8, offsetof(struct region_head, size_max)),
		   8);
	lie = 01000;
	expect_int(pwrite(fd, &lie, 4, offsetof(struct region_head, mode)), 4);
	expect_result(try_open(NAME, CUBBY_WRITE, NULL), -EBADMSG);
	close(fd);
}

static void
a_file_cut_short_kills_nobody(void)
{
	cubby_region *region = open_region(NAME, KEEP, 50000, 0);
	volatile char *data = cubby_region_data(region);
	int fd = open_memory();

	data[40000] = 1;
	expect_system(ftruncate(fd, REGION_DATA + 10000));
	expect_int(data[40000], 0);
	data[40000] = 2;
	expect_int(cubby_region_size(region), 50000);
	expect_result(cubby_region_grow(region, 60000), -EBADMSG);
	cubby_region_close(region);
	region = NULL;
	expect_result(try_open(NAME, CUBBY_WRITE, NULL), -EBADMSG);
	close(fd);
}

static const struct test tests[] = {
	TEST(the_users_own_is_shared),
	TEST(a_machine_wide_one_is_shared),
	TEST(names_of_regions_and_of_mailboxes_do_not_clash),
	TEST(a_store_through_a_reader_faults),
	TEST(growth_is_seen_at_once_and_moves_nothing),
	TEST(a_region_never_shrinks_and_has_an_end),
	TEST(threads_and_processes_grow_it_together),
	TEST(it_lives_until_unlinked_and_closed),
	TEST(regions_are_listed_and_mailboxes_are_not),
	TEST(inspection_tells_what_it_is),
	TEST(what_an_unfinished_maker_left_is_swept),
	TEST(what_an_unlinker_left_is_swept_when_nobody_writes_it),
	TEST(one_without_a_name_ends_with_its_handle),
	TEST(what_makes_no_sense_is_refused),
	TEST(other_versions_of_the_options_are_read),
	TEST(one_that_exists_must_be_as_asked),
	TEST(what_is_no_region_is_not_attached),
	TEST(another_version_is_told),
	TEST(a_user_may_not_write_the_root),
	TEST(a_place_is_for_one),
	TEST(a_stopped_participant_lives_and_a_killed_one_does_not),
	TEST(there_are_places_for_so_many),
	TEST(a_child_may_not_use_an_inherited_handle),
	TEST(lies_about_the_size_are_found_out),
	TEST(one_that_lies_from_the_beginning_is_not_attached),
	TEST(a_file_cut_short_kills_nobody),
};

int
main(void)
{
	return RUN_TESTS("region", tests);
}
