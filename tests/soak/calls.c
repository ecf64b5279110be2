/* SPDX-License-Identifier: MIT */
/*
 * Who calls, and who serves. A request is a message of the account; it is served
 * once at the most, whatever happens. A reply says which request it answers, and
 * the caller that gets one knows that the request was entered as served.
 */
#include <errno.h>
#include <string.h>

#include "actors.h"
#include "contents.h"

/* The errors that a caller is told when others die, or time is over. */
static bool
is_unanswered(int result)
{
	return is_nothing(result) || result == -EPIPE || result == -ENOSPC ||
	       result == -EUSERS;
}

static void
check_reply(struct actor *actor, uint64_t id, size_t size)
{
	uint64_t state = account_message(LIFE_OF(id), NUMBER_OF(id))->state;

	if (!contents_hold(actor->data, size, ~id) ||
	    size != contents_size(actor->mailbox, ~id))
		found_message(DAMAGED, LIFE_OF(id), NUMBER_OF(id),
			      "person %u got a reply that is not this one's",
			      actor->number);
	else if (!(state & HANDED))
		found_message(WRONG, LIFE_OF(id), NUMBER_OF(id),
			      "person %u got a reply, and nobody served",
			      actor->number);
	atomic_fetch_add(&account->calls_answered, 1);
}

static void
call_one(struct actor *actor)
{
	uint64_t id = ID(actor->life, actor->next++);
	size_t size = contents_size(actor->mailbox, id), replied;
	int64_t deadline = choose_deadline(actor);
	int result;

	contents_fill(actor->data, size, id);
	enter_begun(actor->life, NUMBER_OF(id));
	result = cubby_call(actor->handle, actor->data, size, actor->data,
			    BUFFER_SIZE, &replied, deadline);
	if (result == 0)
		check_reply(actor, id, replied);
	else if (is_unanswered(result))
		atomic_fetch_add(&account->calls_broken, 1);
	else
		wrong_result(actor, "cubby_call", result);
}

/* Several requests under way; the last of them may be given up. */
static void
call_several(struct actor *actor)
{
	enum { COUNT = 4 };
	cubby_request *requests[COUNT];
	uint64_t ids[COUNT];
	uint32_t count, i;
	size_t replied;
	int result = 0;

	for (count = 0; count < COUNT && actor->next < LIFE_MESSAGES; count++) {
		uint64_t id = ID(actor->life, actor->next++);
		size_t size = contents_size(actor->mailbox, id);

		ids[count] = id;
		contents_fill(actor->data, size, id);
		enter_begun(actor->life, NUMBER_OF(id));
		result = cubby_call_begin(actor->handle, actor->data, size,
					  NULL, choose_deadline(actor),
					  &requests[count]);
		if (result < 0)
			break;
	}
	if (result < 0 && !is_unanswered(result))
		wrong_result(actor, "cubby_call_begin", result);
	for (i = 0; i < count; i++) {
		result = cubby_call_end(requests[i], actor->data, BUFFER_SIZE,
					&replied, choose_deadline(actor));
		if (result == 0)
			check_reply(actor, ids[i], replied);
		else if (is_nothing(result))
			cubby_call_cancel(requests[i]);
		else if (!is_unanswered(result))
			wrong_result(actor, "cubby_call_end", result);
	}
}

void
play_caller(struct actor *actor)
{
	if (!begin_life(actor) ||
	    !open_box(actor, actor->mailbox, CUBBY_SEND, NULL, &actor->handle))
		return;
	while (!senders_end() && actor->next < LIFE_MESSAGES) {
		pause_now_and_then(actor);
		if (below(&actor->random, 6))
			call_one(actor);
		else
			call_several(actor);
	}
	leave(actor);
}

/* Serving ------------------------------------------------------------------------ */

/* The id stands in the contents: the tag of a request is cubby's own. */
static bool
enter_request(struct actor *actor, const void *data, size_t size,
	      const struct cubby_envelope *envelope, int64_t before,
	      uint64_t *ret_id)
{
	int64_t after = now();
	size_t said;

	if (size < CONTENTS_HEAD || !contents_head(data, ret_id, &said) ||
	    !contents_hold(data, size, *ret_id) || !envelope->call ||
	    size != contents_size(actor->mailbox, *ret_id)) {
		found(DAMAGED,
		      "person %u at %s: a request of %zu bytes that "
		      "nobody sent",
		      actor->number, actor->kind->name, size);
		return false;
	}
	return enter_handed(
		&(struct handed){ .me = actor->number,
				  .mailbox = actor->mailbox,
				  .id = *ret_id,
				  .deliveries = envelope->deliveries,
				  .for_good = true,
				  .once = true,
				  .before = before,
				  .after = after });
}

static void
reply(struct actor *actor, const struct cubby_envelope *envelope, uint64_t id)
{
	size_t size = contents_size(actor->mailbox, ~id);
	int result;

	pause_now_and_then(actor);
	if (below(&actor->random, 50) == 0)
		return;
	contents_fill(actor->data, size, ~id);
	result = cubby_reply(actor->handle, envelope, actor->data, size);
	if (result < 0 && result != -EPIPE && result != -ENOSPC)
		wrong_result(actor, "cubby_reply", result);
}

static void
serve_held(struct actor *actor)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	cubby_message *message;
	int64_t before = now();
	uint64_t id;
	int result = cubby_hold(actor->handle, NULL, choose_deadline(actor),
				&message);

	if (is_nothing(result))
		return;
	if (result < 0)
		wrong_result(actor, "cubby_hold", result);
	result = cubby_message_envelope(message, &envelope);
	if (result < 0)
		wrong_result(actor, "cubby_message_envelope", result);
	/* Not entered: another may serve it. */
	if (below(&actor->random, 12) == 0) {
		result = cubby_reject(message);
		if (result < 0)
			wrong_result(actor, "cubby_reject", result);
		return;
	}
	if (enter_request(actor, cubby_message_data(message),
			  cubby_message_size(message), &envelope, before, &id))
		reply(actor, &envelope, id);
	result = cubby_release(message);
	if (result < 0)
		wrong_result(actor, "cubby_release", result);
}

static void
serve_copied(struct actor *actor)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	int64_t before = now();
	uint64_t id;
	size_t size;
	int result = cubby_receive_full(actor->handle, NULL, 0,
					choose_deadline(actor), actor->data,
					BUFFER_SIZE, &size, &envelope);

	if (result == 0) {
		if (enter_request(actor, actor->data, size, &envelope, before,
				  &id))
			reply(actor, &envelope, id);
	} else if (!is_nothing(result)) {
		wrong_result(actor, "cubby_receive_full", result);
	}
}

void
play_server(struct actor *actor)
{
	if (!open_box(actor, actor->mailbox, CUBBY_RECEIVE, NULL,
		      &actor->handle))
		return;
	while (!receivers_end()) {
		pause_now_and_then(actor);
		if (below(&actor->random, 2))
			serve_held(actor);
		else
			serve_copied(actor);
	}
	leave(actor);
}
