/* SPDX-License-Identifier: MIT */
#ifndef BENCH_WORDS_H
#define BENCH_WORDS_H
/*
 * What messages are filled with and read for: words that count up. C and C++.
 */
#include <stddef.h>
#include <stdint.h>

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* Lets the core's other thread run, and the loop end without a penalty. */
ALWAYS_INLINE void
spin_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ __volatile__("yield");
#endif
}

ALWAYS_INLINE void
words_fill(uint64_t *words, size_t size, uint64_t first)
{
	for (size_t i = 0; i < size / sizeof(*words); i++)
		words[i] = first + i;
}

ALWAYS_INLINE uint64_t
words_sum(const uint64_t *words, size_t size)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < size / sizeof(*words); i++)
		sum += words[i];
	return sum;
}

/* What words_sum() finds after words_fill(). */
ALWAYS_INLINE uint64_t
words_expected(size_t size, uint64_t first)
{
	uint64_t count = size / sizeof(uint64_t);

	return count * first + count * (count - 1) / 2;
}

#endif
