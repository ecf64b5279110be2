/* SPDX-License-Identifier: MIT */
/* Layer 8. May include: base probe atomics layout participants claims doorbell bias lane broadcast bell. */
/*
 * What both ends of a lane know: its name, the memory of its entry, and how to
 * put in order what a dead receiver has left on it.
 */
#include "base.h"
#include "bell.h"
#include "lane.h"
#include "participants.h"
#include "probe.h"

#include <stdio.h>

#define READ_TRIES 1000	/* of a claim that changes all the time */

void
lane_name(uint32_t lane, char *ret)
{
	snprintf(ret, 16, "lane.%u", lane);
}

uint32_t
lane_entries(const struct view *view)
{
	/* LANE-A3 acquire: below this, the memory is committed. Pairs with
	   LANE-C3. */
	uint32_t n = word32_load_acquire(&view->receivers->lanes_committed);

	return n < LANES_MAX ? n : LANES_MAX;
}

bool
lane_holds_block(const struct view *view, uint64_t block, uint64_t size)
{
	const struct geometry *g = &view->geometry;

	return block >= g->blocks_offset && block <= g->lane_length &&
	       size <= g->lane_length - block && block % 8 == 0;
}

/*
 * An INTENT whose owner is dead. It has won if the head names it; if the head
 * stands elsewhere it has lost, or it was settled before the head moved on.
 */
static bool
settle_dead(struct view *view, uint32_t claim, uint64_t intent,
	    const struct taken *taken)
{
	uint64_t head, won;

	won = head_make(taken->position + 1, claim + 1);
	if (taken->lane >= lane_entries(view)) {
		claims_reset(view, claim, intent);
		return false;
	}
	/* Not decided yet, for us: the claim stays, for a later look. */
	if (bias_towards(&view->receivers->lanes[taken->lane],
			 claim_slot(intent)))
		return false;
	head = bias_head(&view->receivers->lanes[taken->lane], 0);
	if (head != won) {
		claims_reset(view, claim, intent);
		return false;
	}
	claims_confirm(view, claim, intent);
	return true;
}

/*
 * One claim of slot's. Its word is read before it is asked whether the owner
 * lives: then whoever wrote it is dead, even if the slot has a new owner by
 * now, and the CAS finds out whether anything has happened since. Returns 1 if
 * its message went back.
 */
static uint32_t
repair_claim(struct view *view, uint32_t claim, uint32_t slot, bool ours)
{
	struct taken taken;
	uint64_t word;
	int tries = 0;

	/* Changed meanwhile by another who repairs, and may stop there; he who
	   gets the slot must not leave it so. */
	while (!claims_read(view, claim, &word, &taken))
		if (!ours || ++tries == READ_TRIES)
			return 0;
	if (claim_slot(word) != slot || claim_state(word) == CLAIM_FREE)
		return 0;
	if (claim_state(word) == CLAIM_RETURNED) {
		/* By one who may have died before he could say so. */
		claims_announce(view);
		return 0;
	}
	if (!ours && participants_alive(view, slot) != 0)
		return 0;
	if (claim_state(word) == CLAIM_INTENT) {
		if (!settle_dead(view, claim, word, &taken))
			return 0;
		word = claim_with(word, slot, CLAIM_HELD);
	}
	return claims_return(view, claim, word);
}

/*
 * A lane biased towards the slot. Its head word is read before it is asked
 * whether the owner lives; so whoever began that bias is dead, whoever has the
 * slot by now.
 */
static void
repair_bias(struct view *view, uint32_t lane, uint32_t slot, bool ours)
{
	struct lane_entry *entry = &view->receivers->lanes[lane];
	uint64_t head = bias_towards(entry, slot);

	if (ours)
		bias_bury(entry, slot);
	else if (head && participants_alive(view, slot) == 0)
		bias_revoke_dead(entry, head);
	if (head)
		/* Its sender may have seen one message less. */
		doorbell_stir_sender(view, lane);
}

/* Only he who keeps others from the slot may say that nobody is there. */
static void
repair_audience(struct view *view, uint32_t slot, bool ours)
{
	if (!ours)
		return;
	if (broadcast_leave(view, slot))
		broadcast_stir(view);
}

uint32_t
lane_repair_slot(struct view *view, uint32_t slot, bool ours)
{
	uint32_t lanes = lane_entries(view), lane, claim, returned = 0;

	if (ours)
		bell_remove_of_slot(view, slot);
	if (broadcast_is(view)) {
		repair_audience(view, slot, ours);
		return 0;
	}
	/* First the heads: they tell which claims have won. */
	for (lane = 0; lane < lanes; lane++)
		repair_bias(view, lane, slot, ours);
	for (claim = 0; claim < claims_count(view); claim++)
		returned += repair_claim(view, claim, slot, ours);
	PROBE2(repair, slot, returned);
	return returned;
}
