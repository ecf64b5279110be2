/* SPDX-License-Identifier: MIT */
#include "../batches.h"
#include "../reference/reference.h"
#include "../tests.h"

/* The reference ring is one call a message, of 40 bytes, in a line. */
const struct test batch_test = {
	.name = "batch",
	.title = "one sender to one receiver, many messages a call",
	.unit = UNIT_MESSAGES,
	.busy = 2,
	.contenders = { &ring_stream, &batch_single, &batch_1, &batch_8,
			&batch_32, &batch_256, &batch_32_of_40,
			&batch_32_of_1024 },
	.goals = {
		{ "batch_32", &batch_32, &ring_stream, AT_LEAST, 2.0 },
		{ "batch_32_of_40", &batch_32_of_40, &ring_stream, AT_LEAST,
		  2.0 },
		{ "batch_1", &batch_1, &batch_single, AT_LEAST, 0.7 },
	},
};
