/* SPDX-License-Identifier: MIT */
/* Layer 8. May include: base atomics clock futex shm liveness layout layout_reply reply_file answers. */
/*
 * The server's end; layout_reply.h has the protocol.
 *
 * It never reads the caller's word before it replies: the caller looks at that
 * line all the time. What it has to know of a request stands in `taken`, a line
 * that only servers write as a rule.
 */
#include "base.h"
#include "answers.h"
#include "clock.h"
#include "futex.h"
#include "reply_file.h"

#include <stdlib.h>
#include <unistd.h>

#define DESCRIPTORS_MAX 64	/* kept; of more callers they are opened anew */
#define LOOKS 16		/* callers asked for at a time */
#define TRIES 100

struct peer {
	uint64_t id;
	int fd;			/* -1: open it anew */
	struct file_identity is;
	int64_t asked;		/* clock_tick(), when it last lived */
	struct mapping mapping;
	struct liveness life;	/* ours, there */
};

void
answers_init(struct answers *answers, const struct view *view, uint32_t slot,
	     uint64_t generation)
{
	memset(answers, 0, sizeof(*answers));
	answers->view = view;
	answers->server = server_make(slot, generation);
}

/* Peers ------------------------------------------------------------------ */

static void
close_peer(struct answers *answers, uint64_t sender)
{
	struct peer *peer = answers->peers[sender];

	answers->peers[sender] = NULL;
	shm_unmap(&peer->mapping);
	liveness_drop(&peer->life);
	if (peer->fd >= 0) {
		shm_close_kept(peer->fd, &peer->is);
		answers->descriptors--;
	}
	free(peer);
}

static void
keep_descriptor(struct answers *answers, struct peer *peer, int fd)
{
	if (answers->descriptors == DESCRIPTORS_MAX ||
	    shm_identify(fd, &peer->is) < 0) {
		close(fd);
		return;
	}
	peer->fd = fd;
	answers->descriptors++;
}

/* Its file, and then our lock there. */
static int
open_peer(struct answers *answers, uint64_t id, uid_t uid, struct peer **ret)
{
	struct peer *peer = calloc(1, sizeof(*peer));
	int fd, r;

	if (!peer)
		return -ENOMEM;
	peer->id = id;
	peer->fd = -1;
	r = reply_file_open(answers->view, id, uid, &fd, &peer->mapping);
	if (r == 0) {
		r = reply_file_lock(answers->view, id,
				    server_byte(answers->server), &peer->life);
		if (r == 0)
			keep_descriptor(answers, peer, fd);
		else
			close(fd);
	}
	if (r < 0) {
		shm_unmap(&peer->mapping);
		free(peer);
		return r;
	}
	*ret = peer;
	return 0;
}

/* Is that an error of the caller's making? Then nobody waits there. */
static bool
is_its_own_fault(int r)
{
	return r == -ENOENT || r == -EACCES || r == -EBADMSG || r == -EAGAIN ||
	       r == -EPROTO;
}

static COLD int
meet_peer(struct answers *answers, uint64_t sender, uint64_t id, uid_t uid,
	  struct peer **ret)
{
	int r;

	if (!answers->peers)
		answers->peers = calloc(SENDERS_MAX, sizeof(*answers->peers));
	if (!answers->peers)
		return -ENOMEM;
	if (answers->peers[sender])
		close_peer(answers, sender);
	if (!id)
		return -ENOENT;
	r = open_peer(answers, id, uid, ret);
	if (r == 0)
		answers->peers[sender] = *ret;
	return is_its_own_fault(r) ? -ENOENT : r;
}

/* A descriptor of the peer's file; *ret_ours: the caller closes it. */
static int
descriptor_of(const struct answers *answers, const struct peer *peer,
	      bool *ret_ours)
{
	int fd = shm_still(peer->fd, &peer->is);

	*ret_ours = fd < 0;
	return *ret_ours ? reply_file_reopen(answers->view, peer->id) : fd;
}

/* Is that byte locked? What cannot be known counts as locked, unless there is no
   such file any more. */
