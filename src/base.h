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
#define FAST		__attribute__((always_inline)) inline

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

/* The unit of commit and of giving back; the page of every ABI we run on is at
   most this, or a divisor of it. */
#define PAGE		UINT64_C(4096)

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
