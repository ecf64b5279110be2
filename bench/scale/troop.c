/* SPDX-License-Identifier: MIT */
/*
 * Each member has a word of its own: the coordinator writes an order beside it,
 * raises it, and wakes that member. Who has carried its order out counts itself
 * off, and the last one wakes the coordinator.
 *
 * What would break it: a member that dies, or waits for ever. So the coordinator
 * looks for dead members while it waits, and gives up after STALLED seconds.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../common/clock.h"
#include "../common/probe.h"
#include "../common/process.h"
#include "troop.h"

#define STALLED 120u /* seconds */
#define ORDER_PROBE (-1)

unsigned troop_probe_trips = PROBE_TRIPS;

struct post {
	_Alignas(128) _Atomic uint32_t number; /* of orders; futex */
	int order, cpu;
	long argument;
};

struct shared {
	_Alignas(128) _Atomic uint32_t pending; /* members; futex */
	_Alignas(128) _Atomic uint32_t arrived; /* at the barrier of a probe */
	_Atomic int failed_order, failed; /* the first that failed; -errno */
	_Atomic int failed_member;
	double probe_ns;
	struct line_pair lines;
	struct post posts[];
};

struct troop {
	struct shared *shared;
	size_t size;
	troop_act *act;
	int members;
	char reason[160];
	pid_t pids[];
};

/* In a member ------------------------------------------------------------ */

static void
probe(struct shared *shared, int member)
{
	process_pin(shared->posts[member].cpu);
	atomic_fetch_add(&shared->arrived, 1);
	while (atomic_load_explicit(&shared->arrived, memory_order_acquire) < 2)
		spin_pause();
	if (member == 0) {
		shared->probe_ns = probe_ask(&shared->lines, troop_probe_trips);
		return;
	}
	probe_answer(&shared->lines, troop_probe_trips);
}

static void
note_failure(struct shared *shared, int member, int order, int error)
{
	int none = 0;

	if (atomic_compare_exchange_strong(&shared->failed, &none, error)) {
		atomic_store(&shared->failed_order, order);
		atomic_store(&shared->failed_member, member);
	}
}

static _Noreturn void
serve(struct troop *troop, int member)
{
	struct shared *shared = troop->shared;
	struct post *post = &shared->posts[member];
	uint32_t done = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		int error = 0;

		while (atomic_load(&post->number) == done)
			process_sleep(&post->number, done, 0);
		done++;
		if (post->order == ORDER_PROBE)
			probe(shared, member);
		else
			error = troop->act(troop, member, post->order,
					   post->argument);
		if (error)
			note_failure(shared, member, post->order, error);
		if (atomic_fetch_sub(&shared->pending, 1) == 1)
			process_wake(&shared->pending, 1);
	}
}

/* In the coordinator ----------------------------------------------------- */

struct troop *
troop_start(int members, troop_act *act, int *ret_error)
{
	size_t size = sizeof(struct shared) +
		      (size_t)members * sizeof(struct post);
	struct troop *troop =
		calloc(1, sizeof(*troop) + (size_t)members * sizeof(pid_t));

	if (!troop)
		abort();
	troop->shared = process_share(size);
	troop->size = size;
	troop->act = act;
	*ret_error = 0;
	for (; troop->members < members; troop->members++) {
		pid_t pid = fork();

		if (pid < 0) {
			*ret_error = -errno;
			break;
		}
		if (pid == 0)
			serve(troop, troop->members);
		troop->pids[troop->members] = pid;
	}
	return troop;
}

int
troop_members(const struct troop *troop)
{
	return troop->members;
}

void
troop_give(struct troop *troop, int first, int count, int order, long argument)
{
	struct shared *shared = troop->shared;

	atomic_fetch_add(&shared->pending, (uint32_t)count);
	for (int i = first; i < first + count; i++) {
		struct post *post = &shared->posts[i];

		post->order = order;
		post->argument = argument;
		atomic_fetch_add(&post->number, 1);
		process_wake(&post->number, 1);
	}
}

static bool
somebody_died(struct troop *troop)
{
	int who = process_died(troop->pids, troop->members);

	if (who >= 0)
		snprintf(troop->reason, sizeof(troop->reason),
			 "process %d died", who);
	return who >= 0;
}

bool
troop_wait(struct troop *troop)
{
	struct shared *shared = troop->shared;
	uint64_t begun = clock_now();
	uint32_t pending;
	int error;

	while ((pending = atomic_load(&shared->pending))) {
		process_sleep(&shared->pending, pending, 500);
		if (atomic_load(&shared->pending) != pending)
			continue;
		if (somebody_died(troop))
			return false;
		if (clock_now() - begun > STALLED * 1000000000ull) {
			snprintf(troop->reason, sizeof(troop->reason),
				 "%u processes made no progress in %u s",
				 pending, STALLED);
			return false;
		}
	}
	error = atomic_load(&shared->failed);
	if (error)
		snprintf(troop->reason, sizeof(troop->reason),
			 "process %d, order %d: %s",
			 atomic_load(&shared->failed_member),
			 atomic_load(&shared->failed_order), strerror(-error));
	return !error;
}

bool
troop_order(struct troop *troop, int first, int count, int order, long argument)
{
	troop_give(troop, first, count, order, argument);
	return troop_wait(troop);
}

bool
troop_order_in_turn(struct troop *troop, int first, int count, int at_once,
		    int order, long argument)
{
	for (int done = 0; done < count; done += at_once) {
		int some = count - done < at_once ? count - done : at_once;

		if (!troop_order(troop, first + done, some, order, argument))
			return false;
	}
	return true;
}

const char *
troop_reason(const struct troop *troop)
{
	return troop->reason;
}

bool
troop_probe(void *context, const int cpus[], int count, double ret_ns[])
{
	struct troop *troop = context;
	struct shared *shared = troop->shared;

	(void)count;
	for (int i = 0; i < 2; i++)
		shared->posts[i].cpu = cpus[i];
	atomic_store(&shared->arrived, 0);
	if (!troop_order(troop, 0, 2, ORDER_PROBE, 0))
		return false;
	ret_ns[1] = shared->probe_ns;
	return true;
}

void
troop_end(struct troop *troop)
{
	for (int i = 0; i < troop->members; i++) {
		if (troop->pids[i] > 0)
			kill(troop->pids[i], SIGKILL);
	}
	for (int i = 0; i < troop->members; i++) {
		if (troop->pids[i] > 0)
			waitpid(troop->pids[i], NULL, 0);
	}
	munmap(troop->shared, troop->size);
	free(troop);
}