static bool
is_locked(const struct answers *answers, const struct peer *peer, uint64_t byte)
{
	bool ours;
	int fd = descriptor_of(answers, peer, &ours), r;

	if (fd < 0)
		return !is_its_own_fault(fd);
	r = liveness_ask(fd, byte);
	if (ours)
		close(fd);
	return r != 0;
}

/* Does its caller live? If not, his file goes with him. */
static COLD bool
ask_for(struct answers *answers, uint64_t sender, int64_t tick)
{
	struct peer *peer = answers->peers[sender];

	if (is_locked(answers, peer, 0)) {
		peer->asked = tick;
		return true;
	}
	reply_file_unlink(answers->view, peer->id);
	close_peer(answers, sender);
	return false;
}

void
answers_look(struct answers *answers)
{
	uint32_t i, looks = 0;
	uint32_t n;

	for (i = 0; answers->peers && i < SENDERS_MAX && looks < LOOKS; i++) {
		n = answers->next++ % SENDERS_MAX;
		if (!answers->peers[n])
			continue;
		looks++;
		ask_for(answers, n, clock_tick());
	}
}

void
answers_end(struct answers *answers)
{
	uint32_t i;

	for (i = 0; answers->peers && i < SENDERS_MAX; i++)
		if (answers->peers[i])
			close_peer(answers, i);
	free(answers->peers);
	answers->peers = NULL;
}

void
answers_forget(struct answers *answers)
{
	struct peer *peer;
	uint32_t i;

	for (i = 0; answers->peers && i < SENDERS_MAX; i++) {
		peer = answers->peers[i];
		if (!peer)
			continue;
		shm_forget(&peer->mapping);
		if (peer->fd >= 0)
			shm_close_kept(peer->fd, &peer->is);
		free(peer);
	}
	free(answers->peers);
	answers->peers = NULL;
}

/* Requests --------------------------------------------------------------- */

int
answers_meet(struct answers *answers, uint64_t sender, uint64_t id, uid_t uid,
	     uint64_t reference, struct called *ret)
{
	uint32_t slot = reference_slot(reference);
	struct peer *peer = NULL;
	uint64_t taken;
	int64_t tick;
	int r;

	if (unlikely(sender >= SENDERS_MAX) ||
	    unlikely(slot >= CALL_SLOTS_MAX) ||
	    unlikely(!reference_is_of(reference, id)))
		return -ENOENT;
	if (likely(answers->peers))
		peer = answers->peers[sender];
	if (unlikely(!peer) || unlikely(peer->id != id)) {
		r = meet_peer(answers, sender, id, uid, &peer);
		if (r < 0)
			return r;
	}
	tick = clock_tick();
	if (unlikely(peer->asked != tick) && !ask_for(answers, sender, tick))
		return -ENOENT;
	ret->peer = peer;
	ret->slot = reply_slot(peer->mapping.address, slot);
	ret->use = reference_use(reference);
	/* CALL-A4 acquire: who has it, and that he has locked his byte. Pairs
	   with CALL-C1, CALL-C4, CALL-C5, CALL-C8, CALL-C9. */
	taken = word64_load_acquire(&ret->slot->taken);
	if (unlikely(use_is_later(taken_use(taken), ret->use)) ||
	    unlikely(taken_is_over(taken, ret->use)) ||
	    unlikely(shm_is_broken(&peer->mapping)))
		return -ENOENT;
	return 0;
}

static void
wake(const struct called *called)
{
	futex_wake(word64_low_half(&called->slot->word), 1);
}

/* If the caller waits for it still: it has ended so. */
static bool
end_call(const struct called *called, uint64_t size, enum call_state state)
{
	uint64_t pending = call_word(0, called->use, CALL_PENDING);
	uint64_t end = call_word(size, called->use, state), seen = pending;
	int i;

	/* It is lost to a caller who falls asleep, wakes, or gives up. */
	for (i = 0; i < TRIES; i++) {
		/* CALL-C7 acq_rel: the reply before the word; one of those who
		   end it. Pairs with CALL-A2, CALL-C2, CALL-R2. */
		if (likely(word64_cas_acq_rel(&called->slot->word, &seen,
					      end))) {
			if (unlikely(seen & CALL_ASLEEP))
				wake(called);
			return true;
		}
		if ((seen & ~(uint64_t)CALL_ASLEEP) != pending)
			return false;
	}
	return false;
}

