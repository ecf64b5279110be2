/* SPDX-License-Identifier: MIT */
/*
 * every_access [--long] [--jobs N] [--chances N] [--play NAME [--chance N]]:
 * changes each shared word between two looks at it.
 *
 * A value that is checked and then read once more for its use may be another one by
 * then. Another thread that writes all the time (the fuzzers' flips) hits that
 * moment by luck. Here each access of the library to a shared word is told to
 * watch.c, and then the word changes at once: whoever reads it again gets what
 * nobody has checked. Nothing is left to chance: a *play* (some calls on a mailbox
 * of one kind, new or used) is run once to see its accesses, and then once with a
 * change of one word after one of them, for each site in the library that looks at
 * a kind of file: a line, or each place that a line is inlined in. (In one of these
 * runs the word is changed before that access, too.) Of *thorough*
 * plays, which are short, and with --long of all: for each site and word, the first
 * times it does, and before the first one. Besides, by chance that can be repeated,
 * with many changes in one run.
 *
 * What is looked at is what the fuzzers look at (fuzz.h): nothing outside of a
 * mapping is touched, calls end, errors are documented ones, all is closed.
 */
#include "every_access.h"
#include "play.h"
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* Plays -------------------------------------------------------------------- */

/* The first byte of a step, see steps.c, and what follows it. */
#define STEP(which, handle) ((which) | (handle) << 5)
#define OPEN(handle, how) STEP(1, handle), (how)
#define SEND(handle, size) STEP(2, handle), 0x16, (size), 0
#define SEND_SYNC(handle) STEP(2, handle), 0x17, 8, 0xe1
#define SEND_WAIT(handle, size) STEP(2, handle), 0x02, (size), 0xe1
#define RECEIVE(handle) STEP(3, handle), 0, 0, 0
#define RECEIVE_WAIT(handle) STEP(3, handle), 0, 0, 0xe1
#define PEEK(handle) STEP(3, handle), 1, 0, 0
#define HOLD(handle) STEP(4, handle), 0, 0
#define SEND_MANY(handle) STEP(5, handle), 6, 30, 0
#define RECEIVE_MANY(handle) STEP(6, handle), 5, 64, 0, 0
#define RELEASE(handle) STEP(7, handle)
#define REJECT(handle) STEP(8, handle)
#define RESERVE(handle, size) STEP(9, handle), (size), 0
#define COMMIT(handle) STEP(10, handle)
#define ABORT(handle) STEP(11, handle)
#define WAIT_RECEIVED(handle) STEP(12, handle), 1, 0xe1
#define SENDER_NAME(handle) STEP(13, handle), 1, 1
#define WAIT(handles) STEP(14, 0), (handles), 0xe1
#define DESCRIPTOR(handle, send) STEP(15, handle), (send)
#define CALL_BEGIN(handle, size) STEP(16, handle), (size), 0
#define CALL_END(handle) STEP(17, handle), 8, 0xe1
#define CALL_CANCEL(handle) STEP(18, handle)
#define REPLY(handle, size) STEP(19, handle), 0, (size)
#define LOOK STEP(20, 0)
#define SWEEP STEP(21, 0), 1
#define CLOSE(handle) STEP(23, handle)
/* Of region_steps.c. */
#define REGION_STEP(which, handle) STEP(16 | (which), handle)
#define ATTACH(handle, how) REGION_STEP(0, handle), (how)
#define TOUCH(handle) REGION_STEP(1, handle), 100
#define GROW(handle) REGION_STEP(2, handle), 190, 0, 32
#define SEND_REGION(handle) REGION_STEP(3, handle), 0
#define RECEIVE_REGION(handle) REGION_STEP(4, handle), 0
#define LOCK(handle) REGION_STEP(5, handle), 0, 0xe1
#define UNLOCK(handle) REGION_STEP(6, handle), 0, 1
#define SIGNAL(handle) REGION_STEP(8, handle), 1
#define POST(handle) REGION_STEP(9, handle), 2, 1
#define SEMAPHORE_WAIT(handle) REGION_STEP(9, handle), 2, 0, 0xe1
#define LOOK_AT_REGION REGION_STEP(10, 0), 1

