/* SPDX-License-Identifier: MIT */
#include "../others/others.h"
#include "../ours.h"
#include "../reference/reference.h"
#include "../tests.h"

/*
 * The reference ring is held against DPDK's with elements of 64 bytes, the line
 * that a cell of the reference is; and with elements of 40, the message alone.
 */
const struct test rate_test = {
	.name = "rate",
	.title = "one sender to one receiver, 40 bytes, one call a message",
	.unit = UNIT_MESSAGES,
	.busy = 2,
	.contenders = { &ring_stream, &cubby_stream, &cubby_stream_polling,
			&dpdk_stream_64, &dpdk_stream_40 },
	.goals = {
		{ "rate", &cubby_stream, &ring_stream, AT_LEAST, 1.0 },
		{ "reference_64", &ring_stream, &dpdk_stream_64, AT_LEAST,
		  0.9 },
		{ "reference_40", &ring_stream, &dpdk_stream_40, AT_LEAST,
		  0.9 },
	},
};
