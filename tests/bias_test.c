/* SPDX-License-Identifier: MIT */
/* Test: tsan, timeout 240. */
/*
 * The bias of a lane's head: whoever runs, stands still or dies at whatever
 * step, each message has one taker.
 *
 * Most of these tests are a model checker. bias.c is compiled into this file,
 * with each access to a shared word made a step of an actor, and all orders of
 * the actors' steps are gone through. Plain stores wait in a buffer of their
 * actor's, seen by himself alone, until a step of their own, a locked
 * instruction of his, or a membarrier of anybody's lets them out: so does x86.
 *
 * An actor is a function that depends on nothing but the results of its
 * accesses. To take a step it is run from its beginning, gets the results that
 * it got before, makes one access more, and is left by longjmp() at the next.
 * So a state is plain memory, and states that have been met are not gone
 * through again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "base.h"
#include "atomics.h"
#include "futex.h"
#include "layout.h"

/* Steps ------------------------------------------------------------------ */

#define ACTORS 4
#define LOG_MAX 96
#define BUFFER_MAX 8
#define ANY_SWITCHES (-1)

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SLOW_HERE true
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLOW_HERE true
#endif
#ifndef SLOW_HERE
#define SLOW_HERE false
#endif

struct store {
	void *word;
	uint64_t value;
};

struct actor {
	void (*run)(void);
	int after; /* begins when that one is dead; -1: at once */
	bool mortal;
	bool dead, done;
	bool spoilt;	/* took what its sender had overwritten */
	uint32_t taken; /* a bit for each message */
	uint32_t logged;
	uint32_t buffered;
	uint64_t log[LOG_MAX];
	struct store buffer[BUFFER_MAX];
};

static struct state {
	struct lane_entry entry;
	uint64_t passed; /* what the sender may overwrite */
	int current;	 /* who took the last step */
	int switches;	 /* so often may another take over from one who could
			    go on; or ANY_SWITCHES */
	struct actor actors[ACTORS];
} state;

static uint32_t messages;  /* how many there are */
static uint32_t each;	   /* an owner takes so many with one store */
static struct actor *self; /* who takes a step; NULL: no model */
static uint32_t cursor;
static bool stepped;
static jmp_buf next_step;

/* Has this access been made before? Else it is the step; or the next one. */
static bool
replayed(uint64_t *ret)
{
	if (cursor < self->logged) {
		*ret = self->log[cursor++];
		return true;
	}
	if (stepped)
		longjmp(next_step, 1);
	stepped = true;
	return false;
}

static uint64_t
logged(uint64_t result)
{
	if (self->logged == LOG_MAX)
		fail_msg("an actor goes on for ever");
	self->log[self->logged++] = result;
	cursor++;
	return result;
}

static uint64_t
word_value(const void *word)
{
	return word == &state.entry.bias_owner ? word32_load_relaxed(word) :
						 word64_load_relaxed(word);
}

static void
word_set(void *word, uint64_t value)
{
	if (word == &state.entry.bias_owner)
		word32_store_relaxed(word, (uint32_t)value);
	else
		word64_store_relaxed(word, value);
}

static void
let_one_out(struct actor *actor)
{
	word_set(actor->buffer[0].word, actor->buffer[0].value);
	memmove(actor->buffer, actor->buffer + 1,
		--actor->buffered * sizeof(actor->buffer[0]));
	memset(&actor->buffer[actor->buffered], 0, sizeof(actor->buffer[0]));
}

static void
let_out(struct actor *actor)
{
	while (actor->buffered)
		let_one_out(actor);
}

static uint64_t
step_load(const void *word)
{
	uint64_t value;
	uint32_t i;

	if (replayed(&value))
		return value;
	value = word_value(word);
	for (i = 0; i < self->buffered; i++)
		if (self->buffer[i].word == word)
			value = self->buffer[i].value;
	return logged(value);
}

/* Seen by nobody else yet: so it belongs to the step before it. */
static void
step_store(void *word, uint64_t value)
{
	if (cursor < self->logged) {
		cursor++;
		return;
	}
	assert_true(self->buffered < BUFFER_MAX);
	self->buffer[self->buffered++] = (struct store){ word, value };
	logged(0);
}

