/* SPDX-License-Identifier: MIT */
/* Who receives what one gets: holding it, by copy, many at once, chosen ones;
   sleeping in the call, in poll(2), or in cubby_wait() on several mailboxes. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "actors.h"
#include "contents.h"

#define BATCH_MAX 32
#define BATCH_BYTES (64 * 1024)
#define HELD_MAX 4

static void
check_contents(struct actor *actor, uint32_t mailbox, const void *data,
	       size_t size, const struct cubby_envelope *envelope)
{
	uint64_t id = envelope->tag;

	if (!contents_hold(data, size, id) ||
	    size != contents_size(mailbox, id) || envelope->size != size)
		found(DAMAGED,
		      "person %u at %s: message %u of sender %u has "
		      "%zu bytes, wrong ones; %zu were sent",
		      actor->number, kinds[mailbox].name, NUMBER_OF(id),
		      LIFE_OF(id), size, contents_size(mailbox, id));
	else if (envelope->type != type_of(id) ||
		 envelope->priority != priority_of(mailbox, id) ||
		 !envelope->sender ||
		 !envelope->deliveries)
		found(DAMAGED,
		      "person %u at %s: the envelope of message %u of "
		      "sender %u is wrong",
		      actor->number, kinds[mailbox].name, NUMBER_OF(id),
		      LIFE_OF(id));
}

static bool
enter(struct actor *actor, uint32_t mailbox,
      const struct cubby_envelope *envelope, bool for_good, int64_t before,
      int64_t after)
{
	return enter_handed(
		&(struct handed){ .me = actor->number,
				  .mailbox = mailbox,
				  .id = envelope->tag,
				  .deliveries = envelope->deliveries,
				  .for_good = for_good,
				  .before = before,
				  .after = after });
}

/* Holding -------------------------------------------------------------------- */

/* A message that is held has been entered; ends it in some way. */
static void
end_held(struct actor *actor, cubby_message *message, uint64_t id)
{
	int result;

	if (below(&actor->random, 12) == 0 && !receivers_end()) {
		enter_rejecting(id);
		result = cubby_reject(message);
		if (result < 0)
			wrong_result(actor, "cubby_reject", result);
		return;
	}
	result = cubby_release(message);
	if (result < 0)
		wrong_result(actor, "cubby_release", result);
	enter_done(id);
}

/* The same, of a message that has just been got. */
static uint64_t
enter_held(struct actor *actor, uint32_t mailbox, cubby_message *message,
	   int64_t before, int64_t after)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	int result = cubby_message_envelope(message, &envelope);

	if (result < 0)
		wrong_result(actor, "cubby_message_envelope", result);
	enter(actor, mailbox, &envelope, false, before, after);
	check_contents(actor, mailbox, cubby_message_data(message),
		       cubby_message_size(message), &envelope);
	return envelope.tag;
}

int
hold_one(struct actor *actor, cubby_mailbox *handle, uint32_t mailbox,
	 const struct cubby_filter *filter, int64_t deadline)
{
	cubby_message *message;
	int64_t before;
	uint64_t id;
	int result;

	begin_doing(actor, filter ? ELSEWHERE : RECEIVING);
	before = now();
	result = cubby_hold(handle, filter, deadline, &message);
	if (result == 0) {
		id = enter_held(actor, mailbox, message, before, now());
		end_doing(actor);
		end_held(actor, message, id);
	}
	end_doing(actor);
	if (result < 0 && !is_nothing(result))
		wrong_result(actor, "cubby_hold", result);
	return result;
}

/* Holds several at a time, and ends them in another order. */
static void
hold_several(struct actor *actor)
{
	cubby_message *messages[HELD_MAX];
	uint64_t ids[HELD_MAX];
	uint32_t count = 0, i;
	int64_t before;
	int result;

	for (; count < HELD_MAX; count++) {
		before = now();
		result = cubby_hold(actor->handle, NULL, CUBBY_NOW,
				    &messages[count]);
		if (result < 0 && !is_nothing(result))
			wrong_result(actor, "cubby_hold", result);
		if (result < 0)
			break;
		ids[count] = enter_held(actor, actor->mailbox, messages[count],
					before, now());
	}
	pause_now_and_then(actor);
	while (count) {
		i = below(&actor->random, count);
		end_held(actor, messages[i], ids[i]);
		messages[i] = messages[--count];
		ids[i] = ids[count];
	}
}

