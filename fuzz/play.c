/* SPDX-License-Identifier: MIT */
/*
 * The calls that a script makes, and what they may answer. Handle N has its own
 * draft, held message, request and region, all of which end with it.
 */
#include "play.h"
#include <fcntl.h>
#include <time.h>

#define SECOND INT64_C(1000000000)
#define STEPS_MAX 256

/* How long a call may take. Deadlines lie some milliseconds ahead; but this may
   be a machine that has much else to do. */
#define RUNS_MAX (10 * SECOND)	/* it uses the processor */
#define SLEEPS_MAX (2 * SECOND) /* it sleeps, having a deadline */
#define TAKES_MAX (60 * SECOND) /* altogether */

static const char *current_call;
static int64_t began, ran, had_waited = -1;
static bool may_sleep; /* and be woken by the alarm of libFuzzer, or replay.c */

static int64_t
now(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return time.tv_sec * SECOND + time.tv_nsec;
}

/* How long a thread has waited for a processor, ever; -1: not known. */
static int64_t
waited_of(int fd)
{
	char line[128];
	long long time;
	ssize_t size;

	size = pread(fd, line, sizeof(line) - 1, 0);
	if (size <= 0)
		return -1;
	line[size] = '\0';
	return sscanf(line, "%*d %lld", &time) == 1 ? time : -1;
}

/* This one, and the one that flips: the kernel lets us wait, who want to map
   something, for one who has stopped in the middle of a page fault. */
static int64_t
waited(void)
{
	static int own = -1, of_flips = -1;
	char path[64];
	int64_t time, more;

	if (own < 0) {
		own = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
		snprintf(path, sizeof(path), "/proc/self/task/%d/schedstat",
			 (int)flips_thread);
		of_flips = open(path, O_RDONLY | O_CLOEXEC);
	}
	time = waited_of(own);
	more = waited_of(of_flips);
	return time < 0 || more < 0 ? -1 : time + more;
}

static bool
is_verbose(void)
{
	static int verbose = -1;

	if (verbose < 0)
		verbose = getenv("CUBBY_FUZZ_VERBOSE") != NULL;
	return verbose;
}

void
call_begins(const char *call)
{
	current_call = call;
	began = now(CLOCK_MONOTONIC);
	ran = now(CLOCK_THREAD_CPUTIME_ID);
	calls_made++;
	if (is_verbose())
		fprintf(stderr, "  %s\n", call);
}

static void
look_at_clock(int result)
{
	int64_t took = now(CLOCK_MONOTONIC) - began, runs, slept = 0;

	if (is_verbose())
		fprintf(stderr, "    %d, %lld us\n", result,
			(long long)took / 1000);
	if (took < SLEEPS_MAX)
		goto out;
	runs = now(CLOCK_THREAD_CPUTIME_ID) - ran;
	if (had_waited >= 0)
		slept = took - runs - (waited() - had_waited);
	if (runs > RUNS_MAX || slept > SLEEPS_MAX || took > TAKES_MAX)
		finding("%s took %lld ms, ran for %lld, slept for %lld",
			current_call, (long long)took / 1000000,
			(long long)runs / 1000000, (long long)slept / 1000000);
out:
	had_waited = -1;
}

int
call_ended(int result, const int *errors)
{
	bool slept = may_sleep;

	may_sleep = false;
	look_at_clock(result);
	if (result >= 0 || (result == -EINTR && slept))
		return result;
	while (*errors && *errors != -result)
		errors++;
	if (!*errors)
		finding("%s says %d (%s), which it does not document",
			current_call, result, strerror(-result));
	return result;
}

static int64_t
deadline_ahead(int64_t nanoseconds)
{
	had_waited = waited();
	may_sleep = true;
	return cubby_deadline_after(nanoseconds);
}

int64_t
deadline_of(struct script *script)
{
	uint8_t how = script_byte(script);

	return how < 0xe0 ? CUBBY_NOW : deadline_ahead((how & 3) * 500000);
}

/* What is sent and received ------------------------------------------------ */

/* Returns its size: of a good one, at least a number. */
size_t
message_make(struct play *play, int handle, uint8_t how, uint64_t ahead)
{
	uint64_t number = play->good_sent + ahead;
	size_t size = how < 200 ? (size_t)how % 128 : (size_t)(how - 199) * 64;

	if (play->kind == KIND_FIXED && how != 255)
		size = 40;
	if (handle == play->good && size < 8)
		size = 8;
	for (size_t i = 8; i < size; i++)
		play->buffer[i] = (unsigned char)(number * 31 + i);
	memcpy(play->buffer, &number, 8);
	return size;
}

void
message_sent(struct play *play, int handle, uint64_t count)
{
	if (handle == play->good)
		play->good_sent += count;
}

