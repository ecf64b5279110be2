/* SPDX-License-Identifier: MIT */
/*
 * What is in a message: all of it follows from its id, so that a receiver can
 * check every byte. Of 16 bytes or more, the first ones say the id and the size,
 * with a sum over them; the rest is a pattern.
 */
#ifndef SOAK_CONTENTS_H
#define SOAK_CONTENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONTENTS_HEAD 16

uint64_t
mix(uint64_t value);

/* A random number below n (n: not 0). */
uint32_t
below(uint64_t *random, uint32_t n);

/* How large that message of that mailbox is. */
size_t
contents_size(uint32_t mailbox, uint64_t id);

void
contents_fill(void *data, size_t size, uint64_t id);

bool
contents_hold(const void *data, size_t size, uint64_t id);

/* The message that begins there, if it has a head; false: nothing does. */
bool
contents_head(const void *data, uint64_t *ret_id, size_t *ret_size);

#endif
