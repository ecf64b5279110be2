/* SPDX-License-Identifier: MIT */
/* Test: timeout 60. */
/*
 * Who looks after the dead of a queue waits for its lock not without end, however
 * many they are: his own deadline may be near.
 *
 * queue_behind.c is compiled into this file, with a clock of its own, on which each wait
 * for the lock takes nearly as long as it may.
 */
#include "base.h"
#include "clock.h"
#include "queue.h"

static int64_t time_now;
static bool is_free;	/* the lock: then it is what is done with it that takes long */
static int waits;
static int64_t lost;	/* with each look at the clock: the processor is another's */
static int signals;	/* that come while the lock is waited for */
static int64_t asking;	/* each time: then all live */
static int asked;

static int64_t
fake_now(void)
{
	if (!time_now)
		return clock_now();
	time_now += lost;
	return time_now;
}

#define WAIT (2 * NSEC_PER_MSEC - 1)

static int
enter_late(struct queue *queue, int64_t deadline)
{
	if (signals) {
		signals--;
		return -EINTR;
	}
	if (time_now) {
		waits++;
		if (!is_free && deadline && time_now + WAIT > deadline)
			return -ETIMEDOUT;
		time_now += WAIT;
	}
	return queue_enter(queue, deadline);
}

static uint64_t
ask_late(const struct view *view, const struct queue_map *map, uint32_t slot)
{
	if (!asking)
		return members_dead_up_to(view, map, slot);
	asked++;
	time_now += asking;
	return get64(&queue_participant(map, slot)->generation) - 2;
}

#define clock_now fake_now
#define queue_enter enter_late
#define members_dead_up_to ask_late
#include "queue_behind.c"
#undef clock_now
#undef queue_enter
#undef members_dead_up_to

#include "mailbox.h"
#include "support/support.h"

#define DEAD 30U
#define CHUNKS 8
#define BEGAN 1000000000

/* So many chunks that no look gets round all of them. */
static cubby_mailbox *
open_large(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	cubby_mailbox *m;

	options.order = CUBBY_ORDER_ARRIVAL;
	options.capacity = 100000;
	m = open_mailbox("m", CUBBY_CREATE | CUBBY_SEND | CUBBY_RECEIVE,
			 &options);
	for (uint64_t i = 0; queue_chunks(&m->queue.map) < CHUNKS; i++)
		send_number(m, i);
	return m;
}

static void
look_at_many(int64_t longest)
{
	cubby_mailbox *m = open_large();
	struct queue *queue = &m->queue;
	uint32_t clean = 0, before;

	expect_ok(shm_commit(queue->fd, queue->map.geometry.participants,
			     (DEAD + 1) * sizeof(struct queue_participant),
			     INT64_MAX));
	set32(&queue->map.file->participants_committed, DEAD + 1);
	for (uint32_t n = 1; n <= DEAD; n++)
		set64(&queue_participant(&queue->map, n)->generation, 4);
	time_now = BEGAN;
	waits = 0;
	expect(!queue_look(queue));
	expect(time_now - BEGAN <= longest);
	expect(waits > 1);
	/* Those that were left are left to the looks that come, each of which gets
	   further, if not by a whole one. */
	for (int i = 0; i < 1000 && clean < DEAD; i++) {
		int64_t began = time_now;

		before = clean;
		queue_look(queue);
		expect(time_now - began <= longest);
		clean = 0;
		for (uint32_t n = 1; n <= DEAD; n++)
			clean += get64(&queue_participant(&queue->map, n)
						->clean) >= 4;
		expect(clean >= before);
	}
	expect_int(clean, DEAD);
	expect(queue_look(queue));
	time_now = 0;
	cubby_close(m);
}

static void
one_look_does_not_wait_for_all_of_many(void)
{
	is_free = false;
	look_at_many(LOOK_LONGEST);
}

static void
one_look_does_not_work_through_all_of_many(void)
{
	is_free = true;
	look_at_many(LOOK_LONGEST + WAIT);
}

