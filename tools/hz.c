/* SPDX-License-Identifier: MIT */
/*
 * cubby hz: how often messages are sent and received.
 *
 * The mailbox's counts are looked at at even intervals, and each interval gives
 * a rate. What is told is their mean (which is what was counted over the time it
 * took, whatever the looks), the least, the most, and their deviation.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "json.h"
#include "output.h"
#include "snapshot.h"
#include "watch.h"

#define MSEC INT64_C(1000000)
#define SECOND (1000 * MSEC)
#define LOOKS_A_REPORT 20
#define INTERVAL_LEAST (10 * MSEC)
#define WINDOW 100

struct look {
	int64_t time;
	uint64_t sent, received;
};

/* The last `size` intervals, from oldest on, round and round. */
struct window {
	struct look *looks; /* size + 1 */
	size_t size, first, count;
	unsigned char uuid[16];
};

struct statistics {
	double mean, least, most, deviation;
};

static const struct look *
look_at(const struct window *window, size_t i)
{
	return &window->looks[(window->first + i) % (window->size + 1)];
}

static void
add_look(struct window *window, const struct look *look)
{
	if (window->count == window->size + 1) {
		window->first = (window->first + 1) % (window->size + 1);
		window->count--;
	}
	window->looks[(window->first + window->count++) %
		      (window->size + 1)] = *look;
}

static uint64_t
count_of(const struct look *look, bool received)
{
	return received ? look->received : look->sent;
}

static double
rate(const struct look *before, const struct look *after, bool received)
{
	uint64_t from = count_of(before, received);
	uint64_t to = count_of(after, received);

	/* What goes back has been received less often. */
	return to > from && after->time > before->time ?
		       (double)(to - from) * 1e9 /
			       (double)(after->time - before->time) :
		       0;
}

static void
get_statistics(const struct window *window, bool received,
	       struct statistics *ret)
{
	size_t intervals = window->count - 1;
	double squares = 0, one;

	ret->mean = rate(look_at(window, 0), look_at(window, intervals),
			 received);
	ret->least = INFINITY;
	ret->most = 0;
	for (size_t i = 0; i < intervals; i++) {
		one = rate(look_at(window, i), look_at(window, i + 1),
			   received);
		ret->least = fmin(ret->least, one);
		ret->most = fmax(ret->most, one);
		squares += (one - ret->mean) * (one - ret->mean);
	}
	ret->deviation = sqrt(squares / (double)intervals);
}

static void
print_json(const char *name, const struct statistics *statistics)
{
	json_name(name);
	json_open('{');
	json_member_real("mean", statistics->mean);
	json_member_real("least", statistics->least);
	json_member_real("most", statistics->most);
	json_member_real("deviation", statistics->deviation);
	json_close('}');
}

static void
print_text(const char *name, const struct statistics *statistics)
{
	output_format("%-9s%10.1f/s  least %.1f  most %.1f  deviation %.1f\n",
		      name, statistics->mean, statistics->least,
		      statistics->most, statistics->deviation);
}

static int
report(const struct arguments *arguments, const struct window *window)
{
	const struct look *last = look_at(window, window->count - 1);
	double time = (double)(last->time - look_at(window, 0)->time) / 1e9;
	struct statistics sent, received;

	get_statistics(window, false, &sent);
	get_statistics(window, true, &received);
	if (given(arguments, OPTION_JSON)) {
		json_open('{');
		print_json("sent", &sent);
		print_json("received", &received);
		json_member_number("looks", window->count - 1);
		json_member_real("seconds", time);
		json_close('}');
		json_end_line();
	} else {
		print_text("sent", &sent);
		print_text("received", &received);
		output_format("         of %zu looks in %.1fs\n",
			      window->count - 1, time);
	}
	return output_flush();
}

/* Looks once. A mailbox made again under the name begins anew. Returns 0 or the
   exit code. */
static int
take_look(const char *name, struct window *window)
{
	struct cubby_info info = CUBBY_INFO_INIT;
	int error = cubby_inspect(name, &info);
	struct look look = { .time = monotonic_now() };

	if (error < 0)
		return complain_of(name, "look at", error);
	if (info.sent == CUBBY_UNKNOWN || info.waiting == CUBBY_UNKNOWN)
		return complain_of(name, "count the messages of", -EACCES);
	if (memcmp(window->uuid, info.uuid, sizeof(info.uuid)) != 0)
		window->count = 0;
	memcpy(window->uuid, info.uuid, sizeof(info.uuid));
	look.sent = info.sent;
	look.received = info.sent > info.waiting ? info.sent - info.waiting : 0;
	add_look(window, &look);
	return 0;
}

static int
run(const struct arguments *arguments, struct window *window)
{
	uint64_t reports = number_or(arguments, OPTION_COUNT, UINT64_MAX);
	int64_t delay = (int64_t)number_or(arguments, OPTION_DELAY,
					   (uint64_t)SECOND);
	int64_t interval = delay / LOOKS_A_REPORT, next = monotonic_now();
	int64_t due = next + delay;
	int code = take_look(arguments->words[0], window), error;

	if (interval < INTERVAL_LEAST)
		interval = INTERVAL_LEAST;
	while (!code && reports && watch_sleep(next += interval)) {
		code = take_look(arguments->words[0], window);
		if (code || monotonic_now() < due || window->count < 2)
			continue;
		due += delay;
		reports--;
		error = report(arguments, window);
		if (error)
			return output_complain(error);
	}
	return code;
}

int
run_hz(const struct arguments *arguments)
{
	struct window window = {
		.size = number_or(arguments, OPTION_WINDOW, WINDOW),
	};
	int error = watch_start(), code;

	if (error)
		return output_complain(error);
	window.looks = allocate(NULL, (window.size + 1) *
					      sizeof(*window.looks));
	code = run(arguments, &window);
	free(window.looks);
	return code;
}
