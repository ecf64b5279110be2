/* SPDX-License-Identifier: MIT */
/*
 * A traced process: single steps, breakpoints, system calls, and whether it
 * sleeps.
 *
 * A breakpoint is an int3 written over the first byte of an instruction, in
 * the private copy that the traced process alone sees. The tracer waits for it
 * with SIGCHLD blocked and sigtimedwait(), so a stop is never missed and a wait
 * always ends; when nothing has happened for a moment it asks the kernel, in
 * /proc/PID/syscall, whether the process sleeps in a call that another process
 * has to end, and says so once.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

#ifndef __x86_64__
#error "the harness knows the registers and the int3 of x86-64 only"
#endif

static const long waiting_calls[] = {
	SYS_futex,
	FUTEX_WAITV,
	SYS_poll,
	SYS_ppoll,
	SYS_epoll_wait,
	SYS_epoll_pwait,
	SYS_pselect6,
	SYS_select,
	SYS_read,
	SYS_nanosleep,
	SYS_clock_nanosleep,
};

bool
is_futex_call(unsigned long number)
{
	return number == SYS_futex || number == FUTEX_WAITV;
}

static bool
is_waiting_call(long number)
{
	for (size_t i = 0; i < sizeof(waiting_calls) / sizeof(long); i++) {
		if (waiting_calls[i] == number)
			return true;
	}
	return false;
}

int
asleep_open(pid_t pid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		fail("%s: %s", path, strerror(errno));
	return fd;
}

bool
asleep(int proc)
{
	char line[200];
	ssize_t size = pread(proc, line, sizeof(line) - 1, 0);

	if (size <= 0)
		return false;
	line[size] = '\0';
	/* "running", or the number and what it was called with. */
	return line[0] >= '0' && line[0] <= '9' &&
	       is_waiting_call(strtol(line, NULL, 10));
}

void
tracee_offer(void)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ||
	    ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
		_exit(4);
	raise(SIGSTOP);
}

void
tracee_take(struct tracee *tracee, pid_t pid)
{
	long options = PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD;

	*tracee = (struct tracee){ .pid = pid, .proc = -1 };
	if (waitpid(pid, &tracee->status, __WALL) != pid ||
	    !WIFSTOPPED(tracee->status))
		fail("the victim did not start");
	if (ptrace(PTRACE_SETOPTIONS, pid, NULL, options) < 0)
		fail("PTRACE_SETOPTIONS: %s", strerror(errno));
	tracee->proc = asleep_open(pid);
}

void
tracee_registers(const struct tracee *tracee, struct user_regs_struct *ret)
{
	if (ptrace(PTRACE_GETREGS, tracee->pid, NULL, ret) < 0)
		fail("PTRACE_GETREGS: %s", strerror(errno));
}

long
tracee_peek(const struct tracee *tracee, uintptr_t address)
{
	long word;

	errno = 0;
	word = ptrace(PTRACE_PEEKTEXT, tracee->pid, (void *)address, NULL);
	if (errno)
		fail("PTRACE_PEEKTEXT: %s", strerror(errno));
	return word;
}

static void
poke(const struct tracee *tracee, uintptr_t address, long word)
{
	if (ptrace(PTRACE_POKETEXT, tracee->pid, (void *)address, word) < 0)
		fail("PTRACE_POKETEXT: %s", strerror(errno));
}

void
tracee_break(struct tracee *tracee, int slot, uintptr_t address)
{
	struct breakpoint *breakpoint = &tracee->breakpoints[slot];

	breakpoint->address = address;
	breakpoint->original = tracee_peek(tracee, address);
	poke(tracee, address, (breakpoint->original & ~0xffL) | 0xcc);
}

void
tracee_unbreak(struct tracee *tracee, int slot)
{
	struct breakpoint *breakpoint = &tracee->breakpoints[slot];
	long word;

	if (!breakpoint->address)
		return;
	/* Its neighbour may have changed since: put the one byte back. */
	word = tracee_peek(tracee, breakpoint->address);
	poke(tracee, breakpoint->address,
	     (word & ~0xffL) | (breakpoint->original & 0xff));
	breakpoint->address = 0;
}

