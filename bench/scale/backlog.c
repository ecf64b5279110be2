/* SPDX-License-Identifier: MIT */
/*
 * A backlog of ten million messages of 64 bytes in a mailbox without a limit,
 * which are then received: what each costs, and what the mailbox takes while
 * they wait, and when they have gone.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../common/clock.h"
#include "../common/words.h"
#include "cubby.h"
#include "memory.h"
#include "rows.h"

#define PER_MESSAGE 140.0 /* bytes, at most */

static const struct curve memory_curve = {
	.name = "backlog",
	.title = "A backlog, without a limit: memory",
	.series = "files of the mailbox",
	.x = "messages that wait",
	.unit = "bytes",
};
#define OF_TIME(what) \
	{ \
		.name = "backlog_time", \
		.title = "A backlog, without a limit: time of a message", \
		.series = what, \
		.x = "messages that wait", \
		.unit = "ns", \
	}
static const struct curve send_curve = OF_TIME("to send it");
static const struct curve receive_curve = OF_TIME("to receive it");
static const struct target target = {
	"backlog_back",
	"files of the mailbox when ten million messages have been received",
	"KiB", AT_MOST, 1024
};

struct backlog {
	cubby_mailbox *mailbox;
	uint64_t sent, received;
};

static int
send_up_to(struct backlog *backlog, uint64_t count)
{
	uint64_t message[LINE / sizeof(uint64_t)];
	int error = 0;

	while (backlog->sent < count && !error) {
		words_fill(message, sizeof(message), ++backlog->sent);
		error = cubby_send(backlog->mailbox, message, sizeof(message));
	}
	return error;
}

static int
receive_up_to(struct backlog *backlog, uint64_t count)
{
	uint64_t message[LINE / sizeof(uint64_t)];
	int error = 0;

	while (backlog->received < count && !error) {
		error = cubby_receive_full(backlog->mailbox, NULL, 0, CUBBY_NOW,
					   message, sizeof(message), NULL,
					   NULL);
		if (!error && words_sum(message, sizeof(message)) !=
				      words_expected(sizeof(message),
						     ++backlog->received))
			return -EBADMSG;
	}
	return error;
}

/* ns each of what is done between two points. */
static int
timed(struct backlog *backlog, bool sends, uint64_t from, uint64_t to,
      double *ret)
{
	uint64_t begun = clock_now();
	int error = sends ? send_up_to(backlog, to) :
			    receive_up_to(backlog, to);

	*ret = (double)(clock_now() - begun) / (double)(to - from);
	return error;
}

static int
fill(struct backlog *backlog, const uint64_t *points, int count)
{
	double memory[POINTS_MAX], each[POINTS_MAX];
	int error = 0;

	for (int i = 0; i < count && !error; i++) {
		error = timed(backlog, true, i ? points[i - 1] : 0, points[i],
			      &each[i]);
		memory[i] = memory_of_files("backlog");
	}
	if (error)
		return error;
	rows_curve(&send_curve);
	for (int i = 0; i < count; i++)
		rows_value(&send_curve, (double)points[i], each[i]);
	rows_curve(&memory_curve);
	for (int i = 0; i < count; i++)
		rows_value(&memory_curve, (double)points[i], memory[i]);
	return 0;
}

/* The other way round: from the most that wait. */
static int
empty(struct backlog *backlog, const uint64_t *points, int count)
{
	uint64_t all = points[count - 1];
	double each[POINTS_MAX];
	int error = 0;

	for (int i = count - 1; i >= 0 && !error; i--) {
		uint64_t left = i ? points[i - 1] : 0;

		error = timed(backlog, false, all - points[i], all - left,
			      &each[i]);
	}
	if (error)
		return error;
	rows_curve(&receive_curve);
	for (int i = 0; i < count; i++)
		rows_value(&receive_curve, (double)points[i], each[i]);
	return 0;
}

/* A sender gives memory back as it sends: one message, received at once. */
static int
send_one_more(struct backlog *backlog)
{
	int error = send_up_to(backlog, backlog->sent + 1);

	return error ? error : receive_up_to(backlog, backlog->sent);
}

static bool
run_test(const struct scale *scale)
{
	static const uint64_t points[] = { 100,	   1000,    10000,
					   100000, 1000000, 10000000 };
	int count = scale->quick ? 3 : 6, error;
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	struct backlog backlog = { NULL, 0, 0 };
	char reason[200] = "a quick run";
	double after = NAN;

	while (count && !memory_suffices(PER_MESSAGE *
						 (double)points[count - 1],
					 0, reason, sizeof(reason))) {
		rows_curve(&memory_curve);
		rows_end(&memory_curve, (double)points[--count], reason);
	}
	options.buffering = CUBBY_UNLIMITED;
	error = cubby_open("backlog",
			   CUBBY_CREATE | CUBBY_SEND | CUBBY_RECEIVE, &options,
			   &backlog.mailbox);
	if (!error && count)
		error = fill(&backlog, points, count);
	if (!error && count)
		error = empty(&backlog, points, count);
	for (int i = 0; i < 256 && !error; i++)
		error = send_one_more(&backlog);
	if (!error)
		after = memory_of_files("backlog") / 1024;
	cubby_close(backlog.mailbox);
	cubby_unlink("backlog");
	printf("    afterwards: %.0f KiB\n", after);
	rows_target(&target, count == 6 ? after : NAN, NAN, NAN, reason);
	return !error || scale_fail("backlog", "messages", error);
}

const struct scale_test backlog_test = {
	"backlog", "ten million messages wait, and are received", run_test
};
