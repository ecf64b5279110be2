/* SPDX-License-Identifier: MIT */
/* Who sends, in every way that the mailbox allows. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "actors.h"
#include "contents.h"

#define BATCH_MAX 24
#define DRAFTS_MAX 3

/* Nothing was sent; else the call may not return that here. */
static bool
is_refusal(const struct actor *actor, int result)
{
	if (result == -ENOSPC)
		atomic_fetch_add(&account->refused_memory, 1);
	return is_nothing(result) || result == -ENOSPC ||
	       (result == -EPIPE && actor->mailbox == INBOX);
}

static struct cubby_envelope
envelope_for(const struct actor *actor, uint64_t id)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;

	envelope.tag = id;
	envelope.type = type_of(id);
	envelope.priority = priority_of(actor->mailbox, id);
	return envelope;
}

/* A named sender: what had been published when the last of that name was
   killed is told by the mailbox. It has to be one of those that he may have
   sent; the account follows it. */
static void
resume(struct actor *actor)
{
	const struct life *life = &account->life[actor->life];
	uint64_t sequence, tag;
	int64_t time = now();
	uint32_t number;
	int result = cubby_published(actor->handle, &sequence, &tag);

	if (result < 0)
		wrong_result(actor, "cubby_published", result);
	actor->next = 0;
	if ((sequence || tag) && LIFE_OF(tag) == actor->life)
		actor->next = NUMBER_OF(tag) + 1;
	if (actor->next < life->accepted || actor->next > life->begun)
		found(WRONG,
		      "person %u comes back to %s and is told that "
		      "%u messages of sender %u are published; %u were begun "
		      "and %u accepted",
		      actor->number, actor->kind->name, actor->next,
		      actor->life, life->begun, life->accepted);
	for (number = life->accepted; number < actor->next; number++)
		enter_accepted(actor->life, number, account->round_began, time);
	if (actor->next)
		atomic_fetch_add(&account->resumed, 1);
}

static void
send_one(struct actor *actor, int flags)
{
	uint64_t id = ID(actor->life, actor->next);
	size_t size = contents_size(actor->mailbox, id);
	struct cubby_envelope envelope = envelope_for(actor, id);
	int64_t before, deadline = choose_deadline(actor);
	int result;

	contents_fill(actor->data, size, id);
	enter_begun(actor->life, actor->next);
	begin_doing(actor, flags || actor->mailbox == MEETING ?
				   SENDING_MEETING :
				   SENDING);
	before = now();
	result = cubby_send_full(actor->handle, actor->data, size, &envelope,
				 flags, deadline);
	if (result == 0 || (result == -EINPROGRESS && flags &&
			    actor->kind->order == CUBBY_ORDER_SENDER)) {
		enter_accepted(actor->life, actor->next++, before, now());
	} else {
		enter_refused(actor->life, actor->next);
		if (!is_refusal(actor, result))
			wrong_result(actor, "cubby_send_full", result);
	}
	end_doing(actor);
}

static void
send_batch(struct actor *actor)
{
	struct cubby_batch_entry entries[BATCH_MAX];
	struct cubby_envelope envelopes[BATCH_MAX];
	uint32_t wanted = 1 + below(&actor->random, BATCH_MAX), count;
	int64_t before, deadline = choose_deadline(actor);
	size_t at = 0;
	int result;

	for (count = 0; count < wanted; count++) {
		uint64_t id = ID(actor->life, actor->next + count);
		size_t size = contents_size(actor->mailbox, id);

		if (actor->next + count >= LIFE_MESSAGES ||
		    at + size > BUFFER_SIZE)
			break;
		contents_fill(actor->data + at, size, id);
		envelopes[count] = envelope_for(actor, id);
		entries[count] = (struct cubby_batch_entry){
			actor->data + at, size, &envelopes[count]
		};
		at += size;
		enter_begun(actor->life, actor->next + count);
	}
	begin_doing(actor, SENDING);
	before = now();
	result = cubby_send_batch(actor->handle, entries, count, 0, deadline);
	for (uint32_t i = 0; i < count; i++)
		if ((int)i < result)
			enter_accepted(actor->life, actor->next + i, before,
				       now());
		else
			enter_refused(actor->life, actor->next + i);
	end_doing(actor);
	if (result > 0)
		actor->next += (uint32_t)result;
	else if (!is_refusal(actor, result))
		wrong_result(actor, "cubby_send_batch", result);
}

