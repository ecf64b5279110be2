/* SPDX-License-Identifier: MIT */
/* Layer 9. May include: base atomics clock spin exclusion futex layout envelope inbox doorbell bias lane rest sender broadcast lane_audience bell. */
/*
 * Sending: fill the next cell of one's lane; if there is no room, look for a
 * moment, then sleep until a receiver moves the head.
 */
#include "base.h"
#include "bias.h"
#include "clock.h"
#include "envelope.h"
#include "futex.h"
#include "lane_audience.h"
#include "sender.h"

#include <stdlib.h>

#define DEADLINE_NOW	0	/* CUBBY_NOW */
#define CALM_AFTER	1024	/* sends without a sleep */

int
sender_open(struct view *view, const char *name, struct addressee *addressee,
	    struct sender *ret)
{
	int r;

	memset(ret, 0, sizeof(*ret));
	ret->view = view;
	ret->addressee = addressee;
	r = lane_open_writer(view, name, &ret->writer);
	if (r < 0)
		return r;
	ret->plain_max = min_u64(view->attributes.message_max,
				 view->geometry.inline_max);
	ret->plain_min = view->attributes.sizing ?
			 view->attributes.message_max : 0;
	exclusion_init(&ret->exclusion);
	spin_init(&ret->spin);
	return 0;
}

#define PAUSES_SHARED	24
#define PAUSES_MOST	32
#define BLOCK_FETCH	2048	/* bytes */

static void
unlink_draft(struct sender *sender, struct cubby_draft *draft)
{
	if (draft->previous)
		draft->previous->next = draft->next;
	else
		sender->drafts = draft->next;
	if (draft->next)
		draft->next->previous = draft->previous;
	free(draft);
}

void
sender_close(struct sender *sender)
{
	while (sender->drafts)
		sender_abort(sender, sender->drafts);
	lane_close_writer(&sender->writer);
}

/*
 * A fork() while another thread was in a call has copied what that thread was
 * changing, half changed perhaps: a pointer to what it had freed just then. So
 * that is left to leak, once in the life of a child.
 */
void
sender_forget(struct sender *sender)
{
	struct cubby_draft *draft, *next;

	if (sender->exclusion.taken) {
		sender->drafts = NULL;
		memset(&sender->writer.carry, 0, sizeof(sender->writer.carry));
	}
	for (draft = sender->drafts; draft; draft = next) {
		next = draft->next;
		free(draft);
	}
	sender->drafts = NULL;
	lane_forget_writer(&sender->writer);
}

/* Waiting ---------------------------------------------------------------- */

/* What a wait is for: room (position 0 is not looked at), or a position. */
struct awaited {
	bool room;
	uint64_t position;
};

static int
look_once(struct sender *sender, const struct awaited *awaited)
{
	struct lane_writer *w = &sender->writer;

	if (awaited->room)
		return lane_make_room(w);
	if (unlikely(shm_is_broken(&w->view->receivers_mapping)))
		return -EBADMSG;
	if ((int64_t)(lane_passed(w) - awaited->position) > 0)
		return 0;
	return unlikely(lane_is_broken(w)) ? -EBADMSG : -EAGAIN;
}

/* 0: it has happened; -EAGAIN: not yet. */
static int
look(struct sender *sender, const struct awaited *awaited)
{
	int r = look_once(sender, awaited);

	if (unlikely(r == -EAGAIN) && audience_ask(&sender->writer))
		r = look_once(sender, awaited);
	return r;
}

/* Nobody else may be there to tell that it waits for one who has died. */
static bool
must_ask(const struct sender *sender)
{
	return sender->addressee || broadcast_waits(sender->view);
}

/* Where the head has to be for it to be worth waking us. */
static uint64_t
wanted(const struct sender *sender, const struct awaited *awaited)
{
	return awaited->room ? sender->writer.head + 1 : awaited->position + 1;
}

/*
 * No receiver has made memory for our lane's entry yet, so nobody can tell us
 * that he has read from it; the first one to do so raises lanes_committed.
 */
