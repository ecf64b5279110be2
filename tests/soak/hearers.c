/* SPDX-License-Identifier: MIT */
/*
 * Who receives what everybody gets. What must hold is known to each by himself:
 * of one lane (`sender` of the envelope) the sequences rise by one, and by what
 * has been missed, which is nothing where a slow receiver holds the senders back;
 * of one life the numbers rise; and when all senders have gone, he has had all
 * that was sent since he joined.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "actors.h"
#include "contents.h"

#define LANES_MAX 4097

struct heard {
	uint32_t next[LIVES_MAX];     /* number of each life; 0: none so far */
	uint64_t sequence[LANES_MAX]; /* of each lane, the last; 0: none */
	int64_t joined;
};

static void
check_order(struct actor *actor, struct heard *heard,
	    const struct cubby_envelope *envelope)
{
	uint32_t life = LIFE_OF(envelope->tag);
	uint32_t number = NUMBER_OF(envelope->tag);
	bool every = actor->kind->delivery == CUBBY_EVERY;
	uint64_t *last = &heard->sequence[envelope->sender % LANES_MAX];

	if (*last && envelope->sequence != *last + 1 + envelope->missed)
		found(LOST,
		      "person %u at %s: after %llu of lane %llu comes "
		      "%llu, and %llu are said to be missed",
		      actor->number, actor->kind->name,
		      (unsigned long long)*last,
		      (unsigned long long)envelope->sender,
		      (unsigned long long)envelope->sequence,
		      (unsigned long long)envelope->missed);
	*last = envelope->sequence;
	if (number < heard->next[life])
		found_message(number + 1 == heard->next[life] ? DOUBLED :
								DISORDERED,
			      life, number, "person %u heard it after %u",
			      actor->number, heard->next[life] - 1);
	else if (every &&
		 (heard->next[life] ||
		  account->life[life].born > heard->joined) &&
		 number != heard->next[life])
		found_message(LOST, life, number,
			      "person %u, who waited for "
			      "%u, heard it instead",
			      actor->number, heard->next[life]);
	heard->next[life] = number + 1;
	if (every && envelope->missed)
		found_message(LOST, life, number,
			      "person %u is said to have "
			      "missed %llu before it",
			      actor->number,
			      (unsigned long long)envelope->missed);
	atomic_fetch_add(&account->overtaken, envelope->missed);
}

static void
check_message(struct actor *actor, struct heard *heard, const void *data,
	      size_t size, const struct cubby_envelope *envelope)
{
	uint64_t id = envelope->tag;

	if (LIFE_OF(id) >= account->lives || NUMBER_OF(id) >= LIFE_MESSAGES ||
	    account->life[LIFE_OF(id)].mailbox != actor->mailbox ||
	    !contents_hold(data, size, id) ||
	    size != contents_size(actor->mailbox, id)) {
		found(DAMAGED,
		      "person %u at %s: message %u of sender %u, %zu "
		      "bytes",
		      actor->number, actor->kind->name, NUMBER_OF(id),
		      LIFE_OF(id), size);
		return;
	}
	if (!(account_message(LIFE_OF(id), NUMBER_OF(id))->state & BEGUN))
		found_message(DAMAGED, LIFE_OF(id), NUMBER_OF(id),
			      "person %u heard what nobody sent",
			      actor->number);
	check_order(actor, heard, envelope);
	atomic_fetch_add(&account->broadcast, 1);
}

static int
hear_one(struct actor *actor, struct heard *heard, int64_t deadline)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	cubby_message *message;
	size_t size;
	int result;

	if (below(&actor->random, 4)) {
		result = cubby_receive_full(actor->handle, NULL, 0, deadline,
					    actor->data, BUFFER_SIZE, &size,
					    &envelope);
		if (result == 0)
			check_message(actor, heard, actor->data, size,
				      &envelope);
	} else {
		result = cubby_hold(actor->handle, NULL, deadline, &message);
		if (result == 0) {
			cubby_message_envelope(message, &envelope);
			check_message(actor, heard, cubby_message_data(message),
				      cubby_message_size(message), &envelope);
			cubby_release(message);
		}
	}
	if (result < 0 && !is_nothing(result))
		wrong_result(actor, "a receive", result);
	return result;
}

/* All senders have gone: of each life, has the last that must be heard been? */
static void
check_end(struct actor *actor, const struct heard *heard)
{
	uint32_t lives = atomic_load(&account->lives);

	for (uint32_t life = 0; life < lives; life++) {
		const struct life *l = &account->life[life];

		if (l->mailbox != actor->mailbox || !l->accepted ||
		    heard->next[life] >= l->accepted ||
		    account_message(life, l->accepted - 1)->send_begun <=
			    microseconds_up(heard->joined))
			continue;
		found_message(LOST, life, l->accepted - 1,
			      "person %u, who came at %u us, has not heard it, "
			      "only those before %u",
			      actor->number, microseconds_up(heard->joined),
			      heard->next[life]);
	}
}

void
play_hearer(struct actor *actor)
{
	struct heard *heard = calloc(1, sizeof(*heard));

	if (!heard || !open_box(actor, actor->mailbox, CUBBY_RECEIVE, NULL,
				&actor->handle))
		return;
	heard->joined = now();
	while (!receivers_end()) {
		pause_now_and_then(actor);
		hear_one(actor, heard, choose_deadline(actor));
	}
	while (hear_one(actor, heard, CUBBY_NOW) != -EAGAIN)
		;
	if (actor->kind->delivery == CUBBY_EVERY)
		check_end(actor, heard);
	free(heard);
	leave(actor);
}
