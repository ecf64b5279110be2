/* SPDX-License-Identifier: MIT */
#include "../batches.h"
#include "../reference/reference.h"
#include "../tests.h"

/*
 * The reference ring takes one call a message. It is as deep as the mailboxes are,
 * and its messages are as large: of 40 bytes, in one line, or of 64, in two.
 */
const struct test batch_test = {
	.name = "batch",
	.title = "one sender to one receiver, many messages a call",
	.unit = UNIT_MESSAGES,
	.busy = 2,
	.contenders = { &ring_stream, &ring_64_stream, &batch_single, &batch_1,
			&batch_8, &batch_32, &batch_256, &batch_32_of_40,
			&batch_32_of_1024 },
	.goals = {
		{ "batch_40", &batch_32_of_40, &ring_stream, AT_LEAST, 2.0 },
		{ "batch_64", &batch_32, &ring_64_stream, AT_LEAST, 2.0 },
	},
};
