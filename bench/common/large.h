/* SPDX-License-Identifier: MIT */
#ifndef BENCH_LARGE_H
#define BENCH_LARGE_H
/*
 * Writing and reading a large message in full. Compiled once (large.c), so that
 * all contenders run the very same instructions over their memory.
 */
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* As words_fill() and words_sum(); memory is aligned to 64, size too. */
void
large_fill(void *memory, size_t size, uint64_t first);

uint64_t
large_sum(const void *memory, size_t size);

/* The same of memory that need only be aligned to 8. */
void
large_fill_anywhere(void *memory, size_t size, uint64_t first);

uint64_t
large_sum_anywhere(const void *memory, size_t size);

#ifdef __cplusplus
}
#endif

#endif
