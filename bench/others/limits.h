/* SPDX-License-Identifier: MIT */
#ifndef BENCH_LIMITS_H
#define BENCH_LIMITS_H
/*
 * The system's limits of POSIX and System V queues. Who may have a namespace of
 * his own for them (root) has limits of his own there, and nothing outside is
 * changed; else they stay as they are, and what does not fit is refused.
 */
#include <stdbool.h>
#include <stddef.h>

/* In the coordinator, once, before anything else; true: they are raised. */
bool
limits_raise(void);

/* A limit, by its path below /proc/sys; 0 if it cannot be read. */
size_t
limits_read(const char *path);

#endif
