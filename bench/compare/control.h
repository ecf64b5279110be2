/* SPDX-License-Identifier: MIT */
#ifndef BENCH_COMPARE_CONTROL_H
#define BENCH_COMPARE_CONTROL_H
/*
 * What the coordinator and the members of a team share. The memory is a file
 * that a program can open by its path, and there is no pointer in it: a peer
 * whose processes must be started by its own launcher takes part like this.
 *
 * The coordinator writes an order, raises its number and wakes all members; each
 * carries it out and counts itself off, and the last one wakes the coordinator.
 */
#include "../others/peer_loops.h"
#include "../common/probe.h"
#include "../common/process.h"

enum order_kind {
	ORDER_COME,
	ORDER_OPEN_RECEIVERS,
	ORDER_OPEN_SENDERS,
	ORDER_READY,
	ORDER_PROBE,
	ORDER_ROUND,
	ORDER_LEAVE
};

/* What a team is for. */
struct plan {
	enum workload workload;
	int members;
	int channel_count; /* 0: a team that only probes; 2: there and back */
	struct channel channels[2];
	bool touched, checked, count_calls;
	uint64_t tick_scale;
};

struct control {
	ALIGNED(128) _Atomic uint32_t number; /* of orders; futex */
	enum order_kind kind;
	int taking_part; /* members 0 to this - 1 */
	int cpus[PEER_MEMBERS_MAX];
	struct plan plan;
	ALIGNED(128) _Atomic uint32_t pending; /* members; futex */
	ALIGNED(128) _Atomic uint32_t arrived; /* at the barrier */
	double probe_ns[PEER_MEMBERS_MAX];
	struct line_pair lines[PEER_MEMBERS_MAX];
	struct shared_round round;
};

/* Carries out orders until the last; made: what the coordinator has made of
   each channel. Ends the process. */
_Noreturn void
member_serve(struct control *control, const struct peer *peer,
	     void *const made[], int member);

/* For a program of a peer: maps the control that lies at that path; NULL: it
   cannot, errno tells. */
struct control *
control_map(const char *path);

#endif
