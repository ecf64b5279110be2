/* SPDX-License-Identifier: MIT */
/* Children of the worker's that do one thing, and die. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

pid_t
helper_fork(struct run *run, void (*act)(struct run *run))
{
	pid_t pid = fork();

	if (pid < 0)
		fail("fork: %s", strerror(errno));
	if (pid > 0)
		return pid;
	complain_to(run->stage);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	act(run);
	_exit(0);
}

void
helper_bury(struct run *run, pid_t pid, const char *who)
{
	int64_t since = now();
	struct timespec look = { 0, 20 * 1000 * 1000 };
	sigset_t child;
	int status;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	progress("a helper is waited for");
	while (waitpid(pid, &status, WNOHANG) == 0)
		sigtimedwait(&child, NULL, &look);
	waited(who, since);
	if (status != 0)
		fail("%s: status %x: %s", who, (unsigned)status,
		     run->stage->complaint);
}

bool
helper_lull(pid_t pid)
{
	int proc = asleep_open(pid);
	bool sleeps, lives;
	siginfo_t told;

	for (;;) {
		sleeps = asleep(proc);
		told.si_pid = 0;
		lives = waitid(P_PID, (id_t)pid, &told,
			       WEXITED | WNOHANG | WNOWAIT) == 0 &&
			told.si_pid == 0;
		if (sleeps || !lives)
			break;
		sched_yield();
	}
	close(proc);
	return lives;
}

void
helper_still(struct run *run, pid_t pid, const char *who)
{
	int proc, status;
	bool sleeps;

	while (helper_lull(pid)) {
		kill(pid, SIGSTOP);
		if (waitpid(pid, &status, WUNTRACED) != pid ||
		    !WIFSTOPPED(status))
			fail("%s: %s", who, run->stage->complaint);
		proc = asleep_open(pid);
		sleeps = asleep(proc);
		close(proc);
		if (sleeps)
			return;
		kill(pid, SIGCONT);
	}
}

static bool
has_ended(pid_t pid)
{
	siginfo_t told = { .si_pid = 0 };

	return waitid(P_PID, (id_t)pid, &told, WEXITED | WNOHANG | WNOWAIT) <
		       0 || told.si_pid;
}

/* How often it has gone to sleep. */
static long
sleeps_of(pid_t pid)
{
	char path[64], line[100];
	long sleeps = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		sscanf(line, "voluntary_ctxt_switches: %ld", &sleeps);
	if (file)
		fclose(file);
	return sleeps;
}

void
helper_let_look(pid_t pid)
{
	struct timespec pause = { 0, 1000 * 1000 };
	long sleeps = sleeps_of(pid), then = sleeps;

	progress("a helper looks for itself");
	/* The first may be the end of what it was at. */
	while (then < sleeps + 2 && !has_ended(pid)) {
		nanosleep(&pause, NULL);
		then = sleeps_of(pid);
	}
}
