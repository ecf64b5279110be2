/* SPDX-License-Identifier: MIT */
#include "base.h"
#include "clock.h"
#include "shm.h"
#include "support/forked.h"
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* Of the machine, not of the files. */
#undef PAGE
#define PAGE ((size_t)sysconf(_SC_PAGESIZE))

#define RW (PROT_READ | PROT_WRITE)
#define FOREVER INT64_MAX

/* Opening ---------------------------------------------------------------- */

static char directory[] = "/dev/shm/cubby-shm-test-XXXXXX";

static void
remove_directory(void)
{
	struct dirent *entry;
	DIR *dir = opendir(directory);

	need(dir);
	while ((entry = readdir(dir)))
		if (unlinkat(dirfd(dir), entry->d_name, 0))
			unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR);
	closedir(dir);
	need(!rmdir(directory));
}

/* A new directory, gone when the test has ended well. */
static int
open_directory(void)
{
	int dir;

	need(mkdtemp(directory));
	need(!atexit(remove_directory));
	dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	need(dir >= 0);
	return dir;
}

static int
make_file(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);

	need(fd >= 0);
	return fd;
}

static void
need_refused(int dir, const char *name, int error)
{
	struct stat st, untouched;
	size_t descriptors = forked_descriptors();

	memset(&st, 0x5a, sizeof(st));
	untouched = st;
	need(shm_open_at(dir, name, O_RDONLY, &st) == error);
	need(shm_open_at(dir, name, O_RDWR, &st) == error);
	need(shm_open_at(dir, name, O_WRONLY, NULL) == error);
	need(!memcmp(&st, &untouched, sizeof(st)));
	need(forked_descriptors() == descriptors);
}