static int
sleep_for_entry(struct sender *sender, const struct awaited *awaited,
		int64_t deadline)
{
	word32 *committed = &sender->view->receivers->lanes_committed;
	uint32_t seen;
	int r;

	/* LANE-A7 acquire: before the last look. Pairs with LANE-C3. */
	seen = word32_load_acquire(committed);
	r = look(sender, awaited);
	if (r != -EAGAIN || sender->writer.entry_known)
		return r;	/* or now there is one who can tell us */
	sender_leave(sender);
	r = doorbell_sleep(committed, seen, must_ask(sender) ? INBOX_SLICE :
			   SLEEP_SLICE_FIRST, deadline);
	sender_enter(sender);
	return r < 0 ? r : -EAGAIN;
}

/* With drafts open a place may come from a fellow thread, whose wake-up can be
   missed: see wake_fellows(). */
static int64_t
slice_of(const struct sender *sender)
{
	int64_t slice = doorbell_slice(&sender->sleeper);

	if (must_ask(sender) && slice > INBOX_SLICE)
		slice = INBOX_SLICE;
	if (sender->writer.drafts && slice > SLEEP_SLICE_FIRST)
		slice = SLEEP_SLICE_FIRST;
	return slice;
}

static int
sleep_once(struct sender *sender, const struct awaited *awaited,
	   int64_t deadline)
{
	struct lane_writer *w = &sender->writer;
	uint32_t ticket;
	int64_t slice;
	int r, slept;

	if (!w->entry_known)
		return sleep_for_entry(sender, awaited, deadline);
	sender->calm = 0;
	ticket = doorbell_announce_sender(w->file, w->entry,
					  wanted(sender, awaited),
					  &sender->sleeper);
	r = look(sender, awaited);
	if (r == -EAGAIN) {
		slice = slice_of(sender);
		sender_leave(sender);
		slept = doorbell_sleep(&w->entry->room, ticket, slice,
				       deadline);
		sender_enter(sender);
		doorbell_slept(&sender->sleeper, slept);
		r = look(sender, awaited);
		if (r == -EAGAIN && slept < 0)
			r = slept;
	}
	doorbell_retract_sender(w->file, &sender->sleeper);
	return r;
}

/* Nothing has happened. Whoever could make it happen may have gone; he may have
   taken the message just before. */
static int
look_for_addressee(struct sender *sender, const struct awaited *awaited)
{
	int gone = sender_check(sender), r;

	if (likely(gone == 0))
		return -EAGAIN;
	r = awaited->room ? -EAGAIN : look(sender, awaited);
	return r == -EAGAIN ? gone : r;
}

/*
 * Between two looks at the head, which take its line away from who moves it. Several
 * receivers move it by compare-and-swap, and wait for the line; one alone stores to
 * a word beside, until there are too many stores that wait.
 */
static uint32_t
pauses(const struct lane_writer *w)
{
	/* relaxed: how long to pause, no more */
	return w->entry_known &&
	       !bias_is_set(word64_load_relaxed(&w->entry->head)) ?
		       PAUSES_SHARED : 1;
}

/* As many at the most: a quarter of the messages that wait takes longer. */
static uint32_t
most_pauses(const struct lane_writer *w, const struct awaited *awaited)
{
	return awaited->room ? (uint32_t)min_u64(PAUSES_MOST,
			w->view->attributes.capacity / 4) : 0;
}

static int
look_for_a_moment(struct sender *sender, const struct awaited *awaited)
{
	uint32_t apart = pauses(&sender->writer);
	uint32_t most = most_pauses(&sender->writer, awaited);
	int r = -EAGAIN;

	spin_begin(&sender->spin);
	while (r == -EAGAIN && spin_again_after(&sender->spin, apart)) {
		r = look(sender, awaited);
		if (apart < most)
			apart *= 2;
	}
	spin_end(&sender->spin, r == -EAGAIN);
	return r;
}

static int
wait_for(struct sender *sender, const struct awaited *awaited,
	 int64_t deadline)
{
	int r = look(sender, awaited);

	if (deadline == DEADLINE_NOW)
		return r;
	if (r == -EAGAIN)
		r = look_for_a_moment(sender, awaited);
	while (r == -EAGAIN) {
		r = look_for_addressee(sender, awaited);
		if (likely(r == -EAGAIN))
			r = sleep_once(sender, awaited, deadline);
	}
	return r;
}

