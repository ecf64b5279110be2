/* SPDX-License-Identifier: MIT */
/* Test: timeout 120. */
/*
 * Names that are given to slots of a queue, by several at a time, of whom some
 * stand still or die at any step: a name is one slot's, and nobody is held up or
 * refused but by one who has the name.
 *
 * members.c is compiled into this file, so that before each of its steps somebody
 * else can do his part.
 */
#include <setjmp.h>

#include "base.h"
#include "atomics.h"
#include "liveness.h"
#include "members.h"
#include "participants.h"
#include "shm.h"
#include "slots.h"

static void
step(void);
static int
take(int dir, const char *name, uint64_t byte, struct liveness *ret);
static void
drop(struct liveness *life);
static int
commit_noted(int fd, uint64_t offset, uint64_t size, int64_t deadline);

#define HOOK(name, ...) (step(), (name)(__VA_ARGS__))
#define word64_load_acquire(...) HOOK(word64_load_acquire, __VA_ARGS__)
#define word64_store_release(...) HOOK(word64_store_release, __VA_ARGS__)
#define word32_load_acquire(...) HOOK(word32_load_acquire, __VA_ARGS__)
#define word32_store_relaxed(...) HOOK(word32_store_relaxed, __VA_ARGS__)
#define word32_cas_acq_rel(...) HOOK(word32_cas_acq_rel, __VA_ARGS__)
#define copy_in_relaxed(...) HOOK(copy_in_relaxed, __VA_ARGS__)
#define liveness_ask(...) HOOK(liveness_ask, __VA_ARGS__)
#define liveness_take_at(...) (step(), take(__VA_ARGS__))
#define liveness_drop(...) (step(), drop(__VA_ARGS__))
#define shm_commit(...) (step(), commit_noted(__VA_ARGS__))
#include "members.c"
#undef shm_commit
#undef liveness_take_at
#undef liveness_drop

#include "handle.h"
#include "support/support.h"

#define NEVER INT32_MAX

/* Somebody else, in the middle ------------------------------------------- */

static int outer_steps, inner_steps; /* left, until it happens */
static void (*interlude)(void);
static bool in_interlude;
static jmp_buf stopped;

/* The bytes that those in the interlude have locked. */
static struct liveness locked[8];

static void
step(void)
{
	if (in_interlude) {
		if (inner_steps-- == 0)
			longjmp(stopped, 1);
		return;
	}
	if (!interlude || outer_steps-- != 0)
		return;
	in_interlude = true;
	interlude();
	in_interlude = false;
	interlude = NULL;
}

static int
take(int dir, const char *name, uint64_t byte, struct liveness *ret)
{
	int r = liveness_take_at(dir, name, byte, ret);
	size_t i;

	for (i = 0; in_interlude && r == 0 && i < COUNT_OF(locked); i++)
		if (!locked[i].page) {
			locked[i] = *ret;
			break;
		}
	return r;
}

static void
drop(struct liveness *life)
{
	for (size_t i = 0; i < COUNT_OF(locked); i++)
		if (life->page && locked[i].page == life->page)
			locked[i].page = NULL;
	liveness_drop(life);
}

static uint64_t noted_offset, noted_size; /* of the last one */

static int
commit_noted(int fd, uint64_t offset, uint64_t size, int64_t deadline)
{
	noted_offset = offset;
	noted_size = size;
	return shm_commit(fd, offset, size, deadline);
}

/* Whoever stood still in the interlude dies. */
static void
drop_all(void)
{
	for (size_t i = 0; i < COUNT_OF(locked); i++)
		liveness_drop(&locked[i]);
}

/* Those who take part ---------------------------------------------------- */

enum what { NOTHING, JOINS, GIVES, JOINS_UNNAMED, WHATS };

struct one {
	enum what what;
	enum { COMES, STANDS_STILL, DIES } end;
	int result;
	uint32_t slot;
	struct member member;
};

static cubby_mailbox *own;
static struct one outer, inner, third;

static void
run(struct one *one)
{
	struct queue *queue = &own->queue;
	const char *name = one->what == JOINS ? "X" : NULL;

	one->slot = PARTICIPANTS_MAX;
	one->end = COMES;
	one->result = 0;
	if (one->what == NOTHING)
		return;
	if (one->what == GIVES) {
		one->result = members_give_name(queue->view, &queue->map,
						queue->fd, "X", &one->slot);
		return;
	}
	one->result = members_join(queue->view, &queue->map, queue->fd, name,
				   CUBBY_SEND, &one->member);
	if (one->result == 0)
		one->slot = one->member.slot;
}

