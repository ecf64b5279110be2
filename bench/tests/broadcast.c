/* SPDX-License-Identifier: MIT */
#include "../broadcasts.h"
#include "../ours.h"
#include "../tests.h"

/* Messages that one receiver gets in a second; beside a mailbox in which each
   message goes to one. */
const struct test broadcast_test = {
	.name = "broadcast",
	.title = "one sender, every receiver gets every message, 40 bytes",
	.unit = UNIT_MESSAGES,
	.busy = 4,
	.contenders = { &cubby_stream, &broadcast_to_one, &broadcast_to_two,
			&broadcast_to_three, &broadcast_overtaking_one,
			&broadcast_overtaking_three },
	.goals = {
		{ "broadcast", &broadcast_to_one, &cubby_stream, AT_LEAST,
		  0.5 },
	},
};
