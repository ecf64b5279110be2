/* SPDX-License-Identifier: MIT */
/* Layer 8. May include: base atomics clock exclusion futex spin shm liveness layout layout_reply reply_file inbox caller. */
/*
 * The caller's end; layout_reply.h has the protocol.
 *
 * What breaks it: a slot that is used again while a server may still write into
 * it (so `taken` is asked for before); a sleep without ASLEEP in the word.
 */
#include "base.h"
#include "caller.h"
#include "clock.h"
#include "futex.h"
#include "inbox.h"
#include "reply_file.h"

#include <cubby.h>
#include <stdlib.h>
#include <unistd.h>

#define TRIES 100	/* each means that somebody changed a word */
#define SLOTS_FIRST 4
#define QUICK_LOOKS 64
#define NO_SLOT CALL_SLOTS_MAX
#define LIMBO_LOOKS 4			/* slots asked for, before others get
					   memory */
#define TELL_AFTER 16			/* slices untaken */
#define SLICE_LONGEST (1000 * NSEC_PER_MSEC)

static struct call_slot *
slot_of(const struct caller *caller, uint32_t slot)
{
	return reply_slot(caller->mapping.address, slot);
}

/* Slots ------------------------------------------------------------------ */

static void
append(struct caller *caller, struct caller_list *list, uint32_t slot)
{
	caller->slots[slot].next = NO_SLOT;
	if (list->first == NO_SLOT)
		list->first = slot;
	else
		caller->slots[list->last].next = slot;
	list->last = slot;
}

static uint32_t
take_first(struct caller *caller, struct caller_list *list)
{
	uint32_t slot = list->first;

	if (slot != NO_SLOT)
		list->first = caller->slots[slot].next;
	return slot;
}

/* Its file, or -1: see shm_still(). */
static int
file_of(const struct caller *caller)
{
	return shm_still(caller->fd, &caller->is);
}

/* The memory of a reply that did not fit into the slot. */
static void
give_back(const struct caller *caller, uint32_t slot, uint64_t size)
{
	if (size > CALL_REST)
		shm_give_back(file_of(caller), reply_offset(caller->view, slot),
			      round_up(size, PAGE));
}

/* What cannot be known counts as living. */
static bool
has_living_server(const struct caller *caller, uint64_t taken, uint32_t use)
{
	return taken_is_by_server(taken, use) &&
	       liveness_ask(file_of(caller), server_byte(taken_who(taken))) != 0;
}

/* May the server that has it still write into the slot? If nobody has it who
   lives, then nobody shall. */
static bool
is_in_limbo(const struct caller *caller, uint32_t slot, uint32_t use)
{
	word64 *taken = &slot_of(caller, slot)->taken;
	uint64_t seen;
	int i;

	/* CALL-A1 acquire: the server has done with the slot. Pairs with
	   CALL-C6, CALL-C5. */
	seen = word64_load_acquire(taken);
	for (i = 0; i < TRIES; i++) {
		if (taken_is_over(seen, use))
			return false;
		if (has_living_server(caller, seen, use))
			return true;
		/* CALL-C1 acq_rel: nobody takes it from here on, nor over from
		   who has died. Pairs with CALL-C4, CALL-C5. */
		if (word64_cas_acq_rel(taken, &seen,
				       taken_make(use, TAKEN_CLOSED)))
			return false;
	}
	return true;
}

/* Those whose servers have ended. */
static void
look_at_limbo(struct caller *caller)
{
	uint32_t slot;
	int i;

	for (i = 0; i < LIMBO_LOOKS; i++) {
		slot = take_first(caller, &caller->limbo);
		if (slot == NO_SLOT)
			return;
		if (is_in_limbo(caller, slot, caller->slots[slot].use)) {
			append(caller, &caller->limbo, slot);
		} else {
			give_back(caller, slot,
				  caller->view->attributes.message_max);
			append(caller, &caller->free, slot);
		}
	}
}

