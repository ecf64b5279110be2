/* SPDX-License-Identifier: MIT */
/*
 * everything_fails [--all | --spread N] [--for-ever] [--storm] [--limits] [--jobs N]
 *	[--scenario NAME[/KIND],...] [--at K [--choice C] [--mode M]] [--list]
 *
 * --calls: the numbers of the system calls of each scenario when nothing fails.
 * Without --all, so many cases in all, evenly chosen. --for-ever: what has failed once
 * goes on failing. --storm: in a storm of signals. --limits: limits in place of points;
 * of a spread each is a limit with all its steps. --at: one point of one scenario.
 */
#include "faults.h"

#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WORKERS_MAX = 64, UNITS_MAX = 1 << 20, CASES_OF_UNIT = 12,
       SECONDS = 20, FAILURES_MAX = 4 };

/* Of SCENARIOS(): the linker names the ends of the section. */
extern const struct scenario *const __start_scenarios[],
	*const __stop_scenarios[];

static const struct scenario *all[512];
static unsigned all_count;

static struct {
	const char *scenario;
	unsigned spread, at, jobs;
	int choice, mode;
	bool has_all, has_storm, has_limits, is_list, has_spread, goes_on, is_calls;
} options = { .spread = 1500, .choice = -1, .mode = -1 };

/* A point of a scenario, and a mode: each of its errors is a case. */
struct unit {
	struct item item;
	bool is_one;	/* one of its errors, chosen by the choice */
};

/* Shared by all processes. */
static struct shared {
	atomic_uint next, cases, failed, coped, unexpected, limits_met;
	atomic_uint failures[512][KINDS];
	unsigned points[512][KINDS];
	unsigned count;
	struct unit units[UNITS_MAX];
} *shared;

const struct scenario *
scenario_at(unsigned index)
{
	return all[index];
}

unsigned
scenario_count(void)
{
	return all_count;
}

static void
add_list(const struct scenario *list)
{
	for (; list->name; list++)
		all[all_count++] = list;
}

/* One case ------------------------------------------------------------------------- */

static struct outcome *outcome;

/* Of the child, and of all that it has started: it leads a group. */
static int
wait_for(pid_t pid)
{
	struct timespec patience = { SECONDS, 0 };
	int status;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	while (waitpid(pid, &status, WNOHANG) == 0)
		if (sigtimedwait(&set, NULL, &patience) < 0 && errno == EAGAIN) {
			kill(-pid, SIGKILL);
			waitpid(pid, &status, 0);
			return -1;
		}
	kill(-pid, SIGKILL);
	return status;
}

static void
tell_failure(const struct item *item, int status)
{
	const struct scenario *scenario = all[item->scenario];

	fprintf(stderr, "    again: --scenario %s/%s%s%s --at %u --choice %u "
			"--mode %u (%s)%s%s\n", scenario->name,
		kind_names[item->kind], item->has_storm ? " --storm" : "",
		item->how ? " --limits" : "", item->plan.at,
		item->plan.choice, item->how ? item->how : item->plan.mode,
		how_names[item->how],
		status == -1 ? ": not done in time" :
		WIFSIGNALED(status) ? ": died of " : "",
		status != -1 && WIFSIGNALED(status) ?
			strsignal(WTERMSIG(status)) : "");
}

/* False: it was not as expected. */
static bool
try(const struct item *item)
{
	int status;
	pid_t pid;

	memset(outcome, 0, sizeof(*outcome));
	pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run_case(item, outcome);
	}
	setpgid(pid, pid);
	status = wait_for(pid);
	atomic_fetch_add(&shared->cases, !outcome->is_out_of_choices);
	atomic_fetch_add(&shared->failed, outcome->has_failed);
	atomic_fetch_add(&shared->coped, outcome->has_coped);
	if (status == 0)
		return true;
	tell_failure(item, status);
	atomic_fetch_add(&shared->unexpected, 1);
	atomic_fetch_add(&shared->failures[item->scenario][item->kind], 1);
	ledger_remove_files(root);
	return false;
}

static void
tell_calls(const struct item *item)
{
	unsigned i;

	printf("%s/%s", all[item->scenario]->name, kind_names[item->kind]);
	for (i = 0; i < outcome->call_count; i++)
		printf(" %d", outcome->calls[i]);
	printf("\n");
	fflush(stdout);
}

/* Units ------------------------------------------------------------------------------ */

static void
try_points(const struct unit *unit)
{
	struct item item = unit->item;
	unsigned choice = item.plan.choice;

	for (;;) {
		/* The first of all may have had more to make. */
		if (try(&item) && outcome->points < item.plan.at)
			return;
		if (!unit->is_one && outcome->is_out_of_choices)
			return;
		/* The one chosen may be one of more than there are. */
		if (unit->is_one && !outcome->is_out_of_choices)
			return;
		if (unit->is_one && item.plan.choice == 0)
			return;
		item.plan.choice = unit->is_one ? choice /= 2 :
						  item.plan.choice + 1;
		if (shared->failures[item.scenario][item.kind] > FAILURES_MAX)
			return;
	}
}