static int inner_dies;

/* One who may stop for good; and then, beside him, a third who does not. */
static void
two_others(void)
{
	if (setjmp(stopped) == 0) {
		run(&inner);
	} else {
		inner.end = inner_dies ? DIES : STANDS_STILL;
		inner.result = -EINTR;
		if (inner_dies)
			drop_all();
	}
	inner_steps = NEVER;
	run(&third);
}

static bool
joins_and_lives(const struct one *one)
{
	return one->what == JOINS && one->end != DIES;
}

/* Of one that came to its end. */
static void
expect_one(const struct one *one, const struct one *a, const struct one *b)
{
	char name[SENDER_NAME_MAX + 1];

	if (one->end != COMES || one->what == NOTHING)
		return;
	if (one->result == -EBUSY && one->what == JOINS) {
		expect(joins_and_lives(a) || joins_and_lives(b));
		return;
	}
	expect_ok(one->result);
	members_name(&own->queue.map, one->slot, name);
	expect(!strcmp(name, one->what == JOINS_UNNAMED ? "" : "X"));
}

static bool
is_in(const struct one *one)
{
	return one->end == COMES && one->what == JOINS && one->result == 0;
}

static void
expect_all(void)
{
	char name[SENDER_NAME_MAX + 1];
	int bearers = 0, joined;

	expect_one(&outer, &inner, &third);
	expect_one(&inner, &outer, &third);
	expect_one(&third, &inner, &outer);
	joined = is_in(&outer) + is_in(&inner) + is_in(&third);
	expect(joined <= 1);
	if (inner.end == COMES &&
	    (outer.what == JOINS || inner.what == JOINS || third.what == JOINS))
		expect_int(joined, 1);
	for (uint32_t slot = 0; slot < PARTICIPANTS_MAX; slot++) {
		members_name(&own->queue.map, slot, name);
		bearers += !strcmp(name, "X");
	}
	expect(bearers <= 1);
}

static void
leave(struct one *one)
{
	if (one->what != NOTHING && one->what != GIVES && one->end == COMES &&
	    one->result == 0)
		drop(&one->member.life);
}

static void
open_own(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;

	options.order = CUBBY_ORDER_ARRIVAL;
	own = open_mailbox("q", CUBBY_CREATE | CUBBY_RECEIVE, &options);
}

static void
close_own(void)
{
	cubby_close(own);
	expect_ok(cubby_unlink("q"));
}

/* All orders of the two, the inner one being stopped before its step `until`.
   False: there are no more; *ret_inner: there was such a step. */
static bool
run_three(int at, int until, bool *ret_inner)
{
	bool happened;

	open_own();
	outer_steps = at;
	inner_steps = until;
	interlude = two_others;
	run(&outer);
	happened = !interlude;
	interlude = NULL;
	if (happened)
		expect_all();
	*ret_inner = happened && inner.end != COMES;
	/* What those have left or keep is in nobody's way. */
	if (happened) {
		uint32_t slot = PARTICIPANTS_MAX;
		struct queue *queue = &own->queue;

		expect_ok(members_give_name(queue->view, &queue->map, queue->fd,
					    "X", &slot));
		if (outer.what != JOINS_UNNAMED && outer.result == 0)
			expect_int(slot, outer.slot);
		leave(&inner);
		leave(&third);
		drop_all();
	}
	leave(&outer);
	close_own();
	return happened;
}

static void
in_all_orders(enum what first, enum what second, enum what last, int dies)
{
	bool more = true, stood;

	inner_dies = dies;
	outer.what = first;
	inner.what = second;
	third.what = last;
	for (int at = 0; more; at++) {
		more = run_three(at, NEVER, &stood);
		stood = more;
		for (int until = 0; stood; until++)
			run_three(at, until, &stood);
	}
}

static void
one_slot_bears_it(enum what first)
{
	for (enum what second = JOINS; second < WHATS; second++)
		for (enum what last = NOTHING; last <= GIVES; last++)
			for (int dies = 0; dies < 2; dies++)
				in_all_orders(first, second, last, dies);
}

static void
joining_by_a_name_among_others(void)
{
	one_slot_bears_it(JOINS);
}

static void
giving_a_name_among_others(void)
{
	one_slot_bears_it(GIVES);
}

static void
joining_without_a_name_among_others(void)
{
	one_slot_bears_it(JOINS_UNNAMED);
}

