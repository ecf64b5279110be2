/* SPDX-License-Identifier: MIT */
#include "../ours.h"
#include "../tests.h"

/* Three more senders are attached to the mailbox, have sent once, and sleep. */
const struct test idle_rate_test = {
	.name = "idle_rate",
	.title = "one busy sender with three idle ones beside it, one way",
	.unit = UNIT_MESSAGES,
	.busy = 2,
	.contenders = { &cubby_stream, &cubby_stream_beside_idle },
	.goals = {
		{ "idle_rate", &cubby_stream_beside_idle, &cubby_stream,
		  AT_LEAST, 0.95 },
	},
};

const struct test idle_round_trip_test = {
	.name = "idle_round_trip",
	.title = "one busy sender with three idle ones beside it, round trip",
	.unit = UNIT_NANOSECONDS,
	.busy = 2,
	.contenders = { &cubby_round_trip, &cubby_round_trip_beside_idle },
	.goals = {
		{ "idle_round_trip", &cubby_round_trip_beside_idle,
		  &cubby_round_trip, AT_MOST, 1.05 },
	},
};
