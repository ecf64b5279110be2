/* SPDX-License-Identifier: MIT */
/*
 * What persons do. Each of these runs in a process of its own, until the round
 * ends for it, its life is full, or it is killed.
 */
#ifndef SOAK_ACTORS_H
#define SOAK_ACTORS_H

#include <cubby.h>
#include <stdbool.h>
#include <stdint.h>

#include "account.h"
#include "kinds.h"

struct actor {
	struct person *me;
	uint32_t number; /* of the person */
	uint32_t mailbox;
	const struct kind *kind;
	const struct role *role;
	uint64_t random;
	cubby_mailbox *handle;
	uint32_t life, next; /* a sender's: which message is next */
	char *data;	     /* BUFFER_SIZE, private */
	char *buffer;	     /* the same, of the account */
};

void
play_sender(struct actor *actor);
void
play_receiver(struct actor *actor);
void
play_poller(struct actor *actor);
void
play_waiter(struct actor *actor);
void
play_hearer(struct actor *actor);
void
play_caller(struct actor *actor);
void
play_server(struct actor *actor);
void
play_giver(struct actor *actor);
void
play_getter(struct actor *actor);
void
play_locker(struct actor *actor);
void
make_locked(void);
void
play_sweeper(struct actor *actor);

/* A call may return these now and then: nothing was sent or received. */
bool
is_nothing(int result);

/* Notes an error that the call must not return, and ends this process. */
_Noreturn void
wrong_result(struct actor *actor, const char *call, int result);

/* Opens a mailbox of the table. Waits while an inbox has another receiver, or a
   broadcast all it can take; false if the round ended meanwhile. */
bool
open_box(struct actor *actor, uint32_t mailbox, int flags,
	 const char *sender_name, cubby_mailbox **ret);

/* Says that we leave, and closes. What we hold goes back. */
void
leave(struct actor *actor);

/* A deadline: now, soon, or never. */
int64_t
choose_deadline(struct actor *actor);

/* Stands idle for a moment now and then, so that others fall asleep. */
void
pause_now_and_then(struct actor *actor);

void
stand_idle(int64_t nanoseconds);

bool
senders_end(void);
bool
receivers_end(void);

void
begin_doing(struct actor *actor, enum doing doing);
void
end_doing(struct actor *actor);

/* Gives the actor a life; its own, or that of the name it bears. False if there
   are none left. */
bool
begin_life(struct actor *actor);

/* Holds one message of that mailbox, enters it, ends it. 0, or what the hold
   returned. */
int
hold_one(struct actor *actor, cubby_mailbox *handle, uint32_t mailbox,
	 const struct cubby_filter *filter, int64_t deadline);

/* Receives one region, and ends it. */
int
get_region(struct actor *actor, int64_t deadline);

/* Empties a mailbox, when all have gone. */
void
drain(struct actor *actor, uint32_t mailbox);

#endif
