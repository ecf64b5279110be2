/* SPDX-License-Identifier: MIT */
/* Layer 5. May include: base atomics shm layout. */
/*
 * Request and reply: the bytes that a caller and its servers share, and who
 * writes what, in which order.
 *
 * A request is a message like any other, in a lane or in a queue, that says
 * which *call* it belongs to. The reply does not travel through a mailbox: it
 * is put where the caller looks for it, into a slot of the caller's *reply
 * file*, lanes/reply.ID. The caller makes that file with its first call; it and
 * those who may receive from the mailbox may read and write it, and nobody
 * else: a fellow sender can neither read a reply nor forge one. The caller says
 * ID in its lane's file, or in its record of a queue.
 *
 *	page 0		struct reply_file
 *	page 1 + S	struct call_slot S
 *	behind		for each slot the place of one reply that does not fit
 *			into it; written and read by pwrite(2) and pread(2)
 *
 * One call is one *use* of a slot. Its reference, which the request carries and
 * the envelope tells, is {epoch of the file:24, use:28, slot:12}. Two words in
 * the slot decide all:
 *
 * field	written by			read by
 * word		the caller stores PENDING; all	the caller, who waits; servers
 *		else is a CAS from that very	never before they reply
 *		word, by the server or the
 *		caller: so one of them ends it
 * taken	by CAS alone: who has the	servers; the caller, to ask
 *		request, {use:28, who:36}	whether that one lives
 * first, rest	the server that `taken` names,	the caller, after it has seen
 *		before the word			REPLIED
 *
 *	word	FREE -> PENDING -> REPLIED	the server's reply
 *			PENDING -> FAILED	its server has died, or cannot
 *						reply any more
 *			PENDING -> FREE		the caller has given up
 *
 * `taken` is not set back between uses. One that bears an older use than the
 * request's says that nobody has taken it yet; a newer one, that the call is
 * over. So the caller does not touch that line, which stays with its server.
 * Each use ends with a `taken` of its own: REPLIED and FAILED need one who took
 * the request, and who gives up a request that nobody has taken, or a dead one,
 * makes it CLOSED.
 * So a CAS from what was seen during an earlier use fails. (Of 2^28 uses, that
 * is: a server that stands still for an exact multiple of them could be
 * fooled, and nobody else.)
 *
 * Who has taken it may write into the slot, and nobody else may until that one
 * has replied, said that it does not (DONE), or died. Hence a caller that gives
 * up does not use the slot again before (it lies in *limbo*): a server that
 * stood still before it wrote cannot spoil the reply to a later call.
 *
 * Taking, from a lane that is biased towards the server:
 *
 *	1. taken: -> {use, itself}, by CAS	died here: the request lies in the
 *	2. moves the head			lane still; whoever gets it takes
 *						it over. If the caller asks
 *						before that, he closes it, is
 *						told -EPIPE, and the request is
 *						passed over
 *	   lost it: taken -> {use, NONE}	(unless the winner has been there)
 *	...  serves ...				died here: the caller asks the
 *						kernel about {use, who}: -EPIPE
 *	3. writes the reply into the slot	the same
 *	4. word: PENDING -> REPLIED		the caller has its reply
 *	5. wakes it, if it was ASLEEP
 *	6. taken: -> {use, DONE}
 *
 * Where several servers may be at one request it is claimed first (claims.h; in
 * a queue: HELD), and then 1 is done by the one who has it, whatever stands
 * there: another is one who has lost, or the caller's TELL. Died between claim
 * and 1: the message goes back, and has been served by nobody. Died after 1: it
 * goes back too, and the next one finds that a dead one had it: word: PENDING ->
 * FAILED, and it is passed over. So a request is served once at most. One that
 * lives and rejects it sets taken to NONE first.
 *
 * Who finds that a server has died makes `taken` CLOSED, by a CAS from that very
 * server, and only then ends the call or uses the slot again. So the one who
 * would take it over and the caller who gives it up cannot both be right: the
 * CAS of one of them fails, and that one looks again. Died between the two: the
 * caller finds CLOSED and a word that is PENDING, and fails the call itself.
 *
 * A request that nobody waits for is passed over: its `taken` is CLOSED, or of a
 * newer use, or the file of that epoch is not there any more, or its caller
 * does not live. Whether he does is asked of the kernel once in a tick of its
 * clock for each caller.
 *
 * Sleeping is on one word that both sides change by CAS, so no wake-up is lost:
 *
 *	caller					server
 *	word: PENDING -> PENDING|ASLEEP, CAS	word: what it is -> REPLIED, CAS
 *	sleeps while it is that			it had ASLEEP: wakes
 *
 * If the reply was first, the caller's CAS fails, and it looks. If the caller
 * was, the server's finds ASLEEP. Killed before 5: the caller looks by itself
 * when its slice ends, which is when it asks whether its server lives
 * (INBOX_SLICE). A caller whose request nobody has taken for some time makes
 * taken {use, TELL}, by CAS, and sleeps for longer. Who takes it finds that, and
 * takes ASLEEP out of the word, on which the caller sleeps:
 *
 *	caller					server
 *	word: has ASLEEP, by its CAS		taken: TELL -> {use, itself}, CAS
 *	taken: it is TELL, or is made so	word: ASLEEP -> none, CAS, be it
 *	sleeps while the word has ASLEEP	set or not; if it was: wakes
 *
 * If the caller's CAS of the word came first, the server's finds ASLEEP, and the
 * word is another one than the caller would sleep on. If the server's did, the
 * caller sees behind it that a server has the request, and sleeps for a slice.
 * Killed between its two: the caller looks when its sleep ends, within a second.
 *
 * Who lives: the caller has locked byte 0 of the file, a server byte 1 + who,
 * both as liveness.h says. A server does so when it opens the file, before it
 * takes a first request.
 *
 * What is found here is input, on both sides: sizes are read once and checked, a
 * file that is cut short is answered by the guard, or by a short read.
 */
