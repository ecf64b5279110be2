/* SPDX-License-Identifier: MIT */
/* The mailboxes of a round, and the roles that persons play in them. */
#ifndef SOAK_KINDS_H
#define SOAK_KINDS_H

#include <cubby.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is done with a mailbox. */
enum use {
	USE_MESSAGES = 0,
	USE_BROADCAST,
	USE_CALLS,
	USE_REGIONS,
	USE_FLEETING, /* unlinked under the feet of its users */
	USE_NOTHING   /* for roles that have none */
};

/* Ways to send and to receive; those that a mailbox allows. */
enum {
	SEND_PLAIN = 1,
	SEND_SYNCHRONOUS = 2,
	SEND_BATCH = 4,
	SEND_DRAFT = 8,
	TAKE_HOLD = 16,
	TAKE_COPY = 32,
	TAKE_BATCH = 64,
	TAKE_PEEK = 128,
	TAKE_OF_SENDER = 256,
	TAKE_OF_TYPE = 512,
	TYPED = 1024 /* only equal types are in order */
};

struct kind {
	const char *name;
	enum use use;
	enum cubby_order order;
	enum cubby_buffering buffering;
	enum cubby_delivery delivery;
	enum cubby_lifetime lifetime;
	uint32_t capacity;
	uint32_t size_min; /* CONTENTS_HEAD where anybody receives by copy */
	uint32_t size_max;
	uint32_t ways;
};

enum {
	LANES,
	ENDLESS,
	LARGE,
	ARRIVAL,
	TYPED_ARRIVAL,
	PRIORITY,
	MEETING,
	EVERY,
	OVERTAKE,
	INBOX,
	CALLS,
	CALLS_QUEUED,
	REGIONS,
	FLEETING,
	NO_MAILBOX,
	KINDS = NO_MAILBOX
};
extern const struct kind kinds[KINDS + 1];

struct cubby_options
kind_options(uint32_t mailbox);

#define TYPES 3
#define LEVELS 4

static inline int64_t
type_of(uint64_t id)
{
	return 1 + (int64_t)(id % TYPES);
}

static inline int32_t
priority_of(uint32_t mailbox, uint64_t id)
{
	return kinds[mailbox].order == CUBBY_ORDER_PRIORITY ?
		       (int32_t)((id * 7 >> 1) % LEVELS) :
		       0;
}

struct actor;

struct role {
	const char *name;
	void (*play)(struct actor *actor);
	uint32_t mailbox;
	bool sends;	 /* into that mailbox */
	bool named;	 /* a sender with a name: it comes back */
	uint32_t shares; /* of the places */
};
extern const struct role roles[];
extern const uint32_t roles_count;

#endif