/* The look at the one before has not come to its end. */
static void
who_has_a_dead_one_s_place_is_not_robbed(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	uint32_t *slot = shared_memory(sizeof(*slot));
	cubby_mailbox *other, *living;
	struct gate joined = gate_make();
	struct child child;
	cubby_message *held;

	options.order = CUBBY_ORDER_ARRIVAL;
	other = open_mailbox("m", CUBBY_CREATE | CUBBY_SEND | CUBBY_RECEIVE,
			     &options);
	in_child(&child) {
		*slot = open_mailbox("m", CUBBY_RECEIVE, NULL)->queue.member.slot;
		gate_open(&joined);
		for (;;)
			pause();
	}
	gate_wait(&joined);
	child_kill(&child);
	living = open_mailbox("m", CUBBY_RECEIVE, NULL);
	expect_int(living->queue.member.slot, *slot);
	send_number(other, 5);
	expect_ok(cubby_hold(living, NULL, CUBBY_NOW, &held));
	set64(&queue_participant(&other->queue.map, *slot)->clean, 0);
	expect_int(queue_look_at_to_the_end(&other->queue, *slot), 0);
	expect_empty(other);
	expect_ok(cubby_release(held));
	cubby_close(living);
	cubby_close(other);
}

/* Generations have wrapped round since he died; a slot names 48 bits of his. */
static void
what_the_dead_had_before_a_wrap_goes_back(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	struct gate holds = gate_make();
	struct queue_participant *p;
	cubby_mailbox *other;
	struct child child;
	uint32_t number = PARTICIPANTS_MAX;

	options.order = CUBBY_ORDER_ARRIVAL;
	other = open_mailbox("m", CUBBY_CREATE | CUBBY_SEND | CUBBY_RECEIVE,
			     &options);
	send_number(other, 5);
	in_child(&child) {
		cubby_message *held;

		expect_ok(cubby_hold(open_mailbox("m", CUBBY_RECEIVE, NULL),
				     NULL, CUBBY_NOW, &held));
		gate_open(&holds);
		for (;;)
			pause();
	}
	gate_wait(&holds);
	child_kill(&child);
	for (uint32_t n = 0;
	     n < queue_chunks(&other->queue.map) * CHUNK_SLOTS; n++) {
		struct queue_slot *slot = queue_slot(&other->queue.map, n);
		uint64_t owner = get64(&slot->owner);

		if (slot_state_of(get64(&slot->state)) != SLOT_HELD)
			continue;
		number = owner_participant(owner);
		set64(&slot->owner, owner_make(number, -UINT64_C(2)));
	}
	p = queue_participant(&other->queue.map, number);
	expect(p);
	set64(&p->generation, 2);
	set64(&p->clean, 0);
	expect_int(queue_look_at_to_the_end(&other->queue, number), 1);
	expect_number(other, 5);
	cubby_close(other);
}

static void
hold_all(void)
{
	cubby_mailbox *m = open_mailbox("m", CUBBY_RECEIVE, NULL);
	cubby_message *held;

	while (cubby_hold(m, NULL, CUBBY_NOW, &held) == 0)
		;
}

/* A look at the clock costs more than a whole look may take, as where a processor
   is shared by many. */
static void
who_opens_gives_back_all_that_the_last_one_in_its_place_held(void)
{
	struct gate done = gate_make();
	cubby_mailbox *m = open_large(), *heir;
	struct child child;

	in_child(&child) {
		hold_all();
		gate_open(&done);
		for (;;)
			pause();
	}
	gate_wait(&done);
	expect_int(inspect("m").waiting, 0);
	child_kill(&child);
	time_now = BEGAN;
	is_free = true;
	lost = 2 * LOOK_LONGEST;
	heir = open_mailbox("m", CUBBY_RECEIVE, NULL);
	time_now = lost = 0;
	expect_int(inspect("m").held, 0);
	expect(inspect("m").waiting > (CHUNKS - 2) * CHUNK_SLOTS);
	expect_int(inspect("m").returned, inspect("m").waiting);
	cubby_close(heir);
	cubby_close(m);
}

