/* SPDX-License-Identifier: MIT */
/*
 * soak: senders, receivers and others on many mailboxes of every kind, killed,
 * stopped and interrupted at random, with an account of every message that is kept
 * outside of cubby (account.h).
 *
 *	soak [--seconds N] [--processes N | --factor N] [--kills N] [--seed N]
 *
 * --factor: so many processes for each processor. --kills: a second. It runs in
 * rounds of some seconds. At the end of each all mailboxes are emptied, the account
 * is checked, everything is unlinked, and nothing may be left. It prints what it
 * has found; status 1 if that is anything.
 */
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "account.h"
#include "chaos.h"
#include "check.h"
#include "pairs.h"
#include "veteran.h"

#define DEFAULT_FACTOR 12

static char root[] = "/dev/shm/cubby-soak.XXXXXX";
static bool own_file_system;

static int
processors(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) :
							      1;
}

static _Noreturn void
usage(void)
{
	fprintf(stderr,
		"usage: soak [--seconds N] [--processes N | --factor N] "
		"[--kills N] [--seed N]\n");
	exit(2);
}

static void
read_options(int argc, char **argv, struct settings *ret)
{
	static const struct option options[] = {
		{ "seconds", required_argument, NULL, 's' },
		{ "processes", required_argument, NULL, 'p' },
		{ "factor", required_argument, NULL, 'f' },
		{ "kills", required_argument, NULL, 'k' },
		{ "seed", required_argument, NULL, 'r' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		double number = optarg ? strtod(optarg, NULL) : 0;

		if (option == 's')
			ret->seconds = number;
		else if (option == 'p')
			ret->processes = (uint32_t)number;
		else if (option == 'f')
			ret->processes = (uint32_t)(number * processors());
		else if (option == 'k')
			ret->kills = (uint32_t)number;
		else if (option == 'r')
			ret->seed = strtoull(optarg, NULL, 0);
		else
			usage();
	}
	if (optind != argc || ret->seconds <= 0 || !ret->processes ||
	    ret->processes >= PLACES_MAX - 1)
		usage();
}

/* A file system of our own, if we may: then every byte of it can be counted, that
   of files without a name too. */
static void
make_root(void)
{
	if (!mkdtemp(root)) {
		perror("soak: /dev/shm");
		exit(2);
	}
	if (geteuid() == 0 && unshare(CLONE_NEWNS) == 0 &&
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	    mount("soak", root, "tmpfs", 0, "mode=0755") == 0)
		own_file_system = true;
	setenv("CUBBY_ROOT", root, 1);
}

static void
remove_root(void)
{
	char command[128];

	if (own_file_system && umount2(root, MNT_DETACH) == 0) {
		rmdir(root);
		return;
	}
	snprintf(command, sizeof(command), "rm -rf %s", root);
	if (system(command) != 0)
		fprintf(stderr, "soak: %s stays\n", root);
}

static unsigned long long
bytes_used(void)
{
	struct statvfs status;

	if (!own_file_system || statvfs(root, &status) < 0)
		return 0;
	return (status.f_blocks - status.f_bfree) *
	       (unsigned long long)status.f_bsize;
}

/* Everybody has gone, and everything was unlinked: but a directory of the user's,
   nothing uses memory. */
static void
check_bytes(unsigned long long before)
{
	unsigned long long after = bytes_used();

	if (after > before + 4096)
		found(LEAKED,
		      "%llu bytes are used in the root, after %llu "
		      "before",
		      after, before);
}

static void
run_rounds(const struct settings *settings)
{
	unsigned long long before = bytes_used();
	double left;

	for (left = settings->seconds; left > 0; left -= settings->round) {
		double length = left < settings->round ? left : settings->round;

		chaos_round((int64_t)(length * 1e9));
		in_process(check_emptied);
		check_account();
		in_process(check_nothing_left);
		check_bytes(before);
	}
}

static void
print_counts(const struct settings *settings, double seconds)
{
	const struct account *a = account;

	printf("%u processes on %d processors, %.0f s in %u rounds, seed "
	       "%llu\n",
	       settings->processes, processors(), seconds, a->rounds,
	       (unsigned long long)a->seed);
	printf("messages %llu (to all: %llu heard, %llu overtaken), "
	       "redelivered %llu, calls answered %llu, broken off %llu, "
	       "regions %llu, locks %llu (owner died: %llu)\n",
	       (unsigned long long)a->messages,
	       (unsigned long long)a->broadcast,
	       (unsigned long long)a->overtaken,
	       (unsigned long long)a->redelivered,
	       (unsigned long long)a->calls_answered,
	       (unsigned long long)a->calls_broken,
	       (unsigned long long)a->regions, (unsigned long long)a->locked,
	       (unsigned long long)a->owners_died);
	printf("births %llu, kills %llu (%.0f a minute), stops %llu, signals "
	       "%llu, named senders come back %llu, unlinked in use %llu, "
	       "refused for memory %llu\n",
	       (unsigned long long)a->births, (unsigned long long)a->kills,
	       (double)a->kills * 60 / seconds, (unsigned long long)a->stops,
	       (unsigned long long)a->signals, (unsigned long long)a->resumed,
	       (unsigned long long)a->unlinked,
	       (unsigned long long)a->refused_memory);
	printf("in the hands of the killed: %llu, each known; %llu of queues, "
	       "counted\n",
	       (unsigned long long)a->in_doubt, (unsigned long long)a->blanks);
	printf("longest time without progress: %.3f s%s%s\n",
	       (double)a->longest / 1e9, a->longest ? ", at " : "",
	       a->longest_what);
}

/* Returns the status. */
static int
print_findings(void)
{
	uint64_t sum = 0;

	printf("lost %llu, doubled %llu, out of order %llu, damaged %llu, "
	       "stood still %llu, leaked %llu, wrong %llu\n",
	       (unsigned long long)account->found[LOST],
	       (unsigned long long)account->found[DOUBLED],
	       (unsigned long long)account->found[DISORDERED],
	       (unsigned long long)account->found[DAMAGED],
	       (unsigned long long)account->found[STALLED],
	       (unsigned long long)account->found[LEAKED],
	       (unsigned long long)account->found[WRONG]);
	for (int i = 0; i < FINDINGS; i++)
		sum += account->found[i];
	for (uint32_t i = 0; i < account->lines && i < FINDINGS_MAX; i++)
		printf("FAILED %s\n", account->line[i]);
	return sum != 0;
}

int
main(int argc, char **argv)
{
	struct settings settings = {
		.seconds = 60,
		.processes = (uint32_t)(DEFAULT_FACTOR * processors()),
		.kills = 100,
		.stops = 60,
		.signals = 100,
		.round = 12,
		.seed = (uint64_t)time(NULL) * 1000 + (uint64_t)getpid() % 1000,
	};
	int64_t began;
	int status;

	read_options(argc, argv, &settings);
	printf("seed %llu\n", (unsigned long long)settings.seed);
	chaos_print_left_out(stdout, settings.processes);
	fflush(stdout);
	make_root();
	account_make(settings.seed);
	chaos_begin(&settings);
	began = now();
	run_rounds(&settings);
	veteran_end();
	print_counts(&settings, (double)(now() - began) / 1e9);
	pair_report(stdout);
	status = print_findings();
	remove_root();
	return status;
}
