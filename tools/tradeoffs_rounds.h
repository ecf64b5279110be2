/* SPDX-License-Identifier: MIT */
/*
 * A round: for a short while, two processes pass messages by one contender,
 * either each answering the other, or one to the other as fast as it goes. Both
 * compare what they read with what must have been written.
 */
#ifndef CUBBY_TOOLS_TRADEOFFS_ROUNDS_H
#define CUBBY_TOOLS_TRADEOFFS_ROUNDS_H

#include "tradeoffs.h"
#include "tradeoffs_pair.h"

/*
 * What the two share during a round.
 *
 * field	written by			read by
 * last		who asks, before its last trip	who answers, after each
 * stop		the receiver, at the end	the sender, before each
 * sent		the sender, when it stops	the receiver, after stop
 * value,	member 0 or 1, at the end	the starter
 * messages
 */
struct round {
	_Alignas(128) atomic_uint_fast64_t last;
	_Alignas(128) atomic_uint_fast64_t stop;
	_Alignas(128) atomic_uint_fast64_t sent;
	_Alignas(128) double value; /* ns a message */
	int64_t duration;	    /* ns, of which a fifth warms up */
	uint64_t messages;	    /* handed over, warming up included */
};

/* All sides that a member has, by contender. */
struct sides {
	struct side of[CONTENDERS];
	void *ends[TRANSPORTS];
	uint64_t *buffer;
};

/*
 * In both members, which meet before and after. counted: its system calls are
 * counted. Fails the pair on an error.
 */
void
round_run(struct pair *pair, struct round *round, int member, int contender,
	  enum mode mode, struct sides *sides, bool counted);

/* What takes part in a measurement: made before the pair is forked. */
struct party {
	size_t size;
	bool taking_part[CONTENDERS];
	void *made[TRANSPORTS];
};

/* Makes what is taking part; what cannot be made no longer does, and is told. */
void
party_make(struct party *party, struct findings *findings, size_t size);
void
party_unmake(struct party *party);

/*
 * In both members, which meet after each transport, and are pinned from then on.
 * Fails the pair on an error.
 */
void
party_join(struct pair *pair, const struct party *party, int member,
	   struct sides *ret);
void
party_leave(const struct party *party, struct sides *sides);

/* Takes the one out that the pair failed over, and tells why. */
void
party_take_out(struct party *party, struct pair *pair,
	       struct findings *findings);

bool
party_is_empty(const struct party *party);

#endif
