/* SPDX-License-Identifier: MIT */
#ifndef ACTS_H
#define ACTS_H
/* What victims do: by file, and acts.c has the list. */
#include "play.h"

#define MOMENT	NANOSECONDS	/* what a call waits that may wait in vain */

/* The victim's; more than the harness's struct victim has. */
struct own {
	struct stage *stage;
	const struct act *act;
	cubby_request *request;
	unsigned char bytes[BUFFER];
};
extern struct own own;

/* Ends the victim: it could not prepare. */
void
manage(int result, const char *what);

/* A deadline. Step by step nothing is quick, and nothing in vain. */
int64_t
in_a_moment(void);

/* receiving.c */
void
receive(struct victim *victim);
void
peek(struct victim *victim);
void
receive_batch(struct victim *victim);
void
hold(struct victim *victim);
void
prepare_held(struct victim *victim);
void
release(struct victim *victim);
void
reject(struct victim *victim);
void
wait_for_message(struct victim *victim);
void
prepare_descriptor(struct victim *victim);
void
poll_for_message(struct victim *victim);
void
prepare_next_ring(struct victim *victim);
void
inspect(struct victim *victim);
void
sweep(struct victim *victim);

/* sending.c */
void
open_mailbox(struct victim *victim);
void
close_mailbox(struct victim *victim);
void
send_it(struct victim *victim);
void
send_synchronously(struct victim *victim);
void
send_batch(struct victim *victim);
void
prepare_full(struct victim *victim);
void
prepare_ring(struct victim *victim);
void
prepare_left(struct victim *victim);
void
reserve_commit(struct victim *victim);
void
wait_for_room(struct victim *victim);

/* calling.c */
void
call(struct victim *victim);
void
prepare_called(struct victim *victim);
void
prepare_answered(struct victim *victim);
void
prepare_call_again(struct victim *victim);
void
end_call(struct victim *victim);
void
cancel(struct victim *victim);
void
prepare_taken(struct victim *victim);
void
reply(struct victim *victim);

/* using.c */
void
open_region(struct victim *victim);
void
open_region_to_read(struct victim *victim);
void
prepare_ground(struct victim *victim);
void
use_region(struct victim *victim);
void
lock_region(struct victim *victim);
void
wait_in_region(struct victim *victim);
void
await_in_region(struct victim *victim);
void
prepare_own_region(struct victim *victim);
void
send_region(struct victim *victim);
void
receive_region(struct victim *victim);
void
prepare_received_region(struct victim *victim);
void
close_region(struct victim *victim);

#endif
