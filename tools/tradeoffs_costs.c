/* SPDX-License-Identifier: MIT */
/*
 * What everything else is made of: a cache line that goes to another core and
 * back, a system call, waking another process, a mutex; and what it costs to
 * set a transport up.
 */
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cubby.h>

#include "tradeoffs.h"
#include "tradeoffs_pair.h"

#define ROUNDS 9
#define PATIENCE 20.0
#define ALL_PAIRS 8 /* processors of which each pair is tried */

/* Cache lines ------------------------------------------------------------ */

/* In shared memory. Each word has its line, and that line's neighbour. */
struct lines {
	_Alignas(128) atomic_uint_fast64_t question; /* member 1 writes */
	_Alignas(128) atomic_uint_fast64_t answer;   /* member 0 writes */
	_Alignas(128) int64_t duration;		     /* of a round */
	int64_t patience;			     /* ns, for all of them */
	bool is_late;				     /* it has been used up */
	int rounds; /* so far; -1: it warms up */
	int pair_count;
	int pairs[PAIRS_MAX][2];
	double values[PAIRS_MAX][ROUNDS];
};

#define TRIPS 16 /* until the clock is looked at */

static void
line_ask(struct lines *lines, uint64_t trip)
{
	atomic_store_explicit(&lines->question, trip, memory_order_release);
	while (atomic_load_explicit(&lines->answer, memory_order_acquire) !=
	       trip)
		spin_pause();
}

/* Trips until the time is over; the last one is marked. */
static double
ask_lines(struct lines *lines)
{
	int64_t begun = now_ns(), now;
	uint64_t trip = 0;

	do {
		for (int i = 0; i < TRIPS; i++)
			line_ask(lines, ++trip);
		now = now_ns();
	} while (now - begun < lines->duration);
	line_ask(lines, UINT64_MAX);
	return (double)(now - begun) / (double)trip;
}

static void
answer_lines(struct lines *lines)
{
	uint64_t trip = 0;

	while (trip != UINT64_MAX) {
		uint64_t asked = atomic_load_explicit(&lines->question,
						      memory_order_acquire);

		if (asked == trip) {
			spin_pause();
			continue;
		}
		trip = asked;
		atomic_store_explicit(&lines->answer, trip,
				      memory_order_release);
	}
}

/* One round of one pair of processors. */
static void
run_pair(struct pair *pair, struct lines *lines, int member, int which)
{
	double value;

	pair_pin(lines->pairs[which][member]);
	if (!member) {
		atomic_store(&lines->question, 0);
		atomic_store(&lines->answer, 0);
	}
	pair_meet(pair);
	if (!member) {
		answer_lines(lines);
	} else {
		value = ask_lines(lines);
		if (lines->rounds >= 0)
			lines->values[which][lines->rounds] = value;
	}
	pair_meet(pair);
}

/*
 * Rounds of all pairs, the first to warm up. On a busy machine, where a trip
 * takes until the other process has a processor again, fewer.
 */
static void
run_lines(struct pair *pair, int member)
{
	struct lines *lines = pair->context;
	int64_t begun = now_ns();
	bool more;

	do {
		for (int i = 0; i < lines->pair_count; i++)
			run_pair(pair, lines, member, i);
		if (!member) {
			lines->rounds++;
			lines->is_late = now_ns() - begun > lines->patience;
		}
		pair_meet(pair);
		more = lines->rounds < ROUNDS &&
		       !(lines->is_late && lines->rounds > 0);
	} while (more);
}

/* All pairs of a few processors; of many, the first with some of the others. */
static void
choose_pairs(struct lines *lines, const int *cpus, int count)
{
	int step = (count - 2) / PAIRS_MAX + 1;

	for (int i = 0; i < (count <= ALL_PAIRS ? count : 1); i++) {
		for (int j = i + 1; j < count;
		     j += count <= ALL_PAIRS ? 1 : step) {
			lines->pairs[lines->pair_count][0] = cpus[i];
			lines->pairs[lines->pair_count++][1] = cpus[j];
		}
	}
}

/* The processors that this process may use, in order. */
static int
usable_cpus(int *ret, int room)
{
	cpu_set_t set;
	int count = 0;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 0;
	for (int i = 0; i < CPU_SETSIZE && count < room; i++)
		if (CPU_ISSET(i, &set))
			ret[count++] = i;
	return count;
}

/*
 * A line that comes back sooner than this has not left its core: two threads of
 * one core share what is measured.
 */
#define SAME_CORE 60.0

/* Pins to the nearest two processors that are two cores, if there are any. */
static void
choose_near(struct findings *findings)
{
	double best = 0;
	bool found = false;

	for (int i = 0; i < findings->pair_count; i++) {
		/* What disturbs a trip makes it longer, never shorter. */
		double ns = findings->pairs[i].ns.low;
		bool apart = ns >= SAME_CORE;
		bool found_apart = found && best >= SAME_CORE;

		if (found && (apart == found_apart ? ns >= best : found_apart))
			continue;
		found = true;
		best = ns;
		memcpy(findings->pinned, findings->pairs[i].cpus,
		       sizeof(findings->pinned));
	}
}

