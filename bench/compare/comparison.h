/* SPDX-License-Identifier: MIT */
#ifndef BENCH_COMPARE_COMPARISON_H
#define BENCH_COMPARE_COMPARISON_H
/*
 * A test: one workload that all peers do, in turns. comparisons.c lists them.
 */
#include "../common/places.h"
#include "../common/report.h"
#include "../common/statistics.h"
#include "team.h"

#define PEERS_MAX 40

enum mode {
	SPINNING, /* nobody ever sleeps */
	SHIPPED,  /* as the peer's plain calls do it: who waits may sleep */
	ASLEEP	  /* the same; and who is asked sleeps by then */
};

struct comparison {
	const char *test;
	enum workload workload;
	enum mode mode;
	int senders, receivers;
	size_t size;
	bool touched;
	bool count_calls;
};

enum { COMPARISONS_MAX = 96 };

extern const char *const mode_names[];

/* All of them; returns how many. */
int
comparisons_list(struct comparison ret[COMPARISONS_MAX]);

/* How a peer is to do it; NULL: it can, else why not. */
const char *
comparison_plan(const struct comparison *comparison, const struct peer *peer,
		uint64_t tick_scale, struct plan *ret);

/* What one peer has given in one test. */
struct entry {
	const struct peer *peer;
	bool present; /* it could be run, so far */
	bool failed;
	char reason[200]; /* why not */
	struct plan plan;
	struct team *team;
	struct sample values[DISTANCES]; /* of rounds */
	struct sample processor[DISTANCES], sleeps[DISTANCES];
	struct sample calls[DISTANCES];
	uint64_t latencies[DISTANCES][LATENCY_BUCKETS];
	int moved, preempted, empty; /* rounds that were dropped */
	/* of each lap; value 0: none */
	struct {
		double value;
		enum distance distance;
	} * laps;
};

/* A test that has been run. */
struct outcome {
	const struct comparison *comparison;
	struct entry entries[PEERS_MAX];
	int count; /* of entries */
	int laps;
	int rounds[DISTANCES]; /* run, by what the probe said before */
};

/* Which peers, and how. */
struct choice {
	struct settings settings;
	const struct peer *peers[PEERS_MAX];
	char absent[PEERS_MAX][200]; /* why; "": present */
	int count;
	uint64_t tick_scale;
	double pacing; /* ns of processor time that pacing alone takes a message */
	bool limits_raised;
	bool is_part; /* of the peers that there are: goals are not judged */
	char uncounted[120]; /* why system calls are not counted, or "" */
};

/* Runs it. The outcome is to be freed. */
struct outcome *
outcome_measure(const struct comparison *comparison,
		const struct choice *choice);
void
outcome_free(struct outcome *outcome);

/* report.c: the table on standard output, and the JSON. */
void
report_open(const struct choice *choice, const char *path);
void
report_outcome(struct outcome *outcome, const struct choice *choice);
void
report_close(void);

/* goals.c */
enum { JUDGED_MAX = 64, JUDGED_REASON = 120 };
struct judged {
	char name[64], text[200];
	char ours[64], beside[64]; /* "": none */
	enum sense sense;
	double limit, near, far, value; /* not a number: not known */
	const char *reason;		/* why it is not judged; NULL: it is */
	char reasons[DISTANCES][JUDGED_REASON]; /* why not there; "": it is */
};

/* Of this outcome; returns how many were added to ret. */
int
goals_judge(struct outcome *outcome, struct judged *ret, int room);

/* check.c: few messages through everything, each word compared. False: one was
   wrong. */
bool
check_all(const struct choice *choice);

#endif
