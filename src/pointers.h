/* SPDX-License-Identifier: MIT */
/* Layer 0. May include: base. */
/*
 * A private array of pointers that grows: what is not there is NULL.
 */
#ifndef CUBBY_POINTERS_H
#define CUBBY_POINTERS_H

#include "base.h"

#include <stdlib.h>

#define POINTERS_LEAST 8

/*
 * The array, with room for number `last`; *room: how many it has room for. NULL:
 * there is no memory, and the array is as it was. Not below 2^31.
 */
static inline void *
pointers_with(void *array, uint32_t *room, uint32_t last)
{
	uint32_t more = (uint32_t)power_of_2_from(
		max_u64((uint64_t)last + 1, POINTERS_LEAST));
	void **larger;

	if (last < *room)
		return array;
	larger = reallocarray(array, more, sizeof(*larger));
	if (!larger)
		return NULL;
	memset(larger + *room, 0, (more - *room) * sizeof(*larger));
	*room = more;
	return larger;
}

#endif