static int
time_lines(struct findings *findings, struct lines *lines, struct pair *pair,
	   double seconds)
{
	int result;

	lines->rounds = -1;
	lines->patience = (int64_t)(seconds * 1e9) * 3;
	lines->duration =
		(int64_t)(seconds * 1e9 / (ROUNDS + 1) / lines->pair_count);
	result = pair_run(pair, run_lines, seconds + PATIENCE, false);
	if (result == PAIR_FAILED)
		findings_miss(findings, "cache lines between cores: %s",
			      pair->failure);
	for (int i = 0; i < lines->pair_count && result == PAIR_DONE; i++) {
		struct pair_of_cpus *its =
			&findings->pairs[findings->pair_count++];

		memcpy(its->cpus, lines->pairs[i], sizeof(its->cpus));
		its->ns = figure_of(lines->values[i], lines->rounds);
	}
	return result;
}

int
measure_lines(struct findings *findings, double seconds)
{
	struct lines *lines = pair_memory(sizeof(*lines));
	struct pair *pair = pair_make(lines);
	int cpus[CPU_SETSIZE];
	int result = PAIR_DONE;

	findings->cpu_count = usable_cpus(cpus, CPU_SETSIZE);
	if (findings->cpu_count >= 2)
		choose_pairs(lines, cpus, findings->cpu_count);
	else
		findings_miss(findings, "cache lines between cores: this "
					"process has one processor");
	if (lines->pair_count)
		result = time_lines(findings, lines, pair, seconds);
	choose_near(findings);
	pair_free(pair);
	munmap(lines, sizeof(*lines));
	return result == PAIR_FAILED ? 0 : result;
}

/* Synchronisation -------------------------------------------------------- */

/* In shared memory. Under the mutex: owner, changes. */
struct synchronisation {
	_Alignas(128) pthread_mutex_t mutex;
	_Alignas(128) int owner;
	uint64_t changes, locks[2];
	_Alignas(128) atomic_uint turn; /* futex */
	_Alignas(128) atomic_bool stop;
	int64_t duration;
	double system_call[ROUNDS], wake[ROUNDS];
	double mutex_free[ROUNDS], mutex_shared[ROUNDS], handover[ROUNDS];
};

static double
time_system_calls(int64_t duration)
{
	int64_t begun = now_ns(), now;
	uint64_t count = 0;

	do {
		for (int i = 0; i < TRIPS; i++)
			syscall(SYS_getppid);
		count += TRIPS;
		now = now_ns();
	} while (now - begun < duration);
	return (double)(now - begun) / (double)count;
}

static double
time_free_mutex(struct synchronisation *all)
{
	int64_t begun = now_ns(), now;
	uint64_t count = 0;

	do {
		for (int i = 0; i < TRIPS; i++) {
			pthread_mutex_lock(&all->mutex);
			pthread_mutex_unlock(&all->mutex);
		}
		count += TRIPS;
		now = now_ns();
	} while (now - begun < all->duration);
	return (double)(now - begun) / (double)count;
}

/* Both lock and unlock as fast as they can. */
static void
contend(struct synchronisation *all, int member)
{
	int64_t begun = now_ns();
	uint64_t count = 0;

	do {
		pthread_mutex_lock(&all->mutex);
		all->changes += all->owner != member;
		all->owner = member;
		pthread_mutex_unlock(&all->mutex);
	} while (++count % 64 || now_ns() - begun < all->duration);
	all->locks[member] = count;
}

static void
futex(atomic_uint *word, int operation, unsigned int value)
{
	syscall(SYS_futex, word, operation, value, NULL, NULL, 0);
}

static void
await_turn(struct synchronisation *all, unsigned int turn)
{
	unsigned int now;

	while ((now = atomic_load(&all->turn)) % 2 != turn &&
	       !atomic_load(&all->stop))
		futex(&all->turn, FUTEX_WAIT, now);
}

/* Each sleeps until the other wakes it. Returns ns for one way. */
static double
take_turns(struct synchronisation *all, int member)
{
	int64_t begun = now_ns();
	uint64_t count = 0;

	while (!atomic_load(&all->stop)) {
		await_turn(all, (unsigned int)member);
		if (atomic_load(&all->stop))
			break;
		count++;
		if (member && now_ns() - begun >= all->duration)
			atomic_store(&all->stop, true);
		atomic_fetch_add(&all->turn, 1);
		futex(&all->turn, FUTEX_WAKE, 1);
	}
	return (double)(now_ns() - begun) / (double)(count ? count : 1) / 2;
}

