/* SPDX-License-Identifier: MIT */
/* Looking at a process's system calls, through strace. */
#include "trace.h"
#include <limits.h>
#include <sys/stat.h>

/* A call that nobody else makes. */
#define MARK_ARGUMENT 424242
#define MARK_TEXT " getpgid(424242"

const char *
trace_path(void)
{
	static char path[PATH_MAX];

	if (path[0] == '\0') {
		/* Its name is free: the root's is this test's alone. */
		snprintf(path, sizeof(path), "%s.trace", test_root());
	}
	return path;
}

void
trace_start(struct child *ret, const char *part, const char *calls)
{
	char executable[PATH_MAX], filter[256];
	ssize_t length;

	if (UNDER_EMULATION)
		skip_test("strace would show the calls of the emulator");
	length = readlink("/proc/self/exe", executable, sizeof(executable) - 1);
	expect_system(length);
	executable[length] = '\0';
	snprintf(filter, sizeof(filter), "trace=%s", calls);
	trace_path();
	in_child(ret) {
		execlp("strace", "strace", "-f", "-qq", "-o", trace_path(),
		       "-e", filter, executable, part, (char *)NULL);
		skip_test("needs strace");
	}
}

void
trace_mark(void)
{
	getpgid(MARK_ARGUMENT);
}

static FILE *
open_trace(void)
{
	FILE *file = fopen(trace_path(), "re");

	expect(file != NULL);
	unlink(trace_path());
	return file;
}

struct marked {
	long pid;
	int marks;
	unsigned long calls;
};

static struct marked *
find_marked(struct marked *all, size_t count, long pid)
{
	for (size_t i = 0; i < count; i++) {
		if (all[i].pid == 0)
			all[i].pid = pid;
		if (all[i].pid == pid)
			return &all[i];
	}
	fail_at(__FILE__, __LINE__, "too many processes are traced");
}

unsigned long
trace_count_marked(void)
{
	struct marked all[8] = { { 0, 0, 0 } };
	FILE *file = open_trace();
	unsigned long sum = 0;
	char line[1024];

	while (fgets(line, sizeof(line), file) != NULL) {
		struct marked *one = find_marked(all, COUNT_OF(all),
						 strtol(line, NULL, 10));

		if (strstr(line, MARK_TEXT) != NULL)
			one->marks++;
		else if (one->marks == 1 && strstr(line, " resumed>") == NULL &&
			 strstr(line, " +++") == NULL)
			one->calls++;
	}
	fclose(file);
	for (size_t i = 0; i < COUNT_OF(all) && all[i].pid != 0; i++) {
		expect(all[i].marks == 2 || all[i].marks == 0);
		sum += all[i].calls;
	}
	return sum;
}

unsigned long
trace_count_successful(const char *text)
{
	FILE *file = open_trace();
	unsigned long count = 0;
	char line[1024];

	while (fgets(line, sizeof(line), file) != NULL) {
		const char *result = strstr(line, ") = ");

		if (strstr(line, text) != NULL && result != NULL &&
		    result[4] >= '0' && result[4] <= '9')
			count++;
	}
	fclose(file);
	return count;
}
