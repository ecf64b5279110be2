/* SPDX-License-Identifier: MIT */
/*
 * What would break it: a member that dies, or waits for ever. So the coordinator
 * looks for dead members while it waits, and calls a team dead that does not
 * finish an order in STALLED seconds.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "team.h"

#define STALLED 60u /* seconds */
#define STALLED_PROBING 5u

struct team {
	struct control *control;
	const struct peer *peer; /* NULL: it only probes */
	int fd;
	int members;
	pid_t pids[PEER_MEMBERS_MAX]; /* the first alone, if it is a program */
	void *made[2];
	bool dead;
};

/* Gives the order that the control's fields describe; false: team dead. */
static bool
order(struct team *team, enum order_kind kind)
{
	struct control *control = team->control;
	uint64_t patience = kind == ORDER_PROBE ? STALLED_PROBING : STALLED;
	uint64_t begun = clock_now();
	uint32_t pending;

	control->kind = kind;
	atomic_store(&control->arrived, 0);
	atomic_store(&control->pending, (uint32_t)team->members);
	atomic_fetch_add(&control->number, 1);
	process_wake(&control->number, PEER_MEMBERS_MAX);
	while ((pending = atomic_load(&control->pending))) {
		process_sleep(&control->pending, pending, 200);
		if (atomic_load(&control->pending) == 0)
			break;
		if ((kind != ORDER_LEAVE &&
		     process_died(team->pids, team->members) >= 0) ||
		    clock_now() - begun > patience * UINT64_C(1000000000)) {
			team->dead = true;
			return false;
		}
	}
	return true;
}

static void
tell(const struct team *team, char *ret_reason, size_t size)
{
	const char *failure = team->control->round.failure;

	if (failure[0])
		snprintf(ret_reason, size, "%s", failure);
	else
		snprintf(ret_reason, size,
			 "a process died or made no progress in %u s", STALLED);
}

/* Starting --------------------------------------------------------------- */

static _Noreturn void
give_up(const char *what)
{
	fprintf(stderr, "cubby-compare: %s: %s\n", what, strerror(errno));
	exit(1);
}

static struct team *
allocate(const struct peer *peer, int members)
{
	struct team *team = calloc(1, sizeof(*team));

	if (!team)
		give_up("memory");
	team->peer = peer;
	team->members = members;
	team->fd = memfd_create("cubby-compare", MFD_CLOEXEC);
	if (team->fd < 0 || ftruncate(team->fd, sizeof(*team->control)))
		give_up("a file in memory");
	team->control = mmap(NULL, sizeof(*team->control),
			     PROT_READ | PROT_WRITE, MAP_SHARED, team->fd, 0);
	if (team->control == MAP_FAILED)
		give_up("shared memory");
	for (int i = 0; i < PEER_MEMBERS_MAX; i++)
		team->control->cpus[i] = PROCESS_UNPLACED;
	return team;
}

static void
fork_members(struct team *team)
{
	/* What is in the buffers is the coordinator's to write. */
	fflush(NULL);
	for (int i = 0; i < team->members; i++) {
		team->pids[i] = fork();
		if (team->pids[i] < 0)
			give_up("a process");
		if (team->pids[i] == 0)
			member_serve(team->control, team->peer, team->made, i);
	}
}

/* The peer's program: it is told the control's path and how many it is for. */
static void
start_program(struct team *team)
{
	char path[64], count[16];

	snprintf(path, sizeof(path), "/proc/%ld/fd/%d", (long)getpid(),
		 team->fd);
	snprintf(count, sizeof(count), "%d", team->members);
	team->pids[0] = fork();
	if (team->pids[0] < 0)
		give_up("a process");
	if (team->pids[0])
		return;
	execl(team->peer->program, team->peer->program, count, path,
	      (char *)NULL);
	_exit(127);
}

static bool
make_channels(struct team *team, char *ret_reason, size_t size)
{
	const struct plan *plan = &team->control->plan;

	for (int i = 0; team->peer->make && i < plan->channel_count; i++) {
		int error = team->peer->make(&plan->channels[i],
					     &team->made[i]);

		if (error) {
			snprintf(ret_reason, size, "making it: %s",
				 strerror(-error));
			return false;
		}
	}
	return true;
}

static bool
open_all(struct team *team, char *ret_reason, size_t size)
{
	static const enum order_kind orders[] = { ORDER_COME,
						  ORDER_OPEN_RECEIVERS,
						  ORDER_OPEN_SENDERS,
						  ORDER_READY };

	for (int i = 0; i < 4; i++) {
		if (!order(team, orders[i]) ||
		    team->control->round.failure[0]) {
			tell(team, ret_reason, size);
			team->dead = true;
			return false;
		}
	}
	return true;
}

struct team *
team_start(const struct peer *peer, const struct plan *plan, char *ret_reason,
	   size_t size)
{
	struct team *team = allocate(peer, plan->members);

	team->control->plan = *plan;
	if (make_channels(team, ret_reason, size)) {
		if (peer->program)
			start_program(team);
		else
			fork_members(team);
		if (open_all(team, ret_reason, size))
			return team;
	}
	team->dead = true;
	team_stop(team);
	return NULL;
}

struct team *
team_start_probes(int members)
{
	struct team *team = allocate(NULL, members);

	fork_members(team);
	return team;
}

/* Ending ----------------------------------------------------------------- */

static void
end_process(pid_t pid, bool by_force)
{
	uint64_t begun = clock_now();

	if (by_force)
		kill(pid, SIGTERM);
	while (waitpid(pid, NULL, WNOHANG) == 0) {
		const struct timespec step = { 0, 1000000 };

		nanosleep(&step, NULL);
		if (clock_now() - begun > UINT64_C(5000000000)) {
			kill(pid, SIGKILL);
			waitpid(pid, NULL, 0);
			return;
		}
	}
}

void
team_stop(struct team *team)
{
	if (!team)
		return;
	if (!team->dead)
		order(team, ORDER_LEAVE);
	for (int i = 0; i < team->members; i++) {
		if (team->pids[i] > 0)
			end_process(team->pids[i], team->dead);
	}
	for (int i = 0; i < 2; i++) {
		if (team->made[i] && team->peer->unmake)
			team->peer->unmake(team->made[i]);
	}
	munmap(team->control, sizeof(*team->control));
	close(team->fd);
	free(team);
}

/* Rounds ----------------------------------------------------------------- */

static void
place(struct team *team, const int cpus[], int count)
{
	memcpy(team->control->cpus, cpus, (size_t)count * sizeof(*cpus));
	team->control->taking_part = count;
}

bool
team_probe(struct team *team, const int cpus[], int count, double ret_ns[])
{
	place(team, cpus, count);
	if (!order(team, ORDER_PROBE))
		return false;
	memcpy(ret_ns, team->control->probe_ns,
	       (size_t)count * sizeof(*ret_ns));
	return true;
}

const struct shared_round *
team_round(struct team *team, const int cpus[], uint64_t duration,
	   uint64_t limit, char *ret_reason, size_t size)
{
	struct shared_round *round = &team->control->round;

	place(team, cpus, team->members);
	round->last = 0;
	round->ended = 0;
	round->number++;
	round->duration = duration;
	round->warm_up = limit ? 0 : duration / 5;
	round->limit = limit;
	memset(round->member, 0, sizeof(round->member));
	memset(&round->latencies, 0, sizeof(round->latencies));
	if (order(team, ORDER_ROUND) && !round->failure[0])
		return round;
	tell(team, ret_reason, size);
	team->dead = true;
	return NULL;
}
