/* SPDX-License-Identifier: MIT */
#include "large.h"
#include "words.h"

void
large_fill(void *memory, size_t size, uint64_t first)
{
	words_fill(__builtin_assume_aligned(memory, 64), size, first);
}

uint64_t
large_sum(const void *memory, size_t size)
{
	return words_sum(__builtin_assume_aligned(memory, 64), size);
}

void
large_fill_anywhere(void *memory, size_t size, uint64_t first)
{
	words_fill(memory, size, first);
}

uint64_t
large_sum_anywhere(const void *memory, size_t size)
{
	return words_sum(memory, size);
}