static void
a_regular_file_is_opened_and_described(void)
{
	int dir = open_directory();
	struct stat st;
	int fd;

	need(pwrite(make_file(dir, "file"), "12345", 5, 0) == 5);
	fd = shm_open_at(dir, "file", O_RDWR, &st);
	need(fd >= 0);
	need(st.st_size == 5 && S_ISREG(st.st_mode) && st.st_nlink == 1);
	need(pwrite(fd, "x", 1, 0) == 1);
	need(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	need(shm_open_at(dir, "file", O_RDONLY, NULL) >= 0);
}

static void
a_new_file_is_its_owner_s(void)
{
	int dir = open_directory();
	struct stat st;

	umask(0);
	need(shm_open_at(dir, "new", O_RDWR | O_CREAT | O_EXCL, &st) >= 0);
	need((st.st_mode & 07777) == 0600);
	need(shm_open_at(dir, "new", O_RDWR | O_CREAT | O_EXCL, NULL) ==
	     -EEXIST);
}

static void
what_is_not_there_is_not_found(void)
{
	need_refused(open_directory(), "nothing", -ENOENT);
}

static void
a_symbolic_link_is_refused(void)
{
	int dir = open_directory();

	make_file(dir, "file");
	need(!symlinkat("file", dir, "link"));
	need_refused(dir, "link", -EBADMSG);
	need(!symlinkat("nowhere", dir, "dangling"));
	need_refused(dir, "dangling", -EBADMSG);
}

static void
a_fifo_is_refused_at_once(void)
{
	int dir = open_directory();

	need(!mkfifoat(dir, "fifo", 0600));
	need_refused(dir, "fifo", -EBADMSG);
}

static void
a_socket_is_refused(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int dir = open_directory();
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	need(fd >= 0);
	snprintf(name.sun_path, sizeof(name.sun_path), "%s/socket", directory);
	need(!bind(fd, (struct sockaddr *)&name, sizeof(name)));
	need_refused(dir, "socket", -EBADMSG);
}

static void
a_directory_is_refused(void)
{
	int dir = open_directory();

	need(!mkdirat(dir, "directory", 0700));
	need_refused(dir, "directory", -EBADMSG);
}

static void
a_device_is_refused(void)
{
	need_refused(AT_FDCWD, "/dev/null", -EBADMSG);
}

static void
a_file_with_a_second_name_is_refused_where_others_write(void)
{
	int dir = open_directory();

	make_file(dir, "file");
	need(!fchmod(dir, 01777));
	need(!linkat(dir, "file", dir, "other", 0));
	need_refused(dir, "file", -EBADMSG);
	need_refused(dir, "other", -EBADMSG);
	need(!unlinkat(dir, "other", 0));
	need(shm_open_at(dir, "file", O_RDONLY, NULL) >= 0);
}

/* Who may read and write it can give it another name elsewhere. */
static void
a_second_name_closes_nothing_where_only_its_owner_writes(void)
{
	int dir = open_directory();

	make_file(dir, "file");
	need(!linkat(dir, "file", dir, "other", 0));
	need(!fchmod(dir, 0755));
	need(shm_open_at(dir, "file", O_RDWR, NULL) >= 0);
	need(!fchmod(dir, 0775));
	need_refused(dir, "file", -EBADMSG);
}

static void
a_file_under_a_lease_is_refused_at_once(void)
{
	int dir = open_directory();

	need(signal(SIGIO, SIG_IGN) != SIG_ERR);
	if (fcntl(make_file(dir, "file"), F_SETLEASE, F_WRLCK))
		forked_skip("there are no leases here");
	need_refused(dir, "file", -EBADMSG);
}

/* Memory ----------------------------------------------------------------- */

static uint64_t
memory_of(int fd)
{
	struct stat st;

	need(!fstat(fd, &st));
	return (uint64_t)st.st_blocks * 512;
}

static uint64_t
size_of(int fd)
{
	struct stat st;

	need(!fstat(fd, &st));
	return (uint64_t)st.st_size;
}

static void
committing_grows_the_file_and_takes_the_memory(void)
{
	int fd = forked_file(0);

	need(!shm_commit(fd, 0, PAGE, FOREVER));
	need(size_of(fd) == PAGE && memory_of(fd) == PAGE);
	need(!shm_commit(fd, 3 * PAGE, PAGE, FOREVER));
	need(size_of(fd) == 4 * PAGE && memory_of(fd) == 2 * PAGE);
	need(!shm_commit(fd, 0, MIB(5) + PAGE, FOREVER));
	need(size_of(fd) == MIB(5) + PAGE && memory_of(fd) == MIB(5) + PAGE);
}

static void
committing_inside_leaves_size_and_contents(void)
{
	int fd = forked_file(4 * PAGE);
	char byte = 'x';

	need(pwrite(fd, &byte, 1, PAGE) == 1);
	need(!shm_commit(fd, PAGE, 2 * PAGE, FOREVER));
	need(size_of(fd) == 4 * PAGE && memory_of(fd) == 2 * PAGE);
	byte = 0;
	need(pread(fd, &byte, 1, PAGE) == 1 && byte == 'x');
}

static void
committing_nothing_is_allowed(void)
{
	int fd = forked_file(0);

	need(!shm_commit(fd, 0, 0, FOREVER));
	need(!shm_commit(fd, PAGE, 0, FOREVER));
	need(size_of(fd) == 0);
}

static void
no_file_is_larger_than_an_offset_tells(void)
{
	int fd = forked_file(0);

	need(shm_commit(fd, INT64_MAX, 1, FOREVER) == -EFBIG);
	need(shm_commit(fd, UINT64_MAX, 1, FOREVER) == -EFBIG);
	need(shm_commit(fd, 1, UINT64_MAX, FOREVER) == -EFBIG);
	need(size_of(fd) == 0);
}

static void
what_is_no_file_cannot_be_committed(void)
{
	int pipes[2];

	need(shm_commit(-1, 0, PAGE, FOREVER) == -EMFILE);
	need(!pipe(pipes));
	need(shm_commit(pipes[1], 0, PAGE, FOREVER) == -ESPIPE);
}

static void
a_full_file_system_is_an_error_and_no_signal(void)
{
	int fd;

	forked_mount("tmpfs", MIB(2));
	fd = make_file(AT_FDCWD, "file");
	need(!shm_commit(fd, 0, MIB(1), FOREVER));
	need(shm_commit(fd, MIB(1), MIB(8), FOREVER) == -ENOSPC);
	need(memory_of(fd) >= MIB(1));
	need(!shm_commit(fd, 0, MIB(1), FOREVER));
	memset(mmap(NULL, MIB(1), RW, MAP_SHARED, fd, 0), 'x', MIB(1));
	need(!shm_give_back(fd, 0, MIB(1)));
	need(!shm_commit(fd, MIB(4), KIB(512), FOREVER));
}

static void
where_memory_cannot_be_committed_it_is_told(void)
{
	forked_mount("ramfs", 0);
	need(shm_commit(make_file(AT_FDCWD, "file"), 0, PAGE, FOREVER) ==
	     -EOPNOTSUPP);
}

static void
the_limit_of_file_size_is_an_error_and_no_signal(void)
{
	struct rlimit limit = { 2 * PAGE, 2 * PAGE };
	int fd = forked_file(0), large = forked_file(8 * PAGE);

	need(signal(SIGXFSZ, SIG_DFL) != SIG_ERR);
	need(!setrlimit(RLIMIT_FSIZE, &limit));
	need(!shm_commit(fd, 0, 2 * PAGE, FOREVER));
	need(shm_commit(fd, 2 * PAGE, 1, FOREVER) == -EFBIG);
	need(shm_commit(fd, PAGE, 2 * PAGE, FOREVER) == -EFBIG);
	need(size_of(fd) == 2 * PAGE);
	need(!shm_commit(large, 6 * PAGE, 2 * PAGE, FOREVER));
	need(memory_of(large) == 2 * PAGE);
	need(shm_commit(large, 7 * PAGE, 2 * PAGE, FOREVER) == -EFBIG);
}

static _Noreturn void
shorten_all_the_time(int fd)
{
	for (;;) {
		need(!ftruncate(fd, 0));
		need(!ftruncate(fd, 8 * PAGE));
	}
}

/* Commits pages past the limit, as long as the file reaches there. */
static void
commit_past_limit(int fd)
{
	int committed = 0, refused = 0;

	while (committed < 20000 || refused < 20000)
		switch (shm_commit(fd, 4 * PAGE, PAGE, FOREVER)) {
		case 0:
			committed++;
			break;
		case -EFBIG:
			refused++;
			break;
		default:
			need(!"another error");
		}
}

static void
a_file_that_is_cut_short_meanwhile_raises_no_signal(void)
{
	struct rlimit limit = { 2 * PAGE, 2 * PAGE };
	int fd = forked_file(8 * PAGE);
	sigset_t before, after;
	pid_t pid;

	need(signal(SIGXFSZ, SIG_DFL) != SIG_ERR);
	pid = fork(); /* has no limit */
	need(pid >= 0);
	if (!pid)
		shorten_all_the_time(fd);
	need(!setrlimit(RLIMIT_FSIZE, &limit));
	need(!sigprocmask(SIG_BLOCK, NULL, &before));
	commit_past_limit(fd);
	need(!sigprocmask(SIG_BLOCK, NULL, &after));
	need(!sigismember(&before, SIGXFSZ) && !sigismember(&after, SIGXFSZ));
	need(!kill(pid, SIGKILL));
	need(waitpid(pid, NULL, 0) == pid);
}

/* The program's own, which it has blocked and will take itself. */
static void
a_signal_that_was_there_before_stays(void)
{
	struct rlimit limit = { 2 * PAGE, 2 * PAGE };
	int fd = forked_file(8 * PAGE);
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGXFSZ);
	need(!sigprocmask(SIG_BLOCK, &set, NULL));
	need(!raise(SIGXFSZ));
	need(!setrlimit(RLIMIT_FSIZE, &limit));
	need(!shm_commit(fd, 4 * PAGE, PAGE, FOREVER));
	need(shm_commit(fd, 8 * PAGE, PAGE, FOREVER) == -EFBIG);
	need(!sigpending(&set) && sigismember(&set, SIGXFSZ));
}

