/* SPDX-License-Identifier: MIT */
#include "../calls.h"
#include "../ours.h"
#include "../tests.h"

/* A call is two messages: one through the mailbox, and one past it. */
const struct test call_test = {
	.name = "call",
	.title = "a request and its reply, 40 bytes, both sides spinning",
	.unit = UNIT_NANOSECONDS,
	.busy = 2,
	.contenders = { &cubby_round_trip, &cubby_calls, &cubby_calls_held },
	.goals = {
		{ "call", &cubby_calls, &cubby_round_trip, AT_MOST, 1.3 },
	},
};
