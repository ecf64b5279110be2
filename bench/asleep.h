/* SPDX-License-Identifier: MIT */
#ifndef BENCH_ASLEEP_H
#define BENCH_ASLEEP_H
/*
 * Round trips to a side that is asleep when it is asked.
 *
 * Before each trip, who asks waits until the kernel says that the other process
 * sleeps (its state in /proc), so that no guess about how long somebody spins
 * goes into the figure; and then SETTLE longer, so that its processor has gone
 * idle too: waking an idle processor is most of what is measured. Only the trip
 * is timed. A round's value is the median of its trips.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "loops.h"
#include "common/statistics.h"

#define SETTLE 50000u /* ns */

/* The state of a process, by its open /proc/PID/stat: 'S' is asleep. */
static inline char
process_state(int stat_fd)
{
	char text[512];
	ssize_t length = pread(stat_fd, text, sizeof(text) - 1, 0);
	const char *after_name;

	if (length <= 0)
		return '?';
	text[length] = '\0';
	after_name = text;
	for (const char *at = text; *at; at++) {
		if (*at == ')')
			after_name = at;
	}
	return after_name[0] && after_name[1] ? after_name[2] : '?';
}

static inline int
process_stat_open(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static inline void
wait_until_asleep(int stat_fd)
{
	uint64_t asleep;

	while (process_state(stat_fd) != 'S')
		spin_pause();
	asleep = clock_now();
	while (clock_now() - asleep < SETTLE)
		spin_pause();
}

/* As loop_ask(); who answers runs loop_answer(). */
ALWAYS_INLINE void
loop_ask_asleep(struct round *round, void *side, produce_function *produce,
		consume_function *consume, size_t size)
{
	int stat_fd = process_stat_open(round->pids[0]), error = 0;
	struct sample trips = { NULL, 0, 0 };
	uint64_t begun = clock_now();
	bool over = false;

	for (uint64_t trip = 1; !over && !error; trip++) {
		uint64_t asked, answered, sum;

		wait_until_asleep(stat_fd);
		asked = clock_now();
		over = asked - begun >= round->duration && trips.count;
		if (over)
			atomic_store_explicit(&round->last, trip,
					      memory_order_relaxed);
		error = produce(side, trip);
		if (!error)
			error = consume(side, &sum);
		answered = clock_now();
		if (asked - begun >= round->warm_up)
			sample_add(&trips, (double)(answered - asked));
		if (!error && sum != words_expected(size, trip))
			round_fail(round, "the answer is wrong", 0);
	}
	if (error)
		round_fail(round, "asking", error);
	round->value = trips.count ? sample_quantile(&trips, 0.5) : 0;
	sample_free(&trips);
	close(stat_fd);
}

#endif