/* As if signals came so often that no large step came to its end. */
static void
signals_do_not_keep_a_commit_from_its_end(void)
{
	int fd = forked_file(0);

	forked_deny_above(SYS_fallocate, 3, KIB(16), EINTR);
	need(!shm_commit(fd, PAGE, MIB(5), FOREVER));
	need(size_of(fd) == MIB(5) + PAGE && memory_of(fd) == MIB(5));
	need(!shm_commit(fd, 0, 4096, 0));
}

static void
past_the_deadline_a_signal_ends_a_commit(void)
{
	int fd = forked_file(0);
	int64_t deadline = clock_now() + 5 * NSEC_PER_MSEC;

	forked_deny(SYS_fallocate, EINTR);
	need(shm_commit(fd, 0, PAGE, 0) == -EINTR);
	need(shm_commit(fd, 0, MIB(1), deadline) == -EINTR);
	need(clock_now() >= deadline);
}

static void
what_is_given_back_is_zero_and_takes_no_memory(void)
{
	int fd = forked_file(0);
	char byte = 'x';

	need(!shm_commit(fd, 0, 4 * PAGE, FOREVER));
	need(pwrite(fd, "x", 1, PAGE) == 1);
	need(!shm_give_back(fd, PAGE, 2 * PAGE));
	need(size_of(fd) == 4 * PAGE && memory_of(fd) == 2 * PAGE);
	need(pread(fd, &byte, 1, PAGE) == 1 && byte == 0);
	need(!shm_give_back(fd, 0, 0));
	need(memory_of(fd) == 2 * PAGE);
	need(shm_give_back(-1, 0, PAGE) == -EBADF);
}

