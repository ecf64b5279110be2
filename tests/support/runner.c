/* SPDX-License-Identifier: MIT */
/*
 * Runs each test in a process of its own: cmocka sees one function for all,
 * which forks, waits, and tells it how the process ended.
 */
#include "support.h"
#include "runner.h"
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <cmocka.h>

#define STATUS_SKIPPED 77
#define TEST_SECONDS (IS_SLOW ? 120 : 60)
#define FDS_MAX 1024

static char root[PATH_MAX];

const char *
test_root(void)
{
	return root;
}

_Noreturn void
skip_test(const char *why)
{
	fprintf(stderr, "skipped: %s\n", why);
	fflush(stderr);
	_exit(STATUS_SKIPPED);
}

void
need_root(void)
{
	if (geteuid() != 0)
		skip_test("needs root");
}

void
need_64_bits(void)
{
	if (sizeof(void *) < 8)
		skip_test("needs the addresses of 64 bits");
}

void
need_filters(void)
{
	if (UNDER_EMULATION)
		skip_test("an emulator has no seccomp filters");
}

/* What a test leaves behind ---------------------------------------------- */

static void
note_descriptors(bool open[FDS_MAX])
{
	DIR *directory = opendir("/proc/self/fd");
	struct dirent *entry;

	expect(directory != NULL);
	memset(open, 0, FDS_MAX * sizeof(*open));
	while ((entry = readdir(directory)) != NULL) {
		int fd = atoi(entry->d_name);

		if (entry->d_name[0] != '.' && fd != dirfd(directory) &&
		    fd < FDS_MAX)
			open[fd] = true;
	}
	closedir(directory);
}

static void
expect_same_descriptors(const bool before[FDS_MAX])
{
	bool after[FDS_MAX];
	char path[64], target[PATH_MAX];

	note_descriptors(after);
	for (int fd = 0; fd < FDS_MAX; fd++) {
		ssize_t length;

		if (before[fd] == after[fd])
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		length = readlink(path, target, sizeof(target) - 1);
		target[length > 0 ? length : 0] = '\0';
		fail_at(__FILE__, __LINE__, "descriptor %d was %s: %s", fd,
			before[fd] ? "closed" : "left open", target);
	}
}

static void
expect_no_mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[PATH_MAX + 128];

	expect(maps != NULL);
	while (fgets(line, sizeof(line), maps) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (strstr(line, root) != NULL)
			fail_at(__FILE__, __LINE__, "left mapped: %s", line);
	}
	fclose(maps);
}

static void
expect_no_children(void)
{
	siginfo_t info = { 0 };

	if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0)
		fail_at(__FILE__, __LINE__, "a child was left (%d)",
			info.si_pid);
}

struct names {
	char name[64][CUBBY_NAME_MAX + 1];
	size_t count;
};

static int
note_name(const char *name, void *context)
{
	struct names *names = context;

	if (names->count < COUNT_OF(names->name))
		strcpy(names->name[names->count++], name);
	return 0;
}

/* A user's own directory stays, empty; nothing else may. */
static int
expect_users_directory(const char *path, const struct stat *status, int type,
		       struct FTW *where)
{
	const char *name = path + where->base;

	(void)status;
	if (where->level == 0 || (where->level == 1 && type == FTW_D &&
				  strncmp(name, "cubby-", 6) == 0 &&
				  strncmp(name, "cubby-region.", 13) != 0))
		return 0;
	fail_at(__FILE__, __LINE__, "left behind: %s", path);
}

static void
expect_no_files(void)
{
	struct names names = { .count = 0 };

	expect_ok(cubby_list(note_name, &names));
	for (size_t i = 0; i < names.count; i++)
		expect_ok(cubby_unlink(names.name[i]));
	names.count = 0;
	expect_ok(cubby_region_list(note_name, &names));
	for (size_t i = 0; i < names.count; i++)
		expect_ok(cubby_region_unlink(names.name[i]));
	expect_ok(cubby_sweep(NULL, NULL));
	nftw(root, expect_users_directory, 16, FTW_PHYS);
}

/* The root --------------------------------------------------------------- */

static int
remove_entry(const char *path, const struct stat *status, int type,
	     struct FTW *where)
{
	(void)status;
	(void)type;
	(void)where;
	remove(path);
	return 0;
}

static void
make_root(void)
{
	strcpy(root, "/dev/shm/cubby-test.XXXXXX");
	if (mkdtemp(root) == NULL)
		fail_msg("%s: %s", root, strerror(errno));
	setenv("CUBBY_ROOT", root, 1);
}

