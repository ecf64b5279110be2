/* SPDX-License-Identifier: MIT */
/* Layer 7. May include: base atomics futex layout bias. */
/*
 * The head of a lane, biased and not; bias.h has the protocol and its proof.
 */
#include "base.h"
#include "bias.h"
#include "futex.h"

/* decision: {epoch:32, position:32} */
static uint32_t
epoch_of(uint64_t head)
{
	return (uint32_t)head;
}

static uint64_t
decision_make(uint32_t epoch, uint64_t position)
{
	return (uint64_t)epoch << 32 | (uint32_t)position;
}

static bool
decided(uint64_t decision, uint32_t epoch)
{
	return decision >> 32 == epoch;
}

uint64_t
bias_head_at_most(const struct lane_entry *entry, uint64_t known,
		  uint32_t *ret_steps)
{
	uint64_t head, bias;
	int i;

	*ret_steps = 0;
	for (i = 0; i < 16; i++) {
		/* BIAS-A2 acquire: what the head has passed has been copied.
		   Pairs with LANE-C1, BIAS-C3. */
		head = word64_load_acquire(&entry->head);
		if (!bias_is_set(head))
			return head;
		/* BIAS-A1 acquire: the same, and before the second look. Pairs
		   with BIAS-R1. */
		bias = word64_load_acquire(&entry->bias);
		/* relaxed: after BIAS-A1; the same word proves that the bias
		   read belongs to it */
		if (word64_load_relaxed(&entry->head) != head)
			continue;
		if (bias_is_ending(head))
			/* Its owner's last store may not count. */
			*ret_steps = bias_steps(bias);
		return bias_as_head(bias);
	}
	return known;
}

uint64_t
bias_head(const struct lane_entry *entry, uint64_t known)
{
	uint32_t steps;
	uint64_t head = bias_head_at_most(entry, known, &steps);

	return steps ? head_make(head_position(head) - steps, 0) : head;
}

/*
 * Makes the decision of this epoch say `position`, unless it says something
 * already; returns the position (its low 32 bits) that it says.
 */
static uint32_t
decide(struct lane_entry *entry, uint32_t epoch, uint64_t position)
{
	uint64_t seen, mine = decision_make(epoch, position);

	/* BIAS-A3 acquire: what was decided, and the bias that it was decided
	   by. Pairs with BIAS-C1. */
	seen = word64_load_acquire(&entry->decision);
	if (decided(seen, epoch))
		return (uint32_t)seen;
	if (!decided(seen, epoch - 1))
		return (uint32_t)position;	/* that bias is long over */
	/* BIAS-C1 acq_rel: the first one decides. Pairs with BIAS-A3. */
	if (word64_cas_acq_rel(&entry->decision, &seen, mine))
		return (uint32_t)mine;
	return (uint32_t)seen;
}

/* head says revoking: brings it to where the decision says. */
static void
finish(struct lane_entry *entry, uint64_t head, uint32_t final)
{
	uint64_t bias, next;
	uint32_t late;

	/* BIAS-A4 acquire: at least what the decision was made by. Pairs with
	   BIAS-R1. */
	bias = word64_load_acquire(&entry->bias);
	next = bias_as_head(bias);
	late = (uint32_t)head_position(bias) - final;
	if (late)
		/* The owner's late store. The claim before it is settled: the
		   owner does that before it goes on. */
		next = head_make(head_position(bias) - late, 0);
	/* BIAS-C3 acq_rel: once, by whoever is first. Pairs with BIAS-A2. */
	word64_cas_acq_rel(&entry->head, &head, next);
}

/*
 * From the head word that was read: {biased, E}, or revoking already. barrier:
 * false if the owner of that epoch is dead, so that its stores are all visible.
 */
static bool
revoke_bias(struct lane_entry *entry, uint64_t head, bool barrier)
{
	uint64_t revoking = head | HEAD_REVOKING, bias;

	/* BIAS-C2 acq_rel: the owner's next look at the head meets it. Pairs
	   with BIAS-A6. */
	if (head != revoking &&
	    !word64_cas_acq_rel(&entry->head, &head, revoking) &&
	    head != revoking)
		return true;	/* it has ended; or an other one has begun */
	/* BIAS-M1 membarrier: revoking, before the bias is read. Pairs with
	   BIAS-O1. */
	if (barrier && !barrier_all())
		return false;
	/* BIAS-A7 acquire: after the barrier: at least what the owner could
	   confirm. Pairs with BIAS-R1. */
	bias = word64_load_acquire(&entry->bias);
	finish(entry, revoking, decide(entry, epoch_of(revoking),
				       head_position(bias)));
	return true;
}