static const struct lane_entry *
known_entry(const struct lane_writer *w)
{
	return w->entry_known ? w->entry : NULL;
}

int
sender_wait_room(struct sender *sender, int64_t deadline)
{
	const struct awaited room = { .room = true };
	int r = sender_check(sender);

	if (unlikely(r < 0))
		return r;
	if (lane_has_room(&sender->writer) &&
	    !lane_is_broken(&sender->writer)) {
		if (unlikely(++sender->calm == CALM_AFTER))
			doorbell_calm_sender(sender->writer.file,
					     known_entry(&sender->writer),
					     &sender->sleeper);
		return 0;
	}
	return wait_for(sender, &room, deadline);
}

int
sender_wait_passed(struct sender *sender, uint64_t position, int64_t deadline)
{
	const struct awaited passed = { .position = position };

	return wait_for(sender, &passed, deadline);
}

/* As one of several ------------------------------------------------------ */

static const struct awaited ROOM = { .room = true };

/* 1: a send would not wait; 0; -errno: what it would tell. */
static int
look_for_room(struct sender *sender)
{
	int r = sender_check(sender);

	if (r < 0)
		return r;
	if (lane_has_room(&sender->writer) && !lane_is_broken(&sender->writer))
		return 1;
	r = look(sender, &ROOM);
	return r == 0 ? 1 : r == -EAGAIN ? 0 : r;
}

int
sender_look(struct sender *sender)
{
	int r;

	sender_enter(sender);
	r = look_for_room(sender);
	sender_leave(sender);
	return r;
}

/* As sleep_for_entry(). */
static void
announce_without_entry(struct sender *sender, struct rest *ret, uint32_t seen)
{
	ret->kind = REST_ENTRY;
	ret->events = &sender->view->receivers->lanes_committed;
	ret->ticket = seen;
	ret->barrier = ret->look = false;
	ret->slice = sender->addressee ? INBOX_SLICE : SLEEP_SLICE_FIRST;
}

static void
announce(struct sender *sender, struct rest *ret)
{
	struct lane_writer *w = &sender->writer;

	sender->calm = 0;
	ret->kind = REST_ASLEEP;
	ret->look = true;
	ret->events = &w->entry->room;
	ret->ticket = doorbell_begin_sender(w->file, w->entry,
					    wanted(sender, &ROOM),
					    &sender->sleeper, &ret->barrier);
	ret->slice = slice_of(sender);
}

int
sender_announce(struct sender *sender, struct rest *ret)
{
	uint32_t seen;
	int r;

	sender_enter(sender);
	/* LANE-A11 acquire: before the look, as LANE-A7. Pairs with LANE-C3. */
	seen = word32_load_acquire(&sender->view->receivers->lanes_committed);
	r = look_for_room(sender);
	if (r == 0 && sender->writer.entry_known)
		announce(sender, ret);
	else if (r == 0)
		announce_without_entry(sender, ret, seen);
	sender_leave(sender);
	return r < 0 ? 1 : r;
}

void
sender_settle(struct sender *sender, struct rest *rest, bool fenced)
{
	if (rest->kind != REST_ASLEEP)
		return;
	sender_enter(sender);
	if (rest->barrier)
		doorbell_announced(&sender->sleeper, fenced);
	rest->slice = slice_of(sender);
	sender_leave(sender);
}

int
sender_retract(struct sender *sender, struct rest *rest, int slept)
{
	int r;

	sender_enter(sender);
	if (rest->kind == REST_ASLEEP) {
		doorbell_slept(&sender->sleeper, slept);
		doorbell_retract_sender(sender->writer.file, &sender->sleeper);
	}
	rest->kind = REST_NONE;
	r = look_for_room(sender);
	sender_leave(sender);
	return r;
}

/* Its descriptor --------------------------------------------------------- */

void
sender_hang(struct sender *sender, const struct bell *bell)
{
	struct lane_writer *w = &sender->writer;

	sender_enter(sender);
	sender->bell = bell;
	if (!bell)
		doorbell_disarm_sender(w->file, &sender->sleeper);
	/* relaxed: before BELL-R14 */
	word64_store_relaxed(&w->file->bell, bell ? bell->number : 0);
	sender_leave(sender);
}

