/* SPDX-License-Identifier: MIT */
#ifndef BENCH_H
#define BENCH_H
/*
 * What a benchmark is made of.
 *
 * A *contender* is one system doing one job: sending messages through a
 * mailbox, through the reference ring, through a peer of bench/others/. A
 * *test* puts contenders that do the same job beside each other: the same
 * processes run all of them, on the same processors, alternately, in rounds of
 * some ten milliseconds. One round of each is a *lap*, and a *goal* is a bound
 * on the ratio of two contenders of one lap; of all laps the median counts.
 *
 * The processes of a test are its *members*. Member 0 receives (or answers),
 * the others send (or ask); of a contender with several receivers those are the
 * first members. They live as long as the test does, so that a
 * contender's memory stays as warm as its rounds make it, and for each round
 * the coordinator (the process that was started) tells them what to run and
 * sleeps.
 *
 * Adding a peer: one file in bench/others/ that defines a struct contender, a
 * line for it in others/CMakeLists.txt, and its name in the tests that it can
 * take part in. loops.h holds the loops, so that all of them do the same work.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/report.h"
#include "common/settings.h"

#define CONTENDERS_MAX 10
#define GOALS_MAX 6

/* The small message of the goals, and that of the queues. */
#define SMALL ((size_t)40)
#define LINE ((size_t)64)
#define MEBIBYTE ((size_t)1 << 20)

/*
 * What the members share during one round. Each field that is written while a
 * round runs has its own lines, so that measuring does not slow what it
 * measures.
 *
 * field	written by		read by
 * last		who asks, once		who answers, each time
 * stop		the receiver, once	senders, each message
 * duration,	the coordinator, between rounds
 * warm_up
 * sent, sum	its member, at the end	the receiver, when it drains
 * received	its member, each	member 0, now and then
 *		message
 * the rest	its member, at the end	the coordinator, between rounds
 */
struct round {
	_Alignas(128) _Atomic uint64_t last;
	_Alignas(128) _Atomic uint32_t stop;
	_Alignas(128) uint64_t duration; /* ns */
	uint64_t warm_up;		 /* ns of it that do not count */
	int senders, receivers;
	pid_t pids[MEMBERS_MAX];
	struct {
		_Alignas(128) _Atomic uint64_t sent; /* 0: not known yet */
		_Atomic uint64_t sum;
		_Atomic uint64_t received;
		uint64_t sleeps;      /* voluntary context switches */
		uint64_t preemptions; /* involuntary ones */
	} member[MEMBERS_MAX];
	_Alignas(128) double value; /* the result */
	char failure[160];	    /* "": none */
};

/* Notes why a round failed, for its row; the first reason stays. */
void
round_fail(struct round *round, const char *what, int error);

enum unit {
	UNIT_NANOSECONDS, /* for a round trip: less is better */
	UNIT_MESSAGES	  /* a second: more is better */
};

struct contender {
	const char *system;
	const char *absent; /* why it cannot run here; NULL: it can */
	size_t size;	    /* bytes of a message */
	int senders, receivers;
	int idle;	    /* members beyond these that only attach */
	bool alone;	    /* member 0 both sends and receives, by itself */
	const char *lacks;  /* what it is if make returns -EOPNOTSUPP */
	const void *detail; /* the contender's own */

	/*
	 * In the coordinator, before the members are forked: makes what is
	 * shared. *ret reaches the others, and by fork also the members.
	 */
	int (*make)(const struct contender *self, void **ret);
	/* In each member: attaches. *ret is handed to run and leave. */
	int (*join)(const struct contender *self, void *made, int member,
		    void **ret);
	/* In each member that takes part: one round. */
	void (*run)(void *side, int member, struct round *round);
	void (*leave)(void *side);
	void (*unmake)(void *made);
};

/* Members that take part in its rounds. */
static inline int
contender_parties(const struct contender *contender)
{
	return contender->alone ? 1 : contender->senders + contender->receivers;
}

/* value(over) / value(under) shall be at most, or at least, limit. */
struct goal {
	const char *name;
	const struct contender *over, *under;
	enum sense sense;
	double limit;
};

struct test {
	const char *name;
	const char *title;
	enum unit unit;
	int busy; /* members that each need a processor */
	const struct contender *contenders[CONTENDERS_MAX + 1]; /* to a NULL */
	struct goal goals[GOALS_MAX];
};

/* Runs a test and adds its rows to the results; true if nothing failed. */
bool
test_run(const struct test *test, const struct settings *settings);

#endif
