/* SPDX-License-Identifier: MIT */
/*
 * The workers: each takes items off one list, one run after another, in a root
 * directory of its own and on one processor (a tracer and what it traces are
 * quicker on one).
 *
 * A run that goes wrong ends its worker, and with it all that the run may have
 * left in it; the main process writes down why, cleans up, and starts another.
 * So does a worker that no longer moves. Time in which it, or a process of its
 * run, waited for a processor does not count: on a machine with other work to do
 * that is no hang.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "double.h"

/* Of one scenario: then its other runs are left out. */
enum { WORKERS_MAX = 64, FAILURES_MAX = 3 };

/* A run, as the kernel tells of it. */
struct sight {
	int64_t at;
	int64_t ran;	/* all of it, in ns */
	bool ready;	/* one of it runs, or would */
};

/* What a worker and the main process share. */
struct slot {
	struct report report;
	struct stage stage;
	_Atomic(bool) busy;
	_Atomic(uint32_t) item;
	pid_t pid;
	int64_t moved;		/* the last movement that was seen */
	struct sight sight;	/* when it was last looked at */
	int64_t starved;	/* since it moved: could not run for want of one */
	char root[64];
	struct tally tallies[]; /* one for each scenario */
};

struct pool {
	const struct text *text;
	struct item *items;
	uint32_t count, scenarios;
	struct points *points;
	_Atomic(uint32_t) *next;
	_Atomic(uint32_t) *failures; /* by scenario */
	struct slot *slots[WORKERS_MAX];
	int workers;
	bool once;
};

void *
share(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED) {
		perror("mmap");
		exit(2);
	}
	return memory;
}

static void
pin(int index)
{
	cpu_set_t all, one;
	int count, chosen = 0;

	if (sched_getaffinity(0, sizeof(all), &all) < 0)
		return;
	count = CPU_COUNT(&all);
	for (int cpu = 0, seen = 0; cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, &all) && seen++ == index % count)
			chosen = cpu;
	}
	CPU_ZERO(&one);
	CPU_SET(chosen, &one);
	sched_setaffinity(0, sizeof(one), &one);
}

/* One item, by a worker. */
static void
do_item(const struct pool *pool, struct slot *slot, struct item *item)
{
	uint32_t count;
	struct tally *tally = &slot->tallies[item->scenario];
	struct run run = {
		.scenario = &scenarios(&count)[item->scenario],
		.text = pool->text,
		.points = &pool->points[item->scenario],
		.stage = &slot->stage,
		.root = slot->root,
	};

	bool reached = true;

	slot->report.longest = 0;
	if (item->strike == UNHARMED)
		run_record(&run);
	else if (item->strike >= PLAIN)
		reached = doubles_do(&run, item);
	else
		reached = run_strike(&run, item->point, item->strike);
	item->outcome = reached ? DONE : ASTRAY;
	tally->astray += !reached;
	tally->runs += item->strike != UNHARMED;
	if (slot->report.longest <= tally->longest)
		return;
	tally->longest = slot->report.longest;
	tally->longest_what = slot->report.longest_what;
}

static noreturn void
work(const struct pool *pool, int index)
{
	struct slot *slot = pool->slots[index];
	uint32_t item;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	pin(index);
	report_to(&slot->report);
	/* Of one who was killed, and had this process's number. */
	tree_remove(slot->root);
	if (mkdir(slot->root, 0700) < 0 && errno != EEXIST)
		fail("%s: %s", slot->root, strerror(errno));
	setenv("CUBBY_ROOT", slot->root, 1);
	while ((item = (*pool->next)++) < pool->count) {
		progress("the run begins");
		slot->item = item;
		if (pool->failures[pool->items[item].scenario] >= FAILURES_MAX)
			continue;
		slot->busy = true;
		do_item(pool, slot, &pool->items[item]);
		slot->busy = false;
	}
	_exit(0);
}

static void
start_worker(const struct pool *pool, int index)
{
	struct slot *slot = pool->slots[index];
	pid_t pid;

	slot->busy = false;
	slot->report = (struct report){ .moved = now() };
	snprintf(slot->root, sizeof(slot->root), "/dev/shm/cubby-harness.%d.%d",
		 getpid(), index);
	fflush(stdout);
	pid = fork();
	if (pid < 0) {
		perror("fork");
		exit(2);
	}
	if (pid == 0)
		work(pool, index);
	slot->pid = pid;
}

static void
tell_failure(const struct pool *pool, const struct slot *slot, int status)
{
	static const char *const strikes[] = {
		"unharmed", "killed", "stopped", "refilled", "replaced",
		[PLAIN] = "with an heir", [LISTED] = "dead",
		[DOUBLE] = "dead twice",
	};
	const struct item *item = &pool->items[slot->item];
	uint32_t count;
	const struct scenario *scenario = &scenarios(&count)[item->scenario];
	const struct points *points = &pool->points[item->scenario];
	const char *name = scenario_name(scenario);

	printf("FAILED %s, %s", name, strikes[item->strike]);
	if (item->strike >= PLAIN)
		doubles_tell(pool->text, points, item);
	else if (item->strike != UNHARMED)
		printf(" at point %u: %s", item->point,
		       point_name(pool->text, &points->list[item->point]));
	if (WIFSIGNALED(status) && !slot->report.failure[0])
		printf("\n\ta survivor died of signal %d", WTERMSIG(status));
	else
		printf("\n\t%s", slot->report.failure);
	printf(" (when %s)\n", slot->report.doing);
	if (item->strike != UNHARMED && item->strike < PLAIN)
		printf("\tagain: --scenario %s --point %u --%s\n", name,
		       item->point, strikes[item->strike]);
	fflush(stdout);
}

