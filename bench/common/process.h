/* SPDX-License-Identifier: MIT */
#ifndef BENCH_PROCESS_H
#define BENCH_PROCESS_H
/*
 * What a coordinator and its members need of the kernel: they share memory, sleep
 * until a word of it changes, and stay on a processor; and the coordinator learns
 * who has died.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Zeroes, shared with those forked afterwards. */
void *
process_share(size_t size);

/* Until the word is not that value any more, or it is woken, or so long has passed
   (0: for ever). */
void
process_sleep(_Atomic uint32_t *word, uint32_t value, long milliseconds);

void
process_wake(_Atomic uint32_t *word, int count);

#define PROCESS_UNPLACED (-1)

/* The calling thread alone, on that processor; nothing if it is UNPLACED. */
void
process_pin(int cpu);

/* One of them that has died, whose pid becomes 0; -1: none has since. */
int
process_died(pid_t pids[], int count);

#endif