static bool
step_cas(void *word, uint64_t *expected, uint64_t desired)
{
	uint64_t seen;
	bool same;

	if (!replayed(&seen)) {
		let_out(self);
		seen = logged(word_value(word));
		if (seen == *expected)
			word_set(word, desired);
	}
	same = seen == *expected;
	*expected = seen;
	return same;
}

static bool
step_barrier(void)
{
	uint64_t nothing;

	if (replayed(&nothing))
		return true;
	for (int i = 0; i < ACTORS; i++)
		let_out(&state.actors[i]);
	logged(0);
	return true;
}

/* What bias.c does; without a model, the thing itself -------------------- */

static inline uint64_t
hooked_load_acquire(const word64 *w)
{
	return self ? step_load(w) : word64_load_acquire(w);
}

static inline uint64_t
hooked_load_relaxed(const word64 *w)
{
	return self ? step_load(w) : word64_load_relaxed(w);
}

static inline void
hooked_store_release(word64 *w, uint64_t value)
{
	if (self)
		step_store(w, value);
	else
		word64_store_release(w, value);
}

static inline void
hooked_store_relaxed(word64 *w, uint64_t value)
{
	if (self)
		step_store(w, value);
	else
		word64_store_relaxed(w, value);
}

static inline bool
hooked_cas(word64 *w, uint64_t *expected, uint64_t desired)
{
	return self ? step_cas(w, expected, desired) :
		      word64_cas_acq_rel(w, expected, desired);
}

static inline uint32_t
hooked_load32(const word32 *w)
{
	return self ? (uint32_t)step_load(w) : word32_load_relaxed(w);
}

static inline void
hooked_store32(word32 *w, uint32_t value)
{
	if (self)
		step_store(w, value);
	else
		word32_store_release(w, value);
}

static inline bool
hooked_cas32(word32 *w, uint32_t *expected, uint32_t desired)
{
	uint64_t seen = *expected;
	bool same;

	if (!self)
		return word32_cas_acq_rel(w, expected, desired);
	same = step_cas(w, &seen, desired);
	*expected = (uint32_t)seen;
	return same;
}

static inline bool
hooked_barrier(void)
{
	return self ? step_barrier() : barrier_all();
}

#define word64_load_acquire hooked_load_acquire
#define word64_load_relaxed hooked_load_relaxed
#define word64_store_release hooked_store_release
#define word64_store_relaxed hooked_store_relaxed
#define word64_cas_acq_rel hooked_cas
#define word32_load_relaxed hooked_load32
#define word32_store_release hooked_store32
#define word32_cas_acq_rel hooked_cas32
#define barrier_all hooked_barrier
#include "bias.h"
#include "bias.c"

/* What actors do --------------------------------------------------------- */

#define LANE (&state.entry)

static int64_t
position_of(uint64_t head)
{
	return (int64_t)(head << 16) >> 16;
}

/* Reads the cell: is the message still there? */
static bool
copy_message(uint64_t k)
{
	uint64_t there;

	return replayed(&there) ? there : logged(k >= state.passed);
}

static void
got_message(uint64_t k, bool good)
{
	self->taken |= UINT32_C(1) << k;
	if (!good)
		self->spoilt = true;
}

/* Takes them step by step, as the owner, until the bias is lost. */
static bool
take_as_owner(uint64_t bias, uint64_t from, uint64_t to)
{
	uint64_t k, next, i;
	bool good;

	for (k = from; k < to; k = next) {
		next = k + each < to ? k + each : to;
		for (i = k, good = true; i < next; i++)
			good = copy_message(i) && good;
		if (!bias_advance(LANE, bias,
				  bias_next(next, (uint32_t)(next - k))))
			return false;
		for (i = k; i < next; i++)
			got_message(i, good);
	}
	return true;
}

/* Takes what there is, and takes biases away. */
static void
take_by_cas(uint64_t to)
{
	for (;;) {
		uint64_t head = word64_load_acquire(&LANE->head), k;
		bool good;

		if (bias_is_set(head)) {
			bias_revoke(LANE);
			continue;
		}
		k = head_position(head);
		if (k >= to)
			return;
		good = copy_message(k);
		if (word64_cas_acq_rel(&LANE->head, &head, head_make(k + 1, 0)))
			got_message(k, good);
	}
}

