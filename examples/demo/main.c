/* SPDX-License-Identifier: MIT */
/* The coordinator: sets the runs up, and compares what came out of them. */
#include "demo.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Of the tree, at most, in the run that counts system calls. */
#define COUNTED_BYTES ((uint64_t)256 << 20)
#define COUNTED_FILES 50000
#define COUNTED_ENOUGH ((uint64_t)16 << 20) /* bytes: then it says something */
#define FAULTS_NAMED 10

static const char help[] =
	"usage: demo [-p PRODUCERS] [-c CONSUMERS] [--sabotage HOW] DIRECTORY\n"
	"Sends every regular file under DIRECTORY through cubby, and compares\n"
	"hashes. To see that a fault is noticed, let one piece be broken:\n"
	"HOW is spoil, lose, double, kill-producer, kill-consumer or\n"
	"kill-collector.\n";

struct settings {
	const char *directory;
	unsigned producers, consumers;
	enum sabotage sabotage;
};

static int
parse_sabotage(const char *word)
{
	static const char *const words[] = {
		[NO_SABOTAGE] = "none",
		[SPOIL] = "spoil",
		[LOSE] = "lose",
		[DOUBLE] = "double",
		[KILL_PRODUCER] = "kill-producer",
		[KILL_CONSUMER] = "kill-consumer",
		[KILL_COLLECTOR] = "kill-collector",
	};

	for (int i = 0; i <= KILL_COLLECTOR; i++)
		if (strcmp(word, words[i]) == 0)
			return i;
	return -1;
}

static bool
parse(int argc, char **argv, struct settings *settings)
{
	static const struct option options[] = {
		{ "producers", required_argument, NULL, 'p' },
		{ "consumers", required_argument, NULL, 'c' },
		{ "sabotage", required_argument, NULL, 's' },
		{ 0 }
	};
	int option, sabotage = NO_SABOTAGE;

	*settings = (struct settings){ .producers = 3, .consumers = 3 };
	while ((option = getopt_long(argc, argv, "p:c:", options, NULL)) != -1)
		switch (option) {
		case 'p':
			settings->producers = strtoul(optarg, NULL, 10);
			break;
		case 'c':
			settings->consumers = strtoul(optarg, NULL, 10);
			break;
		case 's':
			sabotage = parse_sabotage(optarg);
			break;
		default:
			return false;
		}
	settings->sabotage = sabotage;
	settings->directory = argv[optind];
	return argc - optind == 1 && sabotage >= 0 &&
	       settings->producers - 1 < PROCESSES_MAX &&
	       settings->consumers - 1 < PROCESSES_MAX;
}

/* Zeroed, and shared with what is forked later. */
static void *
shared_memory(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED) {
		complain("no memory for %zu bytes: %s", size, strerror(errno));
		exit(1);
	}
	return memory;
}

static void
move_to_front(struct tree *tree, uint64_t from, uint64_t to)
{
	struct file file = tree->files[from];

	tree->files[from] = tree->files[to];
	tree->files[to] = file;
}

/*
 * Brings those that are counted to the front, and returns how many they are. Of
 * files that are all large, it is the smallest.
 */
static uint64_t
choose_counted(struct tree *tree, uint64_t *ret_bytes)
{
	uint64_t chosen = 0, bytes = 0;

	for (uint64_t i = 0; i < tree->count && chosen < COUNTED_FILES; i++)
		if (tree->files[i].size <= COUNTED_BYTES - bytes) {
			bytes += tree->files[i].size;
			move_to_front(tree, i, chosen++);
		}
	if (bytes < COUNTED_ENOUGH && chosen < tree->count) {
		uint64_t smallest = chosen;
		for (uint64_t i = chosen; i < tree->count; i++)
			if (tree->files[i].size < tree->files[smallest].size)
				smallest = i;
		bytes += tree->files[smallest].size;
		move_to_front(tree, smallest, chosen++);
	}
	*ret_bytes = bytes;
	return chosen;
}

static struct run
prepare(const struct settings *settings, const char *name,
	const struct file *files, uint64_t count, uint64_t bytes)
{
	struct run run = {
		.files = files,
		.count = count,
		.bytes = bytes,
		.sabotage = settings->sabotage,
		.outcomes = shared_memory((count + 1) * sizeof(*run.outcomes)),
		.board = shared_memory(sizeof(*run.board)),
	};

	run.processes[READER] = 1;
	run.processes[PRODUCER] = settings->producers;
	run.processes[CONSUMER] = settings->consumers;
	run.processes[COLLECTOR] = 1;
	snprintf(run.name, sizeof(run.name), "demo.%d.%s", (int)getpid(), name);
	return run;
}

