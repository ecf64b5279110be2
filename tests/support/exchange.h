/* SPDX-License-Identifier: MIT */
/*
 * Senders and receivers on one mailbox, with an exact account of every message:
 * each arrives once, whole, and in its sender's order. As processes, or as
 * threads, which is how ThreadSanitizer sees the same protocol.
 */
#ifndef CUBBY_TESTS_EXCHANGE_H
#define CUBBY_TESTS_EXCHANGE_H

#include "support.h"

struct exchange {
	bool threads;	 /* else processes */
	bool one_handle; /* threads share one for all */
	int senders;
	int receivers;
	uint64_t messages;     /* of each sender */
	size_t size_max;       /* sizes go from 0 to this */
	uint64_t capacity;     /* 0: the default */
	unsigned int storm_us; /* a signal that often, in processes */
	int batch;	       /* 0: one by one; else up to so many a call */
};

void
exchange_run(const struct exchange *exchange);

#endif
