/* SPDX-License-Identifier: MIT */
#include "../ours.h"
#include "../reference/reference.h"
#include "../tests.h"

/* Who answers is asleep when it is asked: asleep.h. */
const struct test asleep_test = {
	.name = "asleep",
	.title = "there and back, 40 bytes, the answering side asleep",
	.unit = UNIT_NANOSECONDS,
	.busy = 2,
	.contenders = { &futex_round_trip, &cubby_asleep,
			&futex_round_trip_spinning, &cubby_asleep_polling },
	.goals = {
		{ "asleep", &cubby_asleep, &futex_round_trip, AT_MOST, 1.15 },
		{ "asleep_polling", &cubby_asleep_polling,
		  &futex_round_trip_spinning, AT_MOST, 1.15 },
	},
};
