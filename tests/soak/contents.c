/* SPDX-License-Identifier: MIT */
/* What is in a message. */
#include <string.h>

#include "contents.h"
#include "kinds.h"

uint64_t
mix(uint64_t value)
{
	value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
	return value ^ value >> 31;
}

uint32_t
below(uint64_t *random, uint32_t n)
{
	*random += UINT64_C(0x9e3779b97f4a7c15);
	return (uint32_t)(mix(*random) % n);
}

size_t
contents_size(uint32_t mailbox, uint64_t id)
{
	const struct kind *kind = &kinds[mailbox];
	uint64_t random = id * 2 + 1;
	uint32_t share = below(&random, 1000);
	size_t most = share < 600 ? 104 :
		      share < 900 ? 1024 :
		      share < 985 ? 8192 :
		      share < 998 ? 65536 :
				    (size_t)1 << 20;

	if (most > kind->size_max)
		most = kind->size_max;
	return kind->size_min +
	       below(&random, (uint32_t)(most - kind->size_min + 1));
}

static uint64_t
sum_of(uint64_t id, size_t size)
{
	return (uint64_t)size << 32 | (uint32_t)mix(id ^ size << 40 ^ 0x5eed);
}

void
contents_fill(void *data, size_t size, uint64_t id)
{
	uint64_t head[2] = { id, sum_of(id, size) };
	char *to = data;
	size_t i = 0;

	if (size >= CONTENTS_HEAD) {
		memcpy(to, head, CONTENTS_HEAD);
		i = CONTENTS_HEAD;
	}
	for (; i < size; i += 8) {
		uint64_t word = mix(id + i);

		memcpy(to + i, &word, size - i < 8 ? size - i : 8);
	}
}

bool
contents_hold(const void *data, size_t size, uint64_t id)
{
	const char *from = data;
	uint64_t said;
	size_t said_size, i = 0;

	if (size >= CONTENTS_HEAD) {
		if (!contents_head(data, &said, &said_size) || said != id ||
		    said_size != size)
			return false;
		i = CONTENTS_HEAD;
	}
	for (; i < size; i += 8) {
		uint64_t word = mix(id + i);

		if (memcmp(from + i, &word, size - i < 8 ? size - i : 8) != 0)
			return false;
	}
	return true;
}

bool
contents_head(const void *data, uint64_t *ret_id, size_t *ret_size)
{
	uint64_t head[2];

	memcpy(head, data, CONTENTS_HEAD);
	*ret_id = head[0];
	*ret_size = head[1] >> 32;
	return head[1] == sum_of(head[0], *ret_size) && *ret_size != 0;
}