static void
run_taker(void)
{
	take_by_cas(messages);
}

/* Afterwards that bias is over, whoever has ended it. */
static void
run_revoker(void)
{
	uint64_t before = word64_load_acquire(&LANE->head), after;

	bias_revoke(LANE);
	after = word64_load_acquire(&LANE->head);
	if (bias_is_set(before) &&
	    (before | HEAD_REVOKING) == (after | HEAD_REVOKING))
		fail_msg("revoked, and biased as before");
}

/* In epoch 1, from message 0; leaves when it has lost it, or at the end. */
static void
run_owner(void)
{
	take_as_owner(HEAD_BIASED | 1, 0, messages);
	bias_leave(LANE, HEAD_BIASED | 1);
	take_by_cas(messages);
}

/* The same, but it goes on until it is stopped. */
static void
run_owner_who_stays(void)
{
	if (!take_as_owner(HEAD_BIASED | 1, 0, messages))
		take_by_cas(messages);
}

/* Biases once more, in slot 0, when it has lost it. */
static void
run_owner_who_comes_back(void)
{
	uint64_t head, bias;

	if (take_as_owner(HEAD_BIASED | 1, 0, messages))
		return;
	bias_leave(LANE, HEAD_BIASED | 1);
	head = word64_load_acquire(&LANE->head);
	bias = bias_is_set(head) ? 0 : bias_take(LANE, 0, head);
	if (!bias || !take_as_owner(bias, head_position(head), messages))
		take_by_cas(messages);
}

/* Gets slot 0, whose owner is dead, and biases in slot 1. */
static void
run_next_owner(void)
{
	uint64_t head, bias;

	bias_bury(LANE, 0);
	head = word64_load_acquire(&LANE->head);
	bias = bias_is_set(head) ? 0 : bias_take(LANE, 1, head);
	if (!bias || !take_as_owner(bias, head_position(head), messages))
		take_by_cas(messages);
}

/* Biases in slot 1 as soon as it can, whoever else has. */
static void
run_rival(void)
{
	uint64_t head = word64_load_acquire(&LANE->head), bias;

	if (bias_is_set(head)) {
		bias_revoke(LANE);
		head = word64_load_acquire(&LANE->head);
	}
	bias = bias_is_set(head) ? 0 : bias_take(LANE, 1, head);
	if (!bias || !take_as_owner(bias, head_position(head), messages))
		take_by_cas(messages);
}

/* The same slot, as its next owner. */
static void
run_next_owner_of_the_slot(void)
{
	uint64_t head, bias;

	bias_bury(LANE, 0);
	head = word64_load_acquire(&LANE->head);
	bias = bias_is_set(head) ? 0 : bias_take(LANE, 0, head);
	if (!bias || !take_as_owner(bias, head_position(head), messages))
		take_by_cas(messages);
}

/* Repairs: its owner is dead. */
static void
run_repairer(void)
{
	uint64_t head = bias_towards(LANE, 0);

	if (head)
		bias_revoke_dead(LANE, head);
}

/* As run_repairer(), of the first epoch, whose owner is dead already. */
static void
run_repairer_of_epoch_1(void)
{
	uint64_t head = bias_towards(LANE, 0);

	if ((head & ~HEAD_REVOKING) == (HEAD_BIASED | 1))
		bias_revoke_dead(LANE, head);
}

/* Nobody else can get the slot. */
static void
run_grave_digger(void)
{
	bias_bury(LANE, 0);
	take_by_cas(messages);
}

/* Looks for room, and uses what it finds. */
static void
run_sender(void)
{
	uint64_t known = 0, nothing;

	for (int i = 0; i < 2; i++) {
		known = bias_head(LANE, known);
		if (replayed(&nothing))
			continue;
		if (position_of(known) > (int64_t)state.passed)
			state.passed = head_position(known);
		logged(0);
	}
}

static void
run_sender_who_knows_3(void)
{
	uint64_t known = bias_head(LANE, 3), nothing;

	if (!replayed(&nothing))
		state.passed = logged(head_position(known));
}

