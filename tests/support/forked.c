/* SPDX-License-Identifier: MIT */
#include "support/forked.h"
#include "machines/emulated.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SECONDS 40 /* less than the time-out of the whole program */
#define SKIPPED 77

_Noreturn void
forked_fail(const char *file, int line, const char *condition)
{
	/* One write, so that those of several processes do not mix. */
	dprintf(STDERR_FILENO, "%s:%d: not so: %s (errno %d: %s)\n", file, line,
		condition, errno, strerror(errno));
	_exit(1);
}

_Noreturn void
forked_skip(const char *why)
{
	dprintf(STDERR_FILENO, "skipped: %s\n", why);
	_exit(SKIPPED);
}

static void
run_body(void *argument)
{
	void (*body)(void) = *(void (*const *)(void))argument;

	body();
}

int
forked_status(void (*body)(void *argument), void *argument)
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	need(pid >= 0);
	if (!pid) {
		setpgid(0, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		alarm(SECONDS);
		body(argument);
		exit(0);
	}
	need(waitpid(pid, &status, 0) == pid);
	kill(-pid, SIGKILL); /* children that a failure left */
	return status;
}

static void
test_under_cmocka(void **state)
{
	struct forked_test *test = *state;
	int status = forked_status(run_body, &test->body);

	if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)
		skip();
	if (WIFSIGNALED(status))
		fail_msg("killed by signal %d", WTERMSIG(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int
forked_run(const char *group, const struct forked_test *tests, size_t count)
{
	struct CMUnitTest *units = calloc(count, sizeof(*units));
	size_t i;
	int failed;

	need(units);
	for (i = 0; i < count; i++) {
		units[i].name = tests[i].name;
		units[i].test_func = test_under_cmocka;
		units[i].initial_state = (void *)&tests[i];
	}
	failed = _cmocka_run_group_tests(group, units, count, NULL, NULL);
	free(units);
	return failed != 0;
}

void
forked_join(pid_t pid)
{
	int status;

	need(pid > 0);
	need(waitpid(pid, &status, 0) == pid);
	need(status == 0);
}

pid_t
forked_raw_clone(void)
{
	pid_t pid;

#if UNDER_EMULATION
	emulated_before();
#endif
#ifdef __s390x__
	pid = (pid_t)syscall(SYS_clone, NULL, SIGCHLD, NULL, NULL, 0);
#else
	pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, 0);
#endif
#if UNDER_EMULATION
	if (pid)
		emulated_parent();
	else
		emulated_child();
#endif
	return pid;
}

int
forked_file(size_t size)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	need(fd >= 0);
	need(!ftruncate(fd, (off_t)size));
	return fd;
}

void
forked_mount(const char *type, size_t bytes)
{
	char options[64] = "mode=700";

	if (geteuid() != 0)
		forked_skip("needs root, to mount a file system");
	if (unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		forked_skip("a mount namespace is not allowed here");
	if (bytes)
		snprintf(options, sizeof(options), "mode=700,size=%zu", bytes);
	if (mount("cubby-test", "/tmp", type, 0, options))
		forked_skip("a file system cannot be mounted here");
	need(!chdir("/tmp"));
}

static void
install_filter(struct sock_filter *filter, unsigned short length)
{
	struct sock_fprog program = { .len = length, .filter = filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		forked_skip("seccomp filters are not allowed here");
}

#define FIELD(name) offsetof(struct seccomp_data, name)
#define LOAD(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset)
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, value)

void
forked_deny(int number, int error)
{
	struct sock_filter filter[] = {
		LOAD(FIELD(nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1),
		RETURN(SECCOMP_RET_ERRNO | (uint32_t)error),
		RETURN(SECCOMP_RET_ALLOW),
	};

	install_filter(filter, 4);
}

void
forked_deny_above(int number, int argument, uint32_t value, int error)
{
	/* The lower half of it. */
	uint32_t offset = (uint32_t)(FIELD(args) + 8 * (size_t)argument);
	struct sock_filter filter[] = {
		LOAD(FIELD(nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 3),
		LOAD(offset + (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0)),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, value, 0, 1),
		RETURN(SECCOMP_RET_ERRNO | (uint32_t)error),
		RETURN(SECCOMP_RET_ALLOW),
	};

	install_filter(filter, 6);
}

void
forked_lines(const char *name, void (*visit)(const char *line, void *argument),
	     void *argument)
{
	char path[64], *line = NULL;
	size_t size = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/%s", name);
	file = fopen(path, "re");
	need(file);
	while (getline(&line, &size, file) > 0)
		visit(line, argument);
	free(line);
	fclose(file);
}

size_t
forked_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	size_t count = 0;

	need(directory);
	while (readdir(directory))
		count++;
	closedir(directory);
	return count - 3; /* ".", "..", and the directory itself */
}
