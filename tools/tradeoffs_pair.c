/* SPDX-License-Identifier: MIT */
/*
 * Two processes that measure something together.
 *
 * The starter holds the ending signals back and waits for them and for SIGCHLD
 * alike, so there is no moment at which one could end it and leave the pair, or
 * what the pair has made. Its death by SIGKILL ends the pair too.
 *
 * System calls are counted by ptrace: a traced process stops before each, and
 * its own word says whether it wants that one counted. While it makes none, it
 * runs as fast as ever.
 */
#include "tradeoffs_pair.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"
#include "tradeoffs.h"

#define TICK INT64_C(250000000) /* ns */

void (*pair_tick)(void);

static sigset_t former_mask, awaited;
static struct sigaction former_child;

/* In both ---------------------------------------------------------------- */

void *
pair_memory(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		out_of_memory();
	return memory;
}

struct pair *
pair_make(void *context)
{
	struct pair *pair = pair_memory(sizeof(*pair));

	pair->context = context;
	pair->cpus[0] = pair->cpus[1] = -1;
	return pair;
}

void
pair_free(struct pair *pair)
{
	munmap(pair, sizeof(*pair));
}

static void
prepare_barrier(struct pair *pair)
{
	pthread_barrierattr_t shared;

	pthread_barrierattr_init(&shared);
	pthread_barrierattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(&pair->barrier, &shared, 2);
	pthread_barrierattr_destroy(&shared);
}

/* In a member ------------------------------------------------------------ */

void
pair_meet(struct pair *pair)
{
	pthread_barrier_wait(&pair->barrier);
}

void
pair_pin(int cpu)
{
	cpu_set_t set;

	if (cpu < 0 || cpu >= CPU_SETSIZE)
		return;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

void
pair_fail(struct pair *pair, const char *what, int error)
{
	if (!atomic_exchange(&pair->has_failed, true))
		snprintf(pair->failure, sizeof(pair->failure), "%s%s%s", what,
			 error ? ": " : "", error ? cubby_strerror(error) : "");
	_exit(EXIT_ERROR);
}

static void
member(struct pair *pair, void (*run)(struct pair *, int), int number,
       pid_t starter, bool traced)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != starter)
		_exit(EXIT_ERROR);
	if (traced) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
			pair_fail(pair, "ptrace", -errno);
		raise(SIGSTOP);
	}
	run(pair, number);
	_exit(EXIT_DONE);
}

/* In the starter --------------------------------------------------------- */

void
pair_block_signals(void)
{
	static const int ending[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	const struct sigaction by_default = { .sa_handler = SIG_DFL };
	struct sigaction action;

	sigaction(SIGCHLD, &by_default, &former_child);
	sigemptyset(&awaited);
	sigaddset(&awaited, SIGCHLD);
	for (size_t i = 0; i < sizeof(ending) / sizeof(ending[0]); i++)
		if (sigaction(ending[i], NULL, &action) == 0 &&
		    action.sa_handler != SIG_IGN)
			sigaddset(&awaited, ending[i]);
	sigprocmask(SIG_BLOCK, &awaited, &former_mask);
}

void
pair_unblock_signals(int number)
{
	const struct timespec none = { 0, 0 };
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	while (sigtimedwait(&child, NULL, &none) > 0)
		;
	sigaction(SIGCHLD, &former_child, NULL);
	if (number) {
		signal(number, SIG_DFL);
		raise(number);
	}
	sigprocmask(SIG_SETMASK, &former_mask, NULL);
}

static void
kill_member(struct pair *pair, int number)
{
	pid_t pid = pair->pids[number];
	int status;

	if (pid <= 0)
		return;
	kill(pid, SIGKILL);
	while (waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status))
		;
	queue_unlink(pid);
	pair->pids[number] = 0;
}

/* Lets a stopped member go on: after a system call, or with its signal. */
static void
go_on(struct pair *pair, int number, int status)
{
	pid_t pid = pair->pids[number];
	int stop = WSTOPSIG(status);
	long forward = 0;

	if (stop == (SIGTRAP | 0x80)) {
		/* Counted on entry and on return; halved in the end. */
		if (atomic_load(&pair->counting[number]))
			pair->calls++;
	} else if (stop == SIGSTOP) {
		ptrace(PTRACE_SETOPTIONS, pid, NULL,
		       (void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL));
	} else if (stop != SIGTRAP) {
		forward = stop;
	}
	ptrace(PTRACE_SYSCALL, pid, NULL, (void *)forward);
}

/* Looks at what has become of a member. False: it has failed. */
static bool
look(struct pair *pair, int number)
{
	pid_t pid = pair->pids[number];
	int status;

	if (pid <= 0 || waitpid(pid, &status, WNOHANG | __WALL) != pid)
		return true;
	if (WIFSTOPPED(status)) {
		go_on(pair, number, status);
		return true;
	}
	queue_unlink(pid);
	pair->pids[number] = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_DONE)
		return true;
	if (!atomic_exchange(&pair->has_failed, true))
		snprintf(pair->failure, sizeof(pair->failure),
			 "a process that measured it died");
	return false;
}

static bool
has_ended(const struct pair *pair)
{
	return pair->pids[0] <= 0 && pair->pids[1] <= 0;
}

/* Returns as pair_run(). */
static int
wait_for(struct pair *pair, int64_t deadline)
{
	const struct timespec tick = { 0, TICK };

	while (!has_ended(pair)) {
		int number = sigtimedwait(&awaited, NULL, &tick);

		if (number > 0 && number != SIGCHLD)
			return number;
		if (!look(pair, 0) || !look(pair, 1))
			return PAIR_FAILED;
		if (pair_tick)
			pair_tick();
		if (now_ns() < deadline)
			continue;
		if (!atomic_exchange(&pair->has_failed, true))
			snprintf(pair->failure, sizeof(pair->failure),
				 "it did not end in time");
		return PAIR_FAILED;
	}
	return PAIR_DONE;
}

int
pair_run(struct pair *pair, void (*run)(struct pair *pair, int member),
	 double seconds, bool traced)
{
	pid_t starter = getpid();
	int result = PAIR_DONE;

	prepare_barrier(pair);
	atomic_store(&pair->has_failed, false);
	pair->calls = 0;
	for (int i = 0; i < 2 && result == PAIR_DONE; i++) {
		pid_t pid = fork();

		if (pid == 0)
			member(pair, run, i, starter, traced);
		pair->pids[i] = pid;
		if (pid < 0) {
			snprintf(pair->failure, sizeof(pair->failure),
				 "no process to be had: %s", strerror(errno));
			result = PAIR_FAILED;
		}
	}
	if (result == PAIR_DONE)
		result = wait_for(pair, now_ns() + (int64_t)(seconds * 1e9));
	kill_member(pair, 0);
	kill_member(pair, 1);
	pair->calls /= 2;
	return result;
}
