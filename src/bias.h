/* SPDX-License-Identifier: MIT */
/* Layer 7. May include: base atomics futex layout. */
/*
 * The head of a lane: where it stands, and how a sole receiver moves it without
 * a locked instruction.
 *
 * Receivers move a head by a CAS. A CAS keeps the loads of successive messages
 * from overlapping, so a receiver that is alone *biases* the lane towards
 * itself: the head word then says who, and the true head is the word `bias`
 * beside it, moved by plain stores of its owner. Another receiver that finds a
 * message there takes the bias away, at once, whether the owner runs, is
 * stopped or dead:
 *
 *	owner, message k			revoker
 *	copy the cell				head: {biased, E} -> revoking, CAS
 *	store bias = k + 1			membarrier
 *	[compiler keeps the order]		load bias: b
 *	load head				decision: -> {E, b}, CAS
 *	still {biased, E}: k is mine		head: {revoking, E} -> the decision
 *	else: decision: -> {E, k + 1}, CAS;
 *	      k is mine if that, or another's
 *	      decision, says k + 1
 *
 * If the owner's load came before the first CAS, the membarrier makes its store
 * visible, and b is k + 1 or more. If it came after, owner and revoker may read
 * different values, k and k + 1 (no others: the owner's stores up to k were
 * followed by loads that found the bias intact), and the CAS of `decision`
 * settles which; both obey. Any number of revokers help each other; each step
 * is a CAS from a value that bears the epoch E, so one that stood still does
 * nothing. The owner alone gives the word `bias` up (bias_owner), because its
 * last store to it may come late: until then the lane is not biased again.
 *
 * The owner may take several messages with one store, k to k + n - 1: the word
 * then says n as well (BIAS_STEPS), and k + n stands for k + 1 above. All n are
 * its own, or none. While it is undecided which, a sender counts from k; who
 * looks for the end of what has been sent counts from k + n, since all of those
 * had been published, and their cells may have been used again.
 *
 * What breaks it: an owner that membarrier does not reach (so those that could
 * not register never bias).
 */
#ifndef CUBBY_BIAS_H
#define CUBBY_BIAS_H

#include "base.h"
#include "layout.h"

/*
 * Where the head stands: an unbiased head word. For a moment in which that is
 * undecided: a lower bound. Never blocks; `known` is an earlier answer (what to
 * say if the words make no sense). For anyone, through a read-only mapping.
 */
uint64_t
bias_head(const struct lane_entry *entry, uint64_t known);

/* The same, but for that moment an upper bound; *ret_steps: the lower bound lies
   so far below it (0: it is decided). */
uint64_t
bias_head_at_most(const struct lane_entry *entry, uint64_t known,
		  uint32_t *ret_steps);

/* Is the head, as read, biased towards somebody? */
static inline bool
bias_is_set(uint64_t head)
{
	return head & HEAD_BIASED;
}

/* And is that being taken away? */
static inline bool
bias_is_ending(uint64_t head)
{
	return bias_is_set(head) && head & HEAD_REVOKING;
}

/* What the owner stores to take `count` messages, up to the one before that
   position. */
static FAST uint64_t
bias_next(uint64_t position, uint32_t count)
{
	return head_make(position, count == 1 ? 0 : BIAS_STEPS | count);
}

/*
 * Biases the lane, whose unbiased head is `head`, with its claim settled,
 * towards slot. Returns what the head word now says, or 0: it did not succeed.
 */
uint64_t
bias_take(struct lane_entry *entry, uint32_t slot, uint64_t head);

/*
 * The owner moves the head to next (an unbiased head word, or bias_next()). bias:
 * what bias_take() returned. True: it was moved, the message is ours. False: the
 * bias was taken away before; the lane is unbiased now.
 */
bool
bias_lost(struct lane_entry *entry, uint64_t bias, uint64_t next);

/* Its first half. False: ask bias_lost(). */
static FAST bool
bias_store(struct lane_entry *entry, uint64_t bias, uint64_t next)
{
	/* BIAS-R1 release: the copy before the head. Pairs with BIAS-A1. */
	word64_store_release(&entry->bias, next);
	/* BIAS-O1 compiler: the store before the look at the head. Pairs with
	   BIAS-M1. */
	order_compiler();
	/* relaxed: ordered after the store by the revoker's membarrier */
	return likely(word64_load_relaxed(&entry->head) == bias);
}

static inline bool
bias_advance(struct lane_entry *entry, uint64_t bias, uint64_t next)
{
	return bias_store(entry, bias, next) || !bias_lost(entry, bias, next);
}

/* The owner gives the bias up after all of its stores. */
void
bias_leave(struct lane_entry *entry, uint64_t bias);

/*
 * Takes the bias away from whoever has it: afterwards the head is unbiased, or
 * has moved on. False: there is no membarrier to be had.
 */
bool
bias_revoke(struct lane_entry *entry);

/* The head word if it is biased towards that slot; else 0. */
uint64_t
bias_towards(const struct lane_entry *entry, uint32_t slot);

/* The same, from that very head word, whose owner has been found dead since it
   was read: without a barrier. */
void
bias_revoke_dead(struct lane_entry *entry, uint64_t head);

/* The slot's owner is dead, and nobody else can get the slot: as bias_revoke(),
   without the barrier, and nobody owns the word. */
void
bias_bury(struct lane_entry *entry, uint32_t slot);

#endif