bool
bias_revoke(struct lane_entry *entry)
{
	/* BIAS-A5 acquire: the epoch and its bias. Pairs with BIAS-C4. */
	uint64_t head = word64_load_acquire(&entry->head);

	return !bias_is_set(head) || revoke_bias(entry, head, true);
}

void
bias_revoke_dead(struct lane_entry *entry, uint64_t head)
{
	revoke_bias(entry, head, false);
}

uint64_t
bias_take(struct lane_entry *entry, uint32_t slot, uint64_t head)
{
	uint32_t nobody = 0, epoch;
	uint64_t biased;

	/* BIAS-C5 acq_rel: one may write the bias, until it gives it up. Pairs
	   with BIAS-R2, BIAS-R3, BIAS-C6. */
	if (!word32_cas_acq_rel(&entry->bias_owner, &nobody, slot + 1) &&
	    nobody != slot + 1)
		return 0;
	/* BIAS-A8 acquire: the epoch of the bias before this one. Pairs with
	   BIAS-C1. */
	epoch = (uint32_t)(word64_load_acquire(&entry->decision) >> 32) + 1;
	biased = HEAD_BIASED | (uint64_t)slot << 48 | epoch;
	/* relaxed: before BIAS-C4 */
	word64_store_relaxed(&entry->bias, head_make(head_position(head), 0));
	/* BIAS-C4 acq_rel: the bias before the word that says to look at it.
	   Pairs with BIAS-A5, BIAS-A2. */
	if (word64_cas_acq_rel(&entry->head, &head, biased))
		return biased;
	/* BIAS-R3 release: nobody has seen our store. Pairs with BIAS-C5. */
	word32_store_release(&entry->bias_owner, 0);
	return 0;
}

COLD bool
bias_lost(struct lane_entry *entry, uint64_t bias, uint64_t next)
{
	uint32_t position = (uint32_t)head_position(next), final;
	uint64_t head;

	final = decide(entry, epoch_of(bias), position);
	/* BIAS-A6 acquire: has a revoker finished? Pairs with BIAS-C2,
	   BIAS-C3. */
	head = word64_load_acquire(&entry->head);
	if (head == (bias | HEAD_REVOKING))
		finish(entry, head, final);
	return final != position;
}

void
bias_leave(struct lane_entry *entry, uint64_t bias)
{
	uint64_t head = bias, last;

	/* relaxed: our own store */
	last = word64_load_relaxed(&entry->bias);
	/* BIAS-C7 acq_rel: as a revoker, without the barrier: the last store is
	   our own. Pairs with BIAS-A6. */
	if (word64_cas_acq_rel(&entry->head, &head, bias | HEAD_REVOKING))
		head = bias | HEAD_REVOKING;
	if (head == (bias | HEAD_REVOKING))
		finish(entry, head, decide(entry, epoch_of(bias),
					   head_position(last)));
	/* BIAS-R2 release: no store to the bias of ours comes after. Pairs with
	   BIAS-C5. */
	word32_store_release(&entry->bias_owner, 0);
}

uint64_t
bias_towards(const struct lane_entry *entry, uint32_t slot)
{
	/* BIAS-A9 acquire: the epoch and its bias. Pairs with BIAS-C4. */
	uint64_t head = word64_load_acquire(&entry->head);

	return bias_is_set(head) && (head >> 48 & 0x3fff) == slot ? head : 0;
}

void
bias_bury(struct lane_entry *entry, uint32_t slot)
{
	uint32_t owner = slot + 1;
	uint64_t head;

	/* relaxed: it does not change: its owner is dead */
	if (word32_load_relaxed(&entry->bias_owner) != owner)
		return;
	head = bias_towards(entry, slot);
	if (head)
		revoke_bias(entry, head, false);
	/* BIAS-C6 acq_rel: by any of those who repair. Pairs with BIAS-C5. */
	word32_cas_acq_rel(&entry->bias_owner, &owner, 0);
}
