/* SPDX-License-Identifier: MIT */
/*
 * The coordinator writes an order, raises its number and wakes all members;
 * each carries it out and counts itself off, and the last one wakes the
 * coordinator. Members that take part in an order meet at a barrier first, at
 * which they spin: they are on processors of their own.
 *
 * What would break it: a member that dies, or waits for ever. So the
 * coordinator looks for dead members while it waits, and calls a crew dead that
 * does not finish an order in STALLED seconds.
 */
#include <alloca.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/probe.h"
#include "common/process.h"
#include "crew.h"

#define STALLED 60u /* seconds */
#define NOBODY (-1)

enum order_kind { ORDER_JOIN, ORDER_PROBE, ORDER_ROUND, ORDER_LEAVE };

/* In shared memory; the coordinator writes the order between two of them. */
struct control {
	_Alignas(128) _Atomic uint32_t number; /* of orders; futex */
	enum order_kind kind;
	int contender;
	int taking_part; /* members 0 to this - 1 */
	int cpus[MEMBERS_MAX];
	_Alignas(128) _Atomic uint32_t pending; /* members; futex */
	_Alignas(128) _Atomic uint32_t arrived; /* at the barrier */
	int joining[MEMBERS_MAX];		/* contender, or NOBODY */
	double probe_ns[MEMBERS_MAX];
	struct line_pair lines[MEMBERS_MAX];
	struct round round;
};

struct crew {
	struct control *control;
	const struct test *test;
	void *const *made;
	const bool *absent;
	int members;
	pid_t pids[MEMBERS_MAX];
	bool dead;
};

void
round_fail(struct round *round, const char *what, int error)
{
	if (round->failure[0])
		return;
	if (error)
		snprintf(round->failure, sizeof(round->failure), "%s: %s", what,
			 strerror(-error));
	else
		snprintf(round->failure, sizeof(round->failure), "%s", what);
}

/* In a member ------------------------------------------------------------ */

static void
meet(struct control *control)
{
	atomic_fetch_add(&control->arrived, 1);
	while (atomic_load_explicit(&control->arrived, memory_order_acquire) <
	       (uint32_t)control->taking_part)
		spin_pause();
}

static void
probe(struct control *control, int member)
{
	if (member == 0) {
		for (int i = 1; i < control->taking_part; i++)
			control->probe_ns[i] = probe_ask(&control->lines[i],
							 PROBE_TRIPS);
	} else {
		probe_answer(&control->lines[member], PROBE_TRIPS);
	}
}

/*
 * Runs it with the stack begun elsewhere in its page each time. Where a loop's
 * variables lie beside what else it touches has changed a rate by a third, for
 * the whole life of a process: a load looks like one of a recent store if their
 * addresses end alike. So each round is of another layout, and the median of
 * all of them.
 */
static __attribute__((noinline)) void
run_displaced(const struct contender *contender, void *side, int member,
	      struct round *round, unsigned number)
{
	void *unused = alloca(16 + number * 1264 % 4096);

	__asm__("" : : "r"(unused) : "memory");
	contender->run(side, member, round);
}

static void
run(struct crew *crew, void *side, int member)
{
	struct control *control = crew->control;
	const struct contender *contender =
		crew->test->contenders[control->contender];
	struct round *round = &control->round;
	struct rusage before, after;

	getrusage(RUSAGE_SELF, &before);
	meet(control);
	run_displaced(contender, side, member, round,
		      atomic_load(&control->number));
	getrusage(RUSAGE_SELF, &after);
	round->member[member].sleeps =
		(uint64_t)(after.ru_nvcsw - before.ru_nvcsw);
	round->member[member].preemptions =
		(uint64_t)(after.ru_nivcsw - before.ru_nivcsw);
}

static void
join_all(struct crew *crew, int member, void *sides[])
{
	struct control *control = crew->control;

	for (int i = 0; crew->test->contenders[i]; i++) {
		const struct contender *contender = crew->test->contenders[i];
		int taking_part = contender_parties(contender) +
				  contender->idle;
		int error;

		if (crew->absent[i] || member >= taking_part)
			continue;
		control->joining[member] = i;
		error = contender->join(contender, crew->made[i], member,
					&sides[i]);
		if (error) {
			round_fail(&control->round, "attaching", error);
			return;
		}
		control->joining[member] = NOBODY;
	}
}

static void
leave_all(struct crew *crew, void *sides[])
{
	for (int i = 0; crew->test->contenders[i]; i++) {
		if (sides[i])
			crew->test->contenders[i]->leave(sides[i]);
	}
}

static void
carry_out(struct crew *crew, int member, void *sides[])
{
	struct control *control = crew->control;

	if (control->kind == ORDER_JOIN) {
		join_all(crew, member, sides);
	} else if (control->kind == ORDER_LEAVE) {
		leave_all(crew, sides);
	} else if (member < control->taking_part) {
		process_pin(control->cpus[member]);
		if (control->kind == ORDER_ROUND) {
			run(crew, sides[control->contender], member);
		} else {
			meet(control);
			probe(control, member);
		}
	}
}