/* One that somebody has got; of the good sender's, it is the next, whole. */
void
message_seen(struct play *play, const struct cubby_envelope *envelope,
	     const unsigned char *bytes, size_t size, bool taken)
{
	uint64_t number;

	if (size != envelope->size)
		finding("%s: %zu bytes, and the envelope says %llu",
			current_call, size, (unsigned long long)envelope->size);
	if (play->good < 0 || envelope->sender != play->good_sender)
		return;
	if (size < 8)
		finding("%s: a good message has %zu bytes", current_call, size);
	memcpy(&number, bytes, 8);
	for (size_t i = 8; i < size; i++)
		if (bytes[i] != (unsigned char)(number * 31 + i))
			finding("%s: good message %llu is not whole",
				current_call, (unsigned long long)number);
	if (number >= play->good_sent)
		finding("%s: good message %llu has not been sent", current_call,
			(unsigned long long)number);
	if (envelope->deliveries > 1 && number < play->good_received)
		return;
	if (number != play->good_received)
		finding("%s: good message %llu, not %llu", current_call,
			(unsigned long long)number,
			(unsigned long long)play->good_received);
	play->good_received += taken;
}

/* Opening and closing ------------------------------------------------------ */

static unsigned int descriptors_before, mappings_before;

/* Of the first ones, which is where a leak shows. */
unsigned int
descriptors_now(void)
{
	unsigned int count = 0;

	for (int fd = 0; fd < 64; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

void
play_begin(struct play *play, enum kind kind)
{
	memset(play, 0, sizeof(*play));
	play->kind = kind;
	play->name = kind_name(kind);
	play->good = -1;
	waited(); /* opens what it reads */
	descriptors_before = descriptors_now();
	mappings_before = mappings_now();
}

void
play_open(struct play *play, int handle, int flags, const char *sender)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;

	play_close(play, handle);
	options.sender = sender;
	if (flags & CUBBY_CREATE) {
		options = kind_options(play->kind);
		options.sender = sender;
	}
	if (CALL(cubby_open(play->name, flags, &options,
			    &play->handles[handle]),
		 "cubby_open", OPEN_ERRORS) == 0)
		need(mappings_now() > 0); /* outside.c knows of them */
}

void
play_close(struct play *play, int handle)
{
	if (!play->handles[handle])
		return;
	call_begins("cubby_close");
	cubby_close(play->handles[handle]);
	call_ended(0, &(const int){ 0 });
	play->handles[handle] = NULL;
	play->drafts[handle] = NULL;
	play->messages[handle] = NULL;
	play->requests[handle] = NULL;
	if (play->received[handle]) {
		play->regions[handle] = NULL;
		play->received[handle] = false;
	}
}

void
play_all(struct play *play, struct script *script)
{
	for (int i = 0; i < STEPS_MAX && !script_has_ended(script); i++)
		play_step(play, script);
}

/* Each good one that was sent comes, however many bad ones there are. */
void
play_drain(struct play *play, int handle)
{
	struct cubby_envelope envelope;
	size_t size;
	int result, quiet = 0;

	for (int i = 0; i < HANDLES; i++)
		if (play->messages[i])
			play_release(play, i);
	for (int i = 0;
	     i < 100000 && quiet < 3 && play->good_received < play->good_sent;
	     i++) {
		envelope = (struct cubby_envelope)CUBBY_ENVELOPE_INIT;
		result = CALL(cubby_receive_full(play->handles[handle], NULL, 0,
						 deadline_ahead(1000000),
						 play->buffer, BUFFER, &size,
						 &envelope),
			      "cubby_receive_full", RECEIVE_FULL_ERRORS);
		if (result == 0)
			message_seen(play, &envelope, play->buffer, size, true);
		if (result == -EOPNOTSUPP)
			break; /* a region's, which is in the way */
		quiet = result == -ETIMEDOUT ? quiet + 1 : 0;
	}
	if (play->good_received != play->good_sent)
		finding("of %llu good messages %llu came",
			(unsigned long long)play->good_sent,
			(unsigned long long)play->good_received);
}

void
play_end(struct play *play)
{
	/* Of the received ones some go with their mailbox. */
	for (int i = 0; i < HANDLES; i++)
		if (play->regions[i] && (!play->received[i] || i & 1))
			play_detach(play, i);
	for (int i = 0; i < HANDLES; i++)
		play_close(play, i);
	if (descriptors_now() != descriptors_before)
		finding("%u descriptors, %u before", descriptors_now(),
			descriptors_before);
	if (mappings_now() != mappings_before)
		finding("%u mappings, %u before", mappings_now(),
			mappings_before);
	executions++;
}