/* Its caller sleeps for long, or is about to: from now on it shall ask. */
static void
tell_caller(const struct called *called)
{
	uint64_t pending = call_word(0, called->use, CALL_PENDING);
	uint64_t seen = pending | CALL_ASLEEP;
	int i;

	for (i = 0; i < TRIES; i++) {
		/* CALL-C10 acq_rel: also of what is PENDING and stays so: then
		   who says after this that it sleeps sees `taken`. Pairs with
		   CALL-A2, CALL-C2. */
		if (word64_cas_acq_rel(&called->slot->word, &seen, pending)) {
			if (seen & CALL_ASLEEP)
				wake(called);
			return;
		}
		if ((seen & ~(uint64_t)CALL_ASLEEP) != pending)
			return;
	}
}

bool
answers_take(const struct answers *answers, const struct called *called)
{
	uint64_t mine = taken_make(called->use, answers->server);
	/* relaxed: the CAS looks again */
	uint64_t seen = word64_load_relaxed(&called->slot->taken);
	bool tell = seen == taken_make(called->use, TAKEN_TELL);

	if (unlikely(taken_use(seen) == called->use) && !tell &&
	    taken_who(seen) != TAKEN_NONE)
		return false;
	if (unlikely(use_is_later(taken_use(seen), called->use)))
		return false;
	/* CALL-C4 acq_rel: after our byte was locked; from what was there
	   before. Pairs with CALL-A3, CALL-A4, CALL-C1, CALL-C3, CALL-C8. */
	if (unlikely(!word64_cas_acq_rel(&called->slot->taken, &seen, mine)))
		return false;
	if (unlikely(tell))
		tell_caller(called);
	return true;
}

/* Had somebody it who has died? Then nobody has it any more, and the caller is
   told. */
static bool
has_died(const struct answers *answers, const struct called *called,
	 uint64_t *taken)
{
	if (!taken_is_by_server(*taken, called->use) ||
	    taken_who(*taken) == answers->server ||
	    is_locked(answers, called->peer, server_byte(taken_who(*taken))))
		return false;
	/* CALL-C9 acq_rel: from that dead one, or its caller has closed it.
	   Pairs with CALL-A1, CALL-A3, CALL-A4. */
	if (word64_cas_acq_rel(&called->slot->taken, taken,
			       taken_make(called->use, TAKEN_CLOSED)))
		end_call(called, 0, CALL_FAILED);
	return true;
}

/* Is there somebody who waits for it? */
static bool
is_awaited(const struct called *called)
{
	/* CALL-A5 acquire: has it ended? Pairs with CALL-C2. */
	uint64_t word = word64_load_acquire(&called->slot->word);

	return call_state(word) == CALL_PENDING &&
	       call_use(word) == called->use;
}

bool
answers_own(const struct answers *answers, const struct called *called,
	    bool again)
{
	uint64_t mine = taken_make(called->use, answers->server);
	/* relaxed: the CAS looks again */
	uint64_t seen = word64_load_relaxed(&called->slot->taken);
	bool got = false;
	int i;

	for (i = 0; !got && i < TRIES; i++) {
		if (use_is_later(taken_use(seen), called->use) ||
		    taken_is_over(seen, called->use) ||
		    (again && (has_died(answers, called, &seen) ||
			       !is_awaited(called))))
			return false;
		/* CALL-C5 acq_rel: as CALL-C4, whoever has lost it. Pairs with
		   CALL-A1, CALL-A3, CALL-A4, CALL-C1, CALL-C3,
		   CALL-C8. */
		got = word64_cas_acq_rel(&called->slot->taken, &seen, mine);
	}
	if (got && seen == taken_make(called->use, TAKEN_TELL))
		tell_caller(called);
	return got;
}

/* If it is ours. */
static bool
leave(const struct answers *answers, const struct called *called, uint64_t who)
{
	uint64_t mine = taken_make(called->use, answers->server);

	/* CALL-C6 acq_rel: what we have written before; and it is nobody
	   else's. Pairs with CALL-A1. */
	return word64_cas_acq_rel(&called->slot->taken, &mine,
				  taken_make(called->use, who));
}