/* A receiver, a named sender, a sender. What a used mailbox has comes first: what
   the dead held, and what they sent. */
static const uint8_t messages[] = {
	OPEN(0, 2), OPEN(1, 17), OPEN(2, 1), RECEIVE(0), HOLD(0), PEEK(0),
	REJECT(0), RECEIVE_MANY(0), HOLD(0), SEND(1, 8), SEND(2, 230),
	RECEIVE(0), SENDER_NAME(0), RELEASE(0), SEND_MANY(1), HOLD(0),
	RECEIVE_MANY(0), RESERVE(2, 240), RELEASE(0), COMMIT(2),
	WAIT_RECEIVED(2), RECEIVE(0), RECEIVE(0), SEND(2, 210), PEEK(0),
	HOLD(0), REJECT(0), HOLD(0), RELEASE(0), RESERVE(1, 8), ABORT(1),
	CLOSE(1), OPEN(1, 17), SEND(1, 250), CLOSE(0), OPEN(0, 2), RECEIVE(0),
	LOOK, SWEEP,
};
/* Few, so that all is tried in the short form too: what the dead held. */
static const uint8_t returned[] = { OPEN(0, 2), HOLD(0), RECEIVE(0) };
static const uint8_t one[] = {
	OPEN(0, 2), OPEN(1, 1), SEND(1, 230), HOLD(0), RELEASE(0),
};
static const uint8_t sleeps[] = { OPEN(0, 2), RECEIVE_WAIT(0) };
static const uint8_t takeover[] = { OPEN(0, 1), SEND(0, 230) };
static const uint8_t asks[] = {
	OPEN(0, 1), OPEN(1, 2), CALL_BEGIN(0, 8), RECEIVE(1), REPLY(1, 30),
	CALL_END(0),
};
static const uint8_t attach[] = {
	ATTACH(0, 0), ATTACH(1, 0), TOUCH(0), GROW(1), TOUCH(0),
};
static const uint8_t waits[] = {
	OPEN(0, 2), OPEN(1, 1), RECEIVE_MANY(0), RECEIVE_MANY(0),
	DESCRIPTOR(0, 0), WAIT(0x02), RECEIVE_WAIT(0), SEND_SYNC(1),
	SEND(1, 8), WAIT(0x02), DESCRIPTOR(1, 1), SEND_MANY(1), SEND_MANY(1),
	WAIT(0x04), SEND_WAIT(1, 220), DESCRIPTOR(0, 0), RECEIVE_MANY(0),
	SEND_WAIT(1, 8), OPEN(2, 3), RECEIVE_WAIT(2), CLOSE(0), RECEIVE_WAIT(2),
};
static const uint8_t calls[] = {
	OPEN(0, 1), OPEN(1, 2), RECEIVE_MANY(1), CALL_BEGIN(0, 8), RECEIVE(1),
	REPLY(1, 30), CALL_END(0), CALL_BEGIN(0, 220), HOLD(1), REPLY(1, 250),
	RELEASE(1), CALL_END(0), CALL_BEGIN(0, 8), CALL_END(0), CALL_CANCEL(0),
	RECEIVE(1), REPLY(1, 8), CALL_BEGIN(0, 8), HOLD(1), CLOSE(1),
	CALL_END(0), OPEN(1, 2), RECEIVE(1), REPLY(1, 8), CALL_END(0), LOOK,
	SWEEP,
};
/* Without cubby_condition_wait(), which locks the mutex again without a deadline,
   and so waits for an owner that somebody has written there. */
