/* SPDX-License-Identifier: MIT */
#include "../several.h"
#include "../tests.h"

const struct test wait_test = {
	.name = "wait",
	.title = "there and back, 40 bytes, by one who waits for so many",
	.unit = UNIT_NANOSECONDS,
	.busy = 2,
	.contenders = { &several_round_trip[PLAIN], &several_round_trip[WAIT_1],
			&several_round_trip[WAIT_8],
			&several_round_trip[WAIT_64] },
};

/* What the calls themselves cost. */
const struct test wait_ready_test = {
	.name = "wait_ready",
	.title = "send, wait for so many, receive, 40 bytes, one process",
	.unit = UNIT_NANOSECONDS,
	.busy = 1,
	.contenders = { &several_ready[PLAIN], &several_ready[WAIT_1],
			&several_ready[WAIT_8], &several_ready[WAIT_64] },
};