static bool
is_ours(const struct answers *answers, const struct called *called)
{
	/* relaxed: ours from CALL-C4 or CALL-C5 on */
	return word64_load_relaxed(&called->slot->taken) ==
	       taken_make(called->use, answers->server);
}

void
answers_give_up(const struct answers *answers, const struct called *called)
{
	leave(answers, called, TAKEN_NONE);
}

void
answers_refuse(const struct answers *answers, const struct called *called)
{
	if (!is_ours(answers, called))
		return;
	end_call(called, 0, CALL_FAILED);
	leave(answers, called, TAKEN_DONE);
}

/* One that we have taken, as an envelope tells it. */
static bool
find(const struct answers *answers, uint64_t sender, uint64_t reference,
     struct called *ret)
{
	struct peer *peer = answers->peers && sender < SENDERS_MAX ?
			    answers->peers[sender] : NULL;
	uint32_t slot = reference_slot(reference);

	if (unlikely(!peer) || unlikely(slot >= CALL_SLOTS_MAX) ||
	    unlikely(!reference_is_of(reference, peer->id)))
		return false;
	ret->peer = peer;
	ret->slot = reply_slot(peer->mapping.address, slot);
	ret->use = reference_use(reference);
	return is_ours(answers, ret);
}

void
answers_give_up_by(struct answers *answers, uint64_t sender,
		   uint64_t reference)
{
	struct called called;

	if (find(answers, sender, reference, &called))
		answers_give_up(answers, &called);
}

void
answers_refuse_by(struct answers *answers, uint64_t sender, uint64_t reference)
{
	struct called called;

	if (find(answers, sender, reference, &called))
		answers_refuse(answers, &called);
}

/* Replies ---------------------------------------------------------------- */

static int
write_all(int fd, const char *data, size_t size, uint64_t offset)
{
	ssize_t n;

	while (size) {
		n = pwrite(fd, data, size, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENOSPC;
		data += n;
		offset += (uint64_t)n;
		size -= (size_t)n;
	}
	return 0;
}

/* Behind the slots, in memory that is committed for it. */
static int
write_file(const struct answers *answers, const struct called *called,
	   uint64_t offset, const void *data, size_t size)
{
	bool ours;
	int fd = descriptor_of(answers, called->peer, &ours), r;

	if (fd < 0)
		return is_its_own_fault(fd) ? -EPIPE : fd;
	r = shm_commit(fd, offset, round_up(size, PAGE), INT64_MAX);
	if (r == 0)
		r = write_all(fd, data, size, offset);
	if (r < 0)
		shm_give_back(fd, offset, round_up(size, PAGE));
	if (ours)
		close(fd);
	return r;
}

static void
give_back(const struct answers *answers, const struct called *called,
	  uint64_t offset, size_t size)
{
	bool ours;
	int fd = descriptor_of(answers, called->peer, &ours);

	if (fd < 0)
		return;
	shm_give_back(fd, offset, round_up(size, PAGE));
	if (ours)
		close(fd);
}

int
answers_reply(struct answers *answers, uint64_t sender, uint64_t reference,
	      const void *data, size_t size)
{
	struct called called;
	uint64_t offset;
	bool told;
	int r = 0;

	if (unlikely(!find(answers, sender, reference, &called)))
		return -EPIPE;
	offset = reply_offset(answers->view, reference_slot(reference));
	if (unlikely(size > CALL_REST))
		r = write_file(answers, &called, offset, data, size);
	else
		/* relaxed: before CALL-C7 */
		copy_in_relaxed(size > CALL_FIRST ? called.slot->rest :
				called.slot->first, data, size);
	if (unlikely(r < 0))
		return r;
	told = end_call(&called, size, CALL_REPLIED);
	if (unlikely(!told) && size > CALL_REST)
		give_back(answers, &called, offset, size);
	leave(answers, &called, TAKEN_DONE);
	return likely(told) && likely(!shm_is_broken(&called.peer->mapping)) ?
	       0 : -EPIPE;
}
