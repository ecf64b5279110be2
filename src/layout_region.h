/* SPDX-License-Identifier: MIT */
/* Layer 4. May include: base atomics layout. */
/*
 * The bytes of a region's file, `memory`: what it is, who has it attached for
 * writing, and from REGION_DATA on what its users keep there.
 *
 * Whoever may write the region may write all of it; so everything here is
 * input, to be checked each time. What a handle relies on it has copied.
 */
#ifndef CUBBY_LAYOUT_REGION_H
#define CUBBY_LAYOUT_REGION_H

#include "base.h"
#include "atomics.h"
#include "layout.h"

#define REGION_MAGIC	UINT64_C(0x0172626275632e00)	/* "\0.cubbr\1" */
#define REGION_VERSION	1
#define REGION_FINGERPRINT ((uint32_t)sizeof(struct region_file) + \
			    CUBBY_START_COUNTERS)

#define REGION_SLOTS	1024	/* attached for writing at a time */
#define REGION_SIZE_LIMIT (UINT64_C(1) << 44)

/*
 * One that is attached for writing. 16 bytes.
 *
 * field	written by		read by		why that is safe
 * generation	who has the slot's	all		raised before its byte is
 *		JOINING byte					locked: see
 *							region_participants.h
 * pid		the slot's owner	people		not used by programs
 */
struct region_slot {
	word64 generation;
	word32 pid;
	uint8_t unused[4];
};

/* What it is, fixed when it is made. */
struct region_head {
	struct identity identity;	/* with a magic and a version of its own */
	uint64_t size_max;
	uint32_t mode;
	uint32_t unused;
};

/*
 * field	written by		read by		why that is safe
 * head		the maker, before the	all		copied when attaching,
 *		region gets its name			and checked
 * size		writers, rising, by	all		checked against size_max
 *		CAS, after the commit			and the file's length
 * slots_committed writers, rising,	writers		limited to REGION_SLOTS
 *		by CAS, after the commit
 * transfers	who sends or receives	the same	see region_transfer.h
 *		the region, by CAS
 */
struct region_file {
	struct region_head head;
	uint8_t unused0[128 - sizeof(struct region_head)];
	word64 size;
	word32 slots_committed;
	uint8_t unused1[64 - 12];
	word64 transfers;
	uint8_t unused2[PAGE - 192 - 8];
	struct region_slot slots[REGION_SLOTS];
	/* then the data */
};

#define REGION_DATA	sizeof(struct region_file)
#define REGION_SLOTS_PER_PAGE (PAGE / sizeof(struct region_slot))

/* A transfers word: {owner:32, attempt:32}, see region_transfer.h. */
#define TRANSFERS_ENDED	UINT64_MAX

static inline uint64_t
transfers_make(uint32_t owner, uint32_t attempt)
{
	return (uint64_t)owner << 32 | attempt;
}

static inline uint32_t
transfers_owner(uint64_t word)
{
	return word >> 32;
}

static inline uint32_t
transfers_attempt(uint64_t word)
{
	return (uint32_t)word;
}

/* The number of the next attempt, which is neither 0 nor what ENDED says. */
static inline uint32_t
transfers_next(uint32_t attempt)
{
	return attempt >= UINT32_MAX - 1 ? 1 : attempt + 1;
}

/*
 * The message that carries a region: what its payload says. Written by its
 * sender before the message is sent; input to whoever receives it.
 */
struct region_ticket {
	uint8_t uuid[16];
	uint32_t number;
	uint32_t unused;
	uint64_t size;		/* for people: what it was when it was sent */
};

_Static_assert(sizeof(struct region_ticket) == 32, "fits into any cell");
_Static_assert(sizeof(struct region_slot) == 16, "no padding");
_Static_assert(offsetof(struct region_file, size) == 128, "its own pair");
_Static_assert(offsetof(struct region_file, transfers) == 192, "");
_Static_assert(offsetof(struct region_file, slots) == PAGE, "one page");
_Static_assert(sizeof(struct region_file) % PAGE == 0, "data on a page");

#endif