/* By copy ---------------------------------------------------------------------- */

static void
copy_one(struct actor *actor, const struct cubby_filter *filter)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	int64_t before, deadline = choose_deadline(actor);
	size_t size;
	int result;

	memset(actor->buffer, 0, CONTENTS_HEAD);
	begin_doing(actor, filter ? ELSEWHERE : RECEIVING);
	atomic_store(&actor->me->window, WINDOW_COPY);
	before = now();
	result = cubby_receive_full(actor->handle, filter, 0, deadline,
				    actor->buffer, BUFFER_SIZE, &size,
				    &envelope);
	if (result == 0)
		enter(actor, actor->mailbox, &envelope, true, before, now());
	atomic_store(&actor->me->window, WINDOW_SHUT);
	end_doing(actor);
	if (result == 0)
		check_contents(actor, actor->mailbox, actor->buffer, size,
			       &envelope);
	else if (!is_nothing(result))
		wrong_result(actor, "cubby_receive_full", result);
}

static void
copy_batch(struct actor *actor)
{
	struct cubby_batch_entry entries[BATCH_MAX];
	struct cubby_envelope envelopes[BATCH_MAX];
	int64_t before, after, deadline = choose_deadline(actor);
	int result;

	for (int i = 0; i < BATCH_MAX; i++) {
		envelopes[i] = (struct cubby_envelope)CUBBY_ENVELOPE_INIT;
		entries[i].envelope = &envelopes[i];
	}
	memset(actor->buffer, 0, BATCH_BYTES + CONTENTS_HEAD);
	begin_doing(actor, RECEIVING);
	atomic_store(&actor->me->window, WINDOW_BATCH);
	before = now();
	result = cubby_receive_batch(actor->handle, NULL, 0, deadline, entries,
				     BATCH_MAX, actor->buffer, BATCH_BYTES);
	after = now();
	for (int i = 0; i < result; i++)
		enter(actor, actor->mailbox, &envelopes[i], true, before,
		      after);
	atomic_store(&actor->me->window, WINDOW_SHUT);
	end_doing(actor);
	for (int i = 0; i < result; i++)
		check_contents(actor, actor->mailbox, entries[i].data,
			       entries[i].size, &envelopes[i]);
	/* The next one is larger than a batch may be here. */
	if (result == -EMSGSIZE)
		hold_one(actor, actor->handle, actor->mailbox, NULL, CUBBY_NOW);
	else if (result < 0 && !is_nothing(result))
		wrong_result(actor, "cubby_receive_batch", result);
}

static void
peek(struct actor *actor)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	size_t size;
	int result = cubby_receive_full(actor->handle, NULL, CUBBY_PEEK,
					CUBBY_NOW, actor->data, BUFFER_SIZE,
					&size, &envelope);

	if (result == 0)
		check_contents(actor, actor->mailbox, actor->data, size,
			       &envelope);
	else if (!is_nothing(result))
		wrong_result(actor, "cubby_receive_full to peek", result);
}

/* Choosing ----------------------------------------------------------------------- */

static void
take_chosen(struct actor *actor)
{
	struct cubby_filter filter = CUBBY_FILTER_INIT;
	uint32_t ways = actor->kind->ways;

	if (ways & TAKE_OF_TYPE) {
		filter.matching = CUBBY_MATCH_TYPE;
		filter.type = 1 + below(&actor->random, TYPES);
	} else if (ways & TAKE_OF_SENDER) {
		filter.sender = 1 + below(&actor->random, 8);
	}
	if (ways & TAKE_COPY && below(&actor->random, 2))
		copy_one(actor, &filter);
	else
		hold_one(actor, actor->handle, actor->mailbox, &filter,
			 cubby_deadline_after(below(&actor->random, 4) *
					      INT64_C(1000000)));
}

