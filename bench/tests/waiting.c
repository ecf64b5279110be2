/* SPDX-License-Identifier: MIT */
#include "../waiting.h"
#include "../tests.h"

/*
 * What is looked at is the same at 10 messages waiting and at 100,000; that no
 * cache holds so many is what the goals leave room for.
 */
#define WAITING(what, its_title) \
	const struct test waiting_##what##_test = { \
		.name = "waiting_" #what, \
		.title = its_title, \
		.unit = UNIT_NANOSECONDS, \
		.busy = 1, \
		.contenders = { &waiting_##what[WAITING_10], \
				&waiting_##what[WAITING_1000], \
				&waiting_##what[WAITING_100000] }, \
		.goals = { \
			{ "waiting_" #what "_1000", \
			  &waiting_##what[WAITING_1000], \
			  &waiting_##what[WAITING_10], AT_MOST, 1.5 }, \
			{ "waiting_" #what "_100000", \
			  &waiting_##what[WAITING_100000], \
			  &waiting_##what[WAITING_10], AT_MOST, 1.5 }, \
		}, \
	}

WAITING(first, "receive the first, send one");
WAITING(type, "receive the first of a type, send one");
WAITING(not_type, "receive the first of any type but one, send one");
WAITING(lowest, "receive the first of the lowest type, send one");
WAITING(priority, "receive the first of the highest priority, send one");
WAITING(withdrawal, "send synchronously, and withdraw it");