/* Commits a draft as the next message, or gives it up. */
static void
end_draft(struct actor *actor, cubby_draft *draft)
{
	uint64_t id = ID(actor->life, actor->next);
	size_t size = contents_size(actor->mailbox, id);
	struct cubby_envelope envelope = envelope_for(actor, id);
	int64_t before;
	int result;

	if (size > cubby_draft_size(draft) || actor->next >= LIFE_MESSAGES ||
	    below(&actor->random, 8) == 0) {
		cubby_abort(draft);
		return;
	}
	contents_fill(cubby_draft_data(draft), size, id);
	enter_begun(actor->life, actor->next);
	before = now();
	result = cubby_commit(draft, size, &envelope);
	if (result == 0) {
		enter_accepted(actor->life, actor->next++, before, now());
		return;
	}
	enter_refused(actor->life, actor->next);
	cubby_abort(draft);
	if (!is_refusal(actor, result))
		wrong_result(actor, "cubby_commit", result);
}

/* Several drafts, committed in another order than they were reserved in. */
static void
send_drafts(struct actor *actor)
{
	cubby_draft *drafts[DRAFTS_MAX];
	uint32_t wanted = 1 + below(&actor->random, DRAFTS_MAX), count;
	int64_t deadline = choose_deadline(actor);
	int result = 0;

	begin_doing(actor, SENDING);
	for (count = 0; count < wanted; count++) {
		uint64_t id = ID(actor->life, actor->next + count);

		result = cubby_reserve(actor->handle,
				       contents_size(actor->mailbox, id),
				       count ? CUBBY_NOW : deadline,
				       &drafts[count]);
		if (result < 0)
			break;
	}
	end_doing(actor);
	if (result < 0 && !is_refusal(actor, result))
		wrong_result(actor, "cubby_reserve", result);
	while (count) {
		uint32_t i = below(&actor->random, count);

		end_draft(actor, drafts[i]);
		drafts[i] = drafts[--count];
	}
}

static void
send_somehow(struct actor *actor)
{
	uint32_t ways = actor->kind->ways, share = below(&actor->random, 16);

	if (share == 0 && ways & SEND_SYNCHRONOUS)
		send_one(actor, CUBBY_SYNCHRONOUS);
	else if (share < 3 && ways & SEND_BATCH)
		send_batch(actor);
	else if (share < 6 && ways & SEND_DRAFT)
		send_drafts(actor);
	else
		send_one(actor, 0);
}

/* Waits until there is room, in one of the ways there are. */
static void
wait_for_room(struct actor *actor)
{
	struct cubby_wait_entry entry = { actor->handle, CUBBY_SEND, 0 };
	struct pollfd pollfd = { .events = POLLIN };
	int result;

	if (below(&actor->random, 2)) {
		result = cubby_wait(&entry, 1, choose_deadline(actor));
		if (result < 0 && !is_nothing(result))
			wrong_result(actor, "cubby_wait", result);
		return;
	}
	result = cubby_fd(actor->handle, CUBBY_SEND);
	if (result < 0)
		wrong_result(actor, "cubby_fd", result);
	pollfd.fd = result;
	poll(&pollfd, 1, 100);
}

/* Does more wait there than a mailbox without a limit should have here? */
static bool
is_enough(const struct actor *actor)
{
	return actor->kind->buffering == CUBBY_UNLIMITED &&
	       atomic_load(&account->box[actor->mailbox].waiting) > 3000;
}

void
play_sender(struct actor *actor)
{
	const struct role *role = actor->role;
	char name[16];

	if (!begin_life(actor))
		return;
	snprintf(name, sizeof(name), "place.%u", actor->me->place);
	if (!open_box(actor, actor->mailbox, CUBBY_SEND,
		      role->named ? name : NULL, &actor->handle))
		return;
	if (role->named)
		resume(actor);
	while (!senders_end() && actor->next < LIFE_MESSAGES) {
		pause_now_and_then(actor);
		if (is_enough(actor))
			stand_idle(1000000);
		else
			send_somehow(actor);
		if (below(&actor->random, 64) == 0 &&
		    actor->kind->buffering != CUBBY_RENDEZVOUS)
			wait_for_room(actor);
		/* Of one that is unlinked meanwhile nobody would receive. */
		if (actor->kind->use == USE_FLEETING &&
		    below(&actor->random, 200) == 0)
			break;
	}
	if (role->named && actor->next >= LIFE_MESSAGES)
		atomic_store(&account->named[actor->me->place], 0);
	leave(actor);
}