static _Noreturn void
serve(struct crew *crew, int member)
{
	struct control *control = crew->control;
	void *sides[CONTENDERS_MAX] = { NULL };
	enum order_kind kind;
	uint32_t number = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	do {
		while (atomic_load(&control->number) == number)
			process_sleep(&control->number, number, 0);
		number++;
		kind = control->kind;
		carry_out(crew, member, sides);
		if (atomic_fetch_sub(&control->pending, 1) == 1)
			process_wake(&control->pending, 1);
	} while (kind != ORDER_LEAVE);
	_exit(0);
}

/* In the coordinator ----------------------------------------------------- */

/* Gives the order that the control's fields describe; false: crew dead. */
static bool
order(struct crew *crew, enum order_kind kind)
{
	struct control *control = crew->control;
	uint64_t begun = clock_now();
	uint32_t pending;

	control->kind = kind;
	atomic_store(&control->arrived, 0);
	atomic_store(&control->pending, (uint32_t)crew->members);
	atomic_fetch_add(&control->number, 1);
	process_wake(&control->number, MEMBERS_MAX);
	while ((pending = atomic_load(&control->pending))) {
		process_sleep(&control->pending, pending, 200);
		if (atomic_load(&control->pending) == 0)
			break;
		if ((kind != ORDER_LEAVE &&
		     process_died(crew->pids, crew->members) >= 0) ||
		    clock_now() - begun > STALLED * 1000000000ull) {
			crew->dead = true;
			return false;
		}
	}
	return true;
}

static void
crew_reason(struct crew *crew, char *ret_reason, size_t size)
{
	struct round *round = &crew->control->round;

	if (round->failure[0])
		snprintf(ret_reason, size, "%s", round->failure);
	else
		snprintf(ret_reason, size,
			 "a process died or made no progress in %u s", STALLED);
}

/* The contender that somebody could not join: that of the dead first. */
static int
not_joined(struct crew *crew)
{
	int contender = NOBODY;

	for (int i = 0; i < crew->members; i++) {
		int its = crew->control->joining[i];

		if (its != NOBODY && (contender == NOBODY || !crew->pids[i]))
			contender = its;
	}
	return contender;
}

struct crew *
crew_start(const struct test *test, void *const made[], const bool absent[],
	   int members, int *ret_contender, char *ret_reason, size_t size)
{
	struct crew *crew = calloc(1, sizeof(*crew));
	struct control *control = process_share(sizeof(*control));

	if (!crew)
		abort();
	*crew = (struct crew){ control, test,  made, absent,
			       members, { 0 }, false };
	for (int i = 0; i < MEMBERS_MAX; i++) {
		control->cpus[i] = PROCESS_UNPLACED;
		control->joining[i] = NOBODY;
	}
	for (int i = 0; i < members; i++) {
		crew->pids[i] = fork();
		if (crew->pids[i] == 0)
			serve(crew, i);
		control->round.pids[i] = crew->pids[i];
	}
	if (order(crew, ORDER_JOIN) && not_joined(crew) == NOBODY)
		return crew;
	*ret_contender = not_joined(crew);
	crew_reason(crew, ret_reason, size);
	crew->dead = true;
	crew_stop(crew);
	return NULL;
}

void
crew_stop(struct crew *crew)
{
	if (!crew->dead)
		order(crew, ORDER_LEAVE);
	for (int i = 0; i < crew->members; i++) {
		if (crew->pids[i] <= 0)
			continue;
		if (crew->dead)
			kill(crew->pids[i], SIGKILL);
		waitpid(crew->pids[i], NULL, 0);
	}
	munmap(crew->control, sizeof(*crew->control));
	free(crew);
}

void
crew_place(struct crew *crew, const int cpus[], int count)
{
	memcpy(crew->control->cpus, cpus, (size_t)count * sizeof(*cpus));
}

bool
crew_probe(struct crew *crew, int count, double ret_ns[])
{
	crew->control->taking_part = count;
	if (!order(crew, ORDER_PROBE))
		return false;
	memcpy(ret_ns, crew->control->probe_ns,
	       (size_t)count * sizeof(*ret_ns));
	return true;
}

const struct round *
crew_round(struct crew *crew, int contender, uint64_t duration,
	   char *ret_reason, size_t size)
{
	const struct contender *its = crew->test->contenders[contender];
	struct control *control = crew->control;
	struct round *round = &control->round;

	control->contender = contender;
	control->taking_part = contender_parties(its);
	round->duration = duration;
	round->warm_up = duration / 5;
	round->senders = its->senders;
	round->receivers = its->receivers;
	round->value = 0;
	atomic_store(&round->last, UINT64_MAX);
	atomic_store(&round->stop, 0);
	for (int i = 0; i < MEMBERS_MAX; i++) {
		atomic_store(&round->member[i].sent, 0);
		atomic_store(&round->member[i].received, 0);
	}
	if (order(crew, ORDER_ROUND) && !round->failure[0])
		return round;
	crew_reason(crew, ret_reason, size);
	crew->dead = true;
	return NULL;
}
