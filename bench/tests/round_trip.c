/* SPDX-License-Identifier: MIT */
#include "../ours.h"
#include "../reference/reference.h"
#include "../tests.h"

/*
 * The goal is for blocking calls, which spin before they sleep: their row shows
 * whether anybody slept. It is held against both forms of the bare ping-pong
 * (reference/line.h): the plain one, and the one that pauses between two looks,
 * as every loop does that waits politely.
 */
const struct test round_trip_test = {
	.name = "round_trip",
	.title = "there and back, 40 bytes, both sides spinning",
	.unit = UNIT_NANOSECONDS,
	.busy = 2,
	.contenders = { &bare_lines, &cubby_round_trip, &bare_lines_pausing,
			&cubby_round_trip_polling, &ring_round_trip },
	.goals = {
		{ "round_trip", &cubby_round_trip, &bare_lines, AT_MOST, 1.25 },
		{ "round_trip_polling", &cubby_round_trip_polling, &bare_lines,
		  AT_MOST, 1.25 },
		{ "round_trip_pausing", &cubby_round_trip, &bare_lines_pausing,
		  AT_MOST, 1.25 },
	},
};
