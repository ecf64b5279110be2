/* SPDX-License-Identifier: MIT */
/* Layer 9. May include: base atomics lane answers taking. */
/*
 * The plain case of a receive that is told about its message: the lane is biased
 * towards us, and its next message lies in its cell. It goes as cubby_receive()
 * does; a request is said to be ours first (layout_reply.h).
 */
#include "base.h"
#include "taking.h"

/* The request can be ours, and its caller knows. */
static bool
begin(struct receiver *receiver, const struct lane_reader *reader,
      const struct taken *taken, struct called *ret)
{
	return likely(taking_meet(receiver, reader, taken, ret) == 0) &&
	       likely(answers_take(&receiver->answers, ret));
}

bool
taking_plain(struct receiver *receiver, struct lane_reader *reader,
	     struct wish *wish)
{
	const struct taken *taken = &wish->taken;
	const word64 *bytes;
	struct called called;

	if (!lane_see_plain(reader, wish->size, &wish->taken, &bytes))
		return false;
	if (taken->call && !begin(receiver, reader, taken, &called))
		return false;
	/* relaxed: the cell does not change before BIAS-R1 */
	copy_out_relaxed(wish->buffer, bytes, taken->size);
	if (unlikely(shm_is_broken(&reader->mapping)) ||
	    (unlikely(!lane_pass_plain(reader)) && !lane_keep_plain(reader))) {
		if (taken->call)
			answers_give_up(&receiver->answers, &called);
		return false;
	}
	if (unlikely(lane_taken_plain(reader)))
		lane_tell_sender(reader);
	wish->uid = reader->uid;
	wish->deliveries = 1;
	if (taken->call)
		taking_copied(receiver, &called, wish);
	return true;
}