/* Going through the states ----------------------------------------------- */

#define SEEN_BITS 23

static uint64_t *seen;
static uint64_t states, ends;
static bool sender_looks;

static uint64_t
mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 29;
}

static uint64_t
hash_of_state(void)
{
	uint64_t hash = 1;

	hash = mix(hash, state.entry.head.word);
	hash = mix(hash, state.entry.bias.word);
	hash = mix(hash, state.entry.decision.word);
	hash = mix(hash, state.entry.bias_owner.word);
	hash = mix(hash, state.passed);
	if (state.switches >= 0)
		hash = mix(hash, (uint64_t)state.switches << 8 |
					 (uint64_t)state.current);
	for (int i = 0; i < ACTORS; i++) {
		const struct actor *actor = &state.actors[i];

		hash = mix(hash,
			   actor->logged << 2 | actor->dead << 1 | actor->done);
		for (uint32_t n = 0; n < actor->logged; n++)
			hash = mix(hash, actor->log[n]);
		for (uint32_t n = 0; n < actor->buffered; n++)
			hash = mix(hash, (uintptr_t)actor->buffer[n].word ^
						 actor->buffer[n].value);
	}
	return hash | 1;
}

/* Has this state been met before? It has now. */
static bool
was_seen(void)
{
	uint64_t hash = hash_of_state(), i = hash >> 8;

	for (;; i++) {
		uint64_t *place = &seen[i & ((UINT64_C(1) << SEEN_BITS) - 1)];

		if (*place == hash)
			return true;
		if (!*place) {
			*place = hash;
			break;
		}
	}
	if (++states > UINT64_C(3) << (SEEN_BITS - 2))
		fail_msg("too many states");
	return false;
}

static void
take_step(struct actor *actor)
{
	self = actor;
	cursor = 0;
	stepped = false;
	actor->taken = 0;
	actor->spoilt = false;
	if (setjmp(next_step) == 0) {
		actor->run();
		actor->done = true;
	}
	self = NULL;
}

/* What is true all the time. */
static void
check_state(void)
{
	uint32_t taken = 0;

	for (int i = 0; i < ACTORS; i++) {
		const struct actor *actor = &state.actors[i];

		if (taken & actor->taken)
			fail_msg("a message has been taken twice: %x and %x",
				 taken, actor->taken);
		if (actor->spoilt)
			fail_msg("a message was overwritten before it was "
				 "taken");
		taken |= actor->taken;
	}
}

/* All who live have done: what was passed has been taken, apart from what the
   dead had in hand. */
static void
check_end(void)
{
	uint64_t head = state.entry.head.word;
	uint32_t taken = 0;
	uint32_t dead = 0;

	ends++;
	for (int i = 0; i < ACTORS; i++) {
		taken |= state.actors[i].taken;
		dead += state.actors[i].dead;
	}
	if (bias_is_set(head))
		head = state.entry.bias.word;
	if (position_of(head) != messages)
		fail_msg("the head ends at %lld", (long long)position_of(head));
	if (messages - (uint32_t)__builtin_popcount(taken) > dead * each)
		fail_msg("%x of the messages have been taken, %d died", taken,
			 dead);
}

static bool
may_run(const struct actor *actor)
{
	return actor->run && !actor->dead && !actor->done &&
	       (actor->after < 0 || state.actors[actor->after].dead);
}

/* Its turn: with or without one of the switches. */
static bool
gets_turn(int number)
{
	if (!may_run(&state.actors[number]))
		return false;
	if (number != state.current && state.switches >= 0 &&
	    may_run(&state.actors[state.current]) && state.switches-- == 0) {
		state.switches = 0;
		return false;
	}
	state.current = number;
	return true;
}

static void
explore(void);

static void
explore_from(const struct state *before)
{
	explore();
	state = *before;
}

