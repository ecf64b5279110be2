/* SPDX-License-Identifier: MIT */
#include "../loops.h"
#include "../common/line.h"
#include "reference.h"
#include "shared.h"

static int
make(const struct contender *self, void **ret)
{
	(void)self;
	return shared_make(sizeof(struct line_pair), ret);
}

/*
 * The trip is in line_ask() and line_answer() as a whole, as the probe has it;
 * of the loops' two steps one does it and the other has nothing left to do.
 */
ALWAYS_INLINE int
ask(void *lines, uint64_t first)
{
	(void)first;
	line_ask(lines, false);
	return 0;
}

ALWAYS_INLINE int
answer(void *lines, uint64_t first)
{
	(void)first;
	line_answer(lines, false);
	return 0;
}

ALWAYS_INLINE int
ask_pausing(void *lines, uint64_t first)
{
	(void)first;
	line_ask(lines, true);
	return 0;
}

ALWAYS_INLINE int
answer_pausing(void *lines, uint64_t first)
{
	(void)first;
	line_answer(lines, true);
	return 0;
}

ALWAYS_INLINE int
nothing(void *lines, uint64_t *ret_sum)
{
	(void)lines;
	*ret_sum = 0;
	return 0;
}

static void
run(void *lines, int member, struct round *round)
{
	if (member == 0)
		loop_answer(round, lines, answer, nothing, 0);
	else
		loop_ask(round, lines, ask, nothing, 0);
}

static void
run_pausing(void *lines, int member, struct round *round)
{
	if (member == 0)
		loop_answer(round, lines, answer_pausing, nothing, 0);
	else
		loop_ask(round, lines, ask_pausing, nothing, 0);
}

const struct contender bare_lines = {
	.system = "bare ping-pong",
	.size = sizeof(uint64_t),
	.senders = 1,
	.receivers = 1,
	.make = make,
	.join = shared_join,
	.run = run,
	.leave = shared_leave,
	.unmake = shared_unmake,
};

const struct contender bare_lines_pausing = {
	.system = "bare ping-pong, pausing",
	.size = sizeof(uint64_t),
	.senders = 1,
	.receivers = 1,
	.make = make,
	.join = shared_join,
	.run = run_pausing,
	.leave = shared_leave,
	.unmake = shared_unmake,
};
