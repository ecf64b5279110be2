/* SPDX-License-Identifier: MIT */
#include "../ours.h"
#include "../reference/reference.h"
#include "../tests.h"

/*
 * The reference rings, one for each sender, which the receiver looks at in
 * turn, are beside it to tell what the memory system gives for this job.
 */
const struct test fan_in_test = {
	.name = "fan_in",
	.title = "three senders to one receiver, 40 bytes, beside one to one",
	.unit = UNIT_MESSAGES,
	.busy = 4,
	.contenders = { &cubby_stream, &cubby_stream_from_three, &ring_stream,
			&ring_stream_from_three },
	.goals = {
		{ "fan_in", &cubby_stream_from_three, &cubby_stream, AT_LEAST,
		  2.0 },
	},
};