static void
explore(void)
{
	struct state before;
	bool end = true;

	if (sender_looks) {
		uint64_t head = bias_head(LANE, 0);

		if (position_of(head) > (int64_t)state.passed)
			state.passed = head_position(head);
	}
	if (was_seen())
		return;
	check_state();
	before = state;
	for (int i = 0; i < ACTORS; i++) {
		struct actor *actor = &state.actors[i];

		if (actor->buffered) {
			end = false;
			let_one_out(actor);
			explore_from(&before);
		}
		if (!gets_turn(i))
			continue;
		end = false;
		take_step(actor);
		explore_from(&before);
		if (actor->mortal) {
			state.current = i;
			let_out(actor);
			actor->dead = true;
			explore_from(&before);
		}
	}
	if (end)
		check_end();
}

/* Biased towards slot 0 in epoch 1, with message 0 next. */
static void
begin(uint32_t count, int switches)
{
	memset(&state, 0, sizeof(state));
	state.actors[0].after = state.actors[1].after = -1;
	state.actors[2].after = state.actors[3].after = -1;
	state.switches = SLOW_HERE && switches != ANY_SWITCHES ? 3 : switches;
	messages = count;
	each = 1;
	states = ends = 0;
	sender_looks = true;
	self = NULL;
	assert_int_equal(bias_take(LANE, 0, 0), HEAD_BIASED | 1);
}

static void
go_through(void)
{
	seen = calloc(UINT64_C(1) << SEEN_BITS, sizeof(*seen));
	assert_non_null(seen);
	explore();
	free(seen);
	print_message("%llu states, %llu ends\n", (unsigned long long)states,
		      (unsigned long long)ends);
	assert_true(ends > 0);
}

static void
let_act(int number, void (*run)(void))
{
	state.actors[number].run = run;
}

/* All orders ------------------------------------------------------------- */

static void
owner_and_taker(void **context)
{
	(void)context;
	begin(3, ANY_SWITCHES);
	let_act(0, run_owner);
	let_act(1, run_taker);
	go_through();
}

static void
owner_taker_and_revoker(void **context)
{
	(void)context;
	begin(1, ANY_SWITCHES);
	let_act(0, run_owner);
	let_act(1, run_taker);
	let_act(2, run_revoker);
	go_through();
}

static void
owner_and_two_takers(void **context)
{
	(void)context;
	begin(2, 4);
	let_act(0, run_owner);
	let_act(1, run_taker);
	let_act(2, run_taker);
	go_through();
}

static void
owner_taker_and_sender_who_looks(void **context)
{
	(void)context;
	begin(1, ANY_SWITCHES);
	sender_looks = false; /* he does it step by step */
	let_act(0, run_owner);
	let_act(1, run_taker);
	let_act(2, run_sender);
	go_through();
}

static void
sender_who_looks_over_two_epochs(void **context)
{
	(void)context;
	begin(2, 4);
	sender_looks = false;
	let_act(0, run_owner_who_comes_back);
	let_act(1, run_taker);
	let_act(2, run_sender);
	go_through();
}

static void
owner_who_biases_again_taker_and_revoker(void **context)
{
	(void)context;
	begin(2, 4);
	let_act(0, run_owner_who_comes_back);
	let_act(1, run_taker);
	let_act(2, run_revoker);
	go_through();
}

/* The old one's last store must not come into the new one's epoch. */
static void
owner_and_rival(void **context)
{
	(void)context;
	begin(2, ANY_SWITCHES);
	let_act(0, run_owner);
	let_act(1, run_rival);
	go_through();
}

static void
owner_rival_and_taker(void **context)
{
	(void)context;
	begin(2, 4);
	let_act(0, run_owner);
	let_act(1, run_rival);
	let_act(2, run_taker);
	go_through();
}

static void
owner_who_dies_anywhere(void **context)
{
	(void)context;
	begin(3, ANY_SWITCHES);
	let_act(0, run_owner_who_stays);
	state.actors[0].mortal = true;
	let_act(1, run_grave_digger);
	state.actors[1].after = 0;
	let_act(2, run_taker);
	go_through();
}

static void
owner_who_dies_and_two_who_repair(void **context)
{
	(void)context;
	begin(1, ANY_SWITCHES);
	let_act(0, run_owner_who_stays);
	state.actors[0].mortal = true;
	let_act(1, run_repairer);
	state.actors[1].after = 0;
	let_act(2, run_grave_digger);
	state.actors[2].after = 0;
	let_act(3, run_taker);
	go_through();
}

