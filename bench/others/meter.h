/* SPDX-License-Identifier: MIT */
#ifndef BENCH_METER_H
#define BENCH_METER_H
/*
 * A member's clock, and the processor time and system calls of its process, with
 * all of its threads. C and C++.
 *
 * The clock is the processor's counter where the kernel's own clock is made from
 * it, which says that it runs evenly and alike on all processors: then a reading
 * costs some 10 ns; else it is CLOCK_MONOTONIC.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../common/clock.h"

#ifdef __cplusplus
extern "C" {
#endif

struct meter_reading {
	uint64_t processor_ns;
	uint64_t calls;
};

struct meter {
	uint64_t scale; /* ns << 32 of a tick; 0: there is no counter */
	int calls_fd;	/* counts system calls; -1: they are not counted */
	int stat_fd;	/* of the process that was last awaited */
	int awaited;	/* its pid */
	struct meter_reading before;
};

/* In the coordinator, once: the scale. */
uint64_t
meter_calibrate(void);

/* Whether system calls can be counted here; if not, ret says why. */
bool
meter_can_count_calls(char *ret, size_t size);

/* In a member, before it has other threads. */
void
meter_open(struct meter *meter, uint64_t scale, bool count_calls);

void
meter_start(struct meter *meter);

/* What was used since the start. */
void
meter_stop(struct meter *meter, struct meter_reading *ret);

/* Waits until a process sleeps by the kernel's account, and until its processor
   has gone idle too. */
void
meter_await_sleep(struct meter *meter, int pid);

/* Nanoseconds from some moment on. */
static inline __attribute__((always_inline)) uint64_t
meter_now(const struct meter *meter)
{
#if defined(__x86_64__)
	if (__builtin_expect(meter->scale != 0, 1))
		return (uint64_t)(((unsigned __int128)__builtin_ia32_rdtsc() *
				   meter->scale) >>
				  32);
#endif
	return clock_now();
}

#ifdef __cplusplus
}
#endif
#endif
