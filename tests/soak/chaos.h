/* SPDX-License-Identifier: MIT */
/*
 * The supervisor: brings persons forth, kills them, stops and continues them,
 * interrupts them, and watches whether anybody stands still who need not.
 */
#ifndef SOAK_CHAOS_H
#define SOAK_CHAOS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct settings {
	uint64_t seed;
	double seconds;
	uint32_t processes;
	uint32_t kills, stops, signals; /* a second */
	double round;			/* seconds that one lasts at most */
};

/* Once, before the first round. */
void
chaos_begin(const struct settings *settings);

/* The roles that nobody plays where there are so few processes; nothing if all are
   played. */
void
chaos_print_left_out(FILE *file, uint32_t processes);

/* One round, so long from when all are there; when it returns, they have gone. */
void
chaos_round(int64_t length);

/* Runs it in a process of its own, and waits for that. */
void
in_process(void (*body)(void));

#endif
