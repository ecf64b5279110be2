/* SPDX-License-Identifier: MIT */
/* Layer 5. May include: base atomics shm layout parcel claims. */
/*
 * The records of messages in hand; see claims.h for their life.
 *
 * Records come in chunks of 16, and a chunk belongs to a slot for good: the
 * slot's next owner inherits it. So finding a free record needs no lock, and a
 * record that was returned and taken over by another receiver comes home when
 * it is freed.
 *
 * The readers of a record are optimistic: they read the word, the fields, and
 * the word again. For that the writer orders its stores: the word that says
 * FREE before the new fields, and those before the word that says INTENT.
 */
#include "base.h"
#include "claims.h"

#include <fcntl.h>
#include <unistd.h>

static struct claim *
record(const struct view *view, uint32_t claim)
{
	return layout_claim(view->receivers, &view->geometry, claim);
}

uint32_t
claims_count(const struct view *view)
{
	uint32_t chunks;

	/* CLAIM-A1 acquire: below this, the memory is committed. Pairs with
	   CLAIM-R1. */
	chunks = word32_load_acquire(&view->receivers->claims_committed);
	if (chunks > CLAIM_CHUNKS)
		chunks = CLAIM_CHUNKS;
	return chunks * CLAIMS_PER_CHUNK;
}

static bool
owns_chunk(const struct view *view, uint32_t chunk, uint32_t slot)
{
	/* relaxed: nobody but the slot's owner makes it the slot's */
	return word32_load_relaxed(&view->receivers->chunk_owner[chunk]) ==
	       slot + 1;
}

uint32_t
claims_find_free(const struct view *view, uint32_t slot)
{
	uint32_t count = claims_count(view), claim;
	uint64_t word;

	for (claim = 0; claim < count; claim++) {
		if (claim % CLAIMS_PER_CHUNK == 0 &&
		    !owns_chunk(view, claim / CLAIMS_PER_CHUNK, slot)) {
			claim += CLAIMS_PER_CHUNK - 1;
			continue;
		}
		/* CLAIM-A2 acquire: whoever freed it has done with it. Pairs
		   with CLAIM-R4, CLAIM-C3. */
		word = word64_load_acquire(&record(view, claim)->word);
		if (claim_state(word) == CLAIM_FREE)
			return claim;
	}
	return CLAIM_NONE;
}

static int
commit_chunk(struct view *view, uint32_t chunk)
{
	uint64_t length = CLAIMS_PER_CHUNK * view->geometry.claim_stride;
	uint64_t offset = sizeof(struct receivers_file) + chunk * length;
	uint64_t first = round_down(offset, PAGE);
	int fd, r;

	fd = shm_open_at(view_directory(view), "receivers", O_RDWR, NULL);
	if (fd < 0)
		return fd;
	r = shm_commit(fd, first, round_up(offset + length, PAGE) - first,
		       INT64_MAX);
	close(fd);
	return r;
}

/* Chunks below n have memory. */
static void
raise_committed(struct view *view, uint32_t n)
{
	word32 *committed = &view->receivers->claims_committed;
	/* relaxed: the CAS looks again */
	uint32_t seen = word32_load_relaxed(committed);

	/* CLAIM-R1 acq_rel: after the commit. Pairs with CLAIM-A1. */
	while (seen < n && !word32_cas_acq_rel(committed, &seen, n))
		;
}

int
claims_extend(struct view *view, uint32_t slot)
{
	uint32_t chunk, owner, committed = claims_count(view) /
					   CLAIMS_PER_CHUNK;
	word32 *word;
	int r;

	for (chunk = 0; chunk < CLAIM_CHUNKS; chunk++) {
		word = &view->receivers->chunk_owner[chunk];
		/* relaxed: the CAS looks again */
		owner = word32_load_relaxed(word);
		if (owner == slot + 1 && chunk < committed)
			continue;	/* in use already, and full */
		if (owner != 0 && owner != slot + 1)
			continue;
		r = commit_chunk(view, chunk);
		if (r < 0)
			return r;
		/* CLAIM-C1 acq_rel: of those who want it one gets it, for
		   good. Pairs with CLAIM-C1. */
		if (owner == 0 && !word32_cas_acq_rel(word, &owner, slot + 1))
			continue;
		raise_committed(view, chunk + 1);
		return 0;
	}
	return -ENOSPC;
}

uint64_t
claims_intend(struct view *view, uint32_t claim, uint32_t slot,
	      const struct taken *taken, const void *bytes)
{
	struct claim *c = record(view, claim);
	uint64_t intent;

	/* relaxed: FREE, and ours: nobody else changes it */
	intent = claim_make(counter_next(
			    claim_use(word64_load_relaxed(&c->word)), 40,
			    START_COUNTER(40, 20)), 1, slot, CLAIM_INTENT);
	/* CLAIM-F1 release: the word that says FREE goes before the fields
	   change. Pairs with CLAIM-F2. */
	atomics_fence_release();
	/* relaxed: between CLAIM-F1 and CLAIM-R2 */
	word64_store_relaxed(&c->position, taken->position);
	word64_store_relaxed(&c->lane, taken->lane);
	word64_store_relaxed(&c->size, taken->size);
	word64_store_relaxed(&c->tag, taken->tag);
	word64_store_relaxed(&c->type, taken->type);
	word64_store_relaxed(&c->block, taken->block);
	word64_store_relaxed(&c->call, taken->call);
	if (bytes)
		/* relaxed: as above */
		copy_in_relaxed(c->bytes, bytes, taken->size);
	/* CLAIM-R2 release: the fields before the word. Pairs with CLAIM-A3. */
	word64_store_release(&c->word, intent);
	return intent;
}