/* Between two looks of its own: whether the addressee lives, and for a place that
   a fellow thread gives back. */
static int64_t
slice_of_descriptor(const struct sender *sender)
{
	int64_t slice = doorbell_slice(&sender->sleeper);

	return must_ask(sender) || sender->writer.drafts ?
	       (int64_t)min_u64((uint64_t)slice, SLEEP_SLICE_FIRST) :
	       sender->sleeper.unfenced ? slice : SLEEP_SLICE_LONGEST;
}

/* -EALREADY: it is armed, and was before. */
static int
arm(struct sender *sender)
{
	struct lane_writer *w = &sender->writer;
	int r;

	sender->calm = 0;
	if (doorbell_is_armed_sender(known_entry(w), &sender->sleeper)) {
		r = look_for_room(sender);
		return r == 0 ? -EALREADY : r;
	}
	doorbell_arm_sender(w->file, known_entry(w), &sender->sleeper);
	return look_for_room(sender);
}

int
sender_arm(struct sender *sender, int64_t *ret_slice)
{
	int r;

	sender_enter(sender);
	r = arm(sender);
	if (r != 0 && r != -EALREADY)
		doorbell_disarm_sender(sender->writer.file, &sender->sleeper);
	*ret_slice = slice_of_descriptor(sender);
	sender_leave(sender);
	return r;
}

/* Sending ---------------------------------------------------------------- */

/* The lines of a block that will be filled soon, all at once: see
   lane_fetch_lines(). Of a large one the first; the rest comes as it is filled. */
static void
fetch_block(const struct lane_writer *w, uint64_t block, uint64_t size)
{
	char *bytes = lane_block(w, block);
	uint64_t i, most = min_u64(size, BLOCK_FETCH);

	for (i = 0; i + sizeof(word64) <= most; i += CACHE_LINE)
		/* relaxed: the block is ours */
		word64_store_relaxed((word64 *)(bytes + i), 0);
}

int
sender_send(struct sender *sender, const struct parcel *parcel,
	    const void *data)
{
	struct lane_writer *w = &sender->writer;
	uint64_t block;
	int r;

	if (likely(lane_fits(w, parcel))) {
		lane_send(w, parcel, data);
		return lane_fetch_is_due(w) ?
		       lane_fetch_lines(w, parcel->size) : 0;
	}
	r = lane_allocate(w, max_u64(1, parcel->size), INT64_MAX, &block);
	if (r < 0)
		return r;
	fetch_block(w, block, parcel->size);
	memcpy(lane_block(w, block), data, parcel->size);
	lane_send_block(w, parcel, block);
	return 0;
}

/* Into a cell ahead of the next: lane_publish_run() sends it. Any message. */
static COLD int
fill(struct lane_writer *w, uint32_t ahead,
     const struct cubby_batch_entry *entry)
{
	const struct parcel parcel = envelope_parcel(entry->size,
						     entry->envelope);
	uint64_t block;
	int r = envelope_check_entry(&w->view->attributes, entry);

	if (r < 0)
		return r;
	if (lane_fits(w, &parcel)) {
		lane_fill_ahead(w, ahead, &parcel, entry->data);
		return 0;
	}
	r = lane_allocate(w, max_u64(1, parcel.size), INT64_MAX, &block);
	if (r < 0)
		return r;
	memcpy(lane_block(w, block), entry->data, parcel.size);
	lane_fill_block(w, ahead, &parcel, block);
	return 0;
}

/* No envelope, and it fits into a cell, and into the mailbox. */
static FAST bool
is_plain(const struct sender *sender, const struct cubby_batch_entry *entry)
{
	return likely(!entry->envelope) &&
	       likely(entry->size - sender->plain_min <=
		      sender->plain_max - sender->plain_min) &&
	       likely(entry->data || !entry->size);
}