static int
grow(struct caller *caller)
{
	uint32_t i, more = caller->count;
	int r;

	if (caller->count == CALL_SLOTS_MAX)
		return -EUSERS;
	if (!more)
		more = SLOTS_FIRST;
	r = shm_commit(file_of(caller), PAGE * (1 + (uint64_t)caller->count),
		       PAGE * more, INT64_MAX);
	if (r < 0)
		return r;
	for (i = 0; i < more; i++)
		append(caller, &caller->free, caller->count + i);
	caller->count += more;
	return 0;
}

/* The file --------------------------------------------------------------- */

static void
reset(struct caller *caller)
{
	caller->id = 0;
	caller->fd = -1;
	caller->count = 0;
	caller->under_way = 0;
	caller->free.first = caller->limbo.first = NO_SLOT;
	memset(&caller->mapping, 0, sizeof(caller->mapping));
	memset(&caller->life, 0, sizeof(caller->life));
}

void
caller_init(struct caller *caller, const struct view *view)
{
	memset(caller, 0, sizeof(*caller));
	caller->view = view;
	caller->uid = geteuid();
	reset(caller);
	exclusion_init(&caller->exclusion);
	spin_init(&caller->spin);
	caller->looks = caller->spin.budget;
}

static void
close_file(struct caller *caller)
{
	reply_file_unlink(caller->view, caller->id);
	shm_unmap(&caller->mapping);
	liveness_drop(&caller->life);
	shm_close_kept(caller->fd, &caller->is);
	/* In the next one every `taken` is 0: older than a first use, and not than
	   any. */
	memset(caller->slots, 0, CALL_SLOTS_MAX * sizeof(*caller->slots));
	reset(caller);
}

/* Behind a predecessor, or one of ours that was spoilt. */
static int
make_file(struct caller *caller, word64 *said)
{
	/* relaxed: our own, or of one before us, who is dead */
	uint64_t id, before = word64_load_relaxed(said);
	int r;

	/* A server takes no file for this lane's but of the lane's owner. */
	if (caller->view->attributes.order == CUBBY_ORDER_SENDER &&
	    geteuid() != caller->uid)
		return -EACCES;
	if (!caller->slots)
		caller->slots = calloc(CALL_SLOTS_MAX, sizeof(*caller->slots));
	if (!caller->slots)
		return -ENOMEM;
	r = reply_file_choose(before, &id);
	if (r == 0)
		r = reply_file_make(caller->view, id, 0, &caller->fd,
				    &caller->mapping, &caller->life);
	if (r < 0)
		return r;
	caller->id = id;
	memset(&caller->is, 0, sizeof(caller->is));
	r = shm_identify(caller->fd, &caller->is);
	if (r == 0)
		r = grow(caller);
	if (r < 0) {
		close_file(caller);
		return r;
	}
	if (before)
		reply_file_unlink(caller->view, before);
	/* CALL-R1 release: the file is there, with its name. Pairs with
	   CALL-A6. */
	word64_store_release(said, id);
	return 0;
}

/* There is one, and nobody has spoilt it. */
static int
prepare(struct caller *caller, word64 *said)
{
	if (likely(caller->id) && unlikely(shm_is_broken(&caller->mapping))) {
		if (caller->under_way)
			return -EBADMSG;
		close_file(caller);
	}
	return likely(caller->id) ? 0 : make_file(caller, said);
}

static int
find_slot(struct caller *caller, word64 *said, uint32_t *ret)
{
	int r = prepare(caller, said);

	if (unlikely(r == 0 && caller->free.first == NO_SLOT))
		look_at_limbo(caller);
	if (unlikely(r == 0 && caller->free.first == NO_SLOT))
		r = grow(caller);
	if (likely(r == 0))
		*ret = take_first(caller, &caller->free);
	return r;
}