static unsigned long
program_counter(const struct tracee *tracee)
{
	size_t offset = offsetof(struct user, regs.rip);
	long counter;

	errno = 0;
	counter = ptrace(PTRACE_PEEKUSER, tracee->pid, (void *)offset, NULL);
	if (errno)
		fail("PTRACE_PEEKUSER: %s", strerror(errno));
	return (unsigned long)counter;
}

uintptr_t
tracee_broke_at(const struct tracee *tracee)
{
	return program_counter(tracee);
}

/* After an int3 of ours the counter stands behind it: back onto it. */
static enum stop
classify_trap(struct tracee *tracee, int how)
{
	unsigned long counter = program_counter(tracee);
	size_t offset = offsetof(struct user, regs.rip);

	if (counter == (uintptr_t)mark_instruction + 1)
		return STOP_MARK;
	for (int i = 0; i < BREAKPOINTS; i++) {
		if (tracee->breakpoints[i].address != counter - 1 ||
		    how == PTRACE_SINGLESTEP)
			continue;
		if (ptrace(PTRACE_POKEUSER, tracee->pid, (void *)offset,
			   counter - 1) < 0)
			fail("PTRACE_POKEUSER: %s", strerror(errno));
		return STOP_BREAK;
	}
	return how == PTRACE_SINGLESTEP ? STOP_STEP : STOP_SIGNAL;
}

static enum stop
classify(struct tracee *tracee, int how)
{
	int status = tracee->status;

	if (!WIFSTOPPED(status))
		return STOP_EXIT;
	if (WSTOPSIG(status) == (SIGTRAP | 0x80))
		return STOP_SYSCALL;
	if (WSTOPSIG(status) == SIGTRAP)
		return classify_trap(tracee, how);
	return STOP_SIGNAL;
}

enum stop
tracee_wait(struct tracee *tracee, int how)
{
	struct timespec look = { 0, 200 * 1000 };
	sigset_t child;
	pid_t pid;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	for (;;) {
		pid = waitpid(tracee->pid, &tracee->status, WNOHANG | __WALL);
		if (pid == tracee->pid)
			return classify(tracee, how);
		if (pid < 0)
			fail("waitpid: %s", strerror(errno));
		if (!tracee->asleep_told && asleep(tracee->proc)) {
			tracee->asleep_told = true;
			return STOP_ASLEEP;
		}
		if (tracee->asleep_told)
			look.tv_nsec = 20 * 1000 * 1000;
		sigtimedwait(&child, NULL, &look);
	}
}

enum stop
tracee_resume(struct tracee *tracee, int how)
{
	tracee->asleep_told = false;
	if (ptrace(how, tracee->pid, NULL, NULL) < 0)
		fail("ptrace: %s", strerror(errno));
	return tracee_wait(tracee, how);
}

enum stop
tracee_step(struct tracee *tracee)
{
	if (ptrace(PTRACE_SINGLESTEP, tracee->pid, NULL, NULL) < 0)
		fail("PTRACE_SINGLESTEP: %s", strerror(errno));
	if (waitpid(tracee->pid, &tracee->status, __WALL) != tracee->pid)
		fail("waitpid: %s", strerror(errno));
	return classify(tracee, PTRACE_SINGLESTEP);
}

void
tracee_pass(struct tracee *tracee)
{
	uintptr_t address = program_counter(tracee);

	for (int i = 0; i < BREAKPOINTS; i++) {
		if (tracee->breakpoints[i].address != address)
			continue;
		tracee_unbreak(tracee, i);
		if (tracee_step(tracee) != STOP_STEP)
			fail("a step over a breakpoint went wrong");
		tracee_break(tracee, i, address);
	}
}

void
tracee_kill(struct tracee *tracee)
{
	if (tracee->pid <= 0)
		return;
	kill(tracee->pid, SIGKILL);
	while (waitpid(tracee->pid, &tracee->status, __WALL) == tracee->pid &&
	       WIFSTOPPED(tracee->status))
		;
	close(tracee->proc);
	tracee->pid = 0;
}