/* Those that can be sent, up to count. Returns how many, or an error. */
static int
fill_run(struct sender *sender, const struct cubby_batch_entry *entries,
	 uint32_t count, bool *ret_envelopes)
{
	struct parcel plain = { 0 };
	uint32_t n;
	int r;

	*ret_envelopes = false;
	/* All of their lines at once, from the receivers' caches. */
	for (n = 0; n < count; n++)
		lane_fetch_ahead(&sender->writer, n, entries[n].size);
	for (n = 0; n < count; n++) {
		if (is_plain(sender, &entries[n])) {
			plain.size = entries[n].size;
			lane_fill_ahead(&sender->writer, n, &plain,
					entries[n].data);
			continue;
		}
		r = fill(&sender->writer, n, &entries[n]);
		if (r < 0)
			return n ? (int)n : r;
		*ret_envelopes |= entries[n].envelope != NULL;
	}
	return (int)n;
}

int
sender_send_run(struct sender *sender, const struct cubby_batch_entry *entries,
		size_t count)
{
	struct lane_writer *w = &sender->writer;
	uint64_t most = min_u64(min_u64(count, BATCH_STEP),
				w->limit - w->position);
	bool envelopes;
	int n = fill_run(sender, entries, (uint32_t)most, &envelopes), i;

	if (n < 0)
		return n;
	lane_publish_run(w, (uint32_t)n);
	for (i = 0; i < n && envelopes; i++)
		envelope_sent(entries[i].envelope, w->lane + 1,
			      w->position - (uint64_t)(n - i) + 1);
	return n;
}

int
sender_reserve(struct sender *sender, uint64_t size, struct cubby_draft **ret)
{
	struct lane_writer *w = &sender->writer;
	bool small = size + sizeof(uint64_t) <= w->view->geometry.inline_max;
	struct cubby_draft *draft;
	int r;

	/* What fits into a cell, even with a wide type, is filled in private
	   memory: which cell it gets is decided at commit. */
	draft = malloc(sizeof(*draft) + (small ? CACHE_LINE + size : 0));
	if (!draft)
		return -ENOMEM;
	draft->block = 0;
	draft->size = size;
	draft->data = NULL;
	if (small) {
		/* malloc() is quicker than what aligns by itself. */
		draft->data = (char *)draft + sizeof(*draft) +
			      -(uintptr_t)(draft + 1) % CACHE_LINE;
	} else {
		r = lane_allocate(w, size, INT64_MAX, &draft->block);
		if (r < 0) {
			free(draft);
			return r;
		}
		fetch_block(w, draft->block, size);
		draft->data = lane_block(w, draft->block);
	}
	lane_keep_place(w);
	draft->previous = NULL;
	draft->next = sender->drafts;
	if (draft->next)
		draft->next->previous = draft;
	sender->drafts = draft;
	*ret = draft;
	return 0;
}

void
sender_commit(struct sender *sender, struct cubby_draft *draft,
	      const struct parcel *parcel)
{
	struct lane_writer *w = &sender->writer;

	lane_return_place(w);
	if (!draft->block) {
		lane_send(w, parcel, draft->data);
	} else if (lane_fits(w, parcel)) {
		lane_send(w, parcel, draft->data);
		lane_unallocate(w, draft->block);
	} else {
		lane_send_block(w, parcel, draft->block);
	}
	unlink_draft(sender, draft);
}

/*
 * A place is free that no receiver tells of: wakes the threads of this process
 * that wait for one. The words on which they sleep are the receivers', and we
 * may not change them; so a thread that has left the lock and does not sleep
 * yet misses this. It looks by itself when its slice ends, SLEEP_SLICE_FIRST
 * at the most.
 */
static COLD void
wake_fellows(struct sender *sender)
{
	struct lane_writer *w = &sender->writer;

	if (sender->sleeper.threads)
		futex_wake(&w->entry->room, INT32_MAX);
	else if (!w->entry_known)
		futex_wake(&sender->view->receivers->lanes_committed,
			   INT32_MAX);
}

void
sender_abort(struct sender *sender, struct cubby_draft *draft)
{
	struct lane_writer *w = &sender->writer;

	lane_return_place(w);
	if (draft->block)
		lane_unallocate(w, draft->block);
	unlink_draft(sender, draft);
	if (unlikely(sender->sleeper.threads) || unlikely(!w->entry_known))
		wake_fellows(sender);
	if (unlikely(sender->sleeper.armed)) {
		doorbell_disarm_sender(w->file, &sender->sleeper);
		bell_light(sender->bell);
	}
}