static void
run_synchronisation(struct pair *pair, int member)
{
	struct synchronisation *all = pair->context;

	pair_pin(pair->cpus[member]);
	for (int i = -1; i < ROUNDS; i++) {
		int64_t begun;
		int at = i < 0 ? 0 : i; /* the first is written over */
		double each;

		if (member) {
			all->system_call[at] = time_system_calls(all->duration);
			all->mutex_free[at] = time_free_mutex(all);
			all->changes = 0;
			atomic_store(&all->stop, false);
			atomic_store(&all->turn, 0);
		}
		pair_meet(pair);
		begun = now_ns();
		contend(all, member);
		pair_meet(pair);
		each = (double)(now_ns() - begun);
		if (member) {
			all->mutex_shared[at] =
				each / (double)(all->locks[0] + all->locks[1]);
			all->handover[at] =
				each /
				(double)(all->changes ? all->changes : 1);
		}
		pair_meet(pair);
		each = take_turns(all, member);
		if (member)
			all->wake[at] = each;
		pair_meet(pair);
	}
}

static void
prepare_mutex(pthread_mutex_t *mutex)
{
	pthread_mutexattr_t attributes;

	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(mutex, &attributes);
	pthread_mutexattr_destroy(&attributes);
}

int
measure_synchronisation(struct findings *findings, double seconds)
{
	struct synchronisation *all = pair_memory(sizeof(*all));
	struct pair *pair = pair_make(all);
	int result;

	prepare_mutex(&all->mutex);
	all->duration = (int64_t)(seconds * 1e9 / (ROUNDS + 1) / 4);
	memcpy(pair->cpus, findings->pinned, sizeof(pair->cpus));
	result = pair_run(pair, run_synchronisation, seconds + PATIENCE, false);
	if (result == PAIR_FAILED) {
		findings_miss(findings, "synchronisation: %s", pair->failure);
	} else if (result == PAIR_DONE) {
		findings->system_call = figure_of(all->system_call, ROUNDS);
		findings->wake = figure_of(all->wake, ROUNDS);
		findings->mutex_free = figure_of(all->mutex_free, ROUNDS);
		findings->mutex_shared = figure_of(all->mutex_shared, ROUNDS);
		findings->mutex_handover = figure_of(all->handover, ROUNDS);
	}
	pair_free(pair);
	munmap(all, sizeof(*all));
	return result == PAIR_FAILED ? 0 : result;
}

/* Setting up ------------------------------------------------------------- */

#define SETUPS_MAX 25
#define SMALL ((size_t)8)
#define DEPTH ((size_t)128)

/* In shared memory: one transport is measured in member 0. */
struct setups {
	int transport;
	int64_t duration;
	int count;
	double values[SETUPS_MAX];
};

/* The contender that stands for a transport. */
static const struct contender *
plainest(int transport)
{
	int i = 0;

	while ((int)contenders[i].transport != transport)
		i++;
	return &contenders[i];
}

/* Makes it, attaches both sides, and passes a first message. */
static double
set_up(struct pair *pair, const struct transport *transport,
       const struct contender *contender)
{
	uint64_t buffer[2] = { 0, 0 }, sum = 0;
	void *made = NULL, *ends[2] = { NULL, NULL };
	int64_t begun = now_ns(), done;
	int error = transport->make(SMALL, DEPTH, &made);

	for (int member = 0; member < 2 && !error; member++)
		error = transport->join(made, member, &ends[member]);
	if (!error) {
		struct side from = { ends[1], buffer, SMALL };
		struct side to = { ends[0], buffer + 1, SMALL };

		error = contender->produce(&from, 1);
		if (!error)
			error = contender->consume(&to, &sum);
	}
	done = now_ns();
	if (error)
		pair_fail(pair, transport_obstacle(contender->transport, error),
			  0);
	transport->leave(ends[0]);
	transport->leave(ends[1]);
	transport->unmake(made);
	return (double)(done - begun);
}

static void
run_setups(struct pair *pair, int member)
{
	struct setups *setups = pair->context;
	const struct transport *transport = &transports[setups->transport];
	int64_t begun = now_ns();

	if (member)
		return;
	set_up(pair, transport, plainest(setups->transport)); /* warms up */
	do
		setups->values[setups->count++] =
			set_up(pair, transport, plainest(setups->transport));
	while (setups->count < SETUPS_MAX &&
	       (setups->count < 3 || now_ns() - begun < setups->duration));
}

int
measure_setup(struct findings *findings, double seconds)
{
	struct setups *setups = pair_memory(sizeof(*setups));
	int result = PAIR_DONE;

	setups->duration = (int64_t)(seconds * 1e9 / TRANSPORTS);
	for (int i = 0; i < TRANSPORTS && result <= PAIR_DONE; i++) {
		struct pair *pair = pair_make(setups);

		setups->transport = i;
		setups->count = 0;
		result = pair_run(pair, run_setups, seconds + PATIENCE, false);
		if (result == PAIR_FAILED)
			findings_miss(findings, "%s, setting it up: %s",
				      transports[i].name, pair->failure);
		else if (result == PAIR_DONE)
			findings->setup[i] = figure_of(setups->values,
						       setups->count);
		pair_free(pair);
	}
	munmap(setups, sizeof(*setups));
	return result == PAIR_FAILED ? 0 : result;
}