/* false: the worker has come to its end. */
static bool
reap(struct pool *pool, int index, int status)
{
	struct slot *slot = pool->slots[index];
	uint32_t scenario = pool->items[slot->item].scenario;
	struct tally *tally = &slot->tallies[scenario];

	slot->pid = 0;
	tree_remove(slot->root);
	if (status == 0 && !slot->busy)
		return false;
	tell_failure(pool, slot, status);
	tally->failures++;
	tally->runs++;
	tally->hangs += slot->report.hang;
	if (++(pool->failures[scenario]) == FAILURES_MAX)
		printf("\tthat is enough of this one\n");
	if (pool->once)
		*pool->next = pool->count;
	return true;
}

/* How far a process has got, of a run's. */
static void
look_at(pid_t pid, struct sight *sight)
{
	unsigned long long ran;
	char path[64], state;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", (int)pid);
	file = fopen(path, "re");
	if (file && fscanf(file, "%llu", &ran) == 1)
		sight->ran += (int64_t)ran;
	if (file)
		fclose(file);
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	/* Our own name, or our children's: no brackets in it. */
	if (file && fscanf(file, "%*d (%*[^)]) %c", &state) == 1)
		sight->ready |= state == 'R';
	if (file)
		fclose(file);
}

/* The same of a worker and its children. */
static struct sight
look_at_run(pid_t worker)
{
	struct sight sight = { .at = now() };
	char path[64];
	FILE *file;
	int child;

	look_at(worker, &sight);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)worker,
		 (int)worker);
	file = fopen(path, "re");
	if (!file)
		return sight;
	while (fscanf(file, "%d", &child) == 1)
		look_at(child, &sight);
	fclose(file);
	return sight;
}

/*
 * Adds the time since the last look in which the run could have run, and did not:
 * if one of it is ready, all but what they have run. (The kernel's own account of
 * waiting grows only when the processor has been got.)
 */
static void
count_starved(struct slot *slot)
{
	struct sight sight = look_at_run(slot->pid);
	int64_t ran = sight.ran - slot->sight.ran;
	int64_t starved = sight.at - slot->sight.at - (ran > 0 ? ran : 0);

	if (sight.ready && starved > 0)
		slot->starved += starved;
	slot->sight = sight;
}

/* Has it moved since, or could it not? */
static bool
is_moving(struct slot *slot)
{
	int64_t moved = slot->report.moved;

	if (now() < moved + NANOSECONDS)
		return true;
	if (slot->moved != moved) {
		slot->moved = moved;
		slot->starved = 0;
		slot->sight = look_at_run(slot->pid);
		return true;
	}
	count_starved(slot);
	/* What the ended had run is not known any more: not without end. */
	return now() < moved + PATIENCE + NANOSECONDS + slot->starved &&
	       now() < moved + 20 * PATIENCE;
}

/* Kills a worker that has not moved for longer than anything may take. */
static void
look_after(struct slot *slot)
{
	if (!slot->pid || is_moving(slot))
		return;
	snprintf(slot->report.failure, sizeof(slot->report.failure),
		 "no progress in 10 seconds");
	slot->report.hang = true;
	kill(slot->pid, SIGKILL);
	slot->report.moved = now();
}

static void
watch(struct pool *pool)
{
	struct timespec look = { 0, 500 * 1000 * 1000 };
	int left = pool->workers, status;
	sigset_t child;
	pid_t pid;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	while (left) {
		pid = waitpid(-1, &status, WNOHANG);
		for (int i = 0; i < pool->workers; i++) {
			if (pid <= 0)
				look_after(pool->slots[i]);
			else if (pool->slots[i]->pid != pid)
				continue;
			else if (reap(pool, i, status))
				start_worker(pool, i);
			else
				left--;
		}
		if (pid <= 0)
			sigtimedwait(&child, NULL, &look);
	}
}

static void
add_up(const struct pool *pool, struct tally *tallies)
{
	for (int i = 0; i < pool->workers; i++) {
		for (uint32_t s = 0; s < pool->scenarios; s++) {
			const struct tally *tally = &pool->slots[i]->tallies[s];

			tallies[s].runs += tally->runs;
			tallies[s].failures += tally->failures;
			tallies[s].hangs += tally->hangs;
			tallies[s].astray += tally->astray;
			if (tally->longest <= tallies[s].longest)
				continue;
			tallies[s].longest = tally->longest;
			tallies[s].longest_what = tally->longest_what;
		}
	}
}

void
pool_run(const struct text *text, struct item *items, uint32_t count,
	 struct points *points, struct tally *tallies, int workers, bool once)
{
	struct pool pool = { .text = text,
			     .items = items,
			     .count = count,
			     .points = points,
			     .workers = workers,
			     .once = once };
	size_t size;

	if (pool.workers > WORKERS_MAX)
		pool.workers = WORKERS_MAX;
	scenarios(&pool.scenarios);
	size = sizeof(struct slot) + pool.scenarios * sizeof(struct tally);
	pool.next = share(sizeof(*pool.next));
	pool.failures = share(pool.scenarios * sizeof(*pool.failures));
	for (int i = 0; i < pool.workers; i++) {
		pool.slots[i] = share(size);
		start_worker(&pool, i);
	}
	watch(&pool);
	add_up(&pool, tallies);
	for (int i = 0; i < pool.workers; i++)
		munmap(pool.slots[i], size);
	munmap((void *)pool.next, sizeof(*pool.next));
	munmap((void *)pool.failures, pool.scenarios * sizeof(*pool.failures));
}
