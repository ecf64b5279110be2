/* SPDX-License-Identifier: MIT */
#ifndef BENCH_OURS_H
#define BENCH_OURS_H
/*
 * cubby as a contender. Blocking: cubby_send() and cubby_receive(), as anyone
 * would write it. Polling: the full forms with CUBBY_NOW, again and again, so
 * that nobody ever sleeps.
 */
#include "bench.h"
#include "cubby.h"

/* For those that make contenders of mailboxes. */
struct ours_detail {
	bool both_ways;	   /* a second mailbox for the answers */
	uint64_t capacity; /* 0: the default */
	enum cubby_order order;
	enum cubby_delivery delivery;
};

struct ours_side {
	cubby_mailbox *to, *from;
};

int
ours_make(const struct contender *self, void **ret);
int
ours_join(const struct contender *self, void *made, int member, void **ret);
void
ours_leave(void *side);
void
ours_unmake(void *made);

/* Messages of 40 bytes. */
extern const struct contender cubby_round_trip;
extern const struct contender cubby_round_trip_polling;
extern const struct contender cubby_stream;
extern const struct contender cubby_stream_polling;
extern const struct contender cubby_stream_from_three;
extern const struct contender cubby_stream_beside_idle;
extern const struct contender cubby_round_trip_beside_idle;
extern const struct contender cubby_asleep;
extern const struct contender cubby_asleep_polling; /* the asker polls */

/* Messages of 1 MiB in place: reserve and commit, hold and release. */
extern const struct contender cubby_in_place_untouched; /* round trip */
extern const struct contender cubby_in_place_in_full;	/* one way */

/* Messages of 64 bytes, two senders to two receivers, in order of arrival. */
extern const struct contender cubby_queue; /* 128 deep, as is usual */
extern const struct contender cubby_queue_10;

#endif