#ifndef CUBBY_LAYOUT_REPLY_H
#define CUBBY_LAYOUT_REPLY_H

#include "base.h"
#include "atomics.h"
#include "layout.h"

#define CALL_SLOTS_MAX	1024
#define CALL_FIRST	56	/* bytes beside the word */

/*
 * field		written by	when
 * identity, id		the caller	before the file gets its name
 */
struct reply_file {
	struct identity identity;
	word64 id;
	uint8_t unused[PAGE - sizeof(struct identity) - 8];
};

/* A page. The word and a short reply are one line; `taken`, which servers keep,
   lies apart from it. */
struct call_slot {
	word64 word;
	word64 first[CALL_FIRST / 8];
	uint8_t unused0[64];
	word64 taken;
	uint8_t unused1[56];
	word64 rest[(PAGE - 192) / 8];
};
#define CALL_REST (PAGE - 192)

enum call_state {
	CALL_FREE = 0,
	CALL_PENDING,
	CALL_REPLIED,
	CALL_FAILED
};

/* The word: {size of the reply:32, use:28, asleep:1, state:3}. The lower half is
   what the caller sleeps on. */
#define CALL_ASLEEP	8

static inline uint64_t
call_word(uint64_t size, uint32_t use, enum call_state state)
{
	return size << 32 | use << 4 | state;
}

static inline enum call_state
call_state(uint64_t word)
{
	return word & 7;
}

static inline uint32_t
call_use(uint64_t word)
{
	return (uint32_t)word >> 4;
}

static inline uint64_t
call_size(uint64_t word)
{
	return word >> 32;
}

#define USE_MAX ((UINT32_C(1) << 28) - 1)
#define START_USE ((uint32_t)START_COUNTER(28, 20))	/* for tests */

/* Is use a later one than other? */
static inline bool
use_is_later(uint32_t use, uint32_t other)
{
	return (int32_t)((use - other) << 4) > 0;
}

/* `taken`: who, if it is no server. */
enum {
	TAKEN_NONE = 0,
	TAKEN_CLOSED,	/* nobody waits for it */
	TAKEN_TELL,	/* nobody yet; who takes it wakes the caller */
	TAKEN_DONE,	/* one who does not touch the slot any more */
	TAKEN_SERVER	/* and up */
};

static inline uint64_t
taken_make(uint32_t use, uint64_t who)
{
	return (uint64_t)use << 36 | who;
}

static inline uint32_t
taken_use(uint64_t taken)
{
	return taken >> 36;
}

static inline uint64_t
taken_who(uint64_t taken)
{
	return taken & ((UINT64_C(1) << 36) - 1);
}

/* Is nobody to take the request of that use any more, or to write for it? */
static inline bool
taken_is_over(uint64_t taken, uint32_t use)
{
	return taken == taken_make(use, TAKEN_CLOSED) ||
	       taken == taken_make(use, TAKEN_DONE);
}

/* Has a server got the request of that use? */
static inline bool
taken_is_by_server(uint64_t taken, uint32_t use)
{
	return taken_use(taken) == use && taken_who(taken) >= TAKEN_SERVER;
}

/* A server: its slot among those who receive, and the generation of that. */
static inline uint64_t
server_make(uint32_t slot, uint64_t generation)
{
	return TAKEN_SERVER + ((generation & 0x7fffff) << 12 | slot);
}

static inline uint32_t
server_slot(uint64_t who)
{
	return (who - TAKEN_SERVER) & 4095;
}

/* The byte that it locks. */
static inline uint64_t
server_byte(uint64_t who)
{
	return 1 + who;
}

/* A reference: {epoch:24, use:28, slot:12}. Never 0, for no use is. */
static inline uint64_t
reference_make(uint64_t id, uint32_t use, uint32_t slot)
{
	return id << 40 | (uint64_t)use << 12 | slot;
}

static inline uint32_t
reference_use(uint64_t reference)
{
	return reference >> 12 & USE_MAX;
}

static inline uint32_t
reference_slot(uint64_t reference)
{
	return reference & 4095;
}

/* The low 24 bits of a file's id are its epoch: another one for each file of one
   sender. */
static inline bool
reference_is_of(uint64_t reference, uint64_t id)
{
	return (reference ^ id << 40) >> 40 == 0;
}

#define REPLY_LENGTH (PAGE * (1 + CALL_SLOTS_MAX))	/* what is mapped */

static inline struct call_slot *
reply_slot(const void *file, uint32_t slot)
{
	return (struct call_slot *)((char *)(uintptr_t)file + PAGE * (1 + slot));
}

/* Where a reply lies that does not fit into its slot. */
static inline uint64_t
reply_offset(const struct view *view, uint32_t slot)
{
	return REPLY_LENGTH +
	       slot * round_up(view->attributes.message_max, PAGE);
}

#endif