void
claims_confirm(struct view *view, uint32_t claim, uint64_t intent)
{
	uint64_t held = claim_with(intent, claim_slot(intent), CLAIM_HELD);

	/* CLAIM-C2 acq_rel: its exact word, so that a use long past is not
	   confirmed. Pairs with CLAIM-A3. */
	word64_cas_acq_rel(&record(view, claim)->word, &intent, held);
}

void
claims_reset(struct view *view, uint32_t claim, uint64_t intent)
{
	uint64_t free = claim_with(intent, claim_slot(intent), CLAIM_FREE);

	/* CLAIM-C3 acq_rel: by its owner, or by who repairs its slot. Pairs
	   with CLAIM-A2. */
	word64_cas_acq_rel(&record(view, claim)->word, &intent, free);
}

void
claims_settle(struct view *view, uint32_t claim, uint32_t lane,
	      uint64_t position)
{
	struct taken taken;
	uint64_t word;

	if (claim >= claims_count(view) ||
	    !claims_read(view, claim, &word, &taken))
		return;		/* changing: its owner is past step 3 */
	if (claim_state(word) == CLAIM_INTENT && taken.lane == lane &&
	    head_position(taken.position) == position)
		claims_confirm(view, claim, word);
}

bool
claims_read(const struct view *view, uint32_t claim, uint64_t *ret_word,
	    struct taken *ret_taken)
{
	const struct claim *c = record(view, claim);
	struct taken taken;
	uint64_t word;

	/* CLAIM-A3 acquire: the word before the fields. Pairs with CLAIM-R2,
	   CLAIM-C2. */
	word = word64_load_acquire(&c->word);
	/* relaxed: proved by the second look, after CLAIM-F2 */
	taken.position = word64_load_relaxed(&c->position);
	taken.lane = word64_load_relaxed(&c->lane);
	taken.size = word64_load_relaxed(&c->size);
	taken.tag = word64_load_relaxed(&c->tag);
	taken.type = word64_load_relaxed(&c->type);
	taken.block = word64_load_relaxed(&c->block);
	taken.call = word64_load_relaxed(&c->call) & 1;
	/* CLAIM-F2 acquire: the fields before the second look. Pairs with
	   CLAIM-F1. */
	atomics_fence_acquire();
	/* relaxed: ordered by the fence */
	if (word64_load_relaxed(&c->word) != word)
		return false;
	*ret_word = word;
	*ret_taken = taken;
	return true;
}

bool
claims_take_over(struct view *view, uint32_t claim, uint32_t slot,
		 uint64_t *word)
{
	uint32_t deliveries = claim_deliveries(*word);
	uint64_t held, seen = *word;

	if (deliveries < CLAIM_DELIVERIES_MAX)
		deliveries++;
	/* Another use: two lives of one slot must not bear the same word. */
	held = claim_make(counter_next(claim_use(seen), 40, 0), deliveries, slot,
			  CLAIM_HELD);
	/* CLAIM-C4 acq_rel: one of those who want it gets it. Pairs with
	   CLAIM-C5. */
	if (!word64_cas_acq_rel(&record(view, claim)->word, &seen, held))
		return false;
	*word = held;
	return true;
}

bool
claims_consume(struct view *view, uint32_t claim, uint64_t word)
{
	uint64_t free = claim_with(word, claim_slot(word), CLAIM_FREE);

	/* CLAIM-C7 acq_rel: the copy before the record is used again; one of
	   those who want it gets it. Pairs with CLAIM-A2, CLAIM-C4. */
	return word64_cas_acq_rel(&record(view, claim)->word, &word, free);
}

bool
claims_unchanged(const struct view *view, uint32_t claim, uint64_t word)
{
	/* CLAIM-F3 acquire: what was read, before the second look. Pairs with
	   CLAIM-F1. */
	atomics_fence_acquire();
	/* relaxed: after CLAIM-F3 */
	return word64_load_relaxed(&record(view, claim)->word) == word;
}

void
claims_free(struct view *view, uint32_t claim, uint64_t word)
{
	/* CLAIM-R4 release: we have done with the message. Pairs with
	   CLAIM-A2. */
	word64_store_release(&record(view, claim)->word,
			     claim_with(word, claim_slot(word), CLAIM_FREE));
}

bool
claims_return(struct view *view, uint32_t claim, uint64_t word)
{
	uint64_t returned = claim_with(word, claim_slot(word), CLAIM_RETURNED);

	/* CLAIM-C5 acq_rel: once, whoever repairs. Pairs with CLAIM-C4. */
	if (!word64_cas_acq_rel(&record(view, claim)->word, &word, returned))
		return false;
	claims_announce(view);
	return true;
}

void
claims_announce(struct view *view)
{
	/* CLAIM-C6 acq_rel: the record before the call to look at it. Pairs
	   with CLAIM-A5. */
	word32_add_acq_rel(&view->receivers->returned, 1);
}