/* And what trace.c has put beside it, if the test failed before it was read. */
static void
remove_root(void)
{
	char trace[PATH_MAX + sizeof(".trace")];

	nftw(root, remove_entry, 16, FTW_PHYS | FTW_DEPTH);
	snprintf(trace, sizeof(trace), "%s.trace", root);
	unlink(trace);
}

void
share_root(void)
{
	need_root();
	expect_system(chmod(root, 01777));
}

void
mount_small_root(size_t bytes)
{
	char options[64];

	need_root();
	if (unshare(CLONE_NEWNS) != 0)
		skip_test("cannot make a mount namespace");
	expect_system(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	snprintf(options, sizeof(options), "size=%zu,mode=0700", bytes);
	expect_system(mount("tmpfs", root, "tmpfs", 0, options));
}

uint64_t
root_bytes_free(void)
{
	struct statvfs status;

	expect_system(statvfs(root, &status));
	return (uint64_t)status.f_bfree * status.f_frsize;
}

static struct {
	const char *suffix;
	char *path;
	size_t count;
} search;

static int
note_match(const char *path, const struct stat *status, int type,
	   struct FTW *where)
{
	size_t length = strlen(path), tail;

	(void)status;
	(void)type;
	if (where->level == 0)
		return 0;
	tail = search.suffix ? strlen(search.suffix) : 0;
	if (length < tail ||
	    (tail && strcmp(path + length - tail, search.suffix) != 0))
		return 0;
	if (search.path)
		strcpy(search.path, path);
	search.count++;
	return 0;
}

void
find_file(const char *suffix, char *ret)
{
	search.suffix = suffix;
	search.path = ret;
	search.count = 0;
	nftw(root, note_match, 16, FTW_PHYS);
	if (search.count != 1)
		fail_at(__FILE__, __LINE__, "%zu files end in %s", search.count,
			suffix);
}

size_t
count_files(void)
{
	search.suffix = NULL;
	search.path = NULL;
	search.count = 0;
	nftw(root, note_match, 16, FTW_PHYS);
	return search.count;
}

/* Running ---------------------------------------------------------------- */

static void
run_body(const struct test *test)
{
	bool descriptors[FDS_MAX];

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (int number = 1; number < SIGRTMIN; number++)
		signal(number, SIG_DFL);
	note_descriptors(descriptors);
	test->body();
	gates_close();
	expect_no_children();
	expect_no_mappings();
	expect_same_descriptors(descriptors);
	expect_no_files();
	expect_same_descriptors(descriptors);
	/* Not _exit(): the leak checker looks now. */
	exit(0);
}

/* How long one may take: CTest tells what it leaves to one of a program that is said
   to take long (add_unit_test.cmake). */
static int
test_seconds(void)
{
	const char *given = getenv("CUBBY_TEST_SECONDS");
	int seconds = given ? atoi(given) : 0;

	if (getenv("CUBBY_TEST_LONG"))
		return 3600;
	return seconds > TEST_SECONDS ? seconds : TEST_SECONDS;
}

/* Status as of waitpid(); -1 if its time was over. */
static int
wait_for_body(pid_t pid)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0), status = -1, ready;
	struct pollfd event = { pidfd, POLLIN, 0 };

	do
		ready = poll(&event, 1, test_seconds() * 1000);
	while (ready < 0 && errno == EINTR);
	close(pidfd);
	if (ready == 1)
		waitpid(pid, &status, 0);
	kill(-pid, SIGKILL);
	if (ready != 1)
		waitpid(pid, NULL, 0);
	return ready == 1 ? status : -1;
}

static void
run_forked(void **state)
{
	const struct test *test = *state;
	pid_t pid;
	int status;

	make_root();
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		run_body(test);
	setpgid(pid, pid);
	status = wait_for_body(pid);
	remove_root();
	if (status == -1)
		fail_msg("%s: not done after %d s", test->name, test_seconds());
	if (WIFSIGNALED(status))
		fail_msg("%s: died of %s", test->name,
			 strsignal(WTERMSIG(status)));
	if (WEXITSTATUS(status) == STATUS_SKIPPED)
		skip();
	if (WEXITSTATUS(status) != 0)
		fail_msg("%s: status %d", test->name, WEXITSTATUS(status));
}

int
run_test_group(const char *group, const struct test *tests, size_t count)
{
	struct CMUnitTest *list = calloc(count, sizeof(*list));
	int failed;

	if (list == NULL)
		return 1;
	for (size_t i = 0; i < count; i++) {
		list[i].name = tests[i].name;
		list[i].test_func = run_forked;
		list[i].initial_state = (void *)(uintptr_t)&tests[i];
	}
	failed = _cmocka_run_group_tests(group, list, count, NULL, NULL);
	free(list);
	return failed ? 1 : 0;
}
