/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "control.h"

#define SPINS 2000 /* at the barrier, before the processor is given away */

struct member {
	struct control *control;
	const struct peer *peer;
	void *const *made;
	int number;
	struct meter meter;
	void *to, *from;
	uint64_t *buffer;
};

struct control *
control_map(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	void *memory;

	if (fd < 0)
		return NULL;
	memory = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE,
		      MAP_SHARED, fd, 0);
	close(fd);
	return memory == MAP_FAILED ? NULL : memory;
}

static void
meet(struct control *control)
{
	uint32_t spins = 0;

	atomic_fetch_add(&control->arrived, 1);
	while (atomic_load_explicit(&control->arrived, memory_order_acquire) <
	       (uint32_t)control->taking_part) {
		if (++spins % SPINS)
			spin_pause();
		else
			sched_yield();
	}
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

/* A peer's ends ---------------------------------------------------------- */

/* Both ways, member 0 answers: it receives from the first channel, and sends to
   the second. One way, the first members receive. */
static enum role
role_of(const struct plan *plan, int member, int channel)
{
	bool receives = member < plan->channels[0].receivers;

	return receives == (channel == 0) ? ROLE_RECEIVER : ROLE_SENDER;
}

static void
open_ends(struct member *member, enum role role)
{
	const struct plan *plan = &member->control->plan;

	for (int i = 0; i < plan->channel_count; i++) {
		const struct channel *channel = &plan->channels[i];
		int number = member->number < plan->channels[0].receivers ?
				     member->number :
				     member->number -
					     plan->channels[0].receivers;
		int error;

		if (role_of(plan, member->number, i) != role)
			continue;
		error = member->peer->open(
			channel, member->made[i], role, number,
			role == ROLE_SENDER ? &member->to : &member->from);
		if (error) {
			struct seat seat = { .round = &member->control->round };

			seat_fail(&seat, "opening", error);
			return;
		}
	}
}

static void
get_ready(struct member *member)
{
	struct seat seat = { .round = &member->control->round };
	int error = 0;

	if (!member->peer->ready)
		return;
	if (member->from)
		error = member->peer->ready(member->from);
	if (!error && member->to)
		error = member->peer->ready(member->to);
	if (error)
		seat_fail(&seat, "getting ready", error);
}

/* 64 bytes before it are the peer's. */
static uint64_t *
allocate_buffer(size_t size)
{
	size_t room = 64 + PEER_BATCH * size + 63;
	char *memory = aligned_alloc(64, room - room % 64);

	if (!memory)
		abort();
	memset(memory, 1, room - room % 64);
	return (uint64_t *)(memory + 64);
}

static void
run(struct member *member)
{
	struct control *control = member->control;
	const struct plan *plan = &control->plan;
	struct member_round *mine = &control->round.member[member->number];
	struct seat seat = {
		.workload = plan->workload,
		.member = member->number,
		.senders = plan->channels[0].senders,
		.receivers = plan->channels[0].receivers,
		.sends_first = member->number >= plan->channels[0].receivers,
		.size = plan->channels[0].size,
		.touched = plan->touched,
		.checked = plan->checked,
		.to = member->to,
		.from = member->from,
		.buffer = member->buffer,
		.meter = &member->meter,
		.round = &control->round,
	};
	struct rusage before, after;

	getrusage(RUSAGE_SELF, &before);
	meet(control);
	member->peer->run(&seat);
	getrusage(RUSAGE_SELF, &after);
	mine->sleeps = (uint64_t)(after.ru_nvcsw - before.ru_nvcsw);
	mine->preemptions = (uint64_t)(after.ru_nivcsw - before.ru_nivcsw);
}

static void
leave(struct member *member)
{
	if (member->to)
		member->peer->close(member->to);
	if (member->from)
		member->peer->close(member->from);
}

/* Orders ----------------------------------------------------------------- */

static void
come(struct member *member)
{
	const struct plan *plan = &member->control->plan;

	member->control->round.pids[member->number] = getpid();
	if (plan->channel_count)
		member->buffer = allocate_buffer(plan->channels[0].size);
}

static void
carry_out(struct member *member, enum order_kind kind)
{
	struct control *control = member->control;

	switch (kind) {
	case ORDER_COME:
		come(member);
		break;
	case ORDER_OPEN_RECEIVERS:
		open_ends(member, ROLE_RECEIVER);
		break;
	case ORDER_OPEN_SENDERS:
		open_ends(member, ROLE_SENDER);
		break;
	case ORDER_READY:
		get_ready(member);
		break;
	case ORDER_PROBE:
	case ORDER_ROUND:
		if (member->number >= control->taking_part)
			break;
		process_pin(control->cpus[member->number]);
		if (kind == ORDER_ROUND) {
			run(member);
		} else {
			meet(control);
			probe(control, member->number);
		}
		break;
	case ORDER_LEAVE:
		leave(member);
		break;
	}
}

void
member_serve(struct control *control, const struct peer *peer,
	     void *const made[], int number)
{
	struct member member = { control, peer, made, number, .buffer = NULL };
	enum order_kind kind;
	uint32_t done = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_TIMERSLACK, 1UL);
	meter_open(&member.meter, control->plan.tick_scale,
		   control->plan.count_calls);
	do {
		while (atomic_load(&control->number) == done)
			process_sleep(&control->number, done, 0);
		done++;
		kind = control->kind;
		carry_out(&member, kind);
		if (atomic_fetch_sub(&control->pending, 1) == 1)
			process_wake(&control->pending, 1);
	} while (kind != ORDER_LEAVE);
	if (peer && peer->exits)
		exit(0);
	_exit(0);
}
