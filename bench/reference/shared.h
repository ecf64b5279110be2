/* SPDX-License-Identifier: MIT */
#ifndef BENCH_REFERENCE_SHARED_H
#define BENCH_REFERENCE_SHARED_H
/*
 * For contenders that need no more than some zeroed memory that all members
 * have by inheritance: what make returns is it, and so is each side.
 */
#include "../bench.h"

int
shared_make(size_t size, void **ret);

int
shared_join(const struct contender *self, void *made, int member, void **ret);

void
shared_leave(void *side);

/* Gives back what shared_make() made, whatever its size. */
void
shared_unmake(void *made);

#endif
