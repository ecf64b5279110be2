/* SPDX-License-Identifier: MIT */
#ifndef BENCH_COMPARE_TEAM_H
#define BENCH_COMPARE_TEAM_H
/*
 * A team: the processes that carry messages through one peer for one workload.
 * They live as long as that does, and sleep between rounds; so what another
 * peer's processes do, or leave behind, does not disturb them.
 */
#include "control.h"

struct team;

/* Starts the members, who open their ends. NULL: ret_reason tells why not. */
struct team *
team_start(const struct peer *peer, const struct plan *plan, char *ret_reason,
	   size_t size);

/* Members that have no peer, and probe the distances of processors. */
struct team *
team_start_probes(int members);

/* The ns of a bare round trip between the first processor and each other; false:
   the team is dead. */
bool
team_probe(struct team *team, const int cpus[], int count, double ret_ns[]);

/*
 * One round on these processors; limit as in struct shared_round. Valid until
 * the next; NULL: it failed, ret_reason tells why, and the team is dead.
 */
const struct shared_round *
team_round(struct team *team, const int cpus[], uint64_t duration,
	   uint64_t limit, char *ret_reason, size_t size);

/* Lets them leave, or kills them. NULL is allowed. */
void
team_stop(struct team *team);

#endif
