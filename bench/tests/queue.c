/* SPDX-License-Identifier: MIT */
#include "../others/others.h"
#include "../ours.h"
#include "../tests.h"

/*
 * Exact order over all senders, as a POSIX message queue has it: at the depth
 * that is our default, where the system allows it one, at its default, and each at
 * its own. Polling
 * is there to tell what its system calls cost when nobody ever sleeps.
 */
const struct test queue_test = {
	.name = "queue",
	.title = "two senders to two receivers, 64 bytes, in order of arrival",
	.unit = UNIT_MESSAGES,
	.busy = 4,
	.contenders = { &cubby_queue, &posix_queue_128,
			&posix_queue_128_polling, &cubby_queue_10,
			&posix_queue_10, &posix_queue_10_polling },
	.goals = {
		{ "queue", &cubby_queue, &posix_queue_128, AT_LEAST, 3.0 },
		{ "queue_default", &cubby_queue, &posix_queue_10, AT_LEAST,
		  3.0 },
		{ "queue_10", &cubby_queue_10, &posix_queue_10, AT_LEAST,
		  3.0 },
	},
};
