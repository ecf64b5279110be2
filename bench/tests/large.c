/* SPDX-License-Identifier: MIT */
#include "../ours.h"
#include "../reference/reference.h"
#include "../tests.h"

const struct test in_place_test = {
	.name = "in_place",
	.title = "there and back, 1 MiB in place and untouched, beside 40 bytes",
	.unit = UNIT_NANOSECONDS,
	.busy = 2,
	.contenders = { &cubby_round_trip, &cubby_in_place_untouched },
	.goals = {
		{ "in_place", &cubby_in_place_untouched, &cubby_round_trip,
		  AT_MOST, 1.2 },
	},
};

/* What the two bounds are is told in reference/buffer.c. */
const struct test in_full_test = {
	.name = "in_full",
	.title = "one way, 1 MiB in place, written and read in full",
	.unit = UNIT_MESSAGES,
	.busy = 2,
	.contenders = { &buffer_shared, &cubby_in_place_in_full,
			&buffer_private },
	.goals = {
		{ "in_full", &cubby_in_place_in_full, &buffer_shared, AT_LEAST,
		  0.95 },
	},
};
