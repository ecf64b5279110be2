/* SPDX-License-Identifier: MIT */
/*
 * The processes of a run, as the coordinator sees them: it starts them, shows
 * how far they are, and counts their system calls. If one of them fails, or is
 * killed, the others would wait for ever; so they are killed too.
 */
#include "demo.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOOK_EVERY 50000000L		 /* nanoseconds */
#define STALL_AFTER INT64_C(60000000000) /* nanoseconds */

struct member {
	pid_t pid; /* 0: has ended */
	enum role role;
	unsigned index;
};

struct crew {
	struct run *run;
	struct member members[ROLES * PROCESSES_MAX];
	unsigned count;
	unsigned alive[ROLES];
	struct progress progress;
	uint64_t moved;	   /* what all had done, */
	int64_t moved_at;  /* when that last grew, */
	int64_t looked_at; /* and when it was looked at */
	sigset_t signals, signals_before;
	uint64_t calls[SYSTEM_CALLS];
};

static int (*const mains[ROLES])(struct run *run, unsigned index) = {
	read_plainly,
	produce,
	consume,
	collect,
};

struct crew *
crew_new(struct run *run, const char *label)
{
	struct crew *crew = calloc(1, sizeof(*crew));

	if (crew == NULL)
		return NULL;
	crew->run = run;
	sigemptyset(&crew->signals);
	sigaddset(&crew->signals, SIGCHLD);
	sigaddset(&crew->signals, SIGINT);
	sigaddset(&crew->signals, SIGTERM);
	sigaddset(&crew->signals, SIGHUP);
	signal(SIGCHLD, SIG_DFL);
	sigprocmask(SIG_BLOCK, &crew->signals, &crew->signals_before);
	progress_start(&crew->progress, label);
	crew->moved_at = crew->looked_at = now();
	return crew;
}

static void
be_member(struct crew *crew, enum role role, unsigned index, pid_t parent)
{
	sigprocmask(SIG_SETMASK, &crew->signals_before, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	call_myself(role, index);
	_exit(mains[role](crew->run, index));
}

int
crew_start(struct crew *crew, enum role role)
{
	pid_t parent = getpid();

	for (unsigned i = 0; i < crew->run->processes[role]; i++) {
		pid_t pid = fork();
		if (pid < 0) {
			complain("cannot start a process: %s", strerror(errno));
			return -1;
		}
		if (pid == 0)
			be_member(crew, role, i, parent);
		crew->members[crew->count++] = (struct member){ pid, role, i };
		crew->alive[role]++;
	}
	return 0;
}

/* A process has ended: well, or all is lost. */
static int
member_ended(struct crew *crew, pid_t pid, int status)
{
	struct member *member = crew->members;

	while (member->pid != pid)
		member++;
	member->pid = 0;
	crew->alive[member->role]--;
	if (WIFSIGNALED(status))
		complain("%s %u was killed: %s", role_names[member->role],
			 member->index + 1, strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) != 0)
		complain("%s %u has failed", role_names[member->role],
			 member->index + 1);
	return status == 0 ? 0 : -1;
}

static int
reap(struct crew *crew)
{
	int error = 0;
	int status;
	pid_t pid;

	while (error == 0 && (pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (WIFSTOPPED(status))
			trace_stop(pid, status, crew->calls);
		else
			error = member_ended(crew, pid, status);
	}
	return error;
}

static uint64_t
bytes_done(const struct crew *crew)
{
	const struct board *board = crew->run->board;

	return atomic_load(&board->tallies[READER][0].bytes) +
	       atomic_load(&board->tallies[COLLECTOR][0].bytes);
}

static uint64_t
all_done(const struct board *board)
{
	uint64_t sum = 0;

	for (unsigned role = 0; role < ROLES; role++)
		for (unsigned i = 0; i < PROCESSES_MAX; i++)
			sum += atomic_load(&board->tallies[role][i].messages);
	return sum;
}

static void
name_living(const struct crew *crew)
{
	for (unsigned i = 0; i < crew->count; i++)
		if (crew->members[i].pid != 0)
			complain("%s %u has not ended (process %d)",
				 role_names[crew->members[i].role],
				 crew->members[i].index + 1,
				 (int)crew->members[i].pid);
}

/* Whether anything has moved of late. */
static int
look(struct crew *crew)
{
	uint64_t moved = all_done(crew->run->board);
	int64_t time = now();
	/* If we were stopped ourselves, so may have been the others. */
	bool slept = time - crew->looked_at > STALL_AFTER / 10;

	crew->looked_at = time;
	if (moved != crew->moved || slept) {
		crew->moved = moved;
		crew->moved_at = time;
	}
	if (time - crew->moved_at < STALL_AFTER)
		return 0;
	complain("nothing has moved for %d seconds",
		 (int)(STALL_AFTER / 1000000000));
	name_living(crew);
	return -1;
}

int
crew_wait(struct crew *crew, enum role role)
{
	const struct timespec every = { .tv_nsec = LOOK_EVERY };
	int error = 0;

	while (error == 0 && crew->alive[role] > 0) {
		int got = sigtimedwait(&crew->signals, NULL, &every);
		if (got > 0 && got != SIGCHLD) {
			complain("%s", strsignal(got));
			return -1;
		}
		error = reap(crew);
		if (error == 0)
			error = look(crew);
		progress_show(&crew->progress, bytes_done(crew),
			      crew->run->bytes);
	}
	if (error == 0 && (role == READER || role == COLLECTOR))
		progress_end(&crew->progress, bytes_done(crew));
	return error;
}

/* A traced one may have something to tell before its death. */
static void
bury(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status))
		;
}

void
crew_free(struct crew *crew)
{
	for (unsigned i = 0; i < crew->count; i++)
		if (crew->members[i].pid != 0)
			kill(crew->members[i].pid, SIGKILL);
	for (unsigned i = 0; i < crew->count; i++)
		if (crew->members[i].pid != 0)
			bury(crew->members[i].pid);
	sigprocmask(SIG_SETMASK, &crew->signals_before, NULL);
	free(crew);
}

const uint64_t *
crew_system_calls(const struct crew *crew)
{
	return crew->calls;
}