static void
revoker_who_dies_anywhere(void **context)
{
	(void)context;
	begin(2, 5);
	let_act(0, run_owner);
	let_act(1, run_taker);
	let_act(2, run_revoker);
	state.actors[2].mortal = true;
	go_through();
}

/* A revoker of the first epoch stands still while the second begins. */
static void
stale_revoker_and_the_next_owner(void **context)
{
	(void)context;
	begin(2, 4);
	state.actors[0].dead = true;
	let_act(1, run_revoker);
	let_act(2, run_next_owner);
	let_act(3, run_taker);
	go_through();
}

/* One who has found the owner dead does, and the slot is another's by then. */
static void
stale_repairer_and_the_next_owner_of_the_slot(void **context)
{
	(void)context;
	begin(2, 4);
	state.actors[0].dead = true;
	let_act(1, run_repairer_of_epoch_1);
	let_act(2, run_next_owner_of_the_slot);
	let_act(3, run_taker);
	go_through();
}

/* Several with one store ------------------------------------------------- */

static void
begin_by(uint32_t steps, uint32_t count, int switches)
{
	begin(count, switches);
	each = steps;
}

static void
owner_by_three_and_taker(void **context)
{
	(void)context;
	begin_by(3, 4, ANY_SWITCHES);
	let_act(0, run_owner);
	let_act(1, run_taker);
	go_through();
}

static void
owner_by_two_and_two_takers(void **context)
{
	(void)context;
	begin_by(2, 3, 4);
	let_act(0, run_owner);
	let_act(1, run_taker);
	let_act(2, run_taker);
	go_through();
}

static void
owner_by_two_who_biases_again_taker_and_revoker(void **context)
{
	(void)context;
	begin_by(2, 3, 4);
	let_act(0, run_owner_who_comes_back);
	let_act(1, run_taker);
	let_act(2, run_revoker);
	go_through();
}

static void
owner_by_two_and_rival_by_two(void **context)
{
	(void)context;
	begin_by(2, 4, 4);
	let_act(0, run_owner);
	let_act(1, run_rival);
	go_through();
}

static void
owner_by_three_taker_and_sender_who_looks(void **context)
{
	(void)context;
	begin_by(3, 3, 4);
	sender_looks = false;
	let_act(0, run_owner);
	let_act(1, run_taker);
	let_act(2, run_sender);
	go_through();
}

static void
owner_by_two_who_dies_anywhere(void **context)
{
	(void)context;
	begin_by(2, 3, 5);
	let_act(0, run_owner_who_stays);
	state.actors[0].mortal = true;
	let_act(1, run_grave_digger);
	state.actors[1].after = 0;
	let_act(2, run_taker);
	go_through();
}

static void
stale_revoker_and_the_next_owner_by_two(void **context)
{
	(void)context;
	begin_by(2, 3, 4);
	state.actors[0].dead = true;
	let_act(1, run_revoker);
	let_act(2, run_next_owner);
	let_act(3, run_taker);
	go_through();
}

/* What a sender sees ----------------------------------------------------- */

static void
assert_head(const struct lane_entry *entry, uint64_t position)
{
	/* An answer of its own, not what is known. */
	assert_int_equal(head_position(bias_head(entry, 77)), position);
}

static void
a_sender_sees_the_head_in_each_state(void **context)
{
	struct lane_entry entry = { .head = { head_make(5, 3) } };
	uint64_t bias;

	(void)context;
	assert_int_equal(bias_head(&entry, 77), head_make(5, 3));
	bias = bias_take(&entry, 9, head_make(5, 3));
	assert_true(bias_is_set(bias));
	assert_int_equal(bias_towards(&entry, 9), bias);
	assert_int_equal(bias_towards(&entry, 8), 0);
	assert_head(&entry, 5);
	assert_true(bias_advance(&entry, bias, head_make(6, 0)));
	assert_head(&entry, 6);
	/* Revoking: the last store may not count. */
	word64_store_relaxed(&entry.head, bias | HEAD_REVOKING);
	assert_head(&entry, 5);
	/* Decided so, but not finished. */
	word64_store_relaxed(&entry.decision, decision_make(1, 6));
	assert_head(&entry, 5);
	assert_true(bias_revoke(&entry));
	assert_int_equal(bias_head(&entry, 77), head_make(6, 0));
	assert_false(bias_advance(&entry, bias, head_make(7, 0)));
	assert_head(&entry, 6);
	/* Not before the owner has given it up. */
	assert_int_equal(bias_take(&entry, 8, head_make(6, 0)), 0);
	bias_leave(&entry, bias);
	assert_head(&entry, 6);
	assert_true(bias_is_set(bias_take(&entry, 8, head_make(6, 0))));
	assert_head(&entry, 6);
}