static void
receive_somehow(struct actor *actor)
{
	uint32_t ways = actor->kind->ways, share = below(&actor->random, 16);

	if (share < 2 && ways & (TAKE_OF_SENDER | TAKE_OF_TYPE))
		take_chosen(actor);
	else if (share < 3 && ways & TAKE_PEEK)
		peek(actor);
	else if (share < 6 && ways & TAKE_BATCH)
		copy_batch(actor);
	else if (share < 10 && ways & TAKE_COPY)
		copy_one(actor, NULL);
	else if (share < 11)
		hold_several(actor);
	else
		hold_one(actor, actor->handle, actor->mailbox, NULL,
			 choose_deadline(actor));
}

void
play_receiver(struct actor *actor)
{
	uint32_t times = 0;

	if (!open_box(actor, actor->mailbox, CUBBY_RECEIVE, NULL,
		      &actor->handle))
		return;
	while (!receivers_end()) {
		pause_now_and_then(actor);
		if (actor->kind->use == USE_FLEETING) {
			hold_one(actor, actor->handle, actor->mailbox, NULL,
				 cubby_deadline_after(INT64_C(20000000)));
			if (++times > 200)
				break;
		} else {
			receive_somehow(actor);
		}
	}
	leave(actor);
}

/* Several mailboxes, and descriptors ----------------------------------------------- */

void
play_poller(struct actor *actor)
{
	struct pollfd pollfd = { .events = POLLIN };

	if (!open_box(actor, actor->mailbox, CUBBY_RECEIVE, NULL,
		      &actor->handle))
		return;
	pollfd.fd = cubby_fd(actor->handle, CUBBY_RECEIVE);
	if (pollfd.fd < 0)
		wrong_result(actor, "cubby_fd", pollfd.fd);
	while (!receivers_end()) {
		while (!receivers_end() &&
		       hold_one(actor, actor->handle, actor->mailbox, NULL,
				CUBBY_NOW) == 0)
			pause_now_and_then(actor);
		begin_doing(actor, RECEIVING);
		poll(&pollfd, 1, -1);
		end_doing(actor);
	}
	leave(actor);
}

void
play_waiter(struct actor *actor)
{
	static const uint32_t boxes[] = { LANES, ENDLESS, ARRIVAL, PRIORITY };
	enum { BOXES = sizeof(boxes) / sizeof(boxes[0]) };
	struct cubby_wait_entry entries[BOXES];
	int result;

	for (int i = 0; i < BOXES; i++) {
		entries[i].events = CUBBY_RECEIVE;
		if (!open_box(actor, boxes[i], CUBBY_RECEIVE, NULL,
			      &entries[i].mailbox))
			return;
	}
	while (!receivers_end()) {
		result = cubby_wait(entries, BOXES, choose_deadline(actor));
		if (result < 0 && !is_nothing(result))
			wrong_result(actor, "cubby_wait", result);
		for (int i = 0; result > 0 && i < BOXES; i++)
			if (entries[i].ready)
				hold_one(actor, entries[i].mailbox, boxes[i],
					 NULL, CUBBY_NOW);
		pause_now_and_then(actor);
	}
	atomic_store(&actor->me->leaving, true);
	for (int i = 0; i < BOXES; i++)
		cubby_close(entries[i].mailbox);
}

/* When all have gone ---------------------------------------------------------------- */

void
drain(struct actor *actor, uint32_t mailbox)
{
	struct cubby_info info = CUBBY_INFO_INIT;
	int result;

	actor->mailbox = mailbox;
	actor->kind = &kinds[mailbox];
	result = cubby_sweep(actor->kind->name, NULL);
	if (result < 0)
		wrong_result(actor, "cubby_sweep", result);
	if (!open_box(actor, mailbox, CUBBY_RECEIVE, NULL, &actor->handle))
		return;
	while (hold_one(actor, actor->handle, mailbox, NULL, CUBBY_NOW) !=
	       -EAGAIN)
		;
	cubby_close(actor->handle);
	result = cubby_inspect(actor->kind->name, &info);
	if (result < 0)
		wrong_result(actor, "cubby_inspect", result);
	if (info.waiting || info.held || info.returned || info.broken)
		found(WRONG,
		      "%s has been emptied, and says: %llu wait, %llu "
		      "held, %llu returned, %llu lanes broken",
		      actor->kind->name, (unsigned long long)info.waiting,
		      (unsigned long long)info.held,
		      (unsigned long long)info.returned,
		      (unsigned long long)info.broken);
}