int
caller_begin(struct caller *caller, word64 *said, struct calling *ret)
{
	struct caller_slot *own;
	uint32_t slot;
	int r;

	exclusion_enter(&caller->exclusion);
	r = find_slot(caller, said, &slot);
	if (likely(r == 0)) {
		own = &caller->slots[slot];
		if (START_USE && !own->use)
			/* relaxed: before CALL-R2 */
			word64_store_relaxed(&slot_of(caller, slot)->taken,
					     taken_make(START_USE, TAKEN_NONE));
		own->use = (uint32_t)counter_next(own->use, 28, START_USE);
		/* CALL-R2 release: before the request, which brings it to the
		   server. Pairs with CALL-C7. */
		word64_store_release(&slot_of(caller, slot)->word,
				     call_word(0, own->use, CALL_PENDING));
		caller->under_way++;
		ret->slot = slot;
		ret->use = own->use;
	}
	exclusion_leave(&caller->exclusion);
	return r;
}

/* The slot is free, or in limbo; then its use has ended all the same. */
static void
end(struct caller *caller, uint32_t slot, bool limbo)
{
	exclusion_enter(&caller->exclusion);
	append(caller, limbo ? &caller->limbo : &caller->free, slot);
	caller->under_way--;
	exclusion_leave(&caller->exclusion);
}

void
caller_unsend(struct caller *caller, const struct calling *calling)
{
	/* relaxed: nobody knows of it */
	word64_store_relaxed(&slot_of(caller, calling->slot)->word,
			     call_word(0, calling->use, CALL_FREE));
	end(caller, calling->slot, false);
}

void
caller_fetch_next(const struct caller *caller)
{
	if (likely(!exclusion_is_needed()) &&
	    likely(caller->free.first != NO_SLOT))
		prefetch_to_write(slot_of(caller, caller->free.first));
}

/* Waiting ---------------------------------------------------------------- */

/* A wait under way. */
struct wait {
	struct caller *caller;
	const struct calling *calling;
	const struct caller_trust *trust;
	struct call_slot *slot;
	uint64_t word;		/* as it was last seen */
	uint32_t untaken;	/* slices in which nobody had taken it */
	int64_t slice;
};

/* Has it ended? */
static bool
look(struct wait *wait)
{
	/* CALL-A2 acquire: the reply behind the word, or that it was taken.
	   Pairs with CALL-C7, CALL-C10. */
	wait->word = word64_load_acquire(&wait->slot->word);
	return call_state(wait->word) != CALL_PENDING;
}

/* From the word that was seen; and then it is that one. */
static bool
change(struct wait *wait, uint64_t to)
{
	/* CALL-C2 acq_rel: from that very word, or the reply is seen. Pairs
	   with CALL-C7, CALL-C10. */
	if (!word64_cas_acq_rel(&wait->slot->word, &wait->word, to))
		return false;
	wait->word = to;
	return true;
}

static bool
end_as(struct wait *wait, enum call_state state)
{
	int i;

	for (i = 0; i < TRIES && call_state(wait->word) == CALL_PENDING; i++)
		if (change(wait, call_word(0, wait->calling->use, state)))
			return true;
	return false;
}

/* Nobody has taken it for long: who does shall tell us. */
static void
ask_to_be_told(struct wait *wait, uint64_t seen)
{
	wait->slice = min_u64((uint64_t)wait->slice * 2, SLICE_LONGEST);
	if (taken_use(seen) == wait->calling->use &&
	    taken_who(seen) == TAKEN_TELL)
		return;
	/* CALL-C3 acq_rel: or it has been taken just now. Pairs with CALL-C4,
	   CALL-C5. */
	if (!word64_cas_acq_rel(&wait->slot->taken, &seen,
				taken_make(wait->calling->use, TAKEN_TELL)))
		wait->slice = INBOX_SLICE;
}

/* Will nobody reply any more? If who has taken it has died, then no other shall
   take it over. */
static bool
is_lost(const struct wait *wait, uint64_t *seen)
{
	uint32_t use = wait->calling->use;
	int i;

	for (i = 0; i < TRIES; i++) {
		if (taken_is_over(*seen, use))
			return true;
		if (!taken_is_by_server(*seen, use) ||
		    has_living_server(wait->caller, *seen, use))
			return false;
		/* CALL-C8 acq_rel: from that dead one, or another has it. Pairs
		   with CALL-C4, CALL-C5. */
		if (word64_cas_acq_rel(&wait->slot->taken, seen,
				       taken_make(use, TAKEN_CLOSED)))
			return true;
	}
	return false;
}