static void
of_several_taken_at_once_it_sees_none_until_it_is_decided(void **context)
{
	struct lane_entry entry = { .head = { 0 } };
	uint64_t bias = bias_take(&entry, 9, 0);
	uint32_t steps;

	(void)context;
	assert_true(bias_advance(&entry, bias, bias_next(7, 7)));
	assert_int_equal(bias_head(&entry, 77), head_make(7, 0));
	assert_true(bias_advance(&entry, bias, bias_next(27, 20)));
	word64_store_relaxed(&entry.head, bias | HEAD_REVOKING);
	assert_head(&entry, 7);
	assert_int_equal(bias_head_at_most(&entry, 77, &steps),
			 head_make(27, 0));
	assert_int_equal(steps, 20);
	/* The owner's store came late. */
	word64_store_relaxed(&entry.decision, decision_make(1, 7));
	assert_true(bias_revoke(&entry));
	assert_int_equal(entry.head.word, head_make(7, 0));
	assert_false(bias_advance(&entry, bias, bias_next(27, 20)));
	bias_leave(&entry, bias);
	assert_int_equal(bias_head_at_most(&entry, 77, &steps),
			 head_make(7, 0));
	assert_int_equal(steps, 0);
}

/* A hostile receiver, who changes the head at each look. */
static void
run_fidget(void)
{
	for (uint32_t epoch = 1; epoch < 80; epoch++) {
		uint64_t head = HEAD_BIASED | epoch;

		word64_cas_acq_rel(&LANE->head, &head, head + 1);
	}
}

static void
what_changes_for_ever_is_what_was_known(void **context)
{
	struct actor *fidget = &state.actors[1], *sender = &state.actors[0];

	(void)context;
	begin(0, ANY_SWITCHES);
	let_act(0, run_sender_who_knows_3);
	let_act(1, run_fidget);
	while (!sender->done) {
		take_step(sender);
		take_step(fidget);
	}
	assert_false(fidget->done);
	assert_int_equal(state.passed, 3);
}

static void
the_claim_of_the_last_message_stays_in_the_head(void **context)
{
	struct lane_entry entry = { .head = { 0 } };
	uint64_t bias = bias_take(&entry, 0, head_make(0, 0));

	(void)context;
	assert_true(bias_advance(&entry, bias, head_make(1, 4)));
	assert_true(bias_revoke(&entry));
	assert_int_equal(entry.head.word, head_make(1, 4));
	bias_leave(&entry, bias);
	assert_int_equal(entry.head.word, head_make(1, 4));
}

static void
the_dead_ones_word_is_given_up_by_who_buries_him(void **context)
{
	struct lane_entry entry = { .head = { 0 } };
	uint64_t bias = bias_take(&entry, 3, 0);

	(void)context;
	assert_true(bias_advance(&entry, bias, head_make(1, 0)));
	bias_bury(&entry, 4);
	assert_int_equal(entry.head.word, bias);
	bias_revoke_dead(&entry, bias);
	assert_int_equal(entry.head.word, head_make(1, 0));
	assert_int_equal(entry.bias_owner.word, 4);
	bias_bury(&entry, 3);
	assert_int_equal(entry.bias_owner.word, 0);
	assert_int_equal(entry.head.word, head_make(1, 0));
}

/* Threads ---------------------------------------------------------------- */

#define UNTIL (SLOW_HERE ? 20000 : 400000)

static struct lane_entry shared_entry;
static word32 takers_of[UNTIL];
static word32 biased_takes;