/* Comparing -------------------------------------------------------------- */

/* By its ctime, which nobody can set back. */
static bool
changed_since(const char *path, const struct timespec *time)
{
	struct stat status;

	if (lstat(path, &status) < 0)
		return true;
	return status.st_ctim.tv_sec > time->tv_sec ||
	       (status.st_ctim.tv_sec == time->tv_sec &&
		status.st_ctim.tv_nsec >= time->tv_nsec);
}

static bool
same(const struct outcome *a, const struct outcome *b)
{
	if (a->error != 0 || b->error != 0)
		return a->error == b->error;
	return a->size == b->size && XXH128_isEqual(a->hash, b->hash);
}

static void
describe(const struct outcome *outcome, char text[128])
{
	if (outcome->error != 0)
		snprintf(text, 128, "\"%s\"", strerror(outcome->error));
	else
		snprintf(text, 128,
			 "%016" PRIx64 "%016" PRIx64 " (%" PRIu64 " bytes)",
			 outcome->hash.high64, outcome->hash.low64,
			 outcome->size);
}

static void
name_fault(const char *path, const struct outcome *expected,
	   const struct outcome *arrived, const struct timespec *start)
{
	char with[128], without[128];

	if (arrived->pieces == 0) {
		complain("%s has not arrived", printable(path));
		return;
	}
	describe(arrived, with);
	describe(expected, without);
	const char *excuse = "";
	if (changed_since(path, start))
		excuse = "; it was changed in the meantime";
	complain("%s: %s through cubby, %s without%s", printable(path), with,
		 without, excuse);
}

/* Every file, and every message; names those that are not as they should be. */
static int
compare(const struct run *run, const struct outcome *expected,
	const struct timespec *start)
{
	uint64_t sent = tallied(run, PRODUCER);
	uint64_t faults = 0;

	for (uint64_t i = 0; i < run->count; i++) {
		const struct outcome *arrived = &run->outcomes[i];
		if (arrived->pieces > 0 && same(&expected[i], arrived))
			continue;
		if (++faults <= FAULTS_NAMED)
			name_fault(run->files[i].path, &expected[i], arrived,
				   start);
	}
	if (faults > FAULTS_NAMED)
		complain("and %" PRIu64 " more", faults - FAULTS_NAMED);
	if (tallied(run, CONSUMER) != sent || tallied(run, COLLECTOR) != sent) {
		complain("%" PRIu64 " pieces were sent, %" PRIu64
			 " checked, %" PRIu64 " joined",
			 sent, tallied(run, CONSUMER), tallied(run, COLLECTOR));
		faults++;
	}
	return faults == 0 ? 0 : -1;
}

static int
demonstrate(const struct settings *settings, struct tree *tree)
{
	struct timespec start;
	uint64_t counted_bytes;
	uint64_t counted_files = choose_counted(tree, &counted_bytes);
	struct run plain = prepare(settings, "plain", tree->files, tree->count,
				   tree->bytes);
	struct run run = prepare(settings, "timed", tree->files, tree->count,
				 tree->bytes);
	struct run counted = prepare(settings, "counted", tree->files,
				     counted_files, counted_bytes);

	cubby_sweep(NULL, NULL); /* behind a demo that was killed */
	clock_gettime(CLOCK_REALTIME, &start);
	counted.trace = true;
	if (run_plainly(&plain, "without cubby") < 0)
		return -1;
	/* Compared in any case: what is missing has a name. */
	int error = run_through_cubby(&run, "through cubby");
	if (compare(&run, plain.outcomes, &start) < 0 || error < 0)
		return -1;
	error = run_through_cubby(&counted, "counting calls");
	if (compare(&counted, plain.outcomes, &start) < 0 || error < 0)
		return -1;
	report(&run, &counted, tree);
	return 0;
}

int
main(int argc, char **argv)
{
	struct settings settings;
	struct tree tree;

	if (!parse(argc, argv, &settings)) {
		fputs(help, stderr);
		return 2;
	}
	int error = tree_walk(&tree, settings.directory);
	if (error < 0) {
		complain("%s: %s", printable(settings.directory),
			 strerror(-error));
		return 1;
	}
	printf("%s: %" PRIu64 " files; %u producers, %u consumers, 1 collector;"
	       " messages of up to %d bytes\n",
	       printable(settings.directory), tree.count, settings.producers,
	       settings.consumers, MESSAGE_MAX);
	fflush(stdout);
	error = demonstrate(&settings, &tree);
	if (error == 0)
		printf("\nEvery file arrived with the hash that it has without"
		       " cubby.\n");
	else
		complain("FAILED");
	tree_free(&tree);
	return error == 0 && fflush(stdout) == 0 ? 0 : 1;
}
