/* SPDX-License-Identifier: MIT */
/* Layer 0. May include: nothing. */
/*
 * What every file needs before anything else: the feature macros, the fixed-
 * width types, and the few words that the language lacks. Included first.
 */
#ifndef CUBBY_BASE_H
#define CUBBY_BASE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#ifndef _FILE_OFFSET_BITS
#define _FILE_OFFSET_BITS 64
#endif

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)

/* On the path of every message: a call would cost as much as the work. */
#ifndef FAST	/* a build that counts branches has one copy of each */
#define FAST		__attribute__((always_inline)) inline
#endif

/* Off the fast path: keep it out of line, and out of its cache lines. */
#define COLD		__attribute__((cold, noinline))

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define KIB(n)		((uint64_t)(n) << 10)
#define MIB(n)		((uint64_t)(n) << 20)
#define GIB(n)		((uint64_t)(n) << 30)

#define NSEC_PER_SEC	INT64_C(1000000000)
#define NSEC_PER_MSEC	INT64_C(1000000)
#define NSEC_PER_USEC	INT64_C(1000)

#define CACHE_LINE	64

/*
 * Where counters start, for tests of their wrapping round: CUBBY_START_COUNTERS is
 * 32 or 64, and then a counter of so many bits starts that much below 2^32 or 2^64,
 * or, if it has fewer bits, below where it wraps. Else all start at 0. A constant.
 */
#ifndef CUBBY_START_COUNTERS
#define CUBBY_START_COUNTERS 0
#endif
#define COUNTER_BITS(bits) \
	((bits) < CUBBY_START_COUNTERS ? (bits) : CUBBY_START_COUNTERS)
#define START_COUNTER(bits, below) \
	(CUBBY_START_COUNTERS ? \
	 (UINT64_C(2) << (COUNTER_BITS(bits) + 63) % 64) - (below) : UINT64_C(0))

/* The unit of commit and of giving back; the page of every ABI we run on is at
   most this, or a divisor of it. */
#define PAGE		UINT64_C(4096)

/* What follows the value of a counter of so many bits that is 0 until it is used,
   and never again; start: START_COUNTER() of it. */
static inline uint64_t
counter_next(uint64_t value, unsigned bits, uint64_t start)
{
	value = ((value ? value : start) + 1) << (64 - bits) >> (64 - bits);
	return value ? value : 1;
}

static inline uint64_t
min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t
max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* to: a power of two */
static inline uint64_t
round_down(uint64_t n, uint64_t to)
{
	return n & ~(to - 1);
}

static inline uint64_t
round_up(uint64_t n, uint64_t to)
{
	return round_down(n + to - 1, to);
}

static inline bool
is_power_of_2(uint64_t n)
{
	return n && !(n & (n - 1));
}

/* The smallest power of two that is at least n; n: 1 to 2^63. */
static inline uint64_t
power_of_2_from(uint64_t n)
{
	return n <= 1 ? 1 : UINT64_C(1) << (64 - __builtin_clzll(n - 1));
}

#endif