/* Before a sleep: does who has taken it live? May it be taken yet? 1: it has
   ended. */
static int
ask_around(struct wait *wait)
{
	uint64_t seen;

	/* CALL-A3 acquire: the server has locked its byte before. Pairs with
	   CALL-C4, CALL-C5, CALL-C9. */
	seen = word64_load_acquire(&wait->slot->taken);
	if (is_lost(wait, &seen)) {
		end_as(wait, CALL_FAILED);
		return call_state(wait->word) != CALL_PENDING;
	}
	if (taken_is_by_server(seen, wait->calling->use)) {
		wait->slice = INBOX_SLICE;
		wait->untaken = 0;
		return 0;
	}
	if (++wait->untaken > TELL_AFTER && !wait->trust->watched)
		ask_to_be_told(wait, seen);
	return wait->trust->check(wait->trust->context);
}

/* Before it looks at `taken`: see layout_reply.h. False: the word has changed. */
static bool
announce(struct wait *wait)
{
	return wait->word & CALL_ASLEEP ||
	       change(wait, wait->word | CALL_ASLEEP);
}

static int
sleep_once(const struct wait *wait, int64_t deadline)
{
	int64_t until;
	int r;

	until = min_u64((uint64_t)deadline,
			(uint64_t)(clock_now() + wait->slice));
	r = futex_wait(word64_low_half(&wait->slot->word),
		       (uint32_t)wait->word, until);
	return r == -ETIMEDOUT && until < deadline ? 0 : r;
}

/* As receiver_await_turn() does. */
static bool
look_quickly(struct wait *wait)
{
	int i = wait->caller->looks ? QUICK_LOOKS : 1;

	while (!look(wait) && --i)
		cpu_relax();
	return i;
}

/* Looks for a moment. */
static bool
look_for_a_moment(struct wait *wait)
{
	struct caller *caller = wait->caller;
	struct spin spin;
	bool done = false;

	exclusion_enter(&caller->exclusion);
	spin = caller->spin;
	exclusion_leave(&caller->exclusion);
	spin_begin(&spin);
	while (!done && spin_again(&spin))
		done = look(wait);
	spin_end(&spin, !done);
	exclusion_enter(&caller->exclusion);
	caller->spin = spin;
	exclusion_leave(&caller->exclusion);
	return done;
}

/* Who has gone may have replied after we looked. */
static int
ask_once(struct wait *wait)
{
	int r = ask_around(wait);

	if (r > 0 || (r < 0 && look(wait)))
		return 0;
	return r < 0 ? r : -EAGAIN;
}

/* 0: it has ended, and the word says how. */
static int
await(struct wait *wait, int64_t deadline)
{
	int r = 0;

	if (look_quickly(wait))
		return 0;
	if (deadline == CUBBY_NOW)
		return ask_once(wait);
	if (look_for_a_moment(wait))
		return 0;
	wait->slice = INBOX_SLICE;
	while (r == 0) {
		if (announce(wait)) {
			r = ask_around(wait);
			if (r == 0)
				r = sleep_once(wait, deadline);
		}
		if (look(wait))
			return 0;
	}
	/* Who replies from here on need not wake anybody. */
	if (wait->word & CALL_ASLEEP &&
	    !change(wait, wait->word & ~(uint64_t)CALL_ASLEEP) &&
	    call_state(wait->word) != CALL_PENDING)
		return 0;
	return r;
}

