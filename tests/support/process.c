/* SPDX-License-Identifier: MIT */
/*
 * Children, and waiting for them: always for a condition, always with a
 * deadline.
 */
#include "support.h"
#include "runner.h"
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define CHILD_SECONDS (IS_SLOW ? 60 : 20)
#define GATES_MAX 64

static int gates[GATES_MAX];
static size_t gate_count;

void
child_fork(struct child *ret)
{
	pid_t parent = getpid();

	ret->pidfd = -1;
	fflush(NULL);
	ret->pid = fork();
	expect_system(ret->pid);
	if (ret->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent && getppid() != 0)
			_exit(1);
		return;
	}
	ret->pidfd = (int)syscall(SYS_pidfd_open, ret->pid, 0);
	expect_system(ret->pidfd);
}

_Noreturn void
child_exit(void)
{
	fflush(NULL);
	_exit(0);
}

/* Waits up to `milliseconds` for the end of the child. */
static bool
has_ended(const struct child *child, int milliseconds)
{
	struct pollfd event = { child->pidfd, POLLIN, 0 };
	int ready;

	do
		ready = poll(&event, 1, milliseconds);
	while (ready < 0 && errno == EINTR);
	return ready == 1;
}

static int
reap(struct child *child)
{
	int status;

	if (!has_ended(child, CHILD_SECONDS * 1000))
		fail_at(__FILE__, __LINE__, "child %d is not done after %d s",
			child->pid, CHILD_SECONDS);
	while (waitpid(child->pid, &status, 0) < 0)
		expect(errno == EINTR);
	close(child->pidfd);
	child->pidfd = -1;
	return status;
}

void
child_finish(struct child *child)
{
	int status = reap(child);

	if (WIFSIGNALED(status))
		fail_at(__FILE__, __LINE__, "child %d died of %s", child->pid,
			strsignal(WTERMSIG(status)));
	if (WEXITSTATUS(status) == 77)
		_exit(77);
	if (WEXITSTATUS(status) != 0)
		fail_at(__FILE__, __LINE__, "child %d ended with status %d",
			child->pid, WEXITSTATUS(status));
}

void
child_kill_to_zombie(struct child *child)
{
	expect_system(kill(child->pid, SIGKILL));
	expect(has_ended(child, CHILD_SECONDS * 1000));
}

void
child_reap(struct child *child)
{
	int status = reap(child);

	/* It failed before it was killed? */
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		fail_at(__FILE__, __LINE__, "child %d had ended, status %#x",
			child->pid, status);
}

void
child_kill(struct child *child)
{
	child_kill_to_zombie(child);
	child_reap(child);
}

void
child_signal(struct child *child, int number)
{
	expect_system(kill(child->pid, number));
}

void
child_stop(struct child *child)
{
	siginfo_t info;

	child_signal(child, SIGSTOP);
	expect_system(waitid(P_PID, child->pid, &info, WSTOPPED | WEXITED));
	if (info.si_code != CLD_STOPPED)
		fail_at(__FILE__, __LINE__,
			"child %d ended instead of "
			"stopping",
			child->pid);
}

void
child_continue(struct child *child)
{
	child_signal(child, SIGCONT);
}

/* Waiting for what /proc tells ------------------------------------------- */

#if UNDER_EMULATION
/* What the machine calls that does it for us: x86-64, or one of the newer ones. */
static bool
is_futex_call(long number)
{
	return number == 202 || number == 271 || /* futex, ppoll */
	       number == 98 || number == 73;
}
#else
static bool
is_futex_call(long number)
{
	switch (number) {
	case SYS_futex:
	case 449: /* futex_waitv */
	case 455: /* futex_wait */
	case SYS_ppoll:
	/* With 32 bits, each has a second form with a longer time. */
#ifdef SYS_futex_time64
	case SYS_futex_time64:
	case SYS_ppoll_time64:
#endif
		return true;
	default:
		return false;
	}
}
#endif

