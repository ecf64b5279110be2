/* SPDX-License-Identifier: MIT */
/* Are those who sleep woken? */
#include <cubby.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "account.h"
#include "actors.h"
#include "contents.h"
#include "pairs.h"

#define SAMPLES 4096
#define ENOUGH 5  /* samples for a median */
#define MILLISECOND INT64_C(1000000)
#define SPARE_US 40000
#define PATIENCE (30 * 1000 * MILLISECOND)

enum way {
	THROUGH_PIPES = 0,
	BY_LANE,
	BY_QUEUE,
	BY_POLL,
	BY_WAIT,
	BY_CALL,
	BY_EVERY,
	WAYS
};
static const char *const way_names[WAYS] = {
	"pipes", "lane", "queue", "poll", "wait", "call", "every",
};

/* One direction of one way. */
struct end {
	cubby_mailbox *mailbox;
	int fd; /* pipes; or to poll */
};

static void
expect(const char *call, int result)
{
	if (result >= 0)
		return;
	found(WRONG, "%s returned %d (%s) to one of a pair", call, result,
	      cubby_strerror(result));
	_exit(0);
}

static void
open_end(struct end *end, enum way way, int direction, int flags)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	char name[32];

	snprintf(name, sizeof(name), "pair.%s.%d", way_names[way], direction);
	if (way == BY_QUEUE)
		options.order = CUBBY_ORDER_ARRIVAL;
	if (way == BY_EVERY)
		options.delivery = CUBBY_EVERY;
	expect("cubby_open",
	       cubby_open(name, flags | CUBBY_CREATE, &options, &end->mailbox));
	if (way == BY_POLL && flags & CUBBY_RECEIVE) {
		end->fd = cubby_fd(end->mailbox, CUBBY_RECEIVE);
		expect("cubby_fd", end->fd);
	}
}

static void
give(const struct end *end, enum way way, uint64_t word)
{
	if (way == THROUGH_PIPES) {
		if (write(end->fd, &word, sizeof(word)) != sizeof(word))
			_exit(0);
		return;
	}
	expect("cubby_send", cubby_send(end->mailbox, &word, sizeof(word)));
}

static uint64_t
get(const struct end *end, enum way way)
{
	struct cubby_wait_entry entry = { end->mailbox, CUBBY_RECEIVE, 0 };
	struct pollfd pollfd = { .fd = end->fd, .events = POLLIN };
	uint64_t word = 0;
	int64_t deadline = CUBBY_FOREVER;
	int result;

	if (way == THROUGH_PIPES) {
		if (read(end->fd, &word, sizeof(word)) != sizeof(word))
			_exit(0);
		return word;
	}
	if (way == BY_WAIT)
		expect("cubby_wait", cubby_wait(&entry, 1, CUBBY_FOREVER));
	if (way == BY_POLL)
		deadline = CUBBY_NOW;
	while ((result = cubby_receive_full(end->mailbox, NULL, 0, deadline,
					    &word, sizeof(word), NULL, NULL)) ==
	       -EAGAIN)
		poll(&pollfd, 1, -1);
	expect("cubby_receive_full", result);
	return word;
}

static void
serve(const struct end *end)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	uint64_t word;

	expect("cubby_receive_full",
	       cubby_receive_full(end->mailbox, NULL, 0, CUBBY_FOREVER, &word,
				  sizeof(word), NULL, &envelope));
	expect("cubby_reply",
	       cubby_reply(end->mailbox, &envelope, &word, sizeof(word)));
}

static void
play_pong(struct end in[WAYS], struct end out[WAYS])
{
	for (int way = BY_LANE; way < WAYS; way++) {
		open_end(&in[way], way, 0, CUBBY_RECEIVE);
		if (way != BY_CALL)
			open_end(&out[way], way, 1, CUBBY_SEND);
	}
	/* It is there. */
	give(&out[THROUGH_PIPES], THROUGH_PIPES, 0);
	for (;;)
		for (int way = 0; way < WAYS; way++) {
			if (way == BY_CALL)
				serve(&in[way]);
			else
				give(&out[way], way, get(&in[way], way));
		}
}

