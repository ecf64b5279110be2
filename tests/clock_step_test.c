/* SPDX-License-Identifier: MIT */
/* Test: timeout 240. */
/*
 * The wall clock steps by hours, there and back, all the time while every call
 * that blocks waits for its deadline: libfaketime (Debian: faketime) shows the
 * process such a clock. No deadline notices. The process is this executable, run
 * again with that library before others.
 */
#include "support/deadlines.h"
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <sys/wait.h>
#include <time.h>

#define STEP_US 10000

static const char *const steps[] = { "+0", "+5h", "-7h", "+11h", "-1h" };

/* Where libfaketime reads which time it is. */
static void
clock_path(char ret[PATH_MAX])
{
	snprintf(ret, PATH_MAX, "%s/clock", test_root());
}

/* All of it or nothing: it is read at any time. */
static void
set_wall_clock(const char *offset)
{
	char path[PATH_MAX], next[PATH_MAX + 8];
	FILE *file;

	clock_path(path);
	snprintf(next, sizeof(next), "%s.next", path);
	file = fopen(next, "we");
	expect(file != NULL);
	fprintf(file, "%s\n", offset);
	expect(fclose(file) == 0);
	expect_system(rename(next, path));
}

static const char *
find_library(void)
{
	static const char *const patterns[] = {
		"/usr/lib/*/faketime/libfaketime.so.1",
		"/usr/lib*/faketime/libfaketime.so.1",
		"/usr/local/lib/faketime/libfaketime.so.1",
	};
	static char path[PATH_MAX];

	for (size_t i = 0; i < COUNT_OF(patterns); i++) {
		glob_t found;

		if (glob(patterns[i], 0, NULL, &found) != 0)
			continue;
		snprintf(path, sizeof(path), "%s", found.gl_pathv[0]);
		globfree(&found);
		return path;
	}
	skip_test("there is no libfaketime (Debian: faketime)");
}

/* Runs a part of this executable with a wall clock that steps. */
static void
start_with_steps(struct child *child, const char *part)
{
	const char *library = find_library();
	char path[PATH_MAX];

	if (UNDER_EMULATION)
		skip_test("nothing is preloaded by an emulated program");
	if (UNDER_ASAN || UNDER_TSAN)
		skip_test("a sanitizer wants to be the first library");
	clock_path(path);
	set_wall_clock(steps[0]);
	in_child(child) {
		expect_system(setenv("LD_PRELOAD", library, 1));
		expect_system(setenv("FAKETIME_TIMESTAMP_FILE", path, 1));
		expect_system(setenv("FAKETIME_NO_CACHE", "1", 1));
		expect_system(setenv("FAKETIME_DONT_FAKE_MONOTONIC", "1", 1));
		expect_system(setenv("DONT_FAKE_MONOTONIC", "1", 1));
		execl("/proc/self/exe", "clock_step_test", part, (char *)NULL);
		expect_system(-1);
	}
}

static bool
has_ended(const struct child *child)
{
	siginfo_t info = { 0 };

	expect_system(waitid(P_PID, (id_t)child->pid, &info,
			     WEXITED | WNOHANG | WNOWAIT));
	return info.si_pid != 0;
}

static void
every_wait_goes_on_while_the_wall_clock_steps(void)
{
	struct child child;
	char path[PATH_MAX];
	unsigned int n = 0;

	start_with_steps(&child, "waits");
	while (!has_ended(&child)) {
		set_wall_clock(steps[n++ % COUNT_OF(steps)]);
		usleep(STEP_US);
	}
	child_finish(&child);
	expect(n > 20);
	clock_path(path);
	expect_system(unlink(path));
	printf("%u steps of the wall clock\n", n);
	fflush(stdout);
}

/* What stands above proves nothing if the steps are not seen. */
static void
the_steps_are_seen(void)
{
	struct child child;
	char path[PATH_MAX];

	start_with_steps(&child, "look");
	for (unsigned int n = 0; !has_ended(&child); n++) {
		set_wall_clock(steps[n % COUNT_OF(steps)]);
		usleep(STEP_US);
	}
	child_finish(&child);
	clock_path(path);
	expect_system(unlink(path));
}

/* In the process that sees the steps -------------------------------------- */

static int
look(void)
{
	time_t first = time(NULL), least = first, most = first;
	int64_t end = soon();

	while (most - least < 10 * 3600) {
		time_t now = time(NULL);

		least = now < least ? now : least;
		most = now > most ? now : most;
		if (cubby_deadline_after(0) > end)
			return 1;
	}
	return 0;
}

int
main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(the_steps_are_seen),
		TEST(every_wait_goes_on_while_the_wall_clock_steps),
	};

	if (argc > 1 && !strcmp(argv[1], "look"))
		return look();
	if (argc > 1) {
		wait_in_each_call("stepping");
		return 0;
	}
	return RUN_TESTS("clock_steps", tests);
}