static void
each_look_gets_further_however_little_time_it_has(void)
{
	cubby_mailbox *m = open_large();
	struct queue *queue = &m->queue;
	int i;

	set32(&queue->map.file->participants_committed, 2);
	set64(&queue_participant(&queue->map, 1)->generation, 4);
	time_now = BEGAN;
	is_free = true;
	lost = 2 * LOOK_LONGEST;
	for (i = 0; !queue_look(queue) && i < 1000; i++)
		;
	time_now = lost = 0;
	/* One for the records, one for each chunk; the next says that it is clean. */
	expect_int(i, CHUNKS + 1);
	cubby_close(m);
}

/* How many looks until there is nothing left to anybody. */
static int
looks_at_what_is_left(struct queue *queue)
{
	int i;

	time_now = BEGAN;
	is_free = true;
	for (i = 0; !queue_look(queue) && i < 1000; i++)
		;
	time_now = 0;
	return i;
}

static void
what_is_left_to_anybody_is_seen_to_in_several_looks(void)
{
	cubby_mailbox *m = open_large();
	struct queue *queue = &m->queue;

	queue_tell_left(queue);
	expect_int(looks_at_what_is_left(queue), CHUNKS / 3);
	expect(!is_left_to_anybody(queue));
	/* So with a sweep, which does not go round for ever. */
	queue_tell_left(queue);
	time_now = BEGAN;
	expect_int(queue_look_to_the_end(queue), 0);
	time_now = 0;
	expect(!is_left_to_anybody(queue));
	cubby_close(m);
}

static void
what_is_left_while_somebody_looks_is_told_once_more(void)
{
	cubby_mailbox *m = open_large();
	struct queue *queue = &m->queue;

	queue_tell_left(queue);
	time_now = BEGAN;
	is_free = true;
	expect(!queue_look(queue));
	time_now = 0;
	queue_tell_left(queue);
	looks_at_what_is_left(queue);
	expect(is_left_to_anybody(queue));
	looks_at_what_is_left(queue);
	expect(!is_left_to_anybody(queue));
	cubby_close(m);
}

/* Each of two begins each round before the other has ended his. */
static void
two_who_look_at_what_is_left_come_to_an_end(void)
{
	cubby_mailbox *m = open_large(), *other;
	int i;

	other = open_mailbox("m", CUBBY_RECEIVE, NULL);
	queue_tell_left(&m->queue);
	time_now = BEGAN;
	is_free = true;
	expect(!queue_look(&m->queue));
	for (i = 0; i < 1000 && is_left_to_anybody(&m->queue); i++)
		queue_look(i % 2 ? &other->queue : &m->queue);
	time_now = 0;
	expect(i < 2 * CHUNKS);
	cubby_close(other);
	cubby_close(m);
}

/* That anybody's round is over says nothing of what was told after it began. */
static void
an_earlier_round_does_not_end_a_later_one(void)
{
	cubby_mailbox *m = open_large(), *other;

	other = open_mailbox("m", CUBBY_RECEIVE, NULL);
	queue_tell_left(&m->queue);
	time_now = BEGAN;
	is_free = true;
	expect(!queue_look(&m->queue));
	queue_tell_left(&m->queue);
	looks_at_what_is_left(&other->queue);
	expect(!is_left_to_anybody(&m->queue));
	queue_tell_left(&m->queue);
	looks_at_what_is_left(&m->queue);
	expect(is_left_to_anybody(&m->queue));
	cubby_close(other);
	cubby_close(m);
}

static void
a_signal_does_not_end_the_look_of_who_opens(void)
{
	struct gate done = gate_make();
	cubby_mailbox *m = open_large(), *heir;
	struct child child;

	in_child(&child) {
		hold_all();
		gate_open(&done);
		for (;;)
			pause();
	}
	gate_wait(&done);
	child_kill(&child);
	signals = 1;
	heir = open_mailbox("m", CUBBY_RECEIVE, NULL);
	expect_int(signals, 0);
	expect_int(inspect("m").held, 0);
	cubby_close(heir);
	cubby_close(m);
}