/* Reads the reply. -EBADMSG: it is not there. */
static int
read_file(const struct caller *caller, uint32_t slot, char *buffer, size_t size)
{
	uint64_t offset = reply_offset(caller->view, slot);
	int fd = file_of(caller);
	size_t done = 0;
	ssize_t n;

	if (fd < 0)
		return -EMFILE;
	while (done < size) {
		n = pread(fd, buffer + done, size - done,
			  (off_t)(offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EBADMSG;
		done += (size_t)n;
	}
	return 0;
}

static int
read_reply(const struct wait *wait, void *buffer, size_t size)
{
	const struct call_slot *slot = wait->slot;

	if (size > CALL_REST)
		return read_file(wait->caller, wait->calling->slot, buffer,
				 size);
	/* relaxed: after CALL-A2; a server that is hostile may change it, and
	   spoils its own reply */
	copy_out_relaxed(buffer, size > CALL_FIRST ? slot->rest : slot->first,
			 size);
	return shm_is_broken(&wait->caller->mapping) ? -EBADMSG : 0;
}

/* It has ended, as the word says. */
static int
take_reply(const struct wait *wait, void *buffer, size_t room,
	   size_t *ret_size)
{
	struct caller *caller = wait->caller;
	uint64_t size = call_size(wait->word);
	int r = -EPIPE;

	if (unlikely(call_use(wait->word) != wait->calling->use) ||
	    unlikely(shm_is_broken(&caller->mapping))) {
		r = -EBADMSG;
	} else if (likely(call_state(wait->word) == CALL_REPLIED)) {
		if (size > caller->view->attributes.message_max) {
			r = -EBADMSG;
		} else if (size > room) {
			*ret_size = size;
			return -EMSGSIZE;
		} else {
			r = read_reply(wait, buffer, size);
			/* It is there still, and may be read then. */
			if (unlikely(caller_goes_on(r)))
				return r;
			give_back(caller, wait->calling->slot, size);
		}
	}
	if (r == 0)
		*ret_size = size;
	end(caller, wait->calling->slot, false);
	return r;
}

int
caller_wait(struct caller *caller, const struct calling *calling,
	    const struct caller_trust *trust, void *buffer, size_t size,
	    size_t *ret_size, int64_t deadline)
{
	struct wait wait = {
		.caller = caller, .calling = calling, .trust = trust,
		.slot = slot_of(caller, calling->slot),
		.slice = INBOX_SLICE,
	};
	int r = await(&wait, deadline);

	if (likely(r == 0))
		return take_reply(&wait, buffer, size, ret_size);
	if (!caller_goes_on(r))
		caller_cancel(caller, calling);
	return r;
}

void
caller_cancel(struct caller *caller, const struct calling *calling)
{
	struct wait wait = {
		.caller = caller, .calling = calling,
		.slot = slot_of(caller, calling->slot),
	};
	bool limbo = false;

	look(&wait);
	if (end_as(&wait, CALL_FREE))
		limbo = is_in_limbo(caller, calling->slot, calling->use);
	else if (call_state(wait.word) == CALL_PENDING)
		limbo = true;	/* somebody plays with the word */
	else if (call_state(wait.word) == CALL_REPLIED)
		give_back(caller, calling->slot,
			  min_u64(call_size(wait.word),
				  caller->view->attributes.message_max));
	end(caller, calling->slot, limbo);
}

/* Going ------------------------------------------------------------------ */

void
caller_list(struct caller *caller, struct cubby_request *request)
{
	exclusion_enter(&caller->exclusion);
	request->previous = NULL;
	request->next = caller->requests;
	if (request->next)
		request->next->previous = request;
	caller->requests = request;
	exclusion_leave(&caller->exclusion);
}

void
caller_unlist(struct caller *caller, struct cubby_request *request)
{
	exclusion_enter(&caller->exclusion);
	if (request->previous)
		request->previous->next = request->next;
	else
		caller->requests = request->next;
	if (request->next)
		request->next->previous = request->previous;
	exclusion_leave(&caller->exclusion);
	free(request);
}

void
caller_end(struct caller *caller)
{
	while (caller->requests) {
		caller_cancel(caller, &caller->requests->calling);
		caller_unlist(caller, caller->requests);
	}
	if (caller->id)
		close_file(caller);
	free(caller->slots);
	caller->slots = NULL;
}

void
caller_forget(struct caller *caller)
{
	struct cubby_request *request;

	if (caller->id) {
		shm_forget(&caller->mapping);
		shm_close_kept(caller->fd, &caller->is);
	}
	/* Another thread may have been at them: see sender_forget(). */
	if (caller->exclusion.taken)
		return;
	while ((request = caller->requests)) {
		caller->requests = request->next;
		free(request);
	}
	free(caller->slots);
	caller->slots = NULL;
}
