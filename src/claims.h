/* SPDX-License-Identifier: MIT */
/* Layer 5. May include: base atomics shm layout parcel. */
/*
 * Claim records: which message is in whose hands.
 *
 * To take message p of lane L for longer than an instant, a receiver
 *
 *	1. fills a free record of its own and makes its word INTENT,
 *	2. moves L's head from {p, old} to {p + 1, this record} by a CAS,
 *	3. makes the word HELD by a CAS.
 *
 * The head names the record that took its last message, so a death leaves no
 * doubt. Killed before 2: the head says otherwise, the record is void. Killed
 * between 2 and 3: the head names the record, and whoever next moves the head,
 * or repairs the slot, does step 3 first (claims_settle()). Killed later: HELD,
 * and its slot's owner is dead: it becomes RETURNED and goes to whoever takes
 * it over, in place, by a CAS.
 *
 *	FREE -> INTENT -> HELD -> FREE			(released)
 *		INTENT -> FREE				(lost the race)
 *			  HELD -> RETURNED -> HELD ...	(rejected, or died)
 *				  RETURNED -> FREE	(received, plainly)
 *
 * A word counts the uses of its record, so a CAS by somebody who has stood
 * still for long meets another word and does nothing.
 */
#ifndef CUBBY_CLAIMS_H
#define CUBBY_CLAIMS_H

#include "base.h"
#include "layout.h"
#include "parcel.h"

#define CLAIM_NONE UINT32_MAX

/*
 * A free record of this slot's: its number, or CLAIM_NONE if it has to get more
 * memory first, by claims_extend(). Only the slot's owner calls it, one thread
 * at a time.
 */
uint32_t
claims_find_free(const struct view *view, uint32_t slot);

/* Errors: -ENOSPC (all are taken, or no memory), and the kernel's. */
int
claims_extend(struct view *view, uint32_t slot);

/*
 * Step 1. bytes: what the cell carries (taken->size bytes), or NULL for a
 * message in a block. Returns the word.
 */
uint64_t
claims_intend(struct view *view, uint32_t claim, uint32_t slot,
	      const struct taken *taken, const void *bytes);

/* Step 3; also by others, who first have to be sure that the claim has won. */
void
claims_confirm(struct view *view, uint32_t claim, uint64_t intent);

/* The race for the head was lost. */
void
claims_reset(struct view *view, uint32_t claim, uint64_t intent);

/*
 * The head of `lane` names `claim` as what took `position` (48 bits): make sure
 * that its word says so. Harmless when it has long been settled.
 */
void
claims_settle(struct view *view, uint32_t claim, uint32_t lane,
	      uint64_t position);

/*
 * Reads a record. *ret_taken is what it said while its word was *ret_word;
 * false if it was changing.
 */
bool
claims_read(const struct view *view, uint32_t claim, uint64_t *ret_word,
	    struct taken *ret_taken);

/* RETURNED -> HELD, by this slot, one delivery more. *word becomes the new one.
   False: somebody else was faster. */
bool
claims_take_over(struct view *view, uint32_t claim, uint32_t slot,
		 uint64_t *word);

/* RETURNED -> FREE: received, plainly. False: somebody else was faster, and what
   was copied from the record may be wrong. */
bool
claims_consume(struct view *view, uint32_t claim, uint64_t word);

/* Is the record's word still this one (so that what was read of it is good)? */
bool
claims_unchanged(const struct view *view, uint32_t claim, uint64_t word);

/* Returns the event count of returned messages: another than last time means
   that there may be some. */
static inline uint32_t
claims_returned(const struct view *view)
{
	/* CLAIM-A5 acquire: the records that it announces. Pairs with
	   CLAIM-C6. */
	return word32_load_acquire(&view->receivers->returned);
}

/* HELD (ours) -> FREE. */
void
claims_free(struct view *view, uint32_t claim, uint64_t word);

/* HELD, by us or by the dead -> RETURNED, and tell receivers to look. False:
   somebody else was faster. */
bool
claims_return(struct view *view, uint32_t claim, uint64_t word);

/* Tells receivers to look; once more for one who died before he could. */
void
claims_announce(struct view *view);

/* How many records there are memory for. */
uint32_t
claims_count(const struct view *view);

/* The bytes that a record carries. */
static inline const word64 *
claims_bytes(const struct view *view, uint32_t claim)
{
	return layout_claim(view->receivers, &view->geometry, claim)->bytes;
}

#endif