static const uint8_t regions[] = {
	ATTACH(0, 0), TOUCH(0), LOCK(0), GROW(0), TOUCH(0), LOCK(0), UNLOCK(0),
	LOCK(0), SIGNAL(0), UNLOCK(0), POST(0), SEMAPHORE_WAIT(0),
	SEMAPHORE_WAIT(0), OPEN(1, 3), ATTACH(1, 12), SEND_REGION(1),
	RECEIVE(1), RECEIVE_REGION(1), TOUCH(1), LOOK_AT_REGION,
};

/* All slots that have memory are in use, and then one, which has a block, is free;
   that gives its memory back. (Forty small ones take up what a chunk has.) */
static const uint8_t cools[] = {
	OPEN(0, 2), OPEN(1, 1), SEND(1, 230), STEP(5, 1), 39, 8, 0, RECEIVE(0),
	SWEEP, SWEEP, SWEEP, SWEEP,
};

/* A message that is larger than all that lies behind its slot in `queue`: bytes of
   a block, taken for bytes of the slot, lead outside. Received in one way, so that
   each access is of that way. Slots are what is of interest. */
#define LARGE (1280 << 10)
#define SLOTS_AT (3 << 20)	/* or below, in `queue` */

enum large { LARGE_COPY = 1, LARGE_PEEK, LARGE_HOLD, LARGE_BATCH };

static void
hold_large(cubby_mailbox *mailbox, char *buffer)
{
	cubby_message *message;
	const char *at;

	if (CALL(cubby_hold(mailbox, NULL, CUBBY_NOW, &message), "cubby_hold",
		 HOLD_ERRORS))
		return;
	at = cubby_message_data(message);
	for (size_t i = 0; i < cubby_message_size(message); i += 4096)
		buffer[0] ^= at[i];
	CALL(cubby_release(message), "cubby_release", EBADMSG);
}

static void
receive_large(cubby_mailbox *mailbox, enum large how)
{
	struct cubby_batch_entry entry = { .envelope = NULL };
	static char buffer[LARGE];
	size_t size;

	if (how == LARGE_HOLD)
		hold_large(mailbox, buffer);
	else if (how == LARGE_BATCH)
		CALL(cubby_receive_batch(mailbox, NULL, 0, CUBBY_NOW, &entry, 1,
					 buffer, LARGE),
		     "cubby_receive_batch", RECEIVE_FULL_ERRORS);
	else
		CALL(cubby_receive_full(mailbox, NULL,
					how == LARGE_PEEK ? CUBBY_PEEK : 0,
					CUBBY_NOW, buffer, LARGE, &size, NULL),
		     "cubby_receive_full", RECEIVE_FULL_ERRORS);
}

static void
large(enum large how)
{
	static char bytes[LARGE];
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	cubby_mailbox *mailbox;

	options.order = CUBBY_ORDER_ARRIVAL;
	options.capacity = 4;
	options.message_max = LARGE;
	if (CALL(cubby_open("large", CUBBY_CREATE | BOTH, &options, &mailbox),
		 "cubby_open", OPEN_ERRORS))
		return;
	CALL(cubby_send_full(mailbox, bytes, LARGE, NULL, 0, CUBBY_NOW),
	     "cubby_send_full", SEND_FULL_ERRORS);
	receive_large(mailbox, how);
	call_begins("cubby_close");
	cubby_close(mailbox);
	call_ended(0, &(const int){ 0 });
}

