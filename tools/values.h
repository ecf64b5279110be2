/* SPDX-License-Identifier: MIT */
/*
 * Numbers, sizes and times, as people write them. Each function returns 0, or
 * -EINVAL and leaves *ret alone.
 */
#ifndef CUBBY_TOOLS_VALUES_H
#define CUBBY_TOOLS_VALUES_H

#include <stdbool.h>
#include <stdint.h>

/* A group's name, or a number for one. */
bool
is_group(const char *text);

/* Decimal, or hexadecimal with 0x. */
int
parse_number(const char *text, uint64_t *ret);

int
parse_octal(const char *text, uint64_t *ret);

/* Bytes; K, M and G count in 1024s. A fraction is allowed: 1.5M. */
int
parse_size(const char *text, uint64_t *ret);

/* Nanoseconds, at most INT64_MAX. A fraction is allowed: 0.5s. */
int
parse_duration(const char *text, uint64_t *ret);

/* A factor, in millionths; "max": 0. */
int
parse_speed(const char *text, uint64_t *ret);

/* One of enum cubby_order. */
int
parse_delivery(const char *text, uint64_t *ret);
int
parse_order(const char *text, uint64_t *ret);

#endif