/* Mapping ---------------------------------------------------------------- */

struct flags {
	uintptr_t address;
	bool inside, is_dont_fork;
};

/* Of /proc/self/smaps. */
static void
look_for_flags(const char *line, void *argument)
{
	struct flags *flags = argument;
	unsigned long start, end;

	if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
		flags->inside = flags->address >= start && flags->address < end;
	else if (flags->inside && !strncmp(line, "VmFlags:", 8))
		flags->is_dont_fork = strstr(line, " dc") != NULL;
}

static bool
is_dont_fork(const void *address)
{
	struct flags flags = { .address = (uintptr_t)address };

	forked_lines("smaps", look_for_flags, &flags);
	return flags.is_dont_fork;
}

static bool
is_mapped(const void *address)
{
	unsigned char resident;

	return !mincore((void *)(uintptr_t)address, PAGE, &resident);
}

static void
a_mapping_is_shared_guarded_and_not_inherited(void)
{
	int fd = forked_file(2 * PAGE);
	struct mapping mapping;
	char *at;

	if (UNDER_EMULATION)
		forked_skip("its smaps are the emulator's");
	need(!shm_map(fd, 2 * PAGE, RW, &mapping));
	need(mapping.length == 2 * PAGE);
	need(is_dont_fork(mapping.address));
	at = mapping.address;
	need(pwrite(fd, "x", 1, PAGE) == 1);
	need(at[PAGE] == 'x');
	need(!shm_is_broken(&mapping));
	need(!ftruncate(fd, 0));
	at[PAGE + 1] = 'y'; /* does not kill */
	need(shm_is_broken(&mapping));
	need(is_dont_fork(at + PAGE));
	shm_unmap(&mapping);
	need(!mapping.address && !is_mapped(at) && !is_mapped(at + PAGE));
}

static void
a_mapping_may_reach_beyond_the_end_of_the_file(void)
{
	int fd = forked_file(0);
	struct mapping mapping;
	char *at;

	need(!shm_map(fd, MIB(1), RW, &mapping));
	at = mapping.address;
	need(!shm_commit(fd, 0, PAGE, FOREVER));
	at[0] = 'x';
	need(!shm_is_broken(&mapping));
	shm_unmap(&mapping);
}

static void
a_failed_mapping_leaves_nothing(void)
{
	struct mapping mapping, untouched;
	int fd = forked_file(PAGE), read_only;
	char path[64];

	memset(&mapping, 0x5a, sizeof(mapping));
	untouched = mapping;
	need(shm_map(fd, 0, RW, &mapping) == -EINVAL);
	need(shm_map(-1, PAGE, RW, &mapping) == -EMFILE);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	read_only = open(path, O_RDONLY | O_CLOEXEC);
	need(read_only >= 0);
	need(shm_map(read_only, PAGE, RW, &mapping) == -EACCES);
	need(!memcmp(&mapping, &untouched, sizeof(mapping)));
}

static void
no_mapping_is_unmapped(void)
{
	struct mapping none = { 0 };

	shm_unmap(&none);
	shm_unmap(&none);
}

static void
a_child_forgets_and_touches_nothing(void)
{
	struct mapping mapping;
	void *at;
	pid_t pid;

	need(!shm_map(forked_file(PAGE), PAGE, RW, &mapping));
	at = mapping.address;
	pid = fork();
	need(pid >= 0);
	if (!pid) {
		need(!is_mapped(at));
		need(mmap(at, PAGE, RW,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
			  0) == at);
		shm_forget(&mapping);
		shm_unmap(&mapping);
		need(!mapping.address && is_mapped(at));
		_exit(0);
	}
	forked_join(pid);
	need(is_mapped(at));
	shm_unmap(&mapping);
}