/* Those of whole slots ahead of us stand still before they had memory. */
static void
slots_passed_by_have_memory(void)
{
	struct liveness others[2 * PER_PAGE];
	struct queue *queue;
	uint32_t slot;

	open_own();
	queue = &own->queue;
	for (size_t i = 0; i < COUNT_OF(others); i++)
		expect_ok(liveness_take_at(queue->view->directory, ATTENDANCE,
					   MEMBERS_NAMING + 1 + i, &others[i]));
	expect_ok(members_give_name(queue->view, &queue->map, queue->fd, "X",
				    &slot));
	expect_int(slot, COUNT_OF(others) + 1);
	expect_int(noted_offset, queue->map.geometry.participants + PAGE);
	expect_int(noted_size, 2 * PAGE);
	for (size_t i = 0; i < COUNT_OF(others); i++)
		liveness_drop(&others[i]);
	close_own();
}

static void
take_name_away(void)
{
	set32(&queue_participant(&own->queue.map, 0)->given, 0);
}

static void
a_name_that_is_taken_away_harms_nobody(void)
{
	bool more = true;

	inner.what = JOINS;
	for (int at = 0; more; at++) {
		open_own();
		run(&inner);
		expect_ok(inner.result);
		leave(&inner);
		outer_steps = at;
		interlude = take_name_away;
		outer.what = JOINS;
		run(&outer);
		more = !interlude;
		interlude = NULL;
		expect_ok(outer.result);
		leave(&outer);
		close_own();
	}
}

/* By the public calls ---------------------------------------------------- */

static cubby_mailbox *second_life;
static int second_result;

/* The same name, of another program. */
static int
open_x(cubby_mailbox **ret)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;

	options.sender = "X";
	return cubby_open("q", CUBBY_SEND, &options, ret);
}

static int
send_tagged(cubby_mailbox *mailbox, uint64_t tag)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;

	envelope.tag = tag;
	return cubby_send_full(mailbox, &tag, sizeof(tag), &envelope, 0,
			       CUBBY_NOW);
}

static void
open_second(void)
{
	second_result = open_x(&second_life);
	if (second_result == 0)
		expect_ok(send_tagged(second_life, 104));
}

static void
expect_last_published(uint64_t wanted)
{
	uint64_t sequence, tag;
	cubby_mailbox *next;

	expect_ok(open_x(&next));
	expect_ok(cubby_published(next, &sequence, &tag));
	expect_int(tag, wanted);
	cubby_close(next);
}

static void
a_name_has_one_owner_who_can_resume(void)
{
	bool more = true;

	for (int at = 0; more; at++) {
		cubby_mailbox *first;
		int result;

		open_own();
		outer_steps = at;
		inner_steps = NEVER;
		interlude = open_second;
		result = open_x(&first);
		more = !interlude;
		interlude = NULL;
		if (result == 0)
			expect_ok(send_tagged(first, 202));
		else
			expect_result(result, -EBUSY);
		if (more)
			expect_int(second_result, result == 0 ? -EBUSY : 0);
		if (result == 0)
			cubby_close(first);
		if (more && second_result == 0)
			cubby_close(second_life);
		expect_last_published(result == 0 ? 202 : 104);
		close_own();
	}
}

static void
who_waits_for_a_name_gets_what_it_sends(void)
{
	struct cubby_filter filter = CUBBY_FILTER_INIT;
	bool more = true;

	filter.sender_name = "X";
	for (int at = 0; more; at++) {
		uint64_t number = 0;
		size_t size;
		int result;

		open_own();
		outer_steps = at;
		inner_steps = NEVER;
		interlude = open_second;
		result = cubby_receive_full(own, &filter, 0, CUBBY_NOW, &number,
					    sizeof(number), &size, NULL);
		more = !interlude;
		interlude = NULL;
		if (!more)
			open_second();
		expect_ok(second_result);
		if (result)
			expect_result(result, -EAGAIN);
		else
			expect_ok(send_tagged(second_life, 104));
		expect_ok(cubby_receive_full(own, &filter, 0, CUBBY_NOW,
					     &number, sizeof(number), &size,
					     NULL));
		expect_int(number, 104);
		cubby_close(second_life);
		close_own();
	}
}

static const struct test tests[] = {
	TEST(joining_by_a_name_among_others),
	TEST(giving_a_name_among_others),
	TEST(joining_without_a_name_among_others),
	TEST(slots_passed_by_have_memory),
	TEST(a_name_that_is_taken_away_harms_nobody),
	TEST(a_name_has_one_owner_who_can_resume),
	TEST(who_waits_for_a_name_gets_what_it_sends),
};

int
main(void)
{
	return RUN_TESTS("new names", tests);
}
