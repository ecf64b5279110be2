/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "root.h"

static char root[PATH_MAX];

static int
remove_one(const char *path, const struct stat *status, int kind,
	   struct FTW *walk)
{
	(void)status;
	(void)kind;
	(void)walk;
	remove(path);
	return 0;
}

static int
remove_below(const char *path, const struct stat *status, int kind,
	     struct FTW *walk)
{
	return walk->level ? remove_one(path, status, kind, walk) : 0;
}

void
root_clear(void)
{
	nftw(root, remove_below, 16, FTW_DEPTH | FTW_PHYS);
}

static void
block(sigset_t *ret_all)
{
	sigemptyset(ret_all);
	sigaddset(ret_all, SIGINT);
	sigaddset(ret_all, SIGTERM);
	sigaddset(ret_all, SIGHUP);
	sigaddset(ret_all, SIGCHLD);
	sigprocmask(SIG_BLOCK, ret_all, NULL);
}

/* Until the child has ended, or is to; returns the program's exit status. */
static int
watch(pid_t child, const sigset_t *signals)
{
	int number, status = 0;
	bool told = false;

	for (;;) {
		if (waitpid(child, &status, WNOHANG) == child)
			break;
		number = sigwaitinfo(signals, NULL);
		if (number < 0 || number == SIGCHLD)
			continue;
		told = true;
		kill(-child, SIGKILL);
	}
	/* Whom it has left behind. */
	kill(-child, SIGKILL);
	if (told)
		return 130;
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	fprintf(stderr, "cubby-scale: killed by signal %d\n", WTERMSIG(status));
	return 1;
}

void
root_enter(void)
{
	const char *shm = "/dev/shm";
	const char *parent = access(shm, W_OK) == 0 ? shm : "/tmp";
	sigset_t signals;
	int status;
	pid_t child;

	snprintf(root, sizeof(root), "%s/cubby-scale.XXXXXX", parent);
	block(&signals);
	if (!mkdtemp(root)) {
		fprintf(stderr, "cubby-scale: %s: %s\n", root, strerror(errno));
		exit(1);
	}
	setenv("CUBBY_ROOT", root, 1);
	child = fork();
	if (child == 0) {
		setpgid(0, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		sigprocmask(SIG_UNBLOCK, &signals, NULL);
		return;
	}
	if (child < 0)
		perror("cubby-scale: fork");
	else
		setpgid(child, child);
	/* Nobody may read any more what there is to tell: the rest is to be done. */
	signal(SIGPIPE, SIG_IGN);
	status = child < 0 ? 1 : watch(child, &signals);
	nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	exit(status);
}

const char *
root_path(void)
{
	return root;
}

void
root_mailbox(const char *name, char *ret, unsigned long size)
{
	snprintf(ret, size, "%s/cubby-%u/%s", root, (unsigned)geteuid(), name);
}