static const struct play_text {
	const char *name;
	enum kind kind;
	bool used;
	bool thorough;
	const uint8_t *steps;
	size_t size;
	enum large large; /* in place of steps */
} plays[] = {
#define PLAY(kind, used, steps) \
	{ #kind "-" #used "-" #steps, KIND_##kind, used, \
	  sizeof(steps) < 24, steps, sizeof(steps), 0 }
	PLAY(LANES, 1, returned),
	PLAY(LANES, 0, one),
	PLAY(ARRIVAL, 1, returned),
	PLAY(ARRIVAL, 0, one),
	PLAY(ARRIVAL, 0, sleeps),
	PLAY(LANES, 0, sleeps),
	PLAY(UNLIMITED, 1, takeover),
	PLAY(LANES, 0, asks),
	PLAY(REGION, 1, attach),
	PLAY(LANES, 0, messages),
	PLAY(LANES, 1, messages),
	PLAY(LANES, 1, waits),
	PLAY(LANES, 1, calls),
	PLAY(UNLIMITED, 1, messages),
	PLAY(UNLIMITED, 0, waits),
	PLAY(FIXED, 1, messages),
	PLAY(INBOX, 1, messages),
	PLAY(INBOX, 0, waits),
	PLAY(INBOX, 0, calls),
	PLAY(EVERY, 1, messages),
	PLAY(EVERY, 0, waits),
	PLAY(OVERTAKE, 1, messages),
	PLAY(ARRIVAL, 0, messages),
	PLAY(ARRIVAL, 1, messages),
	PLAY(ARRIVAL, 1, calls),
	PLAY(PRIORITY, 1, messages),
	PLAY(PRIORITY, 1, waits),
	PLAY(RENDEZVOUS, 1, messages),
	PLAY(RENDEZVOUS, 0, waits),
	PLAY(RENDEZVOUS, 0, calls),
	PLAY(REGION, 1, regions),
	PLAY(PRIORITY, 0, cools),
#define PLAY_LARGE(how, which) \
	{ "ARRIVAL-0-large-" #how, KIND_ARRIVAL, false, false, NULL, 0, which }
	PLAY_LARGE(copy, LARGE_COPY),
	PLAY_LARGE(peek, LARGE_PEEK),
	PLAY_LARGE(hold, LARGE_HOLD),
	PLAY_LARGE(batch, LARGE_BATCH),
};

static void
run(const struct play_text *text)
{
	struct script script = { text->steps, text->steps + text->size };
	static struct play play;

	play_begin(&play, text->kind);
	if (text->large)
		large(text->large);
	else
		play_all(&play, &script);
	play_end(&play);
}

/* Points ------------------------------------------------------------------- */

#define POINTS_MAX 100000
/* One line looks at one word often; tried are the first times, in a thorough play,
   and in the long form of others. */
#define TIMES_MAX 64
#define TIMES_MAX_LONG 4
#define PATIENCE 60 /* seconds, for one run */
#define FINDINGS_MAX 40

struct point {
	struct access access;
	uint32_t times; /* that there was such an access */
};

/* Between the processes, of which any may die at any time. */
static struct shared {
	uint64_t accesses, points, runs, changes, missed;
	struct point all[POINTS_MAX];
	struct job {
		uint64_t at;
		struct change change;
		struct access last;
	} jobs[64];
} *shared;

static bool is_long;
static unsigned int job_count = 2, chances = 16;
static uint64_t only_chance; /* 0: all */

static void
add_access(struct access access)
{
	struct point *point = shared->all;
	struct point *end = point + shared->points;

	shared->accesses++;
	while (point < end && (point->access.site != access.site ||
			       point->access.offset != access.offset))
		point++;
	if (point == POINTS_MAX + shared->all)
		return;
	if (point == end) {
		point->access = access;
		point->times = 0;
		shared->points++;
	}
	point->times++;
}

/* Only one of those of a site, in a kind of file, is tried in the short form. */
static bool
is_first(uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		if (shared->all[i].access.site == shared->all[n].access.site)
			return false;
	return true;
}

/* What comes before the first access of a line to a word is tried once. */
static bool
is_first_of_line(uint64_t n)
{
	const struct access *access = &shared->all[n].access;

	for (uint64_t i = 0; i < n; i++)
		if (shared->all[i].access.where == access->where &&
		    shared->all[i].access.offset == access->offset)
			return false;
	return true;
}

/* They lie in `receivers`. */
static bool
is_of_attributes(const struct change *change)
{
	for (uint64_t n = 0; n < shared->points; n++) {
		const struct access *access = &shared->all[n].access;

		if (access->offset == change->offset &&
		    (change->before ? access->where == change->before :
				      access->site == change->site))
			return strcmp(access->name, "receivers") == 0;
	}
	return true;
}

/* Makes one run. */
static void
try(const struct play_text *text, struct job *job, const struct change *change)
{
	uint64_t made;

	outside_bound_commits(!change->noise && !is_of_attributes(change));
	job->change = *change;
	image_restore(text->kind, text->used);
	alarm(PATIENCE);
	watch_begin(change, &job->last);
	run(text);
	made = watch_end();
	alarm(0);
	__atomic_fetch_add(&shared->runs, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&shared->changes, made, __ATOMIC_RELAXED);
	if (!made)
		__atomic_fetch_add(&shared->missed, 1, __ATOMIC_RELAXED);
}

static uint64_t
times_of(const struct play_text *text, const struct point *point)
{
	uint32_t most = text->thorough ? TIMES_MAX : TIMES_MAX_LONG;

	return point->times < most ? point->times : most;
}

static bool
is_of_a_slot(const struct access *access)
{
	return strcmp(access->name, "queue") == 0 && access->offset >= SLOTS_AT;
}

/* With a change before the access. */
static uint64_t
befores(uint64_t n)
{
	return is_first_of_line(n) ? CHANGES : 0;
}

static uint64_t
runs_of(const struct play_text *text, const struct point *point, uint64_t n)
{
	if (only_chance)
		return 0;
	if (is_long)
		return befores(n) + times_of(text, point) * CHANGES;
	if (text->thorough)
		return befores(n) + times_of(text, point);
	if (text->large && !is_of_a_slot(&point->access))
		return 0;
	return is_first(n) ? 4 + is_first_of_line(n) : 0;
}

/* The run numbered i of that point. */
static struct change
change_of(const struct play_text *text, const struct point *point, uint64_t n,
	  uint64_t i)
{
	struct change change = {
		.site = point->access.site,
		.offset = point->access.offset,
	};
	bool before;

	if (is_long || text->thorough) {
		before = i < befores(n);
		change.how = (unsigned int)i % CHANGES;
		if (!before) {
			i -= befores(n);
			change.count = (uint32_t)(i % times_of(text, point));
			change.how = (unsigned int)(i / times_of(text, point));
		}
	} else {
		before = i == 4;
		change.how = i < 2 ? (unsigned int)i :
				     2 + (unsigned int)n % (CHANGES - 2);
		/* From as much as there can be to nothing. */
		if (i == 3) {
			change.forged = point->access.code_before;
			change.how = 2;
		}
	}
	change.before = before ? point->access.where : 0;
	return change;
}

/* Does the runs that are this job's, from where it or the one before it was. */
static void
do_job(const struct play_text *text, unsigned int number)
{
	struct job *job = &shared->jobs[number];
	uint64_t at = 0;

	for (uint64_t n = 0; n < shared->points; n++) {
		const struct point *point = &shared->all[n];
		uint64_t runs = runs_of(text, point, n);

		for (uint64_t i = 0; i < runs; i++, at++) {
			struct change change = change_of(text, point, n, i);

			if (at < job->at || at % job_count != number)
				continue;
			job->at = at + 1;
			try(text, job, &change);
		}
	}
	for (unsigned int i = 0; i < (is_long ? 64U : 1U) * chances; i++, at++) {
		struct change change = { .noise = i + 1, .count = 64 };

		change.one_of = 2U << i % 8;
		if (only_chance && only_chance != change.noise)
			continue;
		if (at < job->at || at % job_count != number)
			continue;
		job->at = at + 1;
		try(text, job, &change);
	}
}

/* Processes ---------------------------------------------------------------- */

static unsigned int findings;

/* In a process of its own, which sees its own files alone. */
static pid_t
start(const struct play_text *text, int job)
{
	pid_t child = fork();

	need(child >= 0);
	if (child)
		return child;
	LLVMFuzzerInitialize(NULL, NULL);
	outside_watch();
	if (job >= 0) {
		do_job(text, (unsigned int)job);
		exit(0);
	}
	for (int i = 0; i < 2; i++) {
		image_restore(text->kind, text->used);
		alarm(PATIENCE);
		if (i) /* all is there that is made once */
			watch_record(add_access);
		run(text);
		watch_end();
	}
	exit(0);
}

static void
tell_finding(const struct play_text *text, const struct job *job, int status)
{
	const struct change *change = &job->change;
	const struct access *access = NULL;

	findings++;
	for (uint64_t n = 0; n < shared->points; n++)
		if (shared->all[n].access.site == change->site &&
		    shared->all[n].access.offset == change->offset)
			access = &shared->all[n].access;
	printf("finding: %s, %s %d", text->name,
	       WIFSIGNALED(status) ? "signal" : "status",
	       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	if (change->noise)
		printf(", by chance %u", (unsigned int)change->noise);
	else if (access)
		printf(", %s%s access %u of %s:%d (code %#x) to %s, byte %u, way %u",
		       change->forged ? "forged, " : "",
		       change->before ? "before" : "after", change->count,
		       access->file, access->line, access->code, access->name,
		       access->offset, change->how);
	printf(", last access %s:%d (code %#x) to %s, byte %u\n",
	       job->last.file, job->last.line, job->last.code, job->last.name,
	       job->last.offset);
	fflush(stdout);
}

static void
do_play(const struct play_text *text)
{
	pid_t jobs[64];
	int status;

	shared->accesses = shared->points = 0;
	memset(shared->jobs, 0, sizeof(shared->jobs));
	if (!only_chance && waitpid(start(text, -1), &status, 0) > 0 &&
	    status) {
		printf("finding: %s, without any change\n", text->name);
		findings++;
		return;
	}
	for (unsigned int i = 0; i < job_count; i++)
		jobs[i] = start(text, (int)i);
	for (unsigned int i = 0; i < job_count; i++) {
		while (findings < FINDINGS_MAX &&
		       waitpid(jobs[i], &status, 0) > 0 && status) {
			tell_finding(text, &shared->jobs[i], status);
			jobs[i] = start(text, (int)i);
		}
	}
	printf("%s: %llu accesses, %llu words and lines\n", text->name,
	       (unsigned long long)shared->accesses,
	       (unsigned long long)shared->points);
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	char root[] = "/dev/shm/cubby-access.XXXXXX", command[64];
	const char *only = NULL;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--long") == 0)
			is_long = true;
		else if (strcmp(argv[i], "--jobs") == 0 && i + 1 < argc)
			job_count = (unsigned int)atoi(argv[++i]);
		else if (strcmp(argv[i], "--chances") == 0 && i + 1 < argc)
			chances = (unsigned int)atoi(argv[++i]);
		else if (strcmp(argv[i], "--chance") == 0 && i + 1 < argc)
			only_chance = (uint64_t)atoi(argv[++i]);
		else if (strcmp(argv[i], "--play") == 0 && i + 1 < argc)
			only = argv[++i];
		else
			finding("what is %s?", argv[i]);
	}
	need(job_count >= 1 && job_count <= COUNT_OF(shared->jobs));
	need(mkdtemp(root) && setenv("CUBBY_FUZZ_ROOT", root, 1) == 0);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	need(shared != MAP_FAILED);
	for (size_t i = 0; i < COUNT_OF(plays); i++)
		if (!only || strcmp(only, plays[i].name) == 0)
			do_play(&plays[i]);
	snprintf(command, sizeof(command), "rm -rf %s", root);
	need(system(command) == 0);
	printf("%llu runs, %llu changes (%llu runs without), %u findings\n",
	       (unsigned long long)shared->runs,
	       (unsigned long long)shared->changes,
	       (unsigned long long)shared->missed, findings);
	return findings || !shared->runs;
}