/* Names ------------------------------------------------------------------ */

static void
need_different_bytes(void)
{
	uint8_t a[16] = { 0 }, b[16] = { 0 }, none[16] = { 0 };

	need(!shm_random(a));
	need(!shm_random(b));
	need(memcmp(a, b, 16) != 0);
	need(memcmp(a, none, 16) != 0 && memcmp(b, none, 16) != 0);
	need(memcmp(a + 8, none, 8) != 0);
}

static void
random_bytes_differ(void)
{
	need_different_bytes();
}

static void
random_bytes_come_without_getrandom_too(void)
{
	size_t descriptors = forked_descriptors();

	forked_deny(SYS_getrandom, ENOSYS);
	need_different_bytes();
	need(forked_descriptors() == descriptors);
}

static void
a_random_name_is_the_prefix_and_16_digits(void)
{
	char first[NAME_MAX + 1], second[NAME_MAX + 1];

	need(!shm_random_name(".new.", first));
	need(!shm_random_name(".new.", second));
	need(strlen(first) == 5 + 16);
	need(!strncmp(first, ".new.", 5));
	need(strspn(first + 5, "0123456789abcdef") == 16);
	need(strcmp(first, second) != 0);
}

static void
a_random_name_fits(void)
{
	char prefix[NAME_MAX + 1], name[NAME_MAX + 1];

	memset(prefix, 'p', sizeof(prefix));
	prefix[NAME_MAX - 16] = 0;
	need(!shm_random_name(prefix, name));
	need(strlen(name) == NAME_MAX);
	prefix[NAME_MAX - 16] = 'p';
	prefix[NAME_MAX - 15] = 0;
	need(shm_random_name(prefix, name) == -ENAMETOOLONG);
}

static const struct forked_test tests[] = {
	FORKED_TEST(a_regular_file_is_opened_and_described),
	FORKED_TEST(a_new_file_is_its_owner_s),
	FORKED_TEST(what_is_not_there_is_not_found),
	FORKED_TEST(a_symbolic_link_is_refused),
	FORKED_TEST(a_fifo_is_refused_at_once),
	FORKED_TEST(a_socket_is_refused),
	FORKED_TEST(a_directory_is_refused),
	FORKED_TEST(a_device_is_refused),
	FORKED_TEST(a_file_with_a_second_name_is_refused_where_others_write),
	FORKED_TEST(a_second_name_closes_nothing_where_only_its_owner_writes),
	FORKED_TEST(a_file_under_a_lease_is_refused_at_once),
	FORKED_TEST(committing_grows_the_file_and_takes_the_memory),
	FORKED_TEST(committing_inside_leaves_size_and_contents),
	FORKED_TEST(committing_nothing_is_allowed),
	FORKED_TEST(no_file_is_larger_than_an_offset_tells),
	FORKED_TEST(what_is_no_file_cannot_be_committed),
	FORKED_TEST(a_full_file_system_is_an_error_and_no_signal),
	FORKED_TEST(where_memory_cannot_be_committed_it_is_told),
	FORKED_TEST(the_limit_of_file_size_is_an_error_and_no_signal),
	FORKED_TEST(a_file_that_is_cut_short_meanwhile_raises_no_signal),
	FORKED_TEST(a_signal_that_was_there_before_stays),
	FORKED_TEST(signals_do_not_keep_a_commit_from_its_end),
	FORKED_TEST(past_the_deadline_a_signal_ends_a_commit),
	FORKED_TEST(what_is_given_back_is_zero_and_takes_no_memory),
	FORKED_TEST(a_mapping_is_shared_guarded_and_not_inherited),
	FORKED_TEST(a_mapping_may_reach_beyond_the_end_of_the_file),
	FORKED_TEST(a_failed_mapping_leaves_nothing),
	FORKED_TEST(no_mapping_is_unmapped),
	FORKED_TEST(a_child_forgets_and_touches_nothing),
	FORKED_TEST(random_bytes_differ),
	FORKED_TEST(random_bytes_come_without_getrandom_too),
	FORKED_TEST(a_random_name_is_the_prefix_and_16_digits),
	FORKED_TEST(a_random_name_fits),
};

int
main(void)
{
	return forked_run("shm", tests, ARRAY_SIZE(tests));
}
