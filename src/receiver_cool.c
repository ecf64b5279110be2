/* SPDX-License-Identifier: MIT */
/* Layer 10. May include: base doorbell lane taking receiver. */
/*
 * Cooling: lanes that have been quiet for long ring again before each message, and
 * are not looked at until they do.
 *
 * A lane that rings costs its sender nothing and each look of a receiver some
 * 15 ns; a lane that is cold costs its sender the bit. To cool lanes takes one
 * barrier, which disturbs every processor, for however many. So it is done when
 * looks in vain have cost some ten times that, all lanes together, and with all
 * that have had their share of these: a lane alone after thousands of looks, each
 * of a thousand lanes after a few. Else the receiver of a thousand lanes, one of
 * them busy, would look at a thousand of them for every message, and for seconds.
 *
 *	receiver (cools)			sender
 *	hot = 0, clear the bit			store sequence (publish)
 *	membarrier				[compiler keeps the order]
 *	look at the lane			load hot, load the bit
 *	something: set the bit			either is 0: set the bit
 *
 * Each lane's sender either published before the barrier ended, and the look sees
 * it, or looks after it, and sets the bit.
 */
#include "base.h"
#include "receiver.h"

/* Of the lanes of one word those that ring, and have found us in vain more often
   than `quiet` times in a row. */
static uint64_t
quiet_lanes(const struct receiver *receiver, uint32_t word, uint32_t quiet)
{
	uint64_t bits = doorbell_ringing(receiver->view, word), found = 0;
	const struct lane_reader *reader;
	uint32_t lane;

	for (; bits; bits &= bits - 1) {
		lane = word * 64 + (uint32_t)__builtin_ctzll(bits);
		if (lane >= receiver->known)
			break;
		reader = receiver->lanes[lane];
		if (reader && reader->quiet > quiet)
			found |= bits & -bits;
	}
	return found;
}

/* One that was just cooled, after the barrier: its last look. */
static void
look_at_cooled(struct receiver *receiver, uint32_t lane)
{
	struct lane_reader *reader = receiver->lanes[lane];
	struct sight sight;

	reader->quiet = 0;
	reader->taken = 0;
	doorbell_cool_again(receiver->view, lane);
	if (lane_look(reader, &sight) > 0)
		doorbell_mark(receiver->view, lane);
}

void
receiver_cool(struct receiver *receiver)
{
	uint32_t word, words = receiver_words(receiver), ringing = 1, lane;
	uint64_t quiet[LANES_MAX / 64], bits, any = 0;

	receiver->vain = 0;
	for (word = 0; word < words; word++)
		ringing += (uint32_t)__builtin_popcountll(
			doorbell_ringing(receiver->view, word));
	for (word = 0; word < words; word++) {
		bits = quiet_lanes(receiver, word, COOL_EVERY / ringing);
		any |= quiet[word] = bits;
		for (; bits; bits &= bits - 1) {
			lane = word * 64 + (uint32_t)__builtin_ctzll(bits);
			doorbell_cool(receiver->view, lane);
		}
	}
	if (!any)
		return;
	doorbell_cooled();
	for (word = 0; word < words; word++) {
		for (bits = quiet[word]; bits; bits &= bits - 1) {
			lane = word * 64 + (uint32_t)__builtin_ctzll(bits);
			look_at_cooled(receiver, lane);
		}
	}
}