static void
go(const struct end *out, const struct end *in, enum way way, uint64_t word)
{
	uint64_t answer;

	if (way == BY_CALL) {
		expect("cubby_call",
		       cubby_call(out->mailbox, &word, sizeof(word), &answer,
				  sizeof(answer), NULL, CUBBY_FOREVER));
	} else {
		give(out, way, word);
		answer = get(in, way);
	}
	if (answer != word)
		found(DAMAGED, "a pair got %llu in place of %llu, by %s",
		      (unsigned long long)answer, (unsigned long long)word,
		      way_names[way]);
}

static void
note_time(enum way way, int64_t time)
{
	struct pair_times *times = &account->pair[way];

	times->time[times->count % SAMPLES] = (uint32_t)(time / 1000);
	times->count++;
}

static void
play_ping(struct end out[WAYS], struct end in[WAYS])
{
	uint64_t random = account->seed, word = 0;
	int64_t before;

	for (int way = BY_LANE; way < WAYS; way++) {
		open_end(&out[way], way, 0, CUBBY_SEND);
		if (way != BY_CALL)
			open_end(&in[way], way, 1, CUBBY_RECEIVE);
	}
	get(&in[THROUGH_PIPES], THROUGH_PIPES);
	while (!receivers_end())
		for (int way = 0; way < WAYS; way++) {
			/* Meanwhile the other one falls asleep. */
			stand_idle(MILLISECOND / 2 +
				   below(&random, 3 * MILLISECOND));
			before = now();
			go(&out[way], &in[way], way, ++word);
			note_time(way, now() - before);
		}
}

static pid_t
begin_one(void (*play)(struct end *, struct end *), int out_fd, int in_fd)
{
	struct end first[WAYS], second[WAYS];
	pid_t pid = fork();

	setpgid(pid, 0);
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	memset(first, 0, sizeof(first));
	memset(second, 0, sizeof(second));
	first[THROUGH_PIPES].fd = play == play_ping ? out_fd : in_fd;
	second[THROUGH_PIPES].fd = play == play_ping ? in_fd : out_fd;
	play(first, second);
	_exit(0);
}

void
pair_begin(struct pair *ret)
{
	int there[2], back[2];

	if (pipe(there) < 0 || pipe(back) < 0) {
		perror("soak: pipe");
		exit(2);
	}
	ret->ping = begin_one(play_ping, there[1], back[0]);
	ret->pong = begin_one(play_pong, back[1], there[0]);
	for (int i = 0; i < 2; i++) {
		close(there[i]);
		close(back[i]);
	}
}

/* Which way has been gone fewer times than the one before it. */
static int
pair_stands_at(void)
{
	int way;

	for (way = 1; way < WAYS; way++)
		if (account->pair[way].count < account->pair[way - 1].count)
			return way;
	return 0;
}

void
pair_end(struct pair *pair)
{
	int64_t until = now() + PATIENCE;

	while (waitpid(pair->ping, NULL, WNOHANG) == 0) {
		stand_idle(MILLISECOND);
		if (now() < until)
			continue;
		found(STALLED,
		      "a pair that nobody kills stands still, going by %s",
		      way_names[pair_stands_at()]);
		kill(pair->ping, SIGKILL);
		until = INT64_MAX;
	}
	kill(pair->pong, SIGKILL);
	waitpid(pair->pong, NULL, 0);
}

/* Report ------------------------------------------------------------------------ */

static int
compare(const void *a, const void *b)
{
	const uint32_t *first = a, *second = b;

	return (*first > *second) - (*first < *second);
}

static uint32_t
median(struct pair_times *times)
{
	uint32_t count = times->count < SAMPLES ? times->count : SAMPLES;

	qsort(times->time, count, sizeof(times->time[0]), compare);
	return count ? times->time[count / 2] : 0;
}

void
pair_report(FILE *to)
{
	uint32_t pipes = median(&account->pair[THROUGH_PIPES]), one;

	fprintf(to, "there and back, both asleep, median:");
	for (int way = 0; way < WAYS; way++) {
		one = median(&account->pair[way]);
		fprintf(to, " %s %u us%s", way_names[way], one,
			way < WAYS - 1 ? "," : "\n");
		if (account->pair[way].count >= ENOUGH &&
		    one > 3 * pipes + SPARE_US)
			found(STALLED,
			      "who sleeps is not woken: by %s there "
			      "and back takes %u us, through pipes %u us",
			      way_names[way], one, pipes);
	}
}