/* More and more room, until it succeeds. */
static void
try_limits(const struct unit *unit)
{
	struct item item = unit->item;

	do {
		try(&item);
		item.plan.at++;
	} while (!outcome->is_out_of_choices && options.at == 0 &&
		 shared->failures[item.scenario][item.kind] <= FAILURES_MAX);
}

static void
make_root(unsigned index)
{
	static char path[64];

	snprintf(path, sizeof(path), "/dev/shm/cubby-faults.%d.%u",
		 (int)getppid(), index);
	if (mkdir(path, 0700) < 0) {
		perror(path);
		exit(2);
	}
	root = path;
	setenv("CUBBY_ROOT", path, 1);
}

static void
work(unsigned index)
{
	unsigned i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	make_root(index);
	/* Not on a file system that others use. */
	if (options.has_limits && !limit_prepare()) {
		fprintf(stderr, "no file system of its own for a worker\n");
		atomic_fetch_add(&shared->unexpected, 1);
		_exit(2);
	}
	outcome = mmap(NULL, sizeof(*outcome), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	while ((i = atomic_fetch_add(&shared->next, 1)) < shared->count) {
		const struct unit *unit = &shared->units[i];
		const struct item *item = &unit->item;

		if (shared->failures[item->scenario][item->kind] > FAILURES_MAX)
			continue;
		if (item->how)
			try_limits(unit);
		else if (item->plan.at)
			try_points(unit);
		else if (try(item))
			shared->points[item->scenario][item->kind] =
				outcome->points;
		if (options.is_calls)
			tell_calls(item);
	}
	ledger_remove_files(root);
	rmdir(root);
	_exit(0);
}

static void
work_on_all(void)
{
	unsigned i;

	atomic_store(&shared->next, 0);
	for (i = 0; i < options.jobs; i++)
		if (fork() == 0)
			work(i);
	while (wait(NULL) > 0)
		;
	/* Where a mount has hidden it from its worker. */
	for (i = 0; i < options.jobs; i++) {
		char path[64];

		snprintf(path, sizeof(path), "/dev/shm/cubby-faults.%d.%u",
			 (int)getpid(), i);
		ledger_remove_files(path);
		rmdir(path);
	}
}

static struct unit *
add_unit(unsigned scenario, unsigned kind)
{
	struct unit *unit = &shared->units[shared->count];

	if (shared->count < UNITS_MAX - 1)
		shared->count++;
	memset(unit, 0, sizeof(*unit));
	unit->item.scenario = (uint16_t)scenario;
	unit->item.kind = (uint8_t)kind;
	unit->item.has_storm = options.has_storm;
	return unit;
}

/* One of those in a list with commas. */
static bool
is_named(const char *list, const char *name)
{
	size_t length = strlen(name);

	for (; list; list = strchr(list, ',')) {
		list += *list == ',';
		if (!strncmp(list, name, length) &&
		    (list[length] == ',' || list[length] == '\0'))
			return true;
	}
	return false;
}

static bool
is_asked_for(const struct scenario *scenario, unsigned kind)
{
	char name[128];

	/* What is about no mailbox is run once. */
	if (scenario->kinds == NO_MAILBOX ? kind != 0 :
					    !(scenario->kinds & ONLY(kind)))
		return false;
	if (!options.scenario)
		return true;
	snprintf(name, sizeof(name), "%s/%s", scenario->name, kind_names[kind]);
	return is_named(options.scenario, scenario->name) ||
	       is_named(options.scenario, name);
}

static void
plan_records(void)
{
	unsigned i, kind;

	shared->count = 0;
	for (i = 0; i < all_count; i++)
		for (kind = 0; kind < KINDS; kind++)
			if (is_asked_for(all[i], kind))
				add_unit(i, kind);
}

static void
plan_scenario(unsigned scenario, unsigned kind)
{
	unsigned at, mode;

	for (at = 1; at <= shared->points[scenario][kind]; at++)
		for (mode = 0; mode < INJECT_MODES; mode++) {
			struct unit *unit;

			if (options.at && options.at != at)
				continue;
			if (options.mode >= 0 && options.mode != (int)mode)
				continue;
			if (options.goes_on && mode == INJECT_ONCE)
				continue;
			unit = add_unit(scenario, kind);
			unit->item.plan.at = at;
			unit->item.plan.mode = (enum inject_mode)mode;
			if (options.choice >= 0) {
				unit->is_one = true;
				unit->item.plan.choice =
					(unsigned)options.choice;
			}
		}
}

static void
plan_limits(unsigned scenario, unsigned kind)
{
	unsigned how;

	if (all[scenario]->traits & NO_LIMITS)
		return;
	for (how = 1; how < HOWS; how++) {
		struct unit *unit;

		if (options.mode >= 0 && options.mode != (int)how)
			continue;
		unit = add_unit(scenario, kind);
		unit->item.how = (uint8_t)how;
		unit->item.plan.at = options.at ? options.at : 1;
	}
}

/* Of so many, those that are left are evenly chosen, with one error each: which
   one changes from one to the next. */
static void
thin_out(unsigned wanted)
{
	unsigned i, kept = 0;
	uint64_t sum = 0;

	for (i = 0; i < shared->count; i++) {
		sum += wanted;
		if (sum < shared->count)
			continue;
		sum -= shared->count;
		shared->units[kept] = shared->units[i];
		shared->units[kept].is_one = true;
		shared->units[kept].item.plan.choice = kept % CASES_OF_UNIT;
		kept++;
	}
	shared->count = kept;
}

static void
plan_cases(void)
{
	unsigned i, kind;

	shared->count = 0;
	for (i = 0; i < all_count; i++)
		for (kind = 0; kind < KINDS; kind++) {
			if (!is_asked_for(all[i], kind))
				continue;
			if (options.has_limits)
				plan_limits(i, kind);
			else
				plan_scenario(i, kind);
		}
	if (!options.has_all && !options.at &&
	    (!options.has_limits || options.has_spread) &&
	    shared->count > options.spread)
		thin_out(options.spread);
}

/* The program ------------------------------------------------------------------------ */

static void
list_points(void)
{
	unsigned i, kind, sum = 0;

	for (i = 0; i < all_count; i++)
		for (kind = 0; kind < KINDS; kind++)
			if (is_asked_for(all[i], kind)) {
				printf("%s/%s %u\n", all[i]->name,
				       kind_names[kind],
				       shared->points[i][kind]);
				sum += shared->points[i][kind];
			}
	printf("%u points\n", sum);
}

static void
read_options(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "all", 0, NULL, 'a' }, { "spread", 1, NULL, 's' },
		{ "storm", 0, NULL, 't' }, { "limits", 0, NULL, 'l' },
		{ "jobs", 1, NULL, 'j' }, { "scenario", 1, NULL, 'n' },
		{ "at", 1, NULL, 'k' }, { "choice", 1, NULL, 'c' },
		{ "for-ever", 0, NULL, 'e' }, { "mode", 1, NULL, 'm' },
		{ "list", 0, NULL, 'p' }, { "calls", 0, NULL, 'r' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	options.jobs = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1)
		switch (option) {
		case 'a': options.has_all = true; break;
		case 's':
			options.spread = (unsigned)atoi(optarg);
			options.has_spread = true;
			break;
		case 'e': options.goes_on = true; break;
		case 't': options.has_storm = true; break;
		case 'l': options.has_limits = true; break;
		case 'j': options.jobs = (unsigned)atoi(optarg); break;
		case 'n': options.scenario = optarg; break;
		case 'k': options.at = (unsigned)atoi(optarg); break;
		case 'c': options.choice = atoi(optarg); break;
		case 'm': options.mode = atoi(optarg); break;
		case 'p': options.is_list = true; break;
		case 'r': options.is_calls = true; break;
		default: exit(2);
		}
	if (options.jobs > WORKERS_MAX)
		options.jobs = WORKERS_MAX;
}

static bool
may_mount(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(unshare(CLONE_NEWNS) < 0 ||
		      mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0);
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

int
main(int argc, char **argv)
{
	const struct scenario *const *list;
	sigset_t set;

	read_options(argc, argv);
	for (list = __start_scenarios; list < __stop_scenarios; list++)
		add_list(*list);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (options.has_limits && !may_mount()) {
		fprintf(stderr, "skipped: limits need root, for a mount\n");
		return 77;
	}
	if (shared == MAP_FAILED || !inject_prepare()) {
		fprintf(stderr, "skipped: no syscall user dispatch here\n");
		return 77;
	}
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	plan_records();
	if (!shared->count) {
		fprintf(stderr, "no such scenario\n");
		return 2;
	}
	work_on_all();
	fflush(NULL);
	if (options.is_calls)
		return shared->unexpected != 0;
	if (options.is_list) {
		list_points();
		return shared->unexpected != 0;
	}
	plan_cases();
	work_on_all();
	printf("%u cases: %u failed as documented, %u coped, %u were not as "
	       "they should be\n", shared->cases, shared->failed,
	       shared->coped, shared->unexpected);
	return shared->unexpected != 0;
}