/* Reads /proc/PID/NAME, or /proc/PID/task/TID/NAME. */
static bool
read_proc(pid_t pid, const char *name, char *ret, size_t size)
{
	char path[64];
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	length = read(fd, ret, size - 1);
	close(fd);
	ret[length > 0 ? length : 0] = '\0';
	return length > 0;
}

static bool
sleeps_on_futex(pid_t tid)
{
	char text[512];
	const char *state;

	if (!read_proc(tid, "syscall", text, sizeof(text)))
		return false;
	if (text[0] < '0' || text[0] > '9' ||
	    !is_futex_call(strtol(text, NULL, 10)))
		return false;
	if (!read_proc(tid, "stat", text, sizeof(text)))
		return false;
	state = strrchr(text, ')');
	return state && state[2] == 'S';
}

static int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void
child_interrupt(struct child *child, int number)
{
	int64_t end = now_ms() + CHILD_SECONDS * 1000;

	while (!has_ended(child, 10) && now_ms() < end)
		if (sleeps_on_futex(child->pid))
			child_signal(child, number);
}

void
child_wait_asleep(struct child *child)
{
	int64_t end = now_ms() + CHILD_SECONDS * 1000;

	/* /proc cannot be waited on; the child's end can, meanwhile. */
	while (!sleeps_on_futex(child->pid)) {
		if (has_ended(child, 1))
			child_finish(child);
		if (now_ms() > end)
			fail_at(__FILE__, __LINE__,
				"child %d does not go to "
				"sleep",
				child->pid);
	}
}

void
thread_wait_asleep(pid_t tid)
{
	int64_t end = now_ms() + CHILD_SECONDS * 1000;

	while (!sleeps_on_futex(tid)) {
		poll(NULL, 0, 1);
		if (now_ms() > end)
			fail_at(__FILE__, __LINE__,
				"thread %d does not go to "
				"sleep",
				tid);
	}
}

void
become(uid_t uid, gid_t gid, gid_t other)
{
	expect_system(setgroups(other ? 1 : 0, &other));
	expect_system(setresgid(gid, gid, gid));
	expect_system(setresuid(uid, uid, uid));
	/* A change of user takes this away, and the right to be looked at. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_DUMPABLE, 1);
}

/* Gates ------------------------------------------------------------------ */

struct gate
gate_make(void)
{
	struct gate gate = { eventfd(0, EFD_SEMAPHORE | EFD_NONBLOCK |
						EFD_CLOEXEC) };

	expect_system(gate.fd);
	expect(gate_count < GATES_MAX);
	gates[gate_count++] = gate.fd;
	return gate;
}

void
gates_close(void)
{
	while (gate_count > 0)
		close(gates[--gate_count]);
}

void
gate_open(struct gate *gate)
{
	eventfd_t one = 1;

	expect(write(gate->fd, &one, sizeof(one)) == sizeof(one));
}

/* By select(2), for many machines have no poll(2) but ppoll(2), in which the library
   sleeps: who waits here does not sleep there. */
static void
wait_readable(int fd, int64_t milliseconds)
{
	struct timeval timeout = { milliseconds / 1000,
				   milliseconds % 1000 * 1000 };
	fd_set set;

	expect(fd < FD_SETSIZE);
	FD_ZERO(&set);
	FD_SET(fd, &set);
	select(fd + 1, &set, NULL, NULL, &timeout);
}

void
gate_wait(struct gate *gate)
{
	int64_t end = now_ms() + CHILD_SECONDS * 1000;
	eventfd_t one;

	while (read(gate->fd, &one, sizeof(one)) != sizeof(one)) {
		int64_t now = now_ms();

		if (now > end)
			fail_at(__FILE__, __LINE__, "a gate stayed shut");
		wait_readable(gate->fd, end - now + 1);
	}
}

void *
shared_memory(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	expect(memory != MAP_FAILED);
	return memory;
}