static void
note_taken(uint64_t k)
{
	word32_add_acq_rel(&takers_of[k], 1);
}

/* One message, if there is one and nobody is faster. False: no more. */
static bool
take_one(void)
{
	uint64_t head = word64_load_acquire(&shared_entry.head), k;

	if (bias_is_set(head)) {
		bias_revoke(&shared_entry);
		head = word64_load_acquire(&shared_entry.head);
		if (bias_is_set(head))
			return true;
	}
	k = head_position(head);
	if (k >= UNTIL)
		return false;
	if (word64_cas_acq_rel(&shared_entry.head, &head, head_make(k + 1, 0)))
		note_taken(k);
	return true;
}

static void *
take_and_revoke(void *context)
{
	(void)context;
	while (take_one())
		sched_yield();
	return NULL;
}

/* Until it is taken away, or at most a thousand. */
static void
take_biased(uint64_t bias, uint64_t from)
{
	uint64_t k = from, end = min_u64(UNTIL, from + 1000);

	for (; k < end; k++) {
		if (!bias_advance(&shared_entry, bias, head_make(k + 1, 0)))
			break;
		note_taken(k);
		word32_add_acq_rel(&biased_takes, 1);
	}
	bias_leave(&shared_entry, bias);
}

static void *
take_and_bias(void *context)
{
	(void)context;
	while (take_one()) {
		uint64_t head = word64_load_acquire(&shared_entry.head);
		uint64_t bias = 0;

		if (!bias_is_set(head))
			bias = bias_take(&shared_entry, 0, head);
		if (bias)
			take_biased(bias, head_position(head));
	}
	return NULL;
}

static void
threads_take_each_message_once(void **context)
{
	pthread_t threads[3];
	uint64_t k;
	int i;

	(void)context;
	if (!barrier_register())
		skip();
	for (i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL,
						i ? take_and_revoke :
						    take_and_bias,
						NULL),
				 0);
	for (i = 0; i < 3; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	for (k = 0; k < UNTIL; k++)
		if (takers_of[k].word != 1)
			fail_msg("message %llu has been taken %u times",
				 (unsigned long long)k, takers_of[k].word);
	assert_int_equal(shared_entry.head.word, head_make(UNTIL, 0));
	assert_true(biased_takes.word > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(owner_and_taker),
		cmocka_unit_test(owner_taker_and_revoker),
		cmocka_unit_test(owner_and_two_takers),
		cmocka_unit_test(owner_taker_and_sender_who_looks),
		cmocka_unit_test(sender_who_looks_over_two_epochs),
		cmocka_unit_test(owner_who_biases_again_taker_and_revoker),
		cmocka_unit_test(owner_and_rival),
		cmocka_unit_test(owner_rival_and_taker),
		cmocka_unit_test(owner_who_dies_anywhere),
		cmocka_unit_test(owner_who_dies_and_two_who_repair),
		cmocka_unit_test(revoker_who_dies_anywhere),
		cmocka_unit_test(stale_revoker_and_the_next_owner),
		cmocka_unit_test(stale_repairer_and_the_next_owner_of_the_slot),
		cmocka_unit_test(owner_by_three_and_taker),
		cmocka_unit_test(owner_by_two_and_two_takers),
		cmocka_unit_test(owner_by_two_who_biases_again_taker_and_revoker),
		cmocka_unit_test(owner_by_two_and_rival_by_two),
		cmocka_unit_test(owner_by_three_taker_and_sender_who_looks),
		cmocka_unit_test(owner_by_two_who_dies_anywhere),
		cmocka_unit_test(stale_revoker_and_the_next_owner_by_two),
		cmocka_unit_test(of_several_taken_at_once_it_sees_none_until_it_is_decided),
		cmocka_unit_test(a_sender_sees_the_head_in_each_state),
		cmocka_unit_test(what_changes_for_ever_is_what_was_known),
		cmocka_unit_test(
			the_claim_of_the_last_message_stays_in_the_head),
		cmocka_unit_test(
			the_dead_ones_word_is_given_up_by_who_buries_him),
		cmocka_unit_test(threads_take_each_message_once),
	};

	return cmocka_run_group_tests_name("bias", tests, NULL, NULL);
}
