/* SPDX-License-Identifier: MIT */
/* Children of the worker's that do one thing, and die. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
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
