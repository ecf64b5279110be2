/* SPDX-License-Identifier: MIT */
/* Layer 9. May include: base atomics spin exclusion layout participants claims doorbell lane answers parcel. */
/*
 * Taking one message, by copy, by peek, or by claim, from a lane or from those
 * that went back.
 */
#ifndef CUBBY_TAKING_H
#define CUBBY_TAKING_H

#include "base.h"
#include "answers.h"
#include "exclusion.h"
#include "lane.h"
#include "parcel.h"
#include "spin.h"

struct receiver {
	struct view *view;
	struct liveness life;
	uint32_t slot;
	bool trusts;			/* hold other users' messages in place */
	struct lane_reader **lanes;	/* NULL: not a lane */
	uint32_t room;			/* in that array; at least `known` */
	uint32_t known;			/* lanes below it have been opened */
	int trouble;			/* of opening one, to be told; or 0 */
	struct lane_reader *turn;	/* the lane whose turn it is; or NULL */
	uint32_t current;		/* its number */
	uint32_t burst;			/* messages left of its turn */
	uint32_t length;		/* of its turn, messages */
	int64_t began;			/* ns: its turn */
	uint32_t returned;		/* claims_returned() when last looked */
	uint32_t calm;			/* bursts since the last sleep */
	uint32_t vain;			/* looks at ringing lanes, since lanes were cooled */
	uint32_t polls;			/* looks in vain until the clock */
	uint32_t poll_length;
	int64_t polled;			/* ns: when last at the clock */
	int64_t next_sweep;		/* ns: a look of one's own */
	struct answers answers;
	bool inbox;			/* who is awaited by name may have gone */
	int64_t asked;			/* clock_tick(), when last asked that */
	uint32_t sweeps;
	uint32_t quick;			/* quick looks in vain, as one of several */
	struct sleeper sleeper;
	struct spin spin;
	struct exclusion exclusion;
	struct cubby_message *held;
	struct cubby_message *spare;
};

/* The reader of a lane, opened if it has to be; NULL: no such lane, or something
   that somebody has planted in its place, or (*ret_error) no means to open it. */
struct lane_reader *
taking_lane(struct receiver *receiver, uint32_t lane, int *ret_error);

/* A lane that could not be read by us alone is mapped anew, if nothing of it is
   held. */
void
taking_reopen(struct receiver *receiver, uint32_t lane);

/* Opens the lane after those that are known. False: there is none. */
bool
taking_open_next(struct receiver *receiver);

/* May a message of that lane be what the wish is for? */
static inline bool
taking_is_wanted(const struct wish *wish, const struct lane_reader *reader)
{
	return (likely(!wish->sender) || wish->sender == reader->lane + 1) &&
	       (likely(!wish->name) || !strcmp(wish->name, reader->name));
}

/*
 * Were senders of that name there, and have all gone? They may have left
 * messages. What cannot be known counts as being there. 1, or 0. Errors: -EMFILE,
 * -ENFILE, -ENOMEM, -ENOLCK; else we might wait for ever for who has gone.
 */
int
taking_have_gone(struct receiver *receiver, const char *name);

/* There is one, for WISH_LOOK. */
#define TAKING_SEEN 1

/* The lane's next message. -EAGAIN: there is none. Other errors as for
   receiver_grant(). */
int
taking_try(struct receiver *receiver, struct lane_reader *reader,
	   struct wish *wish);

/* Grants a wish to copy one in the plain case, quickly. False: it is not that, or
   there is none; go the general way. */
bool
taking_plain(struct receiver *receiver, struct lane_reader *reader,
	     struct wish *wish);

/* A message that went back. returned: the event count by which it is looked
   for. */
int
taking_try_returned(struct receiver *receiver, struct wish *wish,
		    uint32_t returned);

/* Ends a held message. -EBADMSG: what was read may have been wrong. */
int
taking_release(struct receiver *receiver, struct cubby_message *held);
void
taking_reject(struct receiver *receiver, struct cubby_message *held);

/* Between the parts of taking (taking.c, taking_hands.c, taking_returned.c)  */

/* Requests (layout_reply.h). Does anybody wait for it? -ENOENT: no, it is to be
   passed over. Other errors: those of answers_meet(). */
int
taking_meet(struct receiver *receiver, const struct lane_reader *reader,
	    const struct taken *taken, struct called *ret);

/* The claim is ours. False: nobody is to have the request, and the claim is
   free. */
bool
taking_own(struct receiver *receiver, const struct called *called,
	   uint32_t number, uint64_t word);

/* It has been copied, perhaps by one who cannot reply. */
void
taking_copied(struct receiver *receiver, const struct called *called,
	      const struct wish *wish);

/* Memory for a handle of that message. Errors: -ENOMEM. */
int
taking_prepare_hold(struct receiver *receiver, const struct lane_reader *reader,
		    const struct taken *taken, struct cubby_message **ret);
void
taking_unprepare_hold(struct receiver *receiver, struct cubby_message *held);

/* The claim, which held->claim and held->word say, is ours: a handle for it. */
void
taking_begin_hold(struct receiver *receiver, const struct lane_reader *reader,
		  struct cubby_message *held, const struct taken *taken);

static inline void
taking_fill_in(struct wish *wish, const struct lane_reader *reader,
	       const struct taken *taken, uint32_t deliveries)
{
	wish->taken = *taken;
	wish->uid = reader->uid;
	wish->deliveries = deliveries;
}

/* The block goes to the buffer; its lane may break under it: -EBADMSG. */
static inline int
taking_copy_block(const struct lane_reader *reader, const struct taken *taken,
		  void *buffer)
{
	memcpy(buffer, lane_read_block(reader, taken->block), taken->size);
	return shm_is_broken(&reader->mapping) ? -EBADMSG : 0;
}

#endif