/* Who looks before he waits, whenever one is due, comes to wait, and to the end of
   his deadline. */
static void
the_next_look_is_not_due_when_a_long_one_ends(void)
{
	cubby_mailbox *m = open_large();

	set32(&m->queue.map.file->participants_committed, 2);
	set64(&queue_participant(&m->queue.map, 1)->generation, 4);
	time_now = BEGAN;
	is_free = true;
	lost = LOOK_EVERY;
	queue_look(&m->queue);
	expect(m->queue.next_look > time_now);
	time_now = lost = 0;
	cubby_close(m);
}

/* Many looks may be needed: they are not a second apart. */
static void
who_sleeps_does_so_shortly_while_there_is_more_behind_the_dead(void)
{
	cubby_mailbox *m = open_large();
	struct queue *queue = &m->queue;
	int i = 0;

	set32(&queue->map.file->participants_committed, 2);
	set64(&queue_participant(&queue->map, 1)->generation, 4);
	queue->slice = QUEUE_SLICE_LONGEST;
	time_now = BEGAN;
	is_free = true;
	for (;; i++) {
		queue_look_after_slice(queue);
		if (get64(&queue_participant(&queue->map, 1)->clean) >= 4)
			break;
		expect_int(queue->slice, QUEUE_SLICE_WORK);
	}
	expect(i > 1);
	queue_look_after_slice(queue);
	expect(queue->slice > QUEUE_SLICE_WORK);
	time_now = 0;
	cubby_close(m);
}

#define LIVING 1000
#define ASKING (100 * NSEC_PER_USEC)

static void
one_look_does_not_ask_of_all_of_many_living(void)
{
	cubby_mailbox *m = open_large();
	struct queue *queue = &m->queue;

	expect_ok(shm_commit(queue->fd, queue->map.geometry.participants,
			     LIVING * sizeof(struct queue_participant),
			     INT64_MAX));
	set32(&queue->map.file->participants_committed, LIVING);
	for (uint32_t n = 1; n < LIVING; n++)
		set64(&queue_participant(&queue->map, n)->generation, 2);
	is_free = true;
	asking = ASKING;
	for (int i = 0; i < LIVING / LOOK_ASKS + 1; i++) {
		time_now = BEGAN;
		expect(!queue_look(queue));
		expect(time_now - BEGAN <= LOOK_LONGEST + LOOK_ASKS * ASKING);
	}
	/* Nothing is left of them. */
	queue->slice = QUEUE_SLICE_LONGEST;
	queue_look_after_slice(queue);
	expect_int(queue->slice, QUEUE_SLICE_LONGEST);
	/* All have had their turn. */
	expect(asked >= LIVING);
	/* Who has to know it asks of all. */
	time_now = BEGAN;
	asked = 0;
	expect(queue_look_and_ask_all(queue));
	expect_int(asked, LIVING);
	time_now = asking = 0;
	set32(&queue->map.file->participants_committed, 16);
	cubby_close(m);
}

static const struct test tests[] = {
	TEST(who_opens_gives_back_all_that_the_last_one_in_its_place_held),
	TEST(each_look_gets_further_however_little_time_it_has),
	TEST(what_is_left_to_anybody_is_seen_to_in_several_looks),
	TEST(what_is_left_while_somebody_looks_is_told_once_more),
	TEST(two_who_look_at_what_is_left_come_to_an_end),
	TEST(an_earlier_round_does_not_end_a_later_one),
	TEST(a_signal_does_not_end_the_look_of_who_opens),
	TEST(the_next_look_is_not_due_when_a_long_one_ends),
	TEST(who_sleeps_does_so_shortly_while_there_is_more_behind_the_dead),
	TEST(one_look_does_not_ask_of_all_of_many_living),
	TEST(one_look_does_not_wait_for_all_of_many),
	TEST(one_look_does_not_work_through_all_of_many),
	TEST(who_has_a_dead_one_s_place_is_not_robbed),
	TEST(what_the_dead_had_before_a_wrap_goes_back),
};

int
main(void)
{
	return RUN_TESTS("queue look", tests);
}
